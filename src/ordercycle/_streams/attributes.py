"""The values of a history's attributes, and lookups: further columns of each value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._errors import ColumnError, ConfigError, DataError, Option, counted, suggestion
from ordercycle._streams.columns import Attribute, Lookup


@dataclass(frozen=True)
class Values:
    """The values of an attribute by code: that of code 1 first.

    ranks: by code, of null first, the place of each value in their order; None where codes are.
    """

    values: pa.Array
    ranks: NDArray[np.uint32] | None = None

    @classmethod
    def of(cls, values: pa.Array) -> Values:
        """Return values by code, or raise a ValueError where one is null or there twice."""
        order = np.asarray(pc.array_sort_indices(values))
        if values.null_count or len(values.unique()) < len(values):
            raise ValueError("an attribute has a value twice, or a null")
        if (order[1:] > order[:-1]).all():
            return cls(values)
        ranks = np.zeros(len(values) + 1, np.uint32)
        ranks[1 + order] = np.arange(1, len(values) + 1)
        return cls(values, ranks)

    @property
    def places(self) -> NDArray[np.uint32]:
        """The place of each code's value in the order of values, 0 of null: (codes + 1,)."""
        if self.ranks is not None:
            return self.ranks
        return np.arange(len(self.values) + 1, dtype=np.uint32)


@dataclass(frozen=True)
class Attributes(Mapping[str, Values]):
    """The values of each attribute by its name, and tables with more about them."""

    known: Mapping[str, Values] = field(default_factory=dict)
    lookups: Mapping[str, pa.Table] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Values:
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is kept: without what is made of it once it is asked for."""
        return {"known": self.known, "lookups": self.lookups}

    @cached_property
    def columns(self) -> Mapping[str, Attribute]:
        """What conditions and features can ask for."""
        return {
            name: Attribute(known.values, known.ranks, self._lookups_of(name, known))
            for name, known in self.known.items()
        }

    def with_values(self, known: Mapping[str, Values]) -> Attributes:
        """Return the same lookups for other values."""
        return replace(self, known=known)

    def with_lookups(self, lookups: Mapping[str, Any], named: str) -> Attributes:
        """Return the same with other tables for the attributes that are named, checked.

        lookups: tables, or what becomes one; named: the argument by which attributes are named.
        """
        if not isinstance(lookups, Mapping):
            raise ConfigError(
                (Option("lookups", lookups), " names no attributes"),
                remedy='pass a dictionary such as {"product": table}',
            )
        tables = {}
        for name, lookup in lookups.items():
            if name not in self.known:
                hint = suggestion(str(name), self.known)
                raise ConfigError(
                    (Option("lookups"), f": {name!r} is no attribute{hint}"),
                    remedy=("name it in ", Option(named, (name,))),
                )
            tables[name] = _table_of(name, lookup)
            _check_lookup(name, tables[name], self.known[name].values.type)
        return replace(self, lookups={**self.lookups, **tables})

    def unmatched_codes(self) -> dict[str, set[int]]:
        """Return the codes of each attribute with a lookup whose values have no row there."""
        found = {}
        for name, table in self.lookups.items():
            values = self.known[name].values
            rows = pc.index_in(values, _key_column(table, name, values.type))
            found[name] = set((1 + np.flatnonzero(np.asarray(rows.is_null()))).tolist())
        return found

    def _lookups_of(self, name: str, known: Values) -> Mapping[str, Lookup]:
        table = self.lookups.get(name)
        return {} if table is None else LookupColumns(name, table, known.values)


@dataclass(frozen=True, eq=False)
class LookupColumns(Mapping[str, Lookup]):
    """The columns of a lookup beside that of its attribute, each joined when it is asked for.

    Threads may ask at once: at worst, two of them join the same column, and one result is kept.
    """

    name: str
    table: pa.Table
    values: pa.Array
    joined: dict[str, Lookup] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, column: str) -> Lookup:
        if column not in self.joined:
            if column == self.name or column not in self.table.column_names:
                raise KeyError(column)
            catalogue = plain_column(self.table.column(column))
            self.joined.setdefault(column, Lookup(catalogue.take(self._rows), catalogue))
        return self.joined[column]

    def __iter__(self) -> Iterator[str]:
        return (column for column in self.table.column_names if column != self.name)

    def __len__(self) -> int:
        return len(self.table.column_names) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what was joined."""
        return LookupColumns, (self.name, self.table, self.values)

    @cached_property
    def _rows(self) -> pa.Array:
        """The row of the table for each value, null where there is none."""
        return pc.index_in(self.values, _key_column(self.table, self.name, self.values.type))


def _table_of(name: str, lookup: Any) -> pa.Table:
    """Return a lookup as a table."""
    try:
        return lookup if isinstance(lookup, pa.Table) else pa.table(lookup)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            (Option("lookups"), f": what is given for {name!r} is a {type(lookup).__name__}"),
            remedy="pass a table: of pyarrow, pandas or Polars, or a dictionary of its columns",
        ) from error


def plain_column(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, in a type that Arrow can take, compare and sort."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        kind = pa.large_string()
    elif pa.types.is_binary_view(kind):
        kind = pa.large_binary()
    elif pa.types.is_float16(kind):
        kind = pa.float32()
    elif pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        kind = pa.decimal128(kind.precision, kind.scale)
    found = column.cast(kind).combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _key_column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    return plain_column(table.column(name)).cast(kind)


def _check_column(column: pa.ChunkedArray, what: str, name: str) -> None:
    """Raise a ColumnError unless values of the type can be joined, told apart and put in order."""
    try:
        nothing = plain_column(column.slice(0, 0))
        # Arrow says what it cannot do with a type without any value as well.
        _ = Lookup(nothing.take(pa.array([], pa.int64())), nothing).in_order
    except pa.ArrowException as error:
        raise ColumnError(
            f"{what}: {name} is {column.type}, whose values have no order",
            remedy="leave it out, or make columns of numbers, texts or times of it",
            column=name,
        ) from error


def _check_lookup(name: str, table: Any, kind: pa.DataType) -> None:
    """Raise where a table has not exactly one row for each value that it has."""
    what = f"the lookup of {name}"
    names = Counter(table.column_names)
    for column, count in names.items():
        if count > 1:
            raise ColumnError(
                f"{what} has {count} columns named {column!r}",
                remedy="rename all but one, or leave them out",
                column=column,
            )
    if name not in names:
        raise ColumnError(
            f"{what} has no column {name!r}{suggestion(name, names)}",
            remedy=f"rename the column with the values of {name}",
            column=name,
        )
    for column in names:
        _check_column(table.column(column), what, column)
    try:
        keys = _key_column(table, name, kind)
    except pa.ArrowException as error:
        raise ColumnError(
            f"{what}: {name} is {table.schema.field(name).type}, and {kind} in the rows",
            remedy="cast one of them",
            column=name,
        ) from error
    if keys.null_count:
        row = keys.is_null().index(pa.scalar(value=True)).as_py()
        raise DataError(
            f"{what}: {name} is null at row {row} ({counted(keys.null_count, 'such row')})",
            remedy="drop these rows",
            column=name,
            row=row,
            count=keys.null_count,
        )
    firsts = pc.index_in(keys, keys)
    again = np.flatnonzero(np.asarray(firsts) != np.arange(len(keys)))
    if again.size:
        row = int(again[0])
        raise DataError(
            f"{what} has {name} {keys[row]} a second time at row {row} "
            f"({counted(again.size, 'such row')})",
            remedy="keep one row per value",
            column=name,
            row=row,
            count=int(again.size),
        )
