"""Comparisons of a column of words, computed for each word of its dictionary, not for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ordercycle._expressions.nodes import (
    Column,
    Comparison,
    Literal,
    Membership,
    Node,
    columns_of,
    replaced,
)
from ordercycle._expressions.typed import compiled, computed
from ordercycle._sources.formulas import Formula


@dataclass(frozen=True)
class WordTest:
    """A comparison of a column of words with what is written: no word makes it fail."""

    column: str
    kind: pa.DataType  # of the words
    expression: Any

    def of_rows(self, array: pa.Array) -> pa.Array:
        """Return which rows hold, null where neither they do nor do not."""
        if not pa.types.is_dictionary(array.type):  # as under a memory limit
            return self._of(array.cast(self.kind))
        words, rows = array.dictionary.cast(self.kind), array.indices
        if len(words) > len(rows):  # of which most are of other rows
            return self._of(words.take(rows))
        # Behind the words, what holds of a row that has none.
        holds = self._of(pa.concat_arrays([words, pa.nulls(1, self.kind)]))
        if rows.null_count:
            rows = rows.cast(pa.int64()).fill_null(len(holds) - 1)
        # Bytes are taken in a third of the time that bits take.
        return holds.cast(pa.uint8()).take(rows).cast(pa.bool_())

    def _of(self, words: pa.Array) -> pa.Array:
        column = computed(pa.table({self.column: words}), [self.expression]).column(0)
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, pa.bool_())


def divided(
    formula: Formula, words: Mapping[str, pa.DataType], taken: Collection[str]
) -> tuple[Formula, dict[str, WordTest]]:
    """Return a formula that reads the results of comparisons as columns, and these, by name.

    words: the types of words, by the names of the columns that are dictionaries; taken: names that
    columns have. The formula as it was fits the types of its columns.
    """
    tests: dict[str, WordTest] = {}

    def change(node: Node) -> Node | None:
        column = _compared(node)
        if column is None or column not in words:
            return None
        plain = pa.schema([(column, words[column])])
        name = repr(node)
        while name in taken:
            name += "'"
        tests[name] = WordTest(column, words[column], compiled(node, plain).expression)
        return Column(node.written, name)

    if formula.node is None or not words:
        return formula, tests
    rest = replaced(formula.node, change)
    columns = tuple((name, use) for name, use in columns_of(rest) if name not in tests)
    return replace(formula, node=rest, columns=columns), tests


def _compared(node: Node) -> str | None:
    """Return the column that a node compares with what is written, if that is all it does."""
    match node:
        case Comparison(left=Column(name=name), right=Literal()):
            return name
        case Comparison(left=Literal(), right=Column(name=name)):
            return name
        case Membership(node=Column(name=name)):
            return name
    return None
