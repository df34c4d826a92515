"""Histories of events, from any source to their batches, against the oracle."""

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle.conditions import written
from oracle.errors import DataError
from support.against_oracle import THREADS, examples
from support.cutting import cut_small
from support.event_histories import build, customers_of, expected_customers, stream_of
from support.events import conditions, event_cases, fields_to_name
from support.sources import IN_MEMORY
from support.strategies import layouts

import ordercycle as oc


def oracle_of(case):
    """Return the oracle's stream; None where the rows must be refused."""
    try:
        return stream_of(case)
    except DataError:
        return None


def check(case, history, stream):
    found = customers_of(history)
    expected = expected_customers(stream, case)
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    for customer, events in expected.items():
        assert found[customer] == events
    summary, counted = history.summary(), stream.summary()
    for name, value in counted.items():
        assert getattr(summary, name) == value, name


def compare(case, events, layout, threads):
    stream = oracle_of(case)
    if stream is None:
        with pytest.raises(oc.DataError):
            build(case, events, layout, threads=threads)
        return
    check(case, build(case, events, layout, threads=threads), stream)


@examples(200)
@given(
    case=event_cases(),
    layout=layouts(),
    source=st.sampled_from(list(IN_MEMORY)),
    threads=THREADS,
)
def test_any_table_in_memory(case, layout, source, threads):
    compare(case, IN_MEMORY[source](layout, case.columns()), layout, threads)


@examples(60)
@given(
    case=event_cases(),
    layout=layouts(),
    source=st.sampled_from(["table", "reader", "generator of batches"]),
    threads=THREADS,
)
def test_any_table_in_many_small_parts(case, layout, source, threads):
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        compare(case, IN_MEMORY[source](layout, case.columns()), layout, threads)


@examples(60)
@given(case=event_cases(), data=st.data())
def test_the_order_of_rows_leaves_no_trace(case, data):
    stream = oracle_of(case)
    assume(stream is not None)
    layout = data.draw(layouts())
    columns = case.columns()
    rows = data.draw(st.permutations(range(len(case.rows))))
    shuffled = {
        name: ([values[row] for row in rows], kind) for name, (values, kind) in columns.items()
    }
    one, other = (
        build(case, layout.table(table), layout, threads=threads)
        for table, threads in ((columns, 1), (shuffled, 2))
    )
    assert pa.Table.from_batches(one.to_batches()).equals(pa.Table.from_batches(other.to_batches()))


@examples(100)
@given(case=event_cases(), data=st.data())
def test_views_hold_what_satisfies_their_conditions(case, data):
    stream = oracle_of(case)
    assume(stream is not None)
    assume(any(not field.is_key for field in fields_to_name(stream)))
    layout = data.draw(layouts())
    history = build(case, layout.table(case.columns()), layout)
    for _ in range(2):
        condition = data.draw(conditions(stream))
        text = written(condition)
        history, stream = history.where(text, missing="empty"), stream.where(condition)
        assert customers_of(history) == expected_customers(stream, case)


def test_a_column_that_is_missing_is_named_with_those_that_are_there():
    events = pa.table({"customer_id": [1], "occured_at": pa.array([0], pa.date32())})
    says = r"events has no column 'occurred_at' \(did you mean 'occured_at'\?\); it has"
    with pytest.raises(oc.ColumnError, match=says):
        oc.EventHistory.build(events, columns=oc.EventColumns())
