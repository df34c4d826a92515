"""Why an order is credited to the touches that it is credited to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, booleans, rows_of
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.credit_table import GROUP, INSTANTS, CreditTable, Shown
from ordercycle._attribution.durations import in_microseconds
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, KIND, NONE
from ordercycle._errors import ConfigError, DataError, Option, printable
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.side_by_side import HashSpan
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._workspace import Workspace

#: What became of a touch, in the order in which a reason comes before another.
OUTCOMES = (
    "excluded",
    "kind",
    "channel",
    "brand",
    "visit",
    "window",
    "used",
    "won",
    "shadowed",
)


def explained(scan: CreditScan, order: object) -> pa.Table:
    """Return the touches that an order could have been credited to, and what became of each.

    Raises
    ------
    ConfigError
        There is no such order.
    DataError
        It is of several customers.
    """
    found = list(_found(scan, order))
    if not found:
        raise ConfigError(
            printable(f"there is no order {order!r}"),
            remedy="pass the id of an order of the history, as it was given",
        )
    if len(found) > 1:
        raise DataError(
            printable(
                f"order {order!r} is of {len(found)} customers, such as "
                f"{found[0][0].as_py()!r} and {found[1][0].as_py()!r}"
            ),
            remedy="make ids of orders unique",
            count=len(found),
        )
    own_hash = int(hashes_of(found[0])[0])

    def explain(met: Meeting) -> pa.Table:
        ids = scan.reader.order_ids(met.orders.batch)
        is_it = _equal(ids, _scalar(scan, order))
        rows = np.flatnonzero(is_it & met.orders.are_orders)
        return _explained(scan, met, int(rows[0]))

    return scan.of_customer(HashSpan(own_hash, own_hash), explain)


def _scalar(scan: CreditScan, order: object) -> pa.Scalar:
    reader = scan.orders.spec.order_ids
    if reader is None:
        raise ConfigError(
            "the orders have no ids",
            remedy=("name the column of their history that has them: ", Option("Columns.order")),
        )
    try:
        return pa.scalar(order, reader.plain)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        raise ConfigError(
            printable(f"there is no order {order!r}: ids are {reader.given}"),
            remedy="pass the id of an order of the history, as it was given",
        ) from None


def _found(scan: CreditScan, order: object) -> Iterator[pa.Array]:
    """Yield the customers who have an order of that id: each in an array of its own."""
    wanted = _scalar(scan, order)

    def look(_: int, batch: CustomerBatch, __: Workspace) -> pa.Array:
        rows = scan.reader.rows(batch)
        ids = scan.reader.order_ids(rows.batch)
        is_it = _equal(ids, wanted) & rows.are_orders
        customers = np.searchsorted(rows.batch.offsets, np.flatnonzero(is_it), side="right") - 1
        return rows.batch.ids.take(rows_of(customers))

    for ids in scan.orders.scan(look):
        for place in range(len(ids)):
            yield ids.slice(place, 1)


def _equal(ids: pa.Array, wanted: pa.Scalar) -> NDArray[np.bool_]:
    return booleans(pc.equal(ids, wanted).fill_null(fill_value=False))


def _explained(scan: CreditScan, met: Meeting, order: int) -> pa.Table:
    model, orders = scan.model, met.orders
    at = int(orders.instants[order])
    offsets = orders.batch.offsets
    customer = int(np.searchsorted(offsets, order, side="right")) - 1
    rows = np.arange(met.own.begins[customer], met.own.ends[customer])
    instants = np.zeros(0, np.int64) if met.touches.instants is None else met.touches.instants
    widest = max(map(in_microseconds, model.lengths.values()))
    rows = rows[(instants[rows] <= at) & (at - instants[rows] < widest)]
    reasons = dict(_reasons(scan, met, order, customer, rows))
    outcomes = np.full(rows.size, OUTCOMES.index("shadowed"))
    for name in reversed(OUTCOMES):
        outcomes[reasons.get(name, np.zeros(rows.size, np.bool_))] = OUTCOMES.index(name)
    table = CreditTable(scan)
    shown = Shown.of(rows)
    names = pa.DictionaryArray.from_arrays(
        array_of(outcomes.astype(np.int32), pa.int32()), pa.array(OUTCOMES)
    )
    return pa.table(
        {
            **{
                name: table.attribute(name, met, shown) for name in (CHANNEL_COLUMN, CAMPAIGN, KIND)
            },
            "touched_at": array_of(instants[rows], INSTANTS),
            GROUP: table.groups(met, shown),
            "outcome": names.cast(pa.string()),
        }
    )


def _reasons(
    scan: CreditScan, met: Meeting, order: int, customer: int, rows: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield every reason, and of which touches it holds."""
    model, orders, batch = scan.model, met.orders, met.touches
    if not rows.size:
        return
    classes = scan.finder.classes
    at = int(orders.instants[order])
    instants = np.zeros(0, np.int64) if batch.instants is None else batch.instants
    excluded = met.qualified.excluded
    if excluded.size:
        yield "excluded", excluded[rows]
    pairs = batch.codes[KIND][rows].astype(np.int64) * classes.channels
    pairs += batch.codes[CHANNEL_COLUMN][rows]
    yield "kind", ~classes.named[pairs]
    yield "channel", scan.groups_of(met, rows) == NONE
    if model.brand is not None:
        yield "brand", batch.codes[model.brand][rows] != orders.brands[order]
    if met.visits is not None and met.visits.instants is not None:
        of_visits = slice(met.of_visits.begins[customer], met.of_visits.ends[customer])
        visits = met.visits.instants[of_visits]
        last = visits[visits <= at].max(initial=np.iinfo(np.int64).min)
        yield "visit", instants[rows] < last
    places = np.full(batch.days.size, NONE)
    places[met.qualified.rows] = np.arange(met.qualified.rows.size)
    its = places[rows]
    qualifies = its != NONE
    windows = np.array([in_microseconds(one.window) for one in classes.known] or [0])
    own = windows[met.qualified.classes[its[qualifies]]]
    is_closed = np.zeros(rows.size, np.bool_)
    is_closed[qualifies] = at - met.qualified.starts[its[qualifies]] >= own
    yield "window", is_closed
    if not model.reuse:
        earlier = np.arange(orders.batch.offsets[customer], order)
        earlier = earlier[orders.are_orders[earlier]]
        if orders.brands.size:
            earlier = earlier[orders.brands[earlier] == orders.brands[order]]
        last = orders.instants[earlier].max(initial=np.iinfo(np.int64).min)
        yield "used", instants[rows] <= last
    credited = scan.rows(met, scan.paths(met))
    yield "won", np.isin(rows, credited.touches[credited.entries == order])
