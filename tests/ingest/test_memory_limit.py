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


def orders_of(ids):
    """Return what makes orders of numbers, and of these the ids of customers."""

    def made(numbers):
        days = pa.array((numbers % 1000 + 19_000).astype(np.int32)).cast(pa.date32())
        return {"customer_id": ids(numbers), "ordered_at": days, "amount": numbers % 9973 / 4}

    return made


def events(numbers):
    """Events with an instant, an attribute, a key, a value and an id."""
    instants = numbers * 7_919_000_003 % 60_000_000_000_000 + 1_700_000_000_000_000
    pages = pa.array([f"page {number}" for number in range(500)])
    codes = pa.array((numbers % 500).astype(np.int16))
    return {
        "customer_id": integers(numbers % 300_007),
        "occurred_at": pa.array(instants).cast(pa.timestamp("us", "UTC")),
        "page": pa.DictionaryArray.from_arrays(codes, pages),
        "visit": numbers // 3,
        "points": numbers % 9973 / 4,
        "event": numbers,
    }


def write_rows(path, make):
    writer = None
    for start in range(0, ROWS, GROUP_ROWS):
        rows = pa.table(make(np.arange(start, start + GROUP_ROWS)))
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    writer.close()


def peak_of(started):
    """Return the most memory of a process, in bytes, once it has ended."""
    peak = 0
    while started.poll() is None:
        lines = Path(f"/proc/{started.pid}/status").read_text().splitlines()
        peak = max([peak] + [int(line.split()[1]) for line in lines if line.startswith("VmHWM")])
        time.sleep(0.01)
    return 1024 * peak


BUILD_EVENTS = """
import sys, ordercycle
columns = ordercycle.EventColumns(
    attributes=["page"], keys=["visit"], values=["points"], id="event"
)
history = ordercycle.EventHistory.build(
    "rows.parquet", columns=columns, memory_limit=sys.argv[1], spill_directory=sys.argv[2]
)
clicks = history.where("page != 'page 7' and points > 9")
print(sum(batch.num_rows for batch in history.to_batches()), clicks.summary().events)
"""

only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not tell the peak"
)


@only_linux
@pytest.mark.parametrize("ids", [integers, dictionary_of_its_own])
def test_peak_of_the_process_stays_under_the_limit_and_400_mb(tmp_path, ids):
    write_rows(tmp_path / "orders.parquet", orders_of(ids))
    options = ("--as-of", "2026-01-01", "--quiet", "--out", "profile.parquet")
    limit = ("--memory-limit", LIMIT, "--spill-directory", tmp_path)
    with process("profile", "orders.parquet", *options, *limit, cwd=tmp_path) as started:
        peak = peak_of(started)
        assert (started.returncode, started.stderr.read()) == (0, b"")
    assert pq.read_metadata(tmp_path / "profile.parquet").num_rows == ROWS
    assert peak <= LIMIT + ALLOWANCE


@only_linux
def test_peak_of_a_process_that_groups_events(tmp_path):
    write_rows(tmp_path / "rows.parquet", events)
    limit = f"{LIMIT // 10**6}MB"
    with process(limit, tmp_path, code=BUILD_EVENTS, cwd=tmp_path) as started:
        peak = peak_of(started)
        assert (started.returncode, started.stderr.read()) == (0, b"")
        numbers = np.arange(ROWS)
        clicks = (numbers % 500 != 7) & (numbers % 9973 / 4 > 9)
        assert started.stdout.read().split() == [b"300007", str(clicks.sum()).encode()]
    assert peak <= LIMIT + ALLOWANCE
