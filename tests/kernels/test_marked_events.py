"""What the marked events of customers come to, against lists of the events of each selection."""

import numpy as np
import pytest
from hypothesis import given
from support.marked import arrays, crowd, expected, marked, outputs

from ordercycle_kernels import marked_events

pytestmark = pytest.mark.kernels


@given(marked())
def test_events_are_counted(case):
    offsets, _, marks, shifts = arrays(case)
    found = outputs(case, np.int64)
    marked_events.count_events(offsets, marks, shifts, found)
    assert found.tolist() == expected(case, len)


@given(marked())
def test_days_are_counted(case):
    offsets, days, marks, shifts = arrays(case)
    found = outputs(case, np.int64)
    marked_events.count_days(offsets, days, marks, shifts, found)
    assert found.tolist() == expected(case, lambda events: len({day for day, _, _ in events}))


@pytest.mark.parametrize("rare", [True, False])
def test_more_events_than_a_byte_counts(rare):
    case = crowd(rare)
    offsets, days, marks, shifts = arrays(case)
    found = outputs(case, np.int64)
    marked_events.count_events(offsets, marks, shifts, found)
    assert found.tolist() == expected(case, len)
    marked_events.count_days(offsets, days, marks, shifts, found)
    assert found.tolist() == expected(case, lambda events: len({day for day, _, _ in events}))
    marked_events.first_events(offsets, marks, shifts, found)
    assert found.tolist() == rows_of(case, min)
    marked_events.last_events(offsets, marks, shifts, found)
    assert found.tolist() == rows_of(case, max)


@given(marked())
def test_selections_with_any_event(case):
    offsets, _, marks, _ = arrays(case)
    found = np.full(len(case[0]), 77, np.uint64)
    marked_events.any_marks(offsets, marks, found)
    for customer, events in enumerate(case[0]):
        together = 0
        for _, mark, _ in events:
            together |= mark
        assert found[customer] == together


def rows_of(case, choose):
    """Return the chosen row of each selection and customer."""
    customers, shifts = case
    begin, found = 0, [[] for _ in shifts]
    for events in customers:
        for place, shift in enumerate(shifts):
            rows = [begin + row for row, event in enumerate(events) if event[1] >> shift & 1]
            found[place].append(choose(rows, default=marked_events.NO_EVENT))
        begin += len(events)
    return found


@given(marked())
def test_the_first_and_the_last_event(case):
    offsets, _, marks, shifts = arrays(case)
    found = outputs(case, np.int64)
    marked_events.first_events(offsets, marks, shifts, found)
    assert found.tolist() == rows_of(case, min)
    marked_events.last_events(offsets, marks, shifts, found)
    assert found.tolist() == rows_of(case, max)


@given(marked())
def test_days_since_events(case):
    offsets, days, marks, shifts = arrays(case)
    rows = outputs(case, np.int64)
    marked_events.last_events(offsets, marks, shifts, rows)
    as_of = 9
    wanted = expected(case, lambda events: as_of - events[-1][0] if events else None)
    for one, other in zip(rows, wanted, strict=True):
        since, missing = np.full(one.size, 77, np.int32), np.zeros(one.size, bool)
        marked_events.days_since_events(one, days, as_of, since, missing)
        assert missing.tolist() == [value is None for value in other]
        assert [value for value in other if value is not None] == since[~missing].tolist()
