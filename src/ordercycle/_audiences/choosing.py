"""Who is on a list: conditions over a table and over streams, for all lists of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans
from ordercycle._audiences.listed import REVENUE, VALUE, revenue_of
from ordercycle._days import date_of, day_number
from ordercycle._errors import ColumnError, ConfigError, Option, suggestion
from ordercycle._expressions.expression_text import language_text
from ordercycle._segments.assigning import worked
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.next_transition import DAY_COLUMNS
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._segments.read_rules import FeaturedTable, ReadRules, columns_read
from ordercycle._segments.rule_values import bound


class Chosen(NamedTuple):
    """A table with the features that have names, and for which of its rows each list holds."""

    shown: pa.Table
    holds: Mapping[str, NDArray[np.bool_]]

    def columns(self, value: str | None, rows: Any) -> pa.Table:
        """Return the columns VALUE and REVENUE of some rows, where there are such."""
        named = ((VALUE, value), (REVENUE, revenue_of(self.shown)))
        return pa.table(
            {
                kept: self.shown.column(column).take(rows).combine_chunks()
                for kept, column in named
                if column is not None
            }
        )


@dataclass(frozen=True)
class Choosing:
    """Lists of the customers of one table.

    conditions: by the names of the lists; values: the columns of values of those that have one;
    features: that conditions and values may name.
    """

    conditions: Mapping[str, str | pc.Expression]
    values: Mapping[str, str]
    features: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def read(self) -> ReadRules:
        """The conditions as they are read, with the errors of what cannot be."""
        return ReadRules.of(dict(self.conditions), dict(self.features))

    def check_names(self) -> None:
        """Raise a ConfigError where a list has no name."""
        for name in self.conditions:
            check_name(name)

    def definition(self, name: str) -> str:
        """Return the condition of a list in words."""
        condition = self.conditions[name]
        text = condition if isinstance(condition, str) else language_text(condition)
        return str(condition) if text is None else text

    def columns_of(self, there: Iterable[str]) -> list[str]:
        """Return which of the columns of a table are read; all, where nobody knows of one."""
        names = list(there)
        read = self.read
        wanted = {CUSTOMER, REVENUE, *DAY_COLUMNS, *self.values.values()}
        for condition in read.conditions.values():
            if isinstance(condition, pc.Expression) and language_text(condition) is None:
                return names
            wanted |= {name for name, _ in columns_read(condition)}
        return [name for name in names if name in wanted]

    def chosen(
        self,
        table: pa.Table,
        streams: Mapping[str, Any] | None,
        day: int | None,
        missing: str,
        threads: int | None,
    ) -> Chosen:
        """Return which rows are on each list; day: as of which streams are read.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for `Audience.where`.
        """
        featured = _featured(table, self.read, streams, day, missing, threads)
        for value in self.values.values():
            _check_value(featured.shown, value)
        return Chosen(featured.shown, _holds(featured, list(self.conditions), threads))


def check_name(name: object) -> None:
    """Raise a ConfigError where something is no name of an audience."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ConfigError(
            (Option("name", name), " is no name of an audience"), remedy="pass printable text"
        )


def _check_value(table: pa.Table, value: str) -> None:
    if table.column_names.count(value) != 1:
        raise ColumnError(
            f"the table has no single column {value!r}{suggestion(value, table.column_names)}",
            remedy=("name a column of numbers with ", Option("value")),
            column=value,
        )
    kind = table.schema.field(value).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ColumnError(
            f"{value} is {kind}, which is no value", remedy="name a column of numbers", column=value
        )


def day_of(table: pa.Table, as_of: date | str | None) -> int | None:
    """Return the day a table is of, in days since 1970: as given, or as its columns say."""
    if as_of is not None:
        return day_number(as_of, "as_of")
    days = days_of(table)
    return days[0] if len(days) == 1 else None


def days_of(table: pa.Table) -> list[int]:
    """Return the day a table is of, as its columns say; the first and the last of several."""
    columns = [table.column(name) for name in DAY_COLUMNS if table.column_names.count(name) == 1]
    if len(columns) < len(DAY_COLUMNS) or not table.num_rows:
        return []
    if any(one.type not in kinds for one, kinds in zip(columns, DAY_COLUMNS.values(), strict=True)):
        return []
    days = pc.add(*(one.cast(pa.int32()).cast(pa.int64()) for one in columns))
    found = {one.as_py() for one in pc.min_max(days).values()}
    return sorted(found - {None})


def _featured(
    table: pa.Table,
    read: ReadRules,
    streams: Mapping[str, Any] | None,
    day: int | None,
    missing: str,
    threads: int | None,
) -> FeaturedTable:
    """Return a table with what conditions read of streams."""
    if not read.streams:
        return read.of_table(table, None)
    if day is None:
        raise ConfigError(
            f"streams are read as of a day ({', '.join(read.streams)}), and the table is of none",
            remedy=("pass ", Option("as_of"), " with the day of the table"),
        )
    source = StreamsAsOf.of({} if streams is None else streams, date_of(day), missing)
    return read.of_table(table, read.scans(source).of(table, threads=threads))


def _holds(
    featured: FeaturedTable, names: list[str], threads: int | None
) -> dict[str, NDArray[np.bool_]]:
    """Return for which rows each condition holds."""
    conditions = bound(featured.full, featured.conditions, featured.unseen)
    found = {name: np.empty(featured.full.num_rows, np.bool_) for name in names}

    def write(task: tuple[int, pa.Table]) -> None:
        start, rows = task
        truths = conditions.truths(rows)
        for name in names:
            truth = pc.fill_null(truths.column(name), fill_value=False)
            found[name][start : start + rows.num_rows] = booleans(truth.combine_chunks())

    for _ in worked(write, featured.full, threads=threads):
        pass
    return found
