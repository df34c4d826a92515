"""What the dashboard's own metrics and columns are called: all of them are declared, and told."""

from pathlib import Path

import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._report.metrics import METRICS

pytestmark = pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")

#: The metrics of a segments dashboard, in the groups and under the names that it gives them.
METRICS_OF_SOURCE = {
    "business": (
        "Revenue", "Orders", "Average Order Value", "Orders per Buyer per Month", "Customers",
        "New Customer Registrations",
    ),
    "crm": (
        "Total CRM Revenue", "CRM Share of Revenue", "CRM Orders", "CRM Average Order Value",
    ),
    "campaigns": (
        "Revenue from Campaigns", "Share of Revenue from Campaigns", "Orders from Campaigns",
        "Average Order Value from Campaigns", "Campaign Conversion to Goal",
        "Revenue per Recipient from Campaigns", "Subscribers", "Recipients",
        "Delivered Campaigns per Recipient",
    ),
    "personalization": (
        "Revenue from Personalization", "Share of Revenue from Personalization",
        "Orders from Personalization", "Average Order Value from Personalization",
    ),
    "in-app": (
        "Revenue from In-App", "Share of Revenue from In-App", "Orders from In-App",
        "Average Order Value from In-App",
    ),
    "loyalty": (
        "Loyalty Program Members", "Revenue (members)", "Revenue (non-members)",
        "Share of Revenue (members)", "Orders (members)", "Orders (non-members)",
        "Average Order Value (members)", "Average Order Value (non-members)",
        "Average Order Value Uplift", "Points Awarded", "Points Redeemed", "Redemption Rate",
        "Total Discount Amount", "Discount Share",
    ),
    "audience": (
        "Customer Share", "Revenue (all time)", "Share of Revenue (all time)", "Orders (all time)",
        "Share of Orders (all time)", "Average Order Value (all time)",
        "Orders per Customer (all time)", "Orders per Buyer (all time)",
        "Revenue per Customer (all time)", "Revenue per Buyer (90 days)",
        "First-Order Conversion (all time)", "Time to First Order",
        "Repeat-Order Conversion (all time)", "Share of Repeat Orders (all time)",
        "Returning Customer Rate (last month)", "Time Between Orders", "Days Since Last Order",
        "Missed Purchase Cycles", "Customer Lifetime",
    ),
}  # fmt: skip
#: The columns of its export, in their order.
EXPORT_OF_SOURCE = [
    "TotalRevenue", "Orders", "AverageOrderValue", "AverageOrdersPerCustomerPerMonth",
    "RevenueAllTime", "RevenueShareAllTime", "OrdersAllTime", "OrdersShareAllTime",
    "AverageOrderValueAllTime", "AverageOrdersPerCustomerAllTime", "AverageOrdersPerBuyerAllTime",
    "AverageRevenuePerCustomerAllTime", "AverageRevenuePerBuyer90d",
    "FirstOrderConversionAllTime", "AverageRegistrationToFirstOrderDaysAllTime",
    "RepeatOrderConversionAllTime", "RepeatOrdersShareAllTime", "ReturningCustomersRateLastMonth",
    "AverageTimeBetweenOrdersAllTime", "AverageDaysSinceLastOrderAllTime",
    "MissedPurchaseCyclesAllTime", "AverageCustomerLifetimeDaysAllTime", "CrmRevenue",
    "CrmRevenueShare", "CrmOrders", "CrmAverageOrderValue", "InAppRevenue",
    "RevenueShareFromInApp", "OrdersFromInApp", "AverageOrderValueFromInApp", "TotalCustomers",
    "CustomersShare", "CampaignsRevenue", "CampaignsRevenueShare", "OrdersFromCampaigns",
    "AverageOrderValueFromCampaigns", "CampaignsConversionRate", "AverageRevenuePerRecipient",
    "Subscribers", "Recipients", "AverageDeliveredCampaignsPerRecipient",
    "WebsitePersonalizationRevenue", "RevenueShareFromWebsitePersonalization",
    "OrdersFromWebsitePersonalization", "AverageOrderValueFromWebsitePersonalization",
]  # fmt: skip
PLACES = (
    "PeriodStart", "PeriodEnd", "Date", "Brand", "TargetAction", "SegmentName", "Channel",
    "MailingType", "FormType",
)  # fmt: skip
ENGAGEMENT = ("Open Rate", "Click Rate", "Unsubscribe Rate", "Contact Collection Rate")


def test_every_metric_has_its_row():
    """The table of the reference is made of these rows: each has a meaning to show."""
    declared = {one.name: one for one in METRICS}
    wanted = [name for names in METRICS_OF_SOURCE.values() for name in names]
    assert [name for name in (*wanted, *ENGAGEMENT) if name not in declared] == []
    assert [name for name in wanted if not declared[name].doc] == []
    page = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
    assert ".. metrics::" in page.read_text(encoding="utf-8")


def test_every_column_of_the_export_in_its_order():
    assert [one.export for one in METRICS][: len(EXPORT_OF_SOURCE)] == EXPORT_OF_SOURCE
    guide = Path(__file__).parents[2] / "docs" / "guides" / "segment-report.md"
    text = guide.read_text(encoding="utf-8")
    assert [name for name in PLACES if f"`{name}`" not in text] == []


def test_the_header_of_a_file_has_them_all(tmp_path):
    data = oc.datasets.generated(customers=60, touches=True)
    orders = oc.OrderHistory.build(data.orders, columns=data.columns)
    columns = oc.EventColumns(attributes=("kind", "channel", "campaign"))
    touches = oc.EventHistory.build(data.touches(), columns=columns)
    ids = orders.profile("2025-12-31").column("customer_id").slice(0, 3)
    subscribed = {"customer_id": ids.to_pylist(), "channel": ["Email"] * 3, "topic": ["news"] * 3}
    report = oc.SegmentReport.build(
        orders, oc.Lifecycle().membership(orders), period="2025-11", compare=None,
        as_of="2025-11-30", credited=oc.Attribution().credit(orders, touches),
        subscriptions=pa.table(subscribed),
    )  # fmt: skip
    report.to_csv(tmp_path / "report.csv")
    header = (tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[: len(PLACES)] == list(PLACES)
    assert header[len(PLACES) :][: len(EXPORT_OF_SOURCE)] == EXPORT_OF_SOURCE
