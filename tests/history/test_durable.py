"""Files that replace others: whole, with their mode, and without what killed writers left."""

import os
import stat

import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._durable import path_of, replacing


def write(path, content=b"new"):
    with replacing(path) as stream:
        stream.write(content)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_the_mode_of_what_is_replaced_stays(mode, tmp_path):
    path = tmp_path / "result.csv"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    write(tmp_path / "result.csv")
    assert (tmp_path / "result.csv").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_leftovers_go_with_the_next_run_and_nothing_else(tmp_path):
    path = tmp_path / "result.csv"
    left = tmp_path / ".result.csv.0123abcd.tmp"
    others = [".result.csv.tmp", ".other.csv.0123abcd.tmp", "result.csv.0123abcd.tmp"]
    for name in (left.name, *others):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    write(path)
    assert {file.name for file in tmp_path.iterdir()} == {path.name, *others}


def test_what_another_process_writes_is_left_alone(tmp_path):
    path = tmp_path / "result.csv"
    with replacing(path) as stream:
        stream.write(b"first")
        (being_written,) = tmp_path.iterdir()
        os.utime(being_written, (1, 1))
        write(path, b"second")
        assert being_written.exists()
    assert path.read_bytes() == b"first"


def test_what_is_in_its_place_is_no_error(tmp_path, monkeypatch):
    """Whoever hears of one would write again, or take what is there for the old one."""

    def failing(folder):
        raise OSError(5, "input/output error", str(folder))

    monkeypatch.setattr("ordercycle._durable.sync_folder", failing)
    write(tmp_path / "result.csv")
    assert (tmp_path / "result.csv").read_bytes() == b"new"


@pytest.mark.parametrize("place", ["s3://shop/history", "gs://shop", "AZ://shop/a", "dbfs:/a"])
def test_a_place_in_a_store_is_no_folder_of_that_name(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(oc.ConfigError, match=r"is a URI.*; pass a path on a disk"):
        path_of("directory", place)
    result = run("dashboard", "orders.parquet", "--out", f"{place}/page.html")
    assert result.exit_code == 2
    assert f"--out {place}/page.html is a URI" in result.stderr
    assert not list(tmp_path.iterdir())
    assert path_of("directory", "s3/shop: old").parts == ("s3", "shop: old")
