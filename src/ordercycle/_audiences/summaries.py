"""What a list of customers is about, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._audiences.listed import Total
from ordercycle._errors import counted
from ordercycle._public import public

QUANTILES = (0.05, 0.25, 0.75, 0.95)


def known_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the numbers of a column as floats, without those that are none."""
    floats = column.cast(pa.float64(), safe=False)
    missing = pc.or_kleene(floats.is_null(), pc.is_nan(floats)).fill_null(True)  # noqa: FBT003
    return floats.filter(pc.invert(missing))


@dataclass(frozen=True)
class ValueSummary:
    """What customers are worth: mean, median, and quantiles by their shares; None without any.

    missing: how many customers have no value.
    """

    mean: float | None
    median: float | None
    quantiles: dict[float, float | None]
    missing: int

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """Return the summary of a column of numbers."""
        known = known_values(column)
        shares = (0.5, *QUANTILES)
        # Minus zero is zero.
        found = pc.add(pc.quantile(known, list(shares)), 0.0).to_pylist()
        return cls(
            Total.of(known).divided(len(known)) if len(known) else None,
            found[0],
            dict(zip(QUANTILES, found[1:], strict=True)),
            len(column) - len(known),
        )

    def __str__(self) -> str:
        if self.mean is None:
            return "nobody has one"
        listed = " ".join(f"{_number(one)} ({share:.0%})" for share, one in self.quantiles.items())
        some = f", {self.missing:,} without" if self.missing else ""
        return f"mean {_number(self.mean)}, median {_number(self.median)}, quantiles {listed}{some}"


@public()
@dataclass(frozen=True)
class AudienceSummary:
    """What :meth:`Audience.summary` returns.

    Attributes
    ----------
    name, definition : str
    customers : int
    share : float or None
        Of the customers of the table; None where that is empty.
    revenue
        What they spent, exactly as the table has it; None where it has no column ``revenue``.
    value
        ``mean``, ``median``, ``quantiles`` (by share) and ``missing``; None without a value.
    as_of : date or None
    of_customers : int
        How many customers the table has.
    of_revenue
        What all of them spent.
    """

    name: str
    customers: int
    share: float | None
    revenue: Any
    value: ValueSummary | None
    as_of: date | None
    definition: str
    of_customers: int
    of_revenue: Any

    def __str__(self) -> str:
        share = "" if self.share is None else f", {self.share:.1%} of {self.of_customers:,}"
        rows = [("definition", self.definition)]
        if self.as_of is not None:
            rows.append(("as of", str(self.as_of)))
        if self.revenue is not None:
            part = ""
            if self.of_revenue:
                part = f", {float(self.revenue) / float(self.of_revenue):.1%} of all"
            rows.append(("revenue", f"{_number(self.revenue)}{part}"))
        if self.value is not None:
            rows.append(("value", str(self.value)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}" for name, text in rows]
        return "\n".join([f"{self.name}: {counted(self.customers, 'customer')}{share}", *lines])


def _number(value: Any) -> str:
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
