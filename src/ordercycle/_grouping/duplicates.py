"""Rows of a partition that are equal in every column read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.customer_tables import FoundCustomers, numbers_of_bytes
from ordercycle._ingest.blocks import HASH, ORDER_IDS, PartitionRows
from ordercycle._ingest.id_bytes import IdBytes
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.table_readers import ORDER, ROW
from ordercycle._workspace import Workspace

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(32)


class Duplicates(NamedTuple):
    """Which rows of a partition repeat others."""

    repeated: NDArray[np.bool_]  # (n,)
    first_row: int  # of them, in the source, where rows are numbered; else 0

    @property
    def number(self) -> int:
        """How many rows repeat others."""
        return int(np.count_nonzero(self.repeated))


def find_duplicates(
    rows: PartitionRows, slots: NDArray[np.int32], workspace: Workspace
) -> Duplicates | None:
    """Find the rows that are equal to one that is kept; None where there are none.

    slots: (n,), the customer of each row. Of equal rows, the first of the source is kept where
    rows are numbered: which one makes no difference, but for the row of a message.
    """
    columns = _compared(rows, slots, workspace)
    mixed = np.zeros(rows.size, np.uint64)
    for values in columns:
        mixed = (mixed ^ values.astype(np.uint64)) * MULTIPLIER
        mixed ^= mixed >> SHIFT
    order = np.argsort(mixed, kind="stable")
    sorted_hashes = mixed[order]
    alike = sorted_hashes[1:] == sorted_hashes[:-1]
    if not alike.any():
        return None
    same = _equal_to_the_one_before(columns, order)
    if not np.array_equal(same, alike):  # different rows with one hash may lie between equal ones
        order = np.lexsort(columns)
        same = _equal_to_the_one_before(columns, order)
    if not same.any():
        return None
    return _marked(order, same, rows.columns.get(ROW))


def without_rows(
    rows: PartitionRows, found: FoundCustomers, listed: int, left_out: NDArray[np.bool_]
) -> tuple[PartitionRows, FoundCustomers]:
    """Leave rows out, of customers who have others; `listed` rows of customers come before them."""
    kept = ~left_out
    slots = found.slots[listed:]
    sizes = found.sizes.copy()
    np.subtract.at(sizes, slots[left_out], 1)
    columns = {name: values[kept] for name, values in rows.columns.items()}
    ids = {
        use: IdBytes(
            one.starts[kept], one.lengths if one.lengths.size == 1 else one.lengths[kept], one.data
        )
        for use, one in rows.ids.items()
    }
    remaining = PartitionRows(columns, ids, int(np.count_nonzero(kept)))
    both = np.concatenate([found.slots[:listed], slots[kept]])
    return remaining, found._replace(slots=both, sizes=sizes)


def _compared(
    rows: PartitionRows, slots: NDArray[np.int32], workspace: Workspace
) -> list[NDArray[Any]]:
    """Return what rows are compared in, exactly: customers and orders by number."""
    columns = {
        name: values for name, values in rows.columns.items() if name not in (HASH, ORDER, ROW, DAY)
    }
    compared = [slots, rows.columns[DAY], *columns.values()]
    if ORDER in rows.columns:
        numbers = rows.columns[ORDER]
        if ORDER_IDS in rows.ids:
            numbers = numbers_of_bytes(numbers, rows.ids[ORDER_IDS], workspace).view(np.uint64)
        compared.append(numbers)
    return compared


def _equal_to_the_one_before(
    columns: list[NDArray[Any]], order: NDArray[np.int64]
) -> NDArray[np.bool_]:
    same = np.ones(order.size - 1, np.bool_)
    for values in columns:
        in_order = values[order]
        same &= in_order[1:] == in_order[:-1]
    return same


def _marked(
    order: NDArray[np.int64], same: NDArray[np.bool_], numbers: NDArray[np.int64] | None
) -> Duplicates:
    repeated = np.zeros(order.size, np.bool_)
    repeated[order[1:][same]] = True
    if numbers is None:
        return Duplicates(repeated, 0)
    # Of each group, all but the first of the source.
    groups = np.concatenate([[0], np.cumsum(~same)])
    by_row = np.lexsort((numbers[order], groups))
    again = groups[by_row][1:] == groups[by_row][:-1]
    repeated[:] = False
    repeated[order[by_row[1:][again]]] = True
    return Duplicates(repeated, int(numbers[repeated].min()))
