"""What a backtest comes to, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ordercycle._errors import Option

#: How near a total is near; and by how much one ranking is better than another, or than chance.
NEAR, BETTER = 0.10, 0.01
#: Of errors, of single customers and of totals, by how much one forecast is better than another.
MARGIN = 0.02
MODEL = "model"
PAST_RATE, PAST_REVENUE, RECENCY = "past_rate", "past_revenue", "recency"
#: So many standard errors are no chance.
SURE = 2.0
#: The errors of a customer's orders, and what they are called.
ERRORS = {"mae": "on average", "rmse": "by the root of mean squares"}

Row = dict[str, Any]


def verdict_of(
    splits: Sequence[Sequence[Row]], horizon_days: int, lists: Sequence[Row], *, has_money: bool
) -> str:
    """Return what to trust; splits: the rows of the table of each, the latest first.

    lists: the rows of what became of each value list of the latest split.

    The first row is of the model that a fit would choose: it alone is judged. Another one that
    came nearer is seen to have done so only afterwards, and is named as such.
    """
    rows = splits[0]
    lines = [
        _totals(rows, "orders", "order days", horizon_days),
        *([_totals(rows, "revenue", "revenue", horizon_days)] if has_money else []),
        _one_by_one(rows),
        _ranking(rows),
        *_who_orders(rows),
        *_list_by_list(lists),
    ]
    if len(splits) > 1:
        lines.append(_spread(splits))
    return "\n".join(lines)


def _totals(rows: Sequence[Row], what: str, name: str, horizon_days: int) -> str:
    """Say which forecast to trust for a total."""
    model, actual = rows[0], rows[0][f"{what}_actual"]
    if actual <= 0 or model[f"{what}_ratio"] is None:
        came = "there were none" if actual == 0 else f"{actual:,.0f} came"
        return f"Total {name}: {came} in the {horizon_days} days, so none can be compared."
    known = [row for row in rows if row[f"{what}_ratio"] is not None]
    plain = min((row for row in known if row["role"] != MODEL), key=lambda row: _off(row, what))
    first = (
        f"Total {name}: {model['model']} foretold {model[what]:,.0f} and {actual:,.0f} came "
        f"({_percent(model[f'{what}_ratio'])})"
    )
    beside = (
        f"of the baselines, {plain['model']} came nearest with {plain[what]:,.0f} "
        f"({_percent(plain[f'{what}_ratio'])})"
    )
    return f"{first}, {beside}; {_trust(model, plain, what)}{_nearer(known, what)}."


def _trust(model: Row, plain: Row, what: str) -> str:
    """Say which of the two to trust for a total."""
    off, plain_off = _off(model, what), _off(plain, what)
    fits, plain_fits = off <= NEAR, plain_off <= NEAR
    if abs(off - plain_off) <= MARGIN:  # one just within the bound and one just beyond are alike
        fits = plain_fits = fits or plain_fits
    if fits and plain_fits:
        return "both fit"
    if fits:
        return f"trust {model['model']} for it"
    if plain_fits:
        return f"trust {plain['model']} for it: the model adds nothing to this total here"
    return (
        f"both are off by more than {_percent(NEAR)}: trust neither, and look for a season or a "
        "trend"
    )


def _nearer(known: Sequence[Row], what: str) -> str:
    """Name another model that came nearer to a total than the one that does not fit."""
    off = _off(known[0], what)
    others = [row for row in known[1:] if row["role"] == MODEL]
    if off <= NEAR or not others:
        return ""
    other = min(others, key=lambda row: _off(row, what))
    if _off(other, what) + MARGIN >= off:
        return ""
    share = _percent(other[f"{what}_ratio"])
    return f" ({Option('model', _family(other))} came nearer, {share}; pass it to take it)"


def _one_by_one(rows: Sequence[Row]) -> str:
    """Say whether the orders of single customers are foretold better than without a model."""
    model = rows[0]
    if model["mae"] is None:
        return "Nobody had ordered by then, so there are no customers to compare."
    said, signs = [], []
    for measure, words in ERRORS.items():
        plain = min(
            (row for row in rows if row["role"] != MODEL and row[measure] is not None),
            key=lambda row: float(row[measure]),
        )
        own, other = model[measure], plain[measure]
        said.append(f"{own:.2f} {words} (the best baseline, {plain['model']}: {other:.2f})")
        signs.append(_sign(other - own, MARGIN * other))
    return (
        f"With {model['model']}, a customer's order days are wrong by {' and '.join(said)}: "
        f"{_compared(signs)} customer by customer."
    )


def _compared(signs: Sequence[int]) -> str:
    if min(signs) < 0 < max(signs):
        return "the model is better by one measure and worse by the other"
    if any(signs):
        return f"the model is {'better' if max(signs) > 0 else 'worse'}"
    return "the model is as good as the baselines"


def _ranking(rows: Sequence[Row]) -> str:
    """Say whether the value foretold ranks customers better than their past revenue does."""
    model = rows[0]
    plain = next((row for row in rows if row["model"] == PAST_REVENUE), None)
    what = "past revenue"
    if plain is None:
        plain, what = next(row for row in rows if row["model"] == PAST_RATE), "the past rate"
    if model["gini"] is None or plain["gini"] is None:
        return "Ranking: nothing came of which some could have brought more than others."
    numbers = (
        f"(Gini {model['gini']:.2f} against {plain['gini']:.2f}; the best tenth brought "
        f"{_percent(model['top_decile_share'])} against {_percent(plain['top_decile_share'])})"
    )
    return f"Ranking: {_ranked(model, plain, what)} {numbers}{_better_ranked(rows)}."


def _ranked(model: Row, plain: Row, what: str) -> str:
    """Say which of the two to rank by."""
    name = model["model"]
    if max(model["gini"], plain["gini"]) <= BETTER:
        return f"neither {name} nor {what} ranks customers better than chance does"
    signs = [
        _sign(model[measure] - plain[measure], BETTER) for measure in ("gini", "top_decile_share")
    ]
    if min(signs) < 0 < max(signs):
        winner = name if signs[1] > 0 else what
        return (
            f"{name} and {what} each do better by one measure: rank by either, and by {winner} "
            "where only the best tenth matters"
        )
    if not any(signs):
        return f"{name} finds the best customers as well as {what} does, and no better"
    better, worse = (name, what) if max(signs) > 0 else (what, name)
    advice = "" if better == name else ": rank by it"
    if signs[0] == 0:
        return (
            f"{better} finds the best tenth better than {worse} does, and both rank all customers "
            f"about as well{advice}"
        )
    return f"{better} finds the best customers better than {worse} does{advice}"


def _better_ranked(rows: Sequence[Row]) -> str:
    """Name another model that ranked better than the one judged, and than chance."""
    others = [row for row in rows[1:] if row["role"] == MODEL and row["gini"] is not None]
    best = max(others, key=lambda row: float(row["gini"]), default=None)
    if best is None or best["gini"] <= max(rows[0]["gini"], 0.0) + BETTER:
        return ""
    other = Option("model", _family(best))
    return f"; {other} ranked better (Gini {best['gini']:.2f}); pass it to take it"


def _who_orders(rows: Sequence[Row]) -> Iterator[str]:
    """Say whether the probabilities to order come true, and tell customers apart."""
    model = rows[0]
    plain = next((row for row in rows if row["model"] == RECENCY), None)
    if plain is None or model["auc"] is None or plain["auc"] is None:
        return
    share = model["active_actual"] / model["customers"]
    blind = share * (1 - share)
    better = _sign(blind - model["brier"], MARGIN * blind)
    fits = (
        f"{'better than' if better > 0 else 'no better than'} the same one for everybody (Brier "
        f"{model['brier']:.3f} against {blind:.3f})"
    )
    sign = _sign(model["auc"] - plain["auc"], BETTER)
    apart = {1: "better than", 0: "as well as", -1: "worse than"}[sign]
    yield (
        f"Who orders: {model['model']} foretold {model['active']:,.0f} customers and "
        f"{model['active_actual']:,} did; its probabilities are {fits}, and tell who orders "
        f"{apart} the days since the last order do (AUC {model['auc']:.2f} against "
        f"{plain['auc']:.2f})."
    )


def _list_by_list(lists: Sequence[Row]) -> Iterator[str]:
    """Say whether fewer customers order from value list to value list."""
    there = [row for row in lists if row["customers"]]
    if len(there) < 2 or not any(row["ordered"] for row in there):
        return
    said = ", ".join(f"{_percent(row['ordered'])} of {row['value_list']}" for row in there)
    rises = [
        (after["ordered"] - before["ordered"], _error(before, after))
        for before, after in pairwise(there)
    ]
    if any(rise > SURE * error for rise, error in rises):
        outcome = "more in a worse list: do not go by the value lists here"
    elif any(rise > 0 for rise, _ in rises):
        outcome = "fewer from list to list, but for differences that chance explains"
    else:
        outcome = "fewer from list to list"
    yield f"Value lists: {said} ordered, {outcome}."


def _error(one: Row, other: Row) -> float:
    """Return the standard error of the difference of two shares."""
    return math.sqrt(
        sum(row["ordered"] * (1 - row["ordered"]) / row["customers"] for row in (one, other))
    )


def _spread(splits: Sequence[Sequence[Row]]) -> str:
    """Say how much totals differ from split to split."""
    ratios: dict[str, list[float]] = {}
    for rows in splits:
        for row in rows:
            if row["role"] == MODEL and row["orders_ratio"] is not None:
                ratios.setdefault(_family(row), []).append(row["orders_ratio"])
    if not ratios:
        return f"Over {len(splits)} splits, no order days came."
    said = ", ".join(
        f"{name} {_percent(min(found))} to {_percent(max(found))}" for name, found in ratios.items()
    )
    return f"Over {len(splits)} splits, order days foretold by those that came: {said}."


def _family(row: Row) -> str:
    """Return the name of a model without that of its limit: what Clv takes."""
    return str(row["model"]).partition(",")[0]


def _sign(difference: float, margin: float) -> int:
    """Return which side of a margin a difference is on; 0 within it."""
    return (difference > margin) - (difference < -margin)


def _off(row: Row, what: str) -> float:
    return abs(float(row[f"{what}_ratio"]) - 1)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
