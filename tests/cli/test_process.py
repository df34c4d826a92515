"""The command line as a process: pipes, signals, and what a killed run leaves."""

import os
import pty
import signal
import time

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from support.command_line import AS_OF, process

from ordercycle._cli import order_options
from ordercycle._cli.app import cli
from ordercycle._datasets.generator import generated_customers, generated_orders


def test_process_keeps_data_and_words_apart(shop):
    with process("profile", "orders.parquet", "--as-of", AS_OF, cwd=shop) as started:
        stdout, stderr = started.communicate(timeout=120)
    assert started.returncode == 0
    assert stdout.startswith(b'"customer_id"')
    assert len(stdout.splitlines()) == 4
    assert b"profiles in stdout" in stderr
    assert b"\x1b" not in stderr  # no bar where nobody watches


@pytest.mark.parametrize(("limit", "expected"), [((), 0), (("--memory-limit", "1GB"), 1)])
def test_with_a_limit_large_arrays_go_back_to_the_system(shop, monkeypatch, limit, expected):
    calls = []
    monkeypatch.setattr(order_options, "_give_back_large_arrays", lambda: calls.append(1))
    arguments = ["profile", str(shop / "orders.parquet"), "--as-of", AS_OF, *limit]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert len(calls) == expected


def test_process_fails_without_traceback(shop):
    wrong = ["profile", "orders.parquet", "--as-of", AS_OF, "--amount", "nothing"]
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
from ordercycle._cli.results import ResultWriter
whole = ResultWriter.write
def halfway(self, table):
    whole(self, table)
    self._flush()
    self._stream.flush()
    print("halfway", flush=True)
    time.sleep(120)
ResultWriter.write = halfway
from ordercycle._cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "exit_code", "remains"),
    [
        (signal.SIGKILL, -signal.SIGKILL, True),
        (signal.SIGTERM, 143, False),
        (signal.SIGHUP, 129, False),
        (signal.SIGINT, 130, False),
    ],
    ids=["killed", "terminated", "hung up", "interrupted"],
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
    assert b"Grouping by customer" in seen
    assert seen.strip().endswith(b"3 profiles in profile.parquet")


@pytest.mark.usefixtures("shop")
def test_pandas_is_not_loaded_where_nobody_uses_it():
    """Arrow loads it as soon as it converts values of Python or NumPy."""
    code = """
import sys
from ordercycle._cli.app import cli
cli(standalone_mode=False)
sys.exit("pandas" in sys.modules)
"""
    options = ("--as-of", AS_OF, "--lifecycle", "fashion", "--out", "out.parquet", "--quiet")
    with process("profile", "orders.parquet", *options, code=code) as started:
        assert started.communicate() == (b"", b"")
        assert started.returncode == 0
