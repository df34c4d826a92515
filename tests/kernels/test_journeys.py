"""Journeys by hand; tests/journeys walks generated ones against plain Python."""

import numpy as np
import pytest

from ordercycle_kernels import journeys
from ordercycle_kernels._types import as_input
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.journeys import END, NEVER

pytestmark = pytest.mark.kernels


def numbers(*values, kind=np.int64):
    return as_input(np.array(values, kind))


def test_entries_are_what_follows_another_segment():
    rules = journeys.Rules(
        numbers(1, 0, kind=np.bool_), numbers(0, 1, kind=np.bool_),
        numbers(5, 50, NO_DAY, NO_DAY), numbers(0, kind=np.bool_),
    )  # fmt: skip
    offsets, codes = np.array([0, 3, 4]), np.array([0, 1, 0, 0], np.int16)
    starts, stops = np.array([0, 6, 9, 7], np.int32), np.array([6, 9, 60, 60], np.int32)
    out_offsets = np.empty(3, np.int64)
    days, until = np.empty((2, 4), np.int32)
    segments = np.empty(4, np.int16)
    visible = np.zeros(2, np.int32)
    journeys.find_entries(
        offsets, codes, starts, stops, visible, rules, out_offsets, days, until, segments
    )
    assert out_offsets.tolist() == [0, 1, 1]  # the second customer comes from nowhere
    assert (days[0], until[0], segments[0]) == (9, 60, 0)


def test_a_walk_through_a_wait():
    """An action, a wait of two days, and an action: nothing happens but an order on day 20."""
    candidates = journeys.Candidates(
        numbers(0, 1), numbers(10, kind=np.int32), numbers(NEVER, kind=np.int32),
        numbers(1, kind=np.bool_),
    )  # fmt: skip
    days, ones = numbers(3, 20, kind=np.int32), numbers(1, 1, kind=np.bool_)
    happened = journeys.Happened(
        numbers(0, 2), days, ones, numbers(0), numbers(0), numbers(kind=np.int32),
        numbers(kind=np.uint64), numbers(0, 2), days, ones,
    )  # fmt: skip
    program = journeys.Program(
        numbers(journeys.ACTION, journeys.WAIT, journeys.ACTION), numbers(0, 2, 1),
        numbers(0, 0, 0), numbers(1, END, END), numbers(END, 2, END),
        numbers(journeys.ONCE, 0, 30, 1, 0, 0, 25), numbers(0, kind=np.uint64),
    )  # fmt: skip
    keys = np.empty(1, np.uint64)
    ann = np.array([77], np.uint64)
    journeys.action_keys(ann, np.uint64(5), np.array([10], np.int32), np.array([0], np.uint8), keys)
    for sent, due in ((numbers(kind=np.uint64), 14), (as_input(keys), 15)):
        entries = np.empty((journeys.ENTRY_ROWS, 1), np.int32)
        places = np.empty((journeys.PLACE_ROWS, 1), np.int64)
        visits, counts = np.empty((journeys.VISIT_ROWS, 3), np.int32), np.empty(2, np.int64)
        of_sent = journeys.Sent(
            as_input(ann if sent.size else ann[:0]), numbers(5, kind=np.uint64), sent,
            numbers(*[11] * sent.size, kind=np.int32),
        )  # fmt: skip
        journeys.walk_journeys(
            candidates, happened, program, of_sent, entries, places, visits, counts
        )
        assert counts.tolist() == [1, 3]
        assert visits[journeys.VISITED].tolist() == [0, 1, 2]
        assert visits[journeys.ON, 2] == due
        assert entries[journeys.STATUS, 0] == journeys.COMPLETED
        assert entries[journeys.CONVERTED_ON, 0] == 20


def test_keys_differ_and_are_written_in_sixteen_digits():
    hashes = np.array([1, 1, 1, 2, 2**64 - 1], np.uint64)
    triggered, steps = np.array([5, 5, 6, 5, 5], np.int32), np.array([0, 1, 0, 0, 0], np.uint8)
    keys = np.empty(5, np.uint64)
    journeys.action_keys(hashes, np.uint64(9), triggered, steps, keys)
    assert len(set(keys.tolist())) == 5
    digits = np.empty(80, np.int8)
    journeys.write_hexadecimal(keys, digits)
    assert digits.tobytes().decode() == "".join(f"{one:016x}" for one in keys.tolist())
