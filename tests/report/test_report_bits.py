"""The same bits, however a report is counted."""

import pickle
from dataclasses import replace
from datetime import date
from functools import reduce

import numpy as np
import pytest
from support.reports import PERIOD, orders_of, planned, random_orders, report_of, values_of

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._membership.membership import intervals_of
from ordercycle._months import Months, Period
from ordercycle._report.cube import Cube, count


@pytest.mark.parametrize("kind", ["float", "integer", "decimal"])
def test_threads_parts_and_order_of_rows_do_not_matter(kind):
    orders = random_orders(1, 4_000, kind)
    options = {"compare": "previous_period", "as_of": "2025-12-31"}
    expected = report_of(orders, **options)
    shuffled = orders.take(np.random.default_rng(2).permutation(len(orders)))
    for means in ({"threads": 1}, {"threads": 2, "memory_limit": "100MB"}):
        history = oc.OrderHistory.build(shuffled, **means)
        membership = oc.Lifecycle().membership(history)
        found = oc.SegmentReport.build(history, membership, period=PERIOD, **options)
        assert found.comparison().equals(expected.comparison())
        assert found.dynamics("Revenue").equals(expected.dynamics("Revenue"))


def test_a_history_that_was_kept_and_extended_reports_the_same(tmp_path):
    orders = random_orders(6, 2_000, "float")
    expected = report_of(orders, as_of="2025-12-31").comparison()
    oc.OrderHistory.build(orders.slice(0, 1_500)).save(tmp_path / "history")
    history = oc.OrderHistory.open(tmp_path / "history").append(orders.slice(1_500))
    membership = oc.Lifecycle().membership(history)
    found = oc.SegmentReport.build(history, membership, period=PERIOD, as_of="2025-12-31")
    assert found.comparison().equals(expected)


def cube_of(plan, customers, timeline):
    cube = Cube(plan)
    cube.add(customers, [timeline])
    return cube


@pytest.mark.parametrize("kind", ["float", "integer", "decimal"])
def test_cubes_of_parts_add_up(kind):
    period = Period.whole(Months(24_290, 24_311))
    history, membership, plan = planned(random_orders(3, 3_000, kind), period)
    plan = pickle.loads(pickle.dumps(plan))  # noqa: S301 - as it is sent to workers

    def halves(number, customers, workspace):
        timeline = intervals_of(membership).timeline(number, customers, workspace)
        whole = cube_of(plan, customers, timeline)
        middle = len(customers.ids) // 2
        pieces = []
        for start, stop in ((0, middle), (middle, len(customers.ids))):
            begin, end = timeline.offsets[start], timeline.offsets[stop]
            of_piece = replace(
                timeline,
                offsets=timeline.offsets[start : stop + 1] - begin,
                codes=timeline.codes[begin:end],
                starts=timeline.starts[begin:end],
                stops=timeline.stops[begin:end],
            )
            pieces.append(cube_of(plan, customers.slice(start, stop), of_piece))
        return whole, pieces

    wholes, pieces = zip(*grouped_orders(history).scan(halves), strict=True)
    expected = count(history, [membership], plan).sparse()
    for cubes in (wholes, [one for pair in pieces for one in pair]):
        for found, wanted in zip(reduce(Cube.plus, cubes).sparse(), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    # Equal places of what workers send may be added in any order.
    sent = [cube.sparse() for pair in pieces for cube in pair]
    together = Cube.dense(plan, *map(np.concatenate, zip(*sent, strict=True)))
    for found, wanted in zip(together.sparse(), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_sums_of_money_are_rounded_once():
    amounts = [1e16, 1.0, 1.0, 1e-16] * 3
    rows = [(f"{number}", date(2025, 10, 1), amount) for number, amount in enumerate(amounts)]
    found = report_of(orders_of(rows), compare=None, as_of="2025-12-31")
    assert values_of(found, "Revenue")["All Customers"] == 3e16 + 6
    cents = [(name, date(2025, 10, 1), 0.1) for name in map(str, range(10))]
    assert (
        values_of(report_of(orders_of(cents), as_of="2025-12-31"), "Revenue")["All Customers"]
        == 1.0
    )


def test_room_in_the_chunks_is_made_in_time(monkeypatch):
    orders = random_orders(4, 2_000, "float")
    expected = report_of(orders, as_of="2025-12-31").comparison()
    monkeypatch.setattr("ordercycle._report.cube.MOST_GROWTH", 0)
    assert report_of(orders, as_of="2025-12-31").comparison().equals(expected)
