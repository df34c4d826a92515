"""JSON with an object on each line: identity, instants and lines, with Python's json as oracle."""

import gzip
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.order_files import AS_OF

import ordercycle as oc
from ordercycle._history.options import BuildOptions
from ordercycle._sources import json_lines
from ordercycle._sources.opening import open_source


def put(path, records):
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def order(customer, at="2025-03-01", amount=1.5, **more):
    return {"customer_id": customer, "ordered_at": at, "amount": amount, **more}


def ids_of(path, **options):
    history = oc.OrderHistory.build(path, **options)
    return sorted(history.profile(AS_OF)["customer_id"].to_pylist())


def rows_of(path, read=None):
    source = open_source(path, BuildOptions(read=read).orders_request, 1)
    return [row for batch in source.batches for row in batch.to_pylist()]


@given(
    customers=st.lists(st.integers(0, 2**63 - 1), max_size=20)
    | st.lists(st.text(max_size=5).map("c{}".format), max_size=20),
    amounts=st.lists(st.integers(-9, 9) | st.floats(-9, 9), min_size=20, max_size=20),
    piece=st.integers(1, 300),
    look=st.integers(1, 300),
    ending=st.sampled_from(["json", "ndjson", "jsonl", "ndjson.gz"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_values_are_those_of_json(tmp_path_factory, customers, amounts, piece, look, ending):
    records = [
        order(customer, amount=amount, note={"deep": [1, {"x": None}]})
        for customer, amount in zip(customers, amounts, strict=False)
    ]
    records = records or [order(7)]
    path = put(tmp_path_factory.mktemp("json") / f"a.{ending}", records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "PIECE_BYTES", piece)
        patch.setattr(json_lines, "LOOK_BYTES", look)
        found = sum(record["amount"] for record in records)
        assert oc.OrderHistory.build(path).summary().rows == len(records)
        patch.setattr(json_lines, "LOOK_BYTES", 10**6)
        rows = rows_of(path)
    assert [row["customer_id"] for row in rows] == [record["customer_id"] for record in records]
    assert sum(row["amount"] for row in rows) == found


def test_text_stays_text_and_numbers_stay_exact(tmp_path):
    assert ids_of(put(tmp_path / "a.ndjson", [order("007"), order("7")])) == ["007", "7"]
    large = 2**53 + 1
    assert ids_of(put(tmp_path / "a.ndjson", [order(large), order(large + 1)])) == [
        large,
        large + 1,
    ]


@pytest.mark.parametrize("look", [10, 10**6])
@pytest.mark.parametrize("ids", [["7", 7], [7, "7"], [7, [7]], [7, {"id": 7}]])
def test_numbers_and_text_in_one_column_are_refused(tmp_path, monkeypatch, look, ids):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    path = put(tmp_path / "a.ndjson", [*[order(ids[0])] * 3, order(ids[1])])
    message = r"customer_id in line 4 of '.*a\.ndjson' (is|holds).*as numbers, or as strings"
    with pytest.raises(oc.ColumnError, match=message) as raised:
        oc.OrderHistory.build(path)
    assert (raised.value.column, raised.value.row) == ("customer_id", 4)
    put(tmp_path / "a.ndjson", [order(7)])
    put(tmp_path / "b.ndjson", [order("7")])
    with pytest.raises(oc.ColumnError, match=r"b\.ndjson"):
        oc.OrderHistory.build(tmp_path)


def test_times_keep_their_offsets(tmp_path):
    path = put(tmp_path / "a.json", [order(1, "2024-05-02T23:58:00-04:00")])
    assert rows_of(path)[0]["ordered_at"] == datetime(2024, 5, 3, 3, 58, tzinfo=UTC)
    assert rows_of(put(path, [order(1)]))[0]["ordered_at"] == date(2025, 3, 1)
    with pytest.raises(oc.ColumnError, match=r"ordered_at in line 2 of .* is '01/02/2026'"):
        rows_of(put(path, [order(1), order(1, "01/02/2026")]))
    with pytest.raises(oc.ColumnError, match="with an offset and times without"):
        rows_of(put(path, [order(1), order(1, "2025-03-01T10:00:00Z")]))


@pytest.mark.parametrize("look", [10, 10**6])
def test_columns_are_read_again_in_wider_types(tmp_path, monkeypatch, look):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    records = [
        order(None, None, 1),
        order(5, "2025-03-01", 2),
        order(6, "2025-03-01T10:00:00", 2.5),
        {"customer_id": 5, "ordered_at": "2025-03-02", "amount": 3, "extra": 1},
    ]
    path = put(tmp_path / "a.ndjson", records)
    history = oc.OrderHistory.build(path)
    assert history.summary().anonymous == 1
    found = history.profile(AS_OF).sort_by("customer_id")
    assert found["customer_id"].to_pylist() == [5, 6]
    assert found["revenue"].to_pylist() == [5, 2.5]


def test_amounts_may_be_strings(tmp_path):
    path = put(tmp_path / "a.ndjson", [order(1, amount="12.50"), order(1, amount="3")])
    assert [row["amount"] for row in rows_of(path)] == [12.5, 3]


@pytest.mark.parametrize("look", [10, 10**6])
def test_empty_strings_are_no_times_and_no_numbers(tmp_path, monkeypatch, look):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    path = put(tmp_path / "a.ndjson", [order(1), order(2, "")])
    assert [row["ordered_at"] for row in rows_of(path)] == [date(2025, 3, 1), None]
    with pytest.raises(oc.DataError, match=r"ordered_at is null at line 2 of .*a\.ndjson"):
        oc.OrderHistory.build(path)
    put(path, [order(1, amount="5"), order(2, amount="")])
    with pytest.raises(oc.DataError, match=r"amount is null at line 2 of .*a\.ndjson"):
        oc.OrderHistory.build(path)
    customers = [(1, None), (2, ""), (3, "2025-01-02"), (4, "")]
    listed = [{"customer_id": one, "registered_at": at} for one, at in customers]
    history = oc.OrderHistory.build(
        put(path, [order(1)]), put(tmp_path / "customers.ndjson", listed)
    )
    assert history.profile(AS_OF).sort_by("customer_id")["registered_on"].to_pylist() == [
        date(2025, 3, 1),
        date(2025, 1, 2),
    ]


@pytest.mark.parametrize("look", [10, 10**6])
@pytest.mark.parametrize("value", ["0x1F", "x", "1,5"])
def test_strings_that_are_no_amounts_are_named_wherever_they_are(
    tmp_path, monkeypatch, look, value
):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    path = put(tmp_path / "a.ndjson", [order(1, amount="5"), order(2, amount=value)])
    with pytest.raises(oc.ColumnError, match=rf"amount in line 2 of .* is '{value}'"):
        oc.OrderHistory.build(path)
    put(path, [order(1, amount="5"), order(2, amount="1.5")])
    revenue = oc.OrderHistory.build(path).profile(AS_OF).sort_by("customer_id")["revenue"]
    assert revenue.to_pylist() == [5, 1.5]


@pytest.mark.parametrize("look", [10, 10**6])
def test_ids_behind_missing_ones_are_text_where_they_are_strings(tmp_path, monkeypatch, look):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    path = put(tmp_path / "a.ndjson", [order(None), order("7"), order("007")])
    assert ids_of(path) == ["007", "7"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}]\n', r"line 1 .* is no JSON object: '\[\{\"a\": 1\}\]'; .*jq -c"),
        ('{"a": 1}\n\n{"a": \n', r"line 3 .* is no JSON object"),
        ("7\n", "line 1 .* is no JSON object"),
        ('{\n"a": 1}\n', "line 1 .* is no JSON object: '{'; write one object on each line"),
        ('{"a": ' * 100_000 + "\n", "line 1 .* is no JSON object"),
    ],
)
def test_lines_that_are_no_objects(tmp_path, text, message):
    path = tmp_path / "a.ndjson"
    path.write_text(text)
    with pytest.raises(oc.SourceError, match=message):
        oc.OrderHistory.build(path)


def test_rows_are_named_by_their_line_and_missing_columns_by_name(tmp_path):
    path = tmp_path / "a.ndjson"
    lines = [json.dumps(order(1)), "", json.dumps(order(1, amount=None))]
    path.write_text("\n".join(lines))
    with pytest.raises(oc.DataError, match="amount is null at line 3 of") as raised:
        oc.OrderHistory.build(path)
    assert raised.value.row == 3
    with pytest.raises(oc.ColumnError, match="no column 'amount'"):
        oc.OrderHistory.build(put(path, [{"customer_id": 1, "ordered_at": "2025-03-01"}]))


def test_other_names_are_json_where_that_is_said(tmp_path):
    path = put(tmp_path / "a.log", [order(5)])
    assert ids_of(path, read=oc.NdJson()) == [5]
    assert ids_of(tmp_path, read=oc.NdJson()) == [5]


def test_times_and_missing_values_are_described(tmp_path):
    records = [
        order("ann", "13/11/2017 10:00", "N/A"),
        order("N/A", "01/02/2018 11:30", "2.5"),
        order("bob", "-", 3),
        {"ordered_at": "01/02/2018 11:30", "amount": 4.25},
    ]
    read = oc.NdJson(time_formats=("%d/%m/%Y %H:%M",), null_values=("N/A", "-"))
    path = put(tmp_path / "a.ndjson", records)
    with pytest.raises(oc.ColumnError, match=r"amount in line 3 of .* is 3"):
        rows_of(path, read)
    records[2]["amount"] = "3"
    records[3]["amount"] = None
    put(path, records)
    found = rows_of(path, read)
    assert [row["customer_id"] for row in found] == ["ann", None, "bob", None]
    assert [row["amount"] for row in found] == [None, 2.5, 3, None]
    assert found[0]["ordered_at"] == datetime(2017, 11, 13, 10)  # noqa: DTZ001
    assert found[2]["ordered_at"] is None
    with pytest.raises(oc.ColumnError, match=r"'13/11/2017 10:00' fits NdJson\(time_formats=\("):
        rows_of(path)
    for wrong in ({"time_formats": "%d"}, {"types": {"x": "date"}}, {"null_values": "N/A"}):
        (name,) = wrong
        with pytest.raises(oc.ConfigError, match=rf"NdJson\({name}="):
            oc.NdJson(**wrong)


@pytest.mark.parametrize("look", [10, 10**6])
def test_types_take_numbers_and_strings_as_they_are_written(tmp_path, monkeypatch, look):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", look)
    path = tmp_path / "a.ndjson"
    day = '"ordered_at": "2025-03-01"'
    values = ["7", '"007"', "9007199254740993", "18446744073709551616", '"-"']
    amounts = ["0.10", '"12.30"', "-3", "1e2", "99999999999999999.99"]
    lines = [
        f'{{"customer_id": {one}, {day}, "amount": {amount}}}'
        for one, amount in zip(values, amounts, strict=True)
    ]
    path.write_text("\n".join(lines))
    types = {"customer_id": "text", "amount": "decimal(20,2)"}
    found = rows_of(path, oc.NdJson(types=types, null_values=("-",)))
    texts = ["7", "007", "9007199254740993", "18446744073709551616", None]
    assert [row["customer_id"] for row in found] == texts
    written = ["0.10", "12.30", "-3.00", "100.00", "99999999999999999.99"]
    assert [str(row["amount"]) for row in found] == written
    with pytest.raises(
        oc.ColumnError, match=r"amount in line 5 .* is '?99999.*12, ?2\)"
    ) as refused:
        rows_of(path, oc.NdJson(types={**types, "amount": "decimal(12,2)"}))
    assert (refused.value.column, refused.value.row) == ("amount", 5)
    path.write_text("\n".join(lines[2:3] * 3))  # integers alone, cast
    found = rows_of(path, oc.NdJson(types={"customer_id": "text"}))
    assert {row["customer_id"] for row in found} == {"9007199254740993"}


@pytest.mark.parametrize(("value", "fits"), [("12.0", True), ('"12"', True), ("12.5", False)])
def test_declared_integers(tmp_path, value, fits):
    path = tmp_path / "a.ndjson"
    row = '{"customer_id": %s, "ordered_at": "2025-03-01", "amount": 1}\n'
    path.write_text(row % 7 + row % value)
    read = oc.NdJson(types={"customer_id": "integer"})
    if fits:
        assert [one["customer_id"] for one in rows_of(path, read)] == [7, 12]
    else:
        with pytest.raises(oc.ColumnError, match=r"customer_id in line 2 of .* is 12\.5, which"):
            rows_of(path, read)


def test_a_history_of_decimals_takes_numbers_exactly(tmp_path):
    read = oc.NdJson(types={"amount": "decimal(12,2)"})
    history = oc.OrderHistory.build(put(tmp_path / "a.ndjson", [order(1, amount=0.1)]), read=read)
    put(tmp_path / "b.ndjson", [order(1, "2025-03-02", amount=0.2)])
    for described in (None, read):
        grown = history.append(tmp_path / "b.ndjson", read=described)
        assert str(grown.profile(AS_OF)["revenue"][0]) == "0.30"


def test_keys_that_first_come_later_and_keys_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", 10)
    records = [{"customer_id": 1, "ordered_at": "2025-03-01"}, order(1, amount=2)]
    with pytest.raises(oc.DataError, match="amount is null at line 1"):
        oc.OrderHistory.build(put(tmp_path / "a.ndjson", records))
    path = tmp_path / "b.ndjson"
    path.write_text(json.dumps(order(1)) + "\n" + json.dumps(order(2))[:-1] + ', "amount": 7}\n')
    with pytest.raises(oc.SourceError, match=r"line 2 of .* has 'amount' twice") as raised:
        oc.OrderHistory.build(path)
    assert raised.value.row == 2


@pytest.mark.parametrize("ending", ["ndjson", "ndjson.gz"])
@pytest.mark.parametrize("joint", [" ", "", ","])
def test_two_objects_in_a_line_are_no_rows(tmp_path, monkeypatch, ending, joint):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", 10)
    path = tmp_path / f"a.{ending}"
    text = "\n".join([json.dumps(order(1)), joint.join([json.dumps(order(2))] * 2), ""])
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    with pytest.raises(oc.SourceError, match=r"line 2 of .* is no JSON object"):
        oc.OrderHistory.build(path)


def test_a_list_is_known_by_its_first_byte(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(" \n[\n" + json.dumps(order(1)) + "\n]")
    with pytest.raises(oc.SourceError, match=r"is no JSON object.*jq -c '\.\[\]' does"):
        oc.OrderHistory.build(path)
    path.write_text(json.dumps([order(row) for row in range(50_000)]))
    with pytest.raises(oc.SourceError, match=r"is no JSON object.*jq -c '\.\[\]' does"):
        oc.OrderHistory.build(path)


@given(
    lines=st.lists(st.sampled_from(["", " ", "x", "long"]), min_size=1, max_size=30),
    part=st.integers(4, 90),
    search=st.integers(1, 50),
    ends=st.booleans(),
    mark=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_parts_have_each_line_once(tmp_path_factory, lines, part, search, ends, mark):
    path = tmp_path_factory.mktemp("json") / "a.ndjson"
    texts = [
        one if not one.strip() else json.dumps(order(row, note="é" * 50 * (one == "long")))
        for row, one in enumerate(lines)
    ]
    numbers = [row for row, text in enumerate(texts) if text.strip()]
    content = "\n".join(texts) + "\n" * ends
    path.write_bytes((b"\xef\xbb\xbf" * mark) + content.encode() or b" ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "PIECE_BYTES", part)
        patch.setattr(json_lines, "SEARCH_BYTES", search)
        if not numbers:
            with pytest.raises(oc.ColumnError, match="no column"):
                rows_of(path)
            return
        source = open_source(path, BuildOptions().orders_request, 2)
        found = [row["customer_id"] for batch in source.batches for row in batch.to_pylist()]
        assert found == numbers
        places = [source.place(row).number for row in range(len(found))]
        assert places == [row + 1 for row in numbers]


def test_strings_are_amounts_behind_lines_without_any(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", 200)
    lines = [order("a", amount=None)] * 50 + [order("b", amount="1.5"), order("c", amount="2")]
    history = oc.OrderHistory.build(put(tmp_path / "a.ndjson", lines), only="customer_id != 'a'")
    assert sum(history.profile(AS_OF)["revenue"].to_pylist()) == 3.5


@pytest.mark.parametrize("before", [0, 50])
def test_ids_that_are_no_utf8_are_shown_with_their_line(tmp_path, monkeypatch, before):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", 200)
    path = put(tmp_path / "a.ndjson", [order("a")] * before + [order("Q")])
    path.write_bytes(path.read_bytes().replace(b"Q", b"\xff"))
    with pytest.raises(oc.SourceError, match=f"line {before + 1} of .*a.ndjson") as caught:
        oc.OrderHistory.build(path)
    assert caught.value.row == before + 1


@pytest.mark.parametrize("before", [0, 400])  # in the first lines, and past them
@pytest.mark.parametrize("only", ["customer_id != 'x'", "state == 'paid'", "void is null"])
@pytest.mark.parametrize(
    "left_out", [{"amount": "free"}, {"ordered_at": "nodate"}, {"amount": [1]}, {"amount": None}]
)
def test_rows_that_do_not_count_are_not_read(tmp_path, monkeypatch, before, only, left_out):
    monkeypatch.setattr(json_lines, "LOOK_BYTES", 2**10)
    paid = {"state": "paid", "void": None}
    rows = [order("a", **paid)] * (before + 1)
    rows += [order("x") | {"state": "new", "void": "yes"} | left_out]
    rows += [order("b", "2025-03-02", 2.5, **paid)]
    path = put(tmp_path / "a.json", rows)
    history = oc.OrderHistory.build(path, only=only, read=oc.NdJson())
    summary = history.summary()
    assert (summary.left_out, summary.anonymous, summary.customers) == (1, 0, 2)
    assert sum(history.profile(AS_OF)["revenue"].to_pylist()) == 1.5 * (before + 1) + 2.5
    wrong = put(tmp_path / "b.json", [*rows, order("c", amount="x", **paid)])
    with pytest.raises(oc.ColumnError, match="amount in line") as caught:
        oc.OrderHistory.build(wrong, only=only, read=oc.NdJson())
    assert caught.value.row == before + 4
