"""Backtests: what was known on a day is fitted again, and what follows is foretold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, counted, warn, whole_number
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.intervals import check_history
from ordercycle._segments.backtest.backtest import (
    BASELINE,
    MODEL,
    Backtest,
    Foretold,
    Origin,
    Tracked,
)
from ordercycle._segments.backtest.data import Holdout, HoldoutScan
from ordercycle._segments.value.columns import Forecast, value_model
from ordercycle._segments.value.fit import ERRORS, Fitted, fit_counts, transaction_cells
from ordercycle._segments.value.inputs import ClvCounts, ClvInputs
from ordercycle._value_models import Cells

CANDIDATES = ("mbg_nbd", "pareto_nbd", "bg_nbd")
NBD, SAME_AGAIN, PAST_RATE, PAST_REVENUE = "nbd", "same_again", "past_rate", "past_revenue"
#: More days at the end without orders than happen by chance.
MISSING_DAYS = 7
#: As many horizons before a split are enough, and so many are needed.
ENOUGH, LEAST = 2, 1


class Tested(Protocol):
    """What is read of the model to test."""

    @property
    def model(self) -> str: ...
    @property
    def spend(self) -> str | None: ...
    @property
    def spend_of(self) -> str: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def account(self) -> Any: ...


class _Named(NamedTuple):
    """A fitted model."""

    name: str
    shown: str
    forecast: Forecast


def backtested(
    clv: Tested, history: OrderHistory, split_day: date | str, horizon_days: int, *, origins: int
) -> Backtest:
    """Return what a model would have foretold: Clv.backtest."""
    check_history(history)
    split = day_number(split_day, "split_day")
    number = whole_number(origins)
    if number is None or number < 1:
        raise ConfigError(
            (Option("origins", origins), " is no number of splits"), remedy="pass 1 or more"
        )
    splits = [split - place * horizon_days for place in range(number)]
    _check_length(history, splits, horizon_days)
    return Backtest([_origin(clv, history, day, horizon_days) for day in splits], horizon_days)


def _check_length(history: OrderHistory, splits: Sequence[int], horizon_days: int) -> None:
    """Refuse splits with too little history before or after them, and warn of little."""
    summary = history.summary()
    first, last = summary.first_day, summary.last_day
    if first is None or last is None:
        raise ConfigError("the history has no orders", remedy="pass one that has")
    if last <= date_of(splits[0]):
        raise ConfigError(
            (
                Option("split_day", str(date_of(splits[0]))),
                f" has no orders after it: the last is of {last}",
            ),
            remedy="split earlier",
        )
    before = (date_of(splits[-1]) - first).days + 1
    if before < LEAST * horizon_days:
        raise ConfigError(
            (
                f"before the split of {date_of(splits[-1])} the history has "
                + counted(max(before, 0), "day"),
                ", less than ",
                Option("horizon_days", horizon_days),
            ),
            remedy="split later, take a shorter horizon or fewer origins",
        )
    if before < ENOUGH * horizon_days:
        days, ahead = counted(before, "day"), counted(horizon_days, "day")
        warn(
            f"before the split of {date_of(splits[-1])} the history has {days}, less than twice "
            f"the {ahead} to foretell: the test says little"
        )
    missing = (date_of(splits[0] + horizon_days) - last).days
    if missing > MISSING_DAYS:
        warn(
            f"the last order is of {last}, {counted(missing, 'day')} before the end of the "
            "horizon: these days count as days without orders"
        )


def _origin(clv: Tested, history: OrderHistory, split: int, horizon_days: int) -> Origin:
    """Return one split with all forecasts."""
    inputs = ClvInputs(clv.spend is not None, clv.spend_of)
    holdout = HoldoutScan(history, split, horizon_days, inputs).read()
    counts = ClvCounts.of(inputs.counted(holdout.profile))
    models = _models(clv, counts, inputs, horizon_days, date_of(split))
    nbd = next((one for one in models if one.name == NBD), None)
    if nbd is None:
        fitted = fit_counts(counts, NBD, _spend(clv), ERRORS[0], date_of(split))
        baseline = _named(NBD, fitted, inputs, horizon_days)
    else:
        baseline = nbd
    foretold = [_of_model(one, holdout, MODEL) for one in models]
    foretold += _plain(holdout, horizon_days)
    if nbd is None:
        foretold.append(_of_model(baseline, holdout, BASELINE))
    if holdout.money is not None:
        foretold.append(Foretold(PAST_REVENUE, PAST_REVENUE, BASELINE, None, holdout.money.so_far))
    cells = transaction_cells(counts)
    followed = {one.name: one for one in (*models, baseline)}
    tracked = {name: _tracked(one.forecast, cells) for name, one in followed.items()}
    return Origin(split, holdout, foretold, tracked)


def _models(
    clv: Tested, counts: ClvCounts, inputs: ClvInputs, horizon_days: int, as_of: date
) -> list[_Named]:
    """Return the models to test, the most likely first."""
    if clv.parameters is not None and clv.account is None:  # by hand
        estimates = {name: estimate for name, (estimate, _) in clv.parameters.items()}
        models = value_model(clv.model, clv.spend, inputs, estimates)
        return [_Named(_family(clv.model), clv.model, Forecast(models, horizon_days, 0.0, ""))]
    spend = _spend(clv)
    names = CANDIDATES if clv.model == "auto" else (_family(clv.model),)
    fits = {name: fit_counts(counts, name, spend, ERRORS[0], as_of) for name in names}
    chosen = max(names, key=lambda name: fits[name].account.log_likelihood)
    for text in fits[chosen].account.warnings:
        warn(text)
    return [
        _named(name, fits[name], inputs, horizon_days)
        for name in sorted(names, key=lambda name: name != chosen)
    ]


def _named(name: str, fitted: Fitted, inputs: ClvInputs, horizon_days: int) -> _Named:
    estimates = {one: estimate for one, (estimate, _) in fitted.parameters.items()}
    models = value_model(fitted.model, fitted.spend, inputs, estimates)
    return _Named(name, fitted.model, Forecast(models, horizon_days, 0.0, ""))


def _spend(clv: Tested) -> str | None:
    return None if clv.spend is None else _family(clv.spend)


def _family(model: str) -> str:
    return model.partition(",")[0]


def _of_model(one: _Named, holdout: Holdout, role: str) -> Foretold:
    means = None if holdout.money is None else holdout.money.means
    found = one.forecast.of(holdout.repeats, holdout.recency, holdout.age, means)
    return Foretold(
        one.name, one.shown, role, found.expected_orders, found.predicted_value, found.p_active
    )


def _plain(holdout: Holdout, horizon_days: int) -> list[Foretold]:
    """Return the forecasts that need no model."""
    before = holdout.orders_before.astype(np.float64)
    rates = np.zeros(holdout.age.size)
    np.divide(float(horizon_days), holdout.age, out=rates, where=holdout.age > 0)
    again = rate = None
    if holdout.money is not None:
        again, rate = holdout.money.before, holdout.money.repeats * rates
    return [
        Foretold(SAME_AGAIN, SAME_AGAIN, BASELINE, before, again),
        Foretold(PAST_RATE, PAST_RATE, BASELINE, holdout.repeats * rates, rate),
    ]


def _tracked(forecast: Forecast, cells: Cells) -> Tracked:
    """Return what foretells the order days of all customers until a day of the horizon."""
    weights: NDArray[np.float64] = cells.customers.astype(np.float64)

    def upto(days: int) -> float:
        found = forecast.models.orders.predict(*cells[:3], days)
        return math.fsum(weights * found.expected_orders)

    return upto
