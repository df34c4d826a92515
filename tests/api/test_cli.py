"""The command line: what it writes where, how it ends, and what a killed run leaves."""

import csv
import datetime as dt
import io
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner
from pyarrow import feather, parquet

import ordercycle as oc
from ordercycle.cli import cli
from ordercycle.cli.csv_text import csv_ready
from ordercycle.demo.generated import generated_customers, generated_orders
from ordercycle.demo.shop import Shop

AS_OF = "2024-06-30"
SEGMENTS = list(oc.Lifecycle.preset("fashion").segments)


def day(month, number):
    return dt.datetime(2024, month, number, 12)  # noqa: DTZ001 - local time


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with orders.parquet and customers.parquet, made the working directory."""
    monkeypatch.chdir(tmp_path)
    rows = [
        (1, 10, day(1, 1), 20.0),
        (1, 10, day(1, 1), 5.0),  # a second line of order 10
        (1, 11, day(6, 1), 30.0),
        (1, 12, day(6, 10), -8.0),  # a refund
        (2, 13, day(6, 29), 12.5),
        (None, 14, day(6, 2), 99.0),  # nobody
        (3, 15, day(2, 1), 7.0),  # not in the customer table
    ]
    names = ("customer_id", "order_id", "ordered_at", "amount")
    orders = pa.table(
        dict(zip(names, (pa.array(column) for column in zip(*rows, strict=True)), strict=True))
    )
    parquet.write_table(orders, "orders.parquet")
    customers = pa.table(
        {"customer_id": [1, 2, 4], "registered_at": [day(1, 1), day(6, 20), day(3, 1)]}
    )
    parquet.write_table(customers, "customers.parquet")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run_profile(*arguments):
    return run("profile", "orders.parquet", "--as-of", AS_OF, *arguments)


def rows_by_customer(table):
    return {row["customer_id"]: row for row in table.to_pylist()}


@contextmanager
def process(*arguments, code="from ordercycle.cli import main; main()", **options):
    """Start the command line as a shell would; it does not outlive the test."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, env=environment, **options) as started:
        try:
            yield started
        finally:
            started.kill()


# --- help, version, usage ------------------------------------------------------------------


@pytest.mark.parametrize("command", ["demo", "profile", "segment", "warmup"])
def test_each_help_has_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"ordercycle {command}" in result.stdout


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("ordercycle ")


@pytest.mark.usefixtures("shop")
def test_an_unknown_preset_is_told_with_those_there_are():
    result = run("segment", "orders.parquet", "--preset", "fashoin")
    assert result.exit_code == 2
    assert "did you mean 'fashion'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["profile", "orders.parquet"],
        ["profile", "--as-of", AS_OF],
        ["profile", "orders.parquet", "--as-of", "June"],
        ["profile", "orders.parquet", "--as-of", AS_OF, "--refunds", "keep"],
        ["profile", "orders.parquet", "--as-of", AS_OF, "--threads", "0"],
        ["profile", "orders.parquet", "--as-of", AS_OF, "--out", "profile.xlsx"],
        ["segment", "absent.parquet"],
        ["segment", "orders.parquet", "--preset", "fashion", "--new-days", "20"],
        ["segment", "orders.parquet", "--scheme", "horoscope"],
        ["demo", "--customers", "0"],
        ["demo", "--out", "demo.txt"],
        ["dance"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(shop, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert not result.stdout
    assert "Usage: " in result.stderr
    assert sorted(path.name for path in shop.iterdir()) == ["customers.parquet", "orders.parquet"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["profile", "orders.parquet", "--as-of", AS_OF, "--timezone", "Mars/Olympus"], "Mars"),
        (["profile", "orders.parquet", "--as-of", AS_OF, "--time-column", "amount"], "amount"),
        (["segment", "orders.parquet", "--active-days", "90", "--churned-days", "60"], "90"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage_too(arguments, named):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("ordercycle: ")
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr


# --- profile -------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_profile_with_customers():
    result = run_profile(
        "--customers", "customers.parquet", "--order-column", "order_id", "--out", "profile.parquet"
    )
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    assert "7 rows" in result.stderr
    assert "1 refunds" in result.stderr
    assert "1 anonymous rows" in result.stderr
    assert "4 profiles in profile.parquet" in result.stderr
    found = rows_by_customer(parquet.read_table("profile.parquet"))
    assert set(found) == {1, 2, 3, 4}
    assert found[1]["orders"] == 2
    assert found[1]["revenue"] == 47.0
    assert found[1]["time_between_orders"] == 152.0
    assert found[2]["registered_on"] == dt.date(2024, 6, 20)
    assert found[2]["days_since_last_order"] == 1
    assert found[3]["registered_on"] == dt.date(2024, 2, 1)
    assert found[4]["orders"] == 0


@pytest.mark.usefixtures("shop")
def test_profile_without_out_is_csv_on_stdout():
    result = run_profile()
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["customer_id"] for row in rows} == {"1", "2", "3"}
    assert {row["customer_id"]: row["orders"] for row in rows}["1"] == "3"  # every row an order
    assert "3 profiles in stdout" in result.stderr


@pytest.mark.usefixtures("shop")
def test_quiet_says_nothing():
    result = run_profile("--quiet", "--out", "profile.csv")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.usefixtures("shop")
def test_every_format_holds_the_same():
    for ending in ("parquet", "arrow", "feather", "csv"):
        assert run_profile("--out", f"profile.{ending}").exit_code == 0
    expected = parquet.read_table("profile.parquet")
    assert expected.num_rows == 3
    for ending in ("arrow", "feather"):
        assert feather.read_table(f"profile.{ending}").equals(expected)
    rows = list(csv.reader(io.StringIO(Path("profile.csv").read_text(encoding="utf-8"))))
    assert rows[0] == expected.column_names
    assert len(rows) == 4


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("options", "revenue", "orders"),
    [
        ([], 47.0, 3),
        (["--refunds", "drop"], 55.0, 3),
        (["--refunds", "count"], 47.0, 4),
        (["--order-column", "order_id"], 47.0, 2),
        (["--window-days", "60"], 22.0, 1),
    ],
)
def test_options_reach_the_profile(options, revenue, orders):
    assert run_profile(*options, "--out", "profile.parquet").exit_code == 0
    row = rows_by_customer(parquet.read_table("profile.parquet"))[1]
    assert (row["revenue"], row["orders"]) == (revenue, orders)


@pytest.mark.usefixtures("shop")
def test_other_column_names():
    orders = parquet.read_table("orders.parquet").rename_columns(["who", "basket", "at", "paid"])
    parquet.write_table(orders, "renamed.parquet")
    customers = parquet.read_table("customers.parquet").rename_columns(["who", "since"])
    parquet.write_table(customers, "people.parquet")
    names = ["--customer-column", "who", "--time-column", "at", "--amount-column", "paid"]
    names += ["--order-column", "basket", "--registered-column", "since"]
    renamed = ["profile", "renamed.parquet", "--customers", "people.parquet", "--as-of", AS_OF]
    assert run(*renamed, *names, "--out", "renamed-profile.parquet").exit_code == 0
    usual = ["--customers", "customers.parquet", "--order-column", "order_id"]
    assert run_profile(*usual, "--out", "profile.parquet").exit_code == 0
    expected = parquet.read_table("profile.parquet")
    assert parquet.read_table("renamed-profile.parquet").equals(expected)


@pytest.mark.usefixtures("shop")
def test_unknown_customers_can_be_dropped():
    options = ["--customers", "customers.parquet", "--unknown", "drop", "--out", "profile.parquet"]
    assert run_profile(*options).exit_code == 0
    assert set(rows_by_customer(parquet.read_table("profile.parquet"))) == {1, 2, 4}


@pytest.mark.usefixtures("shop")
def test_time_zone_moves_days():
    at = pa.array([dt.datetime(2024, 3, 1, 23, 30, tzinfo=dt.UTC)], pa.timestamp("us", "UTC"))
    parquet.write_table(
        pa.table({"customer_id": [1], "ordered_at": at, "amount": [1]}), "late.parquet"
    )
    for zone, expected in (("UTC", dt.date(2024, 3, 1)), ("Europe/Madrid", dt.date(2024, 3, 2))):
        options = ["--timezone", zone, "--out", "late-profile.parquet", "--overwrite"]
        result = run("profile", "late.parquet", "--as-of", AS_OF, *options)
        assert result.exit_code == 0
        table = parquet.read_table("late-profile.parquet")
        assert table["first_order_on"].to_pylist() == [expected]


@pytest.mark.usefixtures("shop")
def test_several_order_files_are_one_table():
    orders = parquet.read_table("orders.parquet")
    parquet.write_table(orders.slice(0, 3), "part-1.parquet")
    parquet.write_table(orders.slice(3), "part-2.parquet")
    parts = ["profile", "part-1.parquet", "part-2.parquet", "--as-of", AS_OF]
    assert run(*parts, "--out", "parts.parquet").exit_code == 0
    assert (
        run("profile", "part-*.parquet", "--as-of", AS_OF, "--out", "glob.parquet").exit_code == 0
    )
    assert run_profile("--out", "profile.parquet").exit_code == 0
    expected = parquet.read_table("profile.parquet")
    assert parquet.read_table("parts.parquet").equals(expected)
    assert parquet.read_table("glob.parquet").equals(expected)


@pytest.mark.usefixtures("shop")
def test_no_orders_give_an_empty_profile_with_its_columns():
    parquet.write_table(parquet.read_table("orders.parquet").slice(0, 0), "none.parquet")
    result = run("profile", "none.parquet", "--as-of", AS_OF, "--out", "profile.parquet")
    assert result.exit_code == 0, result.stderr
    empty = parquet.read_table("profile.parquet")
    assert empty.num_rows == 0
    assert run_profile("--out", "full.parquet").exit_code == 0
    assert empty.schema == parquet.read_table("full.parquet").schema
    assert run("segment", "profile.parquet", "--out", "segments.parquet").exit_code == 0
    assert parquet.read_table("segments.parquet").column_names[-1] == "lifecycle"


# --- failures ------------------------------------------------------------------------------


def one_line(result):
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ordercycle: ")
    return lines[0]


@pytest.mark.usefixtures("shop")
def test_missing_column_is_suggested():
    line = one_line(run_profile("--amount-column", "amuont"))
    assert "'amuont'" in line
    assert "amount" in line.replace("amuont", "")


@pytest.mark.usefixtures("shop")
def test_missing_file():
    assert "absent" in one_line(run("profile", "absent.parquet", "--as-of", AS_OF))


@pytest.mark.usefixtures("shop")
def test_bad_values_name_their_row():
    orders = parquet.read_table("orders.parquet")
    amounts = pa.array([1.0, 2.0, float("nan"), 4.0, 5.0, 6.0, 7.0])
    parquet.write_table(orders.set_column(3, "amount", amounts), "bad.parquet")
    result = run("profile", "bad.parquet", "--as-of", AS_OF, "--out", "profile.parquet")
    assert "amount" in one_line(result)
    assert not Path("profile.parquet").exists()


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "options",
    [["--anonymous", "error"], ["--customers", "customers.parquet", "--unknown", "error"]],
)
def test_strict_policies_fail(options):
    one_line(run_profile(*options))


@pytest.mark.usefixtures("shop")
def test_missing_folder_of_the_result():
    assert "does not exist" in one_line(run_profile("--out", "absent/profile.parquet"))


@pytest.mark.usefixtures("shop")
def test_what_is_no_profile():
    assert "days_since" in one_line(run("segment", "orders.parquet"))
    Path("text.parquet").write_text("not a table", encoding="utf-8")
    assert "text.parquet cannot be read as parquet" in one_line(run("segment", "text.parquet"))


def test_a_defect_is_told_in_one_line_too(monkeypatch):
    monkeypatch.setattr(oc, "warmup", lambda **_options: 1 / 0)
    assert "unexpected ZeroDivisionError" in one_line(run("warmup"))
    monkeypatch.setenv("ORDERCYCLE_TRACEBACK", "1")
    assert isinstance(run("warmup").exception, ZeroDivisionError)


def test_memory_and_disk_errors_are_one_line(monkeypatch):
    for error in (MemoryError(), OSError(28, "No space left on device", "profile.parquet")):

        def fail(error=error, **_options):
            raise error

        monkeypatch.setattr(oc, "warmup", fail)
        line = one_line(run("warmup"))
        assert "not enough memory" in line or "profile.parquet: No space left" in line


# --- results -------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_existing_results_are_kept_without_overwrite():
    Path("profile.parquet").write_text("precious", encoding="utf-8")
    assert "--overwrite" in one_line(run_profile("--out", "profile.parquet"))
    assert Path("profile.parquet").read_text(encoding="utf-8") == "precious"
    assert run_profile("--out", "profile.parquet", "--overwrite").exit_code == 0
    assert parquet.read_table("profile.parquet").num_rows == 3


def test_a_result_appears_whole_and_alone(shop):
    assert run_profile("--out", "profile.parquet").exit_code == 0
    names = {path.name for path in shop.iterdir()}
    assert names == {"orders.parquet", "customers.parquet", "profile.parquet"}
    mask = os.umask(0)
    os.umask(mask)
    assert (shop / "profile.parquet").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_link_stays_a_link(shop):
    (shop / "elsewhere").mkdir()
    (shop / "profile.parquet").symlink_to("elsewhere/real.parquet")
    assert run_profile("--out", "profile.parquet").exit_code == 0
    assert (shop / "profile.parquet").is_symlink()
    assert parquet.read_table(shop / "elsewhere" / "real.parquet").num_rows == 3


def test_csv_spells_bytes_and_uuids():
    ids = [bytes(range(16)), None, bytes([255] * 16)]
    table = pa.table(
        {
            "uuid": pa.array(ids, pa.uuid()),
            "fixed": pa.array(ids, pa.binary(16)),
            "binary": pa.array([b"\x00\xff", b"", None]),
            "word": pa.array(["a", None, "a"]).dictionary_encode(),
        }
    )
    whole = csv_ready(table)
    assert whole["uuid"].to_pylist() == [
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        None,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]
    assert whole["fixed"].to_pylist() == [ids[0].hex(), None, "f" * 32]
    assert whole["binary"].to_pylist() == ["00ff", "", None]
    assert whole["word"].to_pylist() == ["a", None, "a"]
    assert csv_ready(table.slice(1, 2)).equals(whole.slice(1, 2))
    assert csv_ready(table.slice(0, 0)).schema == whole.schema


# --- segment -------------------------------------------------------------------------------


@pytest.fixture
def profile(shop):
    options = ["--customers", "customers.parquet", "--order-column", "order_id"]
    assert run_profile(*options, "--out", "profile.parquet").exit_code == 0
    return shop / "profile.parquet"


def test_segment_adds_the_lifecycle(profile):
    result = run("segment", profile, "--scheme", "lifecycle", "--out", "segments.parquet")
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    found = parquet.read_table("segments.parquet")
    assert found.equals(oc.Lifecycle().assign(parquet.read_table(profile)))
    assert {key: row["lifecycle"] for key, row in rows_by_customer(found).items()} == {
        1: "Active",
        2: SEGMENTS[1],
        3: "At-risk",
        4: "Inactive (no orders)",
    }
    counts = dict(line.rsplit(maxsplit=1) for line in result.stderr.splitlines()[:-1])
    assert list(counts) == SEGMENTS
    assert counts["Active"] == counts["At-risk"] == "1"
    assert counts["Loyal"] == "0"


@pytest.mark.usefixtures("profile")
def test_own_thresholds_and_presets():
    options = ["--new-days", "5", "--active-days", "20", "--churned-days", "25"]
    result = run("segment", "profile.parquet", *options)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["customer_id"]: row["lifecycle"] for row in rows} == {
        "1": "Churned",
        "2": "Promising",
        "3": "Churned",
        "4": "Inactive (no orders)",
    }
    by_name = run("segment", "profile.parquet", "--preset", "fashion", "--out", "preset.arrow")
    assert by_name.exit_code == 0
    expected = oc.Lifecycle.preset("fashion").assign(parquet.read_table("profile.parquet"))
    assert feather.read_table("preset.arrow").equals(expected)


@pytest.mark.usefixtures("profile")
def test_segment_reads_arrow_and_refuses_csv():
    table = parquet.read_table("profile.parquet")
    feather.write_feather(table, "profile.arrow", compression="uncompressed", chunksize=2)
    assert run("segment", "profile.arrow", "--out", "from-arrow.parquet").exit_code == 0
    assert run("segment", "profile.parquet", "--out", "segments.parquet").exit_code == 0
    expected = parquet.read_table("segments.parquet")
    assert parquet.read_table("from-arrow.parquet").equals(expected)
    assert run_profile("--out", "profile.csv").exit_code == 0
    assert run("segment", "profile.csv").exit_code == 2


# --- warmup and demo -----------------------------------------------------------------------


def test_warmup_says_where_the_kernels_are(monkeypatch, tmp_path):
    class Ready:
        kernels, directory, seconds = 12, tmp_path, 3.21

    monkeypatch.setattr(oc, "warmup", lambda **_options: Ready)
    result = run("warmup")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"12 kernels ready in 3.2 s, kept in {tmp_path}\n"
    assert not run("warmup", "--quiet").stderr
    Ready.directory = None
    assert "no directory is writable" in one_line(run("warmup"))


def test_demo_tells_of_the_groceries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.exit_code == 0, result.stderr
    for words in ("1,469,307", "155,848", "2,469", *SEGMENTS, "ordercycle-demo.parquet"):
        assert words in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    table = parquet.read_table("ordercycle-demo.parquet")
    assert table.num_rows == 2_469
    assert pc.sum(table["orders"]).as_py() == 155_848
    assert run("demo").exit_code == 0  # replaces its own result


def test_demo_tells_of_generated_orders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--customers", "3000", "--orders-per-customer", "8", "--seed", "3"]
    result = run("demo", *options, "--out", "made.parquet")
    assert result.exit_code == 0, result.stderr
    table = parquet.read_table("made.parquet")
    assert table.num_rows == 3_000
    for found in table["lifecycle"].value_counts().to_pylist():
        share = f"{found['values']}"
        line = next(line for line in result.stdout.splitlines() if line.strip().startswith(share))
        assert f" {found['counts']:,} " in line
    orders = generated_orders(3_000, seed=3, shop=Shop(orders_per_customer=8.0)).read_all()
    known = pc.and_(pc.less(orders["amount"], 0), pc.is_valid(orders["customer_id"]))
    refunds = pc.sum(known).as_py()
    assert f"{refunds:,} refunds" in result.stdout
    assert "--overwrite" in one_line(run("demo", *options, "--out", "made.parquet"))


def test_demo_without_its_data_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordercycle.demo.scenes.find_spec", lambda _name: None)
    line = one_line(run("demo"))
    assert 'pip install "ordercycle[demo]"' in line
    assert not list(tmp_path.iterdir())


# --- as a process --------------------------------------------------------------------------


def test_process_keeps_data_and_words_apart(shop):
    with process("profile", "orders.parquet", "--as-of", AS_OF, cwd=shop) as started:
        stdout, stderr = started.communicate(timeout=120)
    assert started.returncode == 0
    assert stdout.startswith(b'"customer_id"')
    assert len(stdout.splitlines()) == 4
    assert b"profiles in stdout" in stderr
    assert b"\x1b" not in stderr  # no bar where nobody watches


def test_process_fails_without_traceback(shop):
    wrong = ["profile", "orders.parquet", "--as-of", AS_OF, "--amount-column", "nothing"]
    with process(*wrong, cwd=shop) as started:
        stdout, stderr = started.communicate(timeout=120)
    assert started.returncode == 1
    assert stdout == b""
    assert len(stderr.splitlines()) == 1
    assert stderr.startswith(b"ordercycle: ")


def test_reader_who_leaves_early_is_no_failure_to_talk_about(tmp_path):
    orders = generated_orders(20_000).read_all()
    parquet.write_table(orders, tmp_path / "orders.parquet")
    parquet.write_table(generated_customers(20_000).read_all(), tmp_path / "customers.parquet")
    arguments = ["profile", "orders.parquet", "--as-of", "2025-12-31", "--quiet"]
    with process(*arguments, cwd=tmp_path) as started:
        assert started.stdout.readline().startswith(b'"customer_id"')
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait(timeout=120) == 1


def test_reader_who_never_reads_is_none_either(shop):
    with process("profile", "orders.parquet", "--as-of", AS_OF, "--quiet", cwd=shop) as started:
        started.stdout.close()  # long before so few rows leave their buffer
        assert started.stderr.read() == b""
        assert started.wait(timeout=120) == 1


PAUSE_HALFWAY = """
import time
from contextlib import contextmanager
from pathlib import Path
from ordercycle.cli.results import ResultWriter
whole = ResultWriter.write
def halfway(self, table):
    whole(self, table)
    self._flush()
    self._stream.flush()
    print("halfway", flush=True)
    time.sleep(120)
ResultWriter.write = halfway
from ordercycle.cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "exit_code", "remains"),
    [
        (signal.SIGKILL, -signal.SIGKILL, True),
        (signal.SIGTERM, 143, False),
        (signal.SIGINT, 130, False),
    ],
    ids=["killed", "terminated", "interrupted"],
)
def test_stopped_run_leaves_no_half_result(shop, number, exit_code, remains):
    old = shop / "old.parquet"
    old.write_text("old result")
    arguments = ["profile", "orders.parquet", "--as-of", AS_OF, "--quiet", "--overwrite"]
    with process(*arguments, "--out", old, code=PAUSE_HALFWAY, cwd=shop) as started:
        assert started.stdout.readline() == b"halfway\n"
        written = [path for path in shop.iterdir() if path.suffix == ".tmp"]
        assert len(written) == 1
        assert written[0].stat().st_size > 100
        started.send_signal(number)
        assert started.wait(timeout=60) == exit_code
        stderr = started.stderr.read()
    assert old.read_text() == "old result"
    assert written[0].exists() == remains
    assert stderr == (b"ordercycle: interrupted\n" if number == signal.SIGINT else b"")


def test_a_person_sees_a_bar(shop):
    here, there = pty.openpty()
    arguments = ["profile", "orders.parquet", "--as-of", AS_OF, "--out", "profile.parquet"]
    with process(*arguments, cwd=shop, stderr=there) as started:
        os.close(there)
        seen = b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                piece = os.read(here, 4096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            seen += piece
        assert started.wait(timeout=60) == 0
        assert started.stdout.read() == b""
    os.close(here)
    assert b"\x1b[" in seen
    assert b"Computing profiles" in seen
    assert seen.strip().endswith(b"3 profiles in profile.parquet")
