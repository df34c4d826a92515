"""The facts of what touches won, and of messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_counts import CreditSummary, counts_of
from ordercycle._attribution.credit_rows import CreditRows, credits_of, rows_of_credits
from ordercycle._attribution.credit_scan import Meeting
from ordercycle._attribution.option_checks import CAMPAIGNS as CAMPAIGN_GROUP
from ordercycle._attribution.option_checks import CHANNEL as PER_CHANNEL
from ordercycle._attribution.touch_classes import CAMPAIGN
from ordercycle._attribution.touch_paths import Paths
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._report.blocks import Key
from ordercycle._report.deliveries import Deliveries, Linker
from ordercycle._report.facts import Facts, SeenOrders, chosen
from ordercycle._report.quantities import (
    CLICKED,
    CREDITED,
    CRM,
    DELIVERED,
    OPENED,
    REACHED,
    SENT,
    UNSUBSCRIBED,
)
from ordercycle._report.sources import Sources, View
from ordercycle._report.touched import Touched
from ordercycle_kernels import messages as kernels
from ordercycle_kernels.credit_shares import NO_ORDER

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]

#: The mark of deliveries that each block has, None where it has all.
MARKS_OF = {
    DELIVERED: None,
    REACHED: None,
    OPENED: kernels.OPENED,
    CLICKED: kernels.CLICKED,
    UNSUBSCRIBED: kernels.UNSUBSCRIBED,
}


@dataclass(frozen=True)
class OfTouches:
    """The orders that touches won, and the messages of a batch.

    summary: what is counted of both; entries, touches: (w,), of what is credited; shares: (w,), of
    the order; parts: (w,), of the amount.
    """

    sources: Sources
    linker: Linker
    met: Meeting
    summary: CreditSummary
    entries: Int64s
    touches: Int64s
    shares: Int64s
    parts: AmountWords | None
    deliveries: Deliveries
    until: int | None

    @classmethod
    def of(cls, sources: Sources, met: Meeting, linker: Linker, until: int | None) -> OfTouches:
        """Credit the orders of a batch, and find its messages."""
        touched = linker.touched
        scan = touched.scan
        paths = scan.paths(met)
        rows = scan.rows(met, paths)
        won = rows.touches != NO_ORDER
        entries, touches = rows.entries[won], rows.touches[won]
        shares = _shares(touched, met, paths, rows)[won]
        parts = rows.parts.take(won) if sources.orders.spec.has_amount else None
        deliveries = linker.deliveries(met, touches)
        summary = counts_of(scan, met, paths, rows)
        return cls(
            sources, linker, met, summary, entries, touches, shares, parts, deliveries, until
        )

    @property
    def touched(self) -> Touched:
        """What reports know of touches."""
        return self.linker.touched

    # --- Messages ---------------------------------------------------------------------------------

    def messages(self) -> Iterator[Facts]:
        """Yield what was delivered, and what became of it."""
        sent, by_code = self.deliveries.sent, self.sources.keys_by_code
        if by_code is None:
            return
        leaves = sent.leaves // self.linker.brand_count
        columns = [by_code.leaves[leaves, number] for number in range(by_code.leaves.shape[1])]
        for block, mark in MARKS_OF.items():
            kept = np.ones(leaves.size, np.bool_) if mark is None else (sent.marks & mark) != 0
            own = self._own_keys(block) if mark is None else []
            keys = [one[kept].astype(np.int64) for one in (*columns, *own)]
            yield self._of_messages(block, kept, keys)

    def own_messages(self) -> Iterator[Facts]:
        """Yield what was delivered and satisfies conditions of metrics of one's own."""
        if self.touched.own:
            kept = np.ones(self.deliveries.sent.rows.size, np.bool_)
            for block in (DELIVERED, REACHED):
                yield self._of_messages(block, kept, self._own_keys(block))

    def _own_keys(self, block: str) -> list[Int64s]:
        """Return the key of each condition where a delivery satisfies it."""
        keys, rows = self.sources.keys[block], self.deliveries.sent.rows
        return [
            np.where(condition.holds(self.met.touches)[rows], keys[Key(where=where)], -1)
            for where, condition in self.touched.own.items()
        ]

    def _of_messages(self, block: str, kept: NDArray[np.bool_], keys: Sequence[Int64s]) -> Facts:
        """Return deliveries as facts, of all brands and of their own."""
        sent, brands = self.deliveries.sent, self.touched.brands
        rows = sent.rows[kept]
        if brands is not None and self.sources.brand is not None:
            views = brands[self.met.touches.codes[self.sources.brand][rows]]
            behind = views * len(self.sources.keys[block])
            own = (np.where((views < 0) | (one < 0), -1, one + behind) for one in keys)
            keys = (*keys, *own)
        return Facts(
            block,
            chosen(sent.offsets, kept),
            sent.days[kept],
            tuple(keys),
            np.ones(rows.size, np.int64),
            rows,
            of_orders=False,
        )

    def sent_since(self, day: int) -> set[tuple[str, int]]:
        """Return the campaigns that were sent on a day or later, each with the days.

        Sent is what is delivered, and what won: that says on which day where no delivery does.
        """
        names, sent = self.touched.campaigns, self.deliveries.sent
        if names is None:
            return set()
        are_late = np.flatnonzero(sent.days >= day)
        have_won = np.flatnonzero(self.deliveries.sent_on >= day)
        rows = np.concatenate([sent.rows[are_late], self.touches[have_won]])
        if not rows.size:
            return set()
        days = np.concatenate([sent.days[are_late], self.deliveries.sent_on[have_won]])
        places = names.by_code[self.met.touches.codes[CAMPAIGN][rows]]
        found = np.unique(np.stack([places, days]), axis=1)
        return {(names.texts[place], on) for place, on in found.T.tolist()}

    # --- Orders that were won ---------------------------------------------------------------------

    def won(self, seen: SeenOrders) -> Iterator[Facts]:
        """Yield what touches won of the orders of a view."""
        kept = np.ones(self.entries.size, np.bool_)
        if seen.held is not None:
            kept = seen.held[self.entries]
        yield from self._by_touch(seen.view, kept)
        yield from self._by_order(seen.view, kept)
        yield from self._by_condition(seen.view, kept)
        yield from self._by_send(seen.view, kept)

    def won_by(self, where: str) -> NDArray[np.bool_]:
        """Return which entries are credited to a touch that satisfies a condition: (n,)."""
        holds = self.touched.own[where].holds(self.met.touches)
        found = np.zeros(self.met.orders.are_orders.size, np.bool_)
        found[self.entries[holds[self.touches]]] = True
        return found

    def _by_touch(self, view: View, kept: NDArray[np.bool_]) -> Iterator[Facts]:
        """Yield the part of each touch: by channel, mailing type and form."""
        touches, codes = self.touches[kept], self.met.touches.codes
        by_code = self.sources.keys_by_code
        if by_code is None or not touches.size:
            return
        groups = self._groups(touches)
        columns = [keys[groups, codes[name][touches]] for name, keys in by_code.credited]
        behind = self._behind(CREDITED, view)
        yield self._facts(CREDITED, np.flatnonzero(kept), columns, behind)

    def _by_order(self, view: View, kept: NDArray[np.bool_]) -> Iterator[Facts]:
        """Yield each order once: of all groups, and of those in which it has several winners."""
        keys, behind = self.sources.keys[CREDITED], self._behind(CREDITED, view)
        groups = self._groups(self.touches)
        yield self._whole(self.entries[kept], keys[Key(CRM)] + behind)
        if self.touched.scan.model.compete == PER_CHANNEL:
            for number, group in enumerate(self.touched.groups):
                own = self.entries[kept & (groups == number)]
                yield self._whole(own, keys[Key(group)] + behind)

    def _by_condition(self, view: View, kept: NDArray[np.bool_]) -> Iterator[Facts]:
        keys, behind = self.sources.keys[CREDITED], self._behind(CREDITED, view)
        for where, condition in self.touched.own.items():
            holds = condition.holds(self.met.touches)
            own = self.entries[kept & holds[self.touches]]
            yield self._whole(own, keys[Key(where=where)] + behind)

    def _by_send(self, view: View, kept: NDArray[np.bool_]) -> Iterator[Facts]:
        """Yield the part of each campaign, on the day on which it was sent."""
        by_code = self.sources.keys_by_code
        if by_code is None or by_code.sent is None or not self.touches.size:
            return
        number = self.touched.groups.index(CAMPAIGN_GROUP)
        codes = self.met.touches.codes[CAMPAIGN][self.touches]
        kept = kept & (self._groups(self.touches) == number) & (codes != 0)
        if self.until is not None:
            kept &= self._days(self.entries) <= self.until
        places = np.flatnonzero(kept)
        its = by_code.sent[codes[places]]
        yield self._facts(
            SENT, places, [its], self._behind(SENT, view), self.deliveries.sent_on[places]
        )

    def _whole(self, entries: Int64s, key: int) -> Facts:
        """Return orders and refunds, once each, with all of their amounts."""
        orders = self.met.orders
        first = np.ones(entries.size, np.bool_)
        first[1:] = entries[1:] != entries[:-1]
        entries = entries[first]
        has_amount = self.sources.orders.spec.has_amount
        return Facts(
            CREDITED,
            np.searchsorted(entries, orders.batch.offsets),
            self._days(entries),
            (np.full(entries.size, key),),
            orders.are_orders[entries] * np.int64(self.touched.share_unit),
            entries,
            orders.batch.words.take(entries) if has_amount else None,
        )

    def _facts(
        self,
        block: str,
        places: Int64s,
        keys: Sequence[Int64s],
        behind: int,
        days: Int32s | None = None,
    ) -> Facts:
        """Return what is credited as facts; places: which of it."""
        entries = self.entries[places]
        return Facts(
            block,
            np.searchsorted(entries, self.met.orders.batch.offsets),
            self._days(entries) if days is None else days,
            tuple(np.where(one < 0, -1, one + behind) for one in keys),
            self.shares[places],
            entries,
            None if self.parts is None else self.parts.take(places),
        )

    def _days(self, entries: Int64s) -> Int32s:
        batch = self.met.orders.batch
        owners = np.searchsorted(batch.offsets, entries, side="right") - 1
        return np.maximum(batch.days[entries], batch.visible[owners])

    def _groups(self, touches: Int64s) -> NDArray[np.int32]:
        if not touches.size:
            return np.zeros(0, np.int32)
        return self.touched.scan.groups_of(self.met, touches)

    def _behind(self, block: str, view: View) -> int:
        number = self.sources.number_of(view, block)
        return (number or 0) * len(self.sources.keys[block])


def _shares(touched: Touched, met: Meeting, paths: Paths, rows: CreditRows) -> Int64s:
    """Return what each row has of its order, in whole parts that add up to it."""
    orders, unit = met.orders, touched.share_unit
    known = rows.touches != NO_ORDER
    whole = orders.are_orders * np.int64(unit)
    if unit == 1 or not known.any() or met.touches.instants is None:
        return whole[rows.entries]
    found = rows_of_credits(
        orders._replace(batch=replace(orders.batch, words=AmountWords(whole, NO_WORDS))),
        credits_of(touched.scan.model, paths, met.touches.instants),
        has_amount=True,
        is_float=False,
    )
    return found.parts.lows
