"""The options of models of value: parameters, horizons and discounts that make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ordercycle._errors import ConfigError, Option, whole_number

#: Nobody knows what comes later; and what a discount may be.
MOST_HORIZON_DAYS, MOST_RATE = 36_525, 10.0


def checked_parameters(parameters: Mapping[str, Any]) -> dict[str, tuple[float, float | None]]:
    """Return parameters, each with its standard error or None."""
    if not isinstance(parameters, Mapping):
        raise ConfigError(
            (Option("parameters", parameters), " is no dict"),
            remedy="pass parameters by name, such as {'r': 0.24, 'alpha': 31.0, ...}",
        )
    made = {}
    for name, given in parameters.items():
        pair = tuple(given) if isinstance(given, list | tuple) else (given,)
        numbers = [None if one is None else float_of(one) for one in pair]
        if not 1 <= len(pair) <= 2 or any(map(math.isnan, _known(numbers))):
            raise ConfigError(
                (Option("parameters", {name: given}), " is no positive number"),
                remedy="pass an estimate, or an estimate and its standard error",
            )
        estimate, error = (*numbers, None)[:2]
        if estimate is None or not 0 < estimate < math.inf:
            raise ConfigError(
                (Option("parameters", {name: given}), " is no positive number"),
                remedy="parameters of these models are above 0 and finite",
            )
        if error is not None and not 0 <= error < math.inf:
            raise ConfigError(
                (Option("parameters", {name: given}), " has no standard error"),
                remedy="standard errors are 0 or above, and finite; leave out what is unknown",
            )
        made[str(name)] = (estimate, error)
    return made


def _known(numbers: Sequence[float | None]) -> list[float]:
    return [one for one in numbers if one is not None]


def float_of(value: object) -> float:
    """Return a number as a float, infinite beyond these; NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def each_of_days(days: int | Sequence[int]) -> list[int]:
    given = days if isinstance(days, list | tuple | range | np.ndarray) else [days]
    return [checked_days(one, "days") for one in given]


def checked_days(value: object, option: str) -> int:
    """Return a horizon, or raise a ConfigError."""
    days = whole_number(value)
    if days is None or not 1 <= days <= MOST_HORIZON_DAYS:
        raise ConfigError(
            (Option(option, value), " is no horizon"),
            remedy=f"pass a number of days from 1 to {MOST_HORIZON_DAYS:,}: 100 years",
        )
    return days


def checked_rate(value: object) -> float:
    """Return a discount rate, or raise a ConfigError."""
    rate = float_of(value)
    if not 0 <= rate <= MOST_RATE:
        raise ConfigError(
            (Option("discount_rate", value), " is no discount of a year"),
            remedy=f"pass 0.1 for a tenth a year, and {MOST_RATE:g} at most",
        )
    return rate
