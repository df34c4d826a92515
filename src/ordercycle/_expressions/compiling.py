"""Expressions of the language as pyarrow's, whatever the types of their columns are.

`Compiler` walks the nodes; what becomes of columns, calls, operators and lists it leaves to its
methods, which `typed` overrides where the types of columns are known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError
from ordercycle._expressions.language import parsed, too_deep
from ordercycle._expressions.nodes import (
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
    is_text,
)

Pair = Callable[[Any, Any], Any]

FLOAT, INTEGER, TRUTH, UNKNOWN = pa.float64(), pa.int64(), pa.bool_(), pa.null()
#: Digits of the largest value of an integer type.
DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
COMPARE: dict[str, Pair] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
JOIN: dict[str, Pair] = {"and": operator.and_, "or": operator.or_}


def quotient(one: Any, other: Any) -> Any:
    """Return a quotient, which is a float."""
    # Arrow divides integers without a remainder, and refuses zero.
    return pc.divide(one.cast(FLOAT), other.cast(FLOAT))


COMPUTE: dict[str, Pair] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": quotient,
}
CALLS: dict[str, Callable[..., Any]] = {
    "lower": pc.utf8_lower,
    "trim": pc.utf8_trim_whitespace,
    "if_null": pc.coalesce,
    "text": lambda value: value.cast(pa.string()),
    "integer": lambda value: value.cast(INTEGER),
}


@dataclass(frozen=True)
class Value:
    """An expression and its type; a number that is written has `exact` and takes any type."""

    node: Node
    expression: Any
    type: pa.DataType = UNKNOWN
    exact: Decimal | None = None

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer."""
        return bool(pa.types.is_integer(self.type))

    @property
    def is_decimal(self) -> bool:
        """Whether it is a decimal."""
        return bool(pa.types.is_decimal(self.type))

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.is_integer or self.is_decimal or bool(pa.types.is_floating(self.type))

    @property
    def is_text(self) -> bool:
        """Whether it is text."""
        return bool(pa.types.is_string(self.type) or pa.types.is_large_string(self.type))

    def as_type(self, kind: pa.DataType) -> Any:
        """Return the expression in a type; what does not fit it is an error when it is computed."""
        if self.exact is not None:
            if pa.types.is_floating(kind):
                return pc.scalar(float(self.exact))
            if pa.types.is_integer(kind):
                return pc.scalar(int(self.exact))
            return pc.scalar(pa.scalar(self.exact, kind))
        if self.type == kind:
            return self.expression
        # Arrow casts decimals of few digits to no others than those of 128 bits.
        return self.expression.cast(kind)

    @property
    def digits(self) -> tuple[int, int]:
        """How many digits the value may have, and how many of them are behind the mark."""
        if self.exact is not None:
            _, digits, exponent = self.exact.as_tuple()
            scale = max(0, -int(exponent))
            return max(len(digits) + max(0, int(exponent)), scale, 1), scale
        if self.is_decimal:
            return self.type.precision, self.type.scale
        return DIGITS[self.type.bit_width], 0


class Compiler:
    """Makes expressions of nodes: here of columns of any types, compared as Arrow compares them."""

    def value(self, node: Node) -> Value:  # noqa: PLR0911 - one case after the other
        """Return what a node stands for."""
        match node:
            case Column(name=name):
                return self._column(node, name)
            case Literal(value=value, exact=exact):
                made = pa.scalar(value)
                return Value(node, pc.scalar(made), made.type, exact)
            case Call():
                return self._call(node, *map(self.value, node.arguments))
            case Negation(node=one):
                return Value(node, ~self._truth(self.value(one)), TRUTH)
            case Arithmetic():
                return self._arithmetic(node, self.value(node.left), self.value(node.right))
            case Comparison():
                return self._comparison(node, self.value(node.left), self.value(node.right))
            case Membership(negated=negated):
                made = self._is_in(node, self.value(node.node))
                return Value(node, ~made if negated else made, TRUTH)
            case NullTest(node=one, negated=negated):
                tested = self.value(one).expression
                return Value(node, tested.is_valid() if negated else tested.is_null(), TRUTH)
            case Joint(sign=sign, nodes=nodes):
                truths = (self._truth(self.value(one)) for one in nodes)
                return Value(node, reduce(JOIN[sign], truths), TRUTH)
        raise AssertionError(node)

    def _column(self, node: Node, name: str) -> Value:
        return Value(node, pc.field(name))

    def _truth(self, value: Value) -> Any:
        return value.expression

    def _call(self, node: Call, *arguments: Value) -> Value:
        values = [one.expression for one in arguments]
        if node.function == "instant":
            return Value(node, values[0].cast(INTEGER).cast(instant_type(node)))
        return Value(node, CALLS[node.function](*values))

    def _arithmetic(self, node: Arithmetic, left: Value, right: Value) -> Value:
        if node.sign == "+" and is_text(node):  # null where one of them is
            return Value(node, pc.binary_join_element_wise(left.expression, right.expression, ""))
        return Value(node, COMPUTE[node.sign](left.expression, right.expression))

    def _comparison(self, node: Comparison, left: Value, right: Value) -> Value:
        return Value(node, COMPARE[node.sign](left.expression, right.expression), TRUTH)

    def _is_in(self, node: Membership, value: Value) -> Any:
        return value.expression.isin(listed(node))


def parsed_condition(text: str) -> pc.Expression:
    """Return the expression that a condition in text stands for.

    Values are compared as Arrow compares them; a quotient is a float. Comparisons with null are
    neither true nor false; null is in no list, so that ``not in`` is true.

    Raises
    ------
    ConfigError
        Where the text is not in the language.

    Examples
    --------
    >>> parsed_condition("rfm == 'Champions' and not revenue < 500")
    <pyarrow.compute.Expression ((rfm == "Champions") and invert((revenue < 500)))>
    """
    return expression_of(parsed(text))


def expression_of(node: Node) -> pc.Expression:
    """Return the expression that a node stands for, as `parsed_condition` says.

    Raises
    ------
    ConfigError
        Where a list has values of several kinds, or parts are nested too deeply.
    """
    try:
        return Compiler().value(node).expression
    except RecursionError:
        raise too_deep() from None


def instant_type(node: Call) -> pa.DataType:
    """Return the type of what ``instant(x, 'ms')`` makes."""
    match node.arguments:
        case (_, Literal(value=str(unit))):
            return pa.timestamp(unit, "UTC")
    raise AssertionError(node)


def listed(node: Membership) -> pa.Array:
    """Return the values of a list, or raise a ConfigError where they are of several kinds."""
    try:
        return pa.array([one.value for one in node.values])
    except pa.ArrowException:
        raise ConfigError(f"{node.written!r} lists values of different kinds") from None
