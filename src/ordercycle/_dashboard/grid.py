"""RFM as a grid: customers, revenue and orders by their scores of recency and frequency."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._attribution.exact_totals import exact_total, whole_total
from ordercycle._days import date_of
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._history.order_history import OrderHistory
from ordercycle._page.content import Grid
from ordercycle._page.numbers import day_name
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.rfm import Rfm
from ordercycle._segments.scheme import Scheme, assigning, refitted

CUSTOMERS, REVENUE, VALUE = "Customers", "Revenue (all time)", "Average Order Value (all time)"
SCORES = ["recency_score", "frequency_score"]
#: Further sums of a cell.
ORDERS, SEGMENT = "orders", "segment"
#: What a sum is of: customers, orders, revenue, or of customers in a segment; scores; the segment.
GridName: TypeAlias = tuple[str | int | bool | None, ...]


def schemes_of_grid(schemes: Sequence[Scheme]) -> tuple[tuple[Scheme, ...], Rfm | None]:
    """Return the first RFM scheme, of which there is a grid, after the schemes before it."""
    for place, scheme in enumerate(schemes):
        if isinstance(scheme, Rfm):
            return tuple(schemes[:place]), scheme
    return (), None


def grid_of(
    history: OrderHistory, before: Sequence[Scheme], scheme: Rfm, source: StreamsAsOf
) -> Grid | None:
    """Return the grid as of the day of the streams; None where nobody has scores.

    before: schemes that are assigned first, as for memberships: conditions may read them.
    """
    as_of = date_of(source.as_of)
    profile = history.profile(as_of)
    for one in before:
        assigned = refitted(one, profile) if one.refits else one
        if assigned is None:
            return None
        profile = assigning(assigned, source)(profile, None)
    fitted = refitted(scheme, profile) if scheme.refits else scheme
    if fitted is None:
        return None
    sums = grid_sums(profile, fitted)
    has_money = "revenue" in profile.column_names
    return grid_in(sums, scheme, as_of, profile.schema.field("revenue").type if has_money else None)


def grid_sums(profile: pa.Table, scheme: Rfm) -> dict[GridName, Fraction | int]:
    """Return what the customers of a profile add to cells, by what it is and their scores."""
    scored = scheme.assign(profile)
    scored = scored.filter(pc.is_valid(scored[SCORES[0]]))
    sums: dict[GridName, Fraction | int] = {}
    cells = scored.group_by(SCORES).aggregate([([], "count_all"), ("orders", "sum")])
    for row in cells.to_pylist():
        scores = _scores(row)
        sums[(CUSTOMERS, *scores)] = row["count_all"]
        sums[(ORDERS, *scores)] = row["orders_sum"]
    names = scored.select([*SCORES, scheme.name])
    names = names.set_column(2, SEGMENT, names[scheme.name].cast(pa.string()))
    for row in names.group_by([*SCORES, SEGMENT]).aggregate([([], "count_all")]).to_pylist():
        sums[(SEGMENT, *_scores(row), row[SEGMENT])] = row["count_all"]
    if "revenue" in scored.column_names:
        sums |= {(REVENUE, *scores): total for scores, total in _revenue_of(scored).items()}
    return sums


def grid_in(
    sums: Mapping[Any, Fraction | int], scheme: Rfm, as_of: date, money: pa.DataType | None
) -> Grid | None:
    """Return the grid of sums; None where nobody has scores.

    money: the type of revenue; None: there is none.
    """
    customers, orders, revenue = (
        {name[1:]: total for name, total in sums.items() if name[0] == what}
        for what in (CUSTOMERS, ORDERS, REVENUE)
    )
    if not customers:
        return None
    largest: dict[Any, tuple[Any, str]] = {}
    for name, total in sums.items():
        if name[0] == SEGMENT:  # of as many customers, the name that comes first
            scores, segment = name[1:3], str(name[3] or "")
            largest[scores] = min(largest.get(scores, (0, "")), (-total, segment))
    values = {CUSTOMERS: _table(scheme, customers, lambda scores: int(customers[scores]))}
    units = {CUSTOMERS: "customers"}
    if money is not None:
        amounts = {
            scores: float(Fraction(revenue.get(scores, 0)) / _unit(money)) for scores in customers
        }
        values[REVENUE] = _table(scheme, customers, amounts.__getitem__)
        values[VALUE] = _table(
            scheme,
            customers,
            lambda scores: amounts[scores] / int(orders[scores]) if orders.get(scores) else None,
        )
        units |= {REVENUE: "currency", VALUE: "currency"}
    scores = range(1, scheme.bins + 1)
    return Grid(
        title="Recency and frequency",
        note=f"As of {day_name(as_of)}, by score; {scheme.bins} is best. In a cell: the segment "
        "that most of its customers are in.",
        rows=tuple(f"F{score}" for score in reversed(scores)),
        columns=tuple(f"R{score}" for score in scores),
        names=_table(scheme, largest, lambda scores: largest[scores][1], missing=""),
        values=values,
        units=units,
    )


def _revenue_of(scored: pa.Table) -> dict[tuple[int, int], Fraction]:
    """Return the revenue of each cell in its units: the exact sum, whatever the order of rows."""
    revenue = scored["revenue"]
    recency, frequency = (np.asarray(scored[name]) for name in SCORES)
    found = {}
    for row in scored.group_by(SCORES).aggregate([]).to_pylist():
        scores = _scores(row)
        its = revenue.filter(pa.array((recency == scores[0]) & (frequency == scores[1])))
        if pa.types.is_floating(its.type):
            words = AmountWords(np.asarray(its, np.float64), NO_WORDS)
            found[scores] = exact_total(words, is_float=True)
        else:
            found[scores] = whole_total(its)
    return found


def _unit(money: pa.DataType) -> Fraction:
    """Return how many units of sums make one: of decimals, those of the last digit."""
    return Fraction(10) ** getattr(money, "scale", 0)


def _scores(row: Mapping[str, Any]) -> tuple[int, int]:
    return row[SCORES[0]], row[SCORES[1]]


def _table(
    scheme: Rfm,
    cells: Container[Any],
    value: Callable[[tuple[int, int]], Any],
    missing: Any = None,
) -> tuple[tuple[Any, ...], ...]:
    """Return a value of each cell: frequency down from the best, recency up to it."""
    scores = range(1, scheme.bins + 1)
    return tuple(
        tuple(
            value((recency, frequency)) if (recency, frequency) in cells else missing
            for recency in scores
        )
        for frequency in reversed(scores)
    )
