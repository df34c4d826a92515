"""Orders without amounts: nothing is known about money, and nothing says anything about it."""

import csv
import io
from datetime import date, timedelta

import pyarrow as pa
import pytest

import ordercycle as oc

COLUMNS = oc.Columns(amount=None)
MONEY = ["revenue", "average_order_value", "revenue_first_90_days", "revenue_first_day"]
END = date(2026, 6, 30)


def orders() -> pa.Table:
    rows = [(number % 9, END - timedelta(days=5 * number)) for number in range(60)]
    names, days = zip(*rows, strict=True)
    return pa.table({"customer_id": names, "ordered_at": days})


@pytest.fixture(scope="module")
def history():
    return oc.OrderHistory.build(orders(), columns=COLUMNS)


@pytest.fixture(scope="module")
def with_money():
    table = orders()
    return oc.OrderHistory.build(table.append_column("amount", pa.array([7] * table.num_rows)))


@pytest.mark.parametrize("window_days", [None, 100])
def test_profiles_leave_money_out_and_nothing_else(history, with_money, window_days):
    table = history.profile(END, window_days)
    assert not set(MONEY) & set(table.column_names)
    assert table.equals(with_money.profile(END, window_days).drop_columns(MONEY))
    batches = list(history.profile_batches(END, window_days))
    assert pa.Table.from_batches(batches).equals(table)


def test_saved_histories_stay_without(history, tmp_path):
    history.save(tmp_path / "saved")
    again = oc.OrderHistory.open(tmp_path / "saved")
    assert again.profile(END).equals(history.profile(END))


def test_schemes_that_read_no_money_work(history, with_money):
    table, other = history.profile(END), with_money.profile(END)
    for scheme in (oc.Lifecycle(), oc.Cadence().fit(table), oc.Rules({"Many": "orders > 6"})):
        name = scheme.name
        assert scheme.assign(table)[name].equals(scheme.assign(other)[name])
    with pytest.warns(oc.OrdercycleWarning, match="little"):
        found, expected = (oc.Lifecycle().fit(made, END) for made in (history, with_money))
    assert found == expected


@pytest.mark.parametrize("monetary", ["sum", "average"])
def test_rfm_says_what_it_needs(history, monetary):
    table = history.profile(END)
    by_hand = {"recency": [30], "frequency": [3], "monetary": [10]}
    names = {"Good": "2 2", "Rest": "* *"}
    with pytest.raises(oc.ConfigError, match="orders of this profile have no amounts"):
        oc.Rfm(monetary=monetary).fit(table)
    with pytest.raises(oc.ConfigError, match="orders of this profile have no amounts"):
        oc.Rfm(bins=2, map=names, cuts=by_hand, monetary=monetary).assign(table)
    with pytest.raises(oc.ConfigError, match="orders of this profile have no amounts"):
        oc.Rfm(monetary=monetary).membership(history)


def test_rules_about_money_miss_their_column(history):
    with pytest.raises(oc.ColumnError, match="revenue"):
        oc.Rules({"Rich": "revenue > 100"}).assign(history.profile(END))


def test_reports_leave_money_out_and_nothing_else(history, with_money):
    def report(made):
        membership = oc.Lifecycle().membership(made)
        return oc.SegmentReport.build(made, membership, period=("2026-04", "2026-06"), compare=None)

    found, expected = report(history), report(with_money)
    table = found.comparison()
    names = table["metric"].unique().to_pylist()
    assert "Orders" in names
    assert not [name for name in names if "Revenue" in name or "Value" in name]
    assert table.equals(expected.comparison(names))
    for text in (repr(found), found._repr_html_()):
        assert "Customers" in text
        assert "Revenue" not in text
    for ask in (found.dynamics, found.plot, lambda name: found.comparison([name])):
        with pytest.raises(oc.ConfigError, match="'Revenue' is about money, and the orders"):
            ask("Revenue")
    for mode in ("comparison", "dynamics"):
        text = io.StringIO()
        found.to_csv(text, mode=mode)
        header = next(csv.reader(io.StringIO(text.getvalue())))
        assert "Orders" in header
        assert not [name for name in header if "Revenue" in name or "OrderValue" in name]
    assert found.plot("Orders").title.startswith("Orders")
