"""Files in the place of frames: read by the tasks, with the bits of frames and of one machine."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv, ipc, parquet
from support import buyers
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._engines import file_frames, spark_engine
from ordercycle.engines import spark


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    """Make several tasks of small files."""
    monkeypatch.setattr(file_frames, "TASK_BYTES", 20_000)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of orders in five Parquet files, some of several row groups."""
    orders, _ = tables()
    for number, start in enumerate(range(0, orders.num_rows, orders.num_rows // 5 + 1)):
        rows = orders.slice(start, orders.num_rows // 5 + 1)
        size = 200 if number % 2 else None
        parquet.write_table(rows, tmp_path / f"orders-{number}.parquet", row_group_size=size)
    return tmp_path


@pytest.mark.parametrize("few", [0, 2**16])
def test_files_and_frames_give_the_same_bits(session, folder, monkeypatch, few):
    """Whether the pieces of files travel as rows, or within the function of all tasks."""
    monkeypatch.setattr(spark_engine, "FEW_BYTES", few)
    orders, customers = tables()
    expected = oc.OrderHistory.build(orders, customers, columns=COLUMNS).profile(AS_OF)
    listed = folder / "listed" / "customers.arrow"
    listed.parent.mkdir()
    with ipc.new_file(listed, customers.schema) as writer:
        writer.write_table(customers, max_chunksize=50)
    files = str(folder / "*.parquet")
    frame = session.read.parquet(files)
    for there in (
        (files, str(listed)),
        (frame, listed),
        ([files], session.createDataFrame(customers)),
    ):
        found = spark.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=3)
        assert_same_bits(found.toArrow(), expected)


def test_everything_else_takes_files_as_well(session, folder):  # noqa: ARG001 - the active one
    orders, _ = tables()
    history = oc.OrderHistory.build(orders, columns=COLUMNS)
    options = {"columns": COLUMNS, "partitions": 2}
    profiles = spark.profile(folder, as_of=AS_OF, **options)
    rfm = oc.Rfm(where="orders > 1").fit(history.profile(AS_OF))
    assert spark.fit(profiles, oc.Rfm(where="orders > 1")) == rfm
    assert spark.fit_lifecycle(folder, as_of=AS_OF, **options) == oc.Lifecycle().fit(history, AS_OF)
    period = {"period": ("2025-01", "2025-03"), "as_of": "2025-03-31"}
    report = spark.segment_report(folder, oc.Lifecycle(), **period, **options)
    expected = oc.SegmentReport.build(history, oc.Lifecycle().membership(history), **period)
    assert report.comparison().equals(expected.comparison())


def test_models_of_value_and_their_lists(session, tmp_path):  # noqa: ARG001 - the active one
    orders = buyers.orders(150)
    for number, start in enumerate(range(0, orders.num_rows, 300)):
        parquet.write_table(orders.slice(start, 300), tmp_path / f"orders-{number}.parquet")
    table = oc.OrderHistory.build(orders).profile(buyers.AS_OF)
    profiles = spark.profile(tmp_path, as_of=buyers.AS_OF, partitions=2)
    clv = spark.fit(profiles, oc.Clv(model="mbg_nbd", horizon_days=180))
    assert clv == oc.Clv(model="mbg_nbd", horizon_days=180).fit(table)
    lists = spark.fit(profiles, oc.ValueLists(clv, top_share=0.2))
    assert lists == oc.ValueLists(clv, top_share=0.2).fit(table)
    names = ["customer_id", "p_active", "predicted_value", "clv", "value_list", "high_value"]
    found = spark.assign(profiles, lists).select(*names).toArrow()
    expected = lists.assign(table).select(names)
    plain = expected["value_list"].cast(pa.string())
    expected = expected.set_column(4, "value_list", plain)
    assert_same_bits(found, expected.replace_schema_metadata().cast(found.schema))


def test_csv_and_folders_that_name_a_column(session, tmp_path):  # noqa: ARG001
    orders = tables(pa.int64(), pa.int64(), pa.date32(), rows=600)[0]
    orders = orders.select(["customer_id", "ordered_at", "amount"]).drop_null()
    years = pc.year(orders["ordered_at"])
    for year in years.unique().to_pylist():
        place = tmp_path / f"ordered_in={year}"
        place.mkdir()
        rows = orders.filter(pc.equal(years, year))
        csv.write_csv(rows, place / "orders.csv")
    by_year = oc.Columns(amount="ordered_in")
    for columns in (oc.Columns(), by_year):
        expected = oc.OrderHistory.build(tmp_path, columns=columns).profile(AS_OF)
        assert expected["customer_id"].type == pa.int64()
        for types in ({"customer_id": "integer"}, {}):
            options = {"columns": columns, "read": oc.CsvFormat(types=types)}
            found = spark.profile(tmp_path, as_of=AS_OF, partitions=2, **options)
            if not types:  # not known before all rows are read, these ids stay text
                ids = expected["customer_id"].cast(pa.string())
                expected = expected.set_column(0, "customer_id", ids)
            assert_same_bits(found.toArrow(), expected)


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        (pa.uint8(), pa.int16()),
        (pa.uint16(), pa.int32()),
        (pa.uint32(), pa.int64()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.binary(2), pa.binary()),
    ],
    ids=str,
)
def test_ids_come_back_in_a_type_that_spark_has(session, tmp_path, kind, there):  # noqa: ARG001
    plain = pa.array([11, 12, 11, 99])
    texts = plain.cast(pa.string())
    if pa.types.is_fixed_size_binary(kind):
        ids = texts.cast(pa.binary()).cast(kind)
    elif pa.types.is_dictionary(kind):
        ids = texts.dictionary_encode().cast(kind)
    else:
        ids = plain.cast(kind) if pa.types.is_integer(kind) else texts.cast(kind)
    days = pa.array([20_000, 20_001, 20_002, 20_003], pa.int32()).cast(pa.date32())
    amount = pa.array([1, 2, 3, 4]).cast(pa.decimal128(21, 2))
    orders = pa.table({"customer_id": ids, "ordered_at": days, "amount": amount})
    with ipc.new_file(tmp_path / "orders.arrow", orders.schema) as writer:
        writer.write_table(orders)
    found = spark.profile(tmp_path, as_of=AS_OF, partitions=1).toArrow()
    expected = oc.OrderHistory.build(orders).profile(AS_OF)
    assert found["customer_id"].type == there
    assert_same_bits(
        found, expected.set_column(0, "customer_id", expected["customer_id"].cast(there))
    )


def test_no_rows_in_any_file(session, tmp_path):  # noqa: ARG001
    parquet.write_table(tables()[0].slice(0, 0), tmp_path / "none.parquet")
    found = spark.profile(tmp_path, as_of=AS_OF, columns=COLUMNS, partitions=2)
    assert found.count() == 0


def test_what_is_wrong_with_files_is_reported_at_once(session, folder, tmp_path):  # noqa: ARG001
    with pytest.raises(oc.SourceError, match="there is no file or directory"):
        spark.profile(str(tmp_path / "nowhere.parquet"), as_of=AS_OF)
    with pytest.raises(oc.SourceError, match="there is no kind of store 'foo'"):
        spark.profile("foo://shop/orders", as_of=AS_OF)
    with pytest.raises(
        oc.ColumnError, match=r"did you mean 'ordered_at'.* in '.*orders-0.parquet'"
    ):
        spark.profile(folder, as_of=AS_OF, columns=oc.Columns(time="ordred_at"))
    wide = pa.table(
        {"customer_id": pa.array([1], pa.uint64()), "ordered_at": [None], "amount": [1]}
    )
    wide = wide.set_column(1, "ordered_at", pa.array([0], pa.int32()).cast(pa.date32()))
    parquet.write_table(wide, tmp_path / "wide.pq")
    with pytest.raises(oc.ColumnError, match="customer_id: uint64 is no type of Spark's"):
        spark.profile(tmp_path / "wide.pq", as_of=AS_OF)


def test_bad_values_and_bad_files_are_reported_with_the_file(session, folder):  # noqa: ARG001
    from pyspark.errors import PythonException

    bad = folder / "orders-1.parquet"
    rows = parquet.read_table(bad)
    amounts = pa.array([None] * 3 + rows["amount"].to_pylist()[3:], rows["amount"].type)
    place = rows.schema.get_field_index("amount")
    parquet.write_table(rows.set_column(place, "amount", amounts), bad)

    def profiles():
        return spark.profile(folder, as_of=AS_OF, columns=COLUMNS, partitions=1)

    with pytest.raises(
        PythonException, match=r"DataError: orders: amount is null at a row of .*parquet"
    ):
        profiles().collect()
    looked_at = profiles()
    bad.write_bytes(bad.read_bytes()[:1000])
    with pytest.raises(
        PythonException, match=r"SourceError: orders: '.*orders-1.parquet' was written again"
    ):
        looked_at.collect()


@pytest.mark.parametrize("kept_as", ["INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"])
def test_instants_that_spark_writes_are_read_as_spark_reads_them(session, tmp_path, kept_as):
    """Half past ten in the evening in UTC is the day after in Madrid, whoever reads it."""
    session.conf.set("spark.sql.parquet.outputTimestampType", kept_as)
    try:
        rows = session.sql(
            "select 7.0D as customer_id, timestamp '2025-05-17 22:30:00 UTC' as ordered_at, "
            "1.0D as amount"
        )
        rows.coalesce(1).write.parquet(str(tmp_path / "orders"))
    finally:
        session.conf.unset("spark.sql.parquet.outputTimestampType")
    (file,) = (tmp_path / "orders").glob("*.parquet")
    columns, zone = oc.Columns(registered=None), "Europe/Madrid"
    here = oc.OrderHistory.build(file, columns=columns, timezone=zone).profile("2025-06-01")
    assert here["customer_id"].to_pylist() == [7]
    assert str(here["first_order_on"][0]) == "2025-05-18"
    for there in (session.read.parquet(str(file)), str(file)):
        found = spark.profile(there, as_of="2025-06-01", columns=columns, timezone=zone).first()
        assert (found["customer_id"], str(found["first_order_on"])) == (7, "2025-05-18")
