"""A column that is computed: what it reads, and its expression over columns of known types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ordercycle._errors import ColumnError, Option, suggestion
from ordercycle._expressions.nodes import Node
from ordercycle._expressions.typed import Clock, compiled, type_of

_MISSING = re.compile(r"No match for FieldRef\.(?:Nested\(FieldRef\.)?Name\((.*?)\)", re.DOTALL)


@dataclass(frozen=True)
class Formula:
    """A column that is computed: its name, and text of the language or an expression beyond it."""

    name: str
    node: Node | None
    expression: Any
    columns: tuple[tuple[str, str], ...]  # that it reads, and what each is used as

    @property
    def read(self) -> list[str]:
        """The columns that it reads."""
        return list(dict(self.columns))

    def over(self, schema: pa.Schema, table: str, clock: Clock) -> tuple[Any, pa.DataType]:
        """Return the expression over columns of plain types, and its type.

        Raises
        ------
        ColumnError
            Where a column is missing or has a type that cannot be used so.
        """
        try:
            if self.node is not None:
                value = compiled(self.node, schema, clock)
                return value.expression, value.type
            return self.expression, type_of(self.expression, schema)
        except ColumnError as error:
            raise ColumnError(
                f"{table}: {self.name!r} cannot be computed: {error.what}",
                remedy=error.remedy,
                column=self.name,
            ) from None
        except (pa.ArrowException, ValueError, TypeError) as error:
            missing = _MISSING.search(str(error))
            if missing:
                raise missing_columns(table, self.name, [missing[1]], schema.names) from None
            what = str(error).partition("\n")[0]
            raise ColumnError(
                f"{table}: {self.name!r} does not fit the types of its columns: {what}",
                column=self.name,
            ) from None


def missing_columns(
    table: str,
    text: str,
    missing: Sequence[str],
    names: Sequence[str],
    *,
    is_condition: bool = False,
    why: str = "",
) -> ColumnError:
    """Return the error for text that is neither a column nor reads columns that are there."""
    there = ", ".join(map(repr, names[:20])) or "no column at all"
    of_all = suggestion(text, names)
    listed = " and ".join(f"{name!r}{suggestion(name, names)}" for name in missing)
    named = f"{listed}, which {'is' if len(missing) == 1 else 'are'} not there"
    if is_condition:
        return ColumnError(
            (f"{table}: ", Option("only", text), f" names {named}"),
            remedy=f"{table} has {there}: name columns that are there; one with spaces is "
            "column('its name')",
            column=missing[0],
        )
    as_one = f"names {named}" if missing else f"cannot be read: {why}"
    return ColumnError(
        f"{table} has no column {text!r}{of_all}, and as an expression it {as_one}",
        remedy=(f"it has {there}: say which columns to read with ", Option("columns")),
        column=text,
    )
