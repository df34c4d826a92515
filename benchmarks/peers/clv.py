"""Predicted value of customers, beside lifetimes and SciPy: fits, and what is expected of each.

``python -m benchmarks.peers.clv --customers 1000000`` measures in one run, the rounds taken in
turn, from a profile to a column of value (both fits, P(alive), orders, spend, value of 360 days):

- ordercycle, ``Clv(model="bg_nbd")``, with all threads;
- lifetimes: ``BetaGeoFitter`` and ``GammaGammaFitter``, and ``customer_lifetime_value``;
- SciPy: the same likelihoods over columns, L-BFGS-B, and ``hyp2f1``;

and compares parameters and values. ``--steps 10000000`` measures ordercycle alone, step by step:
every model, assigning twice, with a discount, the lists, and memory; ``--draws 200`` intervals.
Customers leave after an order (MBG/NBD) and were acquired over three years; each has a mean spend.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import ordercycle as oc

HORIZON, MONTHS = 360, 12
DAYS, PART = 1_095, 2_000_000
SAME_PARAMETERS, SAME_VALUES = 2e-3, 1e-3

Floats = NDArray[np.float64]


class Outcome(NamedTuple):
    """Parameters of both models, and the value of each customer."""

    parameters: tuple[float, ...]
    value: Floats


def drawn(customers: int, seed: int = 1) -> pa.Table:
    """Return a profile of customers, in parts of a size that memory holds."""
    sizes = [min(PART, customers - start) for start in range(0, customers, PART)]
    return pa.concat_tables(_drawn(size, seed + place) for place, size in enumerate(sizes))


def _drawn(customers: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    age = random.integers(1, DAYS, customers).astype(np.int32)
    rate = random.gamma(0.5, 1 / 60, customers)
    leaving = random.beta(0.9, 1.6, customers)
    repeats, day = np.zeros(customers, np.int64), np.zeros(customers)
    last = np.zeros(customers, np.int32)
    alive = np.flatnonzero(random.random(customers) > leaving)
    while alive.size:
        day[alive] += 1 + random.exponential(1 / np.maximum(rate[alive], 1e-9))
        alive = alive[day[alive] <= age[alive]]
        repeats[alive] += 1
        last[alive] = day[alive]
        alive = alive[random.random(alive.size) > leaving[alive]]
    level = random.gamma(4, 10, customers)
    first = random.gamma(3, level / 3)
    spent = np.where(repeats > 0, random.gamma(3 * np.maximum(repeats, 1), level / 3), 0.0)
    return pa.table(
        {
            "order_days": repeats + 1,
            "lifetime_days": last,
            "days_since_last_order": age - last,
            "revenue": first + spent,
            "revenue_first_day": first,
        }
    )


def columns(profile: pa.Table) -> tuple[Floats, Floats, Floats, Floats]:
    """Return frequency, recency, T and the mean spend of repeat days, as the peers take them."""
    days, recency, since, revenue, first = (
        column.to_numpy().astype(np.float64) for column in profile.columns
    )
    repeats = days - 1
    return repeats, recency, recency + since, (revenue - first) / np.maximum(repeats, 1)


def of_ordercycle(profile: pa.Table) -> Outcome:
    """Fit and predict."""
    clv = oc.Clv(model="bg_nbd", horizon_days=HORIZON).fit(profile)
    values = clv.assign(profile)["predicted_value"].to_numpy()
    return Outcome(tuple(estimate for estimate, _ in (clv.parameters or {}).values()), values)


def of_lifetimes(profile: pa.Table) -> Outcome:
    """Fit and predict with the package lifetimes."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    repeats, recency, age, means = map(pd.Series, columns(profile))
    again = repeats > 0
    orders = BetaGeoFitter().fit(repeats, recency, age)
    spend = GammaGammaFitter().fit(repeats[again], means[again])
    orders.conditional_probability_alive(repeats, recency, age)
    values = spend.customer_lifetime_value(
        orders, repeats, recency, age, means, time=MONTHS, discount_rate=0.0, freq="D"
    )
    return Outcome((*orders.params_, *spend.params_), values.to_numpy())


def of_scipy(profile: pa.Table) -> Outcome:
    """Fit and predict with functions of SciPy over columns."""
    from scipy.optimize import minimize
    from scipy.special import betaln, gammaln, hyp2f1

    x, recency, age, means = columns(profile)
    again = x > 0

    def of_orders(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        stayed = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        there = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
        odds = np.log(a) - np.log(b + x[again] - 1)
        odds += (r + x[again]) * np.log((alpha + age[again]) / (alpha + recency[again]))
        return -float((stayed + there).mean() + np.logaddexp(0, odds).sum() / x.size)

    n, m = x[again], means[again]

    def of_spend(logs: Floats) -> float:
        p, q, gamma = np.exp(logs)
        total = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(gamma)
        total += (p * n - 1) * np.log(m) + p * n * np.log(n) - (p * n + q) * np.log(n * m + gamma)
        return -float(total.mean())

    tight = {"ftol": 1e-15, "gtol": 1e-8}
    orders = minimize(of_orders, np.log([1.0, 30.0, 1.0, 2.0]), method="L-BFGS-B", options=tight)
    spend = minimize(of_spend, np.log([2.0, 3.0, 20.0]), method="L-BFGS-B", options=tight)
    (r, alpha, a, b), (p, q, gamma) = np.exp(orders.x), np.exp(spend.x)
    odds = np.where(again, a / (b + np.maximum(x, 1) - 1), 0.0)
    alive = 1 / (1 + odds * ((alpha + age) / (alpha + recency)) ** (r + x))
    share = HORIZON / (alpha + age + HORIZON)
    left = (1 - share) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, share)
    expected = alive * (a + b + x - 1) / (a - 1) * (1 - left)
    value = p * (gamma + x * np.where(again, means, 0.0)) / (p * x + q - 1)
    return Outcome((r, alpha, a, b, p, q, gamma), expected * value)


ENGINES: dict[str, Callable[[pa.Table], Outcome]] = {
    "ordercycle": of_ordercycle,
    "lifetimes": of_lifetimes,
    "scipy": of_scipy,
}


def compared(profile: pa.Table, engines: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield the rows of a table of engines, after their results were compared."""
    found: dict[str, Outcome] = {}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    of_ordercycle(profile.slice(0, 10_000))  # kernels are loaded, as the peers' modules are
    for _ in range(rounds):
        for name in engines:
            begun = time.process_time()
            found[name] = ENGINES[name](profile)
            seconds[name].append(time.process_time() - begun)
    ours = found["ordercycle"]
    own = statistics.median(seconds["ordercycle"])
    yield "| | seconds of CPU | x ordercycle | largest difference of a parameter | of the total |"
    yield "|---|---|---|---|---|"
    for name in engines:
        parameters = _difference(found[name].parameters, ours.parameters)
        total = _difference([found[name].value.sum()], [ours.value.sum()])
        if parameters > SAME_PARAMETERS or total > SAME_VALUES:
            raise SystemExit(f"{name} finds {found[name].parameters}, we {ours.parameters}")
        middle = statistics.median(seconds[name])
        yield f"| {name} | {middle:.2f} | {middle / own:.0f} | {parameters:.0e} | {total:.0e} |"


def _difference(found: Sequence[float], wanted: Sequence[float]) -> float:
    return max(abs(one / other - 1) for one, other in zip(found, wanted, strict=True))


def steps(customers: int, draws: int) -> Iterator[str]:
    """Yield the rows of a table of steps of ordercycle."""
    profile, small = drawn(customers), drawn(20_000, seed=9)
    yield "| | seconds of CPU | ns a customer | seconds | bytes a customer beyond input |"
    yield "|---|---|---|---|---|"
    for model in ("mbg_nbd", "bg_nbd", "pareto_nbd", "auto"):
        oc.ValueLists(oc.Clv(model=model)).fit(small).assign(small)
        fit = partial(oc.Clv(model=model).fit, profile)
        clv, row = measured(f"fit, {model} and spend", fit, customers)
        yield row
    for what in ("the first time", "again"):
        yield measured(f"assign, {what}", partial(clv.assign, profile), customers)[1]
    discounted = partial(clv.assign, profile, discount_rate=0.1)
    yield measured("assign, discounted, the first time", discounted, customers)[1]
    lists, row = measured("fit the lists", partial(oc.ValueLists(clv).fit, profile), customers)
    yield row
    yield measured("assign six columns and the list", partial(lists.assign, profile), customers)[1]
    if draws:
        intervals = partial(clv.intervals, profile, draws=draws)
        yield measured(f"intervals, {draws} draws, {clv.model}", intervals, customers)[1]


def measured(name: str, work: Callable[[], Any], customers: int) -> tuple[Any, str]:
    """Return what work makes, and a row of a table."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far begins again
    wall, processor = time.perf_counter(), time.process_time()
    made = work()
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    beyond = (_status("VmHWM") - before) / customers
    nanoseconds = processor / customers * 1e9
    return made, f"| {name} | {processor:.2f} | {nanoseconds:.0f} | {wall:.2f} | {beyond:.0f} |"


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="customers of ordercycle alone")
    parser.add_argument("--draws", type=int, default=0, help="of intervals, with --steps")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.steps:
        for line in steps(given.steps, given.draws):
            print(line, flush=True)
    else:
        for line in compared(drawn(given.customers), given.engines, given.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
