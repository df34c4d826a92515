"""What a model of value was fitted from, and how well it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ordercycle._errors import DataError, Option, counted, whole_number
from ordercycle._public import public
from ordercycle._segments.counting_rounds import of_day
from ordercycle._segments.score_maps import FrozenDict
from ordercycle._value_models import ALL_ALIKE

#: How regular gaps have to be before orders at random stop describing them.
REGULAR = 1.5


@public()
@dataclass(frozen=True, kw_only=True)
class ClvAccount:
    """What a :class:`Clv` was fitted from, and how well it fits.

    Attributes
    ----------
    as_of
        The day of the profile; None where it does not say.
    customers, repeat_customers, without_orders
        Customers with orders, those with orders on two days or more, and those without any.
    without_spend
        Customers whose mean spend is not positive: they are not part of the fit of spend.
    log_likelihood, spend_log_likelihood
        Of the model of orders, and of that of spend; None where there is none.
    candidates
        The log-likelihood of every model that was tried, by name.
    errors
        Which standard errors the parameters have: ``"sandwich"`` or ``"information"``.
    mean_spend
        The mean, over customers, of the mean spend of a day; None without spend.
    correlation
        Of the days that count and the mean spend of such a day, which the model of spend takes
        for independent; None where nothing varies.
    regularity
        The shape k of the gaps between order days: 1 where orders come at random, below where
        they come in clumps, above where they come regularly; None where it is unknown.
    regularity_error
        Its standard error; None where it is unknown, or all gaps are alike.
    warnings
        What was warned of, in words.
    """

    as_of: date | None
    customers: int
    repeat_customers: int
    without_orders: int
    without_spend: int
    log_likelihood: float
    spend_log_likelihood: float | None = None
    candidates: Mapping[str, float]
    errors: str
    mean_spend: float | None = None
    correlation: float | None = None
    regularity: float | None = None
    regularity_error: float | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("customers", "repeat_customers", "without_orders", "without_spend"):
            number = whole_number(getattr(self, name))
            if number is None or number < 0:
                raise DataError((Option(name, getattr(self, name)), " is no number of customers"))
        object.__setattr__(self, "candidates", FrozenDict(self.candidates))
        object.__setattr__(self, "warnings", tuple(self.warnings))

    @property
    def origin(self) -> str:
        """Where the numbers come from, in a few words."""
        return f"fitted{of_day(self.as_of)} to {counted(self.customers, 'customer')}"

    def __str__(self) -> str:
        tried = ", ".join(f"{name} {value:,.2f}" for name, value in self.candidates.items())
        customers = counted(self.customers, "customer")
        again = f"{self.repeat_customers:,} ordered on two days or more"
        lines = [
            f"{customers} with orders{of_day(self.as_of)}, of whom {again}.",
            f"Log-likelihood of orders: {tried}; standard errors: {self.errors}.",
        ]
        if self.spend_log_likelihood is not None:
            lines.append(f"Log-likelihood of spend: {self.spend_log_likelihood:,.2f}.")
        if self.mean_spend is not None:
            lines.append(f"Mean spend of a day: {self.mean_spend:,.2f}.")
        if self.without_spend:
            lines.append(
                f"{counted(self.without_spend, 'customer')} with no positive spend "
                f"{'is' if self.without_spend == 1 else 'are'} not in the fit of spend."
            )
        if self.correlation is not None:
            lines.append(f"Correlation of order days and spend: {self.correlation:.2f}.")
        if self.regularity is not None:
            lines.append(f"Regularity of gaps: {self._regularity_in_words(self.regularity)}.")
        lines += [f"Warning: {text}" for text in self.warnings]
        return "\n".join(lines)

    def _regularity_in_words(self, k: float) -> str:
        """Return what the shape of gaps says, as far as its standard error lets it."""
        if k >= ALL_ALIKE:
            return "all gaps alike"
        error = self.regularity_error or 0.0
        low, high = k - 2 * error, k + 2 * error
        says = "as at random" if low <= 1 <= high else "clumped"
        if low > 1:
            says = "orders come more regularly than at random"
        return f"{k:.2f}, with a standard error of {error:.2g} ({says})" if error else f"{k:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the account as text, numbers and lists, without what is unknown."""
        made = {
            **vars(self),
            "as_of": None if self.as_of is None else str(self.as_of),
            "candidates": dict(self.candidates),
            "warnings": list(self.warnings),
        }
        return {name: value for name, value in made.items() if value is not None}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ClvAccount:
        """Return the account that `to_dict` wrote."""
        as_of = given.get("as_of")
        return cls(**{**given, "as_of": None if as_of is None else date.fromisoformat(as_of)})
