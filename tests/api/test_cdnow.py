"""The CDNOW log: counts and published statistics of Fader & Hardie's sample.

Fader and Hardie ("Creating a Fit History for the CDNOW data", and the worked BG/NBD examples that
use it) describe each of 2,357 sample customers by x, t_x and T as of 1997-09-30, the end of a 39
week calibration period: x repeat transactions (purchases of one day are one transaction), t_x the
week of the last one, T the weeks since the first, both counted from the first purchase. The
published table gives weeks as days / 7, rounded to two decimals, trailing zeros left out. No tie
occurs in that rounding: a seventh with two decimals is a whole number.
"""

import csv
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from histories import check_membership
from oracle.history import OrderRow, build
from oracle.lifecycle import fit

import ordercycle as oc

END_OF_CALIBRATION = date(1997, 9, 30)
COLUMNS = oc.Columns(customer="customer", time="bought_on", amount="dollars")


def dataset(name: str) -> Path:
    """Locate a file of the `lifetimes` package without importing it."""
    (folder,) = find_spec("lifetimes").submodule_search_locations
    return Path(folder) / "datasets" / name


def order_table(lines: list[list[str]], customer: int) -> pa.Table:
    """Return a log as a table; the last three fields of a line are date, number of CDs, dollars."""
    return pa.table(
        {
            "customer": pa.array([int(line[customer]) for line in lines]),
            "bought_on": pa.array([date.fromisoformat(line[-3]) for line in lines]),
            "dollars": pa.array([Decimal(line[-1]) for line in lines], pa.decimal128(9, 2)),
        }
    )


@pytest.fixture(scope="module")
def master() -> pa.Table:
    lines = dataset("CDNOW_master.txt").read_text("latin-1").splitlines()
    return order_table([line.split() for line in lines[1:] if line.strip()], customer=0)


@pytest.fixture(scope="module")
def sample() -> pa.Table:
    lines = dataset("CDNOW_sample.txt").read_text("latin-1").splitlines()
    return order_table([line.split() for line in lines if line.strip()], customer=1)


def test_cdnow_master_has_69659_transactions_of_23570_customers(master):
    history = oc.OrderHistory.build(master, columns=COLUMNS)
    table = history.profile("1998-06-30")
    assert table.num_rows == 23_570
    assert sum(table["orders"].to_pylist()) == 69_659
    summary = history.summary()
    assert summary.rows == summary.orders == 69_659
    assert summary.customers == 23_570
    assert (summary.first_day, summary.last_day) == (date(1997, 1, 1), date(1998, 6, 30))


def test_cdnow_master_revenue_is_exact_to_the_cent(master):
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    assert sum(table["revenue"].to_pylist()) == sum(master["dollars"].to_pylist())


def test_fader_hardie_x_tx_and_t_of_all_2357_sample_customers(sample):
    table = oc.OrderHistory.build(sample, columns=COLUMNS).profile(END_OF_CALIBRATION)
    with dataset("cdnow_customers_summary.csv").open(newline="") as file:
        published = {
            int(row["ID"]): (int(row["frequency"]), Decimal(row["recency"]), Decimal(row["T"]))
            for row in csv.DictReader(file)
        }
    reproduced = {
        row["customer_id"]: (
            row["order_days"] - 1,
            weeks(row["lifetime_days"]),
            weeks((END_OF_CALIBRATION - row["first_order_on"]).days),
        )
        for row in table.to_pylist()
    }
    assert len(published) == 2_357
    assert reproduced == published


def weeks(days: int) -> Decimal:
    """Return days / 7, rounded to two decimals as published.

    >>> weeks(213), weeks(12), weeks(272)
    (Decimal('30.43'), Decimal('1.71'), Decimal('38.86'))
    """
    return Decimal(round(Fraction(days, 7) * 100)) / 100


def test_fader_hardie_customers_who_never_came_back_have_x_and_tx_of_zero(sample):
    table = oc.OrderHistory.build(sample, columns=COLUMNS).profile(END_OF_CALIBRATION)
    once = [row for row in table.to_pylist() if row["order_days"] == 1]
    # 1,411 of the 2,357 made no repeat purchase in the 39 weeks.
    assert len(once) == 1_411
    assert {row["lifetime_days"] for row in once} == {0}


def test_the_music_preset_is_what_the_master_file_fits(master):
    rows = [OrderRow(*row.values()) for row in master.to_pylist()]
    fitted = fit(build(rows), date(1998, 6, 30))
    preset = oc.Lifecycle.presets()["music"]
    assert not preset.published
    assert (preset.active_days, preset.churned_days) == (fitted.active_days, fitted.churned_days)
    # 545 days of orders cannot show how many gaps are longer than a year.
    with pytest.warns(oc.OrdercycleWarning, match="545 days, less than twice churned_days=381"):
        ours = oc.Lifecycle().fit(oc.OrderHistory.build(master, columns=COLUMNS), "1998-06-30")
    assert (ours.active_days, ours.churned_days) == (fitted.active_days, fitted.churned_days)


def test_the_membership_of_every_customer_is_the_segment_of_the_profile(master):
    history = oc.OrderHistory.build(master, columns=COLUMNS)
    lifecycle = oc.Lifecycle.preset("music")
    days = [date(1997, 1, 1), date(1997, 4, 24), END_OF_CALIBRATION, date(1998, 6, 30)]
    check_membership(lifecycle.membership(history), lifecycle, history, days)
