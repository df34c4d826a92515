"""Profiles in files or on stdin, read again and again in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import pyarrow as pa

    from ordercycle._sources.row_source import Source

ROWS_PER_PIECE = 131_072
WHAT = "the profile"
#: How keys of metadata begin that are of this library.
OWN_KEYS = b"ordercycle."


@dataclass(frozen=True)
class ProfileRows:
    """A profile in a file of any format that is read, or what was piped in."""

    rows: Any

    @classmethod
    def of(cls, path: Path) -> ProfileRows:
        """Open a profile; what comes from stdin is kept in a file until it was read."""
        from ordercycle._sources.standard_input import at_hand

        return cls(at_hand(path, spooled=True))

    def pieces(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows in pieces; an empty profile still yields its schema.

        columns: those that are read, as far as they are there; None: all.
        """
        import pyarrow as pa

        from ordercycle._segments.profile_tables import as_declared
        from ordercycle._sources.files import schema_of_first
        from ordercycle._sources.read_request import ReadRequest

        written = schema_of_first(self.rows, ReadRequest(WHAT, {}))
        source = self._opened(columns)
        schema = pa.schema([_as_written(one, written.field(one.name)) for one in source.schema])
        row = 0
        try:
            for batch in source.batches:
                table = pa.table(batch.columns, schema=schema)
                for start in range(0, table.num_rows, ROWS_PER_PIECE):
                    piece = table.slice(start, ROWS_PER_PIECE)
                    yield as_declared(piece, WHAT, first_row=row, nan_is_null=True)
                    row += piece.num_rows
        finally:
            source.close()
        if row == 0:
            yield as_declared(schema.empty_table(), WHAT)

    def as_of(self, given: date | None) -> date:
        """Return the day that the profile is of: as it says, or as it is given.

        Raises
        ------
        click.UsageError
            Where it does not say its day and none is given, or another one is.
        """
        from ordercycle._days import EPOCH
        from ordercycle._segments.next_transition import DAY_COLUMNS

        for piece in self.pieces(tuple(DAY_COLUMNS)):
            if not set(DAY_COLUMNS) <= set(piece.column_names):
                break
            first = piece.select(list(DAY_COLUMNS)).slice(0, 1).to_pylist()
            if not first:  # of nobody, any day says the same
                return given or EPOCH
            registered_on, days = first[0].values()
            if registered_on is None or days is None:
                break
            found: date = registered_on + timedelta(days=days)
            if given not in (None, found):
                raise click.UsageError(f"the profile is as of {found}; leave --as-of out")
            return found
        if given is None:
            raise click.UsageError("the profile does not say its day; give it with --as-of")
        return given

    def count(self) -> int | None:
        """Return the number of rows; None where the whole file would have to be read for it."""
        source = self._opened(None)
        source.close()
        return source.rows

    def _opened(self, columns: Collection[str] | None) -> Source:
        from ordercycle._segments.profile_tables import role_of
        from ordercycle._sources.opening import open_all

        return open_all(self.rows, WHAT, role_of, threads=1, columns=columns)


def _as_written(read: pa.Field, written: pa.Field) -> pa.Field:
    """Return a column as it says of itself: what of that is lost on the way, the result says again.

    That is whether it is ever null, and of which model, horizon and discount rate it is.
    """
    own = {
        key: value for key, value in (written.metadata or {}).items() if key.startswith(OWN_KEYS)
    }
    made = read.with_nullable(written.nullable)
    return made.with_metadata({**(read.metadata or {}), **own}) if own else made
