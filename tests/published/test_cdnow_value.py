"""Published numbers of models of value, through the public interface, for the CDNOW sample.

Customers, calibration and holdout are those of Fader and Hardie: see `test_cdnow`.
"""

import math
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._datasets.packaged import packaged_file
from ordercycle._segments.value.inputs import ClvCounts, ClvInputs
from ordercycle._value_models.likelihoods import Cells
from ordercycle._value_models.searching import LIKELIHOODS
from ordercycle._workspace import Workers
from ordercycle_kernels._types import as_input

END_OF_CALIBRATION, HORIZON = "1997-09-30", 273
WEEK = 7


@pytest.fixture(scope="module")
def history():
    lines = packaged_file("lifetimes", "datasets", "CDNOW_sample.txt").read_text("latin-1")
    rows = [line.split() for line in lines.splitlines() if line.strip()]
    orders = {
        "customer_id": pa.array([int(row[1]) for row in rows]),
        "ordered_at": pa.array([date.fromisoformat(row[-3]) for row in rows]),
        "amount": pa.array([Decimal(row[-1]) for row in rows], pa.decimal128(9, 2)),
    }
    return oc.OrderHistory.build(pa.table(orders))


@pytest.fixture(scope="module")
def fitted(history):
    return {
        model: oc.Clv(model=model, horizon_days=HORIZON).fit(
            history, END_OF_CALIBRATION, errors="information"
        )
        for model in ("bg_nbd", "mbg_nbd", "pareto_nbd", "nbd")
    }


#: In weeks, as printed; the last is the log-likelihood.
PUBLISHED = {
    "fader hardie lee 2005": ("bg_nbd", {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}),
    "lifetimes test of mbg": ("mbg_nbd", {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}),
    "clvtools test of pareto": (
        "pareto_nbd", {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
    ),
    "fader hardie note 025": ("bg_nbd", {"p": 6.25, "q": 3.74, "gamma": 15.44}),
}  # fmt: skip


@pytest.mark.parametrize("source", PUBLISHED)
def test_published_parameters(fitted, source):
    model, numbers = PUBLISHED[source]
    for name, printed in numbers.items():
        estimate, _ = fitted[model].parameters[name]
        days = WEEK if name in ("alpha", "beta") else 1
        digits = 2 if name in ("p", "q", "gamma") else 3
        assert round(estimate / days, digits) == printed, name


def test_fader_hardie_note_025_expected_spend_of_the_first_ten_customers(fitted, history):
    found = fitted["bg_nbd"].assign(history.profile(END_OF_CALIBRATION)).sort_by("customer_id")
    printed = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert [round(value, 2) for value in found["expected_order_value"].to_pylist()[:10]] == printed


#: Order days of the 39 weeks after the calibration by repeat orders before, 7 for 7 and more.
BY_FREQUENCY = {
    "actual": [0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594],
    "bg_nbd": [0.2251, 0.5231, 1.0441, 1.5203, 2.1639, 2.6538, 3.5040, 6.1572],
    "pareto_nbd": [0.1384, 0.5995, 1.1958, 1.7138, 2.3983, 2.9072, 3.8186, 6.4031],
    "nbd": [0.3372, 1.2131, 2.0940, 2.9714, 3.7963, 4.6811, 5.5689, 9.3978],
}


@pytest.fixture(scope="module")
def backtest(history):
    with pytest.warns(oc.OrdercycleWarning, match="less than twice the 273 days"):
        return oc.Clv().backtest(history, END_OF_CALIBRATION, horizon_days=HORIZON)


@pytest.fixture(scope="module")
def pareto_alone(history):
    with pytest.warns(oc.OrdercycleWarning, match="less than twice the 273 days"):
        return oc.Clv(model="pareto_nbd").backtest(
            history, END_OF_CALIBRATION, horizon_days=HORIZON
        )


def test_the_holdout_of_39_weeks(backtest):
    test = backtest
    table = test.by_frequency()
    assert table["customers"].to_pylist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    for name, means in BY_FREQUENCY.items():
        assert table[name].to_pylist() == pytest.approx(means, abs=6e-5), name
    rows = {row["model"]: row for row in test.to_table().to_pylist()}
    assert rows["bg_nbd"]["orders_actual"] == 1882
    assert rows["bg_nbd"]["revenue_actual"] == pytest.approx(70_976.39)
    assert rows["bg_nbd"]["orders"] == pytest.approx(1653.41, abs=0.01)
    assert rows["pareto_nbd"]["orders"] == pytest.approx(1665.51, abs=0.01)
    assert rows["nbd"]["orders"] == pytest.approx(2929.82, abs=0.01)
    assert rows["bg_nbd"]["revenue"] == pytest.approx(59_932, abs=1)
    assert rows["mbg_nbd"]["revenue"] == pytest.approx(57_128, abs=1)
    assert rows["pareto_nbd"]["revenue"] == pytest.approx(60_449, abs=1)
    assert rows["bg_nbd"]["mae"] == pytest.approx(0.7855, abs=6e-5)
    assert rows["pareto_nbd"]["rmse"] == pytest.approx(1.6028, abs=6e-5)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [("pareto_nbd", (208, 159, 330, 1660)), ("bg_nbd", (200, 105, 425, 1627))],
)
def test_lists_come_out_the_same_by_any_model(fitted, history, model, sizes):
    profile = history.profile(END_OF_CALIBRATION)
    lists = oc.ValueLists(fitted[model], anchor="absolute").fit(profile)
    assert tuple(lists.account.sizes.values()) == sizes


def test_research_for_cdnow_normalized_gini_top_decile_brier_and_auc(backtest):
    """Gini .659, .638, .638, .684, .680; 50.4 and 48.1 % of revenue in the best tenth."""
    rows = {row["model"]: row for row in backtest.to_table().to_pylist()}
    gini = {"pareto_nbd": 0.659, "bg_nbd": 0.638, "mbg_nbd": 0.638, "nbd": 0.684}
    for model, printed in (gini | {"past_revenue": 0.680}).items():
        assert round(rows[model]["gini"], 3) == printed, model
    assert round(rows["pareto_nbd"]["top_decile_share"], 3) == 0.504
    assert round(rows["past_revenue"]["top_decile_share"], 3) == 0.481
    pareto = rows["pareto_nbd"]
    assert (round(pareto["brier"], 3), round(pareto["auc"], 3)) == (0.162, 0.771)
    assert round(rows["recency"]["auc"], 3) == 0.771
    assert pareto["active_actual"] == 684
    active = {"pareto_nbd": 523.17, "bg_nbd": 617.03}
    assert {model: round(rows[model]["active"], 2) for model in active} == active


@pytest.mark.parametrize(
    ("anchor", "sizes", "ordered", "share"),
    [
        ("absolute", [208, 159, 330, 1660], [80, 62, 47, 16], [47, 9, 18, 26]),
        ("new", [225, 243, 279, 1610], [79, 57, 43, 15], [49, 13, 14, 24]),
    ],
)
def test_research_for_cdnow_what_became_of_the_lists(pareto_alone, anchor, sizes, ordered, share):
    table = pareto_alone.by_list(anchor=anchor)
    assert table["customers"].to_pylist() == sizes
    assert [round(100 * one) for one in table["ordered"].to_pylist()] == ordered
    assert [round(100 * one) for one in table["share_of_actual"].to_pylist()] == share


def test_research_for_cdnow_the_clv_on_top_of_the_list(fitted, history):
    """439.62 reaches 9 more customers, 319.74 reaches 26, and 164.42 reaches 85."""
    profile = history.profile(END_OF_CALIBRATION)
    account = oc.ValueLists(fitted["pareto_nbd"], anchor="absolute").fit(profile).account
    printed = {
        "mean_clv": (439.62, 9, 7), "median_clv": (319.74, 26, 13), "mean_value": (164.42, 85, 46),
    }  # fmt: skip
    for name, (number, others, lost) in printed.items():
        reached = account.reached[name]
        assert round(account.numbers[name], 2) == number
        assert sum(count for one, count in reached.items() if one != "Top") == others
        assert reached["Lost"] == lost


#: Of a week, continuously: what Fader and Hardie take for 15 % a year; and 15 % in 52 weeks.
FIFTEEN_PERCENT, OF_52_WEEKS = 0.0027, math.log(1.15) / 52
HUNDRED_YEARS = 36_525


def yearly(weekly: float) -> float:
    return math.expm1(weekly * 365 / WEEK)


def test_btyd_manual_discounted_expected_residual_transactions_are_86_0304():
    """DERT of (26, 30.86, 31) in weeks: P(alive), in fiftieths of a week, times that of alive."""

    def clv(unit: int, **options: object) -> oc.Clv:
        parameters = {"r": 0.5534, "alpha": 10.5802 * unit, "s": 0.6061, "beta": 11.6562 * unit}
        spend = {} if options.get("spend", 1) is None else {"mean_spend": 1.0}
        return oc.Clv(model="pareto_nbd", parameters=parameters | spend, **options)

    def customer(recency: int, age: int) -> pa.Table:
        return pa.table(
            {
                "order_days": pa.array([27]),
                "lifetime_days": pa.array([recency], pa.int32()),
                "days_since_last_order": pa.array([age - recency], pa.int32()),
                "revenue": [27.0],
                "revenue_first_day": [1.0],
            }
        )

    alive = clv(50, spend=None).assign(customer(1543, 1550))["p_alive"][0].as_py()
    assert round(alive, 4) == 0.9979
    ahead = clv(
        WEEK, spend="average", horizon_days=HUNDRED_YEARS, discount_rate=yearly(FIFTEEN_PERCENT)
    )
    of_alive = ahead.assign(customer(217, 217))["predicted_value"][0].as_py()
    assert round(alive * of_alive, 4) == 86.0304


def test_research_for_cdnow_sums_of_dert_are_7205_5_and_with_spend_261531_7(fitted, history):
    table = fitted["pareto_nbd"].assign(
        history.profile(END_OF_CALIBRATION),
        horizon_days=HUNDRED_YEARS,
        discount_rate=yearly(OF_52_WEEKS),
    )
    value = table["predicted_value"].to_numpy()
    orders = value / table["expected_order_value"].to_numpy()
    # Of what comes after a hundred years, a ten-millionth is left.
    assert math.fsum(orders) == pytest.approx(7_205.548, rel=2e-7)
    assert math.fsum(value) == pytest.approx(261_531.69, rel=3e-7)


#: In weeks: of BG/NBD as printed.
IN_WEEKS = {
    "bg_nbd": (0.243, 4.414, 0.793, 2.426),
    "mbg_nbd": (0.525, 6.183, 0.891, 1.614),
    "pareto_nbd": (0.553, 10.578, 0.606, 11.669),
}


@pytest.mark.parametrize("model", IN_WEEKS)
def test_btyd_manual_probability_of_ten_orders_in_two_weeks_is_1_07869e_7(model):
    """P(X(2) = 10) by BG/NBD; by any model, the probabilities of all numbers add up to 1."""
    week = 50  # of so many days
    numbers = list(IN_WEEKS[model])
    numbers[1] *= week
    numbers[3] *= week if model == "pareto_nbd" else 1
    chances = [chance_of_orders(model, numbers, orders, 2 * week) for orders in range(25)]
    assert math.fsum(chances) == pytest.approx(1, abs=1e-9)
    if model == "bg_nbd":
        assert float(f"{chances[10]:.5e}") == 1.07869e-7


def chance_of_orders(model, numbers, orders, days):
    """Return the likelihood of x orders, integrated over the times at which they can be.

    Where the last is at t, there are t**(x - 1) / (x - 1)! ways to place the others. The integral
    over t is by Simpson's rule; days: an even number.
    """
    if orders == 0:
        return likelihood_of(model, numbers, 0, 0, days)
    return sum(
        likelihood_of(model, numbers, orders, day, days)
        * (day ** (orders - 1) / math.factorial(orders - 1))
        * (1 if day in (0, days) else 2 + 2 * (day % 2)) / 3
        for day in range(days + 1)
    )  # fmt: skip


def likelihood_of(model, numbers, orders, last, days):
    kinds = (np.int64, np.int32, np.int32, np.int64)
    customer = zip((orders, last, days, 1), kinds, strict=True)
    cells = Cells(*(as_input(np.array([one], kind)) for one, kind in customer))
    with Workers(1) as workers:
        return math.exp(LIKELIHOODS[model](cells, workers).sums(numbers)[0])


@pytest.mark.parametrize(
    ("data", "day", "regularity"),
    [(oc.datasets.cdnow, "1998-06-30", 0.79), (oc.datasets.groceries, "2018-01-01", 0.81)],
    ids=["cdnow", "groceries"],
)
def test_orders_come_in_clumps(data, day, regularity):
    data = data()
    history = oc.OrderHistory.build(data.orders, columns=data.columns)
    inputs = ClvInputs(has_spend=False, spend_of="repeat")
    counts = ClvCounts.of(inputs.counted(history.profile(day)))
    assert round(counts.gaps.shape, 2) == regularity


def test_groceries_run_to_a_boundary_which_is_said_and_predicts():
    data = oc.datasets.groceries()
    history = oc.OrderHistory.build(data.orders, columns=data.columns)
    with pytest.warns(oc.OrdercycleWarning) as warned:
        clv = oc.Clv(model="pareto_nbd", horizon_days=122).fit(history, "2017-08-31")
    assert clv.model == "pareto_nbd, one death rate"
    assert tuple(str(one.message) for one in warned) == clv.warnings
    assert any("do not tell all parameters" in text for text in clv.warnings)
    assert any("older than the history" in text for text in clv.warnings)
    orders = clv.assign(history.profile("2017-08-31"))["expected_orders"]
    assert pa.compute.sum(orders).as_py() == pytest.approx(42_251, rel=0.01)  # what came


def test_btydplus_finds_no_regularity_in_cdnow(history, fitted):
    """BTYDplus, demo/cdnow: its search for k ends at 1."""
    found = oc.Clv(model="mbg_cnbd", horizon_days=HORIZON).fit(history, END_OF_CALIBRATION)
    assert found.model == "mbg_nbd"
    assert next(iter(found.account.candidates)) == "mbg_nbd"
    assert found.log_likelihood == fitted["mbg_nbd"].log_likelihood


def regular_customers(stages, parameters, weeks, horizon, seed):
    """Return profiles of customers of MBG/CNBD-k, and what they order within a horizon."""
    random, size = np.random.default_rng(seed), weeks.size
    r, alpha, a, b = parameters
    rate, leaving = random.gamma(r, 1 / (alpha * WEEK), size), random.beta(a, b, size)
    age = weeks * WEEK
    now, last, repeats, squares, later = np.zeros((5, size))
    here = np.flatnonzero(random.random(size) > leaving)
    left_before = np.ones(size, bool)
    left_before[here] = False
    while here.size:
        now[here] += random.gamma(stages, 1 / rate[here])
        here = here[now[here] <= age[here] + horizon]
        day = np.ceil(now[here])
        known = day <= age[here]
        rows, days = here[known], day[known]
        is_new = days > last[rows]
        squares[rows] += (days - last[rows]) ** 2
        repeats[rows] += is_new
        last[rows] = days
        later[here[~known]] += 1
        stays = random.random(here.size) > leaving[here]
        left_before[here[~stays & known]] = True
        here = here[stays]
    columns = {
        "order_days": pa.array(repeats + 1).cast(pa.int64()),
        "lifetime_days": pa.array(last).cast(pa.int32()),
        "days_since_last_order": pa.array(age - last).cast(pa.int32()),
        "gap_square_sum": pa.array(squares).cast(pa.int64()),
    }
    return pa.table(columns), later, left_before


def test_btydplus_simulation_gives_its_parameters_back():
    """BTYDplus, tests and demo of MBG/CNBD-k: k = 3, and the others as near as they can be."""
    truth, size, horizon = (0.85, 1.45, 0.79, 2.42), 8_000, 32 * WEEK
    weeks = np.random.default_rng(1).integers(3, 25, size) * 4
    profile, later, left = regular_customers(3, truth, weeks, horizon, seed=2)
    clv = oc.Clv(model="mbg_cnbd", spend=None, horizon_days=horizon).fit(profile)
    assert clv.model == oc.Clv(spend=None).fit(profile).model == "mbg_cnbd_3"
    assert "mbg_cnbd_3" in str(clv.account)
    assert not clv.warnings
    days = (1, WEEK, 1, 1)
    for (found, error), true, unit in zip(clv.parameters.values(), truth, days, strict=True):
        assert abs(found - true * unit) < 3 * error
    # Without what gaps tell beside their sum, too; and the totals are those that came.
    assert (
        oc.Clv(model="mbg_cnbd", spend=None).fit(profile.drop_columns(["gap_square_sum"])).model
        == "mbg_cnbd_3"
    )
    made = clv.assign(profile)
    assert made["expected_orders"].to_numpy().sum() == pytest.approx(later.sum(), rel=0.05)
    assert made["p_alive"].to_numpy().sum() == pytest.approx(np.count_nonzero(~left), rel=0.05)
    assert made["p_active"].to_numpy().sum() == pytest.approx(np.count_nonzero(later), rel=0.05)
    again = oc.scheme_from_dict(clv.to_dict())
    assert again.assign(profile).equals(made)
