"""The command line: what it writes where."""

import csv
import datetime as dt
import io
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from support.command_line import AS_OF, one_line, rows_by_customer, run, run_profile

import ordercycle as oc
from ordercycle._cli.csv_text import csv_ready

SEGMENTS = list(oc.Lifecycle.preset("fashion").segments)


@pytest.mark.parametrize("command", ["demo", "profile", "segment", "report", "warmup", "doctor"])
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
def test_profile_with_customers():
    result = run_profile(
        "--customers", "customers.parquet", "--order", "order_id", "--out", "profile.parquet"
    )
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    assert "7 rows" in result.stderr
    assert "1 refund" in result.stderr
    assert "1 anonymous row" in result.stderr
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
        (["--order", "order_id"], 47.0, 2),
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
    names = ["--customer", "who", "--time", "at", "--amount", "paid"]
    names += ["--order", "basket", "--registered", "since"]
    renamed = ["profile", "renamed.parquet", "--customers", "people.parquet", "--as-of", AS_OF]
    assert run(*renamed, *names, "--out", "renamed-profile.parquet").exit_code == 0
    usual = ["--customers", "customers.parquet", "--order", "order_id"]
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


@pytest.fixture
def profile(shop):
    options = ["--customers", "customers.parquet", "--order", "order_id"]
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
def test_segment_reads_arrow_and_csv():
    table = parquet.read_table("profile.parquet")
    feather.write_feather(table, "profile.arrow", compression="uncompressed", chunksize=2)
    assert run("segment", "profile.arrow", "--out", "from-arrow.parquet").exit_code == 0
    assert run("segment", "profile.parquet", "--out", "segments.parquet").exit_code == 0
    expected = parquet.read_table("segments.parquet")
    assert parquet.read_table("from-arrow.parquet").equals(expected)
    assert run_profile("--out", "profile.csv").exit_code == 0
    assert run("segment", "profile.csv", "--out", "from-csv.parquet").exit_code == 0
    assert run_profile("--out", "same.parquet").exit_code == 0
    assert run("segment", "same.parquet", "--out", "same-segments.parquet").exit_code == 0
    segments, expected = (
        rows_by_customer(parquet.read_table(name))
        for name in ("from-csv.parquet", "same-segments.parquet")
    )
    assert {name: row["lifecycle"] for name, row in segments.items()} == {
        name: row["lifecycle"] for name, row in expected.items()
    }


def test_orders_of_a_view(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [(1, 5, 20.0, "paid"), (2, 6, 30.0, "cancelled"), (1, 7, 40.0, "cancelled")]
    names = ("customer_id", "ordered_at", "amount", "status")
    orders = pa.table(dict(zip(names, map(pa.array, zip(*rows, strict=True)), strict=True)))
    days = pa.array([dt.date(2024, 6, day) for day in orders["ordered_at"].to_pylist()])
    parquet.write_table(orders.set_column(1, "ordered_at", days), "orders.parquet")
    paid = ("--attribute", "status", "--where", "status == 'paid'")
    result = run_profile(*paid, "--out", "profile.parquet")
    assert result.exit_code == 0, result.stderr
    assert "where status == 'paid'" in result.stderr
    found = rows_by_customer(parquet.read_table("profile.parquet"))
    assert {one: (row["orders"], row["revenue"]) for one, row in found.items()} == {
        1: (1, 20.0),
        2: (0, 0.0),
    }
    assert found[2]["registered_on"] == dt.date(2024, 6, 6)
    report = run("report", "orders.parquet", "--period", "2024-06", *paid)
    (every,) = [
        row
        for row in csv.DictReader(io.StringIO(report.stdout))
        if row["SegmentName"] == "All Customers" and row["PeriodStart"].startswith("2024-06")
    ]
    assert (float(every["TotalRevenue"]), every["Orders"]) == (20.0, "1")
    refused = run_profile("--attribute", "status", "--where", "status == 'payed'")
    assert refused.exit_code == 2
    assert "did you mean 'paid'" in refused.stderr
    assert "--missing empty" in refused.stderr
    taken = run_profile(
        "--attribute", "status", "--where", "status == 'payed'", "--missing", "empty"
    )
    assert taken.exit_code == 0
