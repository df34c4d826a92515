"""How many customers a comparison needs."""

from __future__ import annotations

import math
from numbers import Real

from ordercycle._errors import ConfigError, Option
from ordercycle._public import public
from ordercycle._statistics.distributions import STANDARD, normal_quantile
from ordercycle._statistics.sequential import multiplier

#: More than there are people: an effect that needs them was mistyped.
MOST_CUSTOMERS = 1e12


@public()
def sample_size(
    *,
    baseline: float | None = None,
    lift: float | None = None,
    difference: float | None = None,
    sd: float | None = None,
    r2: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    sequential: bool = False,
) -> int:
    """Return how many customers each of two arms needs to find an effect.

    Parameters
    ----------
    baseline
        Of control: the conversion rate or, with `sd`, the mean value.
    lift, difference
        The effect to be found, of which one is given: as a share of the baseline, or added to it.
    sd
        The standard deviation of the value by customer; None: of a conversion rate.
    r2
        The share of the value's variance that a covariate explains, as rehearse() shows it.
    alpha
        How often an effect may be seen that is none, on both sides.
    power
        How often the effect is to be found where it is there.
    sequential
        Whether the always-valid interval decides, at the planned number of customers.

    Returns
    -------
    int
        Customers in each arm.

    Raises
    ------
    ConfigError
        An option is missing, too much, or outside what it can be.

    Examples
    --------
    >>> sample_size(baseline=0.10, lift=0.10)
    14749
    >>> sample_size(difference=0.5, sd=1.0), sample_size(difference=0.5, sd=1.0, r2=0.5)
    (64, 33)
    """
    _check("alpha", alpha, 0.0, 1.0, "between 0 and 1")
    _check("power", power, alpha, 1.0, f"above alpha, {alpha}, and below 1")
    if baseline is not None:
        _check("baseline", baseline, -math.inf, math.inf, "a number")
    if r2 != 0.0:
        _check("r2", r2, 0.0, 1.0, "from 0 to below 1")
        if sd is None:
            raise ConfigError(
                (Option("r2", r2), " means nothing without ", Option("sd")),
                remedy="leave it out: rates are not adjusted",
            )
    effect = _effect(baseline, lift, difference)
    z = multiplier(1.0, 1.0, alpha) if sequential else normal_quantile(alpha)
    reach = z + STANDARD.inv_cdf(power)
    if sd is None:
        if baseline is None:
            raise ConfigError(
                (Option("baseline"), " is missing"), remedy="pass the conversion rate of control"
            )
        _check("baseline", baseline, 0.0, 1.0, "between 0 and 1")
        one = baseline + effect
        if not 0.0 < one < 1.0:
            raise ConfigError(
                f"a rate of {baseline} with the effect would be {one:.4g}",
                remedy="pass an effect that leaves it between 0 and 1",
            )
        variance = baseline * (1.0 - baseline) + one * (1.0 - one)
        return _rounded_up(reach / effect * math.sqrt(variance))
    _check("sd", sd, 0.0, math.inf, "positive")
    # What Student's t needs beyond the normal (Guenther 1981).
    more = z * z / 4.0
    return _rounded_up(reach / effect * sd * math.sqrt(2.0 * (1.0 - r2)), more)


def _rounded_up(root: float, more: float = 0.0) -> int:
    """Return the square of a number of customers' root, and some more, as a whole number."""
    customers = root * root + more
    if not customers < MOST_CUSTOMERS:
        raise ConfigError(
            "no number of customers is enough to find so small an effect",
            remedy="pass the smallest that would matter",
        )
    return math.ceil(customers)


def _effect(baseline: float | None, lift: float | None, difference: float | None) -> float:
    if (lift is None) == (difference is None):
        raise ConfigError(
            (Option("lift"), " or ", Option("difference"), " says what is to be found, one of them")
        )
    if difference is not None:
        _check("difference", difference, -math.inf, math.inf, "a number other than 0")
        effect = difference
    else:
        _check("lift", lift, -math.inf, math.inf, "a number other than 0")
        if baseline is None:
            raise ConfigError(
                (Option("lift"), " is of a baseline, which is missing"),
                remedy=("pass ", Option("baseline"), ", or the effect as ", Option("difference")),
            )
        effect = baseline * float(lift or 0.0)
    if effect == 0.0:
        raise ConfigError(
            "an effect of 0 is never found", remedy="pass the smallest that would matter"
        )
    return effect


def _check(name: str, value: object, above: float, below: float, said: str) -> None:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not above < float(value) < below:  # type: ignore[arg-type]
        raise ConfigError((Option(name, value), f" is not {said}"))
