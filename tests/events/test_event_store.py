"""Histories of events that spill, are saved, opened and appended to, against those in memory."""

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle.conditions import written
from oracle.errors import DataError
from support.against_oracle import THREADS, examples
from support.cutting import spill_everything
from support.event_histories import build, customers_of, stream_of
from support.events import conditions, event_cases, fields_to_name
from support.strategies import layouts

import ordercycle as oc

CASES = event_cases()


def is_refused(case) -> bool:
    """Return whether the oracle refuses the rows of a case."""
    try:
        stream_of(case)
    except DataError:
        return True
    return False


def results(history: oc.EventHistory) -> tuple:
    """Return all that users see of a history, but for what it takes."""
    batches = list(history.to_batches())
    events = [batch.column("events").values for batch in batches]
    dictionaries = [
        one.field(number).dictionary.to_pylist()
        for one in events[:1]
        for number, field in enumerate(one.type)
        if pa.types.is_dictionary(field.type)
    ]
    summary = replace(history.summary(), bytes=0)
    return batches[0].schema, list(customers_of(history).items()), dictionaries, summary


def built(case, layout, **options) -> oc.EventHistory:
    return build(case, layout.table(case.columns()), layout, **options)


@examples(60)
@given(case=CASES, layout=layouts(), waiting=st.sampled_from([0, 300]), threads=THREADS)
def test_a_limit_does_not_change_a_bit(case, layout, waiting, threads):
    assume(not is_refused(case))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        spill_everything(patch, waiting)
        limited = built(case, layout, threads=threads, memory_limit="1GB", spill_directory=folder)
        assert not list(Path(folder).iterdir())
        assert results(limited) == results(built(case, layout))


@examples(80)
@given(case=CASES, layout=layouts(), verify=st.booleans(), data=st.data())
def test_a_saved_history_is_as_it_was(case, layout, verify, data):
    assume(not is_refused(case))
    stream = stream_of(case)
    history = built(case, layout)
    with tempfile.TemporaryDirectory() as folder:
        saved = history.save(folder)
        opened = oc.EventHistory.open(folder, verify=verify)
        assert results(saved) == results(opened) == results(history)
        if any(not field.is_key for field in fields_to_name(stream)):
            text = written(data.draw(conditions(stream)))
            view, other = (one.where(text, missing="empty") for one in (history, opened))
            assert customers_of(view) == customers_of(other)


@examples(50)
@given(
    case=CASES,
    layout=layouts(),
    kept=st.sampled_from(["in memory", "saved", "spilled"]),
    data=st.data(),
)
def test_one_customer_has_the_events_of_one(case, layout, kept, data):
    assume(not is_refused(case))
    stream = stream_of(case)
    half = len(case.rows) // 2
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3)
        limit = {}
        if kept == "spilled":
            spill_everything(patch, 0)
            limit = {"memory_limit": "1GB"}
        history = built(replace(case, rows=case.rows[:half]), layout, **limit)
        history = history.save(folder) if kept == "saved" else history
        history = history.append(layout.table(replace(case, rows=case.rows[half:]).columns()))
        views = [history]
        if any(not field.is_key for field in fields_to_name(stream)):
            text = written(data.draw(conditions(stream)))
            views.append(history.where(text, missing="empty"))
        for view in views:
            of_customers = customers_of(view)
            for customer in stream.customers:
                found = view.customer(customer)
                rows = [tuple(row.values()) for row in found.to_pylist()]
                assert rows == of_customers.get(customer, [])


@examples(150)
@given(
    case=CASES,
    layout=layouts(),
    pieces=st.integers(2, 4),
    growth=st.sampled_from([0, 4, 10**9]),
    kept=st.sampled_from(["in memory", "saved", "spilled"]),
    seed=st.integers(0, 2**16),
)
def test_appending_is_building_from_everything(case, layout, pieces, growth, kept, seed):
    assume(not is_refused(case))
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    dealt = [[] for _ in range(pieces)]
    for row in case.rows:
        dealt[random.randrange(pieces)].append(row)
    parts = [replace(case, rows=rows) for rows in dealt]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("ordercycle._history.appending.GROWTH", growth)
        patch.setattr("ordercycle._history.appending.MOST_SHARE", 100.0)
        patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 3)
        whole = results(built(case, layout))
        limit = {}
        if kept == "spilled":
            spill_everything(patch, 0)
            limit = {"memory_limit": "1GB"}
        history = built(parts[0], layout, **limit)
        if kept == "saved":
            history = history.save(folder)
        for part in parts[1:]:
            before = results(history)
            more = history.append(layout.table(part.columns()))
            assert results(history) == before  # what was there is as it was
            history = oc.EventHistory.open(folder) if kept == "saved" else more
        assert results(history) == whole


def visits(*rows, **types) -> pa.Table:
    """Return events of (customer, day of January 2026, page, points, id)."""
    names = ("customer_id", "occurred_at", "page", "points", "visit")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns["occurred_at"] = [
        dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in columns["occurred_at"]
    ]
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


COLUMNS = oc.EventColumns(attributes=["page"], values=["points"], id="visit")
FIRST = visits(("ann", 5, "tea", 1, 1), ("bob", 6, "milk", 2, 2))
MORE = visits(("ann", 5, "coffee", 1, 1), ("cid", 2, "apple", 4, 3))


def first(**options) -> oc.EventHistory:
    return oc.EventHistory.build(FIRST, columns=COLUMNS, **options)


def test_an_event_that_arrives_again_is_taken_once_in_the_order_of_events(tmp_path):
    for history in (first(), first().save(tmp_path)):
        both = history.append(MORE)
        assert both.summary().repeated == 1
        assert both.where("page == 'coffee'").summary().events == 1  # which is before tea
        assert both.where("page == 'tea'").summary().events == 0


def test_values_of_an_append_keep_the_order_of_values():
    (batch, *_) = first().append(MORE).to_batches()
    pages = batch.column("events").values.field("page")
    assert pages.dictionary.to_pylist() == ["apple", "coffee", "milk", "tea"]


def test_many_new_values_need_wider_codes(tmp_path):
    rows = [("ann", 1 + number % 28, f"page {number}", number, number) for number in range(700)]
    history = oc.EventHistory.build(visits(*rows[:100]), columns=COLUMNS).save(tmp_path)
    history.append(visits(*rows[100:400])).append(visits(*rows[400:]))
    whole = oc.EventHistory.build(visits(*rows), columns=COLUMNS)
    assert results(oc.EventHistory.open(tmp_path)) == results(whole)


def test_decimals_of_more_digits_may_arrive(tmp_path):
    narrow, wide = pa.decimal128(10, 0), pa.decimal128(30, 0)
    tables = [
        visits(("ann", 5, "tea", 7, 1), points=narrow),
        visits(("ann", 6, "tea", 10**25, 2), ("ann", 6, "tea", -(10**25), 3), points=wide),
    ]
    oc.EventHistory.build(tables[0], columns=COLUMNS).save(tmp_path).append(tables[1])
    (events,) = customers_of(oc.EventHistory.open(tmp_path)).values()
    assert [int(event[-1]) for event in events] == [7, -(10**25), 10**25]


def test_text_is_read_in_the_types_of_the_history(tmp_path):
    history = first()
    header = "customer_id,occurred_at,page,points,visit\n"
    (tmp_path / "more.csv").write_text(f"{header}7,2026-01-09 10:00:00,12,3,9\n")
    more = history.append(tmp_path / "more.csv")
    assert customers_of(more)["7"] == [(dt.datetime(2026, 1, 9, 10, tzinfo=dt.UTC), 9, "12", 3)]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("customer_id", pa.array([1, 2])),
        ("occurred_at", pa.array([1, 2], pa.date32())),
        ("page", pa.array([1, 2])),
        ("points", pa.array([1.0, 2.0])),
        ("visit", pa.array(["a", "b"])),
    ],
)
def test_other_types_are_reported(column, values):
    place = MORE.column_names.index(column)
    with pytest.raises(oc.ColumnError, match=rf"{column} .*in the history"):
        first().append(MORE.set_column(place, column, values))


def test_a_batch_is_taken_once(tmp_path):
    for history in (first(), first().save(tmp_path)):
        more = history.append(MORE, batch="monday")
        with pytest.raises(oc.DataError, match="'monday' is already in the history"):
            more.append(MORE, batch="monday")
        assert more.append(MORE, batch="monday", repeated="skip") is more
    opened = oc.EventHistory.open(tmp_path)
    assert opened.append(MORE, batch="monday", repeated="skip") is opened


def test_a_source_says_how_more_events_are_read(tmp_path):
    header = "customer_id;occurred_at;page;points;visit\n"
    (tmp_path / "first.csv").write_text(header + "ann;2026-01-05;tea;1;1\n")
    (tmp_path / "more.csv").write_text(header + "bob;2026-01-06;tea;2;2\ncid;2026-01-06;ad;3;3\n")
    given = {"read": {"delimiter": ";"}, "only": "page != 'ad'"}
    source = oc.source_from_dict(given)
    history = oc.EventHistory.build(tmp_path / "first.csv", source=source, columns=COLUMNS)
    both = history.append(tmp_path / "more.csv", source=source)
    assert (both.summary().events, both.summary().left_out) == (2, 1)
    for wrong, match in (
        ({"only": "page != 'tea'"}, "only.* is not what the history was built with"),
        ({"timezone": "Asia/Tokyo"}, "timezone.* is not what the history was built with"),
        ({"refunds": "drop"}, "no option 'refunds'"),
        ({"columns": {"customer": "id"}}, "names no columns of events"),
    ):
        with pytest.raises(oc.ConfigError, match=match):
            history.append(tmp_path / "more.csv", source=oc.source_from_dict(given | wrong))


def test_summaries_and_reprs_read_nothing(tmp_path, monkeypatch):
    kinds = {"page": pa.table({"page": ["tea"], "kind": ["hot"]})}
    more = visits(("eve", 7, "milk", None, 8), points=pa.int64())
    history = first(lookups=kinds).save(tmp_path).append(more)
    summary, shown = history.summary(), repr(history)
    monkeypatch.setattr("ordercycle._history.grouped.Part.read", None)
    opened = oc.EventHistory.open(tmp_path)
    assert (opened.summary(), repr(opened)) == (summary, shown)
    assert (summary.nulls, summary.unmatched) == ({"points": 1}, {"page": 1})
    assert summary.last_day == dt.date(2026, 1, 7)


def test_views_are_neither_saved_nor_appended_to(tmp_path):
    view = first().where("page == 'tea'")
    with pytest.raises(oc.ConfigError, match=r"a view \(where page == 'tea'\) cannot be saved"):
        view.save(tmp_path)
    with pytest.raises(oc.ConfigError, match="cannot be appended to"):
        view.append(MORE)
    assert not list(tmp_path.iterdir())


def test_lookups_are_saved_and_replaced(tmp_path):
    kinds = {"page": pa.table({"page": ["tea", "juice"], "kind": ["hot", "cold"]})}
    others = {"page": pa.table({"page": ["tea", "apple"], "kind": ["drink", "fruit"]})}
    first(lookups=kinds).save(tmp_path)
    opened = oc.EventHistory.open(tmp_path)
    assert opened.where("page.kind == 'hot'").summary().events == 1
    assert opened.summary().unmatched == {"page": 1}
    opened.with_lookups(others).append(visits(("dan", 1, "apple", 1, 1)))
    again = oc.EventHistory.open(tmp_path)
    assert again.where("page.kind == 'fruit'").summary().customers == 1
    assert again.where("page.kind == 'drink'").summary().customers == 1


def test_the_folder_of_the_other_kind_names_its_class(tmp_path):
    events, orders = tmp_path / "events", tmp_path / "orders"
    first().save(events)
    table = pa.table({"customer_id": [1], "ordered_at": [dt.date(2026, 1, 1)], "amount": [1.0]})
    history = oc.OrderHistory.build(table).save(orders)
    for kind, folder, other in (
        (oc.OrderHistory, events, "EventHistory"),
        (oc.EventHistory, orders, "OrderHistory"),
    ):
        with pytest.raises(oc.StorageError, match=rf"holds an {other}.*{other}\.open"):
            kind.open(folder)
    with pytest.raises(oc.StorageError, match="holds an EventHistory"):
        history.save(events)
    with pytest.raises(oc.StorageError, match="holds an OrderHistory"):
        first().save(orders)
    assert oc.OrderHistory.open(orders).summary().orders == 1
    assert results(oc.EventHistory.open(events)) == results(first())


def extended(folder: Path) -> None:
    kinds = {"page": pa.table({"page": ["tea", "juice"], "kind": ["hot", "cold"]})}
    first(lookups=kinds).save(folder).append(visits(("eve", 7, "tea", 5, 8)), batch="second")


def test_flipped_bits_that_nobody_looks_for_end_in_errors_of_ours(tmp_path):
    """Without checksums, what is read is right, or refused, or of the same form."""
    extended(tmp_path)
    random = Random(5)  # noqa: S311 - reproducible, not secret
    refused = 0
    for file in sorted(tmp_path.glob("*.arrow")):
        content = file.read_bytes()
        for place in random.sample(range(len(content)), 150):
            damaged = bytearray(content)
            damaged[place] ^= 1 << random.randrange(8)
            file.write_bytes(damaged)
            try:
                opened = oc.EventHistory.open(tmp_path, verify=False, threads=1)
                opened.summary()
                for batch in opened.to_batches():
                    batch.validate(full=True)
            except oc.StorageError:
                refused += 1
        file.write_bytes(content)
    assert refused
