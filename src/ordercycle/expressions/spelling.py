"""Pyarrow expressions as text of the language of rules, as far as that says exactly the same.

Arrow shows an expression, but for constants, in a form that Python's parser reads. What is made of
it is believed only where it becomes the same expression again.
"""

from __future__ import annotations

import ast
import re

import pyarrow.compute as pc

from ordercycle.errors import ConfigError
from ordercycle.expressions.language import ARITHMETIC, NULL, parsed_condition

#: Arrow's spelling of constants and options, and ours.
_SPELLINGS = (
    (re.compile(r", \{nan_is_null=false\}"), ""),
    (re.compile(r"\{value_set=[^:]*:(\[[^{}]*\]), null_matching_behavior=MATCH\}"), r"\1"),
    (re.compile(r", \{to_type=double[^}]*\}"), ""),
    (re.compile(r"(?<![\w\"-])(\d{4}-\d\d-\d\d)(?![\w\"-])"), r"date('\1')"),
)
_WHOLE_NUMBER = re.compile(r"(?<![\w.\"'-])(-?\d+)(?![\w.\"'-])")


def spelt(expression: pc.Expression) -> str | None:
    """Return the text of an expression, or None where the language has none.

    Examples
    --------
    >>> import pyarrow.compute as pc
    >>> spelt((pc.field("rfm") == "Champions") & ~pc.field("revenue").is_null())
    "rfm == 'Champions' and (not revenue is null)"
    >>> spelt(pc.starts_with(pc.field("rfm"), "C"))
    """
    shown = str(expression)
    for arrow, ours in _SPELLINGS:
        shown = arrow.sub(ours, shown)
    # Arrow shows 500.0 as 500.
    for candidate in (shown, _WHOLE_NUMBER.sub(r"\1.0", shown)):
        try:
            tree = _Spelling().visit(ast.parse(candidate, mode="eval"))
            text = ast.unparse(tree)
            if parsed_condition(text).equals(expression):
                return text
        except (SyntaxError, ValueError, RecursionError, ConfigError):
            continue
    return None


class _Spelling(ast.NodeTransformer):
    """Turns calls of Arrow's functions into operators."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        operators = {one.arrow: kind for kind, one in ARITHMETIC.items()}
        made: ast.expr = node
        match name, node.args:
            case "invert", [value]:
                made = ast.UnaryOp(ast.Not(), value)
            case "cast", [value]:  # of a quotient
                made = value
            case "is_null", [value]:
                made = ast.Compare(value, [ast.Is()], [ast.Name(NULL, ast.Load())])
            case "is_valid", [value]:
                made = ast.Compare(value, [ast.IsNot()], [ast.Name(NULL, ast.Load())])
            case "is_in", [value, values]:
                made = ast.Compare(value, [ast.In()], [values])
            case function, [one, other] if function in operators:
                made = ast.BinOp(one, operators[function](), other)
        return made
