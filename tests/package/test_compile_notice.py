"""Whoever waits for kernels to be compiled is told so, once; nobody else hears of it."""

import io
import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ordercycle import _compile_notice as notice
from ordercycle._cli.errors import OneLineErrors


class Terminal(io.StringIO):
    def isatty(self):
        return True


TWO_KERNELS = """
import sys
from ordercycle import _workspace
from ordercycle_kernels import calendar
from ordercycle_kernels._jit import REGISTRY
sys.stderr.isatty = lambda: True
names = [name for name in REGISTRY if name.startswith("calendar.")]
for name in names[:2]:
    REGISTRY[name].callable()
"""


def test_a_terminal_hears_of_it_once_and_only_where_kernels_are_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path / "kernels"))
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TWO_KERNELS], capture_output=True, text=True, check=True
        )
        assert not done.stdout
        said.append(done.stderr)
    assert said[0].startswith("ordercycle: compiling kernels for the first call")
    assert f"they are kept in {tmp_path / 'kernels'}" in said[0]
    assert said[0].count("\n") == 1
    assert not said[1]


@pytest.fixture
def terminal(monkeypatch):
    """Stand for a terminal, in a process that compiles kernels and has said nothing yet."""
    # pytest puts its own stderr back before the test begins
    monkeypatch.setattr(notice, "sys", SimpleNamespace(stderr=Terminal()))
    monkeypatch.setattr(notice, "_is_compiled", lambda: True)
    monkeypatch.setattr(notice._Waiting, "is_told", False)
    return notice.sys.stderr


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("stream", [io.StringIO(), None])  # of pythonw, there is none
def test_files_and_pipes_hear_nothing(stream):
    notice.sys.stderr = stream
    notice._tell()
    assert notice._Waiting.is_told
    assert stream is None or not stream.getvalue()


def test_a_log_takes_the_place_of_the_terminal(terminal, caplog):
    with caplog.at_level(logging.INFO, logger="ordercycle"):
        notice._tell()
        notice._tell()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("ordercycle", logging.INFO)
    assert record.getMessage().startswith("compiling kernels for the first call")
    assert not terminal.getvalue()


def test_without_a_folder_every_process_compiles(terminal, monkeypatch):
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", "off")
    notice._tell()
    assert "each process compiles its own" in terminal.getvalue()


def test_commands_have_a_bar_of_their_own(terminal):
    group = OneLineErrors()

    @group.command("compile")
    def _compile():
        notice._tell()

    group.main(["compile"], standalone_mode=False)
    assert not terminal.getvalue()
    notice._Waiting.is_told = False
    notice._tell()
    assert terminal.getvalue()
