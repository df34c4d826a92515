"""The promise of a memory limit, as seen from outside of the process."""

import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import process

LIMIT, ALLOWANCE = 100_000_000, 400_000_000
ROWS, GROUP_ROWS = 6 * 2**20, 2**20


def integers(numbers):
    """Ids of customers with one order each: a profile is six times as large as its order."""
    return pa.array(numbers * 1_000_003)


def dictionary_of_its_own(numbers):
    """Ids of 43 bytes, each once among the values of its row group."""
    width = 43
    text = np.full((numbers.size, width), ord("0"), np.uint8)
    for place in range(8):
        text[:, place] += (numbers // 10**place % 10).astype(np.uint8)
    offsets = np.arange(0, text.size + 1, width, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    values = pa.Array.from_buffers(pa.string(), numbers.size, buffers)
    codes = np.arange(numbers.size, dtype=np.int32)[::-1]
    return pa.DictionaryArray.from_arrays(pa.array(codes), values)


def write_orders(path, ids):
    writer = None
    for start in range(0, ROWS, GROUP_ROWS):
        numbers = np.arange(start, start + GROUP_ROWS)
        orders = pa.table(
            {
                "customer_id": ids(numbers),
                "ordered_at": pa.array((numbers % 1000 + 19_000).astype(np.int32)).cast(
                    pa.date32()
                ),
                "amount": numbers % 9973 / 4,
            }
        )
        writer = writer or pq.ParquetWriter(path, orders.schema)
        writer.write_table(orders)
    writer.close()


def peak_of(started):
    """Return the most memory of a process, in bytes, once it has ended."""
    peak = 0
    while started.poll() is None:
        lines = Path(f"/proc/{started.pid}/status").read_text().splitlines()
        peak = max([peak] + [int(line.split()[1]) for line in lines if line.startswith("VmHWM")])
        time.sleep(0.01)
    return 1024 * peak


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak")
@pytest.mark.parametrize("ids", [integers, dictionary_of_its_own])
def test_peak_of_the_process_stays_under_the_limit_and_400_mb(tmp_path, ids):
    write_orders(tmp_path / "orders.parquet", ids)
    options = ("--as-of", "2026-01-01", "--quiet", "--out", "profile.parquet")
    limit = ("--memory-limit", LIMIT, "--spill-directory", tmp_path)
    with process("profile", "orders.parquet", *options, *limit, cwd=tmp_path) as started:
        peak = peak_of(started)
        assert (started.returncode, started.stderr.read()) == (0, b"")
    assert pq.read_metadata(tmp_path / "profile.parquet").num_rows == ROWS
    assert peak <= LIMIT + ALLOWANCE
