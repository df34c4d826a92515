"""Shuffle blocks that Dask's tasks hand to each other, and when frames are shuffled instead."""

import pickle

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dask.sizeof import sizeof
from support.cluster_streams import TOUCHED, streams
from support.dask_shops import computed, framed, local
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._engines.dask_engine import DASK
from ordercycle._engines.dask_exchange import (
    Pack,
    RunOnTransferred,
    added,
    blocks_for,
    by_target,
    exchanged,
    gathered,
    rows_by_target,
)
from ordercycle._engines.partition_tasks import Profiles
from ordercycle._engines.shuffle_blocks import Packer
from ordercycle._engines.verbs import planned
from ordercycle.engines import dask as on_dask

TARGETS = 3


@pytest.fixture(scope="module")
def shop():
    return tables(rows=600, people=90)


def planned_run(orders, kind=None):
    """Return a frame in one piece, what packs it and what runs a task on it."""
    there = framed(orders, 1) if kind is None else framed(orders, 1).astype({"customer_id": kind})
    job = planned(DASK, there, None, TARGETS, COLUMNS, "UTC", {}).job
    run = exchanged(job, [there]).task(Profiles(AS_OF))
    return there.compute(scheduler="sync"), Pack(job.tables[0], by_target), run


def test_blocks_for_each_target(shop):
    frame, pack, run = planned_run(shop[0])
    sent = pack(frame)
    expected_rows = added([rows_by_target(sent)])
    made = pd.concat(
        [
            RunOnTransferred(run, target)(gathered([blocks_for(sent, target)]), expected_rows)
            for target in range(3)
        ]
    )
    expected = local(shop[0]).profile(AS_OF)
    assert_same_bits(
        pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None), expected
    )


def test_blocks_are_as_large_as_what_they_hold(shop):
    """By which Dask plans, and sends them without a copy."""
    frame, pack, _ = planned_run(shop[0])
    sent = pack(frame)
    rows = shop[0].select(pack.packer.schema.names)
    assert rows.nbytes < sizeof(sent) < 2 * rows.nbytes
    assert sizeof(blocks_for(sent, 1)) < sizeof(sent) / 2
    apart = []
    together = pickle.dumps(sent, 5, buffer_callback=apart.append)
    assert len(together) < sizeof(sent) / 4
    assert sum(one.raw().nbytes for one in apart) > sizeof(sent) / 2
    moved = pickle.loads(together, buffers=[bytes(one.raw()) for one in apart])  # noqa: S301
    assert np.array_equal(rows_by_target(moved), rows_by_target(sent))


@pytest.mark.parametrize(
    "change", [lambda frame: frame.iloc[:-50], lambda frame: pd.concat([frame, frame])]
)
def test_a_partition_that_has_other_rows_the_second_time_is_an_error(shop, change):
    """As when a worker is lost with what it made, and that is made again from a random sample."""
    frame, pack, run = planned_run(shop[0])
    expected_rows = added([rows_by_target(pack(frame))])
    again = blocks_for(pack(change(frame)), 0)
    with pytest.raises(oc.SourceError, match="computed a second time had other rows; persist"):
        RunOnTransferred(run, 0)(again, expected_rows)


def test_a_source_that_is_missing_is_an_error(shop):
    frame, pack, run = planned_run(shop[0])
    sent = pack(frame)
    with pytest.raises(oc.SourceError, match=r"0 arrived"):
        RunOnTransferred(run, 0)(gathered([]), added([rows_by_target(sent)]))


def test_tasks_carry_no_categories():
    """There may be as many as there are customers."""
    sizes = set()
    for people in (60, 300):
        orders, _ = tables(pa.string(), rows=600, people=people)
        _, pack, run = planned_run(orders, "category")
        assert run.id_dtype.categories is None
        sizes.add(len(pickle.dumps((pack, RunOnTransferred(run, 1)))))
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("method", "few", "shuffles"),
    [(None, 15, False), (None, 14, True), ("tasks", 15, True), ("disk", 15, True)],
)
def test_more_transfers_than_can_be_tasks(shop, monkeypatch, method, few, shuffles):
    monkeypatch.setattr("ordercycle._engines.dask_exchange.FEW_TRANSFERS", few)
    orders, customers = shop
    with dask.config.set({"dataframe.shuffle.method": method}):
        found = on_dask.profile(
            framed(orders, 3), framed(customers, 2), as_of=AS_OF, columns=COLUMNS, partitions=3
        )
        assert any("blocks-" in str(key) for key in found.__dask_graph__()) != shuffles
        assert_same_bits(computed(found, scheduler="sync"), local(orders, customers).profile(AS_OF))


@pytest.fixture
def packed(monkeypatch):
    """Return a list that grows by a number for each table of a partition that is packed."""
    made, blocks = [], Packer.blocks

    def counted(packer, *given):
        made.append(packer.number)
        return blocks(packer, *given)

    monkeypatch.setattr(Packer, "blocks", counted)
    return made


@pytest.mark.parametrize("method", [None, "tasks"])
def test_all_that_is_asked_of_held_streams_takes_one_shuffle(packed, method):
    shop = streams()
    given = {"columns": {"orders": shop.columns, "touches": TOUCHED}, "partitions": 3}
    with dask.config.set({"dataframe.shuffle.method": method, "scheduler": "sync"}):
        there = on_dask.attribution(framed(shop.orders, 2), framed(shop.touches, 3), **given)
        with there.held() as held:
            answers = [held.totals(), held.windows("CRM Orders", [1, 7])]
            rows = len(held.to_frame())
        assert sorted(packed) == [0, 0, 1, 1, 1]
        assert answers == [there.totals(), there.windows("CRM Orders", [1, 7])]
        assert rows == len(there.to_frame()) > 100
    assert len(packed) > 5


def test_a_period_that_is_not_over_is_counted_in_one_shuffle(shop, packed):
    with dask.config.set(scheduler="sync"), pytest.warns(oc.OrdercycleWarning, match="is not over"):
        on_dask.segment_report(
            framed(shop[0], 3), oc.Lifecycle(), period=("2025-01", "2027-12"), columns=COLUMNS
        )
    assert packed == [0, 0, 0]
