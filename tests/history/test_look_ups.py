"""Profiles of some customers, against those of all of them."""

import os
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.colliding import ids_with_one_hash
from support.cutting import spill_everything
from support.histories import built, dealt, decoded, is_refused, tables
from support.strategies import CUSTOMER_KINDS, cases, layouts

import ordercycle as oc
from ordercycle._history.stored_files import _read_bytes

AS_OF = "2026-06-01"
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def plain_rows(table: pa.Table) -> list[dict]:
    return decoded(table).to_pylist()


def looked_up(history: oc.OrderHistory, as_of, customers, window_days=None) -> pa.Table:
    """Return the profiles of some customers, and check them against those of all."""
    found = history.profile(as_of, window_days, customers=customers)
    found.validate(full=True)
    every = history.profile(as_of, window_days)
    assert found.schema == every.schema
    expected = [row for row in plain_rows(every) if row["customer_id"] in customers]
    assert plain_rows(found) == expected
    return found


def kept_as(how: str, case, layout, pieces: int, folder: str, patch) -> oc.OrderHistory:
    """Return a history that is kept in memory, on disk or in a folder, of one or more runs."""
    first, *later = dealt(case, pieces, Random(pieces))  # noqa: S311 - reproducible, not secret
    limit = None
    if how == "spilled":
        spill_everything(patch, 0)
        limit = "1GB"
    history = built(first, *tables(first, layout), memory_limit=limit)
    if how == "saved":
        history = history.save(folder)
    for part in later:
        history = history.append(*tables(part, layout))
    return oc.OrderHistory.open(folder) if how == "saved" else history


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(
    case=cases(),
    layout=layouts(),
    how=st.sampled_from(["in memory", "spilled", "saved"]),
    pieces=st.integers(1, 3),
    most=st.sampled_from([0, 1, 64]),
    reach=st.sampled_from([1, 8]),
    data=st.data(),
)
def test_some_profiles_are_those_of_all(case, layout, how, pieces, most, reach, data):
    assume(not is_refused(case))
    known = [row.customer for row in case.orders]
    pool = st.sampled_from([*CUSTOMER_KINDS[case.types.customer], *known])
    asked = data.draw(st.lists(pool, max_size=8))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("ordercycle._history.look_ups.MOST_APART", most)
        patch.setattr("ordercycle._history.look_ups.LEAST_REACH", reach)
        for one_in in ("ONE_IN", "ONE_IN_FILE"):
            patch.setattr(f"ordercycle._history.look_ups.{one_in}", 1 + 10**9 * (most == 1))
        patch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3)
        history = kept_as(how, case, layout, pieces, folder, patch)
        looked_up(history, case.as_of, asked, case.window_days)


def shop(ids, orders: int = 5_000, people: int = 900) -> pa.Table:
    """Return orders of customers whose ids `ids` makes of numbers."""
    random = np.random.default_rng(3)
    numbers = random.integers(0, people, orders)
    return pa.table(
        {
            "customer_id": ids(numbers),
            "ordered_at": [date(2024, 1, 1) + timedelta(int(day)) for day in numbers % 600],
            "amount": random.normal(30, 20, orders).round(2),
        }
    )


def as_text(numbers) -> pa.Array:
    return pa.array([f"customer {number}" for number in numbers])


IDS = {
    "numbers": pa.array,
    "narrow": lambda numbers: pa.array(numbers, pa.int16()),
    "unsigned": lambda numbers: pa.array([2**64 - 1 - int(one) for one in numbers], pa.uint64()),
    "text": as_text,
    "views": lambda numbers: as_text(numbers).cast(pa.string_view()),
    "dictionary": lambda numbers: as_text(numbers).dictionary_encode(),
    "bytes": lambda numbers: as_text(numbers).cast(pa.large_binary()),
    "uuids": lambda numbers: pa.array([uuid.UUID(int=int(one)) for one in numbers], pa.uuid()),
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("where", ["in memory", "saved"])
def test_ids_of_any_type_are_found_among_many(kind, where, tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 700)
    history = oc.OrderHistory.build(shop(IDS[kind]))
    if where == "saved":
        history = history.save(tmp_path).append(shop(IDS[kind], 300, 1_500))
    strangers = 2_000
    asked = IDS[kind](np.random.default_rng(4).integers(0, strangers, 40))
    array = asked.to_pylist() if pa.types.is_dictionary(asked.type) else asked
    found = looked_up(history, AS_OF, asked.to_pylist())
    assert found.num_rows > 5
    assert history.profile(AS_OF, customers=array).equals(found)
    assert history.profile(AS_OF, customers=asked.slice(3)).num_rows <= found.num_rows
    halves = pa.chunked_array([asked.slice(0, 20), asked.slice(20)])
    assert history.profile(AS_OF, customers=halves).equals(found)


def test_more_customers_than_are_looked_for_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 700)
    monkeypatch.setattr("ordercycle._history.look_ups.MOST_TOGETHER", 100)
    history = oc.OrderHistory.build(shop(as_text)).save(tmp_path)
    random = np.random.default_rng(5)
    for people in (0, 1, 99, 300, 900):
        looked_up(history, AS_OF, as_text(random.integers(0, 900, people)).to_pylist())
    uneven = [*range(0, 900, 50), *range(100)]
    looked_up(history, AS_OF, as_text(uneven).to_pylist(), 90)


def test_different_ids_of_one_hash_are_told_apart(tmp_path):
    ids = ids_with_one_hash(7)
    table = pa.table(
        {
            "customer_id": pa.array([*ids[:4], ids[0]], pa.binary()),
            "ordered_at": [date(2026, 1, day) for day in range(1, 6)],
            "amount": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    later = table.set_column(0, "customer_id", pa.array([*ids[2:6], ids[0]], pa.binary()))
    for history in (oc.OrderHistory.build(table), oc.OrderHistory.build(table).save(tmp_path)):
        for one in (history, history.append(later)):
            for asked in (ids, ids[::-1], ids[1:2], ids[3:5], ids[6:], [b"nobody"]):
                looked_up(one, AS_OF, asked)


def test_more_ids_of_one_hash_than_are_looked_at_first(tmp_path):
    ids = ids_with_one_hash(60)
    days = [date(2026, 1, 1)] * 50
    table = pa.table({"customer_id": ids[:50], "ordered_at": days, "amount": range(50)})
    history = oc.OrderHistory.build(table).save(tmp_path)
    assert looked_up(history, AS_OF, ids[5:6]).num_rows == 1
    assert looked_up(history, AS_OF, ids[40:55]).num_rows == 10
    assert looked_up(history, AS_OF, ids[55:]).num_rows == 0


@pytest.mark.parametrize(
    "customers",
    [
        [7, 9, 7, 8, None],
        (7.0, 9.0, float("nan")),
        {7, 9},
        range(7, 10),
        np.array([7, 9, 2**40]),
        np.array([7, 9], np.uint8),
        pa.array([7, 9, -1, 2**63 - 1]),
        pl.Series([9, 7]),
        [7, 9, 2**64 - 1, 2**70, -(2**80)],
        pa.array([9, 7]).dictionary_encode(),
    ],
)
def test_what_customers_may_be(customers):
    table = pa.table(
        {
            "customer_id": pa.array([7, 8, 9], pa.int16()),
            "ordered_at": [date(2026, 1, day) for day in (1, 20, 1)],
            "amount": [1, 2, 3],
        }
    )
    history = oc.OrderHistory.build(table)
    found = history.profile("2026-01-10", customers=customers)  # 8 is not there yet
    assert sorted(found["customer_id"].to_pylist()) == [7, 9]
    assert found.schema == history.profile("2026-01-10").schema


@pytest.mark.parametrize(
    ("customers", "error", "says"),
    [
        ("ann", oc.ConfigError, "is no list of ids; pass a list"),
        (b"ann", oc.ConfigError, "is no list of ids"),
        (7, oc.ConfigError, "customers=7 is no list of ids"),
        ({"ann": 1}, oc.ConfigError, "is no list of ids"),
        (pa.table({"a": ["ann"]}), oc.ConfigError, "is no list of ids"),
        ([7], oc.ConfigError, "holds numbers, and ids of the history are text: string; pass text"),
        ([b"ann"], oc.ConfigError, "holds bytes, and ids of the history are text"),
        (["ann", 7], oc.ConfigError, "holds what is no id: "),
        (np.array([["ann"]]), oc.ConfigError, "holds what is no id: "),
        ([True], oc.ColumnError, "customer_id is bool, which is no id"),
        ([7.5], oc.DataError, "is double and no whole number"),
        ([date(2026, 1, 1)], oc.ColumnError, "it says when, not who"),
    ],
)
def test_what_customers_may_not_be(customers, error, says):
    history = oc.OrderHistory.build(shop(as_text, 10))
    with pytest.raises(error, match=says):
        history.profile(AS_OF, customers=customers)


def test_nobody_is_asked_for_or_there():
    history = oc.OrderHistory.build(shop(as_text, 10))
    empty = oc.OrderHistory.build(shop(as_text, 10).slice(0, 0))
    for one, asked in ((history, []), (history, ["nobody"]), (empty, []), (empty, ["ann"])):
        found = one.profile(AS_OF, customers=asked)
        assert found.num_rows == 0
        assert found.schema == one.profile(AS_OF).schema


def test_profiles_without_amounts(tmp_path):
    table = shop(as_text).drop_columns(["amount"])
    history = oc.OrderHistory.build(table, columns=oc.Columns(amount=None)).save(tmp_path)
    looked_up(history, AS_OF, as_text(range(0, 900, 90)).to_pylist())


def test_what_is_damaged_after_opening_is_found(tmp_path):
    oc.OrderHistory.build(shop(as_text)).save(tmp_path)
    (file,) = Path(tmp_path).glob("part-*.arrow")
    asked = as_text(range(20)).to_pylist()
    sound = bytearray(file.read_bytes())
    expected = oc.OrderHistory.open(tmp_path).profile(AS_OF, customers=asked)
    outcomes = set()
    random = Random(6)  # noqa: S311 - reproducible, not secret
    for _ in range(150):
        damaged = bytearray(sound)
        start = random.randrange(len(sound))
        damaged[start : start + 4_000] = random.randbytes(len(damaged[start : start + 4_000]))
        history = oc.OrderHistory.open(tmp_path)
        file.write_bytes(damaged)
        try:
            found = history.profile(AS_OF, customers=asked)
            outcomes.add("as before" if found.equals(expected) else "other numbers")
            assert found["customer_id"].equals(expected["customer_id"])  # nobody is lost
        except oc.StorageError:
            outcomes.add("found")
        file.write_bytes(sound)
    # Amounts that are numbers still are compared by checksums only, when a history is opened.
    assert {"as before", "found"} <= outcomes


def test_a_file_that_was_cut_off_is_found(tmp_path):
    oc.OrderHistory.build(shop(as_text)).save(tmp_path)
    (file,) = Path(tmp_path).glob("part-*.arrow")
    history = oc.OrderHistory.open(tmp_path)
    with file.open("r+b") as stream:
        stream.truncate(4_000)
    with pytest.raises(oc.StorageError, match="is no file of a history"):
        history.profile(AS_OF, customers=["customer 1"])


# --- One customer --------------------------------------------------------------------------------


def test_a_card_has_the_profile_and_the_orders_of_one_customer(tmp_path):
    table = shop(as_text)
    history = oc.OrderHistory.build(table)
    saved = oc.OrderHistory.build(table.slice(0, 3_000)).save(tmp_path).append(table.slice(3_000))
    entries = {
        customer: orders
        for batch in history.to_batches()
        for customer, orders in zip(*(batch.column(at).to_pylist() for at in (0, 2)), strict=True)
    }
    for number in (1, 7, 400):
        customer = f"customer {number}"
        card = saved.customer(customer)
        assert card.as_of == history.summary().last_day
        assert card.orders.to_pylist() == entries[customer]
        (row,) = history.profile(card.as_of, customers=[customer]).to_pylist()
        assert card.profile == row
        day = entries[customer][1]["ordered_on"]
        earlier = saved.customer(customer, day)
        assert earlier.orders.to_pylist() == [
            one for one in entries[customer] if one["ordered_on"] <= day
        ]
        assert earlier.to_dict()["profile"]["days_since_last_order"] == 0


def card_of(customers=None, **options) -> oc.OrderHistory:
    orders = pa.table(
        {
            "customer_id": ["<ann>", "<ann>", "Bob"],
            "ordered_at": [date(2026, 1, 5), date(2026, 1, 19), date(2026, 2, 1)],
            "amount": [10.0, -4.0, 7.5],
        }
    )
    return oc.OrderHistory.build(orders, customers, **options)


def test_a_card_is_read_in_terminals_and_notebooks():
    card = card_of().customer("<ann>")
    lines = repr(card).splitlines()
    assert lines[0] == "Customer '<ann>' as of 2026-02-01"
    assert "  revenue                  6.00" in lines
    assert lines[-3:] == [
        "  ordered_on  amount  is_order",
        "  2026-01-05  10.00   True",
        "  2026-01-19  -4.00   False",
    ]
    assert "gap_median" not in repr(card)  # which is null
    shown = card._repr_html_()
    assert "&lt;ann&gt;" in shown
    assert shown.count("<tr>") == len(lines) - 2
    many = oc.OrderHistory.build(shop(as_text, 200, 1)).customer("customer 0")
    assert "Orders and refunds: 200, of which the latest 10" in repr(many)


def test_only_counts_and_money_have_thousands_separators():
    orders = pa.table(
        {
            "customer_id": ["ann", "ann"],
            "ordered_at": [date(2026, 1, 5), date(2026, 1, 19)],
            "amount": [20_000, -5_000],
            "order_id": [31_198_570_044, 31_198_570_045],
            "refunds": [None, 31_198_570_044],
            "year": [2026, 2027],
            "points": [1_000, 2],
        }
    )
    columns = oc.Columns(order="order_id", refund_of="refunds", instants=True,
                         attributes=["year"], values=["points"])  # fmt: skip
    history = oc.OrderHistory.build(orders, columns=columns, day_instants=True)
    card = history.customer("ann")
    heading, first, second = (line.split() for line in repr(card).splitlines()[-3:])
    assert heading[-4:] == ["order_id", "year", "refunds", "points"]
    assert (first[1], first[-4:]) == ("20,000", ["31198570044", "2026", "None", "1,000"])
    assert (second[1], second[-4:]) == ("-5,000", ["31198570045", "2027", "31198570044", "2"])
    assert "  revenue                  15,000" in repr(card).splitlines()
    text = orders.set_column(3, "order_id", orders["order_id"].cast(pa.string()))
    text = text.set_column(4, "refunds", orders["refunds"].cast(pa.string()))
    card = oc.OrderHistory.build(text, columns=columns, day_instants=True).customer("ann")
    assert "refunds" in card.orders.column_names  # by its hash, for joins
    assert " refunds " not in repr(card).splitlines()[-3]
    assert ">refunds<" not in card._repr_html_()
    rules = oc.Rules({"Recent": "last(o.year) > 2000"})
    found = rules.explain(history, "ann", "2026-01-31", streams={"o": history})
    assert "  last(o.year)  2026" in repr(found).splitlines()


def test_customers_who_are_listed_and_no_more():
    customers = pa.table(
        {
            "customer_id": ["<ann>", "new", "undated"],
            "registered_at": pa.array([None, date(2026, 3, 1), None], pa.date32()),
        }
    )
    history = card_of(customers, unknown="drop")
    assert history.customer("new").profile is None
    assert history.customer("new", "2026-03-02").profile["orders"] == 0
    assert repr(history.customer("new")).endswith("not there yet\nOrders and refunds: 0")
    assert history.customer("undated").profile is None
    with pytest.raises(oc.ConfigError, match="customer='Bob' is no customer of this history"):
        history.customer("Bob")
    nobody = oc.OrderHistory.build(shop(as_text, 1).slice(0, 0), customers)
    assert nobody.customer("new").as_of is None


@pytest.mark.parametrize(
    ("customer", "error", "says"),
    [
        (
            "bob",
            oc.ConfigError,
            "is no customer of this history; did you mean 'Bob'",
        ),
        (" Bob\n", oc.ConfigError, "did you mean 'Bob'"),
        ("eve", oc.ConfigError, "is no customer of this history; look whether"),
        (None, oc.ConfigError, "customer=None is no customer"),
        (7, oc.ConfigError, "customer= holds numbers, and ids of the history are text"),
        (["Bob"], oc.ColumnError, "a row holds several values"),
        (object(), oc.ConfigError, "customer= holds what is no id"),
    ],
)
def test_nobody_with_that_id(customer, error, says):
    with pytest.raises(error, match=says):
        card_of().customer(customer)


# --- Orders with attributes, and views -----------------------------------------------------------


def test_views_and_attributes(tmp_path):
    random = np.random.default_rng(1)
    rows = 2_000
    table = shop(pa.array, rows, 200)
    brands = pa.array([None, "A", "B", "C"]).take(pa.array(random.integers(0, 4, rows)))
    table = table.append_column("brand", brands)
    table = table.append_column("order_id", pa.array([f"o{row}" for row in range(rows)]))
    columns = oc.Columns(order="order_id", attributes=("brand",), values=(), instants=True)
    built_of = {"columns": columns, "day_instants": True}
    history = oc.OrderHistory.build(table, **built_of)
    saved = oc.OrderHistory.build(table.slice(0, 1_500), **built_of).save(tmp_path)
    saved = saved.append(table.slice(1_500))
    conditions = [None, "brand == 'A'", "brand in ('A', 'B') and amount > 20"]
    for one, condition in [(one, text) for one in (history, saved) for text in conditions]:
        view = one if condition is None else one.where(condition)
        entries = {
            customer: orders
            for batch in view.to_batches()
            for customer, orders in zip(
                *(batch.column(at).to_pylist() for at in (0, 2)), strict=True
            )
        }
        for people in (3, 30):
            looked_up(view, "2025-03-01", random.integers(0, 220, people).tolist(), 300)
        for customer in (1, 50, 199):
            card = view.customer(customer)
            assert card.orders.to_pylist() == entries.get(customer, [])
            assert "brand" in card.orders.column_names


def test_threads_share_a_file_where_seeking_and_reading_are_two_calls(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(np.arange(10_000, dtype=np.int64).tobytes())
    handle = os.open(path, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(8) as threads:
            places = np.random.default_rng(1).integers(0, 10_000, 5_000).tolist()
            found = threads.map(lambda place: _read_bytes(handle, 8, 8 * place), places)
            assert [int.from_bytes(data, "little") for data in found] == places
    finally:
        os.close(handle)
