"""The oracle of streams keeps the laws that it is to judge by."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.events import (
    CUSTOMER,
    ID,
    TIME,
    conditions,
    days_near,
    event_cases,
    feature_text,
    features,
    fields_to_name,
    order_event_cases,
)
from support.layouts import Layout
from support.strategies import TELLING_DAYS, layouts

from oracle import events, order_events
from oracle import history as plain
from oracle.conditions import Joined
from oracle.errors import ConfigError, DataError
from oracle.features import Feature, computed
from oracle.order_events import Kept
from oracle.profile import profile

#: Slow machines draw slowly, and cases that must be refused are left out.
many = settings(max_examples=50, deadline=None)


def stream_of(case):
    """Return a case's stream; cases that must be refused are not of interest here."""
    try:
        return case.stream()
    except (ConfigError, DataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it


def comparable(case):
    """Whether there is anything that a condition can be about."""
    return any(not field.is_key for field in fields_to_name(case))


@many
@given(event_cases(), st.data())
def test_the_order_of_rows_leaves_no_trace(case, data):
    stream = stream_of(case)
    again = stream_of(replace(case, rows=data.draw(st.permutations(case.rows))))
    assert again == stream


@many
@given(event_cases())
def test_a_feed_that_comes_twice_changes_nothing(case):
    assume(case.has_ids)
    case = replace(case, rows=[row for row in case.rows if row.id not in (None, "", b"")])
    stream = stream_of(case)
    again = stream_of(replace(case, rows=case.rows * 2))
    assert again.customers == stream.customers
    kept = len(stream.events())
    assert again.repeated - stream.repeated == kept + stream.repeated


@many
@given(event_cases())
def test_every_row_is_accounted_for(case):
    summary = stream_of(case).summary()
    counted = [summary[name] for name in ("events", "repeated", "anonymous", "left_out")]
    assert sum(counted) == summary["rows"] == len(case.rows)


@many
@given(event_cases(), st.data())
def test_views_nest(case, data):
    stream = stream_of(case)
    assume(comparable(stream))
    one, other = data.draw(conditions(stream)), data.draw(conditions(stream))
    both = stream.where(Joined("and", (one, other)))
    assert stream.where(one).where(other) == both


@many
@given(event_cases(), st.data())
def test_a_feature_of_a_view_is_the_feature_with_its_condition(case, data):
    stream = stream_of(case)
    assume(comparable(stream))
    feature, condition = data.draw(features(stream, case.base)), data.draw(conditions(stream))
    assume(feature.function != "share")
    case = replace(case, base=data.draw(days_near(stream, case.base)))
    own = feature.condition
    joint = condition if own is None else Joined("and", (condition, own))
    found = values(feature, stream.where(condition), stream, case)
    assert found == values(replace(feature, condition=joint), stream, stream, case)


@many
@given(event_cases(), st.data())
def test_features_agree_with_each_other(case, data):
    stream = stream_of(case)
    assume(comparable(stream))
    window = data.draw(features(stream, case.base))
    condition = data.draw(conditions(stream))
    window = replace(window, column=None, values=(), condition=condition)
    case = replace(case, base=data.draw(days_near(stream, case.base)))

    def of(function, column=None):
        one = replace(window, function=function, column=column)
        return values(one, stream, stream, case)

    counts, ages = of("count"), of("days_since")
    assert of("has") == [count > 0 for count in counts]
    assert [age is not None for age in ages] == of("has")
    assert all(days <= count for days, count in zip(of("days"), counts, strict=True))
    for name in stream.names.attributes:
        # `top` says nothing where all are null; the first and the last may be null.
        several = zip(of("distinct", name), of("top", name), counts, strict=True)
        for distinct, top, count in several:
            assert distinct <= count
            assert (top is None) == (distinct == 0)


def values(feature, stream, whole, case):
    """Return a feature of every customer of the whole, and of one who has nothing."""
    return computed(feature, stream, [*whole.customers, object()], case.base)


@many
@given(event_cases(), st.sampled_from(TELLING_DAYS))
def test_windows_add_up(case, days):
    stream = stream_of(case)
    everyone, as_of = list(stream.customers), case.base + timedelta(days=420)
    day = case.base + timedelta(days=days)

    def of(as_of, **window):
        return computed(Feature("count", **window), stream, everyone, as_of)

    before, after = of(as_of, until=day), of(as_of, since=day + timedelta(days=1))
    assert [sum(both) for both in zip(before, after, strict=True)] == of(as_of)
    assert before == of(day)
    assert of(as_of, last=421 - days) == of(as_of, since=day)


@many
@given(event_cases(), layouts())
def test_tables_hold_what_was_drawn(case, layout):
    table = layout.table(case.columns())
    assert table.num_rows == len(case.rows)
    for name in case.names.all + ((ID,) if case.has_ids else ()):
        drawn = [row.id if name == ID else row.fields[name] for row in case.rows]
        found = [value.as_py() for value in table[name]]
        assert found == drawn
    assert table[CUSTOMER].type == case.types[CUSTOMER]
    assert table[TIME].type == case.types[TIME]
    for name, catalogue in case.lookups(layout).items():
        assert catalogue.select([name, "type", "rank"]).to_pylist() == case.catalogues[name]


@many
@given(order_event_cases())
def test_attributes_and_instants_change_no_profile(drawn):
    case = drawn.case
    assume(case.policies.duplicates == "keep")  # rows that differ in attributes are no duplicates
    orders = stream_of(drawn)
    expected = plain.build(case.order_rows(), case.customer_rows(), case.policies)
    assert profile(orders.history, case.as_of) == profile(expected, case.as_of)


@many
@given(order_event_cases(), st.data())
def test_a_view_of_orders_keeps_customers_and_registrations(drawn, data):
    orders = stream_of(drawn)
    view = orders.where(data.draw(conditions(orders)))
    day = drawn.case.as_of
    whole, some = profile(orders.history, day), profile(view.history, day)
    assert whole.keys() == some.keys()
    for name, row in some.items():
        assert row["registered_on"] == whole[name]["registered_on"]
        assert row["orders"] <= whole[name]["orders"]


@many
@given(order_event_cases(), st.data())
def test_features_of_orders_are_columns_of_the_profile(drawn, data):
    orders = stream_of(drawn)
    day = drawn.case.as_of
    rows = profile(orders.history, day)

    def of(function, column=None):
        return computed(Feature(function, column), orders, rows, day)

    assert of("count") == [row["orders"] for row in rows.values()]
    assert of("days") == [row["order_days"] for row in rows.values()]
    assert of("days_since") == [row["days_since_last_order"] for row in rows.values()]
    assert of("sum", "amount") == [row["revenue"] for row in rows.values()]
    assert feature_text(data.draw(features(orders, day)), "orders")


def test_a_table_of_nothing_has_its_types():
    table = Layout(0).table({"kind": ([], pa.dictionary(pa.int8(), pa.string()))})
    assert table.num_rows == 0
    assert table["kind"].type == pa.dictionary(pa.int8(), pa.string())


def test_rows_of_an_own_day_agree_or_are_refused():
    day = plain.date(2024, 1, 1)
    kept, once = Kept(("brand",)), plain.Policies(collapse=True)
    lines = [order_events.Line("ann", day, 5, "A1", {"brand": brand}) for brand in ("x", "y")]
    with pytest.raises(DataError, match="several values of brand"):
        order_events.build(lines, kept=kept, policies=once)
    silent = lines[1]._replace(fields={"brand": None})
    for rows in ([lines[0], silent], [silent, lines[0]]):
        (entry,) = order_events.build(rows, kept=kept, policies=once).events()
        assert dict(entry.fields) == {"amount": 10, "brand": "x"}
    (entry,) = order_events.build([silent, silent], kept=kept, policies=once).events()
    assert dict(entry.fields) == {"amount": 10, "brand": None}
    refund = lines[1]._replace(amount=-1)
    (entry,) = order_events.build([lines[0], refund], kept=kept, policies=once).events()
    assert dict(entry.fields) == {"amount": 4, "brand": "x"}


def test_an_event_whose_value_is_no_number_is_refused():
    row = events.EventRow("ann", plain.date(2024, 1, 1), {"points": float("nan")})
    with pytest.raises(DataError, match="not finite"):
        events.build([row], events.Fieldnames(values=("points",)))
