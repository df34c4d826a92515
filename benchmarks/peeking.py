"""How often intervals miss when somebody looks every day: fixed ones, and those always valid.

From the repository's root: python -m benchmarks.peeking [runs]
"""

from __future__ import annotations

import sys

import numpy as np

from ordercycle._statistics.sequential import multiplier

DAYS, ALPHA, RATE = 100, 0.05, 0.1
#: Customers of each arm a day, and how many of both arms are planned, as shares of those who come.
ARRIVALS, PLANS = (20, 200, 2_000), (0.25, 1.0, 4.0)
CHUNK = 2_000


def missed(runs: int, each: int, seed: int) -> tuple[np.ndarray, float]:
    """Return the share of A/A tests that miss at some look, by plan, and with fixed intervals."""
    random = np.random.default_rng(seed)
    n = each * np.arange(1, DAYS + 1)
    widths = np.array(
        [[multiplier(2 * one, plan * 2 * n[-1], ALPHA) for one in n] for plan in PLANS]
    )
    always, fixed = np.zeros(len(PLANS)), 0
    for start in range(0, runs, CHUNK):
        size = min(CHUNK, runs - start)
        counts = random.binomial(each, RATE, (2, size, DAYS)).cumsum(axis=2)
        shares = counts / n
        error = np.sqrt((shares * (1.0 - shares) / n).sum(axis=0))
        # As in results: nothing is said of arms with fewer than five conversions.
        z = np.where(counts.min(axis=0) < 5, 0.0, np.abs(shares[1] - shares[0]))
        z = np.divide(z, error, out=np.zeros_like(z), where=error > 0)
        always += (z > widths[:, None, :]).any(axis=2).sum(axis=1)
        fixed += int((z > 1.959964).any(axis=1).sum())
    return always / runs, fixed / runs


def main() -> None:
    """Print a row for each number of customers a day."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    plans = "".join(f"{f'planned {plan:g}x':>14}" for plan in PLANS)
    print(f"{'customers a day':<17}{'fixed':>8}{plans}")
    for number, each in enumerate(ARRIVALS):
        always, fixed = missed(runs, each, number)
        print(f"{2 * each:<17,}{fixed:>8.3f}" + "".join(f"{one:>14.4f}" for one in always))


if __name__ == "__main__":
    main()
