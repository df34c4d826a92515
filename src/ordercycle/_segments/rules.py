"""Segments by the shop's own rules: the first condition that holds decides."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option, counted, printable, within
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.expression_text import language_text
from ordercycle._public import public
from ordercycle._segments.assigning import (
    MOST_SEGMENTS,
    ROWS_PER_TASK,
    Produced,
    refuse_taken,
    worked,
)
from ordercycle._segments.profile_tables import as_table
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
    default
        The segment of customers for whom no condition holds.
    column
        The column that :meth:`assign` adds by default.

    Attributes
    ----------
    conditions
        The conditions as expressions, by segment.

    Raises
    ------
    ConfigError
        Where a condition is neither expression nor text or cannot be read, or segments have no
        name, the same, or are more than 127.

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
    default: str = "Other"
    column: str = "tier"
    conditions: Mapping[str, pc.Expression] = field(init=False)

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
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))
        conditions = {name: _compiled(name, given) for name, given in self.rules.items()}
        object.__setattr__(self, "conditions", MappingProxyType(conditions))

    @property
    def name(self) -> str:
        """The column that is added."""
        return self.column

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments in the order of their codes: the rules', then the default."""
        return (*self.rules, self.default)

    def assign(
        self, table: Any, column: str | None = None, *, threads: int | None = None
    ) -> pa.Table:
        """Add each customer's segment to a table.

        Parameters
        ----------
        table
            A profile, or any table that has the columns of the conditions; from any source, as
            for :meth:`Lifecycle.assign`.
        column
            The column to add; None: that of the scheme.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with a column of dictionary<int8, string>, codes in the order of
            :attr:`segments`, never null.

        Raises
        ------
        ColumnError
            Where a condition has a column that is not there or has another type, or the column
            to add is there already.
        ConfigError
            Where a condition is a number or text rather than true or false, or `column` no name.
        DataError
            Where a condition cannot be computed, as a sum of 64-bit integers beyond their range.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"gap_median": [10.0, 40.0, None]})
        >>> Rules({"Weekly": "gap_median < 15"}, default="Rarely").assign(table)["tier"].to_pylist()
        ['Weekly', 'Rarely', 'Rarely']
        """
        table = as_table(table)
        name = self.column if column is None else column
        _check_name("column", name)
        made = Produced(name, self.segments, nullable=False)
        refuse_taken(table, [made])
        conditions = bound(table, self.rules)
        codes = np.empty(table.num_rows, np.int8)

        def write(task: tuple[int, pa.Table]) -> None:
            start, rows = task
            codes[start : start + rows.num_rows] = conditions.first_matches(rows)

        for _ in worked(write, table, threads=threads):
            pass
        return table.append_column(made.field, made.column(codes))

    def lint(self, table: Any) -> RulesLint:
        """Count whom each rule matches, and say which rules come to nothing.

        Parameters
        ----------
        table
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
        starts = range(0, max(table.num_rows, 1), ROWS_PER_TASK)
        pieces = (table.slice(start, ROWS_PER_TASK) for start in starts)
        return lint_of(pieces, self.rules, self.default)

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
        return {
            "scheme": self.kind,
            "column": self.column,
            "default": self.default,
            "rules": texts,
        }

    def _findings(
        self, counts: Mapping[str | None, int], pieces: Callable[[], Iterable[pa.Table]]
    ) -> Iterator[str]:
        """Yield a line for each rule that comes to nothing; the pieces are read again for it."""
        if not all(counts[segment] for segment in self.rules):
            lint = lint_of(pieces(), self.conditions, self.default)
            yield from (f"rule {problem}" for problem in lint.problems)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rules):
            return NotImplemented
        return (self.column, self.segments) == (other.column, other.segments) and all(
            one.equals(its) for one, its in zip(*map(_expressions, (self, other)), strict=True)
        )

    def __hash__(self) -> int:
        return hash((self.column, self.segments))

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(Rules, default=self.default, column=self.column)
        return made, (dict(self.rules),)

    def __repr__(self) -> str:
        rules = "; ".join(f"{name}: {text}" for name, text in self._shown())
        return printable(f"Rules({rules}; else {self.default})")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(printable(name))}</th>"
            f"<td style='text-align:left'>{html.escape(printable(text))}</td></tr>"
            for name, text in (*self._shown(), (self.default, "all others"))
        )
        return f"<b>Rules</b><table>{rows}</table>"

    def _shown(self) -> list[tuple[str, str]]:
        return [(name, _text(given) or str(given)) for name, given in self.rules.items()]


def _check_name(option: str, name: object) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigError((Option(option, name), " is no name"), remedy="pass a name")


def _expressions(rules: Rules) -> list[pc.Expression]:
    return list(rules.conditions.values())


def _text(given: pc.Expression | str) -> str | None:
    return given if isinstance(given, str) else language_text(given)


def _compiled(segment: str, given: pc.Expression | str) -> pc.Expression:
    if isinstance(given, pc.Expression):
        return given
    if not isinstance(given, str):
        raise ConfigError(
            f"rule {segment!r} is {given!r}, which is no condition",
            remedy='pass a pyarrow expression such as pc.field("revenue") > 500, or text such as '
            '"revenue > 500"',
        )
    try:
        return parsed_condition(given)
    except ConfigError as error:
        raise within(error, f"rule {segment!r}: ") from None
