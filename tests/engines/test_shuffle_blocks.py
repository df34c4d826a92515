"""Tables cut up, packed by customer and put together again, without an engine between."""

import pickle
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.histories import built, decoded, is_refused, options_of, tables
from support.shops import AS_OF, COLUMNS, assert_same_bits
from support.shops import tables as shop
from support.shuffles import job_for, run, shuffled, with_sortable_ids
from support.strategies import cases, layouts

import ordercycle as oc
from ordercycle._engines.partition_tasks import Profiles
from ordercycle._engines.shuffle_blocks import (
    BATCH_BYTES,
    ShuffleBlock,
    as_rows,
    from_rows,
    order_of,
)
from ordercycle._engines.shuffle_reader import WaitingBlocks
from ordercycle._engines.spark_types import keys_of_partitions, murmur3
from ordercycle._ingest.spill import Spill


@settings(max_examples=120)
@given(
    cases(),
    layouts(),
    st.booleans(),
    st.sampled_from([1, 2, 7]),
    st.integers(0, 1000),
)
def test_any_table_in_any_pieces(case, layout, repeatable, partitions, seed):
    assume(not is_refused(case))
    orders, customers = tables(case, layout)
    expected = built(case, orders, customers).profile(case.as_of, case.window_days)
    job = pickle.loads(  # noqa: S301 - as it gets to a task
        pickle.dumps(
            job_for(
                orders,
                customers,
                repeatable=repeatable,
                partitions=partitions,
                **options_of(case),
            )
        )
    )
    arrived = shuffled(job, (orders, customers), seed)
    found = run(job, arrived, Profiles(case.as_of, case.window_days))
    assert_same_bits(with_sortable_ids(found), with_sortable_ids(decoded(expected)))


@pytest.fixture
def packed_shop():
    """Return a job with the blocks of its targets."""
    frames = shop()
    job = job_for(*frames)
    return job, shuffled(job, frames, 1)


def profiles_of(job, blocks):
    return list(job.run(Profiles(AS_OF), from_rows(blocks)))


def with_rows(blocks):
    return next(n for n, one in enumerate(blocks) if one.column("rows")[0].as_py())


def test_a_block_that_is_lost_is_an_error(packed_shop):
    job, arrived = packed_shop
    del arrived[1][with_rows(arrived[1])]
    with pytest.raises(oc.SourceError, match=r"source partition \d sent here, [\d,]+ arrived"):
        profiles_of(job, arrived[1])


def test_a_block_that_comes_twice_is_an_error(packed_shop):
    job, arrived = packed_shop
    arrived[1].append(arrived[1][with_rows(arrived[1])])
    with pytest.raises(oc.SourceError, match="lost or repeated"):
        profiles_of(job, arrived[1])


def test_a_source_that_comes_twice_is_an_error(packed_shop):
    """As if a task and its retry both counted."""
    job, arrived = packed_shop
    again = [
        one
        for one in arrived[1]
        if (one.column("table")[0].as_py(), one.column("source")[0].as_py()) == (0, 2)
    ]
    with pytest.raises(oc.SourceError, match=r"orders: of [\d,]+ and [\d,]+ rows"):
        profiles_of(job, arrived[1] + again)


def test_a_source_without_its_word_is_an_error(packed_shop):
    job, arrived = packed_shop
    kept = [one for one in arrived[1] if one.column("sent")[0].as_py() is None]
    with pytest.raises(oc.SourceError, match="of an unknown number of rows"):
        profiles_of(job, kept)


def test_a_source_that_is_missing_is_noticed_where_rows_were_added_up(packed_shop):
    job, arrived = packed_shop
    rows = sum(one.column("rows")[0].as_py() for one in arrived[0])
    assert list(job.run(Profiles(AS_OF), from_rows(arrived[0]), rows))
    kept = [one for one in arrived[0] if one.column("source")[0].as_py() != 1]
    with pytest.raises(oc.SourceError, match=r"orders and customers sent here, \d+ arrived"):
        list(job.run(Profiles(AS_OF), from_rows(kept), rows))


def test_a_damaged_block_is_an_error(packed_shop):
    job, arrived = packed_shop
    place = with_rows(arrived[1])
    block = arrived[1][place]
    count = block.schema.get_field_index("rows")
    arrived[1][place] = block.set_column(count, "rows", pa.array([1_000_000]))
    with pytest.raises(oc.SourceError, match="the shuffle damaged it"):
        profiles_of(job, arrived[1])


def test_all_rows_of_a_customer_and_the_listing_meet(packed_shop):
    job, arrived = packed_shop
    seen = defaultdict(set)
    for target, blocks in arrived.items():
        for block in blocks:
            number = block.column("table")[0].as_py()
            if block.column("rows")[0].as_py():
                message = pa.py_buffer(block.column("data")[0].as_py())
                rows = pa.ipc.read_record_batch(message, job.tables[number].schema)
                for name in rows.column(0).to_pylist():
                    seen[name].add(target)
    assert all(len(targets) == 1 for targets in seen.values())
    assert None not in seen


def test_nameless_rows_stay_where_they_are_an_error():
    orders, customers = shop()
    job = job_for(orders, customers, anonymous="error")
    arrived = shuffled(job, (orders, customers), 1)
    with pytest.raises(oc.DataError, match="customer_id is null at a row of source partition"):
        profiles_of(job, arrived[0])


def test_blocks_are_the_same_in_whatever_order_rows_arrive():
    """A task that is run again on shuffled rows must not seem to have other ones."""
    for customer, amount in ((pa.int64(), pa.float64()), (pa.string(), pa.decimal128(38, 2))):
        orders, _ = shop(customer, amount)
        packer = job_for(orders, repeatable=True).tables[0]
        table = orders.select(packer.schema.names)
        shuffled_rows = table.take(pc.sort_indices(table["amount"]))
        one, other = (
            list(packer.blocks(0, rows.to_batches(max_chunksize=size)))
            for rows, size in ((table, 100), (shuffled_rows, 1))
        )
        assert one == other


def test_large_blocks_are_divided():
    orders, customers = shop(customer=pa.string(), rows=20_000)
    job = job_for(orders, customers, partitions=1)
    arrived = shuffled(job, (orders, customers), 2, sources=1)
    sizes = [len(one.column("data")[0].as_py()) for one in arrived[0]]
    assert len(sizes) > 8
    assert max(sizes) < 100_000
    local = oc.OrderHistory.build(orders, customers, columns=COLUMNS).profile(AS_OF)
    assert_same_bits(run(job, arrived, Profiles(AS_OF)), local)


def test_past_a_memory_limit_tasks_use_a_folder_of_the_worker(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.spill.Spill.is_over", lambda _self, _held: True)
    orders, customers = shop()
    folder = tmp_path / "of the worker"
    job = job_for(orders, customers, memory_limit="100MB", spill_directory=folder)
    folder.mkdir()
    arrived = shuffled(job, (orders, customers), 3)
    local = oc.OrderHistory.build(orders, customers, columns=COLUMNS).profile(AS_OF)
    assert_same_bits(run(job, arrived, Profiles(AS_OF)), local)


def test_customers_wait_on_disk_past_a_memory_limit(tmp_path):
    blocks = [
        ShuffleBlock(1, place, 9, None, pa.py_buffer(bytes([place]) * 1000)) for place in range(9)
    ]
    for limit, fit in ((8_000_000, 9), (24_000, 3), (100, 0)):
        waiting = WaitingBlocks(Spill(limit, str(tmp_path)))
        for block in blocks:
            waiting.add(block)
        assert waiting.held == fit * 1000
        assert list(waiting.drain(1)) == blocks
        assert waiting.held == 0
        assert not list(waiting.drain(1))


@pytest.mark.parametrize("size", [8, BATCH_BYTES // 2, BATCH_BYTES + 8])
def test_blocks_of_any_size_are_rows_of_batches_of_some_size(size):
    """However large rows are: what a column holds is limited."""
    blocks = [
        ShuffleBlock(1, place, place + 2, None, pa.py_buffer(bytes([place]) * size))
        for place in range(7)
    ]
    blocks.append(ShuffleBlock(0, 3, 0, 9, pa.py_buffer(b"[]")))
    rows = list(as_rows((target, block) for target, block in enumerate(blocks)))
    for batch in rows:
        batch.validate(full=True)
        assert batch.column("data").nbytes < BATCH_BYTES + size + 100
    assert len(rows) == {8: 1, BATCH_BYTES // 2: 4}.get(size, 8)
    assert [place for one in rows for place in one.column("target").to_pylist()] == [*range(8)]
    assert list(from_rows(rows)) == blocks


def test_what_waits_holds_no_memory_of_the_rows_it_came_in():
    block = ShuffleBlock(1, 0, 9, None, pa.py_buffer(bytes(1000)))
    for are_here in (False, True):
        [came] = from_rows(as_rows([(0, block)]))
        waiting = WaitingBlocks(None, are_here=are_here)
        waiting.add(came)
        [waited] = waiting.drain(1)
        assert waited == block
        assert (waited.data.address == came.data.address) == are_here


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"refund": "net"}, oc.ConfigError, "there is no option 'refund'.*did you mean 'refunds'"),
        ({"refunds": "nett"}, oc.ConfigError, "refunds='nett'"),
        ({"partitions": 0}, oc.ConfigError, "partitions=0"),
        ({"timezone": "Europe/Madrit"}, oc.ConfigError, "Europe/Madrid"),
        ({"columns": oc.Columns(amount="amuont")}, oc.ColumnError, "did you mean 'amount'"),
        ({"columns": oc.Columns(amount="note")}, oc.ColumnError, "note is string"),
        ({"columns": "amount"}, oc.ConfigError, "pass ordercycle.Columns"),
        ({"threads": 0}, oc.ConfigError, "threads=0"),
        ({"memory_limit": "much"}, oc.ConfigError, "memory_limit='much'"),
    ],
)
def test_what_is_wrong_is_reported_before_any_task(change, error, message):
    with pytest.raises(error, match=message):
        job_for(*shop(), **change)


@pytest.mark.parametrize("partitions", [1, 2, 3, 200, 20_000])
def test_each_partition_has_its_key(partitions):
    keys = keys_of_partitions(partitions)
    assert (murmur3(np.array(keys)) % partitions).tolist() == list(range(partitions))


def test_the_hash_is_sparks():
    """Values of Spark's own Murmur3: SELECT hash(0), hash(1), hash(42)."""
    assert murmur3(np.array([0, 1, 42])).tolist() == [933211791, -559580957, 29417773]


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 2_000, 200_000]))
@settings(max_examples=15, deadline=None)
def test_rows_have_one_order_however_they_come(seed, different):
    random = np.random.default_rng(seed)
    content = random.integers(0, 2**64, different, dtype=np.uint64)
    content[: different // 3] &= np.uint64(0xFFFFFFFF00000007)  # halves that are alike
    content = random.choice(content, 200_000)
    again = random.permutation(content)
    assert np.array_equal(content[order_of(content)], again[order_of(again)])
