"""The messages of campaigns that were delivered to customers, and what became of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import dates_of
from ordercycle._attribution.credit_scan import Meeting
from ordercycle._attribution.option_checks import CAMPAIGNS as CAMPAIGN_GROUP
from ordercycle._attribution.option_checks import DELIVERY
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, KIND, MESSAGE
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._history.side_by_side import Rows
from ordercycle._report.sources import Sources
from ordercycle._report.touched import SENT_AT, Touched
from ordercycle._streams.columns import Keys
from ordercycle_kernels import messages as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.timeline import OPEN

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]

#: What kinds of touches are: deliveries, and what is about them.
MARKS = {
    DELIVERY: kernels.DELIVERED,
    "open": kernels.OPENED,
    "click": kernels.CLICKED,
    "unsubscribe": kernels.UNSUBSCRIBED,
}
NOT_SENT = np.int32(OPEN)
NO_CODES = np.zeros(0, np.uint8)


class Deliveries(NamedTuple):
    """The messages of campaigns that were delivered to the customers of a batch.

    sent: where those of each customer are, and of d deliveries their rows in the batch, leaves,
    days and marks; sent_on: (w,), of what is credited.
    """

    sent: kernels.Sent
    sent_on: Int32s


class Linker:
    """Finds deliveries, and those that touches are about, with the room of one thread.

    horizon: the day after which touches are about none, None: all that are known may be.
    """

    def __init__(self, sources: Sources, touched: Touched, horizon: int | None) -> None:
        self.touched = touched
        self._horizon = horizon
        stored = touched.scan.finder.stored
        kinds = stored.columns.attributes[KIND].by_code.to_pylist()
        channels = touched.group_of_channels
        counts = np.ones(channels.size, np.bool_)
        if CAMPAIGN_GROUP in touched.groups:
            counts = channels == touched.groups.index(CAMPAIGN_GROUP)
        marks = np.array([MARKS.get(one, 0) for one in kinds], np.int8)
        self._classes = np.where(counts[None, :], marks[:, None], np.int8(0)).ravel()
        self._channels = channels.size
        self._brand = None if touched.brands is None else sources.brand
        #: How many brands touches have, as leaves tell them apart.
        self.brand_count = 1 if touched.brands is None else touched.brands.size
        campaigns = 1 if touched.campaigns is None else touched.campaigns.by_code.size
        self._latest = np.zeros(campaigns * channels.size, np.int64)
        self._table, self._asked = np.zeros((2, 0), np.int64)
        self._seen = 0
        self._size = 0
        self._rows, self._leaves = np.empty((2, 0), np.int64)
        self._days, self._marks = np.empty(0, np.int32), np.empty(0, np.uint8)

    @classmethod
    def of(cls, sources: Sources, horizon: int | None) -> Linker | None:
        """Return one for the touches of a report; None without touches."""
        return None if sources.touched is None else cls(sources, sources.touched, horizon)

    def deliveries(self, met: Meeting, winners: Int64s) -> Deliveries:
        """Return those of a batch, valid until the next one; winners: touches that won."""
        batch, own = met.touches, met.own
        if batch.instants is None:
            raise AssertionError("touches have instants: checked where the scan is made")
        codes = [
            batch.codes[KIND],
            batch.codes[CHANNEL_COLUMN],
            NO_CODES if self.touched.campaigns is None else batch.codes[CAMPAIGN],
            NO_CODES if self._brand is None else batch.codes[self._brand],
        ]
        item = np.result_type(*codes)
        wanted = np.zeros(batch.days.size, np.bool_)
        wanted[winners] = True
        messages = batch.keys.get(MESSAGE, Keys(np.zeros(0, np.uint64)))
        known = messages.known
        if known is None:
            known = np.ones(messages.words.size, np.bool_)
        left_out = met.qualified.excluded
        if self._horizon is not None:
            later = batch.days > self._horizon
            left_out = later | left_out if left_out.size else later
        sent = self._room_for(own, own.begins.size)
        its_delivery = np.empty(batch.days.size, np.int64)
        arrays: list[NDArray[Any]] = [
            own.begins, own.ends, batch.instants, batch.days, messages.words, known,
            left_out, wanted,
        ]  # fmt: skip
        found = kernels.link_messages[item.name](
            kernels.TouchRows(*map(as_input, arrays)),
            kernels.TouchCodes(*(as_input(one.astype(item, copy=False)) for one in codes)),
            self._classes,
            self._channels,
            self.brand_count,
            self._seen,
            kernels.Linking(self._latest, self._table, self._asked),
            sent,
            its_delivery,
        )
        self._seen += found
        sent = kernels.Sent(
            sent.offsets,
            sent.rows[:found],
            sent.leaves[:found],
            sent.days[:found],
            sent.marks[:found],
        )
        return Deliveries(sent, _sent_on(self.touched, batch, its_delivery, winners))

    def _room_for(self, own: Rows, customers: int) -> kernels.Sent:
        """Return arrays for the deliveries of customers; make room for those with most touches."""
        sizes = own.ends - own.begins
        most = int(sizes.max(initial=0))
        if most > self._asked.size:
            self._asked = np.zeros(most, np.int64)
            self._table = np.zeros(1 << (2 * most - 1).bit_length(), np.int64)
        size = int(sizes.sum())
        if size > self._size:
            self._size = size + size // 4
            self._rows, self._leaves = np.empty((2, self._size), np.int64)
            self._days, self._marks = np.empty(self._size, np.int32), np.empty(self._size, np.uint8)
        offsets = np.empty(customers + 1, np.int64)
        return kernels.Sent(offsets, self._rows, self._leaves, self._days, self._marks)


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
    days = dates_of(values).cast(pa.int32())
    return np.asarray(days.fill_null(int(NOT_SENT)), np.int32)
