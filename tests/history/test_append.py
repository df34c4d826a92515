"""A history that is appended to, in memory and saved, against one built from everything."""

import tempfile
from datetime import date
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.histories import assert_same, built, dealt, is_refused, results, tables
from support.strategies import Case, cases, layouts

import ordercycle as oc

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(
    case=cases(),
    layout=layouts(),
    pieces=st.integers(2, 4),
    growth=st.sampled_from([0, 4, 10**9]),
    saved=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_appending_is_building_from_everything(case, layout, pieces, growth, saved, seed):
    parts = dealt(case, pieces, Random(seed))  # noqa: S311 - reproducible, not secret
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("ordercycle._history.appending.GROWTH", growth)
        patch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3)
        if is_refused(case):
            with pytest.raises(oc.DataError):
                appended(parts, layout, folder if saved else None)
            return
        whole = built(case, *tables(case, layout))
        history = appended(parts, layout, folder if saved else None)
        assert_same(results(history, case), results(whole, case))
        if saved:
            assert_same(results(oc.OrderHistory.open(folder), case), results(whole, case))


def appended(parts: list[Case], layout, folder: str | None) -> oc.OrderHistory:
    first, *later = parts
    history = built(first, *tables(first, layout))
    if folder is not None:
        history.save(folder)
        history = oc.OrderHistory.open(folder)
    for part in later:
        orders, customers = tables(part, layout)
        before = history
        if folder is not None and len(part.orders) % 2:
            history = oc.OrderHistory.open(folder)
        kept = results(before, part)
        history = history.append(orders, customers)
        assert_same(results(before, part), kept)  # what was there is as it was
    return history


def small(*rows, ids=None) -> pa.Table:
    """Return orders of (customer, day of January 2026, amount)."""
    return pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], ids),
            "ordered_at": [date(2026, 1, row[1]) for row in rows],
            "amount": [row[2] for row in rows],
        }
    )


def test_decimals_of_more_digits_may_arrive(tmp_path):
    days = [date(2026, 1, day) for day in (5, 6, 7)]
    ids = [[1, 2, 3], [1, 1, 4], [2, 4, 5]]
    amounts = [[7, 8, 9], [10**25, -(10**24), 10**30], [1, 2, 3]]
    narrow, wide = pa.decimal128(10, 0), pa.decimal128(31, 0)
    tables = [
        pa.table({"customer_id": own, "ordered_at": days, "amount": pa.array(values, kind)})
        for own, values, kind in zip(ids, amounts, [narrow, wide, narrow], strict=True)
    ]
    expected = {1: 7 + 10**25 - 10**24, 2: 9, 3: 9, 4: 10**30 + 2, 5: 3}
    first = oc.OrderHistory.build(tables[0])
    in_memory = first.append(tables[1]).append(tables[2])
    saved = first.save(tmp_path).append(tables[1]).append(tables[2])
    for history in (in_memory, saved, oc.OrderHistory.open(tmp_path)):
        rows = history.profile("2026-02-01").to_pylist()
        assert {row["customer_id"]: int(row["revenue"]) for row in rows} == expected


def listed(*rows) -> pa.Table:
    """Return customers of (customer, day of January 2026)."""
    return pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "registered_at": pa.array([date(2026, 1, row[1]) for row in rows], pa.date32()),
        }
    )


def test_a_batch_is_taken_once(tmp_path):
    history = oc.OrderHistory.build(small((1, 5, 10.0)))
    for there in (history, history.save(tmp_path)):
        more = there.append(small((1, 6, 10.0)), batch="2026-01-06")
        with pytest.raises(oc.DataError, match="'2026-01-06' is already in the history"):
            more.append(small((1, 6, 10.0)), batch="2026-01-06")
        assert more.append(small((9, 9, 9.0)), batch="2026-01-06", repeated="skip") is more
        again = more.append(small((1, 7, 10.0)), batch="2026-01-07")
        assert again.summary().orders == 3
    opened = oc.OrderHistory.open(tmp_path)
    assert opened.append(small((9, 9, 9.0)), batch="2026-01-06", repeated="skip") is opened


@pytest.mark.parametrize("batch", ["", 7, b"x"])
def test_a_batch_has_a_text_for_a_name(batch):
    with pytest.raises(oc.ConfigError, match="batch="):
        oc.OrderHistory.build(small((1, 5, 10.0))).append(small((1, 6, 1.0)), batch=batch)
    with pytest.raises(oc.ConfigError, match="repeated="):
        oc.OrderHistory.build(small((1, 5, 10.0))).append(small((1, 6, 1.0)), repeated="again")


def test_a_customer_is_listed_once():
    history = oc.OrderHistory.build(small((1, 5, 10.0)), listed((1, 2), (2, 3)))
    with pytest.raises(oc.DataError, match=r"customer_id 2 is in the history's customers already"):
        history.append(small((1, 6, 1.0)), listed((2, 4), (3, 4)))
    assert history.append(small((3, 6, 1.0)), listed((3, 4))).summary().customers == 3


def test_messages_bear_any_name_of_a_column():
    named = {"customer_id": "{customer}"}
    columns = oc.Columns(customer="{customer}")
    orders, customers = (
        table.rename_columns(named) for table in (small((1, 5, 1.0)), listed((1, 2)))
    )
    history = oc.OrderHistory.build(orders, customers, columns=columns)
    with pytest.raises(
        oc.DataError, match=r"customers: {customer} 1 is in the history's customers"
    ):
        history.append(orders, customers)


def test_a_stranger_who_is_listed_later_brings_all_orders_along():
    orders = small((1, 5, 10.0), (2, 6, 7.0), (2, 7, -3.0))
    history = oc.OrderHistory.build(orders, listed((1, 2)), unknown="drop")
    assert history.summary().customers == 1
    assert history.summary().unknown == 1
    more = history.append(small((2, 9, 1.0)), listed((2, 4)))
    row = next(row for row in more.profile("2026-02-01").to_pylist() if row["customer_id"] == 2)
    assert (row["orders"], row["revenue"], row["registered_on"]) == (2, 5.0, date(2026, 1, 4))
    assert more.summary().unknown == 0


def test_strangers_are_refused_as_when_building():
    history = oc.OrderHistory.build(small((1, 5, 10.0)), listed((1, 2)), unknown="error")
    with pytest.raises(oc.DataError, match=r"customer_id 2 is not in customers \(1 such"):
        history.append(small((2, 6, 1.0)))
    assert history.append(small((1, 6, 1.0), (2, 6, 1.0)), listed((2, 1))).summary().orders == 3


def lines(*rows) -> pa.Table:
    """Return order lines of (customer, day of January 2026, amount, order)."""
    return small(*[row[:3] for row in rows]).append_column(
        "order_id", pa.array([row[3] for row in rows])
    )


@pytest.mark.parametrize("refunds", ["net", "drop", "count"])
def test_rows_of_a_day_that_an_order_has_are_refused(refunds):
    columns = oc.Columns(order="order_id")
    there = lines((1, 5, -10.0, "a"), (1, 5, 5.0, "a"), (2, 6, 1.0, "a"), (2, 9, 2.0, "b"))
    history = oc.OrderHistory.build(there, columns=columns, refunds=refunds)
    # Even those of a refund that was dropped: together they might be no refund.
    again = lines((1, 5, 40.0, "a"), (2, 9, 3.0, "b"), (2, 10, 3.0, "b"), (3, 5, 1.0, "a"))
    with pytest.raises(
        oc.DataError, match=r"gets rows of a day that it has in the history already \(2 such cust"
    ) as caught:
        history.append(again)
    assert (caught.value.column, caught.value.count) == ("order_id", 2)
    assert "leave out rows that were appended before" in caught.value.remedy
    other = lines((1, 6, 40.0, "a"), (2, 9, 3.0, "a"), (3, 5, 1.0, "a"))
    assert history.append(other).summary().rows == 7


@pytest.mark.parametrize("same_day", ["separate", "merge"])
def test_days_of_an_order_may_arrive_in_any_order(same_day):
    options = {"columns": oc.Columns(order="order_id"), "same_day": same_day}
    early, late = lines((1, 2, 10.0, "a")), lines((1, 9, 5.0, "a"), (1, 9, 7.0, "b"))
    whole = oc.OrderHistory.build(pa.concat_tables([early, late]), **options)
    for first, then in ((early, late), (late, early)):
        history = oc.OrderHistory.build(first, **options).append(then)
        assert pa.Table.from_batches(history.to_batches()).equals(
            pa.Table.from_batches(whole.to_batches())
        )
        assert history.profile("2026-02-01").equals(whole.profile("2026-02-01"))
        assert history.summary().split_orders == 1
        assert history.summary().orders == 2


def test_types_have_to_fit():
    history = oc.OrderHistory.build(small((1, 5, 10.0), ids=pa.int32()))
    with pytest.raises(oc.ColumnError, match="customer_id is string, and int32 in the history"):
        history.append(small(("x", 5, 10.0)))
    with pytest.raises(oc.ColumnError, match="amount is int64, and double in the history"):
        history.append(small((1, 5, 10)))
    with pytest.raises(oc.ColumnError, match="do not fit int32"):
        history.append(small((2**40, 5, 10.0)))
    wider = history.append(small((7, 5, 10.0), ids=pa.int64()))
    assert wider.profile("2026-02-01").schema.field("customer_id").type == pa.int32()


def test_order_ids_have_to_be_of_the_same_kind():
    columns = oc.Columns(order="order_id")
    lines = small((1, 5, 10.0)).append_column("order_id", pa.array([11]))
    history = oc.OrderHistory.build(lines, columns=columns)
    with pytest.raises(oc.ColumnError, match="order_id is string, and int64 in the history"):
        history.append(small((1, 6, 4.0)).append_column("order_id", pa.array(["11"])))


def test_nothing_can_be_appended():
    history = oc.OrderHistory.build(small((1, 5, 10.0)))
    assert history.append(small()[:0].cast(small((1, 5, 1.0)).schema)).summary().rows == 1


def test_bad_rows_leave_the_history_as_it_was(tmp_path):
    history = oc.OrderHistory.build(small((1, 5, 10.0))).save(tmp_path)
    before = sorted(file.name for file in tmp_path.iterdir())
    with pytest.raises(oc.DataError, match="amount is NaN"):
        history.append(small((1, 6, float("nan"))))
    assert sorted(file.name for file in tmp_path.iterdir()) == before
    assert oc.OrderHistory.open(tmp_path).summary() == history.summary()


def test_a_history_opened_before_somebody_else_appended_is_not_extended(tmp_path):
    one = oc.OrderHistory.build(small((1, 5, 10.0))).save(tmp_path)
    other = oc.OrderHistory.open(tmp_path)
    one.append(small((1, 6, 10.0)))
    with pytest.raises(oc.StorageError, match="open it again"):
        other.append(small((1, 6, 10.0)))
    with pytest.raises(oc.StorageError, match="open it again"):
        other.save(tmp_path)
    assert other.profile("2026-02-01")["orders"].to_pylist() == [1]


def test_runs_that_pile_up_are_merged(tmp_path):
    history = oc.OrderHistory.build(small(*[(n, 5, 1.0) for n in range(100)])).save(tmp_path)
    for day in range(6, 26):
        history = history.append(small((3, day, 1.0)))
    assert len(list(tmp_path.glob("run-*.arrow"))) <= 8
    assert history.summary().orders == 120
    assert Path(tmp_path, "manifest.json").exists()


def test_columns_that_have_another_name_now_are_to_be_renamed():
    day = date(2026, 1, 1)
    orders = pa.table({"customer_id": ["ann"], "ordered_at": [day], "amount": [10]})
    history = oc.OrderHistory.build(orders)
    renamed = orders.rename_columns({"amount": "total"})
    kept = "rename the one that is meant: a history keeps the names of its columns"
    with pytest.raises(oc.ColumnError, match=f"it has .*'total': {kept}$") as caught:
        history.append(renamed)
    assert caught.value.column == "amount"
    assert "columns=" not in str(caught.value)
    customers = pa.table({"customer_id": ["bob"], "since": [day]})
    with pytest.raises(oc.ColumnError, match=f"'registered_at'; it has .*'since': {kept}$"):
        history.append(orders, customers)
    with pytest.raises(oc.ColumnError, match=r"say which columns to read with columns=$"):
        oc.OrderHistory.build(renamed)
    other_type = orders.set_column(2, "amount", pa.array(["10"]))
    with pytest.raises(oc.ColumnError, match="amount is string, which is no amount"):
        history.append(other_type)
    events = oc.EventHistory.build(pa.table({"customer_id": ["ann"], "occurred_at": [day]}))
    with pytest.raises(oc.ColumnError, match=f"'occurred_at'.*; it has .*'at': {kept}$"):
        events.append(pa.table({"customer_id": ["ann"], "at": [day]}))
