"""What one customer is as of other days: profiles and features of many days in one step.

As of an earlier day, a customer is what one is as of a later one whose orders and events all came
so many days later: for each of the days there is a copy of them, moved to the last of these days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, rows_of
from ordercycle._days import date_of
from ordercycle._errors import OrdercycleError, within
from ordercycle._features.language import Feature, Window
from ordercycle._features.scan import by_stream, scan_of
from ordercycle._features.streams import Stream
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._grouping.details import Details
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_events import part_of_orders
from ordercycle._profile import ProfileBuilder
from ordercycle._segments.customer_features import Counted, CustomerFeatures, StreamsAsOf
from ordercycle._streams.columns import Codes, EventBatch, Keys, Words
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import LAST_DAY, NO_DAY

Days: TypeAlias = NDArray[np.int64]

#: Days that are looked at together: so many first, then more.
FIRST_DAYS, MORE_DAYS, MOST_DAYS = 256, 8, 2_048
#: Orders and events of all of these days together, at most.
MOST_ENTRIES = 2**21
#: How far ahead another segment is looked for: ten years.
DAYS_AHEAD = 3_653


class NextSegment(NamedTuple):
    """The first day with another segment than before, and which one it is."""

    day: int
    segment: str | None


@dataclass(frozen=True)
class OneCustomer:
    """What is known of a customer on a day, in days since 1970-01-01: who is there on it.

    alone: a history of this customer; events: how many further ones are looked at; segments_of:
    returns the segments that profiles as of some days have, in their order.
    """

    alone: GroupedOrders
    day: int
    events: int
    window_days: int | None
    segments_of: Callable[[pa.Table, Days], list[str | None]]

    def unchanged_since(self, segment: str | None) -> int:
        """Return the first of the days in a row, up to this one, as of which it is the segment."""
        there_since = int(self._known.visible[0])
        found = self._changed(np.arange(self.day - 1, there_since - 1, -1), segment)
        return there_since if found is None else found.day + 1

    def changes_next(self, segment: str | None) -> NextSegment | None:
        """Return on which day time alone makes it another segment, within the years ahead."""
        last = min(self.day + DAYS_AHEAD, int(LAST_DAY))
        return self._changed(np.arange(self.day + 1, last + 1), segment)

    def _changed(self, days: Days, segment: str | None) -> NextSegment | None:
        """Return the first of some days as of which it is another segment."""
        entries = self._known.days.size + self.events
        most = max(1, min(MOST_DAYS, MOST_ENTRIES // max(1, entries)))
        begin, size = 0, min(FIRST_DAYS, most)
        while begin < days.size:
            some = days[begin : begin + size]
            for day, found in zip(some.tolist(), self._segments(some), strict=True):
                if found != segment:
                    return NextSegment(day, found)
            begin, size = begin + size, min(size * MORE_DAYS, most)
        return None

    def _segments(self, days: Days) -> list[str | None]:
        return self.segments_of(self.profiles(days), days)

    def profiles(self, days: Days) -> pa.Table:
        """Return the profiles as of some days, a row for each, of what is known on this day."""
        known, last = self._known, int(days.max())
        later = (last - days).astype(np.int32)
        entries, size = known.days.size, later.size

        def moved(day: NDArray[np.int32]) -> NDArray[np.int32]:
            return np.where(day == NO_DAY, NO_DAY, day + later)

        copies = CustomerBatch(
            ids=known.ids.take(rows_of(np.zeros(size, np.int64))),
            given=moved(known.given),
            listed=np.repeat(known.listed, size),
            registered=moved(known.registered),
            visible=moved(known.visible),
            offsets=np.arange(size + 1, dtype=np.int64) * entries,
            days=(known.days[np.newaxis, :] + later[:, np.newaxis]).ravel(),
            words=known.words.take(np.tile(np.arange(entries), size)),
            negative=known.negative * size,
            further=None if known.further is None else np.tile(known.further, size),
        )
        # Some of the orders are later than the last day now, and than every day that is accepted.
        latest = int(LAST_DAY) + int(later.max())
        spec = self.alone.spec
        builder = ProfileBuilder(spec, spec.ids.produced(size), latest, last, self.window_days)
        table = pa.Table.from_batches([builder.batch(copies, Workspace())])
        for place, one in enumerate(table.schema):
            if one.type == pa.date32():
                moved_days = table.column(place).cast(pa.int32())
                put_back = pc.subtract(moved_days, array_of(later, pa.int32()))
                table = table.set_column(place, one, put_back.cast(pa.date32()))
        return table

    @cached_property
    def _known(self) -> CustomerBatch:
        """The customer with the orders until the day."""
        (batch,) = self.alone.scan(lambda _, batch, __: batch)
        known = part_of_orders(batch, batch.days <= self.day, self.alone.spec)
        # Before the first order, the first refund stands for the registration.
        is_later = known.registered > self.day
        return replace(known, registered=np.where(is_later, known.visible, known.registered))


def events_of(streams: Mapping[str, Stream]) -> int:
    """Return how many events streams have together."""
    return sum(
        int(offsets[-1])
        for stream in streams.values()
        for offsets in stream.grouped.scan(lambda _, batch, __: batch.offsets)
    )


@dataclass(frozen=True)
class StreamsOnDays(StreamsAsOf):
    """Streams that have the events of one customer alone, as of each of some days.

    as_of: the day until which events are known.
    """

    _: KW_ONLY
    days: Days

    def scans(self, features: Mapping[str, Feature]) -> CustomerFeatures:
        """Return what computes features of each of the days, in their order."""
        by_stream(features, self.streams)
        return FeaturesOnDays(features, self.streams, {}, self.as_of, self.missing, self.days)


@dataclass(frozen=True)
class FeaturesOnDays(CustomerFeatures):
    """Features of one customer as of each of some days; as_of: as of `StreamsOnDays`."""

    missing: str
    days: Days

    def of(
        self,
        table: pa.Table,  # noqa: ARG002 - see below
        *,
        threads: int | None,  # noqa: ARG002
        with_matches: bool = False,  # noqa: ARG002
    ) -> Counted:
        """Return the features of each of the days, as rows: that of a table, of the same days."""
        made: dict[str, pa.Array] = {}
        for name, features in by_stream(self.features, self.streams).items():
            made |= self._of_stream(self.streams[name], features)
        return Counted(pa.table({name: made[name] for name in self.features}), {})

    def _of_stream(self, stream: Stream, features: Mapping[str, Feature]) -> dict[str, pa.Array]:
        """Return the features of one stream: those with the same days to look at together."""
        (batch,) = stream.grouped.scan(lambda _, batch, __: stream.batch_of(batch))
        rows = np.zeros(self.days.size, np.int64)  # all are of one customer
        by_days: dict[Window, dict[str, Feature]] = {}
        for name, feature in features.items():
            # Days that are written stay where they are; others come with those of the events.
            of_days = replace(feature.window, last=None)
            moving = replace(feature, window=Window(last=feature.window.last))
            by_days.setdefault(of_days, {})[name] = moving
        made: dict[str, pa.Array] = {}
        for of_days, those in by_days.items():
            scan = scan_of(those, stream.columns, int(self.days.max()), missing=self.missing)
            try:
                made |= scan.columns(self._moved(batch, *of_days.days(self.as_of)), rows)
            except OrdercycleError as error:
                raise within(error, f"as of days until {date_of(int(self.days.max()))}: ") from None
        return made

    def _moved(self, batch: EventBatch, first: int, last: int) -> EventBatch:
        """Return for each day a customer with what is known on it, moved to the last of them.

        first, last: of the days that are looked at.
        """
        until = np.minimum(self.days, last)[:, np.newaxis]
        is_seen = (batch.days >= first) & (batch.days <= until)
        copies, rows = np.nonzero(is_seen)
        details = Details(batch.instants, batch.codes, batch.keys, batch.values).take(rows)
        later = (self.days.max() - self.days).astype(np.int32)
        return _Events(
            offsets=np.concatenate([[0], np.cumsum(is_seen.sum(axis=1))]),
            days=batch.days[rows] + later[copies],
            instants=details.instants,
            codes=details.codes,
            keys=details.keys,
            values=details.values,
            counted=None if batch.counted is None else batch.counted[rows],
        )


@dataclass(frozen=True)
class _Events:
    """A batch of events, as `EventBatch` describes it."""

    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    instants: NDArray[np.int64] | None
    codes: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    values: Mapping[str, Words]
    counted: NDArray[np.bool_] | None
