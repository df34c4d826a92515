"""Conditions of rules as text: a small declared language that becomes pyarrow expressions.

The text is read by Python's own parser and never run: what is not in the tables here is refused.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle.errors import ConfigError

LONGEST_TEXT = 10_000
NULL = "null"
#: Words with a meaning of their own; a column of such a name is written column('true').
CONSTANTS = {"true": True, "false": False}
LANGUAGE = (
    "a condition has column names, numbers, 'text', true, false, date('2026-01-01'), "
    "column('a name with spaces'), == != < <= > >=, in (...), is null, is not null, and, or, not, "
    "+ - * / and brackets"
)


def _quotient(one: Any, other: Any) -> Any:
    # Arrow divides integers without a remainder, and refuses zero.
    return pc.divide(one.cast(pa.float64()), other.cast(pa.float64()))


class Arithmetic(NamedTuple):
    """An operator between two numbers: what it does, and what Arrow calls it."""

    function: Callable[[Any, Any], Any]
    arrow: str


COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
JOINTS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.And: operator.and_,
    ast.Or: operator.or_,
}
ARITHMETIC: dict[type[ast.operator], Arithmetic] = {
    ast.Add: Arithmetic(operator.add, "add_checked"),
    ast.Sub: Arithmetic(operator.sub, "subtract_checked"),
    ast.Mult: Arithmetic(operator.mul, "multiply_checked"),
    ast.Div: Arithmetic(_quotient, "divide"),
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
    if not text.strip():
        raise ConfigError(f"the condition is empty; {LANGUAGE}")
    if len(text) > LONGEST_TEXT:
        raise ConfigError(
            f"a condition of {len(text):,} characters is too long; {LONGEST_TEXT:,} is the most"
        )
    try:
        return _expression(ast.parse(text.strip(), mode="eval").body)
    except (RecursionError, MemoryError):
        raise ConfigError("the condition is nested too deeply; divide it into rules") from None
    except (SyntaxError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        # There is none at the end of the text.
        where = f" at character {place}" if (place := getattr(error, "offset", None)) else ""
        raise ConfigError(f"{text!r} cannot be read{where}: {_advice(text, error)}") from None


def _advice(text: str, error: Exception) -> str:
    words = {"AND", "OR", "NOT", "IN", "IS", "NULL"} & set(text.split())
    if words:
        return f"write {', '.join(sorted(words)).lower()} in small letters"
    if "Maybe you meant '=='" in str(error) or "assignment" in str(error):
        return "write == for equal"
    return f"{str(error).partition(' (')[0]}; {LANGUAGE}"


def _refused(node: ast.AST) -> ConfigError:
    return ConfigError(f"{ast.unparse(node)!r} has no meaning here; {LANGUAGE}")


def _expression(node: ast.AST) -> pc.Expression:
    """Return the expression of a node: the handler of its type, or a refusal."""
    for kind, compiled in _HANDLERS.items():
        if isinstance(node, kind):
            return compiled(node)
    return pc.scalar(_literal(node))


def _name(node: ast.Name) -> pc.Expression:
    if node.id == NULL:
        raise ConfigError("nothing compares with null; write 'is null' or 'is not null'")
    if node.id in CONSTANTS:
        return pc.scalar(CONSTANTS[node.id])
    return pc.field(node.id)


def _call(node: ast.Call) -> pc.Expression:
    if _called(node) == "column":
        return pc.field(node.args[0].value)  # type: ignore[attr-defined]
    return pc.scalar(_literal(node))


def _called(node: ast.Call) -> str | None:
    """Return the name of a call with a single text, or None for any other call."""
    single = len(node.args) == 1 and not node.keywords and isinstance(node.func, ast.Name)
    text = single and isinstance(node.args[0], ast.Constant) and node.args[0].value
    return node.func.id if isinstance(text, str) else None  # type: ignore[attr-defined]


def _joined(node: ast.BoolOp) -> pc.Expression:
    join = JOINTS[type(node.op)]
    made = _expression(node.values[0])
    for value in node.values[1:]:
        made = join(made, _expression(value))
    return made


def _negated(node: ast.UnaryOp) -> pc.Expression:
    if isinstance(node.op, ast.Not):
        return ~_expression(node.operand)
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        return pc.scalar(0) - _expression(node.operand)
    return pc.scalar(_literal(node))


def _computed(node: ast.BinOp) -> pc.Expression:
    if type(node.op) not in ARITHMETIC:
        raise _refused(node)
    return ARITHMETIC[type(node.op)].function(_expression(node.left), _expression(node.right))


def _compared(node: ast.Compare) -> pc.Expression:
    """Compile a chain of comparisons: each has to hold."""
    made, left = None, node.left
    for sign, right in zip(node.ops, node.comparators, strict=True):
        one = _comparison(node, left, sign, right)
        made = one if made is None else made & one
        left = right
    return made


def _comparison(node: ast.AST, left: ast.AST, sign: ast.AST, right: ast.AST) -> pc.Expression:
    if type(sign) in COMPARISONS:
        return COMPARISONS[type(sign)](_expression(left), _expression(right))
    made = _expression(left)
    if isinstance(sign, ast.In | ast.NotIn):
        listed = isinstance(right, ast.Tuple | ast.List | ast.Set)
        # Brackets around a single value are no list to Python.
        values = right.elts if listed else [right]  # type: ignore[attr-defined]
        made = made.isin(_listed(node, [_literal(value) for value in values]))
        return made if isinstance(sign, ast.In) else ~made
    if isinstance(sign, ast.Is | ast.IsNot) and _is_null(right):
        return made.is_null() if isinstance(sign, ast.Is) else made.is_valid()
    raise _refused(node)


def _listed(node: ast.AST, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException:
        raise ConfigError(f"{ast.unparse(node)!r} lists values of different kinds") from None


def _is_null(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == NULL


_HANDLERS: Mapping[type[ast.AST], Callable[[Any], pc.Expression]] = {
    ast.Name: _name,
    ast.Call: _call,
    ast.BoolOp: _joined,
    ast.UnaryOp: _negated,
    ast.BinOp: _computed,
    ast.Compare: _compared,
}


def _literal(node: ast.AST) -> Any:
    """Return the value that is written: a number, text, truth or date."""
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _in_range(-value)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
        return _in_range(node.value)
    if isinstance(node, ast.Call) and _called(node) == "date":
        text = node.args[0].value  # type: ignore[attr-defined]
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ConfigError(f"date({text!r}) is not a day; write date('2026-01-01')") from None
    raise _refused(node)


def _in_range(value: float | str) -> float | str:
    too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigError(f"{value} is too large; whole numbers have 64 bits, others are float64")
    return value
