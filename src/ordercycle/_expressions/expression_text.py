"""Pyarrow expressions as text of the language of rules, as far as that says exactly the same.

Callers give a pyarrow expression wherever they may give text; as text it can be shown and saved.
Arrow shows an expression, but for constants, in a form that Python's parser reads. What is made of
it is believed only where it becomes the same expression again.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.language import NULL, quoted
from ordercycle._expressions.typed import type_of

NO_COLUMNS = pa.schema([])

#: How Arrow shows constants and options, and ours.
_NOTATIONS = (
    (re.compile(r", \{nan_is_null=false\}"), ""),
    (re.compile(r"\{value_set=[^:]*:(\[[^{}]*\]), null_matching_behavior=MATCH\}"), r"\1"),
    (re.compile(r", \{to_type=double[^}]*\}"), ""),
    (re.compile(r"(?<![\w\"-])(\d{4}-\d\d-\d\d)(?![\w\"-])"), r"date('\1')"),
)
#: What Arrow calls our operators between numbers.
_ARROWS = {
    "add_checked": ast.Add,
    "subtract_checked": ast.Sub,
    "multiply_checked": ast.Mult,
    "divide": ast.Div,
}
#: Arrow's functions that the language has under a name of its own.
_FUNCTIONS = {"utf8_lower": "lower", "utf8_trim_whitespace": "trim", "coalesce": "if_null"}
_WHOLE_NUMBER = re.compile(r"(?<![\w.\"'-])(-?\d+)(?![\w.\"'-])")


def language_text(expression: pc.Expression) -> str | None:
    """Return the text of an expression, or None where the language has none.

    Examples
    --------
    >>> import pyarrow.compute as pc
    >>> language_text((pc.field("rfm") == "Champions") & ~pc.field("revenue").is_null())
    "rfm == 'Champions' and (not revenue is null)"
    >>> language_text(pc.starts_with(pc.field("rfm"), "C"))
    """
    shown = str(expression)
    for arrow, ours in _NOTATIONS:
        shown = arrow.sub(ours, shown)
    # Arrow shows 500.0 as 500.
    for candidate in (shown, _WHOLE_NUMBER.sub(r"\1.0", shown)):
        try:
            text = _Translator().text(ast.parse(candidate, mode="eval"))
            if parsed_condition(text).equals(expression):
                return text
        except (SyntaxError, ValueError, RecursionError, ConfigError):
            continue
    return None


class _Translator(ast.NodeTransformer):
    """Turns calls of Arrow's functions into operators, and texts into ours."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def text(self, tree: ast.Expression) -> str:
        """Return the text of what Arrow shows."""
        written = ast.unparse(self.visit(tree))
        for number, text in reversed(list(enumerate(self._texts))):
            written = written.replace(_place(number), quoted(text))
        return written

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        # Python would write a text with escapes, which the language has not.
        self._texts.append(node.value)
        return ast.Name(_place(len(self._texts) - 1), ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
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
            case function, [one, other] if function in _ARROWS:
                made = ast.BinOp(one, _ARROWS[function](), other)
            case function, arguments if function in _FUNCTIONS:
                made = ast.Call(ast.Name(_FUNCTIONS[function], ast.Load()), arguments, [])
        return made


def _place(number: int) -> str:
    """Return the name that stands for a text while the rest is written."""
    return f"__text_{number}__"


class ExpressionText(str):
    """The text of a pyarrow expression, which carries the expression: it is named by its text.

    Examples
    --------
    >>> given = ExpressionText.of(pc.field("q") * pc.field("p"))
    >>> given, given.expression
    ('q * p', <pyarrow.compute.Expression multiply_checked(q, p)>)
    """

    __slots__ = ("expression", "is_language")

    expression: pc.Expression
    is_language: bool  # whether the text is of the language, and says the same

    @classmethod
    def of(cls, expression: pc.Expression) -> Self:
        """Return an expression as text: of the language, where that says the same."""
        text = language_text(expression)
        if text is None:
            check_names_column(expression)
        made = cls(text or expression)
        made.expression, made.is_language = expression, text is not None
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return ExpressionText.of, (self.expression,)


def check_names_column(expression: pc.Expression) -> None:
    """Raise a ConfigError where an expression names no column; the language checks its own."""
    if language_text(expression) is not None:
        return
    try:
        type_of(expression, NO_COLUMNS)
    except (pa.ArrowException, ValueError, TypeError):
        return  # a column is missing
    raise ConfigError(
        f"{expression} names no column, and says the same of every row",
        remedy="name columns as pc.field('status')",
    )


def as_text(given: Any) -> Any:
    """Return a pyarrow expression as text that carries it, and anything else as it is."""
    return ExpressionText.of(given) if isinstance(given, pc.Expression) else given
