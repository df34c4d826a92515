"""What times without a zone are: as the caller says, or as a file's writer left it."""

import struct
import warnings
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import ordercycle as oc

#: Half past ten in the evening in UTC: the day after in Madrid.
EVENING = datetime(2025, 5, 17, 22, 30, tzinfo=UTC)
UTC_DAY, MADRID_DAY = date(2025, 5, 17), date(2025, 5, 18)
MADRID = {"timezone": "Europe/Madrid"}
NAIVE, AWARE = pa.timestamp("us"), pa.timestamp("us", "UTC")


def orders(times, kind=NAIVE):
    instants = [time.replace(tzinfo=None) if isinstance(time, datetime) else time for time in times]
    if pa.types.is_timestamp(kind):
        values = pa.array(instants, pa.timestamp(kind.unit)).cast(kind)
    else:
        values = pa.array(times, kind)
    rows = len(times)
    return pa.table({"customer_id": [1] * rows, "ordered_at": values, "amount": [1.0] * rows})


def days_of(source, customers=None, **options):
    """Return the days of the orders of the one customer there is."""
    history = oc.OrderHistory.build(source, customers, **options)
    (customer,) = (row for batch in history.to_batches() for row in batch.to_pylist())
    return [order["ordered_on"] for order in customer["orders"]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_zone_less_times_are_what_the_caller_says(unit):
    table = orders([EVENING], pa.timestamp(unit))
    assert days_of(table, times_without_zone="utc", **MADRID) == [MADRID_DAY]
    assert days_of(table, times_without_zone="local", **MADRID) == [UTC_DAY]
    assert days_of(table) == [UTC_DAY]
    assert days_of(table, times_without_zone="utc") == [UTC_DAY]
    with pytest.warns(
        oc.OrdercycleWarning,
        match=r"timezone='Europe/Madrid' has no effect: ordered_at .*times_without_zone='utc'",
    ) as caught:
        assert days_of(table, **MADRID) == [UTC_DAY]
    assert [one.filename for one in caught] == [__file__]


def test_dates_are_local_days_whatever_is_said():
    for kind in (pa.date32(), pa.date64()):
        table = orders([UTC_DAY], kind)
        assert days_of(table, times_without_zone="utc", timezone="Asia/Tokyo") == [UTC_DAY]
        assert days_of(table, times_without_zone="utc", timezone="America/Lima") == [UTC_DAY]
        with pytest.warns(oc.OrdercycleWarning, match="holds dates, which are local days"):
            assert days_of(table, **MADRID) == [UTC_DAY]


def test_a_zone_has_an_effect_on_the_instants_of_local_times_and_days():
    columns = oc.Columns(instants=True)
    midnight = datetime(2025, 5, 17, tzinfo=UTC)
    of_times, of_days = orders([midnight]), orders([UTC_DAY], pa.date32())
    for table, options in ((of_times, {}), (of_days, {"day_instants": True})):
        for zone, hours in (("Europe/Madrid", 2), ("America/New_York", -4)):
            # A warning would be an error here.
            history = oc.OrderHistory.build(table, columns=columns, timezone=zone, **options)
            (row,) = (row for batch in history.to_batches() for row in batch.to_pylist())
            (order,) = row["orders"]
            assert order["ordered_at"] == midnight - timedelta(hours=hours)


def test_times_with_a_zone_are_instants_whatever_is_said():
    for kind in (AWARE, pa.timestamp("ns", "+05:30"), pa.timestamp("s", "America/New_York")):
        for said in (None, "local", "utc"):
            found = days_of(orders([EVENING], kind), times_without_zone=said, **MADRID)
            assert found == [MADRID_DAY]


def test_registrations_are_read_in_the_same_way():
    listed = pa.table({"customer_id": [1], "registered_at": orders([EVENING])["ordered_at"]})
    later = orders([datetime(2025, 6, 1, tzinfo=UTC)])
    for said, day in (("utc", MADRID_DAY), ("local", UTC_DAY)):
        history = oc.OrderHistory.build(later, listed, times_without_zone=said, **MADRID)
        assert history.profile("2025-07-01")["registered_on"].to_pylist() == [day]
    aware = listed.set_column(1, "registered_at", listed["registered_at"].cast(AWARE))
    # The zone has something to act on.
    history = oc.OrderHistory.build(later, aware, **MADRID)
    assert history.profile("2025-07-01")["registered_on"].to_pylist() == [MADRID_DAY]


@pytest.mark.parametrize("said", ["UTC", "Local", "", 1, True, "Europe/Madrid"])
def test_what_times_are_is_one_of_two(said):
    with pytest.raises(oc.ConfigError, match="times_without_zone"):
        days_of(orders([EVENING]), times_without_zone=said)


def test_a_saved_history_keeps_what_times_are(tmp_path):
    first = orders([EVENING])
    oc.OrderHistory.build(first, times_without_zone="utc", **MADRID).save(tmp_path / "h")
    history = oc.OrderHistory.open(tmp_path / "h").append(orders([EVENING, EVENING]))
    days = history.profile("2025-06-01")
    assert days["last_order_on"].to_pylist() == days["first_order_on"].to_pylist() == [MADRID_DAY]


# --- Parquet files that do not say it ------------------------------------------------------------


def int96(path, marks=None, *, schema=False, kind=NAIVE, times=(EVENING,)):
    """Write times as INT96, with keys and values in the footer."""
    table = orders(list(times), kind)
    options = {"use_deprecated_int96_timestamps": True, "store_schema": schema}
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(marks or {})
    return path


def with_writer(path, name):
    """Have the footer name another writer, in as many bytes."""
    content = path.read_bytes()
    there = pq.ParquetFile(path).metadata.created_by.encode()
    assert content.count(there) == 1
    assert len(name) <= len(there)
    path.write_bytes(content.replace(there, name.encode().ljust(len(there))))
    return path


SPARK = {"org.apache.spark.version": "3.5.1"}
HIVE = {"writer.time.zone": "America/Los_Angeles"}
PANDAS = '{{"columns": [{{"name": "ordered_at", "pandas_type": "{}"}}]}}'


@pytest.mark.parametrize(
    ("options", "writer", "day"),
    [
        ({"marks": SPARK}, "parquet-mr version 1.13 (build)", MADRID_DAY),
        ({"marks": HIVE}, "parquet-mr version 1.10 (build)", MADRID_DAY),
        ({"schema": True, "kind": AWARE}, "", MADRID_DAY),
        ({"marks": {"pandas": PANDAS.format("datetimetz")}}, "fastparquet-python", MADRID_DAY),
    ],
    ids=["Spark", "Hive", "Arrow", "pandas"],
)
def test_instants_are_known_by_what_their_writer_left(tmp_path, options, writer, day):
    path = with_writer(int96(tmp_path / "a.parquet", **options), writer)
    for said in (None, "local", "utc"):
        assert days_of(path, times_without_zone=said, **MADRID) == [day]
    assert days_of(path) == [UTC_DAY]
    aware = tmp_path / "b.parquet"
    pq.write_table(orders([EVENING], AWARE), aware)
    assert days_of([path, aware], **MADRID) == [day, day]


@pytest.mark.parametrize(
    ("options", "writer"),
    [
        ({"schema": True}, ""),
        ({"marks": {"pandas": PANDAS.format("datetime")}}, "fastparquet-python"),
        ({}, "impala version 3.4.0 (build 1)"),
    ],
    ids=["Arrow", "pandas", "Impala"],
)
def test_local_times_are_known_by_what_their_writer_left(tmp_path, options, writer):
    path = with_writer(int96(tmp_path / "a.parquet", **options), writer)
    with pytest.warns(oc.OrdercycleWarning, match="has no effect"):
        assert days_of(path, **MADRID) == [UTC_DAY]
    assert days_of(path, times_without_zone="utc", **MADRID) == [MADRID_DAY]
    assert days_of(path, times_without_zone="local", **MADRID) == [UTC_DAY]


def test_times_of_which_nobody_says_what_they_are_are_refused_where_it_matters(tmp_path):
    path = with_writer(int96(tmp_path / "a.parquet"), "parquet-mr version 1.12 (build)")
    with pytest.raises(oc.ColumnError, match="INT96") as caught:
        days_of(path, **MADRID)
    error = caught.value
    assert error.column == "ordered_at"
    assert "parquet-mr version 1.12" in error.what
    assert error.remedy == "pass times_without_zone='utc' or times_without_zone='local'"
    assert days_of(path, times_without_zone="utc", **MADRID) == [MADRID_DAY]
    assert days_of(path, times_without_zone="local", **MADRID) == [UTC_DAY]
    assert days_of(path) == [UTC_DAY]
    damaged = with_writer(int96(tmp_path / "b.parquet", {"pandas": "[}"}), "fastparquet")
    with pytest.raises(oc.ColumnError, match="INT96"):
        days_of(damaged, **MADRID)
    # A column that is not read may be anything.
    other = pq.read_table(path).append_column("day", pa.array([UTC_DAY]))
    with pq.ParquetWriter(
        path, other.schema, use_deprecated_int96_timestamps=True, store_schema=False
    ) as writer:
        writer.write_table(other)
    columns = oc.Columns(time="day")
    assert days_of(path, columns=columns, times_without_zone="local", **MADRID) == [UTC_DAY]
    with pytest.warns(oc.OrdercycleWarning, match="holds dates"):
        assert days_of(path, columns=columns, **MADRID) == [UTC_DAY]


@pytest.mark.parametrize("year", [1200, 1600, 2263, 2600, 2777, 3000, 9999])
def test_int96_far_away_is_no_other_day(tmp_path, year):
    """In nanoseconds, 2600 would be June 2015."""
    path = int96(tmp_path / "a.parquet", SPARK, times=[datetime(year, 1, 1), EVENING])  # noqa: DTZ001
    with pytest.raises(oc.DataError, match="ordered_at is outside the years 1900 to 2199"):
        days_of(path)


def legacy(path, kind):
    """Write times whose footer has the converted type only, as it was before logical types."""
    pq.write_table(orders([EVENING], kind), path, store_schema=False)
    content = path.read_bytes()
    start = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    footer = content[start:-8]
    # The header of a field four behind the one before, a struct, and in it that of a timestamp:
    # five behind, it is a field that no reader knows.
    assert footer.count(b"\x4c\x8c") == 1
    path.write_bytes(content[:start] + footer.replace(b"\x4c\x8c", b"\x5c\x8c") + content[-8:])
    return path


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_converted_types_are_utc_as_parquet_says_unless_their_writer_had_none(tmp_path, unit):
    kind = pa.timestamp(unit, "UTC")
    path = legacy(tmp_path / "a.parquet", kind)
    assert days_of(path, **MADRID) == [MADRID_DAY]
    path = with_writer(legacy(tmp_path / "b.parquet", kind), "DuckDB")
    assert days_of(path, times_without_zone="local", **MADRID) == [UTC_DAY]


def test_a_dataset_does_not_pass_on_what_a_writer_left(tmp_path):
    """Documented: name the files instead."""
    path = int96(tmp_path / "a.parquet", SPARK)
    with pytest.warns(oc.OrdercycleWarning, match="has no effect"):
        assert days_of(ds.dataset(path), **MADRID) == [UTC_DAY]
    assert days_of(ds.dataset(path), times_without_zone="utc", **MADRID) == [MADRID_DAY]


def test_files_of_days_and_of_local_times_meet(tmp_path):
    pq.write_table(orders([UTC_DAY], pa.date32()), tmp_path / "a.parquet")
    pq.write_table(orders([EVENING]), tmp_path / "b.parquet")
    assert days_of(tmp_path) == [UTC_DAY, UTC_DAY]
    assert days_of(tmp_path, times_without_zone="local", **MADRID) == [UTC_DAY, UTC_DAY]
    assert days_of(tmp_path, times_without_zone="utc") == [UTC_DAY, UTC_DAY]
    with pytest.raises(oc.ColumnError, match=r"ordered_at is timestamp.* but date32"):
        days_of(tmp_path, times_without_zone="utc", **MADRID)
    int96(tmp_path / "c.parquet", SPARK)
    with pytest.raises(oc.ColumnError, match="ordered_at is timestamp"):
        days_of(tmp_path)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (pa.array([1_700_000_000]), "int64"),
        (pa.array([1], pa.time64("us")), "time64"),
        (pa.array([1], pa.duration("s")), "duration"),
        (pa.array([1.0]), "double"),
        (pa.array([True]), "bool"),
        (pa.array(["yesterday"]), "string"),
        (pa.array(["yesterday"]).dictionary_encode(), "string"),
    ],
    ids=str,
)
def test_what_is_no_time_is_refused(values, shown):
    table = orders([EVENING]).set_column(1, "ordered_at", values)
    with pytest.raises(
        oc.ColumnError, match=f"ordered_at is {shown}.*, which is no time"
    ) as caught:
        days_of(table)
    assert caught.value.column == "ordered_at"
    assert f"(its first value is {values[0]})" in str(caught.value)


TIME_OF_DAY = pa.array([61_200], pa.time32("s"))


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        (pa.array([None, 1_738_429_200]), 'pass Columns(time=\'instant(ordered_at, "s")\')'),
        (pa.array([1_738_429_200.5]), 'pass Columns(time=\'instant(ordered_at, "s")\')'),
        (pa.array([Decimal(1_738_429_200)]), 'pass Columns(time=\'instant(ordered_at, "s")\')'),
        (pa.array([1_738_429_200], pa.duration("s")),
         'pass Columns(time=\'date("1970-01-01") + ordered_at\')'),
        (TIME_OF_DAY, "name a column of dates or timestamps with Columns(time=...)"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_near_to_a_time_names_the_expression_that_makes_it_one(values, remedy):
    table = pa.table({"customer_id": [7] * len(values), "ordered_at": values,
                      "amount": [1] * len(values)})  # fmt: skip
    with pytest.raises(oc.ColumnError) as caught:
        oc.OrderHistory.build(table)
    assert remedy in caught.value.remedy
    if values is TIME_OF_DAY:
        return
    columns = oc.Columns(time=caught.value.remedy.split("time='")[1].split("')")[0])
    history = oc.OrderHistory.build(table.slice(len(values) - 1), columns=columns)
    # 2025-02-01 17:00:00 in UTC
    assert history.profile("2025-12-31")["last_order_on"].to_pylist() == [date(2025, 2, 1)]


def test_a_time_of_registration_names_its_own_option():
    customers = pa.table({"customer_id": [7], "Member Since": [1_738_429_200]})
    with pytest.raises(oc.ColumnError) as caught:
        oc.OrderHistory.build(
            orders([EVENING]), customers, columns=oc.Columns(registered="Member Since")
        )
    wanted = """pass Columns(registered='instant(column("Member Since"), "s")')"""
    assert wanted in str(caught.value)


def test_nothing_is_said_where_nothing_is_suspicious():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        days_of(
            pd.DataFrame({"customer_id": [1], "ordered_at": [EVENING], "amount": [1]}), **MADRID
        )
