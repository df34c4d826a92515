"""Building past a memory limit: the same bits, and nothing left on disk."""

import os
import resource
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cutting import spill_everything
from support.histories import assert_same, built, decoded, is_refused, results, tables
from support.strategies import cases, layouts

import ordercycle as oc
from ordercycle._history.batch_files import Spilled
from ordercycle._history.build import laid_out_rows
from ordercycle._history.options import BuildOptions
from ordercycle._history.order_history import grouped_orders
from ordercycle._ingest.spill import Spill

AS_OF = date(2024, 6, 30)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(
    case=cases(),
    layout=layouts(),
    waiting=st.sampled_from([-1, 100, 10**6]),
    long_run=st.sampled_from([0.0, 1.5, 4.0]),  # integer ids always, or sometimes, in runs
)
def test_a_limit_does_not_change_a_bit(case, layout, waiting, long_run):
    orders, customers = tables(case, layout)
    with pytest.MonkeyPatch.context() as patch:
        spill_everything(patch, waiting)
        patch.setattr("ordercycle._ingest.run_writer.LONG_RUN_ROWS", long_run)
        if is_refused(case):
            with pytest.raises(oc.DataError):
                built(case, orders, customers, memory_limit="1GB")
            return
        limited = built(case, orders, customers, memory_limit="1GB")
        found = results(limited, case)
    assert_same(found, results(built(case, orders, customers), case))


def some_orders(rows: int) -> pa.Table:
    random = np.random.default_rng(5)
    return pa.table(
        {
            "customer_id": random.integers(0, rows // 9 + 1, rows),
            "ordered_at": pa.array(random.integers(19_000, 19_900, rows), pa.int32()).cast(
                pa.date32()
            ),
            "amount": random.normal(40, 30, rows).round(2),
        }
    )


def test_files_have_no_name_while_and_after_building(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.spill.Spill.is_over", lambda _self, _held: True)
    monkeypatch.setattr(
        "ordercycle._ingest.spill.Spill.block_rows", lambda _self, _row_bytes: 20_000
    )
    orders = some_orders(100_000)
    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=10_000)
    folder = tmp_path / "spill"
    folder.mkdir()
    seen = []
    history = oc.OrderHistory.build(
        tmp_path / "orders.parquet",
        memory_limit="100MB",
        spill_directory=folder,
        progress=lambda *_: seen.extend(os.listdir(folder)),
    )
    assert seen == os.listdir(folder) == []
    expected = oc.OrderHistory.build(orders)
    assert history.profile(AS_OF).equals(expected.profile(AS_OF))
    more = history.append(some_orders(1_000))
    assert more.profile(AS_OF).equals(expected.append(some_orders(1_000)).profile(AS_OF))
    for _ in range(10):  # past the runs that are merged for good
        history = history.append(some_orders(100))
        expected = expected.append(some_orders(100))
    assert os.listdir(folder) == []
    assert history.save(tmp_path / "saved").profile(AS_OF).equals(expected.profile(AS_OF))


def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.spill.Spill.is_over", lambda _self, _held: True)
    orders = some_orders(100_000)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
            with pytest.raises(oc.StorageError, match=r"free some space, name another folder"):
                oc.OrderHistory.build(
                    orders, memory_limit="100MB", spill_directory=tmp_path, threads=1
                )
            code = len(os.listdir(tmp_path))
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("limit", "size"),
    [("4GB", 4 * 10**9), ("1.5 GiB", 3 * 2**29), ("200000000", 2 * 10**8), (10**9, 10**9)],
)
def test_limits_are_bytes_or_text(limit, size):
    spill = Spill.of(limit, None)
    assert spill is not None
    assert spill.limit == size


@pytest.mark.parametrize("limit", ["four", "4 XB", -1, 0, 1.5, True, "1MB", b"4GB"])
def test_limits_that_are_none_are_refused(limit):
    with pytest.raises(oc.ConfigError, match="memory_limit="):
        oc.OrderHistory.build(some_orders(10), memory_limit=limit)


def test_the_folder_has_to_be_there(tmp_path):
    with pytest.raises(oc.ConfigError, match=r"spill_directory=.* is no folder"):
        oc.OrderHistory.build(
            some_orders(10), memory_limit="1GB", spill_directory=tmp_path / "nowhere"
        )
    with pytest.raises(oc.ConfigError, match="needs a limit"):
        oc.OrderHistory.build(some_orders(10), spill_directory=tmp_path)


@pytest.mark.parametrize("order_rows", [100, 4_000])
def test_both_tables_share_the_limit(monkeypatch, order_rows):
    monkeypatch.setattr("ordercycle._ingest.spill.LEAST_LIMIT", 1)
    monkeypatch.setattr("ordercycle._ingest.spill.TAKEN_BYTES", 0)
    monkeypatch.setattr("ordercycle._ingest.spill.LEAST_BATCH_ROWS", 1)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 100)
    orders = some_orders(order_rows)
    customers = pa.table({"customer_id": range(4_100 - order_rows // 2)})
    columns = oc.Columns(registered=None)
    # Neither of 4,000 orders and 2,100 customers, of 20 and 16 bytes, is half of it.
    limit = 190_000 if order_rows == 4_000 else 100_000
    limited = oc.OrderHistory.build(orders, customers, columns=columns, memory_limit=limit)
    parts = grouped_orders(limited).parts
    assert all(isinstance(run, Spilled) for part in parts for run in part.runs)
    assert max(len(part.read().ids) for part in parts) <= 2 * Spill(limit, None).batch_rows(20, 1)
    expected = oc.OrderHistory.build(orders, customers, columns=columns)
    assert limited.profile(AS_OF).equals(expected.profile(AS_OF))


@pytest.mark.parametrize("large_bytes", [0, 2**24])
def test_dictionaries_of_a_stream_do_not_stay_in_memory(monkeypatch, large_bytes):
    monkeypatch.setattr("ordercycle._ingest.dictionaries.LARGE_BYTES", large_bytes)
    orders = some_orders(200)
    ids = orders["customer_id"].cast(pa.string())
    orders = orders.set_column(0, "customer_id", ids)
    pieces = [orders.slice(start, 20) for start in range(0, 200, 20)]
    batches = [
        batch.set_column(0, "customer_id", batch["customer_id"].dictionary_encode())
        for piece in pieces
        for batch in piece.combine_chunks().to_batches()
    ]
    spill_everything(monkeypatch, 100)
    options = BuildOptions.of({"threads": 2, "memory_limit": "1GB"}, has_customers=False)
    with laid_out_rows(iter(batches), None, options) as rows:
        assert rows.is_spilled
        assert all(ids.dictionary is None for block in rows.blocks for ids in block.ids.values())
    limited = oc.OrderHistory.build(iter(batches), memory_limit="1GB")
    expected = oc.OrderHistory.build(orders)
    assert limited.profile(AS_OF).equals(
        expected.profile(AS_OF).cast(limited.profile(AS_OF).schema)
    )


def test_dictionaries_in_files_are_read_as_text_and_given_back(tmp_path, monkeypatch):
    """Under a limit no other type changes either, though the footer's Arrow schema is not used."""
    random = np.random.default_rng(7)
    instants = pa.array(random.integers(1_640_000_000, 1_710_000_000, 500)).cast(pa.timestamp("s"))
    orders = pa.table(
        {
            "customer_id": pa.array([f"{n:05}" * 20 for n in random.integers(0, 60, 500)]),
            "ordered_at": instants.cast(pa.timestamp("us", "America/New_York")),
            "amount": pa.array(random.integers(-50, 900, 500)).cast(pa.decimal128(25, 2)),
            "order_id": pa.array(random.integers(0, 200, 500)).cast(pa.large_string()),
        }
    )
    orders = orders.set_column(0, "customer_id", orders["customer_id"].dictionary_encode())
    path = tmp_path / "orders.parquet"
    pq.write_table(orders, path, row_group_size=90)
    columns = oc.Columns(order="order_id")
    expected = oc.OrderHistory.build(path, columns=columns, timezone="Europe/Madrid")
    monkeypatch.setattr("ordercycle._sources.parquet_files.FIRST_ROWS", 3)
    monkeypatch.setattr("ordercycle._sources.files.BATCH_SHARE", 10**5)  # batches of a few rows
    spill_everything(monkeypatch, 100)
    limited = oc.OrderHistory.build(
        path, columns=columns, timezone="Europe/Madrid", memory_limit="100MB"
    )
    found, profile = limited.profile(AS_OF), expected.profile(AS_OF)
    assert found.schema == profile.schema
    assert pa.types.is_dictionary(found.schema.field("customer_id").type)
    assert decoded(found).equals(decoded(profile))
