"""Values of real exports: currencies, offsets, conditions and what is missing."""

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.command_line import one_line, run
from support.real_files import AS_OF, file, profiled

import ordercycle as oc

# --- Siblings ------------------------------------------------------------------------------------

ORDERS = "customer_id,ordered_at,amount\n"


@pytest.mark.parametrize(
    ("cell", "value"),
    [("$15.00", "15.00"), ("-$15.00", "-15.00"), ("$-15.00", "-15.00"), ("15.00 $", "15.00"),
     ("$ 1,500.25", "1500.25"), ("-1,500 $", "-1500"), ("7", "7"), ("15\u00a0$", "15")],
)  # fmt: skip
@pytest.mark.parametrize("kind", [{}, {"amount": "decimal(12,2)"}])
def test_the_sign_of_a_currency_stands_on_either_side(tmp_path, cell, value, kind):
    path = file(tmp_path / "a.csv", ORDERS + f'a,2026-01-01,"{cell}"\n')
    read = oc.CsvFormat(currency="$", thousands=",", types=kind)
    history = oc.OrderHistory.build(path, read=read, refunds="count")
    assert Decimal(str(history.profile(AS_OF)["revenue"][0].as_py())) == Decimal(value)


@pytest.mark.parametrize("cell", ["€15.00", "$$15", "$15$", "-$-15", "$", "US$15"])
def test_another_currency_is_no_number(tmp_path, cell):
    path = file(tmp_path / "a.csv", ORDERS + f"a,2026-01-01,$1\nb,2026-01-02,{cell}\n")
    with pytest.raises(oc.ColumnError, match=r"in line 3 of .* which is no number"):
        oc.OrderHistory.build(path, read=oc.CsvFormat(currency="$"))


@pytest.mark.parametrize(
    ("cell", "flags"),
    [("$15.00", ["--currency '$'"]), ("15.00 EUR", ["--currency EUR"]),
     ("1.234,50 €", ["--currency '€'", "--decimal ,", "--thousands ."])],
)  # fmt: skip
@pytest.mark.parametrize("declared", [[], ["--type", "amount=decimal(12,2)"]])
def test_a_message_names_the_currency(tmp_path, cell, flags, declared):
    path = file(tmp_path / "a.csv", ORDERS + f'a,2026-01-01,"{cell}"\n')
    line = one_line(run("profile", path, "--as-of", AS_OF, *declared))
    assert repr(cell) in line
    assert "line 2" in line
    assert all(flag in line for flag in flags)


@pytest.mark.parametrize("currency", ["", " ", "5", "-", "1€", 7])
def test_a_currency_that_makes_no_sense(currency):
    with pytest.raises(oc.ConfigError, match="currency="):
        oc.CsvFormat(currency=currency)


TIMES = ["2024-05-02 23:58:00 -0400", "2024-05-02T23:58:00+02:00", "2024-05-02 23:58:00-04"]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_offsets_without_a_zone_are_a_warning(tmp_path, recwarn, time, ending):
    text = ORDERS + f"a,{time},1\n"
    if ending == "ndjson":
        text = json.dumps({"customer_id": "a", "ordered_at": time, "amount": 1})
    path = file(tmp_path / f"a.{ending}", text)
    with pytest.warns(oc.OrdercycleWarning, match="ordered_at has offsets from UTC"):
        oc.OrderHistory.build(path)
    for zone in ("UTC", "Europe/Madrid"):
        oc.OrderHistory.build(path, timezone=zone)
    assert not recwarn


def test_times_in_utc_need_no_zone(tmp_path):
    for time in ("2024-05-02T23:58:00Z", "2024-05-02 23:58:00+00:00"):
        oc.OrderHistory.build(file(tmp_path / "a.csv", ORDERS + f"a,{time},1\n"))


def test_offsets_without_a_zone_are_a_line_on_the_command_line(tmp_path):
    path = file(tmp_path / "a.csv", ORDERS + f"a,{TIMES[0]},1\n")
    result = run("profile", path, "--as-of", AS_OF)
    assert "ordered_at has offsets from UTC" in result.stderr
    assert "--timezone UTC" in result.stderr


@pytest.mark.parametrize(
    "only",
    ["status != 'void'", "status == 'paid'", "status in ('a', 'b')", "lower(status) == 'x'",
     "if_null(status, 'x') != 'x'", "not status == 'x'"],
)  # fmt: skip
def test_a_column_without_any_value_is_compared_with_text(tmp_path, only):
    row = {"customer_id": "a", "ordered_at": "2026-01-01", "amount": 1, "status": None}
    table = pa.table(
        {"customer_id": ["a"], "ordered_at": [dt.date(2026, 1, 1)], "amount": [1],
         "status": pa.nulls(1)}
    )  # fmt: skip
    for source in (file(tmp_path / "a.ndjson", json.dumps(row)), table):
        assert oc.OrderHistory.build(source, only=only).summary().left_out == 1


def test_only_names_what_is_missing_in_flags(tmp_path):
    path = file(tmp_path / "a.csv", ORDERS + "a,2026-01-01,1\n")
    result = run("profile", path, "--as-of", AS_OF, "--only", "Amount > 3")
    assert "did you mean 'amount'?" in one_line(result)
    assert "--only 'Amount > 3'" in one_line(result)


def test_rows_without_an_amount_name_the_condition_that_leaves_them_out(tmp_path):
    path = file(tmp_path / "a.csv", "customer_id,ordered_at,Net Total\na,2026-01-01,\n")
    columns = ("--amount", "Net Total")
    line = one_line(run("profile", path, "--as-of", AS_OF, *columns))
    assert "at line 2" in line
    condition = 'column("Net Total") is not null'
    assert f"--only '{condition}'" in line
    assert profiled(path, *columns, "--only", condition) == {}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("only", "orders"), [("true", 3), ("false", 0), (pc.scalar(value=True), 3)]
)
def test_a_condition_without_columns_is_the_same_for_all_rows(tmp_path, only, orders, threads):
    days = [dt.date(2026, 1, 1)] * 3
    table = pa.table({"customer_id": list("aba"), "ordered_at": days, "amount": [1, 2, 3]})
    path = file(tmp_path / "a.csv", ORDERS + "a,2026-01-01,1\n" * 3)
    for source in (table, path):
        summary = oc.OrderHistory.build(source, only=only, threads=threads).summary()
        assert (summary.orders, summary.left_out) == (orders, 3 - orders)


@pytest.mark.parametrize("text", ["q * (p", "amount * 2 +", "lower(customer_id", "amount = 2"])
def test_an_expression_that_cannot_be_read_says_why(tmp_path, text):
    path = file(tmp_path / "a.csv", ORDERS + "a,2026-01-01,1\n")
    line = one_line(run("profile", path, "--as-of", AS_OF, "--amount", text))
    assert "as an expression it cannot be read: " in line


def test_what_is_missing_for_totals_of_orders_is_named_in_flags(tmp_path):
    path = file(tmp_path / "a.csv", ORDERS + "a,2026-01-01,1\n")
    result = run("profile", path, "--as-of", AS_OF, "--amount-per", "order")
    assert result.exit_code == 2
    assert "name both: --order and --amount" in result.stderr


def test_options_of_files_say_nothing_of_a_query():
    result = run("profile", "--sql", "select 1", "--delimiter", ";", "--as-of", AS_OF)
    assert result.exit_code == 2
    assert "say nothing of --sql" in result.stderr
