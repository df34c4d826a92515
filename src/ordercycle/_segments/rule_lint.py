"""Rules that come to nothing, found by counting whom they match in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import counted, printable
from ordercycle._public import public
from ordercycle._segments.assigning import ROWS_PER_TASK
from ordercycle._segments.feature_lint import (
    FeatureCount,
    added_counts,
    aligned,
    feature_lines,
)
from ordercycle._segments.read_rules import FeaturedTable
from ordercycle._segments.rule_values import bound


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
    features
        What each feature finds, those with names first; none where rules read no streams.
    """

    customers: int
    rules: tuple[RuleCount, ...]
    default: str
    left: int
    features: tuple[FeatureCount, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each rule that matches nobody, or nobody who is not taken before.

        And for each feature that matches no event, or is null for every customer.
        """
        found = [one.problem for one in self.rules] + [one.problem for one in self.features]
        return tuple(problem for problem in found if problem is not None)

    @property
    def is_clean(self) -> bool:
        """Whether every rule gets customers, and every feature finds something."""
        return not self.problems

    def __str__(self) -> str:
        lines = [("rule", "matches", "gets", "taken before")]
        for rule in self.rules:
            taken = sum(rule.taken.values())
            lines.append(
                (printable(rule.segment), f"{rule.matches:,}", f"{rule.gets:,}", f"{taken:,}")
            )
        lines.append((printable(self.default), "", f"{self.left:,}", ""))
        found = feature_lines(self.features) if self.features else []
        fine = "every rule gets customers" + (
            ", and every feature finds something" if found else ""
        )
        return "\n".join([*aligned(lines), *found, *map(printable, self.problems or [fine])])


def lint_of(tables: Iterable[FeaturedTable], segments: Sequence[str], default: str) -> RulesLint:
    """Return the lint of rules over the pieces of a table; segments: those of the rules."""
    size = len(segments)
    #: By rule and by the first rule that holds.
    firsts, unknown = np.zeros((size, size), np.int64), np.zeros(size, np.int64)
    customers = left = 0
    features: tuple[FeatureCount, ...] = ()
    fitting = None
    for table in tables:
        features = added_counts(features, table.found)
        fitting = fitting or bound(table.full, table.conditions, table.unseen)
        for start in range(0, table.full.num_rows, ROWS_PER_TASK):
            rows = table.full.slice(start, ROWS_PER_TASK)
            codes = fitting.first_matches(rows)
            for number, column in enumerate(fitting.truths(rows).columns):
                holds = np.asarray(column.fill_null(fill_value=False).to_numpy())
                firsts[number] += np.bincount(codes[holds], minlength=size)[:size]
                unknown[number] += column.null_count
            customers += rows.num_rows
            left += int(np.count_nonzero(codes == size))
    counts = (_count(segments, number, firsts[number], unknown[number]) for number in range(size))
    return RulesLint(
        customers=customers, rules=tuple(counts), default=default, left=left, features=features
    )


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
