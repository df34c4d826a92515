"""How times are written: strptime patterns as steps that a kernel follows.

A pattern means what it means to Python's own strptime, with English names and these differences:
spaces around a value do not count; numbers that touch have two digits each; ``%f`` takes up to
nine digits, of which six count; ``%z`` takes hours alone; ``%s`` is seconds since 1970-01-01 UTC;
a pattern that ends in UTC, GMT or Z says that its times are in UTC.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ordercycle._errors import ConfigError, Option

#: Directives, the step of each, and what of a time it says.
YEAR, MONTH, DAY, HOUR, HALF_DAY, OFFSET, OTHER, EPOCH = (
    "year", "month", "day", "hour", "half of the day", "offset", "other", "epoch",
)  # fmt: skip


class Directive(NamedTuple):
    """A directive of strptime: the number of its step, what it says, and if it is of digits."""

    step: int
    says: str
    is_number: bool = True


LITERAL, SPACE = 0, 1
DIRECTIVES = {
    "Y": Directive(2, YEAR),
    "y": Directive(3, YEAR),
    "m": Directive(4, MONTH),
    "d": Directive(5, DAY),
    "H": Directive(6, HOUR),
    "I": Directive(7, HOUR),
    "M": Directive(8, "minute"),
    "S": Directive(9, "second"),
    "f": Directive(10, "fraction"),
    "p": Directive(11, HALF_DAY, is_number=False),
    "b": Directive(12, MONTH, is_number=False),
    "B": Directive(13, MONTH, is_number=False),
    "a": Directive(14, "weekday", is_number=False),
    "A": Directive(15, "weekday", is_number=False),
    "z": Directive(16, OFFSET, is_number=False),
    "s": Directive(17, EPOCH),
}
PIECE = re.compile(r"%(.)|(\s+)|([^%\s]+)|(%)", re.DOTALL)
UTC_AT_THE_END = re.compile(r"%[HIMSfp]\s*(UTC|GMT|Z)$", re.IGNORECASE)
#: Zones and offsets as they are written, which only directives and the end of a pattern give.
WRITTEN_ZONE = re.compile(r"\b(UTC|GMT)\b|[+-]\d\d(:?\d\d)?(?!\d)", re.IGNORECASE)
KNOWN = " ".join(f"%{letter}" for letter in DIRECTIVES) + " %%"


class TimeFormat(NamedTuple):
    """A pattern as steps: pairs of a step and its argument; is_day: it names no time of a day."""

    pattern: str
    steps: tuple[tuple[int, int], ...]
    is_day: bool
    is_instant: bool


def time_format(pattern: object) -> TimeFormat:
    """Return what a pattern says, or raise a ConfigError where that is no moment."""
    if not isinstance(pattern, str) or not pattern:
        raise _refused(pattern, "is no pattern", "write it as '%d/%m/%Y %H:%M'")
    steps: list[tuple[int, int]] = []
    said: list[str] = []
    letters = []
    pieces = list(PIECE.finditer(pattern.strip()))
    for number, piece in enumerate(pieces):
        letter, spaces, literal, percent = piece.groups()
        if percent:
            raise _refused(pattern, "ends in a single %", "write %% for a percent sign")
        if spaces:
            steps.append((SPACE, 0))
        elif letter is None or letter == "%":
            steps += [(LITERAL, byte) for byte in (literal or "%").lower().encode()]
        else:
            directive = _directive(pattern, letter)
            touches = number + 1 < len(pieces) and _is_number(pieces[number + 1])
            steps.append((directive.step, int(touches and directive.is_number)))
            said.append(directive.says)
            letters.append(letter)
    _check(pattern, said, letters)
    parts_of_a_day = {HOUR, "minute", "second", "fraction", HALF_DAY, OFFSET, EPOCH}
    is_day = not parts_of_a_day & set(said)
    in_utc = UTC_AT_THE_END.search(pattern.strip()) is not None
    written = WRITTEN_ZONE.search(re.sub("%.", " ", pattern, flags=re.DOTALL))
    if written and not (is_day or in_utc or OFFSET in said):
        raise _refused(
            pattern,
            f"has {written[0]!r} where it says nothing of the instants",
            "write %z where an offset stands, or UTC at the end of the pattern",
        )
    return TimeFormat(pattern, tuple(steps), is_day, bool({OFFSET, EPOCH} & set(said)) or in_utc)


def time_formats(patterns: tuple[str, ...]) -> tuple[TimeFormat, ...]:
    """Return several patterns, or raise a ConfigError where some are of instants and some not."""
    formats = tuple(map(time_format, patterns))
    for one in formats[1:]:
        if one.is_instant != formats[0].is_instant:
            raise ConfigError(
                (
                    _given(patterns),
                    " cannot be of one column: only some say which instant is meant",
                ),
                remedy="give all of them an offset (%z), or none",
            )
    return formats


def _directive(pattern: str, letter: str) -> Directive:
    directive = DIRECTIVES.get(letter)
    if directive is None:
        remedy = f"use {KNOWN}"
        if letter == "Z":
            remedy = (
                "a name such as PST does not say which offset is meant: use %z where there is one, "
                "or write the name as it is where it is the same in all rows"
            )
        raise _refused(pattern, f"has %{letter}, which is not read", remedy)
    return directive


def _is_number(piece: re.Match[str]) -> bool:
    letter = piece[1]
    return bool(letter in DIRECTIVES and DIRECTIVES[letter].is_number)


def _check(pattern: str, said: list[str], letters: list[str]) -> None:
    twice = next((one for one in said if one != "weekday" and said.count(one) > 1), None)
    if twice:
        raise _refused(pattern, f"names the {twice} twice", "name everything once")
    if EPOCH in said:
        if len(said) > 1:
            raise _refused(pattern, "has %s beside other directives", "pass '%s' alone")
        return
    missing = [one for one in (YEAR, MONTH, DAY) if one not in said]
    if missing:
        raise _refused(
            pattern, f"does not name the {_listed(missing)}", "a moment has year, month and day"
        )
    if ("I" in letters) != ("p" in letters):
        raise _refused(pattern, "has one of %I and %p", "they go together: %I:%M %p, or else %H:%M")


def _listed(names: list[str]) -> str:
    return " and the ".join(names)


def _refused(pattern: object, what: str, remedy: str) -> ConfigError:
    return ConfigError((_given((pattern,)), f" {what}"), remedy=remedy)


def _given(patterns: tuple[object, ...]) -> Option:
    return Option("CsvFormat.time_formats", patterns)
