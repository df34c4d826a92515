"""No kernel without a test here."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import ordercycle_kernels
from ordercycle_kernels._jit import REGISTRY

pytestmark = pytest.mark.kernels


def test_every_kernel_is_compared_with_plain_python():
    for module in pkgutil.iter_modules(ordercycle_kernels.__path__):
        importlib.import_module(f"ordercycle_kernels.{module.name}")
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    called = {name.split(".")[1] for name in REGISTRY}
    typed = {name for name in called if name.endswith(("_int32", "_int64", "_uint64", "_float64"))}
    missing = [name for name in sorted(called - typed) if f".{name}(" not in tests]
    missing += [name for name in typed if f".{name.rpartition('_')[0]}[item](" not in tests]
    assert not missing
