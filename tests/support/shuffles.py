"""Jobs of a cluster without an engine: tables packed, mixed up, and put together again."""

from collections import defaultdict
from random import Random

import pyarrow as pa
from support.shops import COLUMNS

from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.shuffle_blocks import BLOCK_BYTES, BLOCK_SCHEMA, as_rows, from_rows
from ordercycle._engines.stream_plans import all_options


def job_for(*tables, repeatable=False, partitions=3, columns=COLUMNS, timezone="UTC", **options):
    return GroupingJob.of(
        [table for table in tables if table is not None],
        lambda table, _needed, _name: table.schema,
        partitions=partitions,
        options=all_options(columns, timezone, options),
        repeatable=repeatable,
    )


def shuffled(job, frames, seed, sources=3):
    """Return the blocks of each target in any order, as an engine brings them."""
    random = Random(seed)  # noqa: S311 - a reproducible order, not a secret
    arrived = defaultdict(list)
    for number, frame in enumerate(frame for frame in frames if frame is not None):
        cuts = sorted(random.randint(0, frame.num_rows) for _ in range(sources - 1))
        for source, (begin, end) in enumerate(
            zip([0, *cuts], [*cuts, frame.num_rows], strict=True)
        ):
            names = job.tables[number].schema.names
            rows = frame.select(names).slice(begin, end - begin)
            batches = rows.to_batches(max_chunksize=random.choice([1, 3, 1000]))
            for batch in as_rows(job.tables[number].blocks(source, batches, "", BLOCK_BYTES)):
                assert batch.schema == BLOCK_SCHEMA
                for row in range(batch.num_rows):
                    block = batch.slice(row, 1)
                    arrived[block.column("target")[0].as_py()].append(block)
    assert set(arrived) == set(range(job.partitions))
    for blocks in arrived.values():
        random.shuffle(blocks)
    return arrived


def run(job, arrived, task):
    schema = task.schema(job.nobody)
    batches = [
        batch
        for target in range(job.partitions)
        for batch in job.run(task, from_rows(arrived[target]))
    ]
    return pa.Table.from_batches(batches, schema=schema)


def with_sortable_ids(table):
    ids = table["customer_id"]
    if isinstance(ids.type, pa.BaseExtensionType):
        ids = pa.chunked_array([chunk.storage for chunk in ids.chunks], ids.type.storage_type)
    if pa.types.is_fixed_size_binary(ids.type):
        ids = ids.cast(pa.binary())
    return table.set_column(0, "customer_id", ids)
