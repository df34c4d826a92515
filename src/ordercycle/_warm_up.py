"""Filling the kernel cache ahead of time: for images, and before timing anything."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ordercycle_kernels
from ordercycle._public import public
from ordercycle_kernels._jit import REGISTRY


@public()
@dataclass(frozen=True)
class WarmupResult:
    """What a warm-up did.

    Attributes
    ----------
    kernels
        How many kernels are ready in this process.
    directory
        Where their compiled code is kept; None where no directory can be written, so that every
        process compiles for itself.
    seconds
        How long it took.
    """

    kernels: int
    directory: Path | None
    seconds: float


@public()
def warmup(progress: Callable[[int, int, str], object] | None = None) -> WarmupResult:
    """Compile every kernel, or load it from the cache, so that the first call finds it ready.

    Parameters
    ----------
    progress
        Called as ``progress(done, total, kernel)``.

    Returns
    -------
    WarmupResult

    Examples
    --------
    >>> warmup().kernels > 20
    True
    """
    from ordercycle_kernels._cache import cache_directory, holds

    started = time.perf_counter()
    for module in pkgutil.iter_modules(ordercycle_kernels.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"ordercycle_kernels.{module.name}")
    for done, (name, kernel) in enumerate(sorted(REGISTRY.items()), start=1):
        kernel.callable()
        if progress is not None:
            progress(done, len(REGISTRY), name)
    directory = cache_directory() if holds(REGISTRY) else None
    return WarmupResult(len(REGISTRY), directory, time.perf_counter() - started)
