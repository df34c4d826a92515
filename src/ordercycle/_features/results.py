"""Columns of Arrow, made of what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import DataError, counted
from ordercycle._features.measures import Floats, FloatTotal, Measured, Measures, Path, WholeTotal
from ordercycle_kernels import marked_sums, quotients
from ordercycle_kernels.exact_sums import carry_sums
from ordercycle_kernels.marked_events import days_since_events

MOST_DIGITS = 38
#: Up to this power of ten, products with numbers of events are two floats exactly.
LARGEST_EXACT_SCALE = 22
#: The unit of chunks of floats is 2 to this.
FLOAT_UNIT = -1074
#: Quotients that are divided bit by bit at once, which takes 0.6 kB each.
ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Asked:
    """The feature that is made: its column and type, and which customers the batch has.

    name: that of what is made; called: what messages call it; rows: (c,), that of each customer
    among all.
    """

    name: str
    called: str
    column: Path
    result: pa.DataType
    as_of: int
    rows: NDArray[Any]

    def refused(self, what: str, rows: NDArray[np.int64]) -> DataError:
        """Return the error of customers whose value is beyond its type."""
        row = int(self.rows[rows].min())
        count = f" ({counted(rows.size, 'such customer')})" if rows.size > 1 else ""
        return DataError(
            f"{self.called}: {what} for the customer in row {row:,}{count}",
            remedy="choose fewer events by a condition or a window",
            column=self.name,
            row=row,
            count=rows.size,
        )


def numbers(_: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return numbers as they are."""
    return pa.array(measured[0], asked.result)


def truths(_: Measures, __: Asked, measured: list[Measured]) -> pa.Array:
    """Return whether all truths are true."""
    return pa.array(np.logical_and.reduce(measured))


def days_since(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return the days from those of events until the day."""
    size = measured[0].size
    since, missing = np.empty(size, np.int32), np.empty(size, np.bool_)
    days_since_events(measured[0], measures.batch.days, asked.as_of, since, missing)
    return pa.array(since, mask=missing)


def values_of_events(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return an attribute's values of events."""
    return _of_dictionary(measures, asked, measures.values_of_rows(asked.column, measured[0]))


def frequent_values(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return an attribute's values by their places."""
    return _of_dictionary(measures, asked, measured[0].astype(np.int64))


def _of_dictionary(measures: Measures, asked: Asked, places: NDArray[np.int64]) -> pa.Array:
    found = measures.columns.by_code(asked.column)
    if found is None:
        raise AssertionError(asked)
    indices = pa.array((places - 1).astype(np.int32), mask=places == 0)
    return pa.DictionaryArray.from_arrays(indices, found.in_order.values)


def extremes(_: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return values of which there is one, given their words."""
    words, known = measured
    return _of_words(words, asked.result, known)


def _of_words(
    words: NDArray[Any], kind: pa.DataType, known: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Return values of their words, low and high: (c, 2), or (c, 1) where they fit one."""
    if pa.types.is_decimal(kind) and words.shape[1] == 1:
        words = np.concatenate([words, words >> 63], axis=1)
    buffers: list[Any] = [None, pa.py_buffer(np.ascontiguousarray(words))]
    if known is not None:
        buffers[0] = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, words.shape[0], buffers)


def sums(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return sums in the type of the result."""
    total = measured[0]
    if isinstance(total, WholeTotal):
        is_decimal = pa.types.is_decimal(asked.result)
        largest = 10**MOST_DIGITS - 1 if is_decimal else 2**63 - 1
        # Of the smallest, the complement: integers have one more below 0 than above.
        limits = (largest, largest - 1 if is_decimal else largest)
        bounds = [word for limit in limits for word in (limit & (2**64 - 1), limit >> 64)]
        words = np.empty((total.parts.shape[1], 2 if is_decimal else 1), np.uint64)
        row = marked_sums.words_of_parts(total.parts, np.array(bounds, np.uint64), words)
        if row >= 0:
            limit = f"{MOST_DIGITS} digits" if is_decimal else "64 bits"
            raise asked.refused(f"the sum is beyond {limit}", np.array([row]))
        return _of_words(words, asked.result)
    floats = total.floats
    made = floats.sums + floats.errors
    _round(measures, total, None, np.flatnonzero(floats.inexact), made)
    return pa.array(_finite(asked, "the sum", made))


def means(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return sums by numbers of values; null where there is none."""
    total, counts = measured
    kind: Any = measures.columns.type_of(asked.column)
    scale = kind.scale if pa.types.is_decimal(kind) else 0
    divisors, errors = counts.astype(np.float64), np.zeros(counts.size)
    if 0 < scale <= LARGEST_EXACT_SCALE:
        exact = divisors
        divisors = np.empty(counts.size)
        quotients.multiply_exactly(exact, 10.0**scale, divisors, errors)
    numerators = _floats(total)
    uncertain = numerators.inexact | (scale > LARGEST_EXACT_SCALE) & (counts > 0)
    made = _divided(numerators, divisors, errors, uncertain)
    rows = np.flatnonzero(uncertain & (counts > 0))
    _round(measures, total, (counts, 10**scale), rows, made)
    return pa.array(_finite(asked, "the mean", made), mask=counts == 0)


def shares(measures: Measures, asked: Asked, measured: list[Measured]) -> pa.Array:
    """Return sums by sums; null where the latter are 0."""
    part, whole = measured
    numerators, denominators = _floats(part), _floats(whole)
    uncertain = numerators.inexact | denominators.inexact
    made = _divided(numerators, denominators.sums, denominators.errors, uncertain)
    is_nothing = (denominators.sums == 0) & ~denominators.inexact
    rows = np.flatnonzero(denominators.inexact)
    for begin in range(0, rows.size, ROWS_AT_ONCE):
        some = rows[begin : begin + ROWS_AT_ONCE]
        is_nothing[some] = ~measures.chunks(whole, some).any(axis=1)
    _round(measures, part, whole, np.flatnonzero(uncertain & ~is_nothing), made)
    return pa.array(_finite(asked, "the share", made), mask=is_nothing)


def _finite(asked: Asked, what: str, made: NDArray[np.float64]) -> NDArray[np.float64]:
    beyond = np.flatnonzero(~np.isfinite(made))
    if beyond.size:
        raise asked.refused(f"{what} is beyond the largest float", beyond)
    return made


def _floats(total: WholeTotal | FloatTotal) -> Floats:
    """Return sums as two floats each."""
    if isinstance(total, FloatTotal):
        return total.floats
    size = total.parts.shape[1]
    made = Floats(np.empty(size), np.empty(size), np.empty(size, np.bool_))
    marked_sums.floats_of_parts(total.parts, made.sums, made.errors, made.inexact)
    return made


def _divided(
    numerators: Floats,
    denominators: NDArray[np.float64],
    errors: NDArray[np.float64],
    uncertain: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return quotients, and write which of them are not certain."""
    made = np.empty(uncertain.size)
    quotients.divide_sums(numerators.sums, numerators.errors, denominators, errors, made, uncertain)
    return made


def _round(
    measures: Measures,
    numerators: WholeTotal | FloatTotal,
    denominators: WholeTotal | FloatTotal | tuple[NDArray[np.int64], int] | None,
    rows: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write exact quotients of some rows, rounded once; denominators: sums, or counts and a unit.

    Without denominators, what is divided is rounded.
    """
    for begin in range(0, rows.size, ROWS_AT_ONCE):
        some = rows[begin : begin + ROWS_AT_ONCE]
        exponent = FLOAT_UNIT if isinstance(numerators, FloatTotal) else 0
        if isinstance(denominators, WholeTotal | FloatTotal):
            exponent -= FLOAT_UNIT if isinstance(denominators, FloatTotal) else 0
            divisors = measures.chunks(denominators, some)
        else:
            counts, unit = denominators or (np.ones(out.size, np.int64), 1)
            unit_chunks = [unit >> 32 * place & (2**32 - 1) for place in range(5)]
            divisors = counts[some][:, None] * np.array(unit_chunks, np.int64)
            carry_sums(divisors)
        found = np.empty(some.size)
        quotients.round_quotients(
            measures.chunks(numerators, some),
            divisors,
            exponent,
            np.empty(divisors.shape[1] + 1, np.int64),
            found,
        )
        out[some] = found
