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
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from oracle.history import OrderRow, build
from oracle.lifecycle import fit
from oracle.rfm import cuts
from oracle.transitions import matrix, transitions
from support.histories import check_membership

import ordercycle as oc
from ordercycle._datasets.packaged import packaged_file

END_OF_CALIBRATION = date(1997, 9, 30)
COLUMNS = oc.Columns(customer="customer", time="bought_on", amount="dollars")


def dataset(name: str) -> Path:
    return packaged_file("lifetimes", "datasets", name)


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


def test_fader_hardie_lee_12054_customers_never_came_back_in_78_weeks(master):
    """Fader, Hardie and Lee (2005, "RFM and CLV") give those R = F = M = 0 before they score."""
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    rest = oc.Rfm(bins=3, map={"All": "* *"}, where="order_days > 1").fit(table)
    assert rest.account.buyers == 23_570 - 12_054
    assert rest.assign(table)["rfm"].null_count == 12_054


def test_rfm_cuts_of_the_master_file_are_those_of_sorting(master):
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    fitted = oc.Rfm(map="ten").fit(table)
    columns = {"recency": "days_since_last_order", "frequency": "orders", "monetary": "revenue"}
    for score, column in columns.items():
        assert list(fitted.cuts[score]) == cuts(table[column].to_pylist(), 5)
    # Half of all customers ordered once: the first two cuts are both 1, and nobody scores 2.
    assert fitted.cuts["frequency"] == (1.0, 1.0, 2.0, 4.0)
    assert fitted.lint().collapsed == {"frequency": (2,)}


def test_scores_of_the_master_file_are_those_of_pandas_qcut(master):
    """The recipe that most tutorials give; for frequency it is refused, as cuts are equal."""
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    scored = oc.Rfm().fit(table).assign(table)
    frame = scored.to_pandas()
    recency = pd.qcut(frame["days_since_last_order"], 5, labels=[5, 4, 3, 2, 1])
    assert frame["recency_score"].tolist() == recency.tolist()
    monetary = pd.qcut(frame["revenue"].astype(float), 5, labels=[1, 2, 3, 4, 5])
    assert frame["monetary_score"].tolist() == monetary.tolist()
    with pytest.raises(ValueError, match="Bin edges must be unique"):
        pd.qcut(frame["orders"], 5)


def share_who_returned(table: pa.Table, column: str, history: oc.OrderHistory, day: str) -> dict:
    """Return, by segment, the share of a profile's customers who ordered again until a day."""
    later = history.profile(day).select(["customer_id", "orders"])
    joined = table.join(later, "customer_id", right_suffix="_later")
    returned = pc.greater(joined["orders_later"], joined["orders"]).cast(pa.float64())
    found = joined.append_column("returned", returned).group_by(column).aggregate(
        [("returned", "mean")]
    )  # fmt: skip
    return dict(zip(found[column].to_pylist(), found["returned_mean"].to_pylist(), strict=True))


def test_scores_and_groups_of_1997_foretell_who_orders_in_1998(master):
    history = oc.OrderHistory.build(master, columns=COLUMNS)
    table = history.profile("1997-12-31")
    table = oc.Rfm().fit(table).assign(oc.Cadence().fit(table).assign(table))
    for score in ("recency_score", "frequency_score", "monetary_score"):
        returned = share_who_returned(table, score, history, "1998-06-30")
        assert [returned[key] for key in sorted(returned)] == sorted(returned.values())
    groups = share_who_returned(table, "cadence", history, "1998-06-30")
    assert {name: round(100 * share) for name, share in groups.items()} == {
        "Just ordered": 67, "Active": 49, "Slipping away": 44, "Lost": 12
    }  # fmt: skip
    names = share_who_returned(table, "rfm", history, "1998-06-30")
    assert {name: round(100 * share) for name, share in names.items()} == {
        "Champions": 57, "Regulars": 28, "Promising": 11, "Needs Attention": 10, "At Risk": 8
    }  # fmt: skip


def test_who_moved_in_half_a_year_is_what_dictionaries_say(master):
    history = oc.OrderHistory.build(master, columns=COLUMNS)
    lifecycle = oc.Lifecycle.preset("music")
    tables = [lifecycle.assign(history.profile(day)) for day in ("1997-03-31", "1998-06-30")]
    before, after = (
        dict(zip(table["customer_id"].to_pylist(), table["lifecycle"].to_pylist(), strict=True))
        for table in tables
    )
    moved = oc.transitions(*tables)
    found = {
        customer: pair
        for customer, *pair in zip(*(column.to_pylist() for column in moved.columns), strict=True)
    }
    assert {customer: tuple(pair) for customer, pair in found.items()} == transitions(before, after)
    counts = {
        (row["from_segment"], row["to_segment"]): row["customers"]
        for row in oc.transition_matrix(*tables).to_pylist()
    }
    assert counts == matrix(before, after)
    assert sum(counts.values()) == 23_570


@pytest.mark.parametrize("name", ["lifecycle", "cadence"])
def test_who_bought_nothing_went_where_it_was_foretold(master, name):
    history = oc.OrderHistory.build(master, columns=COLUMNS)
    table = history.profile("1997-12-31")
    scheme = oc.Lifecycle.preset("music") if name == "lifecycle" else oc.Cadence().fit(table)
    foretold = scheme.next_transition(table)
    seen = 0
    for day in (date(1998, 1, 10), date(1998, 2, 3), date(1998, 3, 1)):
        due = foretold.filter(pc.equal(foretold["next_segment_on"], day))
        then = scheme.assign(history.profile(day))
        now = then.select(["customer_id", "orders", name]).to_pylist()
        orders = {row["customer_id"]: (row["orders"], row[name]) for row in now}
        for row in due.to_pylist():
            count, segment = orders[row["customer_id"]]
            if count == row["orders"]:
                assert segment == row["next_segment"]
                seen += 1
    assert seen > 20


def test_rules_over_scores_groups_and_money(master):
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    table = oc.Rfm().fit(table).assign(oc.Cadence().fit(table).assign(table))
    rules = oc.Rules(
        {
            "Whales": pc.field("revenue") > 1000,
            "Win back": "cadence == 'Lost' and rfm in ('Champions', 'Regulars')",
            "Tried once": "orders == 1",
        }
    )
    found = rules.assign(table)
    for row in found.to_pylist():
        if row["revenue"] > 1000:
            expected = "Whales"
        elif row["cadence"] == "Lost" and row["rfm"] in ("Champions", "Regulars"):
            expected = "Win back"
        else:
            expected = "Tried once" if row["orders"] == 1 else "Other"
        assert row["tier"] == expected
    lint = rules.lint(table)
    assert lint.is_clean
    assert [(rule.matches, rule.gets) for rule in lint.rules] == [
        (200, 200), (3_895, 3_863), (11_908, 11_907)
    ]  # fmt: skip


def test_the_champions_of_the_master_file_bring_70_percent_of_its_revenue(master):
    table = oc.OrderHistory.build(master, columns=COLUMNS).profile("1998-06-30")
    table = oc.Rfm().fit(table).assign(table)
    champions = table.filter(pc.equal(table["rfm"].cast(pa.string()), "Champions"))
    assert champions.num_rows == 6_321
    share = pc.sum(champions["revenue"]).as_py() / pc.sum(table["revenue"]).as_py()
    assert round(100 * share, 1) == Decimal("70.5")
