"""The directive ``kernels``: each with definition, axes and shapes, taken from the sources."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective

import ordercycle_kernels
from ordercycle_kernels._jit import REGISTRY, Kernel
from ordercycle_kernels._shapes import array_types, declared_shapes

if TYPE_CHECKING:
    from types import ModuleType

    from docutils import nodes
    from sphinx.application import Sphinx

#: The comment of a module that says what its letters are.
AXES = re.compile(r"^# [a-z] = .*\n(?:# .*\n)*", re.MULTILINE)

#: The shapes of a docstring of one line, behind the definition.
SHAPES = re.compile(r": (?=[\w, ]+: \().*", re.DOTALL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Declare the directive."""
    app.add_directive("kernels", KernelList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class KernelList(SphinxDirective):
    """Lists the modules of kernels, and the kernels of each in the order of the source."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each module."""
        modules = kernel_modules()
        listed = {
            kernel.name
            for module in modules
            for kernels in kernels_of(module).values()
            for kernel in kernels
        }
        if missing := REGISTRY.keys() - listed:
            raise self.error(f"kernels without a place in the list: {sorted(missing)}")
        lines = [line for module in modules for line in _section(module)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def kernel_modules() -> list[ModuleType]:
    """Return every module that declares kernels."""
    found = [
        importlib.import_module(f"ordercycle_kernels.{one.name}")
        for one in pkgutil.iter_modules(ordercycle_kernels.__path__)
        if not one.name.startswith("_")
    ]
    return [module for module in found if kernels_of(module)]


def kernels_of(module: ModuleType) -> dict[str, list[Kernel[..., Any]]]:
    """Return the kernels and helpers that a module declares, by function, in source order.

    A function over any item type is several kernels.
    """
    source = ast.parse(inspect.getsource(module)).body
    functions: dict[str, list[Kernel[..., Any]]] = {
        node.name: [] for node in source if isinstance(node, ast.FunctionDef)
    }
    for value in vars(module).values():
        for one in value.values() if isinstance(value, dict) else [value]:
            if isinstance(one, Kernel) and one.function.__module__ == module.__name__:
                functions[one.function.__name__].append(one)
    return {name: kernels for name, kernels in functions.items() if kernels}


def _section(module: ModuleType) -> list[str]:
    name = module.__name__.rpartition(".")[2]
    lines = [name, "-" * len(name), "", *_text(module.__doc__), ""]
    if axes := AXES.search(inspect.getsource(module)):
        lines += [line.replace("#", "|", 1) for line in axes[0].splitlines()] + [""]
    lines += [f".. py:currentmodule:: {module.__name__}", ""]
    for function, kernels in kernels_of(module).items():
        lines += [f".. py:function:: {function.lstrip('_')}{_signature(kernels[0])}", ""]
        lines += [f"   {line}" for line in _entry(kernels)]
        lines += [""]
    return lines


def _entry(kernels: list[Kernel[..., Any]]) -> list[str]:
    kernel = kernels[0]
    definition, *notes = "\n".join(_text(kernel.__doc__)).split("\n\n")
    definition = SHAPES.sub(".", definition)
    lines = [*definition.splitlines(), ""]
    if kernel.signature is None:
        return [*lines, "A helper: compiled into the kernels that call it."]
    shapes = declared_shapes(kernel.function)
    for array, kind in array_types(kernel.function).items():
        lines += [f"| ``{array}`` {shapes[array]} {_item(kind)}"]
    lines += ["", *"\n\n".join(notes).splitlines()]
    if len(kernels) > 1:
        names = ", ".join(f"``{one.name.rpartition('.')[2]}``" for one in kernels)
        lines += ["", f"One kernel per type of item: {names}."]
    return lines


def _item(kind: str) -> str:
    return re.sub(r"(s|Out|Table)$", "", kind).lower()


def _text(docstring: str | None) -> list[str]:
    return inspect.cleandoc(docstring or "").splitlines()


def _signature(kernel: Kernel[..., Any]) -> str:
    signature = inspect.signature(kernel.function)
    names = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=names)).replace("'", "")
