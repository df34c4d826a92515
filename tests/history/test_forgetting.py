"""Customers who are forgotten: what stays of them, where, and what does not."""

import datetime as dt
import uuid
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cutting import cut_small

import ordercycle as oc
from ordercycle._events.event_history import stored_events
from ordercycle._history import store
from ordercycle._history.forgetting import Numbers, forgotten_in
from ordercycle._history.order_history import grouped_orders
from ordercycle._ingest.column_readers import IdReader

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
KEY = bytes(range(32))
ID_TYPES = (
    pa.int64(),
    pa.int32(),
    pa.uint64(),
    pa.string(),
    pa.large_binary(),
    pa.binary(16),
    pa.dictionary(pa.int8(), pa.string()),
)
ORDERS = oc.Columns(order="order_id", refund_of="refunds", attributes=("status",), instants=True)
TOUCHES = oc.EventColumns(id="event_id", attributes=("kind", "channel"))


def ids_of(numbers, kind):
    """Return ids of a type that stand for numbers."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(plain):
        return pa.array(numbers, plain)
    if pa.types.is_fixed_size_binary(plain):
        return pa.array([uuid.UUID(int=number).bytes for number in numbers], plain)
    texts = [f"customer {number}" for number in numbers]
    if pa.types.is_large_binary(plain):
        texts = [text.encode() for text in texts]
    return pa.array(texts, plain).cast(kind)


def order_table(ids, size):
    return pa.table(
        {
            "customer_id": ids,
            "order_id": range(size),
            "ordered_at": [NOON + place * HOUR for place in range(size)],
            "amount": [10 + place if place % 5 else -3 for place in range(size)],
            "refunds": pa.array(
                [place - 1 if not place % 5 and place else None for place in range(size)],
                pa.int64(),
            ),
            "status": ["paid" if place % 2 else "open" for place in range(size)],
        }
    )


def touch_table(ids, size):
    return pa.table(
        {
            "customer_id": ids,
            "event_id": range(size),
            "occurred_at": [NOON + place * HOUR - HOUR / 2 for place in range(size)],
            "kind": ["click"] * size,
            "channel": ["Email" if place % 3 else "Popup" for place in range(size)],
        }
    )


def renamed(ids, gone, kind):
    """Return ids in which those who are forgotten have their numbers, by the number's own maker."""
    reader = IdReader.of(pa.field("id", kind), "ids")
    plain = reader.values(ids)
    numbers = Numbers(reader, KEY).of(plain)
    return pc.if_else(pc.is_in(plain, reader.values(gone)), numbers, plain)


def batches_of(history):
    return pa.Table.from_batches(history.to_batches()).combine_chunks()


def columns_of(history):
    """Return all that a history has, ids as the values that they stand for."""
    return batches_of(history).to_pydict()


PEOPLE = st.lists(st.integers(0, 9), min_size=1, max_size=30)
GONE = st.lists(st.integers(0, 12), max_size=6)


@given(PEOPLE, GONE, st.sampled_from(ID_TYPES), st.booleans())
@settings(max_examples=40)
def test_what_is_left_is_as_if_built_under_the_numbers(people, gone, kind, is_cut):
    ids, size = ids_of(people, kind), len(people)
    with pytest.MonkeyPatch.context() as patch:
        if is_cut:
            cut_small(patch)
        orders = oc.OrderHistory.build(order_table(ids, size), columns=ORDERS)
        touches = oc.EventHistory.build(touch_table(ids, size), columns=TOUCHES)
    names = renamed(ids, ids_of(gone, kind), kind)
    wanted = oc.OrderHistory.build(order_table(names, size), columns=ORDERS)
    found = orders.forget(ids_of(gone, kind), key=KEY)
    assert columns_of(found) == columns_of(wanted)
    events = oc.EventHistory.build(touch_table(names, size), columns=TOUCHES)
    assert columns_of(touches.forget(ids_of(gone, kind), key=KEY)) == columns_of(events)
    assert found.summary().forgotten == len(set(people) & set(gone))
    before, after = orders.summary(), found.summary()
    assert replace(after, forgotten=0, bytes=before.bytes) == before


def histories(kind=pa.int64()):  # noqa: B008 - a type
    ids = ids_of([1, 2, 3, 1, 2, 3, 1, 2, 3, 1], kind)
    return (
        oc.OrderHistory.build(order_table(ids, 10), columns=ORDERS),
        oc.EventHistory.build(touch_table(ids, 10), columns=TOUCHES),
    )


@pytest.mark.parametrize("key", [None, KEY])
def test_orders_and_touches_stay_together(key):
    orders, touches = histories()
    before = oc.Attribution().credit(orders, touches)
    after = oc.Attribution().credit(orders.forget([1], key=key), touches.forget([1], key=key))
    assert after.totals("campaign").equals(before.totals("campaign"))
    assert after.summary() == before.summary()
    assert 1 not in after.to_table()["customer_id"].to_pylist()
    assert after.summary().attributed > 4


def test_who_is_nobody_is_known():
    orders, _ = histories()
    assert forgotten_in(grouped_orders(orders), pa.array([1, 2])) is None
    after = orders.forget([2, 3, 77, None])
    held = grouped_orders(after)
    numbers = [one for one in batches_of(after)["customer_id"].to_pylist() if one != 1]
    assert len(numbers) == 2
    assert forgotten_in(held, pa.array([1, *numbers])).tolist() == [False, True, True]
    assert forgotten_in(held, pa.array([1])) is None
    assert "2 forgotten customers" in list(after.summary().notes())
    assert after.where("status == 'paid'").summary().forgotten == 2
    assert after.forget([]) is after
    assert after.forget([2]) is after
    assert orders.summary().forgotten == 0


def files_in(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}


def test_a_saved_history_is_written_anew(tmp_path):
    text = pa.string()
    orders, touches = histories(text)
    saved, clicks = orders.save(tmp_path / "orders"), touches.save(tmp_path / "touches")
    late = order_table(ids_of([2], text), 1)
    late = late.set_column(1, "order_id", pa.array([99]))
    saved = saved.append(late, batch="late")
    assert any(b"customer 2" in file for file in files_in(tmp_path / "orders").values())
    after = saved.forget(["customer 2"], key=KEY)
    clicks.forget(["customer 2"], key=KEY)
    for name in ("orders", "touches"):
        assert not [file for file in files_in(tmp_path / name).values() if b"customer 2" in file]
    again = oc.OrderHistory.open(tmp_path / "orders")
    events = oc.EventHistory.open(tmp_path / "touches")
    assert batches_of(again).equals(batches_of(after))
    assert again.summary().forgotten == events.summary().forgotten == 1
    assert grouped_orders(again).forgotten == stored_events(events).forgotten
    assert (again.summary().orders, again.summary().refunds) == (8, 3)
    with pytest.raises(oc.DataError, match="already in the history"):
        again.append(late, batch="late")
    with pytest.raises(oc.StorageError, match="was extended or replaced"):
        saved.forget(["customer 1"])
    new = again.append(late, batch="new")  # whoever comes again is somebody new
    assert new.summary().customers == 4
    twice = new.forget(["customer 2"], key=bytes(16)).forget(["customer 3"], key=KEY)
    assert twice.summary().forgotten == 3
    assert oc.OrderHistory.open(tmp_path / "orders").summary().customers == 4


def test_bytes_are_kept_in_the_manifest(tmp_path):
    orders, _ = histories(pa.binary(16))
    orders.save(tmp_path / "orders").forget(ids_of([1], pa.binary(16)), key=KEY)
    again = grouped_orders(oc.OrderHistory.open(tmp_path / "orders"))
    assert [len(one) for one in again.forgotten] == [16]
    assert forgotten_in(again, pa.array(again.forgotten, pa.binary(16))).all()


@pytest.mark.parametrize("stop", ["write_file", "write_manifest"])
def test_a_crash_leaves_everybody_or_nobody(tmp_path, monkeypatch, stop):
    orders, _ = histories(pa.string())
    saved = orders.save(tmp_path / "orders")
    before = files_in(tmp_path / "orders")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, stop, full)
        with pytest.raises(oc.StorageError, match="No space left"):
            saved.forget(["customer 1"])
    assert files_in(tmp_path / "orders") == before
    assert oc.OrderHistory.open(tmp_path / "orders").summary().forgotten == 0
    saved.forget(["customer 1"])
    assert oc.OrderHistory.open(tmp_path / "orders").summary().forgotten == 1


def test_histories_on_disk(tmp_path):
    ids = ids_of(list(range(200)) * 5, pa.int64())
    options = {"memory_limit": "100MB", "spill_directory": tmp_path}
    orders = oc.OrderHistory.build(order_table(ids, 1000), columns=ORDERS, **options)
    after = orders.forget(range(50), key=KEY)
    assert after.summary().forgotten == 50
    assert after.summary().orders == orders.summary().orders


BAD = [
    ({"ids": 7}, "is no list of ids"),
    ({"ids": "ann"}, "is no list of ids"),
    ({"ids": ["ann"]}, "not all int64"),
    ({"ids": [2**70]}, "not all int64"),
    ({"ids": [1.5]}, "not all int64"),
    ({"ids": [1], "key": "secret"}, "is no secret"),
    ({"ids": [1], "key": b"short"}, "is no secret"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_what_cannot_be_forgotten(given, message):
    orders, _ = histories()
    with pytest.raises(oc.ConfigError, match=message):
        orders.forget(**given)


def test_narrow_ids_and_views():
    for kind in (pa.int16(), pa.binary(4)):
        ids = pa.array([b"ann1"], kind) if kind == pa.binary(4) else pa.array([1], kind)
        orders = oc.OrderHistory.build(order_table(ids, 1), columns=ORDERS)
        with pytest.raises(oc.ConfigError, match="nobody"):
            orders.forget(ids)
    orders, touches = histories()
    with pytest.raises(oc.ConfigError, match="cannot be changed"):
        orders.where("status == 'paid'").forget([1])
    with pytest.raises(oc.ConfigError, match="cannot be changed"):
        touches.where("kind == 'click'").forget([1])


def test_numbers_that_are_taken(monkeypatch):
    orders, _ = histories()
    monkeypatch.setattr(Numbers, "_of", lambda _, one: 3 if one == 1 else one)
    with pytest.raises(oc.DataError, match=r"id of another customer.*another key"):
        orders.forget([1])
    monkeypatch.setattr(Numbers, "_of", lambda *_: -5)
    with pytest.raises(oc.DataError, match="two customers would get one number"):
        orders.forget([1, 2])
