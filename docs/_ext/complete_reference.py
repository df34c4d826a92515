"""Warn about every public name and attribute that the reference does not have."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PUBLIC_MODULES = (
    "ordercycle",
    "ordercycle.connect",
    "ordercycle.datasets",
    "ordercycle.engines.spark",
    "ordercycle.engines.dask",
)
#: What Python itself gives to every exception.
OF_EXCEPTIONS = frozenset(dir(Exception))


def setup(app: Sphinx) -> dict[str, Any]:
    """Check the reference once every page has been read."""
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _check(_app: Sphinx, environment: BuildEnvironment) -> None:
    documented = environment.domains.python_domain.objects
    for name in public_names():
        if name not in documented:
            logging.getLogger(__name__).warning("%s is not in the reference", name)


def public_names() -> Iterator[str]:
    """Yield the full name of every public object, and of every attribute of a public class."""
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        for name in _names_of(module):
            thing = getattr(module, name)
            yield f"{module_name}.{name}"
            if inspect.isclass(thing):
                yield from (f"{module_name}.{name}.{one}" for one in _attributes_of(thing))


def _names_of(module: Any) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [name for name in listed if not inspect.ismodule(getattr(module, name))]
    return [
        name
        for name, thing in vars(module).items()
        if inspect.isfunction(thing)
        and thing.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _attributes_of(cls: type) -> set[str]:
    found = set(dir(cls)) - (OF_EXCEPTIONS if issubclass(cls, BaseException) else set())
    for base in cls.__mro__:
        found |= set(vars(base).get("__annotations__", {}))
    return {name for name in found if not name.startswith("_")}
