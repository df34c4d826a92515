"""The rows of one partition by customer, from its runs: copied whole, sorted where needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.batches import OrderRoom
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.table_readers import AMOUNT
from ordercycle._workspace import Workspace
from ordercycle_kernels import ordering
from ordercycle_kernels import runs as kernels
from ordercycle_kernels.partition import as_moved


class RunPlaces(NamedTuple):
    """Whose runs they are: k runs of c customers in s slots."""

    slots: NDArray[np.int32]  # (k,) the slot of each run's customer
    lengths: NDArray[np.int32]  # (k,) rows of each run
    cursors: NDArray[np.int32]  # (s,) where each customer's rows start, moved to their end
    offsets: NDArray[np.int64]  # (c + 1,) where each customer's rows are


def _moves(places: RunPlaces, workspace: Workspace) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return where each run's rows are and where they go: (k,) each."""
    firsts = workspace.array("runs.firsts", places.lengths.size, np.int32)
    targets = workspace.array("runs.targets", places.lengths.size, np.int64)
    kernels.place_rows_of_slots(places.slots, places.lengths, places.cursors, firsts, targets)
    return firsts, targets


def rows_by_customer(places: RunPlaces, workspace: Workspace) -> NDArray[np.int32]:
    """List the rows by customer, for whom their order does not matter."""
    firsts, targets = _moves(places, workspace)
    rows = int(places.offsets[-1])
    listed = workspace.array("by_customer", rows, np.int32)
    _copy(np.arange(rows, dtype=np.int32), firsts, places.lengths, targets, listed)
    return listed


def copy_orders(
    columns: Mapping[str, NDArray[Any]],
    places: RunPlaces,
    room: OrderRoom,
    workspace: Workspace,
    *,
    are_floats: bool,
) -> bool:
    """Write rows by customer, day and amount; return whether that was done.

    It was not where a customer has many rows that are out of order: to list all rows of the
    partition by day takes less then. The rows are as they were. The room may be their own memory.
    """
    firsts, targets = _moves(places, workspace)
    days, bits = room.days, room.words.lows.view(np.int64)
    array = workspace.array
    unordered = array("unordered_days", days.size, np.int32)
    unordered[:] = columns[DAY]
    scratch = array("scratch", days.size, np.int64)
    scratch[:] = columns[AMOUNT]
    _copy(unordered, firsts, places.lengths, targets, days)
    _copy(scratch, firsts, places.lengths, targets, bits)
    if kernels.order_short_customers(places.offsets, days, bits) >= 0:
        columns[DAY][:], columns[AMOUNT][:] = unordered, scratch
        return False
    histogram = array("radix", int(ordering.DIGITS * ordering.RADIX), np.int64)
    ordering.order_amounts_of_a_day(places.offsets, days, bits, are_floats, scratch, histogram)
    return True


def _copy(
    values: NDArray[Any],
    firsts: NDArray[np.int32],
    lengths: NDArray[np.int32],
    targets: NDArray[np.int64],
    out: NDArray[Any],
) -> None:
    moved = as_moved(values)
    kernels.copy_runs[moved.dtype.name](moved, firsts, lengths, targets, as_moved(out))
