"""No kernel without a test here, nor without declared shapes."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import ordercycle_kernels
from ordercycle_kernels._jit import REGISTRY
from ordercycle_kernels._shapes import wrongly_declared

pytestmark = pytest.mark.kernels


for found in pkgutil.iter_modules(ordercycle_kernels.__path__):
    importlib.import_module(f"ordercycle_kernels.{found.name}")


def test_every_kernel_is_compared_with_plain_python():
    """It is called, or handed to what calls it: here, or by what these tests share."""
    here = Path(__file__).parent
    places = [*here.glob("test_*.py"), *(here.parent / "support").glob("*.py")]
    tests = "".join(path.read_text() for path in places)
    named = set(re.findall(r"\.(\w+)(?:\[[^]]*\])?[(,]", tests))
    called = {name.split(".")[1] for name in REGISTRY}
    items = "int32|int64|uint8|uint16|uint32|uint64|float64"
    assert not {re.sub(f"_(?:{items})$", "", name) for name in called - named} - named


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_array_has_a_declared_shape(name):
    """And nothing else has one: what a docstring says is what the checks understand."""
    assert not wrongly_declared(REGISTRY[name].function)
