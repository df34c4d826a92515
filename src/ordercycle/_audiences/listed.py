"""The customers of a list with what they spent and are worth, and how two lists combine."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import rows_of
from ordercycle._attribution.exact_totals import as_number, whole_total
from ordercycle._audiences.customer_sets import CustomerSet, Pairs, common_reader, paired, united
from ordercycle._experiments.window_scan import whole_sum
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, carry_sums
from ordercycle_kernels.purchase_cells import add_floats

REVENUE = "revenue"
#: What the column of values is called within an audience.
VALUE = "value"
#: Floats that are added up before digits are carried.
MOST_ROWS = 2**28


class Population(NamedTuple):
    """The table a list is of: rows, what tells its customers from others, and its revenue."""

    customers: int
    fingerprint: int
    revenue: Any


class Listed(NamedTuple):
    """The customers of a list, and columns VALUE and REVENUE of them, where there are such."""

    customers: CustomerSet
    columns: pa.Table
    population: Population


def revenue_of(table: pa.Table) -> str | None:
    if table.column_names.count(REVENUE) != 1:
        return None
    kind = table.schema.field(REVENUE).type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return REVENUE if numeric else None


class Total(NamedTuple):
    """An exact sum of numbers: of the finite ones, in units of their last digit; how many are not.

    Parts add up, in any order.
    """

    finite: Fraction = Fraction(0)
    nan: int = 0
    above: int = 0
    below: int = 0

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Total:
        """Return the sum of the numbers of a column that are not null."""
        kind = column.type
        if not pa.types.is_floating(kind):
            return cls(whole_total(column))
        chunks, odd = np.zeros(FLOAT_CHUNKS, np.int64), np.zeros(3, np.int64)
        for chunk in column.chunks:
            values = np.asarray(chunk.cast(pa.float64()).drop_null(), np.float64)
            kept = np.isfinite(values)
            if not kept.all():
                odd += (np.isnan(values).sum(), (values == np.inf).sum(), (values == -np.inf).sum())
            for start in range(0, values.size, MOST_ROWS):
                its = slice(start, start + MOST_ROWS)
                add_floats(values[its], kept[its], chunks)
                carry_sums(chunks[None])
        return cls(whole_sum(chunks, 0, is_float=True), *odd.tolist())

    def number(self, kind: pa.DataType) -> Any:
        """Return the sum as the number that values of a type are, of floats rounded once."""
        return self.divided(1) if pa.types.is_floating(kind) else as_number(self.finite, kind)

    def divided(self, by: int) -> float:
        """Return the sum of floats by a number, rounded once."""
        if self.nan or (self.above and self.below):
            return math.nan
        if self.above or self.below:
            return math.inf if self.above else -math.inf
        try:
            return float(self.finite / by)
        except OverflowError:
            return math.copysign(math.inf, self.finite)


def sum_of(column: pa.ChunkedArray) -> Any:
    return Total.of(column).number(column.type)


def population_of(table: pa.Table, customers: CustomerSet) -> Population:
    column = revenue_of(table)
    revenue = None if column is None else sum_of(table.column(column))
    return Population(table.num_rows, fingerprint_of(customers), revenue)


def fingerprint_of(customers: CustomerSet) -> int:
    """Return what tells customers from others: parts add up, modulo 2**64."""
    with np.errstate(over="ignore"):
        return int(customers.hashes.sum(dtype=np.uint64)) if customers.hashes.size else 0


def combined(one: Listed, other: Listed, sign: str, names: tuple[str, str]) -> Listed:
    pairs = paired(one.customers, other.customers, names)
    kept = np.ones(pairs.one.size, np.bool_)
    if sign == "&":
        kept = (pairs.one >= 0) & (pairs.other >= 0)
    elif sign == "-":
        kept = (pairs.one >= 0) & (pairs.other < 0)
    pairs = Pairs(pairs.one[kept], pairs.other[kept])
    population = one.population
    if sign == "|" and not is_of_same(one, other):
        # Of two tables no more is known than who is on a list of either.
        most = max(pairs.one.size, one.population.customers, other.population.customers)
        population = Population(most, 0, None)
    reader = common_reader(one.customers, other.customers, names)
    customers = united(one.customers, other.customers, pairs, reader)
    return Listed(customers, _columns_of_both(one, other, pairs), population)


def is_of_same(one: Listed, other: Listed) -> bool:
    """Return whether two lists are of tables of the same customers."""
    return one.population[:2] == other.population[:2]


def _columns_of_both(one: Listed, other: Listed, pairs: Pairs) -> pa.Table:
    """Return values and revenue of customers of either, those of the first where it has them."""
    made = {}
    sides = (one.columns, other.columns)
    border = one.customers.hashes.size
    rows = rows_of(np.where(pairs.one >= 0, pairs.one, pairs.other + border).astype(np.int64))
    only_one = not (pairs.one < 0).any()
    for name in (VALUE, REVENUE):
        there = [side.column(name) if name in side.column_names else None for side in sides]
        if there[0] is None:
            continue
        if only_one:
            made[name] = there[0].take(rows)
        elif there[1] is not None:
            made[name] = pa.chunked_array(_in_one_type(there[0], there[1])).take(rows)
        elif name == VALUE:  # some of the customers have none
            missing = pa.nulls(other.customers.hashes.size, there[0].type)
            made[name] = pa.chunked_array([*there[0].chunks, missing], there[0].type).take(rows)
    return pa.table({name: column.combine_chunks() for name, column in made.items()})


def _in_one_type(one: pa.ChunkedArray, other: pa.ChunkedArray) -> list[pa.Array]:
    kind = one.type if one.type == other.type else pa.float64()
    return [
        chunk
        for side in (one, other)
        for chunk in (side if side.type == kind else side.cast(kind)).chunks
    ]
