"""What messages brought: the report of an imagined shop by channel."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ordercycle as oc

if TYPE_CHECKING:
    from ordercycle._datasets.planted_touches import Planted

CUSTOMERS, SEED = 2_000, 7
DELIVERIES, ORDERS = "Deliveries", "CRM Orders"
REVENUE, TOTAL = "Total CRM Revenue", "Revenue"
#: What stands for all channels together.
ALL = "All channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What was delivered in a channel, and what orders are credited to it.

    share: of the revenue of the shop.
    """

    name: str
    deliveries: float | None
    orders: float | None
    revenue: float | None
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """A report by channel: all together last.

    shop: what the orders are; period: its months.
    """

    shop: str
    period: str
    rows: list[Channel]


def channels() -> Channels:
    """Return the report of the last quarter of an imagined shop."""
    data: Planted = oc.datasets.generated(CUSTOMERS, seed=SEED, touches=True)
    history = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
    touches = oc.EventHistory.build(
        data.touches(),
        columns=oc.EventColumns(
            id="event_id", attributes=("kind", "channel", "campaign", "machine"), keys=("message",)
        ),
        lookups={"campaign": data.campaigns()},
    )
    with warnings.catch_warnings():  # touches have people whom nobody knows, as everywhere
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        model = oc.Attribution(exclude="machine")
        report = oc.SegmentReport.build(
            history,
            oc.Lifecycle().membership(history),
            period=("2025-10", "2025-12"),
            compare=None,
            credited=model.credit(history, touches),
        )
    found: dict[str, dict[str, float | None]] = {}
    for row in report.channels("All Customers", [DELIVERIES, ORDERS, REVENUE]).to_pylist():
        found.setdefault(row["channel"], {})[row["metric"]] = row["value"]
    whole = report.comparison([DELIVERIES, ORDERS, REVENUE, TOTAL]).to_pylist()
    of_all = {row["metric"]: row["value"] for row in whole if row["segment"] == "All Customers"}
    total = of_all[TOTAL]
    rows = [
        Channel(
            name=name,
            deliveries=its[DELIVERIES],
            orders=its[ORDERS],
            revenue=its[REVENUE],
            share=(its[REVENUE] or 0.0) / total if total else None,
        )
        for name, its in {**found, ALL: of_all}.items()
    ]
    return Channels(shop=data.about, period=report.period, rows=rows)
