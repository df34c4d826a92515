"""Results on disk: whole or not there, whatever stops the writing; computed while written."""

import os
import subprocess
import sys
import threading
from contextlib import nullcontext

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import feather, parquet

import ordercycle as oc
from ordercycle import _durable as durable
from ordercycle._cli import results
from ordercycle._cli.app import cli
from ordercycle._cli.results import ResultWriter, result_writer
from ordercycle._datasets.generator import generated_orders

AS_OF = "2025-12-31"


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    path = tmp_path_factory.mktemp("orders") / "orders.parquet"
    parquet.write_table(generated_orders(30_000).read_all(), path)
    return path


def tables(count, rows=1000):
    for number in range(count):
        first = number * rows
        yield pa.table({"customer_id": range(first, first + rows), "revenue": [0.5] * rows})


@pytest.mark.parametrize("ending", ["parquet", "feather", "csv"])
@pytest.mark.parametrize("rows_per_write", [1, 999, 2500, 10**6])
def test_rows_come_out_in_the_order_they_went_in(tmp_path, monkeypatch, ending, rows_per_write):
    monkeypatch.setattr(results, "ROWS_PER_WRITE", rows_per_write)
    out = tmp_path / f"result.{ending}"
    with result_writer(out, overwrite=False) as writer:
        for table in tables(20):
            writer.write(table)
    expected = pa.concat_tables(tables(20))
    if ending == "parquet":
        assert parquet.read_table(out).equals(expected)
    elif ending == "feather":
        assert feather.read_table(out).equals(expected)
    else:
        assert out.read_text().splitlines()[1::1000] == [f"{n * 1000},0.5" for n in range(20)]
    assert writer.rows == 20_000
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_tables_are_written_while_the_next_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROWS_PER_WRITE", 1000)
    held, encoded = threading.Event(), []
    encode = ResultWriter._encode

    def slow_encode(self, table):
        assert held.wait(timeout=60)
        encoded.append((threading.current_thread().name, table.num_rows))
        encode(self, table)

    monkeypatch.setattr(ResultWriter, "_encode", slow_encode)
    with result_writer(tmp_path / "result.parquet", overwrite=False) as writer:
        for table in tables(results.TABLES_AHEAD):
            writer.write(table)  # comes back though nothing can be written yet
        assert encoded == []
        held.set()
    assert len(encoded) == results.TABLES_AHEAD
    assert len(set(encoded)) == 1
    assert encoded[0][0].startswith("ordercycle-write")


def test_tables_that_wait_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROWS_PER_WRITE", 1000)
    held, taken = threading.Event(), []
    encode = ResultWriter._encode

    def slow_encode(self, table):
        assert held.wait(timeout=60)
        encode(self, table)

    monkeypatch.setattr(ResultWriter, "_encode", slow_encode)
    with result_writer(tmp_path / "result.parquet", overwrite=False) as writer:

        def write_all():
            for table in tables(50):
                writer.write(table)
                taken.append(1)

        thread = threading.Thread(target=write_all)
        thread.start()
        thread.join(timeout=0.5)
        assert len(taken) <= results.TABLES_AHEAD
        held.set()
        thread.join(timeout=60)
        assert len(taken) == 50


class Stop(BaseException):
    """As unexpected as Ctrl-C."""


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("where", ["caller", "writing thread"])
def test_what_stops_a_result_leaves_nothing(tmp_path, monkeypatch, ending, where):
    monkeypatch.setattr(results, "ROWS_PER_WRITE", 1000)
    encode = ResultWriter._encode
    done = []

    def failing_encode(self, table):
        done.append(1)
        if where == "writing thread" and len(done) == 3:
            raise OSError(28, "No space left on device")
        encode(self, table)

    monkeypatch.setattr(ResultWriter, "_encode", failing_encode)

    def write_all():
        with result_writer(tmp_path / f"result.{ending}", overwrite=False) as writer:
            for number, table in enumerate(tables(50)):
                if where == "caller" and number == 5:
                    raise Stop
                writer.write(table)

    with pytest.raises(Stop if where == "caller" else OSError):
        write_all()
    assert list(tmp_path.iterdir()) == []
    assert not [one for one in threading.enumerate() if one.name.startswith("ordercycle-write")]


@pytest.mark.parametrize("ending", ["parquet", "feather", "csv"])
@pytest.mark.parametrize("room", [3_000, 150_000])
def test_a_full_disk_leaves_nothing_and_is_reported_in_one_line(orders, tmp_path, ending, room):
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room})); "
        "from ordercycle._cli import results; results.ROWS_PER_WRITE = 1000; "
        "from ordercycle._cli import main; main()"
    )
    out = tmp_path / f"profile.{ending}"
    arguments = ["profile", str(orders), "--as-of", AS_OF, "--out", str(out), "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("ordercycle: ")
    assert len(ended.stderr.splitlines()) == 1
    assert "large" in ended.stderr  # "File too large": which the limit is called
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_goes_to_the_disk_while_it_is_written(tmp_path, monkeypatch, fails):
    """And what goes wrong there is reported, though the last sync would know nothing of it."""
    monkeypatch.setattr(durable, "SYNC_BYTES", 1000)
    monkeypatch.setattr(results, "ROWS_PER_WRITE", 1000)
    threads = []
    fsync = os.fsync

    def noted_fsync(handle):
        threads.append(threading.current_thread().name)
        if fails and threads[-1].startswith("ordercycle-sync"):
            raise OSError(5, "Input/output error")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    out = tmp_path / "result.parquet"
    ending = pytest.raises(OSError, match="output error") if fails else nullcontext()
    with ending, result_writer(out, overwrite=False) as writer:
        for table in tables(20):
            writer.write(table)
    assert any(name.startswith("ordercycle-sync") for name in threads)
    assert out.exists() != fails
    assert len(list(tmp_path.iterdir())) == (not fails)
    assert not [one for one in threading.enumerate() if one.name.startswith("ordercycle-sync")]


def test_dictionaries_only_where_values_repeat(orders, tmp_path):
    out = tmp_path / "profile.parquet"
    result = CliRunner().invoke(
        cli, ["profile", str(orders), "--as-of", AS_OF, "--out", str(out), "--quiet"]
    )
    assert result.exit_code == 0, result.stderr
    metadata = parquet.read_metadata(out)
    for number, name in enumerate(metadata.schema.names):
        column = metadata.row_group(0).column(number)
        repeats = "RLE_DICTIONARY" in column.encodings
        assert repeats == (name not in results.HARDLY_REPEATING), name
        shrinks = column.compression == "SNAPPY"
        assert shrinks == (name not in results.HARDLY_SHRINKING), name
    assert set(results.HARDLY_SHRINKING) < set(results.HARDLY_REPEATING)
    assert set(results.HARDLY_REPEATING) < set(metadata.schema.names)
    assert parquet.read_table(out).equals(oc.OrderHistory.build(orders).profile(AS_OF))


def test_columns_of_others_are_compressed_whatever_their_type(tmp_path):
    out = tmp_path / "result.parquet"
    table = pa.table({"gap_std": [0.5], "tags": [["a", "b"]]})
    with result_writer(out, overwrite=False) as writer:
        writer.write(table)
    group = parquet.read_metadata(out).row_group(0)
    assert {group.column(number).compression for number in range(2)} == {"SNAPPY"}
    assert parquet.read_table(out).equals(table)


def test_segments_with_the_profile_are_those_of_the_segment_command(orders, tmp_path):
    def run(*arguments):
        result = CliRunner().invoke(cli, [*map(str, arguments), "--quiet"])
        assert result.exit_code == 0, result.stderr

    at_once, first, then = (tmp_path / f"{name}.parquet" for name in ("at_once", "first", "then"))
    profile = ("profile", orders, "--as-of", AS_OF)
    run(*profile, "--lifecycle", "grocery", "--out", at_once)
    run(*profile, "--out", first)
    run("segment", first, "--preset", "grocery", "--out", then)
    assert parquet.read_table(at_once).equals(parquet.read_table(then))
    for wrong in (["--lifecycle", "grocer"], ["--lifecycle", "fashion", "--window-days", "9"]):
        assert CliRunner().invoke(cli, [*map(str, profile), *wrong]).exit_code == 2


@pytest.mark.parametrize("first", ["profile", "profile_batches"])
def test_memory_that_is_used_again_belongs_to_one_profile(orders, first):
    history = oc.OrderHistory.build(orders)
    batches = list(history.profile_batches(AS_OF)) if first == "profile_batches" else []
    tables = [history.profile(AS_OF), history.profile(AS_OF)]
    tables += [pa.Table.from_batches(batches)] if batches else []
    fresh = oc.OrderHistory.build(orders).profile(AS_OF)
    assert all(table.equals(fresh) for table in tables)
