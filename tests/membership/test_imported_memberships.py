"""Memberships from tables: read, checked, and found for the customers of a history."""

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.colliding import ids_with_one_hash
from support.strategies import CUSTOMER_KINDS

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._membership.membership import intervals_of
from ordercycle_kernels.timeline import OPEN

FIRST = date(2025, 1, 1)
EPOCH = date(1970, 1, 1)
LISTS = "memberships"


def table_of(rows: list[tuple], id_type: pa.DataType | None = None) -> pa.Table:
    """Return intervals (customer, segment, first day, day after the last) as a table."""
    ids, segments, starts, stops = zip(*rows, strict=True) if rows else ([], [], [], [])
    return pa.table(
        {
            "customer_id": as_ids(ids, id_type),
            "segment": pa.array(segments, pa.string()),
            "valid_from": pa.array(starts, pa.date32()),
            "valid_to": pa.array(stops, pa.date32()),
        }
    )


def as_ids(values, id_type: pa.DataType | None) -> pa.Array:
    if id_type == pa.uuid():
        storage = pa.array([value.bytes for value in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(id_type, storage)
    return pa.array(values, id_type)


def day(number: int) -> date:
    return FIRST + timedelta(number)


def history_of(customers: list, id_type: pa.DataType | None = None, **options) -> oc.OrderHistory:
    """Return a history of customers who order on FIRST, ten days apart."""
    orders = pa.table(
        {
            "customer_id": as_ids(customers, id_type),
            "ordered_at": pa.array([day(10 * i) for i in range(len(customers))], pa.date32()),
            "amount": pa.array([1.0] * len(customers)),
        }
    )
    return oc.OrderHistory.build(orders, **options)


def timelines(membership: oc.Membership, history: oc.OrderHistory) -> dict:
    """Return (segment, first day, day after the last) of the customers of a history."""

    def read(number, customers, workspace):
        line = intervals_of(membership).timeline(number, customers, workspace)
        names = [membership.segments[code] for code in line.codes]
        stops = [None if stop == OPEN else EPOCH + timedelta(int(stop)) for stop in line.stops]
        starts = [EPOCH + timedelta(int(start)) for start in line.starts]
        rows = list(zip(names, starts, stops, strict=True))
        ids = customers.ids.to_pylist()
        assert line.offsets.size == len(ids) + 1
        return {
            name: rows[line.offsets[place] : line.offsets[place + 1]]
            for place, name in enumerate(ids)
        }

    return {
        name: rows
        for part in grouped_orders(history).scan(read)
        for name, rows in part.items()
        if rows
    }


drawn_rows = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["VIP", "Newsletter", "At Risk"]),
        st.integers(-40, 90),
        st.none() | st.integers(1, 30),
    ),
    max_size=25,
)


def without_overlaps(rows: list[tuple]) -> list[tuple]:
    """Keep rows that overlap none kept before, of the same customer and segment."""
    kept: list[tuple] = []
    for name, segment, start, length in rows:
        stop = None if length is None else start + length
        if all(
            (name, segment) != (other[0], other[1])
            or (stop is not None and stop <= other[2])
            or (other[3] is not None and other[3] <= start)
            for other in kept
        ):
            kept.append((name, segment, start, stop))
    return kept


def in_days(drawn: list[tuple]) -> list[tuple]:
    """Return rows that do not overlap, with dates."""
    return [
        (name, segment, day(start), None if stop is None else day(stop))
        for name, segment, start, stop in without_overlaps(drawn)
    ]


@settings(max_examples=100)
@given(st.sampled_from(list(CUSTOMER_KINDS)), drawn_rows, st.sets(st.integers(0, 7)))
def test_intervals_are_found_by_id_whatever_its_type(kind, drawn, ordering):
    values = [one for one in dict.fromkeys(CUSTOMER_KINDS[kind]) if one not in ("", b"")]
    rows = without_overlaps([row for row in drawn if row[0] < len(values)])
    ordering = sorted(place for place in ordering if place < len(values))
    membership = oc.Membership.from_table(
        table_of(
            [
                (values[place], segment, day(start), None if stop is None else day(stop))
                for place, segment, start, stop in rows
            ],
            kind,
        )
    )
    assert membership.segments == tuple(dict.fromkeys(segment for _, segment, _, _ in rows))
    history = history_of([values[place] for place in ordering], kind)
    expected: dict = {}
    for number, place in enumerate(ordering):
        days = {
            (segment, at)
            for other, segment, start, stop in rows
            if other == place
            for at in range(max(start, 10 * number), 200 if stop is None else stop)
        }
        starts = sorted(
            (at, membership.segments.index(segment), segment)
            for segment, at in days
            if (segment, at - 1) not in days
        )
        for at, _, segment in starts:
            after = next(later for later in range(at, 201) if (segment, later) not in days)
            interval = (segment, day(at), None if after == 200 else day(after))
            plain = getattr(values[place], "bytes", values[place])
            expected.setdefault(plain, []).append(interval)
    assert timelines(membership, history) == expected
    touching = [row for row in rows if row[0] not in ordering]
    assert (membership.unknown_intervals(history) == 0) == (not touching)


@settings(max_examples=60)
@given(drawn_rows)
def test_what_goes_out_comes_in_again(drawn):
    table = oc.Membership.from_table(table_of(in_days(drawn), pa.int64())).to_table()
    table.validate(full=True)
    again = oc.Membership.from_table(table)
    assert again.to_table().equals(table)
    lists = [row for batch in again.to_batches() for row in batch.to_pylist()]
    flat = [{"customer_id": row["customer_id"], **item} for row in lists for item in row[LISTS]]
    assert flat == table.to_pylist()


def test_a_lifecycle_membership_comes_back_the_same():
    history = history_of(["a", "b", "c"])
    membership = oc.Lifecycle().membership(history)
    again = oc.Membership.from_table(membership.to_table())
    assert timelines(again, history) == timelines(membership, history)
    assert again.unknown_intervals(history) == membership.unknown_intervals(history) == 0


def test_customers_who_are_not_of_the_population_are_unknown_and_nowhere():
    customers = pa.table({"customer_id": ["listed", "undated"], "registered_at": [day(0), None]})
    orders = pa.table({"customer_id": ["unlisted"], "ordered_at": [day(0)], "amount": [1.0]})
    history = oc.OrderHistory.build(orders, customers, unknown="drop")
    rows = [(name, "VIP", day(5), None) for name in ("listed", "undated", "unlisted", "nobody")]
    membership = oc.Membership.from_table(table_of(rows))
    assert timelines(membership, history) == {"listed": [("VIP", day(5), None)]}
    assert membership.unknown_intervals(history) == 2


def test_ids_of_other_widths_are_the_same_and_others_are_refused():
    history = history_of([1, 300], pa.int64())
    rows = [(1, "VIP", day(0), None), (300, "VIP", day(0), None)]
    assert len(timelines(oc.Membership.from_table(table_of(rows, pa.uint16())), history)) == 2
    texts = oc.Membership.from_table(table_of([("1", "VIP", day(0), None)]))
    with pytest.raises(oc.ColumnError, match="customer_id is string, and int64 in the history"):
        timelines(texts, history)
    named = history_of(["a", "b"], pa.large_string())
    short = oc.Membership.from_table(table_of([("a", "VIP", day(0), None)], pa.string()))
    assert timelines(short, named) == {"a": [("VIP", day(0), None)]}


def test_ids_that_share_a_hash_are_kept_apart():
    ids = ids_with_one_hash(9)
    history = history_of(ids[:6], pa.binary())
    rows = [(name, "VIP", day(100), None) for name in reversed(ids[3:])]
    membership = oc.Membership.from_table(table_of(rows, pa.binary(16)))
    assert set(timelines(membership, history)) == set(ids[3:6])
    assert membership.unknown_intervals(history) == 3


def test_every_part_of_a_history_finds_its_own(monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 2)
    monkeypatch.setattr("ordercycle._history.build.BATCH_ROWS", 6)
    history = history_of(list(range(40)))
    rows = [(name, "VIP", day(1000), None) for name in range(0, 80, 2)]
    membership = oc.Membership.from_table(table_of(rows))
    assert sum(1 for _ in grouped_orders(history).scan(lambda number, _, __: number)) > 4
    assert set(timelines(membership, history)) == set(range(0, 40, 2))
    assert membership.unknown_intervals(history) == 20


@pytest.mark.parametrize(
    "days",
    [
        pa.array([FIRST, None], pa.date64()),
        pa.array([datetime.fromisoformat("2025-01-01 13:00"), None], pa.timestamp("ns")),
    ],
)
def test_days_may_be_of_any_type_without_a_zone(days):
    table = table_of([(1, "VIP", day(-1), None), (2, "VIP", day(-1), None)])
    found = oc.Membership.from_table(table.set_column(3, "valid_to", days)).to_table()
    assert sorted(found["valid_to"].to_pylist(), key=str) == [FIRST, None]


def test_an_end_after_all_days_is_open():
    table = table_of([(1, "VIP", FIRST, date(9999, 12, 31))])
    assert oc.Membership.from_table(table).to_table()["valid_to"].to_pylist() == [None]
    never = table.set_column(3, "valid_to", pa.nulls(1))
    assert oc.Membership.from_table(never).to_table()["valid_to"].to_pylist() == [None]


def test_a_dictionary_gives_the_order_of_the_segments():
    names = pa.DictionaryArray.from_arrays(pa.array([2, 0], pa.int8()), ["Low", "Middle", "High"])
    table = table_of([(1, "-", FIRST, None), (2, "-", FIRST, None)]).set_column(1, "segment", names)
    membership = oc.Membership.from_table(table)
    assert membership.segments == ("Low", "Middle", "High")
    assert sorted(membership.to_table()["segment"].to_pylist()) == ["High", "Low"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(None, "VIP", FIRST, None)], r"customer_id is null at row 0 \(1 such row\)"),
        ([(1, None, FIRST, None)], "segment is null at row 0"),
        ([(1, "VIP", FIRST, None), (1, "VIP", None, None)], "valid_from is null at row 1"),
        ([(1, "VIP", FIRST, FIRST)], "valid_to is not after valid_from at row 0"),
        ([(1, "VIP", FIRST, None), (2, "VIP", FIRST, day(-9))], "valid_to is not after .* row 1"),
        ([(1, "VIP", date(1899, 12, 31), None)], "valid_from is outside the years 1900 to 2199"),
        ([(1, "VIP", date(2200, 1, 1), None)], "valid_from is outside the years 1900 to 2199"),
        (
            [(1, "VIP", day(5), day(7)), (1, "VIP", FIRST, day(90)), (1, "VIP", day(8), day(9))],
            r"valid_from is before the end of another .* at row 0 \(2 such rows\); cut or drop",
        ),
        ([(1, "VIP", FIRST, None), (1, "VIP", day(900), None)], r"another .* at row 1 \(1 such"),
    ],
)
def test_bad_values_are_named(rows, message):
    with pytest.raises(oc.DataError, match=message):
        oc.Membership.from_table(table_of(rows, pa.int64()))


def test_bad_columns_are_named():
    table = table_of([(1, "VIP", FIRST, None)])
    with pytest.raises(oc.ColumnError, match=r"no column 'segment' \(did you mean 'segments'"):
        oc.Membership.from_table(
            table.rename_columns(["customer_id", "segments", "valid_from", "valid_to"])
        )
    with pytest.raises(oc.ColumnError, match="segment is int64, which is no name"):
        oc.Membership.from_table(table.set_column(1, "segment", [[1]]))
    with pytest.raises(oc.ColumnError, match="valid_from is string, which is no day"):
        oc.Membership.from_table(table.set_column(2, "valid_from", [["2025-01-01"]]))
    zoned = pa.array([0], pa.timestamp("us", "UTC"))
    with pytest.raises(oc.ColumnError, match="cast it to date32, in the business time zone"):
        oc.Membership.from_table(table.set_column(2, "valid_from", zoned))
    with pytest.raises(oc.DataError, match=r"customer_id is double .*\(1.5\) at row 0"):
        oc.Membership.from_table(table.set_column(0, "customer_id", [[1.5]]))
    with pytest.raises(oc.SourceError):
        oc.Membership.from_table(17)


def test_nothing_is_a_membership_of_nobody():
    membership = oc.Membership.from_table(table_of([], pa.int64()))
    assert membership.segments == ()
    assert membership.to_table().num_rows == 0
    assert timelines(membership, history_of([1, 2])) == {}
    assert timelines(membership, history_of([], pa.int64())) == {}


def test_an_interval_that_ends_as_its_customer_comes_is_none():
    """The last day of one is the day before the first order, of another the day itself."""
    history = history_of([1])
    rows = [
        (1, "VIP", day(-9), day(-1)),
        (1, "Early", day(-5), day(0)),
        (1, "Late", day(-5), day(1)),
    ]
    found = timelines(oc.Membership.from_table(table_of(rows)), history)
    assert found == {1: [("Late", day(0), day(1))]}
