"""What is legal but suspicious in the rows that were read: warnings that say what to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of_texts, bytes_view, fixed_view
from ordercycle._columns import Columns
from ordercycle._days import date_of
from ordercycle._errors import Option, Text, counted, warn
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.counts import Counts
from ordercycle._ingest.column_readers import TimeReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.morsels import Tally
from ordercycle._sources.read_request import Times
from ordercycle_kernels import hashing

LOCAL, UTC = Option("times_without_zone", "local"), Option("times_without_zone", "utc")


def check_zone_has_effect(
    times: Times, columns: Columns, ordered: TimeReader, registered: TimeReader | None
) -> None:
    """Warn where a time zone is named and no time has one: nothing is converted.

    Where the instants of orders are kept, those of local times and days depend on the zone.
    """
    readers = [ordered] if registered is None else [ordered, registered]
    if not times.matter or columns.instants or any(reader.are_instants for reader in readers):
        return
    zone = Option("timezone", times.timezone)
    text: Text
    if pa.types.is_timestamp(ordered.kind):
        text = (
            zone,
            f" has no effect: {columns.time} has no zone and is taken as local already; pass ",
            UTC,
            " where it is UTC, or ",
            LOCAL,
            " where it is local",
        )
    else:
        text = (
            zone,
            f" has no effect: {columns.time} holds dates, which are local days; pass ",
            LOCAL,
            " to say that this is known",
        )
    warn(text)


def check_offsets(columns: Columns) -> None:
    """Warn of times of a text that have offsets, where no time zone is named."""
    warn(
        (
            f"{columns.time} has offsets from UTC, and days begin and end in UTC; pass ",
            Option("timezone"),
            " to say where they begin and end, or ",
            Option("timezone", "UTC"),
            " where that is right",
        )
    )


#: Texts that stand for a missing value in what others write, in the spellings that they use.
MISSING_TEXTS = tuple(
    sorted(
        {"N/A", "n/a", "#N/A", "<NA>", "NaN", "NaT", "\\N", "(null)", "NA", "nil", "undefined"}
        | {make(word) for word in ("null", "none", "nan") for make in (str, str.upper, str.title)}
    )
)
#: What may as well be somebody's id: suspicious only where it has far more orders than others.
SUSPICIOUS_TEXTS = ("-", "--", "?", "0", "-1", " ", "guest", "anonymous", "unknown")
SUSPICIOUS_NUMBERS = (0, -1)
#: The share of all orders, and how often the orders of a customer who has any.
SUSPICIOUS_SHARE, SUSPICIOUS_MULTIPLE = 0.01, 100
#: The last day that is a month as well, and the distinct days without any other that are too many.
LAST_MONTH, MOST_DAYS_OF_MONTHS = 12, 100
#: Days that a row may be dated after its file was written.
DAYS_AHEAD = 1
EPOCH_DAY = 0
#: Orders that are looked at first for a day that is no month: mostly, there is one among them.
FIRST_ORDERS = 1_000
SECONDS_PER_DAY = 86_400
#: Ids of a batch that are looked at for how numbers are written.
FIRST_IDS = 100


class Signs:
    """What batches of customers have that is suspicious, looked for while they are in the cache.

    That there is a day which is no month is seen in the first orders, and nothing is looked for
    after that; days of 1970 are counted only where there can be any.
    """

    def __init__(self, tally: Tally) -> None:
        self._has_epoch = (tally.first_day or 0) <= EPOCH_DAY <= (tally.last_day or 0)
        self._has_later_day = tally.first_day is None
        self._days: set[int] = set()
        self._lock = threading.Lock()
        self.orders_of: dict[str, int] = {}  # of ids that look like missing values
        self.of_epoch = 0
        self.buyers = 0  # customers with orders
        self.whole_float: str | None = None  # an id that is written as a whole float
        self.integer: str | None = None  # and one that is written as an integer, in text

    def see(self, batch: CustomerBatch) -> None:
        """Look at a batch."""
        sizes = np.diff(batch.offsets)
        found = dict(_orders_of_missing(batch, sizes))
        of_epoch = int(np.count_nonzero(batch.days == EPOCH_DAY)) if self._has_epoch else 0
        days: set[int] = set()
        if not self._has_later_day:
            parts = (batch.days[:FIRST_ORDERS], batch.days[FIRST_ORDERS:])
            if any(_has_later_day(part) for part in parts):
                self._has_later_day = True
            else:
                days = set(np.unique(batch.days).tolist())
        whole_float, integer = _ids_of_numbers(batch.ids)
        with self._lock:
            self.whole_float = self.whole_float or whole_float
            self.integer = self.integer or integer
            self.orders_of |= found
            self.buyers += int(np.count_nonzero(sizes))
            self.of_epoch += of_epoch
            self._days |= days

    @property
    def days_of_months(self) -> int:
        """How many distinct days there are, where none of them is later than the 12th."""
        return 0 if self._has_later_day else len(self._days)


def _has_later_day(days: NDArray[np.int32]) -> bool:
    dates = days.astype("datetime64[D]")
    of_month = dates - dates.astype("datetime64[M]")
    return bool((of_month.astype(np.int64) >= LAST_MONTH).any())  # counted from 0


def _orders_of_missing(batch: CustomerBatch, sizes: NDArray[np.int64]) -> Iterator[tuple[str, int]]:
    """Yield the ids of a batch that look like missing values, and how many orders each has."""
    if pa.types.is_integer(batch.ids.type):
        numbers = fixed_view(batch.ids, batch.ids.type.to_pandas_dtype())
        for number in SUSPICIOUS_NUMBERS:
            for row in np.flatnonzero(numbers == number).tolist():
                yield str(number), int(sizes[row])
    elif not pa.types.is_fixed_size_binary(batch.ids.type) and len(batch.ids):
        texts = [*MISSING_TEXTS, *SUSPICIOUS_TEXTS]
        for text, row in zip(texts, _places(batch.ids).tolist(), strict=True):
            if row < len(batch.ids) and batch.ids[row].as_buffer().to_pybytes() == text.encode():
                yield text, int(sizes[row])


def _ids_of_numbers(ids: pa.Array) -> tuple[str | None, str | None]:
    """Return texts among the first ids that are a whole float and an integer, None without one."""
    if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type)):
        return None, None
    offsets, data = bytes_view(ids)
    ends = offsets[1:][np.diff(offsets) > len(".0")]
    if not ((data[ends - 1] == ord("0")) & (data[ends - 2] == ord("."))).any():
        texts = ids[:FIRST_IDS].to_pylist()
    else:
        texts = ids.filter(pc.ends_with(ids, ".0"))[:FIRST_IDS].to_pylist()
        texts += ids[:FIRST_IDS].to_pylist()
    whole = (text for text in texts if text.endswith(".0") and text[:-2].isdecimal())
    return next(whole, None), next((text for text in texts if text.isdecimal()), None)


@cache
def _hashes_of_missing() -> NDArray[np.uint64]:
    return hashes_of(array_of_texts([*MISSING_TEXTS, *SUSPICIOUS_TEXTS]))


def _places(ids: pa.Array) -> NDArray[np.int64]:
    """Return where the hashes of ids that look like missing values are, or would be.

    Ids ascend by hash: a search looks at a few of them only.
    """
    offsets, data = bytes_view(ids)
    wanted = _hashes_of_missing()
    low, high = np.zeros(wanted.size, np.int64), np.full(wanted.size, len(ids))
    hashes = np.empty(wanted.size, np.uint64)
    while (low < high).any():
        middle = np.minimum((low + high) // 2, len(ids) - 1)
        starts = offsets[middle].astype(np.int64)
        lengths = (offsets[middle + 1] - starts).astype(np.int32)
        hashing.hash_bytes(starts, lengths, data, hashes)
        is_open, is_before = low < high, hashes < wanted
        low = np.where(is_open & is_before, middle + 1, low)
        high = np.where(is_open & ~is_before, middle, high)
    return low


def check_signs(
    signs: Signs, columns: Columns, tally: Tally, counts: Counts, written: int | None
) -> None:
    """Warn of what is suspicious in all batches; once for all of them.

    written: when the newest of the files was, in nanoseconds, where there are files on a disk.
    """
    for check in (_check_missing, _check_numbers, _check_months, _check_epoch):
        check(signs, columns, counts)
    if written is not None and tally.first_day is not None and tally.last_day is not None:
        day = written // 10**9 // SECONDS_PER_DAY
        # Where all days are later it is the file's time that is wrong.
        if tally.first_day <= day < tally.last_day - DAYS_AHEAD:
            warn(
                f"{columns.time} goes on to {date_of(tally.last_day)}, and the newest file was "
                f"written on {date_of(day)}; look at the last days, as day and month may be "
                "swapped, or rows be meant for later"
            )


def _check_missing(signs: Signs, columns: Columns, counts: Counts) -> None:
    for text, orders in sorted(signs.orders_of.items()):
        is_sure = text in MISSING_TEXTS and orders >= SUSPICIOUS_SHARE * counts.orders
        if is_sure or orders * signs.buyers >= SUSPICIOUS_MULTIPLE * counts.orders > 0:
            of_all = f"{counted(orders, 'order')} of {counts.orders:,}"
            what = f"{columns.customer} {text!r} has {of_all} and looks like a missing value; pass "
            warn((what, Option("nobody", (text,)), " where it is nobody"))


def _check_numbers(signs: Signs, columns: Columns, counts: Counts) -> None:  # noqa: ARG001
    if signs.whole_float is not None and signs.integer is not None:
        warn(
            f"{columns.customer} is text, as {signs.whole_float!r} and {signs.integer!r}: where "
            "numbers are written in both ways, one customer may be taken for two; write all of "
            "them without '.0'"
        )


def _check_months(signs: Signs, columns: Columns, counts: Counts) -> None:  # noqa: ARG001
    if signs.days_of_months > MOST_DAYS_OF_MONTHS:
        warn(
            f"{columns.time} has {signs.days_of_months:,} different days, and none is later than "
            "the 12th of a month; day and month may have been swapped by what wrote or read them"
        )


def _check_epoch(signs: Signs, columns: Columns, counts: Counts) -> None:
    if signs.of_epoch > SUSPICIOUS_SHARE * counts.orders:
        warn(
            f"{columns.time} is 1970-01-01 in {counted(signs.of_epoch, 'order')} of "
            f"{counts.orders:,}, as zeros are when they are read as times; drop these rows, or "
            "make their times null"
        )
