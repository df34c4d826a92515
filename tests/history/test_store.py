"""Saved histories: what is written, what damage is reported, and what a killed writer leaves."""

import json
import os
import resource
import shutil
import signal
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._events.event_history import stored_events
from ordercycle._history.manifest import ORDERS, read_manifest, write_manifest
from ordercycle._history.order_history import grouped_orders

AS_OF = date(2024, 1, 1)
#: How often a writer is killed; more by way of the environment.
KILLS = int(os.environ.get("ORDERCYCLE_KILLS", "60"))


def orders(rows: int, seed: int, ids: pa.DataType | None = None) -> pa.Table:
    random = np.random.default_rng(seed)
    customers = pa.array(random.integers(0, rows // 4 + 1, rows))
    return pa.table(
        {
            "customer_id": customers if ids is None else customers.cast(ids),
            "ordered_at": pa.array(
                [
                    date(2023, 1, 1) + timedelta(days=int(day))
                    for day in random.integers(0, 365, rows)
                ]
            ),
            "amount": random.normal(40, 30, rows).round(2),
        }
    )


@dataclass(frozen=True)
class Kind:
    """A kind of history: how it is built from orders, and all that it says of them."""

    opened_by: type[oc.OrderHistory] | type[oc.EventHistory]
    build: Callable[[pa.Table], Any]
    answer: Callable[[Any], pa.Table]

    @property
    def open(self) -> Callable[..., Any]:
        return self.opened_by.open


def visits(rows: pa.Table) -> pa.Table:
    """Return orders as events with an attribute, of which appended rows bring new values."""
    bands = rows["amount"].cast(pa.int64(), safe=False).cast(pa.string())
    return rows.append_column("band", bands)


EVENTS = {
    "columns": oc.EventColumns(time="ordered_at", attributes=["band"], values=["amount"]),
    "lookups": {"band": pa.table({"band": ["20", "40"], "kind": ["low", "high"]})},
    "threads": 1,
}
KINDS = {
    "orders": Kind(
        oc.OrderHistory,
        lambda rows: oc.OrderHistory.build(rows, threads=1),
        lambda history: history.profile(AS_OF),
    ),
    "events": Kind(
        oc.EventHistory,
        lambda rows: oc.EventHistory.build(visits(rows), **EVENTS),
        lambda history: pa.Table.from_batches(history.to_batches()).combine_chunks(),
    ),
}
both_kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def rows_of(kind: Kind, rows: pa.Table) -> pa.Table:
    """Return orders as a kind of history takes them."""
    return rows if kind.opened_by is oc.OrderHistory else visits(rows)


def of_two_runs(folder: Path, kind: Kind) -> None:
    history = kind.build(orders(300, 1)).save(folder)
    history.append(rows_of(kind, orders(50, 2)), batch="second")
    assert len(list(folder.glob("table-*"))) == (0 if kind.opened_by is oc.OrderHistory else 2)


def saved(folder: Path, rows: int = 300) -> oc.OrderHistory:
    return oc.OrderHistory.build(orders(rows, 1), threads=1).save(folder)


def extended(folder: Path) -> oc.OrderHistory:
    """Save a history of two runs."""
    return saved(folder).append(orders(50, 2), batch="second")


def test_opening_maps_the_files_and_gives_the_same_bits(tmp_path):
    history = extended(tmp_path)
    opened = oc.OrderHistory.open(tmp_path)
    assert opened.summary() == history.summary()
    assert opened.profile(AS_OF).equals(history.profile(AS_OF))
    assert repr(opened).endswith(f", in {str(tmp_path)!r})")


def test_any_arrow_tool_reads_the_files(tmp_path):
    history = saved(tmp_path)
    files = sorted(tmp_path.glob("part-*.arrow"))
    frame = pl.concat([pl.read_ipc(file) for file in files])
    expected = pa.Table.from_batches(history.to_batches())
    assert frame["customer_id"].to_list() == expected["customer_id"].to_pylist()
    assert frame["orders"].to_list() == expected["orders"].to_pylist()
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_a_history_of_many_parts_is_kept_in_few_files(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 8)
    monkeypatch.setattr("ordercycle._history.store.MOST_FILES", 4)
    history = extended(tmp_path)
    assert len(list(tmp_path.glob("part-*.arrow"))) == 4
    assert sum(1 for _ in history.to_batches()) == 16
    both = oc.OrderHistory.build(pa.concat_tables([orders(300, 1), orders(50, 2)]))
    assert oc.OrderHistory.open(tmp_path).profile(AS_OF).equals(both.profile(AS_OF))


def test_a_history_is_replaced_as_a_whole(tmp_path):
    extended(tmp_path)
    other = oc.OrderHistory.build(orders(40, 9))
    other.save(tmp_path)
    assert oc.OrderHistory.open(tmp_path).profile(AS_OF).equals(other.profile(AS_OF))
    listed = json.loads((tmp_path / "manifest.json").read_text())["runs"]
    files = {entry["file"] for run in listed for entry in run}
    assert {file.name for file in tmp_path.glob("*.arrow")} == files


def test_an_open_history_survives_its_replacement(tmp_path):
    history = extended(tmp_path)
    before = history.profile(AS_OF)
    oc.OrderHistory.build(orders(40, 9)).save(tmp_path)
    assert history.profile(AS_OF).equals(before)


def test_an_open_history_can_be_saved_again_where_its_folder_was_removed(tmp_path):
    history = saved(tmp_path / "history")
    shutil.rmtree(tmp_path / "history")
    with pytest.raises(oc.StorageError, match="could not be extended"):
        history.append(orders(30, 2))
    again = history.save(tmp_path / "history").append(orders(30, 2))
    assert oc.OrderHistory.open(tmp_path / "history").profile(AS_OF).equals(again.profile(AS_OF))


@pytest.mark.parametrize(
    ("kind", "whole", "places_of_more"),
    [(KINDS["orders"], 4000, 300), (KINDS["events"], 0, 100)],
    ids=KINDS,
)
def test_every_flipped_bit_is_noticed(tmp_path, kind, whole, places_of_more):
    of_two_runs(tmp_path, kind)
    random = Random(3)  # noqa: S311 - reproducible, not secret
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        # All of the manifest of orders, and of larger files as much as takes a second or two.
        places = range(len(content))
        if len(content) > whole:
            places = sorted({0, 1, len(content) - 1, *random.sample(places, places_of_more)})
        for place in places:
            damaged = bytearray(content)
            damaged[place] ^= 1 << random.randrange(8)
            file.write_bytes(damaged)
            with pytest.raises(oc.StorageError, match=file.name):
                kind.open(tmp_path, threads=1)
        file.write_bytes(content)
    kind.open(tmp_path)


@both_kinds
@pytest.mark.parametrize("verify", [True, False])
def test_truncated_and_missing_files_are_noticed(tmp_path, kind, verify):
    of_two_runs(tmp_path, kind)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        for size in {0, 1, len(content) // 2, len(content) - 1} - {len(content)}:
            if not content:
                continue
            file.write_bytes(content[:size])
            with pytest.raises(oc.StorageError, match=file.name):
                kind.open(tmp_path, verify=verify)
        file.unlink()
        if content:
            with pytest.raises(oc.StorageError, match=f"{file.name} is missing"):
                kind.open(tmp_path, verify=verify)
        file.write_bytes(content)
    kind.open(tmp_path)


def rewritten(folder: Path, **changes) -> None:
    """Change the manifest, checksum and all."""
    manifest = read_manifest(folder, ORDERS)
    write_manifest(folder, {**manifest, **changes})


def test_other_formats_are_reported(tmp_path):
    saved(tmp_path)
    rewritten(tmp_path, version=4)
    what = "version 4, and this ordercycle reads versions 1, 2, 3"
    with pytest.raises(oc.StorageError, match=what):
        oc.OrderHistory.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "something else"}')
    with pytest.raises(oc.StorageError, match=r"damaged|not of a saved history"):
        oc.OrderHistory.open(tmp_path)


def in_the_first_format(folder: Path) -> None:
    """Rewrite a saved history as the first version of the format has it."""

    manifest = read_manifest(folder, ORDERS)
    for entry in (entry for run in manifest["runs"] for entry in run):
        file = folder / entry["file"]
        with pa.ipc.open_file(file.read_bytes()) as reader:
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        with pa.ipc.new_file(file, without_marks(batches[0]).schema) as writer:
            for batch in batches:
                writer.write_batch(without_marks(batch))
        content = file.read_bytes()
        entry |= {"bytes": len(content), "crc32": zlib.crc32(content)}
    for counts, added in (("policies", ADDED_POLICIES), ("counts", ("further", "split"))):
        manifest[counts] = {key: manifest[counts][key] for key in manifest[counts].keys() - added}
    rewritten(folder, **{**manifest, "version": 1})


ADDED_POLICIES = {"same_day", "amount_per", "duplicates"}


def without_marks(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of a file whose entries do not say whether they are orders."""
    lists = batch.column("orders")
    fields = [field for field in lists.type.value_type if field.name != "is_order"]
    items = pa.StructArray.from_arrays(
        [lists.values.field(field.name) for field in fields], fields=fields
    )
    kind = pa.large_list(pa.field("item", items.type, nullable=False))
    plain = pa.Array.from_buffers(kind, len(lists), lists.buffers()[:2], children=[items])
    place = batch.schema.get_field_index("orders")
    return batch.set_column(place, pa.field("orders", kind, nullable=False), plain)


def test_the_first_format_is_read_where_it_says_the_same(tmp_path):
    history = extended(tmp_path / "now")
    shutil.copytree(tmp_path / "now", tmp_path / "then")  # the history's own files are mapped
    in_the_first_format(tmp_path / "then")
    opened = oc.OrderHistory.open(tmp_path / "then")
    assert replace(opened.summary(), bytes=0) == replace(history.summary(), bytes=0)
    assert opened.profile(AS_OF).equals(history.profile(AS_OF))
    everything = pa.concat_tables([orders(300, 1), orders(50, 2), orders(40, 3)])
    whole = oc.OrderHistory.build(everything).profile(AS_OF)
    assert opened.append(orders(40, 3)).profile(AS_OF).equals(whole)
    assert oc.OrderHistory.open(tmp_path / "then").profile(AS_OF).equals(whole)


def test_order_lines_of_the_first_format_have_to_be_added_up_again(tmp_path):
    lines = orders(50, 1).append_column("order_id", pa.array(range(50)))
    oc.OrderHistory.build(lines, columns=oc.Columns(order="order_id")).save(tmp_path)
    rewritten(tmp_path, version=1)
    with pytest.raises(oc.StorageError, match=r"format version 1.*build the history again"):
        oc.OrderHistory.open(tmp_path)


def test_folders_that_are_none_are_reported(tmp_path):
    with pytest.raises(oc.StorageError, match="there is no folder"):
        oc.OrderHistory.open(tmp_path / "nowhere")
    with pytest.raises(oc.StorageError, match="holds no saved history"):
        oc.OrderHistory.open(tmp_path)
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(oc.StorageError, match=r"holds other files \('letter.txt'\)"):
        saved(tmp_path)
    with pytest.raises(oc.StorageError):
        saved(tmp_path / "letter.txt")
    assert [file.name for file in tmp_path.iterdir() if file.suffix] == ["letter.txt"]


@pytest.mark.parametrize("name", ["manifest.json", ".lock"])
def test_nobody_waits_for_a_pipe_that_is_called_as_ours(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(oc.StorageError, match=rf"holds other files \('{name}'\)"):
        saved(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_files_of_others_are_left_alone(tmp_path):
    """Also those that have names like ours: writers of data sets call theirs part-0.parquet."""
    for name in ("part-0.parquet", "part-00000.arrow", "run-notes.md"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text("keep me")
        with pytest.raises(oc.StorageError, match=r"holds other files"):
            saved(folder)
        assert os.listdir(folder) == [name]
    history = saved(tmp_path / "history")
    (tmp_path / "history" / "run-notes.md").write_text("keep me")
    history.append(orders(5, 2))
    assert (tmp_path / "history" / "run-notes.md").exists()


@both_kinds
def test_a_history_that_was_made_anew_meanwhile_is_not_extended(tmp_path, kind):
    stale = kind.build(orders(300, 1)).save(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    other = kind.build(orders(40, 1)).save(tmp_path)
    more = rows_of(kind, orders(5, 2))
    for write in (lambda: stale.append(more), lambda: stale.save(tmp_path)):
        with pytest.raises(oc.StorageError, match="open it again"):
            write()
    assert kind.answer(kind.open(tmp_path)).equals(kind.answer(other))


def test_a_damaged_history_can_be_replaced(tmp_path):
    saved(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    other = saved(tmp_path, rows=40)
    assert oc.OrderHistory.open(tmp_path).profile(AS_OF).equals(other.profile(AS_OF))


def test_what_is_appended_stays_where_runs_cannot_be_merged(tmp_path, monkeypatch):
    history = saved(tmp_path)
    monkeypatch.setattr("ordercycle._history.appending.MOST_SHARE", 0)

    def full_disk(*_arguments):
        raise oc.StorageError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("ordercycle._history.store.save", full_disk)
        history = history.append(orders(5, 2))
    assert history.summary().rows == oc.OrderHistory.open(tmp_path).summary().rows == 305
    history = history.append(orders(5, 3))
    assert not list(tmp_path.glob("run-*"))
    assert oc.OrderHistory.open(tmp_path).profile(AS_OF).equals(history.profile(AS_OF))


def test_an_error_after_the_manifest_is_written_is_none(tmp_path, monkeypatch):
    history = saved(tmp_path)
    synced = []

    def failing(folder):
        synced.append(folder)
        if len(synced) % 2 == 0:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("ordercycle._history.manifest.sync_folder", failing)
    assert history.append(orders(5, 2)).summary().rows == 305
    assert len(synced) >= 2


def test_parts_that_have_grown_are_divided(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 100)
    first, more = orders(10, 1), orders(3_000, 2)
    whole = oc.OrderHistory.build(pa.concat_tables([first, more]))
    for history in (oc.OrderHistory.build(first), oc.OrderHistory.build(first).save(tmp_path)):
        assert len(list(history.profile_batches(AS_OF))) == 1
        grown = history.append(more)
        assert len(list(grown.profile_batches(AS_OF))) == 16
        assert grown.profile(AS_OF).equals(whole.profile(AS_OF))
    opened = oc.OrderHistory.open(tmp_path).append(orders(7, 3))
    assert opened.summary().rows == 3_017


def test_empty_histories_can_be_saved(tmp_path):
    history = oc.OrderHistory.build(orders(10, 1)[:0]).save(tmp_path)
    opened = oc.OrderHistory.open(tmp_path)
    assert opened.profile(AS_OF).equals(history.profile(AS_OF))
    assert opened.append(orders(10, 1)).summary().rows == 10


def forked(work) -> int:
    """Run in a child of this process; return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@both_kinds
def test_a_full_disk_is_reported_and_leaves_what_was_there(tmp_path, kind):
    history = kind.build(orders(300, 1)).save(tmp_path)
    before = sorted(file.name for file in tmp_path.iterdir())

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        large = kind.build(orders(9000, 4))
        for write in (
            lambda: large.save(tmp_path),
            lambda: large.save(tmp_path / "new"),
            lambda: history.append(rows_of(kind, orders(9000, 5))),
        ):
            with pytest.raises(oc.StorageError, match=r"too large|No space"):
                write()

    assert forked(fill) == 0
    left = sorted(file.name for file in tmp_path.iterdir() if file.name != "new")
    assert left == before
    assert not list((tmp_path / "new").glob("*.arrow"))
    assert kind.answer(kind.open(tmp_path)).equals(kind.answer(history))


@both_kinds
def test_two_writers_do_not_meet(tmp_path, kind):
    from ordercycle._history.store import _locked

    history, more = kind.build(orders(300, 1)).save(tmp_path), rows_of(kind, orders(5, 1))
    with _locked(tmp_path):
        for write in (
            lambda: history.append(more),
            lambda: kind.build(orders(5, 1)).save(tmp_path),
        ):
            with pytest.raises(oc.StorageError, match="being written by another process"):
                write()
    assert history.append(more).summary().rows == 305


@both_kinds
def test_a_child_that_was_forked_meanwhile_holds_no_lock(tmp_path, kind):
    """As a pool's workers are: they have all files open that were open at that moment."""
    from ordercycle._history.store import _locked

    history = kind.build(orders(300, 1)).save(tmp_path)
    with _locked(tmp_path):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        assert history.append(rows_of(kind, orders(5, 1))).summary().rows == 305
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@both_kinds
def test_processes_that_append_at_once_lose_nothing(tmp_path, kind):
    """Each is told to try again, or its rows are there."""
    kind.build(orders(300, 1)).save(tmp_path)
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                history = kind.open(tmp_path, threads=1)
                history.append(rows_of(kind, orders(50, number)), batch=str(number))
                code = 0
            except oc.StorageError as error:
                told = "written by another process" in str(error) or "open it again" in str(error)
                code = 2 if told else 1
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert set(codes) <= {0, 2}
    assert 0 in codes
    there = [number for number, code in enumerate(codes) if code == 0]
    rows = pa.concat_tables([orders(300, 1), *(orders(50, number) for number in there)])
    assert kind.answer(kind.open(tmp_path)).equals(kind.answer(kind.build(rows)))


@pytest.mark.parametrize(
    ("kind", "kills"), [(KINDS["orders"], KILLS), (KINDS["events"], KILLS // 3)], ids=KINDS
)
def test_a_killed_writer_leaves_the_old_or_the_new_history(tmp_path, kind, kills):
    """Kill a process that saves and appends without end, and open what it leaves."""
    random = Random(8)  # noqa: S311 - reproducible, not secret
    base = kind.build(orders(300, 1))
    base.save(tmp_path)
    whole: dict[int, pa.Table] = {0: kind.answer(base)}
    batches = [orders(30, 100 + number) for number in range(200)]
    reached = set()

    def batches_in(history: Any) -> int:
        inside = grouped_orders if kind.opened_by is oc.OrderHistory else stored_events
        return len(inside(history).names)

    def write_without_end(report: int) -> None:
        history = kind.open(tmp_path, threads=1)
        while True:
            os.write(report, b".")
            done = batches_in(history)
            if done == len(batches):
                history = base.save(tmp_path)
            elif done % 5 == 4 and random.random() < 0.5:
                history.save(tmp_path)
                history = kind.open(tmp_path, threads=1)
            else:
                history = history.append(rows_of(kind, batches[done]), batch=str(done))

    for _ in range(kills):
        reports, report = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write_without_end(report)
            finally:
                os._exit(1)
        for _step in range(random.randrange(4)):  # however slow the machine is
            os.read(reports, 1)
        time.sleep(random.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.close(reports)
        os.close(report)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == -signal.SIGKILL
        opened = kind.open(tmp_path, threads=1)
        done = batches_in(opened)
        reached.add(done)
        if done not in whole:
            rows = pa.concat_tables([orders(300, 1), *batches[:done]])
            whole[done] = kind.answer(kind.build(rows))
        assert kind.answer(opened).equals(whole[done])
    assert len(reached) > 3
    # What dead writers left behind goes with the next one.
    opened.append(rows_of(kind, orders(3, 3))).save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    listed = [entry for run in manifest["runs"] for entry in run]
    assert len(list(tmp_path.glob("*.arrow"))) == len(listed) + len(manifest.get("tables", {}))
