"""Same rows, same bits: for any threads, chunking, row order or kind of source."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle._ingest.run_writer import has_long_runs
from ordercycle._ingest.table_readers import OrderReader

ROWS = 90_000
AS_OF = date(2024, 6, 30)
WHOLE = oc.Columns(registered=None)
LINES = oc.Columns(order="order_id", registered=None)


def order_table(customers: np.ndarray, amounts: np.ndarray, seed: int) -> pa.Table:
    """Return orders of about three years; every second row has one of eight order ids."""
    random = np.random.default_rng(seed)
    rows = customers.size
    seconds = random.integers(1_620_000_000, 1_720_000_000, rows)
    return pa.table(
        {
            "customer_id": customers,
            "ordered_at": pa.array(seconds).cast(pa.timestamp("s", "UTC")),
            "amount": amounts,
            "order_id": np.where(
                random.random(rows) < 0.5,
                random.integers(0, 8, rows),
                random.integers(0, rows, rows),
            ),
        }
    )


def wild_amounts(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return floats of 300 orders of magnitude and both signs, zeros of both signs among them."""
    amounts = 10.0 ** random.uniform(-150, 150, rows) * random.choice([1, 1, 1, -1], rows)
    amounts[::50] = 0.0
    amounts[1::50] = -0.0
    return amounts


def even() -> pa.Table:
    """Return orders spread over many customers."""
    random = np.random.default_rng(1)
    customers = random.integers(-(2**63), 2**63 - 1, 12_000)[random.integers(0, 12_000, ROWS)]
    return order_table(customers, wild_amounts(random, ROWS), 2)


def skewed() -> pa.Table:
    """Return orders of which half are one customer's."""
    random = np.random.default_rng(3)
    customers = np.where(random.random(ROWS) < 0.5, 77, random.integers(0, 27_000, ROWS))
    return order_table(customers, wild_amounts(random, ROWS), 4)


def named() -> pa.Table:
    """Return orders with text ids and prices in cents, some rows without a customer."""
    random = np.random.default_rng(5)
    numbers = random.integers(0, 9_000, ROWS)
    table = order_table(numbers, random.normal(40, 60, ROWS).round(2), 6)
    names = [None if number < 90 else f"customer {number}" for number in numbers.tolist()]
    orders = [f"order {number}" for number in table["order_id"].to_pylist()]
    table = table.set_column(0, "customer_id", pa.array(names, pa.string()))
    return table.set_column(3, "order_id", pa.array(orders, pa.string()))


TABLES = {"even": even, "skewed": skewed, "named": named}


@pytest.fixture(scope="module", autouse=True)
def small_morsels():
    """Cut these tables into as many morsels and partitions as the defaults cut larger ones into."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 2**16)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 30_000)
        yield


@pytest.fixture(scope="module", params=list(TABLES))
def orders(request) -> pa.Table:
    return TABLES[request.param]()


@pytest.fixture(scope="module", params=[WHOLE, LINES], ids=["rows", "lines"])
def columns(request) -> oc.Columns:
    return request.param


@pytest.fixture(scope="module")
def reference(orders, columns) -> dict[str, pa.Table]:
    return results(orders, columns, threads=1)


def results(orders: object, columns: oc.Columns, threads: int) -> dict[str, pa.Table]:
    """Return all that a history yields, sorted by nothing."""
    history = oc.OrderHistory.build(
        orders, columns=columns, timezone="Europe/Madrid", threads=threads
    )
    return {
        "history": pa.Table.from_batches(history.to_batches()),
        "profile": history.profile(AS_OF),
        "window": history.profile(AS_OF, window_days=200),
        "segments": oc.Lifecycle().assign(history.profile(AS_OF)),
    }


def assert_same_bits(found: dict[str, pa.Table], expected: dict[str, pa.Table]) -> None:
    """Compare values and, as 0.0 equals -0.0, the bit patterns of all floats."""
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        assert found[name].schema == table.schema
        assert found[name].equals(table), name
        for mine, other in zip(floats(found[name]), floats(table), strict=True):
            assert mine.equals(other), name


def floats(table: pa.Table) -> list[pa.Array]:
    """Return the float columns of a table, and those within its lists, as integers."""
    found = []
    for column in table.columns:
        array = column.combine_chunks()
        if pa.types.is_large_list(array.type):
            array = array.flatten().field("amount")
        if pa.types.is_float64(array.type):
            found.append(array.view(pa.int64()))
    return found


def shuffled(orders: pa.Table, seed: int) -> pa.Table:
    """Return the same rows in another order."""
    return orders.take(np.random.default_rng(seed).permutation(orders.num_rows))


def rechunked(orders: pa.Table, seed: int) -> pa.Table:
    """Return the same rows in chunks of very different sizes, column by column."""
    random = np.random.default_rng(seed)

    def cut(column: pa.ChunkedArray) -> pa.ChunkedArray:
        whole = column.combine_chunks()
        inner = np.sort(random.integers(0, len(whole), 20))
        borders = [0, *inner.tolist(), len(whole)]
        starts = borders[:-1]
        stops = borders[1:]
        return pa.chunked_array(
            [whole[start:stop] for start, stop in zip(starts, stops, strict=True)], whole.type
        )

    return pa.table({name: cut(orders[name]) for name in orders.column_names})


def pieces_of_a_sorted_table(orders: pa.Table) -> pa.Table:
    """Return the rows by customer in pieces of five, the pieces in any order."""
    by_customer = orders.sort_by([("customer_id", "ascending")])
    firsts = np.random.default_rng(7).permutation(orders.num_rows // 5) * 5
    return by_customer.take((firsts[:, None] + np.arange(5)).ravel())


#: Orders in which a customer's rows lie together. ROWS is a multiple of five.
CLUSTERINGS = {
    "by time": lambda orders: orders.sort_by(
        [("customer_id", "ascending"), ("ordered_at", "ascending")]
    ),
    "descending": lambda orders: orders.sort_by(
        [("customer_id", "descending"), ("ordered_at", "descending")]
    ),
    "any order inside": lambda orders: shuffled(orders, 5).sort_by("customer_id"),
    "in pieces": pieces_of_a_sorted_table,
    "half of the table": lambda orders: pa.concat_tables(
        [orders.slice(0, ROWS // 2).sort_by("customer_id"), orders.slice(ROWS // 2)]
    ),
}
ALWAYS, NEVER = 0.0, float("inf")


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(orders, columns, reference, threads):
    assert_same_bits(results(orders, columns, threads), reference)


@pytest.mark.parametrize("threads", [1, 3])
def test_row_order_does_not_change_a_bit(orders, columns, reference, threads):
    assert_same_bits(results(shuffled(orders, threads), columns, threads), reference)


@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_do_not_change_a_bit(orders, columns, reference, threads):
    assert_same_bits(results(rechunked(orders, threads), columns, threads), reference)


def test_sorted_input_does_not_change_a_bit(orders, columns, reference):
    by_customer = orders.sort_by([("customer_id", "ascending"), ("ordered_at", "descending")])
    assert_same_bits(results(by_customer, columns, 2), reference)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("clustering", CLUSTERINGS)
def test_rows_that_lie_together_do_not_change_a_bit(
    orders, columns, reference, clustering, threads, monkeypatch
):
    """With and without the layout in runs, whatever the sample says."""
    together = CLUSTERINGS[clustering](orders)
    for least in ALWAYS, NEVER:
        monkeypatch.setattr("ordercycle._ingest.run_writer.LONG_RUN_ROWS", least)
        assert_same_bits(results(together, columns, threads), reference)


@pytest.mark.parametrize("clustering", CLUSTERINGS)
def test_streams_that_cut_a_customer_do_not_change_a_bit(
    orders, columns, reference, clustering, monkeypatch
):
    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 2**11 + 1)
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 2**13 + 1)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3_000)
    batches = CLUSTERINGS[clustering](orders).to_batches(1_499)
    for least in ALWAYS, 2.0:
        monkeypatch.setattr("ordercycle._ingest.run_writer.LONG_RUN_ROWS", least)
        streamed = pa.RecordBatchReader.from_batches(orders.schema, batches)
        assert_same_bits(results(streamed, columns, 2), reference)


def test_heavy_hitters_that_lie_together_have_the_same_bits(
    orders, columns, reference, monkeypatch
):
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", 2**14)
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.CHUNK_ROWS", 2**12)
    assert_same_bits(results(CLUSTERINGS["by time"](orders), columns, 2), reference)


def test_long_runs_are_noticed(monkeypatch):
    """The condition: plain integer ids, and on average four rows of a customer together."""
    laid_out = []

    def noticing(slices, reader):
        found = has_long_runs(slices, reader)
        if isinstance(reader, OrderReader):
            laid_out.append(found)
        return found

    monkeypatch.setattr("ordercycle._ingest.pipeline.has_long_runs", noticing)
    listed = pa.table({"customer_id": [0, 1, 1_000_000]})
    rows = np.arange(60_000)
    for ids, expected in [
        (rows // 3, False),
        (rows // 6, True),
        ((rows // 6).astype(np.uint8), True),
        (rows % 20_000, False),
        (pa.array(rows // 6).cast(pa.string()), False),
        (pa.array(rows // 6).dictionary_encode(), False),
        (pa.array(np.where(rows < 4_000, None, rows // 6).tolist(), pa.int64()), True),
        (rows[:1], False),
        (np.zeros(6, np.int64), True),
    ]:
        table = order_table(rows[: len(ids)], np.ones(len(ids)), 8)
        table = table.set_column(0, "customer_id", ids if isinstance(ids, pa.Array) else [ids])
        laid_out.clear()
        oc.OrderHistory.build(table, columns=LINES)
        oc.OrderHistory.build(table, columns=WHOLE)
        assert laid_out == [expected, expected]
    laid_out.clear()
    oc.OrderHistory.build(order_table(rows // 6, np.ones(rows.size), 8), listed, columns=WHOLE)
    assert laid_out == [True]
    texts = table.set_column(3, "order_id", pa.array(["a"] * table.num_rows))
    laid_out.clear()
    oc.OrderHistory.build(texts, columns=LINES)
    assert laid_out == [False]


def test_the_source_does_not_change_a_bit(orders, columns, reference, tmp_path):
    small = orders.to_batches(max_chunksize=999)
    assert_same_bits(
        results(pa.RecordBatchReader.from_batches(orders.schema, small), columns, 2), reference
    )
    assert_same_bits(results(iter(shuffled(orders, 9).to_batches()), columns, 1), reference)
    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=15_000)
    assert_same_bits(results(tmp_path, columns, 2), reference)


def test_a_part_of_the_customers_has_the_same_rows_in_the_same_order(orders, columns, reference):
    whole = reference["profile"]
    some = whole["customer_id"].combine_chunks()[::7]
    part = orders.filter(pc.is_in(orders["customer_id"], some))
    kept = whole.filter(pc.is_in(whole["customer_id"], some))
    profile = results(part, columns, 2)["profile"]
    assert_same_bits({"profile": profile}, {"profile": kept})


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_partitions_does_not_change_a_bit(
    orders, columns, reference, threads, monkeypatch
):
    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 2**12)
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 2**14)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3_000)
    monkeypatch.setattr("ordercycle._history.build.BATCH_ROWS", 2**13)
    assert_same_bits(results(orders, columns, threads), reference)
    streamed = pa.RecordBatchReader.from_batches(orders.schema, orders.to_batches(1_500))
    assert_same_bits(results(streamed, columns, threads), reference)


@pytest.mark.parametrize("threads", [1, 3])
def test_heavy_hitters_grouped_by_all_threads_have_the_same_bits(
    orders, columns, reference, threads, monkeypatch
):
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", 2**14)
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.ENOUGH", 4)
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.CHUNK_ROWS", 2**12)
    assert_same_bits(results(orders, columns, threads), reference)
    streamed = pa.RecordBatchReader.from_batches(orders.schema, orders.to_batches(15_000))
    assert_same_bits(results(streamed, columns, threads), reference)


@pytest.mark.parametrize("heavy_rows", [2**7, 2**20])
def test_orders_laid_out_as_words_have_the_same_bits(
    orders, columns, reference, heavy_rows, monkeypatch
):
    monkeypatch.setattr("ordercycle._ingest.order_words.LEAST_ROWS", 1)
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", heavy_rows)
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.ENOUGH", 4)
    assert_same_bits(results(orders, columns, 2), reference)


@pytest.mark.parametrize("spare_rows", [0, 64])
def test_room_set_aside_for_a_file_does_not_change_a_bit(
    orders, columns, reference, spare_rows, tmp_path, monkeypatch
):
    """Also where some blocks find no room."""
    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 2**12)
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 2**13)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3_000)
    monkeypatch.setattr("ordercycle._ingest.blocks.SPARE_ROWS", spare_rows)
    monkeypatch.setattr("ordercycle._ingest.blocks.SPARE_SHARE", 4 if spare_rows else 10**9)
    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=6_000)
    assert_same_bits(results(tmp_path, columns, 2), reference)


@pytest.mark.parametrize("spreads", [0, 5])
@pytest.mark.parametrize("windows", [1, 64])
def test_words_set_aside_for_a_file_do_not_change_a_bit(
    orders, columns, reference, spreads, windows, tmp_path, monkeypatch
):
    """Also where some blocks find no room, or have other days than the first."""
    monkeypatch.setattr("ordercycle._ingest.pipeline.STEP_ROWS", 2**13)
    monkeypatch.setattr("ordercycle._ingest.order_words.LEAST_STREAM_ROWS", 1)
    monkeypatch.setattr("ordercycle._ingest.order_words.MOST_BITS", 11 if windows > 1 else 9)
    monkeypatch.setattr("ordercycle._ingest.order_words.WINDOW_ROWS", windows)
    monkeypatch.setattr("ordercycle._ingest.order_words.SPREADS", spreads)
    monkeypatch.setattr("ordercycle._ingest.order_words.SPARE_ROWS", spreads)
    sorted_orders = orders.sort_by("ordered_at")
    pq.write_table(sorted_orders, tmp_path / "orders.parquet", row_group_size=6_000)
    assert_same_bits(results(tmp_path, columns, 2), reference)


def test_building_twice_gives_the_same_bits(orders, columns, reference):
    assert_same_bits(results(orders, columns, 1), reference)
