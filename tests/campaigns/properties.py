"""Every property that the tests hold against their definitions, with other examples each time.

The tests are found by themselves: functions that Hypothesis draws examples for, in all rooms, that
need nothing else but parameters. A trial draws a file and one of them, with a seed of its own.
"""

import importlib.util
import inspect
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, is_hypothesis_test, settings

from campaigns.runner import Campaign

ROOT = Path(__file__).parents[1]
#: What a file with properties says somewhere.
DRAWS = "given("
EXAMPLES = 20


@dataclass(frozen=True)
class Property:
    """A test, and the values of its parameters."""

    name: str
    function: object
    parameters: dict


def files():
    """Return the files of tests that have properties."""
    found = sorted(ROOT.glob("*/test_*.py"))
    return [path for path in found if DRAWS in path.read_text(encoding="utf-8")]


@cache
def properties(path):
    """Return the properties of a file; it is imported when they are first asked for."""
    found = []
    for name, function in vars(_module(path)).items():
        if name.startswith("test_") and is_hypothesis_test(function):
            room = f"{path.parent.name}/{path.name}"
            found += _with_parameters(f"{room}::{name}", function)
    return found


def _module(path):
    name = f"campaigns.of.{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _with_parameters(name, function):
    """Yield a property for each set of parameters; none where fixtures are needed."""
    sets = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names = mark.args[0]
        names = [one.strip() for one in names.split(",")] if isinstance(names, str) else names
        values = [getattr(value, "values", None) or value for value in mark.args[1]]
        rows = [(value,) if len(names) == 1 and not _is_set(value) else value for value in values]
        sets = [{**one, **dict(zip(names, row, strict=True))} for one in sets for row in rows]
    wanted = set(inspect.signature(function).parameters)
    for one in sets:
        if wanted == set(one):
            yield Property(name, function, one)


def _is_set(value):
    return type(value).__name__ == "ParameterSet" or False


@contextmanager
def state(folder):  # noqa: ARG001 - of all campaigns
    """Find the files with properties."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield files()


def trial(random, state, totals):
    """Run a property with examples of its own."""
    found = []
    while not found:
        found = properties(random.choice(state))
    one = random.choice(found)
    test = hypothesis.seed(random.getrandbits(64))(one.function)
    # Tests say by themselves how many they draw: as tests/conftest.py changes it.
    test._hypothesis_internal_use_settings = settings(
        test._hypothesis_internal_use_settings,
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    test(**one.parameters)
    totals["properties"] += 1
    totals["examples"] += EXAMPLES
    totals[one.name.partition("/")[0]] += EXAMPLES


CAMPAIGN = Campaign(
    "properties",
    "all properties of the tests against their definitions, with new examples",
    "examples",
    trial,
    state,
)
