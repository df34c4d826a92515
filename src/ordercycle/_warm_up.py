"""Filling the kernel cache ahead of time: for images, and before timing anything.

Numba compiles on one thread at a time, so that other cores help by processes of their own, which
leave what they compiled in the cache.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import ordercycle_kernels
from ordercycle._compile_notice import shown_otherwise
from ordercycle._public import public
from ordercycle._workspace import thread_count
from ordercycle_kernels._jit import REGISTRY, is_interpreted

#: Processes that help at most: each takes a core and 200 MB to import the compiler, and the few
#: kernels that take longest are not done sooner by more of them.
MOST_HELPERS = 8
#: What a process that helps runs, with the names of kernels as its arguments.
HELPER = "import sys; from ordercycle._warm_up import help_compiling; help_compiling(sys.argv[1:])"


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
def warmup(
    progress: Callable[[int, int, str], object] | None = None, *, threads: int | None = None
) -> WarmupResult:
    """Compile every kernel, or load it from the cache, so that the first call finds it ready.

    Parameters
    ----------
    progress
        Called as ``progress(done, total, kernel)``.
    threads
        How many kernels are compiled at the same time, those beyond the first in processes of their
        own, eight at most. None stands for every core.

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
    names = declared_kernels()
    with compiling_ahead(names, threads), shown_otherwise():
        for done, name in enumerate(names, start=1):
            REGISTRY[name].callable()
            if progress is not None:
                progress(done, len(names), name)
    directory = cache_directory() if holds(names) else None
    return WarmupResult(len(names), directory, time.perf_counter() - started)


def declared_kernels() -> list[str]:
    """Return the names of all kernels."""
    for module in pkgutil.iter_modules(ordercycle_kernels.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"ordercycle_kernels.{module.name}")
    return sorted(REGISTRY)


@contextmanager
def compiling_ahead(names: Sequence[str], threads: int | None) -> Iterator[None]:
    """Let other processes compile kernels while the block runs, from the last of the names on.

    The block is served from the cache with those that are done when it comes to them, and compiles
    the others itself: nothing depends on the processes.
    """
    from ordercycle_kernels._cache import cache_directory, holds

    helpers = []
    processes = min(thread_count(threads) - 1, MOST_HELPERS)
    if not is_interpreted() and cache_directory() is not None and not holds(names):
        for number in range(processes):
            begin = number * len(names) // processes
            backwards = [*names[begin::-1], *names[:begin:-1]] if begin else [*names[::-1]]
            helpers.append(_started(backwards))
    try:
        yield
    finally:
        for helper in helpers:
            helper.terminate()
        for helper in helpers:
            helper.wait()


def _started(names: Sequence[str]) -> subprocess.Popen[bytes]:
    # As this process finds its modules, whatever the working directory.
    places = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(  # noqa: S603 - this interpreter, with names of kernels
        [sys.executable, "-c", HELPER, *names],
        env={**os.environ, "PYTHONPATH": places},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def help_compiling(names: Sequence[str]) -> None:
    """Compile those of the kernels that no process has compiled by then."""
    from ordercycle_kernels._cache import holds

    signal.signal(signal.SIGTERM, _stop)
    for name in names:
        importlib.import_module(f"ordercycle_kernels.{name.partition('.')[0]}")
        if not holds([name]):
            REGISTRY[name].callable()


def _stop(*_signal: object) -> NoReturn:
    """Unwind, so that a half-written file is removed."""
    raise SystemExit
