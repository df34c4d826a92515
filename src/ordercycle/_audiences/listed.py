"""The customers of a list with what they spent and are worth, and how two lists combine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._arrow_views import rows_of
from ordercycle._audiences.customer_sets import CustomerSet, Pairs, common_reader, paired, united

REVENUE = "revenue"
#: What the column of values is called within an audience.
VALUE = "value"


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


def sum_of(column: pa.ChunkedArray) -> Any:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.decimal128(38, column.type.scale))
    found = pc.sum(column).as_py()
    return 0 if found is None else found


def population_of(table: pa.Table, customers: CustomerSet) -> Population:
    column = revenue_of(table)
    with np.errstate(over="ignore"):
        fingerprint = int(customers.hashes.sum(dtype=np.uint64)) if customers.hashes.size else 0
    revenue = None if column is None else sum_of(table.column(column))
    return Population(table.num_rows, fingerprint, revenue)


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
