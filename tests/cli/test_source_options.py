"""Options that describe a source: columns, rows, files, data and queries."""

import csv
import dataclasses
import datetime as dt
import inspect
import warnings

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._cli import errors as cli_errors
from ordercycle._cli.app import cli
from ordercycle._cli.order_options import COLUMNS, OPTIONS
from ordercycle._cli.source_options import NAMES, read_of
from ordercycle._errors import Code, Option
from ordercycle._policies import Policies

AS_OF = ["--as-of", "2026-12-31"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    orders = pa.table(
        {
            "user_id": ["A1", "a1 ", "b2", "guest", None, "b2"],
            "created": [dt.datetime(2026, 1, day, 23, 30) for day in range(1, 7)],  # noqa: DTZ001
            "price": [10, 20, 30, 40, 50, 60],
            "quantity": [1, 2, 3, 1, 1, 1],
            "status": ["paid", "paid", "paid", "paid", "paid", "cancelled"],
            "basket": [1, 2, 3, 4, 5, 6],
        }
    )
    pq.write_table(orders, "orders.parquet")
    pq.write_table(pa.table({"id": ["a1", "c3"], "since": [dt.date(2025, 1, 1)] * 2}), "c.parquet")


DESCRIBED = [
    "--customer", "lower(trim(user_id))", "--time", "created", "--amount", "price * quantity",
    "--only", "status == 'paid'", "--nobody", "guest", "--nobody", "0",
]  # fmt: skip


def profiles(*arguments):
    result = run("profile", *arguments, *AS_OF)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    return {row["customer_id"]: row.get("revenue") for row in rows}, result.stderr


def test_everything_can_be_an_option():
    found, said = profiles("orders.parquet", *DESCRIBED)
    assert found == {"a1": "50", "b2": "90"}
    assert "6 rows, 3 orders, 2 customers" in said
    for note in ("1 row left out", "1 anonymous row", "1 row of nobody"):
        assert note in said


def test_the_customers_table_is_read_too():
    found, _ = profiles(
        "orders.parquet", *DESCRIBED, "--customers", "c.parquet", "--listed-customer", "id",
        "--registered", "since",
    )  # fmt: skip
    assert set(found) == {"a1", "b2", "c3"}
    found, _ = profiles(
        "orders.parquet", *DESCRIBED, "--customers", "c.parquet", "--listed-customer", "id",
        "--registered", "", "--unknown", "drop",
    )  # fmt: skip
    assert set(found) == {"a1"}


SOURCE = """
only = "status == 'paid'"
nobody = ["guest"]
[columns]
customer = "lower(trim(user_id))"
time = "created"
amount = "price * quantity"
order = "basket"
"""


def test_a_source_file_says_all(tmp_path):
    (tmp_path / "shop.toml").write_text(SOURCE)
    found, said = profiles("orders.parquet", "--source", "shop.toml")
    assert found == {"a1": "50", "b2": "90"}
    assert "1 row left out" in said
    result = run("report", "orders.parquet", "--source", "shop.toml", "--period", "2026-01")
    assert result.exit_code == 0, result.stderr
    assert "1 row left out" in result.stderr


def test_options_come_before_what_a_source_file_says(tmp_path):
    (tmp_path / "shop.toml").write_text(SOURCE)
    found, said = profiles(
        "orders.parquet", "--source", "shop.toml", "--amount", "price", "--nobody", "b2",
        "--only", "true",
    )  # fmt: skip
    assert found == {"a1": "30", "guest": "40"}
    assert "left out" not in said
    assert "2 rows of nobody" in said


def test_without_amounts():
    _, said = profiles("orders.parquet", "--customer", "user_id", "--time", "created",
                       "--no-amount")  # fmt: skip
    assert "6 rows" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the files of ORDERS, or give a query with --sql"),
        (["orders.parquet", "--sql", "select 1"], "--sql takes the place of ORDERS"),
        (["orders.parquet", "--no-amount", "--amount", "price"], "contradict each other"),
        (["orders.parquet", "--format", "ndjson", "--delimiter", ";"],
         "--delimiter says nothing of NDJSON files"),
        (["orders.parquet", "--format", "csv", "--sheet", "a"], "--sheet says nothing of CSV"),
        (["orders.parquet", "--sheet", "a", "--decimal", ","], "--decimal says nothing of Excel"),
        (["orders.parquet", "--type", "id"], "names no column and type, as in customer_id=text"),
        (["orders.parquet", "--type", "id=uuid"], "--type id=uuid is no type"),
        (["orders.parquet", "--time-format", "%Z"], "--time-format %Z"),
        (["orders.parquet", "--source", "missing.toml"], "missing.toml"),
        (["orders.parquet", "--timezone", "Mars"], "--timezone Mars is not"),
        (["orders.parquet", "--unknown", "drop"], "pass --customers to say who is known"),
        (["orders.parquet", "--only", "status = 'paid'"], "write == for equal"),
        (["orders.parquet", "--threads", "0"], "--threads"),
        (["orders.parquet", "--memory-limit", "lots"], "--memory-limit lots is no size"),
        (["orders.parquet", "--customer", ""], "names no column"),
        (["orders.parquet", "--customer", "price", "--amount", "price"], "one column twice"),
        (["orders.parquet", "--customer-column", "user_id"], "No such option"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_use_is_reported_in_flags(arguments, said):
    result = run("profile", *arguments, *AS_OF)
    assert result.exit_code == 2, result.stderr
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which columns to read with --customer, --time, --amount and so on"),
        (["--customer", "user_id", "--time", "created", "--amount", "prize * quantity"],
         "it names 'prize' (did you mean 'price'?)"),
        (["--customer", "user_id", "--time", "created", "--amount", "quantity", "--customers",
          "c.parquet", "--listed-customer", "id"], '--registered ""'),
        (["--customer", "user_id", "--time", "created", "--amount", "integer(status)"],
         "mend these rows, or leave them out with --only"),
        (["--customer", "user_id", "--time", "created", "--amount", "price", "--anonymous",
          "error"], "pass --anonymous drop"),
        (["--customer", "user_id", "--time", "created", "--amount", "price", "--memory-limit",
          "1GB", "--spill-directory", "nowhere"], "--spill-directory nowhere is no folder"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_read_is_reported_in_flags(arguments, said):
    result = run("profile", "orders.parquet", *arguments, *AS_OF)
    assert result.exit_code in (1, 2)
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


def test_a_source_file_that_is_no_toml(tmp_path):
    (tmp_path / "shop.toml").write_text("only = ")
    result = run("profile", "orders.parquet", "--source", "shop.toml", *AS_OF)
    assert result.exit_code == 1  # as of every TOML file that cannot be read
    assert "shop.toml cannot be read as TOML" in result.stderr
    (tmp_path / "shop.toml").write_text("onyl = 'x'")
    result = run("profile", "orders.parquet", "--source", "shop.toml", *AS_OF)
    assert "no key 'onyl' (did you mean 'only'?)" in result.stderr


def test_folders_are_named_as_they_are(tmp_path):
    """No message is edited: folders of Hive look like arguments."""
    inner = tmp_path / "period=2025-10" / "where=EU" / "timezone=UTC"
    inner.mkdir(parents=True)
    (inner / "part-0.parquet").write_bytes(b"PAR1 but no Parquet")
    result = run("profile", tmp_path / "period=2025-10", *AS_OF)
    assert result.exit_code == 1
    assert "/period=2025-10/where=EU/timezone=UTC/part-0.parquet'" in result.stderr


# What options say.


def read_as(*arguments, described=None):
    command = click.Command("read", params=[])
    for option in reversed(OPTIONS):
        option(command)
    names = [one.name for one in command.params]
    assert len(set(names)) == len(names)
    with command.make_context("read", list(arguments)) as context:
        return read_of({name: context.params[name] for name in NAMES}, described)


def test_files_are_described():
    assert read_as() is None
    assert read_as("--format", "csv") == oc.CsvFormat()
    assert read_as("--format", "ndjson") == oc.NdJson()
    assert read_as("--format", "excel", "--skip-rows", "2") == oc.ExcelSheet(skip_rows=2)
    assert read_as("--sheet", "Orders") == oc.ExcelSheet(sheet="Orders")
    assert read_as(
        "--delimiter", ";", "--decimal", ",", "--thousands", ".", "--encoding", "cp1252",
        "--skip-rows", "3", "--time-format", "%d/%m/%Y", "--time-format", "%d.%m.%Y",
        "--null-value", "NULL", "--null-value", "-", "--type", "id=text",
        "--type", "a=b=decimal(12,2)",
    ) == oc.CsvFormat(
        delimiter=";", decimal=",", thousands=".", encoding="cp1252", skip_rows=3,
        time_formats=("%d/%m/%Y", "%d.%m.%Y"), null_values=("NULL", "-"),
        types={"id": "text", "a=b": "decimal(12,2)"},
    )  # fmt: skip


def test_options_change_what_a_source_file_says_of_files():
    described = oc.CsvFormat(delimiter=";", decimal=",")
    assert read_as("--encoding", "cp1252", described=described) == oc.CsvFormat(
        delimiter=";", decimal=",", encoding="cp1252"
    )
    typed = oc.CsvFormat(types={"id": "text", "order": "integer"})
    assert read_as("--type", "order=text", described=typed) == oc.CsvFormat(
        types={"id": "text", "order": "text"}
    )
    assert read_as("--sheet", "a", described=oc.ExcelSheet(skip_rows=2)) == oc.ExcelSheet(
        sheet="a", skip_rows=2
    )
    assert read_as("--format", "ndjson", described=described) == oc.NdJson()
    assert read_as(described=described) is None


def test_every_option_of_the_library_is_one_of_each_command():
    several = {name for name in COLUMNS if isinstance(getattr(oc.Columns(), name), tuple)}
    wanted = {name.removesuffix("s" * (name in several)).replace("_", "-") for name in COLUMNS}
    wanted |= {one.name.replace("_", "-") for one in dataclasses.fields(Policies)}
    wanted |= {"threads", "memory-limit", "spill-directory", "source", "sql", "no-amount", "format"}
    for name in ("profile", "report"):
        known = {flag.removeprefix("--") for one in cli.commands[name].params for flag in one.opts}
        assert wanted <= known
        assert not any(one.endswith("-column") for one in known)
    # What no result of a command shows is an option of no command.
    assert {*COLUMNS, "instants"} == {one.name for one in dataclasses.fields(oc.Columns)}
    csv_names = set(inspect.signature(oc.CsvFormat).parameters)
    assert csv_names == {"delimiter", "decimal", "thousands", "currency", "encoding", "skip_rows",
                         "time_formats", "null_values", "types"}  # fmt: skip


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (Option("CsvFormat.time_formats", ("%d/%m/%Y",)), "--time-format %d/%m/%Y"),
        (Option("CsvFormat.null_values", ("NULL", "a b")), "--null-value NULL --null-value 'a b'"),
        (Option("CsvFormat.types", {"id": "text"}), "--type id=text"),
        (Option("Columns.amount", None), "--no-amount"),
        (Option("Columns.amount", "q * p"), "--amount 'q * p'"),
        (Option("Columns.registered", None), '--registered ""'),
        (Option("columns"), "--customer, --time, --amount and so on (in a file: --source)"),
        (Option("nobody", ["guest"]), "--nobody guest"),
        (Option("read", Code("CsvFormat()")), "--format csv"),
        (Option("times_without_zone", "utc"), "--times-without-zone utc"),
        (Option("segments"), "--segment"),
        (Option("as_of", "2026-01-01"), "--as-of 2026-01-01"),
        (Option("allow_empty", value=True), "--allow-empty"),
        (Option("currency", "euro"), "--amounts-in euro"),
        (Option("CsvFormat.currency", "$"), "--currency '$'"),
        (Option("read.CsvFormat.currency"), "--currency"),
        (Option("filesystem"), "filesystem= in Python"),
        (Option("months", ("2026-13", "2027-01")), "--months 2026-13:2027-01"),
        (Option("period", "2026-10"), "--period 2026-10"),
    ],
    ids=str,
)
def test_arguments_are_said_as_flags(option, said):
    assert cli_errors.flag(option) == said


def test_warnings_are_a_line_each():
    @click.command()
    def warn():
        warnings.warn(
            oc.OrdercycleWarning(("look at ", Option("timezone", "UTC"), "\n")), stacklevel=1
        )

    group = cli_errors.OneLineErrors(commands={"warn": warn})
    result = click.testing.CliRunner().invoke(group, ["warn"])
    assert result.stderr == "ordercycle: look at --timezone UTC\\n\n"
    assert result.exit_code == 0


# SQL.


def test_a_query_is_shown_and_profiled():
    query = "select lower(trim(user_id)) as customer_id, created as ordered_at, "
    query += "price * quantity as amount from 'orders.parquet' where status = 'paid' order by all"
    found, said = profiles("--sql", query)
    assert found == {"a1": "50", "b2": "90", "guest": "40"}
    lines = said.splitlines()
    assert lines[0].startswith("query: 5 rows of customer_id VARCHAR, ordered_at TIMESTAMP")
    assert lines[1] == "first row: customer_id=a1, ordered_at=2026-01-01 23:30:00, amount=10"
    result = run("profile", "--sql", query, *AS_OF, "--quiet")
    assert result.stderr == ""


def test_a_query_is_run_once():
    query = (
        "select uuid() as customer_id, date '2026-01-01' as ordered_at, 1 as amount from range(2)"
    )
    found, said = profiles("--sql", query)
    shown = said.splitlines()[1].partition("customer_id=")[2].partition(",")[0]
    assert shown in found
    assert len(found) == 2


def test_a_query_may_have_columns_that_are_computed():
    found, _ = profiles("--sql", "from 'orders.parquet'", *DESCRIBED)
    assert found == {"a1": "50", "b2": "90"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("selct 1", "the query cannot be run"),
        ("select * from nowhere", "the query cannot be run"),
        ("select cast('x' as int) as customer_id", "the query cannot be run"),
        ("", "the query finds no rows"),
        ("select 1 as a, 2 as a", "the query finds two columns 'a'"),
        ("select 1 as a", "orders has no column 'customer_id'"),
    ],
)
def test_a_query_that_finds_no_orders(query, said):
    result = run("profile", "--sql", query, *AS_OF)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("ordercycle: ")
    assert said in result.stderr


def test_what_a_query_shows_moves_no_cursor():
    query = "select chr(27) || '[2J' as customer_id, date '2026-01-01' as ordered_at, 1 as amount"
    result = run("profile", "--sql", query, *AS_OF, "--out", "out.parquet")
    assert "\x1b" not in result.stderr
    assert "x1b[2J" in result.stderr
