"""What channels and campaigns are credited with, added up exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from ordercycle._attribution.credit_rows import CreditRows
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.exact_totals import exact_total, in_type
from ordercycle._attribution.option_checks import CHANNEL as NO_RIVALS
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, NONE
from ordercycle._errors import ConfigError, Option
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle_kernels.credit_shares import NO_ORDER

#: What totals are of, from the coarsest to the finest.
TOTALS_BY = GROUP, CHANNEL, BY_CAMPAIGN = "group", "channel", "campaign"


class Cell(NamedTuple):
    """Orders, as the sum of their credit, and revenue in units of its last digit."""

    orders: Fraction
    revenue: Fraction

    def plus(self, other: Cell) -> Cell:
        """Return both together."""
        return Cell(self.orders + other.orders, self.revenue + other.revenue)


NOTHING = Cell(Fraction(0), Fraction(0))
#: Codes of channel and campaign; of what is credited to nobody.
Key = tuple[int, int]
NOBODY = (NONE, NONE)
#: The number of a group, behind all of them for nobody; channel and campaign.
Named: TypeAlias = tuple[int, Any, Any]


@dataclass(frozen=True)
class Cells:
    """What each channel and campaign is credited with, by their codes, and the revenue of all."""

    cells: Mapping[Key, Cell] = field(default_factory=dict)
    revenue: Fraction = Fraction(0)

    def plus(self, other: Cells) -> Cells:
        """Return both together."""
        together = dict(self.cells)
        for key, cell in other.cells.items():
            together[key] = together.get(key, NOTHING).plus(cell)
        return Cells(together, self.revenue + other.revenue)


def cells_of(scan: CreditScan, met: Meeting, rows: CreditRows) -> Cells:
    """Add up the rows of a batch."""
    spec, orders = scan.orders.spec, met.orders
    if not rows.entries.size:
        return Cells()
    touched = rows.touches != NO_ORDER
    touches = np.where(touched, rows.touches, 0)
    codes = np.full((2, touches.size), NONE, np.int64)
    for place, name in enumerate((CHANNEL_COLUMN, CAMPAIGN)):
        if name in met.touches.codes and met.touches.days.size:
            codes[place][touched] = met.touches.codes[name][touches[touched]]
    # What nobody is credited with is credited as a whole: an order, or a refund.
    shares = np.where(touched, rows.shares, orders.are_orders[rows.entries].astype(np.float64))
    order = np.lexsort(codes[::-1])
    of_keys = codes[:, order]
    starts = np.flatnonzero(
        np.concatenate([[True], (of_keys[:, 1:] != of_keys[:, :-1]).any(axis=0)])
    )
    cells = {}
    for start, stop in zip(starts, [*starts[1:], order.size], strict=True):
        its = order[start:stop]
        revenue = Fraction(0)
        if spec.has_amount:
            revenue = exact_total(rows.parts.take(its), is_float=spec.amount.is_float)
        credit = exact_total(AmountWords(shares[its], NO_WORDS), is_float=True)
        cells[int(codes[0, its[0]]), int(codes[1, its[0]])] = Cell(credit, revenue)
    whole = Fraction(0)
    if spec.has_amount:
        whole = exact_total(orders.batch.words, is_float=spec.amount.is_float)
    return Cells(cells, whole)


def named_cells(scan: CreditScan, found: Cells) -> dict[Named, Cell]:
    """Return cells by the values that their codes stand for."""
    finder, columns = scan.finder.classes, scan.touches.columns
    values = {
        name: columns.attributes[name].by_code
        for name in (CHANNEL_COLUMN, CAMPAIGN)
        if name in columns.attributes
    }

    def named(key: Key) -> Named:
        if key == NOBODY:
            return (len(finder.group_names), None, None)
        channel, campaign = (
            values[name][code].as_py() if name in values and code >= 0 else None
            for name, code in zip((CHANNEL_COLUMN, CAMPAIGN), key, strict=True)
        )
        return (int(finder.groups[key[0]]), channel, campaign)

    return _added((named(key), cell) for key, cell in found.cells.items())


def _added(cells: Iterable[tuple[Any, Cell]]) -> dict[Any, Cell]:
    """Return cells by their keys, those of equal ones added."""
    rows: dict[Any, Cell] = {}
    for key, cell in cells:
        rows[key] = rows.get(key, NOTHING).plus(cell)
    return rows


def totals_table(
    scan: CreditScan, found: Mapping[Named, Cell], whole: Fraction, by: str
) -> pa.Table:
    """Return the table of what is credited, by group, channel or campaign.

    scan: of any of the customers; whole: the revenue of all orders.

    Raises
    ------
    ConfigError
        Groups have no totals: an order may be of several channels of one.
    """
    if by == GROUP and scan.model.compete == NO_RIVALS:
        raise ConfigError(
            (
                "groups have no totals under ",
                Option("Attribution.compete", NO_RIVALS),
                ", where an order has a winner in every channel",
            ),
            remedy=("pass ", Option("by", CHANNEL)),
        )
    names = TOTALS_BY[: TOTALS_BY.index(by) + 1]
    finder = scan.finder.classes
    nobody: Named = (len(finder.group_names), None, None)
    rows = _added((key[: len(names)], cell) for key, cell in found.items())
    rows.setdefault(nobody[: len(names)], NOTHING)
    ordered = sorted(rows.items(), key=_place)
    revenue = scan.orders.spec.revenue
    types = {name: _type_of(scan, name) for name in names}
    return pa.table(
        {
            GROUP: pa.array(
                [[*finder.group_names, None][key[0]] for key, _ in ordered], pa.string()
            ),
            **{
                name: pa.array([key[place] for key, _ in ordered], types[name])
                for place, name in enumerate(names)
                if place
            },
            "orders": pa.array([float(cell.orders) for _, cell in ordered], pa.float64()),
            "revenue": pa.nulls(len(ordered))
            if revenue is None
            else pa.array([in_type(cell.revenue, revenue) for _, cell in ordered], revenue),
            "share": pa.array(
                [_quotient(cell.revenue, whole) for _, cell in ordered], pa.float64()
            ),
        }
    )


def _place(row: tuple[tuple[Any, ...], Cell]) -> tuple[Any, ...]:
    """Return by what rows are ordered: group, revenue, orders, and names, null first."""
    key, cell = row
    texts = tuple((one is not None, "" if one is None else str(one)) for one in key[1:])
    return (key[0], -cell.revenue, -cell.orders, texts)


def _type_of(scan: CreditScan, name: str) -> pa.DataType:
    found = scan.touches.columns.attributes.get(name)
    return pa.string() if found is None else found.type


def _quotient(part: Fraction, whole: Fraction) -> float | None:
    return float(part / whole) if whole else None
