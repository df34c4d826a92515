"""Inputs that ask for memory: each a function of a folder and a scale, declared in `INPUTS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc, parquet

from .generate import Workload, order_pieces

PIECE_ROWS = 2**18
GROUP_ROWS = 2**20

#: The path of the orders, and options of the command line that name what else there is.
Input = tuple[Path, tuple[str, ...]]


def _pieces(rows: int, ids: Callable[[np.ndarray], pa.Array], customers: int) -> Iterator[pa.Table]:
    """Yield orders; ids: makes ids of customers' numbers, which are all different with 0."""
    random = np.random.Generator(np.random.SFC64(1))
    for start in range(0, rows, PIECE_ROWS):
        size = min(PIECE_ROWS, rows - start)
        numbers = random.integers(0, customers, size) if customers else np.arange(size) + start
        days = random.integers(19_358, 20_454, size, dtype=np.int32)
        columns = {
            "customer_id": ids(numbers),
            "ordered_at": pa.array(days).cast(pa.date32()),
            "amount": pa.array(random.integers(100, 20_000, size) / 100),
        }
        yield pa.table(columns)


def _integers(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers * 1_000_003)


def _texts(width: int, numbers: np.ndarray) -> pa.Array:
    text = np.full((numbers.size, width), ord("A"), np.uint8)
    rest = numbers.copy()
    for place in range(12):
        text[:, place] += (rest % 10).astype(np.uint8)
        rest //= 10
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), numbers.size, [None, pa.py_buffer(text)]
    ).cast(pa.binary()).cast(pa.string())  # fmt: skip


def _own_dictionary(numbers: np.ndarray) -> pa.Array:
    codes = np.random.Generator(np.random.SFC64(2)).permutation(numbers.size).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), _texts(43, numbers))


def _to_parquet(path: Path, pieces: Iterator[pa.Table], group_rows: int = GROUP_ROWS) -> Input:
    """Write row groups of at least so many rows."""
    writer = None
    held: list[pa.Table] = []
    for piece in pieces:
        writer = writer or parquet.ParquetWriter(path, piece.schema)
        held.append(piece)
        if sum(one.num_rows for one in held) >= group_rows:
            writer.write_table(pa.concat_tables(held), row_group_size=2**30)
            held = []
    if held:
        writer.write_table(pa.concat_tables(held), row_group_size=2**30)
    writer.close()
    return path, ()


def integers(folder: Path, scale: float) -> Input:
    return _to_parquet(folder / "orders.parquet", order_pieces(Workload(orders=int(3e7 * scale))))


def one_order_each(folder: Path, scale: float) -> Input:
    return _to_parquet(folder / "orders.parquet", _pieces(int(2.4e7 * scale), _integers, 0))


def dictionaries(folder: Path, scale: float) -> Input:
    pieces = _pieces(int(1e7 * scale), _own_dictionary, 0)
    return _to_parquet(folder / "orders.parquet", pieces, PIECE_ROWS)


def long_ids(folder: Path, scale: float) -> Input:
    pieces = _pieces(int(1e6 * scale), partial(_texts, 1000), int(5e5 * scale))
    return _to_parquet(folder / "orders.parquet", pieces)


def one_row_group(folder: Path, scale: float) -> Input:
    pieces = _pieces(int(1e7 * scale), partial(_texts, 36), int(1e6 * scale))
    return _to_parquet(folder / "orders.parquet", pieces, 2**62)


def one_customer(folder: Path, scale: float) -> Input:
    """One customer with a tenth of all orders."""
    share = Workload(orders=int(2e7 * scale), skew=0.1)
    return _to_parquet(folder / "orders.parquet", order_pieces(share))


def many_files(folder: Path, scale: float) -> Input:
    (folder / "orders").mkdir()
    for number, piece in enumerate(_pieces(int(2e7 * scale), _integers, int(2e6 * scale))):
        _to_parquet(folder / "orders" / f"{number}.parquet", iter([piece]))
    return folder / "orders", ()


def decimals(folder: Path, scale: float) -> Input:
    pieces = (
        piece.set_column(2, "amount", piece["amount"].cast(pa.decimal128(30, 2)))
        for piece in _pieces(int(1e7 * scale), _integers, int(1e6 * scale))
    )
    return _to_parquet(folder / "orders.parquet", pieces)


def lines(folder: Path, scale: float) -> Input:
    """Orders of two lines, with ids of text."""
    pieces = (
        piece.append_column("order_id", _texts(24, np.arange(piece.num_rows) // 2 + number * 2**20))
        for number, piece in enumerate(_pieces(int(1e7 * scale), _integers, int(1e5 * scale)))
    )
    path, _ = _to_parquet(folder / "orders.parquet", pieces)
    return path, ("--order", "order_id")


def many_customers(folder: Path, scale: float) -> Input:
    """List customers, of whom few have orders."""
    ids, path = np.arange(int(2e7 * scale)), folder / "customers.parquet"
    parquet.write_table(pa.table({"customer_id": _integers(ids)}), path)
    orders, _ = _to_parquet(folder / "orders.parquet", _pieces(100_000, _integers, 50_000))
    return orders, ("--customers", str(path), "--registered", "")


def compressed_csv(folder: Path, scale: float) -> Input:
    path = folder / "orders.csv.gz"
    pieces = _pieces(int(1e7 * scale), partial(_texts, 24), int(1e6 * scale))
    with pa.CompressedOutputStream(str(path), "gzip") as stream:
        for number, piece in enumerate(pieces):
            csv.write_csv(piece, stream, csv.WriteOptions(include_header=number == 0))
    return path, ()


def arrow_batches(folder: Path, scale: float) -> Input:
    path = folder / "orders.arrow"
    schema = next(_pieces(1, _integers, 1)).schema
    with ipc.new_file(str(path), schema) as writer:
        for piece in _pieces(int(2e7 * scale), _integers, int(2e6 * scale)):
            writer.write_table(piece)
    return path, ()


INPUTS: dict[str, Callable[[Path, float], Input]] = {
    "integer ids": integers,
    "one order each": one_order_each,
    "a dictionary in each row group": dictionaries,
    "ids of 1 kB": long_ids,
    "one row group": one_row_group,
    "one customer with a tenth": one_customer,
    "many files": many_files,
    "decimals of 30 digits": decimals,
    "orders of lines": lines,
    "customers without orders": many_customers,
    "compressed CSV": compressed_csv,
    "Arrow batches": arrow_batches,
}
