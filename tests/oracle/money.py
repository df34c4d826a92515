"""Sums without rounding: integers and decimals exactly, floats rounded once at the end."""

import math
from collections.abc import Iterable
from decimal import Context, Decimal

from oracle.errors import DataError

Amount = int | float | Decimal

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
DECIMAL_DIGITS = 38
# Decimal addition rounds to the context's precision (28 digits by default): this one never does.
_EXACT = Context(prec=1000)


def total(amounts: Iterable[Amount]) -> Amount:
    """Sum amounts of one kind; nothing sums to 0.

    >>> total([0.1] * 10)
    1.0
    >>> total([Decimal("0.10"), Decimal("12345678901234567890123456789.99")])
    Decimal('12345678901234567890123456790.09')
    >>> total([])
    0
    """
    amounts = list(amounts)
    if not amounts:
        return 0
    if isinstance(amounts[0], float):
        return math.fsum(amounts)
    if isinstance(amounts[0], int):
        return _in_int64(sum(amounts))
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return _in_decimal128(result)


def magnitude(amounts: Iterable[Amount]) -> float:
    """Sum of the absolute amounts: what the error of a float sum is measured against.

    >>> magnitude([-2.0, 3.0])
    5.0
    """
    return math.fsum(abs(float(amount)) for amount in amounts)


def checked(amount: Amount | None) -> Amount:
    """Return an amount that sums can be made from.

    >>> checked(float("nan"))
    Traceback (most recent call last):
    oracle.errors.DataError: amount is missing or not finite
    """
    if amount is None or not math.isfinite(amount):
        raise DataError("amount is missing or not finite")
    return _in_int64(amount) if isinstance(amount, int) else amount


def _in_int64(amount: int) -> int:
    if not INT64_MIN <= amount <= INT64_MAX:
        raise DataError("integer amount beyond 64 bits")
    return amount


def _in_decimal128(amount: Decimal) -> Decimal:
    if len(amount.as_tuple().digits) > DECIMAL_DIGITS:
        raise DataError("decimal amount beyond 38 digits")
    return amount
