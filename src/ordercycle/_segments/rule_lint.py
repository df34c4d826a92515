"""Rules that come to nothing, found by counting whom they match in a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import counted, printable
from ordercycle._public import public
from ordercycle._segments.rule_values import Conditions, bound


@public()
@dataclass(frozen=True, kw_only=True)
class RuleCount:
    """Whom one rule matches.

    Attributes
    ----------
    segment
        The segment the rule leads to.
    matches
        Customers for whom its condition holds.
    gets
        Those of them for whom no earlier condition holds: the customers of the segment.
    taken
        The others, by the segment of the earlier rule that has them.
    unknown
        Customers for whom the condition is null, as comparisons with a missing value are.
    """

    segment: str
    matches: int
    gets: int
    taken: dict[str, int]
    unknown: int

    @property
    def problem(self) -> str | None:
        """What is wrong with the rule, or None."""
        if not self.matches:
            unknown = f"; its condition is null for {self.unknown:,}" if self.unknown else ""
            return f"{self.segment!r} matches nobody{unknown}"
        if not self.gets:
            all_of = "the only customer it matches is"
            if self.matches > 1:
                all_of = f"all {counted(self.matches, 'customer')} it matches are"
            by = ", ".join(f"{name!r} ({count:,})" for name, count in self.taken.items())
            return f"{self.segment!r} is shadowed: {all_of} taken by earlier rules: {by}"
        return None


@public()
@dataclass(frozen=True, kw_only=True)
class RulesLint:
    """What rules do to a table, and which of them come to nothing; its text is readable.

    Attributes
    ----------
    customers
        Rows of the table.
    rules
        A count for each rule, in their order.
    default
        The segment of all others.
    left
        How many others there are.
    """

    customers: int
    rules: tuple[RuleCount, ...]
    default: str
    left: int

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each rule that matches nobody, or nobody who is not taken before."""
        return tuple(rule.problem for rule in self.rules if rule.problem is not None)

    @property
    def is_clean(self) -> bool:
        """Whether every rule gets customers."""
        return not self.problems

    def __str__(self) -> str:
        lines = [("rule", "matches", "gets", "taken before")]
        for rule in self.rules:
            taken = sum(rule.taken.values())
            lines.append(
                (printable(rule.segment), f"{rule.matches:,}", f"{rule.gets:,}", f"{taken:,}")
            )
        lines.append((printable(self.default), "", f"{self.left:,}", ""))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join(
            [
                *table,
                *(
                    map(printable, self.problems)
                    if self.problems
                    else ["every rule gets customers"]
                ),
            ]
        )


def lint_of(
    tables: Iterable[pa.Table],
    conditions: Conditions,
    default: str,
    unseen: Collection[str] = (),
) -> RulesLint:
    """Return the lint of rules over the pieces of a table; unseen: columns that nobody named."""
    size = len(conditions)
    #: By rule and by the first rule that holds.
    firsts, unknown = np.zeros((size, size), np.int64), np.zeros(size, np.int64)
    customers = left = 0
    fitting = None
    for table in tables:
        fitting = fitting or bound(table, conditions, unseen)
        codes = fitting.first_matches(table)
        for number, column in enumerate(fitting.truths(table).columns):
            holds = np.asarray(column.fill_null(fill_value=False).to_numpy())
            firsts[number] += np.bincount(codes[holds], minlength=size)[:size]
            unknown[number] += column.null_count
        customers += table.num_rows
        left += int(np.count_nonzero(codes == size))
    names = list(conditions)
    counts = (_count(names, number, firsts[number], unknown[number]) for number in range(size))
    return RulesLint(customers=customers, rules=tuple(counts), default=default, left=left)


def _count(
    names: Sequence[str], number: int, firsts: NDArray[np.int64], unknown: np.int64
) -> RuleCount:
    return RuleCount(
        segment=names[number],
        matches=int(firsts.sum()),
        gets=int(firsts[number]),
        taken={names[one]: int(firsts[one]) for one in range(number) if firsts[one]},
        unknown=int(unknown),
    )
