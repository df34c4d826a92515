"""Who the rows of a partition belong to: hash tables of customers, grown as needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import BytesView, array_of, array_of_bytes
from ordercycle._errors import DataError, counted
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import IdBytes
from ordercycle._workspace import Workspace
from ordercycle_kernels import grouping, hashing, id_bytes

#: Slots of a thread's first table; a larger size that was needed is kept for the next partition.
FIRST_TABLE_BITS = 10

#: Ids of a partition's customers: hashes of integers, or large_binary.
Ids: TypeAlias = NDArray[np.uint64] | pa.Array


class FoundCustomers(NamedTuple):
    """The customers of n rows in a table of s slots; the arrays are the workspace's."""

    slots: NDArray[np.int32]  # (n,) the slot of each row's customer
    sizes: NDArray[np.int32]  # (s,) the number of rows of each slot
    taken: NDArray[np.int32]  # (c,) the slots of the customers, by ascending hash, then id
    ids: Ids  # (c,)


def find_by_hash(
    hashes: NDArray[np.uint64], partition_bits: int, workspace: Workspace
) -> FoundCustomers:
    """Find customers whose hash is their identity."""
    slots = workspace.array("slots", hashes.size, np.int32)
    table, sizes, customers = _slots_of_hashes(hashes, partition_bits, slots, workspace, "table")
    ids, taken = np.empty(customers, np.uint64), np.empty(customers, np.int32)
    grouping.order_customers(table, sizes, ids, taken)
    return FoundCustomers(slots, sizes, taken, ids)


def find_by_bytes(
    hashes: NDArray[np.uint64], ids: IdBytes, partition_bits: int, workspace: Workspace
) -> FoundCustomers:
    """Find customers who are distinguished by the bytes of their ids.

    They are found by their hashes first: that two of them share one hardly ever happens, and to
    look whether it did, row after row, takes much less than to compare ids in a table of them.
    """
    slots = workspace.array("slots", hashes.size, np.int32)
    table, sizes, customers = _slots_of_hashes(hashes, partition_bits, slots, workspace, "table")
    taken = np.empty(customers, np.int32)
    grouping.order_customers(table, sizes, np.empty(customers, np.uint64), taken)
    found = _ids_of_slots(slots, taken, sizes.size, ids, workspace)
    if found is None:
        firsts, sizes, customers = _slots_of_bytes(hashes, ids, partition_bits, slots, workspace)
        taken = np.empty(customers, np.int32)
        grouping.order_customers_of_bytes(hashes, *ids, firsts, sizes, taken)
        found = ids.taken(firsts[taken])
    return FoundCustomers(slots, sizes, taken, array_of_bytes(*found))


def the_only_customer(hashed: int, listed: int, rows: int) -> FoundCustomers:
    """Return the customer that all rows belong to: `listed` of a customers table, then orders."""
    return FoundCustomers(
        slots=np.zeros(listed, np.int32),
        sizes=np.array([min(listed, 1) + rows], np.int32),
        taken=np.zeros(1, np.int32),
        ids=np.array([hashed], np.uint64),
    )


def numbers_of_bytes(
    hashes: NDArray[np.uint64], ids: IdBytes, workspace: Workspace
) -> NDArray[np.int64]:
    """Return a number per row that is the same for the same bytes, and only then.

    The hashes, or ranks where different bytes share one: nothing else about the rows decides in
    which order the numbers are.
    """
    slots = np.empty(hashes.size, np.int32)
    _, sizes, _ = _slots_of_hashes(hashes, 0, slots, workspace, "numbers")
    taken = np.flatnonzero(sizes).astype(np.int32)
    if _ids_of_slots(slots, taken, sizes.size, ids, workspace) is not None:
        return hashes.view(np.int64)
    firsts, sizes, found = _slots_of_bytes(hashes, ids, 0, slots, workspace)
    taken = np.empty(found, np.int32)
    grouping.order_customers_of_bytes(hashes, *ids, firsts, sizes, taken)
    ranks = np.empty(sizes.size, np.int64)
    ranks[taken] = np.arange(found)
    return ranks[slots]


def plain_ids(
    parts: Sequence[Ids], ids: IdReader, column: str, whose: str = "customer"
) -> pa.Array:
    """Return the ids of several partitions, one behind the other, in the plain type.

    whose: for messages.

    Raises
    ------
    DataError
        Where ids that are text are no UTF-8: nobody could read them in what comes out.
    """
    if not ids.is_integer:
        binary = pa.concat_arrays(parts)
        found = ids.plain_of_binary(binary)
        if ids.is_text:  # once a customer: a twentieth of what it takes once a row
            try:
                found.validate(full=True)
            except pa.ArrowInvalid:
                _refuse_bytes(binary, column, whose)
        return found
    hashes = np.concatenate(parts)
    integers = hashes.view(np.int64)
    hashing.integers_of_hashes(hashes, integers)  # in place: each on its own
    return array_of(integers.astype(ids.plain.to_pandas_dtype(), copy=False), ids.plain)


def _refuse_bytes(ids: pa.Array, column: str, whose: str) -> None:
    """Raise a DataError for ids that are no text."""
    bad = []
    for one in ids.to_pylist():
        try:
            one.decode()
        except UnicodeDecodeError:
            bad.append(one)
    raise DataError(
        f"{column} is text, and of {counted(len(bad), whose)} it is no UTF-8, such as {bad[0]!r}",
        remedy="write the ids in UTF-8, or cast the column to binary",
        column=column,
        count=len(bad),
    )


def _slots_of_hashes(
    hashes: NDArray[np.uint64],
    partition_bits: int,
    slots: NDArray[np.int32],
    workspace: Workspace,
    use: str,
) -> tuple[NDArray[np.uint64], NDArray[np.int32], int]:
    """Give every hash a slot; return the hash and the number of rows of each, and their count."""

    def fill(bits: int) -> int:
        table = workspace.array(use, 1 << bits, np.uint64)
        sizes = workspace.zeros(f"{use}.sizes", 1 << bits, np.int32)
        return grouping.find_slots(hashes, partition_bits, table, sizes, slots)

    found, bits = _grown(fill, f"{use}.bits", workspace)
    table = workspace.array(use, 1 << bits, np.uint64)
    return table, workspace.array(f"{use}.sizes", 1 << bits, np.int32), found


def _ids_of_slots(
    slots: NDArray[np.int32],
    taken: NDArray[np.int32],
    size: int,
    ids: IdBytes,
    workspace: Workspace,
) -> BytesView | None:
    """Return the id of each slot taken, or None where rows of one slot have different ids."""
    firsts = workspace.array("firsts", size, np.int32)
    grouping.note_first_rows(slots, firsts)
    found = ids.taken(firsts[taken])
    if id_bytes.same_places(slots, firsts, ids.starts):
        return found
    customers = workspace.array("customers", size, np.int32)
    customers[taken] = np.arange(taken.size, dtype=np.int32)
    return found if ids.are_of(slots, customers, found) else None


def _slots_of_bytes(
    hashes: NDArray[np.uint64],
    ids: IdBytes,
    partition_bits: int,
    slots: NDArray[np.int32],
    workspace: Workspace,
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Give every id a slot, its hash being that of another; return what `find_by_bytes` needs."""
    use = "ids" if partition_bits else "all_ids"

    def fill(bits: int) -> int:
        firsts = workspace.array(f"{use}.firsts", 1 << bits, np.int32)
        sizes = workspace.zeros(f"{use}.sizes", 1 << bits, np.int32)
        return grouping.find_slots_of_bytes(hashes, *ids, partition_bits, firsts, sizes, slots)

    found, bits = _grown(fill, f"{use}.bits", workspace)
    firsts = workspace.array(f"{use}.firsts", 1 << bits, np.int32)
    return firsts, workspace.array(f"{use}.sizes", 1 << bits, np.int32), found


def _grown(fill: Callable[[int], int], size: str, workspace: Workspace) -> tuple[int, int]:
    """Fill a table, twice as large each time it is too small; return its count and bits."""
    bits = workspace.known.get(size, FIRST_TABLE_BITS)
    while (found := fill(bits)) == grouping.TABLE_FULL:
        bits += 1
    workspace.known[size] = bits
    return found, bits
