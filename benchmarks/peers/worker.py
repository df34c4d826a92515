"""One measurement in a process of its own: reads a job as JSON, prints the result as JSON.

The process makes its input, warms the engine up on a small table (compilation, thread pools),
returns spare memory and only then starts the clock. It calls the engine twice on the whole input:
the first call pays for fresh memory and gives the peak, the second finds memory and code warm.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .compare import differences
from .engines import ENGINES, OURS
from .generate import AS_OF, Workload, input_buffers, order_table

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP_ORDERS = 200_000
_COPY_REPEATS = 5


def measure(engine: str, workload: Workload) -> dict:
    """Time two calls of `engine`; seconds, bytes, and the customers it found."""
    profile = ENGINES[engine].load()
    profile(order_table(replace(workload, orders=min(workload.orders, WARM_UP_ORDERS))), AS_OF)
    orders = order_table(workload)
    gc.collect()
    pa.default_memory_pool().release_unused()
    before = reset_peak()
    first, result = _timed(lambda: profile(orders, AS_OF))
    peak = peak_memory()
    customers = result.num_rows
    del result
    busy = process_time()
    repeat, _ = _timed(lambda: profile(orders, AS_OF))
    busy = process_time() - busy
    return {
        "first": first,
        "repeat": repeat,
        "busy": busy,
        "peak": None if before is None else peak - before,
        "customers": customers,
        "input": orders.nbytes,
    }


def measure_copy(workload: Workload) -> dict:
    """Time a copy of the input's bytes: into touched memory, and into fresh memory."""
    sources = input_buffers(order_table(workload))
    targets = [np.zeros_like(source) for source in sources]

    def warm_copy():
        for target, source in zip(targets, sources, strict=True):
            np.copyto(target, source)

    def cold_copy():
        return [source.copy() for source in sources]

    warm_copy()
    warm = [_timed(warm_copy)[0] for _ in range(_COPY_REPEATS)]
    targets.clear()
    cold = [_timed(cold_copy)[0] for _ in range(_COPY_REPEATS)]
    return {
        "first": float(np.median(cold)),
        "repeat": float(np.median(warm)),
        "busy": None,
        "peak": None,
        "customers": None,
        "input": sum(source.size for source in sources),
    }


def check(engine: str, workload: Workload) -> dict:
    """Compare `engine` with ordercycle on one table."""
    orders = order_table(workload)
    found = differences(ENGINES[OURS].load()(orders, AS_OF), ENGINES[engine].load()(orders, AS_OF))
    return {"differences": [str(difference) for difference in found]}


def reset_peak() -> int | None:
    """Forget the process's peak memory so far; return what it holds now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None  # not Linux: peaks are left out rather than guessed
    return _status_bytes("VmRSS")


def peak_memory() -> int | None:
    """Return the most memory held since `reset_peak`, in bytes."""
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int | None:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field)
    )


def _timed(call: Callable) -> tuple[float, object]:
    start = perf_counter()
    result = call()
    return perf_counter() - start, result


def main() -> None:
    job = json.loads(sys.argv[1])
    workload = Workload(**job["workload"])
    if job["task"] == "copy":
        answer = measure_copy(workload)
    elif job["task"] == "check":
        answer = check(job["engine"], workload)
    else:
        answer = measure(job["engine"], workload)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
