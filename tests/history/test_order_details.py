"""Orders with attributes, values and instants, and views of them, against the oracle."""

import datetime as dt
import tempfile
from dataclasses import replace
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle.compare import CANCELLATION_TOLERANCE, same_number
from oracle.errors import ConfigError, DataError
from oracle.money import magnitude
from oracle.order_events import AMOUNT
from support.against_oracle import THREADS, check_profile, examples
from support.cutting import cut_small, spill_everything
from support.events import OrderEventCase, conditions, order_event_cases
from support.histories import assert_same, results
from support.layouts import Layout
from support.order_details import detailed, options, tables
from support.strategies import layouts, python_time

import ordercycle as oc

CASES = order_event_cases(max_rows=20)


def taken(case: OrderEventCase, rows: list[int]) -> OrderEventCase:
    """Return a case with some of its rows, in another order."""
    orders = [case.case.orders[row] for row in rows]
    fields = [case.fields[row] for row in rows]
    return replace(case, case=replace(case.case, orders=orders), fields=fields)


def expected(case: OrderEventCase):
    """Return the oracle's stream, or skip a case that has to be refused."""
    try:
        return case.stream()
    except (ConfigError, DataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it


def check_entries(history: oc.OrderHistory, stream, case: OrderEventCase) -> None:
    """Compare all that is kept of orders and refunds, in their order."""
    found = {
        row["customer_id"]: row["orders"]
        for batch in history.to_batches()
        for row in batch.to_pylist()
    }
    assert found.keys() == stream.history.customers.keys()
    own = {"amount", *case.kept.values}
    for name, events in stream.customers.items():
        bounds = {
            one: CANCELLATION_TOLERANCE
            * magnitude([event.fields[one] for event in events if event.fields[one] is not None])
            for one in own
        }
        for entry, event in zip(found[name], events, strict=True):
            assert entry["ordered_on"] == event.day
            if case.kept.instants:
                assert entry["ordered_at"] == event.instant
            for one in (*case.kept.attributes, *case.kept.values, AMOUNT):
                bound = bounds.get(one, 0.0)
                assert same_number(entry[one], event.fields[one], bound), one
        # Which of entries that are equal but for their id is the order, ids decide.
        marks = sorted((entry["ordered_on"], entry["is_order"]) for entry in found[name])
        assert marks == sorted((event.day, event.is_counted) for event in events)


@examples(120)
@given(case=CASES, layout=layouts(), threads=THREADS, data=st.data())
def test_any_orders_and_views_of_them(case, layout, threads, data):
    try:
        stream = case.stream()
    except (ConfigError, DataError) as error:
        kind = oc.ConfigError if isinstance(error, ConfigError) else oc.DataError
        with pytest.raises(kind):
            detailed(case, layout, threads=threads)
        return
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            cut_small(patch)
        history = detailed(case, layout, threads=threads)
    check_entries(history, stream, case)
    check_profile(case.case, history, stream.history)
    for _ in range(data.draw(st.integers(1, 2))):
        condition = data.draw(conditions(stream))
        stream = stream.where(condition)
        history = history.where(str(condition), missing="empty")
    check_entries(history, stream, case)
    check_profile(case.case, history, stream.history)
    counted = [event.is_counted for event in stream.events()]
    assert history.summary().orders == sum(counted)


@examples(40)
@given(
    case=CASES,
    seed=st.integers(0, 10_000),
    waiting=st.sampled_from([None, 0, 300]),
    data=st.data(),
)
def test_rows_chunks_limits_files_and_appends_leave_no_trace(case, seed, waiting, data):
    stream = expected(case)
    condition = str(data.draw(conditions(stream)))
    whole = detailed(case, Layout(0))
    order = Random(seed).sample(range(len(case.fields)), len(case.fields))  # noqa: S311
    shuffled = taken(case, order)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if waiting is not None:
            spill_everything(patch, waiting)
        limit = None if waiting is None else "1GB"
        found = detailed(shuffled, Layout(seed), threads=2, memory_limit=limit)
        compare(found, whole, case, condition)
        opened = oc.OrderHistory.open(found.save(folder)._grouped.folder.path)
        compare(opened, whole, case, condition)


def compare(found, whole, case, condition) -> None:
    """Compare all that two histories say, and views of them."""
    assert_same(results(found, case.case), results(whole, case.case))
    views = [one.where(condition, missing="empty") for one in (found, whole)]
    one, other = (results(view, case.case) for view in views)
    assert_same(one, other)


@examples(40)
@given(case=CASES, parts=st.integers(1, 3), saved=st.booleans(), data=st.data())
def test_appended_orders_are_those_of_a_build(case, parts, saved, data):
    assume(case.case.policies.duplicates == "keep" and case.case.policies.unknown != "error")
    stream = expected(case)
    condition = str(data.draw(conditions(stream)))
    policies, kind = case.case.policies, case.case.types.time

    def part_of(number: int, row) -> int:
        """Return where a row belongs: those of an order's day come together."""
        day = None if row.time is None else policies.day_of(python_time(row.time, kind))
        key = (row.customer, row.order, day) if policies.collapse else number
        return Random(repr(key)).randrange(parts + 1)  # noqa: S311

    places = [part_of(number, row) for number, row in enumerate(case.case.orders)]
    _, customers = tables(case, Layout(0))
    pieces = [
        tables(taken(case, [row for row, at in enumerate(places) if at == part]), Layout(0))[0]
        for part in range(parts + 1)
    ]
    whole = detailed(case, Layout(0))
    with tempfile.TemporaryDirectory() as folder:
        found = oc.OrderHistory.build(pieces[0], customers, **options(case))
        if saved:
            found = found.save(folder)
        for number, piece in enumerate(pieces[1:]):
            found = found.append(piece, batch=str(number))
        compare(found, whole, case, condition)
        if saved:
            compare(oc.OrderHistory.open(folder), whole, case, condition)


# --- By hand ----------------------------------------------------------------------------------

BRANDED = pa.table(
    {
        "customer_id": ["ann", "ann", "bob", "ann"],
        "ordered_at": pa.array(
            [dt.datetime(2026, 1, day, 9, tzinfo=dt.UTC) for day in (5, 6, 7, 8)],
            pa.timestamp("us", "UTC"),
        ),
        "amount": [10, 20, 30, -5],
        "order_id": ["a1", "a2", "b1", "a2"],
        "brand": ["north", "south", "north", "south"],
        "discount": [1, None, 2, None],
        "refunds": [None, None, None, "a2"],
    }
)
COLUMNS = oc.Columns(
    attributes=["brand"], values=["discount"], instants=True, order="order_id", refund_of="refunds"
)


def test_a_view_is_the_history_of_the_filtered_orders_with_that_registration():
    history = oc.OrderHistory.build(BRANDED, columns=COLUMNS)
    registered = history.profile("2026-02-01").select(["customer_id", "registered_on"])
    south = BRANDED.filter(pc.equal(BRANDED["brand"], "south"))
    alone = oc.OrderHistory.build(
        south,
        registered,
        columns=replace(COLUMNS, registered="registered_on"),
    )
    view = history.where("brand == 'south'")
    assert view.profile("2026-02-01").equals(alone.profile("2026-02-01"))
    both = [oc.Lifecycle().membership(one) for one in (view, alone)]
    assert both[0].to_table().equals(both[1].to_table())
    reports = [
        oc.SegmentReport.build(one, membership, period="2026-01", as_of="2026-01-31")
        for one, membership in zip((view, alone), both, strict=True)
    ]
    assert reports[0].comparison().equals(reports[1].comparison())
    rows = {row["customer_id"]: row for row in view.profile("2026-02-01").to_pylist()}
    assert rows["bob"]["orders"] == 0
    assert rows["bob"]["registered_on"] == dt.date(2026, 1, 7)
    assert view.summary().customers == 2
    assert "where brand == 'south'" in repr(view)


def test_results_name_orders_and_what_they_refund():
    columns = replace(COLUMNS, order="order_id")
    for ids in (BRANDED["order_id"], pa.chunked_array([[1, 2, 3, 2]])):
        orders = BRANDED.set_column(3, "order_id", ids)
        if pa.types.is_integer(ids.type):
            orders = orders.set_column(6, "refunds", pa.array([None, None, None, 2]))
        history = oc.OrderHistory.build(orders, columns=columns)
        found = {
            (entry["order_id"], entry["amount"])
            for batch in history.to_batches()
            for row in batch.to_pylist()
            for entry in row["orders"]
        }
        assert found == set(zip(ids.to_pylist(), [10, 20, 30, -5], strict=True))
        table = oc.features(
            history.profile("2026-02-01"),
            {"ids": "distinct(orders.order_id)", "brand": "first(orders.brand)"},
            as_of="2026-02-01",
            streams={"orders": history},
        )
        rows = {row["customer_id"]: (row["ids"], row["brand"]) for row in table.to_pylist()}
        assert rows == {"ann": (2, "north"), "bob": (1, "north")}


def test_lines_that_disagree_are_refused_with_their_order():
    lines = BRANDED.set_column(3, "order_id", [["a1", "a1", "b1", "a1"]])
    same_day = lines.set_column(1, "ordered_at", lines["ordered_at"].take([0, 0, 2, 3]))
    what = r"brand has different values .* order 'a1' \(1 such day\)"
    with pytest.raises(oc.DataError, match=what) as found:
        oc.OrderHistory.build(same_day, columns=replace(COLUMNS, order="order_id"))
    assert (found.value.column, found.value.count) == ("brand", 1)


#: One day of an order as exports have it, where the first line alone has what is of the order, and
#: one on which no line has it.
EXPORTED = pa.table(
    {
        "customer_id": ["ann"] * 5,
        "ordered_at": [dt.date(2026, 1, day) for day in (5, 5, 5, 9, 9)],
        "amount": [10, 20, 30, 1, -4],
        "order_id": ["a1"] * 5,
        "brand": ["north", None, None, None, None],
        "discount": [2, None, None, None, None],
        "refunds": [None, "a0", None, None, None],
    }
)
EXPORTED_COLUMNS = replace(COLUMNS, order="order_id")


def said_of_days(history: oc.OrderHistory) -> dict:
    """Return brand and what is refunded, by the day of an entry."""
    return {
        entry["ordered_on"].day: (entry["brand"], entry["refunds"] is not None)
        for batch in history.to_batches()
        for row in batch.to_pylist()
        for entry in row["orders"]
    }


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 0, 4, 2, 3]])
def test_a_null_beside_a_value_says_nothing(rows):
    history = oc.OrderHistory.build(
        EXPORTED.take(rows), columns=EXPORTED_COLUMNS, day_instants=True
    )
    assert said_of_days(history) == {5: ("north", True), 9: (None, False)}
    assert history.where("brand is null").summary().refunds == 1


def test_nulls_do_not_hide_different_values():
    ids = pa.chunked_array([["b0", None, "a0", None, None]])
    orders = EXPORTED.set_column(6, "refunds", ids)
    what = r"refunds has different values .* order 'a1' \(1 such day\)"
    with pytest.raises(oc.DataError, match=what) as found:
        oc.OrderHistory.build(orders, columns=EXPORTED_COLUMNS, day_instants=True)
    assert (found.value.column, found.value.count) == ("refunds", 1)


@pytest.mark.parametrize("value_is_first", [True, False])
def test_an_appended_day_says_nothing_of_days_that_are_there(value_is_first):
    parts = [EXPORTED.slice(0, 3), EXPORTED.slice(3)][:: 1 if value_is_first else -1]
    options = {"columns": EXPORTED_COLUMNS, "day_instants": True}
    whole = oc.OrderHistory.build(EXPORTED, **options)
    found = oc.OrderHistory.build(parts[0], **options).append(parts[1])
    assert said_of_days(found) == {5: ("north", True), 9: (None, False)}
    assert list(found.to_batches()) == list(whole.to_batches())
    # More rows of a day that is there, with the value or without it, are another sum: refused.
    rows = [EXPORTED.slice(0, 1), EXPORTED.slice(2, 1)][:: 1 if value_is_first else -1]
    there = oc.OrderHistory.build(rows[0], **options)
    with pytest.raises(oc.DataError, match="a day that it has in the history already"):
        there.append(rows[1])


def test_views_are_neither_saved_nor_appended_to(tmp_path):
    view = oc.OrderHistory.build(BRANDED, columns=COLUMNS).where("discount > 1")
    with pytest.raises(oc.ConfigError, match=r"a view \(where discount > 1\) cannot be saved"):
        view.save(tmp_path / "view")
    with pytest.raises(oc.ConfigError, match="cannot be appended to"):
        view.append(BRANDED)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(oc.ConfigError, match=r"no value of brand equals 'suoth'.*'south'"):
        oc.OrderHistory.build(BRANDED, columns=COLUMNS).where("brand == 'suoth'")
    dated = BRANDED.set_column(1, "ordered_at", BRANDED["ordered_at"].cast(pa.date32()))
    with pytest.raises(oc.ConfigError, match="a day has no instant"):
        oc.OrderHistory.build(dated, columns=COLUMNS)
    assert oc.OrderHistory.build(dated, columns=COLUMNS, day_instants=True).summary().orders == 3
    with pytest.raises(oc.ConfigError, match="every order has in results"):
        oc.Columns(amount="paid", attributes=["amount"])
    with pytest.raises(oc.ConfigError, match="names one column twice"):
        oc.Columns(attributes=["amount"], values=["amount"], amount=None)
    with pytest.raises(oc.ConfigError, match="orders have no attributes"):
        oc.OrderHistory.build(BRANDED, lookups={"brand": {"brand": ["north"]}})


def test_lookups_are_kept_with_the_history(tmp_path):
    catalogue = pa.table({"brand": ["south", "west"], "owner": ["us", "them"]})
    history = oc.OrderHistory.build(BRANDED, columns=COLUMNS, lookups={"brand": catalogue})
    assert history.summary().unmatched == {"brand": 1}
    assert history.summary().nulls == {"discount": 2}
    history.save(tmp_path / "orders")
    opened = oc.OrderHistory.open(tmp_path / "orders")
    ours = opened.where("brand.owner == 'us'")
    assert (ours.summary().orders, ours.summary().refunds) == (1, 1)
    other_catalogue = {"brand": ["north"], "owner": ["us"]}
    other = opened.with_lookups({"brand": other_catalogue})
    assert other.where("brand.owner == 'us'").summary().orders == 2
    # A view asks the lookups that it has.
    assert ours.with_lookups({"brand": other_catalogue}).summary().orders == 2


def test_a_source_file_names_attributes():
    columns = {"attributes": ["lower(brand)"], "values": ["discount"], "refund_of": "refunds"}
    with pytest.raises(oc.ConfigError, match=r"refund_of='refunds'\) .* Columns\(order=\.\.\.\)"):
        oc.source_from_dict({"columns": columns})
    columns["order"] = "order_id"
    source = oc.source_from_dict({"columns": columns | {"instants": True}})
    assert oc.source_from_dict(source.to_dict()) == source
    history = oc.OrderHistory.build(BRANDED, source=source)
    assert history.where("column('lower(brand)') == 'north'").summary().orders == 2
