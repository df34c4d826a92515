"""Numbers beside those of the package lifetimes, for the same customers."""

import warnings
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._datasets.packaged import packaged_file

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter

END_OF_CALIBRATION, HORIZON = "1997-09-30", 273
FITTERS = {"bg_nbd": BetaGeoFitter, "mbg_nbd": ModifiedBetaGeoFitter}


@pytest.fixture(scope="module")
def profile():
    lines = packaged_file("lifetimes", "datasets", "CDNOW_sample.txt").read_text("latin-1")
    rows = [line.split() for line in lines.splitlines() if line.strip()]
    orders = pa.table(
        {
            "customer_id": pa.array([int(row[1]) for row in rows]),
            "ordered_at": pa.array([date.fromisoformat(row[-3]) for row in rows]),
            "amount": pa.array([Decimal(row[-1]) for row in rows], pa.decimal128(9, 2)),
        }
    )
    return oc.OrderHistory.build(orders).profile(END_OF_CALIBRATION)


@pytest.fixture(scope="module")
def columns(profile):
    """Return frequency, recency and T in days, and the mean spend of repeat days."""
    frame = profile.to_pandas()
    frequency, recency = frame["order_days"] - 1, frame["lifetime_days"]
    spend = (frame["revenue"] - frame["revenue_first_day"]).astype(float)
    means = np.where(frequency > 0, spend / np.maximum(frequency, 1), 0.0)
    return frequency, recency, recency + frame["days_since_last_order"], means


def quietly(work, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work(*arguments, **options)


@pytest.mark.parametrize("model", FITTERS)
def test_lifetimes_finds_the_same_parameters_and_no_better_ones(profile, columns, model):
    frequency, recency, age, _ = columns
    theirs = quietly(FITTERS[model]().fit, frequency, recency, age)
    ours = oc.Clv(model=model, spend=None).fit(profile, errors="information")
    for name, value in theirs.params_.items():
        estimate, error = ours.parameters[name]
        assert estimate == pytest.approx(value, rel=2e-3)
        assert error == pytest.approx(theirs.standard_errors_[name], rel=2e-2)
    # Theirs is of a customer, of days scaled by some factor, which we undo.
    scaled = -theirs._negative_log_likelihood_ * len(frequency)
    unscaled = scaled + frequency.sum() * np.log(theirs._scale)
    assert ours.log_likelihood >= unscaled - 1e-6
    assert ours.log_likelihood == pytest.approx(unscaled, abs=0.01)


@pytest.mark.parametrize("model", FITTERS)
def test_lifetimes_predicts_the_same_with_the_same_parameters(profile, columns, model):
    frequency, recency, age, _ = columns
    theirs = quietly(FITTERS[model]().fit, frequency, recency, age)
    numbers = {name: float(value) for name, value in theirs.params_.items()}
    ours = oc.Clv(model=model, spend=None, horizon_days=HORIZON, parameters=numbers)
    found = ours.assign(profile)
    alive = quietly(theirs.conditional_probability_alive, frequency, recency, age)
    orders = quietly(
        theirs.conditional_expected_number_of_purchases_up_to_time,
        HORIZON, frequency, recency, age,
    )  # fmt: skip
    np.testing.assert_allclose(found["p_alive"], alive, rtol=1e-10)
    np.testing.assert_allclose(found["expected_orders"], orders, rtol=1e-7)
    new = quietly(theirs.expected_number_of_purchases_up_to_time, HORIZON)
    assert ours.expected_orders(HORIZON)[HORIZON] == pytest.approx(float(new), rel=1e-9)


def test_lifetimes_expects_the_same_spend(profile, columns):
    frequency, _, _, means = columns
    again = frequency > 0
    theirs = quietly(GammaGammaFitter().fit, frequency[again], means[again])
    clv = oc.Clv(model="bg_nbd").fit(profile)
    for name, value in zip(("p", "q", "gamma"), theirs.params_, strict=True):
        assert clv.parameters[name][0] == pytest.approx(value, rel=1e-3)
    numbers = dict(zip(("p", "q", "gamma"), map(float, theirs.params_), strict=True))
    orders = {name: clv.parameters[name][0] for name in ("r", "alpha", "a", "b")}
    found = oc.Clv(model="bg_nbd", parameters=orders | numbers).assign(profile)
    expected = theirs.conditional_expected_average_profit(frequency, means)
    np.testing.assert_allclose(found["expected_order_value"], expected, rtol=1e-12)
