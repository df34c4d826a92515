"""Files between the look at them and the tasks that read them: the same rows, or an error."""

import os
import pickle

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

import ordercycle as oc
from ordercycle._engines import file_frames
from ordercycle._engines.dask_engine import DASK
from ordercycle._engines.dask_exchange import by_target, packed
from ordercycle._engines.file_frames import FileFrame, place_of
from ordercycle._engines.partition_tasks import Profiles
from ordercycle._engines.spark_tasks import Pack, PackFiles, RunTask
from ordercycle._engines.verbs import planned
from ordercycle._history.options import BuildOptions
from ordercycle.engines import dask

DAYS = pa.array([20_000, 20_001], pa.int32()).cast(pa.date32())
ORDERS = pa.table({"customer_id": [7, 8], "ordered_at": DAYS, "amount": [1, 2]})
WANTED = BuildOptions().orders_request


def batches_of(frame, task=0):
    return frame.reader.batches(frame.tasks[task])


def without_batches(path):
    """Write a file of no record batch, which has no part to read."""
    with ipc.new_file(path, ORDERS.schema):
        return path


@pytest.fixture
def path(tmp_path):
    """Return a file of orders."""
    parquet.write_table(ORDERS, tmp_path / "orders.parquet")
    return tmp_path / "orders.parquet"


def test_a_file_with_more_rows_than_were_looked_at_is_an_error(path):
    """Of the new file, the row groups of the old one would be read."""
    frame = FileFrame.of(path, WANTED)
    profiles = dask.profile(path, as_of="2026-01-01", partitions=1)
    assert pa.Table.from_batches(batches_of(frame)).equals(ORDERS)
    parquet.write_table(pa.concat_tables([ORDERS] * 3), path, row_group_size=2)
    with pytest.raises(oc.SourceError, match=r"orders: '.*orders.parquet' was written again since"):
        list(batches_of(frame))
    with pytest.raises(oc.SourceError, match="was written again since"):
        profiles.compute(scheduler="sync")


def test_a_file_written_while_a_task_reads_it_is_an_error(path):
    batches = batches_of(FileFrame.of(path, WANTED))
    next(batches)
    os.utime(path, ns=(0, 0))
    with pytest.raises(oc.SourceError, match="was written again since"):
        list(batches)


def test_a_file_that_a_worker_does_not_see_is_reported_with_the_worker(path):
    frame = FileFrame.of(path, WANTED)
    path.unlink()
    with pytest.raises(oc.SourceError, match=r"cannot be read on .+: No such file .* it was there"):
        list(batches_of(frame))


def test_files_without_a_part_alone_and_among_others(path):
    empty = without_batches(path.with_name("empty.arrow"))
    assert place_of(FileFrame.of(empty, WANTED).tasks[0]) == "no row of any file"
    columns = oc.Columns(registered=None)
    options = {"as_of": "2026-01-01", "partitions": 2, "columns": columns}
    assert dask.profile(empty, **options).compute(scheduler="sync").empty
    assert len(dask.profile(path, empty, **options).compute(scheduler="sync")) == 2
    full = path.with_name("full.arrow")
    with ipc.new_file(full, ORDERS.schema) as writer:
        writer.write_table(ORDERS)
    assert len(dask.profile([empty, full], **options).compute(scheduler="sync")) == 2


def test_a_list_of_lists_is_no_path_of_files(path):
    with pytest.raises(oc.ConfigError, match="orders: a list is no Dask DataFrame, nor the path"):
        dask.profile([[path]], as_of="2026-01-01")


def test_a_task_of_dask_travels_with_its_own_pieces_alone(path, monkeypatch):
    monkeypatch.setattr(file_frames, "TASK_BYTES", 1)
    for number in range(40):
        parquet.write_table(ORDERS, path.with_name(f"orders-{number}.parquet"))
    history = planned(DASK, path.parent, None, 2, None, None, {})
    (frame,), (table,) = history.frames, history.job.tables
    tasks = dict(packed(frame, table, by_target).dask)
    assert len(frame.tasks) == 41
    assert max(len(pickle.dumps(task)) for task in tasks.values()) < len(pickle.dumps(frame)) / 2


def test_ids_of_a_dictionary_of_views(path):
    ids = pa.DictionaryArray.from_arrays([1, 0], pa.array(["ann", "bob"], pa.string_view()))
    orders = ORDERS.set_column(0, "customer_id", ids)
    views = path.with_name("views.arrow")
    with ipc.new_file(views, orders.schema) as writer:
        writer.write_table(orders)
    found = dask.profile(views, as_of="2026-01-01", partitions=1).compute(scheduler="sync")
    assert sorted(found["customer_id"].tolist()) == ["ann", "bob"]


@pytest.mark.parametrize("tasks", [3, 60])
def test_no_task_grows_with_the_number_of_files(path, monkeypatch, tasks):
    """What Spark brings to all tasks, and what reads their blocks, knows of no file."""
    monkeypatch.setattr(file_frames, "TASK_BYTES", 1)
    for number in range(tasks - 1):
        parquet.write_table(ORDERS, path.with_name(f"orders-{number}.parquet"))
    history = planned(DASK, path.parent, None, 2, None, None, {})
    (frame,), (table,) = history.frames, history.job.tables
    assert len(frame.tasks) == tasks
    pack = PackFiles(Pack(table, (0, 1)), frame.reader)
    run = RunTask(history.job, Profiles("2026-01-01"))
    assert len(pickle.dumps((pack, run))) < 6_000


def test_pieces_are_the_same_as_rows_and_within_the_function(path, monkeypatch):
    monkeypatch.setattr(file_frames, "TASK_BYTES", 1)
    parquet.write_table(ORDERS, path.with_name("orders-1.parquet"))
    history = planned(DASK, path.parent, None, 2, None, None, {})
    (frame,), (table,) = history.frames, history.job.tables
    pieces = tuple(map(pickle.dumps, frame.tasks))
    pack = Pack(table, (7, 9))
    rows = [
        pa.record_batch([[source], [one]], names=["source", "pieces"])
        for source, one in enumerate(pieces)
    ]
    numbers = [pa.record_batch([[source]], names=["id"]) for source in range(len(pieces))]
    as_rows = list(PackFiles(pack, frame.reader)(rows))
    assert list(PackFiles(pack, frame.reader, pieces)(numbers)) == as_rows
    sent = pa.Table.from_batches(as_rows)
    assert set(sent["target"].to_pylist()) == {7, 9}
    assert set(sent["source"].to_pylist()) == set(range(len(frame.tasks)))
    assert sum(sent["rows"].to_pylist()) == 2 * ORDERS.num_rows
