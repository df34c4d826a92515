"""Fits: the same bits everywhere, the truth where it is known, and what data do not tell."""

import os
import subprocess
import sys
from math import log

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mpf
from oracle.value_models import alive_and_left, log_likelihood_of_pareto, regular_alive_and_left

from ordercycle import ConfigError, DataError
from ordercycle._value_models import Cells, fit_transactions, forms, poisson_bootstrap, searching
from ordercycle._value_models.cells import as_cells
from ordercycle._value_models.searching import LIKELIHOODS
from ordercycle._workspace import Workers

MODELS = ("mbg_nbd", "pareto_nbd", "bg_nbd", "nbd")
#: Parameters of customers who order rarely: hardly ever twice a day, which no model knows of.
TRUTH = {
    "mbg_nbd": {"r": 0.9, "alpha": 200.0, "a": 0.8, "b": 2.5},
    "bg_nbd": {"r": 0.9, "alpha": 200.0, "a": 0.8, "b": 2.5},
    "pareto_nbd": {"r": 0.9, "alpha": 200.0, "s": 0.8, "beta": 400.0},
}


def simulated(model, customers, seed, oldest=1200, **parameters):
    """Return x, t and T of customers drawn from a model."""
    rng = np.random.default_rng(seed)
    r, alpha, third, fourth = (TRUTH[model] | parameters).values()
    age = rng.integers(oldest // 4, oldest + 1, customers)
    rate = rng.gamma(r, 1 / alpha, customers)
    until = np.full(customers, np.inf)
    leaves = np.zeros(customers)
    if model == "pareto_nbd":
        until = rng.exponential(1 / rng.gamma(third, 1 / fourth, customers))
    else:
        leaves = rng.beta(third, fourth, customers)
    orders, last, now = np.zeros(customers, int), np.zeros(customers, int), np.zeros(customers)
    here = np.flatnonzero(rng.random(customers) >= leaves * (model == "mbg_nbd"))
    while here.size:
        now[here] += rng.exponential(1 / rate[here])
        here = here[(now[here] <= until[here]) & (now[here] < age[here])]
        days = np.ceil(now[here]).astype(int)
        orders[here] += days > last[here]
        last[here] = days
        here = here[rng.random(here.size) >= leaves[here]]
    return orders, last, age


def cells_of(x, t, age):
    keys, customers = np.unique(np.stack([x, t, age]), axis=1, return_counts=True)
    return Cells(keys[0], keys[1].astype(np.int32), keys[2].astype(np.int32), customers)


@st.composite
def customers(draw):
    age = draw(st.integers(0, 500))
    t = draw(st.integers(0, age))
    return (draw(st.integers(1, min(t, 40))) if t else 0), t, age


def log_likelihood(model, parameters, x, t, age):
    if model == "pareto_nbd":
        return log_likelihood_of_pareto(*parameters, x, t, age)
    if model == "nbd":
        r, alpha = parameters[:2]
        value = mpmath.gammaprod([r + x], [r]) * alpha**r * (alpha + age) ** -(r + x)
        return mpmath.log(value)
    if model == "mbg_cnbd_2":
        likelihood = sum(regular_alive_and_left(*parameters, x, t, age, 2))
        # The density of two stages for each gap, given that the sum of gaps is t.
        sums = mpf(t) ** x * mpmath.gammaprod([x], [2 * x]) if x else 1
        return mpmath.log(likelihood * sums)
    return mpmath.log(sum(alive_and_left(*parameters, x, t, age, int(model == "mbg_nbd"))))


positive = st.floats(-3, 3).map(lambda one: round(10**one, 6))


@settings(max_examples=30)
@given(
    st.sampled_from((*MODELS, "mbg_cnbd_2")),
    st.lists(customers(), min_size=1, max_size=5),
    st.tuples(positive, positive, positive, positive),
)
def test_log_likelihoods_are_those_of_the_papers(model, rows, parameters):
    cells = as_cells(cells_of(*np.array(rows).T))
    with Workers(1) as workers:
        found = float(LIKELIHOODS[model](cells, workers).sums(parameters)[0])
    with mpmath.workdps(60):
        exact = sum(log_likelihood(model, [mpf(one) for one in parameters], *row) for row in rows)
    assert abs(found - exact) <= 1e-11 * (abs(exact) + 10)


@pytest.mark.parametrize("model", ["mbg_nbd", "bg_nbd", "pareto_nbd"])
def test_intervals_of_simulated_customers_hold_the_truth(model):
    """In logarithms, 95 % of them: fewer than 16 of 20 would be one sample in four hundred."""
    held, scores = 0, []
    for seed in range(5):
        fit = fit_transactions(cells_of(*simulated(model, 3000, seed)), model)
        assert fit.model == model
        for name, (estimate, error) in fit.parameters.items():
            scores.append((log(estimate / TRUTH[model][name])) / (error / estimate))
            held += abs(scores[-1]) < 1.96
    assert held >= 16
    assert abs(np.mean(scores)) < 1


@pytest.mark.parametrize("model", ["auto", "mbg_cnbd_2", "nbd"])
def test_fits_have_the_same_bits_for_any_number_of_threads(model, monkeypatch):
    cells = cells_of(*simulated("mbg_nbd", 50_000, 1, r=1.5, alpha=60.0, a=0.2))
    assert cells.frequency.size > 33_000  # several chunks
    monkeypatch.setattr(searching, "CELLS_TO_START", 4096)
    one, *others = (fit_transactions(cells, model, threads=threads) for threads in (1, 2, 5))
    for other in others:
        assert one.parameters == other.parameters
        assert one.log_likelihood == other.log_likelihood
        assert one.candidates == other.candidates
        assert (one.covariance == other.covariance).all()


FIT = """
import numpy as np
from ordercycle._value_models import Cells, fit_spend, fit_transactions, spend_cells
x = np.array([0, 0, 1, 1, 2, 3])
t = np.array([0, 0, 2, 6, 4, 3], np.int32)
age = np.array([5, 7, 6, 7, 7, 4], np.int32)
cells = Cells(x, t, age, np.array([9, 8, 2, 1, 2, 1]))
for model, rate in (("nbd", 0.1), ("bg_nbd", 0.0), ("mbg_cnbd_2", 0.1), ("pareto_nbd", 0.1)):
    fit = fit_transactions(cells, model, threads=1)
    print(fit.model, fit.parameters, fit.log_likelihood)
    found = fit.predict(x[2:4], t[2:4], age[2:4], 30, rate)
    print(*(one.tolist() for one in found))
print(fit_spend(spend_cells(x, t + 1.5)).parameters)
"""


def test_fits_have_the_same_bits_compiled_and_as_plain_python():
    """So no compiler contracts, reorders or replaces anything, whatever it compiles for."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", FIT],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        ).stdout
        for disabled in ("0", "1")
    ]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.parametrize("model", [*MODELS, "mbg_cnbd_2"])
def test_other_units_of_time_give_the_same_fit(model):
    x, t, age = simulated("mbg_nbd", 3000, 5)
    days, parts = (fit_transactions(cells_of(x, t * unit, age * unit), model) for unit in (1, 3))
    shift = int(x.sum()) * log(3)
    assert abs(parts.log_likelihood + shift - days.log_likelihood) < 1e-8
    for name, (value, error) in days.parameters.items():
        unit = 3 if name in ("alpha", "beta") else 1
        assert np.allclose(parts.parameters[name], (value * unit, error * unit), rtol=1e-5)


def test_a_fit_that_cannot_predict_is_refused_when_it_is_made(monkeypatch):
    """Most never come again, and few come daily: rates so different that alpha is small."""
    x = np.array([300] * 10 + [1, 2, 1, 2, 1, 2, 2, 1, 1, 2] + [0] * 980)
    t = np.array([300] * 10 + np.linspace(110, 295, 10).astype(int).tolist() + [0] * 980)
    customers = cells_of(x, t, np.full(1000, 300))
    fit = fit_transactions(customers, "mbg_cnbd_12")
    alpha = fit.parameters["alpha"][0]
    assert fit.new_customer_orders(365) > 0
    monkeypatch.setattr(forms, "LEAST_ALPHA_OF_STAGES", alpha * 1.01)
    with pytest.raises(DataError, match=r"mbg_cnbd_12 has alpha = .*; take model='mbg_nbd'"):
        fit_transactions(customers, "mbg_cnbd_12")
    assert fit_transactions(customers, "mbg_cnbd").new_customer_orders(365) > 0


def test_nobody_leaves_is_found_and_said():
    # Orders of a day are one, so customers with few of them are compared with many more days.
    rng = np.random.default_rng(1)
    age = rng.integers(300, 2000, 3000)
    rows = []
    for days, rate in zip(age.tolist(), rng.gamma(2, 1 / 200, age.size).tolist(), strict=True):
        when = np.unique(rng.integers(1, days + 1, rng.poisson(rate * days)))
        rows.append((when.size, int(when.max(initial=0)), days))
    fit = fit_transactions(cells_of(*np.array(rows).T))
    assert fit.model == "nbd"
    assert "nobody leaves" in fit.problems[0]
    assert abs(fit.parameters["r"][0] - 2) < 0.2


def test_one_dropout_probability_is_found_and_said():
    for seed in range(9):
        drawn = simulated("bg_nbd", 3000, seed, a=3000.0, b=7000.0)
        fit = fit_transactions(cells_of(*drawn), "bg_nbd")
        if fit.model != "bg_nbd":
            break
    assert fit.model == "bg_nbd, one dropout probability"
    assert abs(fit.parameters["dropout"][0] - 0.3) < 4 * fit.parameters["dropout"][1] < 0.1
    assert "one probability to leave after an order, the same for all (0." in fit.problems[0]


def test_little_data_are_said_to_be_little():
    x, t, age = simulated("mbg_nbd", 300, 2)
    few = (x > 0) & (np.cumsum(x > 0) <= 9)
    fit = fit_transactions(cells_of(*(one[few | (x == 0)] for one in (x, t, age))), "nbd")
    assert any("only 9 customers of" in text for text in fit.problems)
    assert any("ordered on one day only" in text for text in fit.problems)
    short = cells_of(np.array([1, 0] * 60), np.array([30, 0] * 60), np.array([40, 50] * 60))
    assert any(
        "the oldest customer is known for 50" in one
        for one in fit_transactions(short, "nbd").problems
    )


def test_weak_fits_tell_how_weak_they_are():
    for seed in range(9):
        drawn = simulated("mbg_nbd", 150, seed, a=30.0, b=70.0)
        fit = fit_transactions(cells_of(*drawn), "mbg_nbd")
        if fit.model == "mbg_nbd":
            break
    assert any("the data hardly tell the parameters of mbg_nbd" in one for one in fit.problems)


def test_draws_are_seeded_and_spread_as_errors_say():
    cells = cells_of(*simulated("bg_nbd", 3000, 7))
    fit = fit_transactions(cells, "bg_nbd")
    draws = poisson_bootstrap(fit, cells, 40, 3)
    again = poisson_bootstrap(fit, cells, 40, 3, threads=2)
    assert (draws.parameters == again.parameters).all()
    assert draws.found.all()
    assert (poisson_bootstrap(fit, cells, 2, 4).parameters != draws.parameters[:2]).all()
    spread = np.log(draws.parameters).std(axis=0)
    errors = [error / estimate for estimate, error in fit.parameters.values()]
    assert ((spread / errors > 0.6) & (spread / errors < 1.6)).all()


@pytest.mark.parametrize("given_", [{"draws": 0}, {"draws": 1.5}, {"seed": -1}, {"seed": 2**63}])
def test_draws_and_seeds_are_numbers(given_):
    cells = cells_of(*simulated("bg_nbd", 200, 7))
    fit = fit_transactions(cells, "nbd")
    with pytest.raises(ConfigError, match=f"{next(iter(given_))}="):
        poisson_bootstrap(fit, cells, **{"draws": 1, "seed": 1, **given_})


@settings(max_examples=12)
@given(
    st.sampled_from(("auto", *MODELS, "mbg_cnbd")), st.lists(customers(), min_size=1, max_size=6)
)
@example("bg_nbd", [(1, 1, 1)])
@example("auto", [(40, 500, 500)])
def test_any_customers_who_ordered_again_can_be_fitted(model, rows):
    rows = [*rows, (2, 30, 60)]
    cells = cells_of(*np.array(rows).T)
    fit = fit_transactions(cells, model)
    baseline = fit_transactions(cells, "nbd")
    assert fit.log_likelihood >= baseline.log_likelihood - 1e-6
    for estimate, error in fit.parameters.values():
        assert 0 < estimate < 1e8
        assert np.isnan(error)  # too few customers for the sandwich
    assert "under 100 they tell little" in " ".join(fit.problems)
    found = fit.predict(*np.array(rows).T, 365, 0.1)
    assert np.isfinite(found).all()
    assert (np.array(found) >= 0).all()
