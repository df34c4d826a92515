"""Rows that are piped in: CSV, an Arrow stream, and whatever is described."""

import io
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.order_files import AS_OF, orders, profile

import ordercycle as oc
from ordercycle._sources.text import chunks, csv_files

HEADER = "customer_id,ordered_at,amount\n"


def pipe(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_csv_that_is_piped_in_can_be_read_twice(monkeypatch):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 60)
    monkeypatch.setattr(chunks, "PART_BYTES", 100)
    lines = "".join(f"{n},2025-03-01,1\n" for n in range(50)) + "A,2025-03-01,1.5\n"
    pipe(monkeypatch, (HEADER + lines).encode())
    found = oc.OrderHistory.build("-", threads=3).profile(AS_OF)
    assert sorted(found["customer_id"].to_pylist()) == sorted([*map(str, range(50)), "A"])
    pipe(monkeypatch, (HEADER.replace(",", ";") + "7;2025-03-01;1,5\n").encode())
    read = oc.CsvFormat(delimiter=";", decimal=",")
    assert profile("-", read=read)["revenue"].to_pylist() == [1.5]


@pytest.mark.parametrize("kind", ["stream", "file", "parquet"])
def test_columns_that_are_piped_in(monkeypatch, kind):
    table = orders(500)
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, row_group_size=100)
    else:
        with getattr(pa.ipc, f"new_{kind}")(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=100)
    pipe(monkeypatch, out.getvalue())
    assert profile("-").equals(profile(table))


def test_rows_that_are_piped_in_are_named_by_their_line(monkeypatch):
    pipe(monkeypatch, (HEADER + "1,2025-03-01,1\n1,2025-03-01,x\n").encode())
    with pytest.raises(oc.ColumnError, match="amount in line 3 of '<stdin>' is 'x'"):
        oc.OrderHistory.build("-")
    pipe(monkeypatch, b"")
    with pytest.raises(oc.SourceError, match="nothing came in on standard input"):
        oc.OrderHistory.build("-")
