"""The touches that lead to each order of a batch of customers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._attribution.attribution_options import AttributionOptions
from ordercycle._attribution.durations import duration_of, in_microseconds
from ordercycle._attribution.option_checks import DELIVERY, LAST
from ordercycle._attribution.order_rows import OrderRows
from ordercycle._attribution.touch_classes import (
    CAMPAIGN,
    CHANNEL_COLUMN,
    CLICK,
    KIND,
    MESSAGE,
    TouchClasses,
    campaign_ranks,
)
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.stored_events import StoredEvents
from ordercycle._history.side_by_side import Rows
from ordercycle._ingest.column_readers import IdReader
from ordercycle._streams.columns import Keys
from ordercycle._streams.conditions import Condition
from ordercycle_kernels import touch_paths as kernels
from ordercycle_kernels._types import as_input

Int64s = NDArray[np.int64]

#: Numbers without a sign in the order of those with one.
SIGN = np.uint64(1 << 63)
NOTHING = np.zeros(0, np.bool_)
#: Of how many touches one may win, as a first guess: more need a second look.
QUALIFYING_SHARE, LEAST_ROOM = 4, 64


class Qualified(NamedTuple):
    """The q touches of a batch that may win, in the order in which the last one wins.

    offsets: (c + 1,); rows (of the batch), classes, instants, starts (of their windows): (q,);
    excluded: which touches of the batch do not count, (t,), or (0,) where all do; undelivered:
    touches whose delivery is not known.
    """

    offsets: Int64s
    rows: Int64s
    classes: Int64s
    instants: Int64s
    starts: Int64s
    excluded: NDArray[np.bool_]
    undelivered: int


class Paths(NamedTuple):
    """The touches of each order of a batch: those of its competitions, by time in each.

    offsets: (n + 1,); rows (of the batch of touches), competitions, lengths (of the path that a
    touch is in), places (in it): (w,); longer: paths that were cut.
    """

    offsets: Int64s
    rows: Int64s
    competitions: NDArray[np.int32]
    lengths: NDArray[np.int32]
    places: NDArray[np.int32]
    longer: int


@dataclass(frozen=True)
class PathFinder:
    """Finds the touches of orders as an attribution says.

    excluded: the condition over touches that do not count.
    """

    model: AttributionOptions
    stored: StoredEvents
    classes: TouchClasses
    excluded: Condition | None
    ranks: NDArray[np.uint32] | None

    @classmethod
    def of(
        cls, model: AttributionOptions, stored: StoredEvents, excluded: Condition | None
    ) -> PathFinder:
        """Return what finds the touches of a history of them."""
        columns = stored.columns
        classes = TouchClasses.of(model, columns)
        return cls(model, stored, classes, excluded, campaign_ranks(columns))

    def scaled(self, days: int) -> PathFinder:
        """Return the same with a window of so many days, and all others in proportion."""
        return replace(self, classes=self.classes.scaled(self.model, days))

    # --- Touches that may win ---------------------------------------------------------------------

    def excluded_of(self, batch: CustomerEvents) -> NDArray[np.bool_]:
        """Return which touches do not count: (t,), or (0,) where all do."""
        excluded = NOTHING if self.excluded is None else self.excluded.holds(batch)
        if not self.model.bursts or not batch.days.size:
            return excluded
        code = self.stored.columns.attributes[KIND].by_code.index(pa.scalar(CLICK)).as_py()
        marks = excluded.copy() if excluded.size else np.zeros(batch.days.size, np.bool_)
        if code >= 0:
            clicks = batch.codes[KIND] == code
            for count, width in self.model.bursts:
                kernels.mark_bursts(
                    batch.offsets[:-1],
                    batch.offsets[1:],
                    _instants(batch),
                    clicks,
                    count,
                    in_microseconds(duration_of(width)),
                    np.empty(count, np.int64),
                    marks,
                )
        return marks

    def qualified(self, batch: CustomerEvents, own: Rows) -> Qualified:
        """Return the touches of customers that may win; own: the rows of each customer."""
        excluded = self.excluded_of(batch)
        kinds, channels = batch.codes[KIND], batch.codes[CHANNEL_COLUMN]
        item = np.promote_types(kinds.dtype, channels.dtype)
        kinds, channels = kinds.astype(item, copy=False), channels.astype(item, copy=False)
        offsets = np.empty(own.begins.size + 1, np.int64)
        # Few touches may win, and arrays for all of them would be touched for nothing.
        room = kinds.size // QUALIFYING_SHARE + LEAST_ROOM
        while True:
            rows, classes = np.empty((2, room), np.int64)
            found = kernels.select_touches[item.name](
                own.begins,
                own.ends,
                kinds,
                channels,
                self.classes.channels,
                self.classes.classes,
                excluded,
                offsets,
                rows,
                classes,
            )
            if found < room:
                break
            room = found + 1
        rows, classes = rows[:found], classes[:found]
        instants = _instants(batch)[rows]
        self._order_tied(batch, offsets, instants, rows, classes)
        starts, undelivered = instants, 0
        if self.model.clock == DELIVERY:
            deliveries = self.deliveries_in(batch, excluded)
            sent, undelivered = self.deliveries_of(batch, own, deliveries, offsets, rows)
            starts = _instants(batch)[np.where(sent == kernels.NO_TOUCH, rows, sent)]
        return Qualified(offsets, rows, classes, instants, starts, excluded, undelivered)

    def _order_tied(
        self,
        batch: CustomerEvents,
        offsets: Int64s,
        instants: Int64s,
        rows: Int64s,
        classes: Int64s,
    ) -> None:
        """Order touches of one instant by place in `qualify`, campaign and id."""
        places, stretches = np.empty((2, rows.size), np.int64)
        tied = kernels.tied_touches(offsets, instants, places, stretches)
        if not tied:
            return
        places, stretches = places[:tied], stretches[:tied]
        its_rows, its_classes = rows[places], classes[places]
        pairs = batch.codes[KIND][its_rows].astype(np.int64) * self.classes.channels
        pairs += batch.codes[CHANNEL_COLUMN][its_rows]
        keys = self._id_keys(batch, its_rows)
        if self.ranks is not None:
            keys.append(self.ranks[batch.codes[CAMPAIGN][its_rows]].astype(np.int64))
        # What is sorted by last comes last; rows that all keys leave equal stay as they are.
        order = np.lexsort([*keys, self.classes.places[pairs].astype(np.int64), stretches])
        rows[places], classes[places] = its_rows[order], its_classes[order]

    def _id_keys(self, batch: CustomerEvents, rows: Int64s) -> list[NDArray[np.int64]]:
        ids, reader = batch.details.event_ids, self.stored.spec.details.event_id
        if ids is None or reader is None:
            return []
        keys = [_ordered(ids.words[rows], reader)]
        if ids.known is not None:
            keys.append(ids.known[rows].astype(np.int64))
        return keys

    def deliveries_in(
        self, batch: CustomerEvents, excluded: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which touches are deliveries, and are not excluded: (t,)."""
        code = self.stored.columns.attributes[KIND].by_code.index(pa.scalar(DELIVERY)).as_py()
        if code < 0:
            return np.zeros(batch.days.size, np.bool_)
        found: NDArray[np.bool_] = batch.codes[KIND] == code
        return found & ~excluded if excluded.size else found

    def deliveries_of(
        self,
        batch: CustomerEvents,
        own: Rows,
        deliveries: NDArray[np.bool_],
        offsets: Int64s,
        rows: Int64s,
    ) -> tuple[Int64s, int]:
        """Return the delivery of each touch, NO_TOUCH where it is not known, and how often.

        That of the same message; else the last one of the same campaign in the same channel.

        own: the rows of each customer; deliveries: which touches are; offsets: (c + 1,), into rows:
        of touches, by time.
        """
        size = batch.days.size
        messages = batch.keys.get(MESSAGE, Keys(np.zeros(0, np.uint64)))
        known = messages.known
        if known is None:
            known = np.ones(messages.words.size, np.bool_)
        campaigns, codes = np.zeros(size, np.int64), 1
        if CAMPAIGN in batch.codes:  # those of each channel are campaigns of their own
            attributes = self.stored.columns.attributes
            channels = len(attributes[CHANNEL_COLUMN].values) + 1
            codes = (len(attributes[CAMPAIGN].values) + 1) * channels
            its = batch.codes[CAMPAIGN].astype(np.int64)
            campaigns = np.where(its == 0, 0, its * channels + batch.codes[CHANNEL_COLUMN])
        found = np.empty(rows.size, np.int64)
        unknown = kernels.delivery_rows(
            own.begins,
            own.ends,
            _instants(batch),
            deliveries,
            messages.words,
            known,
            campaigns,
            offsets,
            rows,
            np.zeros(1 << max(1, (2 * size - 1).bit_length()), np.int64),
            np.zeros(codes, np.int64),
            found,
        )
        return found, unknown

    # --- Their orders -----------------------------------------------------------------------------

    def paths(
        self,
        orders: OrderRows,
        batch: CustomerEvents,
        touches: Qualified,
        visits: CustomerEvents | None,
        of_visits: Rows,
        *,
        most: int | None = None,
    ) -> Paths:
        """Return the touches of each order: all in reach, or the last one where it alone wins.

        most: how many in each competition, and not what the model says.
        """
        brand_count, codes = 1, touches.classes
        if self.model.brand is not None:
            brands = batch.codes[self.model.brand][touches.rows]
            brand_count = len(self.stored.columns.attributes[self.model.brand].values) + 1
            codes = touches.classes * brand_count + brands
        rules = self.classes.rules()
        has_one = self.model.model == LAST and most is None
        limit = 1 if has_one else self.model.most_touches if most is None else most
        size = orders.are_orders.size
        offsets, counts = np.empty(size + 1, np.int64), np.empty(2, np.int64)
        previous = np.empty(touches.rows.size, np.int64)
        heads = np.full(len(self.classes.known) * brand_count, kernels.NO_TOUCH)
        room = size * max(1, self.classes.competition_count)
        while True:
            found = np.empty(room, np.int64)
            kernels.follow_touches(
                kernels.Entries(
                    as_input(orders.batch.offsets),
                    as_input(orders.instants),
                    as_input(orders.are_orders),
                    as_input(orders.brands),
                ),
                kernels.Touches(
                    as_input(touches.offsets),
                    as_input(touches.instants),
                    as_input(touches.starts),
                    as_input(codes),
                ),
                kernels.Visits(
                    as_input(of_visits.begins),
                    as_input(of_visits.ends),
                    as_input(np.zeros(0, np.int64) if visits is None else _instants(visits)),
                ),
                rules,
                limit,
                has_one,
                self.model.strict,
                self.model.reuse,
                heads,
                np.empty(brand_count, np.int64),
                previous,
                offsets,
                found,
                counts,
            )
            if counts[0] <= room:
                break
            room = int(counts[0])
        found = found[: counts[0]]
        competitions = self.classes.competitions[touches.classes[found]]
        lengths, places = np.empty((2, found.size), np.int32)
        kernels.count_paths(offsets, competitions, lengths, places)
        longer = 0 if has_one else int(counts[1])
        return Paths(offsets, touches.rows[found], competitions, lengths, places, longer)


def _instants(batch: CustomerEvents) -> Int64s:
    if batch.instants is None:
        raise AssertionError("a stream with instants has a batch without")
    return batch.instants


def _ordered(words: NDArray[np.uint64], reader: IdReader) -> NDArray[np.int64]:
    """Return words of ids as integers of the same order: those without a sign are shifted."""
    if reader.is_integer and pa.types.is_signed_integer(reader.plain):
        return words.view(np.int64)
    return (words ^ SIGN).view(np.int64)
