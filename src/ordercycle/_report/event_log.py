"""The event log of a report: when the conditions of segments changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle._arrow_views import dates_of
from ordercycle._errors import ColumnError, DataError
from ordercycle._months import Period
from ordercycle._report.interval_columns import plain_table

WHAT = "changes"
SEGMENT, DAY, NOTE = "segment", "changed_on", "note"
SCHEMA = pa.schema(
    [
        pa.field(SEGMENT, pa.string(), nullable=False),
        pa.field(DAY, pa.date32(), nullable=False),
        pa.field(NOTE, pa.string()),
        pa.field("of", pa.string(), nullable=False),
    ]
)


class Change(NamedTuple):
    """A change of a segment's conditions."""

    segment: str
    day: date
    note: str | None


class EventLog(NamedTuple):
    """All changes, by day."""

    changes: tuple[Change, ...]

    @classmethod
    def of(cls, given: Any) -> EventLog:
        """Return the changes of a table; None has none.

        Raises
        ------
        ConfigError
            It is no table.
        ColumnError
            A column is missing or of a wrong type.
        DataError
            A segment or a day is null.
        """
        if given is None:
            return cls(())
        table = plain_table(given, WHAT, (SEGMENT, DAY, NOTE))
        try:
            days = dates_of(table.column(DAY))
            names, notes = (table.column(name).cast(pa.string()) for name in (SEGMENT, NOTE))
        except pa.ArrowException as error:
            raise ColumnError(
                f"{WHAT}: {error}", remedy="segment and note are text, changed_on is a date"
            ) from None
        for name, column in ((SEGMENT, names), (DAY, days)):
            rows = [row for row, one in enumerate(column.to_pylist()) if one is None]
            if rows:
                raise DataError(
                    f"{WHAT}: {name} is null",
                    remedy="drop these rows before the call",
                    column=name,
                    row=rows[0],
                    count=len(rows),
                )
        columns = (one.to_pylist() for one in (names, days, notes))
        rows_of = (Change(*row) for row in zip(*columns, strict=True))
        return cls(tuple(sorted(rows_of, key=lambda one: (one.day, one.segment))))

    def table(self, segments: Sequence[str], period: Period, previous: Period | None) -> pa.Table:
        """Return the changes of segments that lie in a period or in the one before."""
        rows = []
        for of, one in (("period", period), ("previous", previous)):
            if one is None:
                continue
            # What changes on the first day of a period changes nothing within it.
            rows += [
                (*change, of)
                for change in self.changes
                if change.segment in segments and one.first_day < change.day <= one.last_day
            ]
        columns = zip(*rows, strict=True) if rows else [[]] * len(SCHEMA)
        arrays = [
            pa.array(list(column), kind) for column, kind in zip(columns, SCHEMA.types, strict=True)
        ]
        return pa.table(arrays, schema=SCHEMA)
