"""What went wrong at the door before: each case with its smallest input and the right value.

A_: cases of the files that people have; B_: of reports about the tools that they use.
"""

import csv
import datetime as dt
import io

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from pyarrow import parquet
from support.command_line import one_line, run
from support.real_files import AS_OF, BY_ID, DAY, HEADER, file, of_customers, profiled, rows_of

import ordercycle as oc

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
