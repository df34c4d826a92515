"""What a page shows, as data: numbers that add up, and what is computed of them.

A page can be read for any of its months. So it holds quantities, which add up, and metrics as
quotients of products of them, and has no formula of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeAlias

from numpy.typing import NDArray

from ordercycle._page.journeys import ShownExperiment, ShownJourney
from ordercycle._page.numbers import month_name
from ordercycle._spreadsheets import csv_field

#: A quantity of each row (segments, then All Customers) in each month; of different customers, and
#: of each month in which they came before. None where it is not counted.
Table: TypeAlias = NDArray[Any]
#: Quantities by name, by what they are of: "" everything, "c3" a channel, "m17" a campaign. What is
#: not there is 0.
Cells: TypeAlias = Mapping[str, Mapping[str, Table | None]]

#: How many letters of a name a table shows, of its beginning and its end.
BEGIN, END = 34, 20
#: The sign of a change for the better.
MORE_IS_BETTER, LESS_IS_BETTER, NEITHER = 1, -1, 0


@dataclass(frozen=True)
class ShownMetric:
    """A quotient of products of quantities.

    scale: what the products above and below are multiplied by; better: the sign of a change for
    the better; channels, campaigns: whether the page has it by these.
    """

    name: str
    export: str
    unit: str
    counts: bool  # whether it is always a whole number
    group: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    of_all: bool
    scale: tuple[int, int]
    doc: str
    better: int = MORE_IS_BETTER
    channels: bool = False
    campaigns: bool = False

    def as_data(self) -> dict[str, Any]:
        """Return it for the script."""
        return {
            "name": self.name,
            "export": self.export,
            "unit": self.unit,
            "counts": self.counts,
            "above": self.above,
            "below": self.below,
            "ofAll": self.of_all,
            "scale": [str(one) for one in self.scale],
            "doc": self.doc,
            "better": self.better,
            "channels": self.channels,
            "campaigns": self.campaigns,
        }


def brief(name: str) -> str:
    """Return a long name by its beginning and its end, in which names of one kind differ."""
    if len(name) <= BEGIN + END + 1:
        return name
    part, _, words = name[-END:].partition(" ")
    return f"{name[:BEGIN].rstrip()}… {words if len(part) < END // 2 and words else name[-END:]}"


@dataclass(frozen=True)
class ShownSegment:
    """A row of the tables.

    short: its name without that of its group; group: whose it is, such as a scheme's; rule: what
    its customers have in common, in words; changed: months in which this became something else.
    """

    name: str
    short: str
    group: str = ""
    rule: str = ""
    changed: tuple[int, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return it for the script."""
        return {
            "name": self.name,
            "short": self.short,
            "brief": brief(self.name),
            "csv": csv_field(self.name),
            "rule": self.rule,
            "changed": self.changed,
        }


@dataclass(frozen=True)
class ShownMonth:
    """A month: the last day that is counted of it, and of a comparison with an unfinished one."""

    number: int  # 12 * year + month - 1
    end: date
    cut: date | None = None

    def as_data(self) -> dict[str, Any]:
        """Return it for the script."""
        return {
            "number": self.number,
            "name": month_name(self.number),
            "start": self.end.replace(day=1).isoformat(),
            "end": self.end.isoformat(),
            "cut": self.cut and self.cut.isoformat(),
        }


@dataclass(frozen=True)
class Numbers:
    """What the numbers of a page are.

    over: what each quantity is about, "period", "all time", "last month" or "distinct"; derived:
    quantities that are sums of products of others, each with its sign, where "last day" may be a
    factor; grains: by which kinds of keys quantities are known beside everything, "c" channels and
    "m" campaigns.
    """

    over: Mapping[str, str]
    derived: Mapping[str, Sequence[tuple[int, Sequence[str]]]]
    grains: Mapping[str, str]


@dataclass(frozen=True)
class Slice:
    """The numbers of the orders of a brand, or of all, and of a target action.

    cut: those of months that end early, for comparisons with one that is not over; None where they
    were not counted.
    """

    brand: str | None
    target: str
    cells: Cells
    cut: Cells | None

    def shifted(self, names: set[str], bits: int) -> Slice:
        """Return it with some quantities in a unit that is larger by so many bits."""

        def of(cells: Cells) -> Cells:
            return {
                key: {
                    name: table >> bits if table is not None and name in names else table
                    for name, table in tables.items()
                }
                for key, tables in cells.items()
            }

        return replace(self, cells=of(self.cells), cut=None if self.cut is None else of(self.cut))


@dataclass(frozen=True)
class Campaign:
    """A campaign; open: months in which messages were sent of which orders may still come."""

    name: str
    open: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table of numbers by two scores."""

    title: str
    note: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    values: Mapping[str, tuple[tuple[float | None, ...], ...]]
    units: Mapping[str, str]


@dataclass(frozen=True)
class Moves:
    """How many customers went from where to where in each month but the first.

    ranks: of the segments, the higher the better; counts: by month, from and to, the last place is
    that of no segment.
    """

    segments: tuple[str, ...]
    ranks: tuple[int, ...]
    counts: Sequence[Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Cohorts:
    """What buyers of each first month did in the months after."""

    months: tuple[int, ...]
    sizes: Sequence[int | None]
    values: Mapping[str, tuple[tuple[float | None, ...], ...]]
    units: Mapping[str, str]


@dataclass(frozen=True)
class Content:
    """All that one page shows."""

    title: str
    currency: str
    as_of: date
    is_partial: bool  # whether the last month is not over
    months: tuple[ShownMonth, ...]
    segments: tuple[ShownSegment, ...]
    all_customers: str
    metrics: tuple[ShownMetric, ...]
    numbers: Numbers
    slices: tuple[Slice, ...]  # the first one is shown first
    first: int  # the months shown first
    last: int
    compare: str | None
    chosen: tuple[str, ...] = ()  # segments shown first; all where there are none
    place: tuple[str, ...] = ()  # the columns before the metrics in CSV files
    channels: tuple[str, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    min_customers: int = 0
    moves: Moves | None = None
    grid: Grid | None = None
    cohorts: Cohorts | None = None
    journeys: tuple[ShownJourney, ...] = ()
    experiments: tuple[ShownExperiment, ...] = ()
    unknown: tuple[str, ...] = ()  # what there are no metrics of, as nothing is known of it
    not_by_channel: tuple[str, ...] = ()  # metrics of so many months
    plain: str = ""  # a table for readers without scripts, as HTML
