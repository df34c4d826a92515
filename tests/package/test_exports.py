"""Exports of shops, each read by one command and one source file; right values are by hand."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from support.command_line import run

EXPORTS = Path(__file__).parents[2] / "docs" / "exports"
AS_OF = "2026-04-01"

#: Per customer: first and last order, orders, revenue.
RIGHT = {
    "shopify/orders_export.csv": {
        # 45, a machine of 1,200 that two exports hold, 35 on the day the clocks change
        "ana@example.com": ("2026-01-05", "2026-03-08", 3, "1280.00"),
        # refunded in full, then in part
        "ben@example.com": ("2026-01-09", "2026-03-08", 2, "35.00"),
    },
    "woocommerce/orders.csv": {
        "zoë martin": ("2026-01-05", "2026-02-14", 2, "75.00"),
        "luc petit": ("2026-02-02", "2026-03-03", 2, "51.50"),
    },
    "stripe/payments.csv": {
        # The last payment is made on March 1 in Madrid: 23:15 UTC on February 28.
        "cus_P001": ("2026-01-05", "2026-03-01", 3, "137.00"),
        "cus_P002": ("2026-02-02", "2026-02-02", 1, "0.00"),
        "guest@example.com": ("2026-03-01", "2026-03-01", 1, "15.00"),
    },
    "magento/export.csv": {
        "ana@example.com": ("2026-01-05", "2026-02-03", 2, "1245.5000"),
        "ben@example.com": ("2026-01-09", "2026-03-08", 2, "35.0000"),
    },
    "uci/by-day": {
        # 6 x 2.55 + 10 x 1.375, less 4 x 1.375, and 12 x 2.1
        "20001": ("2010-12-01", "2011-01-14", 2, "48.750"),
        "20002": ("2010-12-01", "2010-12-01", 1, "4.950"),
    },
}


@pytest.mark.parametrize("export", RIGHT)
def test_one_command_and_one_source_file_read_an_export(export):
    path = EXPORTS / export
    source = EXPORTS / export.partition("/")[0] / "source.toml"
    result = run("profile", str(path), "--source", str(source), "--as-of", AS_OF)
    assert result.exit_code == 0, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr  # no warning: the file says it all
    found = {
        row["customer_id"]: (
            row["first_order_on"],
            row["last_order_on"],
            int(row["orders"]),
            Decimal(row["revenue"]),
        )
        for row in csv.DictReader(io.StringIO(result.stdout))
    }
    right = {name: (*days, Decimal(revenue)) for name, (*days, revenue) in RIGHT[export].items()}
    assert found == right


def test_every_export_of_the_guide_is_tested():
    there = {path.parent.name for path in EXPORTS.glob("*/source.toml")}
    assert there == {export.partition("/")[0] for export in RIGHT}
