"""The errors and warnings of ordercycle: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias, TypeVar

from ordercycle._public import public

NOT_GIVEN: Any = object()
#: Characters of a piece of a message, which may repeat what was passed.
MOST_OF_A_PIECE = 2_000


#: What has a flag on the command line, and is a call in Python whose result is passed as rows.
CALLS = {"sql": "duckdb.sql", "saved_history": "OrderHistory.open"}


class Code(str):
    """A value of an argument that a message shows as code rather than as text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Option:
    """An argument of the library as a message names it; each front end says it in its own words.

    name: of the argument, with its class before it where it is a field of one
    (``"Columns.amount"``), and the argument that takes the class before that
    (``"read.CsvFormat.decimal"``); value: what to pass, or nothing to name the argument alone.

    Examples
    --------
    >>> str(Option("timezone", "Europe/Madrid")), str(Option("Columns.order"))
    ("timezone='Europe/Madrid'", 'Columns(order=...)')
    >>> print(Option("read.CsvFormat.decimal", ","))
    read=CsvFormat(decimal=',')
    """

    name: str
    value: Any = NOT_GIVEN

    def __str__(self) -> str:
        if self.name in CALLS:
            return f"{CALLS[self.name]}({'...' if self.value is NOT_GIVEN else repr(self.value)})"
        *owners, name = self.name.split(".")
        if self.value is not NOT_GIVEN:
            argument = f"{name}={self.value!r}"
        else:
            argument = f"{name}=..." if owners else f"{name}="
        for owner in reversed(owners):
            is_class = owner[:1].isupper()
            argument = f"{owner}({argument})" if is_class else f"{owner}={argument}"
        return argument

    def __reduce__(self) -> tuple[Any, ...]:
        return (Option, (self.name,) if self.value is NOT_GIVEN else (self.name, self.value))


#: A message, in pieces where it names arguments.
Text: TypeAlias = "str | Option | tuple[str | Option, ...]"
Words: TypeAlias = Callable[[Option], str]


def printable(text: str) -> str:
    r"""Return text in which no character can move a cursor, hide or turn round its neighbours.

    Examples
    --------
    >>> print(printable("a\x1b]0;title\x07\n\u202eb"))
    a\x1b]0;title\x07\n\u202eb
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def renamed(text: Text, names: Callable[[str], str]) -> Text:
    """Return a message whose arguments have other names."""
    return tuple(
        Option(names(one.name), one.value) if isinstance(one, Option) else one
        for one in _pieces(text)
    )


def in_words(text: Text, words: Words = str) -> str:
    """Return a message as one line of printable text."""
    written = (words(one) if isinstance(one, Option) else one for one in _pieces(text))
    return printable("".join(map(_shortened, written)))


def _pieces(text: Text) -> tuple[str | Option, ...]:
    return text if isinstance(text, tuple) else (text,)


def _shortened(piece: str) -> str:
    """Return a piece of a message without the middle of what nobody would read to its end."""
    if len(piece) <= MOST_OF_A_PIECE:
        return piece
    return f"{piece[: MOST_OF_A_PIECE // 2]} ... {piece[-MOST_OF_A_PIECE // 4 :]}"


@public()
class OrdercycleError(ValueError):
    """The root of every error that ordercycle raises on purpose.

    Parameters
    ----------
    what
        What is wrong and where, in pieces where it names arguments of the library.
    remedy
        What to do about it.
    column
        The column, as the caller wrote it.
    row
        The first row that is wrong: from 0 in memory, the file's own line in text files.
    count
        How many rows are wrong.

    Attributes
    ----------
    what, remedy : str
        As above, in Python's words; the remedy is None where there is none.
    column : str or None
    row, count : int or None

    Examples
    --------
    >>> error = DataError("amount is null at row 7", remedy="drop it", column="amount", row=7)
    >>> print(error)
    amount is null at row 7; drop it
    >>> error.row, error.count
    (7, None)
    """

    column: str | None
    row: int | None
    count: int | None

    def __init__(
        self,
        what: Text = "",
        *,
        remedy: Text | None = None,
        column: str | None = None,
        row: int | None = None,
        count: int | None = None,
    ) -> None:
        super().__init__(what)
        self._remedy = remedy
        self.column = column
        self.row = row
        self.count = count

    @property
    def what(self) -> str:
        """What is wrong and where."""
        return in_words(self.args[0])

    @property
    def remedy(self) -> str | None:
        """What to do about it."""
        return None if self._remedy is None else in_words(self._remedy)

    def __str__(self) -> str:
        return rendered(self)


@public()
class SourceError(OrdercycleError):
    """A source of orders or customers cannot be read."""


@public()
class ColumnError(OrdercycleError):
    """A column is missing or has a type that ordercycle does not take."""


@public()
class DataError(OrdercycleError):
    """A column holds values that have no meaning here: names column, first row and count."""


@public()
class ConfigError(OrdercycleError):
    """An option or a combination of options makes no sense."""


@public()
class StorageError(OrdercycleError):
    """A saved history is corrupt, truncated or of another version."""


@public()
class SyncError(OrdercycleError):
    """A vendor refuses what it is sent, or does not answer.

    Holds codes and counts, and nothing of what was sent.

    Attributes
    ----------
    code, subcode : int or None
        The vendor's.
    """

    def __init__(
        self,
        what: Text = "",
        *,
        remedy: Text | None = None,
        code: int | None = None,
        subcode: int | None = None,
        **where: Any,
    ) -> None:
        super().__init__(what, remedy=remedy, **where)
        self.code = code
        self.subcode = subcode


class MissingExtraError(ImportError):
    """What an extra brings is not installed; the message says what to install."""


@public()
class OrdercycleWarning(UserWarning):
    """A result stands on weak ground: says why, and what to look at.

    Made of the same pieces as an error's message, and printed in the same way.
    """

    def __init__(self, text: Text = "") -> None:
        super().__init__(text)

    def __str__(self) -> str:
        return rendered(self)


Problem = TypeVar("Problem", bound=OrdercycleError)


def rendered(message: OrdercycleError | OrdercycleWarning, words: Words = str) -> str:
    """Return the whole message, with arguments named by `words`."""
    what, remedy = in_words(message.args[0], words), _remedy_of(message)
    return what if remedy is None else f"{what}; {in_words(remedy, words)}"


def within(error: Problem, *where: str | Option, behind: str = "") -> Problem:
    """Return an error with where it was found before what is wrong, and more behind it."""
    return _again(error, (*where, *_pieces(error.args[0]), behind), _remedy_of(error))


def renamed_error(error: Problem, names: Callable[[str], str]) -> Problem:
    """Return the same error about arguments with other names."""
    remedy = _remedy_of(error)
    remedy = None if remedy is None else renamed(remedy, names)
    return _again(error, renamed(error.args[0], names), remedy)


def without_option(error: Problem, name: str, instead: str) -> Problem:
    """Return an error whose remedy says something else from the piece on that led to an argument.

    Where the argument is not in it, the error is returned as it is.
    """
    pieces = _pieces(_remedy_of(error) or ())
    places = [n for n, one in enumerate(pieces) if isinstance(one, Option) and one.name == name]
    if not places:
        return error
    return _again(error, error.args[0], (*pieces[: places[0] - 1], instead))


def _remedy_of(message: OrdercycleError | OrdercycleWarning) -> Text | None:
    return getattr(message, "_remedy", None)


def _again(error: Problem, what: Text, remedy: Text | None) -> Problem:
    where: Any = {"column": error.column, "row": error.row, "count": error.count}
    return type(error)(what, remedy=remedy, **where)


#: Whether warnings are about all there is: in the tasks of a cluster they are not.
_WARNS: ContextVar[bool] = ContextVar("warns", default=True)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Give no warnings in this thread, where only a part of the rows is known."""
    token = _WARNS.set(False)
    try:
        yield
    finally:
        _WARNS.reset(token)


def are_all_known() -> bool:
    """Return whether what is not among the rows is nowhere."""
    return _WARNS.get()


def warn(text: Text) -> None:
    """Warn the caller of the library: the line of theirs that did is the one that is shown."""
    if not _WARNS.get():
        return
    package = __name__.partition(".")[0]
    frame: FrameType | None = sys._getframe(0)  # noqa: SLF001 - what warnings themselves look at
    level = outermost = 1
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            outermost = level
        level, frame = level + 1, frame.f_back
    warnings.warn(OrdercycleWarning(text), stacklevel=outermost + 1)


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number of things in words; several: what they are, where that takes more than an s.

    Examples
    --------
    >>> counted(1, "such row"), counted(2_000, "row")
    ('1 such row', '2,000 rows')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {several or what + 's'}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for a near miss, or nothing.

    Examples
    --------
    >>> suggestion("ordrs", ["orders", "revenue"]), suggestion("Coffee", ["TEA", "COFFEE"])
    (" (did you mean 'orders'?)", " (did you mean 'COFFEE'?)")
    """
    listed = list(known)
    near = difflib.get_close_matches(name, listed, n=1)
    if not near:  # but for small and capital letters
        folded = {one.casefold(): one for one in reversed(listed)}
        near = [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=1)]
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
        raise ConfigError(
            (Option(option, value), f" is not an option{hint}"), remedy=f"choose from {listed}"
        )
