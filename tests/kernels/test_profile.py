"""The profile kernels against statistics on lists of days."""

import math
import os
import statistics
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordercycle_kernels import lifecycle, median
from ordercycle_kernels import profile as kernels
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.median import LANES, NETWORKS, WIDE, WIDEST, WIDTHS

pytestmark = pytest.mark.kernels

days_of = st.lists(
    st.tuples(st.integers(-25_567, 84_005), st.sampled_from([-1, 1, 1])), max_size=40
)
histories = st.lists(days_of, min_size=1, max_size=6)


def arrays(customers):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    offsets = np.cumsum([0] + [len(rows) for rows in customers], dtype=np.int64)
    days = np.array([day for rows in customers for day, _ in rows], np.int32)
    signs = np.array([sign for rows in customers for _, sign in rows], np.int64)
    return customers, offsets, days, signs


def rhythm(offsets, days, signs, *, net_refunds):
    count = offsets.size - 1
    counts = np.empty((kernels.COUNT_ROWS, count), np.int64)
    marks = np.empty((kernels.DAY_ROWS, count), np.int32)
    medians = np.empty(count)
    gaps = np.empty(days.size, np.int32)
    kernels.order_rhythm(
        offsets[:-1], offsets[1:], days, signs, net_refunds, gaps, counts, marks, medians
    )
    return counts, marks, medians


def check_rhythm(customers, offsets, days, signs, *, net_refunds):
    counts, marks, medians = rhythm(offsets, days, signs, net_refunds=net_refunds)
    for customer, rows in enumerate(customers):
        ordered = [day for day, sign in rows if sign > 0 or not net_refunds]
        gaps = [later - earlier for earlier, later in pairwise(ordered)]
        assert counts[:, customer].tolist() == [
            len(ordered), len(set(ordered)), sum(gap * gap for gap in gaps)
        ]  # fmt: skip
        first, last = (ordered[0], ordered[-1]) if ordered else (0, 0)
        expected = [first, last, min(gaps, default=0), max(gaps, default=0), (gaps or [0])[-1]]
        assert marks[:, customer].tolist() == expected
        assert medians[customer] == (statistics.median(gaps) if gaps else 0.0)


@given(histories, st.booleans())
def test_rhythm(customers, net_refunds):
    check_rhythm(*arrays(customers), net_refunds=net_refunds)


@settings(max_examples=10)
@given(
    st.sampled_from([*WIDTHS, *(width + 1 for width in WIDTHS), WIDE, WIDE + 1, 700]),
    st.randoms(use_true_random=False),
)
def test_the_median_of_every_size_class(gaps, random):
    rows = [(random.randint(-25_567, 84_005), 1) for _ in range(gaps + 1)]
    check_rhythm(*arrays([rows, rows[: gaps // 2]]), net_refunds=True)


def test_the_networks_sort_zeros_and_ones():
    """By the zero-one principle (Knuth, volume 3), a network that sorts these sorts everything.

    All patterns of the narrowest; of the wider ones, as many that are drawn.
    """
    narrowest = WIDTHS[0]
    drawn = np.random.default_rng(0).integers(0, 2, (WIDEST, 2**narrowest))
    for width, network in zip(WIDTHS, NETWORKS, strict=True):
        patterns = drawn[:width]
        if width == narrowest:
            patterns = np.arange(2**width) >> np.arange(width)[:, None] & 1
        lanes = patterns.astype(np.int32)
        if os.environ.get("NUMBA_DISABLE_JIT") == "1":
            lanes = lanes[:, ::601].copy()  # plain Python takes minutes for all
        expected = np.sort(lanes, axis=0)
        median.sort_lanes(lanes, network)
        assert (lanes == expected).all()


@given(st.integers(1, 3 * LANES), st.randoms(use_true_random=False))
def test_customers_wait_for_each_other_in_lanes(customers, random):
    orders = [
        [(random.randint(0, 3000), 1) for _ in range(random.choice([0, 1, 2, 3, *WIDTHS, 50]))]
        for _ in range(customers)
    ]
    check_rhythm(*arrays(orders), net_refunds=False)


@given(histories, st.integers(-30_000, 90_000), st.integers(-30_000, 90_000))
def test_rows_within_a_window(customers, after, until):
    customers, offsets, days, _ = arrays(customers)
    starts, stops = np.empty(len(customers), np.int64), np.empty(len(customers), np.int64)
    kernels.rows_within(offsets[:-1], offsets[1:], days, after, until, starts, stops)
    for customer, rows in enumerate(customers):
        kept = days[starts[customer] : stops[customer]].tolist()
        assert kept == [day for day, _ in rows if after < day <= until]


@given(histories, st.booleans())
def test_first_orders(customers, net_refunds):
    customers, offsets, days, signs = arrays(customers)
    out = np.empty(len(customers), np.int32)
    kernels.first_order_days(offsets[:-1], offsets[1:], days, signs, net_refunds, out)
    for customer, rows in enumerate(customers):
        orders = [day for day, sign in rows if sign > 0 or not net_refunds]
        assert out[customer] == min(orders, default=NO_DAY)


@given(histories, st.booleans(), st.data())
def test_registration(customers, net_refunds, data):
    customers, offsets, days, signs = arrays(customers)
    day = st.just(int(NO_DAY)) | st.integers(-25_567, 84_005)
    given_days = data.draw(st.lists(day, min_size=len(customers), max_size=len(customers)))
    out, visible = np.empty(len(customers), np.int32), np.empty(len(customers), np.int32)
    kernels.registration_days(
        offsets[:-1],
        offsets[1:],
        days,
        signs,
        net_refunds,
        np.array(given_days, np.int32),
        out,
        visible,
    )
    for customer, rows in enumerate(customers):
        orders = [day for day, sign in rows if sign > 0 or not net_refunds]
        known = [day for day in (given_days[customer],) if day != NO_DAY] + orders[:1]
        expected = min(known) if known else (rows[0][0] if rows else NO_DAY)
        assert out[customer] == expected
        seen = [day for day, _ in rows[:1] if given_days[customer] == NO_DAY]
        assert visible[customer] == (seen or [expected])[0]


@given(histories, st.integers(0, 5000), st.integers(0, 5000))
def test_durations(customers, registered_before, later):
    customers, offsets, days, signs = arrays(customers)
    as_of = int(days.max(initial=0)) + later
    counts, marks, _ = rhythm(offsets, days, signs, net_refunds=False)
    registered = marks[kernels.FIRST_ORDER] - np.int32(registered_before)
    durations = np.empty((kernels.DURATION_ROWS, len(customers)), np.int32)
    ratios = np.empty((kernels.RATIO_ROWS, len(customers)))
    first_orders = np.where(counts[kernels.ORDERS] > 0, marks[kernels.FIRST_ORDER], NO_DAY)
    kernels.durations(as_of, registered, first_orders, counts, marks, durations, ratios)
    for customer, rows in enumerate(customers):
        ordered = [day for day, _ in rows]
        n = len(ordered)
        gaps = [later - earlier for earlier, later in pairwise(ordered)]
        since, lifetime = (as_of - ordered[-1], ordered[-1] - ordered[0]) if n else (0, 0)
        mean = Fraction(lifetime, n - 1) if n > 1 else Fraction(0)
        assert durations[:, customer].tolist() == [
            as_of - registered[customer], since, registered_before if n else 0, lifetime,
            ordered[-1] + math.ceil(mean) if n > 1 else 0,
        ]  # fmt: skip
        spread = statistics.stdev(map(Fraction, gaps)) if n > 2 else 0.0
        assert ratios[kernels.BETWEEN_ORDERS, customer] == float(mean)
        assert ratios[kernels.GAP_STD, customer] == pytest.approx(float(spread), rel=1e-15)
        assert ratios[kernels.MISSED_CYCLES, customer] == (float(since / mean) if mean else 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(0, 5)), min_size=1),
    st.tuples(st.integers(0, 60), st.integers(0, 200), st.integers(201, 400)),
)
def test_lifecycle_codes(customers, thresholds):
    out = np.empty(len(customers), np.int8)
    columns = list(zip(*customers, strict=True))
    lifecycle.lifecycle_codes(
        np.array(columns[0], np.int32), np.array(columns[1], np.int32),
        np.array(columns[2], np.int64), np.array(thresholds, np.int32), out,
    )  # fmt: skip
    new, active, churned = thresholds
    for code, (a, r, n) in zip(out.tolist(), customers, strict=True):
        rules = [
            a <= new and n == 0,
            a <= new and n == 1,
            a <= new and n >= 2,
            a > new and n == 1 and r <= active,
            a > new and n == 2 and r <= active,
            a > new and n >= 3 and r <= active,
            a > new and n >= 1 and active < r <= churned,
            a > new and n >= 1 and r > churned,
            a > new and n == 0,
        ]
        assert [place for place, holds in enumerate(rules) if holds] == [code]
