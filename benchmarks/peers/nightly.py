"""A history that is kept: what extending it costs, against building it again.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.nightly --orders 100000000
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import ordercycle as oc

from .generate import AS_OF, Workload, order_table
from .verdicts import Figure, print_figures

NEW_SHARE = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.nightly",
        description="Extend a saved history, against building it again.",
    )
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the history is saved; default: a temporary one")
    options = parser.parse_args()
    orders = order_table(Workload(orders=options.orders))
    new_rows = int(options.orders * NEW_SHARE)
    before = options.orders - new_rows
    there, arriving = orders.slice(0, before), orders.slice(before)
    oc.warmup()
    with TemporaryDirectory(dir=options.folder) as folder:
        rounds = [_round(orders, there, arriving, folder) for _ in range(options.rounds)]
    seconds = {name: median(found[name] for found in rounds) for name in rounds[0]}
    ratios = {
        "append": median((found["build"] + found["save"]) / found["append"] for found in rounds),
        "profile": median(found["profile, appended"] / found["profile"] for found in rounds),
    }
    figures = [Figure(name, value, "s") for name, value in seconds.items()]
    figures += [
        Figure("build and save against append", ratios["append"], "x", least=10.0),
        Figure("profile after append against compacted", ratios["profile"], "x", most=1.3),
    ]
    print(f"{options.orders:,} orders, of which {new_rows:,} arrive later")
    return 1 if print_figures(figures) else 0


def _round(orders, there, arriving, folder) -> dict[str, float]:
    """Time each step once; results are compared before they are believed."""
    found = {}

    def timed(name: str, call: Callable[[], object]) -> object:
        gc.collect()
        start = perf_counter()
        result = call()
        found[name] = perf_counter() - start
        return result

    history = timed("build", lambda: oc.OrderHistory.build(orders))
    saved = timed("save", lambda: history.save(folder))
    timed("profile", lambda: saved.profile(AS_OF))
    expected = saved.profile(AS_OF)
    oc.OrderHistory.build(there).save(folder)
    opened = timed("open", lambda: oc.OrderHistory.open(folder))
    extended = timed("append", lambda: opened.append(arriving))
    timed("profile, appended", lambda: extended.profile(AS_OF))
    if not extended.profile(AS_OF).equals(expected):
        raise RuntimeError("the extended history is not the one built from everything")
    return found


if __name__ == "__main__":
    sys.exit(main())
