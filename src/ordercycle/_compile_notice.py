"""A word to whoever waits while kernels are compiled, which happens once on a machine.

To load what an earlier process compiled takes a fraction of a second, and is no news.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOGGER = logging.getLogger("ordercycle")
NOTICE = "compiling kernels for the first call, which may take half a minute"
KEPT = "they are kept in %s for later processes, and ordercycle warmup compiles all of them ahead"
NOT_KEPT = "no folder can keep them, so each process compiles its own (see ordercycle doctor)"


class _Waiting:
    """What is known of whoever waits for this process."""

    is_told = False
    #: How many callers show by themselves what is done.
    shown_otherwise = 0


def announce_compiling() -> None:
    """Have it said, once in a process, that kernels are compiled: in the log, or on a terminal."""
    from ordercycle_kernels._jit import WATCHERS

    WATCHERS.append(_tell)


@contextmanager
def shown_otherwise() -> Iterator[None]:
    """Leave the terminal to the caller while the block runs, who shows what is done."""
    _Waiting.shown_otherwise += 1
    try:
        yield
    finally:
        _Waiting.shown_otherwise -= 1


def _tell() -> None:
    """Look at the kernel that is ready now; say so where it was compiled, and not loaded."""
    if _Waiting.is_told or not _is_compiled():
        return
    _Waiting.is_told = True
    from ordercycle_kernels._cache import cache_directory

    directory = cache_directory()
    more, values = (NOT_KEPT, ()) if directory is None else (KEPT, (directory,))
    text = f"{NOTICE}; {more}"
    if LOGGER.isEnabledFor(logging.INFO) and LOGGER.hasHandlers():
        LOGGER.info(text, *values)
    elif not _Waiting.shown_otherwise and _is_watched():
        with suppress(OSError):  # a terminal that is gone stops no computation
            sys.stderr.write(f"ordercycle: {text % values}\n")
            sys.stderr.flush()


def _is_compiled() -> bool:
    """Return whether the latest kernel was compiled: the cache did not have it."""
    from ordercycle_kernels._jit import PREPARED, REGISTRY, is_interpreted

    if is_interpreted():
        return False
    dispatcher: Any = REGISTRY[next(reversed(PREPARED))].callable()
    return bool(sum(dispatcher.stats.cache_misses.values()))


def _is_watched() -> bool:
    """Return whether stderr is a terminal."""
    stream = sys.stderr
    return stream is not None and not stream.closed and stream.isatty()
