"""What the text of an expression says: columns, values, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Self

#: Functions of the language that make text, and all of them, with how many arguments they take.
MAKE_TEXT = ("lower", "trim", "text")
FUNCTIONS = {"lower": 1, "trim": 1, "if_null": 2, "text": 1, "integer": 1, "instant": 2}
#: What instants count from 1970 on, as Arrow calls it.
INSTANT_UNITS = ("s", "ms", "us", "ns")


class Written(str):
    """What stands in a text, and at which of its characters it begins, counted from 1."""

    __slots__ = ("place",)

    place: int

    @classmethod
    def at(cls, place: int, text: str) -> Self:
        """Return what stands at a place."""
        made = cls(text)
        made.place = place
        return made


@dataclass(frozen=True)
class Node:
    """A part of an expression; written: as it stands in the text, for messages.

    Nodes that mean the same have the same `repr`, however they are written.
    """

    written: str = field(repr=False)


@dataclass(frozen=True)
class Column(Node):
    """A column's values."""

    name: str


@dataclass(frozen=True)
class Path(Node):
    """A column of something that has a name: ``product.category``."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Literal(Node):
    """A value that is written: number, text, truth or day.

    exact: a number as it is written, where `value` may be the nearest float; None for others.
    """

    value: int | float | str | bool | date
    exact: Decimal | None = None


@dataclass(frozen=True)
class Call(Node):
    """A function of the language."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Values(Node):
    """Values that are listed in brackets."""

    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Aggregate(Node):
    """A function of a grammar, over rows of something else than the table at hand."""

    function: str
    arguments: tuple[Node, ...]
    options: tuple[tuple[str, Literal], ...]


@dataclass(frozen=True)
class Negation(Node):
    """What is true where another is not."""

    node: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """Two numbers and ``+ - * /``, or two texts and ``+``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison(Node):
    """Two values and ``== != < <= > >=``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Membership(Node):
    """Whether a value is in a list, or in none."""

    node: Node
    values: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True)
class NullTest(Node):
    """Whether there is no value, or one."""

    node: Node
    negated: bool


@dataclass(frozen=True)
class Joint(Node):
    """Conditions of which all (``and``) or any (``or``) have to hold."""

    sign: str
    nodes: tuple[Node, ...]


def replaced(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """Return a node in which parts are others: what `change` makes of them, where that is not None.

    Parts are looked at from the outside; those of a part that changes are not.
    """
    made = change(node)
    if made is not None:
        return made
    parts: dict[str, Any] = {}
    for name, value in vars(node).items():
        if isinstance(value, Node):
            parts[name] = replaced(value, change)
        elif isinstance(value, tuple) and value and all(isinstance(one, Node) for one in value):
            parts[name] = tuple(replaced(one, change) for one in value)
    return replace(node, **parts) if parts else node


def every(node: Node) -> Iterator[Node]:
    """Yield a node and all of its parts, options of functions left out."""
    yield node
    for part in parts_of(node):
        yield from every(part)


def parts_of(node: Node) -> Iterator[Node]:
    """Yield the parts that a node consists of, options of functions left out."""
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node):
                yield part


def is_text(node: Node) -> bool:
    """Return whether a node is text whatever the types of its columns are."""
    match node:
        case Literal(value=str()):
            return True
        case Call(function=function) if function in MAKE_TEXT:
            return True
        case Call(function="if_null", arguments=arguments):
            return any(map(is_text, arguments))
        case Arithmetic(sign="+", left=left, right=right):
            return is_text(left) or is_text(right)
    return False


def columns_of(node: Node, use: str = "other") -> Iterator[tuple[str, str]]:
    """Yield the columns of an expression, each with what it is used as.

    use: what the value of the node is used as; columns are used as ``"text"``, ``"time"`` and
    ``"amount"`` where functions, operators and written values say so, and else as the whole.
    """
    if isinstance(node, Column):
        yield node.name, use
    for one, said in _used(node, use):
        yield from columns_of(one, said)


def _used(node: Node, use: str) -> Iterator[tuple[Node, str]]:
    """Yield the parts of a node, each with what it is used as."""
    said = "other"
    parts: tuple[Node, ...] = ()
    match node:
        case Call(function="if_null", arguments=parts):
            said = _use_beside(parts, use)
        case Call(arguments=parts):
            said = "text"
        case Arithmetic(left=left, right=right):
            parts, said = (left, right), "text" if is_text(node) else "amount"
        case Comparison(left=left, right=right):
            parts = (left, right)
            said = _use_beside(parts, said)
        case Membership(node=one, values=values):
            parts, said = (one,), _use_beside(values, said)
        case Negation(node=one) | NullTest(node=one):
            parts = (one,)
        case Joint(nodes=parts):
            pass
    for part in parts:
        yield part, said


def _use_beside(nodes: tuple[Node, ...], otherwise: str) -> str:
    """Return what columns are used as that stand beside these values."""
    if any(map(is_text, nodes)):
        return "text"
    for node in nodes:
        if isinstance(node, Literal) and isinstance(node.value, date):
            return "time"
        if isinstance(node, Arithmetic) or (isinstance(node, Literal) and node.exact is not None):
            return "amount"
    return otherwise
