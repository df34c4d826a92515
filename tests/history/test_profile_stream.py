"""Profiles made while customers are grouped: those of a history, to the bit."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cutting import cut_small, spill_everything
from support.histories import built, decoded, is_refused, options_of, tables
from support.order_files import AS_OF, DAY, orders, write
from support.strategies import cases, layouts

import ordercycle as oc
from ordercycle._history.options import BuildOptions
from ordercycle._history.profile_stream import ProfileStream

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
WAYS = {
    "as it is": None,
    "cut small": cut_small,
    "spilled": lambda patch: spill_everything(patch, -1),
}


def stream_of(source, customers=None, *, as_of=AS_OF, window_days=None, **options):
    checked = BuildOptions.of(options, has_customers=customers is not None)
    return ProfileStream(source, customers, checked, as_of=as_of, window_days=window_days)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(case=cases(), layout=layouts(), way=st.sampled_from(list(WAYS)))
def test_a_stream_is_the_profile_of_the_history(case, layout, way):
    source, customers = tables(case, layout)
    options = {"as_of": case.as_of, "window_days": case.window_days, **options_of(case)}
    limit = "1GB" if way == "spilled" else None
    with pytest.MonkeyPatch.context() as patch:
        if WAYS[way]:
            WAYS[way](patch)
        stream = stream_of(source, customers, threads=2, memory_limit=limit, **options)
        if is_refused(case):
            with pytest.raises(oc.DataError):
                list(stream)
            return
        table = pa.Table.from_batches(list(stream))
    history = built(case, source, customers)
    expected = history.profile(case.as_of, case.window_days)
    table.validate(full=True)
    assert table.schema == expected.schema
    assert decoded(table).equals(decoded(expected))
    assert stream.summary == replace(history.summary(), bytes=0)


@pytest.mark.parametrize("threads", [1, 2])
def test_spent_rows_are_not_read_again(tmp_path, monkeypatch, threads):
    """The rows of customers who are done are written over by the profiles of others."""
    monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 2**13)
    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 2**12)
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 2**12)
    monkeypatch.setattr("ordercycle._ingest.blocks.SPARE_ROWS", 2000)
    monkeypatch.setattr("ordercycle._history.build.BATCH_ROWS", 2**12)
    random = np.random.default_rng(3)
    table = orders(2**16, customer_id=pa.array(random.integers(0, 2**14, 2**16)))
    (path,) = write(table, tmp_path / "orders.parquet", row_group_size=2**13)
    found = list(stream_of(path, threads=threads))  # all of them are held
    assert len(found) == 16
    assert pa.Table.from_batches(found).equals(oc.OrderHistory.build(table).profile(AS_OF))


def test_unlisted_customers_are_refused_after_all_were_seen():
    listed = pa.table({"customer_id": [1, 2], "registered_at": [DAY] * 2})
    with pytest.raises(oc.DataError, match=r"is not in customers \(99 such customers\)"):
        list(stream_of(orders(5000), listed, unknown="error"))


def test_there_is_no_summary_before_the_end():
    stream = stream_of(orders(50))
    assert stream.summary is None
    assert sum(batch.num_rows for batch in stream) == stream.summary.customers == 50
