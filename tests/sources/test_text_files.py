"""Text files with Python's csv module as the oracle: rows, lines, encodings and parts."""

import csv
import gzip
import io
import os

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.order_files import AS_OF, orders
from support.text_files import HEADER, ids_of, put, rows_of

import ordercycle as oc
from ordercycle._columns import Columns
from ordercycle._history.options import BuildOptions
from ordercycle._sources.files import Piece
from ordercycle._sources.opening import open_source
from ordercycle._sources.text import chunks, csv_files

notes = st.text(alphabet='ab,"\n\r é', max_size=12)
quoted = notes.map(lambda text: '"' + text.replace('"', '""') + '"')
plain = st.text(alphabet='ab" ', max_size=6).map(lambda text: "x" + text)


@given(
    values=st.lists(st.tuples(st.integers(0, 99), quoted | plain), max_size=25),
    part=st.integers(1, 60),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
    look=st.integers(1, 200),
    packed=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_rows_are_those_of_the_csv_module_wherever_parts_end(
    tmp_path_factory, values, part, ends, last, look, packed
):
    lines = [f"{number},2025-03-01,{number}.5,{note}" for number, note in values]
    text = HEADER.replace("\n", ends) + ends.join(lines) + (ends if last and lines else "")
    records = csv.DictReader(io.StringIO(text, newline=""))
    expected = [int(record["customer_id"]) for record in records]
    folder = tmp_path_factory.mktemp("rows")
    path = folder / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "PART_BYTES", part)
        patch.setattr(chunks, "SEARCH_BYTES", 3)
        patch.setattr(csv_files, "LOOK_BYTES", look)
        found = rows_of(path, threads=3)
    assert [row["customer_id"] for row in found] == expected
    assert [row["amount"] for row in found] == [number + 0.5 for number in expected]


def test_b1_no_row_is_invented_at_a_border_of_parts(tmp_path):
    row = "1,2024-05-01,10,ok\n"
    border = 2**16
    text = HEADER + row * ((border - len(HEADER) - 60) // len(row))
    pad = "x" * (border - len(text) - len('1,2024-05-01,10,"forwarded:\n'))
    text += f'1,2024-05-01,10,"{pad}forwarded:\n77,2024-01-01,1000,see above"\n' + row
    path = put(tmp_path / "border.csv", text)
    with pytest.MonkeyPatch.context() as patch:
        for part in (border, border - 1, border + 1, border - len(HEADER)):
            patch.setattr(chunks, "PART_BYTES", part)
            summary = oc.OrderHistory.build(path).summary()
            assert (summary.rows, summary.customers) == (text.count("\n1,"), 1)


def test_f6_quoted_line_ends_in_a_large_file(tmp_path):
    lines = (f'{i % 50},2024-05-01,10,"leave it\nnext door, thanks"\n' for i in range(120_000))
    path = put(tmp_path / "large.csv", HEADER + "".join(lines))
    summary = oc.OrderHistory.build(path).summary()
    assert (summary.rows, summary.customers) == (120_000, 50)


@pytest.mark.parametrize(
    ("content", "read", "error", "message"),
    [
        ("customer_id;ordered_at;amount\n1;2025-03-01;1,5\n", {}, oc.SourceError,
         r"one column, 'customer_id;.*; pass read=CsvFormat\(delimiter=';'\)"),
        ("customer_id\tordered_at\tamount\n", {}, oc.SourceError, r"delimiter='\\t'"),
        ("customer_id|ordered_at|amount\n", {}, oc.SourceError, r"delimiter='\|'"),
        ("Report of May\n\ncustomer_id,ordered_at,amount\n", {}, oc.SourceError,
         r"line 3; pass read=CsvFormat\(skip_rows=2\)"),
        ("Report, of May\ncustomer_id;ordered_at;amount\n", {}, oc.SourceError,
         r"line 2; .*skip_rows=1\) with .*delimiter=';'"),
        (HEADER + "1,2025-03-01,1,\n1,2025-03-01,1\n", {}, oc.SourceError,
         "line 3 of .* has 3 fields where the header has 4"),
        (HEADER + '\n1,2025-03-01,1,"a\nb"\n1,2025-03-01,1,2,3\n', {}, oc.SourceError,
         "line 5 of .* has 5 fields where the header has 4"),
        (HEADER + '1,2025-03-01,1,"a\nb\n', {}, oc.SourceError,
         "ends within a quoted value: its record begins in line 2; end the quotes"),
        ("customer_id,ordered_at,ordered_at,amount\n", {}, oc.ColumnError, "2 columns named"),
        ("", {}, oc.SourceError, "empty, not even a header"),
        ("\n\n", {}, oc.SourceError, "empty, not even a header"),
        ("a\nb\n", {"skip_rows": 5}, oc.SourceError, "below the 5 lines"),
        ("PK\x03\x04", {}, oc.SourceError, "is a zip archive; unzip it"),
        ("c\0u\0s\0", {}, oc.SourceError, "utf-16-le"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_and_what_to_do(tmp_path, content, read, error, message):
    path = put(tmp_path / "a.csv", content)
    with pytest.raises(error, match=message):
        oc.OrderHistory.build(path, read=oc.CsvFormat(**read))


def test_a_value_that_is_no_utf8_in_a_file_that_ends_in_quotes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER.encode() + b'1,\xff-03-01,1,\n2,2025-03-01,1,"a\n')
    with pytest.raises(oc.SourceError, match="ends within a quoted value") as raised:
        oc.OrderHistory.build(path)
    assert raised.value.row == 3


def test_utf_16_is_named_by_its_mark_and_read(tmp_path):
    text = HEADER + "zoë,2025-03-01,1,\n"
    path = put(tmp_path / "a.csv", text, "utf-16")
    with pytest.raises(oc.SourceError, match=r"the mark of UTF-16; .*encoding='utf-16'"):
        oc.OrderHistory.build(path)
    assert ids_of(path, oc.CsvFormat(encoding="utf-16")) == ["zoë"]
    little = put(tmp_path / "a.csv", text, "utf-16-le")
    assert ids_of(little, oc.CsvFormat(encoding="utf-16-le")) == ["zoë"]


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "shift_jis", "gb18030", "utf-8-sig",
                                      "utf-16", "utf-32-be", "iso2022_jp", "cp500"])  # fmt: skip
@pytest.mark.parametrize("part", [7, 10**6])
def test_b2_text_in_the_encoding_that_is_named(tmp_path, monkeypatch, encoding, part):
    monkeypatch.setattr(chunks, "PART_BYTES", part)
    name = "表ソ" if encoding in ("shift_jis", "gb18030", "iso2022_jp") else "José"
    lines = "".join(f'{name}{n},2025-03-01,1,"{name}\n"\n' for n in range(9))
    path = put(tmp_path / "a.csv", HEADER + lines, encoding)
    assert ids_of(path, oc.CsvFormat(encoding=encoding)) == [f"{name}{n}" for n in range(9)]


@pytest.mark.parametrize("part", [7, 10**6])
@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize(
    ("encoding", "name"), [("shift_jis", "ポ"), ("cp932", "ポ"), ("gbk", "亅"), ("big5", "育")]
)
def test_b2_a_delimiter_may_be_half_a_character(
    tmp_path, monkeypatch, encoding, name, announced, part
):
    monkeypatch.setattr(chunks, "PART_BYTES", part)
    assert name.encode(encoding)[1:] == b"|"
    lines = "".join(f'{name}"{n}|2025-03-01|1|"x\n{name}"\n' for n in range(9))
    text = ("sep=|\n" if announced else "") + HEADER.replace(",", "|") + lines
    path = put(tmp_path / "a.csv", text, encoding)
    read = oc.CsvFormat(encoding=encoding, delimiter=None if announced else "|")
    assert ids_of(path, read) == [f'{name}"{n}' for n in range(9)]


def test_b2_text_that_is_not_utf_8_names_line_and_encoding(tmp_path):
    path = put(tmp_path / "a.csv", HEADER + "Ann,2025-03-01,1,\nJosé,2025-03-01,1,é\n", "latin-1")
    message = r"customer_id in line 3 of .* is b'Jos\\xe9', .*CsvFormat\(encoding='cp1252'\)"
    with pytest.raises(oc.ColumnError, match=message):
        oc.OrderHistory.build(path)
    put(path, HEADER + "Ann,2025-03-01,1,é\n", "latin-1")  # nobody reads the note
    assert ids_of(path) == ["Ann"]
    with pytest.raises(oc.SourceError, match="is not encoded in utf-16"):
        oc.OrderHistory.build(put(path, "a" * 77), read=oc.CsvFormat(encoding="utf-16"))


def test_a_delimiter_that_excel_announces_and_lines_above_the_header(tmp_path):
    text = "sep=;\ncustomer_id;ordered_at;amount\n5;2025-03-01;1\n"
    assert ids_of(put(tmp_path / "a.csv", "\ufeff" + text)) == [5]
    text = 'Report; "of May\r\n\r\ncustomer_id;ordered_at;amount\r\n5;2025-03-01;1,5\r\n'
    read = oc.CsvFormat(delimiter=";", decimal=",", skip_rows=1)
    assert ids_of(put(tmp_path / "a.csv", text), read) == [5]


def test_columns_that_nobody_reads_may_be_anything(tmp_path):
    text = "x,x,customer_id,ordered_at,amount,\n" + ",\ufeff,5,2025-03-01,1,?\n"
    assert ids_of(put(tmp_path / "a.csv", text)) == [5]


def test_rows_are_named_by_the_line_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "PART_BYTES", 100)
    good = '1,2025-03-01,1,"two\r\nlines"\r\n' * 40
    path = put(
        tmp_path / "a.csv", "Title\r\n" + HEADER + good + "\r\n1,,1,\r\n" + good + "1,,1,\r\n"
    )
    with pytest.raises(
        oc.DataError, match=r"ordered_at is null at line 84 .*\(2 such rows"
    ) as raised:
        oc.OrderHistory.build(path, read=oc.CsvFormat(skip_rows=1))
    assert (raised.value.row, raised.value.count) == (84, 2)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    path = put(tmp_path / "a.csv", HEADER + "1,2025-03-01,1,\n")
    source = open_source(path, BuildOptions().orders_request, 1)
    with path.open("a") as file:
        file.write("2,2025-03-01,1,\n")
    with pytest.raises(oc.SourceError, match="written again since it was looked at"):
        list(source.batches)


@pytest.mark.parametrize("part", [16, 10**6])
@pytest.mark.parametrize("left", [0, 30, 100, 141])
def test_a_file_that_is_cut_short_while_it_is_read_is_refused(tmp_path, monkeypatch, part, left):
    monkeypatch.setattr(chunks, "PART_BYTES", part)
    path = put(tmp_path / "a.csv", HEADER + '1,2025-03-01,1,"x\n"\n' * 9)
    unchanged = Piece.check_unchanged
    looked = []

    def cut_after_the_first_look(piece, name):
        unchanged(piece, name)
        if not looked:
            looked.append(piece)
            os.truncate(path, left)

    monkeypatch.setattr(Piece, "check_unchanged", cut_after_the_first_look)
    with pytest.raises(oc.OrdercycleError):
        list(open_source(path, BuildOptions().orders_request, 1).batches)


@pytest.mark.parametrize("name", ["orders.txt", "orders.tab", "orders.dat.gz", "orders"])
def test_a_csv_format_says_that_a_file_is_csv(tmp_path, name):
    text = HEADER.replace(",", "\t") + "5\t2025-03-01\t1\t\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert ids_of(path, oc.CsvFormat(delimiter="\t")) == [5]
    if not name.endswith(".tab"):
        with pytest.raises(oc.SourceError, match=r"unknown.*CsvFormat"):
            oc.OrderHistory.build(path)
    if "." in name:
        assert ids_of(tmp_path, oc.CsvFormat(delimiter="\t")) == [5]


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
def test_a_compressed_file_that_was_cut_off_is_refused(tmp_path, ending):
    lines = "".join(f"{n * 7919 % 100_003},2025-03-01,{n},\n" for n in range(20_000))
    path = tmp_path / f"a.csv.{ending}"
    with pa.output_stream(path, compression="detect") as stream:
        stream.write((HEADER + lines).encode())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(oc.SourceError, match=rf"a\.csv\.{ending}' cannot be read"):
        oc.OrderHistory.build(path)


def test_what_is_appended_is_read_in_the_types_of_the_history(tmp_path):
    day = put(tmp_path / "a.csv", HEADER + "17,2025-03-02,2,\n")
    history = oc.OrderHistory.build(orders(1, customer_id=pa.array(["A1"])))
    grown = history.append(day)
    found = grown.profile(AS_OF).sort_by("customer_id")
    assert found["customer_id"].to_pylist() == ["17", "A1"]
    assert found.schema.field("revenue").type == pa.float64()
    numbers = oc.OrderHistory.build(orders(1))
    with pytest.raises(oc.ColumnError, match="customer_id"):
        numbers.append(put(day, HEADER + "007,2025-03-02,2,\n"))


def test_progress_ends_with_the_rows_of_the_last_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 120)
    lines = "".join(f"{n},2025-03-01,1,\n" for n in range(50))
    path = put(tmp_path / "a.csv", HEADER + lines + "A,2025-03-01,1,\n")
    seen = []
    history = oc.OrderHistory.build(path, progress=lambda *now: seen.append(now))
    assert history.summary().rows == 51
    assert [done for done, _, stage in seen if stage == "read"][-1] == 51


@pytest.mark.parametrize("note", ["x" * 2**23, '"' + "x" * 2**23 + '"', '"' + "x\n" * 2**22 + '"'])
def test_a_record_may_be_larger_than_a_part(tmp_path, monkeypatch, note):
    monkeypatch.setattr(chunks, "PART_BYTES", 2**16)
    lines = f"1,2025-03-01,1,{note}\n2,2025-03-01,1,\n"
    assert ids_of(put(tmp_path / "a.csv", HEADER + lines * 2)) == [1, 2]


ids = st.sampled_from(["", "0", "7", "12", "12.0", '"7"', '""', "007", " 7", "9007199254740993"])
moments = st.sampled_from(
    [
        "2025-03-01",
        "2025-03-01 10:00:00",
        "2025-03-01T10:00",
        '"2025-03-01"',
        "2025-03-01 10:00:00.5",
    ]
)
remarks = st.sampled_from(["", "7", "é", '"a,b"', '"a""b"', '"a\nb"', 'a"b', '""', " "])
numbers = st.sampled_from(["0", "12.50", "-3", "-0.5", '"7"', "1e3", " 7", "9007199254740993"])


@given(
    rows=st.lists(st.tuples(ids, moments, numbers, remarks), min_size=1, max_size=8),
    ends=st.sampled_from(["\n", "\r\n", "\n\n"]),
    last=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_plain_records_are_read_as_all_text_is(tmp_path_factory, rows, ends, last):
    text = HEADER.replace("\n", ends) + ends.join(map(",".join, rows)) + (ends if last else "")
    path = put(tmp_path_factory.mktemp("plain") / "orders.csv", text)
    wanted = BuildOptions(columns=Columns(order="note")).orders_request

    def read():
        try:
            source = open_source(path, wanted, 1)
            return [(batch.schema, batch.to_pylist()) for batch in source.batches]
        except oc.OrdercycleError as error:
            return str(error)

    with pytest.MonkeyPatch.context() as patched:
        found = read()
        patched.setattr(csv_files, "plain_records", lambda *_: None)
        assert repr(read()) == repr(found)
