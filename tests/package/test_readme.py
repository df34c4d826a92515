"""What the README says is what the package does."""

import doctest
import re
from pathlib import Path

import pyarrow as pa
import pytest

from ordercycle.columns import PROFILE_COLUMNS
from ordercycle.report.metrics import METRICS

README = Path(__file__).parents[2] / "README.md"


def rendered(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return text.replace("| --- ", "|---").replace("--- |", "---|").replace("|  |", "| |")


def rendered_columns():
    rows = []
    for column in PROFILE_COLUMNS:
        kind = column.type if isinstance(column.type, str) else str(column.type).partition("[")[0]
        rows.append([f"`{column.name}`", kind, column.unit, column.null, column.doc])
    return rendered(["column", "type", "unit", "null", "meaning"], rows)


def rendered_metrics():
    rows = [[one.name, f"`{one.export}`", one.unit, one.scope, one.doc] for one in METRICS]
    return rendered(["metric", "exported as", "unit", "of", "meaning"], rows)


@pytest.mark.parametrize("table", [rendered_columns(), rendered_metrics()])
def test_tables_are_the_declared_ones(table):
    first = re.escape(table.partition("\n")[0])
    found = re.search(rf"{first}\n.*?\n(?=\n)", README.read_text(), re.DOTALL)
    assert found is not None
    assert found.group().strip() == table


def test_the_examples_run():
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 3
    assert result.failed == 0


def test_the_first_two_commands_set_up_and_run_the_demo_and_the_tests():
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert "demo" in blocks[0]
    assert "pytest" in blocks[1]


def test_no_place_is_left_to_fill():
    assert not re.search(r"[A-Z]+_[A-Z]+_?TABLE|TODO|BENCHMARK_", README.read_text())


def test_columns_are_arrow_types():
    assert {type(column.type) for column in PROFILE_COLUMNS} <= {str, pa.DataType}
