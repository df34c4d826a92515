"""Patterns of paths, as `glob.glob` has them, and which names no pattern and no folder means."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from fnmatch import fnmatchcase

#: How the names of files begin that are not data: Spark's marks and what it is still writing.
HIDDEN = (".", "_")


def is_hidden(names: Iterable[str]) -> bool:
    """Return whether a file is left out of its folder, given its name and those of folders."""
    return any(name.startswith(HIDDEN) for name in names)


def divided(pattern: str) -> tuple[str, list[str]]:
    """Return the folder in which all is that a pattern matches, and the parts of the rest."""
    parts = pattern.split("/")
    magic = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:magic]), parts[magic:]


def matches(names: list[str], pattern: list[str]) -> bool:
    """Return whether a path matches a pattern, both divided into names.

    No star stands for the beginning of a hidden name.

    Examples
    --------
    >>> matches(["2025", "a.csv"], ["**", "*.csv"]), matches(["_old", "a.csv"], ["**", "*.csv"])
    (True, False)
    """
    if not pattern or not names:
        return not names and all(part == "**" for part in pattern)
    part, *rest = pattern
    if part == "**":
        below = not is_hidden(names[:1]) and matches(names[1:], pattern)
        return below or matches(names, rest)
    left_out = is_hidden(names[:1]) and part[:1] != names[0][:1]
    return not left_out and fnmatchcase(names[0], part) and matches(names[1:], rest)
