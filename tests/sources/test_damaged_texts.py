"""Mutants of text and of workbooks: a result or an error of ours, never a crash or a hang."""

import bz2
import gzip
import io
import json
import random
from datetime import date, timedelta

import pytest
from support import damage

import ordercycle as oc

ROWS = 8
MUTANTS = 300
HEADER = ["customer_id", "ordered_at", "amount"]
RECORDS = [
    [f"customer-{row % 3}", str(date(2026, 1, 1) + timedelta(days=7 * row)), row + 0.5]
    for row in range(ROWS)
]
CSV = "\n".join([",".join(HEADER), *(",".join(map(str, row)) for row in RECORDS)]).encode()
NDJSON = "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in RECORDS).encode()


def workbook():
    import openpyxl

    book = openpyxl.Workbook()
    for row in [HEADER, *RECORDS]:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


FILES = {
    "orders.csv": lambda: CSV,
    "orders.csv.gz": lambda: gzip.compress(CSV, mtime=0),
    "orders.csv.bz2": lambda: bz2.compress(CSV),
    "orders.ndjson": lambda: NDJSON,
    "orders.ndjson.gz": lambda: gzip.compress(NDJSON, mtime=0),
    "orders.xlsx": workbook,
}


@pytest.fixture(scope="module")
def reader():
    with damage.Reader() as running:
        yield running


@pytest.mark.parametrize("name", FILES)
def test_damaged_texts_are_read_or_refused(name, tmp_path, reader):
    content = FILES[name]()
    path = tmp_path / name
    path.write_bytes(content)
    assert reader.read("orders", path) == "sound"
    drawn = random.Random(f"12 {name}")  # noqa: S311 - the same mutants every time
    found = set()
    for _ in range(MUTANTS):
        path.write_bytes(damage.mutant(content, drawn))
        found.add(reader.read("orders", path))
    assert found <= {"sound", "refused"}
    assert "refused" in found


def test_a_name_of_a_column_beyond_all_reason_names_the_file(tmp_path):
    path = tmp_path / "a.csv"
    for header in ("x" * 200_000, "customer_id," + "y" * 200_000, f"a\n{'x' * 200_000}"):
        path.write_text(header + "\n1,2025-03-01,1\n")
        with pytest.raises((oc.SourceError, oc.ColumnError), match=r"a\.csv"):
            oc.OrderHistory.build(path)
