"""`ordercycle report`."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import one_line, run

pytestmark = pytest.mark.usefixtures("shop")


def run_report(*arguments):
    return run("report", "orders.parquet", *arguments)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_report_in_a_file():
    result = run_report(
        "--customers", "customers.parquet", "--order", "order_id",
        "--scheme", "lifecycle", "--period", "2024-04:2024-06", "--out", "report.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    assert "9 segments, 2024-04 to 2024-06, in report.csv" in result.stderr
    assert "1 anonymous row" in result.stderr
    rows = rows_of(Path("report.csv").read_text(encoding="utf-8"))
    assert len(rows) == 20
    revenue = {row["SegmentName"]: row["TotalRevenue"] for row in rows[:10]}
    assert revenue["Active"] == "22.0"
    assert revenue["New – 1 order"] == "12.5"
    assert revenue["All Customers"] == "34.5"
    assert {row["PeriodStart"] for row in rows} == {"2024-04-01", "2023-04-01"}


def test_dynamics_on_stdout():
    result = run_report(
        "--period", "2024-06", "--compare", "none", "--mode", "dynamics", "--metric", "Orders",
        "--months", "2024-01:2024-06", "--segment", "Active", "--quiet",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    rows = rows_of(result.stdout)
    found = [row["Orders"] for row in rows if row["SegmentName"] == "All Customers"]
    assert found == ["2", "1", "0", "0", "0", "2"]  # without order ids, every row is an order
    assert {row["SegmentName"] for row in rows} == {"Active", "All Customers"}


def test_the_preset_decides():
    result = run_report(
        "--period", "2024-06", "--preset", "grocery", "--compare", "previous-period"
    )
    rows = {row["SegmentName"]: row for row in rows_of(result.stdout)[:10]}
    assert rows["Churned"]["TotalCustomers"] == "1"
    assert rows_of(result.stdout)[-1]["PeriodStart"] == "2024-05-01"


def test_a_period_without_orders_is_reported():
    result = run_report("--period", "2030-01", "--out", "report.csv")
    assert result.exit_code == 0
    warning, account = result.stderr.splitlines()
    assert warning.startswith("ordercycle: there are no orders in 2030-01: ")
    assert account.endswith("in report.csv")


def test_a_report_to_date():
    result = run_report("--period", "2024-06", "--as-of", "2024-06-20", "--out", "report.csv")
    assert result.exit_code == 0, result.stderr
    assert "2024-06-01 to 2024-06-20, in report.csv" in result.stderr
    rows = rows_of(Path("report.csv").read_text(encoding="utf-8"))
    assert {row["PeriodEnd"] for row in rows} == {"2024-06-20", "2023-06-20"}


def test_a_period_that_is_not_over_is_reported_in_flags():
    result = run_report("--period", "2024-06:2024-12", "--compare", "none", "--out", "report.csv")
    assert result.exit_code == 0, result.stderr
    warning, _ = result.stderr.splitlines()
    assert "ordercycle: 2024-06 to 2024-12 is not over" in warning
    assert warning.endswith("choose a day with --as-of")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--period", "2024-06", "--as-of", "2024-07-01"], "--as-of 2024-07-01 is no day of"),
        (["--period", "2024-13"], "--period 2024-13: '2024-13' is no month"),
        (["--period", "2024-06:"], "--period '2024-06:': '' is no month"),
        (["--period", "2024-06:2024-05"], "ends before it begins"),
        (["--period", "2024-06", "--segment", "Loyl"], "did you mean 'Loyal'"),
        (["--period", "2024-06", "--metric", "Orders"], "add --mode dynamics"),
        (["--period", "2024-06", "--mode", "dynamics", "--metric", "Order"], "mean 'Orders'"),
        (["--period", "2024-06", "--preset", "groceries"], "did you mean 'grocery'"),
        (["--period", "2024-06", "--every", "week"], "--every needs a --scheme that is"),
        (["--period", "2024-06", "--out", "report.parquet"], "must end in .csv"),
        ([], "Missing option '--period'"),
    ],
)
def test_wrong_usage(arguments, says):
    result = run_report(*arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert not result.stdout


def test_results_are_not_replaced_unasked():
    arguments = ("--period", "2024-06", "--out", "report.csv")
    assert run_report(*arguments).exit_code == 0
    assert "add --overwrite" in one_line(run_report(*arguments))
    assert run_report(*arguments, "--overwrite").exit_code == 0


def test_several_schemes_are_kept_apart():
    Path("rules.toml").write_text(
        'scheme = "rules"\ncolumn = "tier"\n\n[rules]\nVIP = "revenue >= 20"\n'
    )
    result = run_report(
        "--period", "2024-06", "--compare", "none", "--scheme", "lifecycle", "--active-days", "60",
        "--scheme", "cadence", "--scheme", "rfm", "--scheme", "rules.toml", "--every", "week",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    rows = {row["SegmentName"]: row for row in rows_of(result.stdout)}
    assert rows["lifecycle: Active"]["TotalCustomers"] == "0"
    names = {name.partition(": ")[0] for name in rows}
    assert names == {"lifecycle", "cadence", "rfm", "tier", "All Customers"}
    assert rows["tier: VIP"]["TotalCustomers"] == "1"


def test_a_scheme_comes_once():
    result = run_report("--period", "2024-06", "--scheme", "cadence", "--scheme", "cadence")
    assert result.exit_code == 2
    assert "two schemes are called 'cadence'" in result.stderr


def test_a_cadence_without_orders_has_nothing_to_fit_to():
    pq.write_table(pq.read_table("orders.parquet").slice(0, 0), "none.parquet")
    result = run("report", "none.parquet", "--period", "2024-06", "--scheme", "cadence")
    assert "there are no gaps to fit to" in one_line(result)


def test_a_later_scheme_reads_what_an_earlier_one_finds():
    Path("best.toml").write_text('scheme = "rules"\n\n[rules]\nScored = "rfm is not null"\n')
    result = run_report(
        "--period", "2024-06", "--compare", "none", "--scheme", "rfm", "--scheme", "best.toml"
    )
    assert result.exit_code == 0, result.stderr


def test_rules_are_recalculated_as_often_as_one_asks():
    Path("rules.toml").write_text('scheme = "rules"\n\n[rules]\nBuyer = "orders >= 1"\n')
    found = {}
    for every in ("day", "month"):
        result = run_report(
            "--period", "2024-01:2024-06", "--compare", "none", "--scheme", "rules.toml",
            "--every", every,
        )  # fmt: skip
        (found[every],) = (
            row["Orders"] for row in rows_of(result.stdout) if row["SegmentName"] == "Buyer"
        )
    # A month holds no first orders: whoever made them is nobody until its end.
    assert int(found["day"]) > int(found["month"])


AUDITED = ("--order", "order_id", "--period", "2024-04:2024-06", "--compare", "none", "--quiet")


def test_an_audit_adds_up():
    report = run_report(*AUDITED)
    everybody = rows_of(report.stdout)[-1]
    audit = run_report(*AUDITED, "--audit", "Average Order Value")
    below = run_report(*AUDITED, "--audit", "Average Order Value", "--denominator")
    assert (audit.exit_code, audit.stderr) == (0, "")
    assert sum(float(row["value"]) for row in rows_of(audit.stdout)) == float(
        everybody["TotalRevenue"]
    )
    assert len(rows_of(below.stdout)) == int(everybody["Orders"])
    one = run_report(*AUDITED, "--audit", "Orders", "--segment", "Active", "--out", "a.parquet")
    assert one.exit_code == 0, one.stderr
    assert pq.read_table("a.parquet").column_names == ["customer_id", "order", "day", "value"]
    months = run_report(*AUDITED, "--audit", "Orders", "--months", "2024-06")
    assert {row["day"][:7] for row in rows_of(months.stdout)} == {"2024-06"}


def test_rows_of_each_target_action_and_brand():
    table = pq.read_table("orders.parquet")
    shops = pa.array([("north", "south")[one % 2] for one in table["order_id"].to_pylist()])
    pq.write_table(table.append_column("store", shops), "stores.parquet")
    both = run(
        "report", "stores.parquet", *AUDITED, "--attribute", "store", "--brand", "store",
        "--target", "All", "--target", "Large=amount > 20",
    )  # fmt: skip
    assert both.exit_code == 0, both.stderr
    rows = [row for row in rows_of(both.stdout) if row["SegmentName"] == "All Customers"]
    assert [row["TargetAction"] for row in rows[:2]] == ["All", "Large"]
    assert (rows[0]["Brand"], len({row["Brand"] for row in rows}) > 2) == ("", True)
    of_brands = [row for row in rows if row["Brand"] and row["TargetAction"] == "All"]
    assert sum(int(row["Orders"]) for row in of_brands) == int(rows[0]["Orders"])


def test_best_campaigns_and_subscriptions():
    names = "customer_id,occurred_at,kind,channel,campaign\n"
    row = "1,2024-05-01T10:00:00Z,delivery,Email,spring\n"
    Path("touches.csv").write_text(names + row, encoding="utf-8")
    Path("topics.csv").write_text("customer_id,channel,topic\n1,Email,news\n", encoding="utf-8")
    top = run_report(
        *AUDITED, "--touches", "touches.csv", "--top-campaigns", "3", "--metric", "Deliveries"
    )
    plain = run_report(*AUDITED, "--subscriptions", "topics.csv")
    assert (top.exit_code, plain.exit_code) == (0, 0), top.stderr + plain.stderr
    assert all(row["campaign"] == "spring" for row in rows_of(top.stdout))
    assert "Subscribers" in rows_of(plain.stdout)[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--denominator",), "are of --audit METRIC"),
        (("--audit", "Orders", "--top-campaigns", "3"), "a result of their own"),
        (("--audit", "Orders", "--by", "channel", "--touches", "x"), "--by means nothing"),
        (("--audit", "Orders", "--audit-of", "Email"), "no KIND=NAME"),
        (("--audit", "Orders", "--out", "x.xlsx"), "must end in one of"),
        (("--audit", "Orders", "--segment", "A", "--segment", "B"), "of one --segment"),
        (("--target", "=x"), "has no name"),
    ],
)
def test_questions_that_make_no_sense(options, said):
    result = run_report(*AUDITED, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
