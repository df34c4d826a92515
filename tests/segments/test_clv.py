"""Models of value: what they are fitted to, what they add, and what they refuse."""

import json
import math
import pickle
import tomllib
from collections import Counter
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import clv as oracle
from oracle import history as oracle_history
from oracle.profile import profile
from support import buyers
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.strategies import cases

import ordercycle as oc
from ordercycle._cli.scheme_files import toml_of
from ordercycle._segments.counting_rounds import Cells, fit_profile
from ordercycle._segments.value.inputs import ClvCounts, ClvInputs, means_of, purchase_cells
from ordercycle._segments.value.intervals import PopulationRound
from ordercycle._value_models import variances_of_orders

BG = {"r": 0.243, "alpha": 30.9, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.44}


@settings(max_examples=60)
@given(cases(), st.sampled_from(["repeat", "all"]), st.integers(0, 3))
def test_any_history_is_counted(case, spend_of, cut):
    assume(not is_refused(case))
    history = oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    rows = profile(history, case.as_of)
    table = built(case, *tables(case, Layout(2))).profile(case.as_of)
    inputs = ClvInputs(has_spend=True, spend_of=spend_of)
    parts = [inputs.counted(part) for part in (table.slice(0, cut), table.slice(cut))]
    counts = ClvCounts.of(Cells.total(parts))
    cells = zip(*(column.tolist() for column in purchase_cells(counts.purchases.cell)), strict=True)
    found = dict(zip(cells, counts.purchases.count.tolist(), strict=True))
    assert found == oracle.histogram(rows)
    assert list(found) == sorted(found)
    assert counts.without_orders == sum(not row["order_days"] for row in rows.values())
    spends = [oracle.mean_spend(row, spend_of) for row in rows.values()]
    known = [one for one in spends if one is not None]
    positive = [one for one in known if one[1] > 0]
    # A difference of floats may be a rounding beside zero, which has no sign to speak of.
    assume(not any(0 < abs(one[1]) < Fraction(1, 10**6) for one in known))
    assert counts.without_spend == len(known) - len(positive)
    assert int(counts.spends.customers.sum()) == len(positive)
    of_days = {
        int(days): math.fsum(
            mean * count
            for own, mean, count in zip(
                counts.spends.days, means_of(counts.spends), counts.spends.customers, strict=True
            )
            if own == days
        )
        for days in counts.spends.days
    }
    for days, total in of_days.items():
        exact = float(sum(mean for own, mean in positive if own == days))
        assert total == pytest.approx(exact, rel=2**-12)


@pytest.fixture(scope="module")
def history():
    return buyers.history()


@pytest.fixture(scope="module")
def table(history):
    return history.profile(buyers.AS_OF)


@pytest.fixture(scope="module")
def clv(table):
    return oc.Clv(model="mbg_nbd", horizon_days=180, discount_rate=0.1).fit(table)


def test_the_same_bits_from_anywhere(history, table, clv):
    assert clv.account.customers == 400
    assert clv.account.as_of == buyers.AS_OF
    reversed_rows = table.take(list(range(table.num_rows))[::-1])
    unfitted = oc.Clv(model="mbg_nbd", horizon_days=180, discount_rate=0.1)
    for source in (reversed_rows, table.to_reader(max_chunksize=7), table.to_batches()):
        for threads in (1, 2, 7):
            if isinstance(source, pa.RecordBatchReader) and threads > 1:
                continue
            assert unfitted.fit(source, threads=threads) == clv
    assert unfitted.fit(history, buyers.AS_OF) == clv
    assert unfitted.fit(history, str(buyers.AS_OF)) == clv
    first = pickle.loads(pickle.dumps(unfitted._first_round()))  # noqa: S301
    parts = [first.count(table.slice(start, 50)) for start in range(0, 400, 50)]
    assert first.then(Cells.total(parts[::-1])) == clv


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64()])
def test_money_of_any_type_is_the_same_money(kind, table):
    other = buyers.history(kind=kind).profile(buyers.AS_OF)
    found, expected = (oc.Clv(model="mbg_nbd").fit(one).account for one in (other, table))
    assert found.mean_spend == pytest.approx(expected.mean_spend)
    assert found.correlation == pytest.approx(expected.correlation)


def test_it_comes_back_from_dicts_json_toml_and_pickles(clv):
    for made in (clv, oc.Clv(), oc.Clv(spend=None, model="bg_nbd", parameters=BG)):
        assert oc.scheme_from_dict(made.to_dict()) == made
        assert oc.scheme_from_dict(json.loads(json.dumps(made.to_dict()))) == made
        assert oc.scheme_from_dict(tomllib.loads(toml_of(made.to_dict()))) == made
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301
        assert hash(pickle.loads(pickle.dumps(made))) == hash(made)  # noqa: S301
    assert oc.Clv() != clv
    assert "fitted as of 2025-12-31 to 400 customers" in repr(clv)
    assert "Log-likelihood of orders: mbg_nbd" in clv._repr_html_()


def test_columns_are_those_that_are_declared(table, clv):
    found = clv.assign(table)
    found.validate(full=True)
    names = [
        "p_alive", "p_active", "expected_orders", "expected_order_value", "predicted_value", "clv",
    ]  # fmt: skip
    assert found.column_names == [*table.column_names, *names]
    assert all(found.schema.field(name).type == pa.float64() for name in names)
    metadata = found.schema.field("clv").metadata
    assert metadata[b"ordercycle.horizon_days"] == b"180"
    assert metadata[b"ordercycle.discount_rate"] == b"0.1"
    assert len(metadata[b"ordercycle.clv"]) == 16
    rows = found.to_pylist()
    for row in rows:
        assert 0 <= row["p_active"] <= row["p_alive"] <= 1
        assert row["p_active"] <= row["expected_orders"]
        assert row["clv"] == pytest.approx(float(row["revenue"]) + row["predicted_value"])
        assert row["predicted_value"] <= row["expected_orders"] * row["expected_order_value"]
    longer = clv.assign(table, horizon_days=360, discount_rate=0.0).to_pylist()
    for one, other in zip(rows, longer, strict=True):
        assert one["p_alive"] == other["p_alive"]
        assert one["p_active"] <= other["p_active"]
        assert other["predicted_value"] == pytest.approx(
            other["expected_orders"] * other["expected_order_value"]
        )
    for threads in (1, 2, 7):
        chunks = pa.concat_tables([table.slice(0, 13), table.slice(13)])
        assert clv.assign(chunks, threads=threads).combine_chunks() == found.combine_chunks()


def profile_of(**columns) -> pa.Table:
    """Return a small profile: bought once, thrice, never, and four times with refunds."""
    given_columns = {
        "order_days": [1, 3, 0, 4],
        "lifetime_days": [0, 60, None, 90],
        "days_since_last_order": [30, 5, None, 10],
        "revenue": [20.0, 95.0, 0.0, -40.0],
        "revenue_first_day": [20.0, 35.0, 0.0, 30.0],
    } | columns
    kinds = {"order_days": pa.int64(), "lifetime_days": pa.int32()}
    kinds["days_since_last_order"] = pa.int32()
    return pa.table(
        {
            name: values if isinstance(values, pa.Array) else pa.array(values, kinds.get(name))
            for name, values in given_columns.items()
        }
    )


def test_customers_without_orders_have_nulls_and_negative_spend_counts_as_none():
    clv = oc.Clv(model="bg_nbd", parameters={**BG, **SPEND})
    rows = clv.assign(profile_of()).to_pylist()
    added = [name for name in rows[0] if name not in profile_of().column_names]
    assert len(added) == 6
    assert all(rows[2][name] is None for name in added)
    assert all(rows[place][name] is not None for place in (0, 1, 3) for name in added)
    p, q, gamma = SPEND.values()
    assert rows[0]["expected_order_value"] == pytest.approx(p * gamma / (q - 1))
    assert rows[1]["expected_order_value"] == pytest.approx(
        p * (gamma + 2 * 30.0) / (p * 2 + q - 1)
    )
    assert rows[3]["expected_order_value"] == pytest.approx(p * gamma / (p * 3 + q - 1))
    assert rows[3]["clv"] == pytest.approx(-40.0 + rows[3]["predicted_value"])
    every_day = oc.Clv(model="bg_nbd", spend_of="all", parameters={**BG, **SPEND})
    rows = every_day.assign(profile_of().drop_columns(["revenue_first_day"])).to_pylist()
    assert rows[0]["expected_order_value"] == pytest.approx(p * (gamma + 20) / (p + q - 1))


def test_an_average_is_the_customers_own_or_that_of_all():
    table = profile_of(order_days=[1, 3, 0, 4], revenue=[20.0, 95.0, 0.0, 150.0])
    clv = oc.Clv(model="bg_nbd", spend="average").fit(buyers.history().profile(buyers.AS_OF))
    mean, error = clv.parameters["mean_spend"]
    assert mean == pytest.approx(clv.account.mean_spend)
    assert 0 < error < mean
    rows = clv.assign(table).to_pylist()
    assert [row["expected_order_value"] for row in rows] == [
        pytest.approx(mean), 30.0, None, 40.0,
    ]  # fmt: skip


def test_without_spend_there_is_no_money():
    clv = oc.Clv(model="bg_nbd", spend=None, parameters=BG)
    table = profile_of().select(["order_days", "lifetime_days", "days_since_last_order"])
    found = clv.assign(table)
    assert found.column_names[3:] == ["p_alive", "p_active", "expected_orders"]
    assert clv.spend_log_likelihood is None
    assert clv.warnings == ()


def test_new_customers_are_those_of_today():
    clv = oc.Clv(model="mbg_nbd", spend=None, parameters=BG)
    today = profile_of(order_days=[1], lifetime_days=[0], days_since_last_order=[0],
                       revenue=[1.0], revenue_first_day=[1.0])  # fmt: skip
    for days, orders in clv.expected_orders((1, 30, 365)).items():
        row = clv.assign(today, horizon_days=days).to_pylist()[0]
        assert row["expected_orders"] == orders
    assert list(clv.expected_orders(7)) == [7]
    assert clv.discounted_orders((30,)) == clv.expected_orders((30,))  # at no discount
    dear = oc.Clv(model="mbg_nbd", spend=None, discount_rate=0.5, parameters=BG)
    assert 0 < dear.discounted_orders(365)[365] < dear.expected_orders(365)[365]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "pareto"}, "did you mean 'pareto_nbd'"),
        ({"spend": "gamma"}, "spend='gamma'"),
        ({"spend_of": "first"}, "spend_of='first'"),
        ({"horizon_days": 0}, "horizon_days=0 is no horizon"),
        ({"horizon_days": 36_526}, "100 years"),
        ({"horizon_days": 1.5}, "horizon_days=1.5"),
        ({"horizon_days": True}, "horizon_days=True"),
        ({"discount_rate": -0.1}, "discount_rate=-0.1"),
        ({"discount_rate": math.nan}, "discount_rate=nan"),
        ({"discount_rate": "10 %"}, "discount_rate='10 %'"),
        ({"parameters": BG}, "model='auto' has no parameters"),
        ({"model": "bg_nbd", "parameters": [1]}, "no dict"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": 0}}, "no positive number"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": math.inf}}, "no positive"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": "x"}}, "no positive"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": 10**400}}, "no positive"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": (0.2, -5)}}, "no standard"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": (0.2, math.nan)}}, "no pos"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "r": (1, math.inf)}}, "no stand"),
        ({"discount_rate": 10**400}, "no discount of a year"),
        ({"model": "pareto_nbd, foo"}, "model='pareto_nbd, foo'"),
        ({"model": "auto, foo"}, "model='auto, foo'"),
        ({"spend": "gamma_gamma, x"}, "spend='gamma_gamma, x'"),
        ({"spend": "average, x"}, "spend='average, x'"),
        ({"model": "bg_nbd", "spend": None, "parameters": {"r": 1.0}}, "needs the parameter"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, "s": 1}}, "no parameter s"),
        ({"model": "bg_nbd", "parameters": BG}, "spend='gamma_gamma' needs the parameter p"),
        ({"model": "bg_nbd", "spend": None, "parameters": {**BG, **SPEND}}, "spend=None"),
        ({"model": "bg_nbd", "spend": "average", "parameters": BG}, "of spend it has mean_spend"),
        ({"model": "bg_nbd", "parameters": {**BG, **SPEND, "q": 0.5}}, "q = 0.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        oc.Clv(**options)


ONCE = {"order_days": [1, 1], "lifetime_days": [0, 0], "days_since_last_order": [3, 4]}
MONEY = {"revenue": [5.0, 5.0], "revenue_first_day": [5.0, 5.0]}


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({**ONCE, **MONEY}, oc.DataError, "nobody has ordered on a second day"),
        ({"order_days": [0] * 4}, oc.DataError, "no customer of this profile has orders"),
        ({"order_days": [None, 3, 0, 4]}, oc.DataError, "order_days is null or negative at row 0"),
        ({"order_days": [1, -3, 0, 4]}, oc.DataError, "order_days is null or negative at row 1"),
        ({"lifetime_days": [0, None, 1, 90]}, oc.DataError, "lifetime_days is null .* row 1"),
        ({"lifetime_days": [0, 1, 1, 90]}, oc.DataError, "no orders have order_days 3, .* row 1"),
        ({"days_since_last_order": [1, 1, 1, -9]}, oc.DataError, "as at row 3"),
        (
            {"revenue": [1.0, math.nan, 0.0, 1.0]},
            oc.DataError,
            "revenue is NaN or infinite at row 1",
        ),
        ({"revenue": [1.0, None, 0.0, 1.0]}, oc.DataError, "revenue is null .* row 1"),
        ({"revenue": [20, 95, 0, 1]}, oc.ColumnError, "revenue is int64 and .* double"),
        ({"window_days": pa.array([30] * 4, pa.int32())}, oc.ConfigError, "has a window"),
        (
            {"revenue": [20.0, 35.0, 0.0, 30.0]},
            oc.DataError,
            "no customer's mean spend is positive",
        ),
        ({"revenue": [20.0, 30.0, 0.0, 20.0]}, oc.DataError, r"\(2 customers with zero or less\)"),
        ({}, oc.DataError, "only 1 customer with a positive mean spend"),
    ],
)
def test_data_that_say_nothing_are_refused(columns, error, message):
    with pytest.raises(error, match=message):
        oc.Clv(model="bg_nbd").fit(profile_of(**columns))


@pytest.mark.parametrize("spend", ["average", "gamma_gamma"])
def test_amounts_that_cannot_be_added_up_are_refused(table, spend):
    for name in ("revenue", "revenue_first_day"):
        large = pc.multiply(table[name].cast(pa.float64()), 1e301)
        table = table.set_column(table.schema.get_field_index(name), name, large)
    with pytest.raises(oc.DataError, match=r"a mean spend is .*take another unit of money"):
        oc.ValueLists(oc.Clv(model="nbd", spend=spend)).fit(table)


def test_one_customer_is_not_enough():
    one = profile_of().slice(1, 1)
    with pytest.raises(oc.DataError, match="only 1 customer"):
        oc.Clv(model="bg_nbd").fit(one)
    table = profile_of().drop_columns(["revenue"])
    with pytest.raises(oc.ColumnError, match="no single column 'revenue'"):
        oc.Clv(model="bg_nbd").fit(table)


def test_profiles_without_money_have_no_spend():
    orders = buyers.orders(60).drop_columns(["amount"])
    history = oc.OrderHistory.build(orders, columns=oc.Columns(amount=None), threads=1)
    with pytest.raises(oc.ConfigError, match="spend=None"):
        oc.Clv(model="bg_nbd").fit(history, buyers.AS_OF)


def test_what_is_not_fitted_is_refused(table, history):
    for use in (
        lambda clv: clv.assign(table),
        lambda clv: clv.expected_orders(),
        lambda clv: clv.discounted_orders(),
    ):
        with pytest.raises(oc.ConfigError, match="is not fitted"):
            use(oc.Clv())
    with pytest.raises(oc.ConfigError, match="pass as_of="):
        oc.Clv().fit(history)
    with pytest.raises(oc.ConfigError, match="a profile has its day"):
        oc.Clv().fit(table, buyers.AS_OF)
    with pytest.raises(oc.ConfigError, match="errors='robust'"):
        oc.Clv().fit(table, errors="robust")
    with pytest.raises(oc.ConfigError, match="threads=0"):
        oc.Clv(model="bg_nbd").fit(table, threads=0)


def test_columns_that_are_there_are_refused(table, clv):
    found = clv.assign(table)
    with pytest.raises(oc.ColumnError, match="has a column 'p_alive' already"):
        clv.assign(found)


def fitted_quietly(clv: oc.Clv, table: pa.Table) -> oc.Clv:
    """Return the model fitted to data of which it says more than one thing."""
    with pytest.warns(oc.OrdercycleWarning) as warned:
        fitted = clv.fit(table)
    assert tuple(str(one.message) for one in warned) == fitted.warnings
    return fitted


def test_spend_that_depends_on_frequency_is_warned_of():
    rows = [(1 + place % 5, 30, 10) for place in range(60)]
    days = np.array([row[0] for row in rows], np.int64)
    table = pa.table(
        {
            "order_days": days,
            "lifetime_days": pa.array(np.where(days > 1, 30, 0), pa.int32()),
            "days_since_last_order": pa.array([10 + place % 7 for place in range(60)], pa.int32()),
            "revenue": 10.0 * days * days + np.arange(60) % 3,
            "revenue_first_day": [10.0] * 60,
        }
    )
    fitted = fitted_quietly(oc.Clv(model="bg_nbd", spend="average"), table)
    assert fitted.account.correlation > 0.3
    assert any("spend depends on how often customers order" in text for text in fitted.warnings)
    assert any("underestimated" in text for text in fitted.warnings)


def test_customers_whose_spend_is_not_positive_are_counted(table):
    revenue = table["revenue_first_day"].combine_chunks()
    few = pa.array([False] * 350 + [True] * 50)
    lowered = pa.compute.if_else(few, revenue, table["revenue"])
    place = table.schema.get_field_index("revenue")
    with pytest.warns(oc.OrdercycleWarning, match="mean spend is zero or negative"):
        fitted = oc.Clv(model="mbg_nbd").fit(table.set_column(place, "revenue", lowered))
    again = sum(days > 1 for days in table["order_days"].to_pylist()[350:])
    assert fitted.account.without_spend == again


def test_regular_gaps_are_told_from_gaps_at_random(table):
    at_random = oc.Clv(model="mbg_nbd", spend=None).fit(table).account.regularity
    assert 0.8 < at_random < 1.25
    table = pa.table(
        {
            "order_days": pa.array([10] * 50, pa.int64()),
            "lifetime_days": pa.array([90 + place for place in range(50)], pa.int32()),
            "days_since_last_order": pa.array([place % 9 for place in range(50)], pa.int32()),
            "gap_square_sum": pa.array([(90 + place) ** 2 // 9 + 40 for place in range(50)]),
        }
    )
    fitted = fitted_quietly(oc.Clv(model="bg_nbd", spend=None), table)
    assert fitted.account.regularity > 5
    assert "than at random)" in str(fitted.account)
    assert any("more regular than at random" in text for text in fitted.warnings)


def test_customers_whose_gaps_are_unknown_are_left_out_of_the_regularity(table):
    place = table.schema.get_field_index("gap_square_sum")
    squares = table["gap_square_sum"].to_pylist()
    some = [None if row % 3 == 0 else one for row, one in enumerate(squares)]
    lacking = table.set_column(place, "gap_square_sum", pa.array(some, pa.int64()))
    known = table.filter(pa.array([one is not None for one in some]))
    inputs = ClvInputs(has_spend=False, spend_of="repeat")
    found, expected = (ClvCounts.of(inputs.counted(one)) for one in (lacking, known))
    assert found.gap_ratios == expected.gap_ratios
    assert found.gaps.shape == expected.gaps.shape
    assert found.gaps.error == expected.gaps.error


@pytest.mark.parametrize("shape", [0.8, 1.0, 2.0])
def test_the_error_of_the_regularity_is_its_spread_over_samples(shape):
    rng = np.random.default_rng(3)
    found, errors = [], []
    for _ in range(60):
        gaps = rng.gamma(shape, 1000 / shape, (300, 4)).astype(np.int64) + 1
        known = pa.table(
            {
                "order_days": pa.array([5] * 300, pa.int64()),
                "lifetime_days": pa.array(gaps.sum(axis=1), pa.int32()),
                "days_since_last_order": pa.array([3] * 300, pa.int32()),
                "gap_square_sum": pa.array((gaps**2).sum(axis=1), pa.int64()),
            }
        )
        counts = ClvCounts.of(ClvInputs(has_spend=False, spend_of="repeat").counted(known))
        found.append(counts.gaps.shape)
        errors.append(counts.gaps.error)
    assert abs(np.mean(found) - shape) < 4 * np.mean(errors) / math.sqrt(60)
    assert 0.7 < np.std(found) / np.mean(errors) < 1.4


@pytest.mark.parametrize(("customers", "is_regular"), [(1, False), (3, False), (30, True)])
def test_few_customers_whose_gaps_are_alike_are_not_surely_regular(customers, is_regular):
    alike = pa.table(
        {
            "order_days": pa.array([3] * customers, pa.int64()),
            "lifetime_days": pa.array([60] * customers, pa.int32()),
            "days_since_last_order": pa.array([5] * customers, pa.int32()),
            "gap_square_sum": pa.array([2 * 30**2] * customers),
        }
    )
    counts = ClvCounts.of(ClvInputs(has_spend=False, spend_of="repeat").counted(alike))
    assert counts.gaps.is_regular == is_regular


def test_equal_gaps_are_all_alike():
    alike = pa.table(
        {
            "order_days": pa.array([4] * 30, pa.int64()),
            "lifetime_days": pa.array([30 * (1 + row % 5) for row in range(30)], pa.int32()),
            "days_since_last_order": pa.array([row % 7 for row in range(30)], pa.int32()),
            "gap_square_sum": pa.array([300 * (1 + row % 5) ** 2 for row in range(30)]),
        }
    )
    fitted = fitted_quietly(oc.Clv(model="nbd", spend=None), alike)
    assert "Regularity of gaps: all gaps alike." in str(fitted.account)
    assert any("(all gaps alike)" in text for text in fitted.warnings)


def test_few_customers_have_no_sandwich_errors():
    one = profile_of().slice(1, 1)
    fitted = fitted_quietly(oc.Clv(model="nbd", spend=None), one)
    assert all(error is None for _, error in fitted.parameters.values())
    assert any("too few for sandwich errors of" in text for text in fitted.warnings)
    assert oc.scheme_from_dict(fitted.to_dict()) == fitted
    with pytest.warns(oc.OrdercycleWarning) as warned:
        believed = oc.Clv(model="nbd", spend=None).fit(one, errors="information")
    assert not any("sandwich" in str(text.message) for text in warned)
    ((estimate, error),) = believed.parameters.values()
    assert error == pytest.approx(estimate / math.sqrt(2))  # of two repeat orders


def test_few_spenders_have_no_sandwich_errors(table):
    fitted = fitted_quietly(oc.Clv(model="nbd"), table.slice(0, 30))
    shape = fitted.parameters["p"]
    assert shape[0] > 0
    assert shape[1] is None
    assert any("sandwich errors of 3 parameters of gamma" in text for text in fitted.warnings)


def drawn_profile(table: pa.Table, seed: int, draw: int) -> pa.Table:
    """Return a profile of as many customers of each kind as a draw has."""
    names = ("order_days", "lifetime_days", "days_since_last_order")
    kinds = Counter(zip(*(table[name].to_pylist() for name in names), strict=True))
    rows = []
    for (days, lifetime, since), customers in kinds.items():
        word = mixed(mixed(seed) ^ draw)
        for part in (days - 1, lifetime, lifetime + since):
            word = mixed(word ^ part)
        chance = ((word >> 11) + 0.5) / 2**53
        rows += [(days, lifetime, since)] * poisson_number(customers, chance)
    columns = list(zip(*rows, strict=True))
    types = (pa.int64(), pa.int32(), pa.int32())
    return pa.table(
        {name: pa.array(one, kind) for name, one, kind in zip(names, columns, types, strict=True)}
    )


def mixed(word: int) -> int:
    z = (word + 0x9E3779B97F4A7C15) & (2**64 - 1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ (z >> shift)) * factor) & (2**64 - 1)
    return z ^ (z >> 31)


def poisson_number(mean: int, chance: float) -> int:
    """Return the number that a chance stands for: those next to the mean come first."""
    for distance in range(200):
        for number in (mean + distance, mean - distance)[: distance + 1]:
            if number >= 0:
                chance -= math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))
                if chance < 0:
                    return number
    raise AssertionError(mean)


def table_ages(table):
    recency = table["lifetime_days"].to_numpy()
    return recency, recency + table["days_since_last_order"].to_numpy()


def test_intervals_are_those_of_models_fitted_to_drawn_customers(table):
    clv = oc.Clv(model="mbg_nbd", spend=None, horizon_days=90).fit(table)
    found = clv.intervals(table, draws=2, seed=11, level=0.5)
    refits = [
        oc.Clv(model="mbg_nbd", spend=None).fit(drawn_profile(table, 11, draw)) for draw in range(2)
    ]
    rows = [
        {name: estimate for name, (estimate, _) in one.parameters.items()}
        | {
            name: pc.sum(one.assign(table, horizon_days=90)[name]).as_py()
            for name in ("p_active", "expected_orders")
        }
        for one in (clv, *refits)
    ]
    assert found["name"].to_pylist() == list(rows[0])
    chances = clv.assign(table)["p_active"].drop_null().to_numpy()
    kinds = table["order_days"].to_numpy() - 1, *table_ages(table)
    deviations = {
        "p_active": float(np.sqrt((chances * (1 - chances)).sum())),
        "expected_orders": math.sqrt(variances_of_orders(clv._models.orders, *kinds, 90).sum()),
    }
    for row in found.to_pylist():
        name = row["name"]
        assert row["estimate"] == pytest.approx(rows[0][name], rel=1e-12)
        one, other = sorted(of_draw[name] for of_draw in rows[1:])
        if name not in deviations:
            assert row["low"] == pytest.approx(one + (other - one) / 4, rel=1e-4)
            assert row["high"] == pytest.approx(one + 3 * (other - one) / 4, rel=1e-4)
            continue
        # What happens varies around each draw's total.
        around = [NormalDist(centre, deviations[name]) for centre in (one, other)]
        for bound, share in (("low", 0.25), ("high", 0.75)):
            below = np.mean([one.cdf(row[bound]) for one in around])
            assert below == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize("spend", ["gamma_gamma", "average"])
def test_totals_vary_as_much_as_simulated_customers_do(spend):
    """Intervals of a day's draw alone, so that only chance is left; spend from day to day too."""
    random, size = np.random.default_rng(5), 1_000
    profile = pa.table(
        {
            "order_days": pa.array(random.integers(1, 6, size)),
            "lifetime_days": pa.array([60] * size, pa.int32()),
            "days_since_last_order": pa.array([30] * size, pa.int32()),
        }
    )
    days = profile["order_days"].to_numpy()
    profile = profile.set_column(1, "lifetime_days", pa.array(60 * (days > 1), pa.int32()))
    means = random.gamma(3.0, 10.0, size)
    profile = profile.append_column("revenue", pa.array(means * days))
    profile = profile.append_column("revenue_first_day", pa.array(means))
    given_ = {"r": 2.0, "alpha": 90.0, "s": 0.9, "beta": 200.0}
    given_ |= (
        {"p": 4.0, "q": 5.0, "gamma": 30.0} if spend == "gamma_gamma" else {"mean_spend": 30.0}
    )
    clv = oc.Clv(model="pareto_nbd", spend=spend, horizon_days=180, parameters=given_)
    forecast = clv._forecast()
    variances = fit_profile(PopulationRound(clv._inputs), profile, threads=1).variances(forecast)
    alive = clv.assign(profile)["p_alive"].to_numpy()
    age = profile["lifetime_days"].to_numpy() + 30
    totals = []
    for _ in range(150):
        rate = random.gamma(2.0 + days - 1) / (90.0 + age)
        left = random.exponential((200.0 + age) / random.gamma(0.9, size=size))
        orders = random.poisson(rate * np.minimum(left, 180)) * (random.random(size) < alive)
        if spend == "average":
            spent = orders * np.where(days > 1, means, 30.0)
        else:
            # Of x days with the mean m, the rate of spend is gamma (p x + q, gamma + x m).
            scale = random.gamma(4.0 * (days - 1) + 5.0) / (30.0 + (days - 1) * means)
            spent = np.where(orders > 0, random.gamma(4.0 * np.maximum(orders, 1)) / scale, 0.0)
        totals.append((np.count_nonzero(orders), orders.sum(), spent.sum()))
    found = np.var(totals, axis=0) / np.array(list(variances.values()))
    assert ((found > 0.6) & (found < 1.6)).all()  # 3.5 standard errors of a variance


@pytest.mark.parametrize("spend", ["gamma_gamma", "average"])
def test_intervals_are_the_same_bits_and_hold_totals_and_errors(history, table, spend):
    clv = oc.Clv(model="mbg_nbd", spend=spend, spend_of="all", horizon_days=90).fit(table)
    found = clv.intervals(table, draws=40, seed=3)
    reversed_rows = table.take(list(range(table.num_rows))[::-1])
    for source in (reversed_rows, table.to_reader(max_chunksize=7)):
        assert clv.intervals(source, draws=40, seed=3, threads=2) == found
    assert clv.intervals(history, buyers.AS_OF, draws=40, seed=3, threads=1) == found
    assert clv.intervals(table, draws=40, seed=4) != found
    assigned = clv.assign(table)
    for row in found.to_pylist():
        assert row["low"] < row["estimate"] < row["high"]
        if row["name"] in clv.parameters:
            estimate, error = clv.parameters[row["name"]]
            assert row["estimate"] == estimate
            if row["name"] in ("r", "alpha", "mean_spend"):  # those that the data tell well
                assert 0.4 < (row["high"] - row["low"]) / (4 * error) < 2.5
        else:
            total = pc.sum(assigned[row["name"]]).as_py()
            assert row["estimate"] == pytest.approx(total, rel=1e-10)
    wider = clv.intervals(table, draws=40, seed=3, level=0.99, horizon_days=180)
    assert wider["high"][0].as_py() > found["high"][0].as_py()
    assert wider["estimate"][-1].as_py() > found["estimate"][-1].as_py()


def test_intervals_of_discounted_spend_hold_those_who_spend_nothing(table):
    place = table.column_names.index("revenue")
    every_fifth = pa.array([row % 5 == 0 for row in range(table.num_rows)])
    spent = pc.if_else(every_fifth, table["revenue_first_day"], table["revenue"])
    table = table.set_column(place, table.schema.field(place), spent)
    with pytest.warns(oc.OrdercycleWarning, match="whose mean spend is zero or negative"):
        clv = oc.Clv(model="mbg_nbd", spend="average", horizon_days=90).fit(table)
    rows = [
        clv.intervals(table, draws=10, discount_rate=rate).to_pylist()[-1] for rate in (0.0, 0.1)
    ]
    plain, discounted = ((row["high"] - row["low"]) / row["estimate"] for row in rows)
    assert discounted == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 1}, "level=1 is no share of all draws"),
        ({"level": "most"}, "level='most'"),
        ({"draws": 0}, "draws=0 is no number of draws"),
        ({"seed": -1}, "seed=-1 is no seed"),
        ({"horizon_days": 0}, "horizon_days=0"),
    ],
)
def test_intervals_of_options_that_make_no_sense_are_refused(table, clv, options, message):
    with pytest.raises(oc.ConfigError, match=message):
        clv.intervals(table, **options)


def test_intervals_take_what_a_model_was_fitted_to(table, clv):
    with pytest.raises(oc.ConfigError, match="parameters by hand have no intervals"):
        oc.Clv(model="bg_nbd", spend=None, parameters=BG).intervals(table)
    with pytest.raises(oc.ConfigError, match="and the model was fitted to 400 and"):
        clv.intervals(table.slice(10))
    with pytest.raises(oc.ConfigError, match="is not fitted"):
        oc.Clv().intervals(table)
    few = table.slice(0, 12)
    with pytest.warns(oc.OrdercycleWarning):
        hardly = oc.Clv(model="bg_nbd", spend=None).fit(few)
    if hardly.model == "bg_nbd":
        with pytest.warns(oc.OrdercycleWarning, match="of 30 draws of customers"):
            hardly.intervals(few, draws=30)
