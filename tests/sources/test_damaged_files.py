"""No file from outside, however damaged, ends the process, hangs it, or fails without a type."""

import gzip
import io
import json
import os
import random
import struct
import zlib
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import damage

import ordercycle as oc
from ordercycle._arrow_views import dates_of

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


def test_flipped_bits_of_a_footer_are_survived(tmp_path, reader):
    path = tmp_path / "tiny.parquet"
    content = parquet_file(orders(TEXTS).slice(0, 1), store_schema=False)
    (footer,) = struct.unpack("<I", content[-8:-4])
    begin, end = len(content) - 8 - footer, len(content) - 8
    found = set()
    # Every third bit: in each byte of three others, and with a limit and without.
    for place in range(8 * begin, 8 * end, 3):
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
        with pytest.raises(
            oc.DataError, match="customer_id is outside the column's data"
        ) as caught:
            oc.OrderHistory.build(rows)
        assert (caught.value.column, caught.value.row, caught.value.count) == ("customer_id", 1, 2)


@pytest.mark.parametrize("codes", [pa.int8(), pa.int32(), pa.uint64()])
@pytest.mark.parametrize("entries", [["x", "y"], ["x", None], []])
def test_a_code_out_of_its_dictionary_is_nobody(codes, entries):
    indices = pa.array([0 if entries else None, None, 7, 100], codes)
    dictionary = pa.array(entries, pa.string())
    ids = pa.DictionaryArray.from_arrays(indices, dictionary, safe=False)
    rows = orders(TEXTS).slice(0, 4).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="at row 2") as caught:
        oc.OrderHistory.build(rows)
    assert (caught.value.column, caught.value.row, caught.value.count) == ("customer_id", 2, 2)


def test_a_damaged_dictionary_of_ids_is_refused():
    offsets = pa.py_buffer(struct.pack("<3i", 0, 900, 2))
    entries = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"xy")])
    ids = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), entries)
    rows = orders(TEXTS).slice(0, 3).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="dictionary of customer_id") as caught:
        oc.OrderHistory.build(rows)
    assert caught.value.column == "customer_id"


@pytest.mark.parametrize(
    "view", [(13, 0, 0, 8), (13, 0, 5, 0), (-1, 0, 0, 0), (13, 0, 0, -8), (2**31 - 1, 0, 0, 1)]
)
def test_a_view_out_of_its_buffers_is_refused(view):
    views = struct.pack("<8i", 13, 0, 0, 0, *view)
    buffers = [None, pa.py_buffer(views), pa.py_buffer(b"x" * 20)]
    ids = pa.Array.from_buffers(pa.string_view(), 2, buffers)
    rows = orders(TEXTS).slice(0, 2).set_column(0, "customer_id", ids)
    with pytest.raises(oc.DataError, match="customer_id") as caught:
        oc.OrderHistory.build(rows)
    assert (caught.value.column, caught.value.row, caught.value.count) == ("customer_id", 1, 1)


def test_a_buffer_that_is_too_short_is_refused():
    short = bytearray(arrow_file(orders(TEXTS)))
    place = short.find(struct.pack("<q", 4 * ROWS))  # of the days
    assert place > 0
    short[place : place + 8] = struct.pack("<q", 4 * ROWS - 8)
    rows = pa.ipc.open_file(pa.py_buffer(short)).read_all()
    with pytest.raises(oc.DataError, match="ordered_at is no sound Arrow array") as caught:
        oc.OrderHistory.build(rows)
    assert caught.value.column == "ordered_at"


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
    with pytest.raises(oc.DataError, match=r"no UTF-8, such as b'\\xff\\xfe'") as caught:
        oc.OrderHistory.build(path)
    assert (caught.value.column, caught.value.count) == ("customer_id", 1)


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


@pytest.mark.parametrize("scale", [2**30, 39, -39, -(2**30)])
def test_decimals_of_any_scale_are_refused(scale):
    words = pa.array([5, 0], pa.int64()).buffers()
    amounts = pa.Array.from_buffers(pa.decimal128(3, scale), 1, words)
    rows = orders(TEXTS).slice(0, 1).set_column(2, "amount", amounts)
    with pytest.raises(oc.ColumnError, match="cast it to decimal128 of a scale") as caught:
        oc.OrderHistory.build(rows)
    assert caught.value.column == "amount"


#: Instants that are 2024-10-04 where their days are counted in 32 bits.
TURNED = [((2**32 + 20_000) * 86_400, pa.timestamp("s")), (2**32 * 86_400_000, pa.date64())]


@pytest.mark.parametrize(("value", "kind"), [*TURNED, (2**31 - 1, pa.date32())])
def test_days_beyond_the_calendar_are_no_others(value, kind):
    raw = pa.array([value], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    names = {"customer_id": ["ann"], "segment": ["VIP"]}
    with pytest.raises(oc.DataError, match="outside the years 1900 to 2199"):
        oc.Membership.from_table(pa.table({**names, "valid_from": raw, "valid_to": [None]}))
    days = pa.array([DAYS[0]])
    ended = pa.table({**names, "valid_from": days, "valid_to": raw})
    assert oc.Membership.from_table(ended).to_table()["valid_to"].to_pylist() == [None]
    assert dates_of(raw).to_pylist() == [date.max]
    assert dates_of(pa.chunked_array([raw])).to_pylist() == [date.max]


def test_a_record_of_other_fields_that_is_no_text_names_its_line(tmp_path):
    """A traceback on stderr would fail this test as a warning."""
    path = tmp_path / "orders.csv"
    path.write_bytes(csv_text(TEXT).replace(b"customer-000001,", b"customer\xff,,,", 1))
    with pytest.raises(oc.SourceError, match=r"line 3 .* has 5 fields where the header has 3"):
        oc.OrderHistory.build(path)


@pytest.mark.parametrize("column", ["customer_id", "segment"])
def test_damaged_memberships_are_refused(column):
    values = pa.DictionaryArray.from_arrays(
        pa.array([0, 9], pa.int8()), pa.array(["x"]), safe=False
    )
    table = MEMBERSHIPS.slice(0, 2)
    table = table.set_column(table.schema.get_field_index(column), column, values)
    with pytest.raises(oc.DataError, match=column) as caught:
        oc.Membership.from_table(table)
    assert caught.value.column == column


def saved(folder, rows=TEXT):
    oc.OrderHistory.build(rows).save(folder)
    (part,) = folder.glob("part-*.arrow")
    return part


def test_damaged_histories_are_sound_or_refused(tmp_path, reader):
    folder = tmp_path / "history"
    part = saved(folder)
    content = part.read_bytes()
    assert reader.read("history", folder, verify=False) == "sound"
    drawn = random.Random(SEED)  # noqa: S311 - the same mutants every time
    found = set()
    for _ in range(2 * MUTANTS):
        damaged = damage.mutant(content, drawn)
        part.write_bytes(damaged.ljust(len(content), b"\0"))
        found.add(reader.read("history", folder, verify=False))
    assert found == {"sound", "refused"}


@pytest.mark.parametrize("customers", [None, [TEXTS[1]]])
def test_a_file_of_a_history_without_its_batches_is_reported(tmp_path, customers):
    part = saved(tmp_path / "history")
    size = part.stat().st_size
    with pa.ipc.open_file(part) as reader:
        schema = reader.schema
    sink = pa.BufferOutputStream()
    pa.ipc.new_file(sink, schema).close()
    empty = sink.getvalue().to_pybytes()
    footer = 10 + int.from_bytes(empty[-10:-6], "little")  # with its length, and the last mark
    part.write_bytes(empty[:-footer] + bytes(size - len(empty)) + empty[-footer:])
    history = oc.OrderHistory.open(tmp_path / "history", verify=False)
    with pytest.raises(oc.StorageError, match=r"part-.*fewer batches"):
        history.profile("2026-06-01", customers=customers)


def test_a_history_that_is_cut_while_it_is_open_is_reported(tmp_path):
    part = saved(tmp_path / "history")
    history = oc.OrderHistory.open(tmp_path / "history")
    before = history.profile("2026-06-01")
    with part.open("r+b") as stream:
        stream.truncate(600)
    with pytest.raises(oc.StorageError, match=r"part-.*cut off while it was read"):
        history.profile("2026-06-01")
    before.validate(full=True)


@pytest.mark.parametrize("name", ["part-*.arrow", "manifest.json"])
def test_nobody_waits_for_a_pipe_in_the_place_of_a_file(name, tmp_path):
    saved(tmp_path / "history")
    (file,) = (tmp_path / "history").glob(name)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(oc.StorageError, match="no regular file"):
        oc.OrderHistory.open(tmp_path / "history")


#: What somebody may write into a manifest, with its checksum made right.
HOSTILE_MANIFESTS = {
    "parts": [0, -1, 3, 2**63 - 1, 1.0, "1", None, [], True],
    "runs": [[], {}, [[]], [{}], "x", None, [[{}]], [[None]]],
    "columns": [{}, {"customer": 1}, [], None, {"customer": "x", "what": "y"}],
    "policies": [{"refunds": "x"}, {"timezone": "Mars/Base"}, {"timezone": 5}, [], None],
    "types": ["x", "", "====", 5, None, "AAAA"],
    "tally": [{"rows": -1}, {"rows": "x"}, {"what": 1}, [], None, {"first_day": 10**9}],
    "counts": [{"customers": 2**63}, {"orders": 1.5}, {"what": 1}, [], None],
    "names": ["x", [1], None, {}],
    "token": ["../x", 5, None, ""],
    "hash": ["another", None],
    "has_listing": ["yes", None, 1],
}
HOSTILE_ENTRIES = {
    "file": ["../secret/part-00000-00000000.arrow", "/etc/passwd", "manifest.json", 5, None, ""],
    "bytes": [-1, 0, 2**63, "x", None, 1.5],
    "crc32": [-1, 2**32, "x", None],
    "batches": [-1, 0, 2**63 - 1, "x", None, 1.0],
}


def sealed(folder, manifest):
    manifest = {key: value for key, value in manifest.items() if key != "crc32"}
    options = {"indent": 1, "sort_keys": True, "ensure_ascii": True}
    manifest["crc32"] = zlib.crc32(json.dumps(manifest, **options).encode())
    (folder / "manifest.json").write_text(json.dumps(manifest, **options))


def test_a_manifest_with_other_content_is_refused(tmp_path):
    folder = tmp_path / "history"
    saved(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    sealed(folder, manifest)
    oc.OrderHistory.open(folder)
    changed = [{**manifest, key: one} for key, some in HOSTILE_MANIFESTS.items() for one in some]
    changed += [
        {key: one for key, one in manifest.items() if key != left}
        for left in manifest
        if left != "crc32"
    ]
    (entry,) = manifest["runs"][0]
    changed += [
        {**manifest, "runs": [[{**entry, key: one}]]}
        for key, some in HOSTILE_ENTRIES.items()
        for one in some
    ]
    changed += [{**manifest, "runs": [[entry, entry]]}, {**manifest, "more": 1}]
    for one in changed:
        sealed(folder, one)
        with pytest.raises(oc.StorageError, match=r"manifest\.json"):
            oc.OrderHistory.open(folder)


def test_parts_with_another_content_and_the_right_checksum_are_refused(tmp_path):
    folder, other = tmp_path / "history", tmp_path / "other"
    part = saved(folder)
    strange = saved(other, orders(pa.array(range(ROWS), pa.int32())).slice(0, 4))
    content = strange.read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["runs"][0][0] |= {"bytes": len(content), "crc32": zlib.crc32(content)}
    part.write_bytes(content)
    sealed(folder, manifest)
    history = oc.OrderHistory.open(folder)
    with pytest.raises(oc.StorageError, match="not those that the manifest tells of"):
        history.profile("2026-06-01")


@pytest.mark.parametrize(
    "options",
    [
        {"memory_limit": "9" * 400 + "GB"},
        {"memory_limit": "1GB", "spill_directory": 5},
        {"spill_directory": b"/"},
        {"progress": 5},
    ],
)
def test_options_that_are_nonsense_name_themselves(options):
    with pytest.raises(oc.ConfigError, match=f"{list(options)[-1]}="):
        oc.OrderHistory.build(TEXT, **options)
