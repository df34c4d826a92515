"""Conditions over the events of a stream, computed once per value of an attribute where they can.

A condition is taken apart into what has to hold at once. What is about one attribute, and the
columns of its lookup, is computed for each of its values; the rest is put together, event by event,
from truths per value and from what Arrow computes of the columns of a batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._errors import (
    ColumnError,
    ConfigError,
    DataError,
    Option,
    Text,
    check_choice,
    suggestion,
)
from ordercycle._expressions.compiling import Value
from ordercycle._expressions.nodes import (
    Column,
    Comparison,
    Joint,
    Literal,
    Membership,
    Negation,
    Node,
    Path,
    every,
    replaced,
)
from ordercycle._expressions.typed import Clock, compiled, computed
from ordercycle._streams.columns import (
    Attribute,
    EventBatch,
    Lookup,
    StreamColumns,
    arrow_values,
)

Truths: TypeAlias = NDArray[np.bool_]

#: Values that a message names.
MOST_SHOWN = 10
#: Characters of a value that a message shows.
MOST_OF_A_VALUE = 60
#: Values that are compared, letter by letter, with one that is not among them.
MOST_COMPARED = 5_000
#: Values of which letters are counted at once.
RANKED_AT_ONCE = 1 << 16
#: How often letters are counted in values, and how many different ones of a text at least.
MOST_COUNTED, FEWEST_LETTERS = 1 << 24, 4
#: The share of letters in common from which a value is near: as ``suggestion`` has it.
NEAR = 0.6
#: Between the names of a path, where one name stands for it.
BETWEEN = "\x1f"


class Catalogues(Protocol):
    """What has the values that columns may be compared with, such as `StreamColumns`."""

    def by_code(self, path: tuple[str, ...]) -> Attribute | Lookup | None:
        """Return what has the values of a column, None where these are not known."""


class Test(Protocol):
    """What holds for some events of a batch."""

    def holds(self, batch: EventBatch) -> Truths:
        """Return for which events it holds: (n,)."""


@dataclass(frozen=True)
class OfCode:
    """What is known by an attribute's code: truths: by code, of null first."""

    attribute: str
    truths: Truths

    def holds(self, batch: EventBatch) -> Truths:
        """Return for which events it holds: (n,)."""
        return self.truths[batch.codes[self.attribute]]


@dataclass(frozen=True)
class Joined:
    """Tests of which all have to hold, or any."""

    tests: tuple[Test, ...]
    has_all: bool

    def holds(self, batch: EventBatch) -> Truths:
        """Return for which events it holds: (n,)."""
        join = np.logical_and if self.has_all else np.logical_or
        return reduce(join, (test.holds(batch) for test in self.tests))


@dataclass(frozen=True)
class OfRow:
    """What Arrow computes of the columns of a batch: true, or, where `wanted` is false, false."""

    node: Node
    wanted: bool
    columns: StreamColumns

    def holds(self, batch: EventBatch) -> Truths:
        """Return for which events it holds: (n,)."""
        rows = {}
        for path in _paths(self.node):
            found = self.columns.by_code(path)
            if found is None:
                array = arrow_values(batch.values[path[0]], self.columns.values[path[0]])
            else:
                array = found.by_code.take(pa.array(batch.codes[path[0]]))
            rows[BETWEEN.join(path)] = array
        if not rows:  # nothing but values that are written
            rows["row"] = pa.nulls(batch.days.size)
        return _truths(self.node, self.wanted, self.columns, pa.table(rows))


@dataclass(frozen=True)
class Condition:
    """A condition that was found to fit a stream: all of its tests have to hold.

    of_codes: one per attribute at most.
    """

    of_codes: tuple[OfCode, ...]
    others: tuple[Test, ...]

    @classmethod
    def of(cls, tests: Iterable[Test]) -> Condition:
        """Return a condition of tests that all have to hold."""
        of_codes: dict[str, OfCode] = {}
        others = []
        for test in tests:
            if isinstance(test, OfCode):
                known = of_codes.get(test.attribute)
                truths = test.truths if known is None else known.truths & test.truths
                of_codes[test.attribute] = OfCode(test.attribute, truths)
            else:
                others.append(test)
        return cls(tuple(of_codes.values()), tuple(others))

    @property
    def tests(self) -> tuple[Test, ...]:
        """All that has to hold."""
        return (*self.of_codes, *self.others)

    def holds(self, batch: EventBatch) -> Truths:
        """Return for which events it holds: (n,)."""
        everything = np.ones(batch.days.size, np.bool_)
        return reduce(
            np.logical_and,
            (test.holds(batch) for test in self.tests),
            everything,
        )


def fitted(node: Node, columns: StreamColumns, *, missing: str = "error") -> Condition:
    """Return a condition over the events of a stream.

    missing: what becomes of a text that ``==`` or ``in`` compares with a column that has no such
    value: ``"error"``, or ``"empty"``: nothing equals it.

    Raises
    ------
    ColumnError
        A column is not there, or has another type.
    ConfigError
        The condition is something else than true or false, or a text equals no value.
    DataError
        The condition cannot be computed of an attribute's values.
    """
    check_choice("missing", missing, ("error", "empty"))
    for part in every(node):
        if isinstance(part, Column | Path):
            check_column(part, columns)
    value = _compiled(node, columns)
    if not pa.types.is_boolean(value.type):
        raise ConfigError(
            f"{node.written!r} is {value.type}, not true or false",
            remedy="compare it with something",
        )
    if missing == "error" and columns.has_events:
        check_texts(node, columns)
    return Condition.of(_conjuncts(node, columns, wanted=True))


def path_of(node: Column | Path) -> tuple[str, ...]:
    """Return the names of a column: its own, or those of an attribute and its lookup's column."""
    return node.names if isinstance(node, Path) else (node.name,)


def at_character(node: Node) -> str:
    """Return where in its text a node stands, in words."""
    place = getattr(node.written, "place", None)
    return "" if place is None else f" at character {place}"


def check_column(node: Column | Path, columns: StreamColumns) -> None:
    """Raise a ColumnError unless conditions may have a column."""
    path = path_of(node)
    if columns.type_of(path) is not None:
        return
    where = f"{node.written!r}{at_character(node)}"
    if path[0] in columns.keys:
        raise ColumnError(
            f"{where} is a key, which conditions do not see",
            remedy="count its distinct values, or build the stream with it as an attribute",
            column=node.written,
        )
    names = [*columns.attributes, *columns.values]
    if len(path) > 1 and path[0] in columns.attributes:
        names = [".".join(one) for one in columns.lookups if one[0] == path[0]]
    remedy: Text
    hint = suggestion(".".join(path), names)
    if len(path) == 1 and not hint:
        owner = "EventColumns" if columns.all_counted else "Columns"
        remedy = (
            f"there are {listed(names) or 'none'}; build with ",
            Option(f"{owner}.attributes", (path[0],)),
            " to have it",
        )
    elif names:
        remedy = f"there are {listed(names)}"
    else:
        remedy = (f"{path[0]} has no table of further columns; pass one with ", Option("lookups"))
    raise ColumnError(
        f"there is no column {where}{hint}",
        remedy=remedy,
        column=node.written,
    )


def check_texts(node: Node, columns: Catalogues) -> None:
    """Raise a ConfigError where a text is compared with values of which none equals it."""
    for column, value in compared(node):
        check_values(column, (value,), columns)


def compared(node: Node) -> Iterator[tuple[Column | Path, Literal]]:
    """Yield the columns that ``==`` or ``in`` compares with what is written, each with that."""
    for part in every(node):
        match part:
            case Comparison(sign="==", left=Column() | Path() as one, right=Literal() as other):
                yield one, other
            case Comparison(sign="==", left=Literal() as other, right=Column() | Path() as one):
                yield one, other
            case Membership(node=Column() | Path() as one, values=values):
                yield from ((one, value) for value in values)


def check_values(column: Column | Path, values: tuple[Literal, ...], columns: Catalogues) -> None:
    """Raise a ConfigError where one of the texts equals no value of a column."""
    found = columns.by_code(path_of(column))
    if found is None:
        return
    for value in values:
        text = value.value
        if not isinstance(text, str) or not is_text(found.type):
            continue
        if pc.index(found.catalogue, pa.scalar(text, found.type)).as_py() < 0:
            raise no_such_text(column, value, found.catalogue)


def no_such_text(
    column: Column | Path, value: Literal, catalogue: pa.Array, of: str = ""
) -> ConfigError:
    """Return what is said of a text that no value of a column equals.

    catalogue: values that there are; of: what has these, where others have more.
    """
    values_there = catalogue.drop_null().unique().sort()
    shown = listed(values_there[:MOST_SHOWN].to_pylist())
    shown += ", ..." * (len(values_there) > MOST_SHOWN)
    text = str(value.value)
    known = _near(text, values_there).to_pylist()
    return ConfigError(
        f"no value of {column.written} equals {value.written}{at_character(value)}"
        f"{suggestion(text, known)}",
        remedy=(
            f"there are {shown or 'none'}{of}; ",
            Option("missing", "empty"),
            " takes it as it is",
        ),
        column=column.written,
    )


def listed(names: Iterable[str]) -> str:
    """Return names or values as a message lists them, long ones cut.

    Examples
    --------
    >>> listed(["tea", "coffee"]), len(listed(["x" * 5_000]))
    ("'tea', 'coffee'", 66)
    """
    return ", ".join(
        repr(name) if len(name) <= MOST_OF_A_VALUE else f"{name[:MOST_OF_A_VALUE]!r} ..."
        for name in names
    )


def _near(text: str, values: pa.Array) -> pa.Array:
    """Return values that are worth a look for a near miss.

    Those that differ in blanks around them and in capitals alone; where there are none, all; of
    many, those that have most letters in common with the text.
    """
    blocks = [values[at : at + RANKED_AT_ONCE] for at in range(0, len(values), RANKED_AT_ONCE)]
    plain = text.strip().lower()
    same = [pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(one)), plain) for one in blocks]
    found = values.filter(pa.chunked_array(same, pa.bool_()).combine_chunks())
    if len(found):
        return found[:MOST_COMPARED]
    if len(values) <= MOST_COMPARED:
        return values
    letters = max(FEWEST_LETTERS, MOST_COUNTED // len(values))
    lowered = map(pc.utf8_lower, blocks)
    shares = np.concatenate([_shares(text.lower(), one, letters) for one in lowered])
    rows = np.flatnonzero(shares >= NEAR)
    nearest = rows[np.argsort(-shares[rows], kind="stable")[:MOST_COMPARED]]
    return values.take(pa.array(np.sort(nearest)))


def _shares(text: str, values: pa.Array, letters: int) -> NDArray[np.float64]:
    """Return the most that values can have in common with a text, from 0 to 1: (n,).

    That is the share of letters that are in both, wherever they stand: no ratio of matching letters
    is larger. letters: how many different ones are counted; others are taken to be in both.
    """
    counts = dict(Counter(text).most_common(letters))
    common = np.full(len(values), len(text) - sum(counts.values()), np.int64)
    for letter, count in counts.items():
        common += np.minimum(np.asarray(pc.count_substring(values, letter)), count)
    lengths = np.asarray(pc.utf8_length(values), np.int64)
    return 2 * np.minimum(common, lengths) / np.maximum(lengths + len(text), 1)


def is_text(kind: pa.DataType) -> bool:
    """Return whether values are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _paths(node: Node) -> Iterator[tuple[str, ...]]:
    return (path_of(one) for one in every(node) if isinstance(one, Column | Path))


def _compiled(node: Node, columns: StreamColumns) -> Value:
    schema = pa.schema(
        [
            (BETWEEN.join(path), _compared_as(columns.type_of(path)))
            for path in dict.fromkeys(_paths(node))
        ]
    )

    def flat(one: Node) -> Node | None:
        return Column(one.written, BETWEEN.join(one.names)) if isinstance(one, Path) else None

    return compiled(replaced(node, flat), schema, Clock(columns.timezone))


def _compared_as(kind: pa.DataType) -> pa.DataType:
    """Return the type that values are compared in: whole numbers that are written have 64 bits."""
    return pa.decimal128(20, 0) if kind == pa.uint64() else kind


def _truths(node: Node, wanted: bool, columns: StreamColumns, rows: pa.Table) -> Truths:
    """Return where a node is true, or false: (rows,)."""
    expression = _compiled(node, columns).expression
    for place, kind in enumerate(rows.schema.types):
        if (wider := _compared_as(kind)) != kind:
            rows = rows.set_column(place, rows.schema.names[place], rows.column(place).cast(wider))
    try:
        found = computed(rows, [expression]).column(0)
    except pa.ArrowException as error:
        what = str(error).partition("\n")[0]
        raise DataError(
            f"{node.written!r}{at_character(node)} cannot be computed: {what}"
        ) from None
    if not wanted:
        found = pc.invert(found)
    return np.asarray(found.fill_null(fill_value=False), np.bool_)


def _conjuncts(node: Node, columns: StreamColumns, *, wanted: bool) -> Iterator[Test]:
    """Yield what has to hold at once for a node to be true, or false."""
    match node:
        case Negation(node=inner):
            yield from _conjuncts(inner, columns, wanted=not wanted)
        case Joint(sign=sign, nodes=nodes) if (sign == "and") == wanted:
            for one in nodes:
                yield from _conjuncts(one, columns, wanted=wanted)
        case _:
            yield _test(node, wanted, columns)


def _test(node: Node, wanted: bool, columns: StreamColumns) -> Test:
    sources = {path[0] for path in _paths(node)}
    if len(sources) == 1 and (source := sources.pop()) in columns.attributes:
        rows = {
            BETWEEN.join(path): found.by_code
            for path in _paths(node)
            if (found := columns.by_code(path)) is not None
        }
        return OfCode(source, _truths(node, wanted, columns, pa.table(rows)))
    match node:
        case Negation(node=inner):
            return _test(inner, not wanted, columns)
        case Joint(sign=sign, nodes=nodes):
            tests = tuple(_test(one, wanted, columns) for one in nodes)
            return Joined(tests, (sign == "and") == wanted)
    return OfRow(node, wanted, columns)
