"""Two batches of the same range of customers as one: what was there, and what arrives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._grouping.batches import CustomerBatch, DroppedDays
from ordercycle._grouping.details import Details
from ordercycle._grouping.order_lines import entries_marked, order_signs
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._history.places import Places, find_places, merged_ids, merged_rows
from ordercycle._ingest.payload import DAY, Payload
from ordercycle._ingest.table_readers import AMOUNT, AMOUNT_HIGH, ORDER
from ordercycle._spec import DetailSpec, HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import merging as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.partition import as_moved
from ordercycle_kernels.profile import registration_days

Int64s = NDArray[np.int64]


def merge_batches(
    there: CustomerBatch,
    arriving: CustomerBatch,
    spec: HistorySpec,
    workspace: Workspace | None = None,
) -> CustomerBatch:
    """Return the customers of both batches with the orders of both.

    With a workspace, days, amounts and keys are its arrays, valid until the thread's next call.
    """
    places = find_places(there.ids, arriving.ids)
    positions, found = places
    starts = there.offsets[positions]
    stops = np.where(found, there.offsets[np.minimum(positions + 1, len(there.ids))], starts)
    offsets = _merged_offsets(there.offsets, arriving.offsets, places)
    rows = places.positions + np.cumsum(~found) - ~found  # of those who got something
    details, order_ids = None, None
    if spec.details is None:
        merged = _merged_orders(
            there, arriving, starts, stops, are_floats=spec.amount.is_float, workspace=workspace
        )
    else:
        merged, details, order_ids = _merged_details(there, arriving, places, spec, spec.details)
    if spec.has_further_days:
        merged = merged._replace(further=_marks(merged, offsets, rows, spec))
    given = _merged_values(there.given, arriving.given, places, arriving.given != NO_DAY)
    listed = _merged_values(there.listed, arriving.listed, places, arriving.listed)
    # Only those who got something may be registered earlier now.
    registered, visible = np.empty(rows.size, np.int32), np.empty(rows.size, np.int32)
    registration_days(
        offsets[rows],
        offsets[rows + 1],
        merged.days,
        *order_signs(merged.words, merged.further, net_refunds=spec.net_refunds),
        given[rows],
        registered,
        visible,
    )
    if spec.drop_unknown:
        visible[~listed[rows]] = NO_DAY
    every = np.ones(rows.size, np.bool_)
    return CustomerBatch(
        ids=merged_ids(there.ids, arriving.ids, places),
        given=given,
        listed=listed,
        registered=_merged_values(there.registered, registered, places, every),
        visible=_merged_values(there.visible, visible, places, every),
        offsets=offsets,
        days=merged.days,
        words=merged.words,
        negative=there.negative + arriving.negative,
        keys=merged.keys,
        further=merged.further,
        dropped=_merged_dropped(there.dropped, arriving.dropped, places),
        details=details,
        order_ids=order_ids,
    )


class _Entries(NamedTuple):
    """The entries of both batches, by customer, day and amount: (n,) each."""

    days: NDArray[np.int32]
    words: AmountWords
    keys: NDArray[np.uint64] | None = None
    #: What was marked before; of customers who got something, it has to be marked again.
    further: NDArray[np.bool_] | None = None


def _marks(
    merged: _Entries, offsets: Int64s, rows: Int64s, spec: HistorySpec
) -> NDArray[np.bool_] | None:
    """Mark the entries that are no orders though they are no refunds.

    Returns the marks of all customers, found again for those in the given rows.
    """
    starts, sizes = offsets[rows], offsets[rows + 1] - offsets[rows]
    ends = np.cumsum(sizes)
    entries = np.arange(sizes.sum()) + np.repeat(starts - ends + sizes, sizes)
    within = np.concatenate([[0], ends])
    days, signs = merged.days[entries], merged.words.signs[entries]
    found = entries_marked(
        within,
        days,
        signs,
        None if merged.keys is None else merged.keys[entries],
        once_a_day=spec.once_a_day,
        net_refunds=spec.net_refunds,
    )
    if found is None and merged.further is None:
        return None
    marks = np.zeros(merged.days.size, np.bool_) if merged.further is None else merged.further
    marks[entries] = False if found is None else found
    return marks if marks.any() else None


def _merged_details(
    there: CustomerBatch,
    arriving: CustomerBatch,
    places: Places,
    spec: HistorySpec,
    details: DetailSpec,
) -> tuple[_Entries, Details, pa.Array | None]:
    """Return the entries of both, which have more than days and amounts."""
    words = AmountWords.alike([there.words, arriving.words])
    before, new = (
        _columns_of(batch, own, spec, details.payload)
        for batch, own in zip((there, arriving), words, strict=True)
    )
    order = TotalOrder.of(details, amount=spec.amount)
    merged = merged_rows(there.offsets, arriving.offsets, before, new, places, order)
    columns = {
        name: np.concatenate([values, new[name]]).take(merged.rows)
        for name, values in before.items()
    }
    highs = columns.get(AMOUNT_HIGH, NO_WORDS)
    further = None
    if there.further is not None:
        nothing = np.zeros(arriving.days.size, np.bool_)
        further = np.concatenate([there.further, nothing])[merged.rows]
    ids = None
    if there.order_ids is not None and arriving.order_ids is not None:
        kept = arriving.order_ids.cast(there.order_ids.type)
        ids = pa.concat_arrays([there.order_ids, kept]).take(rows_of(merged.rows))
    amounts = AmountWords(columns[AMOUNT].view(there.words.lows.dtype), highs)
    entries = _Entries(columns[DAY], amounts, columns.get(ORDER), further)
    return entries, Details.of(columns, details.payload), ids


def _columns_of(
    batch: CustomerBatch, words: AmountWords, spec: HistorySpec, payload: Payload
) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {DAY: batch.days, AMOUNT: words.lows.view(np.int64)}
    if spec.amount.is_wide:  # of no orders, both are empty
        columns[AMOUNT_HIGH] = words.highs if words.highs.size else words.lows >> 63
    if batch.keys is not None:
        columns[ORDER] = batch.keys
    if batch.details is not None:
        columns |= batch.details.columns(batch.days.size, payload)
    return columns


def _merged_orders(
    there: CustomerBatch,
    arriving: CustomerBatch,
    starts: Int64s,
    stops: Int64s,
    *,
    are_floats: bool,
    workspace: Workspace | None,
) -> _Entries:
    """Return the entries of both."""
    words, more_words = AmountWords.alike([there.words, arriving.words])
    one_by_one = words.highs.size or more_words.highs.size or there.keys is not None
    if one_by_one or there.further is not None or arriving.further is not None:
        places = _places_of_orders(there, arriving, starts, stops, are_floats=are_floats)
        return _merged_one_by_one(there, arriving, places, workspace)
    size = there.days.size + arriving.days.size
    days = _room("days", size, np.int32, workspace)
    bits = _room("lows", size, np.int64, workspace)
    old, new = (
        kernels.Orders(as_input(batch.days), as_input(batch.words.lows.view(np.int64)))
        for batch in (there, arriving)
    )
    kernels.merge_orders(starts, stops, old, arriving.offsets, new, are_floats, days, bits)
    return _Entries(days, AmountWords(bits.view(there.words.lows.dtype), NO_WORDS))


def _places_of_orders(
    there: CustomerBatch,
    arriving: CustomerBatch,
    starts: Int64s,
    stops: Int64s,
    *,
    are_floats: bool,
) -> Int64s:
    """Return where each arriving entry goes among all."""
    day_starts = np.empty(arriving.days.size, np.int64)
    day_stops, places = np.empty_like(day_starts), np.empty_like(day_starts)
    kernels.find_days(
        starts, stops, there.days, arriving.offsets, arriving.days, day_starts, day_stops
    )
    old, new = (
        kernels.DaysOfOrders(
            as_input(words.lows.view(np.int64)),
            as_input(words.highs),
            as_input(NO_WORDS.view(np.uint64) if batch.keys is None else batch.keys),
        )
        for batch, words in zip(
            (there, arriving), AmountWords.alike([there.words, arriving.words]), strict=True
        )
    )
    kernels.find_days_of_orders(day_starts, day_stops, old, new, are_floats, places)
    return places


def _merged_one_by_one(
    there: CustomerBatch, arriving: CustomerBatch, places: Int64s, workspace: Workspace | None
) -> _Entries:
    """Return the entries of both, the arriving ones in their places."""
    words, more_words = AmountWords.alike([there.words, arriving.words])
    lows, more_lows = words.lows.view(np.int64), more_words.lows.view(np.int64)
    bits = _merged("lows", lows, more_lows, places, workspace).view(words.lows.dtype)
    highs, keys, further = NO_WORDS, None, None
    if words.highs.size or more_words.highs.size:
        highs = _merged("highs", words.highs, more_words.highs, places, workspace)
    if there.keys is not None and arriving.keys is not None:
        keys = _merged("keys", there.keys, arriving.keys, places, workspace)
    if there.further is not None:
        further = np.zeros(there.days.size + places.size, np.bool_)
        was_there = np.ones(further.size, np.bool_)
        was_there[places] = False
        further[was_there] = there.further
    days = _merged("days", there.days, arriving.days, places, workspace)
    return _Entries(days, AmountWords(bits, highs), keys, further)


def _room(name: str, size: int, dtype: DTypeLike, workspace: Workspace | None) -> NDArray[Any]:
    """Return memory of the thread, or of its own without a workspace."""
    return workspace.array(f"merged.{name}", size, dtype) if workspace else np.empty(size, dtype)


def _merged(
    name: str,
    there: NDArray[Any],
    arriving: NDArray[Any],
    places: Int64s,
    workspace: Workspace | None,
) -> NDArray[Any]:
    """Return both columns merged."""
    out = _room(name, there.size + arriving.size, there.dtype, workspace)
    moved = (as_moved(there), as_moved(arriving), places, as_moved(out))
    kernels.merge[moved[0].dtype.name](*moved)
    return out


def _merged_values(
    there: NDArray[Any], arriving: NDArray[Any], places: Places, given: NDArray[np.bool_]
) -> NDArray[Any]:
    """Return a customer column: arriving values where they are given, else those there."""
    values = there.copy()
    known = places.found & given
    values[places.positions[known]] = arriving[known]
    if places.found.all():
        return values
    return np.insert(values, places.positions[~places.found], arriving[~places.found])


def _merged_offsets(there: Int64s, arriving: Int64s, places: Places) -> Int64s:
    new = places.found.size - int(np.count_nonzero(places.found))
    offsets = np.empty(there.size + new, np.int64)
    kernels.merge_offsets(there, arriving, *places, offsets)
    return offsets


def _merged_dropped(
    there: DroppedDays | None, arriving: DroppedDays | None, places: Places
) -> DroppedDays | None:
    if there is None or arriving is None:
        return there or arriving
    # What a customer gets goes behind what is there.
    ends = there.offsets[np.minimum(places.positions + 1, there.offsets.size - 1)]
    ends = np.where(places.found, ends, there.offsets[places.positions])
    targets = np.repeat(ends, np.diff(arriving.offsets)) + np.arange(arriving.keys.size)
    return DroppedDays(
        _merged_offsets(there.offsets, arriving.offsets, places),
        _merged("dropped keys", there.keys, arriving.keys, targets, None),
        _merged("dropped days", there.days, arriving.days, targets, None),
    )
