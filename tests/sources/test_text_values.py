"""Values in text files: ids, amounts and times as they are written."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.order_files import AS_OF
from support.text_files import HEADER, ids_of, put, rows_of

import ordercycle as oc
from ordercycle._sources.text import csv_files


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["007", "7"], ["007", "7"]),
        (["1", "007"], ["007", "1"]),
        (["1", "+34600111222"], ["+34600111222", "1"]),
        (["1", "123456789012345678901"], ["1", "123456789012345678901"]),
        (["1", "1e3"], ["1", "1e3"]),
        (["1", "2026-01-01"], ["1", "2026-01-01"]),
        (["1", "true"], ["1", "true"]),
        (["1", "0x1F"], ["0x1F", "1"]),
        (["1", "-5"], ["-5", "1"]),
        (["1", " 2"], [" 2", "1"]),
        (["1", "9223372036854775807"], [1, 2**63 - 1]),
        (["1", "9223372036854775808"], ["1", "9223372036854775808"]),
        (["0", "12"], [0, 12]),
        (["17850.0", "13047.0"], [13047, 17850]),
        (["17850.0", "13047"], [13047, 17850]),
        (["17850.0", "C1"], ["17850.0", "C1"]),
        (["17850.0", "1.5"], ["1.5", "17850.0"]),
        (["9007199254740993.0", "1"], ["1", "9007199254740993.0"]),
    ],
)
@pytest.mark.parametrize("where", ["first rows", "later", "another file", "customers"])
@pytest.mark.filterwarnings("ignore:customer_id is text, as:ordercycle.OrdercycleWarning")
def test_f3_customer_ids_are_integers_only_where_all_are_written_so(
    tmp_path, monkeypatch, ids, expected, where
):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 120)
    filler = f"{ids[0]},2025-03-01,5.5,\n" * (20 if where == "later" else 0)
    first, *others = [f"{one},2025-03-01,2.5,x\n" for one in ids]
    if where in ("first rows", "later"):
        put(tmp_path / "a.csv", HEADER + first + filler + "".join(others) + ",2025-03-01,1,\n")
    elif where == "another file":
        put(tmp_path / "a.csv", HEADER + first)
        put(tmp_path / "b.csv", HEADER + "".join(others))
    else:
        put(tmp_path / "a.csv", HEADER + first)
        lines = "".join(f"{one}\t2025-03-01\n" for one in ids)
        customers = put(tmp_path / "listed.tsv", "customer_id\tregistered_at\n" + lines)
        assert ids_of(tmp_path / "a.csv", customers=customers) == expected
        return
    assert ids_of(tmp_path) == expected


def test_ids_of_csv_meet_text_of_other_sources(tmp_path):
    path = put(tmp_path / "a.csv", HEADER + "7,2025-03-01,1,\n")
    days = pa.array([date(2025, 1, 1)] * 2)
    listed = pa.table({"customer_id": ["7", "008"], "registered_at": days})
    assert ids_of(path, customers=listed) == ["008", "7"]
    numbers = pa.table({"customer_id": [7, 8], "registered_at": days})
    assert ids_of(path, customers=numbers) == [7, 8]


def test_order_ids_of_csv_are_text(tmp_path):
    lines = "customer_id,ordered_at,amount,order_id\n1,2026-01-01,1,{}\n1,2026-01-02,-1,{}\n"
    put(tmp_path / "a.csv", lines.format("7", "007"))
    put(tmp_path / "b.csv", lines.format("8", "C8"))
    history = oc.OrderHistory.build(tmp_path, columns=oc.Columns(order="order_id"))
    assert history.summary().orders + history.summary().refunds == 4


def test_a_folder_named_by_an_id_keeps_it(tmp_path):
    for number in ("007", "7"):
        (tmp_path / f"customer_id={number}").mkdir()
        put(tmp_path / f"customer_id={number}" / "a.csv", "ordered_at,amount\n2025-03-01,1\n")
    assert ids_of(tmp_path) == ["007", "7"]
    as_text = oc.Columns(customer="text(customer_id)")
    assert ids_of(tmp_path, columns=as_text) == ["007", "7"]


def test_times_of_files_are_instants_in_all_or_in_none(tmp_path):
    put(tmp_path / "a.csv", HEADER + "1,2025-03-01,1,\n")
    put(tmp_path / "b.csv", HEADER + "1,2025-03-01T10:00Z,1,\n")
    with pytest.raises(oc.ColumnError, match=r"b\.csv.*; write all times with an offset"):
        oc.OrderHistory.build(tmp_path)


def test_types_say_what_ids_are(tmp_path):
    path = put(tmp_path / "a.csv", HEADER + "007,2025-03-01,1,\n+8,2025-03-01,1,\n")
    assert ids_of(path) == ["+8", "007"]
    assert ids_of(path, oc.CsvFormat(types={"customer_id": "integer"})) == [7, 8]
    numbers = put(tmp_path / "b.csv", HEADER + "1,2025-03-01,1,\n")
    assert ids_of(numbers, oc.CsvFormat(types={"customer_id": "text"})) == ["1"]
    put(path, HEADER + "007,2025-03-01,1,\nA,2025-03-01,1,\n")
    with pytest.raises(oc.ColumnError, match=r"line 3 of .* is 'A', which is no integer") as raised:
        ids_of(path, oc.CsvFormat(types={"customer_id": "integer"}))
    assert (raised.value.column, raised.value.row) == ("customer_id", 3)


def test_b3_values_that_mean_nobody(tmp_path):
    text = HEADER + 'NULL,2025-03-01,1,\n"",2025-03-01,1,\n,2025-03-01,1,\n5,2025-03-01,NA,\n'
    read = oc.CsvFormat(null_values=("NULL", "NA"))
    path = put(tmp_path / "a.csv", text)
    with pytest.raises(oc.DataError, match="amount is null at line 5 of") as raised:
        ids_of(path, read)
    assert raised.value.row == 5
    history = oc.OrderHistory.build(put(path, text.replace("NA", "1")), read=read)
    assert history.summary().anonymous == 3
    assert history.profile(AS_OF)["customer_id"].to_pylist() == [5]


numbers = st.decimals(-(10**7), 10**7, places=2)


@given(
    values=st.lists(numbers, min_size=1, max_size=8),
    marks=st.sampled_from([(".", None), (",", None), (",", "."), (".", ","), (",", "\u00a0"),
                           (".", "'"), (",", " ")]),
    declared=st.booleans(),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_f4_amounts_with_the_marks_that_are_named(tmp_path_factory, values, marks, declared):
    decimal, thousands = marks
    folder = tmp_path_factory.mktemp("marks")

    def written(value):
        text = f"{value:,.2f}" if thousands else f"{value:.2f}"
        return text.translate(str.maketrans({",": thousands, ".": decimal}))

    lines = [f'1;2025-03-01;"{written(value)}"' for value in values]
    path = put(folder / "a.csv", "customer_id;ordered_at;amount\n" + "\n".join(lines))
    types = {"amount": "decimal(12,2)"} if declared else {}
    read = oc.CsvFormat(delimiter=";", decimal=decimal, thousands=thousands, types=types)
    found = [row["amount"] for row in rows_of(path, read)]
    assert found == (values if declared else list(map(float, values)))


def test_whole_amounts_are_integers_until_one_has_a_fraction(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 120)
    lines = ["1,2025-03-01,2,"] * 30
    path = put(tmp_path / "a.csv", HEADER + "\n".join(lines))
    assert oc.OrderHistory.build(path).profile(AS_OF)["revenue"].to_pylist() == [60]
    put(path, HEADER + "\n".join([*lines, "1,2025-03-01,3.5,"]))
    profile = oc.OrderHistory.build(path).profile(AS_OF)
    assert profile["revenue"].to_pylist() == [63.5]
    assert profile.schema.field("revenue").type == pa.float64()


def test_amounts_that_are_none_show_the_value_the_line_and_what_reads_it(tmp_path):
    for value, remedy in [
        ("$15.00", r"CsvFormat\(currency='\$'\)"),
        ('"1,500.00"', r"CsvFormat\(thousands=','\)"),
        ('"15,5"', r"CsvFormat\(decimal=','\)"),
        ('"1.234,56"', r"CsvFormat\(decimal=','\) with CsvFormat\(thousands='\.'\)"),
        ('"1,500"', "say which"),
    ]:
        path = put(tmp_path / "a.csv", HEADER + f"1,2025-03-01,1,\n1,2025-03-01,{value},\n")
        shown = value.strip('"').replace("$", r"\$")
        message = rf"amount in line 3 of '.*a\.csv' is '{shown}', which is no number; .*{remedy}"
        with pytest.raises(oc.ColumnError, match=message) as raised:
            oc.OrderHistory.build(path)
        assert (raised.value.column, raised.value.row) == ("amount", 3)


def test_decimals_keep_every_digit_or_are_refused(tmp_path):
    read = oc.CsvFormat(types={"amount": "decimal(38,2)"})
    path = put(tmp_path / "a.csv", HEADER + "1,2025-03-01,123456789012345678901234567890.12,\n")
    assert rows_of(path, read)[0]["amount"] == Decimal("123456789012345678901234567890.12")
    put(path, HEADER + "1,2025-03-01,1.5,\n1,2025-03-01,1.555,\n")
    with pytest.raises(
        oc.ColumnError, match=r"line 3 of .*'1\.555', which does not fit decimal128"
    ):
        rows_of(path, read)


@pytest.mark.parametrize(
    ("texts", "formats", "expected"),
    [
        (["12/1/2010 8:26"], ("%m/%d/%Y %H:%M",), [datetime(2010, 12, 1, 8, 26)]),  # noqa: DTZ001
        (["01.12.2010", "2.12.10"], ("%d.%m.%Y", "%d.%m.%y"),
         [date(2010, 12, 1), date(2010, 12, 2)]),
        (["2021-05-17 22:30:00 UTC"], ("%Y-%m-%d %H:%M:%S UTC",),
         [datetime(2021, 5, 17, 22, 30, tzinfo=UTC)]),
        (["2021-05-17t22:30:00Z"], ("%Y-%m-%dT%H:%M:%Sz",),
         [datetime(2021, 5, 17, 22, 30, tzinfo=UTC)]),
        (["17 May 2021 22:30 GMT-0400"], ("%d %b %Y %H:%M GMT%z",),
         [datetime(2021, 5, 18, 2, 30, tzinfo=UTC)]),
        (["17/05/21 10:30 PM"], ("%d/%m/%y %I:%M %p",), [datetime(2021, 5, 17, 22, 30)]),  # noqa: DTZ001
        (["1621290600"], ("%s",), [datetime(2021, 5, 17, 22, 30, tzinfo=UTC)]),
        (["2021-05-17 22:30:00 -0400"], (), [datetime(2021, 5, 18, 2, 30, tzinfo=UTC)]),
        (["2021-05-17T22:30:00+02:00"], (), [datetime(2021, 5, 17, 20, 30, tzinfo=UTC)]),
        (["2021-05-17", "2021-05-18"], (), [date(2021, 5, 17), date(2021, 5, 18)]),
        (["2021-05-17", "2021-05-18 01:00"], (),
         [datetime(2021, 5, 17), datetime(2021, 5, 18, 1)]),  # noqa: DTZ001
        (["2021-05-17 22:30:00.123456789"], (), [datetime(2021, 5, 17, 22, 30, 0, 123456)]),  # noqa: DTZ001
    ],
)  # fmt: skip
@pytest.mark.parametrize("look", [60, 10**5])
def test_f1_times_are_read_as_they_are_written(
    tmp_path, monkeypatch, texts, formats, expected, look
):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", look)
    lines = "".join(f'1,"{text}",1,x\n' for text in texts)
    path = put(tmp_path / "a.csv", HEADER + lines)
    read = oc.CsvFormat(time_formats=formats)
    are_instants = getattr(expected[0], "tzinfo", None) is not None
    zone = {"timezone": "Europe/Madrid"} if are_instants else {}
    history = oc.OrderHistory.build(path, read=read, **zone)
    assert history.summary().orders == len(texts)
    if look > 60:
        assert [row["ordered_at"] for row in rows_of(path, read)] == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["13/11/2017"], r"'13/11/2017' fits CsvFormat\(time_formats=\('%d/%m/%Y',\)\)"),
        (["03/04/2017"], r"'03/04/2017' fits two formats, so say which: .*%d/%m/%Y.*%m/%d/%Y"),
        (["03/04/2017", "13/04/2017"], r"'03/04/2017' fits CsvFormat\(time_formats=\('%d/%m/%Y',"),
        (["2021-05-17 22:30:00 UTC"], r"fits .*%Y-%m-%d %H:%M:%S UTC"),
        (["some day"], "write the column in ISO 8601"),
        (["2026-02-30"], "write the column in ISO 8601"),
    ],
)
def test_times_that_are_none_show_the_value_the_line_and_the_format(tmp_path, values, message):
    lines = "".join(f"1,{value},1,\n" for value in values)
    path = put(tmp_path / "a.csv", HEADER + lines)
    with pytest.raises(oc.ColumnError, match=f"ordered_at in line 2 of .*{message}") as raised:
        oc.OrderHistory.build(path)
    assert (raised.value.column, raised.value.row) == ("ordered_at", 2)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("look", [60, 10**5])
def test_times_with_and_without_an_offset_are_not_mixed(tmp_path, monkeypatch, swapped, look):
    monkeypatch.setattr(csv_files, "LOOK_BYTES", look)
    lines = ["1,2025-03-01T10:00:00Z,1,\n", "1,2025-03-01T10:00:00,1,\n"]
    path = put(tmp_path / "a.csv", HEADER + "".join(reversed(lines) if swapped else lines))
    with pytest.raises(oc.ColumnError, match="with an offset and times without"):
        oc.OrderHistory.build(path)
