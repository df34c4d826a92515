"""Backtests: what was known on a day is fitted again, and what follows is foretold."""

from __future__ import annotations

import math
from datetime import date
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, DataError, Option, counted, warn, whole_number
from ordercycle._history.order_history import OrderHistory
from ordercycle._segments.backtest.backtest import Backtest
from ordercycle._segments.backtest.data import WEEK, Holdout, HoldoutScan
from ordercycle._segments.backtest.origin import BASELINE, MODEL, Foretold, Origin
from ordercycle._segments.value.columns import Forecast, value_model
from ordercycle._segments.value.fit import ERRORS, Fitted, fit_each, transaction_cells
from ordercycle._segments.value.inputs import ClvCounts, ClvInputs
from ordercycle._value_models import CANDIDATES, REGULAR, Cells

NBD, SAME_AGAIN, PAST_RATE, PAST_REVENUE = "nbd", "same_again", "past_rate", "past_revenue"
RECENCY = "recency"
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
    if not isinstance(history, OrderHistory):
        raise ConfigError(
            f"a backtest takes an OrderHistory, not a {type(history).__name__}",
            remedy="build one with OrderHistory.build(orders)",
        )
    split = day_number(split_day, "split_day")
    number = whole_number(origins)
    if number is None or number < 1:
        raise ConfigError(
            (Option("origins", origins), " is no number of splits"), remedy="pass 1 or more"
        )
    earliest = split - (number - 1) * horizon_days
    _check_length(history, split, earliest, horizon_days)
    splits = range(split, earliest - 1, -horizon_days)
    return Backtest([_origin(clv, history, day, horizon_days) for day in splits], horizon_days)


def _check_length(history: OrderHistory, split: int, earliest: int, horizon_days: int) -> None:
    """Refuse splits with too little history before or after them, and warn of little.

    split, earliest: the last and the first of the splits; so early a one may be no date.
    """
    summary = history.summary()
    first, last = summary.first_day, summary.last_day
    if first is None or last is None:
        raise ConfigError("the history has no orders", remedy="pass one that has")
    if last <= date_of(split):
        raise ConfigError(
            (
                Option("split_day", str(date_of(split))),
                f" has no orders after it: the last is of {last}",
            ),
            remedy="split earlier",
        )
    begin, end = (day_number(day, "split_day") for day in (first, last))
    before = earliest - begin + 1
    if before <= 0 and earliest != split:
        raise ConfigError(
            (
                f"the earliest split is {counted(split - earliest, 'day')} before ",
                Option("split_day", str(date_of(split))),
                f", and the history begins on {first}",
            ),
            remedy=("split later, take a shorter ", Option("horizon_days"), " or fewer origins"),
        )
    if before < LEAST * horizon_days:
        raise ConfigError(
            (
                f"before the split of {date_of(earliest)} the history has "
                + counted(max(before, 0), "day"),
                ", less than ",
                Option("horizon_days", horizon_days),
            ),
            remedy="split later, take a shorter horizon or fewer origins",
        )
    if before < ENOUGH * horizon_days:
        days, ahead = counted(before, "day"), counted(horizon_days, "day")
        warn(
            f"before the split of {date_of(earliest)} the history has {days}, less than twice "
            f"the {ahead} to foretell: the test says little"
        )
    missing = split + horizon_days - end
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
    models, baseline = _models(clv, counts, inputs, horizon_days, date_of(split))
    foretold = [_of_model(one, holdout, MODEL) for one in models]
    foretold += _plain(holdout, horizon_days)
    if baseline is not None:
        foretold.append(_of_model(baseline, holdout, BASELINE))
    if holdout.money is not None:
        so_far = holdout.money.so_far
        only_ranks = Foretold(PAST_REVENUE, PAST_REVENUE, BASELINE, revenue=so_far, ranks=so_far)
        foretold.append(only_ranks)
    since_last = (holdout.recency - holdout.age).astype(np.float64)
    foretold.append(Foretold(RECENCY, RECENCY, BASELINE, ranks=since_last))
    cells = transaction_cells(counts)
    followed = models if baseline is None else [*models, baseline]
    tracked = {one.name: _weekly(one.forecast, cells, horizon_days) for one in followed}
    return Origin(split, holdout, foretold, tracked)


def _models(
    clv: Tested, counts: ClvCounts, inputs: ClvInputs, horizon_days: int, as_of: date
) -> tuple[list[_Named], _Named | None]:
    """Return the models to test, the most likely first; and that in which nobody leaves.

    It is None where it is the model itself, or where it cannot be fitted beside parameters by hand.
    """
    if clv.parameters is not None and clv.account is None:  # by hand
        estimates = {name: estimate for name, (estimate, _) in clv.parameters.items()}
        models = value_model(clv.model, clv.spend, inputs, estimates)
        forecast = Forecast(models, horizon_days, 0.0, "")
        by_hand = _Named(_family(clv.model), clv.model, forecast)
        return [by_hand], _beside(by_hand, _spend(clv), counts, inputs, horizon_days, as_of)
    names = _candidates(counts) if clv.model == "auto" else [_family(clv.model)]
    tested = names if NBD in names else [*names, NBD]
    fits = dict(zip(tested, fit_each(counts, tested, _spend(clv), ERRORS[0], as_of), strict=True))
    chosen = max(names, key=lambda name: fits[name].account.log_likelihood)
    for text in fits[chosen].account.warnings:
        warn(text)
    ordered = sorted(names, key=lambda name: name != chosen)
    made = {name: _named(name, fit, inputs, horizon_days) for name, fit in fits.items()}
    return [made[name] for name in ordered], None if NBD in names else made[NBD]


def _candidates(counts: ClvCounts) -> list[str]:
    """Return the models that are compared where none is chosen."""
    is_regular = counts.gaps is not None and counts.gaps.is_regular
    return [*CANDIDATES, REGULAR] if is_regular else list(CANDIDATES)


def _beside(
    by_hand: _Named,
    spend: str | None,
    counts: ClvCounts,
    inputs: ClvInputs,
    horizon_days: int,
    as_of: date,
) -> _Named | None:
    """Return the model in which nobody leaves, where there is another and the data tell it."""
    if by_hand.name == NBD:
        return None
    try:
        (fitted,) = fit_each(counts, [NBD], spend, ERRORS[0], as_of)
    except DataError as error:
        warn(f"the baseline {NBD} is left out, as it cannot be fitted: {error}")
        return None
    return _named(NBD, fitted, inputs, horizon_days)


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
        one.name,
        one.shown,
        role,
        found.expected_orders,
        found.predicted_value,
        found.p_active,
        new_p_active=one.forecast.new_p_active,
    )


def _plain(holdout: Holdout, horizon_days: int) -> list[Foretold]:
    """Return the forecasts that need no model."""
    before = holdout.orders_before.astype(np.float64)
    rates = np.zeros(holdout.age.size)
    np.divide(float(horizon_days), holdout.age, out=rates, where=holdout.age > 0)
    again = rate = None
    if holdout.money is not None:
        again, rate = holdout.money.before, holdout.money.repeats * rates
    ordered, orders = (before > 0).astype(np.float64), holdout.repeats * rates
    return [
        Foretold(SAME_AGAIN, SAME_AGAIN, BASELINE, before, again, ordered, before),
        Foretold(PAST_RATE, PAST_RATE, BASELINE, orders, rate, ranks=orders),
    ]


def _weekly(forecast: Forecast, cells: Cells, horizon_days: int) -> NDArray[np.float64]:
    """Return the order days foretold of all customers, week by week of the horizon: (weeks,)."""
    weights: NDArray[np.float64] = cells.customers.astype(np.float64)
    upto = [
        math.fsum(weights * forecast.models.orders.predict(*cells[:3], days).expected_orders)
        for days in (*range(WEEK, horizon_days, WEEK), horizon_days)
    ]
    return np.diff(upto, prepend=0.0)
