"""A year of groceries: 1.47 million lines of 2,469 households (Complete Journey)."""

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from oracle.compare import differences
from oracle.history import OrderRow, Policies, build
from oracle.lifecycle import Thresholds, fit, segment
from oracle.profile import profile
from support.histories import check_membership

import ordercycle as oc

AS_OF = date(2017, 12, 31)
COLUMNS = oc.datasets.groceries().columns
LAST_DAY = date(2018, 1, 1)


@pytest.fixture(scope="module")
def lines() -> pa.Table:
    names = [COLUMNS.customer, COLUMNS.time, COLUMNS.amount, COLUMNS.order]
    return pq.read_table(oc.datasets.groceries().orders, columns=names)


@pytest.fixture(scope="module")
def history() -> oc.OrderHistory:
    return oc.OrderHistory.build(oc.datasets.groceries().orders, columns=COLUMNS)


def test_lines_become_baskets_of_households(history):
    summary = history.summary()
    assert summary.rows == 1_469_307
    assert summary.orders == 155_848
    assert summary.customers == 2_469
    assert summary.anonymous == summary.refunds == 0
    table = history.profile(LAST_DAY)
    assert table.num_rows == 2_469
    assert pc.sum(table["orders"]).as_py() == 155_848


def test_revenue_is_the_sum_of_the_lines(history, lines):
    exact = sum(Decimal(str(value)) for value in lines["sales_value"].to_pylist())
    revenue = sum(map(Decimal, history.profile(LAST_DAY)["revenue"].to_pylist()))
    assert abs(revenue - exact) < Decimal("1e-9") * exact


@pytest.fixture(scope="module")
def in_cents(lines) -> pa.Table:
    cents = pc.cast(pc.round(pc.multiply(lines["sales_value"], 100.0)), pa.int64())
    return lines.set_column(lines.schema.get_field_index("sales_value"), "sales_value", cents)


def test_revenue_in_cents_is_exact(in_cents):
    revenue = oc.OrderHistory.build(in_cents, columns=COLUMNS).profile(LAST_DAY)["revenue"]
    assert revenue.type == pa.int64()
    assert pc.sum(revenue).as_py() == pc.sum(in_cents["sales_value"]).as_py()


@pytest.fixture(scope="module")
def households(lines) -> list[OrderRow]:
    """Return the lines of every sixtieth household as the oracle reads them."""
    ids = sorted(pc.unique(lines["household_id"]).to_pylist())[::60]
    chosen = lines.filter(pc.is_in(lines["household_id"], pa.array(ids)))
    seconds = pc.cast(pc.floor_temporal(chosen[COLUMNS.time], unit="second"), pa.timestamp("us"))
    return [
        OrderRow(*row)
        for row in zip(
            chosen[COLUMNS.customer].to_pylist(),
            seconds.to_pylist(),
            chosen[COLUMNS.amount].to_pylist(),
            chosen[COLUMNS.order].to_pylist(),
            strict=True,
        )
    ]


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF - timedelta(days=180), date(2017, 1, 20)])
@pytest.mark.parametrize("window_days", [None, 60])
def test_households_are_as_the_oracle_says(history, households, as_of, window_days):
    reference = build(households, policies=Policies(collapse=True))
    wanted = profile(reference, as_of, window_days)
    assert len(reference.customers) > 40
    table = history.profile(as_of, window_days=window_days)
    if window_days is None:
        table = oc.Lifecycle.preset("fashion").assign(table)
    rows = {row.pop("customer_id"): row for row in table.to_pylist()}
    found = {name: row for name, row in rows.items() if name in reference.customers}
    segments = {name: row.pop("lifecycle", None) for name, row in found.items()}
    assert differences(found, wanted, reference) == []
    if window_days is None:
        assert segments == {name: segment(row, Thresholds()) for name, row in wanted.items()}


def test_the_grocery_preset_is_what_the_baskets_fit(lines, history):
    baskets = lines.group_by(["household_id", "basket_id"]).aggregate([(COLUMNS.time, "min")])
    households = baskets["household_id"].to_pylist()
    days = pc.cast(baskets[f"{COLUMNS.time}_min"], pa.date32(), safe=False).to_pylist()
    rows = [OrderRow(name, day, 1) for name, day in zip(households, days, strict=True)]
    fitted = fit(build(rows), LAST_DAY)
    preset = oc.Lifecycle.presets()["grocery"]
    assert not preset.published
    assert (preset.active_days, preset.churned_days) == (fitted.active_days, fitted.churned_days)
    ours = oc.Lifecycle().fit(history, LAST_DAY)
    assert (ours.active_days, ours.churned_days) == (fitted.active_days, fitted.churned_days)


def test_the_membership_of_every_household_is_the_segment_of_the_profile(history):
    days = [AS_OF - timedelta(days=number) for number in (0, 31, 200, 364)]
    lifecycle = oc.Lifecycle.preset("grocery")
    check_membership(lifecycle.membership(history, end=AS_OF), lifecycle, history, days)
    cadence = oc.Cadence(just_ordered_days=3).fit(history.profile(AS_OF))
    check_membership(cadence.membership(history), cadence, history, days)


LAST_QUARTER = ("2017-10", "2017-12")


@pytest.fixture(scope="module")
def report(in_cents) -> oc.SegmentReport:
    history = oc.OrderHistory.build(in_cents, columns=COLUMNS)
    membership = oc.Lifecycle.preset("grocery").membership(history)
    return oc.SegmentReport.build(
        history, membership, period=LAST_QUARTER, compare="previous_period"
    )


def test_the_quarter_is_what_the_lines_say(report, in_cents):
    baskets = in_cents.group_by([COLUMNS.customer, COLUMNS.order]).aggregate(
        [(COLUMNS.time, "min"), (COLUMNS.amount, "sum")]
    )
    days = pc.cast(baskets[f"{COLUMNS.time}_min"], pa.date32(), safe=False)
    inside = pc.and_(
        pc.greater_equal(days, date(2017, 10, 1)), pc.less_equal(days, date(2017, 12, 31))
    )
    quarter = baskets.filter(inside)
    everybody = {
        row["metric"]: row["value"]
        for row in report.comparison().to_pylist()
        if row["segment"] == "All Customers"
    }
    assert everybody["Orders"] == len(quarter)
    assert everybody["Revenue"] == pc.sum(quarter[f"{COLUMNS.amount}_sum"]).as_py()
    months = pc.month(days.filter(inside))
    pairs = set(zip(quarter[COLUMNS.customer].to_pylist(), months.to_pylist(), strict=True))
    assert everybody["Orders per Buyer per Month"] == len(quarter) / len(pairs)


def test_who_is_where_is_what_the_profile_says(report, history):
    table = oc.Lifecycle.preset("grocery").assign(history.profile("2017-12-31"))
    counted = {
        one["values"]: one["counts"] for one in table["lifecycle"].value_counts().to_pylist()
    }
    found = report.comparison(["Customers"]).to_pylist()
    for row in found[:-1]:
        assert row["value"] == counted.get(row["segment"], 0)
    assert found[-1]["value"] == len(table) == sum(counted.values())


def test_quarters_add_up_to_the_year(report):
    months = report.dynamics("Revenue", ("2017-01", "2017-12"))
    year = pc.sum(months.filter(pc.equal(months["segment"], "All Customers"))["value"]).as_py()
    everything = report.dynamics("Revenue (all time)", "2017-12")["value"].to_pylist()
    assert everything[-1] == year
    assert sum(everything[:-1]) == year


def test_schemes_of_the_households_read_as_groceries_do(history):
    table = history.profile(LAST_DAY)
    cadence = oc.Cadence(just_ordered_days=7).fit(table)
    # Every five days: with 30 days, four of five households would have just ordered.
    assert (round(cadence.account.mean_gap, 1), cadence.account.repeat_customers) == (5.1, 2_438)
    counts = cadence.assign(table)["cadence"].value_counts().to_pylist()
    assert {found["values"]: found["counts"] for found in counts} == {
        "Just ordered": 1_244, "Active": 671, "Slipping away": 198, "Lost": 356
    }  # fmt: skip
    rfm = oc.Rfm(map="ten").fit(table)
    assert rfm.cuts["frequency"] == (16.0, 32.0, 55.0, 95.0)
    assert rfm.lint().is_clean
    counts = rfm.assign(table)["rfm"].value_counts().to_pylist()
    assert {found["values"]: found["counts"] for found in counts} == {
        "Champions": 337, "Loyal": 521, "Potential Loyalist": 331, "New": 26, "Promising": 29,
        "Need Attention": 125, "About To Sleep": 176, "Can't Lose": 32, "At Risk": 247,
        "Hibernating": 645,
    }  # fmt: skip
