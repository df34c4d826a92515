"""Files of different schemas as one table: widened, or refused by file and column."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.order_files import AS_OF, orders, profile, write

import ordercycle as oc
from ordercycle._sources.column_types import common_type


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_column_missing_in_one_file_is_no_column_of_nulls(tmp_path, position):
    paths = write(orders(30), *(tmp_path / f"{n}.parquet" for n in range(3)))
    renamed = pq.read_table(paths[position]).rename_columns(["customer_id", "ordered_at", "amuont"])
    pq.write_table(renamed, paths[position])
    with pytest.raises(
        oc.ColumnError,
        match=rf"no column 'amount' \(did you mean 'amuont'\?\) in '.*{position}\.parquet'",
    ):
        profile(paths)


WIDENED = [
    ("customer_id", pa.int32(), pa.int64()),
    ("customer_id", pa.uint32(), pa.int32()),
    ("customer_id", pa.string(), pa.large_string()),
    ("customer_id", pa.dictionary(pa.int8(), pa.string()), pa.string()),
    ("customer_id", pa.dictionary(pa.int16(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
    ("customer_id", pa.string_view(), pa.string()),
    ("customer_id", pa.binary(), pa.large_binary()),
    ("ordered_at", pa.timestamp("s"), pa.timestamp("ns")),
    ("ordered_at", pa.timestamp("ms", "UTC"), pa.timestamp("us", "Europe/Madrid")),
    ("ordered_at", pa.date32(), pa.date64()),
    ("amount", pa.float32(), pa.float64()),
    ("amount", pa.int16(), pa.int64()),
    ("amount", pa.decimal128(9, 2), pa.decimal128(20, 2)),
    ("amount", pa.decimal64(9, 2), pa.decimal128(9, 3)),
    ("amount", pa.decimal128(9, 2), pa.int64()),
    ("amount", pa.int8(), pa.decimal32(5, 2)),
    ("ordered_at", pa.date32(), pa.timestamp("us")),
    ("ordered_at", pa.timestamp("ns"), pa.date64()),
    ("customer_id", pa.int64(), pa.decimal128(38, 0)),
]


@pytest.mark.parametrize(("column", "left", "right"), WIDENED)
@pytest.mark.parametrize("swapped", [False, True])
def test_types_of_one_kind_are_widened(tmp_path, column, left, right, swapped):
    kinds = (right, left) if swapped else (left, right)
    table = orders(60, amount=pa.array(range(60)).cast(pa.float64()))
    wide = common_type(*kinds)
    parts = []
    for number, kind in enumerate(kinds):
        part = table.slice(number * 30, 30)
        values = part[column]
        if pa.types.is_dictionary(kind):
            values = values.cast(kind.value_type).dictionary_encode().cast(kind)
        elif column == "customer_id" and not (
            pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        ):
            values = values.cast(pa.string()).cast(kind)
        else:
            values = values.cast(kind)
        place = part.column_names.index(column)
        parts.append(part.set_column(place, column, values))
    paths = [tmp_path / "a.arrow", tmp_path / "b.arrow"]
    for path, part in zip(paths, parts, strict=True):
        with pa.ipc.new_file(path, part.schema) as writer:
            writer.write_table(part)
    place = table.column_names.index(column)
    chunks = []
    for part in parts:
        values = part[column].combine_chunks()
        if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(wide):
            values = values.dictionary_decode()
        chunks.append(values.cast(wide))
    expected = table.set_column(place, column, pa.chunked_array(chunks))
    assert profile(paths).equals(profile(expected))


REFUSED = [
    ("customer_id", pa.int64(), pa.string()),
    ("customer_id", pa.uint64(), pa.int64()),
    ("customer_id", pa.string(), pa.binary()),
    ("customer_id", pa.float64(), pa.string()),
    ("ordered_at", pa.date32(), pa.timestamp("us", "UTC")),
    ("ordered_at", pa.timestamp("us"), pa.timestamp("us", "UTC")),
    ("amount", pa.int64(), pa.float64()),
    ("amount", pa.decimal128(36, 2), pa.decimal128(30, 9)),
    ("amount", pa.decimal128(38, 20), pa.uint64()),
    ("amount", pa.decimal128(9, 2), pa.float64()),
]


@pytest.mark.parametrize(("column", "left", "right"), REFUSED)
def test_types_of_two_kinds_are_refused_by_file(tmp_path, column, left, right):
    assert common_type(left, right) is None
    assert common_type(right, left) is None
    empty = orders(0)
    place = empty.column_names.index(column)
    for path, kind in (("a", left), ("b", left), ("c", right)):
        table = empty.set_column(place, column, pa.array([], kind))
        pq.write_table(table, tmp_path / f"{path}.parquet")
    with pytest.raises(oc.ColumnError, match=rf"{column} is .* in '.*c\.parquet' but .* in '.*a\."):
        profile(tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("amount", ["12 EUR", "7 EUR"], "no amount .its first value is 12 EUR, in"),
        ("ordered_at", [2.5, 3.5], "no time .its first value is 2.5, in"),
        ("customer_id", [True, False], "customer_id is bool"),
    ],
)
def test_a_type_that_is_none_of_its_column_is_refused_by_file(tmp_path, column, values, says):
    table = orders(2)
    table = table.set_column(table.column_names.index(column), column, pa.array(values))
    for name, rows in (("a", table.slice(0, 0)), ("b", table), ("c", table)):
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    stream = oc.EventColumns(customer="customer_id", time="ordered_at", values=["amount"])
    no_number = says.replace("no amount", "no number")
    for build, expected in (
        (oc.OrderHistory.build, says),
        (lambda rows: oc.EventHistory.build(rows, columns=stream), no_number),
    ):
        with pytest.raises(oc.ColumnError, match=expected) as caught:
            build(tmp_path)
        assert "b.parquet'" in str(caught.value)
        assert caught.value.column == column
        with pytest.raises(oc.ColumnError) as in_memory:
            build(table)
        assert ", in '" not in str(in_memory.value)


def test_a_column_of_nothing_but_nulls_fits_any_type(tmp_path):
    nulls = orders(2, customer_id=pa.nulls(2))
    pq.write_table(nulls, tmp_path / "a.parquet")
    pq.write_table(orders(20), tmp_path / "b.parquet")
    history = oc.OrderHistory.build(tmp_path)
    assert history.summary().anonymous == 2
    assert history.profile(AS_OF).equals(profile(orders(20)))
