"""Journeys and experiments on the command line."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from support.command_line import one_line, run

import ordercycle as oc

DAY = date(2026, 1, 1)
JOURNEY = """
journey = "hello"
trigger = { enters = "At-risk", of = "lifecycle" }
arms = { treatment = 100 }

[[steps]]
name = "hello"
action = "mail/hello"

[[steps]]
name = "opened"
wait_for = { event = "open", step = "hello", within_days = 2 }
then = "end"
otherwise = "again"

[[steps]]
name = "again"
action = "mail/again"

[streams.mails]
path = "mails.parquet"
columns = { attributes = ["event", "step"] }
"""


@pytest.fixture
def folder(tmp_path):
    orders = pa.table(
        {
            "customer_id": [*range(40)],
            "ordered_at": [DAY + timedelta(days=who % 3) for who in range(40)],
            "amount": [10] * 40,
        }
    )
    oc.OrderHistory.build(orders).save(tmp_path / "history")
    mails = {"customer_id": [0], "occurred_at": [DAY + timedelta(days=122)], "event": ["open"]}
    parquet.write_table(pa.table({**mails, "step": ["hello"]}), tmp_path / "mails.parquet")
    (tmp_path / "hello.toml").write_text(JOURNEY)
    (tmp_path / "banner.toml").write_text(
        'experiment = "banner"\narms = { control = 50, banner = 50 }\n'
    )
    return tmp_path


def test_a_feed_and_what_came_of_it(folder):
    common = ("journey", folder / "hello.toml", "--history", folder / "history")
    out = folder / "feed.csv"
    result = run(*common, "--feed", "2026-05-02", "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "nobody is held out" in result.stderr
    rows = csv.read_csv(out).to_pylist()
    assert {row["step"] for row in rows} == {"hello"}
    assert sorted(row["customer_id"] for row in rows) == [who for who in range(40) if who % 3 == 0]
    ledger = folder / "sent.parquet"
    sent = {"action_key": [row["action_key"] for row in rows[:3]], "sent_on": [DAY] * 3}
    parquet.write_table(pa.table(sent), ledger)
    result = run(*common, "--feed", "2026-05-02", "--ledger", ledger, "--out", out, "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert csv.read_csv(out).num_rows == len(rows) - 3
    uri = ("--ledger", ledger.as_uri())  # of which a path would keep one slash
    result = run(*common, "--feed", "2026-05-02", *uri, "--out", out, "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert csv.read_csv(out).num_rows == len(rows) - 3
    for show in ("entries", "states", "funnel", "time_to_convert", "withdrawn", "analytics"):
        result = run(*common, "--as-of", "2026-06-30", "--show", show, "--quiet")
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
    assert result.stdout.splitlines()[1].startswith("40,0,0,")
    assert "--by" in run(*common, "--by", "arm", "--show", "states").stderr


def test_schemes_of_memberships_are_in_the_file(folder):
    text = JOURNEY.replace("lifecycle", "silent").replace("At-risk", "Silent")
    rules = '[schemes.silent]\nscheme = "rules"\nrules = { Silent = "days_since_last_order > 5" }\n'
    (folder / "silent.toml").write_text(f"{text}\n{rules}")
    common = ("--history", folder / "history", "--as-of", "2026-06-30", "--quiet")
    result = run("journey", folder / "silent.toml", *common)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1].startswith("40,")
    by = run("journey", folder / "silent.toml", *common, "--by", "lifecycle")
    assert by.exit_code == 0, by.stderr
    assert by.stdout.startswith('"lifecycle","Triggered journey"')
    unknown = run("journey", folder / "silent.toml", *common, "--by", "lifecicle")
    assert "lifecicle" in one_line(unknown)
    alone = run("journey", folder / "silent.toml", *common, "--show", "log_rank")
    assert alone.exit_code == 2
    assert "no arm 'control'" in alone.stderr
    (folder / "other.toml").write_text(text)
    assert "silent" in one_line(run("journey", folder / "other.toml", *common))
    (folder / "loop.toml").write_text(JOURNEY.replace('then = "end"', 'then = "hello"'))
    message = one_line(run("journey", folder / "loop.toml", *common))
    assert "loop.toml: the steps go round in a loop" in message


def test_a_version_after_another_one(folder):
    old = JOURNEY.replace("trigger =", "ends_on = 2026-05-02\nmigrate = true\ntrigger =")
    (folder / "old.toml").write_text(old)
    (folder / "new.toml").write_text(
        JOURNEY.replace("trigger =", "starts_on = 2026-05-03\ntrigger =")
    )
    common = ("--history", folder / "history", "--as-of", "2026-06-30", "--quiet")
    counts = []
    for more in ((), ("--after", folder / "old.toml")):
        result = run("journey", folder / "new.toml", *common, *more)
        assert result.exit_code == 0, result.stderr
        counts.append(int(result.stdout.splitlines()[1].partition(",")[0]))
    first = sum(who % 3 == 0 for who in range(40))  # who entered by the old one, and was taken up
    assert counts == [40 - first, 40]
    wrong = run("journey", folder / "old.toml", *common, "--after", folder / "new.toml")
    assert "without an end" in wrong.stderr


def test_views_from_before_the_assignment_are_refused_by_their_table(folder):
    views = {"customer_id": [1], "occurred_at": [DAY]}
    parquet.write_table(pa.table(views), folder / "views.parquet")
    text = (folder / "banner.toml").read_text()
    (folder / "seen.toml").write_text(text + '[streams.exposures]\npath = "views.parquet"\n')
    result = run(
        "experiment", folder / "seen.toml", "--history", folder / "history",
        "--since", "2026-01-05", "--as-of", "2026-02-09",
    )  # fmt: skip
    assert "[streams.exposures] has before the assignment on 2026-01-05" in one_line(result)


def test_an_experiment_is_measured(folder):
    common = ("experiment", folder / "banner.toml", "--history", folder / "history",
              "--since", "2026-01-05")  # fmt: skip
    for show, rows in (("table", 2), ("path", 6), ("rehearsal", 1)):
        result = run(*common, "--as-of", "2026-02-09", "--show", show)
        assert result.exit_code == 0, result.stderr
        assert len(result.stdout.splitlines()) == 1 + rows
    result = run(*common, "--as-of", "2026-01-20")
    assert result.exit_code == 2
    assert "--as-of 2026-01-20 is before the first window closes" in result.stderr
