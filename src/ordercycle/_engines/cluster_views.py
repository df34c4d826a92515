"""Views of orders on a cluster: what is known of a condition where no task has all values."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from ordercycle._engines.partition_tasks import history_of_nobody
from ordercycle._engines.source_notes import NO_TEXTS, LookedFor
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Column, Literal, Path
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import StreamColumns
from ordercycle._streams.conditions import check_values, compared, is_text, no_such_text, path_of


@dataclass(frozen=True)
class View:
    """The orders that satisfy a condition; the arguments are those of OrderHistory.where.

    Whether a text equals a value of an attribute is known when all orders were read. Each source
    looks for the texts in its rows, and tells every target which of them it found.
    """

    condition: Any
    missing: str

    def looked_for(self, spec: HistorySpec) -> LookedFor:
        """Return the texts to look for; what else can be wrong with the condition is an error.

        Raises
        ------
        ConfigError, ColumnError
            As for OrderHistory.where, as far as no order has to be read for it.
        """
        nobody = history_of_nobody(spec)
        nobody.where(self.condition, missing=self.missing)
        if self.missing == "empty":
            return NO_TEXTS
        compared_texts = self._texts(grouped_orders(nobody).columns)
        texts = ((path[0], str(value.value)) for _, path, value in compared_texts if len(path) == 1)
        drops_refunds = spec.policies.refunds == "drop"
        dropped = spec.columns.amount if drops_refunds else None
        return LookedFor(tuple(dict.fromkeys(texts)), dropped)

    def of(
        self, history: OrderHistory, looked_for: LookedFor, found: AbstractSet[int] | None
    ) -> OrderHistory:
        """Return the view of a history of some of the customers.

        found: which of the texts any order of any customer has; None where there are no orders.

        Raises
        ------
        ConfigError
            A text equals no value of all orders, or of a lookup.
        """
        if self.missing == "error" and found is not None:
            self._check_texts(grouped_orders(history).columns, looked_for, found)
        return history.where(self.condition, missing="empty")

    def _check_texts(
        self, columns: StreamColumns, looked_for: LookedFor, found: AbstractSet[int]
    ) -> None:
        there = {looked_for.texts[number] for number in found}
        for column, path, value in self._texts(columns):
            if len(path) > 1:  # of lookups, each task has all
                check_values(column, (value,), columns)
            elif (path[0], value.value) not in there:
                values = columns.attributes[path[0]].values
                raise no_such_text(column, value, values, " in this partition")

    def _texts(
        self, columns: StreamColumns
    ) -> Iterator[tuple[Column | Path, tuple[str, ...], Literal]]:
        """Yield the columns of texts that are compared with a text, their paths, and the text."""
        for column, value in compared(parsed(as_text(self.condition), WITH_PATHS)):
            path = path_of(column)
            values = columns.by_code(path)
            if values is not None and is_text(values.type) and isinstance(value.value, str):
                yield column, path, value
