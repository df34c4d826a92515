"""The one decorator that turns a Python function into a kernel.

Kernels are compiled, or loaded from the cache, at their first call, so that importing
them costs nothing and needs no Numba. Each has exactly one signature.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from ordercycle_kernels._types import numba_type

P = ParamSpec("P")
R = TypeVar("R")

#: Every kernel with a signature, by ``module.name``: what a warm-up compiles.
REGISTRY: dict[str, Kernel[..., Any]] = {}

#: Seconds that each kernel of this process took to be compiled or loaded, without those it calls.
PREPARED: dict[str, float] = {}
#: Called without arguments whenever a kernel was, on whatever thread it was.
WATCHERS: list[Callable[[], object]] = []

_COMPILING = threading.RLock()


def kernel(
    function: Callable[P, R], *, items: str | None = None, name: str | None = None
) -> Kernel[P, R]:
    """Declare a kernel, compiled at its first call for the types of its annotations.

    A function over any item type, annotated with `Items`, becomes one kernel per type, each with
    its `items` and its `name`.
    """
    is_checked = _is_set("NUMBA_BOUNDSCHECK")
    declared = (CheckedKernel if is_checked else Kernel)(function, name)
    names = cast("FunctionType", function).__globals__
    types = [numba_type(kind, items, names) for kind in function.__annotations__.values()]
    declared.signature = f"{types.pop()}({', '.join(types)})"
    REGISTRY[declared.name] = cast("Kernel[..., Any]", declared)
    return declared


def helper(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare a function that kernels call: compiled into its callers, for their types."""
    return Kernel(function)


def inlined(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare a helper that becomes part of its callers, and assigns no slices of arrays.

    Left to the compiler, a helper that takes arrays may be called, and count references to them,
    once a row: to move ids of 36 bytes took 47 ns where it takes 14, to compare them 24 and 7.
    """
    declared = Kernel(function)
    declared.is_inlined = True
    return declared


class Kernel(Generic[P, R]):
    """A function compiled at its first call; plain Python under ``NUMBA_DISABLE_JIT=1``."""

    def __init__(self, function: Callable[P, R], name: str | None = None) -> None:
        self.function = cast("FunctionType", function)
        self.signature: str | None = None
        self.is_inlined = False
        self.name = f"{function.__module__.rpartition('.')[2]}.{name or self.function.__name__}"
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._callable: Callable[..., Any] | None = None

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        function = self._callable or self.callable()
        return cast("R", function(*arguments, **named))

    def __repr__(self) -> str:
        return f"<kernel {self.name} {self.signature or '(helper)'}>"

    def callable(self) -> Callable[..., Any]:
        """Return what a call runs, compiled or loaded now where it was not before."""
        with _COMPILING:
            if self._callable is None:
                started, before = time.perf_counter(), prepared_seconds()
                self._callable = self._interpreted if is_interpreted() else self._dispatcher()
                if self.signature is not None:
                    called = prepared_seconds() - before
                    PREPARED[self.name] = time.perf_counter() - started - called
                    for watcher in WATCHERS:
                        watcher()
            return self._callable

    def _interpreted(self, *arguments: Any) -> Any:
        # Compiled integer arithmetic wraps silently; NumPy scalars would warn.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self.function(*arguments)

    def _dispatcher(self) -> Callable[..., Any]:
        """Build the Numba dispatcher, with the kernels it calls resolved to theirs."""
        from numba import njit

        names = {
            name: value.callable() if isinstance(value, Kernel) else value
            for name, value in self.function.__globals__.items()
            if name in self.function.__code__.co_names
        }
        function = FunctionType(self.function.__code__, names, self.function.__name__)
        function.__module__ = self.function.__module__
        options: Any = {"forceinline": True, "_nrt": False} if self.is_inlined else {}
        dispatcher: Any = njit(nogil=True, error_model="numpy", **options)(function)
        if self.signature is not None:
            from ordercycle_kernels._cache import KernelCache

            dispatcher._cache = KernelCache(self.name, self.signature)  # noqa: SLF001 - there is no other way in
            dispatcher.compile(self._typed_signature())
            dispatcher.disable_compile()
        return cast("Callable[..., Any]", dispatcher)

    def _typed_signature(self) -> Any:
        """Return the signature for Numba, which cannot look up the names of named tuples."""
        from numba import types

        names = {**self.function.__globals__, **vars(types)}
        return eval(str(self.signature), names)  # noqa: S307 - made by `kernel` above


class CheckedKernel(Kernel[P, R]):
    """A kernel under ``NUMBA_BOUNDSCHECK=1``: calls from Python need the shapes it declares."""

    def __init__(self, function: Callable[P, R], name: str | None = None) -> None:
        from ordercycle_kernels._shapes import ShapeCheck

        super().__init__(function, name)
        self._check_shapes = ShapeCheck(self.name, function)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        self._check_shapes(arguments, named)
        return super().__call__(*arguments, **named)


def is_interpreted() -> bool:
    """Return whether kernels are plain Python in this process."""
    return _is_set("NUMBA_DISABLE_JIT")


def prepared_seconds() -> float:
    """Return how long the kernels of this process took to be compiled or loaded, so far."""
    return sum(list(PREPARED.values()))


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")
