"""What is read of a table: the columns, what each of them is for, and how files are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from ordercycle._sources.file_formats import FileFormat
from ordercycle._sources.formulas import Formula

#: What a column is for. Formats without types of their own read it accordingly.
Role: TypeAlias = Literal["customer", "time", "amount", "order", "registered", "text", "other"]

#: What columns of ids are for.
IDS: tuple[Role, ...] = ("customer", "order")
#: What columns are for whose texts can be codes.
CODED: tuple[Role, ...] = ("text", "other")
#: Where a column says of which extension type it is, to those who do not know the type.
EXTENSION = b"ARROW:extension:name"


@dataclass(frozen=True)
class Times:
    """What times mean: the business time zone, and what those without a zone are.

    timezone: an IANA name; without_zone: ``"local"``, ``"utc"``, or None where it is not given.
    """

    timezone: str = "UTC"
    without_zone: str | None = None

    @property
    def are_utc(self) -> bool:
        """Whether timestamps without a zone are UTC; dates are local all the same."""
        return self.without_zone == "utc"

    @property
    def matter(self) -> bool:
        """Whether days depend on what is not given."""
        return self.without_zone is None and self.timezone != "UTC"


USUAL_TIMES = Times()


@dataclass(frozen=True)
class ReadRequest:
    """What to read of a table.

    Parameters
    ----------
    table
        What the rows are, for messages: ``"orders"``, ``"customers"`` or ``"memberships"``.
    roles
        The columns to read, in order, and what each is for.
    read
        How to read files; None: as their names say.
    filesystem
        Where paths lead; None: as the paths themselves say.
    compared
        Whether rows are compared in all columns that are read: those behind computed ones, too,
        are handed on then.
    only
        The condition of rows that count; None: all do.
    made, formulas
        Where columns are computed: the names of all that are handed on, in order, and those of
        them that are computed; `roles` are then those that are read.
    behind
        The columns that are handed on for nothing but to compare rows.
    kinds
        Types of columns that are known from elsewhere, as of the rest of a history: formats
        without types of their own read a column in a type that holds these as well.
    are_settled
        Whether columns cannot be read again in wider types, as on clusters: customer ids of
        formats without types are text then.
    times
        What times mean.
    as_codes
        Whether texts are wanted as codes of a dictionary, where a format has them so: attributes
        are kept as codes. Those of ids, of which there are many, are not.
    """

    table: str
    roles: Mapping[str, Role]
    read: FileFormat | None = None
    filesystem: Any = None
    only: str | None = None
    compared: bool = False
    made: tuple[str, ...] = ()
    formulas: Mapping[str, Formula] = field(default_factory=dict)
    behind: tuple[str, ...] = ()
    kinds: Mapping[str, pa.DataType] = field(default_factory=dict)
    are_settled: bool = False
    times: Times = USUAL_TIMES
    as_codes: bool = False

    def knowing(self, column: str, kind: pa.DataType) -> ReadRequest:
        """Return the same, read in a wider type of a column."""
        return replace(self, kinds={**self.kinds, column: kind})

    @property
    def names(self) -> list[str]:
        """The columns to read."""
        return list(self.roles)

    @property
    def coded(self) -> list[str]:
        """The columns whose texts are wanted as codes."""
        return [name for name, role in self.roles.items() if self.as_codes and role in CODED]

    @property
    def may_compute(self) -> bool:
        """Whether a column may have to be computed: not all are plain names."""
        return self.only is not None or not all(map(str.isidentifier, self.roles))


class ReadAgain(Exception):  # noqa: N818 - not an error: the table is read again
    """A column of text holds what the type taken from its first rows does not: wider, it does."""

    def __init__(self, table: str, column: str, kind: pa.DataType) -> None:
        super().__init__(table, column, kind)
        self.table = table
        self.column = column
        self.kind = kind
