"""Sources, types and options at their edges: what is refused says why, what is taken is right."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.sources import Stream

import ordercycle as oc

DAY = date(2025, 3, 1)


def orders(ids, **columns):
    count = len(ids)
    return pa.table(
        {"customer_id": ids, "ordered_at": [DAY] * count, "amount": [1.0] * count, **columns}
    )


def customers(ids):
    return pa.table({"customer_id": ids, "registered_at": pa.array([DAY] * len(ids), pa.date32())})


def profiled(orders_table, customers_table=None, **options):
    history = oc.OrderHistory.build(orders_table, customers_table, **options)
    return history.profile(DAY)["customer_id"]


@pytest.mark.parametrize(
    ("of_orders", "of_customers", "common"),
    [
        (pa.array([7], pa.int32()), pa.array([2**32 + 7], pa.int64()), pa.int64()),
        (pa.array([1, 44], pa.uint8()), pa.array([300], pa.int64()), pa.int64()),
        (pa.array([2**32 - 1], pa.uint32()), pa.array([-1], pa.int32()), pa.int64()),
        (pa.array([1], pa.uint64()), pa.array([2], pa.uint8()), pa.uint64()),
        (pa.array(["a"], pa.string()), pa.array(["b"], pa.string_view()), pa.large_string()),
        (pa.array([b"12345678"], pa.binary(8)), pa.array([b"1" * 20]), pa.large_binary()),
        (
            pa.array([b"12345678"], pa.binary(8)),
            pa.array([b"1234"], pa.binary(4)),
            pa.large_binary(),
        ),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"]), pa.string()),
    ],
)
def test_ids_of_both_tables_keep_their_values(of_orders, of_customers, common):
    found = profiled(orders(of_orders), customers(of_customers))
    assert found.type == common
    assert sorted(found.to_pylist()) == sorted(of_orders.to_pylist() + of_customers.to_pylist())


@pytest.mark.parametrize(
    ("of_orders", "of_customers"),
    [
        (pa.array([1]), pa.array(["1"])),
        (pa.array([1], pa.uint64()), pa.array([1], pa.int64())),
        (pa.array(["a"]), pa.array([b"a"])),
    ],
)
def test_ids_without_a_common_type_are_refused(of_orders, of_customers):
    with pytest.raises(oc.ColumnError, match=r"in orders, and customer_id is .* in customers"):
        oc.OrderHistory.build(orders(of_orders), customers(of_customers))


@pytest.mark.parametrize("values", [pa.string_view(), pa.large_string(), pa.int16(), pa.uuid()])
@pytest.mark.parametrize("with_null", [False, True])
def test_dictionaries_of_every_kind_of_value(values, with_null):
    plain = [b"a" * 16, b"b" * 16] if values == pa.uuid() else ["a", "b"]
    plain = [1, 2] if values == pa.int16() else plain
    stored = pa.array(plain + [None] * with_null, pa.binary(16) if values == pa.uuid() else values)
    if values == pa.uuid():
        stored = pa.ExtensionArray.from_storage(values, stored)
    codes = pa.array([0, 1, 1, None] + [2] * with_null, pa.uint8())
    ids = pa.DictionaryArray.from_arrays(codes, stored)
    history = oc.OrderHistory.build(orders(ids))
    assert history.summary().anonymous == 1 + with_null
    found = history.profile(DAY)["customer_id"]
    value_type = pa.large_string() if values == pa.string_view() else values
    assert found.type == pa.dictionary(pa.uint8(), value_type)
    assert len(set(map(str, found.to_pylist()))) == 2


def test_polars_categories_and_frames_with_columns_that_arrow_cannot_hold():
    frame = pl.DataFrame(
        {"customer_id": ["a", "b"], "ordered_at": [DAY] * 2, "amount": [1.0, 2.0]},
        schema_overrides={"customer_id": pl.Categorical},
    )
    assert sorted(profiled(frame).to_pylist()) == ["a", "b"]
    wide = pd.DataFrame(
        {"note": [1, "x"], "customer_id": [1, 2], "ordered_at": [DAY] * 2, "amount": [1.0, 2.0]}
    )
    assert sorted(profiled(wide).to_pylist()) == [1, 2]


def test_columns_of_nothing_but_nulls():
    nothing = pa.nulls(2)
    known = pa.array([1, 2])
    with pytest.raises(oc.DataError, match="ordered_at is null at row 0"):
        profiled(orders(known).set_column(1, "ordered_at", nothing))
    with pytest.raises(oc.DataError, match="amount is null at row 0"):
        profiled(orders(known).set_column(2, "amount", nothing))
    assert len(profiled(orders(nothing))) == 0
    unregistered = customers(known).set_column(1, "registered_at", nothing)
    assert profiled(orders(known), unregistered).to_pylist() == profiled(orders(known)).to_pylist()
    empty = orders(known).slice(0, 0)
    for place, name in enumerate(empty.column_names):
        assert len(profiled(empty.set_column(place, name, pa.nulls(0)))) == 0


def test_files_that_cannot_be_read(tmp_path):
    good, cut = tmp_path / "good.parquet", tmp_path / "cut.parquet"
    pq.write_table(orders(pa.array([1, 2])), good)
    cut.write_bytes(good.read_bytes()[:-40])
    for source in (cut, [good, cut], [cut, good]):
        with pytest.raises(oc.SourceError, match="orders"):
            oc.OrderHistory.build(source)
    pq.write_table(orders(pa.array(range(5000))), good, compression="snappy")
    damaged = bytearray(good.read_bytes())
    damaged[100:2000] = b"\xff" * 1900
    good.write_bytes(damaged)
    with pytest.raises(oc.SourceError, match="cannot be read"):
        oc.OrderHistory.build(good)
    with pytest.raises(oc.SourceError, match="cannot be read"):
        oc.OrderHistory.build(pl.Series("customer_id", [1, 2]))
    with pytest.raises(oc.SourceError, match="no file matches"):
        oc.OrderHistory.build(str(tmp_path / "*.csv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(oc.SourceError, match="holds no file"):
        oc.OrderHistory.build(tmp_path / "empty")
    with pytest.raises(oc.SourceError, match="no file or directory"):
        oc.OrderHistory.build(Path("nowhere.parquet"))
    with pytest.raises(oc.SourceError, match=r"LazyFrame.*collect"):
        oc.OrderHistory.build(pl.LazyFrame({"customer_id": [1]}))


def test_a_reader_is_spent_by_reading_only():
    table = orders(pa.array([1, 2]))
    reader = table.to_reader()
    with pytest.raises(oc.ColumnError, match="did you mean 'amount'"):
        oc.OrderHistory.build(reader, columns=oc.Columns(amount="amuont"))
    assert len(profiled(reader)) == 2
    with pytest.raises(oc.SourceError, match="read before"):
        oc.OrderHistory.build(reader)
    with pytest.raises(oc.SourceError, match="no record batch"):
        oc.OrderHistory.build(iter(()))


def test_sums_of_decimal_lines_may_need_more_digits_than_the_lines():
    amount = pa.array(["9999999999999999.99"] * 20).cast(pa.decimal128(18, 2))
    lines = pa.table(
        {"customer_id": [1] * 20, "ordered_at": [DAY] * 20, "amount": amount, "order": [5] * 20}
    )
    history = oc.OrderHistory.build(lines, columns=oc.Columns(order="order"))
    (row,) = history.profile(DAY).to_pylist()
    assert str(row["revenue"]) == "199999999999999999.80"
    assert row["orders"] == 1


@pytest.mark.parametrize("window", [0, -1, True, 1.5, "7"])
def test_a_window_is_a_positive_number_of_days(window):
    history = oc.OrderHistory.build(orders(pa.array([1])))
    with pytest.raises(oc.ConfigError, match="window_days"):
        history.profile(DAY, window_days=window)


def test_windows_of_any_length_and_integers_of_any_kind():
    history = oc.OrderHistory.build(orders(pa.array([1])), threads=np.int64(1))
    for window in (2**70, np.int32(1)):
        windowed = history.profile(DAY, window_days=window)
        assert windowed.drop_columns("window_days").equals(history.profile(DAY))
    assert repr(oc.Lifecycle(new_days=np.int64(5))) == repr(oc.Lifecycle(new_days=5))


@pytest.mark.parametrize("day", [datetime(2025, 3, 1), "2025-3-1", 20_000, None, "1800-01-01"])  # noqa: DTZ001
def test_a_day_is_a_day(day):
    with pytest.raises(oc.ConfigError, match="as_of"):
        oc.OrderHistory.build(orders(pa.array([1]))).profile(day)


def lifecycle_inputs(registered, last_order, count):
    return pa.table(
        {
            "days_since_registration": pa.array(registered, pa.int32()),
            "days_since_last_order": pa.array(last_order, pa.int32()),
            "orders": pa.array(count, pa.int64()),
        }
    )


@pytest.mark.parametrize(
    ("registered", "last_order", "count", "message"),
    [
        ([1, None], [1, 1], [1, 1], "days_since_registration is null at row 1"),
        ([1, 1], [1, 1], [1, None], "orders is null or negative at row 1"),
        ([1, 1], [1, 1], [-3, 1], "orders is null or negative at row 0"),
        (
            [1, 1],
            [1, None],
            [0, 3],
            "days_since_last_order is null though there are orders at row 1",
        ),
    ],
)
def test_segments_need_values_to_be_decided(registered, last_order, count, message):
    with pytest.raises(oc.DataError, match=message):
        oc.Lifecycle().assign(lifecycle_inputs(registered, last_order, count))


def test_segments_of_chunks_that_do_not_line_up():
    whole = lifecycle_inputs([100] * 5, [1, None, 200, 300, 1], [1, 0, 2, 3, 9])
    ragged = pa.table(
        {
            name: pa.chunked_array([whole[name].chunk(0)[:cut], whole[name].chunk(0)[cut:]])
            for cut, name in enumerate(whole.column_names, start=1)
        }
    )
    names = oc.Lifecycle().assign(whole)["lifecycle"].to_pylist()
    assert names == ["Promising", "Inactive (no orders)", "At-risk", "Churned", "Loyal"]
    assert oc.Lifecycle().assign(ragged)["lifecycle"].to_pylist() == names
    assert oc.Lifecycle().assign(ragged.slice(1, 3))["lifecycle"].to_pylist() == names[1:4]
    assert len(oc.Lifecycle().assign(whole.slice(0, 0))) == 0


@pytest.mark.parametrize("name", ["amount", "amount in €"])
def test_streams_without_any_batch_have_no_rows(name):
    """Streams say what columns they have; one whose columns decide more is begun for that."""
    schema = pa.schema(
        [("customer_id", pa.string()), ("ordered_at", pa.date32()), (name, pa.int64())]
    )
    stream = Stream(pa.Table.from_batches([], schema))
    assert oc.OrderHistory.build(stream, columns=oc.Columns(amount=name)).summary().rows == 0
