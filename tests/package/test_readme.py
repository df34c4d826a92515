"""What the README says is what the package does."""

import doctest
import re
from pathlib import Path

import pyarrow as pa

from ordercycle.columns import PROFILE_COLUMNS

README = Path(__file__).parents[2] / "README.md"


def rendered_columns():
    rows = ["| column | type | unit | null | meaning |", "|---|---|---|---|---|"]
    for column in PROFILE_COLUMNS:
        kind = column.type if isinstance(column.type, str) else str(column.type).partition("[")[0]
        cells = [f"`{column.name}`", kind, column.unit, column.null, column.doc]
        rows.append("| " + " | ".join(cells).replace("|  |", "| |") + " |")
    return "\n".join(rows)


def test_the_table_of_columns_is_the_declared_one():
    text = README.read_text()
    found = re.search(r"\| column \| type .*?\n(?=\n)", text, re.DOTALL)
    assert found is not None
    assert found.group().strip() == rendered_columns()


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
