"""Who entered, left or moved between two tables of segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import IdBytes, joined_ids, place_ids
from ordercycle._public import public
from ordercycle._segments.assigning import SEGMENT_TYPE
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._segments.segment_tables import SegmentedPair, read_pair
from ordercycle._workspace import Workers, Workspace, thread_count
from ordercycle_kernels import transitions as kernels
from ordercycle_kernels.hashing import integers_of_hashes

#: Customers walked at a time: what is written in between stays in the processor's cache.
RANGE_CUSTOMERS = 2**17
#: Of ids whose hash is all there is to them.
NO_BYTES = IdBytes(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))


class HashRange(NamedTuple):
    """The rows of both tables whose hashes are in one range."""

    before: slice
    after: slice


class Pairs(NamedTuple):
    """The customers of a range of hashes, and their segments: rows count within it."""

    before_rows: NDArray[np.int32]  # (p,)
    after_rows: NDArray[np.int32]  # (p,)
    before_codes: NDArray[np.int8]
    after_codes: NDArray[np.int8]


@public()
def transitions(
    before: Any, after: Any, column: str = "lifecycle", *, threads: int | None = None
) -> pa.Table:
    """Return the customers whose segment is another one after than it was before.

    Who entered, left or moved: the feed that triggers campaigns. Customers who stay where they
    are, by far the most, are not in it; :func:`transition_matrix` counts them too.

    Parameters
    ----------
    before, after
        Tables with ``customer_id`` and the column of segments, one row per customer, in any order;
        profiles of one history, in the order in which they come, take the least time. Their
        dictionaries may differ. From any source that :meth:`OrderHistory.build` takes.
    column
        The column of segments: a dictionary of strings, or strings.
    threads
        How many threads to use; None: every core this process may use.

    Returns
    -------
    pyarrow.Table
        ``customer_id`` (in the type it has before and after), ``from_segment`` and ``to_segment``:
        dictionary<int8, string>. ``from_segment`` is null for who was not there yet or had no
        segment, ``to_segment`` for who is not there any more or has none. In ascending order of
        the customers' hash.

    Raises
    ------
    ColumnError
        Where a column is missing, or has a type that has no meaning here.
    DataError
        Where a customer id is null, or is there twice.

    Examples
    --------
    >>> import pyarrow as pa
    >>> november = pa.table({"customer_id": [1, 2, 3], "tier": ["Gold", "Basic", "Basic"]})
    >>> december = pa.table({"customer_id": [1, 3, 4], "tier": ["Gold", "Gold", "Basic"]})
    >>> moved = transitions(november, december, column="tier")
    >>> for row in moved.sort_by("customer_id").to_pylist():
    ...     print(*row.values())
    2 Basic None
    3 Basic Gold
    4 None Basic
    """
    with Workers(thread_count(threads)) as workers:
        pair = read_pair(before, after, column, workers)
        most = pair.before.hashes.size + pair.after.hashes.size
        schema = pa.schema(
            [
                pa.field(CUSTOMER, pair.reader.produced(most), nullable=False),
                pa.field("from_segment", SEGMENT_TYPE),
                pa.field("to_segment", SEGMENT_TYPE),
            ]
        )

        def changed(hash_range: HashRange) -> pa.RecordBatch:
            return _changed(pair, hash_range, schema, workers.workspace)

        batches = list(workers.in_order(changed, _hash_ranges(pair)))
    return pa.Table.from_batches(batches, schema=schema)


@public()
def transition_matrix(
    before: Any, after: Any, column: str = "lifecycle", *, threads: int | None = None
) -> pa.Table:
    """Return how many customers went from each segment to each, those who stayed included.

    Parameters
    ----------
    before, after, column, threads
        As for :func:`transitions`.

    Returns
    -------
    pyarrow.Table
        ``from_segment`` and ``to_segment`` (null as for :func:`transitions`) and ``customers``
        (int64): a row for each pair that occurs, null last. In the order of the dictionaries: names
        of `before`, then those that `after` alone has; of texts, as they occur.
        The sum of ``customers`` is the number of customers in either table.

    Raises
    ------
    ColumnError, DataError
        As for :func:`transitions`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> november = pa.table({"customer_id": [1, 2, 3], "tier": ["Gold", "Basic", "Basic"]})
    >>> december = pa.table({"customer_id": [1, 3, 4], "tier": ["Gold", "Gold", "Basic"]})
    >>> for row in transition_matrix(november, december, column="tier").to_pylist():
    ...     print(*row.values())
    Gold Gold 1
    Basic Gold 1
    Basic None 1
    None Basic 1
    """
    with Workers(thread_count(threads)) as workers:
        pair = read_pair(before, after, column, workers)
        size = len(pair.names) + 1

        def counted(hash_range: HashRange) -> NDArray[np.int64]:
            counts = np.zeros((size, size), np.int64)
            kernels.count_transitions(*_pairs(pair, hash_range, workers.workspace), counts)
            return counts

        total = sum(workers.in_order(counted, _hash_ranges(pair)), np.zeros((size, size), np.int64))
    before_codes, after_codes = (codes.astype(np.int8) for codes in np.nonzero(total))
    none = np.int8(size - 1)
    return pa.table(
        {
            "from_segment": _segments(before_codes, before_codes != none, pair.names),
            "to_segment": _segments(after_codes, after_codes != none, pair.names),
            "customers": total[total > 0],
        }
    )


def _hash_ranges(pair: SegmentedPair) -> Iterator[HashRange]:
    """Cut both tables at the same hashes; equal ones stay together."""
    before, after = pair.before.hashes, pair.after.hashes
    cuts = max(before, after, key=len)[RANGE_CUSTOMERS::RANGE_CUSTOMERS]
    before_cuts, after_cuts = (
        [0, *np.searchsorted(hashes, cuts).tolist(), hashes.size] for hashes in (before, after)
    )
    for number in range(len(before_cuts) - 1):
        hash_range = HashRange(
            slice(before_cuts[number], before_cuts[number + 1]),
            slice(after_cuts[number], after_cuts[number + 1]),
        )
        if (
            hash_range.before.start < hash_range.before.stop
            or hash_range.after.start < hash_range.after.stop
        ):
            yield hash_range


def _ids_of(pair: SegmentedPair, hash_range: HashRange) -> list[pa.Array]:
    """Return the ids of a range before, then after; none of integers."""
    sides = ((pair.before, hash_range.before), (pair.after, hash_range.after))
    return [
        chunk
        for side, rows in sides
        if side.ids is not None
        for chunk in side.ids.slice(rows.start, rows.stop - rows.start).chunks
    ]


def _places(arrays: list[pa.Array]) -> IdBytes:
    parts = [NO_BYTES]
    for array in arrays:
        starts, lengths = np.empty(len(array), np.int64), np.empty(len(array), np.int32)
        parts.append(place_ids(array, starts, lengths).ids(starts, lengths))
    return joined_ids(parts[1:] or parts)


def _pairs(pair: SegmentedPair, hash_range: HashRange, workspace: Workspace) -> Pairs:
    """Pair the customers of a range; rows are the workspace's."""
    before, after = pair.before.hashes[hash_range.before], pair.after.hashes[hash_range.after]
    places = _places(_ids_of(pair, hash_range))
    before_rows = workspace.array("before_rows", before.size + after.size, np.int32)
    after_rows = workspace.array("after_rows", before.size + after.size, np.int32)
    count = kernels.pair_customers(before, after, *places, before_rows, after_rows)
    return Pairs(
        before_rows[:count],
        after_rows[:count],
        pair.before.codes[hash_range.before],
        pair.after.codes[hash_range.after],
    )


def _changed(
    pair: SegmentedPair, hash_range: HashRange, schema: pa.Schema, workspace: Workspace
) -> pa.RecordBatch:
    """Return the transitions of a range."""
    pairs = _pairs(pair, hash_range, workspace)
    size = pairs.before_rows.size
    rows = workspace.array("rows", size, np.int32)
    codes = [workspace.array(name, size, np.int8) for name in ("from", "to")]
    count = kernels.changed_customers(*pairs, rows, *codes)
    ids = _taken(pair, hash_range, rows[:count])
    arrays = [IdReader.as_produced(ids, schema.field(0).type)]
    for changed in codes:
        of_changed = changed[:count].copy()
        arrays.append(_segments(of_changed, of_changed >= 0, pair.names))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _taken(pair: SegmentedPair, hash_range: HashRange, rows: NDArray[np.int32]) -> pa.Array:
    """Return the ids of some rows, which go on from before to after, in their plain type."""
    if not pair.reader.is_integer:
        return pa.concat_arrays(_ids_of(pair, hash_range)).take(pa.array(rows))
    hashes = (pair.before.hashes[hash_range.before], pair.after.hashes[hash_range.after])
    ids = np.empty(rows.size, np.int64)
    integers_of_hashes(np.concatenate(hashes)[rows], ids)
    return pa.array(ids.astype(pair.reader.plain.to_pandas_dtype(), copy=False))


def _segments(codes: Any, known: NDArray[np.bool_], names: tuple[str, ...]) -> pa.Array:
    indices = array_of(codes, pa.int8(), None if known.all() else known)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
