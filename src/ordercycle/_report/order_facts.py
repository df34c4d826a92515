"""The facts of orders by their buyers and members, and of points; and all others with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._attribution.touch_classes import KIND
from ordercycle._days import date_of
from ordercycle._errors import DataError
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._grouping.amount_words import AmountWords
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_events import OrderEvents, part_of_orders
from ordercycle._history.side_by_side import Rows
from ordercycle._report.blocks import Key
from ordercycle._report.credit_facts import OfTouches
from ordercycle._report.deliveries import Linker
from ordercycle._report.facts import Facts, SeenOrders, Situation, are_there, chosen, listed
from ordercycle._report.loyalty import VALUE, codes_of_points
from ordercycle._report.quantities import (
    AWARDED,
    BOUGHT,
    BY_MEMBERS,
    DISCOUNTED,
    REDEEMED,
)
from ordercycle._report.sources import Sources, View
from ordercycle_kernels import report_facts as kernels

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]


@dataclass(frozen=True)
class FactReader:
    """Reads the facts of batches of customers.

    until: the day after which orders do not exist, though the campaigns that won them were sent
    before; None where all do.
    """

    sources: Sources
    until: int | None = None

    # --- Orders -----------------------------------------------------------------------------------

    def views(self, batch: CustomerBatch) -> Iterator[SeenOrders]:
        """Yield the orders of each view.

        Which entries are orders is what the whole history says, as for what touches won: a later
        day of an order is none, though its first day is not of the view. So brands add up to all.
        """
        spec = self.sources.orders.spec
        events = OrderEvents(batch, spec)
        held_by = {
            name: None if condition is None else condition.holds(events)
            for name, condition in self.sources.targets.items()
        }
        brands = self._brands_of(batch)
        for view in self.sources.views:
            held = held_by[view.target]
            if view.brand is not None and brands is not None and self.sources.brands is not None:
                own = brands == self.sources.brands.texts.index(view.brand)
                held = own if held is None else held & own
            seen = batch if held is None else part_of_orders(batch, held, spec)
            yield SeenOrders(view, seen, held)

    def _brands_of(self, batch: CustomerBatch) -> Int64s | None:
        """Return the place of each entry's brand among their names."""
        names, details = self.sources.brands, batch.details
        if names is None or details is None or self.sources.brand is None:
            return None
        return names.by_code[details.codes[self.sources.brand]]

    def of_touches(self, there: Situation, linker: Linker | None) -> OfTouches | None:
        """Return what touches won, and messages; None without touches, as without a linker."""
        if there.met is None or linker is None:
            return None
        return OfTouches.of(self.sources, there.met, linker, self.until)

    def facts(
        self, there: Situation, views: Iterable[SeenOrders], credited: OfTouches | None
    ) -> Iterator[Facts]:
        """Yield all facts of a batch beside orders themselves, and messages of all kinds."""
        if credited is not None:
            yield from credited.own_messages()
        for seen in views:
            if credited is not None:
                yield from credited.won(seen)
            if self.sources.counts_buyers:
                yield from self._bought(seen, credited)
            if there.member_states is not None:
                yield from self._of_members(seen, there.member_states)
        if there.points is not None and there.of_points is not None:
            yield from self._points(there, there.points, there.of_points)

    def entry_days(self, batch: CustomerBatch) -> Int32s:
        """Return the days of entries: what comes before its customer counts when that comes."""
        return np.maximum(batch.days, np.repeat(batch.visible, np.diff(batch.offsets)))

    def are_orders(self, batch: CustomerBatch) -> NDArray[np.bool_]:
        """Return which entries are orders."""
        return batch.are_orders(net_refunds=self.sources.orders.spec.net_refunds)

    def _words(self, batch: CustomerBatch) -> AmountWords | None:
        return batch.words if self.sources.orders.spec.has_amount else None

    def _key(self, block: str, view: View, key: Key) -> int | None:
        """Return the number of a key for a view."""
        number = self.sources.number_of(view, block)
        keys = self.sources.keys[block]
        return None if number is None else number * len(keys) + keys[key]

    def _bought(self, seen: SeenOrders, credited: OfTouches | None) -> Iterator[Facts]:
        """Yield orders, for their buyers, of all and of each condition."""
        everything = np.arange(seen.batch.days.size)
        for where in (None, *self.sources.conditions):
            kept = self.are_orders(seen.batch)
            if where is not None and credited is not None:
                won = credited.won_by(where)
                kept = kept & (won if seen.held is None else won[seen.held])
            key = self._key(BOUGHT, seen.view, Key(where=where))
            if key is None:
                continue
            yield Facts(
                BOUGHT,
                chosen(seen.batch.offsets, kept),
                self.entry_days(seen.batch)[kept],
                (np.full(int(kept.sum()), key),),
                np.ones(int(kept.sum()), np.int64),
                _entries(seen, everything[kept]),
            )

    # --- Loyalty ----------------------------------------------------------------------------------

    def _of_members(self, seen: SeenOrders, states: kernels.States) -> Iterator[Facts]:
        """Yield the orders of members."""
        batch = seen.batch
        days = self.entry_days(batch)
        kept = are_there(states, batch.offsets, days)
        rows = np.flatnonzero(kept)
        offsets = chosen(batch.offsets, kept)
        counts = self.are_orders(batch)[kept].astype(np.int64)
        key = self._key(BY_MEMBERS, seen.view, Key())
        if key is None:
            return
        words = self._words(batch)
        its = np.full(rows.size, key)
        yield Facts(
            BY_MEMBERS,
            offsets,
            days[kept],
            (its,),
            counts,
            _entries(seen, rows),
            None if words is None else words.take(kept),
        )
        if self.sources.discount is None or self.sources.loyalty is None:
            return
        for name in self.sources.loyalty.discount or ():
            values = OrderEvents(batch, self.sources.orders.spec).values[name]
            known = kept if values.known is None else kept & values.known
            yield Facts(
                DISCOUNTED,
                chosen(batch.offsets, known),
                days[known],
                (np.full(int(known.sum()), key),),
                np.zeros(int(known.sum()), np.int64),
                _entries(seen, np.flatnonzero(known)),
                AmountWords(values.lows, values.highs).take(known),
            )

    def unclear_points(self, there: Situation) -> int:
        """Return how many events of points have no kind or no number, and count nowhere."""
        stored = self.sources.points
        if stored is None or there.points is None or there.of_points is None:
            return 0
        _, rows = listed(there.of_points)
        has_no_kind = np.asarray(pc.is_null(stored.columns.attributes[KIND].by_code))
        unclear = has_no_kind[there.points.codes[KIND][rows]]
        values = there.points.values[VALUE]
        if values.known is not None:
            unclear |= ~values.known[rows]
        return int(np.count_nonzero(unclear))

    def points_of_others(self, there: Situation) -> int:
        """Return how many events of points are of no members, or of nobody the orders have."""
        if there.points is None or there.of_points is None or there.member_states is None:
            return 0
        offsets, rows = listed(there.of_points)
        are_members = are_there(there.member_states, offsets, there.points.days[rows])
        return there.points.days.size - int(np.count_nonzero(are_members))

    def _points(self, there: Situation, points: CustomerEvents, own: Rows) -> Iterator[Facts]:
        """Yield the points of members, awarded and redeemed."""
        stored = self.sources.points
        if stored is None or there.member_states is None:
            return
        offsets, rows = listed(own)
        days = points.days[rows]
        are_members = are_there(there.member_states, offsets, days)
        kinds = points.codes[KIND][rows]
        values = points.values[VALUE]
        known = np.ones(rows.size, np.bool_) if values.known is None else values.known[rows]
        numbers = (values.highs if values.highs.size else values.lows)[rows]
        for block in (AWARDED, REDEEMED):
            added, less = codes_of_points(stored, block)
            kept = are_members & known & added[kinds]
            below = np.flatnonzero(kept & (numbers < 0))
            if below.size:
                owner = int(np.searchsorted(offsets, below[0], side="right")) - 1
                who, day = there.batch.called(owner), date_of(int(days[below[0]]))
                raise DataError(
                    f"points of {who} on {day} are less than 0",
                    remedy="write them as they are counted, and what they do as their kind: "
                    "'redeemed', or 'reversed_award' for what is taken back",
                    column=VALUE,
                )
            its = rows[kept]
            yield Facts(
                block,
                chosen(offsets, kept),
                days[kept],
                (np.zeros(its.size, np.int64),),
                np.zeros(its.size, np.int64),
                its,
                AmountWords(values.lows, values.highs).take(its),
                less[kinds[kept]],
                of_orders=False,
            )


def _entries(seen: SeenOrders, rows: Int64s) -> Int64s:
    """Return the entries of the whole batch that rows of a view are."""
    return rows if seen.held is None else np.flatnonzero(seen.held)[rows]
