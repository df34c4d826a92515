"""The one decorator that turns a Python function into a kernel.

Kernels are compiled, or loaded from the cache, at their first call, so that importing
them costs nothing and needs no Numba. Each has exactly one signature.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

#: Every kernel with a signature, by ``module.name``: what a warm-up compiles.
REGISTRY: dict[str, Kernel[..., Any]] = {}

_COMPILING = threading.RLock()
_ARRAY = re.compile(r"(\w+)\[([:,]*)\]")


def kernel(
    signature: str, *, name: str | None = None
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Declare a kernel, compiled for `signature` at its first call.

    The signature reads ``"(int64[], float64[:]) -> void"``: ``T[]`` is an input, which may be a
    read-only view of foreign memory; ``T[:]`` and ``T[:,:]`` are C-contiguous arrays that the
    kernel writes. A function declared for several signatures takes a `name` for each.
    """

    def declare(function: Callable[P, R]) -> Kernel[P, R]:
        declared = Kernel(function, signature, name)
        REGISTRY[declared.name] = cast("Kernel[..., Any]", declared)
        return declared

    return declare


def helper(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare a function that kernels call: compiled into its callers, for their types."""
    return Kernel(function, None)


class Kernel(Generic[P, R]):
    """A function compiled at its first call; plain Python under ``NUMBA_DISABLE_JIT=1``."""

    def __init__(
        self, function: Callable[P, R], signature: str | None, name: str | None = None
    ) -> None:
        self.function = cast("FunctionType", function)
        self.signature = signature
        self.name = f"{function.__module__.rpartition('.')[2]}.{name or function.__qualname__}"
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._callable: Callable[..., Any] | None = None

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        function = self._callable or self._prepare()
        return cast("R", function(*arguments, **named))

    def __repr__(self) -> str:
        return f"<kernel {self.name} {self.signature or '(helper)'}>"

    def compile(self) -> None:
        """Compile or load this kernel now, so that the first call finds it ready."""
        self._prepare()

    def _prepare(self) -> Callable[..., Any]:
        with _COMPILING:
            if self._callable is None:
                interpreted = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
                self._callable = self._interpreted if interpreted else self._dispatcher()
            return self._callable

    def _interpreted(self, *arguments: Any) -> Any:
        # Compiled integer arithmetic wraps silently; NumPy scalars would warn.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self.function(*arguments)

    def _dispatcher(self) -> Callable[..., Any]:
        """Build the Numba dispatcher, with the kernels it calls resolved to theirs."""
        from numba import njit

        names = {
            name: value._prepare() if isinstance(value, Kernel) else value
            for name, value in self.function.__globals__.items()
            if name in self.function.__code__.co_names
        }
        function = FunctionType(self.function.__code__, names, self.function.__name__)
        function.__module__ = self.function.__module__
        dispatcher = njit(nogil=True, error_model="numpy")(function)
        if self.signature is not None:
            from ordercycle_kernels._cache import KernelCache

            dispatcher._cache = KernelCache(self.name)
            dispatcher.compile(_numba_signature(self.signature))
            dispatcher.disable_compile()
        return cast("Callable[..., Any]", dispatcher)


def _numba_signature(signature: str) -> str:
    arguments, _, result = signature.partition(" -> ")
    return result + _ARRAY.sub(_array_type, arguments)


def _array_type(match: re.Match[str]) -> str:
    item, axes = match.groups()
    readonly = "" if axes else ", readonly=True"
    return f"Array({item}, {axes.count(',') + 1}, 'C'{readonly})"
