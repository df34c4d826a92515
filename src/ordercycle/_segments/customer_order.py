"""The customers of a table in the order of their hashes, as histories have theirs."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import validity
from ordercycle._errors import DataError, counted
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.id_types import Identity
from ordercycle._segments.hash_order import MOST_ROWS, in_hash_order
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._workspace import Workers
from ordercycle_kernels.transitions import are_ascending

#: Rows read at a time.
ROWS_PER_TASK = 2**19

RowNumbers: TypeAlias = NDArray[np.int32]

_NULL_ID = Trouble(CUSTOMER, "is null", "drop these rows: they are nobody's")


class OrderedCustomers(NamedTuple):
    """The c customers of a table by their hash, ties by id.

    ids: (c,) plain, in the order of the table; hashes: (c,), ascending; rows: (c,) of the table, in
    the order of the hashes, None where the table is in it.
    """

    ids: pa.ChunkedArray
    hashes: NDArray[np.uint64]
    rows: RowNumbers | None

    def ids_in_order(self, workers: Workers) -> pa.ChunkedArray:
        """Return the ids in the order of the hashes."""
        return self.ids if self.rows is None else _taken(self.ids, self.rows, workers)


def customers_in_order(
    table: pa.Table, what: str, reader: IdReader, workers: Workers
) -> OrderedCustomers:
    """Read the customers of a table, whose column `CUSTOMER` is read as `reader` says.

    Raises
    ------
    DataError
        A customer id is null, or is there twice, or there are too many.
    """
    if table.num_rows > MOST_ROWS:
        raise DataError(
            f"{what} has {counted(table.num_rows, 'row')}", remedy=f"{MOST_ROWS:,} are the most"
        )
    hashes = np.empty(table.num_rows, np.uint64)
    problems = Problems(what)
    table = table.select([CUSTOMER])
    identity = Identity.of(table.schema.field(0), what)

    def read(task: tuple[int, pa.RecordBatch]) -> pa.Array:
        start, batch = task
        given = identity.read(batch.column(0), start, problems)
        ids = reader.values(given)
        known = validity(ids)
        if known is not None:
            problems.add(_NULL_ID, start, ~known)
        hashes[start : start + batch.num_rows] = hashes_of(ids)
        return ids

    batches = table.to_batches(ROWS_PER_TASK)
    starts = accumulate((batch.num_rows for batch in batches), initial=0)
    ids = pa.chunked_array(workers.in_order(read, zip(starts, batches, strict=False)), reader.plain)
    problems.check()
    if are_ascending(hashes):  # as those of profiles are
        return OrderedCustomers(ids, hashes, None)
    ordered = in_hash_order(hashes, workers)
    _order_tied(ids, *ordered, what, workers)
    return OrderedCustomers(ids, *ordered)


def _order_tied(
    ids: pa.ChunkedArray, hashes: NDArray[np.uint64], rows: RowNumbers, what: str, workers: Workers
) -> None:
    """Put rows of one hash in the order of their ids; raise a DataError where ids are the same."""
    if are_ascending(hashes):
        return
    same = hashes[1:] == hashes[:-1]
    tied = np.append(same, False) | np.insert(same, 0, values=False)  # with the next, or the last
    of_hash = rows[tied]
    plain = _taken(ids, of_hash, workers).cast(_comparable(ids.type))
    table = pa.table({"hash": hashes[tied], "id": plain})
    places = pc.sort_indices(table, sort_keys=[("hash", "ascending"), ("id", "ascending")])
    rows[tied] = of_hash = of_hash[np.asarray(places)]
    _refuse_repeated(table.column("id").take(places).combine_chunks(), of_hash, what)


def _comparable(kind: pa.DataType) -> pa.DataType:
    return kind if pa.types.is_integer(kind) else pa.large_binary()


def _refuse_repeated(ids: pa.Array, rows: RowNumbers, what: str) -> None:
    """Raise a DataError where one of the sorted ids is there twice."""
    repeated = np.asarray(pc.equal(ids[1:], ids[:-1]))
    if repeated.any():
        again = np.maximum(rows[1:], rows[:-1])[repeated]
        row, rows_again = int(again.min()), counted(again.size, "such row")
        raise DataError(
            f"{what}: {CUSTOMER} is there already at row {row} ({rows_again})",
            remedy="pass tables of one row per customer",
            column=CUSTOMER,
            row=row,
            count=int(again.size),
        )


def _taken(ids: pa.ChunkedArray, rows: RowNumbers, workers: Workers) -> pa.ChunkedArray:
    """Return some ids, however many bytes they are together, in pieces of the same type."""
    wide = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    # In pieces, because one call takes them in one thread; joined once, as every call would do.
    whole = ids.cast(wide.get(ids.type, ids.type)).combine_chunks()

    def take(start: int) -> pa.Array:
        taken = whole.take(pa.array(rows[start : start + ROWS_PER_TASK]))
        return taken if taken.type == ids.type else taken.cast(ids.type)

    return pa.chunked_array(workers.in_order(take, range(0, rows.size, ROWS_PER_TASK)), ids.type)
