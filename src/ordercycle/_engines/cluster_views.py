"""Conditions on a cluster: what is known of their texts where no task has all values.

Whether a text equals a value of an attribute is known when all rows were read. Each source looks
for the texts in its rows, and tells every target which of them it found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

from ordercycle._engines.source_notes import LookedFor
from ordercycle._errors import ConfigError, within
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Column, Literal, Node, Path
from ordercycle._features.language import Feature
from ordercycle._features.scan import conditions_of
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._streams.columns import StreamColumns
from ordercycle._streams.conditions import check_values, compared, is_text, no_such_text, path_of


class Compared(NamedTuple):
    """A condition whose texts are to be there; said: what messages say before it."""

    node: Node
    said: str = ""


@dataclass(frozen=True)
class View:
    """The events that satisfy a condition; the arguments are those of OrderHistory.where."""

    condition: Any
    missing: str

    @property
    def compared(self) -> tuple[Compared, ...]:
        """The condition, where its texts are to be there."""
        if self.missing == "empty":
            return ()
        return (Compared(parsed(as_text(self.condition), WITH_PATHS)),)


def of_features(features: Iterable[tuple[str, Feature]]) -> Iterator[Compared]:
    """Yield the conditions of features of one stream, by their names."""
    for name, feature in features:
        for node in conditions_of(feature):
            if node is not None:
                yield Compared(node, f"{feature.called(name)}: ")


def looked_for(conditions: Iterable[Compared], columns: StreamColumns) -> tuple[Any, ...]:
    """Return the texts of conditions that rows should have, each with its attribute."""
    texts = (
        (path[0], str(value.value))
        for condition in conditions
        for _, path, value in texts_of(condition.node, columns)
        if len(path) == 1
    )
    return tuple(dict.fromkeys(texts))


def check_texts(
    conditions: Iterable[Compared],
    columns: StreamColumns,
    looked_for: LookedFor,
    found: AbstractSet[int | str],
) -> None:
    """Raise a ConfigError where a text of a condition is not among those that were found."""
    there = {looked_for.texts[number] for number in found if isinstance(number, int)}
    for condition in conditions:
        try:
            for column, path, value in texts_of(condition.node, columns):
                if len(path) > 1:  # of lookups, each task has all
                    check_values(column, (value,), columns)
                elif (path[0], value.value) not in there:
                    values = columns.attributes[path[0]].values
                    raise no_such_text(column, value, values, " in this partition")
        except ConfigError as error:
            raise within(error, condition.said) from None


def texts_of(
    node: Node, columns: StreamColumns
) -> Iterator[tuple[Column | Path, tuple[str, ...], Literal]]:
    """Yield the columns of texts that are compared with a text, their paths, and the text."""
    for column, value in compared(node):
        path = path_of(column)
        values = columns.by_code(path)
        if values is not None and is_text(values.type) and isinstance(value.value, str):
            yield column, path, value
