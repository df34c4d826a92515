"""What orders of real exports mean: refunds, days, ids and months, a test for each case."""

import datetime as dt
import operator as op
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from openpyxl import Workbook
from pyarrow import parquet
from pyarrow.csv import write_csv
from support.command_line import one_line, run
from support.real_files import AS_OF, BY_ID, DAY, HEADER, file, of_customers, profiled, rows_of
from support.reports import values_of

import ordercycle as oc

# --- Part B ---------------------------------------------------------------------------------------


def lines(*rows):
    names = ("customer_id", "order_id", "ordered_at", "amount")
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[2] = [DAY(day) for day in columns[2]]
    return pa.table(dict(zip(names, columns, strict=True)))


def test_b_f1_a_refund_with_the_id_of_its_order():
    table = lines(
        ("ann", "o1", "2026-01-10", 100.0), ("ann", "o1", "2026-03-05", -100.0),
        ("bob", "o2", "2026-01-20", 40.0),
    )  # fmt: skip
    history = oc.OrderHistory.build(table, columns=BY_ID)
    alone = oc.OrderHistory.build(table.filter(pc.field("ordered_at") < DAY("2026-02-01")),
                                  columns=BY_ID)  # fmt: skip
    assert (
        history.profile("2026-01-31")
        .sort_by("customer_id")
        .equals(alone.profile("2026-01-31").sort_by("customer_id"))
    )
    assert of_customers(history.profile("2026-01-31")) == {"ann": 100.0, "bob": 40.0}
    membership = oc.Lifecycle().membership(history)
    for period, revenue in (("2026-01", 140.0), ("2026-03", -100.0)):
        report = oc.SegmentReport.build(history, membership, period=period)
        assert values_of(report, "Revenue")["All Customers"] == revenue
    for refunds, right in (("drop", 100.0), ("count", 0.0)):
        counted = oc.OrderHistory.build(table, columns=BY_ID, refunds=refunds)
        assert of_customers(counted.profile("2026-04-01"))["ann"] == right


def test_b_f1_the_refund_is_appended_at_night(tmp_path):
    first, later = (
        lines(("ann", "o1", "2026-01-10", 100.0)),
        lines(("ann", "o1", "2026-03-05", -100.0)),
    )
    oc.OrderHistory.build(first, columns=BY_ID).save(tmp_path / "h")
    history = oc.OrderHistory.open(tmp_path / "h").append(later)
    both = oc.OrderHistory.build(pa.concat_tables([first, later]), columns=BY_ID)
    for day in ("2026-01-31", "2026-04-01"):
        assert history.profile(day).equals(both.profile(day))
    with pytest.raises(oc.OrdercycleError):
        history.append(later)


def every_14_days():
    last = DAY("2026-11-10")
    rows = [
        (
            f"c{number}",
            f"o{number}-{order}",
            str(last - dt.timedelta(14 * order + number % 3)),
            10.0,
        )
        for number in range(30)
        for order in range(12)
    ]
    return lines(*rows)


def test_b_f7_a_month_that_is_not_over():
    history = oc.OrderHistory.build(every_14_days())
    membership = oc.Lifecycle().membership(history)
    with pytest.warns(oc.OrdercycleWarning, match="2026-11-10"):
        report = oc.SegmentReport.build(history, membership, period="2026-11")
    chosen = oc.SegmentReport.build(history, membership, period="2026-11", as_of="2026-11-10")
    assert report.comparison().equals(chosen.comparison())
    assert values_of(report, "Customers")["Loyal"] == 30
    assert report.as_of == DAY("2026-11-10")


def test_b_f8_several_orders_of_a_day():
    whole = [("a", f"{n}", str(DAY("2026-01-01") + dt.timedelta(30 * n)), 10) for n in range(5)]
    halves = [(one, f"{order}{half}", day, 5) for one, order, day, _ in whole for half in "xy"]
    once = oc.OrderHistory.build(lines(*whole)).profile("2026-05-29")
    split = oc.OrderHistory.build(lines(*halves), same_day="merge").profile("2026-05-29")
    assert split.to_pylist() == once.to_pylist()
    assert split["missed_purchase_cycles"][0].as_py() == pytest.approx(28 / 30)


def test_b_f10_a_time_zone_that_has_no_effect(tmp_path):
    path = file(tmp_path / "a.csv", HEADER + "a,2021-05-17 22:30:00,1\n")
    result = run("profile", path, "--as-of", AS_OF, "--timezone", "Europe/Madrid")
    assert rows_of(result)["a"]["first_order_on"] == "2021-05-17"
    assert "--times-without-zone utc" in result.stderr
    rows = profiled(path, "--timezone", "Europe/Madrid", "--times-without-zone", "utc")
    assert rows["a"]["first_order_on"] == "2021-05-18"


def test_b_f11_one_order_in_two_files(tmp_path):
    header = "customer_id,ordered_at,amount,order_id\n"
    paths = [file(tmp_path / f"{name}.csv", header + "bob,2026-01-01,20.0,o1\n") for name in "ab"]
    for duplicates, right in (("keep", 40.0), ("drop", 20.0)):
        rows = profiled(tmp_path, "--order", "order_id", "--duplicates", duplicates)
        assert float(rows["bob"]["revenue"]) == right
    result = run(
        "profile", *paths, "--order", "order_id", "--duplicates", "error", "--as-of", AS_OF
    )
    assert "line 2" in one_line(result)


def test_b_f13_numbers_and_ids_that_change_late_in_a_file(tmp_path):
    text = "customer_id,ordered_at,amount,order_id\n" + "".join(
        f"{number % 9},2026-01-01,{number},{number}\n" for number in range(90_000)
    )
    text += "8,2026-01-02,3.5,C6\n"
    path = file(tmp_path / "a.csv", text)
    rows = profiled(path, "--order", "order_id")
    assert sum(int(row["orders"]) for row in rows.values()) == 90_001
    assert sum(float(row["revenue"]) for row in rows.values()) == sum(range(90_000)) + 3.5


def test_b_f14_every_error_is_ours():
    frame = pd.DataFrame(
        {"customer_id": ["a"], "ordered_at": [pd.Timestamp("2026-01-01")], "amount": [1]}
    )
    doubled = pd.concat([frame, frame[["amount"]]], axis=1)
    with pytest.raises(oc.ColumnError, match="2 columns named 'amount'"):
        oc.OrderHistory.build(doubled)
    sparse = frame.assign(amount=pd.arrays.SparseArray([1]))
    with pytest.raises(oc.OrdercycleError):
        oc.OrderHistory.build(sparse)
    mixed = frame.assign(customer_id=pd.Series(["C1"], dtype=object))
    mixed = pd.concat([mixed, mixed.assign(customer_id=pd.Series([7], dtype=object))])
    with pytest.raises(oc.OrdercycleError, match="customer_id") as raised:
        oc.OrderHistory.build(mixed)
    assert "Conversion failed" not in str(raised.value)
    with duckdb.connect() as connection:
        relation = connection.sql(
            "select 'a' customer_id, date '2026-01-01' ordered_at, cast(x as int) amount"
            " from (values ('1'), ('x')) t(x)"
        )
        with pytest.raises(oc.OrdercycleError):
            oc.OrderHistory.build(relation)
    with pytest.raises(oc.OrdercycleError):
        oc.OrderHistory.build(relation)


@pytest.mark.parametrize("trip", ["pandas", "polars", "csv", "duckdb"])
def test_b_f15_profiles_come_back(tmp_path, trip):
    profile = oc.OrderHistory.build(every_14_days()).profile("2026-11-10")
    scheme = oc.Rfm()
    if trip == "pandas":
        there = profile.to_pandas()
    elif trip == "polars":
        there = pl.from_arrow(profile)
    elif trip == "duckdb":
        there = duckdb.from_arrow(profile)
    else:
        there = tmp_path / "p.csv"
        write_csv(profile, there)
    right = scheme.fit(profile).assign(profile).to_pylist()
    fitted = scheme.fit(there)
    assert fitted.assign(there).to_pylist() == right


def test_b_m1_revenue_of_the_first_day():
    table = lines(
        ("a", "1", "2026-01-01", 5),
        ("a", "2", "2026-01-01", 7),
        ("a", "3", "2026-02-01", 9),
        ("b", "4", "2026-01-05", -3),
    )
    profile = oc.OrderHistory.build(table).profile(AS_OF)
    assert of_customers(profile, "revenue_first_day") == {"a": 12, "b": 0}


def test_b_friction_a_missing_amount_is_at_the_line_of_the_file(tmp_path):
    text = 'note,customer_id,ordered_at,amount\n"two\nlines",a,2026-01-01,1\nx,b,2026-01-01,\n'
    assert "line 4" in one_line(run("profile", file(tmp_path / "a.csv", text), "--as-of", AS_OF))
    with pytest.raises(oc.DataError) as raised:
        oc.OrderHistory.build(tmp_path / "a.csv")
    error = raised.value
    assert (error.column, error.row, error.count) == ("amount", 4, 1)
    assert error.what
    assert error.remedy


@pytest.mark.parametrize("make", [pd.Timestamp, dt.datetime.fromisoformat])
def test_b_friction_an_instant_is_no_day_and_names_the_day_to_pass(make):
    history = oc.OrderHistory.build(lines(("a", "1", "2026-01-01", 5)))
    with pytest.raises(oc.ConfigError, match=r"as_of='2026-02-01', or as_of=value\.date\(\)"):
        history.profile(make("2026-02-01"))
    for day in ("2026-02-01", make("2026-02-01").date()):
        assert history.profile(day)["revenue"].to_pylist() == [5]


def test_b_friction_types_of_several_files(tmp_path):
    """Days and local times, integers and decimals, in one table."""
    base = {"customer_id": ["a"], "ordered_at": [DAY("2026-01-01")], "amount": [1]}
    parquet.write_table(pa.table(base), tmp_path / "1.parquet")
    other = pa.table(
        {"customer_id": ["a"], "ordered_at": pa.array([dt.datetime(2026, 1, 2, 9)]),  # noqa: DTZ001 - local
         "amount": pa.array([Decimal("2.50")], pa.decimal128(10, 2))}
    )  # fmt: skip
    parquet.write_table(other, tmp_path / "2.parquet")
    profile = oc.OrderHistory.build(tmp_path).profile(AS_OF)
    assert profile["revenue"].to_pylist() == [Decimal("3.50")]
    assert profile["orders"].to_pylist() == [2]


# --- Siblings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [pd.Timestamp("2026-01-06 23:00"), DAY("2026-01-06")])
@pytest.mark.parametrize("is_first", [True, False])
def test_objects_with_a_zone_and_without_are_no_column_of_times(plain, is_first):
    aware = pd.Timestamp("2026-01-05 23:30", tz="America/New_York")
    times = [plain, aware] if is_first else [aware, plain]
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "ordered_at": pd.Series(times, dtype=object), "amount": [1, 2]}
    )
    with pytest.raises(oc.OrdercycleError, match="ordered_at") as raised:
        oc.OrderHistory.build(frame)
    assert raised.value.column == "ordered_at"


def test_objects_with_several_zones_are_instants():
    times = [
        pd.Timestamp("2026-01-05 23:30", tz="America/New_York"),
        pd.Timestamp("2026-01-06 23:00", tz="Asia/Tokyo"),
    ]
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "ordered_at": pd.Series(times, dtype=object), "amount": [1, 2]}
    )
    days = of_customers(oc.OrderHistory.build(frame).profile(AS_OF), "first_order_on")
    assert days == {
        one: time.tz_convert("UTC").date() for one, time in zip("ab", times, strict=True)
    }


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("sign", "compare"), [("<", op.lt), ("<=", op.le), (">", op.gt), (">=", op.ge)]
)
@pytest.mark.parametrize("has_zone", [True, False])
def test_days_in_conditions_are_those_of_the_time_zone(tmp_path, zone, sign, compare, has_zone):
    """An order that counts on a day is on that day for a condition as well."""
    first = dt.datetime(2026, 1, 14, tzinfo=dt.UTC)
    times = [first + dt.timedelta(hours=7 * step) for step in range(9)]
    local = [time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for time in times]
    border = dt.datetime(2026, 1, 15)  # noqa: DTZ001 - local
    right = sum(map(compare, local, [border] * len(local)))
    kind = pa.timestamp("us", "UTC" if has_zone else None)
    plain = [time.replace(tzinfo=None) for time in times]
    table = pa.table(
        {"customer_id": range(9), "ordered_at": pa.array(plain).cast(kind), "amount": [1] * 9}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    for source in (table, tmp_path / "a.parquet"):
        history = oc.OrderHistory.build(
            source,
            only=f"ordered_at {sign} date('2026-01-15')",
            timezone=zone,
            times_without_zone="utc",
        )
        assert history.summary().orders == right


def test_cells_of_midnight_are_times_among_times(tmp_path):
    book = Workbook()
    times = [dt.datetime(2026, 1, 5), dt.datetime(2026, 1, 6, 23, 59, 59)]  # noqa: DTZ001 - local
    book.active.append(["customer_id", "ordered_at", "amount", "order_id"])
    for number, time in enumerate(times):
        book.active.append([number, time, 1.5, "C7" if number else 536365])
    book.save(tmp_path / "a.xlsx")
    history = oc.OrderHistory.build(tmp_path / "a.xlsx", columns=BY_ID)
    days = of_customers(history.profile(AS_OF), "first_order_on")
    assert days == {0: DAY("2026-01-05"), 1: DAY("2026-01-06")}
