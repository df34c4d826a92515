"""Sets of customers in the order of their hashes, side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._errors import ColumnError
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import IdBytes, hashes_of, joined_ids, place_ids
from ordercycle._segments.assigning import refuse_absent
from ordercycle._segments.customer_order import customers_in_order
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._workspace import Workers
from ordercycle_kernels.transitions import pair_customers

NO_BYTES = IdBytes(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))


class Pairs(NamedTuple):
    """The customers of either of two sets, in their order: rows of both, -1 where there is none."""

    one: NDArray[np.int32]
    other: NDArray[np.int32]


class CustomerSet(NamedTuple):
    """Customers in ascending order of their hash, ties by id, each once.

    ids: plain, of the type that reader says; hashes: (c,).
    """

    reader: IdReader
    ids: pa.Array
    hashes: NDArray[np.uint64]

    @classmethod
    def of_table(
        cls, table: pa.Table, what: str, threads: int
    ) -> tuple[CustomerSet, NDArray[np.int32] | None]:
        """Return the customers of a table, and the rows they are in; None: its own order.

        Raises
        ------
        ColumnError
            There is no single column of customers, or it is of a type that no ids have.
        DataError
            A customer is null, or there twice.
        """
        refuse_absent(table, [CUSTOMER])
        reader = IdReader.of(table.schema.field(CUSTOMER), what)
        with Workers(threads) as workers:
            ordered = customers_in_order(table, what, reader, workers)
            ids = ordered.ids_in_order(workers)
        return cls.of_ids(IdReader(reader.plain, reader.plain), ids, ordered.hashes), ordered.rows

    @classmethod
    def of_ids(cls, reader: IdReader, ids: Any, hashes: NDArray[np.uint64]) -> CustomerSet:
        """Return a set of ids that are in order, in one piece."""
        large = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
        kind = large.get(reader.plain, reader.plain)
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.cast(kind).combine_chunks()
        return cls(IdReader(kind, kind), ids.cast(kind), hashes)

    def taken(self, rows: NDArray[Any]) -> CustomerSet:
        """Return some of the customers, by ascending rows."""
        taken = self.ids.take(rows_of(rows.astype(np.int64)))
        return CustomerSet(self.reader, taken, self.hashes[rows])

    def in_type_of(self, reader: IdReader) -> CustomerSet:
        """Return the same customers with ids of a wider type: hashes do not depend on it."""
        if reader.plain == self.reader.plain:
            return self
        return CustomerSet(reader, self.ids.cast(reader.plain), self.hashes)


def common_reader(one: CustomerSet, other: CustomerSet, names: tuple[str, str]) -> IdReader:
    """Return what reads the ids of both; names: what messages call them.

    Raises
    ------
    ColumnError
        Ids of these types can have none in common.
    """
    found = one.reader.together_with(other.reader)
    if found is None:
        raise ColumnError(
            f"{CUSTOMER} is {one.reader.plain} in {names[0]} and {other.reader.plain} in "
            f"{names[1]}, which have no ids in common",
            remedy="cast one to the type of the other",
            column=CUSTOMER,
        )
    return found


def paired(one: CustomerSet, other: CustomerSet, names: tuple[str, str]) -> Pairs:
    """Return which customers of two sets are the same: in a walk along both."""
    reader = common_reader(one, other, names)
    places = NO_BYTES
    if not reader.is_integer:
        parts = [_bytes_of(side.in_type_of(reader).ids) for side in (one, other)]
        places = joined_ids([_spread(part) for part in parts])
    rows = [np.empty(one.hashes.size + other.hashes.size, np.int32) for _ in range(2)]
    count = pair_customers(one.hashes, other.hashes, *places, *rows)
    return Pairs(rows[0][:count], rows[1][:count])


def _bytes_of(ids: pa.Array) -> IdBytes:
    starts, lengths = np.empty(len(ids), np.int64), np.empty(len(ids), np.int32)
    return place_ids(ids, starts, lengths).ids(starts, lengths)


def _spread(part: IdBytes) -> IdBytes:
    """Return ids with a length each: one length of all would not fit those of an empty part."""
    if part.lengths.size == part.starts.size:
        return part
    return IdBytes(part.starts, np.full(part.starts.size, part.lengths[0], np.int32), part.data)


def united(one: CustomerSet, other: CustomerSet, pairs: Pairs, reader: IdReader) -> CustomerSet:
    """Return the customers of either set."""
    both = pa.concat_arrays([side.in_type_of(reader).ids for side in (one, other)])
    hashes = np.concatenate([one.hashes, other.hashes])
    rows = np.where(pairs.one >= 0, pairs.one, pairs.other + one.hashes.size)
    return CustomerSet(reader, both.take(rows_of(rows.astype(np.int64))), hashes[rows])


def given_ids(ids: Any, what: str) -> CustomerSet:
    """Return ids as users give them, each once.

    Raises
    ------
    ColumnError, DataError
        They are no ids.
    """
    if not isinstance(ids, pa.Array | pa.ChunkedArray):
        try:
            ids = pa.array(ids if isinstance(ids, np.ndarray) else list(ids))
        except (TypeError, pa.ArrowException):
            raise ColumnError(
                f"{what} are no list of ids", remedy="pass a list, or an array", column=CUSTOMER
            ) from None
    if pa.types.is_null(ids.type):
        ids = ids.cast(pa.large_string())
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(ids.type.value_type)
    distinct = ids.unique()
    table = pa.table({CUSTOMER: distinct})
    return CustomerSet.of_table(table, what, 1)[0]


def hashes_in_order(ids: pa.Array) -> NDArray[np.uint64]:
    """Return the hashes of ids that are in order."""
    return hashes_of(ids)
