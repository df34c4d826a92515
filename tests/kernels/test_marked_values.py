"""Distinct and most frequent values of marked events, against counters."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import arrays, crowd, expected, flat, marked, outputs

from ordercycle_kernels import marked_values

pytestmark = pytest.mark.kernels

values = st.integers(1, 4) | st.integers(0, 2**64 - 1)


def numbered(case):
    """Return the most events of a customer, the numbers of values, and the end of customers."""
    customers, shifts = case
    offsets, _, marks, _ = arrays(case)
    longest = max(map(len, customers), default=0)
    slots = np.full(max(2, 1 << (2 * longest).bit_length()), -1, np.int64)
    numbers = np.full(marks.size, 77, np.uint32)
    values, bits = flat(customers, 2, np.uint64), np.uint64(sum(1 << shift for shift in shifts))
    end = marked_values.number_values(offsets, values, marks, bits, 0, slots, numbers)
    return longest, numbers, end


@given(marked(values))
def test_values_are_numbered_as_they_occur(case):
    customers, shifts = case
    _, numbers, end = numbered(case)
    assert end == len(customers)
    wanted, bits = [], sum(1 << shift for shift in shifts)
    for events in customers:
        order = list(dict.fromkeys(value for _, mark, value in events if mark & bits))
        wanted += [order.index(value) if mark & bits else 0 for _, mark, value in events]
    assert numbers.tolist() == wanted


def test_values_that_collide_are_left_to_the_caller():
    # Multiplied, all of them have nothing but zeros in the upper half.
    inverse = pow(int(marked_values.SPREAD), -1, 2**64)
    hostile = [place * inverse % 2**64 for place in range(4000)]
    usual = list(range(10))
    offsets = np.array([0, 10, 4010, 4020], np.int64)
    values = np.array(usual + hostile + usual, np.uint64)
    marks, one = np.ones(values.size, np.uint64), np.uint64(1)
    slots = np.full(8192, -1, np.int64)
    numbers = np.zeros(values.size, np.uint32)
    assert marked_values.number_values(offsets, values, marks, one, 0, slots, numbers) == 1
    assert marked_values.number_values(offsets, values, marks, one, 2, slots, numbers) == 3
    assert numbers[:10].tolist() == numbers[4010:].tolist() == usual


@given(marked(values))
def test_distinct_values_are_counted(case):
    offsets, _, marks, shifts = arrays(case)
    longest, numbers, _ = numbered(case)
    found, scratch = outputs(case, np.int64), np.zeros(longest, np.uint64)
    marked_values.count_values(offsets, numbers, marks, shifts, scratch, found)
    assert not scratch.any()
    assert found.tolist() == expected(case, lambda events: len({value for *_, value in events}))


@pytest.mark.parametrize("selections", [1, 2, 5])
@pytest.mark.parametrize("rare", [True, False])
@pytest.mark.parametrize("apart", [1, 31, 32])
def test_distinct_values_of_many_events(rare, selections, apart):
    case = crowd(rare, selections)
    offsets, _, marks, shifts = arrays(case)
    found, numbers = outputs(case, np.int64), flat(case[0], 2, np.uint32) * np.uint32(apart)
    scratch = np.zeros(8 * apart + 1, np.uint64)
    marked_values.count_values(offsets, numbers, marks, shifts, scratch, found)
    assert not scratch.any()
    assert found.tolist() == expected(case, lambda events: len({value for *_, value in events}))


@given(marked(values))
def test_the_most_frequent_value_is_found(case):
    customers, _ = case
    offsets, _, marks, shifts = arrays(case)
    codes = flat(customers, 2, np.uint64)
    longest, numbers, _ = numbered(case)
    found = outputs(case, np.uint64)
    scratch = np.zeros(longest, np.uint32)
    marked_values.most_frequent_values(offsets, codes, numbers, marks, shifts, scratch, found)
    assert not scratch.any()

    def most_frequent(events):
        count = Counter(value for *_, value in events)
        return min(count, key=lambda value: (-count[value], value), default=0)

    assert found.tolist() == expected(case, most_frequent)
