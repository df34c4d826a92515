"""Rules as they are read: conditions, and the features of streams that are in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._columns import PROFILE_COLUMNS
from ordercycle._errors import ConfigError, within
from ordercycle._expressions.compiling import expression_of
from ordercycle._expressions.expression_text import check_names_column, language_text
from ordercycle._expressions.language import parsed, too_deep
from ordercycle._expressions.nodes import Column, Node, columns_of, replaced
from ordercycle._features.language import Feature, FeatureColumn, parsed_rule
from ordercycle._features.streams import Stream
from ordercycle._segments.assigning import refuse_taken
from ordercycle._segments.customer_features import (
    Counted,
    CustomerFeatures,
    StreamsAsOf,
    parsed_features,
    with_columns,
)
from ordercycle._segments.feature_lint import FeatureCount, feature_counts
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._streams.columns import Attribute, Lookup
from ordercycle._streams.conditions import check_texts, path_of

Condition: TypeAlias = pc.Expression | Node
Conditions: TypeAlias = Mapping[str, Condition]

#: Before names of columns that nobody sees.
UNSEEN = "\x1f"
#: Columns that a profile may have.
RESERVED = {CUSTOMER, *(one.name for one in PROFILE_COLUMNS)}


class FeaturedTable(NamedTuple):
    """A table with the features of its customers.

    shown: with those that have names; full: with all that conditions read; conditions: over the
    columns of the latter; unseen: the names of those of its columns that nobody named; found: what
    features found, where that was counted.
    """

    shown: pa.Table
    full: pa.Table
    conditions: Conditions
    unseen: frozenset[str] = frozenset()
    found: tuple[FeatureCount, ...] = ()


@dataclass(frozen=True)
class ReadRules:
    """Rules as they were read.

    conditions: by segment, in which features that have no name are `FeatureColumn`; named: the
    features of the user, by name; unnamed: those that stand in conditions, of which none is among
    the former, by the names that `FeatureColumn` has for them.
    """

    conditions: Conditions
    named: Mapping[str, Feature]
    unnamed: Mapping[str, Feature]

    @classmethod
    def of(cls, rules: Mapping[str, pc.Expression | str], features: Any) -> Self:
        """Read rules, and features by their names.

        Raises
        ------
        ConfigError
            A condition is neither expression nor text, or something cannot be read.
        """
        named = parsed_features(features)
        for name in named:
            if name in RESERVED:
                raise ConfigError(
                    f"feature {name!r} has the name of a column of profiles",
                    remedy="give it another name",
                )
        #: The names of columns, by what they mean.
        names: dict[str, str] = {}
        for name, feature in named.items():
            names.setdefault(feature.meaning, name)
        unnamed: dict[str, Feature] = {}
        conditions: dict[str, Condition] = {}
        for segment, given in rules.items():
            node, found = _read(segment, given)
            renamed = {}
            for written, feature in found.items():
                meaning = feature.meaning
                if meaning not in names:
                    names[meaning] = _unlike(UNSEEN + meaning, named)
                    unnamed[names[meaning]] = replace(feature, place=f"rule {segment!r}: ")
                renamed[written] = names[meaning]
            conditions[segment] = _with_names(node, renamed, named)
        return cls(conditions, named, unnamed)

    @property
    def features(self) -> dict[str, Feature]:
        """All features, by the names of their columns."""
        return {**self.named, **self.unnamed}

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams that features are about."""
        return tuple(dict.fromkeys(feature.stream for feature in self.features.values()))

    @property
    def expressions(self) -> dict[str, pc.Expression]:
        """The conditions as expressions; features without a name are as they are written."""
        return {
            segment: _expression(condition, as_written=True)
            for segment, condition in self.conditions.items()
        }

    @property
    def meant(self) -> dict[str, pc.Expression]:
        """The conditions as expressions that are equal where they mean the same."""
        return {
            segment: _expression(condition, as_written=False)
            for segment, condition in self.conditions.items()
        }

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What is the same for rules that mean the same, expressions left out."""
        features = {name: feature.meaning for name, feature in self.named.items()}
        return features, sorted(self.unnamed)

    def scans(self, source: StreamsAsOf) -> CustomerFeatures:
        """Return what computes the features, once they and the rules fit their streams.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for features; also where a rule compares a feature that is a value of a column with
            a text that is none.
        """
        scans = source.scans(self.features)
        if source.missing == "error":
            catalogues = _Catalogues(self.features, source.streams)
            for segment, condition in self.conditions.items():
                if (node := _node(condition)) is None:
                    continue
                try:
                    check_texts(node, catalogues)
                except ConfigError as error:
                    raise within(error, f"rule {segment!r}: ") from None
        return scans

    def of_table(self, table: pa.Table, found: Counted | None) -> FeaturedTable:
        """Return a table with its features; None: there are none.

        Raises
        ------
        ColumnError
            The table has a column that is called like a feature.
        """
        refuse_taken(table, [pa.field(name, pa.null()) for name in self.named])
        if found is None:
            return FeaturedTable(table, table, self.conditions)
        made = found.table
        shown = with_columns(table, made.select(list(self.named)))
        taken = {*shown.column_names, *_columns_of(self.conditions.values())}
        names = {}
        for name, feature in self.unnamed.items():
            names[name] = _unlike(UNSEEN + feature.written, taken)
            taken.add(names[name])
        unseen = made.select(list(self.unnamed)).rename_columns(list(names.values()))
        return FeaturedTable(
            shown,
            with_columns(shown, unseen),
            {
                segment: _with_names(condition, names, ())
                for segment, condition in self.conditions.items()
            },
            frozenset(names.values()),
            feature_counts(found, self.features) if found.matches else (),
        )


@dataclass(frozen=True)
class _Catalogues:
    """What features that are values of columns may be compared with, by the names of both."""

    features: Mapping[str, Feature]
    streams: Mapping[str, Stream]

    def by_code(self, path: tuple[str, ...]) -> Attribute | Lookup | None:
        """Return the column whose values a feature has, None where it has others."""
        feature = self.features.get(path[0]) if len(path) == 1 else None
        if feature is None or feature.column is None or not feature.function.finds_values:
            return None
        columns = self.streams[feature.stream].columns
        return columns.by_code(path_of(feature.column)) if columns.has_events else None


def _read(segment: str, given: pc.Expression | str) -> tuple[Condition, dict[str, Feature]]:
    if isinstance(given, pc.Expression):
        try:
            check_names_column(given)
        except ConfigError as error:
            raise within(error, f"rule {segment!r}: ") from None
        return given, {}
    if not isinstance(given, str):
        raise ConfigError(
            f"rule {segment!r} is {given!r}, which is no condition",
            remedy='pass a pyarrow expression such as pc.field("revenue") > 500, or text such as '
            '"revenue > 500"',
        )
    try:
        node, found = parsed_rule(given)
        _expression(node, as_written=True)
    except RecursionError:
        raise within(too_deep(), f"rule {segment!r}: ") from None
    except ConfigError as error:
        raise within(error, f"rule {segment!r}: ") from None
    return node, found


def _with_names(
    condition: Condition, names: Mapping[str, str], columns: Iterable[str]
) -> Condition:
    """Return a condition in which features have other names; some of these are usual columns."""
    if isinstance(condition, pc.Expression):
        return condition

    def renamed(node: Node) -> Node | None:
        if not isinstance(node, FeatureColumn):
            return None
        name = names[node.name]
        kind = Column if name in columns else FeatureColumn
        return kind(node.written, name)

    return replaced(condition, renamed)


def _expression(condition: Condition, *, as_written: bool) -> pc.Expression:
    """Return a condition as an expression, in which features may be named as they are written."""
    if isinstance(condition, pc.Expression):
        return condition

    def written(node: Node) -> Node | None:
        return Column(node.written, node.written) if isinstance(node, FeatureColumn) else None

    return expression_of(replaced(condition, written) if as_written else condition)


def columns_read(condition: Condition) -> Iterator[tuple[str, str]]:
    """Yield the columns of a condition, each with how it is written; none of some expressions."""
    node = _node(condition)
    if node is not None:
        for name, _ in columns_of(node):
            yield name, name.lstrip(UNSEEN)


def _node(condition: Condition) -> Node | None:
    """Return a condition as a node; None for expressions that the language does not have."""
    if not isinstance(condition, pc.Expression):
        return condition
    text = language_text(condition)
    return None if text is None else parsed(text)


def _columns_of(conditions: Iterable[Condition]) -> Iterable[str]:
    return (
        name
        for condition in conditions
        if isinstance(condition, Node)
        for name, _ in columns_of(condition)
    )


def _unlike(name: str, others: Iterable[str]) -> str:
    """Return a name that none of the others has."""
    while name in others:
        name = UNSEEN + name
    return name
