"""Suites of asv, which runs them beside a wheel and what that asks for: no engine is there."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = """
import importlib, pkgutil, sys
sys.path.append({root!r})
for engine in ("dask", "duckdb", "pandas", "polars", "psutil", "pyspark"):
    sys.modules[engine] = None  # importing it raises
import benchmarks.suites as suites
for module in pkgutil.iter_modules(suites.__path__):
    print(importlib.import_module(f"benchmarks.suites.{{module.name}}").__name__)
"""


def test_suites_ask_for_nothing_but_the_package():
    command = [sys.executable, "-c", IMPORTED.format(root=str(ROOT))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = (ROOT / "benchmarks" / "suites").glob("[!_]*.py")
    assert done.stdout.split() == sorted(f"benchmarks.suites.{path.stem}" for path in files)
