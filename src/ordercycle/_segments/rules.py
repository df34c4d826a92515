"""Segments by the shop's own rules: the first condition that holds decides."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option, counted, printable
from ordercycle._expressions.expression_text import language_text
from ordercycle._features.language import Feature
from ordercycle._public import public
from ordercycle._segments.assigning import (
    MOST_SEGMENTS,
    Produced,
    refuse_taken,
    worked,
)
from ordercycle._segments.customer_features import CustomerFeatures, StreamsAsOf
from ordercycle._segments.explaining import Reason
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.read_rules import FeaturedTable, ReadRules, columns_read
from ordercycle._segments.recalculation import Assigning
from ordercycle._segments.rule_lint import RulesLint, lint_of
from ordercycle._segments.rule_values import bound
from ordercycle._segments.scheme import Scheme


@public()
@dataclass(frozen=True, eq=False, repr=False)
class Rules(Scheme):
    """Segments by rules of one's own, of which the first that holds decides.

    Parameters
    ----------
    rules
        Conditions by segment, the most important first. A condition is a pyarrow expression over
        the columns of the table, those of other schemes included, or text such as
        ``"rfm == 'Champions' and revenue > 500"``. Text has column names, numbers, ``'text'``,
        ``true``, ``false``, ``date('2026-01-01')``, ``column('a name with spaces')``,
        ``== != < <= > >=``, ``in (...)``, ``is null``, ``is not null``, ``and``, ``or``, ``not``,
        ``+ - * /``, ``lower(x)``, ``trim(x)``, ``if_null(x, default)``, ``text(x)`` (bytes are
        UTF-8), ``integer(x)``, ``instant(x, 'ms')`` (what counts ``'s'``, ``'ms'``, ``'us'`` or
        ``'ns'`` since 1970 in UTC; a part of a unit is left out) and brackets; ``+`` joins texts.
        What is between quotes is taken as it stands; two of the quote signs around it stand for
        one. Integers and decimals are computed and compared exactly, numbers that are written
        beside decimals too; a quotient is a float. A condition that is null does not hold.
        Functions of :func:`features` may stand in text, as in
        ``"revenue > 500 and not has(lines, category == 'ink', last=365)"``; their columns do not
        appear in the result.
    features
        Columns that :meth:`assign` computes of streams and adds, by their names, as
        :func:`features` does; conditions may read them.
    default
        The segment of customers for whom no condition holds.
    column
        The column that :meth:`assign` adds by default.

    Attributes
    ----------
    conditions
        The conditions as expressions, by segment. Functions are columns named as they are written.
    reads_streams
        The names of the streams that features are about.

    Raises
    ------
    ConfigError
        Where a condition or a feature cannot be read, a feature has the name of a column of
        profiles, or segments have no name, the same, or are more than 127.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.compute as pc
    >>> rules = Rules({
    ...     "VIP": (pc.field("rfm") == "Champions") & (pc.field("revenue") > 500),
    ...     "Regular": "orders >= 2",
    ... })
    >>> rules
    Rules(VIP: rfm == 'Champions' and revenue > 500; Regular: orders >= 2; else Other)
    >>> table = pa.table({
    ...     "rfm": ["Champions", "Champions", None], "revenue": [900, 20, 700], "orders": [9, 3, 1]
    ... })
    >>> rules.assign(table, column="tier")["tier"].to_pylist()
    ['VIP', 'Regular', 'Other']
    """

    rules: Mapping[str, pc.Expression | str]
    _: KW_ONLY
    features: Mapping[str, str] = field(default_factory=dict)
    default: str = "Other"
    column: str = "tier"
    conditions: Mapping[str, pc.Expression] = field(init=False)
    _read: ReadRules = field(init=False)

    kind = "rules"
    column_option = "column"

    def __post_init__(self) -> None:
        if not isinstance(self.rules, Mapping) or not self.rules:
            raise ConfigError(
                (Option("rules", self.rules), " holds no rules"),
                remedy="pass a dict of conditions by the names of their segments",
            )
        for option, name in (("default", self.default), ("column", self.column)):
            _check_name(option, name)
        for name in self.rules:
            if not isinstance(name, str) or not name:
                raise ConfigError(f"rules: {name!r} is no name of a segment", remedy="pass a text")
        if self.default in self.rules:
            raise ConfigError(
                (Option("default", self.default), " is the segment of a rule too"),
                remedy="give it another name",
            )
        if len(self.rules) >= MOST_SEGMENTS:
            raise ConfigError(
                f"{counted(len(self.rules), 'rule is', 'rules are')} too many",
                remedy=f"with the default, {MOST_SEGMENTS} segments are the most",
            )
        read = ReadRules.of(self.rules, self.features)
        if self.column in read.named:
            raise ConfigError(
                (Option("column", self.column), " is the name of a feature too"),
                remedy="give it another name",
            )
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))
        object.__setattr__(self, "features", MappingProxyType(dict(self.features)))
        object.__setattr__(self, "conditions", MappingProxyType(read.expressions))
        object.__setattr__(self, "_read", read)

    @property
    def name(self) -> str:
        """The column that is added."""
        return self.column

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments in the order of their codes: the rules', then the default."""
        return (*self.rules, self.default)

    @property
    def reads_streams(self) -> tuple[str, ...]:
        """The names of the streams that features are about."""
        return self._read.streams

    def assign(
        self,
        table: Any,
        column: str | None = None,
        *,
        streams: Mapping[str, Any] | None = None,
        as_of: date | str | None = None,
        missing: str = "error",
        threads: int | None = None,
    ) -> pa.Table:
        """Add each customer's segment to a table.

        Parameters
        ----------
        table
            A profile, or any table that has the columns of the conditions; from any source, as
            for :meth:`Lifecycle.assign`.
        column
            The column to add; None: that of the scheme.
        streams, as_of, missing
            Of rules with features, as for :func:`features`: histories by name, the day of the
            table, and what becomes of texts that no value equals. Each stream is scanned once.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with `features`, in their order, and a column of dictionary<int8, string>,
            codes in the order of :attr:`segments`, never null.

        Raises
        ------
        ColumnError
            Where a condition has a column that is not there or has another type, or a column
            to add is there already.
        ConfigError
            Where a condition is a number or text rather than true or false, `column` no name, a
            stream or the day is not given that features need, or the profile is of another day.
        DataError
            Where a condition cannot be computed, as a sum of 64-bit integers beyond their range.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"gap_median": [10.0, 40.0, None]})
        >>> Rules({"Weekly": "gap_median < 15"}, default="Rarely").assign(table)["tier"].to_pylist()
        ['Weekly', 'Rarely', 'Rarely']

        >>> import datetime
        >>> days = [datetime.date(2026, 1, 2), datetime.date(2026, 1, 9), datetime.date(2025, 1, 1)]
        >>> visits = pa.table({"customer_id": ["ann", "ann", "bob"], "occurred_at": days})
        >>> visits = EventHistory.build(visits, columns=EventColumns())
        >>> customers = pa.table({"customer_id": ["ann", "bob", "cid"]})
        >>> rules = Rules(
        ...     {"Often here": "visits_30 >= 2", "Was here": "has(visits)"},
        ...     features={"visits_30": "count(visits, last=30)"},
        ... )
        >>> found = rules.assign(customers, streams={"visits": visits}, as_of="2026-01-10")
        >>> for row in found.to_pylist():
        ...     print(*row.values())
        ann 2 Often here
        bob 0 Was here
        cid 0 Other
        """
        table = as_table(table)
        name = self.column if column is None else column
        _check_name("column", name)
        return self._assigned(table, name, self._scans(streams, as_of, missing), threads)

    def _scans(
        self, streams: Any, as_of: date | str | None, missing: str
    ) -> CustomerFeatures | None:
        """Return what computes the features, None where there are none."""
        if not self.reads_streams:
            self._refuse_meaningless(streams=streams, as_of=as_of, missing=missing)
            return None
        if as_of is None:
            raise ConfigError(
                "these rules have features, and no day as of which they are meant",
                remedy=("pass ", Option("as_of"), " with the day of the profile"),
            )
        source = StreamsAsOf.of({} if streams is None else streams, as_of, missing)
        return self._read.scans(source)

    def _assigning(self, source: StreamsAsOf | None) -> Assigning:
        if not self.reads_streams:
            return super()._assigning(source)
        scans = self._read.scans(StreamsAsOf({}, 0) if source is None else source)
        return lambda table, threads: self._assigned(table, self.column, scans, threads)

    def _reason(self, table: pa.Table, segment: str | None, source: StreamsAsOf | None) -> Reason:
        found = None
        if self.reads_streams and source is not None:
            found = self._read.scans(source).of(table, threads=1)
        featured = self._read.of_table(table, found)
        looked_at = list(self.rules) if segment == self.default else [str(segment)]
        row = featured.full.to_pylist()[0]
        numbers = {
            shown: row[name]
            for rule in looked_at
            for name, shown in columns_read(featured.conditions[rule])
            if name in row
        }
        return Reason(self._in_words()[str(segment)], numbers)

    def _in_words(self) -> Mapping[str, str]:
        text = dict(self._shown())
        return {
            segment: "no rule holds" if segment == self.default else text[segment]
            for segment in self.segments
        }

    def _assigned(
        self, table: pa.Table, name: str, scans: CustomerFeatures | None, threads: int | None
    ) -> pa.Table:
        made = Produced(name, self.segments, nullable=False)
        refuse_taken(table, [made])
        if name in self.features:
            raise ConfigError(
                (Option("column", name), " is the name of a feature too"),
                remedy="give it another name",
            )
        features = None if scans is None else scans.of(table, threads=threads)
        featured = self._read.of_table(table, features)
        conditions = bound(featured.full, featured.conditions, featured.unseen)
        codes = np.empty(table.num_rows, np.int8)

        def write(task: tuple[int, pa.Table]) -> None:
            start, rows = task
            codes[start : start + rows.num_rows] = conditions.first_matches(rows)

        for _ in worked(write, featured.full, threads=threads):
            pass
        return featured.shown.append_column(made.field, made.column(codes))

    def lint(
        self,
        table: Any,
        *,
        streams: Mapping[str, Any] | None = None,
        as_of: date | str | None = None,
        missing: str = "error",
        threads: int | None = None,
    ) -> RulesLint:
        """Count whom each rule matches, and say which rules come to nothing.

        Parameters
        ----------
        table, streams, as_of, missing, threads
            As for :meth:`assign`.

        Returns
        -------
        RulesLint
            Printed, it is a table; ``problems`` names the rules that match nobody, or nobody whom
            an earlier rule has not taken.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for :meth:`assign`.

        Examples
        --------
        >>> import pyarrow as pa
        >>> rules = Rules({"Buyer": "orders >= 1", "Loyal": "orders >= 3", "Whale": "orders > 99"})
        >>> print(rules.lint(pa.table({"orders": [0, 1, 2, 5]})))
        rule   matches  gets  taken before
        Buyer        3     3             0
        Loyal        1     0             1
        Whale        0     0             0
        Other              1
        'Loyal' is shadowed: the only customer it matches is taken by earlier rules: 'Buyer' (1)
        'Whale' matches nobody
        """
        table = as_table(table)
        scans = self._scans(streams, as_of, missing)
        return self._linted([table], scans, threads)

    def _linted(
        self, tables: Iterable[pa.Table], scans: CustomerFeatures | None, threads: int | None
    ) -> RulesLint:
        """Return the lint of a table that comes in pieces."""

        def featured(table: pa.Table) -> FeaturedTable:
            if scans is None:
                return self._read.of_table(table, None)
            found = scans.of(table, threads=threads, with_matches=True)
            return self._read.of_table(table, found)

        return lint_of(map(featured, tables), list(self.rules), self.default)

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as text, with the default and the column.

        Raises
        ------
        ConfigError
            Where a condition is an expression that the language of the text does not have.

        Examples
        --------
        >>> import pyarrow.compute as pc
        >>> Rules({"VIP": pc.field("revenue") > 500}).to_dict()
        {'scheme': 'rules', 'column': 'tier', 'default': 'Other', 'rules': {'VIP': 'revenue > 500'}}
        """
        texts = {name: _text(given) for name, given in self.rules.items()}
        for name, text in texts.items():
            if text is None:
                raise ConfigError(
                    f"rule {name!r} is an expression that has no text: {self.rules[name]}",
                    remedy="give the condition as text to save it, such as 'revenue > 500'",
                )
        features = {"features": dict(self.features)} if self.features else {}
        return {
            "scheme": self.kind,
            "column": self.column,
            "default": self.default,
            **features,
            "rules": texts,
        }

    def _findings(
        self,
        counts: Mapping[str | None, int],
        pieces: Callable[[], Iterable[pa.Table]],
        source: StreamsAsOf | None,
    ) -> Iterator[str]:
        """Yield a line for each rule or feature that comes to nothing, where a rule does.

        The pieces are read again for it.
        """
        if not all(counts[segment] for segment in self.rules):
            scans = None if source is None else self._read.scans(source)
            lint = self._linted(pieces(), scans, 1)
            for what, which in (("rule", lint.rules), ("feature", lint.features)):
                yield from (f"{what} {one.problem}" for one in which if one.problem)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rules):
            return NotImplemented
        return (self.column, self.segments, self._read.meaning) == (
            other.column,
            other.segments,
            other._read.meaning,
        ) and all(
            one.equals(its) for one, its in zip(*map(_expressions, (self, other)), strict=True)
        )

    def __hash__(self) -> int:
        return hash((self.column, self.segments))

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(
            Rules, features=dict(self.features), default=self.default, column=self.column
        )
        return made, (dict(self.rules),)

    def __repr__(self) -> str:
        rules = "; ".join(f"{name}: {text}" for name, text in self._shown())
        features = "".join(f"; {name} = {text}" for name, text in self.features.items())
        return printable(f"Rules({rules}; else {self.default}{features})")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(printable(name))}</th>"
            f"<td style='text-align:left'>{html.escape(printable(text))}</td></tr>"
            for name, text in (
                *self._shown(),
                (self.default, "all others"),
                *((f"{name} =", text) for name, text in self.features.items()),
            )
        )
        return f"<b>Rules</b><table>{rows}</table>"

    def _shown(self) -> list[tuple[str, str]]:
        return [(name, _text(given) or str(given)) for name, given in self.rules.items()]


def _check_name(option: str, name: object) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigError((Option(option, name), " is no name"), remedy="pass a name")


def _expressions(rules: Rules) -> list[pc.Expression]:
    return list(rules._read.meant.values())  # noqa: SLF001 - of the class above


def _text(given: pc.Expression | str) -> str | None:
    return given if isinstance(given, str) else language_text(given)


def features_of(rules: Rules) -> Mapping[str, Feature]:
    """Return the features of rules, also those that stand in conditions, by their columns."""
    return rules._read.features  # noqa: SLF001 - what users have no use for
