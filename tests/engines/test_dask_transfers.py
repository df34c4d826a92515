"""Loads of parcels that Dask's tasks hand to each other, and when frames are shuffled instead."""

import pickle

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dask.sizeof import sizeof
from support.dask_shops import computed, framed, local
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._engines.dask_tasks import Answer
from ordercycle._engines.dask_transfers import AnswerLoads, PackLoads, load_for, rows_of, summed
from ordercycle._engines.grouping_job import Job
from ordercycle._engines.partition_tasks import Profiles
from ordercycle.engines import dask as on_dask
from ordercycle.engines.dask import DASK

TARGETS = 3


@pytest.fixture(scope="module")
def shop():
    return tables(rows=600, people=90)


def asked_of(orders, kind=None):
    """Return a frame in one piece, what packs it and what answers."""
    there = framed(orders, 1) if kind is None else framed(orders, 1).astype({"customer_id": kind})
    job = Job.of([there], DASK, partitions=TARGETS, columns=COLUMNS, timezone="UTC", options={})
    answer = Answer.of(job, Profiles(AS_OF), there)
    return there.compute(scheduler="sync"), PackLoads(job.packer(0)), answer


def test_a_load_for_each_target(shop):
    frame, pack, answer = asked_of(shop[0])
    loads = pack(frame)
    announced = summed([rows_of(loads)])
    made = pd.concat(
        [AnswerLoads(answer, target)([load_for(loads, target)], announced) for target in range(3)]
    )
    expected = local(shop[0]).profile(AS_OF)
    assert_same_bits(
        pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None), expected
    )


def test_loads_are_as_large_as_what_they_hold(shop):
    """By which Dask plans, and sends them without a copy."""
    frame, pack, _ = asked_of(shop[0])
    loads = pack(frame)
    rows = shop[0].select(pack.packer.schema.names)
    assert rows.nbytes < sizeof(loads) < 2 * rows.nbytes
    assert sizeof(load_for(loads, 1)) < sizeof(loads) / 2
    apart = []
    together = pickle.dumps(loads, 5, buffer_callback=apart.append)
    assert len(together) < sizeof(loads) / 4
    assert sum(one.raw().nbytes for one in apart) > sizeof(loads) / 2
    moved = pickle.loads(together, buffers=[bytes(one.raw()) for one in apart])  # noqa: S301
    assert np.array_equal(rows_of(moved), rows_of(loads))


@pytest.mark.parametrize(
    "change", [lambda frame: frame.iloc[:-50], lambda frame: pd.concat([frame, frame])]
)
def test_a_partition_that_has_other_rows_the_second_time_is_an_error(shop, change):
    """As when a worker is lost with what it made, and that is made again from a random sample."""
    frame, pack, answer = asked_of(shop[0])
    announced = summed([rows_of(pack(frame))])
    again = load_for(pack(change(frame)), 0)
    with pytest.raises(oc.SourceError, match="computed a second time had other rows; persist"):
        AnswerLoads(answer, 0)([again], announced)


def test_a_load_that_is_missing_is_an_error(shop):
    frame, pack, answer = asked_of(shop[0])
    loads = pack(frame)
    with pytest.raises(oc.SourceError, match=r"0 arrived"):
        AnswerLoads(answer, 0)([], summed([rows_of(loads)]))


def test_tasks_carry_no_categories():
    """There may be as many as there are customers."""
    sizes = set()
    for people in (60, 300):
        orders, _ = tables(pa.string(), rows=600, people=people)
        _, pack, answer = asked_of(orders, "category")
        assert answer.id_dtype.categories is None
        sizes.add(len(pickle.dumps((pack, AnswerLoads(answer, 1)))))
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("method", "few", "shuffles"),
    [(None, 15, False), (None, 14, True), ("tasks", 15, True), ("disk", 15, True)],
)
def test_more_transfers_than_can_be_tasks(shop, monkeypatch, method, few, shuffles):
    monkeypatch.setattr("ordercycle._engines.dask_plan.FEW_TRANSFERS", few)
    orders, customers = shop
    with dask.config.set({"dataframe.shuffle.method": method}):
        found = on_dask.profile(
            framed(orders, 3), framed(customers, 2), as_of=AS_OF, columns=COLUMNS, partitions=3
        )
        assert any("load-" in str(key) for key in found.__dask_graph__()) != shuffles
        assert_same_bits(computed(found, scheduler="sync"), local(orders, customers).profile(AS_OF))
