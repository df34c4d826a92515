"""Exact sums of amounts as Python's numbers, which batches add to in any order."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._errors import DataError
from ordercycle._grouping.amount_words import AmountWords
from ordercycle._ingest.column_readers import MAX_DIGITS

HALF_BITS, WORD_BITS, FLOAT_BITS = 32, 64, 53
HALF = np.uint64(0xFFFFFFFF)
#: So many floats are added up one by one, which of fewer costs less than NumPy's calls.
FEW = 64


def exact_total(words: AmountWords, *, is_float: bool) -> Fraction:
    """Return the sum of amounts, in units of their last digit, without rounding.

    >>> exact_total(AmountWords(np.array([1e16, 1.0]), np.zeros(0, np.int64)), is_float=True)
    Fraction(10000000000000001, 1)
    """
    if is_float:
        return _total_of_floats(words.lows)
    if not words.highs.size:
        return Fraction(_total(words.lows.view(np.int64)))
    return Fraction(
        _total_unsigned(words.lows.view(np.uint64)) + (_total(words.highs) << WORD_BITS)
    )


def whole_total(column: pa.ChunkedArray) -> Fraction:
    """Return the sum of whole numbers or decimals, in units of their last digit, without nulls.

    It may be beyond the type, where Arrow's sum goes round.

    >>> whole_total(pa.chunked_array([[2**63 - 1, None, 2**63 - 1]]))
    Fraction(18446744073709551614, 1)
    """
    kind = column.type
    if pa.types.is_decimal(kind):
        wide = column.cast(pa.decimal128(MAX_DIGITS, kind.scale)).drop_null()
        pairs = [fixed_view(chunk, np.int64, 2).reshape(-1, 2) for chunk in wide.chunks]
        words = (AmountWords(one[:, 0], one[:, 1]) for one in pairs)
        return sum((exact_total(one, is_float=False) for one in words), Fraction(0))
    if kind.bit_width < WORD_BITS:
        return Fraction(pc.sum(column).as_py() or 0)
    bits, mask = (pa.scalar(one, kind) for one in (HALF_BITS, 2**HALF_BITS - 1))
    halves = (pc.shift_right(column, bits), pc.bit_wise_and(column, mask))
    upper, lower = (pc.sum(half).as_py() or 0 for half in halves)
    return Fraction((upper << HALF_BITS) + lower)


def _total(values: NDArray[np.int64]) -> int:
    """Return the sum of words, fewer than 2**31 of them: by halves, which do not overflow."""
    upper = int((values >> np.int64(HALF_BITS)).sum())
    return (upper << HALF_BITS) + int((values & np.int64(HALF)).sum())


def _total_unsigned(values: NDArray[np.uint64]) -> int:
    upper = int((values >> np.uint64(HALF_BITS)).sum())
    return (upper << HALF_BITS) + int((values & HALF).sum())


def _total_of_floats(values: NDArray[np.float64]) -> Fraction:
    if not values.size:
        return Fraction(0)
    fractions, exponents = np.frexp(values)
    whole = np.ldexp(fractions, FLOAT_BITS).astype(np.int64)
    if values.size <= FEW:
        found = list(zip(whole.tolist(), exponents.tolist(), strict=True))
    else:
        found = [
            (_total(whole[exponents == exponent]), exponent)
            for exponent in np.unique(exponents).tolist()
        ]
    least = int(exponents.min())
    total = sum(those << (exponent - least) for those, exponent in found)
    unit = least - FLOAT_BITS
    return Fraction(total << unit) if unit >= 0 else Fraction(total, 1 << -unit)


def as_number(total: Fraction, kind: pa.DataType) -> int | float | Decimal:
    """Return a sum as the number that values of a type are in Python, however large it is."""
    if pa.types.is_floating(kind):
        return float(total)
    units = int(total)
    if pa.types.is_decimal(kind):
        digits = tuple(map(int, str(abs(units))))
        return Decimal((int(units < 0), digits, -kind.scale))
    return units


def in_type(total: Fraction, kind: pa.DataType) -> Any:
    """Return a sum as a value of a type: of floats rounded once.

    Raises
    ------
    DataError
        It is beyond the type.
    """
    if pa.types.is_floating(kind):
        return float(total)
    units = int(total)
    try:
        if pa.types.is_decimal(kind):
            value = Decimal(units).scaleb(-kind.scale)
            return pa.scalar(value, kind).as_py()
        return pa.scalar(units, kind).as_py()
    except (pa.ArrowException, OverflowError):
        raise DataError(
            f"the revenue is {units}, which is too large for {kind}",
            remedy="cast the amounts to decimal128(38, 0), or to float64",
        ) from None
