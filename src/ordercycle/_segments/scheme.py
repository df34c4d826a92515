"""What every segmentation scheme is, and the mechanics they share.

A scheme is a frozen object. It is declared by the profile columns it reads, a kernel that writes a
code per customer, and the names of the codes; the checks of the columns and the appending of the
results are here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, array_of_texts, bitmap, fixed_view
from ordercycle._columns import WINDOW
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, counted, suggestion
from ordercycle._public import public
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


@public()
@runtime_checkable
class Scheme(Protocol):
    """A rule that gives the customers of a profile segments.

    Schemes are frozen and equal where their dicts are. A scheme that has to be fitted has a
    method ``first_round`` besides (:mod:`ordercycle._segments.counting_rounds`); used unfitted, its
    ``assign`` raises a ConfigError.
    """

    @property
    def name(self) -> str:
        """The column it adds, and the word for it in dicts and on the command line."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Return a profile with the scheme's columns; one without rows shows their types."""

    def to_dict(self) -> dict[str, Any]:
        """Return text, numbers, booleans, lists and dicts of these, with ``scheme``: the name."""


class Produced(NamedTuple):
    """A column that a scheme adds: its names in the order of the codes, or None for scores."""

    name: str
    names: tuple[str, ...] | None
    nullable: bool

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


def selected(table: pa.Table, inputs: Inputs) -> pa.Table:
    """Return the columns that a scheme reads, each of a type it takes."""
    for name, kinds in inputs.items():
        if table.column_names.count(name) != 1:
            hint = suggestion(name, table.column_names)
            raise ColumnError(
                f"the table has no single column {name!r}{hint}",
                remedy=f"pass a profile, or a table that has {', '.join(map(repr, inputs))}",
                column=name,
            )
        found = table.column(name).type
        # Decimals are taken in any precision and scale.
        if not any(found == kind or found.id == kind.id == pa.decimal128(1).id for kind in kinds):
            listed = " or ".join(str(kind).partition("(")[0] for kind in kinds)
            raise ColumnError(f"{name} is {found}", remedy=f"cast it to {listed}", column=name)
    return table.select(list(inputs))


def views(batch: pa.RecordBatch) -> list[NDArray[Any]]:
    """Return the columns of a batch as the arrays that kernels take, nulls included."""
    return [fixed_view(column, column.type.to_pandas_dtype()) for column in batch.columns]


def refuse_undecided(what: str, bad: pa.ChunkedArray) -> None:
    """Raise a DataError where a row is marked: its values decide nothing, for the reason given."""
    if not pc.any(bad).as_py():
        return
    row, count = bad.index(pa.scalar(value=True)).as_py(), pc.sum(bad).as_py()
    raise DataError(
        f"{what} at row {row} ({counted(count, 'such row')})",
        remedy="every customer needs a value to have a segment, so fix or drop these rows",
        column=what.partition(" ")[0],
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
    rows_per_task: int = ROWS_PER_TASK,
) -> Iterator[Any]:
    """Yield what `work` makes of consecutive slices of a table, each with its first row."""
    tasks = [
        (start, table.slice(start, rows_per_task))
        for start in range(0, table.num_rows, rows_per_task)
    ]
    with Workers(max(1, min(thread_count(threads), len(tasks)))) as workers:
        yield from workers.in_order(work, tasks)
