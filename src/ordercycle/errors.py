"""The errors and warnings of ordercycle: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable


class OrdercycleError(ValueError):
    """The root of every error that ordercycle raises on purpose."""


class SourceError(OrdercycleError):
    """A source of orders or customers cannot be read."""


class ColumnError(OrdercycleError):
    """A column is missing or has a type that ordercycle does not take."""


class DataError(OrdercycleError):
    """A column holds values that have no meaning here: names column, first row and count."""


class ConfigError(OrdercycleError):
    """An option or a combination of options makes no sense."""


class StorageError(OrdercycleError):
    """A saved history is corrupt, truncated or of another version."""


class OrdercycleWarning(UserWarning):
    """A result stands on weak ground: says why, and what to look at."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for a near miss, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def whole_number(value: object) -> int | None:
    """Return an integer of any kind as int; None for anything else, booleans included."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_choice(option: str, value: object, choices: Iterable[str]) -> None:
    """Raise a ConfigError unless `value` is one of the option's choices."""
    known = list(choices)
    if value not in known:
        hint = suggestion(str(value), known)
        listed = ", ".join(map(repr, known))
        raise ConfigError(f"{option}={value!r} is not an option{hint}; choose from {listed}")
