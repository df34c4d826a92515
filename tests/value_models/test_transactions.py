"""Models fitted to cells and made by hand, and what they predict."""

import math
import re
import time
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest

from ordercycle import ConfigError, DataError
from ordercycle._value_models import (
    Cells,
    TransactionFit,
    fit_transactions,
    predictions,
    variances_of_orders,
)
from ordercycle._value_models.cells import as_cells
from ordercycle._value_models.forms import FORMS
from ordercycle._value_models.searching import LIKELIHOODS
from ordercycle._value_models.transactions import KEPT_PREDICTORS
from ordercycle._workspace import Workers

BG = {"r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426}


def cells(*rows):
    return Cells(*(np.array(column) for column in zip(*rows, strict=True)))


def test_nobody_has_ordered_twice():
    with pytest.raises(DataError, match=r"nobody has ordered on a second day, of 7 customers"):
        fit_transactions(cells((0, 0, 3, 5), (0, 0, 9, 2)), "bg_nbd")


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 0, 9, 1)],  # two days cannot be one
        [(1, 9, 8, 1)],
        [(0, 3, 8, 1)],
        [(0, 0, 8, 0)],
        [(0, 0, 8, 1), (0, 0, 7, 1)],
        [(0, 0, 8, 1), (0, 0, 8, 1)],
    ],
)
def test_cells_of_no_customer_are_refused(rows):
    with pytest.raises(DataError, match=r"^cell \d "):
        fit_transactions(cells(*rows), "bg_nbd")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "bgnbd"}, r"model='bgnbd' is not an option \(did you mean 'bg_nbd'\?\)"),
        ({"parameters": BG | {"beta": 1.0}}, "model='bg_nbd' has no parameter beta"),
        ({"parameters": {"r": 1.0}}, "model='bg_nbd' needs the parameter alpha"),
        ({"parameters": BG | {"r": -1.0}}, "r = -1.0 is no parameter of a model"),
        ({"parameters": BG | {"r": math.nan}}, "r = nan is no parameter of a model"),
        ({"parameters": BG | {"r": math.inf}}, "r = inf is no parameter of a model"),
    ],
)
def test_parameters_by_hand_have_to_make_sense(given, message):
    with pytest.raises(ConfigError, match=message):
        TransactionFit.of_parameters(**{"model": "bg_nbd", "parameters": BG, **given})


@pytest.mark.parametrize("days", [-1, math.nan, math.inf, 36_526])
def test_horizons_are_up_to_a_hundred_years(days):
    with pytest.raises(ConfigError, match="horizon_days="):
        TransactionFit.of_parameters("bg_nbd", BG).new_customer_orders(days)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_rates_of_discount_are_not_negative(rate):
    with pytest.raises(ConfigError, match="discount_rate="):
        TransactionFit.of_parameters("bg_nbd", BG).discounted_new_customer_orders(365, rate)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((-1, 0, 0), "row 1 is of no customer: -1 orders after the first"),
        ((2, -1, 4), "row 1 is of no customer"),
        ((2, 5, 4), "row 1 is of no customer: .* the last 5 days after it, 4 days old"),
    ],
)
def test_predictions_of_no_customer_are_refused(row, message):
    columns = np.array([(0, 0, 3), row, row]).T
    with pytest.raises(DataError, match=message) as caught:
        TransactionFit.of_parameters("bg_nbd", BG).predict(*columns, 30)
    assert (caught.value.row, caught.value.count) == (1, 2)


#: Parameters by hand of every model and limit.
BY_HAND = {
    "bg_nbd": BG,
    "mbg_nbd": BG,
    "pareto_nbd": {"r": 0.55, "alpha": 74.0, "s": 0.6, "beta": 82.0},
    "nbd": {"r": 0.4, "alpha": 84.0},
    "bg_nbd, one dropout probability": {"r": 0.3, "alpha": 40.0, "dropout": 0.2},
    "mbg_nbd, one dropout probability": {"r": 0.3, "alpha": 40.0, "dropout": 0.2},
    "pareto_nbd, one death rate": {"r": 0.6, "alpha": 80.0, "death_rate": 0.002},
    "bg_nbd, one order rate": {"order_rate": 0.01, "a": 0.8, "b": 2.4},
    "mbg_nbd, one order rate": {"order_rate": 0.01, "a": 0.8, "b": 2.4},
    "pareto_nbd, one order rate": {"order_rate": 0.01, "s": 0.6, "beta": 82.0},
    "bg_nbd, one order rate and one dropout probability": {"order_rate": 0.01, "dropout": 0.1},
    "mbg_nbd, one order rate and one dropout probability": {"order_rate": 0.01, "dropout": 0.1},
    "pareto_nbd, one order rate and one death rate": {"order_rate": 0.01, "death_rate": 0.002},
    "nbd, one order rate": {"order_rate": 0.01},
}


BY_HAND |= {
    name.replace("mbg_nbd", "mbg_cnbd_3"): values
    for name, values in BY_HAND.items()
    if name.startswith("mbg_nbd")
}


def test_every_model_can_be_made_by_hand():
    names = {re.sub(r"mbg_cnbd_\d+", "mbg_cnbd_3", name) for name in FORMS}
    assert BY_HAND.keys() == names
    assert len(FORMS) == len(names) + 4 * 10  # k is 2 to 12


@pytest.mark.parametrize(
    ("model", "given", "says"),
    [
        ("mbg_cnbd_2", {"alpha": 0.001}, r"alpha = 0.001 .*from 0.01"),
        ("mbg_cnbd_2", {"r": 1e6}, r"at most 20 alpha, .*, or fit model='mbg_nbd'"),
        ("mbg_cnbd_12", {"r": 1e6, "alpha": 8e3}, r"r / alpha / 12 = 10.4 days with orders a day"),
        ("mbg_cnbd_2, one order rate", {"order_rate": 21.0}, "= 10.5 days with orders a day"),
    ],
)
def test_stages_are_not_summed_for_ever(model, given, says):
    whole = {name: value for name, value in BG.items() if "order_rate" not in given or name in "ab"}
    with pytest.raises(ConfigError, match=says):
        TransactionFit.of_parameters(model, whole | given)


def test_horizons_that_are_too_long_to_sum_are_refused():
    fit = TransactionFit.of_parameters("mbg_cnbd_2", BG | {"alpha": 0.02})
    assert fit.new_customer_orders(8_000) > 0
    with pytest.raises(ConfigError, match=r"8,001 days is too long for alpha = 0.02; pass 8,000"):
        fit.new_customer_orders(8_001)


MODELS = ("nbd", "pareto_nbd", "bg_nbd", "mbg_nbd", "mbg_cnbd_2", "mbg_cnbd_4")
SOME = (
    np.array([0, 1, 300]),
    np.array([0, 10, 2_000], np.int32),
    np.array([0, 500, 3_000], np.int32),
)


@pytest.fixture(scope="module")
def compiled():
    """Compile what predictions call, which is no part of their time."""
    for model in MODELS:
        parameters = {one.name: 1.0 for one in FORMS[model].parameters}
        fit = TransactionFit.of_parameters(model, parameters)
        fit.predict(*SOME, 365, 0.1)
        variances_of_orders(fit, *SOME, 365)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("seed", range(20))
def test_predictions_of_any_parameters_are_finite_and_soon_there(seed):
    """Parameters over all magnitudes: what takes long is refused when they are passed."""
    random = np.random.default_rng(seed)
    model = random.choice(MODELS)
    names = [one.name for one in FORMS[model].parameters]
    given = dict(zip(names, 10 ** random.uniform(-9, 12, 4), strict=False))
    before, found, refused = time.process_time(), [], "too long"
    try:
        fit = TransactionFit.of_parameters(model, given)
        found = [*fit.predict(*SOME, 365, 0.1)]
        found.append(variances_of_orders(fit, *SOME, 365))
    except ConfigError as error:
        found, refused = [], str(error)
    assert re.search("too often|too long|alpha = .* is no parameter", refused)
    assert time.process_time() - before < 5
    assert all(np.isfinite(one).all() for one in found)


def some_customers():
    rng = np.random.default_rng(4)
    age = rng.integers(0, 900, 300)
    recency = rng.integers(0, age + 1)
    frequency = np.where(recency > 0, rng.integers(1, 9, 300), 0)
    return frequency, np.where(frequency > 0, recency, 0), age


@pytest.mark.parametrize("model", BY_HAND)
def test_predictions_fit_together(model):
    """Whatever the model: probabilities, horizons that grow, discounts that shrink."""
    fit = TransactionFit.of_parameters(model, BY_HAND[model])
    x, t, age = some_customers()
    before = fit.predict(x, t, age, 0)
    assert not np.concatenate(before[1:]).any()
    for days in (1, 30, 365, 36_525):
        found = fit.predict(x, t, age, days)
        assert (found.p_alive == before.p_alive).all()
        assert ((found.p_alive > 0) & (found.p_alive <= 1)).all()
        # Who orders regularly orders soon, if at all.
        grows = np.greater_equal if "cnbd" in model else np.greater
        assert (grows(found.p_active, before.p_active) & (found.p_active <= found.p_alive)).all()
        assert (found.expected_orders > before.expected_orders).all()
        assert (found.expected_orders >= found.p_active * (1 - 1e-12)).all()
        assert (found.discounted_orders == found.expected_orders).all()
        if "cnbd" in model and days > 365:  # sums over sums, and many of them
            continue
        low, high = (fit.predict(x, t, age, days, rate).discounted_orders for rate in (0.5, 0.01))
        assert ((low < high) & (high < found.expected_orders) & (low > 0)).all()
        nearly = fit.predict(x, t, age, days, 1e-12).discounted_orders
        assert np.allclose(nearly, found.expected_orders, rtol=1e-9, atol=0)
        before = found


#: Large parameters that stand for those of a limit.
NEAR = {
    "order_rate": lambda rate: {"r": rate * 1e10, "alpha": 1e10},
    "dropout": lambda share: {"a": share * 1e9, "b": (1 - share) * 1e9},
    "death_rate": lambda rate: {"s": rate * 1e10, "beta": 1e10},
}


@pytest.mark.parametrize("limit", [name for name in BY_HAND if ", one" in name])
def test_limits_are_what_their_models_come_near(limit):
    near = {}
    for name, value in BY_HAND[limit].items():
        near |= NEAR[name](value) if name in NEAR else {name: value}
    exact = TransactionFit.of_parameters(limit, BY_HAND[limit])
    found = TransactionFit.of_parameters(limit.partition(",")[0], near)
    assert exact.model == limit
    for one, other in zip(
        exact.predict(*some_customers(), 365, 0.1),
        found.predict(*some_customers(), 365, 0.1),
        strict=True,
    ):
        assert np.allclose(one, other, rtol=1e-5, atol=0)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd", "mbg_cnbd_3"])
def test_predictions_do_not_depend_on_how_large_tables_may_be(model, monkeypatch):
    whole = TransactionFit.of_parameters(model, BY_HAND[model]).predict(*some_customers(), 365, 0.1)
    monkeypatch.setattr(predictions, "MOST_ORDERS", 4)
    cut = TransactionFit.of_parameters(model, BY_HAND[model]).predict(*some_customers(), 365, 0.1)
    for one, other in zip(whole, cut, strict=True):
        assert np.allclose(one, other, rtol=1e-11, atol=0)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd", "mbg_cnbd_3"])
def test_predictions_do_not_depend_on_batches_and_threads(model):
    customers = some_customers()
    whole = TransactionFit.of_parameters(model, BY_HAND[model]).predict(*customers, 365, 0.1)
    fit = TransactionFit.of_parameters(model, BY_HAND[model])
    slices = [slice(start, start + 7) for start in range(0, 300, 7)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(
            pool.map(lambda rows: fit.predict(*(one[rows] for one in customers), 365, 0.1), slices)
        )
    for one, *others in zip(whole, *parts, strict=True):
        assert one.tolist() == np.concatenate(others).tolist()


def test_new_customers_are_predicted_as_on_their_first_day():
    fit = TransactionFit.of_parameters("mbg_nbd", BG)
    found = fit.predict(*np.zeros((3, 1), int), 365, 0.1)
    assert fit.new_customer_orders(365) == found.expected_orders[0]
    assert fit.discounted_new_customer_orders(365, 0.1) == found.discounted_orders[0]
    assert found.p_alive[0] == BG["b"] / (BG["a"] + BG["b"])


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_predictions_do_not_depend_on_older_customers(model):
    """Tables grow with them, on each machine of a cluster by those it has: bits stay."""
    x, t, age = np.array([3, 3, 0, 12]), np.array([20, 90, 0, 40]), np.array([30, 95, 90, 99])
    alone = TransactionFit.of_parameters(model, BY_HAND[model]).predict(x, t, age, 365, 0.1)
    fit = TransactionFit.of_parameters(model, BY_HAND[model])
    older = (np.append(one, more) for one, more in ((x, 40), (t, 2500), (age, 5000)))
    together = fit.predict(*older, 365, 0.1)
    for one, other in zip(alone, together, strict=True):
        assert one.tolist() == other[:4].tolist()


def test_the_tables_of_the_last_horizons_are_kept_and_no_more():
    fit = TransactionFit.of_parameters("nbd", {"r": 0.4, "alpha": 60.0})
    early = fit.new_customer_orders(1)
    kept = fit._predictor(30, 0.0)
    for days in range(1, 40):
        fit.new_customer_orders(days)
        assert fit._predictor(30, 0.0) is kept  # used again and again
    assert len(fit._predictors) == KEPT_PREDICTORS
    assert fit.new_customer_orders(1) == early


def test_what_is_all_but_certain_is_no_more_than_certain():
    parameters = {"r": 544.3948030245493, "alpha": 0.1382572404878364}
    parameters |= {"s": 3.0753267548008704e-09, "beta": 7852.894803404291}
    fit = TransactionFit.of_parameters("pareto_nbd", parameters)
    zero = np.zeros(1, np.int32)
    assert fit.predict(np.zeros(1, np.int64), zero, zero, 3650).p_active[0] == 1.0


#: r, alpha, s, beta: customers who leave, or order, a million times a day, or a billion times.
EXTREMES = [
    (1.0, 50.0, 1e12, 1.0),
    (1e12, 50.0, 0.6, 80.0),
    (1e12, 1e-9, 0.6, 80.0),
    (1.0, 50.0, 1e6, 1e3),
    (1e12, 1e-9, 1e12, 1e-9),
    (1e-9, 1e-9, 0.5, 1e-9),
]


@pytest.mark.parametrize("parameters", EXTREMES, ids=str)
def test_extreme_parameters_of_pareto_nbd_are_those_of_mpmath(parameters):
    """Their integrals fall within a moment, which no fixed nodes of a day would see."""
    x, last, age = 3, 500, 900
    with Workers(1) as workers:
        customer = as_cells(cells((x, last, age, 1)))
        found = LIKELIHOODS["pareto_nbd"](customer, workers).sums(parameters)[0]
    with mpmath.workdps(40):
        r, alpha, s, beta = map(mpmath.mpf, parameters)
        start, end = mpmath.mpf(last), mpmath.mpf(age)
        moment = 1 / ((r + x) / (alpha + start) + (s + 1) / (beta + start))

        def integrand(time):
            log = (r + x) * mpmath.log1p(time / (alpha + start))
            return mpmath.exp(-log - s * mpmath.log1p(time / (beta + start))) / (
                beta + start + time
            )

        places = {min(moment * 2**power, end - start) for power in range(-2, 60, 2)}
        integral = mpmath.quad(integrand, [0, *sorted(places)])
        stay = (r + x) * mpmath.log1p(age / alpha) + s * mpmath.log1p(age / beta)
        grown = (r + x) * mpmath.log((alpha + age) / (alpha + start))
        grown += s * mpmath.log((beta + age) / (beta + start))
        orders = mpmath.fsum(mpmath.log((r + one) / alpha) for one in range(x))
        wanted = orders - stay + mpmath.log1p(s * integral * mpmath.exp(grown))
    assert found == pytest.approx(float(wanted), rel=1e-11)
    fit = TransactionFit.of_parameters(
        "pareto_nbd", dict(zip(("r", "alpha", "s", "beta"), parameters, strict=True))
    )
    alive = fit.predict(np.array([x]), np.array([last]), np.array([age]), 365).p_alive[0]
    exact = 1 / (1 + s * integral * mpmath.exp(grown))
    assert alive == pytest.approx(float(exact), rel=1e-9, abs=1e-280)
