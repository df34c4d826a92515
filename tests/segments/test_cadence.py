"""Cadence groups against the oracle: any orders, any day, any chunks."""

import json
import pickle
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle.cadence import fit, group
from oracle.errors import DataError
from oracle.profile import entries_seen, gaps_between, profile
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.strategies import cases

import ordercycle as oc
from ordercycle._segments.counting_rounds import Cells


@settings(max_examples=60)
@given(
    cases(),
    st.sampled_from([0, 1, 2.5]),
    st.sampled_from([0, 3, 30]),
    st.sampled_from(["personal", "population"]),
    st.booleans(),
)
def test_any_history(case, prior_gaps, just_ordered_days, scope, ragged):
    assume(not is_refused(case))
    oracle = oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    rows = profile(oracle, case.as_of)
    gaps = {
        name: gaps_between(
            [
                entry.day
                for entry in entries_seen(oracle.customers[name], case.as_of)
                if entry.is_order
            ]
        )
        for name in rows
    }
    table = built(case, *tables(case, Layout(3))).profile(case.as_of)
    if ragged:
        table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    cadence = oc.Cadence(prior_gaps=prior_gaps, just_ordered_days=just_ordered_days, scope=scope)
    try:
        everyone = fit(gaps.values())
    except DataError:
        with pytest.raises(oc.DataError, match="ordered twice"):
            cadence.fit(table)
        return
    fitted = cadence.fit(table)
    assert (fitted.account.mean_gap, fitted.account.gap_variance) == (
        float(everyone.mean),
        float(everyone.variance),
    )
    assert fitted.account.as_of == case.as_of
    found = fitted.assign(table)
    found.validate(full=True)
    ids = [str(name) for name in found["customer_id"].to_pylist()]
    wanted = {
        str(name): group(row, gaps[name], everyone, Fraction(prior_gaps), just_ordered_days, scope)
        for name, row in rows.items()
    }
    assert dict(zip(ids, found["cadence"].to_pylist(), strict=True)) == wanted
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def customers(**columns: list) -> pa.Table:
    """Return a profile of what decides the group."""
    given_columns = {
        "days_since_last_order": [12, 40, 90, None],
        "orders": [3, 3, 1, 0],
        "lifetime_days": [20, 60, 0, None],
        "gap_square_sum": [200, 1850, None, None],
    } | columns
    kinds = {"orders": pa.int64(), "gap_square_sum": pa.int64()}
    return pa.table(
        {
            name: pa.array(values, kinds.get(name, pa.int32()))
            for name, values in given_columns.items()
        }
    )


def test_who_ordered_once_has_the_rhythm_of_all():
    fitted = oc.Cadence(just_ordered_days=5).fit(customers())
    silent = [12, 40, 31, None]  # gaps of 20 ± 10.6 days: active until day 30, lost after 41
    found = fitted.assign(customers(days_since_last_order=silent))["cadence"].to_pylist()
    assert found == ["Active", "Slipping away", "Slipping away", None]
    everyone = oc.Cadence(just_ordered_days=5, scope="population").fit(customers())
    found = everyone.assign(customers(days_since_last_order=[30, 31, 42, None]))
    assert found["cadence"].to_pylist() == ["Active", "Slipping away", "Lost", None]


def test_a_fit_shows_its_numbers_and_where_they_come_from():
    fitted = oc.Cadence().fit(customers())
    assert "gaps of 20.0 ± 10.6 days, fitted from 2 repeat customers" in repr(fitted)
    assert "20.0 days on average, standard deviation 10.6" in fitted._repr_html_()
    assert isinstance(fitted, oc.Scheme)


def test_sums_past_64_bits_are_exact():
    one = oc.Cadence()._first_round().count(customers(gap_square_sum=[2**62, 2**62, None, None]))
    fitted = oc.Cadence()._first_round().then(Cells.total([one] * 5))
    assert fitted.account.gap_square_sum == 10 * 2**62
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_a_round_travels():
    first = pickle.loads(pickle.dumps(oc.Cadence(prior_gaps=2)._first_round()))  # noqa: S301
    assert first.then(first.count(customers())) == oc.Cadence(prior_gaps=2).fit(customers())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior_gaps": -1}, "prior_gaps=-1"),
        ({"prior_gaps": float("nan")}, "prior_gaps=nan"),
        ({"prior_gaps": "1"}, "prior_gaps='1'"),
        ({"prior_gaps": 10**400}, "from 0 to 2"),
        ({"prior_gaps": 1e300}, "from 0 to 2"),
        ({"just_ordered_days": 1.5}, "just_ordered_days=1.5"),
        ({"scope": "personl"}, "did you mean 'personal'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        oc.Cadence(**options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"orders": [3, None, 1, 0]}, "orders is null or negative at row 1 "),
        ({"days_since_last_order": [1, 2, None, None]}, "days_since_last_order is null .* row 2 "),
        ({"lifetime_days": [20, None, 0, None]}, "lifetime_days is null .* 2 orders at row 1 "),
        ({"gap_square_sum": [None, None, None, None]}, r"gap_square_sum .* row 0 \(2 such rows\)"),
    ],
)
def test_values_that_are_missing_are_named(columns, message):
    fitted = oc.Cadence().fit(customers())
    for use in (fitted.assign, fitted.fit):
        with pytest.raises(oc.DataError, match=message):
            use(customers(**columns))


def test_gaps_that_cannot_be_are_reported():
    with pytest.raises(oc.DataError, match="no gaps between orders add up like this: 4 gaps of 2"):
        oc.Cadence().fit(customers(gap_square_sum=[1, 1, None, None]))


@pytest.mark.parametrize(
    "written",
    [
        {"gap_sum": float("nan")},
        {"gaps": 4.5},
        {"gaps": -4, "gap_square_sum": -2050},
        {"gaps": 1},
        {"repeat_customers": 0},
        {"gap_square_sum": 1},
        {"gap_sum": "80"},
    ],
    ids=str,
)
def test_an_account_that_cannot_be_is_refused(written):
    fitted = oc.Cadence().fit(customers()).to_dict()
    with pytest.raises(oc.ConfigError, match="not what a fitted Cadence writes"):
        oc.scheme_from_dict({**fitted, "account": fitted["account"] | written})


def test_wrong_use_is_reported():
    with pytest.raises(oc.ConfigError, match="not fitted"):
        oc.Cadence().assign(customers())
    fitted = oc.Cadence().fit(customers())
    with pytest.raises(oc.ColumnError, match="'cadence' already"):
        fitted.assign(fitted.assign(customers()))
    with pytest.raises(oc.ColumnError, match="lifetime_days"):
        fitted.assign(customers().drop_columns("lifetime_days"))
    table = customers()
    windowed = table.append_column("window_days", pa.array([90] * table.num_rows, pa.int32()))
    with pytest.raises(oc.ConfigError, match="window"):
        fitted.assign(windowed)
    assert oc.Cadence(prior_gaps=np.float64(2)).prior_gaps == 2.0
    nobody = customers().slice(0, 0)
    assert fitted.assign(nobody)["cadence"].type == pa.dictionary(pa.int8(), pa.string())
    with pytest.raises(oc.DataError, match="ordered twice"):
        oc.Cadence().fit(nobody)
