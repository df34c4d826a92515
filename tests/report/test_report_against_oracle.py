"""Every metric of the report against the oracle, over generated histories."""

import math
import warnings
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle.report import METRICS, end_of, lifecycle_of, report, same_day
from support.histories import built, is_refused, tables
from support.strategies import EPOCH, Case, cases, layouts

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._ingest.column_readers import IdReader
from ordercycle._membership.membership import Membership
from ordercycle._membership.timeline import Timeline
from ordercycle._months import Months
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.quantities import BASE, DURING, QUANTITIES
from ordercycle_kernels.timeline import OPEN

#: What orders alone tell.
OF_ORDERS = Catalogue(has_money=True).metrics
LISTS = ("first list", "second list", "third list")
EXAMPLES = settings(max_examples=150)


def month_text(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


def first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def days_of(months: tuple[int, int]) -> tuple[date, date]:
    first, last = months
    return first_day(first), first_day(last + 1) - timedelta(days=1)


@st.composite
def periods(draw: st.DrawFn, case: Case) -> tuple[int, int]:
    """Draw months around the day of a case."""
    month = 12 * case.as_of.year + case.as_of.month - 1 + draw(st.integers(-8, 1))
    month = max(12 * 1901, min(12 * 2199 - 1, month))
    return month, month + draw(st.sampled_from([0, 0, 2, 3]))


def of_table(table: pa.Table) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for row in table.to_pylist():
        found.setdefault(row["segment"], {})[row["metric"]] = row["value"]
    return found


def rounded(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def differing(found: dict, expected: dict) -> list[str]:
    assert list(found) == list(expected)
    return [
        f"{name}, {metric}: {found[name][metric]} instead of {rounded(value)}"
        for name, metrics in expected.items()
        for metric, value in metrics.items()
        if found[name][metric] != rounded(value)
    ]


def check(made: oc.SegmentReport, history, segments_of, names, first, end, back) -> None:
    """Compare a report of the days from a month's first to `end`, and one `back` months before."""
    expected = report(history, segments_of, names, first_day(first), end)
    table = made.comparison()
    assert differing(of_table(table), expected) == []
    previous = (first_day(first - back), same_day(end, back))
    before = report(history, segments_of, names, *previous)
    for row in table.to_pylist():
        value = rounded(expected[row["segment"]][row["metric"]])
        previously = rounded(before[row["segment"]][row["metric"]])
        assert row["previous"] == previously
        if value is None or previously is None:
            assert row["change"] is row["change_ratio"] is None
        else:
            change = value - previously
            ratio = change / abs(previously) if previously else math.inf
            assert row["change"] == change
            assert row["change_ratio"] == (ratio if math.isfinite(ratio) else None)


def test_the_oracle_has_the_declared_metrics():
    assert list(METRICS) == [metric.name for metric in OF_ORDERS]


def months_text(months: tuple[int, int]) -> tuple[str, str]:
    first, last = months
    return month_text(first), month_text(last)


def build(history, membership, period: tuple[int, int], **options) -> oc.SegmentReport:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        return oc.SegmentReport.build(history, membership, period=months_text(period), **options)


def oracle_of(case: Case) -> oracle_history.History:
    return oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)


@st.composite
def ends(draw: st.DrawFn, period: tuple[int, int]) -> date:
    """Draw a day of a period: its last, one at or near a month's end, or any."""
    first, last = days_of(period)
    _, near = days_of((period[0], draw(st.integers(*period))))
    near -= timedelta(days=draw(st.integers(0, 3)))
    return draw(st.sampled_from([last, near]) | st.dates(first, last))


@EXAMPLES
@given(st.data(), cases(), layouts(), st.sampled_from(["previous_year", "previous_period"]))
def test_lifecycle(data, case, layout, compare):
    assume(not is_refused(case))
    history = built(case, *tables(case, layout))
    period = data.draw(periods(case))
    reference = oracle_of(case)
    as_of = data.draw(ends(period) | st.none())
    lifecycle = oc.Lifecycle()
    made = build(history, lifecycle.membership(history), period, compare=compare, as_of=as_of)
    end = end_of(reference, *days_of(period)) if as_of is None else as_of
    assert made.as_of == end
    back = 12 if compare == "previous_year" else period[1] - period[0] + 1
    names = list(lifecycle.segments)
    check(made, reference, lifecycle_of(reference), names, period[0], end, back)


@EXAMPLES
@given(st.data(), st.lists(st.integers(0, 120), min_size=1, max_size=60), st.integers(0, 120))
def test_until_when_a_period_is_known(data, days, registered):
    """Dense days, as in real shops: whether a period is over hangs on the last gap."""
    start = data.draw(st.dates(date(2026, 1, 1), date(2026, 12, 31)))
    orders = pa.table(
        {
            "customer_id": [day % 3 for day in days],
            "ordered_at": [start + timedelta(days=day) for day in days],
            "amount": [1] * len(days),
        }
    )
    listed = [0] if data.draw(st.booleans()) else []
    customers = pa.table(
        {
            "customer_id": pa.array(listed, pa.int64()),
            "registered_at": pa.array(
                [start + timedelta(days=registered) for _ in listed], pa.date32()
            ),
        }
    )
    history = oc.OrderHistory.build(orders, customers)
    rows = [oracle_history.OrderRow(*row.values()) for row in orders.to_pylist()]
    listed_rows = [oracle_history.CustomerRow(*row.values()) for row in customers.to_pylist()]
    reference = oracle_history.build(rows, listed_rows)
    last = max(order.time for order in rows)
    month = 12 * last.year + last.month - 1
    period = (month - data.draw(st.integers(0, 2)), month + data.draw(st.integers(0, 1)))
    made = build(history, oc.Lifecycle().membership(history), period, compare=None)
    assert made.as_of == end_of(reference, *days_of(period))


class Lists:
    """Memberships in lists, which overlap as they like."""

    known_from = known_until = None
    is_held = True

    def __init__(self, history: oc.OrderHistory, lists: dict) -> None:
        self.id_type = grouped_orders(history).id_type
        self.lists = lists

    def belong_to(self, _history):
        return True

    def unknown(self, _history):
        return 0

    def timeline(self, _number, customers, _workspace):
        names = IdReader.as_produced(customers.ids, self.id_type).to_pylist()
        found = [self.lists.get(name, []) for name in names]
        rows = [row for of_customer in found for row in of_customer]
        starts, codes, stops = zip(*rows, strict=True) if rows else ((), (), ())
        offsets = np.cumsum([0, *map(len, found)])
        return Timeline(
            offsets.astype(np.int64),
            np.array(codes, np.int16),
            np.array(starts, np.int32),
            np.array(stops, np.int32),
        )


@st.composite
def lists_of(draw: st.DrawFn, case: Case, names: list) -> dict:
    """Draw intervals (start, code, stop) of each customer, without overlaps within a code."""
    base = (case.as_of - EPOCH).days
    day = st.integers(base - 300, base + 40)
    found = {}
    for name in names:
        rows = []
        for code in draw(st.lists(st.integers(0, len(LISTS) - 1), unique=True)):
            days = sorted(draw(st.lists(day, min_size=2, max_size=6, unique=True)))
            rows += [(start, code, stop) for start, stop in batched_pairs(days)]
        found[name] = sorted(rows)
    return found


def batched_pairs(days: list[int]) -> list[tuple[int, int]]:
    """Return starts and stops; what has no stop is open."""
    stops = [*days[1::2], int(OPEN)]
    return list(zip(days[::2], stops, strict=False))


@EXAMPLES
@given(st.data(), cases(), layouts(), st.booleans())
def test_lists_that_overlap_beside_the_lifecycle(data, case, layout, beside):
    assume(not is_refused(case))
    history = built(case, *tables(case, layout))
    reference = oracle_of(case)
    period = data.draw(periods(case))
    lists = data.draw(lists_of(case, list(reference.customers)))
    chosen = data.draw(st.permutations(LISTS))[: data.draw(st.integers(1, len(LISTS)))]
    by_hand = Membership(LISTS, Lists(history, lists))
    membership = by_hand
    if beside:
        membership = data.draw(st.permutations([oc.Lifecycle().membership(history), by_hand]))
        chosen = [*chosen, *oc.Lifecycle().segments[1:7]]
    as_of = data.draw(ends(period))
    made = build(
        history, membership, period, compare="previous_period", segments=chosen, as_of=as_of
    )
    of_lifecycle = lifecycle_of(reference)

    def segments_of(name, day):
        number = (day - EPOCH).days
        rows = lists.get(name, [])
        return of_lifecycle(name, day) | {
            LISTS[code] for start, code, stop in rows if start <= number < stop
        }

    months = period[1] - period[0] + 1
    check(made, reference, segments_of, chosen, period[0], as_of, months)


@settings(max_examples=40)
@given(st.data(), cases(), layouts(), st.sampled_from(OF_ORDERS))
def test_dynamics_are_reports_of_single_months(data, case, layout, metric):
    assume(not is_refused(case))
    history = built(case, *tables(case, layout))
    membership = oc.Lifecycle().membership(history)
    first, last = data.draw(periods(case))
    made = build(history, membership, (last, last), compare=None)
    months = (first - 3, last)
    table = made.dynamics(metric.name, months_text(months))
    assert table["month"].unique().to_pylist() == [
        first_day(month) for month in range(first - 3, last + 1)
    ]
    for month in range(first - 3, last + 1):
        alone = build(history, membership, (month, month), compare=None)
        wanted = alone.comparison([metric.name])["value"].to_pylist()
        found = table.filter(pc.equal(table["month"], first_day(month)))["value"].to_pylist()
        assert found == wanted


@settings(max_examples=60)
@given(st.data(), cases(), layouts())
def test_what_adds_up(data, case, layout):
    """Segments to All Customers, months to the period, and all months to all time."""
    assume(not is_refused(case))
    history = built(case, *tables(case, layout))
    membership = oc.Lifecycle().membership(history)
    first, last = data.draw(periods(case))
    made = build(history, membership, (first, last), compare=None, as_of=days_of((last, last))[1])
    figures = made._numbers.figures
    of_orders = [name for name, one in QUANTITIES.items() if one.block == BASE]
    for name in (*of_orders, "repeat orders", "days since last order"):
        *segments, everybody = figures.quantity(name, Months(first, last))
        if name != "monthly buyers":  # who buys as Promising and as Active is one buyer
            assert sum(segments) == everybody, name
        if name in QUANTITIES and QUANTITIES[name].over == DURING:
            months = [figures.quantity(name, one) for one in Months(first, last).each()]
            assert list(map(sum, zip(*months, strict=True))) == [*segments, everybody], name
    for of_time, of_months in (("all orders", "orders"), ("all revenue", "revenue")):
        ends = figures.plan.months
        all_time = figures.quantity(of_time, ends)[-1]
        early = figures._of_months[-1, 0]
        if not early.any():  # nothing lies before the first month
            assert figures.quantity(of_months, ends)[-1] == all_time


@settings(max_examples=60)
@given(st.data(), cases(), layouts())
def test_who_has_no_orders_has_none_in_the_period(data, case, layout):
    assume(not is_refused(case))
    history = built(case, *tables(case, layout))
    lifecycle = oc.Lifecycle()
    made = build(history, lifecycle.membership(history), data.draw(periods(case)))
    values = of_table(made.comparison(["Orders", "Orders per Buyer per Month"]))
    for name in (lifecycle.segments[0], "Churned", "Inactive (no orders)"):
        assert values[name] == {"Orders": 0.0, "Orders per Buyer per Month": None}
