"""Where the library and the oracle differ: exact columns exactly, sums of floats within bounds."""

import math
from collections.abc import Hashable

from oracle.history import History
from oracle.money import magnitude
from oracle.profile import Row

MONEY = {"revenue", "revenue_first_90_days", "revenue_first_day", "average_order_value"}
# All other columns are exact: integers, dates, or one correctly rounded quotient of two integers.
TOLERANT = MONEY | {"gap_std"}
RELATIVE_TOLERANCE = 1e-14
# Of the sum of the absolute amounts: a float sum may cancel down to any small number.
CANCELLATION_TOLERANCE = 1e-15


def same_number(found: object, expected: object, absolute: float = 0.0) -> bool:
    """Compare two values; only a float may deviate.

    >>> same_number(0.1 + 0.2, 0.3), same_number(3, 3.0), same_number(None, 0.0)
    (True, True, False)
    >>> same_number(3.0, 3), same_number(4, 3)
    (True, False)
    """
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=absolute)
    return found == expected


def differences(
    found: dict[Hashable, Row], expected: dict[Hashable, Row], history: History
) -> list[str]:
    """Return one line per value in which a profile departs from the oracle's.

    >>> history = History({}, None)
    >>> differences({"ann": {"orders": 2}}, {"bob": {"orders": 2}}, history)
    ["only in the library: ['ann']", "only in the oracle: ['bob']"]
    """
    lines = []
    if extra := [name for name in found if name not in expected]:
        lines.append(f"only in the library: {extra}")
    if lacking := [name for name in expected if name not in found]:
        lines.append(f"only in the oracle: {lacking}")
    for name in found.keys() & expected.keys():
        lines += _row_differences(name, found[name], expected[name], history)
    return lines


def _row_differences(name: Hashable, found: Row, expected: Row, history: History) -> list[str]:
    if list(found) != list(expected):
        return [f"columns {list(found)} instead of {list(expected)}"]
    amounts = [order.amount for order in history.customers[name].orders]
    absolute = CANCELLATION_TOLERANCE * magnitude(amounts)
    lines = []
    for column, value in expected.items():
        if column in TOLERANT:
            same = same_number(found[column], value, absolute if column in MONEY else 0.0)
        else:
            same = found[column] == value
        if not same:
            lines.append(f"{name!r} {column}: {found[column]!r} instead of {value!r}")
    return lines
