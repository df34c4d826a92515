"""Order tables for measuring: deterministic, fast, and no larger in memory than themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

FIRST_DAY = date(2023, 1, 1)
DAYS = 1096  # three years, one of them a leap year
AS_OF = date(2025, 12, 31)  # the last of those days: nothing lies after it
CUSTOMERS_PER_ORDER = 0.088  # 8.8 million customers to 100 million orders

_MICROSECONDS_PER_DAY = 86_400_000_000
_FIRST_MICROSECOND = (FIRST_DAY - date(1970, 1, 1)).days * _MICROSECONDS_PER_DAY
# A block's temporaries stay in cache; 1 << 22 rows took a fifth longer.
_BLOCK_ROWS = 1 << 18
_STRING_CHUNK_ROWS = 1 << 24
#: Rows of a piece: whole blocks, so that pieces are the rows of the table, and one row group.
PIECE_ROWS = 1 << 20
_HEX_PAIRS = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2").view(np.uint16)


IDS = ("int64", "string", "uuid")
_UUID_CHARACTERS = 36
_UUID_GROUPS = ((0, 8), (9, 13), (14, 18), (19, 23), (24, 36))
_UUID_VARIANTS = np.frombuffer(b"89ab", np.uint8)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the order table looks like.

    Parameters
    ----------
    orders : int
        Rows of the table.
    customers : int, optional
        How many customers the orders are drawn from; by default 8.8 % of the orders.
    skew : float
        The share of all orders that belongs to one customer; 0 is the even case.
    ids : {"int64", "string", "uuid"}
        Random 64-bit integers, the same numbers as 16 hexadecimal digits, or UUIDs as text of 36
        characters, made from the same numbers.
    refunds : float
        The share of rows with a negative amount.
    rows : {"shuffled", "by customer"}
        Their order: at random, or by customer, then time, as a warehouse clusters a table.
    seed : int
        Equal workloads give equal tables.
    """

    orders: int
    customers: int | None = None
    skew: float = 0.0
    ids: str = "int64"
    refunds: float = 0.0
    rows: str = "shuffled"
    seed: int = 20260101

    def __post_init__(self):
        if self.ids not in IDS:
            raise ValueError(f"ids is {self.ids!r}; choose one of {', '.join(IDS)}")
        if self.rows not in {"shuffled", "by customer"}:
            raise ValueError(f"rows is {self.rows!r}; choose 'shuffled' or 'by customer'")
        if not 0 <= self.skew <= 1 or not 0 <= self.refunds <= 1:
            raise ValueError("skew and refunds are shares, from 0 to 1")

    @property
    def population(self) -> int:
        if self.customers is not None:
            return self.customers
        return max(1, round(self.orders * CUSTOMERS_PER_ORDER))


def order_table(workload: Workload) -> pa.Table:
    """Return `customer_id`, `ordered_at` (microseconds, no zone) and `amount` (float64)."""
    return _next_orders(workload, workload.orders, _random(workload))


def order_pieces(workload: Workload) -> Iterator[pa.Table]:
    """Yield the rows of `order_table` piece by piece, for tables larger than memory."""
    random = _random(workload)
    for start in range(0, workload.orders, PIECE_ROWS):
        yield _next_orders(workload, min(PIECE_ROWS, workload.orders - start), random)


def _random(workload: Workload) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(workload.seed))


def _next_orders(workload: Workload, orders: int, random: np.random.Generator) -> pa.Table:
    keys = np.empty(orders, np.int64)
    times = np.empty(orders, np.int64)
    amounts = np.empty(orders, np.float64)
    for start in range(0, orders, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, orders)
        _fill_block(workload, random, keys[start:stop], times[start:stop], amounts[start:stop])
    if workload.rows == "by customer":
        order = np.lexsort((times, keys))
        keys, times, amounts = keys[order], times[order], amounts[order]
    return pa.table(
        {
            "customer_id": _ids(workload.ids, keys),
            "ordered_at": pa.Array.from_buffers(
                pa.timestamp("us"), orders, [None, pa.py_buffer(times)]
            ),
            "amount": pa.array(amounts),
        }
    )


def input_buffers(table: pa.Table) -> list[np.ndarray]:
    """Return the bytes that make up `table`, one array per buffer."""
    return [
        np.frombuffer(buffer, np.uint8)
        for column in table.columns
        for chunk in column.chunks
        for buffer in chunk.buffers()
        if buffer is not None and buffer.size
    ]


def _fill_block(workload, random, keys, times, amounts):
    customer = random.integers(0, workload.population, keys.size, dtype=np.int64)
    if workload.skew:
        customer[random.random(keys.size, np.float32) < workload.skew] = (
            1  # not 0, which shops write for nobody
        )
    keys[:] = _scattered(customer.view(np.uint64)).view(np.int64)
    random.random(out=amounts)
    np.multiply(amounts, DAYS * _MICROSECONDS_PER_DAY, out=times, casting="unsafe")
    times += _FIRST_MICROSECOND
    # Whole cents from 1.00 to 200.99, but in binary floating point, as shops export them.
    random.random(out=amounts)
    amounts *= 20_000
    np.floor(amounts, out=amounts)
    amounts += 100
    amounts /= 100
    if workload.refunds:
        refunded = random.random(amounts.size, np.float32) < workload.refunds
        np.negative(amounts, out=amounts, where=refunded)


def _scattered(numbers):
    """Spread 0, 1, 2, … over all 64-bit integers, no two onto one (xor-shifts and odd factors)."""
    with np.errstate(over="ignore"):
        mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xA3B195354A39B70D)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _ids(kind, keys):
    if kind == "int64":
        return pa.array(keys)
    width, write = (16, _hexadecimal) if kind == "string" else (_UUID_CHARACTERS, _uuids)
    chunks = []
    # Chunked, so that 32-bit string offsets suffice.
    for start in range(0, keys.size, _STRING_CHUNK_ROWS):
        block = keys[start : start + _STRING_CHUNK_ROWS]
        text = np.empty((block.size, width), np.uint8)
        for first in range(0, block.size, _BLOCK_ROWS):
            write(block[first : first + _BLOCK_ROWS], text[first : first + _BLOCK_ROWS])
        offsets = np.arange(0, width * (block.size + 1), width, dtype=np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
        chunks.append(pa.Array.from_buffers(pa.string(), block.size, buffers))
    return pa.chunked_array(chunks, pa.string())


def _hexadecimal(keys, out):
    """Write each key as 16 digits."""
    out.view(np.uint16)[:] = _HEX_PAIRS[keys.view(np.uint8)].reshape(keys.size, 8)


def _uuids(keys, out):
    """Write each key as a UUID of version 4: the key first, then digits that follow from it."""
    digits = np.empty((keys.size, 32), np.uint8)
    _hexadecimal(keys, digits[:, :16])
    _hexadecimal(_scattered(keys.view(np.uint64)).view(np.int64), digits[:, 16:])
    out[:] = ord("-")
    begin = 0
    for first, last in _UUID_GROUPS:
        out[:, first:last] = digits[:, begin : begin + last - first]
        begin += last - first
    out[:, 14] = ord("4")
    out[:, 19] = _UUID_VARIANTS[keys.view(np.uint64) >> np.uint64(62)]
