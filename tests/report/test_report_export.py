"""The segment report as a file, as text and in a notebook."""

import csv
import io
import os

import pytest
from support.reports import PERIOD, lists_of, random_orders, report_of, shop

import ordercycle as oc
from ordercycle._report.catalogue import Catalogue

EXPORT = [
    "PeriodStart",
    "PeriodEnd",
    "Date",
    "Brand",
    "TargetAction",
    "SegmentName",
    "Channel",
    "MailingType",
    "FormType",
    "TotalRevenue",
    "Orders",
    "AverageOrderValue",
    "AverageOrdersPerCustomerPerMonth",
    "RevenueAllTime",
    "RevenueShareAllTime",
    "OrdersAllTime",
    "OrdersShareAllTime",
    "AverageOrderValueAllTime",
    "AverageOrdersPerCustomerAllTime",
    "AverageOrdersPerBuyerAllTime",
    "AverageRevenuePerCustomerAllTime",
    "AverageRevenuePerBuyer90d",
    "FirstOrderConversionAllTime",
    "AverageRegistrationToFirstOrderDaysAllTime",
    "RepeatOrderConversionAllTime",
    "RepeatOrdersShareAllTime",
    "ReturningCustomersRateLastMonth",
    "AverageTimeBetweenOrdersAllTime",
    "AverageDaysSinceLastOrderAllTime",
    "MissedPurchaseCyclesAllTime",
    "AverageCustomerLifetimeDaysAllTime",
    "TotalCustomers",
    "CustomersShare",
    "NewCustomerRegistrations",
]


def rows_of(report: oc.SegmentReport, **options) -> list[dict[str, str]]:
    text = io.StringIO()
    report.to_csv(text, **options)
    reader = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
    assert reader.fieldnames == EXPORT
    return list(reader)


def test_the_export_reads_back_as_it_was():
    found = report_of(random_orders(5, 800, "float"), as_of="2025-12-31")
    rows = rows_of(found)
    values = [row["value"] for row in found.comparison().to_pylist()]
    previous = [row["previous"] for row in found.comparison().to_pylist()]
    read = [
        None if row[metric.export] == "" else float(row[metric.export])
        for row in rows
        for metric in Catalogue(has_money=True).metrics
    ]
    assert read == [*values, *previous]
    starts = [(row["PeriodStart"], row["PeriodEnd"], row["Date"]) for row in rows]
    assert (
        starts == [("2025-10-01", "2025-12-31", "")] * 10 + [("2024-10-01", "2024-12-31", "")] * 10
    )
    assert all(row["Orders"].isdigit() and row["TotalCustomers"].isdigit() for row in rows)


def test_the_export_of_dynamics():
    found = report_of(shop(), compare=None, segments=["Active"])
    rows = rows_of(found, mode="dynamics", metric="Revenue", months=("2025-09", "2025-11"))
    assert [(row["SegmentName"], row["Date"], row["TotalRevenue"]) for row in rows] == [
        ("Active", "2025-09-01", "0.0"), ("All Customers", "2025-09-01", "0.0"),
        ("Active", "2025-10-01", "30.0"), ("All Customers", "2025-10-01", "30.0"),
        ("Active", "2025-11-01", "0.0"), ("All Customers", "2025-11-01", "10.0"),
    ]  # fmt: skip
    assert {row["PeriodStart"] for row in rows} == {"2025-09-01"}
    assert {row["PeriodEnd"] for row in rows} == {"2025-11-30"}
    assert {row["Orders"] for row in rows} == {""}
    everything = rows_of(found, mode="dynamics")
    assert len(everything) == 2 * 13
    assert everything[-1]["Orders"] == "1"


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "\rx", " =1", "＝1", 'a",b\n=1', "\0a", "\ufeff=1"],
)
def test_names_do_not_become_formulas(name):
    history = oc.OrderHistory.build(shop())
    found = oc.SegmentReport.build(history, lists_of([name]), period=PERIOD)
    written = rows_of(found)[0]["SegmentName"]
    assert written == (name if name.startswith("a") else f"'{name}")
    assert found.segments == (name,)
    assert "<td>" in found._repr_html_()


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    found = report_of(shop())
    path = tmp_path / "report.csv"
    path.write_text("the old one")

    def full(_handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(oc.StorageError, match=r"report.csv cannot be written: No space"):
            found.to_csv(path)
    assert [one.name for one in tmp_path.iterdir()] == ["report.csv"]
    assert path.read_text() == "the old one"
    found.to_csv(str(path))
    assert path.read_text().startswith(",".join(EXPORT[:10]))
    assert [one.name for one in tmp_path.iterdir()] == ["report.csv"]
    with pytest.raises(oc.StorageError, match="No such file"):
        found.to_csv(tmp_path / "nowhere" / "report.csv")


def test_a_pipe_is_written_to_and_stays(tmp_path):
    path = tmp_path / "report.csv"
    os.mkfifo(path)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK)) as read:
        report_of(shop()).to_csv(path)
        assert read.readline().startswith(",".join(EXPORT[:9]))
    assert path.is_fifo()


def test_what_one_sees():
    found = report_of(shop(), segments=["Active", "Churned"])
    lines = repr(found).splitlines()
    assert lines[0] == "Segment report 2025-10 to 2025-12, change from 2024-10 to 2024-12"
    assert lines[-1].split() == [
        "All", "Customers", "3", "+200.0%", "47.00", "+135.0%", "3", "+200.0%", "15.67", "-21.7%"
    ]  # fmt: skip
    assert "±" not in repr(report_of(shop(), compare=None))
    html = report_of(shop(), segments=["Active"])._repr_html_()
    assert html.count("<tr>") == 3
    assert "<th>All Customers</th>" in html


def test_a_name_of_two_lines_takes_one():
    history = oc.OrderHistory.build(shop())
    found = oc.SegmentReport.build(history, lists_of(["two\nlines"]), period=PERIOD)
    assert len(repr(found).splitlines()) == 4
    assert r"two\nlines" in repr(found)


def test_names_are_text_in_notebooks():
    history = oc.OrderHistory.build(shop())
    found = oc.SegmentReport.build(history, lists_of(["<script>"]), period=PERIOD)
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
