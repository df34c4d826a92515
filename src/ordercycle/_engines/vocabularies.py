"""What is known of all values of a stream whose rows are on a cluster: of whom is no matter.

Each partition knows the values that its customers have. The driver makes of all of them a history
without customers, of which names are read, and conditions checked, as of one on one machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._engines.cluster_views import texts_of
from ordercycle._engines.named_sums import Name
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._expressions.nodes import Node
from ordercycle._history.counts import Counts
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.morsels import Tally
from ordercycle._spec import DetailSpec
from ordercycle._streams.attributes import Values

#: Values of an attribute that conditions are about, up to which a partition tells all of them:
#: of more, those that are compared with.
FEW_VALUES = 1_000
FIRST, LAST, ENTRIES, VALUE = "first", "last", "entries", "value"

H = TypeVar("H", OrderHistory, EventHistory)


@dataclass(frozen=True)
class Vocabulary:
    """The values of a stream's attributes, the days of its rows, and how many these are."""

    values: Mapping[str, set[Any]] = field(default_factory=dict)
    first_day: int | None = None
    last_day: int | None = None
    entries: int = 0

    @classmethod
    def of(
        cls, history: OrderHistory | EventHistory, named: Iterable[str], nodes: Iterable[Node]
    ) -> Vocabulary:
        """Return what a partition knows.

        named: the attributes of which all values matter; nodes: conditions, of which texts do.
        """
        grouped = _grouped(history)
        columns = grouped.columns
        attributes = columns.attributes
        values = {
            name: set(attributes[name].values.to_pylist()) for name in named if name in attributes
        }
        for node in nodes:
            for _, (name, *others), text in texts_of(node, columns):
                there = attributes[name].values
                if others or name in named:
                    continue
                if len(there) <= FEW_VALUES:
                    values[name] = set(there.to_pylist())
                elif pc.index(there, pa.scalar(text.value, there.type)).as_py() >= 0:
                    values.setdefault(name, set()).add(text.value)
        return cls(values, grouped.tally.first_day, grouped.tally.last_day, grouped.entries)

    def sums(self, stream: str) -> dict[Name, int]:
        """Return it under names that add up."""
        found: dict[Name, int] = {(ENTRIES, stream): self.entries}
        for name, values in self.values.items():
            found |= {(VALUE, stream, name, value): 1 for value in values}
        for which, day in ((FIRST, self.first_day), (LAST, self.last_day)):
            if day is not None:
                found[which, stream, day] = 1
        return found

    @classmethod
    def of_sums(cls, sums: Mapping[Name, Any], stream: str) -> Self:
        """Return what all partitions know."""
        values: dict[str, set[Any]] = {}
        days: dict[str, list[int]] = {FIRST: [], LAST: []}
        for what, _, *rest in _of_stream(sums, stream):
            if what == VALUE:
                name, value = rest
                values.setdefault(str(name), set()).add(value)
            elif what in days:
                days[str(what)] += [int(day) for day in rest if day is not None]
        return cls(
            values,
            min(days[FIRST], default=None),
            max(days[LAST], default=None),
            int(sums.get((ENTRIES, stream), 0)),
        )

    def history(self, nobody: H) -> H:
        """Return a history without customers, of these values and days; nobody: one of none."""
        grouped: Any = _grouped(nobody)
        tally = Tally(rows=self.entries, first_day=self.first_day, last_day=self.last_day)
        spec = grouped.spec
        if spec.details is not None:
            spec = replace(spec, details=self._details(spec.details))
        counts = (
            Counts(orders=self.entries)
            if isinstance(grouped, GroupedOrders)
            else EventCounts(events=self.entries)
        )
        made = replace(
            grouped, format=replace(grouped.format, spec=spec), tally=tally, counts=counts
        )
        return type(nobody)(made)

    def _details(self, details: DetailSpec) -> DetailSpec:
        known = {}
        for name, nothing in details.attributes.items():
            values = pa.array(list(self.values.get(name, ())), nothing.values.type)
            known[name] = Values(values.take(pc.array_sort_indices(values)))
        return replace(details, attributes=details.attributes.with_values(known))


def _grouped(history: OrderHistory | EventHistory) -> GroupedOrders | StoredEvents:
    if isinstance(history, OrderHistory):
        grouped: GroupedOrders = grouped_orders(history)
        return grouped
    return stored_events(history)


def _of_stream(sums: Mapping[Name, Any], stream: str) -> Iterator[Name]:
    return (name for name in sums if len(name) > 1 and name[1] == stream)
