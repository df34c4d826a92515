"""Exact sums under names: what partitions count of things that only their values tell apart.

Codes of channels or brands are those of a partition; their names are those of all. A sum is written
as digits of 32 bits in units of the smallest float, which add up as integers, in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NAMED_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("cell", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
#: What a name is made of.
Value: TypeAlias = str | int | bool | None
Name: TypeAlias = tuple[Value, ...]
DIGIT_BITS = 32
#: One over the smallest float: each float, and each whole number, is a whole number of such units.
UNITS = 1 << 1074


def to_batch(sums: Mapping[Name, Fraction | int]) -> pa.RecordBatch:
    """Return sums as a table that adds up with others.

    >>> one = to_batch({("revenue", "Email"): Fraction(1, 2)})
    >>> other = to_batch({("revenue", "Email"): Fraction(-3), ("orders", None): 2})
    >>> for name, total in from_table(pa.Table.from_batches([one, other])).items():
    ...     print(*name, total)
    revenue Email -5/2
    orders None 2
    """
    keys, cells, counts = list[str](), list[int](), list[int]()
    for name, total in sums.items():
        key = json.dumps(name)
        for cell, digit in _digits(total):
            keys.append(key)
            cells.append(cell)
            counts.append(digit)
    columns = zip((keys, cells, counts), NAMED_SCHEMA.types, strict=True)
    arrays = [pa.array(values, kind) for values, kind in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=NAMED_SCHEMA)


def from_table(table: pa.Table) -> dict[Name, Fraction]:
    """Return the sums of rows in any order; those of 0 are not there."""
    found: dict[str, int] = {}
    columns = (table[name].to_pylist() for name in NAMED_SCHEMA.names)
    for key, cell, count in zip(*columns, strict=True):
        found[key] = found.get(key, 0) + (count << cell * DIGIT_BITS)
    return {tuple(json.loads(key)): Fraction(total, UNITS) for key, total in found.items() if total}


def arrays_to_batches(arrays: Mapping[str, NDArray[np.int64]]) -> Iterator[pa.RecordBatch]:
    """Yield arrays that add up, by their names: cells are the places of what is not 0."""
    for name, values in arrays.items():
        flat = values.reshape(-1)
        places = np.flatnonzero(flat)
        keys = pa.repeat(json.dumps([name]), places.size)
        columns = [keys, pa.array(places, pa.int64()), pa.array(flat[places], pa.int64())]
        yield pa.RecordBatch.from_arrays(columns, schema=NAMED_SCHEMA)


def fill_arrays(arrays: Mapping[str, NDArray[np.int64]], table: pa.Table) -> pa.Table:
    """Fill arrays of zeros with the sums of a table, each row its own; return all other rows."""
    for name, values in arrays.items():
        is_its = pc.equal(table["key"], json.dumps([name]))
        those, table = table.filter(is_its), table.filter(pc.invert(is_its))
        values.reshape(-1)[those["cell"].to_numpy()] = those["count"].to_numpy()
    return table


def _digits(total: Fraction | int) -> list[tuple[int, int]]:
    """Return the digits of a sum that are not 0, with their places, the sign on each."""
    units = total * UNITS
    if units.denominator != 1:
        raise AssertionError(f"{total} is no sum of floats")
    left, sign = abs(units.numerator), -1 if units < 0 else 1
    made = []
    for place in range(-(-left.bit_length() // DIGIT_BITS)):
        digit = left >> place * DIGIT_BITS & (1 << DIGIT_BITS) - 1
        if digit:
            made.append((place, sign * digit))
    return made
