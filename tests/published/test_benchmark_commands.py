"""The benchmarks' own commands: what they print, that the docs name them, that suites run."""

import argparse
import importlib
import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from benchmarks import phases, tables  # noqa: E402
from benchmarks.scaling import CORES, Measured, Scaling  # noqa: E402


def test_phases_add_up(monkeypatch, capsys):
    monkeypatch.setattr(phases, "WARM_UP_ORDERS", 1000)
    monkeypatch.setattr(sys, "argv", ["phases", "--orders", "200000", "--rounds", "1"])
    kept = phases.Kernel.__call__
    assert phases.main() == 0
    assert phases.Kernel.__call__ is kept
    printed = capsys.readouterr().out
    for stage in ("build", "profile", "segments"):
        assert re.search(rf"^{stage}: [\d.]+ ns an order, processors [\d.]+", printed, re.MULTILINE)
    assert "hashing." in printed
    assert "profile.order_rhythm" in printed


@pytest.mark.parametrize(
    ("alone", "shared", "contention"), [(0.0, 1.0, 0.0), (0.2, 0.8, 0.1), (0.1, 2.0, 0.3)]
)
def test_estimates_agree_with_what_was_measured(alone, shared, contention):
    one = Measured(wall=alone + shared, busy=alone + shared)
    two = Measured(wall=alone + (1 + contention) * shared / 2, busy=one.busy * (1 + contention))
    made = Scaling(one, two)
    assert made.contention == pytest.approx(contention)
    assert made.alone == pytest.approx(alone)
    assert made.estimates(2) == pytest.approx((two.wall, two.wall))
    for cores in CORES:
        best, worst = made.estimates(cores)
        assert alone < best <= worst <= one.wall
    assert made.seconds(1, 0) == pytest.approx(one.wall)


class Understood(Exception):  # noqa: N818 - it is no error
    """Raised in place of running a command whose arguments are right."""


def test_every_section_of_the_docs_is_made_by_commands_that_are_understood(monkeypatch):
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert ["In short", *tables.COMMANDS] == re.findall(r"^## (.+)$", text, re.MULTILINE)
    parse = argparse.ArgumentParser.parse_args

    def parsed(parser, *arguments):
        parse(parser, *arguments)
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    for command in (one for commands in tables.COMMANDS.values() for one in commands):
        module, *arguments = shlex.split(command)
        name = "benchmarks.peers.__main__" if module == "peers" else f"benchmarks.{module}"
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(Understood):
            importlib.import_module(name).main()


SUITES = ("events", "profiles", "schemes")


def benchmarks_of(suite):
    module = importlib.import_module(f"benchmarks.suites.{suite}")
    return [
        one
        for name, one in vars(module).items()
        if inspect.isclass(one) and one.__module__ == module.__name__ and name[0] != "_"
    ]


@pytest.mark.parametrize("suite", SUITES)
def test_every_benchmark_of_the_history_runs_on_its_smallest_table(suite):
    for kind in benchmarks_of(suite):
        smallest = [options[0] for options in kind.params]
        made = kind()
        made.setup(*smallest)
        names = [name for name in dir(made) if re.match("(time|peakmem)_", name)]
        assert names
        for name in names:
            getattr(made, name)(*smallest)
        getattr(made, "teardown", lambda *_: None)(*smallest)


def test_every_suite_is_tested():
    found = {path.stem for path in (ROOT / "benchmarks" / "suites").glob("[a-z]*.py")}
    assert found == {*SUITES, "start_up"}
