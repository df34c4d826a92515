"""What callers give for a column: its name, text of the language, or a pyarrow expression."""

from __future__ import annotations

from typing import Any, Self

import pyarrow.compute as pc

from ordercycle._expressions.spelling import spelt


class ExpressionText(str):
    """The text of a pyarrow expression, which carries the expression: it is named by its text.

    Examples
    --------
    >>> given = ExpressionText.of(pc.field("q") * pc.field("p"))
    >>> given, given.expression
    ('q * p', <pyarrow.compute.Expression multiply_checked(q, p)>)
    """

    __slots__ = ("expression",)

    expression: pc.Expression

    @classmethod
    def of(cls, expression: pc.Expression) -> Self:
        """Return an expression as text: of the language, where that says the same."""
        made = cls(spelt(expression) or str(expression))
        made.expression = expression
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return ExpressionText.of, (self.expression,)


def as_text(given: Any) -> Any:
    """Return a pyarrow expression as text that carries it, and anything else as it is."""
    return ExpressionText.of(given) if isinstance(given, pc.Expression) else given
