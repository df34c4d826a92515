"""Where customers that arrive are among those there, and where the rows of both go."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of, rows_of
from ordercycle._grouping.details import Columns
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.payload import DAY
from ordercycle_kernels import merging as kernels

Int64s = NDArray[np.int64]


class Places(NamedTuple):
    """Where a arriving customers are, or would be, among those there."""

    positions: Int64s  # (a,) of the customer, or of the one before which it goes
    found: NDArray[np.bool_]  # (a,) whether the customer is there


def find_places(there: pa.Array, arriving: pa.Array) -> Places:
    """Look arriving ids up among those there; both are plain and ascend by hash, then id."""
    hashes, wanted = hashes_of(there), hashes_of(arriving)
    positions = np.empty(wanted.size, np.int64)
    kernels.find_hashes(hashes, wanted, positions)
    if pa.types.is_integer(there.type):
        found = np.zeros(wanted.size, np.bool_)
        within = positions < hashes.size
        found[within] = hashes[positions[within]] == wanted[within]
        return Places(positions, found)
    return found_among_equal_hashes(
        there, arriving, positions, np.searchsorted(hashes, wanted, side="right")
    )


def found_among_equal_hashes(
    there: pa.Array, arriving: pa.Array, starts: Int64s, stops: Int64s
) -> Places:
    """Find ids among those of the same hash, mostly one: from starts to stops."""
    found = np.zeros(starts.size, np.bool_)
    positions = starts.copy()
    waiting = np.flatnonzero(starts < stops)
    # A round for each id that shares its hash with others before it.
    while waiting.size:
        one = there.take(rows_of(positions[waiting])).cast(_binary_like(there.type))
        other = arriving.take(rows_of(waiting)).cast(_binary_like(there.type))
        found[waiting] = np.asarray(pc.equal(one, other))
        before = np.asarray(pc.less(one, other))
        positions[waiting[before]] += 1
        waiting = waiting[before & (positions[waiting] < stops[waiting])]
    return Places(positions, found)


def _binary_like(kind: pa.DataType) -> pa.DataType:
    """Return the type in which ids compare byte by byte."""
    return kind if pa.types.is_fixed_size_binary(kind) else pa.large_binary()


def merged_ids(there: pa.Array, arriving: pa.Array, places: Places) -> pa.Array:
    """Return the ids of both, in their order."""
    if places.found.all():
        return there
    arriving = arriving.filter(mask_of(~places.found))
    # Every id there keeps its row; a new one takes its own before the row it goes before.
    rows = np.insert(
        np.arange(len(there)),
        places.positions[~places.found],
        len(there) + np.arange(len(arriving)),
    )
    return pa.concat_arrays([there, arriving]).take(rows_of(rows))


class MergedRows(NamedTuple):
    """The rows of the customers of both batches, in their total order.

    offsets: (c + 1,) into rows: (n,), of both, those that arrive behind those there; repeated: how
    many events both had.
    """

    offsets: Int64s
    rows: Int64s
    repeated: int


def merged_rows(
    there: Int64s,
    arriving: Int64s,
    before: Columns,
    new: Columns,
    places: Places,
    order: TotalOrder,
) -> MergedRows:
    """Order the rows of both batches by customer, each once.

    there, arriving: where the rows of each customer begin; before, new: the columns of the rows.
    Whoever gets nothing keeps what is there; the rows of all others are put together and ordered as
    those of a build are.
    """
    touched = _ordered(there, arriving, before, new, places, order)
    customers = there.size - 1
    # Where each customer of either batch is among all.
    added = np.cumsum(~places.found)
    of_arriving = places.positions + added - ~places.found
    are_touched = np.zeros(customers + int(added[-1]) if added.size else customers, bool)
    are_touched[of_arriving] = True
    kept = np.ones(customers, np.bool_)
    kept[places.positions[places.found]] = False
    sizes = np.empty(are_touched.size, np.int64)
    sizes[of_arriving] = np.diff(touched.offsets)
    sizes[~are_touched] = np.diff(there)[kept]
    rows = np.empty(int(sizes.sum()), np.int64)
    got = np.repeat(are_touched, sizes)
    rows[~got] = np.flatnonzero(np.repeat(kept, np.diff(there)))
    arrived = before[DAY].size + np.arange(new[DAY].size)
    rows[got] = np.concatenate([touched.rows_there, arrived])[touched.order]
    return MergedRows(np.concatenate([[0], np.cumsum(sizes)]), rows, touched.repeated)


class _Touched(NamedTuple):
    """The rows of the customers who got some: their rows there, then all that arrive.

    offsets: (a + 1,) into order, of the arriving customers; order: (k,) of these rows.
    """

    rows_there: Int64s
    offsets: Int64s
    order: NDArray[np.int32]
    repeated: int


def _ordered(
    there: Int64s,
    arriving: Int64s,
    before: Columns,
    new: Columns,
    places: Places,
    order: TotalOrder,
) -> _Touched:
    """Order the rows of those who got some; there, arriving: offsets of all customers."""
    found = np.flatnonzero(places.found)
    positions = places.positions[found]
    starts, sizes_there = there[positions], np.diff(there)[positions]
    ends = np.cumsum(sizes_there)
    total = int(ends[-1]) if ends.size else 0
    rows_there = np.arange(total) + np.repeat(starts - ends + sizes_there, sizes_there)
    sizes = np.diff(arriving)
    columns = {
        name: np.concatenate([values[rows_there], new[name]]) for name, values in before.items()
    }
    owners = np.repeat(found, sizes_there), np.repeat(np.arange(sizes.size), sizes)
    sizes = sizes.copy()
    sizes[found] += sizes_there
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    # By customer and day; both sides are already.
    one, other = (
        (own << 32) + days.astype(np.int64)
        for own, days in zip(owners, (columns[DAY][:total], columns[DAY][total:]), strict=True)
    )
    between = np.searchsorted(one, other, side="right")
    rows = np.insert(np.arange(total), between, total + np.arange(other.size)).astype(np.int32)
    begins, scratch = np.empty(rows.size, np.bool_), np.empty(rows.size, np.int32)
    order.order_days(columns, offsets, rows, begins, scratch)
    offsets, kept = order.once(columns, offsets, rows)
    return _Touched(rows_there, offsets, kept, rows.size - kept.size)
