"""The Python workers of Spark: warm, and without a collection that takes longer than a task."""

import gc

import ordercycle as oc
from ordercycle._engines.spark_tasks import MANY_OBJECTS, in_a_worker
from ordercycle.engines import spark


def test_warm_up(session):
    rows = spark.warmup(session, tasks=4).collect()
    assert len(rows) == 4
    assert {row.kernels for row in rows} == {oc.warmup().kernels}


def test_what_a_worker_has_loaded_is_not_looked_at_after_each_task():
    oc.warmup()
    try:
        assert list(in_a_worker(iter)([1, 2])) == [1, 2]
        assert gc.get_freeze_count() > MANY_OBJECTS > len(gc.get_objects())
        frozen = gc.get_freeze_count()
        assert not list(in_a_worker(iter)([]))
        assert gc.get_freeze_count() <= frozen  # nothing new; what is let go of leaves
    finally:
        gc.unfreeze()
