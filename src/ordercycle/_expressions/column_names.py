"""Columns as callers name them: by name, or as an expression."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ordercycle._errors import ConfigError, Option
from ordercycle._expressions.expression_text import as_text


def column_name(field: str, given: Any) -> str:
    """Return the name of a column; field: what it is given as, for messages."""
    name = as_text(given)
    if isinstance(name, str) and name:
        return name
    raise ConfigError(
        (Option(field, given), " names no column"),
        remedy="pass the name of a column, or an expression over columns",
    )


def column_names(field: str, given: Any) -> tuple[str, ...]:
    """Return the names of any number of columns."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigError(
            (Option(field, given), " is no list of columns"),
            remedy=("pass ", Option(field, (given if isinstance(given, str) else "name",))),
        )
    return tuple(column_name(field, one) for one in given)


def named_twice(names: Iterable[str]) -> str | None:
    """Return a name that stands for two columns, if any does."""
    seen = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
