"""Histories of drawn cases, and whether two of them say the same."""

from dataclasses import replace
from datetime import date
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
from oracle import history as oracle_history
from oracle.errors import DataError
from support.layouts import Layout
from support.strategies import Case, customer_columns, order_columns, python_time

import ordercycle as oc
from ordercycle._segments.scheme import Scheme

NAMES = {
    "customer": "customer_id",
    "time": "ordered_at",
    "amount": "amount",
    "order": "order_id",
    "registered": "registered_at",
}


def built(
    case: Case, orders: pa.Table, customers: pa.Table | None, memory_limit: str | None = None
) -> oc.OrderHistory:
    return oc.OrderHistory.build(
        orders, customers, threads=2, memory_limit=memory_limit, **options_of(case)
    )


def options_of(case: Case) -> dict:
    """Return the options of building that a case names."""
    policies = case.policies
    return {
        "columns": oc.Columns(order="order_id" if case.types.order is not None else None),
        "timezone": policies.timezone,
        "times_without_zone": policies.times_without_zone,
        "refunds": policies.refunds,
        "anonymous": policies.anonymous,
        "unknown": policies.unknown,
        "same_day": policies.same_day,
        "amount_per": policies.amount_per,
        "duplicates": policies.duplicates,
    }


def dealt(case: Case, pieces: int, random: Random) -> list[Case]:
    """Deal the rows of a case out; the lines of an order of one day stay together."""
    piece_of_order: dict = {}

    def piece(row) -> int:
        # Rows that are there twice are found within one build.
        key: object = object() if case.policies.duplicates == "keep" else row
        if case.types.order is not None and row.customer is not None:
            day = case.policies.day_of(python_time(row.time, case.types.time))
            key = (row.customer, row.order, day)
        return piece_of_order.setdefault(key, random.randrange(pieces))

    orders = [[] for _ in range(pieces)]
    for row in case.orders:
        orders[piece(row)].append(row)
    customers = [None] * pieces
    if case.customers is not None:
        # Who is known has to be said before unknown customers can be refused.
        first_only = case.policies.unknown == "error"
        customers = [[] for _ in range(pieces)]
        for row in case.customers:
            customers[0 if first_only else random.randrange(pieces)].append(row)
    return [
        replace(case, orders=rows, customers=listed)
        for rows, listed in zip(orders, customers, strict=True)
    ]


def tables(case: Case, layout: Layout) -> tuple[pa.Table, pa.Table | None]:
    orders = layout.table(order_columns(case, NAMES))
    if case.customers is None:
        return orders, None
    return orders, layout.table(customer_columns(case, NAMES))


def results(history: oc.OrderHistory, case: Case) -> dict:
    """Return all that a history says, but for where it lies."""
    batches = list(history.to_batches())
    return {
        "orders": pa.Table.from_batches(batches),
        "profile": history.profile(case.as_of, case.window_days),
        "membership": oc.Lifecycle().membership(history).to_table(),
        "summary": replace(history.summary(), bytes=0),
    }


def assert_same(found: dict, expected: dict) -> None:
    for name, value in expected.items():
        if isinstance(value, pa.Table):
            assert found[name].schema == value.schema
            found[name].validate(full=True)
            assert decoded(found[name]).equals(decoded(value)), name
        else:
            assert found[name] == value


def decoded(table: pa.Table) -> pa.Table:
    """Return a table without dictionaries, which differ where batches do."""
    ids = table["customer_id"]
    if pa.types.is_dictionary(ids.type):
        table = table.set_column(0, "customer_id", ids.cast(ids.type.value_type))
    return table


def is_refused(case: Case) -> bool:
    try:
        oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    except DataError:
        return True
    return False


def check_membership(
    membership: oc.Membership, scheme: Scheme, history: oc.OrderHistory, days: list[date]
) -> None:
    """Compare who is where on some days with the profile as of these days, customer by customer."""
    table = membership.to_table()
    starts, stops = table["valid_from"], pc.fill_null(table["valid_to"], date(2200, 1, 1))
    for day in days:
        there = table.filter(pc.and_(pc.less_equal(starts, day), pc.greater(stops, day)))
        assigned = scheme.assign(history.profile(day))
        assert decoded(there.select(["customer_id"])).equals(
            decoded(assigned.select(["customer_id"]))
        )
        segments = assigned[scheme.name].cast(pa.string())
        assert there["segment"].cast(pa.string()).equals(segments)
