"""The whole path, from any source to profile and segments, against the oracle."""

import csv
import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import Layout
from oracle import history as oracle_history
from oracle import lifecycle as oracle_lifecycle
from oracle.compare import CANCELLATION_TOLERANCE, differences, same_number
from oracle.errors import DataError
from oracle.history import Policies
from oracle.money import magnitude, total
from oracle.profile import profile as oracle_profile
from sources import IN_MEMORY, ON_DISK
from strategies import (
    AMOUNT_TYPES,
    CUSTOMER_KINDS,
    INTEGERS,
    ORDER_KINDS,
    TIME_TYPES,
    Case,
    RawRow,
    Types,
    cases,
    column_types,
    customer_columns,
    exact_decimal,
    layouts,
    order_columns,
)

import ordercycle as oc

NAMES = {
    "customer": "customer_id",
    "time": "ordered_at",
    "amount": "amount",
    "order": "order_id",
    "registered": "registered_at",
}
ODD_NAMES = {
    "customer": "customer.id",
    "time": "time[0]",
    "amount": "Amount (\N{EURO SIGN})",
    "order": "order/id",
    "registered": "amount",
}
# A busy machine draws slowly: that says nothing about the library.
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def examples(count: int) -> settings:
    """Return settings for that many cases, however long each takes."""
    return settings(max_examples=count, deadline=None, suppress_health_check=SLOW)


THREADS = st.sampled_from([1, 2])


def oracle_of(case: Case) -> oracle_history.History | None:
    """Return the oracle's history; None where the data must be refused."""
    try:
        return oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    except DataError:
        return None


def build(
    case: Case, orders: object, customers: object, names: dict[str, str], threads: int
) -> oc.OrderHistory:
    """Build the library's history of a case."""
    order = names["order"] if case.types.order is not None else None
    policies = case.policies
    return oc.OrderHistory.build(
        orders,
        customers,
        columns=oc.Columns(**{**names, "order": order}),
        timezone=policies.timezone,
        refunds=policies.refunds,
        anonymous=policies.anonymous,
        unknown=policies.unknown,
        threads=threads,
    )


def check(
    case: Case, orders: object, customers: object, names: dict[str, str] = NAMES, threads: int = 1
) -> None:
    """Build from a source and compare everything with the oracle."""
    expected = oracle_of(case)
    if expected is None:
        with pytest.raises(oc.DataError):
            build(case, orders, customers, names, threads)
        return
    history = build(case, orders, customers, names, threads)
    check_summary(history.summary(), expected)
    check_batches(case, history, expected)
    check_profile(case, history, expected)


def check_summary(summary: oc.HistorySummary, expected: oracle_history.History) -> None:
    """Compare what was counted."""
    entries = expected.entries()
    customers = expected.customers.values()
    negative = sum(entry.amount < 0 for entry in entries)
    assert summary.rows == expected.rows
    assert summary.orders == sum(not expected.is_refund(entry) for entry in entries)
    assert summary.customers == len(customers)
    if not expected.policies.unknown == expected.policies.refunds == "drop":
        assert summary.refunds == negative + expected.dropped_refunds
    assert summary.anonymous == expected.anonymous_rows
    assert summary.unknown == expected.unknown_customers
    assert summary.undated == sum(customer.registered_on is None for customer in customers)
    # Whether the days of dropped refunds count, and the refunds of customers who are left out, is
    # left open.
    if expected.policies.refunds != "drop":
        assert summary.first_day == min(expected.days_read, default=None)
        assert summary.last_day == max(expected.days_read, default=None)


def check_batches(case: Case, history: oc.OrderHistory, expected: oracle_history.History) -> None:
    """Compare `to_batches` with the oracle's histories."""
    rows = [row for batch in history.to_batches() for row in batch.to_pylist()]
    found = {row["customer_id"]: row for row in rows}
    assert len(found) == len(rows)
    assert found.keys() == expected.customers.keys()
    for name, customer in expected.customers.items():
        assert found[name]["registered_on"] == customer.registered_on
        entries = [(entry["ordered_on"], entry["amount"]) for entry in found[name]["orders"]]
        assert entries == sorted(entries)
        assert [day for day, _ in entries] == [order.day for order in customer.orders]
        bound = CANCELLATION_TOLERANCE * magnitude(order.amount for order in customer.orders)
        for (_, amount), order in zip(entries, customer.orders, strict=True):
            assert same_number(amount, order.amount, bound)
    for batch in history.to_batches():
        batch.validate(full=True)
        assert batch.schema.names == ["customer_id", "registered_on", "orders"]
        assert batch.schema.field("customer_id").type == id_type(case.types.customer)
        lists = batch.schema.field("orders").type
        assert pa.types.is_large_list(lists)
        assert [(field.name, field.type) for field in lists.value_type] == [
            ("ordered_on", pa.date32()),
            ("amount", money_type(case.types.amount)),
        ]


def check_profile(case: Case, history: oc.OrderHistory, expected: oracle_history.History) -> None:
    """Compare the profile, in one piece and in batches, and its segments."""
    table = history.profile(case.as_of, window_days=case.window_days)
    table.validate(full=True)
    assert table.schema == profile_schema(case.types)
    rows = profile_rows(table)
    wanted = oracle_profile(expected, case.as_of, case.window_days)
    assert differences(rows, wanted, expected) == []
    batches = list(history.profile_batches(case.as_of, window_days=case.window_days))
    assert pa.Table.from_batches(batches, table.schema).equals(table)
    if case.window_days is None:  # a window hides what decides the segment
        check_lifecycle(table, wanted)


def check_lifecycle(table: pa.Table, wanted: dict) -> None:
    """Compare the segments under the default thresholds and under tight ones."""
    for new, active, churned in [(30, 120, 255), (1, 7, 31)]:
        lifecycle = oc.Lifecycle(new_days=new, active_days=active, churned_days=churned)
        assigned = lifecycle.assign(table)
        assert assigned.drop_columns("lifecycle").equals(table)
        assert assigned.schema.field("lifecycle").type == pa.dictionary(pa.int8(), pa.string())
        found = dict(zip(ids_of(assigned), assigned["lifecycle"].to_pylist(), strict=True))
        thresholds = oracle_lifecycle.Thresholds(new, active, churned)
        assert found == {
            name: oracle_lifecycle.segment(row, thresholds) for name, row in wanted.items()
        }


def ids_of(table: pa.Table) -> list:
    """Return the customer ids as Python values."""
    return table["customer_id"].to_pylist()


def profile_rows(table: pa.Table) -> dict:
    """Return a profile as the oracle writes it."""
    rows = table.drop_columns("customer_id").to_pylist()
    names = ids_of(table)
    assert len(set(names)) == len(names)
    return dict(zip(names, rows, strict=True))


def id_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which customer ids come back."""
    return pa.large_string() if kind == pa.string_view() else kind


def money_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of amounts and their sums."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_decimal(kind):
        return pa.decimal128(38, kind.scale)
    return pa.float64()


def profile_schema(types: Types) -> pa.Schema:
    """Return the types of the profile's columns, in order."""
    day, count, days, ratio = pa.date32(), pa.int64(), pa.int32(), pa.float64()
    money = money_type(types.amount)
    columns = {
        "customer_id": id_type(types.customer),
        "registered_on": day,
        "first_order_on": day,
        "last_order_on": day,
        "orders": count,
        "order_days": count,
        "revenue": money,
        "average_order_value": ratio,
        "days_since_registration": days,
        "days_since_last_order": days,
        "days_to_first_order": days,
        "lifetime_days": days,
        "time_between_orders": ratio,
        "gap_min": days,
        "gap_max": days,
        "last_gap": days,
        "gap_median": ratio,
        "gap_square_sum": count,
        "gap_std": ratio,
        "missed_purchase_cycles": ratio,
        "next_order_expected_on": day,
        "revenue_first_90_days": money,
    }
    never_null = {
        "customer_id",
        "registered_on",
        "orders",
        "order_days",
        "revenue",
        "days_since_registration",
        "revenue_first_90_days",
    }
    return pa.schema(
        [pa.field(name, kind, nullable=name not in never_null) for name, kind in columns.items()]
    )


def customer_table(case: Case, layout: Layout, names: dict[str, str]) -> pa.Table | None:
    """Return the customers of a case as a table."""
    return None if case.customers is None else layout.table(customer_columns(case, names))


@examples(250)
@given(
    case=cases(),
    layout=layouts(),
    source=st.sampled_from(list(IN_MEMORY)),
    names=st.sampled_from([NAMES, ODD_NAMES]),
    threads=THREADS,
)
def test_any_table_in_memory(case, layout, source, names, threads):
    columns = order_columns(case, names)
    columns["unread"] = ([{"a": [None]}] * len(case.orders), pa.struct({"a": pa.list_(pa.null())}))
    orders = IN_MEMORY[source](layout, columns)
    check(case, orders, customer_table(case, layout, names), names, threads)


# Parquet keeps dictionaries of text with 32-bit offsets only; the ids come back as they were read.
KEPT_ON_DISK = column_types().filter(
    lambda types: (
        not pa.types.is_dictionary(types.customer) or types.customer.value_type == pa.string()
    )
)


@examples(80)
@given(case=cases(KEPT_ON_DISK), source=st.sampled_from(list(ON_DISK)), threads=THREADS)
def test_any_table_on_disk(case, source, threads):
    plain = Layout(0)
    with tempfile.TemporaryDirectory() as folder:
        orders = ON_DISK[source](plain.table(order_columns(case, NAMES)), Path(folder))
        check(case, orders, customer_table(case, plain, NAMES), threads=threads)


@examples(60)
@given(
    case=cases(),
    layout=layouts(),
    source=st.sampled_from(["table", "reader", "generator of batches"]),
    threads=THREADS,
)
def test_any_table_in_many_small_parts(case, layout, source, threads):
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        orders = IN_MEMORY[source](layout, order_columns(case, NAMES))
        check(case, orders, customer_table(case, layout, NAMES), threads=threads)


@examples(40)
@given(case=cases(KEPT_ON_DISK), threads=THREADS, spare=st.sampled_from([0, 3, 64]))
def test_any_table_on_disk_in_many_small_parts(case, threads, spare):
    plain = Layout(0)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        cut_small(patch)
        patch.setattr("ordercycle.ingest.reserved.SPARE_ROWS", spare)
        orders = ON_DISK["parquet file"](plain.table(order_columns(case, NAMES)), Path(folder))
        check(case, orders, customer_table(case, plain, NAMES), threads=threads)


def cut_small(patch: pytest.MonkeyPatch) -> None:
    """Make a table of thirty rows go through several runs, blocks, partitions and batches."""
    patch.setattr("ordercycle.ingest.laying_out.RUN_ROWS", 3)
    patch.setattr("ordercycle.ingest.laying_out.BLOCK_ROWS", 7)
    patch.setattr("ordercycle.ingest.laying_out.PARTITION_ROWS", 2)
    patch.setattr("ordercycle.history.build.BATCH_ROWS", 6)
    patch.setattr("ordercycle.grouping.hot_customers.HOT_ROWS", 3)
    patch.setattr("ordercycle.grouping.hot_customers.ENOUGH", 2)
    patch.setattr("ordercycle.grouping.hot_customers.CHUNK_ROWS", 2)
    patch.setattr("ordercycle.grouping.hot_customers.CHUNK_ROWS_PER_DAY", 0)


# The ids that rows can be laid out by in streaks; text ids are among the cases above.
INTEGER_IDS = st.builds(
    replace,
    column_types(),
    customer=st.sampled_from([kind for kind in CUSTOMER_KINDS if kind in INTEGERS]),
    order=st.none() | st.sampled_from([kind for kind in ORDER_KINDS if kind in INTEGERS]),
)


@examples(250)
@given(
    case=cases(INTEGER_IDS, max_rows=60),
    layout=layouts(),
    source=st.sampled_from(["table", "reader", "generator of batches"]),
    threads=THREADS,
    together=st.integers(0, 12),
    least=st.sampled_from([0.0, 0.0, 2.0]),  # every block in streaks, or those with long ones
    small=st.booleans(),
)
def test_rows_of_a_customer_that_lie_together(
    case, layout, source, threads, together, least, small
):
    case = replace(case, orders=clustered(case.orders, together, layout.random))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle.ingest.streaks.LONG_STREAK_ROWS", least)
        if small:
            cut_small(patch)
            patch.setattr("ordercycle.ingest.laying_out.RUN_ROWS", 11)
            patch.setattr("ordercycle.ingest.laying_out.BLOCK_ROWS", 23)
        orders = IN_MEMORY[source](layout, order_columns(case, NAMES))
        check(case, orders, customer_table(case, layout, NAMES), threads=threads)


def clustered(rows: list[RawRow], together: int, random: Random) -> list[RawRow]:
    """Return the rows by customer, cut into parts of so many that lie in any order; 0: in one."""
    rows = sorted(rows, key=lambda row: (row.customer is None, row.customer or 0))
    if together:
        parts = [rows[start : start + together] for start in range(0, len(rows), together)]
        random.shuffle(parts)
        rows = [row for part in parts for row in part]
    return rows


@pytest.mark.parametrize("source", IN_MEMORY)
@examples(8)
@given(case=cases().filter(lambda case: case.customers), layout=layouts())
def test_customers_come_from_any_source(source, case, layout):
    orders = layout.table(order_columns(case, NAMES))
    check(case, orders, IN_MEMORY[source](layout, customer_columns(case, NAMES)))


# Every type by itself, so that none depends on the luck of the draw above.
USUAL = Types(pa.int64(), pa.timestamp("us"), pa.float64(), None, pa.date32())


def replaced(**kinds: pa.DataType) -> st.SearchStrategy[Types]:
    """Return the usual types but for some."""
    return st.just(Types(**{**USUAL.__dict__, **kinds}))


@pytest.mark.parametrize("kind", CUSTOMER_KINDS, ids=str)
def test_every_customer_id_type(kind):
    check_some(replaced(customer=kind))


@pytest.mark.parametrize("kind", TIME_TYPES, ids=str)
def test_every_time_type(kind):
    check_some(replaced(time=kind, registered=kind))


@pytest.mark.parametrize("kind", AMOUNT_TYPES, ids=str)
def test_every_amount_type(kind):
    check_some(replaced(amount=kind))


@pytest.mark.parametrize("kind", ORDER_KINDS, ids=str)
def test_every_order_id_type(kind):
    check_some(replaced(order=kind, customer=pa.string(), amount=pa.decimal128(10, 2)))


def check_some(types: st.SearchStrategy[Types]) -> None:
    """Check a handful of cases of given types."""

    @examples(12)
    @given(case=cases(types), layout=layouts())
    def run(case, layout):
        orders = layout.table(order_columns(case, NAMES))
        check(case, orders, customer_table(case, layout, NAMES))

    run()


CSV_ROWS = [
    ("ann", "2024-01-05 23:30:00", "12.5", "A1"),
    ("ann", "2024-01-05 08:00:00", "7.25", "A1"),
    ("bob, the builder", "2024-01-07 00:00:00", "-3", "B1"),
    ("ann", "2024-02-05 12:00:00", "100", "A2"),
    ("bob, the builder", "2024-03-01 12:00:00", "0", "B2"),
    ("", "2024-03-01 12:00:00", "9", "G1"),
]


def csv_case(*, collapse: bool) -> Case:
    """Return the rows of the CSV tests as a case."""
    rows = [
        RawRow(
            customer or None,
            int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()),
            float(amount),
            order if collapse else None,
        )
        for customer, time, amount, order in CSV_ROWS
    ]
    order = pa.string() if collapse else None
    types = Types(pa.string(), pa.timestamp("s"), pa.float64(), order, pa.date32())
    policies = Policies(timezone="Europe/Madrid", collapse=collapse)
    return Case(types, rows, None, policies, date(2024, 4, 1), None)


def write_csv(path: Path, rows: list[tuple]) -> None:
    """Write rows as a person would export them, an unread column among them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "note", "ordered_at", "amount", "order_id"])
        writer.writerows([customer, "x", *others] for customer, *others in rows)


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("source", ["file", "list", "glob", "directory"])
def test_csv_files(tmp_path, source, collapse):
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    if source == "file":
        write_csv(paths[0], CSV_ROWS)
    else:
        write_csv(paths[0], CSV_ROWS[:2])
        write_csv(paths[1], CSV_ROWS[2:])
    orders = {
        "file": paths[0],
        "list": [str(path) for path in paths],
        "glob": str(tmp_path / "*.csv"),
        "directory": tmp_path,
    }
    check(csv_case(collapse=collapse), orders[source], None)


def frame_case() -> tuple[Case, pa.Table]:
    """Return one table with ties, refunds, nulls and order lines, for foreign frames."""
    random = Random(7)  # noqa: S311
    names = ["ann", "bob", "a customer with a long name", "\u00e9mile", None]
    rows = [
        RawRow(
            random.choice(names),
            random.randint(1_700_000_000_000_000, 1_740_000_000_000_000),
            random.randint(-400, 4_000) / 4,
            f"order {random.randint(1, 40)}",
        )
        for _ in range(100)
    ]
    types = Types(pa.string(), pa.timestamp("us"), pa.float64(), pa.string(), pa.date32())
    case = Case(types, rows, None, Policies(collapse=True), date(2025, 3, 1), None)
    return case, Layout(0).table(order_columns(case, NAMES))


def check_frame(orders: object) -> None:
    """Compare a foreign frame of the rows above with the oracle; its types are its own."""
    case, _ = frame_case()
    expected = oracle_of(case)
    history = build(case, orders, None, NAMES, 2)
    rows = profile_rows(history.profile(case.as_of))
    assert differences(rows, oracle_profile(expected, case.as_of), expected) == []


def test_a_pandas_frame():
    check_frame(frame_case()[1].to_pandas())


def test_a_polars_frame():
    check_frame(pl.from_arrow(frame_case()[1]))


def test_a_duckdb_relation():
    with duckdb.connect() as connection:
        check_frame(connection.from_arrow(frame_case()[1]))


def test_a_table_of_many_partitions():
    random = Random(11)  # noqa: S311
    rows = [
        RawRow(
            # Half of the rows are those of a thousand customers, the rest of one in five orders.
            random.randint(0, 1_000) if random.random() < 0.5 else random.randint(0, 30_000),
            random.randint(18_000 * 86_400, 19_500 * 86_400),
            exact_decimal(random.randint(-2_000, 20_000), 2),
        )
        for _ in range(150_000)
    ]
    types = Types(pa.int64(), pa.timestamp("s", "UTC"), pa.decimal128(10, 2), None, pa.date32())
    policies = Policies(timezone="America/New_York")
    case = Case(types, rows, None, policies, date(2023, 5, 1), None)
    check(case, Layout(3).table(order_columns(case, NAMES)), None, threads=2)


@pytest.mark.parametrize("lines", [1, 2, 7])
@pytest.mark.parametrize("kind", ORDER_KINDS, ids=str)
def test_many_order_ids_of_every_type(kind, lines):
    random = Random(13)  # noqa: S311
    numbers = [number for number in range(3_000) for _ in range(lines)]
    ids = many_ids(kind, 3_000)
    rows = [
        RawRow(number % 11, 19_000 + random.randint(0, 400), random.randint(-5, 50), ids[number])
        for number in numbers
    ]
    random.shuffle(rows)
    types = Types(pa.int64(), pa.date32(), pa.int64(), kind, pa.date32())
    case = Case(types, rows, None, Policies(collapse=True), date(2023, 1, 1), None)
    check(case, Layout(17).table(order_columns(case, NAMES)), None, threads=2)


@pytest.mark.parametrize("kind", CUSTOMER_KINDS, ids=str)
def test_many_customers_of_every_type(kind):
    random = Random(19)  # noqa: S311
    if pa.types.is_integer(kind) and kind.bit_width == 8:
        ids = many_ids(kind, 100)
    elif kind == pa.dictionary(pa.int8(), pa.string()):
        ids = many_ids(kind, 60)
    else:
        ids = many_ids(kind, 3_000)
    rows = [
        RawRow(random.choice(ids), 19_000 + random.randint(0, 400), random.randint(-5, 50))
        for _ in range(9_000)
    ]
    types = Types(kind, pa.date32(), pa.int64(), None, pa.date32())
    listed = [(name, 19_100) for name in ids[::2]]
    case = Case(types, rows, listed, Policies(), date(2023, 1, 1), None)
    orders = Layout(23).table(order_columns(case, NAMES))
    check(case, orders, customer_table(case, Layout(29), NAMES), threads=2)


def many_ids(kind: pa.DataType, count: int) -> list:
    """Return that many distinct ids."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        return list(range(count))
    if isinstance(kind, pa.UuidType):
        return [uuid.UUID(int=number << 60) for number in range(count)]
    if kind == pa.binary(16):
        return [number.to_bytes(16, "little") for number in range(count)]
    if kind == pa.binary():
        return [b"\0" * (number % 5) + b"%d" % number for number in range(count)]
    return [f"{'long ' * (number % 5)}{number}" for number in range(count)]


LARGEST = 2**63 - 1


def one_customer(amounts: list, kind: pa.DataType, order: list | None = None) -> oc.OrderHistory:
    """Build a history of one customer who placed orders on one day."""
    table = pa.table(
        {
            "customer_id": [1] * len(amounts),
            "ordered_at": pa.array([date(2024, 1, 1)] * len(amounts)),
            "amount": pa.array(amounts, kind),
            "order_id": order or list(range(len(amounts))),
        }
    )
    columns = oc.Columns(order="order_id" if order else None)
    return oc.OrderHistory.build(table, columns=columns, threads=1)


@pytest.mark.parametrize(
    ("amounts", "kind"),
    [
        ([LARGEST, LARGEST, -LARGEST, -1, -5], pa.int64()),
        ([LARGEST], pa.uint64()),
        ([-(2**63)], pa.int64()),
        ([exact_decimal(10**38 - 1, 2), exact_decimal(-(10**38) + 2, 2)], pa.decimal128(38, 2)),
        ([exact_decimal(10**38 - 1, 0)], pa.decimal128(38, 0)),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("collapse", [False, True])
def test_sums_that_fit_are_exact_whatever_happens_on_the_way(amounts, kind, reverse, collapse):
    given = amounts[::-1] if reverse else amounts
    history = one_customer(given, kind, [7] * len(given) if collapse else None)
    (row,) = history.profile("2024-01-01").to_pylist()
    assert row["revenue"] == total(amounts)
    assert type(row["revenue"]) is type(amounts[0])


@pytest.mark.parametrize(
    ("amounts", "kind"),
    [
        ([LARGEST, 1], pa.int64()),
        ([-(2**63), -1], pa.int64()),
        ([LARGEST + 1], pa.uint64()),
        ([2**64 - 1, 2**64 - 1], pa.uint64()),
        ([exact_decimal(10**38 - 1, 0), exact_decimal(1, 0)], pa.decimal128(38, 0)),
        ([exact_decimal(-(10**38) + 1, 9), exact_decimal(-1, 9)], pa.decimal128(38, 9)),
        ([exact_decimal(10**38 - 1, 9)] * 40, pa.decimal128(38, 9)),
    ],
)
@pytest.mark.parametrize("collapse", [False, True])
def test_sums_that_do_not_fit_are_refused(amounts, kind, collapse):
    with pytest.raises(oc.DataError, match="amount"):
        one_customer(amounts, kind, [7] * len(amounts) if collapse else None).profile("2024-01-01")


def test_policies_on_unlisted_customers_need_a_list():
    orders = frame_case()[1]
    for unknown in ("drop", "error"):
        with pytest.raises(oc.ConfigError, match="unknown"):
            oc.OrderHistory.build(orders, unknown=unknown)
