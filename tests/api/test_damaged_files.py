"""No file from outside, however damaged, ends the process, hangs it, or fails without a type."""

import gzip
import io
import random
import struct
from datetime import date, timedelta
from decimal import Decimal

import damage
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ordercycle as oc

SEED = 12
#: Of each file.
MUTANTS = 50
ROWS = 12
DAYS = [date(2026, 1, 1) + timedelta(days=7 * row) for row in range(ROWS)]
TEXTS = [f"customer-{row % 5:06d}" for row in range(ROWS)]


def orders(ids, amounts=None):
    return pa.table(
        {
            "customer_id": ids,
            "ordered_at": DAYS,
            "amount": amounts or [float(row) for row in range(ROWS)],
        }
    )


def arrow_file(table, compression=None):
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_file(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def csv_text(table):
    rows = zip(*table.to_pydict().values(), strict=True)
    lines = [",".join(table.column_names), *(",".join(map(str, row)) for row in rows)]
    return "\n".join(lines).encode()


TEXT = orders(TEXTS)
LISTED = pa.table({"customer_id": TEXTS[:5], "registered_at": DAYS[:5]})
MEMBERSHIPS = pa.table(
    {
        "customer_id": TEXTS[:5],
        "segment": pa.array(["new", "old", "new", "gone", "old"]).dictionary_encode(),
        "valid_from": DAYS[:5],
        "valid_to": [DAYS[6], None, None, None, DAYS[9]],
    }
)
DICTIONARY = pa.array([*TEXTS[:-1], None]).dictionary_encode()
FILES = {
    "text.arrow": ("orders", arrow_file(TEXT)),
    "lz4.arrow": ("orders", arrow_file(TEXT, "lz4")),
    "dictionary.arrow": ("orders", arrow_file(orders(DICTIONARY))),
    "view.arrow": ("orders", arrow_file(orders(pa.array(TEXTS, pa.string_view())))),
    "decimal.arrow": (
        "orders",
        arrow_file(orders(pa.array(range(ROWS), pa.uint16()), [Decimal("1.25")] * ROWS)),
    ),
    "text.parquet": ("orders", parquet_file(TEXT)),
    "dictionary.parquet": ("orders", parquet_file(orders(DICTIONARY), use_dictionary=True)),
    "checked.parquet": ("orders", parquet_file(TEXT, write_page_checksum=True)),
    "orders.csv.gz": ("orders", gzip.compress(csv_text(TEXT), mtime=0)),
    "customers.arrow": ("customers", arrow_file(LISTED)),
    "memberships.arrow": ("membership", arrow_file(MEMBERSHIPS)),
    "memberships.parquet": ("membership", parquet_file(MEMBERSHIPS)),
}


@pytest.fixture(scope="module")
def reader():
    with damage.Reader() as running:
        yield running


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_sound_or_refused(name, tmp_path, reader):
    use, content = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert reader.read(use, path) == "sound"
    drawn = random.Random(f"{SEED} {name}")  # noqa: S311 - the same mutants every time
    found = set()
    for number in range(MUTANTS):
        options = {"memory_limit": "1GB"} if number % 4 == 3 and use == "orders" else {}
        path.write_bytes(damage.mutant(content, drawn))
        found.add(reader.read(use, path, **options))
    assert found <= {"sound", "refused"}


def test_every_flipped_bit_of_a_footer_is_survived(tmp_path, reader):
    path = tmp_path / "tiny.parquet"
    content = parquet_file(orders(TEXTS).slice(0, 1), store_schema=False)
    (footer,) = struct.unpack("<I", content[-8:-4])
    begin, end = len(content) - 8 - footer, len(content) - 8
    found = set()
    for place in range(8 * begin, 8 * end):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        # The columns of a footer are looked at by themselves under a limit only.
        options = {"memory_limit": "1GB"} if place % 2 else {}
        found.add(reader.read("orders", path, **options))
    assert found == {"sound", "refused"}


@pytest.mark.parametrize("wrong", [200, 4000, 30_000, 2_000_000_000, -5])
def test_an_offset_out_of_the_data_names_the_file_or_the_row(wrong, tmp_path):
    ids = ["a" * 8, "b" * 8, "c" * 8]
    content = bytearray(arrow_file(orders(TEXTS).slice(0, 3).set_column(0, "customer_id", [ids])))
    place = content.find(struct.pack("<4i", 0, 8, 16, 24))
    content[place + 8 : place + 12] = struct.pack("<i", wrong)
    path = tmp_path / "bad.arrow"
    path.write_bytes(content)
    with pytest.raises(oc.SourceError, match=r"bad\.arrow"):
        oc.OrderHistory.build(path)
    table = pa.ipc.open_file(path).read_all()
    for rows in (table, table.to_batches(), table.to_reader()):
        with pytest.raises(oc.DataError, match="customer_id is outside the column's data") as told:
            oc.OrderHistory.build(rows)
        assert (told.value.column, told.value.row, told.value.count) == ("customer_id", 1, 2)


@pytest.mark.parametrize("codes", [pa.int8(), pa.int32(), pa.uint64()])
@pytest.mark.parametrize("entries", [["x", "y"], ["x", None], []])
def test_a_code_out_of_its_dictionary_is_nobody(codes, entries):
    indices = pa.array([0 if entries else None, None, 7, 100], codes)
    dictionary = pa.array(entries, pa.string())
    ids = pa.DictionaryArray.from_arrays(indices, dictionary, safe=False)
    rows = orders(TEXTS).slice(0, 4).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="at row 2") as told:
        oc.OrderHistory.build(rows)
    assert (told.value.column, told.value.row, told.value.count) == ("customer_id", 2, 2)


def test_a_damaged_dictionary_of_ids_is_refused():
    offsets = pa.py_buffer(struct.pack("<3i", 0, 900, 2))
    entries = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"xy")])
    ids = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), entries)
    rows = orders(TEXTS).slice(0, 3).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="dictionary of customer_id") as told:
        oc.OrderHistory.build(rows)
    assert told.value.column == "customer_id"


@pytest.mark.parametrize(
    "view", [(13, 0, 0, 8), (13, 0, 5, 0), (-1, 0, 0, 0), (13, 0, 0, -8), (2**31 - 1, 0, 0, 1)]
)
def test_a_view_out_of_its_buffers_is_refused(view):
    views = struct.pack("<8i", 13, 0, 0, 0, *view)
    buffers = [None, pa.py_buffer(views), pa.py_buffer(b"x" * 20)]
    ids = pa.Array.from_buffers(pa.string_view(), 2, buffers)
    rows = orders(TEXTS).slice(0, 2).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="customer_id") as told:
        oc.OrderHistory.build(rows)
    assert (told.value.column, told.value.row, told.value.count) == ("customer_id", 1, 1)


def test_a_buffer_that_is_too_short_is_refused():
    short = bytearray(arrow_file(orders(TEXTS)))
    place = short.find(struct.pack("<q", 4 * ROWS))  # of the days
    assert place > 0
    short[place : place + 8] = struct.pack("<q", 4 * ROWS - 8)
    rows = pa.ipc.open_file(pa.py_buffer(short)).read_all()
    with pytest.raises(oc.DataError, match="ordered_at is no sound Arrow array") as told:
        oc.OrderHistory.build(rows)
    assert told.value.column == "ordered_at"


def no_utf8(kind):
    offsets = pa.py_buffer(struct.pack("<4i", 0, 2, 4, 6))
    ids = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"ok\xff\xfeok")])
    return ids.dictionary_encode() if kind == "dictionary" else ids.cast(kind)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), "dictionary"])
@pytest.mark.parametrize("ending", ["parquet", "arrow", "table"])
def test_ids_that_are_no_text_are_refused(kind, ending, tmp_path):
    rows = orders(TEXTS).slice(0, 3).set_column(0, "customer_id", no_utf8(kind))
    path = tmp_path / f"ids.{ending}"
    if ending == "parquet":
        path.write_bytes(parquet_file(rows))
    elif ending == "arrow":
        path.write_bytes(arrow_file(rows))
    else:
        path = rows
    with pytest.raises(oc.DataError, match=r"no UTF-8, such as b'\\xff\\xfe'") as told:
        oc.OrderHistory.build(path)
    assert (told.value.column, told.value.count) == ("customer_id", 1)


def test_page_checksums_are_compared(tmp_path):
    path = tmp_path / "checked.parquet"
    amounts = [1000.0 + row for row in range(ROWS)]
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    content = bytearray(parquet_file(orders(TEXTS, amounts), **options))
    place = content.find(struct.pack("<d", amounts[3]))
    content[place + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(oc.SourceError, match=r"checked\.parquet.*(?i:crc)"):
        oc.OrderHistory.build(path)


def test_a_body_that_asks_for_more_than_any_memory_names_the_file(tmp_path):
    path = tmp_path / "large.arrow"
    content = bytearray(arrow_file(TEXT, "lz4"))
    sizes = struct.pack("<q", 8 * ROWS)  # of the amounts, before their packed bytes
    place = content.rfind(sizes + b"\x04\x22\x4d\x18")
    assert place > 0
    content[place : place + 8] = struct.pack("<q", 2**62)
    path.write_bytes(content)
    with pytest.raises(oc.SourceError, match=r"large\.arrow"):
        oc.OrderHistory.build(path)


@pytest.mark.parametrize("column", ["customer_id", "segment"])
def test_damaged_memberships_are_refused(column):
    values = pa.DictionaryArray.from_arrays(
        pa.array([0, 9], pa.int8()), pa.array(["x"]), safe=False
    )
    table = MEMBERSHIPS.slice(0, 2)
    table = table.set_column(table.schema.get_field_index(column), column, values)
    with pytest.raises(oc.DataError, match=column) as told:
        oc.Membership.from_table(table)
    assert told.value.column == column
