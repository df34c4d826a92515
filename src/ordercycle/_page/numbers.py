"""Numbers and months as people read them: in tables of Python's the same as in the script's."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NONE = "–"
#: Digits enough for every float.
EXACT = Context(prec=400)


def month_name(number: int) -> str:
    """Return a month, counted as 12 * year + month - 1, as people write it."""
    return f"{MONTHS[number % 12]} {number // 12}"


def day_name(day: date) -> str:
    """Return a day as people write it."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def digits(value: float, size: int) -> str:
    """Return a number with so many digits behind the point, halves away from 0."""
    step = Decimal(1).scaleb(-size)
    return f"{Decimal(repr(value)).quantize(step, ROUND_HALF_UP, EXACT):,}"


def shown(unit: str, value: float | None, symbol: str, *, counts: bool = False) -> str:
    """Return a value in full; "–" where it is not defined.

    unit: ``"share"``, ``"currency"``, ``"days"`` or what is counted; counts: whether it is always
    a whole number.
    """
    if value is None:
        return NONE
    size, sign = abs(value), "−" if value < 0 else ""
    if unit == "share":
        return f"{sign}{digits(size * 100, 1)}%"
    if unit == "currency":
        return f"{sign}{symbol}{digits(size, 0 if size == 0 or size >= 1000 else 2)}"
    if unit == "days":
        return sign + digits(size, 1)
    return sign + digits(size, 0 if counts and size == int(size) else 2)
