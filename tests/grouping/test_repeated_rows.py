"""Rows that are there twice, and totals that stand on every line of an order."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from support.colliding import ids_with_one_hash

import ordercycle as oc

BY_ID = oc.Columns(order="order_id")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def table(*rows, amount: pa.DataType | None = None) -> pa.Table:
    """Return order lines of (customer, time, amount, order)."""
    customers, times, amounts, orders = zip(*rows, strict=True)
    return pa.table(
        {
            "customer_id": pa.array(customers),
            "ordered_at": pa.array(times),
            "amount": pa.array(amounts, amount),
            "order_id": pa.array(orders),
        }
    )


def revenue(history: oc.OrderHistory) -> float:
    return sum(history.profile("2026-12-31")["revenue"].to_pylist())


# --- Totals --------------------------------------------------------------------------------------

REPEATED_TOTALS = [
    ("ann", NOON, 100, "o1"),
    ("ann", NOON, 100, "o1"),
    ("ann", NOON, None, "o1"),
    ("ann", NOON + timedelta(days=3), -40, "o1"),
    ("ann", NOON + timedelta(days=3), None, "o1"),
    ("bob", NOON, 7, "o2"),
]


@pytest.mark.parametrize(
    "amount", [pa.float64(), pa.float32(), pa.int64(), pa.uint8(), pa.decimal128(38, 4)]
)
def test_totals_on_every_line_count_once_a_day(amount):
    rows = [row for row in REPEATED_TOTALS if row[2] != -40 or amount != pa.uint8()][:3]
    rows += [row for row in REPEATED_TOTALS[3:] if amount != pa.uint8()]
    rows = [(*row[:2], None if row[2] is None else Decimal(row[2]), row[3]) for row in rows]
    if not pa.types.is_decimal(amount):
        rows = [(*row[:2], None if row[2] is None else int(row[2]), row[3]) for row in rows]
    history = oc.OrderHistory.build(table(*rows, amount=amount), columns=BY_ID, amount_per="order")
    assert revenue(history) == (100 if amount == pa.uint8() else 67)
    assert history.summary().orders == (1 if amount == pa.uint8() else 2)
    assert history.summary().rows == len(rows)


def test_lines_of_one_order_say_what_they_add_up_to_unless_options_say_otherwise():
    rows = table(*[("ann", NOON, 100.0, "o1")] * 3)
    assert revenue(oc.OrderHistory.build(rows, columns=BY_ID)) == 300.0
    assert revenue(oc.OrderHistory.build(rows, columns=BY_ID, amount_per="order")) == 100.0


def test_two_totals_of_a_day_are_refused():
    rows = table(
        ("ann", NOON, 100.0, "o1"), ("ann", NOON, 99.0, "o1"),
        ("bob", NOON, 5.0, "o1"), ("bob", NOON, 5.0, "o1"), ("bob", NOON, None, "o2"),
        ("bob", NOON, 6.0, "o2"), ("bob", NOON, 7.0, "o2"),
    )  # fmt: skip
    with pytest.raises(oc.DataError, match=r"not the same on all rows.*\(2 such days\)") as caught:
        oc.OrderHistory.build(rows, columns=BY_ID, amount_per="order")
    assert caught.value.column == "amount"
    assert caught.value.count == 2
    assert "amount_per='line'" in caught.value.remedy


def test_a_day_without_a_total_is_refused():
    rows = table(
        ("ann", NOON, None, "o1"), ("ann", NOON, None, "o1"), ("ann", NOON, 5.0, "o2"),
        ("ann", NOON + timedelta(days=1), None, "o2"),
    )  # fmt: skip
    with pytest.raises(
        oc.DataError, match=r"amount is null on all rows of a day.*customer_id ann \(2 such days\)"
    ):
        oc.OrderHistory.build(rows, columns=BY_ID, amount_per="order")
    with pytest.raises(oc.DataError, match=r"amount is null at row 0 \(3 such rows\)"):
        oc.OrderHistory.build(rows, columns=BY_ID)


def test_totals_that_are_no_numbers_are_refused_as_ever():
    rows = table(("ann", NOON, float("nan"), "o1"), ("ann", NOON, 5.0, "o1"))
    with pytest.raises(oc.DataError, match=r"amount is NaN or infinite \(nan\) at row 0"):
        oc.OrderHistory.build(rows, columns=BY_ID, amount_per="order")
    rows = table(("ann", NOON, 0.0, "o1"), ("ann", NOON, -0.0, "o1"))
    assert revenue(oc.OrderHistory.build(rows, columns=BY_ID, amount_per="order")) == 0.0


@pytest.mark.parametrize("columns", [oc.Columns(), oc.Columns(order="order_id", amount=None)])
def test_totals_need_orders_and_amounts(columns):
    with pytest.raises(oc.ConfigError, match="amount_per='order' needs a column of amounts and"):
        oc.OrderHistory.build(table(("ann", NOON, 1.0, "o1")), columns=columns, amount_per="order")


# --- Duplicates ----------------------------------------------------------------------------------

DUPLICATED = [
    ("ann", NOON, 540.0, "#1001"),
    ("bob", NOON, 20.0, "#1002"),
    ("ann", NOON, 540.0, "#1001"),
    ("ann", NOON + timedelta(seconds=1), 540.0, "#1001"),
    ("bob", NOON, 20.0, "#1003"),
    ("ann", NOON, 540.0, "#1001"),
    (None, NOON, 20.0, "#1004"),
    (None, NOON, 20.0, "#1004"),
]


def test_rows_that_are_there_twice_count_once_where_they_are_dropped():
    kept = oc.OrderHistory.build(table(*DUPLICATED), columns=BY_ID)
    dropped = oc.OrderHistory.build(table(*DUPLICATED), columns=BY_ID, duplicates="drop")
    assert (revenue(kept), revenue(dropped)) == (2200.0, 1120.0)
    assert (kept.summary().duplicates, dropped.summary().duplicates) == (0, 2)
    # Those without a customer are not looked at.
    assert dropped.summary().anonymous == 2
    assert dropped.summary().rows == len(DUPLICATED)
    assert "2 duplicate rows" in repr(dropped)


def test_the_same_order_in_two_files_counts_once(tmp_path):
    import pyarrow.parquet as pq

    bob = table(("bob", NOON, 20.0, "o1"))
    for name in ("monday", "tuesday"):
        pq.write_table(bob, tmp_path / f"{name}.parquet")
    history = oc.OrderHistory.build(tmp_path, columns=BY_ID, duplicates="drop")
    assert (revenue(history), history.summary().duplicates) == (20.0, 1)
    with pytest.raises(
        oc.DataError, match=r"repeat an earlier row at row 0 of .*tuesday.parquet' \(1 such row\)"
    ):
        oc.OrderHistory.build(tmp_path, columns=BY_ID, duplicates="error")


def test_rows_that_are_there_twice_are_refused_with_the_first_of_them():
    for order in (range(8), reversed(range(8))):
        rows = [DUPLICATED[row] for row in order]
        first = min(row for row in range(8) if rows[row] in rows[:row] and rows[row][0])
        with pytest.raises(oc.DataError, match=rf"at row {first} \(2 such rows\)") as caught:
            oc.OrderHistory.build(table(*rows), columns=BY_ID, duplicates="error")
        assert (caught.value.row, caught.value.count) == (first, 2)
        assert "duplicates='drop'" in caught.value.remedy


def test_repeated_rows_are_named_by_the_column_of_the_orders():
    columns = oc.Columns(order="order_id", listed_customer="id")
    customers = pa.table({"id": ["ann"], "registered_at": [NOON]})
    with pytest.raises(oc.DataError) as caught:
        oc.OrderHistory.build(
            table(DUPLICATED[0], DUPLICATED[0]), customers, columns=columns, duplicates="error"
        )
    assert caught.value.column == "customer_id"
    assert "customer_id" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("customer_id", "ann "),
        ("ordered_at", NOON + timedelta(microseconds=1)),
        ("amount", 540.0000000000001),
        ("order_id", "#1001\0"),
    ],
)
def test_rows_that_differ_at_all_are_no_duplicates(column, other):
    row = dict(zip(table(DUPLICATED[0]).column_names, DUPLICATED[0], strict=True))
    rows = pa.Table.from_pylist([row, row | {column: other}])
    history = oc.OrderHistory.build(rows, columns=BY_ID, duplicates="error")
    assert history.summary().duplicates == 0
    assert oc.OrderHistory.build(rows, duplicates="drop").summary().duplicates == (
        column == "order_id"  # which is not read
    )


def test_orders_whose_ids_share_a_hash_are_kept_apart():
    ids = ids_with_one_hash(6)
    orders = pa.table(
        {
            "customer_id": [1] * 12,
            "ordered_at": [NOON] * 12,
            "amount": [2.0] * 12,
            "order_id": pa.array(ids + ids, pa.binary()),
        }
    )
    history = oc.OrderHistory.build(orders, columns=BY_ID, duplicates="drop")
    assert (history.summary().duplicates, history.summary().orders) == (6, 6)
    customers = orders.rename_columns(["order_id", "ordered_at", "amount", "customer_id"])
    history = oc.OrderHistory.build(customers, duplicates="drop")
    assert (history.summary().duplicates, history.summary().customers) == (6, 6)


def test_columns_behind_expressions_and_conditions_are_compared():
    orders = pa.table(
        {
            "email": ["a@x.org", "A@x.org", "a@x.org", "a@x.org", "a@x.org", "a@x.org"],
            "ordered_at": [NOON] * 6,
            "price": [1.5, 1.5, 3.0, 1.5, 1.5, 1.5],
            "quantity": [2, 2, 1, 2, 2, 2],
            "status": ["paid", "paid", "paid", "shipped", "paid", None],
        }
    )
    options = {
        "columns": oc.Columns(customer="lower(email)", amount="price * quantity"),
        "only": "status in ('paid', 'shipped')",
    }
    history = oc.OrderHistory.build(orders, duplicates="drop", **options)
    assert history.summary().duplicates == 1  # the fifth row: all else differs in what is read
    assert (history.summary().orders, history.summary().left_out) == (4, 1)
    assert revenue(history) == 12.0
    with pytest.raises(oc.DataError, match=r"at row 4 \(1 such row\)"):
        oc.OrderHistory.build(orders, duplicates="error", **options)


VALUES = {
    pa.bool_(): [True, False],
    pa.int8(): [1, -1],
    pa.float64(): [0.5, 1e300],
    pa.string(): ["ab", "ba"],
    pa.large_string(): ["", "\0"],
    pa.string_view(): ["twelve bytes!", "twelve bytes?"],
    pa.binary(3): [b"abc", b"abd"],
    pa.dictionary(pa.int8(), pa.string()): ["x", "y"],
    pa.decimal128(38, 2): [Decimal("1.00"), Decimal("184467440737095516.17")],
    pa.decimal256(76, 2): [Decimal("1.00"), Decimal("184467440737095516.17")],
    pa.date32(): [date(2026, 1, 1), date(2026, 1, 2)],
    pa.timestamp("ns", "UTC"): [1, 2],
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_columns_of_any_type_tell_rows_apart(kind):
    from ordercycle._ingest.row_identity import words_of_rows

    one, other = VALUES[kind]
    values = pa.array([one, other, None, one, None, other], kind)
    batch = pa.RecordBatch.from_arrays([values, pa.array([7] * 6)], ["extra", "constant"])
    for rows in (batch, batch.slice(1)):
        words = list(zip(*map(list, words_of_rows(rows, rows.schema.names)), strict=True))
        extra = rows.column("extra").to_pylist()
        for row, value in enumerate(extra):
            assert [words[row] == each for each in words] == [value == each for each in extra]


def many_rows(seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    size = 3_000
    times = np.datetime64("2026-01-01T00:00", "s") + random.integers(0, 400, size) * 7_200
    rows = pa.table(
        {
            "customer_id": random.integers(0, 200, size),
            "ordered_at": times,
            "amount": random.integers(-3, 20, size) / 4,
            "order_id": random.integers(0, 40, size).astype(str),
        }
    )
    return rows.take(random.integers(0, size, 2 * size))


@pytest.mark.parametrize("order", [None, "order_id"])
@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_nothing_but_the_rows_decides(monkeypatch, order, refunds):
    rows = many_rows(4)
    columns = ["customer_id", "ordered_at", "amount"] + ([order] if order else [])
    different = rows.group_by(columns).aggregate([])
    options = {"columns": oc.Columns(order=order), "refunds": refunds}
    expected = oc.OrderHistory.build(different, **options)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 100)
    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 300)
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 700)
    clustered = rows.sort_by("customer_id")
    for source, threads, limit in [
        (rows, 1, None),
        (rows, 2, None),
        (clustered, 2, None),
        (rows.to_reader(max_chunksize=97), 2, None),
        (clustered.to_reader(max_chunksize=97), 1, "100MB"),
    ]:
        if limit:
            monkeypatch.setattr("ordercycle._ingest.spill.WAITING_SHARE", 10**9)
        history = oc.OrderHistory.build(
            source, duplicates="drop", threads=threads, memory_limit=limit, **options
        )
        for day in ("2026-01-20", "2026-12-31"):
            assert history.profile(day).equals(expected.profile(day))
        assert history.summary() == replace(
            expected.summary(),
            rows=rows.num_rows,
            duplicates=rows.num_rows - different.num_rows,
            bytes=history.summary().bytes,
        )


def test_a_customer_with_most_rows_has_duplicates_like_any_other(monkeypatch):
    monkeypatch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", 1_000)
    days = [date(2026, 1, 1) + timedelta(days=number % 300) for number in range(3_000)]
    rows = pa.table({"customer_id": [5] * 3_000, "ordered_at": days, "amount": [1.0] * 3_000})
    history = oc.OrderHistory.build(rows, duplicates="drop")
    assert (history.summary().orders, history.summary().duplicates) == (300, 2_700)


def test_each_batch_that_is_appended_is_looked_at_by_itself():
    rows = table(*DUPLICATED[:2], DUPLICATED[0])
    history = oc.OrderHistory.build(rows, duplicates="drop")
    assert history.append(rows).summary().duplicates == 2
    assert history.append(rows).summary().orders == 4


def test_what_cannot_be_compared_is_refused():
    orders = pa.table(
        {
            "customer_id": [1],
            "ordered_at": [NOON],
            "amount": [1.0],
            "lines": pa.array([[{"price": 1}]]),
        }
    )
    with pytest.raises(oc.ConfigError, match="duplicates= cannot compare lines, which is list"):
        oc.OrderHistory.build(orders, duplicates="drop", only="lines is not null")
    with pytest.raises(oc.ConfigError, match="duplicates='remove' is not an option"):
        oc.OrderHistory.build(orders, duplicates="remove")
