"""Who is subscribed in which channel, and when: intervals, or a snapshot."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import dates_of
from ordercycle._errors import ColumnError, DataError
from ordercycle._membership.interval_tables import CUSTOMER, FROM, SEGMENT, TO
from ordercycle._membership.membership import Membership
from ordercycle._report.interval_columns import plain_table
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

WHAT = "subscriptions"
CHANNEL, TOPIC = "channel", "topic"
CONTACT = ("contact_from", "contact_to")
DATES = (FROM, TO, *CONTACT)
ANY = "any channel"
FOREVER = int(LAST_DAY) + 1


class Subscriptions(NamedTuple):
    """Who is subscribed in any channel, and in which: memberships whose segments are channels.

    is_snapshot: whether the table says nothing of days, and so holds for all of them; named: the
    channels there are, where others know of more.
    """

    anywhere: Membership
    by_channel: Membership
    is_snapshot: bool
    named: tuple[str, ...] | None = None

    @classmethod
    def of(cls, given: Any) -> Subscriptions:
        """Return the subscriptions of a table.

        Raises
        ------
        ConfigError
            It is no table.
        ColumnError
            A column is missing or of a wrong type, or some of the dates are there and others not.
        DataError
            A customer, channel or topic is null, or an interval has no day.
        """
        table = plain_table(given, WHAT, (CUSTOMER, CHANNEL, TOPIC))
        there = [name for name in DATES if name in table.column_names]
        if there and len(there) < len(DATES):
            missing = next(name for name in DATES if name not in there)
            raise ColumnError(
                f"{WHAT}: there is {there[0]!r} and no column {missing!r}",
                remedy=f"pass all of {', '.join(map(repr, DATES))}, or none for a snapshot",
                column=missing,
            )
        size = table.num_rows
        starts = np.full(size, int(FIRST_DAY), np.int64)
        stops = np.full(size, FOREVER, np.int64)
        if there:
            for first, last in ((FROM, TO), CONTACT):
                begins = _days(table, first, int(FIRST_DAY))
                ends = _days(table, last, FOREVER)
                wrong = np.flatnonzero(ends <= begins)
                if wrong.size:
                    raise DataError(
                        f"{WHAT}: {last} is not after {first}",
                        remedy="drop or fix these rows; it is the day after the last one",
                        column=last,
                        row=int(wrong[0]),
                        count=wrong.size,
                    )
                starts, stops = np.maximum(starts, begins), np.minimum(stops, ends)
        for name in (CUSTOMER, CHANNEL, TOPIC):
            if table.column(name).null_count:
                nulls = np.asarray(pc.is_null(table.column(name)))
                raise DataError(
                    f"{WHAT}: {name} is null",
                    remedy="drop these rows before the call",
                    column=name,
                    row=int(nulls.argmax()),
                    count=int(nulls.sum()),
                )
        kept = np.flatnonzero(stops > starts)
        table, starts, stops = table.take(pa.array(kept)), starts[kept], stops[kept]
        names = table.column(CHANNEL).cast(pa.string())
        anywhere = pa.chunked_array([pa.repeat(ANY, table.num_rows).cast(pa.string())])
        ids = table.column(CUSTOMER)
        return cls(
            _membership(ids, anywhere, starts, stops),
            _membership(ids, names, starts, stops),
            is_snapshot=not there,
        )

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that there are."""
        return self.by_channel.segments if self.named is None else self.named


def _days(table: pa.Table, name: str, missing: int) -> NDArray[np.int64]:
    column = table.column(name)
    kind = column.type
    is_local = pa.types.is_timestamp(kind) and kind.tz is None
    if not (pa.types.is_date(kind) or is_local or pa.types.is_null(kind)):
        raise ColumnError(
            f"{WHAT}: {name} is {kind}, which is no day",
            remedy="cast it to date32, in the business time zone",
            column=name,
        )
    days = dates_of(column).cast(pa.int32()).cast(pa.int64())
    numbers = np.asarray(days.fill_null(missing), np.int64)
    return np.minimum(np.maximum(numbers, int(FIRST_DAY)), FOREVER)


def _membership(
    ids: pa.ChunkedArray,
    names: pa.ChunkedArray,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> Membership:
    """Return intervals as a membership: those of one customer and name that overlap are one."""
    encoded = ids.combine_chunks().dictionary_encode()
    segments = names.combine_chunks().dictionary_encode()
    owners, codes = (np.asarray(one.indices, np.int64) for one in (encoded, segments))
    order = np.lexsort((starts, codes, owners))
    owners, codes, starts, stops = owners[order], codes[order], starts[order], stops[order]
    begins = np.ones(order.size, np.bool_)
    if order.size > 1:
        changes = (owners[1:] != owners[:-1]) | (codes[1:] != codes[:-1])
        # Behind all days of the customer and channel before.
        behind = np.concatenate([[0], np.cumsum(changes)]) * (2 * FOREVER)
        reached = np.maximum.accumulate(stops + behind)
        begins[1:] = changes | ((starts + behind)[1:] > reached[:-1])
        stops = reached - behind
    last = np.append(begins[1:], np.True_)[: order.size]
    closed = stops[last] < FOREVER
    ends = pa.array(np.where(closed, stops[last], 0).astype(np.int32), pa.int32(), mask=~closed)
    rows = order[begins]
    table = pa.table(
        {
            CUSTOMER: ids.take(pa.array(rows)),
            SEGMENT: pa.DictionaryArray.from_arrays(
                pa.array(codes[begins].astype(np.int32)), segments.dictionary
            ),
            FROM: pa.array(starts[begins].astype(np.int32)).cast(pa.date32()),
            TO: ends.cast(pa.date32()),
        }
    )
    return Membership.from_table(table)
