"""Fitted lifecycle thresholds against the oracle: any orders, any day, any shares."""

import json
import pickle
import warnings
from datetime import date, timedelta
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle.errors import DataError
from oracle.lifecycle import fit
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.strategies import cases

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._segments.counting_rounds import Cells
from ordercycle._segments.lifecycle_fit import gap_round

shares = st.sampled_from(["0.01", "0.5", "0.8", "0.95", "1"])


def fitted(history: oc.OrderHistory, as_of: date, **options: object) -> oc.Lifecycle:
    """Fit without the warnings that every small case deserves."""
    with warnings.catch_warnings(action="ignore", category=oc.OrdercycleWarning):
        return oc.Lifecycle(new_days=7).fit(history, as_of, **options)


@settings(max_examples=60)
@given(cases(), shares, shares)
def test_any_history(case, one, other):
    assume(not is_refused(case))
    history = built(case, *tables(case, Layout(3)))
    active_share, churned_share = sorted((one, other), key=float)
    oracle = oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    options = {"active_share": float(active_share), "churned_share": float(churned_share)}
    try:
        expected = fit(
            oracle, case.as_of, active_share=Fraction(active_share),
            churned_share=Fraction(churned_share),
        )  # fmt: skip
    except DataError:
        with pytest.raises(oc.DataError, match="ordered twice"):
            fitted(history, case.as_of, **options)
        return
    found = fitted(history, case.as_of, **options)
    assert (found.active_days, found.churned_days) == (expected.active_days, expected.churned_days)
    assert found.new_days == 7
    assert oc.scheme_from_dict(json.loads(json.dumps(found.to_dict()))) == found


def orders_of(days_by_customer: dict[str, list[int]]) -> pa.Table:
    start = date(2024, 1, 1)
    rows = [
        (name, start + timedelta(days)) for name, all_ in days_by_customer.items() for days in all_
    ]
    names, days = zip(*rows, strict=True)
    return pa.table(
        {"customer_id": list(names), "ordered_at": list(days), "amount": [1] * len(rows)}
    )


def test_the_account_says_what_was_counted():
    orders = orders_of({"steady": [0, 10, 20, 30, 40], "rare": [5, 65], "once": [7]})
    found = fitted(oc.OrderHistory.build(orders), date(2024, 12, 31))
    assert (found.active_days, found.churned_days) == (60, 61)
    account = found.account
    assert (account.buyers, account.repeat_customers, account.gaps) == (3, 2, 5)
    assert (account.as_of, account.first_order_on) == (date(2024, 12, 31), date(2024, 1, 1))
    assert account.gap_days == ((0.5, 10), (0.8, 60), (0.9, 60), (0.95, 60))
    assert "2 of 3 buyers ordered again" in str(account)
    assert repr(found).endswith("; fitted as of 2024-12-31 from 2 repeat customers)")
    assert "2 of 3 buyers" in found._repr_html_()
    assert oc.Lifecycle()._repr_html_().startswith("<b>Lifecycle</b>")


def test_many_gaps_and_long_ones_count_like_others():
    orders = orders_of({"daily": list(range(200)), "rare": [0, 5000], "often": [0, 0, 3000, 9000]})
    found = fitted(oc.OrderHistory.build(orders), "2100-01-01", active_share=0.34)
    # A third of the weight ends within a day, 4 ninths with the gap of 0, 7 with 3,000 days.
    assert (found.active_days, found.churned_days) == (1, 6000)
    assert found.account.gaps == 199 + 1 + 3


def test_little_to_fit_from_is_a_warning():
    history = oc.OrderHistory.build(orders_of({"ann": [0, 10], "bob": [0, 20]}))
    with pytest.warns(oc.OrdercycleWarning) as caught:
        oc.Lifecycle().fit(history, "2024-02-01")
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 2
    assert "2 customers who ordered twice" in texts[0]
    assert "31 days, less than twice churned_days=21" in texts[1]


def test_shares_that_make_no_sense_are_refused():
    history = oc.OrderHistory.build(orders_of({"ann": [0, 10]}))
    for options in (
        {"active_share": 0}, {"active_share": 1.2}, {"churned_share": float("nan")},
        {"active_share": "much"}, {"active_share": 0.9, "churned_share": 0.8},
    ):  # fmt: skip
        with pytest.raises(oc.ConfigError, match="share"):
            oc.Lifecycle().fit(history, "2024-02-01", **options)
    with pytest.raises(oc.ConfigError, match="OrderHistory"):
        oc.Lifecycle().fit(history.profile("2024-02-01"), "2024-02-01")


def test_a_round_travels_and_its_cells_add_up():
    history = oc.OrderHistory.build(orders_of({"ann": [0, 10], "bob": [0, 20], "eve": [3]}))
    first = gap_round(
        oc.Lifecycle(), "2024-12-31", net_refunds=True, active_share=0.8, churned_share=0.95
    )
    first = pickle.loads(pickle.dumps(first))  # noqa: S301 - what a cluster does
    (whole,) = grouped_orders(history).scan(lambda _, batch, __: first.count(batch))
    (pieces,) = grouped_orders(history).scan(
        lambda _, batch, __: [first.count(batch.slice(at, at + 1)) for at in range(3)]
    )
    assert Cells.total(pieces).to_dict() == whole.to_dict()
    again = Cells.from_table(pa.Table.from_batches([part.to_batch() for part in pieces]))
    assert again.to_dict() == whole.to_dict()


def test_dicts_that_are_no_scheme_are_refused():
    for given_dict, expected in (
        ({}, "'scheme'"), ("lifecycle", "'scheme'"),
        ({"scheme": "livecycle"}, "did you mean 'lifecycle'"),
        ({"scheme": "lifecycle", "activ_days": 3}, "did you mean 'active_days'"),
        ({"scheme": "lifecycle", "active_days": -3}, "active_days=-3"),
        ({"scheme": "lifecycle", "account": {"buyers": 3}}, "not what a fitted Lifecycle writes"),
        ({"scheme": "cadence", "account": {"gaps": 0, "repeat_customers": 1, "gap_sum": 1,
                                           "gap_square_sum": 1}}, "no gaps between orders add up"),
        ({"scheme": "rfm", "account": 5}, "not what a fitted Rfm writes"),
    ):  # fmt: skip
        with pytest.raises(oc.ConfigError, match=expected):
            oc.scheme_from_dict(given_dict)
