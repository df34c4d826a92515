"""Orders that are laid out as words have the bits of those that are not."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ordercycle as oc
from ordercycle._ingest import order_words
from ordercycle._ingest.blocks import Block
from ordercycle._ingest.order_words import WordBlock
from ordercycle._ingest.spill import Spill
from ordercycle_kernels import hashing

EPOCH = date(1970, 1, 1)
FIRST, LAST = -25567, 84005  # 1900-01-01 and 2199-12-31
NEVER = 2**62

few = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def ids_of(hashes):
    """Return the integers that have these hashes."""
    out = np.empty(len(hashes), np.int64)
    hashing.integers_of_hashes(np.array(hashes, np.uint64), out)
    return out


@st.composite
def shops(draw):
    """Draw orders, and customers who are listed: ids collide in many bits, days and amounts tie."""
    top, low = draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 61))
    near = st.integers(0, 7).map(lambda bits: top ^ (bits << low) % 2**64)
    hashes = draw(st.lists(near | st.integers(0, 2**64 - 1), min_size=1, max_size=9, unique=True))
    span = draw(st.sampled_from([1, 2, 3, 15, 16, 17, 31, 32, 33, 9000]))
    first = draw(st.sampled_from([FIRST, -3, 0, LAST - span + 1]))
    rows = draw(st.integers(1, 80))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    is_hot = random.random(rows) < draw(st.sampled_from([0, 0.9]))
    who = np.where(is_hot, 0, random.integers(0, len(hashes), rows))
    days = first + np.sort(random.integers(0, span, rows))
    if draw(st.booleans()):
        days = random.permutation(days)
    days[random.integers(0, rows, 2)] = [first, first + span - 1]
    kind = draw(st.sampled_from(["float64", "float32", "int64", "int16"]))
    amounts = random.integers(-2, 3, rows) if draw(st.booleans()) else random.normal(0, 99, rows)
    ids = ids_of(hashes)[who]
    customers = pa.array(ids, mask=random.random(rows) < draw(st.sampled_from([0, 0.2])))
    orders = {"customer_id": customers, "ordered_at": pa.array(days, pa.int32()).cast(pa.date32())}
    amounts = pa.array((amounts * draw(st.sampled_from([1, -1, 0]))).astype(kind))
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=2)))
    table = pa.table({**orders, "amount": amounts})
    parts = [table.slice(*part) for part in zip([0, *cuts], np.diff([0, *cuts, rows]), strict=True)]
    listed = None
    if draw(st.booleans()):
        known = [*ids_of(hashes[::2]), *ids_of([draw(near)])]
        known = list(dict.fromkeys(known))
        registered = pa.array(random.integers(first, first + span, len(known)), pa.int32())
        listed = pa.table({"customer_id": known, "registered_at": registered.cast(pa.date32())})
    return pa.concat_tables(parts), listed


policies = st.fixed_dictionaries(
    {
        "refunds": st.sampled_from(["net", "drop", "count"]),
        "same_day": st.sampled_from(["separate", "merge"]),
        "unknown": st.sampled_from(["add", "drop"]),
        "threads": st.sampled_from([1, 2]),
    }
)


class Layouts:
    """Builds with words from any number of rows on, in parts of a few rows."""

    def __init__(self, patch):
        self.patch = patch
        self.kinds = []  # of blocks that were written
        self.source_of = pa.table  # what is read of a table of orders
        write = order_words.WordWriter.write

        def noting(writer):
            yield from write(writer)
            self.kinds.append(type(writer.block))

        patch.setattr(order_words.WordWriter, "write", noting)
        patch.setattr(order_words, "WORD_MORSEL_ROWS", 2**4)
        patch.setattr("ordercycle._grouping.word_grouper.STRETCH_ROWS", 2**4)

    def built(self, orders, listed, options, least_rows):
        """Return all that a history says."""
        self.patch.setattr(order_words, "LEAST_ROWS", least_rows)
        self.patch.setattr(order_words, "LEAST_BLOCK_ROWS", least_rows)
        self.kinds.clear()
        if listed is None:
            options = {name: value for name, value in options.items() if name != "unknown"}
        columns = oc.Columns(registered="registered_at" if listed is not None else None)
        source = self.source_of(orders)
        history = oc.OrderHistory.build(source, listed, columns=columns, **options)
        tables = (
            [pa.Table.from_batches(history.to_batches())] if history.summary().customers else []
        )
        return [*tables, history.profile(date(2199, 12, 31)), replace(history.summary(), bytes=0)]

    def assert_equal(self, orders, listed, options):
        expected = self.built(orders, listed, options, NEVER)
        assert not self.kinds
        found = self.built(orders, listed, options, 1)
        assert found[-1] == expected[-1]
        for mine, other in zip(found[:-1], expected[:-1], strict=True):
            assert mine.equals(other)
            for one, another in zip(floats(mine), floats(other), strict=True):
                assert one.equals(another)


@pytest.fixture(scope="module")
def layouts():
    with pytest.MonkeyPatch.context() as patch:
        yield Layouts(patch)


def floats(table):
    """Return the float columns of a table, and those within its lists, as integers."""
    found = []
    for column in table.columns:
        array = column.combine_chunks()
        if pa.types.is_large_list(array.type):
            array = array.flatten().field("amount")
        if pa.types.is_float64(array.type):
            found.append(array.view(pa.int64()))
    return found


@pytest.fixture
def few_bits(monkeypatch):
    """At most five, as each of thousands of partitions takes its time."""
    monkeypatch.setattr(order_words, "MOST_BITS", 5)


@few
@pytest.mark.usefixtures("few_bits")
@given(shops(), policies)
def test_the_layout_does_not_change_a_bit(layouts, shop, options):
    layouts.assert_equal(*shop, options)


@few
@pytest.mark.usefixtures("few_bits")
@given(shops(), policies, st.data())
def test_large_partitions_are_grouped_as_others_are(layouts, shop, options, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle._grouping.word_grouper.MOST_ROWS", data.draw(st.integers(1, 9)))
        if data.draw(st.booleans()):
            patch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", 16)
            patch.setattr("ordercycle._grouping.heavy_hitters.SAMPLE_STEP", 1)
        layouts.assert_equal(*shop, options)


@few
@pytest.mark.usefixtures("few_bits")
@given(shops(), policies)
def test_days_that_were_not_seen_do_not_change_a_bit(layouts, shop, options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_words, "WINDOWS", 2)
        patch.setattr(order_words, "WINDOW_ROWS", 1)
        patch.setattr(order_words, "UNSEEN_SHARE", 10**6)
        layouts.assert_equal(*shop, options)


def bad_orders(case, kind):
    """Return orders that were chosen to be bad: of 67 customers, on at most 32 days elsewhere."""
    random = np.random.default_rng(5)
    rows = 200
    # By the last bits alone they are told apart, in one bucket; or by bits below the partition's.
    shifts = {"collide": 0, "one partition": 52}
    hashes = np.arange(rows, dtype=np.uint64) % 67 << np.uint64(shifts.get(case, 57))
    spans = {"one day": (0, 0), "one day more": (0, 32), "both ends": (FIRST, LAST)}
    first, last = spans.get(case, (0, 31))
    days = random.integers(first, last + 1, rows)
    days[[0, -1]] = first, last
    amounts = np.ones(rows) if case == "equal amounts" else random.integers(-3, 9, rows)
    times = pa.array(days, pa.int32()).cast(pa.date32())
    ids = ids_of(hashes)
    return pa.table({"customer_id": ids, "ordered_at": times, "amount": amounts.astype(kind)})


BAD = ["collide", "one day", "one day more", "both ends", "equal amounts", "one partition"]


@pytest.mark.usefixtures("few_bits")
@pytest.mark.parametrize("kind", ["float64", "int64"])
@pytest.mark.parametrize("in_blocks", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_orders_that_were_chosen_to_be_bad_do_not_change_a_bit(
    layouts, case, in_blocks, kind, monkeypatch
):
    if in_blocks:
        monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 50)
        monkeypatch.setattr(layouts, "source_of", in_batches)
    layouts.assert_equal(bad_orders(case, kind), None, {"refunds": "net"})


def in_batches(orders):
    """Return a reader of orders that does not say how many there are."""
    return pa.RecordBatchReader.from_batches(orders.schema, orders.to_batches(max_chunksize=7))


@settings(few, max_examples=15)
@pytest.mark.usefixtures("few_bits")
@given(shops(), policies, st.integers(5, 40), st.booleans())
def test_several_blocks_of_words_do_not_change_a_bit(layouts, shop, options, rows, on_disk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", rows)
        patch.setattr(layouts, "source_of", in_batches)
        if on_disk:
            patch.setattr(Spill, "block_rows", lambda *_: rows)
            patch.setattr(Spill, "is_over", lambda *_: True)
            options = {**options, "memory_limit": "200MB"}
        layouts.assert_equal(*shop, options)


@pytest.mark.parametrize("last", [4095, 4096])
def test_blocks_of_words_share_their_days(layouts, last, monkeypatch):
    """Blocks whose days fit by themselves, and not together, are read as columns."""
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 50)
    monkeypatch.setattr(layouts, "source_of", in_batches)
    layouts.assert_equal(orders_on([*range(59), *[last] * 30]), None, {})
    assert layouts.kinds == [WordBlock] * 5


def orders_on(days):
    """Return an order of each of many customers on each of some days."""
    days = np.repeat(np.array(days, np.int32), 3)
    times = pa.array(days).cast(pa.date32())
    ids = np.arange(days.size) % 7
    return pa.table({"customer_id": ids, "ordered_at": times, "amount": np.ones(days.size)})


@pytest.mark.parametrize(
    ("days", "kinds"),
    [
        ([0], [WordBlock]),
        ([FIRST, FIRST + 4095], [WordBlock]),
        ([LAST - 4095, LAST], [WordBlock]),
        ([0, 4096], []),
        ([FIRST, LAST], []),
    ],
)
def test_days_decide_on_the_layout(layouts, days, kinds):
    layouts.assert_equal(orders_on(days), None, {})
    assert layouts.kinds == kinds


def test_orders_are_laid_out_again_where_days_are_more_than_they_seemed(layouts, monkeypatch):
    monkeypatch.setattr(order_words, "WINDOW_ROWS", 1)
    orders = orders_on([5] * 100 + [90_000 - 9_999] + [5] * 100)
    layouts.assert_equal(orders, None, {})
    assert layouts.kinds == [Block]


@pytest.mark.parametrize(
    ("last", "kinds"),
    [
        (4095, [WordBlock] * 4),  # the 15 days of each step, and the last
        (4096, [WordBlock] * 3 + [Block]),
        (9000, [WordBlock] * 3 + [Block]),
    ],
)
def test_steps_of_a_file_share_their_days(layouts, last, kinds, tmp_path, monkeypatch):
    """A step whose days do not fit those of the steps before is laid out by itself."""
    monkeypatch.setattr(order_words, "LEAST_STREAM_ROWS", 1)
    monkeypatch.setattr("ordercycle._ingest.pipeline.STEP_ROWS", 45)
    days = [*range(59), last]
    pq.write_table(orders_on(days), tmp_path / "orders.parquet", row_group_size=45)
    layouts.kinds.clear()
    found = oc.OrderHistory.build(tmp_path, columns=oc.Columns(registered=None))
    assert layouts.kinds == kinds
    expected = oc.OrderHistory.build(orders_on(days), columns=oc.Columns(registered=None))
    one, other = (pa.Table.from_batches(each.to_batches()) for each in (found, expected))
    assert one.equals(other)


def test_other_orders_are_laid_out_as_before(layouts):
    orders = orders_on([1, 2, 3])
    for name, column in (
        ("customer_id", orders["customer_id"].cast(pa.string())),
        ("customer_id", orders["customer_id"].dictionary_encode()),
        ("amount", orders["amount"].cast(pa.decimal128(30, 2))),
    ):
        place = orders.schema.get_field_index(name)
        layouts.built(orders.set_column(place, name, column), None, {}, 1)
        assert not layouts.kinds
    layouts.built(orders, None, {"duplicates": "drop"}, 1)
    assert not layouts.kinds


def test_bad_values_are_named_as_before(layouts):
    orders = orders_on([1, 2, 3])
    amounts = orders["amount"].to_numpy().copy()
    amounts[[2, 5]] = np.nan
    bad = orders.set_column(2, "amount", pa.array(amounts))
    messages = []
    for least_rows in (NEVER, 1):
        with pytest.raises(oc.DataError) as raised:
            layouts.built(bad, None, {}, least_rows)
        messages.append((str(raised.value), raised.value.row, raised.value.count))
    assert messages[0] == messages[1]
    assert messages[0][1:] == (2, 2)


def test_customers_who_are_listed_twice_are_named_as_before(layouts):
    ids = [5, *range(100), *range(50, 90), 50]
    listed = pa.table({"customer_id": ids, "registered_at": [EPOCH] * len(ids)})
    messages = []
    for least_rows in (NEVER, 1):
        with pytest.raises(oc.DataError) as raised:
            layouts.built(orders_on([1, 2]), listed, {}, least_rows)
        messages.append((str(raised.value), raised.value.row, raised.value.count))
    assert messages[0] == messages[1]
    assert messages[0][1:] == (6, 42)
