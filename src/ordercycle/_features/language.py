"""Features as text: ``function(stream.column, condition, last=DAYS)``, alone or within rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ordercycle._days import day_number
from ordercycle._errors import Code, ConfigError, Option, suggestion
from ordercycle._expressions.language import Grammar, parsed
from ordercycle._expressions.nodes import (
    Aggregate,
    Column,
    Literal,
    Node,
    Path,
    Values,
    every,
    replaced,
)
from ordercycle._features.functions import FUNCTIONS, Function
from ordercycle._streams.conditions import at_character, path_of
from ordercycle_kernels.calendar import FIRST_DAY

GRAMMAR = Grammar(paths=True, aggregates=FUNCTIONS)
WINDOW = ("last", "since", "until")
OF_DAYS = Code("since='2026-01-01', until='2026-03-31'")


@dataclass(frozen=True)
class Window:
    """Which days are looked at: the last so many, or those from a day until another, inclusive.

    since, until: days since 1970-01-01; None where the window is open.
    """

    last: int | None = None
    since: int | None = None
    until: int | None = None

    def days(self, as_of: int) -> tuple[int, int]:
        """Return the first and the last day; the former is later where there is none.

        Examples
        --------
        >>> Window(last=90).days(1000), Window(until=500).days(1000)[1]
        ((911, 1000), 500)
        """
        if self.last is not None:
            return max(int(FIRST_DAY), as_of - self.last + 1), as_of
        until = as_of if self.until is None else min(self.until, as_of)
        return int(FIRST_DAY) if self.since is None else self.since, until


@dataclass(frozen=True)
class Feature:
    """A feature as its text says.

    node: for messages; column: None where the stream is meant; place: what messages say before it,
    where it stands in another text and has no name.
    """

    node: Aggregate
    stream: str
    column: Column | Path | None
    values: tuple[Literal, ...]
    condition: Node | None
    window: Window
    place: str = ""

    @property
    def function(self) -> Function:
        """The function, as it is declared."""
        return FUNCTIONS[self.node.function]

    @property
    def written(self) -> str:
        """The feature as it stands in the text."""
        return self.node.written

    @property
    def meaning(self) -> str:
        """What is the same for features that mean the same."""
        return repr(self.node)

    def called(self, name: str) -> str:
        """Return what messages call it, where its column has this name."""
        return f"{self.place}{self.written}" if self.place else f"feature {name!r}"


@dataclass(frozen=True)
class FeatureColumn(Column):
    """A feature in a condition: the column that holds it."""


def parsed_feature(text: str) -> Feature:
    """Return the feature that a text says.

    Raises
    ------
    ConfigError
        The text is not in the language, or is no single function over a stream.

    Examples
    --------
    >>> feature = parsed_feature("distinct(lines.order_id, category == 'coffee', last=90)")
    >>> feature.stream, feature.column.name, feature.condition.written, feature.window.last
    ('lines', 'order_id', "category == 'coffee'", 90)
    """
    if not isinstance(text, str):
        raise ConfigError(f"{text!r} is no text", remedy="write it as 'count(lines, last=90)'")
    node = parsed(text, GRAMMAR)
    if not isinstance(node, Aggregate):
        raise ConfigError(
            f"{text!r} is no feature",
            remedy=f"write a function over a stream, such as count(lines): {', '.join(FUNCTIONS)}",
        )
    return _feature(node)


def parsed_rule(text: str) -> tuple[Node, dict[str, Feature]]:
    """Return a condition in which functions are columns, and the features that these hold.

    Columns are named by how the feature is written first; features that mean the same are one.

    Examples
    --------
    >>> node, features = parsed_rule("revenue > 9 and has(lines) and not has( lines )")
    >>> [part.written for part in node.nodes], list(features)
    (['revenue > 9', 'has(lines)', 'not has( lines )'], ['has(lines)'])
    """
    names: dict[str, str] = {}
    features: dict[str, Feature] = {}

    def column(node: Node) -> Node | None:
        if not isinstance(node, Aggregate):
            return None
        feature = _feature(node)
        name = names.setdefault(feature.meaning, str(node.written))
        features.setdefault(name, feature)
        return FeatureColumn(node.written, name)

    condition = replaced(parsed(text, GRAMMAR), column)
    for part in every(condition):
        if isinstance(part, Path):
            raise ConfigError(
                f"{part.written!r}{at_character(part)} has no meaning here",
                remedy="columns of streams stand within functions, as in "
                f"has(lines, category == 'tea'): {', '.join(FUNCTIONS)}",
            )
    return condition, features


def _feature(node: Aggregate) -> Feature:
    function = FUNCTIONS[node.function]
    form = form_of(node.function)
    where = f"{node.written!r}{at_character(node)}"
    stream = node.arguments[0] if node.arguments else None
    if not isinstance(stream, Column | Path):
        raise ConfigError(f"{where} names no stream", remedy=f"write {form}")
    rest = list(node.arguments[1:])
    path = path_of(stream)
    if function.takes and len(path) == 1:
        raise ConfigError(f"{where} names no column of {path[0]}", remedy=f"write {form}")
    if not function.takes and len(path) > 1:
        raise ConfigError(
            f"{where}: {node.function}() is about {path[0]}, not about a column",
            remedy=f"write {form}, or distinct({stream.written})",
        )
    values: tuple[Literal, ...] = ()
    if function.wants_values:
        given = rest.pop(0) if rest else None
        values = given.values if isinstance(given, Values) else ()
        if isinstance(given, Literal):
            values = (given,)
        if not values:
            raise ConfigError(f"{where} lists no values", remedy=f"write {form}")
    if len(rest) > 1 or (function.wants_condition and not rest):
        amount = "several conditions" if rest else "no condition"
        remedy = "join them by and" if rest else f"write {form}"
        raise ConfigError(f"{where} has {amount}", remedy=remedy)
    for part in (one for condition in rest for one in every(condition)):
        if isinstance(part, Aggregate | Values):
            raise ConfigError(
                f"{part.written!r}{at_character(part)} has no meaning in a feature's condition",
                remedy="compare columns of the stream with values",
            )
    return Feature(
        node, path[0], _column(stream), values, rest[0] if rest else None, _window(node, where)
    )


def _column(node: Node) -> Column | Path | None:
    """Return what is behind the name of a stream."""
    if not isinstance(node, Path):
        return None
    names = node.names[1:]
    return Path(node.written, names) if len(names) > 1 else Column(node.written, names[0])


def _window(node: Aggregate, where: str) -> Window:
    options = dict(node.options)
    for name in options:
        if name not in WINDOW:
            raise ConfigError(
                f"{where}: there is no {name}={suggestion(name, WINDOW)}",
                remedy=("conditions write == for equal, and the days are last=90, or ", OF_DAYS),
            )
    if "last" in options:
        last = options["last"].value
        if not isinstance(last, int) or isinstance(last, bool) or last < 1:
            raise ConfigError(
                (f"{where}: ", Option("last", last), " is no number of days"),
                remedy="pass 1 for the day itself, or more",
            )
        if len(options) > 1:
            raise ConfigError(
                f"{where} has last= and a first or last day", remedy="write one or the other"
            )
        return Window(last=last)
    since, until = (_day(options.get(name), name) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise ConfigError(
            (
                f"{where}: ",
                Code("since="),
                f"{options['since'].written} is after ",
                Code("until="),
                options["until"].written,
            ),
            remedy="exchange them",
        )
    return Window(since=since, until=until)


def _day(written: Literal | None, name: str) -> int | None:
    if written is None:
        return None
    day: Any = written.value  # which is checked there
    return day_number(day, name)


def form_of(name: str) -> str:
    """Return how a function is written.

    Examples
    --------
    >>> form_of("count"), form_of("share")
    ('count(stream[, condition][, last=DAYS])', 'share(stream.column, condition[, last=DAYS])')
    """
    function = FUNCTIONS[name]
    column = ".column" if function.takes else ""
    values = ", ('x', 'y')" if function.wants_values else ""
    condition = ", condition" if function.wants_condition else "[, condition]"
    return f"{name}(stream{column}{values}{condition}[, last=DAYS])"
