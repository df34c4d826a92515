"""Transitions between two tables, and the next one of each customer, against plain Python."""

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import transitions as oracle
from support.colliding import ids_with_one_hash
from support.strategies import CUSTOMER_KINDS, layouts

import ordercycle as oc
from ordercycle._segments import customer_order, hash_order
from ordercycle._segments import transitions as module
from ordercycle._workspace import Workers

NAMES = ["Loyal", "Active", "At-risk", "Churned"]
SEGMENT_KINDS = [
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.uint32(), pa.large_string()),
    pa.string(),
    pa.large_string(),
    pa.string_view(),
]


@st.composite
def table_pairs(draw):
    """Draw two tables of segments as dictionaries and as Arrow."""
    kind = draw(st.sampled_from(list(CUSTOMER_KINDS)))
    segments = st.none() | st.sampled_from(NAMES)
    drawn, tables = [], []
    for _ in range(2):
        ids = [one for one in CUSTOMER_KINDS[kind] if one not in ("", b"")]
        rows = draw(st.dictionaries(st.sampled_from(ids), segments, max_size=12))
        layout = draw(layouts())
        columns = {
            "customer_id": (list(rows), kind),
            "tier": (list(rows.values()), draw(st.sampled_from(SEGMENT_KINDS))),
        }
        drawn.append(rows)
        tables.append(layout.table(columns))
    return kind, drawn, tables


def rows_of(table):
    columns = [table[name].to_pylist() for name in table.column_names]
    return {one: tuple(rest) for one, *rest in zip(*columns, strict=True)}


@pytest.fixture(params=[1, 3, 2**17], ids="pieces of {}".format, autouse=True, scope="module")
def _pieces(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RANGE_CUSTOMERS", request.param)
        yield


@given(table_pairs(), st.sampled_from([1, 2]))
@settings(max_examples=60)
def test_transitions_are_those_of_dictionaries(pair, threads):
    kind, (before, after), tables = pair
    found = oc.transitions(*tables, column="tier", threads=threads)
    found.validate(full=True)
    assert rows_of(found) == oracle.transitions(before, after)
    assert found.schema.names == ["customer_id", "from_segment", "to_segment"]
    expected = pa.large_string() if kind == pa.string_view() else kind
    assert found.schema.field("customer_id").type == expected
    assert found.schema.field("to_segment").type == pa.dictionary(pa.int8(), pa.string())


@given(table_pairs(), st.sampled_from([1, 2]))
@settings(max_examples=60)
def test_the_matrix_counts_every_customer(pair, threads):
    _, (before, after), tables = pair
    found = oc.transition_matrix(*tables, column="tier", threads=threads).to_pylist()
    counts = {(row["from_segment"], row["to_segment"]): row["customers"] for row in found}
    assert Counter(counts) == oracle.matrix(before, after)
    assert len(found) == len(counts)


@pytest.fixture(scope="module")
def shop():
    """Return a history of some 400 customers with text ids."""
    random = np.random.default_rng(5)
    first, days = date(2025, 1, 1), random.integers(0, 700, 1500).tolist()
    return oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": [f"customer {number}" for number in random.integers(0, 400, 1500)],
                "ordered_at": [first + timedelta(day) for day in days],
                "amount": np.ones(1500),
            }
        )
    )


def test_profiles_of_one_history_take_no_sorting(shop, monkeypatch):
    """The order of profiles is that of the walk; any other order gives the same table."""
    before, after = (
        oc.Lifecycle().assign(shop.profile(day)) for day in ("2025-12-01", "2026-03-01")
    )
    shuffled = after.take(np.random.default_rng(1).permutation(after.num_rows))
    expected = oc.transitions(before, shuffled)
    monkeypatch.setattr(customer_order, "in_hash_order", None)
    found = oc.transitions(before, after)
    assert found.num_rows > 50
    assert found.equals(expected)
    stayed = oc.transition_matrix(before, after)
    assert pc.sum(stayed["customers"]).as_py() == after.num_rows


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [0, 1, 9, 1_000])
@pytest.mark.parametrize("kind", ["spread", "repeated", "small", "descending"])
def test_any_order_becomes_that_of_the_hashes(monkeypatch, kind, rows, threads):
    monkeypatch.setattr(hash_order, "PARTITION_ROWS", 8)
    monkeypatch.setattr(hash_order, "RUN_ROWS", 100)
    monkeypatch.setattr(hash_order, "PARTITIONS_PER_TASK", 3)
    random = np.random.default_rng(3)
    hashes = {
        "spread": random.integers(0, 2**64, rows, np.uint64),
        "repeated": random.choice(random.integers(0, 2**64, 5, np.uint64), rows),
        "small": random.integers(0, 2**20, rows, np.uint64),
        "descending": np.arange(rows, dtype=np.uint64)[::-1].copy(),
    }[kind]
    with Workers(threads) as workers:
        found = hash_order.in_hash_order(hashes, workers)
    assert found.hashes.tolist() == sorted(hashes.tolist())
    assert sorted(found.rows.tolist()) == list(range(rows))
    assert hashes[found.rows].tolist() == found.hashes.tolist()


@given(st.permutations(ids_with_one_hash(6)), st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=30)
def test_ids_of_one_hash_are_kept_apart(ids, start, stop):
    before, after = dict.fromkeys(ids[start:], "Loyal"), dict.fromkeys(ids[:stop], "Churned")
    tables = [
        pa.table(
            {
                "customer_id": pa.array(list(one), pa.binary()),
                "tier": pa.array(one.values(), pa.string()),
            }
        )
        for one in (before, after)
    ]
    tables = [
        table.cast(tables[0].schema.set(1, pa.field("tier", pa.string()))) for table in tables
    ]
    assert rows_of(oc.transitions(*tables, column="tier")) == oracle.transitions(before, after)


def test_ids_of_different_width_meet():
    before = pa.table({"customer_id": pa.array([1, 2], pa.int16()), "tier": ["a", "b"]})
    after = pa.table({"customer_id": pa.array([2, 3], pa.int64()), "tier": ["a", "b"]})
    found = oc.transitions(before, after, column="tier")
    assert rows_of(found) == {1: ("a", None), 2: ("b", "a"), 3: (None, "b")}
    assert found.schema.field("customer_id").type == pa.int64()


def test_a_batch_is_a_table():
    batch = pa.record_batch({"customer_id": [1], "lifecycle": ["Loyal"]})
    assert oc.transitions(batch, batch.slice(1)).to_pylist() == [
        {"customer_id": 1, "from_segment": "Loyal", "to_segment": None}
    ]


GOOD = pa.table({"customer_id": [1, 2], "lifecycle": ["Loyal", None]})


@pytest.mark.parametrize(
    ("after", "error", "said"),
    [
        (GOOD.rename_columns(["customer", "lifecycle"]), oc.ColumnError, "after has no single"),
        (GOOD.rename_columns(["customer_id", "lifecicle"]), oc.ColumnError, "mean 'lifecicle'"),
        (GOOD.append_column("lifecycle", [["a", "b"]]), oc.ColumnError, "no single column"),
        (GOOD.set_column(1, "lifecycle", [[1, 2]]), oc.ColumnError, "segments are names"),
        (GOOD.set_column(0, "customer_id", [[1.0, 2.5]]), oc.DataError, "(2.5) at row 1"),
        (
            GOOD.set_column(0, "customer_id", [["a", "b"]]),
            oc.ColumnError,
            "no ids in common",
        ),
        (GOOD.set_column(0, "customer_id", [[True, False]]), oc.ColumnError, "which is no id"),
        (GOOD.set_column(0, "customer_id", [[1, None]]), oc.DataError, "is null at row 1"),
        (pa.concat_tables([GOOD, GOOD]), oc.DataError, "there already at row 2 (2 such rows)"),
        (
            pa.table({"customer_id": range(200), "lifecycle": [str(n) for n in range(200)]}),
            oc.ColumnError,
            "127 is the most",
        ),
        ({"customer_id": [1]}, oc.SourceError, "a dict cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_reported(after, error, said):
    with pytest.raises(error) as raised:
        oc.transitions(GOOD, after)
    assert said in str(raised.value)


def test_a_null_among_the_names_is_no_segment():
    names = pa.array([None, "Loyal"])
    segments = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), names)
    after = pa.table({"customer_id": [1, 2], "lifecycle": segments})
    assert oc.transitions(GOOD, after).num_rows == 0
    assert oc.transitions(GOOD, after.slice(0, 1)).num_rows == 0


def test_under_a_null_there_may_be_any_index():
    indices = pa.Array.from_buffers(
        pa.int8(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(b"\x01\x63")], null_count=1
    )
    segments = pa.DictionaryArray.from_arrays(indices, pa.array(["New", "Loyal"]), safe=False)
    after = pa.table({"customer_id": [1, 2], "lifecycle": segments})
    assert oc.transitions(GOOD, after).num_rows == 0


def test_customers_are_no_segments():
    with pytest.raises(oc.ColumnError, match="name the column of their segments"):
        oc.transitions(GOOD, GOOD, column="customer_id")
