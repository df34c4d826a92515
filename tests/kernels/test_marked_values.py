"""Distinct and most frequent values of marked events, against counters."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import arrays, expected, flat, marked, outputs

from ordercycle_kernels import marked_values

pytestmark = pytest.mark.kernels

values = st.integers(1, 4) | st.integers(0, 2**64 - 1)


def numbered(customers, offsets, values):
    longest = max(map(len, customers), default=0)
    slots = np.full(max(2, 1 << (2 * longest).bit_length()), -1, np.int64)
    numbers = np.full(values.size, 77, np.uint32)
    end = marked_values.number_values(offsets, values, 0, slots, numbers)
    return longest, numbers, end


@given(marked(values))
def test_values_are_numbered_as_they_occur(case):
    customers, _ = case
    offsets, *_ = arrays(case)
    _, numbers, end = numbered(customers, offsets, flat(customers, 2, np.uint64))
    assert end == len(customers)
    wanted = []
    for events in customers:
        order = list(dict.fromkeys(value for _, _, value in events))
        wanted += [order.index(value) for _, _, value in events]
    assert numbers.tolist() == wanted


def test_values_that_collide_are_left_to_the_caller():
    # Multiplied, all of them have nothing but zeros in the upper half.
    inverse = pow(int(marked_values.SPREAD), -1, 2**64)
    hostile = [place * inverse % 2**64 for place in range(4000)]
    usual = list(range(10))
    offsets = np.array([0, 10, 4010, 4020], np.int64)
    values = np.array(usual + hostile + usual, np.uint64)
    slots = np.full(8192, -1, np.int64)
    numbers = np.zeros(values.size, np.uint32)
    assert marked_values.number_values(offsets, values, 0, slots, numbers) == 1
    assert marked_values.number_values(offsets, values, 2, slots, numbers) == 3
    assert numbers[:10].tolist() == numbers[4010:].tolist() == usual


@given(marked(values))
def test_distinct_values_are_counted(case):
    customers, _ = case
    offsets, _, marks, shifts = arrays(case)
    longest, numbers, _ = numbered(customers, offsets, flat(customers, 2, np.uint64))
    found = outputs(case, np.int64)
    marked_values.count_values(offsets, numbers, marks, shifts, np.zeros(longest, np.uint64), found)
    assert found.tolist() == expected(case, lambda events: len({value for *_, value in events}))


@given(marked(values))
def test_the_most_frequent_value_is_found(case):
    customers, _ = case
    offsets, _, marks, shifts = arrays(case)
    codes = flat(customers, 2, np.uint64)
    longest, numbers, _ = numbered(customers, offsets, codes)
    found = outputs(case, np.uint64)
    counts = np.full((longest, len(shifts)), 77, np.int64)
    marked_values.most_frequent_values(
        offsets, codes, numbers, marks, shifts, np.zeros(longest, np.uint64), counts, found
    )

    def most_frequent(events):
        count = Counter(value for *_, value in events)
        return min(count, key=lambda value: (-count[value], value), default=0)

    assert found.tolist() == expected(case, most_frequent)
