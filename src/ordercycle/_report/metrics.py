"""The metrics of the report, each declared once, and what they are quotients of.

Schema, CSV header, documentation and tests follow from this table. A further ratio is a further
row.
"""

from __future__ import annotations

from dataclasses import dataclass

from ordercycle._report.quantities import (
    CAMPAIGNS,
    CHANNEL,
    CRM,
    GRAINS,
    GROUP_GRAINS,
    IN_APP,
    OF_MESSAGES,
    PERSONALIZATION,
    base_quantities,
)

CUSTOMERS, ORDERS, REVENUE = "customers", "orders", "currency"
MESSAGES, PER_RECIPIENT, NUMBER = "messages", "messages per recipient", "points"
DAYS, SHARE, CYCLES = "days", "share", "cycles"
#: Units of whole numbers.
COUNTED = (CUSTOMERS, ORDERS, MESSAGES)
PERIOD, AUDIENCE = "period", "audience"


@dataclass(frozen=True)
class Metric:
    """A column of the report: a quantity, or a quotient of products of quantities."""

    name: str
    export: str
    unit: str
    scope: str  # of the period's orders, or of those in the segment on its last day
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    of_all: bool = False  # the denominator is that of All Customers
    doc: str = ""
    grains: tuple[str, ...] = ()  # what it is also known by, beside everything
    of_customers: bool = False  # though none of its quantities is: see `Catalogue`

    @property
    def is_money(self) -> bool:
        """Whether it is about amounts, and is left out where orders have none."""
        return any(one.is_money for name in self.parts for one in base_quantities(name))

    @property
    def parts(self) -> tuple[str, ...]:
        """The quantities of its quotient, each once."""
        return tuple(dict.fromkeys((*self.numerator, *self.denominator)))


@dataclass(frozen=True)
class GroupNames:
    """What the metrics of a group of an attribution are called; exports: of the four of them."""

    group: str
    what: str
    exports: tuple[str, str, str, str]


def group_metrics(names: GroupNames) -> tuple[Metric, ...]:
    """Return the revenue, its share, the orders and their average that a group won."""
    group, what = names.group, names.what
    revenue, orders = f"revenue from {group}", f"orders from {group}"
    titles = (
        f"Revenue from {what}", f"Share of Revenue from {what}", f"Orders from {what}",
        f"Average Order Value from {what}",
    )  # fmt: skip
    docs = (
        f"revenue of orders credited to {what}, refunds of them included",
        f"{titles[0]} / Revenue",
        f"orders credited to {what}",
        f"{titles[0]} / {titles[2]}",
    )
    if group == CRM:
        titles = (
            "Total CRM Revenue", "CRM Share of Revenue", "CRM Orders", "CRM Average Order Value"
        )  # fmt: skip
        docs = (
            "revenue of orders credited to any touch: each order once",
            "Total CRM Revenue / Revenue",
            "orders credited to any touch",
            "Total CRM Revenue / CRM Orders",
        )
    parts = (
        (REVENUE, (revenue,), ()),
        (SHARE, (revenue,), ("revenue",)),
        (ORDERS, (orders,), ()),
        (REVENUE, (revenue,), (orders,)),
    )
    grains = GROUP_GRAINS.get(group, GRAINS)
    rows = zip(titles, names.exports, parts, docs, strict=True)
    return tuple(
        Metric(title, export, unit, PERIOD, above, below, doc=doc, grains=grains)
        for title, export, (unit, above, below), doc in rows
    )


#: What a vendor's exports call the metrics of its groups.
OF_CRM = GroupNames(
    CRM, "CRM", ("CrmRevenue", "CrmRevenueShare", "CrmOrders", "CrmAverageOrderValue")
)
OF_IN_APP = GroupNames(
    IN_APP,
    "In-App",
    (
        "InAppRevenue", "RevenueShareFromInApp", "OrdersFromInApp", "AverageOrderValueFromInApp",
    ),
)  # fmt: skip
OF_CAMPAIGNS = GroupNames(
    CAMPAIGNS,
    "Campaigns",
    (
        "CampaignsRevenue", "CampaignsRevenueShare", "OrdersFromCampaigns",
        "AverageOrderValueFromCampaigns",
    ),
)  # fmt: skip
OF_PERSONALIZATION = GroupNames(
    PERSONALIZATION,
    "Personalization",
    (
        "WebsitePersonalizationRevenue", "RevenueShareFromWebsitePersonalization",
        "OrdersFromWebsitePersonalization", "AverageOrderValueFromWebsitePersonalization",
    ),
)  # fmt: skip


#: In the order of the export's columns: a vendor's, and behind them those that it does not have.
METRICS = (
    Metric(
        "Revenue", "TotalRevenue", REVENUE, PERIOD, ("revenue",),
        doc="net revenue of the period",
    ),
    Metric(
        "Orders", "Orders", ORDERS, PERIOD, ("orders",),
        doc="orders in the period",
    ),
    Metric(
        "Average Order Value", "AverageOrderValue", REVENUE, PERIOD, ("revenue",), ("orders",),
        doc="Revenue / Orders",
    ),
    Metric(
        "Orders per Buyer per Month", "AverageOrdersPerCustomerPerMonth", ORDERS, PERIOD,
        ("orders",), ("monthly buyers",),
        doc="Orders / the sum over the months of those who ordered in the month",
    ),
    Metric(
        "Revenue (all time)", "RevenueAllTime", REVENUE, AUDIENCE, ("all revenue",),
        doc="net revenue of the customers so far",
    ),
    Metric(
        "Share of Revenue (all time)", "RevenueShareAllTime", SHARE, AUDIENCE,
        ("all revenue",), ("all revenue",), of_all=True,
        doc="Revenue (all time) / that of All Customers",
    ),
    Metric(
        "Orders (all time)", "OrdersAllTime", ORDERS, AUDIENCE, ("all orders",),
        doc="orders of the customers so far",
    ),
    Metric(
        "Share of Orders (all time)", "OrdersShareAllTime", SHARE, AUDIENCE,
        ("all orders",), ("all orders",), of_all=True,
        doc="Orders (all time) / those of All Customers",
    ),
    Metric(
        "Average Order Value (all time)", "AverageOrderValueAllTime", REVENUE, AUDIENCE,
        ("all revenue",), ("all orders",),
        doc="Revenue (all time) / Orders (all time)",
    ),
    Metric(
        "Orders per Customer (all time)", "AverageOrdersPerCustomerAllTime", ORDERS, AUDIENCE,
        ("all orders",), ("customers",),
        doc="Orders (all time) / Customers",
    ),
    Metric(
        "Orders per Buyer (all time)", "AverageOrdersPerBuyerAllTime", ORDERS, AUDIENCE,
        ("all orders",), ("buyers",),
        doc="Orders (all time) / customers with an order",
    ),
    Metric(
        "Revenue per Customer (all time)", "AverageRevenuePerCustomerAllTime", REVENUE, AUDIENCE,
        ("all revenue",), ("customers",),
        doc="Revenue (all time) / Customers",
    ),
    Metric(
        "Revenue per Buyer (90 days)", "AverageRevenuePerBuyer90d", REVENUE, AUDIENCE,
        ("first revenue",), ("buyers",),
        doc="the sum of the buyers' revenue_first_90_days / customers with an order",
    ),
    Metric(
        "First-Order Conversion (all time)", "FirstOrderConversionAllTime", SHARE, AUDIENCE,
        ("buyers",), ("customers",),
        doc="share of the customers with an order",
    ),
    Metric(
        "Time to First Order", "AverageRegistrationToFirstOrderDaysAllTime", DAYS, AUDIENCE,
        ("waiting days",), ("buyers",),
        doc="mean days from registration to first order, over buyers",
    ),
    Metric(
        "Repeat-Order Conversion (all time)", "RepeatOrderConversionAllTime", SHARE, AUDIENCE,
        ("repeat buyers",), ("customers",),
        doc="share of the customers with two orders or more",
    ),
    Metric(
        "Share of Repeat Orders (all time)", "RepeatOrdersShareAllTime", SHARE, AUDIENCE,
        ("repeat orders",), ("all orders",),
        doc="orders after each buyer's first / Orders (all time)",
    ),
    Metric(
        "Returning Customer Rate (last month)", "ReturningCustomersRateLastMonth", SHARE, AUDIENCE,
        ("returning customers",), ("customers",),
        doc="share of the customers who ordered in the last month, and before that month as well",
    ),
    Metric(
        "Time Between Orders", "AverageTimeBetweenOrdersAllTime", DAYS, AUDIENCE,
        ("lifetime days",), ("repeat orders",),
        doc="mean gap between consecutive orders, over all gaps of all customers",
    ),
    Metric(
        "Days Since Last Order", "AverageDaysSinceLastOrderAllTime", DAYS, AUDIENCE,
        ("days since last order",), ("buyers",),
        doc="mean over buyers",
    ),
    Metric(
        "Missed Purchase Cycles", "MissedPurchaseCyclesAllTime", CYCLES, AUDIENCE,
        ("days since last order", "repeat orders"), ("buyers", "lifetime days"),
        doc="Days Since Last Order / Time Between Orders",
    ),
    Metric(
        "Customer Lifetime", "AverageCustomerLifetimeDaysAllTime", DAYS, AUDIENCE,
        ("lifetime days",), ("buyers",),
        doc="mean days from first to last order, over buyers",
    ),
    *group_metrics(OF_CRM),
    *group_metrics(OF_IN_APP),
    Metric(
        "Customers", "TotalCustomers", CUSTOMERS, PERIOD, ("customers",),
        doc="customers in the segment on the period's last day",
    ),
    Metric(
        "Customer Share", "CustomersShare", SHARE, AUDIENCE, ("customers",), ("customers",),
        of_all=True,
        doc="Customers / those of All Customers",
    ),
    *group_metrics(OF_CAMPAIGNS),
    Metric(
        "Campaign Conversion to Goal", "CampaignsConversionRate", SHARE, PERIOD,
        ("orders from campaigns",), ("deliveries",), grains=OF_MESSAGES, of_customers=True,
        doc="Orders from Campaigns / Deliveries",
    ),
    Metric(
        "Revenue per Recipient from Campaigns", "AverageRevenuePerRecipient", REVENUE, PERIOD,
        ("revenue from campaigns",), ("reach",), grains=OF_MESSAGES,
        doc="Revenue from Campaigns / different customers with a delivery in the period",
    ),
    Metric(
        "Subscribers", "Subscribers", CUSTOMERS, PERIOD, ("subscribers",), grains=(CHANNEL,),
        doc="customers who are subscribed in a channel in which their contact is valid, on the "
        "period's last day",
    ),
    Metric(
        "Recipients", "Recipients", CUSTOMERS, PERIOD, ("recipients",), grains=OF_MESSAGES,
        doc="different customers with a delivery in the period's last month",
    ),
    Metric(
        "Delivered Campaigns per Recipient", "AverageDeliveredCampaignsPerRecipient",
        PER_RECIPIENT, PERIOD, ("deliveries",), ("monthly recipients",), grains=OF_MESSAGES,
        doc="deliveries / the sum over the months of those who had one in the month",
    ),
    *group_metrics(OF_PERSONALIZATION),
    Metric(
        "New Customer Registrations", "NewCustomerRegistrations", CUSTOMERS, PERIOD,
        ("registrations",),
        doc="customers who came in the period, in the segment of that day",
    ),
    Metric(
        "Reach", "Reach", CUSTOMERS, PERIOD, ("reach",), grains=OF_MESSAGES,
        doc="different customers with a delivery in the period",
    ),
    Metric(
        "Deliveries", "Deliveries", MESSAGES, PERIOD, ("deliveries",), grains=OF_MESSAGES,
        doc="messages delivered in the period, those that the attribution excludes left out",
    ),
    Metric(
        "Open Rate", "OpenRate", SHARE, PERIOD, ("opened deliveries",), ("deliveries",),
        grains=OF_MESSAGES, doc="share of the messages delivered in the period that were opened",
    ),
    Metric(
        "Click Rate", "ClickRate", SHARE, PERIOD, ("clicked deliveries",), ("deliveries",),
        grains=OF_MESSAGES, doc="share of the messages delivered in the period that were clicked",
    ),
    Metric(
        "Unsubscribe Rate", "UnsubscribeRate", SHARE, PERIOD, ("unsubscribed deliveries",),
        ("deliveries",), grains=OF_MESSAGES,
        doc="share of the messages delivered in the period that led to an unsubscription",
    ),
    Metric(
        "Contact Collection Rate", "ContactCollectionRate", SHARE, PERIOD,
        ("visits with a contact",), ("visits without a customer",), grains=OF_MESSAGES,
        doc="share of the visits by people who are no customers yet that ended in a submitted "
        "form; of All Customers, as such people are in no segment",
    ),
    Metric(
        "Loyalty Program Members", "LoyaltyMembers", CUSTOMERS, PERIOD, ("members",),
        doc="members on the period's last day",
    ),
    Metric(
        "Revenue (members)", "RevenueMembers", REVENUE, PERIOD, ("member revenue",),
        doc="revenue of orders of those who are members on the order's day",
    ),
    Metric(
        "Revenue (non-members)", "RevenueNonMembers", REVENUE, PERIOD, ("other revenue",),
        doc="Revenue - Revenue (members)",
    ),
    Metric(
        "Share of Revenue (members)", "RevenueShareMembers", SHARE, PERIOD, ("member revenue",),
        ("revenue",), doc="Revenue (members) / Revenue",
    ),
    Metric(
        "Orders (members)", "OrdersMembers", ORDERS, PERIOD, ("member orders",),
        doc="orders of those who are members on the order's day",
    ),
    Metric(
        "Orders (non-members)", "OrdersNonMembers", ORDERS, PERIOD, ("other orders",),
        doc="Orders - Orders (members)",
    ),
    Metric(
        "Average Order Value (members)", "AverageOrderValueMembers", REVENUE, PERIOD,
        ("member revenue",), ("member orders",), doc="Revenue (members) / Orders (members)",
    ),
    Metric(
        "Average Order Value (non-members)", "AverageOrderValueNonMembers", REVENUE, PERIOD,
        ("other revenue",), ("other orders",), doc="Revenue (non-members) / Orders (non-members)",
    ),
    Metric(
        "Average Order Value Uplift", "AverageOrderValueUplift", REVENUE, PERIOD,
        ("order value uplift",), ("member orders", "other orders"),
        doc="Average Order Value (members) - Average Order Value (non-members)",
    ),
    Metric(
        "Points Awarded", "PointsAwarded", NUMBER, PERIOD, ("awarded points",),
        doc="points awarded to members, reversals taken off on their own day",
    ),
    Metric(
        "Points Redeemed", "PointsRedeemed", NUMBER, PERIOD, ("redeemed points",),
        doc="points redeemed by members, reversals taken off on their own day",
    ),
    Metric(
        "Redemption Rate", "RedemptionRate", SHARE, PERIOD, ("redeemed points",),
        ("awarded points",), doc="Points Redeemed / Points Awarded; expired points are in neither",
    ),
    Metric(
        "Total Discount Amount", "TotalDiscountAmount", REVENUE, PERIOD, ("member discount",),
        doc="discount on the orders of those who are members on the order's day",
    ),
    Metric(
        "Discount Share", "DiscountShare", SHARE, PERIOD, ("member discount",),
        ("member revenue",), doc="Total Discount Amount / Revenue (members)",
    ),
)  # fmt: skip
