"""The command line as tests call it: in this process, or as a shell would."""

import datetime as dt
import os
import subprocess
import sys
from contextlib import contextmanager

from click.testing import CliRunner

from ordercycle._cli.app import cli

AS_OF = "2024-06-30"


def day(month, number):
    return dt.datetime(2024, month, number, 12)  # noqa: DTZ001 - local time


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run_profile(*arguments):
    return run("profile", "orders.parquet", "--as-of", AS_OF, *arguments)


def rows_by_customer(table):
    return {row["customer_id"]: row for row in table.to_pylist()}


#: What a terminal's child has; whoever started the tests may ignore the signals.
AS_IN_A_TERMINAL = (
    "import signal; "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
)


@contextmanager
def process(*arguments, code="from ordercycle._cli import main; main()", **options):
    """Start the command line as a shell would; it does not outlive the test."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-c", AS_IN_A_TERMINAL + code, *map(str, arguments)]
    with subprocess.Popen(command, env=environment, **options) as started:
        try:
            yield started
        finally:
            started.kill()


def one_line(result):
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ordercycle: ")
    return lines[0]
