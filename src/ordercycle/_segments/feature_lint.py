"""What features find in the events of customers, and which of them find nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ordercycle._errors import counted, printable
from ordercycle._features.language import Feature
from ordercycle._public import public
from ordercycle._segments.customer_features import Counted


@public()
@dataclass(frozen=True, kw_only=True)
class FeatureCount:
    """What one feature finds.

    Attributes
    ----------
    feature
        Its name, or its text where it stands in a rule.
    events
        Events of the table's customers that it sees: of its days, and for which its condition
        holds. Those without a value in its column are among them.
    nulls
        Customers for whom it is null.
    customers
        All customers of the table.
    """

    feature: str
    events: int
    nulls: int
    customers: int

    @property
    def problem(self) -> str | None:
        """What is wrong with the feature, or None."""
        if not self.events:
            return f"{self.feature!r} matches no event"
        if self.nulls == self.customers:
            matched = counted(self.events, "event")
            return f"{self.feature!r} is null for every customer, though it matches {matched}"
        return None


@public()
@dataclass(frozen=True, kw_only=True)
class FeaturesLint:
    """What features find, and which of them find nothing; its text is readable.

    Attributes
    ----------
    customers
        Rows of the table.
    features
        A count for each feature, in their order.
    """

    customers: int
    features: tuple[FeatureCount, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each feature that matches no event, or is null for every customer."""
        return tuple(one.problem for one in self.features if one.problem is not None)

    @property
    def is_clean(self) -> bool:
        """Whether every feature finds something."""
        return not self.problems

    def __str__(self) -> str:
        said = map(printable, self.problems or ["every feature finds something"])
        return "\n".join([*feature_lines(self.features), *said])


def feature_lines(features: Sequence[FeatureCount]) -> list[str]:
    """Return a table of what features find, line by line."""
    lines = [("feature", "events", "nulls")]
    lines += [(printable(one.feature), f"{one.events:,}", f"{one.nulls:,}") for one in features]
    return aligned(lines)


def aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    r"""Return rows of a table as lines, numbers to the right of names.

    Examples
    --------
    >>> print(*aligned([("rule", "gets"), ("VIP", "7")]), sep="\n")
    rule  gets
    VIP      7
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def added_counts(
    some: Sequence[FeatureCount], more: Sequence[FeatureCount]
) -> tuple[FeatureCount, ...]:
    """Return what features find in several tables; some: nothing before the first."""
    if not some:
        return tuple(more)
    return tuple(
        replace(
            one,
            events=one.events + other.events,
            nulls=one.nulls + other.nulls,
            customers=one.customers + other.customers,
        )
        for one, other in zip(some, more, strict=True)
    )


def feature_counts(found: Counted, features: Mapping[str, Feature]) -> tuple[FeatureCount, ...]:
    """Return what was found of features, by the names of their columns."""
    return tuple(
        FeatureCount(
            feature=feature.written if feature.place else name,
            events=found.matches[name],
            nulls=found.table.column(name).null_count,
            customers=found.table.num_rows,
        )
        for name, feature in features.items()
    )
