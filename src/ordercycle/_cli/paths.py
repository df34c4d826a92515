"""Paths on the command line: those of a disk, and what is said of all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ordercycle._cli.errors import ImpossibleOptionError
from ordercycle._durable import IN_STORE, leads_into_store

READ = "is a URI, and this file is read from a disk only; "
WRITTEN = f"{IN_STORE}; "
COPY_FIRST, COPY_LATER = "copy it there first", "name a place on a disk, and copy from there"
#: Of a place that is on a disk already.
WITHOUT_SCHEME = "write its path"


class DiskPath(click.Path):
    """A path on a disk. What leads into a store is refused as it was typed.

    `pathlib.Path` keeps one of a URI's slashes: behind it, no message could show the place.

    is_read: whether something is read there, and nothing written.
    """

    def __init__(self, *, is_read: bool = False, **options: Any) -> None:
        super().__init__(path_type=Path, **options)
        self._is_read = is_read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or end the command."""
        if param is not None:
            refuse_store(value, param, is_read=self._is_read)
        return super().convert(value, param, ctx)


def refuse_store(value: Any, param: click.Parameter, *, is_read: bool) -> None:
    """End the command where the value of an option or argument leads into a store."""
    if leads_into_store(value):
        named = param.human_readable_name if isinstance(param, click.Argument) else param.opts[0]
        what, remedy = (READ, COPY_FIRST) if is_read else (WRITTEN, COPY_LATER)
        if str(value).lower().startswith("file:"):
            remedy = WITHOUT_SCHEME
        raise ImpossibleOptionError(f"{named} {value} {what}{remedy}")
