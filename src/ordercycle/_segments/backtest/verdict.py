"""What a backtest comes to, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: How near a total is near; and by how much one ranking is better than another.
NEAR, BETTER = 0.10, 0.01
MODEL = "model"
PAST_RATE, PAST_REVENUE = "past_rate", "past_revenue"

Row = dict[str, Any]


def verdict_of(splits: Sequence[Sequence[Row]], horizon_days: int, *, has_money: bool) -> str:
    """Return what to trust; splits: the rows of the table of each, the latest first."""
    rows = splits[0]
    lines = [
        _totals(rows, "orders", "order days", horizon_days),
        *([_totals(rows, "revenue", "revenue", horizon_days)] if has_money else []),
        _one_by_one(rows),
        _ranking(rows),
    ]
    if len(splits) > 1:
        lines.append(_spread(splits))
    return "\n".join(lines)


def _totals(rows: Sequence[Row], what: str, name: str, horizon_days: int) -> str:
    """Say which forecast to trust for a total."""
    actual = rows[0][f"{what}_actual"]
    known = [row for row in rows if row[f"{what}_ratio"] is not None]
    if not known:
        return f"Total {name}: there were none in the {horizon_days} days, so none can be compared."
    models = [row for row in known if row["role"] == MODEL]
    others = [row for row in known if row["role"] != MODEL]
    best, plain = (min(some, key=lambda row: _off(row, what)) for some in (models, others))
    first = (
        f"Total {name}: {best['model']} foretold {best[what]:,.0f} and {actual:,.0f} came "
        f"({_percent(best[f'{what}_ratio'])})"
    )
    beside = (
        f"of the baselines, {plain['model']} came nearest with {plain[what]:,.0f} "
        f"({_percent(plain[f'{what}_ratio'])})"
    )
    if _off(best, what) > _off(plain, what):
        trust = f"{plain['model']} came nearer, so the model adds nothing to this total here"
    elif _off(best, what) <= NEAR:
        trust = f"trust {best['model']} for it"
    else:
        way = "little" if best[f"{what}_ratio"] < 1 else "much"
        trust = (
            f"{best['model']} came nearest, yet foretold too {way} by "
            f"{_percent(_off(best, what))}: look for a season or a trend before you trust it"
        )
    return f"{first}, {beside}; {trust}."


def _one_by_one(rows: Sequence[Row]) -> str:
    """Say whether the orders of single customers are foretold better than without a model."""
    known = [row for row in rows if row["mae"] is not None]
    best, plain = (
        min((row for row in known if (row["role"] == MODEL) == is_model), key=_error)
        for is_model in (True, False)
    )
    better = "better" if _error(best) < _error(plain) else "no better"
    return (
        f"A customer's order days are wrong by {best['mae']:.2f} on average with "
        f"{best['model']} and by {plain['mae']:.2f} with {plain['model']}: the model is {better} "
        "customer by customer."
    )


def _error(row: Row) -> float:
    return float(row["mae"])


def _ranking(rows: Sequence[Row]) -> str:
    """Say whether the value foretold ranks customers better than their past revenue does."""
    best = max((row for row in rows if row["role"] == MODEL), key=lambda row: row["gini"] or 0.0)
    plain = next((row for row in rows if row["model"] == PAST_REVENUE), None)
    what = "past revenue"
    if plain is None:
        plain, what = next(row for row in rows if row["model"] == PAST_RATE), "the past rate"
    if best["gini"] is None or plain["gini"] is None:
        return "Ranking: nothing came of which some could have brought more than others."
    numbers = (
        f"(Gini {best['gini']:.2f} against {plain['gini']:.2f}; the best tenth brought "
        f"{_percent(best['top_decile_share'])} against {_percent(plain['top_decile_share'])})"
    )
    gain = best["gini"] - plain["gini"]
    of_tenth = best["top_decile_share"] - plain["top_decile_share"]
    if gain > BETTER and of_tenth > -BETTER:
        says = f"{best['model']} finds the best customers better than {what} does"
    elif gain < -BETTER and of_tenth < BETTER:
        says = f"{what} finds the best customers better than {best['model']} does: rank by it"
    elif abs(gain) <= BETTER and abs(of_tenth) <= BETTER:
        says = f"{best['model']} finds the best customers as well as {what} does, and no better"
    else:
        winner = best["model"] if of_tenth > 0 else what
        says = (
            f"{best['model']} and {what} each do better by one measure: rank by either, and by "
            f"{winner} where only the best tenth matters"
        )
    return f"Ranking: {says} {numbers}."


def _spread(splits: Sequence[Sequence[Row]]) -> str:
    """Say how much totals differ from split to split."""
    ratios: dict[str, list[float]] = {}
    for rows in splits:
        for row in rows:
            if row["role"] == MODEL and row["orders_ratio"] is not None:
                ratios.setdefault(row["model"].partition(",")[0], []).append(row["orders_ratio"])
    said = ", ".join(
        f"{name} {_percent(min(found))} to {_percent(max(found))}" for name, found in ratios.items()
    )
    return f"Over {len(splits)} splits, order days foretold by those that came: {said}."


def _off(row: Row, what: str) -> float:
    return abs(float(row[f"{what}_ratio"]) - 1)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
