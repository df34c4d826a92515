"""The table of what exists on clusters: a row for each of the README, and verbs that are there."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "scaling" / "verbs.md"
README = Path(__file__).parents[2] / "README.md"
#: What Dask has by itself.
OF_SPARK_ALONE = {"warmup"}


def cells_of(text, heading):
    """Return the cells of the table that begins with a heading."""
    lines = text[text.index(heading) :].splitlines()[2:]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines[: next((n for n, line in enumerate(lines) if not line), len(lines))]
    ]


def names_in(cell):
    return re.findall(r"`(\w+)`", cell)


def verbs_of(engine):
    return set(importlib.import_module(f"ordercycle.engines.{engine}").__all__)


TABLE = cells_of(DOCS.read_text("utf-8"), "| what | verbs on clusters")
PASSES = cells_of(DOCS.read_text("utf-8"), "| verb | shuffles")


def test_each_row_of_the_readme_has_one():
    there = cells_of(README.read_text("utf-8"), "| | |\n|---|---|")
    names = [re.search(r"\[([^\]]+)\]", row[0]).group(1) for row in there]
    assert [row[0] for row in TABLE] == names
    assert all(row[1] or row[3] for row in TABLE)


@pytest.mark.parametrize("engine", ["spark", "dask"])
def test_verbs_are_those_of_both_engines(engine):
    """None is missing in the table, and none is there that an engine does not have."""
    named = {name for row in TABLE for name in names_in(row[1])}
    own = named if engine == "spark" else named - OF_SPARK_ALONE
    assert own == verbs_of(engine)
    passing = {name for row in PASSES for name in names_in(row[0])}
    assert passing == named - OF_SPARK_ALONE


def test_each_verb_is_measured_under_each_row():
    sys.path.append(str(Path(__file__).parents[2]))
    from benchmarks.peers.cluster_cases import CASES
    from benchmarks.peers.dask_peers import FORMULATIONS as OF_DASK
    from benchmarks.peers.spark_peers import FORMULATIONS as OF_SPARK

    measured = {one for case in CASES for one in case.covers}
    assert {(row[0], verb) for row in TABLE for verb in names_in(row[1])} <= measured
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(OF_SPARK) == set(OF_DASK) <= set(names)


def test_verbs_take_the_same_arguments_on_both():
    one, other = map(
        importlib.import_module, ("ordercycle.engines.spark", "ordercycle.engines.dask")
    )
    for name in sorted(verbs_of("dask")):
        arguments = [list(inspect.signature(getattr(it, name)).parameters) for it in (one, other)]
        assert arguments[0] == arguments[1], name
