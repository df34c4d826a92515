"""Options that find nothing to act on: none is taken in silence."""

import warnings
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import ordercycle as oc
from ordercycle._errors import rendered
from ordercycle._history.options import GIVEN, OPEN, OPTIONS

CSV = "customer_id,ordered_at,amount\n7,2025-03-01,1.5\n"
JSON = '{"customer_id": 7, "ordered_at": "2025-03-01", "amount": 1.5}\n'
DAY = datetime(2025, 3, 1)  # noqa: DTZ001 - days have no zone
TABLE = pa.table({"customer_id": [7], "ordered_at": [DAY], "amount": [1.5]})
LISTED = pa.table({"customer_id": [7], "registered_at": [DAY]})


@pytest.fixture
def files(tmp_path):
    import openpyxl

    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.ndjson").write_text(JSON)
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pa.ipc.new_file(tmp_path / "a.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE)
    book = openpyxl.Workbook()
    for row in (TABLE.column_names, [7, DAY, 1.5]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    return tmp_path


def test_every_option_is_declared():
    assert tuple(GIVEN) == ("columns", *OPTIONS[1:]) == OPTIONS
    assert set(OPEN) == {name for name in OPTIONS if "when these are open" in str(GIVEN[name])}


READS = {"csv": oc.CsvFormat(), "ndjson": oc.NdJson(), "xlsx": oc.ExcelSheet()}


@pytest.mark.parametrize("ending", ["csv", "ndjson", "xlsx", "parquet", "arrow"])
@pytest.mark.parametrize("described", READS)
def test_read_describes_files_that_are_there(files, ending, described):
    path = files / f"a.{ending}"
    read = READS[described]
    # JSON by lines may be named as text, whatever kind of text that is.
    if ending == described or (ending, described) == ("csv", "ndjson"):
        path.write_text(JSON) if described == "ndjson" else None
        assert oc.OrderHistory.build(path, read=read).summary().rows == 1
        return
    message = rf"read={type(read).__name__}\(\) finds nothing to act on: orders are "
    with pytest.raises(oc.ConfigError, match=message):
        oc.OrderHistory.build(path, read=read)
    with pytest.raises(oc.ConfigError, match=message):
        oc.OrderHistory.build(TABLE).append(path, read=read)
    # The customers may be what is described.
    (files / "listed.csv").write_text("customer_id,registered_at\n7,2025-03-01\n")
    if described == "csv":
        assert oc.OrderHistory.build(path, files / "listed.csv", read=read).summary().rows == 1


@pytest.mark.parametrize("read", READS.values())
@pytest.mark.parametrize("make", [lambda: TABLE, TABLE.to_reader, TABLE.to_batches])
def test_nothing_is_read_of_what_is_in_memory(read, make):
    message = "finds nothing to act on: orders are in memory and customers are in memory"
    with pytest.raises(oc.ConfigError, match=message):
        oc.OrderHistory.build(make(), LISTED, read=read)
    with pytest.raises(oc.ConfigError, match="filesystem= finds nothing to act on: orders are no"):
        oc.OrderHistory.build(make(), filesystem=fs.LocalFileSystem())
    with pytest.raises(oc.ConfigError, match="filesystem= finds nothing to act on"):
        oc.OrderHistory.build(TABLE).append(make(), filesystem=fs.LocalFileSystem())


def test_types_name_columns_that_a_file_has(files):
    path = files / "a.csv"
    for typed in ({"custmer_id": "text"}, {"amount": "integer", "x": "text"}):
        column = [*typed][-1]
        with pytest.raises(oc.ConfigError, match=f"no file has a column '{column}'"):
            oc.OrderHistory.build(path, read=oc.CsvFormat(types=typed))
    listed = files / "listed.csv"
    listed.write_text("customer_id,registered_at,note\n7,2025-03-01,x\n")
    for column in ("registered_at", "note", "amount"):
        kind = "decimal(12,2)" if column == "amount" else "text"
        read = oc.CsvFormat(types={column: kind})
        columns = oc.Columns(registered=None)
        assert oc.OrderHistory.build(path, listed, read=read, columns=columns).summary().rows == 1


def test_columns_serve_builds_with_and_without_customers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for columns in (oc.Columns(registered="since"), oc.Columns(listed_customer="id")):
            oc.OrderHistory.build(TABLE, columns=columns)
    with pytest.raises(oc.ConfigError, match="needs a customers table"):
        oc.OrderHistory.build(TABLE, unknown="drop")


@pytest.mark.parametrize("refunds", ["drop", "count"])
def test_refunds_need_amounts(refunds):
    with pytest.raises(oc.ConfigError, match=f"refunds='{refunds}' finds nothing to act on"):
        oc.OrderHistory.build(TABLE, columns=oc.Columns(amount=None), refunds=refunds)


def test_a_source_that_is_appended_agrees_with_the_history(files):
    source = oc.source_from_dict({
        "only": "amount > 1", "columns": {"customer": "kunde"},
        "read": {"delimiter": ";", "decimal": ","},
    })  # fmt: skip
    path = files / "kunden.csv"
    path.write_text("kunde;ordered_at;amount\n7;2025-03-01;1,5\n8;2025-03-01;0,5\n")
    history = oc.OrderHistory.build(path, source=source).save(files / "history")
    path.write_text("kunde;ordered_at;amount\n9;2025-03-02;2,5\n8;2025-03-02;0,5\n")
    store = fs.SubTreeFileSystem(str(files), fs.LocalFileSystem())
    grown = oc.OrderHistory.open(files / "history").append(
        "kunden.csv", source=source, filesystem=store
    )
    assert (grown.summary().rows, grown.summary().left_out, grown.summary().customers) == (4, 2, 2)
    for other, message in (
        ({"only": "amount > 2"}, r"only='amount > 2' is not what the history was built with"),
        ({"columns": {"customer": "id"}}, "names other columns than the history"),
        ({"timezone": "Europe/Madrid"}, "timezone='Europe/Madrid' is not what"),
        ({"nobody": ["x"]}, "nobody="),
    ):
        with pytest.raises(oc.ConfigError, match=message):
            history.append(path, source=oc.source_from_dict(other))


@pytest.mark.parametrize(
    ("written", "warns"),
    [
        ("2025-03-01T10:00:00-04:00", True),
        ("2025-03-01 10:00:00+0530", True),
        ("2025-03-01T10:00+01", True),
        ("2025-03-01T10:00:00+00:30", True),
        ("2025-03-01T10:00:00Z", False),
        ("2025-03-01T10:00:00+00:00", False),
        ("2025-03-01T10:00:00", False),
        ("2025-03-01", False),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "ndjson", "xlsx", "-"])
def test_offsets_where_no_zone_was_given(files, monkeypatch, written, warns, ending):
    import gzip
    import io
    import sys

    import openpyxl

    path = files / f"times.{ending}"
    text = CSV.replace("2025-03-01", written)
    if ending == "ndjson":
        path.write_text(JSON.replace("2025-03-01", written))
    elif ending == "xlsx":
        book = openpyxl.Workbook()
        for row in (TABLE.column_names, [7, written, 1.5]):
            book.active.append(row)
        book.save(path)
    elif ending == "csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)

    def build(**options):
        if ending != "-":
            return oc.OrderHistory.build(path, **options)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return oc.OrderHistory.build("-", **options)

    for options in ({}, {"timezone": "UTC"}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert build(**options).summary().rows == 1
        found = ["ordered_at has offsets from UTC" in str(one.message) for one in caught]
        assert any(found) == (warns and not options)


def test_the_second_of_two_columns_is_read_by_a_query(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "it's two.csv"
    path.write_text("OrderID,customer_id,ordered_at,amount,OrderID\n1,7,2025-03-01,1,9\n")
    columns = oc.Columns(order="OrderID")
    with pytest.raises(oc.ColumnError, match="2 columns named 'OrderID'") as raised:
        oc.OrderHistory.build(path, columns=columns)
    assert raised.value.column == "OrderID"
    query = raised.value.remedy.partition("duckdb.sql(")[2].rpartition("),")[0]
    rows = duckdb.sql(eval(query))  # noqa: S307 - the words of our own message
    assert rows.columns[-1] == "OrderID_1"
    assert f"the second is {rows.columns[-1]!r}" in raised.value.remedy
    history = oc.OrderHistory.build(rows, columns=oc.Columns(order="OrderID_1"))
    assert history.summary().orders == 1
    flags = rendered(raised.value, lambda option: f"<{option.name} {option.value}>")
    assert "<sql select * from read_csv('" in flags
