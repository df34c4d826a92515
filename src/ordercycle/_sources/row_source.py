"""What a source is once it is open: a schema, and batches that are read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os.path import splitext
from typing import Literal, NamedTuple

import pyarrow as pa

from ordercycle._errors import ColumnError, Option, SourceError, Text, suggestion
from ordercycle._sources.file_names import FORMATS, without_compression
from ordercycle._sources.store_errors import explained
from ordercycle._sources.stores import LOCAL, Store

#: How many columns a message names of those that are there.
MOST_NAMED = 20
#: What to do where a column is missing, by what the rows are.
_NAMED = ("say which columns to read with ", Option("columns"))
REMEDIES: dict[str, tuple[str | Option, ...]] = {
    "orders": _NAMED,
    "customers": (*_NAMED, ", or ", Option("Columns.registered", None), " where it has none"),
    "events": _NAMED,
}


@dataclass(frozen=True)
class Where:
    """Where a row is: its number, the file it is in, and what the number counts.

    Rows count from 0; lines of text files from 1, with everything above them.

    Examples
    --------
    >>> print(Where(12, "b.parquet"))
    row 12 of 'b.parquet'
    """

    number: int
    file: str | None = None
    counts: Literal["row", "line"] = "row"

    def __str__(self) -> str:
        of_file = "" if self.file is None else f" of {self.file!r}"
        return f"{self.counts} {self.number}{of_file}"


#: Says where a row of the whole source is; in words where its number there is not known.
Place = Callable[[int], Where | str]


class Files(NamedTuple):
    """What the rows of files say of how these are to be read.

    kind: a value of FORMATS; names: all columns that some file has; are_placed: whether paths lead
    to them.
    """

    kind: str
    names: frozenset[str]
    are_placed: bool


@dataclass(frozen=True)
class Source:
    """The requested columns of a table, read once."""

    name: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int | None  # None: not known before the end
    in_memory: bool = False
    place: Place = Where  # of rows that have been read
    is_untyped: bool = False  # read from text: ids can be text as well, if other tables have text
    is_whole: bool = True  # whether it is all of a table, rather than what a task gets of it
    written: int | None = None  # when the newest of its files was, in nanoseconds, on a disk
    times_had_offsets: bool = False  # whether a text gave times of day elsewhere than in UTC
    files: Files | None = None  # None: it is no file

    def close(self) -> None:
        """Stop reading, end the threads that read ahead, and give their memory back.

        Arrow keeps what batches took for later ones. Grouping, which comes next, has fresh memory
        to touch instead: with 20 million orders 0.1 to 0.2 s of the system's time where it took
        0.5 to 0.9, and 1.02 GB at the peak where it was 1.36.
        """
        close = getattr(self.batches, "close", None)
        if close is not None:
            close()
        if not self.in_memory:
            pa.default_memory_pool().release_unused()


#: The column that says which rows count, where a condition does.
ONLY = "rows that count"
#: The columns in which what stands behind computed ones travels, where rows are compared in it.
COMPARED = ("a word of all others", "another word of all others")
#: Names of columns that are made.
TAKEN = (ONLY, *COMPARED)


def check_columns(
    schema: pa.Schema, required: list[str], name: str, file: str | None = None
) -> None:
    """Raise a ColumnError unless each required column is there once."""
    check_names(schema.names, required, name, file)


def check_names(
    names: Sequence[str], required: list[str], name: str, file: str | None = None
) -> None:
    """Raise a ColumnError unless each required column is among some names once, and can be read."""
    where = f" in {file!r}" if file else ""
    for column in required:
        if column in TAKEN:
            raise ColumnError(
                f"{name}: {column!r} is what a column is called that is made while rows are read",
                remedy="rename the column",
                column=column,
            )
        found = list(names).count(column)
        if found == 0:
            there = ", ".join(map(repr, names[:MOST_NAMED])) or "no column at all"
            if len(names) > MOST_NAMED:
                there += f" and {len(names) - MOST_NAMED} more"
            hint = suggestion(column, map(str, names))
            raise ColumnError(
                f"{name} has no column {column!r}{hint}{where}",
                remedy=(f"it has {there}: ", *REMEDIES.get(name, ("rename its columns",))),
                column=column,
            )
        if found > 1:
            raise ColumnError(
                f"{name} has {found} columns named {column!r}{where}",
                remedy=_doubled(column, file),
                column=column,
            )


def _doubled(column: str, file: str | None) -> Text:
    """Return what to do about a name that several columns have."""
    if file is None or FORMATS.get(splitext(without_compression(file))[1], "csv") != "csv":
        return "rename all but the one to read"
    path = file.replace("'", "''")
    return (
        "rename all but the one to read, or read it with ",
        Option("sql", f"select * from read_csv('{path}')"),  # noqa: S608 - shown, not run
        f", in which the second is {column + '_1'!r}",
    )


def unreadable(
    name: str, error: Exception, file: str | None = None, store: Store = LOCAL
) -> SourceError:
    """Return the SourceError for what a reader raised, to be raised from `cause`."""
    reason, remedy = explained(error, store.uri)
    if type(error).__module__ == "builtins" and not isinstance(error, OSError):
        reason = f"{type(error).__name__}: {reason}"
    if file is None:
        return SourceError(f"{name} cannot be read: {reason}")
    if remedy is None or not store.is_remote:
        remedy = "write the file again, or leave it out"
    return SourceError(f"{name}: {file!r} cannot be read: {reason}", remedy=remedy)
