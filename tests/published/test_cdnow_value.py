"""Published numbers of models of value, through the public interface, for the CDNOW sample.

Customers, calibration and holdout are those of Fader and Hardie: see `test_cdnow`.
"""

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._datasets.packaged import packaged_file
from ordercycle._segments.value.inputs import ClvCounts, ClvInputs

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


def test_the_holdout_of_39_weeks(history):
    with pytest.warns(oc.OrdercycleWarning, match="less than twice the 273 days"):
        test = oc.Clv().backtest(history, END_OF_CALIBRATION, horizon_days=HORIZON)
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
    assert round(counts.regularity, 2) == regularity


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
