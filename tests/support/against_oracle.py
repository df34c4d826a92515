"""A case built by the library and by the oracle, and everything compared."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle import lifecycle as oracle_lifecycle
from oracle.compare import CANCELLATION_TOLERANCE, differences, same_number
from oracle.errors import DataError
from oracle.money import magnitude
from oracle.profile import profile as oracle_profile
from support.layouts import Layout
from support.strategies import (
    Case,
    Types,
    customer_columns,
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
        times_without_zone=policies.times_without_zone,
        refunds=policies.refunds,
        anonymous=policies.anonymous,
        unknown=policies.unknown,
        same_day=policies.same_day,
        amount_per=policies.amount_per,
        duplicates=policies.duplicates,
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
    assert summary.orders == sum(entry.is_order for entry in entries)
    assert summary.duplicates == expected.duplicates
    assert summary.split_orders == expected.split_orders
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
        entries = [tuple(entry.values()) for entry in found[name]["orders"]]
        assert [entry[:2] for entry in entries] == sorted(entry[:2] for entry in entries)
        bound = CANCELLATION_TOLERANCE * magnitude(order.amount for order in customer.orders)
        # Which of equal entries of a day is the order is left open.
        for entry, order in zip(sorted(entries), sorted(customer.orders), strict=True):
            assert (entry[0], entry[2]) == (order.day, order.is_order)
            assert same_number(entry[1], order.amount, bound)
    for batch in history.to_batches():
        batch.validate(full=True)
        assert batch.schema.names == ["customer_id", "registered_on", "orders"]
        assert batch.schema.field("customer_id").type == id_type(case.types.customer)
        lists = batch.schema.field("orders").type
        assert pa.types.is_large_list(lists)
        assert [(field.name, field.type) for field in lists.value_type] == [
            ("ordered_on", pa.date32()),
            ("amount", money_type(case.types.amount)),
            ("is_order", pa.bool_()),
        ]


def check_profile(case: Case, history: oc.OrderHistory, expected: oracle_history.History) -> None:
    """Compare the profile, in one piece and in batches, and its segments."""
    table = history.profile(case.as_of, window_days=case.window_days)
    table.validate(full=True)
    assert table.schema == profile_schema(case.types, windowed=case.window_days is not None)
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


def profile_schema(types: Types, *, windowed: bool) -> pa.Schema:
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
        "revenue_first_day": money,
    }
    if windowed:
        columns["window_days"] = days
    never_null = {
        "customer_id",
        "registered_on",
        "orders",
        "order_days",
        "revenue",
        "days_since_registration",
        "revenue_first_90_days",
        "revenue_first_day",
        "window_days",
    }
    return pa.schema(
        [pa.field(name, kind, nullable=name not in never_null) for name, kind in columns.items()]
    )


def customer_table(case: Case, layout: Layout, names: dict[str, str]) -> pa.Table | None:
    """Return the customers of a case as a table."""
    return None if case.customers is None else layout.table(customer_columns(case, names))
