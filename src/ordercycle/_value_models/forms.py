"""The models of orders and their limits, declared: which parameters each has, and what it is.

A limit has one value where its model has a distribution over customers: one order rate, one
probability to leave, one death rate. The likelihoods reach it with two parameters that are very
large (`LARGE`), whose quotient is the value; nothing of that is ever shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ordercycle._errors import ConfigError, DataError, Option, counted, suggestion
from ordercycle_kernels.elementary import exponentials, logarithms

#: Parameters by hand are between these.
LEAST, MOST = 1e-9, 1e12
#: Those in money: their squares, times those of other parameters, stay floats.
LEAST_SCALE, MOST_SCALE = 1e-100, 1e100
#: 2**50 days, or tries: the limit to the last digits of a float.
LARGE = 2.0**50


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is shown, and the parameters of the likelihood that stand for it.

    Attributes
    ----------
    name
        As it is shown.
    place
        Of the parameter of the likelihood.
    over
        Of the one that it is divided by, where their quotient is the parameter.
    is_share
        Whether it is shown as q / (1 + q), a probability, where q is the quotient.
    """

    name: str
    place: int
    over: int | None = None
    is_share: bool = False


@dataclass(frozen=True)
class Form:
    """A model, or a limit of one.

    Attributes
    ----------
    name
        As it is shown.
    likelihood
        The model whose likelihood it is.
    parameters
        What is fitted.
    limits
        Names of what it becomes where its best parameters are infinite or 0.
    """

    name: str
    likelihood: str
    parameters: tuple[Parameter, ...]
    limits: tuple[str, ...] = ()

    def naturals(self, odds: Sequence[float]) -> list[float]:
        """Return the four parameters of the likelihood for values, of shares their odds."""
        result = [1.0] * 4
        for one, value in zip(self.parameters, odds, strict=True):
            result[one.place] = value
            if one.over is not None:
                result[one.place], result[one.over] = value * LARGE, LARGE
        return result

    def naturals_of(self, values: Sequence[float]) -> list[float]:
        """Return the four parameters of the likelihood for values as they are shown."""
        return self.naturals(self.odds(values))

    def odds(self, values: Sequence[float]) -> list[float]:
        """Return values as they are shown, of shares their odds."""
        pairs = zip(self.parameters, values, strict=True)
        return [v / (1.0 - v) if one.is_share else v for one, v in pairs]

    def shown(self, odds: Sequence[float]) -> list[float]:
        """Return the values as they are shown."""
        pairs = zip(self.parameters, odds, strict=True)
        return [v / (1.0 + v) if one.is_share else v for one, v in pairs]

    def logs(self, naturals: Sequence[float]) -> list[float]:
        """Return where a search starts, for four parameters of the likelihood."""
        odds = [
            naturals[one.place] / (1.0 if one.over is None else naturals[one.over])
            for one in self.parameters
        ]
        return logs_of(odds)


R, ALPHA = Parameter("r", 0), Parameter("alpha", 1)
ORDER_RATE = Parameter("order_rate", 0, over=1)
A, B = Parameter("a", 2), Parameter("b", 3)
DROPOUT = Parameter("dropout", 2, over=3, is_share=True)
S, BETA = Parameter("s", 2), Parameter("beta", 3)
DEATH_RATE = Parameter("death_rate", 2, over=3)


#: The stages of a gap in MBG/CNBD-k, whose models are named by them.
STAGES = range(2, 13)
REGULAR = "mbg_cnbd"
#: Sums over the stages of a horizon have a term for each that is expected, and a tail of some 40
#: times horizon / alpha: of customers who order ten times a day they are as long as can be waited
#: for, and a day has one with orders at most.
LEAST_ALPHA_OF_STAGES, MOST_DAILY_ORDERS, MOST_SPAN = 0.01, 10.0, 400_000.0


def regular_model(stages: int) -> str:
    """Return the name of MBG/CNBD-k: of MBG/NBD, where k is 1."""
    return f"{REGULAR}_{stages}" if stages > 1 else "mbg_nbd"


def stages_of(likelihood: str) -> int:
    """Return how many stages a gap has in a model."""
    return int(likelihood.removeprefix(f"{REGULAR}_")) if likelihood.startswith(REGULAR) else 1


def has_short_sums(naturals: Sequence[float], stages: int) -> bool:
    """Return whether sums over stages are short, with these parameters of the likelihood."""
    r, alpha = naturals[:2]
    return alpha >= LEAST_ALPHA_OF_STAGES and r <= MOST_DAILY_ORDERS * stages * alpha


def check_sums(naturals: Sequence[float], stages: int, horizon_days: float = 0.0) -> None:
    """Raise a ConfigError where sums over the stages of a horizon would take minutes."""
    r, alpha = naturals[:2]
    if not has_short_sums(naturals, stages):
        raise ConfigError(
            f"r / alpha / {stages} = {r / alpha / stages:.3g} days with orders a day, with "
            f"alpha = {alpha:g}, is too often: the sums over them take too long",
            remedy=(
                f"pass an r of at most {MOST_DAILY_ORDERS * stages:g} alpha, ",
                f"and an alpha from {LEAST_ALPHA_OF_STAGES:g} days, or fit ",
                Option("model", "mbg_nbd"),
                ", which has no such sums",
            ),
        )
    if horizon_days > MOST_SPAN * alpha:
        raise ConfigError(
            f"a horizon of {horizon_days:,.0f} days is too long for alpha = {alpha:g}",
            remedy=f"pass {counted(math.floor(MOST_SPAN * alpha), 'day')} at most",
        )


def check_fitted_sums(likelihood: str, naturals: Sequence[float]) -> None:
    """Raise a DataError where a model was fitted that cannot predict: its sums are too long."""
    stages = stages_of(likelihood)
    if stages == 1 or has_short_sums(naturals, stages):
        return
    r, alpha = naturals[:2]
    raise DataError(
        f"{likelihood} has alpha = {alpha:.3g} and r / alpha / {stages} = "
        f"{r / alpha / stages:.3g} days with orders a day, whose predictions are sums that take "
        "too long",
        remedy=("take ", Option("model", "mbg_nbd"), ", which has no such sums"),
    )


def _with_limits(
    model: str,
    leaving: tuple[Parameter, ...],
    one_for_all: Parameter,
    what: str,
    *,
    may_stay: bool = True,
) -> tuple[Form, ...]:
    """Return a model in which customers leave, and its limits.

    may_stay: whether one in which nobody leaves is among them.
    """
    one_rate, one_way = f"{model}, one order rate", f"{model}, {what}"
    both = f"{model}, one order rate and {what}"
    stay, stay_at_one_rate = (("nbd",), ("nbd, one order rate",)) if may_stay else ((), ())
    return (
        Form(model, model, (R, ALPHA, *leaving), (one_way, one_rate, *stay)),
        Form(one_way, model, (R, ALPHA, one_for_all), (both, *stay)),
        Form(one_rate, model, (ORDER_RATE, *leaving), (both, *stay_at_one_rate)),
        Form(both, model, (ORDER_RATE, one_for_all), stay_at_one_rate),
    )


#: Every model and limit by name.
FORMS = {
    form.name: form
    for form in (
        *_with_limits("mbg_nbd", (A, B), DROPOUT, "one dropout probability"),
        *_with_limits("pareto_nbd", (S, BETA), DEATH_RATE, "one death rate"),
        *_with_limits("bg_nbd", (A, B), DROPOUT, "one dropout probability"),
        *(
            form
            for stages in STAGES
            for form in _with_limits(
                regular_model(stages), (A, B), DROPOUT, "one dropout probability", may_stay=False
            )
        ),
        Form("nbd", "nbd", (R, ALPHA), ("nbd, one order rate",)),
        Form("nbd, one order rate", "nbd", (ORDER_RATE,)),
    )
}
#: What ``auto`` chooses from, the first where likelihoods are equal; and the regular model where
#: gaps say that orders come more regularly than at random.
CANDIDATES = ("mbg_nbd", "pareto_nbd", "bg_nbd")
#: What is fitted without a name of its own: models with as many stages as are most likely.
MODELS = ("auto", *CANDIDATES, REGULAR, "nbd")


def exps_of(values: Sequence[float]) -> list[float]:
    """Return exponentials, the same on every machine."""
    out = np.empty(len(values))
    exponentials(np.array(values, float), out)
    return [float(one) for one in out]


def logs_of(values: Sequence[float]) -> list[float]:
    """Return logarithms, the same on every machine."""
    out = np.empty(len(values))
    logarithms(np.array(values, float), out)
    return [float(one) for one in out]


def check_names(option: str, model: str, names: Sequence[str], given: Collection[str]) -> None:
    """Raise a ConfigError unless parameters by hand are those of a model."""
    listed = ", ".join(names)
    for name in given:
        if name not in names:
            raise ConfigError(
                (Option(option, model), f" has no parameter {name}{suggestion(name, names)}"),
                remedy=f"pass {listed}",
            )
    for name in names:
        if name not in given:
            raise ConfigError(
                (Option(option, model), f" needs the parameter {name}"), remedy=f"pass {listed}"
            )


def checked_scale(name: str, value: float) -> float:
    """Return a parameter by hand whose unit is that of money, if it is one."""
    if isinstance(value, bool) or not LEAST_SCALE <= value <= MOST_SCALE:
        raise ConfigError(
            f"{name} = {value!r} is no parameter of a model",
            remedy=f"pass a number from {LEAST_SCALE:g} to {MOST_SCALE:g}",
        )
    return float(value)


def checked_parameter(
    name: str, value: float, *, is_share: bool = False, least: float = LEAST
) -> float:
    """Return a parameter by hand, if it is one."""
    most = 1 - LEAST if is_share else MOST
    if isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(
            f"{name} = {value!r} is no parameter of a model",
            remedy=f"pass a number from {least:g} to {'almost 1' if is_share else f'{MOST:g}'}",
        )
    return float(value)
