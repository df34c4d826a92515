"""RFM scores by sorting, and the maps of names as they are published."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from oracle.errors import DataError

Number = int | float | Decimal


def quantile(values: Sequence[Number], number: int, bins: int) -> Number:
    """Return the quantile number / bins with linear interpolation, type 7.

    Floats and integers are interpolated as NumPy does, in floats; decimals exactly, and then
    rounded down to their scale.

    >>> quantile([10, 20, 40], 1, 4), quantile([1.5, 2.5], 2, 3)
    (15.0, 2.1666666666666665)
    >>> quantile([Decimal("0.10"), Decimal("0.25")], 1, 2)
    Decimal('0.17')
    """
    values = sorted(values)
    if isinstance(values[0], Decimal):
        before, rest = divmod((len(values) - 1) * number, bins)
        low, high = (Fraction(values[at]) for at in (before, min(before + 1, len(values) - 1)))
        exact = low + (high - low) * Fraction(rest, bins)
        exponent = values[0].as_tuple().exponent
        whole = math.floor(exact / Fraction(10) ** exponent)
        digits = tuple(int(digit) for digit in str(abs(whole)))
        return Decimal((int(whole < 0), digits, exponent))
    place = (len(values) - 1) * (number / bins)
    before = math.floor(place)
    part = place - before
    low, high = values[before], values[min(before + 1, len(values) - 1)]
    if part < 0.5:
        return float(low + (high - low) * part)
    return float(high - (high - low) * (1 - part))


def cuts(values: Sequence[Number], bins: int) -> list[Number]:
    """Return the cuts between the scores of some values.

    >>> cuts([1, 2, 3, 4, 5, 6], 5)
    [2.0, 3.0, 4.0, 5.0]
    """
    if not values:
        raise DataError("nobody ordered")
    return [quantile(values, number, bins) for number in range(1, bins)]


def score(value: Number, between: Sequence[Number]) -> int:
    """Return 1 + how many cuts are strictly below a value.

    >>> score(3, [2.0, 3.0, 4.0, 5.0])
    2
    """
    return 1 + sum(Fraction(cut) < Fraction(value) for cut in between)


Rule = Callable[[int, int, int], bool]

FIVE: dict[str, Rule] = {
    "Champions": lambda r, f, m: r >= 4 and f >= 4 and m >= 4,
    "Regulars": lambda r, f, m: r >= 3 and f >= 3 and m >= 3,
    "Promising": lambda r, f, m: r >= 3,  # noqa: ARG005
    "Needs Attention": lambda r, f, m: f >= 3 and m >= 3,  # noqa: ARG005
    "At Risk": lambda r, f, m: True,  # noqa: ARG005
}

#: Rows are recency 1 to 5, columns frequency 1 to 5.
TEN = """
Hibernating    Hibernating        At Risk             At Risk    Can't Lose
Hibernating    Hibernating        At Risk             At Risk    Can't Lose
About To Sleep About To Sleep     Need Attention      Loyal      Loyal
Promising      Potential Loyalist Potential Loyalist  Loyal      Loyal
New            Potential Loyalist Potential Loyalist  Champions  Champions
"""


def five(recency: int, frequency: int, monetary: int) -> str:
    """Return the first of the five names whose rule fits.

    >>> five(5, 4, 4), five(3, 5, 5), five(2, 3, 3)
    ('Champions', 'Regulars', 'Needs Attention')
    """
    return next(name for name, rule in FIVE.items() if rule(recency, frequency, monetary))


def ten(recency: int, frequency: int, monetary: int) -> str:  # noqa: ARG001
    """Return the name at a place of the grid of ten.

    >>> ten(5, 1, 1), ten(1, 5, 1), ten(4, 3, 1)
    ('New', "Can't Lose", 'Potential Loyalist')
    """
    rows = [line for line in TEN.splitlines() if line]
    names = [
        "Hibernating", "At Risk", "Can't Lose", "About To Sleep", "Need Attention", "Loyal",
        "Promising", "New", "Potential Loyalist", "Champions",
    ]  # fmt: skip
    found, line = [], rows[recency - 1]
    while line:
        name = next(name for name in names if line.startswith(name))
        found.append(name)
        line = line[len(name) :].strip()
    return found[frequency - 1]
