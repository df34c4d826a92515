"""What is counted while orders are credited, and how users see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._attribution.credit_rows import CreditRows
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.exact_totals import as_number, exact_total
from ordercycle._attribution.touch_classes import campaigns_without_row
from ordercycle._attribution.touch_paths import Paths
from ordercycle._errors import counted
from ordercycle._events.stored_events import StoredEvents
from ordercycle._public import public
from ordercycle_kernels.credit_shares import NO_ORDER

#: Names in a note.
MOST_NAMED = 5


def few_of(names: Iterable[str]) -> str:
    """Return the first of the names in the order of the alphabet, and that there are more."""
    given = sorted(names)
    return ", ".join(given[:MOST_NAMED]) + (", ..." if len(given) > MOST_NAMED else "")


def lookup_notes(touches: StoredEvents) -> Iterator[str]:
    """Yield what campaigns the lookup of campaigns does not have, where there is one."""
    missing = campaigns_without_row(touches)
    if missing:
        has = "has" if len(missing) == 1 else "have"
        named = few_of(map(repr, missing))
        yield f"{counted(len(missing), 'campaign')} {has} no row in the lookup ({named})"


@public()
@dataclass(frozen=True, kw_only=True)
class CreditSummary:
    """What was counted while orders were credited to touches.

    Attributes
    ----------
    orders
        Orders, refunds not counted.
    attributed
        Orders that are credited to a touch of any group.
    groups
        By the names of groups, how many orders are credited to a touch of theirs. An order may be
        in several.
    refunds
        Refunds, and later days of orders: they follow the touches of their order.
    unknown_refunds
        Those whose order is not known: nobody's.
    touches
        Touches, of customers without orders as well.
    strangers
        Touches of customers whom the history of orders does not have.
    qualified
        Touches that may win, of customers of the orders.
    excluded
        Touches that do not count, as `exclude` says: machines, bots, one-time codes.
    without_group
        By channels that are in no group, how many touches they have.
    long_paths
        Paths that were cut to `most_touches`.
    undelivered
        With ``clock="delivery"``: touches whose delivery is not known; their windows start with
        themselves.
    revenue
        Of all orders and refunds, each once, as the amounts; None where orders have none.
    attributed_revenue
        Of those that are credited to a touch of any group: Total CRM Revenue.
    """

    orders: int = 0
    attributed: int = 0
    groups: Mapping[str, int] = field(default_factory=dict)
    refunds: int = 0
    unknown_refunds: int = 0
    touches: int = 0
    strangers: int = 0
    qualified: int = 0
    excluded: int = 0
    without_group: Mapping[str | None, int] = field(default_factory=dict)
    long_paths: int = 0
    undelivered: int = 0
    revenue: Any = None
    attributed_revenue: Any = None

    @property
    def unattributed(self) -> int:
        """Orders that are credited to nobody."""
        return self.orders - self.attributed

    def plus(self, other: CreditSummary) -> CreditSummary:
        """Return both together."""
        together: dict[str, Any] = {
            one.name: _added(getattr(self, one.name), getattr(other, one.name))
            for one in fields(self)
        }
        return CreditSummary(**together)

    def notes(self) -> list[str]:
        """Return what is worth a note, in words."""
        absent = sum(self.without_group.values())
        named = few_of(map(repr, self.without_group))
        notes = [
            (self.unknown_refunds, "refund of no known order", "refunds of no known order"),
            (
                self.strangers,
                "touch of a customer whom the orders do not have",
                "touches of customers whom the orders do not have",
            ),
            (self.excluded, "excluded touch", "excluded touches"),
            (
                absent,
                f"touch of a channel in no group ({named})",
                f"touches of channels in no group ({named})",
            ),
            (self.long_paths, "path cut", "paths cut"),
            (self.undelivered, "touch without its delivery", "touches without their delivery"),
        ]
        return [counted(number, *words) for number, *words in notes if number]


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _distinct(entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the different ones of ascending rows."""
    is_first = np.ones(entries.size, np.bool_)
    np.not_equal(entries[1:], entries[:-1], out=is_first[1:])
    return entries[is_first]


def counts_of(scan: CreditScan, met: Meeting, paths: Paths, rows: CreditRows) -> CreditSummary:
    """Count the customers of a batch; money is in exact units, as `in_amounts` takes it."""
    orders = met.orders
    has_touch = rows.touches != NO_ORDER
    entries, touches = rows.entries[has_touch], rows.touches[has_touch]
    # Winners of several groups share an order, which counts once; mostly each has one row.
    is_one_each = rows.entries.size == orders.are_orders.size
    won = entries if is_one_each else _distinct(entries)
    attributed_orders = won.size
    if orders.has_refunds:
        are_orders = orders.are_orders[entries]
        entries, touches = entries[are_orders], touches[are_orders]
        attributed_orders = int(np.count_nonzero(orders.are_orders[won]))
    groups = dict.fromkeys(scan.finder.classes.group_names, 0)
    if entries.size:
        own = scan.groups_of(met, touches)
        if is_one_each:
            numbers = np.bincount(own, minlength=len(groups)).tolist()
        else:
            numbers = [_distinct(entries[own == place]).size for place in range(len(groups))]
        groups = dict(zip(groups, numbers, strict=True))
    count = int(np.count_nonzero(orders.are_orders))
    amount = scan.orders.spec.amount
    revenue = attributed = None
    if scan.orders.spec.has_amount:
        words = orders.batch.words
        revenue = exact_total(words, is_float=amount.is_float)
        attributed = exact_total(words.take(won), is_float=amount.is_float)
    return CreditSummary(
        orders=count,
        attributed=attributed_orders,
        groups=groups,
        refunds=orders.are_orders.size - count,
        unknown_refunds=orders.unknown,
        touches=met.touches.days.size,
        strangers=met.touches.days.size - int((met.own.ends - met.own.begins).sum()),
        qualified=met.qualified.rows.size,
        excluded=int(np.count_nonzero(met.qualified.excluded)),
        without_group=scan.without_group(met),
        long_paths=paths.longer,
        undelivered=met.qualified.undelivered,
        revenue=revenue,
        attributed_revenue=attributed,
    )


def in_amounts(counts: CreditSummary, kind: pa.DataType | None) -> CreditSummary:
    """Return counts whose money is as values of a type are in Python; kind: None without any."""
    if kind is None:
        return counts
    money = (counts.revenue or Fraction(0), counts.attributed_revenue or Fraction(0))
    revenue, attributed = (as_number(one, kind) for one in money)
    return replace(counts, revenue=revenue, attributed_revenue=attributed)
