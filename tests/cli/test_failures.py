"""The command line where something is wrong: one line, and an exit code."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.command_line import AS_OF, one_line, run, run_profile

import ordercycle as oc
from ordercycle._page import vega


@pytest.mark.usefixtures("shop")
def test_an_unknown_preset_is_reported_with_those_there_are():
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
        (["profile", "orders.parquet", "--as-of", AS_OF, "--time", "amount"], "amount"),
        (["segment", "orders.parquet", "--active-days", "90", "--churned-days", "60"], "90"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage_too(arguments, named):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("ordercycle: ")
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr


@pytest.mark.usefixtures("shop")
def test_missing_column_is_suggested():
    line = one_line(run_profile("--amount", "amuont"))
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
    assert "'text.parquet' cannot be read" in one_line(run("segment", "text.parquet"))


def test_a_defect_is_reported_in_one_line_too(monkeypatch):
    monkeypatch.setattr(oc, "warmup", lambda **_options: 1 / 0)
    assert "unexpected ZeroDivisionError" in one_line(run("warmup"))
    monkeypatch.setenv("ORDERCYCLE_TRACEBACK", "1")
    assert isinstance(run("warmup").exception, ZeroDivisionError)


def test_a_library_that_is_broken_is_no_extra_that_is_missing(monkeypatch):
    def broken(**_options):
        raise ImportError("numpy.core.multiarray failed to import")

    monkeypatch.setattr(oc, "warmup", broken)
    line = one_line(run("warmup"))
    assert "unexpected ImportError: numpy.core.multiarray failed" in line
    assert "ORDERCYCLE_TRACEBACK=1" in line


def test_memory_and_disk_errors_are_one_line(monkeypatch):
    for error in (MemoryError(), OSError(28, "No space left on device", "profile.parquet")):

        def fail(error=error, **_options):
            raise error

        monkeypatch.setattr(oc, "warmup", fail)
        line = one_line(run("warmup"))
        assert "not enough memory" in line or "profile.parquet: No space left" in line


@pytest.mark.usefixtures("shop")
def test_a_page_that_cannot_be_drawn_is_said_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    line = one_line(run("dashboard", "nowhere.parquet", "--out", "page.html"))
    assert line == f"ordercycle: {vega.MISSING}"
    history = oc.OrderHistory.build("orders.parquet", "customers.parquet")
    with pytest.raises(ImportError, match="pip install"):
        oc.Dashboard.build(history, [oc.Lifecycle()])


def test_columns_that_are_not_named_are_counted(tmp_path):
    names = [f"c{number}" for number in range(23)]
    parquet.write_table(pa.table({name: [1] for name in names}), tmp_path / "wide.parquet")
    line = one_line(run("profile", tmp_path / "wide.parquet", "--as-of", AS_OF))
    assert "'c18', 'c19' and 3 more: say which columns to read with --customer" in line
