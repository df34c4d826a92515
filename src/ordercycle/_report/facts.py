"""What happened to the customers of a batch, as facts: orders that were won, messages, points.

A fact has a day, a count, perhaps an amount, and keys: of all, of its channel, of its campaign.
Counting adds facts to cells; an audit lists the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._attribution.credit_counts import CreditSummary, counts_of
from ordercycle._attribution.credit_rows import CreditRows, credits_of, rows_of_credits
from ordercycle._attribution.credit_scan import Meeting
from ordercycle._attribution.option_checks import CAMPAIGNS as CAMPAIGN_GROUP
from ordercycle._attribution.option_checks import CHANNEL as PER_CHANNEL
from ordercycle._attribution.option_checks import DELIVERY
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, FORM, KIND
from ordercycle._attribution.touch_paths import Paths
from ordercycle._days import date_of
from ordercycle._errors import DataError, printable
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_events import OrderEvents, part_of_orders
from ordercycle._history.side_by_side import Rows
from ordercycle._report.blocks import NO_MARKS, Key
from ordercycle._report.loyalty import VALUE, codes_of_points
from ordercycle._report.quantities import (
    AWARDED,
    BOUGHT,
    BY_MEMBERS,
    CHANNEL,
    CLICKED,
    CREDITED,
    CRM,
    DELIVERED,
    DISCOUNTED,
    FORM_TYPE,
    MAILING_TYPE,
    OPENED,
    REACHED,
    REDEEMED,
    SENT,
    UNSUBSCRIBED,
)
from ordercycle._report.quantities import CAMPAIGN as BY_CAMPAIGN
from ordercycle._report.sources import SENT_AT, Names, Sources, Touched, View
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels import touch_paths as touch_kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.credit_shares import NO_ORDER
from ordercycle_kernels.cube import Track
from ordercycle_kernels.timeline import OPEN

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]

#: Kinds of touches that are about a delivery, and what they make of it.
ENGAGED = {"open": OPENED, "click": CLICKED, "unsubscribe": UNSUBSCRIBED}
NOT_SENT = np.int32(OPEN)


class Facts(NamedTuple):
    """What is added to a block: n facts of customers, grouped by them.

    offsets: (c + 1,); days, counts, rows (entries of orders, or events of a stream), and each of
    keys (with the view; negative for none): (n,); words: (n,), None without amounts; are_less:
    (n,), or (0,): amounts that are taken off.
    """

    block: str
    offsets: Int64s
    days: Int32s
    keys: tuple[Int64s, ...]
    counts: Int64s
    rows: Int64s
    words: AmountWords | None = None
    are_less: NDArray[np.bool_] = NO_MARKS
    of_orders: bool = True


class SeenOrders(NamedTuple):
    """The orders of a view: the batch of them, and which of all entries these are.

    held: (n,), None for all.
    """

    view: View
    batch: CustomerBatch
    held: NDArray[np.bool_] | None


class Situation(NamedTuple):
    """A batch of customers, and all that happened to them, as far as it matters.

    met: their orders and touches; of_points: where the points of each customer are; member_states:
    when they are members.
    """

    batch: CustomerBatch
    met: Meeting | None
    points: CustomerEvents | None
    of_points: Rows | None
    member_states: kernels.States | None


def owners_of(offsets: Int64s) -> Int64s:
    """Return whose each fact is: (n,)."""
    return np.repeat(np.arange(offsets.size - 1), np.diff(offsets))


def chosen(offsets: Int64s, kept: NDArray[np.bool_]) -> Int64s:
    """Return the offsets of some of the facts."""
    return np.concatenate([[0], np.cumsum(kept)])[offsets]


def listed(rows: Rows) -> tuple[Int64s, Int64s]:
    """Return offsets, and the rows of customers one behind the other."""
    sizes = rows.ends - rows.begins
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return offsets, np.arange(offsets[-1]) + np.repeat(rows.begins - offsets[:-1], sizes)


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

    def of_touches(self, there: Situation) -> OfTouches | None:
        """Return what touches won, and messages; None without touches."""
        if there.met is None or self.sources.touched is None:
            return None
        return OfTouches.of(self.sources, self.sources.touched, there.met, self.until)

    def facts(self, there: Situation, credited: OfTouches | None) -> Iterator[Facts]:
        """Yield all facts of a batch beside its orders themselves."""
        if credited is not None:
            yield from credited.messages()
        for seen in self.views(there.batch):
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
                who, day = there.batch.ids[owner].as_py(), date_of(int(days[below[0]]))
                raise DataError(
                    f"points of customer {printable(repr(who))} on {day} are less than 0",
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


def are_there(states: kernels.States, offsets: Int64s, days: Int32s) -> NDArray[np.bool_]:
    """Return whether customers are in any state on the days of facts: (n,)."""
    one_row = as_input(np.zeros(int(states.codes.max(initial=0)) + 1, np.int64))
    found = np.empty(days.size, np.int64)
    kernels.rows_at(Track(*states, one_row), offsets, days, found)
    return found >= 0


def _entries(seen: SeenOrders, rows: Int64s) -> Int64s:
    """Return the entries of the whole batch that rows of a view are."""
    return rows if seen.held is None else np.flatnonzero(seen.held)[rows]


@dataclass(frozen=True)
class OfTouches:
    """The orders that touches won, and the messages of a batch.

    summary: what is counted of both; entries, touches: (w,), of what is credited; shares: (w,), of
    the order; parts: (w,), of the amount.
    """

    sources: Sources
    touched: Touched
    met: Meeting
    summary: CreditSummary
    entries: Int64s
    touches: Int64s
    shares: Int64s
    parts: AmountWords | None
    deliveries: Deliveries
    until: int | None

    @classmethod
    def of(cls, sources: Sources, touched: Touched, met: Meeting, until: int | None) -> OfTouches:
        """Credit the orders of a batch, and find its messages."""
        scan = touched.scan
        paths = scan.paths(met)
        rows = scan.rows(met, paths)
        won = rows.touches != NO_ORDER
        entries, touches = rows.entries[won], rows.touches[won]
        shares = _shares(touched, met, paths, rows)[won]
        parts = rows.parts.take(won) if sources.orders.spec.has_amount else None
        deliveries = Deliveries.of(touched, met, touches)
        summary = counts_of(scan, met, paths, rows)
        return cls(
            sources, touched, met, summary, entries, touches, shares, parts, deliveries, until
        )

    # --- Messages ---------------------------------------------------------------------------------

    def messages(self) -> Iterator[Facts]:
        """Yield what was delivered, and what became of it."""
        found, batch = self.deliveries, self.met.touches
        keys = self.sources.keys[DELIVERED]
        columns = [np.full(found.rows.size, keys[Key()])]
        for grain, names, code in (
            (CHANNEL, self.touched.channels, CHANNEL_COLUMN),
            (MAILING_TYPE, self.touched.types, CAMPAIGN),
            (BY_CAMPAIGN, self.touched.campaigns, CAMPAIGN),
        ):
            if names is not None:
                columns.append(_keys_of(keys, None, grain, names)[batch.codes[code][found.rows]])
        own = [
            np.where(condition.holds(batch)[found.rows], keys[Key(where=where)], -1)
            for where, condition in self.touched.own.items()
        ]
        days = batch.days[found.rows]
        for block in (DELIVERED, REACHED, OPENED, CLICKED, UNSUBSCRIBED):
            kept = None if block in (DELIVERED, REACHED) else found.engaged[block]
            its = columns if kept is not None else [*columns, *own]
            rows = found.rows if kept is None else found.rows[kept]
            yield Facts(
                block,
                found.offsets if kept is None else chosen(found.offsets, kept),
                days if kept is None else days[kept],
                self._with_brands(block, its if kept is None else [one[kept] for one in its], rows),
                np.ones(rows.size, np.int64),
                rows,
                of_orders=False,
            )

    def _with_brands(self, block: str, keys: Sequence[Int64s], rows: Int64s) -> tuple[Int64s, ...]:
        """Return keys of all brands, and those of the brand of each touch."""
        brands = self.touched.brands
        if brands is None or self.sources.brand is None:
            return tuple(keys)
        views = brands[self.met.touches.codes[self.sources.brand][rows]]
        size = len(self.sources.keys[block])
        own = (np.where((views < 0) | (one < 0), -1, one + views * size) for one in keys)
        return (*keys, *own)

    def sent_since(self, day: int) -> set[tuple[str, int]]:
        """Return the campaigns that were sent on a day or later, each with the days.

        Sent is what is delivered, and what won: that says on which day where no delivery does.
        """
        names, batch = self.touched.campaigns, self.met.touches
        if names is None:
            return set()
        rows = np.concatenate([self.deliveries.rows, self.touches])
        days = np.concatenate([batch.days[self.deliveries.rows], self.deliveries.sent_on])
        late = days >= day
        if not late.any():
            return set()
        places = names.by_code[batch.codes[CAMPAIGN][rows[late]]]
        found = np.unique(np.stack([places, days[late]]), axis=1)
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
        touches = self.touches[kept]
        codes = self.met.touches.codes
        groups = self._groups(touches)
        keys = self.sources.keys[CREDITED]
        behind = self._behind(CREDITED, view)
        channels = codes[CHANNEL_COLUMN][touches] if touches.size else touches
        columns = []
        for group in (CRM, *self.touched.groups):
            of_channels = _keys_of(keys, group, CHANNEL, self.touched.channels)
            columns.append(of_channels[channels])
        if self.touched.scan.model.compete != PER_CHANNEL:
            of_groups = np.array([keys[Key(one)] for one in self.touched.groups], np.int64)
            columns.append(of_groups[groups])
        for grain, names, code in (
            (MAILING_TYPE, self.touched.types, CAMPAIGN),
            (FORM_TYPE, self.touched.forms, FORM),
        ):
            if names is None or not touches.size:
                continue
            table = np.stack([_keys_of(keys, one, grain, names) for one in self.touched.groups])
            columns.append(table[groups, codes[code][touches]])
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
        names, keys = self.touched.campaigns, self.sources.keys[SENT]
        if names is None or not keys:
            return
        number = self.touched.groups.index(CAMPAIGN_GROUP)
        codes = self.met.touches.codes[CAMPAIGN][self.touches]
        kept = kept & (self._groups(self.touches) == number) & (codes != 0)
        if self.until is not None:
            kept &= self._days(self.entries) <= self.until
        places = np.flatnonzero(kept)
        its = _keys_of(keys, CAMPAIGN_GROUP, BY_CAMPAIGN, names)[codes[places]]
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


def _keys_of(keys: Any, group: str | None, grain: str, names: Names) -> Int64s:
    """Return the key of each code of an attribute, negative where there is none."""
    own = [keys.get(Key(group, grain, name), -1) for name in names.texts]
    found: Int64s = np.array(own, np.int64)[names.by_code]
    return found


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


@dataclass(frozen=True)
class Deliveries:
    """The messages of campaigns that were delivered to the customers of a batch.

    offsets: (c + 1,); rows (of the batch): (d,); engaged: by block, (d,); sent_on: (w,), of what is
    credited.
    """

    offsets: Int64s
    rows: Int64s
    engaged: dict[str, NDArray[np.bool_]]
    sent_on: Int32s

    @classmethod
    def of(cls, touched: Touched, met: Meeting, winners: Int64s) -> Deliveries:
        """Find deliveries, and those that touches are about; winners: touches that won."""
        batch, own, scan = met.touches, met.own, touched.scan
        finder = scan.finder
        excluded = finder.excluded_of(batch)
        kinds = finder.stored.columns.attributes[KIND].by_code.to_pylist()
        blocks = (DELIVERED, *ENGAGED.values())
        meanings = {DELIVERY: 0} | {kind: blocks.index(one) for kind, one in ENGAGED.items()}
        of_kinds = np.array([meanings.get(one, -1) for one in kinds], np.int32)
        channels = touched.group_of_channels
        counts = np.ones(channels.size, np.bool_)
        if CAMPAIGN_GROUP in touched.groups:
            counts = channels == touched.groups.index(CAMPAIGN_GROUP)
        classes = np.where(counts[None, :], of_kinds[:, None], np.int32(-1)).ravel()
        codes, its_channels = batch.codes[KIND], batch.codes[CHANNEL_COLUMN]
        item = np.promote_types(codes.dtype, its_channels.dtype)
        offsets = np.empty(own.begins.size + 1, np.int64)
        rows, meaning = np.empty((2, codes.size), np.int64)
        found = touch_kernels.select_touches[item.name](
            own.begins,
            own.ends,
            codes.astype(item, copy=False),
            its_channels.astype(item, copy=False),
            counts.size,
            np.ascontiguousarray(classes, np.int32),
            excluded,
            offsets,
            rows,
            meaning,
        )
        rows, meaning = rows[:found], meaning[:found]
        is_delivery = meaning == 0
        delivered = rows[is_delivery]
        # What is about a delivery, and what won, is looked up in one walk.
        asked = np.zeros(codes.size, np.bool_)
        asked[rows[~is_delivery]] = True
        asked[winners] = True
        about = np.flatnonzero(asked)
        deliveries = np.zeros(codes.size, np.bool_)
        deliveries[delivered] = True
        its_delivery = np.full(codes.size, touch_kernels.NO_TOUCH)
        if about.size:
            counts_of = np.searchsorted(about, own.ends) - np.searchsorted(about, own.begins)
            steps = np.concatenate([[0], np.cumsum(counts_of)])
            its, _ = finder.deliveries_of(batch, own, deliveries, steps, about)
            its_delivery[about] = its
        number = np.full(codes.size, -1)
        number[delivered] = np.arange(delivered.size)
        engaged = {}
        for place, block in enumerate(blocks[1:], 1):
            of_kind = its_delivery[rows[meaning == place]]
            marks = np.zeros(delivered.size, np.bool_)
            marks[number[of_kind[of_kind >= 0]]] = True
            engaged[block] = marks
        return cls(
            chosen(offsets, is_delivery),
            delivered,
            engaged,
            _sent_on(touched, batch, its_delivery, winners),
        )


def _sent_on(
    touched: Touched, batch: CustomerEvents, its_delivery: Int64s, winners: Int64s
) -> Int32s:
    """Return the day on which what won was sent: delivered, or as the campaign says, or touched."""
    if not winners.size:
        return np.zeros(0, np.int32)
    sent = its_delivery[winners]
    days = batch.days[np.where(sent < 0, winners, sent)]
    columns = touched.scan.touches.columns
    campaigns = columns.attributes.get(CAMPAIGN)
    if campaigns is None or SENT_AT not in campaigns.lookups:
        return days
    given = send_days(campaigns.lookups[SENT_AT].by_code, columns.timezone)
    of_campaign = given[batch.codes[CAMPAIGN][winners]]
    return np.where((sent < 0) & (of_campaign != NOT_SENT), of_campaign, days)


def send_days(values: pa.Array, timezone: str) -> Int32s:
    """Return the day of each time, in a time zone; NOT_SENT for none."""
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        values = pc.local_timestamp(values.cast(pa.timestamp("us", timezone)))
    if not (pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)):
        return np.full(len(values), NOT_SENT)
    days = values.cast(pa.date32(), safe=False).cast(pa.int32())
    return np.asarray(days.fill_null(int(NOT_SENT)), np.int32)
