"""Expressions as text: a small declared language, read and never run.

Python's own parser finds the structure; names and texts are taken from where they stand in the
source, as Python would normalise the former and look for escapes in the latter. What is not in
the tables here is refused.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any

from ordercycle._errors import ConfigError, counted, suggestion
from ordercycle._expressions.nodes import (
    FUNCTIONS,
    INSTANT_UNITS,
    Aggregate,
    Arithmetic,
    Call,
    Column,
    Comparison,
    Joint,
    Literal,
    Membership,
    Negation,
    Node,
    NullTest,
    Path,
    Values,
    Written,
    every,
    parts_of,
)

LONGEST_TEXT = 10_000
NULL = "null"
#: Words with a meaning of their own; a column of such a name is written column('true').
CONSTANTS = {"true": True, "false": False}
QUOTES = "'\""
#: What SQL has for ==.
SINGLE_SIGN = re.compile(r"(?<![=!<>])=(?!=)")
#: As Python's parser counts them.
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
LANGUAGE = (
    "it may have column names, numbers, 'text', true, false, date('2026-01-01'), "
    "column('a name with spaces'), == != < <= > >=, in (...), is null, is not null, and, or, not, "
    "+ - * /, lower(x), trim(x), if_null(x, default), text(x), integer(x), "
    "instant(x, 'ms') and brackets"
)

ARITHMETIC: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
JOINTS: dict[type[ast.AST], str] = {ast.And: "and", ast.Or: "or"}


@dataclass(frozen=True)
class Grammar:
    """What a text may have beside what all have.

    paths: names with points between, ``product.category``; aggregates: functions with options.
    """

    paths: bool = False
    aggregates: Collection[str] = ()


PLAIN = Grammar()


def parsed(text: str, grammar: Grammar = PLAIN) -> Node:
    r"""Return what the text of an expression says.

    Text between quotes is taken as it stands, backslashes too; of the quote sign around it, two
    stand for one.

    Raises
    ------
    ConfigError
        Where the text is not in the language.

    Examples
    --------
    >>> parsed(r"name == 'C:\new' and note != 'it''s'").nodes[0].right.value
    'C:\\new'
    """
    if not text.strip():
        raise ConfigError("the condition is empty", remedy=LANGUAGE)
    if len(text) > LONGEST_TEXT:
        raise ConfigError(
            f"a condition of {counted(len(text), 'character')} is too long",
            remedy=f"{LONGEST_TEXT:,} is the most",
        )
    reading = _Reading(text.strip(), grammar)
    try:
        node = reading.node()
        _check_conditions(node)
    except (RecursionError, MemoryError):
        raise too_deep() from None
    except (SyntaxError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        # There is none at the end of the text.
        where = f" at character {place}" if (place := getattr(error, "offset", None)) else ""
        raise _unreadable(f"{text!r} cannot be read{where}: ", reading.plain, error) from None
    return node


def _check_conditions(node: Node) -> bool:
    """Return whether a node names columns; raise a ConfigError where a condition in it has none.

    A column between quotes is meant there, more often than not. ``true`` and ``false`` are meant as
    they are written, alone and beside others: programs begin with them when they join conditions.
    """
    has_column = isinstance(node, Column | Path | Aggregate)
    for part in parts_of(node):
        if _check_conditions(part):
            has_column = True
        elif isinstance(node, Joint | Negation) and not _is_constant(part):
            raise _undecided(part)
    if _is_condition(node) and not has_column:
        raise _undecided(node)
    return has_column


def _is_constant(node: Node) -> bool:
    """Return whether a node that names no columns is ``true``, ``false``, or made of these."""
    return isinstance(node, Joint | Negation) or (
        isinstance(node, Literal) and isinstance(node.value, bool)
    )


def _is_condition(node: Node) -> bool:
    """Return whether a node is true or false, whatever the types of its columns are."""
    match node:
        case Comparison() | Membership() | NullTest():
            return True
        case Call(function="if_null", arguments=arguments):
            return any(
                isinstance(one, Literal) and isinstance(one.value, bool) for one in arguments
            )
    return False


def _undecided(node: Node) -> ConfigError:
    texts = (one for one in every(node) if isinstance(one, Literal) and isinstance(one.value, str))
    text = next(texts, None)
    remedy = "compare a column with something, or leave it out"
    if text is not None:
        remedy = f"a column whose name is no word is written column({text.written})"
    return ConfigError(
        f"{node.written!r} names no column, and says the same of every row", remedy=remedy
    )


def too_deep() -> ConfigError:
    """Return the refusal of what no reader can follow to its end."""
    return ConfigError("the condition is nested too deeply", remedy="divide it into parts")


def quoted(text: str, sign: str = "'") -> str:
    """Return a text as the language writes it.

    Examples
    --------
    >>> print(quoted("it's"))
    'it''s'
    """
    return sign + text.replace(sign, sign * 2) + sign


def as_written(column: str) -> str:
    """Return how an expression names a column, or the expression that stands for one.

    Examples
    --------
    >>> as_written("amount"), as_written("Order Date"), as_written("price * 2")
    ('amount', 'column("Order Date")', 'price * 2')
    """
    try:
        is_name = not isinstance(parsed(column), Literal)
    except ConfigError:
        is_name = False
    return column if is_name else "column(" + quoted(column, '"') + ")"


def _unreadable(what: str, text: str, error: Exception) -> ConfigError:
    words = {"AND", "OR", "NOT", "IN", "IS", "NULL"} & set(text.split())
    if words:
        return ConfigError(f"{what}write {', '.join(sorted(words)).lower()} in small letters")
    if SINGLE_SIGN.search(text):
        return ConfigError(f"{what}write == for equal")
    return ConfigError(what + str(error).partition(" (")[0], remedy=LANGUAGE)


class _Reading:
    """The reading of one text."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self._text = text
        self._grammar = grammar
        #: The texts between quotes, by the place of the first quote and that behind the last.
        self._texts: dict[tuple[int, int], str] = {}
        self.plain = self._without_texts()
        lines = LINE.findall(self.plain)
        self._begins = [0, *accumulate(map(len, lines))]
        self._lines = [line.encode() for line in lines]

    def node(self) -> Node:
        return self._read(ast.parse(self.plain, mode="eval").body)

    def _without_texts(self) -> str:
        """Return the text with every text between quotes blotted out; note what they were."""
        pieces, place = [], 0
        while place < len(self._text):
            sign = self._text[place]
            if sign == "#":  # behind which Python would read nothing
                raise ConfigError(
                    f"{self._text!r} cannot be read: there is no # in an expression",
                    remedy="a column with one in its name is written column('...')",
                )
            if sign not in QUOTES:
                pieces.append(sign)
                place += 1
                continue
            end = place + 1
            while True:
                end = self._text.find(sign, end)
                if end < 0:
                    raise ConfigError(
                        f"{self._text!r} cannot be read: the quote at character {place + 1} has "
                        "no end",
                        remedy="inside a text, two quote signs stand for one",
                    )
                if self._text[end + 1 : end + 2] != sign:
                    break
                end += 2
            inside = self._text[place + 1 : end]
            self._texts[place, end + 1] = inside.replace(sign * 2, sign)
            pieces.append(sign + "x" * len(inside) + sign)
            place = end + 1
        return "".join(pieces)

    def _span(self, node: Any) -> tuple[int, int]:
        """Return where a node begins and ends, in characters."""
        return (
            self._place(node.lineno, node.col_offset),
            self._place(node.end_lineno, node.end_col_offset),
        )

    def _place(self, line: int, offset: int) -> int:
        return self._begins[line - 1] + len(self._lines[line - 1][:offset].decode())

    def _written(self, node: ast.AST) -> Written:
        start, stop = self._span(node)
        return Written.at(start + 1, self._text[start:stop])

    def _refused(self, node: ast.AST) -> ConfigError:
        return ConfigError(f"{self._written(node)!r} has no meaning here", remedy=LANGUAGE)

    def _read(self, node: ast.AST) -> Node:
        """Return what a node says: by the handler of its type, or a refusal."""
        for kind, read in _HANDLERS.items():
            if isinstance(node, kind):
                return read(self, node)
        return self._literal(node)

    def _name(self, node: ast.Name) -> Node:
        name = self._written(node)
        if name == NULL:
            raise ConfigError(
                "nothing compares with null", remedy="write 'is null' or 'is not null'"
            )
        if name in CONSTANTS:
            return Literal(name, CONSTANTS[name])
        return Column(name, name)

    def _path(self, node: ast.Attribute | ast.Call) -> Node:
        """Read names with points between, of which all but the first may be column('...')."""
        names: list[str] = []
        part: ast.AST = node
        while not isinstance(part, ast.Name):
            match part:
                case ast.Attribute(value=owner):
                    begin, end = self._span(owner)[1], self._span(part)[1]
                    names.append(self._text[begin:end].lstrip(" .\t\r\n"))
                case ast.Call(
                    func=ast.Attribute(value=owner, attr="column"), args=[one], keywords=[]
                ) if (text := self._quoted(one)) is not None:
                    names.append(text)
                case _:
                    raise self._refused(node)
            part = owner
        if not self._grammar.paths:
            raise self._refused(node)
        return Path(self._written(node), (self._written(part), *reversed(names)))

    def _aggregate(self, node: ast.Call) -> Node:
        options = tuple((str(one.arg), self._literal(one.value)) for one in node.keywords)
        arguments = tuple(
            Values(self._written(one), tuple(map(self._literal, one.elts)))
            if isinstance(one, ast.Tuple | ast.List | ast.Set)
            else self._read(one)
            for one in node.args
        )
        return Aggregate(self._written(node), self._written(node.func), arguments, options)

    def _call(self, node: ast.Call) -> Node:
        name = self._written(node.func)
        if isinstance(node.func, ast.Attribute):
            return self._path(node)
        if name in self._grammar.aggregates:
            return self._aggregate(node)
        if node.keywords or name not in {*FUNCTIONS, "column", "date"}:
            raise self._unknown(node, name)
        if name in FUNCTIONS:
            if len(node.args) != FUNCTIONS[name]:
                raise ConfigError(
                    f"{self._written(node)!r}: {name}() takes {FUNCTIONS[name]} of them, in "
                    "brackets and with commas between"
                )
            if name == "instant" and self._quoted(node.args[1]) not in INSTANT_UNITS:
                raise ConfigError(
                    f"{self._written(node)!r}: {self._written(node.args[1])} is no unit of time",
                    remedy=f"write one of {', '.join(map(repr, INSTANT_UNITS))}",
                )
            return Call(self._written(node), name, tuple(map(self._read, node.args)))
        text = self._quoted(node.args[0]) if len(node.args) == 1 else None
        if text is None:
            raise self._refused(node)
        if name == "column":
            return Column(self._written(node), text)
        try:
            return Literal(self._written(node), date.fromisoformat(text))
        except ValueError:
            raise ConfigError(
                f"date({text!r}) is not a day", remedy="write date('2026-01-01')"
            ) from None

    def _unknown(self, node: ast.Call, name: str) -> ConfigError:
        """Return what is said of a function that there is not."""
        is_named, aggregates = isinstance(node.func, ast.Name), self._grammar.aggregates
        known = [*aggregates, *FUNCTIONS]
        hint = suggestion(name, known) if aggregates or (is_named and not node.keywords) else ""
        remedy = LANGUAGE
        if aggregates and is_named:
            remedy = f"the functions are {', '.join(known)}"
        return ConfigError(f"{self._written(node)!r} has no meaning here{hint}", remedy=remedy)

    def _quoted(self, node: ast.AST) -> str | None:
        """Return the text of a node that is a single text between quotes."""
        return self._texts.get(self._span(node)) if isinstance(node, ast.Constant) else None

    def _joint(self, node: ast.BoolOp) -> Node:
        nodes = tuple(map(self._read, node.values))
        return Joint(self._written(node), JOINTS[type(node.op)], nodes)

    def _signed(self, node: ast.UnaryOp) -> Node:
        written = self._written(node)
        if isinstance(node.op, ast.Not):
            return Negation(written, self._read(node.operand))
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            nothing = Literal("0", 0, Decimal(0))
            return Arithmetic(written, "-", nothing, self._read(node.operand))
        return self._literal(node)

    def _computed(self, node: ast.BinOp) -> Node:
        if type(node.op) not in ARITHMETIC:
            raise self._refused(node)
        left, right = self._read(node.left), self._read(node.right)
        return Arithmetic(self._written(node), ARITHMETIC[type(node.op)], left, right)

    def _compared(self, node: ast.Compare) -> Node:
        """Read a chain of comparisons: each has to hold."""
        found, left = [], node.left
        for sign, right in zip(node.ops, node.comparators, strict=True):
            found.append(self._comparison(node, left, sign, right))
            left = right
        return found[0] if len(found) == 1 else Joint(self._written(node), "and", tuple(found))

    def _comparison(self, node: ast.Compare, left: ast.AST, sign: ast.AST, right: ast.AST) -> Node:
        written = self._written(node)
        if type(sign) in COMPARISONS:
            shown, one, other = COMPARISONS[type(sign)], self._read(left), self._read(right)
            if len(node.ops) > 1:  # of a chain, what is compared here
                pair = f"{one.written} {shown} {other.written}"
                written = Written.at(self._span(left)[0] + 1, pair)
            return Comparison(written, shown, one, other)
        if isinstance(sign, ast.In | ast.NotIn):
            listed = isinstance(right, ast.Tuple | ast.List | ast.Set)
            # Brackets around a single value are no list to Python.
            values = right.elts if listed else [right]  # type: ignore[attr-defined]
            literals = tuple(map(self._literal, values))
            return Membership(written, self._read(left), literals, isinstance(sign, ast.NotIn))
        is_null = isinstance(right, ast.Name) and self._written(right) == NULL
        if isinstance(sign, ast.Is | ast.IsNot) and is_null:
            return NullTest(written, self._read(left), isinstance(sign, ast.IsNot))
        raise self._refused(node)

    def _literal(self, node: ast.AST) -> Literal:
        """Return the value that is written: a number, text, truth or day."""
        written = self._written(node)
        if isinstance(node, ast.Name) and written in CONSTANTS:
            return Literal(written, CONSTANTS[written])
        if isinstance(node, ast.Call):
            found = self._call(node)
            if isinstance(found, Literal):
                return found
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._negative(node)
        if isinstance(node, ast.Constant):
            text = self._quoted(node)
            if text is not None:
                return Literal(written, text)
            if isinstance(node.value, bool):
                return Literal(written, node.value)
            if isinstance(node.value, int | float):
                exact = (
                    Decimal(node.value)
                    if isinstance(node.value, int)
                    else Decimal(written.replace("_", ""))
                )
                return self._number(written, node.value, exact)
        raise self._refused(node)

    def _negative(self, node: ast.UnaryOp) -> Literal:
        written, negated = self._written(node), node.operand
        if isinstance(negated, ast.Constant) and type(negated.value) is int:
            # The smallest integer has no positive counterpart.
            return self._number(written, -negated.value, Decimal(-negated.value))
        number = self._literal(negated)
        if number.exact is None:
            raise self._refused(node)
        # A minus before a decimal would round it to 28 digits.
        negative = number.exact.copy_negate()
        return self._number(written, -number.value, negative)  # type: ignore[operator]

    @staticmethod
    def _number(written: str, value: float, exact: Decimal) -> Literal:
        too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
        if too_large or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigError(
                f"{value} is too large", remedy="whole numbers have 64 bits, others are float64"
            )
        return Literal(written, value, exact)


_HANDLERS: Mapping[type[ast.AST], Callable[[_Reading, Any], Node]] = {
    ast.Name: _Reading._name,  # noqa: SLF001 - the table of its own methods
    ast.Attribute: _Reading._path,  # noqa: SLF001
    ast.Call: _Reading._call,  # noqa: SLF001
    ast.BoolOp: _Reading._joint,  # noqa: SLF001
    ast.UnaryOp: _Reading._signed,  # noqa: SLF001
    ast.BinOp: _Reading._computed,  # noqa: SLF001
    ast.Compare: _Reading._compared,  # noqa: SLF001
}
