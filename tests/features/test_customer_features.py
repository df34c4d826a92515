"""Features as columns of a table of customers, of histories of events and orders."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import order_events
from oracle.errors import ConfigError, DataError
from oracle.features import computed
from support import against_oracle
from support.against_oracle import NAMES, THREADS, examples
from support.colliding import ids_with_one_hash
from support.cutting import cut_small
from support.event_histories import build, stream_of
from support.events import (
    conditions,
    event_cases,
    feature_text,
    fields_to_name,
    order_event_cases,
)
from support.featured import asked, profiles
from support.order_details import detailed
from support.strategies import cases, customer_columns, layouts, order_columns

import ordercycle as oc
from ordercycle._features.streams import streams_of

DAY = "2026-01-10"


def compare(history, stream, profile, wanted, as_of, threads):
    customers, table = profile
    texts = {f"f{place}": feature_text(one, "s") for place, one in enumerate(wanted)}

    def made():
        return oc.features(
            table, texts, as_of=as_of, streams={"s": history}, missing="empty", threads=threads
        )

    try:
        expected = [computed(one, stream, customers, as_of) for one in wanted]
    except DataError:
        with pytest.raises(oc.DataError, match="beyond") as caught:
            made()
        assert 0 <= caught.value.row < len(customers)
        return
    found = made()
    found.validate(full=True)
    assert found.select(table.column_names).equals(table)
    assert found.column_names == [*table.column_names, *texts]
    for (name, text), values in zip(texts.items(), expected, strict=True):
        assert found.column(name).to_pylist() == values, text


@examples(100)
@given(case=event_cases(), data=st.data(), threads=THREADS)
def test_features_of_any_events(case, data, threads):
    try:
        stream = stream_of(case)
    except DataError:
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    layout = data.draw(layouts())
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            cut_small(patch)
        history = build(case, layout.table(case.columns()), layout)
    if data.draw(st.booleans()) and any(not one.is_key for one in fields_to_name(stream)):
        condition = data.draw(conditions(stream))
        wanted, as_of = data.draw(asked(stream, case.base))
        history = history.where(str(condition), missing="empty")
        stream = stream.where(condition)
    else:
        wanted, as_of = data.draw(asked(stream, case.base))
    profile = data.draw(profiles(case.types["customer_id"], list(stream.customers)))
    compare(history, stream, profile, wanted, as_of, threads)


@examples(100)
@given(case=cases(), data=st.data(), threads=THREADS)
def test_features_of_any_orders(case, data, threads):
    if against_oracle.oracle_of(case) is None:
        return
    lines = [order_events.Line(*row) for row in case.order_rows()]
    stream = order_events.build(lines, case.customer_rows(), policies=case.policies)
    layout = data.draw(layouts())
    orders = layout.table(order_columns(case, NAMES))
    customers = layout.table(customer_columns(case, NAMES)) if case.customers is not None else None
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            cut_small(patch)
        history = against_oracle.build(case, orders, customers, NAMES, threads)
    wanted, as_of = data.draw(asked(stream, case.as_of))
    profile = data.draw(profiles(case.types.customer, list(stream.customers)))
    compare(history, stream, profile, wanted, as_of, threads)


@examples(60)
@given(case=order_event_cases(max_rows=15), data=st.data(), threads=THREADS)
def test_features_of_orders_with_attributes(case, data, threads):
    try:
        stream = case.stream()
    except (ConfigError, DataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    history = detailed(case, data.draw(layouts()), threads=threads)
    if data.draw(st.booleans()):
        condition = data.draw(conditions(stream))
        history, stream = history.where(str(condition), missing="empty"), stream.where(condition)
    wanted, as_of = data.draw(asked(stream, case.case.as_of))
    profile = data.draw(profiles(case.case.types.customer, list(stream.customers)))
    compare(history, stream, profile, wanted, as_of, threads)


def lines(customers, amounts=None):
    """Return a history of one line per customer."""
    table = {
        "customer_id": customers,
        "occurred_at": [date(2026, 1, 1)] * len(customers),
        "category": ["coffee"] * len(customers),
        "amount": list(range(len(customers))) if amounts is None else amounts,
    }
    columns = oc.EventColumns(attributes=["category"], values=["amount"])
    return oc.EventHistory.build(pa.table(table), columns=columns)


def totals(profile, **streams):
    wanted = {name: f"sum({name}.amount)" for name in streams}
    return oc.features(profile, wanted, as_of=DAY, streams=streams)


@pytest.mark.parametrize("order", ["as it is", "shuffled"])
def test_many_customers_of_several_batches(order):
    size = 300_000
    ids = np.arange(size)
    history = lines(pa.array(ids, pa.int32()), pa.array(ids))
    there = np.arange(size // 2, size + size // 4)
    if order == "shuffled":
        np.random.default_rng(5).shuffle(there)
    found = totals(pa.table({"customer_id": there}), s=history).column("s").to_numpy()
    assert np.array_equal(found, np.where(there < size, there, 0))


def kept_in_every_way(folder, events, orders, patch):
    """Yield histories of many parts, of events and of orders."""
    patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 2_000)
    patch.setattr("ordercycle._history.build.BATCH_ROWS", 4_000)
    columns = oc.EventColumns(attributes=["category"], values=["amount"])
    half = events.num_rows // 2
    yield oc.EventHistory.build(events, columns=columns)
    first = oc.EventHistory.build(events.slice(0, half), columns=columns)
    yield first.append(events.slice(half))
    first.save(folder / "events")
    oc.EventHistory.open(folder / "events").append(events.slice(half))
    yield oc.EventHistory.open(folder / "events")
    yield oc.OrderHistory.build(orders)
    yield oc.OrderHistory.build(orders.slice(0, half)).append(orders.slice(half))
    patch.setattr("ordercycle._ingest.spill.Spill.is_over", lambda _self, _held: True)
    spilled = oc.EventHistory.build(events, columns=columns, memory_limit="100MB")
    yield spilled.where("amount > 2")


def test_ids_of_text_are_looked_up_in_any_width(monkeypatch):
    monkeypatch.setattr("ordercycle._features.streams.EVENTS_PER_LOOK_UP", 1)
    ids = [f"customer {number}" for number in range(5_000)]
    history = lines(pa.array(ids), list(range(5_000)))
    there = ["nobody", *ids[17:4_000:997]]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        found = totals(pa.table({"customer_id": pa.array(there, kind)}), s=history)
        assert found.column("s").to_pylist() == [0, *range(17, 4_000, 997)]


def test_customers_of_a_range_of_hashes_are_found_wherever_they_are_kept(tmp_path, monkeypatch):
    """Pieces of a profile take the parts of a stream that have their customers."""
    size, random = 60_000, np.random.default_rng(7)
    events = pa.table(
        {
            "customer_id": random.integers(0, 50_000, size),
            "occurred_at": pa.array([date(2026, 1, 1)] * size),
            "category": pa.array(random.choice(["tea", "coffee"], size)),
            "amount": random.integers(-5, 9, size),
        }
    )
    orders = events.select([0, 1, 3]).rename_columns(["customer_id", "ordered_at", "amount"])
    everybody = oc.OrderHistory.build(
        pa.table({"customer_id": np.arange(55_000), "ordered_at": [date(2026, 1, 1)] * 55_000}),
        columns=oc.Columns(amount=None),
    ).profile(DAY)  # in the order of the hashes
    everybody = everybody.select(["customer_id"]).combine_chunks()
    for history in kept_in_every_way(tmp_path, events, orders, monkeypatch):
        assert len(streams_of({"s": history})["s"].grouped.parts) > 9
        whole = totals(everybody, s=history)
        pieces = [
            totals(everybody.slice(start, 6_000), s=history)
            for start in range(0, everybody.num_rows, 6_000)
        ]
        assert pa.concat_tables(pieces).equals(whole)
        few = pa.array(random.choice(everybody.num_rows, 40, replace=False))
        with monkeypatch.context() as patch:  # of few customers, no part is scanned
            patch.setattr("ordercycle._features.streams.within", None)
            patch.setattr("ordercycle._features.streams.EVENTS_PER_LOOK_UP", 1)
            assert totals(everybody.take(few), s=history).equals(whole.take(few))
        assert totals(everybody.slice(7, 0), s=history).num_rows == 0


def test_a_profile_is_taken_as_it_comes():
    orders = pa.table({"customer_id": np.arange(50_000) % 9_000, "ordered_at": [date(2026, 1, 1)]
                       * 50_000, "amount": np.ones(50_000)})  # fmt: skip
    history = oc.OrderHistory.build(orders)
    profile = history.profile(DAY)
    found = oc.features(profile, {"n": "count(o)", "r": "sum(o.amount)"}, as_of=DAY,
                        streams={"o": history})  # fmt: skip
    assert found.column("n").equals(profile.column("orders"))
    assert found.column("r").equals(profile.column("revenue"))
    assert found.schema.field("n").nullable is False


def test_ids_of_one_hash_are_told_apart():
    ids = ids_with_one_hash(6)
    history = lines(pa.array(ids[:4], pa.binary()), [1, 2, 3, 4])
    there = [ids[5], ids[2], ids[0], ids[4], ids[3]]
    found = totals(pa.table({"customer_id": pa.array(there, pa.binary(16))}), s=history)
    assert found.column("s").to_pylist() == [0, 3, 1, 0, 4]


def test_streams_with_ids_of_several_widths():
    streams = {
        "narrow": lines(pa.array([1, 2], pa.int16()), [5, 6]),
        "wide": lines(pa.array([2, 2**40], pa.int64()), [7, 8]),
    }
    profile = pa.table({"customer_id": pa.array([2**40, 2, 1], pa.uint64()).cast(pa.float64())})
    found = totals(profile, **streams)
    assert found.column("narrow").to_pylist() == [0, 6, 5]
    assert found.column("wide").to_pylist() == [8, 7, 0]


def test_only_customers_of_the_table_can_be_too_much():
    history = lines(["ann", "bob", "bob"], [1, 2**62, 2**62])
    assert totals(pa.table({"customer_id": ["cid", "ann"]}), s=history)["s"].to_pylist() == [0, 1]
    with pytest.raises(oc.DataError, match=r"beyond 64 bits for the customer in row 2") as caught:
        totals(pa.table({"customer_id": ["cid", "ann", "bob"]}), s=history)
    assert caught.value.row == 2


def test_a_table_without_customers_gets_its_columns():
    history = lines(["ann"])
    found = oc.features(
        pa.table({"customer_id": pa.array([], pa.string())}),
        {"first": "first(s.category)", "n": "count(s)"},
        as_of=DAY,
        streams={"s": history},
    )
    assert found.num_rows == 0
    assert found.schema.types == [
        pa.string(),
        pa.dictionary(pa.int32(), found.schema.field("first").type.value_type),
        pa.int64(),
    ]


PROFILE = {"customer_id": ["ann", "bob"], "revenue": [1.5, 2.5]}
REFUSED = {
    "a column that is there": ({"features": {"revenue": "count(s)"}}, oc.ColumnError,
                               "has a column 'revenue' already"),
    "no table of customers": ({"profile": {"customer": ["ann"]}}, oc.ColumnError,
                              "no single column 'customer_id'.*did you mean 'customer'"),
    "a customer twice": ({"profile": {"customer_id": ["b", "a", "b"]}}, oc.DataError,
                         "customer_id is there already at row 2"),
    "a customer that is null": ({"profile": {"customer_id": ["b", None]}}, oc.DataError,
                                "the profile: customer_id is null at row 1"),
    "ids that are others": ({"profile": {"customer_id": [1, 2]}}, oc.ColumnError,
                            "int64 in the profile and string in stream 's'"),
    "an unknown stream": ({"features": {"n": "count(lins)"}, "streams": {"lines": lines}},
                          oc.ConfigError, "feature 'n': there is no stream 'lins'.*'lines'"),
    "a stream that is no history": ({"streams": {"s": pa.table(PROFILE)}}, oc.ConfigError,
                                    "streams=: 's' is a Table, no history"),
    "streams without names": ({"streams": [lines]}, oc.ConfigError, "names no streams"),
    "a stream whose name is no text": ({"streams": {1: lines}}, oc.ConfigError, "1 is no name"),
    "features without names": ({"features": ["count(s)"]}, oc.ConfigError, "names no features"),
    "a feature whose name is no text": ({"features": {3: "count(s)"}}, oc.ConfigError,
                                        "3 is no name of a feature"),
    "a feature that is no text": ({"features": {"n": 3}}, oc.ConfigError,
                                  "feature 'n': 3 is no text"),
    "a text that is no feature": ({"features": {"n": "revenue > 3"}}, oc.ConfigError,
                                  "feature 'n': 'revenue > 3' is no feature"),
    "an unknown function": ({"features": {"n": "cont(s)"}}, oc.ConfigError, "count"),
    "a column the stream has not": ({"features": {"n": "sum(s.amont)"}}, oc.ColumnError,
                                    "feature 'n': 's' has no column .*did you mean 'amount'"),
    "a text that no value equals": ({"features": {"n": "count(s, category == 'cofee')"}},
                                    oc.ConfigError, "feature 'n': no value of .*'coffee'"),
    "no day": ({"as_of": "November"}, oc.ConfigError, "as_of='November' is not a day"),
    "another way with what is missing": ({"missing": "null"}, oc.ConfigError, "missing='null'"),
    "no number of threads": ({"threads": 0}, oc.ConfigError, "threads=0"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what):
    given_options, error, message = REFUSED[what]
    history = lines(["ann", "cid"])
    options = {"profile": PROFILE, "features": {"n": "count(s)"}, "as_of": DAY,
               "streams": {"s": history}, **given_options}  # fmt: skip
    if isinstance(options["streams"], dict):
        options["streams"] = {
            name: history if one is lines else one for name, one in options["streams"].items()
        }
    profile = pa.table(options.pop("profile"))
    with pytest.raises(error, match=message):
        oc.features(profile, options.pop("features"), **options)


def test_a_text_that_no_value_equals_may_be_taken_as_it_is():
    found = oc.features(pa.table(PROFILE), {"n": "count(s, category == 'cofee')"}, as_of=DAY,
                        streams={"s": lines(["ann"])}, missing="empty")  # fmt: skip
    assert found.column("n").to_pylist() == [0, 0]


def test_amounts_of_orders_without_any_are_refused():
    orders = pa.table({"customer_id": ["ann"], "ordered_at": [date(2026, 1, 1)]})
    history = oc.OrderHistory.build(orders, columns=oc.Columns(amount=None))
    profile = pa.table(PROFILE)
    with pytest.raises(oc.ColumnError, match=r"'o' has no column 'o\.amount'"):
        oc.features(profile, {"n": "sum(o.amount)"}, as_of=DAY, streams={"o": history})
    found = oc.features(profile, {"n": "days_since(o)"}, as_of=DAY, streams={"o": history})
    assert found.column("n").to_pylist() == [9, None]


def test_a_profile_of_another_day_is_refused():
    """What it says of its day is compared with the day of the features, row by row."""
    orders = pa.table(
        {
            "customer_id": ["ann", "bob"],
            "ordered_at": [date(2025, 12, 1), date(2025, 12, 3)],
            "amount": [1, 2],
        }
    )
    history = oc.OrderHistory.build(orders)
    profile = history.profile(DAY)
    rules = oc.Rules({"Here": "n > 0"}, features={"n": "count(s)"})

    def with_features(table, as_of):
        return oc.features(table, {"n": "count(s)"}, as_of=as_of, streams={"s": history})

    def with_segments(table, as_of):
        return rules.assign(table, as_of=as_of, streams={"s": history})

    for made in (with_features, with_segments):
        assert made(profile, DAY)["n"].to_pylist() == [1, 1]
        with pytest.raises(oc.ConfigError, match=r"is as of 2026-01-10, .* as_of='2026-01-02'"):
            made(profile, "2026-01-02")
        mixed = pa.concat_tables([profile.slice(0, 1), history.profile("2026-01-09").slice(1)])
        with pytest.raises(oc.ConfigError, match=r"is as of 2026-01-09, .* at row 1"):
            made(mixed, DAY)
        far = pa.array([date.max] * 2, pa.date32())
        place = profile.column_names.index("registered_on")
        with pytest.raises(oc.ConfigError, match="is as of 10000-"):
            made(profile.set_column(place, "registered_on", far), DAY)
        for name in ("registered_on", "days_since_registration"):
            part = profile.drop_columns([name])
            assert made(part, "2026-01-02")["n"].to_pylist() == [1, 1]
            place = profile.column_names.index(name)
            nobody_knows = pa.nulls(2, profile[name].type)
            unknown = profile.set_column(place, pa.field(name, nobody_knows.type), nobody_knows)
            assert made(unknown, "2026-01-02")["n"].to_pylist() == [1, 1]
