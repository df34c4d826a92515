"""Segments that move when orders arrive: of those who arrive, and nobody else."""

import queue
import tempfile
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ordercycle as oc

DAY = date(2026, 1, 1)
AS_OF = DAY + timedelta(days=120)


def orders(rows):
    return pa.table(
        {
            "customer_id": pa.array([f"c{who}" for who, _, _ in rows], pa.string()),
            "ordered_at": pa.array([DAY + timedelta(days=at) for _, at, _ in rows], pa.date32()),
            "amount": pa.array([amount for _, _, amount in rows], pa.int64()),
        }
    )


rows = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 130), st.integers(-50, 200)),
    min_size=1,
    max_size=25,
)
RULES = oc.Rules({"Rich": "revenue > 300", "Regular": "orders >= 3"}, default="Other")
SCHEMES = (oc.Lifecycle(), RULES)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    first=rows,
    batches=st.lists(rows, min_size=1, max_size=4),
    scheme=st.sampled_from(SCHEMES),
    kept=st.sampled_from(["in memory", "saved", "opened again"]),
    growth=st.sampled_from([0, 4, 10**9]),
    most_held=st.sampled_from([0, 2**26]),
    wanted_bytes=st.sampled_from([0, 10**9]),
)
def test_moves_are_those_of_whole_profiles(
    first, batches, scheme, kept, growth, most_held, wanted_bytes
):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("ordercycle._history.appending.GROWTH", growth)
        patch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
        patch.setattr("ordercycle._history.appending.MOST_HELD", most_held)
        patch.setattr("ordercycle._history.stored_files.MOST_HELD", most_held)
        patch.setattr("ordercycle._history.stored_files.BYTES_OF_ONE", wanted_bytes)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3)
        history = oc.OrderHistory.build(orders(first))
        history = history if kept == "in memory" else history.save(folder)
        for batch in batches:
            before = scheme.assign(history.profile(AS_OF))
            history, moved = history.append_and_compare(orders(batch), scheme, as_of=AS_OF)
            after = scheme.assign(history.profile(AS_OF))
            assert moved.equals(oc.transitions(before, after, scheme.name))
            if kept == "opened again":
                history = oc.OrderHistory.open(folder)
        whole = oc.OrderHistory.build(
            orders([*first, *(row for batch in batches for row in batch)])
        )
        assert history.profile(AS_OF).equals(whole.profile(AS_OF))
        assert replace(history.summary(), bytes=0) == replace(whole.summary(), bytes=0)


def test_only_those_who_arrive_are_read(tmp_path, monkeypatch):
    """Of the files of a saved history, no batch is read whole; of what was appended, none again."""
    monkeypatch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
    shop = [(who, who % 60, 50) for who in range(3_000)]
    history = oc.OrderHistory.build(orders(shop)).save(tmp_path)

    def refuse(*_):
        raise AssertionError("a whole batch is read")

    monkeypatch.setattr("ordercycle._history.stored_files._read_into", refuse)
    monkeypatch.setattr("ordercycle._history.look_ups.ONE_IN_FILE", 1)
    for number in range(20):
        arriving = [(who, 100, 900) for who in range(number, 3_300, 331)]
        history, moved = history.append_and_compare(orders(arriving), RULES, as_of=AS_OF)
        assert moved.num_rows == len(arriving)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("run-*"))) <= 4  # as many as the sizes of runs have digits
    assert oc.OrderHistory.open(tmp_path).profile(AS_OF).equals(history.profile(AS_OF))


def test_windows_and_fitted_schemes():
    random = np.random.default_rng(4)
    rows = [
        (int(who), int(at), int(amount)) for who, at, amount in random.integers(0, 120, (900, 3))
    ]
    history = oc.OrderHistory.build(orders(rows))
    rfm = oc.Rfm().fit(history.profile(AS_OF, 90))
    new = [(who, 119, 500) for who in range(5)]
    more, moved = history.append_and_compare(orders(new), rfm, as_of=AS_OF, window_days=90)
    before, after = (rfm.assign(one.profile(AS_OF, 90)) for one in (history, more))
    assert moved.equals(oc.transitions(before, after, rfm.name))
    assert moved.num_rows > 0


def test_a_saved_history_is_extended_or_left_as_it_was(tmp_path):
    folder = tmp_path / "history"
    saved = oc.OrderHistory.build(orders([(1, 0, 50), (2, 0, 50)])).save(folder)
    for scheme, error in (
        (oc.Rfm(), oc.ConfigError),
        (oc.Rules({"a": "nothing > 1"}), oc.ColumnError),
        ("lifecycle", oc.ConfigError),
    ):
        with pytest.raises(error):
            saved.append_and_compare(orders([(1, 1, 5)]), scheme, as_of=AS_OF)
    assert oc.OrderHistory.open(folder).summary().orders == 2
    more, moved = saved.append_and_compare(
        orders([(1, 1, 900), (3, 2, 10)]), RULES, as_of=AS_OF, batch="one"
    )
    assert sorted(tuple(row.values()) for row in moved.to_pylist()) == [
        ("c1", "Other", "Rich"), ("c3", None, "Other"),
    ]  # fmt: skip
    assert oc.OrderHistory.open(folder).summary().orders == 4
    again, nobody = more.append_and_compare(
        orders([(1, 1, 900)]), RULES, as_of=AS_OF, batch="one", repeated="skip"
    )
    assert again is more
    assert nobody.num_rows == 0
    assert nobody.schema == moved.schema


def test_recipe_files_one_after_the_other(tmp_path):
    """A folder into which files arrive: each is a batch by its name, and is taken once."""
    arriving, folder = tmp_path / "arriving", tmp_path / "history"
    arriving.mkdir()
    for number in range(3):
        pq.write_table(orders([(number, number, 400)]), arriving / f"{number}.parquet")
    history = oc.OrderHistory.build(orders([(0, 0, 10), (1, 0, 10)])).save(folder)
    found = []
    for _ in range(2):  # the second time, all of them are there already
        for file in sorted(arriving.iterdir()):
            history, moved = history.append_and_compare(
                file, RULES, as_of=AS_OF, batch=file.name, repeated="skip"
            )
            found += [(row["customer_id"], row["to_segment"]) for row in moved.to_pylist()]
    assert found == [("c0", "Rich"), ("c1", "Rich"), ("c2", "Rich")]
    assert oc.OrderHistory.open(folder).summary().orders == 5


def test_recipe_micro_batches_of_a_queue(tmp_path):
    """Messages are collected, appended as a batch with the offset as its name, and acknowledged."""
    messages = queue.Queue()
    for number in range(10):
        messages.put((number, (number % 3, number, 60)))
    history = oc.OrderHistory.build(orders([(0, 0, 10)])).save(tmp_path / "history")
    moves = []
    while not messages.empty():
        taken = [messages.get() for _ in range(min(4, messages.qsize()))]
        history, moved = history.append_and_compare(
            orders([row for _, row in taken]), RULES, as_of=AS_OF,
            batch=f"offset {taken[-1][0]}", repeated="skip",
        )  # fmt: skip
        moves += moved["to_segment"].to_pylist()
        for _ in taken:
            messages.task_done()
    assert history.summary().orders == 11
    assert moves.count("Regular") == 3
