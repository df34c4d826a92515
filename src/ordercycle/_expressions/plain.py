"""Expressions of the language as pyarrow's, whatever the types of their columns are."""

from __future__ import annotations

import operator
from collections.abc import Callable
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
    return pc.divide(one.cast(pa.float64()), other.cast(pa.float64()))


def together(one: Any, other: Any) -> Any:
    """Return two texts as one; null where one of them is."""
    return pc.binary_join_element_wise(one, other, "")


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
    "integer": lambda value: value.cast(pa.int64()),
}


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
    try:
        return expression(parsed(text))
    except RecursionError:
        raise too_deep() from None


def expression(node: Node) -> pc.Expression:  # noqa: PLR0911 - one case after the other
    """Return what a node stands for."""
    match node:
        case Column(name=name):
            return pc.field(name)
        case Literal(value=value):
            return pc.scalar(value)
        case Call():
            return _called(node)
        case Negation(node=one):
            return ~expression(one)
        case Arithmetic(sign=sign, left=left, right=right):
            join = together if sign == "+" and is_text(node) else COMPUTE[sign]
            return join(expression(left), expression(right))
        case Comparison(sign=sign, left=left, right=right):
            return COMPARE[sign](expression(left), expression(right))
        case Membership(node=one, values=values, negated=negated):
            made = expression(one).isin(listed(node, [value.value for value in values]))
            return ~made if negated else made
        case NullTest(node=one, negated=negated):
            made = expression(one)
            return made.is_valid() if negated else made.is_null()
        case Joint(sign=sign, nodes=nodes):
            return reduce(JOIN[sign], map(expression, nodes))
    raise AssertionError(node)


def _called(node: Call) -> pc.Expression:
    match node.function, node.arguments:
        case "instant", (counted, Literal(value=str(unit))):
            return expression(counted).cast(pa.int64()).cast(pa.timestamp(unit, "UTC"))
    return CALLS[node.function](*map(expression, node.arguments))


def listed(node: Node, values: list[Any]) -> pa.Array:
    """Return the values of a list, or raise a ConfigError where they are of several kinds."""
    try:
        return pa.array(values)
    except pa.ArrowException:
        raise ConfigError(f"{node.written!r} lists values of different kinds") from None
