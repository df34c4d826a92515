"""Features of streams: checked, planned, and computed of batches of customers in one scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ColumnError, ConfigError, Option, OrdercycleError, suggestion, within
from ordercycle._expressions.nodes import Comparison, Joint, Node
from ordercycle._features.functions import Need
from ordercycle._features.language import Feature, form_of
from ordercycle._features.measures import Measure, Measures, Path, Plan
from ordercycle._features.results import Asked
from ordercycle._features.selections import BITS, Selection
from ordercycle._streams.columns import EventBatch, StreamColumns
from ordercycle._streams.conditions import Condition, at_character, fitted, path_of
from ordercycle_kernels.marks import count_marks


@dataclass(frozen=True)
class Planned:
    """A feature of a stream: its type, and what is measured for it, by numbers in the plan.

    matches: the selection of the events that it sees.
    """

    feature: Feature
    column: Path
    result: pa.DataType
    measures: tuple[int, ...]
    matches: int


@dataclass(frozen=True)
class FeatureScan:
    """The features of one stream, computed of its batches one after the other.

    Batches may be computed at the same time, in several threads.
    """

    plan: Plan
    features: Mapping[str, Planned]
    as_of: int

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns that are made."""
        return pa.schema([(name, one.result) for name, one in self.features.items()])

    def columns(self, batch: EventBatch, rows: NDArray[Any] | None = None) -> dict[str, pa.Array]:
        """Return the features of a batch of customers, in their order.

        rows: (c,), that of each customer among all, for messages; None: from 0 on.

        Raises
        ------
        DataError
            A sum is beyond its type, or a condition cannot be computed.
        """
        measures = Measures(self.plan, batch)
        if rows is None:
            rows = np.arange(batch.offsets.size - 1)
        return {
            name: one.feature.function.finish(
                measures,
                self._asked(name, one, rows),
                [measures[number] for number in one.measures],
            )
            for name, one in self.features.items()
        }

    def _asked(self, name: str, planned: Planned, rows: NDArray[Any]) -> Asked:
        feature = planned.feature
        made = feature.written if feature.place else name
        return Asked(made, feature.called(name), planned.column, planned.result, self.as_of, rows)

    def matches(self, batch: EventBatch) -> dict[str, int]:
        """Count the events of a batch that each feature sees.

        Of functions over values, those without one as well: nulls are of the columns that are made.
        """
        found = np.zeros(len(self.plan.selections), np.int64)
        shifts = np.arange(BITS, dtype=np.uint64)
        for word, marker in enumerate(self.plan.markers):
            some = found[word * BITS : (word + 1) * BITS]
            count_marks(marker.marks(batch), shifts[: some.size], some)
        return {name: int(found[one.matches]) for name, one in self.features.items()}


def scan_of(
    features: Mapping[str, Feature],
    columns: StreamColumns,
    as_of: int,
    *,
    missing: str = "error",
) -> FeatureScan:
    """Return what computes the features of one stream as of a day.

    as_of: days since 1970-01-01; missing: as for conditions.

    Raises
    ------
    ColumnError, ConfigError, DataError
        A feature does not fit the stream: the message names it, and the place in its text.
    """
    planning = _Planning(columns, as_of, missing)
    planned = {}
    for name, feature in features.items():
        try:
            planned[name] = planning.planned(feature)
        except OrdercycleError as error:
            raise within(error, f"{feature.called(name)}: ") from None
    return FeatureScan(planning.plan(), planned, as_of)


def by_stream(
    features: Mapping[str, Feature], streams: Mapping[str, object]
) -> dict[str, dict[str, Feature]]:
    """Return the features of each stream that has any.

    Raises
    ------
    ConfigError
        A feature is about a stream that is not among those given.
    """
    found: dict[str, dict[str, Feature]] = {}
    for name, feature in features.items():
        if feature.stream not in streams:
            known = ", ".join(map(repr, streams))
            raise ConfigError(
                f"{feature.called(name)}: there is no stream {feature.stream!r}"
                f"{at_character(feature.node.arguments[0])}{suggestion(feature.stream, streams)}",
                remedy=f"there are {known}" if known else ("pass them as ", Option("streams")),
            )
        found.setdefault(feature.stream, {})[name] = feature
    return found


def conditions_of(feature: Feature) -> list[Node | None]:
    """Return of which events a feature measures something: one condition for each measure."""
    if not feature.values or feature.column is None:
        return [feature.condition]
    equal = [Comparison(value.written, "==", feature.column, value) for value in feature.values]
    return [_both(one, feature.condition) for one in equal]


class _Planning:
    """Selections and measures of features, those that are the same once."""

    def __init__(self, columns: StreamColumns, as_of: int, missing: str) -> None:
        self._columns = columns
        self._as_of = as_of
        self._missing = missing
        self._conditions: dict[str, Condition] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._selections: list[Selection] = []
        self._measures: dict[Measure, int] = {}  # with their numbers

    def plan(self) -> Plan:
        return Plan(self._columns, tuple(self._selections), tuple(self._measures))

    def planned(self, feature: Feature) -> Planned:
        column = self._checked_column(feature)
        kind = self._columns.type_of(column) if column else None
        function = feature.function
        measures = [
            Measure(
                need.measure,
                column if need.of_column else None,
                self._selection(feature, condition, need, column),
            )
            for condition in conditions_of(feature)
            for need in function.needs
        ]
        numbers = [self._measures.setdefault(one, len(self._measures)) for one in measures]
        # What is seen, as the first need says, whatever the values are.
        seen = self._selection(feature, feature.condition, function.needs[0], column)
        return Planned(feature, column, function.result_of(kind), tuple(numbers), seen)

    def _selection(self, feature: Feature, node: Node | None, need: Need, column: Path) -> int:
        node = None if need.everything else node
        is_amount = column == (self._columns.amount,)
        counted = need.events == "counted" or (need.events == "net" and not is_amount)
        counted &= not self._columns.all_counted
        first, last = feature.window.days(self._as_of)
        key = (repr(node), first, last, counted)
        if key not in self._numbers:
            self._numbers[key] = len(self._selections)
            condition = None if node is None else self._condition(node)
            self._selections.append(Selection(condition, first, last, counted))
        return self._numbers[key]

    def _condition(self, node: Node) -> Condition:
        key = repr(node)
        if key not in self._conditions:
            self._conditions[key] = self._fitted(node)
        return self._conditions[key]

    def _fitted(self, node: Node) -> Condition:
        """Return a condition, of its parts where they are joined: others may have the same ones.

        Each takes a third of a millisecond, however few events there are.
        """
        if isinstance(node, Joint) and node.sign == "and":
            try:
                parts = [self._condition(one) for one in node.nodes]
            except OrdercycleError:
                return self._whole(node)  # which says of all of it what is wrong
            return Condition.of(test for part in parts for test in part.tests)
        return self._whole(node)

    def _whole(self, node: Node) -> Condition:
        return fitted(node, self._columns, missing=self._missing)

    def _checked_column(self, feature: Feature) -> Path:
        """Return the names of a feature's column, none where it is about events."""
        takes = feature.function.takes
        if not takes or feature.column is None:
            return ()
        columns, path = self._columns, path_of(feature.column)
        known: dict[Path, str] = {(name,): "attribute" for name in columns.attributes}
        known |= dict.fromkeys(columns.lookups, "attribute")
        known |= {(name,): "value" for name in columns.values}
        known |= {(name,): "key" for name in columns.keys}
        fitting = [".".join(one) for one, kind in known.items() if kind in takes]
        name = ".".join(path)
        where = f"{feature.column.written!r}{at_character(feature.column)}"
        if path in known and known[path] in takes:
            return path
        hint = f"it has {', '.join(map(repr, fitting))}" if fitting else "it has none"
        if path in known:
            article = "an" if known[path] == "attribute" else "a"
            raise ColumnError(
                f"{where} is {article} {known[path]}, and {feature.node.function}() takes "
                f"{' or '.join(f'{kind}s' for kind in takes)} of {feature.stream!r}",
                remedy=f"{hint}; build the stream with it among its {takes[0]}s",
                column=name,
            )
        raise ColumnError(
            f"{feature.stream!r} has no column {where}"
            f"{suggestion(name, ['.'.join(one) for one in known])}",
            remedy=f"{hint} that {form_of(feature.node.function)} takes",
            column=name,
        )


def _both(one: Node, other: Node | None) -> Node:
    return one if other is None else Joint(one.written, "and", (one, other))
