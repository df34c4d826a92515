"""The engines side by side under pytest-benchmark.

    pytest benchmarks/peers/test_side_by_side.py -o pythonpath=.

Smaller than `python -m benchmarks.peers` and in one process: for a quick look while working.
"""

from __future__ import annotations

import os

import pytest
from benchmarks.peers.engines import ENGINES
from benchmarks.peers.generate import AS_OF, Workload, order_table

ORDERS = int(os.environ.get("ORDERCYCLE_BENCHMARK_ORDERS", "1000000"))


@pytest.fixture(scope="module", params=["even", "skewed"])
def orders(request):
    skew = {"even": 0.0, "skewed": 0.5}[request.param]
    return order_table(Workload(orders=ORDERS, skew=skew))


@pytest.mark.parametrize("name", ENGINES)
def test_profile(benchmark, orders, name):
    profile = ENGINES[name].load()
    benchmark.group = f"{ORDERS:,} orders"
    result = benchmark.pedantic(profile, (orders, AS_OF), rounds=5, warmup_rounds=1)
    assert result.num_rows > 0  # noqa: S101
