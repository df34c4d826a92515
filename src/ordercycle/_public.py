"""What users see is named by where they find it, not by the room in which it is written."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, TypeVar

Named = TypeVar("Named", bound=Callable[..., object])


def public(module: str = "ordercycle") -> Callable[[Named], Named]:
    """Return a decorator that names ``module`` as the home of a public class or function.

    Reprs, tracebacks, pickles and the documentation then say ``ordercycle.OrderHistory``, a name
    that stays, whatever becomes of the rooms behind it.
    """

    def named(thing: Named) -> Named:
        thing.__module__ = module
        if isinstance(thing, type):
            # Examples of methods are looked for, and run, where they say that they are.
            for member in vars(thing).values():
                method = getattr(member, "__func__", member)
                if isinstance(method, FunctionType):
                    method.__module__ = module
        return thing

    return named


def loaded_when_used(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names are imported when used first.

    names: by the module that has them; a module without any stands for itself.
    """
    homes = {name: module for module, those in names.items() for name in those or (module,)}

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{homes[name]}")
        found = module if homes[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def shown() -> list[str]:
        there = vars(sys.modules[package])
        modules = {name for name, value in there.items() if isinstance(value, ModuleType)}
        return sorted({*homes, *modules, *filter(_is_special, there)})

    return load, shown


def _is_special(name: str) -> bool:
    return name.startswith("__")
