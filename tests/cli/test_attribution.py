"""`ordercycle attribution`."""

import csv
import datetime as dt
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._attribution import option_checks
from ordercycle._cli.app import cli
from ordercycle._cli.touch_files import MODELS, PRESETS
from ordercycle._months import PRIOR
from ordercycle._report.export import MODES
from ordercycle._report.quantities import GRAINS

NOON = dt.datetime(2026, 3, 10, 12)  # noqa: DTZ001 - local time
HOUR = dt.timedelta(hours=1)
ORDERS = {
    "customer_id": ["ann", "ann", "bob", "eve"],
    "order_id": [1, 2, 3, 4],
    "ordered_at": [NOON, NOON + 240 * HOUR, NOON, NOON],
    "amount": [60.0, 25.0, 40.0, 15.5],
}
TOUCHES = {
    "customer_id": ["ann", "ann", "bob", "eve"],
    "occurred_at": [NOON - 48 * HOUR, NOON - 3 * HOUR, NOON - 20 * HOUR, NOON - HOUR],
    "kind": ["click", "click", "delivery", "click"],
    "channel": ["Email", "Popup", "SMS", "Email"],
    "campaign": ["spring", "corner", "sale", "receipt"],
}
FILE = """
[streams.touches]
path = "touches.parquet"
columns = { attributes = ["kind", "channel", "campaign"] }
lookups = { campaign = "campaigns.csv" }
[attribution]
preset = "maestra"
exclude = "campaign.type == 'transactional'"
windows = { "SMS:delivery" = "1d" }
groups = { campaigns = "*", site = ["Popup"] }
"""


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(ORDERS), "orders.parquet")
    pq.write_table(pa.table(TOUCHES), "touches.parquet")
    types = "campaign,type\nspring,bulk\nsale,bulk\ncorner,bulk\nreceipt,transactional\n"
    Path("campaigns.csv").write_text(types, encoding="utf-8")
    Path("touches.toml").write_text(FILE, encoding="utf-8")


def run_attribution(*arguments, touches="touches.parquet"):
    return run(
        "attribution", "orders.parquet", "--order", "order_id", "--touches", touches, *arguments
    )


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_credits_in_a_file_and_a_summary():
    result = run_attribution("--out", "credits.parquet")
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    table = pq.read_table("credits.parquet")
    won = [
        (row["order"], row["group"], row["channel"], row["revenue"]) for row in table.to_pylist()
    ]
    assert sorted(won, key=str) == [
        (1, "campaigns", "Email", 60.0),
        (1, "personalization", "Popup", 60.0),
        (2, None, None, 25.0),
        (3, None, None, 40.0),
        (4, "campaigns", "Email", 15.5),
    ]
    lines = [line.split() for line in result.stderr.splitlines()]
    assert ["campaigns", "Email", "2", "75.50", "53.7", "%"] in lines
    assert ["all", "channels", "2", "75.50", "53.7", "%"] in lines
    assert ["nobody", "2", "65.00", "46.3", "%"] in lines
    assert ["all", "orders", "4", "140.50", "100.0", "%"] in lines
    assert ["Email", "spring", "1", "60.00", "42.7", "%"] in lines
    assert result.stderr.endswith("3 customers -> 5 rows in credits.parquet\n")


def test_rules_of_a_file_come_after_those_that_are_given():
    result = run_attribution("--campaigns", "1", touches="touches.toml")
    assert result.exit_code == 0, result.stderr
    won = {(row["order"], row["group"], row["channel"]) for row in rows_of(result.stdout)}
    assert won == {
        ("1", "campaigns", "Email"),
        ("1", "site", "Popup"),
        ("2", "", ""),
        ("3", "campaigns", "SMS"),
        ("4", "", ""),
    }
    assert "and 2 more campaigns" in result.stderr
    assert "1 excluded touch" in result.stderr
    given = ("--window", "1d", "--window", "SMS:delivery=2h", "--exclude", "kind == 'delivery'")
    again = run_attribution(*given, "--quiet", touches="touches.toml")
    assert (again.exit_code, again.stderr) == (0, "")
    won = {(row["order"], row["channel"]) for row in rows_of(again.stdout)}
    assert won == {("1", "Popup"), ("2", ""), ("3", ""), ("4", "Email")}


def test_an_empty_table_of_windows_takes_those_of_the_rules_away():
    table = 'windows = { "SMS:delivery" = "1d" }'
    for windows, channels in ((table, ["", "SMS"]), ("windows = {}", ["", "SMS"]), ("", ["", ""])):
        text = FILE.replace('preset = "maestra"', 'window = "1d"').replace(table, windows)
        Path("few.toml").write_text(text, encoding="utf-8")
        result = run_attribution("--quiet", touches="few.toml")
        won = {row["order"]: row["channel"] for row in rows_of(result.stdout)}
        assert [won[order] for order in ("2", "3")] == channels, windows


def test_choices_are_those_of_the_library():
    assert tuple(option_checks.PRESETS) == PRESETS
    assert option_checks.MODELS == MODELS
    given = {one.name: one.type for one in cli.commands["attribution"].params}
    assert tuple(given["compete"].choices) == option_checks.COMPETE
    assert tuple(given["clock"].choices) == option_checks.CLOCKS
    of_report = {one.name: one.type for one in cli.commands["report"].params}
    words = {
        name: [one.replace("-", "_") for one in of_report[name].choices]
        for name in ("compare", "mode", "by")
    }
    assert words == {"compare": [*PRIOR, "none"], "mode": list(MODES), "by": list(GRAINS)}


@pytest.mark.parametrize("order", ["1", "3"])
def test_an_order_is_explained(order):
    result = run_attribution("--explain", order, "--quiet")
    outcomes = [(row["channel"], row["outcome"]) for row in rows_of(result.stdout)]
    assert outcomes == {"1": [("Email", "won"), ("Popup", "won")], "3": [("SMS", "window")]}[order]


def test_a_metric_by_the_length_of_windows():
    result = run_attribution("--windows", "Total CRM Revenue", "--days", "1:3", "--quiet")
    assert [row["value"] for row in rows_of(result.stdout)] == ["75.5", "75.5", "75.5"]
    long = run_attribution("--windows", "CRM Orders", "--quiet")
    assert len(rows_of(long.stdout)) == 30
    single = run_attribution("--windows", "CRM Orders", "--days", "60", "--qualify", "click")
    assert rows_of(single.stdout) == [{"days": "60", "value": "3"}]


def test_paths_as_lists_or_a_row_for_each_touch():
    result = run_attribution("--paths", "--compete", "all", "--model", "linear", "--quiet")
    found = [(row["order"], row["step"], row["campaign"]) for row in rows_of(result.stdout)]
    assert sorted(found) == [("1", "1", "spring"), ("1", "2", "corner"), ("4", "1", "receipt")]
    run_attribution("--paths", "--out", "paths.parquet")
    paths = pq.read_table("paths.parquet")["path"].to_pylist()
    assert sorted(len(one) for one in paths) == [1, 1, 1]


def test_saved_touches_and_every_rule():
    columns = oc.EventColumns(attributes=("kind", "channel", "campaign"))
    oc.EventHistory.build(pa.table(TOUCHES), columns=columns).save("saved")
    result = run_attribution(
        "--preset", "last_click", "--window", "20d", "--no-reuse", "--tier", "SMS:delivery",
        "--tier", "click", "--qualify", "click", "--qualify", "SMS:delivery", "--group",
        "mail=Email,SMS", "--group", "site=*", "--most-touches", "3", "--half-life", "2d",
        "--model", "time_decay", "--clock", "touch", "--compete", "channel", "--burst", "9=1s",
        "--quiet",
        touches="saved",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    won = {(row["order"], row["group"], row["channel"]) for row in rows_of(result.stdout)}
    assert ("1", "mail", "Email") in won
    assert ("3", "mail", "SMS") in won
    assert ("2", "", "") in won  # its touches were used by order 1


FAILURES = [
    ([], None, 2, "Missing option '--touches'"),
    (["--explain", "1", "--paths"], "touches.parquet", 2, "a result of their own"),
    (["--days", "3"], "touches.parquet", 2, "--days is of --windows"),
    (["--days", "x", "--windows", "CRM Orders"], "touches.parquet", 2, "no number of days"),
    (["--explain", "9"], "touches.parquet", 2, "there is no order 9"),
    (["--windows", "Orders"], "touches.parquet", 2, "--windows Orders is not an option"),
    (["--window", "soon"], "touches.parquet", 2, "--window soon is no duration"),
    (["--window", "click=soon"], "touches.parquet", 2, "--window: 'soon' of 'click'"),
    (["--window", "=5d"], "touches.parquet", 2, "names no touches"),
    (["--window", "5d", "--window", "6d"], "touches.parquet", 2, "two windows of 'all touches'"),
    (["--burst", "four=1s"], "touches.parquet", 2, "names no clicks and a time"),
    (["--burst", "1=1s"], "touches.parquet", 2, "--burst: (1, '1s') is no number of clicks"),
    (["--group", "site"], "touches.parquet", 2, "names no channels"),
    (["--group", "a=X", "--group", "a=Y"], "touches.parquet", 2, "two groups 'a'"),
    (["--group", "a=X", "--group", "b=X"], "touches.parquet", 2, "--group: 'X' is in 'a' and in"),
    (["--strict", "--model", "linear"], "touches.parquet", 2, "--strict means nothing for linear"),
    (["--qualify", "a:b", "--qualify", "a:b"], "touches.parquet", 2, "--qualify a:b"),
    ([], "nowhere.parquet", 1, "there is no file or directory 'nowhere.parquet'"),
    ([], "orders.parquet", 1, "no column 'occurred_at', 'kind', 'channel'; describe"),
    ([], "nowhere.toml", 1, "cannot be read"),
]


@pytest.mark.parametrize(("arguments", "touches", "code", "message"), FAILURES)
def test_what_cannot_be_done_is_said_in_one_line(arguments, touches, code, message):
    given = [] if touches is None else ["--touches", touches]
    result = run("attribution", "orders.parquet", "--order", "order_id", *given, *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


FILES = [
    ("[attribution]\nwindow = '5d'", "there are no touches"),
    ("[streams.visits]\npath = 'a'", "there are no touches"),
    (FILE.replace("preset", "presets"), "[attribution]: there is no rule 'presets'"),
    (FILE.replace("maestra", "mastra"), "did you mean 'maestra'"),
    (FILE.replace("[attribution]", "[attributions]"), "there is no key 'attributions'"),
    (FILE + "[streams.points]\npath = 'a'", "there is no stream 'points'"),
    (FILE.replace('"1d"', '"1 day"'), "'1 day' of ('SMS', 'delivery')"),
    (FILE + "qualify = 3", "'qualify' names no touches"),
    (FILE.replace('{ "SMS:delivery" = "1d" }', "3"), "'windows' is no table"),
    ("attribution = 3\n" + FILE.partition("[attribution]")[0], "[attribution]: is no table"),
]


@pytest.mark.parametrize(("text", "message"), FILES)
def test_files_that_say_nothing_of_touches(text, message):
    Path("bad.toml").write_text(text, encoding="utf-8")
    result = run_attribution(touches="bad.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bad.toml" in result.stderr
    assert message in result.stderr


def test_touches_without_instants():
    days = TOUCHES | {"occurred_at": [one.date() for one in TOUCHES["occurred_at"]]}
    pq.write_table(pa.table(days), "touch_days.parquet")
    of_report = ("report", "orders.parquet", "--period", "2026-03", "--touches")
    for command in (("attribution", "orders.parquet", "--touches"), of_report):
        result = run(*command, "touch_days.parquet")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the touches have days without instants" in result.stderr
        assert "day_instants = true in the file that describes them" in result.stderr
    described = FILE.replace("touches.parquet", "touch_days.parquet")
    text = described.replace("lookups", "day_instants = true\nlookups")
    Path("days.toml").write_text(text, encoding="utf-8")
    assert run_attribution("--quiet", touches="days.toml").exit_code == 0


def test_orders_without_instants_or_ids():
    days = {**ORDERS, "ordered_at": [one.date() for one in ORDERS["ordered_at"]]}
    pq.write_table(pa.table(days), "days.parquet")
    result = run("attribution", "days.parquet", "--touches", "touches.parquet")
    assert result.exit_code == 2
    assert "ordered_at" in result.stderr
    result = run("attribution", "orders.parquet", "--touches", "touches.parquet", "--explain", "1")
    assert result.exit_code == 2
    assert "--order" in result.stderr


def test_a_report_by_channel():
    arguments = (
        "report", "orders.parquet", "--order", "order_id", "--period", "2026-03",
        "--compare", "none", "--as-of", "2026-03-31", "--by",
    )  # fmt: skip
    result = run(*arguments, "channel")
    assert result.exit_code == 2
    assert "--by needs --touches" in result.stderr
    result = run(*arguments, "channel", "--touches", "touches.toml", "--out", "report.csv")
    assert result.exit_code == 0, result.stderr
    rows = rows_of(Path("report.csv").read_text(encoding="utf-8"))
    crm = {row["Channel"]: row for row in rows if row["SegmentName"] == "All Customers"}
    # The receipt does not count, and the text message was delivered a day before at most.
    found = {name: (row["CrmOrders"], row["CrmRevenue"]) for name, row in crm.items()}
    assert found == {
        "": ("2", "100.0"), "Email": ("1", "60.0"), "Popup": ("1", "60.0"), "SMS": ("1", "40.0"),
    }  # fmt: skip
    assert (crm[""]["TotalRevenue"], crm[""]["Orders"], crm["SMS"]["Orders"]) == ("140.5", "4", "")
    assert json.loads(Path("report.csv.json").read_text(encoding="utf-8"))
    assert run(*arguments, "channel", "--touches", "touches.toml", "--out", "report.csv").exit_code
    result = run(*arguments, "mailing-type", "--touches", "touches.toml", "--quiet")
    assert {row["MailingType"] for row in rows_of(result.stdout)} >= {"", "bulk"}
