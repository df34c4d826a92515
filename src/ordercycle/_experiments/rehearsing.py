"""The past measured as if there had been an experiment: what it finds where nothing was done."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError
from ordercycle._experiments.arms import HASHES, Arms
from ordercycle._experiments.window_scan import Sums, WindowScan, moments
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._statistics.distributions import STANDARD, normal_quantile
from ordercycle._statistics.means import explained_share
from ordercycle._statistics.rates import Rate, score_p, wilson
from ordercycle._statistics.sequential import always_valid, multiplier
from ordercycle._statistics.several import SRM_LIMIT, sample_ratio_p
from ordercycle._workspace import Workspace
from ordercycle_kernels import windows as kernels
from ordercycle_kernels.calendar import NO_DAY

#: Of the salts of a rehearsal, whose arms are nobody's.
REHEARSAL = "/rehearsal "
POWER = 0.8


def rehearsed(
    scan: WindowScan,
    sums: Sums,
    divided: Callable[[], NDArray[np.int64]],
    control: str,
    planned: int | None,
    alpha: float,
) -> pa.Table:
    """Return the row of Experiment.rehearse; divided: returns what `divided_of` does."""
    all_cells = list(range(sums.customers.size))
    found = moments(scan, sums, all_cells)
    customers, converted = int(sums.customers.sum()), int(sums.converted.sum())
    if customers < 2:
        raise ConfigError(
            "there are fewer than 2 customers on the day of assignment", remedy="pass a later day"
        )
    names, place = scan.arms.names, scan.arms.names.index(control)
    others = [one for one in range(len(names)) if one != place and scan.arms.weights[one]]
    counts = divided()
    runs = len(counts)
    tests = positives = always = failures = 0
    for assigned, ordered in counts:
        p = sample_ratio_p(assigned.tolist(), [float(one) for one in scan.arms.weights])
        failures += p is not None and p < SRM_LIMIT
        for other in others:
            one, base = (Rate(int(assigned[arm]), int(ordered[arm])) for arm in (other, place))
            if min(one.n, base.n) == 0:
                continue
            tests += 1
            p = score_p(one, base)
            positives += p is not None and p < alpha
            variance, both = one.variance + base.variance, one.n + base.n
            if one.is_of_many and base.is_of_many:
                interval, _ = always_valid(
                    one.share - base.share, variance, both, planned or both, alpha
                )
                always += not interval.low <= 0.0 <= interval.high
    has_value = scan.orders.spec.has_amount
    rate = converted / customers
    low, high = wilson(Rate(customers, converted), normal_quantile(alpha))
    row: dict[str, Any] = {
        "runs": runs,
        "false_positives": positives / tests if tests else None,
        "false_positives_always": always / tests if tests else None,
        "srm_failures": failures / runs,
        "customers": customers,
        "baseline": rate,
        "baseline_low": low,
        "baseline_high": high,
        "value_mean": found.mean if has_value else None,
        "value_sd": math.sqrt(found.variance) if has_value else None,
        "r2": explained_share(found) if scan.covariate is not None and has_value else None,
        "smallest_lift": _smallest(
            scan.arms, place, others, customers, rate, normal_quantile(alpha)
        ),
        "smallest_lift_always": _smallest(
            scan.arms, place, others, customers, rate, multiplier(1.0, 1.0, alpha)
        ),
        "days": scan.as_of - scan.since,
    }
    whole = ("runs", "customers", "days")
    return pa.table(
        {name: pa.array([one], pa.int64() if name in whole else pa.float64())
         for name, one in row.items()}
    )  # fmt: skip


def _smallest(
    arms: Arms, control: int, others: list[int], customers: int, rate: float, critical: float
) -> float | None:
    """Return the lift of the smallest other arm that is found in four of five cases."""
    if not others or not 0.0 < rate < 1.0:
        return None
    smallest = min(arms.weights[one] for one in others)
    sizes = [float(weight) * customers for weight in (smallest, arms.weights[control])]
    error = math.sqrt(rate * (1.0 - rate) * sum(1.0 / size for size in sizes))
    return (critical + STANDARD.inv_cdf(POWER)) * error / rate


def divided_of(scan: WindowScan, runs: int) -> NDArray[np.int64]:
    """Return, for each run, how many customers of each arm there were, and converted."""
    arms = [
        replace(scan.arms, salt=f"{scan.arms.salt}{REHEARSAL}{run}", hash=HASHES[0])
        for run in range(runs)
    ]
    size = len(scan.arms.names)

    def work(_: int, batch: CustomerBatch, __: Workspace) -> NDArray[np.int64]:
        there = scan.orders.profiles(scan.since).existing(batch)
        starts = np.where(there, np.int32(scan.since), NO_DAY)
        orders = np.empty(starts.size, np.int32)
        rows = np.empty((2, starts.size), np.int64)
        signs = batch.order_signs(net_refunds=scan.orders.spec.net_refunds)
        kernels.rows_in_windows(
            batch.offsets, batch.days, *signs, starts, scan.width, orders, *rows
        )
        hashes, converted = hashes_of(batch.ids)[there], orders[there] > 0
        ids = batch.ids.slice(0, 0)
        counts = np.empty((runs, 2, size), np.int64)
        for run, one in enumerate(arms):
            codes = one.codes(ids, hashes)
            counts[run, 0] = np.bincount(codes, minlength=size)
            counts[run, 1] = np.bincount(codes[converted], minlength=size)
        return counts

    return sum(scan.orders.scan(work), np.zeros((runs, 2, size), np.int64))
