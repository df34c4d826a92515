"""What is read of a table: the columns, what each of them is for, and how files are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ordercycle.sources.file_formats import FileFormat

#: What a column is for. Formats without types of their own read it accordingly.
Role: TypeAlias = Literal["customer", "time", "amount", "order", "registered", "other"]

#: What columns of ids are for.
IDS: tuple[Role, ...] = ("customer", "order")
#: Where a column says of which extension type it is, to those who do not know the type.
EXTENSION = b"ARROW:extension:name"


@dataclass(frozen=True)
class Wanted:
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
    """

    table: str
    roles: Mapping[str, Role]
    read: FileFormat | None = None
    filesystem: Any = None

    @property
    def names(self) -> list[str]:
        """The columns to read."""
        return list(self.roles)
