"""Events have the same bits however they lie in a block, and whichever way they are ordered."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cutting import cut_small, spill_everything

import ordercycle as oc
from ordercycle._events.event_grouping import EventGrouper
from ordercycle._ingest import event_layout
from ordercycle._ingest.event_times import InstantDays, days_ascend_in
from ordercycle_kernels import hashing

few = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: The second and the last but one day of the years 1900 to 2199: days in any zone.
EARLIEST, LATEST = (days * 86_400 * 10**6 for days in (-25566, 84004))


def ids_of(hashes):
    """Return the integers that have these hashes."""
    out = np.empty(len(hashes), np.int64)
    hashing.integers_of_hashes(np.array(hashes, np.uint64), out)
    return out


@st.composite
def streams(draw):
    """Draw events with columns of every kind: ids collide in many bits, all else ties."""
    top, low = draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 61))
    near = st.integers(0, 7).map(lambda bits: top ^ (bits << low) % 2**64)
    hashes = draw(st.lists(near | st.integers(0, 2**64 - 1), min_size=1, max_size=9, unique=True))
    rows, span = draw(st.integers(1, 90)), draw(st.sampled_from([1, 3, 10**6, 10**15]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    is_hot = random.random(rows) < draw(st.sampled_from([0, 0.9]))
    who = ids_of(hashes)[np.where(is_hot, 0, random.integers(0, len(hashes), rows))]
    times = random.integers(0, span, rows)
    if draw(st.booleans()):
        times[random.integers(0, rows, 2)] = EARLIEST, LATEST
    columns = {
        "customer_id": pa.array(who, mask=random.random(rows) < draw(st.sampled_from([0, 0.2]))),
        "occurred_at": pa.array(times).cast(
            pa.timestamp("us", draw(st.sampled_from([None, "UTC"])))
        ),
    }
    attributes = tuple(f"a{number}" for number in range(draw(st.integers(0, 6))))
    for name in attributes:
        values = random.integers(0, draw(st.sampled_from([1, 3, 40])), rows)
        known = random.random(rows) >= draw(st.sampled_from([0, 0.2]))
        texts = pa.array(values, mask=~known).cast(pa.string())
        columns[name] = texts.dictionary_encode() if draw(st.booleans()) else texts
    others = {"keys": "order", "values": "points", "id": "event"}
    used = {use: name for use, name in others.items() if draw(st.booleans())}
    for name in used.values():
        columns[name] = pa.array(random.integers(0, 4, rows), mask=random.random(rows) < 0.1)
    table = pa.table(columns)
    of = oc.EventColumns(
        attributes=attributes,
        keys=tuple(used[use] for use in ("keys",) if use in used),
        values=tuple(used[use] for use in ("values",) if use in used),
        id=used.get("id"),
    )
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=3)))
    parts = [table.slice(*part) for part in zip([0, *cuts], np.diff([0, *cuts, rows]), strict=True)]
    return pa.concat_tables(parts), of


def results(table, columns, source, folder, **options):
    """Return all that comes of events: read at once, batch by batch, or step by step."""
    events = table.to_reader() if source == "reader" else table
    if source == "file":
        events = Path(folder, "events.parquet")
        pq.write_table(table, events, row_group_size=7)
    history = oc.EventHistory.build(events, columns=columns, **options)
    summary = history.summary()
    return pa.Table.from_batches(history.to_batches()), summary.repeated, summary.events


def alone(patch):
    """Let every attribute have a word of its own at once, and days a column."""
    patch.setattr(event_layout, "NARROW", 32)
    patch.setattr(InstantDays, "of", lambda _time: None)


WAYS = {
    "general": lambda patch: patch.setattr(EventGrouper, "_is_by_instant", False),
    "beside": lambda patch: patch.setattr(EventGrouper, "_is_in_place", False),
    "days in a column": lambda patch: patch.setattr(InstantDays, "of", lambda _time: None),
    "widened": lambda patch: patch.setattr(event_layout, "NARROW", 2),
    "both": alone,
}


@few
@given(
    case=streams(),
    way=st.sampled_from(list(WAYS)),
    source=st.sampled_from(["table", "reader", "file"]),
    cut=st.sampled_from([None, "small", "spilled"]),
    zone=st.sampled_from(["UTC", "Europe/Madrid", "Pacific/Apia", "America/St_Johns"]),
)
def test_no_way_leaves_a_trace(case, way, source, cut, zone):
    table, columns = case
    expected = results(table, columns, "table", None, timezone=zone)
    temporary = tempfile.TemporaryDirectory
    with pytest.MonkeyPatch.context() as patch, temporary() as folder, temporary() as files:
        options = {"timezone": zone, "threads": 2}
        if cut is not None:
            cut_small(patch)
            patch.setattr("ordercycle._ingest.pipeline.STEP_ROWS", 8)
        if cut == "spilled":
            spill_everything(patch, 300)
            options |= {"memory_limit": "1GB", "spill_directory": folder}
        assert results(table, columns, source, files, **options) == expected
        WAYS[way](patch)
        assert results(table, columns, source, files, **options) == expected


def test_more_values_than_a_narrow_code_tells():
    rows = 2**16 + 10
    numbers = np.arange(rows)
    table = pa.table({
        "customer_id": numbers % 7,
        "occurred_at": pa.array(numbers[::-1]).cast(pa.timestamp("us")),
        "visit": numbers % (rows - 5), "kind": numbers % 3, "page": numbers[::-1],
    })  # fmt: skip
    columns = oc.EventColumns(attributes=("visit", "kind", "page"))
    whole = oc.EventHistory.build(table, columns=columns)
    begun = oc.EventHistory.build(table.slice(0, 9), columns=columns)
    for history in (whole, begun.append(table.slice(9, rows)), whole.append(table.slice(0, 0))):
        batches = [batch.columns for batch in history.to_batches()]
        found = [
            row for ids, events in batches for row in zip(ids.to_pylist(), events, strict=True)
        ]
        assert len(found) == 7
        for customer, events in found:
            mine = numbers[customer::7][::-1]
            assert events.values.field("visit").to_pylist() == (mine % (rows - 5)).tolist()
            assert events.values.field("kind").to_pylist() == (mine % 3).tolist()
            assert events.values.field("page").to_pylist() == (rows - 1 - mine).tolist()


@pytest.mark.parametrize(
    ("zone", "ascend"),
    [("UTC", True), ("Europe/Madrid", True), ("Pacific/Apia", True), ("America/St_Johns", False)],
)
def test_clocks_that_are_put_back_to_the_day_before_are_known(zone, ascend):
    assert days_ascend_in(zone) is ascend


@pytest.mark.parametrize("rows", [29, 44, 60, 75])
def test_room_that_no_row_was_written_to_is_not_looked_at(tmp_path, rows):
    ids = [7_046_029_254_386_353_131] * rows
    instants = pa.array([0] * rows).cast(pa.timestamp("us"))
    table = pa.table({"customer_id": ids, "occurred_at": instants, "a0": ["0"] * rows})
    columns = oc.EventColumns(attributes=("a0",))
    expected = results(table, columns, "table", None)
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        patch.setattr("ordercycle._ingest.pipeline.STEP_ROWS", 8)
        assert results(table, columns, "file", tmp_path, threads=2) == expected
