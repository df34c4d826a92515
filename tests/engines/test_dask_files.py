"""Files in the place of Dask frames: read by the tasks, with the bits of one machine."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import ipc, parquet
from support import buyers
from support.dask_shops import computed, local
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._engines import file_frames
from ordercycle.engines import dask


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.dictionary(pa.int16(), pa.string())])
@pytest.mark.parametrize("on", ["threads", "processes"])
def test_files_give_the_bits_of_one_machine(tmp_path, kind, on, request, monkeypatch):
    monkeypatch.setattr(file_frames, "TASK_BYTES", 2_000)
    orders, customers = tables(kind)
    for number, start in enumerate(range(0, orders.num_rows, 300)):
        parquet.write_table(orders.slice(start, 300), tmp_path / f"orders-{number}.parquet")
    listed = tmp_path / "customers.arrow"
    with ipc.new_file(listed, customers.schema) as writer:
        writer.write_table(customers)
    if on == "processes":
        request.getfixturevalue("cluster")
    files = str(tmp_path / "*.parquet")
    profiles = dask.profile(files, [listed], as_of=AS_OF, columns=COLUMNS, partitions=3)
    found = computed(profiles, **({"scheduler": "threads"} if on == "threads" else {}))
    plain = pa.string() if pa.types.is_dictionary(kind) else kind
    expected = local(orders, customers).profile(AS_OF)
    expected = expected.set_column(0, "customer_id", expected["customer_id"].cast(plain))
    assert_same_bits(found, expected)


def test_models_of_value_and_their_lists(tmp_path):
    orders = buyers.orders(150)
    for number, start in enumerate(range(0, orders.num_rows, 300)):
        parquet.write_table(orders.slice(start, 300), tmp_path / f"orders-{number}.parquet")
    table = oc.OrderHistory.build(orders).profile(buyers.AS_OF)
    files = str(tmp_path / "*.parquet")
    profiles = dask.profile(files, as_of=buyers.AS_OF, partitions=2)
    lists = dask.fit(profiles, oc.ValueLists(oc.Clv(model="mbg_nbd"), top_share=0.2))
    assert lists == oc.ValueLists(oc.Clv(model="mbg_nbd"), top_share=0.2).fit(table)
    names = ["customer_id", "p_alive", "expected_orders", "clv", "high_value"]
    found = computed(dask.assign(profiles, lists)[names], scheduler="sync")
    assert_same_bits(found, lists.assign(table).select(names))


def test_integers_with_missing_values_stay_integers(tmp_path):
    """Dask's own reader would make floats of them."""
    large = 2**60 + 1
    days = pa.array([20_000] * 3, pa.int32()).cast(pa.date32())
    orders = pa.table(
        {"customer_id": [large, None, large], "ordered_at": days, "amount": [1, 2, 3]}
    )
    parquet.write_table(orders, tmp_path / "orders.parquet")
    found = dask.profile(tmp_path, as_of=AS_OF).compute(scheduler="sync")
    assert found[["customer_id", "orders"]].to_numpy().tolist() == [[large, 2]]
    report = dask.segment_report(tmp_path, oc.Lifecycle(), period=("2024-10", "2024-12"))
    assert report.comparison(["Revenue"]).num_rows


def test_bad_values_are_reported_with_the_file(tmp_path):
    days = pa.array([20_000], pa.int32()).cast(pa.date32())
    for number, amount in enumerate((1.0, float("nan"))):
        orders = pa.table({"customer_id": ["ann"], "ordered_at": days, "amount": [amount]})
        parquet.write_table(orders, tmp_path / f"orders-{number}.parquet")
    profiles = dask.profile(tmp_path, as_of=AS_OF, partitions=1)
    with pytest.raises(
        oc.DataError, match=r"amount is NaN .* at a row of one of 2 files, '.*-0.parq"
    ):
        profiles.compute(scheduler="sync")


def test_rows_are_compared_in_columns_behind_computed_ones(tmp_path):
    days = pa.array([20_000] * 3, pa.int32()).cast(pa.date32())
    orders = pa.table(
        {
            "customer_id": ["ann"] * 3,
            "ordered_at": days,
            "price": [1.0, 2.0, 1.0],
            "pieces": [2.0, 1.0, 2.0],
            "boxes": [[1], [1], [2]],
        }
    )
    for number in range(3):
        parquet.write_table(orders.slice(number, 1), tmp_path / f"orders-{number}.parquet")
    columns = oc.Columns(amount="price * pieces")
    for duplicates, rows in {"keep": 3, "drop": 2}.items():
        there = dask.profile(tmp_path, as_of=AS_OF, columns=columns, duplicates=duplicates)
        assert there.compute()["orders"].tolist() == [rows]
    with pytest.raises(oc.DataError, match="repeat an earlier row"):
        dask.profile(tmp_path, as_of=AS_OF, columns=columns, duplicates="error").compute()
    with pytest.raises(oc.ConfigError, match="duplicates= cannot compare boxes"):
        dask.profile(
            tmp_path, as_of=AS_OF, columns=columns, duplicates="drop",
            only=pc.list_value_length(pc.field("boxes")) > 0,
        )  # fmt: skip
