"""How schemes add columns to a profile: their inputs checked, their codes written by threads.

A column is declared (:class:`Produced`), what it is made of is checked once, and a kernel or an
expression writes a code per customer, slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, array_of_texts, bitmap, fixed_view
from ordercycle._columns import WINDOW
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, counted, suggestion
from ordercycle._workspace import Workers, thread_count

#: The type of every column of segments.
SEGMENT_TYPE = pa.dictionary(pa.int8(), pa.string())
#: As many as its codes can count.
MOST_SEGMENTS = 127
#: The code of a customer who has no segment.
NO_CODE = np.int8(-1)
#: Customers a task takes: enough that a task costs nothing, few enough to keep threads busy.
ROWS_PER_TASK = 2**17

#: Writes the codes of some customers: the columns read, and one array (c,) per column produced.
WriteCodes = Callable[[pa.RecordBatch, Sequence[NDArray[np.int8]]], None]


class Produced(NamedTuple):
    """A column that a scheme adds: its names in the order of the codes, or None for scores."""

    name: str
    names: tuple[str, ...] | None
    nullable: bool

    @classmethod
    def of(cls, name: str, segments: tuple[str, ...]) -> Produced:
        """Return the column of the segments of a scheme that anybody may have written."""
        names = tuple(segments)
        if not all(isinstance(one, str) and one for one in names) or len(set(names)) < len(names):
            raise ConfigError(f"the segments of {name!r} are no distinct names: {names!r}")
        if len(names) > MOST_SEGMENTS:
            raise ConfigError(
                f"{name!r} has {counted(len(names), 'segment')}",
                remedy=f"{MOST_SEGMENTS} are the most",
            )
        return cls(name, names, nullable=True)

    @property
    def field(self) -> pa.Field:
        """The column's name and type."""
        kind = pa.int8() if self.names is None else SEGMENT_TYPE
        return pa.field(self.name, kind, nullable=self.nullable)

    def column(self, codes: NDArray[np.int8]) -> pa.ChunkedArray:
        """Wrap codes, `NO_CODE` becoming null."""
        valid = bitmap(codes >= 0) if self.nullable else None
        array = array_of(codes, pa.int8(), valid)
        if self.names is not None:
            array = pa.DictionaryArray.from_arrays(array, array_of_texts(self.names))
        return pa.chunked_array([array])


#: Types that a column may have, by name.
Inputs = Mapping[str, tuple[pa.DataType, ...]]


def refuse_window(table: pa.Table, why: str) -> None:
    """Raise a ConfigError where a profile keeps only the orders of some days."""
    if WINDOW in table.column_names:
        raise ConfigError(
            f"this profile has a window, by its column {WINDOW!r}, {why}",
            remedy=("take a profile without ", Option("window_days")),
        )


def refuse_taken(table: pa.Table, produced: Iterable[Produced | pa.Field]) -> None:
    """Raise a ColumnError where a column that would be added is there."""
    for column in produced:
        if column.name in table.column_names:
            raise ColumnError(
                f"the table has a column {column.name!r} already",
                remedy="drop or rename it before assigning",
                column=column.name,
            )


def refuse_absent(table: pa.Table, names: Iterable[str]) -> None:
    """Raise a ColumnError where a table has not exactly one column of each name."""
    for name in names:
        if table.column_names.count(name) != 1:
            hint = suggestion(name, table.column_names)
            raise ColumnError(
                f"the table has no single column {name!r}{hint}",
                remedy=f"pass a profile, or a table that has {', '.join(map(repr, names))}",
                column=name,
            )


def selected(table: pa.Table, inputs: Inputs) -> pa.Table:
    """Return the columns that a scheme reads, each of a type it takes."""
    refuse_absent(table, inputs)
    for name, kinds in inputs.items():
        found = table.column(name).type
        # Decimals are taken in any precision and scale.
        if not any(found == kind or found.id == kind.id == pa.decimal128(1).id for kind in kinds):
            listed = " or ".join(str(kind).partition("(")[0] for kind in kinds)
            raise ColumnError(f"{name} is {found}", remedy=f"cast it to {listed}", column=name)
    return table.select(list(inputs))


def views(batch: pa.RecordBatch) -> list[NDArray[Any]]:
    """Return the columns of a batch as the arrays that kernels take, nulls included."""
    return [fixed_view(column, column.type.to_pandas_dtype()) for column in batch.columns]


def refuse_undecided(what: str, bad: pa.ChunkedArray, *, column: str | None = None) -> None:
    """Raise a DataError where a row is marked: its values decide nothing, for the reason given.

    column: which one is wrong; None: the first word of what is.
    """
    if not pc.any(bad).as_py():
        return
    row, count = bad.index(pa.scalar(value=True)).as_py(), pc.sum(bad).as_py()
    raise DataError(
        f"{what} at row {row} ({counted(count, 'such row')})",
        remedy="every customer needs a value to have a segment, so fix or drop these rows",
        column=what.partition(" ")[0] if column is None else column,
        row=row,
        count=count,
    )


def refuse_bad_orders(orders: pa.ChunkedArray) -> None:
    """Raise a DataError where the number of orders is null or negative."""
    if orders.null_count or (len(orders) and pc.min_max(orders)["min"].as_py() < 0):
        bad = pc.fill_null(pc.less(orders, 0), fill_value=True)
        refuse_undecided("orders is null or negative", bad)


def refuse_missing(table: pa.Table, name: str, at_least: int) -> None:
    """Raise a DataError where a value is null though the customer has that many orders."""
    column = table.column(name)
    if column.null_count:
        reached = pc.greater_equal(table.column("orders"), at_least)
        there = f"{at_least} orders" if at_least > 1 else "orders"
        what = f"{name} is null though there are {there}"
        refuse_undecided(what, pc.and_(column.is_null(), reached))


def codes_of(found: Any, segments: Sequence[str], rows: int, scheme: str) -> NDArray[np.int8]:
    """Return the codes of segments that are given by name; `NO_CODE` where there is none.

    Raises
    ------
    ConfigError
        Where there is not one for each row, or one is none of the segments.
    """
    if not isinstance(found, pa.Array | pa.ChunkedArray):
        found = pa.array(found, pa.string())
    column = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    if len(column) != rows:
        raise ConfigError(
            f"scheme {scheme!r} decided for {counted(len(column), 'customer')} of {rows:,}",
            remedy="return a segment, or None, for each row",
        )
    names = pa.array(segments, pa.string())
    if column.type == SEGMENT_TYPE and column.dictionary.equals(names):
        codes = fixed_view(column.indices, np.int8)
    else:
        text = column.cast(pa.string())
        places = pc.index_in(text, value_set=names)
        if places.null_count > text.null_count:
            unknown = text.filter(pc.and_(places.is_null(), text.is_valid()))[0].as_py()
            raise ConfigError(
                f"scheme {scheme!r} decided for a segment {unknown!r}, which it does not have"
                f"{suggestion(unknown, segments)}",
                remedy=f"it has {', '.join(map(repr, segments))}; None is for no segment",
            )
        return np.asarray(places.fill_null(int(NO_CODE)), np.int8)
    if column.null_count == 0:
        return codes
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), codes, NO_CODE)


def appended(
    table: pa.Table,
    inputs: pa.Table,
    produced: Sequence[Produced],
    write: WriteCodes,
    *,
    threads: int | None,
) -> pa.Table:
    """Return the table with the columns that `write` makes of the inputs, by several threads."""
    columns = [np.empty(table.num_rows, np.int8) for _ in produced]

    def work(task: tuple[int, pa.Table]) -> None:
        start, rows = task
        for batch in rows.to_batches():
            stop = start + batch.num_rows
            write(batch, [codes[start:stop] for codes in columns])
            start = stop

    for _ in worked(work, inputs, threads=threads):
        pass
    for made, codes in zip(produced, columns, strict=True):
        table = table.append_column(made.field, made.column(codes))
    return table


def worked(
    work: Callable[[tuple[int, pa.Table]], Any],
    table: pa.Table,
    *,
    threads: int | None,
    rows_per_task: int | None = None,
) -> Iterator[Any]:
    """Yield what `work` makes of consecutive slices of a table, each with its first row."""
    rows = ROWS_PER_TASK if rows_per_task is None else rows_per_task
    tasks = [(start, table.slice(start, rows)) for start in range(0, table.num_rows, rows)]
    with Workers(max(1, min(thread_count(threads), len(tasks)))) as workers:
        yield from workers.in_order(work, tasks)
