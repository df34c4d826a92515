"""The cadence kernels against exact arithmetic on lists of gaps."""

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle.cadence import Rhythm, group
from oracle.transitions import next_transition

from ordercycle_kernels import cadence as kernels

pytestmark = pytest.mark.kernels

NAMES = ("Just ordered", "Active", "Slipping away", "Lost")
gaps_of = st.none() | st.lists(st.integers(0, 40) | st.integers(0, 100_000), max_size=8)
customers = st.lists(st.tuples(gaps_of, st.integers(0, 130) | st.integers(0, 200_000)), max_size=9)


def columns(drawn):
    """Return the profile's columns of customers given as gaps (None: no orders) and silent days."""
    orders = [0 if gaps is None else len(gaps) + 1 for gaps, _ in drawn]
    # What is undefined may be anything.
    sums = [sum(gaps) if gaps else -7 for gaps, _ in drawn]
    squares = [sum(gap * gap for gap in gaps) if gaps else -7 for gaps, _ in drawn]
    return (
        np.array([silent for _, silent in drawn], np.int32), np.array(orders, np.int64),
        np.array(sums, np.int32), np.array(squares, np.int64),
    )  # fmt: skip


@given(
    customers,
    st.integers(0, 200),
    st.integers(0, 40_000),
    st.sampled_from([0, 1, 3, 0.5]),
    st.integers(0, 60),
    st.sampled_from(["personal", "population"]),
)
# Of the 25 days that two deviations end with, floats have 24.999999999999996.
@example([([16, 8, 8], 25), ([16, 8, 8], 26)], 2, 160, 3, 0, "personal")
def test_cadence_codes(drawn, mean, variance, prior_gaps, just_ordered_days, scope):
    out = np.empty(len(drawn), np.int8)
    rhythm = np.array([mean, variance, prior_gaps, scope == "personal"], np.float64)
    kernels.cadence_codes(*columns(drawn), just_ordered_days, rhythm, out)
    everyone = Rhythm(Fraction(mean), Fraction(variance))
    for code, (gaps, silent) in zip(out.tolist(), drawn, strict=True):
        row = {"days_since_last_order": None if gaps is None else silent}
        expected = group(row, gaps, everyone, Fraction(prior_gaps), just_ordered_days, scope)
        assert (None if code < 0 else NAMES[code]) == expected


@given(
    st.lists(st.tuples(st.none() | st.lists(st.integers(0, 20), max_size=4), st.integers(0, 70))),
    st.integers(0, 30),
    st.integers(0, 200),
    st.sampled_from([0, 1, 0.5]),
    st.integers(0, 60),
)
def test_next_cadence_codes_are_those_of_walking_the_days(
    drawn, mean, variance, prior_gaps, just_ordered_days
):
    codes, days = np.empty(len(drawn), np.int8), np.empty(len(drawn), np.int64)
    rhythm = np.array([mean, variance, prior_gaps, 1], np.float64)
    kernels.next_cadence_codes(*columns(drawn), just_ordered_days, rhythm, codes, days)
    everyone, as_of = Rhythm(Fraction(mean), Fraction(variance)), date(2026, 1, 1)
    for code, day, (gaps, silent) in zip(codes.tolist(), days.tolist(), drawn, strict=True):
        row = {
            "days_since_registration": 0,
            "days_since_last_order": None if gaps is None else silent,
        }

        def group_of(row, gaps=gaps):
            return group(row, gaps, everyone, Fraction(prior_gaps), just_ordered_days)

        expected = next_transition(row, as_of, group_of, days=120)
        if expected is None:
            assert (code, day) == (kernels.NO_GROUP, 0)
        else:
            assert (NAMES[code], day) == (expected[0], (expected[1] - as_of).days)


@given(customers)
def test_gaps_add_up(drawn):
    sums = np.empty(kernels.SUMS, np.int64)
    kernels.sum_gaps(*columns(drawn)[1:], sums)
    repeat_customers, *halves = sums.tolist()
    wholes = [low + (high << 32) for low, high in zip(halves[::2], halves[1::2], strict=True)]
    own = [gaps for gaps, _ in drawn if gaps]
    assert repeat_customers == len(own)
    assert wholes == [
        sum(map(len, own)), sum(map(sum, own)), sum(gap * gap for gaps in own for gap in gaps)
    ]  # fmt: skip
