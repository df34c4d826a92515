"""Events of customers with marks, and what plain Python makes of those of a selection."""

import numpy as np
from hypothesis import strategies as st

from ordercycle_kernels._types import as_input

words = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 7).map(lambda bits: bits << 61 | bits))

NO_VALUES = st.none()


@st.composite
def marked(draw, values=NO_VALUES, most=12):
    """Draw customers, each a list of events (day, mark, value) by day, and shifts of selections."""
    event = st.tuples(st.integers(0, 5), words, values)
    events = st.lists(event, max_size=most).map(lambda rows: sorted(rows, key=lambda row: row[0]))
    customers = draw(st.lists(events, min_size=1, max_size=6))
    shifts = draw(st.lists(st.integers(0, 63), min_size=1, max_size=64, unique=True))
    return customers, shifts


def crowd(rare, selections=5):
    """Return customers of many events, few of them or most in a selection: as `marked` draws."""
    random = np.random.default_rng(7)
    customers = []
    for size in (700, 0, 255, 256, 1, 511):
        marks = random.integers(0, 2**63, size)
        marks[random.random(size) < (0.97 if rare else 0.03)] = 0
        days = sorted(random.integers(0, 400, size).tolist())
        values = random.integers(0, 9, size).tolist()
        customers.append(list(zip(days, marks.tolist(), values, strict=True)))
    return customers, [62, 0, 7, 8, 31][:selections]


def flat(customers, place, kind):
    """Return one item of all events as an array that is not to be written to."""
    return as_input(np.array([event[place] for events in customers for event in events], kind))


def arrays(case):
    """Return offsets, days, marks and shifts."""
    customers, shifts = case
    offsets = np.cumsum([0, *map(len, customers)], dtype=np.int64)
    return (
        as_input(offsets),
        flat(customers, 0, np.int32),
        flat(customers, 1, np.uint64),
        np.array(shifts, np.uint64),
    )


def expected(case, function):
    """Return what a function makes of each selection's events of each customer, as a list each."""
    customers, shifts = case
    return [
        [function([event for event in events if event[1] >> shift & 1]) for events in customers]
        for shift in shifts
    ]


def outputs(case, kind):
    """Return an array for what is found, filled with what is not to be found there."""
    customers, shifts = case
    return np.full((len(shifts), len(customers)), 77, kind)
