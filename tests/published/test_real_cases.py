"""What went wrong at the door before: each case with its smallest input and the right value.

A_: cases of the files that people have; B_: of reports about the tools that they use.
"""

import csv
import datetime as dt
import io
import operator as op
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from openpyxl import Workbook
from pyarrow import parquet
from pyarrow.csv import write_csv
from support.command_line import one_line, run
from support.reports import values_of

import ordercycle as oc

AS_OF = "2026-11-01"
HEADER = "customer_id,ordered_at,amount\n"
BY_ID = oc.Columns(order="order_id")
DAY = dt.date.fromisoformat


def file(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return {row["customer_id"]: row for row in csv.DictReader(io.StringIO(result.stdout))}


def profiled(path, *options):
    return rows_of(run("profile", path, "--as-of", AS_OF, "--quiet", *options))


def of_customers(profile, column="revenue"):
    return dict(zip(profile["customer_id"].to_pylist(), profile[column].to_pylist(), strict=True))


# --- Part A ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("12/1/2010 8:26", "%m/%d/%Y %H:%M"),
        ("2010-12-01 08:26:00 UTC", "%Y-%m-%d %H:%M:%S UTC"),
        ("1291191960", "%s"),
        ("Dec 1, 2010 8:26:00 AM", "%b %d, %Y %I:%M:%S %p"),
        ("01-Dec-10", "%d-%b-%y"),
    ],
)
def test_a_f1_dates_in_any_form(tmp_path, text, pattern):
    path = file(tmp_path / "a.csv", HEADER + f'a,"{text}",15\n')
    line = one_line(run("profile", path, "--as-of", AS_OF))
    assert repr(text) in line
    assert "line 2" in line
    assert profiled(path, "--time-format", pattern)["a"]["first_order_on"] == "2010-12-01"


def test_a_f2_the_amount_is_no_column(tmp_path):
    path = file(tmp_path / "a.csv", "customer_id,ordered_at,q,p,r\na,2026-01-01,2,7.5,\n")
    assert float(profiled(path, "--amount", "q * p - if_null(r, 0)")["a"]["revenue"]) == 15
    columns = oc.Columns(amount=pc.field("q") * pc.field("p"))
    assert oc.OrderHistory.build(path, columns=columns).profile(AS_OF)["revenue"].to_pylist() == [
        15
    ]


def test_a_f3_ids_whose_type_is_another_in_each_file(tmp_path):
    header = "customer_id,ordered_at,amount,order_id\n"
    paths = [
        file(tmp_path / "a.csv", header + "17850.0,2026-01-01,1,7\n,2026-01-01,1,8\n"),
        file(tmp_path / "b.csv", header + "17850,2026-01-02,-1,C8\n"),
    ]
    rows = profiled(paths[0].parent, "--order", "order_id")
    assert rows.keys() == {"17850"}
    assert rows["17850"]["orders"] == "1"


@pytest.mark.parametrize(
    "ids", [["+491701234", "491701234"], ["123456789012345678901", "123456789012345678902"],
            ["007", "7"], ["0x1F", "31"], ["1e3", "1000"], ["true", "1"]]
)  # fmt: skip
def test_a_b4_and_b_f5_ids_stay_as_they_are_written(tmp_path, ids):
    text = HEADER + "".join(f'"{one}",2026-01-01,1\n' for one in ids)
    assert sorted(profiled(file(tmp_path / "a.csv", text))) == sorted(ids)
    for one in ids:
        (tmp_path / "hive" / f"customer_id={one}").mkdir(parents=True)
        file(
            tmp_path / "hive" / f"customer_id={one}" / "a.csv", "ordered_at,amount\n2026-01-01,1\n"
        )
    assert sorted(profiled(tmp_path / "hive")) == sorted(ids)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("customer_id;ordered_at;amount\na;2026-01-01;1,5\n", "--delimiter ';'"),
        ("customer_id\tordered_at\tamount\na\t2026-01-01\t1,5\n", "--delimiter"),
        ("customer_id|ordered_at|amount\na|2026-01-01|1,5\n", "--delimiter '|'"),
        ("Orders\nof 2026\n\n" + HEADER + "a,2026-01-01,1\n", "--skip-rows 3"),
        (HEADER + 'a,2026-01-01,"1.234,5"\n', "--decimal , with --thousands ."),
    ],
)
def test_a_f4_a_message_names_the_flag_that_reads_the_file(tmp_path, text, flag):
    line = one_line(run("profile", file(tmp_path / "a.csv", text), "--as-of", AS_OF))
    assert flag in line


def test_a_f5_rows_that_should_not_count(tmp_path):
    text = "customer_id,ordered_at,amount,status\na,2026-01-01,15,paid\na,2026-01-02,15,cancelled\n"
    path = file(tmp_path / "a.csv", text)
    result = run("profile", path, "--as-of", AS_OF, "--only", "status == 'paid'")
    assert rows_of(result)["a"]["orders"] == "1"
    assert "1 row left out" in result.stderr


def test_a_f6_line_ends_in_quotes_in_a_large_file(tmp_path):
    text = "customer_id,ordered_at,amount,note\n" + "".join(
        f'{number % 50},2024-05-01,10,"leave it\nnext door, thanks"\n' for number in range(120_000)
    )
    rows = profiled(file(tmp_path / "a.csv", text))
    assert len(rows) == 50
    assert sum(int(row["orders"]) for row in rows.values()) == 120_000


def test_a_f8_and_b7_refunds_beside_the_orders(tmp_path):
    text = "customer_id,ordered_at,amount,order_id\na,2026-01-01,50,1\na,2026-03-05,-50,1\n"
    history = oc.OrderHistory.build(file(tmp_path / "a.csv", text), columns=BY_ID)
    assert history.profile("2026-02-01")["revenue"].to_pylist() == [50]
    assert history.profile("2026-04-01")["revenue"].to_pylist() == [0]
    assert history.summary().refunds == 1
    assert history.summary().split_orders == 1


def test_a_f10_customers_have_another_name_for_the_id(tmp_path):
    orders = file(tmp_path / "o.csv", "user_id,ordered_at,amount\n1,2026-01-05,1\n")
    customers = file(tmp_path / "c.csv", "id,registered_at\n1,2026-01-01\n2,2026-01-02\n")
    rows = profiled(
        orders, "--customers", customers, "--customer", "user_id", "--listed-customer", "id"
    )
    assert {one: row["registered_on"] for one, row in rows.items()} == {
        "1": "2026-01-01",
        "2": "2026-01-02",
    }


def test_a_f11_one_run_for_each_brand(tmp_path):
    text = "customer_id,ordered_at,amount,brand\n" + "".join(
        f"{number % 3},2026-01-{1 + number:02},{number},{'xy'[number % 2]}\n"
        for number in range(20)
    )
    path = file(tmp_path / "a.csv", text)
    for brand in "xy":
        query = f"select customer_id, sum(amount) from '{path}' where brand = '{brand}' group by 1"  # noqa: S608 - a file of the test's own
        right = {str(one): total for one, total in duckdb.sql(query).fetchall()}
        rows = profiled(path, "--only", f"brand == '{brand}'")
        assert {one: int(row["revenue"]) for one, row in rows.items()} == right


def test_a_f12_nothing_is_known_of_money(tmp_path):
    path = file(tmp_path / "a.csv", "customer_id,ordered_at\na,2026-01-01\na,2026-01-03\n")
    rows = profiled(path, "--no-amount")
    assert rows["a"]["orders"] == "2"
    assert not any("revenue" in name or "value" in name for name in rows["a"])


@pytest.mark.parametrize("source", ["csv", "parquet", "polars", "pandas", "duckdb", "reader"])
def test_a_f13_addresses_in_three_spellings(tmp_path, source):
    ids = ["Ann@x.org", "ann@x.org", "ann@x.org "]
    table = pa.table({"Email": ids, "ordered_at": [DAY("2026-01-01")] * 3, "amount": [1, 2, 4]})
    sources = {
        "csv": lambda: file(tmp_path / "a.csv", "Email,ordered_at,amount\n" + "".join(
            f"{one},2026-01-01,{2**at}\n" for at, one in enumerate(ids))),
        "parquet": lambda: parquet.write_table(table, tmp_path / "a.parquet")
        or tmp_path / "a.parquet",
        "polars": lambda: pl.from_arrow(table),
        "pandas": table.to_pandas,
        "duckdb": lambda: duckdb.from_arrow(table),
        "reader": table.to_reader,
    }  # fmt: skip
    columns = oc.Columns(customer="lower(trim(Email))")
    profile = oc.OrderHistory.build(sources[source](), columns=columns).profile(AS_OF)
    assert of_customers(profile) == {"ann@x.org": 7}


def test_a_b1_no_row_is_invented_at_a_border(tmp_path):
    head, row, border = "customer_id,ordered_at,amount,note\n", "1,2024-05-01,10,ok\n", 2**24
    text = head + row * ((border - len(head) - 60) // len(row))
    pad = "x" * (border - len(text) - len('1,2024-05-01,10,"forwarded:\n'))
    text += f'1,2024-05-01,10,"{pad}forwarded:\n77,2024-01-01,1000,see above"\n' + row
    path = file(tmp_path / "border.csv", text)
    right = sum(1 for _ in csv.reader(io.StringIO(text))) - 1
    for threads in (1, 2):
        summary = oc.OrderHistory.build(path, threads=threads).summary()
        assert (summary.rows, summary.customers) == (right, 1)


def test_a_b2_text_in_another_encoding_is_no_bytes(tmp_path):
    path = file(tmp_path / "a.csv", HEADER + "Ann,2026-01-01,1\nJosé,2026-01-01,1\n", "cp1252")
    line = one_line(run("profile", path, "--as-of", AS_OF))
    assert "line 3" in line
    assert "--encoding cp1252" in line
    assert profiled(path, "--encoding", "cp1252").keys() == {"Ann", "José"}


@pytest.mark.parametrize("nobody", ["NULL", "NA", "nan", "\\N"])
def test_a_b3_what_looks_like_a_missing_value_is_reported(tmp_path, nobody):
    path = file(tmp_path / "a.csv", HEADER + f"{nobody},2026-01-01,1\n" * 9 + "1,2026-01-01,1\n")
    result = run("profile", path, "--as-of", AS_OF)
    assert rows_of(result).keys() == {nobody, "1"}
    assert "--nobody" in result.stderr
    assert profiled(path, "--nobody", nobody).keys() == {"1"}
    assert profiled(path, "--null-value", nobody).keys() == {"1"}


@pytest.mark.parametrize("make", [pa.table, pl.DataFrame, pd.DataFrame])
def test_a_b3_and_b_f12_empty_text_is_nobody(make):
    columns = {"customer_id": ["", "a"], "ordered_at": [dt.datetime(2026, 1, 1)] * 2,  # noqa: DTZ001 - local
               "amount": [1, 1]}  # fmt: skip
    history = oc.OrderHistory.build(make(columns))
    assert history.profile(AS_OF)["customer_id"].to_pylist() == ["a"]
    assert history.summary().anonymous == 1
    assert "1 anonymous row" in repr(history)


def test_a_b5_a_dataset_that_fills_a_column_with_nulls(tmp_path):
    file(tmp_path / "a.csv", HEADER + "ann,2026-01-05,1\n")
    file(tmp_path / "b.csv", HEADER.replace("customer_id", "Customer_ID") + "bob,2026-01-06,1\n")
    files = ds.dataset([tmp_path / "a.csv", tmp_path / "b.csv"], format="csv")
    with pytest.warns(oc.OrdercycleWarning, match="customer_id is null in all rows"):
        oc.OrderHistory.build(files)
    line = one_line(run("profile", tmp_path / "a.csv", tmp_path / "b.csv", "--as-of", AS_OF))
    assert "b.csv" in line


def test_a_b6_days_and_months_that_were_swapped():
    days = [dt.date(2020 + year, month, day) for year in range(2) for month in range(1, 13)
            for day in range(1, 13)]  # fmt: skip
    table = pa.table(
        {"customer_id": range(len(days)), "ordered_at": days, "amount": [1] * len(days)}
    )
    with pytest.warns(oc.OrdercycleWarning, match="12th of a month"):
        oc.OrderHistory.build(table)


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
