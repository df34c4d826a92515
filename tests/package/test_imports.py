"""Who may import whom, and what an import may cost."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import ordercycle
import ordercycle.connect
import ordercycle.engines
import ordercycle_kernels

SRC = Path(ordercycle.__file__).parent
KERNELS = Path(ordercycle_kernels.__file__).parent

#: Floors of the building, from the top: a module imports from its own room and from floors below.
FLOORS = [
    {"__main__"},
    {"_cli"},
    {"_demo"},
    {"engines"},
    {"_engines"},
    {"_dashboard"},
    {"_report"},
    {"_audiences"},
    {"connect"},
    {"_sync"},
    {"_journeys"},
    {"_experiments"},
    {"_segments"},
    {"_membership"},
    {"_attribution"},
    {"_features"},
    {"_events"},
    {"_history"},
    {"_profile"},
    {"_grouping"},
    {"_spec"},
    {"_ingest"},
    {"_policies"},
    {"_sources"},
    {"_months"},
    {"_value_models", "_statistics"},
    {"_page"},
    {"_warm_up"},
    {"_workspace"},
    {"datasets"},
    {"_datasets"},
    {
        "_arrow_views",
        "_columns",
        "_compile_notice",
        "_days",
        "_durable",
        "_event_columns",
        "_spreadsheets",
    },
    {"_streams"},
    {"_expressions"},
    {"_errors"},
    {"_public"},
]
HEAVY = {"numba", "pandas", "polars", "duckdb", "dask", "pyspark", "click", "rich"}


def modules(root):
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for path in sorted(root.rglob("*.py"))
    }


def imported(path):
    """Return the full names that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module)
    return names


def imported_at_the_top(path):
    tree = ast.parse(path.read_text())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names


def floor_of(module):
    for height, rooms in enumerate(FLOORS):
        if any(module == room or module.startswith(room + ".") for room in rooms):
            return height
    raise AssertionError(f"{module} is on no floor; add it to FLOORS")


def test_kernels_know_numpy_and_numba_only():
    allowed = {"numpy", "numba", "llvmlite", "ordercycle_kernels"} | set(sys.stdlib_module_names)
    for path in modules(KERNELS).values():
        tops = {name.partition(".")[0] for name in imported(path)}
        assert tops <= allowed, f"{path.name} imports {tops - allowed}"


def test_no_modules_import_each_other_in_a_circle():
    """Imports for types count: who reads one of two such modules has to read both."""
    names = modules(SRC)
    wanted = {
        module: {
            name.removeprefix("ordercycle.") for name in imported(path) if name != "ordercycle"
        }
        & names.keys()
        for module, path in names.items()
    }
    assert sum(map(len, wanted.values())) > len(names)  # the imports were found
    while leaves := [module for module, needed in wanted.items() if not needed]:
        for module in leaves:
            del wanted[module]
        for needed in wanted.values():
            needed.difference_update(leaves)
    assert not wanted, f"in circles, or above one: {sorted(wanted)}"


def test_dependencies_point_down():
    for module, path in modules(SRC).items():
        if module.endswith("__init__"):
            continue
        height = floor_of(module)
        for name in imported(path):
            if name.startswith("ordercycle.") and name != "ordercycle":
                below = floor_of(name.removeprefix("ordercycle."))
                same_room = name.split(".")[1] == module.split(".")[0]
                assert below > height or same_room, f"{module} imports {name}, which is not below"


def test_the_core_imports_nothing_heavy_at_the_top():
    for module, path in modules(SRC).items():
        if module.partition(".")[0] in ("_cli", "_demo"):
            continue
        assert not imported_at_the_top(path) & HEAVY, module


def test_init_files_hold_imports_and_names_only():
    for path in SRC.rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_all = isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
            is_named_for_types = isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING"
            is_import = isinstance(node, (ast.Import, ast.ImportFrom))
            assert is_import or is_docstring or is_all or is_named_for_types, path


def loaded_by(code):
    """Return the modules that a new process has loaded when it has run some code."""
    shown = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def rooms_of(loaded):
    return {name.split(".")[1] for name in loaded if name.startswith("ordercycle.")}


def test_import_loads_what_is_used_only():
    """With pyarrow alone, `import ordercycle` would take fifteen times as long."""
    loaded = loaded_by("import ordercycle")
    assert rooms_of(loaded) == {"_public"}
    assert not {"numpy", "pyarrow"} & loaded


def test_a_history_needs_no_scheme_report_data_set_or_compiler():
    """All rooms together take longer to load than pyarrow, and most programs use a few."""
    loaded = loaded_by("from ordercycle import OrderHistory")
    others = {"_segments", "_membership", "_report", "_datasets", "_engines", "_cli", "_demo"}
    assert "_history" in rooms_of(loaded)
    assert not others & rooms_of(loaded)
    tops = {name.partition(".")[0] for name in loaded}
    assert not (HEAVY | {"email", "http", "ssl"}) & tops


def test_all_public_names_together_load_no_compiler_and_no_data_frame_library():
    tops = {name.partition(".")[0] for name in loaded_by("from ordercycle import *")}
    assert not (HEAVY | {"email", "http", "ssl"}) & tops


def test_public_names_are_loaded_from_where_type_checkers_find_them():
    named = next(
        node
        for node in ast.parse((SRC / "__init__.py").read_text()).body
        if isinstance(node, ast.If)
    )
    homes = {alias.name: node.module for node in named.body for alias in node.names}
    assert homes.keys() == set(ordercycle.__all__)
    shown = {name for name in dir(ordercycle) if not name.startswith("_")}
    assert shown == {*ordercycle.__all__, "connect", "engines"}
    for name, home in homes.items():
        if home == "ordercycle":
            assert getattr(ordercycle, name).__name__ == f"ordercycle.{name}"
        else:
            assert getattr(ordercycle, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match="has no attribute 'OrderHistroy'"):
        _ = ordercycle.OrderHistroy


def test_every_public_name_has_a_docstring():
    for name in ordercycle.__all__:
        assert getattr(ordercycle, name).__doc__, name


def test_what_is_public_says_where_users_find_it():
    for module in (ordercycle, ordercycle.connect, ordercycle.datasets):
        for name in set(module.__all__) - {"datasets"}:
            assert getattr(module, name).__module__ == module.__name__, name


def test_everything_else_is_private():
    shown = {
        "__init__",
        "__main__",
        "connect",
        "datasets",
        "engines.__init__",
        "engines.dask",
        "engines.spark",
    }
    for module in modules(SRC):
        assert module.startswith("_") or module in shown, module
