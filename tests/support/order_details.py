"""Orders with attributes, values and instants, of drawn cases."""

from dataclasses import replace

import pyarrow as pa
from support.events import OrderEventCase
from support.histories import NAMES, options_of
from support.layouts import Layout
from support.strategies import customer_columns

import ordercycle as oc


def options(case: OrderEventCase, **more) -> dict:
    """Return the options of building a case."""
    given = options_of(case.case)
    kept = case.kept
    columns = replace(
        given["columns"],
        attributes=kept.attributes,
        values=kept.values,
        instants=kept.instants,
    )
    day_instants = kept.instants and kept.day_instants
    return given | {"columns": columns, "day_instants": day_instants} | more


def tables(case: OrderEventCase, layout: Layout) -> tuple[pa.Table, pa.Table | None]:
    """Return the orders and the customers of a case."""
    orders = layout.table(case.columns(NAMES))
    listed = case.case.customers
    return orders, None if listed is None else layout.table(customer_columns(case.case, NAMES))


def detailed(case: OrderEventCase, layout: Layout, **more) -> oc.OrderHistory:
    return oc.OrderHistory.build(*tables(case, layout), **options(case, **more))
