"""Pairs of customers against dictionaries; what comes next against walking the days."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import transitions as oracle
from oracle.lifecycle import RULES, Thresholds, segment
from support.placing import placed

from ordercycle_kernels import lifecycle
from ordercycle_kernels import transitions as kernels

pytestmark = pytest.mark.kernels

NAMES = ("a", "b", "c")
segments = st.sampled_from([None, *NAMES])
#: Few hashes, so that different ids share them.
text_ids = st.tuples(st.integers(0, 2), st.sampled_from([b"", b"a", b"ab", b"b", b"b" * 9]))
number_ids = st.tuples(st.integers(0, 5) | st.integers(2**64 - 5, 2**64 - 1), st.just(None))
tables = [
    st.tuples(*2 * [st.dictionaries(ids, segments, max_size=12)]) for ids in (text_ids, number_ids)
]


def codes_of(table):
    codes = [NAMES.index(name) if name else kernels.NO_SEGMENT for _, name in sorted(table.items())]
    return np.array(codes, np.int8)


def paired(before, after):
    """Return the rows of each customer, and the codes of both tables."""
    ids = [*sorted(before), *sorted(after)]
    hashes = np.array([one for one, _ in ids], np.uint64)
    places = placed([value for _, value in ids if value is not None], before=b"x", between=b"yz")
    rows = [np.empty(len(ids), np.int32) for _ in range(2)]
    border = len(before)
    count = kernels.pair_customers(hashes[:border], hashes[border:], *places, *rows)
    return *(one[:count] for one in rows), codes_of(before), codes_of(after)


@given(st.one_of(tables))
def test_every_customer_is_paired_once(both):
    before, after = both
    before_rows, after_rows, _, _ = paired(before, after)
    customers = sorted(before | after)
    places = [[sorted(table).index(one) if one in table else -1 for one in customers]
              for table in both]  # fmt: skip
    assert [before_rows.tolist(), after_rows.tolist()] == places


@given(st.one_of(tables))
def test_changed_customers_are_those_of_dictionaries(both):
    before, after = both
    pairs = paired(before, after)
    size = pairs[0].size
    rows, came, went = np.empty(size, np.int32), np.empty(size, np.int8), np.empty(size, np.int8)
    count = kernels.changed_customers(*pairs, rows, came, went)
    ids = [*sorted(before), *sorted(after)]
    names = [*NAMES, None]
    found = {ids[rows[n]]: (names[came[n]], names[went[n]]) for n in range(count)}
    assert found == oracle.transitions(before, after)
    assert list(found) == sorted(found)


@given(st.one_of(tables))
def test_transitions_are_counted(both):
    counts = np.ones((len(NAMES) + 1, len(NAMES) + 1), np.int64)
    kernels.count_transitions(*paired(*both), counts)
    names = [*NAMES, None]
    found = {
        (one, other): int(counts[row, column]) - 1
        for row, one in enumerate(names)
        for column, other in enumerate(names)
        if counts[row, column] > 1
    }
    assert found == oracle.matrix(*both)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 4)), min_size=1),
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(21, 50)),
)
def test_next_lifecycle_codes_are_those_of_walking_the_days(customers, days):
    thresholds = Thresholds(*days)
    columns = list(zip(*customers, strict=True))
    codes, until = np.empty(len(customers), np.int8), np.empty(len(customers), np.int64)
    lifecycle.next_lifecycle_codes(
        np.array(columns[0], np.int32), np.array(columns[1], np.int32),
        np.array(columns[2], np.int64), np.array(days, np.int32), codes, until,
    )  # fmt: skip
    names, as_of = list(RULES), date(2026, 1, 1)
    for code, day, (a, r, n) in zip(codes.tolist(), until.tolist(), customers, strict=True):
        row = {"days_since_registration": a, "days_since_last_order": r, "orders": n}
        expected = oracle.next_transition(row, as_of, lambda one: segment(one, thresholds), 120)
        if expected is None:
            assert (code, day) == (lifecycle.NEVER, 0)
        else:
            assert (names[code], day) == (expected[0], (expected[1] - as_of).days)


few = st.integers(0, 3) | st.integers(2**63, 2**63 + 3)
hashes_of_partitions = st.lists(
    st.lists(few | st.integers(0, 2**64 - 1), max_size=80), min_size=1, max_size=4
)


@given(hashes_of_partitions, st.sampled_from([0, 1, 7]), st.sampled_from([2, 8, 64]))
def test_partitions_are_sorted_by_hash(partitions, partition_bits, room):
    given_hashes = [one for partition in partitions for one in partition]
    # The top bits are those of the partition, whatever they are.
    ours = [one >> partition_bits for one in given_hashes]
    offsets = np.cumsum([0, *map(len, partitions)])
    out_hashes, out_rows = np.array(ours, np.uint64), np.arange(len(ours), dtype=np.int32)
    others = np.empty(80, np.uint64), np.empty(80, np.int32)
    left = np.empty(len(partitions), np.bool_)
    cursors = np.empty(room, np.int32)
    kernels.order_by_hash(offsets, partition_bits, cursors, *others, out_hashes, out_rows, left)
    for number, (start, stop) in enumerate(pairwise(offsets.tolist())):
        found = out_hashes[start:stop].tolist()
        assert found == (ours[start:stop] if left[number] else sorted(ours[start:stop]))
        assert sorted(out_rows[start:stop].tolist()) == list(range(start, stop))
        assert [ours[row] for row in out_rows[start:stop]] == found
        if left[number]:
            assert stop - start > kernels.CROWDED


@given(st.lists(few, max_size=5))
def test_hashes_are_ascending(values):
    expected = values == sorted(set(values))
    assert kernels.are_ascending(np.array(values, np.uint64)) == expected
