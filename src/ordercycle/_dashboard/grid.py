"""RFM as a grid: customers, revenue and orders by their scores of recency and frequency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._attribution.exact_totals import exact_total
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._history.order_history import OrderHistory
from ordercycle._page.content import Grid
from ordercycle._page.numbers import day_name
from ordercycle._segments.rfm import Rfm

CUSTOMERS, REVENUE, VALUE = "Customers", "Revenue (all time)", "Average Order Value (all time)"
SCORES = ["recency_score", "frequency_score"]


def grid_of(history: OrderHistory, scheme: Rfm, as_of: date) -> Grid | None:
    """Return the grid as of a day; None where nobody has scores."""
    profile = history.profile(as_of)
    if not profile.num_rows:
        return None
    scored = (scheme.fit(profile) if scheme.refits else scheme).assign(profile)
    scored = scored.filter(pc.is_valid(scored[SCORES[0]]))
    if not scored.num_rows:
        return None
    has_money = "revenue" in scored.column_names
    cells = _by_scores(scored.group_by(SCORES).aggregate([([], "count_all"), ("orders", "sum")]))
    names = scored.select([*SCORES, scheme.name])
    names = names.set_column(2, "segment", names[scheme.name].cast(pa.string()))
    sizes = names.group_by([*SCORES, "segment"]).aggregate([([], "count_all")])
    named = _by_scores(sizes.sort_by([("count_all", "ascending"), ("segment", "descending")]))
    values = {CUSTOMERS: _table(scheme, cells, lambda row: row["count_all"])}
    units = {CUSTOMERS: "customers"}
    if has_money:
        for scores_of, total in _revenue_of(scored).items():
            cells[scores_of]["revenue_sum"] = total
        values[REVENUE] = _table(scheme, cells, lambda row: row["revenue_sum"])
        values[VALUE] = _table(scheme, cells, _mean_value)
        units |= {REVENUE: "currency", VALUE: "currency"}
    scores = range(1, scheme.bins + 1)
    return Grid(
        title="Recency and frequency",
        note=f"As of {day_name(as_of)}, by score; {scheme.bins} is best. In a cell: the segment "
        "that most of its customers are in.",
        rows=tuple(f"F{score}" for score in reversed(scores)),
        columns=tuple(f"R{score}" for score in scores),
        names=_table(scheme, named, lambda row: row["segment"] or "", missing=""),
        values=values,
        units=units,
    )


def _revenue_of(scored: pa.Table) -> dict[tuple[int, int], float]:
    """Return the revenue of each cell: the exact sum, rounded once, whatever the order of rows."""
    if not pa.types.is_floating(scored.schema.field("revenue").type):
        sums = scored.group_by(SCORES).aggregate([("revenue", "sum")])
        return {cell: float(row["revenue_sum"]) for cell, row in _by_scores(sums).items()}
    recency, frequency = (np.asarray(scored[name]) for name in SCORES)
    revenue = np.asarray(scored["revenue"], np.float64)
    found = {}
    for cell in _by_scores(scored.group_by(SCORES).aggregate([])):
        its = AmountWords(revenue[(recency == cell[0]) & (frequency == cell[1])], NO_WORDS)
        found[cell] = float(exact_total(its, is_float=True))
    return found


def _by_scores(table: pa.Table) -> dict[tuple[int, int], dict[str, Any]]:
    return {(row[SCORES[0]], row[SCORES[1]]): row for row in table.to_pylist()}


def _table(
    scheme: Rfm,
    cells: Mapping[tuple[int, int], dict[str, Any]],
    value: Any,
    missing: Any = None,
) -> tuple[tuple[Any, ...], ...]:
    """Return a value of each cell: frequency down from the best, recency up to it."""
    scores = range(1, scheme.bins + 1)
    return tuple(
        tuple(
            value(cells[recency, frequency]) if (recency, frequency) in cells else missing
            for recency in scores
        )
        for frequency in reversed(scores)
    )


def _mean_value(row: Mapping[str, Any]) -> float | None:
    return row["revenue_sum"] / row["orders_sum"] if row["orders_sum"] else None
