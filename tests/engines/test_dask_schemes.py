"""Fits and reports on Dask against one machine."""

from datetime import date

import pyarrow as pa
import pytest
from support import buyers
from support.dask_shops import computed, framed, local
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle.engines import dask


@pytest.fixture(scope="module")
def shop():
    """Return orders and customers, here and in Dask, in pieces."""
    orders, customers = tables()
    return orders, customers, framed(orders, 5), framed(customers, 2)


@pytest.mark.parametrize(
    ("scheme", "window_days"),
    [
        (oc.Rfm(), None),
        (oc.Rfm(bins=3, monetary="average"), 120),
        (oc.Rfm(where="orders > 1"), None),
        (oc.Rfm(recency="last_gap", frequency="order_days", monetary="gap_std"), None),
        (oc.Cadence(), None),
    ],
    ids=["rfm", "rfm of a window", "rfm of some", "rfm of other columns", "cadence"],
)
def test_fits_and_their_segments(shop, scheme, window_days):
    orders, customers, *there = shop
    profiles = dask.profile(
        *there, as_of=AS_OF, window_days=window_days, columns=COLUMNS, partitions=4
    )
    table = local(orders, customers).profile(AS_OF, window_days)
    fitted = dask.fit(profiles, scheme)
    assert fitted == scheme.fit(table)
    name = scheme.name
    found = dask.assign(profiles, fitted)[["customer_id", name]].astype({name: "string[pyarrow]"})
    segments = fitted.assign(table).select(["customer_id", name])
    expected = segments.set_column(1, name, segments[name].cast(pa.large_string()))
    assert_same_bits(computed(found, scheduler="sync"), expected)


def test_models_of_value_and_their_lists():
    table = buyers.history().profile(buyers.AS_OF)
    profiles = framed(table, 3)
    clv = dask.fit(profiles, oc.Clv(model="bg_nbd", horizon_days=180))
    assert clv == oc.Clv(model="bg_nbd", horizon_days=180).fit(table)
    lists = oc.ValueLists(oc.Clv(model="bg_nbd", horizon_days=180), top_share=0.2)
    fitted = dask.fit(profiles, lists)
    assert fitted == lists.fit(table)
    names = ["customer_id", "p_active", "clv", "high_value"]
    found = dask.assign(profiles, fitted)[names]
    assert_same_bits(computed(found, scheduler="sync"), fitted.assign(table).select(names))


@pytest.mark.parametrize(
    ("partitions", "spend"), [(1, None), (3, "average"), (7, "gamma_gamma")], ids=str
)
def test_intervals_of_models_of_value(partitions, spend):
    """Whatever partition has the greatest amount, which decides on the unit of the sums."""
    table = buyers.history().profile(buyers.AS_OF)
    profiles, other = framed(table, partitions), framed(table.slice(1), partitions)
    clv = oc.Clv(model="bg_nbd", spend=spend, horizon_days=180).fit(table)
    found = dask.clv_intervals(profiles, clv, draws=5, seed=5)
    assert found.equals(clv.intervals(table, draws=5, seed=5))
    informed = dask.fit(profiles, oc.Clv(model="bg_nbd", spend=spend), errors="information")
    expected = oc.Clv(model="bg_nbd", spend=spend).fit(table, errors="information")
    assert informed == expected
    assert informed.account == expected.account != clv.account
    with pytest.raises(oc.ConfigError, match="the model was fitted to"):
        dask.clv_intervals(other, clv, draws=5)
    if spend is not None:
        with pytest.raises(oc.ColumnError, match="revenue"):
            dask.clv_intervals(profiles.drop(columns="revenue"), clv)


def test_what_cannot_be_fitted_to_profiles(shop):
    *_, there, _ = shop
    profiles = dask.profile(there, as_of=AS_OF, columns=COLUMNS)
    with pytest.raises(oc.ConfigError, match="pass the orders to fit_lifecycle"):
        dask.fit(profiles, oc.Lifecycle())
    with pytest.raises(oc.ConfigError, match="errors='sandwich' means nothing for a Cadence"):
        dask.fit(profiles, oc.Cadence(), errors="sandwich")
    with pytest.raises(oc.ConfigError, match="errors='none' is not an option"):
        dask.fit(profiles, oc.Clv(), errors="none")
    with pytest.raises(oc.ConfigError, match="nothing to fit"):
        dask.fit(profiles, oc.Rules({"VIP": "revenue > 500"}))
    with pytest.raises(oc.ColumnError, match="revenue"):
        dask.fit(profiles.drop(columns="revenue"), oc.Rfm())


PERIOD = ("2025-01", "2025-03")


@pytest.mark.parametrize("amount", [pa.float64(), pa.decimal128(12, 2)], ids=str)
def test_reports(amount):
    orders, customers = tables(amount=amount)
    history = local(orders, customers)
    cadence = oc.Cadence().fit(history.profile(AS_OF))
    for scheme in (oc.Lifecycle(), cadence):
        options = {"period": PERIOD, "as_of": "2025-03-31"}
        found = dask.segment_report(
            framed(orders), scheme, framed(customers), columns=COLUMNS, partitions=4, **options
        )
        expected = oc.SegmentReport.build(history, scheme.membership(history), **options)
        assert found.comparison().equals(expected.comparison())
        months = ("2024-01", "2025-03")
        assert found.dynamics("Revenue", months).equals(expected.dynamics("Revenue", months))


def test_a_period_that_is_not_over_is_reported_to_date(shop):
    orders, customers, *there = shop
    history = local(orders, customers)
    options = {"period": PERIOD, "compare": "previous_period"}
    with pytest.warns(oc.OrdercycleWarning, match="2025-03 is not over") as warned:
        found = dask.segment_report(
            there[0], oc.Lifecycle(), there[1], columns=COLUMNS, partitions=3,
            months=("2024-10", "2025-05"), **options,
        )  # fmt: skip
    membership = oc.Lifecycle().membership(history)
    with pytest.warns(oc.OrdercycleWarning, match="2025-03 is not over") as warned_here:
        expected = oc.SegmentReport.build(history, membership, **options)
    assert [str(one.message) for one in warned] == [str(one.message) for one in warned_here]
    assert found.as_of == expected.as_of < date(2025, 3, 31)
    assert found.comparison().equals(expected.comparison())
    months = ("2024-10", "2025-05")
    assert found.dynamics("Orders", months).equals(expected.dynamics("Orders", months))


def test_reports_of_schemes_that_are_recalculated(shop):
    orders, customers, *there = shop
    history = local(orders, customers)
    cuts = {"recency": [30, 90], "frequency": [3, 9], "monetary": [500, 2000]}
    names = {"Best": "3 3 *", "Rest": "* * *"}
    fitted_again = oc.Rfm(bins=3, map=names, where="orders > 2")
    rfm = oc.Rfm(bins=3, map=names, cuts=cuts)
    for scheme in (oc.Rules({"VIP": "revenue > 500"}), rfm, fitted_again):
        found = dask.segment_report(
            there[0], scheme, there[1], period=PERIOD, columns=COLUMNS, partitions=3,
            compare="previous_period", every="week", months=("2024-06", "2024-07"),
            as_of="2025-03-31",
        )  # fmt: skip
        membership = scheme.membership(history, "2024-06-01", "2025-03-31", every="week")
        expected = oc.SegmentReport.build(
            history, membership, period=PERIOD, compare="previous_period", as_of="2025-03-31"
        )
        assert found.comparison().equals(expected.comparison())


@pytest.mark.parametrize("partitions", [1, 7])
def test_reports_to_date_of_a_scheme_that_is_fitted_again(shop, partitions):
    """A period that turns out not to be over, and begins before there is anybody to fit to."""
    orders, customers, *there = shop
    history, scheme = local(orders, customers), oc.Rfm(bins=3)
    period = ("2023-09", "2025-03")
    with pytest.warns(oc.OrdercycleWarning, match="is not over"):
        found = dask.segment_report(
            there[0], scheme, there[1], period=period, columns=COLUMNS, partitions=partitions,
            compare=None,
        )  # fmt: skip
    with pytest.warns(oc.OrdercycleWarning, match="is not over"):
        expected = oc.SegmentReport.build(
            history, scheme.membership(history), period=period, compare=None
        )
    assert found.as_of == expected.as_of
    assert found.comparison().equals(expected.comparison())
    assert found.dynamics("Revenue").equals(expected.dynamics("Revenue", period))


def test_what_cannot_be_reported(shop):
    *_, there, _ = shop
    for scheme, message in (
        (oc.Cadence(), "is not fitted"),
        ("lifecycle", "is no scheme; pass one"),
    ):
        with pytest.raises(oc.ConfigError, match=message):
            dask.segment_report(there, scheme, period=PERIOD, columns=COLUMNS)
    with pytest.raises(oc.ConfigError, match="no month"):
        dask.segment_report(there, oc.Lifecycle(), period="2025-13", columns=COLUMNS)
    with pytest.raises(oc.ConfigError, match="did you mean 'Active'"):
        dask.segment_report(
            there, oc.Lifecycle(), period=PERIOD, columns=COLUMNS, segments=["Activ"]
        )
