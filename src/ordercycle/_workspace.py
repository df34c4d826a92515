"""Threads, and the buffers that each uses again and again.

Fresh memory costs as much as the work on it, and kernels release the interpreter lock: a bounded
pool of threads over independent partitions needs nothing more.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ordercycle._compile_notice import announce_compiling
from ordercycle._errors import ConfigError, Option, whole_number

T = TypeVar("T")
R = TypeVar("R")

announce_compiling()  # here, as nothing calls kernels on many rows without a workspace

#: Tasks taken per thread before the first result is needed.
TASKS_AHEAD = 4
#: The same, where results are large and memory has a limit.
LARGE_TASKS_AHEAD = 2


class Workspace(threading.local):
    """Named scratch arrays, one set per thread; they grow and are never given back early."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}
        #: Sizes that a thread found out and need not find out again.
        self.known: dict[str, int] = {}

    def array(self, name: str, size: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of `size` items with the content of its last use."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            # A quarter more, so that slightly larger partitions do not allocate again.
            buffer = self._buffers[name] = np.empty(size + size // 4, dtype)
        return buffer[:size]

    def zeros(self, name: str, size: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of `size` zeros."""
        array = self.array(name, size, dtype)
        array.fill(0)
        return array


class ReturnableArray:
    """An array of so many items; those that nobody needs any more can be given back.

    To the system, where it takes parts of an array (Linux does); else all go with the array.
    """

    def __init__(self, size: int, dtype: DTypeLike) -> None:
        kind = np.dtype(dtype)
        self._memory = None
        if size and hasattr(mmap, "MADV_DONTNEED") and hasattr(mmap, "MADV_HUGEPAGE"):
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            self._memory = mmap.mmap(-1, size * kind.itemsize, flags=flags)
            with suppress(OSError):  # a system without large pages has small ones
                self._memory.madvise(mmap.MADV_HUGEPAGE)
            self.values = np.frombuffer(self._memory, kind)
        else:
            self.values = np.empty(size, kind)

    def give_back(self, items: slice) -> None:
        """Give whole pages of these items back: they are anything from now on."""
        if self._memory is None:
            return
        page, each = mmap.PAGESIZE, self.values.itemsize
        begin, end = -(-items.start * each // page) * page, items.stop * each // page * page
        if begin < end:
            self._memory.madvise(mmap.MADV_DONTNEED, begin, end - begin)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use; None stands for every core of this process."""
    if threads is None:
        return usable_cores()
    number = whole_number(threads)
    if number is None or number < 1:
        raise ConfigError(
            (Option("threads", threads), " is no number of threads"),
            remedy="pass a positive number, or None for every core",
        )
    return number


class Workers:
    """A bounded pool of threads with their scratch arrays, for the time of one computation.

    One thread means the caller's own: nothing is started, so that workers of a cluster can call
    from inside their tasks.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.workspace = Workspace()
        self._pool = (
            ThreadPoolExecutor(threads, thread_name_prefix="ordercycle") if threads > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def free_workspace(self) -> None:
        """Give the scratch arrays of all threads back: what comes next needs others."""
        self.workspace = Workspace()

    def in_order(
        self, work: Callable[[T], R], tasks: Iterable[T], *, ahead: int = TASKS_AHEAD
    ) -> Iterator[R]:
        """Yield the results of `work` in the order of the tasks, running all threads.

        `ahead` tasks per thread are taken before their results are needed, so that a stream of
        tasks stays a stream. The first error ends the rest.
        """
        if self._pool is None:
            yield from map(work, tasks)
            return
        waiting: deque[Future[R]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(work, task))
                if len(waiting) >= self.threads * ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            wait(waiting)
