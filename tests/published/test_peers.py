"""ordercycle, DuckDB, Polars and pandas agree in every column of the profile."""

import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import ordercycle as oc

for engine in ("duckdb", "polars", "pandas"):
    pytest.importorskip(engine)

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.peers import events, report, transitions  # noqa: E402
from benchmarks.peers.compare import differences  # noqa: E402
from benchmarks.peers.duckdb_membership import memberships  # noqa: E402
from benchmarks.peers.duckdb_report import reports  # noqa: E402
from benchmarks.peers.engines import ENGINES, OURS  # noqa: E402
from benchmarks.peers.generate import AS_OF, IDS, Workload, order_table  # noqa: E402
from benchmarks.peers.generate_events import EventWorkload, event_table  # noqa: E402
from benchmarks.peers.generate_profiles import profile_table  # noqa: E402
from benchmarks.peers.membership import in_one_order  # noqa: E402
from benchmarks.peers.segments import check  # noqa: E402

PEERS = [name for name, engine in ENGINES.items() if name != OURS and engine.complete]
WORKLOADS = {
    "even": Workload(orders=20_000),
    "skewed": Workload(orders=20_000, skew=0.5),
    "strings": Workload(orders=20_000, ids="string"),
    "uuids": Workload(orders=20_000, ids="uuid"),
    "mostly one-time buyers": Workload(orders=20_000, customers=30_000),
    "a few busy customers": Workload(orders=20_000, customers=7),
    "one customer": Workload(orders=2_000, customers=1),
    "one order": Workload(orders=1),
}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", WORKLOADS)
def test_peers_find_the_same_profiles(name, peer):
    orders = order_table(WORKLOADS[name])
    ours, theirs = ENGINES[OURS].load()(orders, AS_OF), ENGINES[peer].load()(orders, AS_OF)
    assert differences(ours, theirs) == []


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("days_before", [1, 31, 400, 1000])
def test_peers_find_the_same_profiles_as_of_an_earlier_day(peer, days_before):
    orders = order_table(Workload(orders=20_000))
    as_of = AS_OF - timedelta(days=days_before)
    ours, theirs = ENGINES[OURS].load()(orders, as_of), ENGINES[peer].load()(orders, as_of)
    assert differences(ours, theirs) == []


@pytest.mark.parametrize("name", WORKLOADS)
def test_duckdb_finds_the_same_memberships(name):
    orders = order_table(WORKLOADS[name])
    ours = oc.Lifecycle().membership(oc.OrderHistory.build(orders)).to_table()
    assert in_one_order(ours).equals(in_one_order(memberships(orders)))


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "one order"])
def test_duckdb_finds_the_same_reports(name):
    orders = order_table(WORKLOADS[name])
    report.check(report.dynamics(oc.OrderHistory.build(orders)), reports(orders))


@pytest.mark.parametrize("ids", IDS)
def test_a_join_finds_the_same_transitions(ids):
    before, after = transitions.a_month_apart(3_000, ids)
    transitions.check(before, after)
    transitions.check(transitions.shuffled(after.slice(500)), before)


def test_bare_totals_are_part_of_the_profile():
    orders = order_table(Workload(orders=20_000))
    bare = ENGINES["duckdb-bare"].load()(orders, AS_OF)
    totals = bare.select(["customer_id", "orders", "revenue"])
    ours = ENGINES[OURS].load()(orders, AS_OF).select(totals.column_names)
    assert differences(ours, totals) == []


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("orders", [3, 2]),
        ("orders", [3, None]),
        ("revenue", [1.0, 2.0 + 1e-6]),
        ("revenue", [1.0, None]),
        ("lifecycle", ["Loyal", "Active"]),
        ("customer_id", [7, 9]),
    ],
)
def test_a_difference_is_found(column, changed):
    table = pa.table(
        {
            "customer_id": [7, 8],
            "orders": [3, 1],
            "revenue": [1.0, 2.0],
            "lifecycle": ["Loyal", "Promising"],
        }
    )
    other = table.set_column(table.column_names.index(column), column, [changed])
    other = other.cast(table.schema)
    assert [found.column for found in differences(table, other)] == [column]


def test_row_order_float_noise_and_dictionaries_are_no_difference():
    table = pa.table({"customer_id": [7, 8], "revenue": [1.0, 2.0], "tier": ["a", "b"]})
    other = pa.table(
        {
            "customer_id": [8, 7],
            "revenue": [2.0 * (1 + 1e-12), 1.0],
            "tier": pa.array(["b", "a"]).dictionary_encode(),
        }
    )
    assert differences(table, other) == []


def test_generated_tables_repeat_and_keep_their_promises():
    workload = Workload(orders=50_000, skew=0.5, refunds=0.1)
    table = order_table(workload)
    assert table.equals(order_table(workload))
    largest = max(table["customer_id"].value_counts().to_pylist(), key=lambda one: one["counts"])
    assert 0.49 < largest["counts"] / table.num_rows < 0.51
    refunds = sum(amount < 0 for amount in table["amount"].to_pylist())
    assert 0.09 < refunds / table.num_rows < 0.11


def test_peers_find_the_same_rfm_scores():
    check(profile_table(30_000))


@pytest.mark.parametrize("customers", [None, 40])
def test_peers_sort_events_alike_and_find_the_same_features(customers):
    workload = EventWorkload(events=20_000, customers=customers)
    events.check(event_table(workload), event_table(workload, with_values=True))
