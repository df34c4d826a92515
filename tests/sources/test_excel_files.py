"""Excel: cells for what they are, rows by the numbers that the sheet shows."""

import sys
from datetime import date, datetime

import pytest
from support.order_files import AS_OF

import ordercycle as oc
from ordercycle._columns import Columns
from ordercycle._history.options import BuildOptions
from ordercycle._sources.opening import open_source

HEADER = ["customer_id", "ordered_at", "amount"]
DAY = datetime(2025, 3, 1)  # noqa: DTZ001 - cells have no zone


def put(path, sheets):
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows_of(path, columns=None, read=None):
    source = open_source(
        path, BuildOptions(columns=columns or Columns(), read=read).orders_request, 1
    )
    return [row for batch in source.batches for row in batch.to_pylist()]


def test_f7_cells_are_what_they_are(tmp_path):
    rows = [HEADER, [17850, DAY, 15], [None, DAY, 2.5], [None, None, None], [13047, DAY, 1]]
    path = put(tmp_path / "a.xlsx", {"Orders": rows})
    history = oc.OrderHistory.build(path)
    assert history.summary().anonymous == 1
    found = history.profile(AS_OF).sort_by("customer_id")
    assert found["customer_id"].to_pylist() == [13047, 17850]
    assert found["revenue"].to_pylist() == [1, 15]
    assert rows_of(path)[0]["ordered_at"] in (DAY, date(2025, 3, 1))


def test_ids_of_text_stay_text_and_order_ids_may_be_both(tmp_path):
    header = [*HEADER, "order"]
    rows = [header, ["007", DAY, 1, 536365], ["7", DAY, -1, "C536379"]]
    path = put(tmp_path / "a.xlsx", {"Orders": rows})
    assert [row["customer_id"] for row in rows_of(path)] == ["007", "7"]
    orders = rows_of(path, Columns(order="order"))
    assert [row["order"] for row in orders] == ["536365", "C536379"]
    mixed = put(tmp_path / "a.xlsx", {"Orders": [HEADER, [7, DAY, 1], ["7", DAY, 1]]})
    with pytest.raises(oc.ColumnError, match=r"customer_id in row 3 of .* is '7'") as raised:
        oc.OrderHistory.build(mixed)
    assert (raised.value.column, raised.value.row) == ("customer_id", 3)


def test_times_that_are_text(tmp_path):
    path = put(tmp_path / "a.xlsx", {"Orders": [HEADER, [1, "2025-03-01", "12.5"]]})
    assert rows_of(path) == [{"customer_id": 1, "ordered_at": date(2025, 3, 1), "amount": 12.5}]
    put(path, {"Orders": [HEADER, [1, "13/11/2017", 1]]})
    with pytest.raises(oc.ColumnError, match=r"ordered_at in row 2 of .* is '13/11/2017'"):
        rows_of(path)
    put(path, {"Orders": [HEADER, [1, DAY, 1], [1, "13/11/2017", 1]]})
    with pytest.raises(oc.ColumnError, match=r"ordered_at in row 3 of .* is '13/11/2017'"):
        rows_of(path)


def test_which_sheet_and_which_row_has_the_header(tmp_path):
    rows = [["Report of May"], [], HEADER, [5, DAY, 1], [6, None, 1]]
    path = put(tmp_path / "a.xlsx", {"Notes": [["x"]], "Orders": rows})
    with pytest.raises(oc.SourceError, match=r"has 2 sheets: 'Notes', 'Orders'; say which .*sheet"):
        rows_of(path)
    with pytest.raises(oc.SourceError, match=r"no sheet 'Order' \(did you mean 'Orders'\?\)"):
        rows_of(path, read=oc.ExcelSheet(sheet="Order"))
    read = oc.ExcelSheet(sheet="Orders", skip_rows=2)
    assert [row["customer_id"] for row in rows_of(path, read=read)] == [5, 6]
    with pytest.raises(oc.DataError, match="ordered_at is null at row 5 of") as raised:
        oc.OrderHistory.build(path, read=read)
    assert raised.value.row == 5
    with pytest.raises(oc.SourceError, match="no header in row 2"):
        rows_of(path, read=oc.ExcelSheet(sheet="Orders", skip_rows=1))
    with pytest.raises(oc.SourceError, match="no header in row 10"):
        rows_of(path, read=oc.ExcelSheet(sheet="Orders", skip_rows=9))


def test_a_workbook_without_rows_and_one_that_is_none(tmp_path):
    path = put(tmp_path / "a.xlsx", {"Orders": [HEADER]})
    assert oc.OrderHistory.build(path).summary().rows == 0
    path.write_bytes(b"PK\3\4 nothing")
    with pytest.raises(oc.SourceError, match="cannot be read"):
        rows_of(path)


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    path = put(tmp_path / "a.xlsx", {"Orders": [HEADER]})
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(oc.SourceError, match=r"pip install 'ordercycle\[excel\]'"):
        rows_of(path)


def test_days_since_1904_and_cells_that_are_no_values(tmp_path):
    import datetime as dt

    import openpyxl
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (HEADER, [7, DAY, 1], [8, DAY, "#N/A"], [9, DAY, "=1+1"]):
        book.active.append(row)
    book.active["C3"].data_type = "e"
    path = tmp_path / "a.xlsx"
    book.save(path)
    found = rows_of(path)
    assert [row["ordered_at"] for row in found] == [date(2025, 3, 1)] * 3
    # An error, and a formula that nothing has computed, are no values; neither is passed over.
    assert [row["amount"] for row in found] == [1, None, None]
    with pytest.raises(oc.DataError, match="amount is null at row 3 of") as raised:
        oc.OrderHistory.build(path)
    assert (raised.value.row, raised.value.count) == (3, 2)
    for wrong in (dt.time(10), 45_000, True, dt.timedelta(days=2)):
        put(path, {"Orders": [HEADER, [7, DAY, 1], [8, wrong, 1]]})
        with pytest.raises(oc.ColumnError, match=r"ordered_at in row 3 of .*a\.xlsx"):
            rows_of(path)


def test_cells_of_rows_that_do_not_count_are_not_read(tmp_path):
    rows = [HEADER, ["a", DAY, 1.5], ["x", "nodate", "free"], ["b", DAY, 2]]
    path = put(tmp_path / "a.xlsx", {"Orders": rows})
    history = oc.OrderHistory.build(path, only="customer_id != 'x'")
    assert history.profile(AS_OF)["revenue"].to_pylist() in ([1.5, 2], [2, 1.5])
    with pytest.raises(oc.ColumnError, match=r"in row [34] "):
        oc.OrderHistory.build(path, only="customer_id != 'a'")


SPACES = "\u00a0\u00a0"  # of others, some writers of sheets keep none


@pytest.mark.parametrize("ending", ["xlsx", "csv", "ndjson"])
def test_spaces_are_an_id_in_all_sources(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "xlsx":
        put(path, {"Orders": [HEADER, ["a", DAY, 1], [SPACES, DAY, 2], ["", DAY, 3]]})
    elif ending == "csv":
        rows = [",".join(HEADER), "a,2025-03-01,1", f"{SPACES},2025-03-01,2", ",2025-03-01,3", ""]
        path.write_text("\n".join(rows), "utf-8")
    else:
        row = '{"customer_id": "%s", "ordered_at": "2025-03-01", "amount": 1}\n'
        path.write_text("".join(row % one for one in ("a", SPACES, "")), "utf-8")
    history = oc.OrderHistory.build(path)
    assert set(history.profile(AS_OF)["customer_id"].to_pylist()) == {"a", SPACES}
    assert history.summary().anonymous == 1
    assert oc.OrderHistory.build(path, nobody=[SPACES]).summary().nobody == 1
