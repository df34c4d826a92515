"""Blocks carry any columns: what a reader declares comes back, however it travelled."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS, RunBlock, RunRows, collect, partition_sizes
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.pipeline import ingest
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.table_readers import RowReader
from ordercycle._sources.row_source import Source
from ordercycle._workspace import Workers, Workspace

PARTITION_BITS = 2
#: What a stream of events may declare: an instant, codes, a key, values of one and of two words.
ITEMS = {
    "instant": "int64",
    "flag": "bool",
    "kind": "uint8",
    "channel": "uint16",
    "product": "uint32",
    "visit": "uint64",
    "count": "int32",
    "ratio": "float32",
    "value": "float64",
    "low": "int64",
    "high": "int64",
}
KINDS = {
    "numbers": pa.int64(),
    "texts": pa.string(),
    "equally long": pa.binary(2),
    "dictionary": pa.dictionary(pa.int16(), pa.string()),
}


class AnyReader(RowReader):
    """Reads customers and any columns as they are; rows without a customer are left out."""

    def __init__(self, schema, columns, problems):
        self._problems = problems
        self._declared = columns
        self._prepare("events", columns, {CUSTOMER_IDS: schema.field("customer_id")})

    @property
    def can_be_read_by_runs(self):
        return self.ids_are_numbers

    def leave_out(self, part, window, morsel):
        known = validity(part.batch.column("customer_id"))
        if known is not None:
            morsel.leave_out(window, known)

    def read_values(self, part, window, morsel):
        morsel.tally.rows += part.batch.num_rows
        for name, item in self._declared.items():
            values = fixed_view(part.batch.column(name), np.uint8, per_row=np.dtype(item).itemsize)
            morsel.put(name, window, values.view(item))


@st.composite
def events(draw):
    """Return the kind of ids, the customers, and columns of random bits with their types."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    customers = draw(st.lists(st.none() | st.integers(0, 9), max_size=40))
    if draw(st.booleans()):
        customers.sort(key=lambda one: (one is None, one))
    names = draw(st.lists(st.sampled_from(sorted(ITEMS)), unique=True))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    columns = {}
    for name in names:
        width = np.dtype(ITEMS[name]).itemsize
        bits = random.integers(0, 256, len(customers) * width, np.uint8)
        if ITEMS[name] == "bool":
            bits %= 2
        columns[name] = bits
    return kind, customers, columns


def as_id(customer, kind):
    if kind == "numbers" or customer is None:
        return customer
    return f"{customer:02}".encode() if kind == "equally long" else "c" * customer + str(customer)


def batches_of(kind, customers, columns, cuts):
    """Return record batches of the rows, cut at some places; values are fixed-size binaries."""
    ids = [as_id(customer, kind) for customer in customers]
    bounds = [0, *sorted({cut % (len(ids) + 1) for cut in cuts}), len(ids)]
    for start, stop in pairwise(bounds):
        arrays = [pa.array(ids[start:stop], KINDS[kind])]
        for name, bits in columns.items():
            width = np.dtype(ITEMS[name]).itemsize
            part = pa.py_buffer(bits[start * width : stop * width].tobytes())
            arrays.append(pa.Array.from_buffers(pa.binary(width), stop - start, [None, part]))
        yield pa.RecordBatch.from_arrays(arrays, names=["customer_id", *columns])


@settings(max_examples=150, deadline=None)
@given(
    given_events=events(),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    length_is_known=st.booleans(),
    in_memory=st.booleans(),
    limit=st.sampled_from([None, 500, 5_000]),
    long_run=st.sampled_from([0.0, 2.0, 100.0]),
    threads=st.sampled_from([1, 2]),
    spare_rows=st.sampled_from([0, 64]),  # of partitions in a block for all rows
)
def test_any_columns_come_back(
    given_events, cuts, length_is_known, in_memory, limit, long_run, threads, spare_rows
):
    kind, customers, columns = given_events
    types = {name: ITEMS[name] for name in columns}
    batches = list(batches_of(kind, customers, columns, cuts))
    source = Source(
        "events",
        batches[0].schema,
        iter(batches),
        len(customers) if length_is_known or in_memory else None,
        in_memory=in_memory,
    )
    problems = Problems("events")
    reader = AnyReader(source.schema, types, problems)
    with pytest.MonkeyPatch.context() as patch, Workers(threads) as workers:
        patch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 3)
        patch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 11)
        patch.setattr("ordercycle._ingest.pipeline.STEP_ROWS", 5)
        patch.setattr("ordercycle._ingest.blocks.SPARE_ROWS", spare_rows)
        patch.setattr("ordercycle._ingest.run_writer.LONG_RUN_ROWS", long_run)
        ingested = ingest(
            source,
            reader,
            problems,
            partition_bits=PARTITION_BITS,
            workers=workers,
            report=lambda _: None,
            spill=None if limit is None else Spill(limit, None),
        )
        assert ingested.tally.rows == len(customers)
        assert found_in(ingested.blocks, types, kind, workers.workspace) == expected_of(
            kind, customers, columns
        )


def expected_of(kind, customers, columns):
    """Return the rows of each partition, in their order: id or hash, and bits of every column."""
    present = sorted(set(customers) - {None})
    ids = pa.array([as_id(one, kind) for one in present], KINDS[kind])
    ids = ids.dictionary_decode() if kind == "dictionary" else ids
    hashes = dict(zip(present, hashes_of(ids).tolist(), strict=True))
    partitions = defaultdict(list)
    for row, customer in enumerate(customers):
        if customer is None:
            continue
        bits = {}
        for name, values in columns.items():
            width = np.dtype(ITEMS[name]).itemsize
            bits[name] = values[row * width : (row + 1) * width].tobytes()
        key = as_id(customer, kind)
        key = key.encode() if isinstance(key, str) else key
        hashed = hashes[customer]
        own = hashed if kind == "numbers" else key
        partitions[hashed >> (64 - PARTITION_BITS)].append((hashed, own, bits))
    # Blocks of one partition are in any order once some of them are on disk.
    return {number: sorted(rows, key=repr) for number, rows in partitions.items()}


def found_in(blocks, types, kind, workspace):
    """Return the same of blocks, read a range of partitions at a time."""
    partitions = 1 << PARTITION_BITS
    sizes = partition_sizes(blocks, partitions)
    found = {}
    for first in range(0, partitions, 2):
        pair = range(first, first + 2)
        loaded = [
            block.loaded(pair, workspace, f"events.{place}") for place, block in enumerate(blocks)
        ]
        for number in pair:
            rows = collect(loaded, number, workspace, "rows")
            assert rows.size == sizes[number]
            if isinstance(rows, RunRows):
                assert all(isinstance(block, RunBlock) for block in blocks)
                assert rows.runs.lengths.sum() == rows.size
            if rows.size:
                found[number] = sorted(rows_of(rows.by_row(), types, kind), key=repr)
    return found


def rows_of(rows, types, kind):
    assert {name: values.dtype.name for name, values in rows.columns.items()} == {
        "hash": "uint64",
        **types,
    }
    for row, hashed in enumerate(rows.hashes.tolist()):
        own = hashed
        if kind != "numbers":
            starts, lengths, data = rows.ids[CUSTOMER_IDS]
            length = lengths[0 if lengths.size == 1 else row]
            own = data[starts[row] : starts[row] + length].tobytes()
        yield hashed, own, {name: rows.columns[name][row : row + 1].tobytes() for name in types}


def test_scratch_memory_is_of_the_type_that_is_named():
    workspace = Workspace()
    for item, size in [("int64", 5), ("uint8", 4), ("float64", 4), ("float64", 100_000)]:
        array = workspace.array("column", size, item)
        assert (array.dtype.name, array.size) == (item, size)
        array[:] = 1
        assert np.shares_memory(workspace.array("column", size, item), array)
