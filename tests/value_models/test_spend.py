"""The model of spend: its cells, its fit, and what it expects."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle import ConfigError, DataError
from ordercycle._value_models import SpendFit, add_spend_cells, fit_spend, spend_cells
from ordercycle._value_models.spend_search import SPEND_FORMS

means = st.one_of(
    st.sampled_from([0.0, -3.0, math.nan, math.inf, 1.0, 10.0, 10.01, 5e-324, 1e308]),
    st.floats(1, 100).map(lambda one: round(one, 2)),
)
rows = st.lists(st.tuples(st.integers(0, 3) | st.just(2**21), means), max_size=20)


def arrays(pairs):
    days, values = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(days, np.int64), np.array(values, float)


@given(st.lists(rows, max_size=4))
def test_cells_add_up_however_customers_are_cut(parts):
    whole = spend_cells(*arrays([row for part in parts for row in part]))
    added = add_spend_cells([spend_cells(*arrays(part)) for part in parts])
    assert [one.tolist() for one in added] == [one.tolist() for one in whole]


@given(rows)
def test_cells_hold_every_customer_with_a_positive_mean(pairs):
    kept = sorted((n, m) for n, m in pairs if n > 0 and 0 < m < math.inf)
    found = {}
    for days, level, customers, steps in zip(
        *(one.tolist() for one in spend_cells(*arrays(pairs))), strict=True
    ):
        found[days, level] = customers, steps
    wanted = {}
    for days, mean in kept:
        level, beyond = divmod(round(math.log(mean) * 2**30), 2**18)
        customers, steps = wanted.get((days, level), (0, 0))
        wanted[days, level] = customers + 1, steps + beyond
    assert found.keys() == wanted.keys()
    for cell, (customers, steps) in wanted.items():
        assert found[cell][0] == customers
        assert abs(found[cell][1] - steps) <= customers  # two logarithms, of two libraries


def test_nobody_has_a_positive_mean():
    with pytest.raises(DataError, match="nobody has a positive mean spend"):
        fit_spend(spend_cells(np.array([1, 2, 0]), np.array([0.0, -1.0, 9.0])))


def test_equal_spends_are_no_distribution():
    with pytest.raises(DataError, match="the mean spends of 50 customers differ too little"):
        fit_spend(spend_cells(np.arange(50) % 5 + 1, np.full(50, 9.9)))


# Where the limit is true, it is the most likely in about half of the samples, as in these two.


def test_one_spend_level_is_found_and_said():
    rng = np.random.default_rng(1)
    days, _ = rng.integers(1, 9, 4000), rng.gamma(4.0, size=4000)
    fit = fit_spend(spend_cells(days, rng.gamma(2.0 * days) * 10 / days))
    assert fit.model == "gamma_gamma, one spend level"
    assert abs(fit.parameters["p"][0] - 2) < 0.15
    assert abs(fit.population_value - 20) < 0.5
    assert "run to infinity" in fit.problems[0]
    # Everybody spends the same: what a customer spent says nothing.
    assert np.ptp(fit.expected_value(np.array([0, 3, 3]), np.array([0, 5.0, 90.0]))) < 1e-9


def test_one_spend_a_customer_is_found_and_said():
    rng = np.random.default_rng(1)
    days, spends = rng.integers(1, 9, 4000), 60 / rng.gamma(4.0, size=4000)
    fit = fit_spend(spend_cells(days, spends))
    assert fit.model == "gamma_gamma, one spend a customer"
    assert abs(fit.parameters["q"][0] - 4) < 0.3
    means = np.array([0.0, 5.0, 90.0])
    assert abs(fit.expected_value(np.array([0, 3, 3]), means) - [20, 5, 90]).max() < 1


@pytest.mark.parametrize(("slope", "word"), [(0.3, "low"), (-0.3, "high")])
def test_correlation_of_days_and_spend_is_said(slope, word):
    rng = np.random.default_rng(2)
    days = rng.integers(1, 9, 2000)
    found = rng.gamma(6 * days) / rng.gamma(4, size=days.size) / days
    assert fit_spend(spend_cells(days, found)).problems == ()
    problems = fit_spend(spend_cells(days, found * np.exp(slope * days))).problems
    exact = np.corrcoef(days, found * np.exp(slope * days))[0, 1]
    assert f"correlated ({exact:.2f}, of Pearson)" in problems[-1]
    assert f"too {word}" in problems[-1]


def test_parameters_by_hand():
    fit = SpendFit.of_parameters("gamma_gamma", {"p": 6.25, "q": 3.74, "gamma": 15.44})
    assert fit.population_value == 6.25 * 15.44 / 2.74
    for given_, message in [
        ({"p": 1.0, "q": 2.0}, "needs the parameter gamma"),
        ({"p": 1.0, "q": 2.0, "gama": 1.0}, "no parameter gama .did you mean 'gamma'"),
        ({"p": 1.0, "q": 1.0, "gamma": 3.0}, "q = 1.0 leaves customers without"),
        ({"p": 0.0, "q": 2.0, "gamma": 3.0}, "p = 0.0 is no parameter"),
    ]:
        with pytest.raises(ConfigError, match=message):
            SpendFit.of_parameters("gamma_gamma", given_)


@pytest.mark.parametrize("model", SPEND_FORMS)
def test_predictions_of_any_parameters_are_numbers(model):
    """Parameters over all magnitudes; the largest and smallest scales of money are refused."""
    random = np.random.default_rng(1)
    days, means = np.array([0, 1, 50, 10**6]), np.array([0.0, 1e-6, 1e9, 12.5])
    for draw in range(200):
        power = random.uniform(-100, 100) if draw else 100.0
        shapes = {"p": 10 ** random.uniform(-9, 12), "q": 1 + 10 ** random.uniform(-8, 11)}
        given = {name: shapes.get(name, 10**power) for name in SPEND_FORMS[model].names}
        fit = SpendFit.of_parameters(model, given)
        assert np.isfinite(fit.expected_value(days, means)).all()
        spread, square, expected = fit.second_moments(days, means, means * means)
        assert not np.isnan([spread, square]).any()
        assert np.isfinite(expected).all()
    (scale,) = [name for name in given if name not in shapes]
    for size in (1e101, 1e-101):
        with pytest.raises(ConfigError, match="from 1e-100 to 1e\\+100"):
            SpendFit.of_parameters(model, given | {scale: size})


def test_the_unit_of_money_has_no_bounds():
    fit = SpendFit.of_parameters("gamma_gamma", {"p": 6.25, "q": 3.74, "gamma": 15.44e30})
    assert fit.population_value == pytest.approx(6.25 * 15.44e30 / 2.74)
    for gamma in (0.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=r"gamma = .* is no parameter"):
            SpendFit.of_parameters("gamma_gamma", {"p": 6.25, "q": 3.74, "gamma": gamma})
    with pytest.raises(ConfigError, match="p = 1e"):
        SpendFit.of_parameters("gamma_gamma", {"p": 1e30, "q": 3.74, "gamma": 15.44})


@pytest.mark.parametrize("seed", [1, 2])
def test_fits_have_the_same_bits_whatever_the_threads_and_orders(seed):
    rng = np.random.default_rng(seed)
    days = rng.geometric(0.2, 60_000)
    found = rng.gamma(6 * days) * rng.gamma(4, size=days.size) / days
    fits = [fit_spend(spend_cells(days, found), threads=threads) for threads in (1, 2)]
    order = rng.permutation(days.size)
    fits.append(fit_spend(spend_cells(days[order], found[order]), threads=3))
    assert fits[0].parameters == fits[1].parameters == fits[2].parameters
    assert fits[0].log_likelihood == fits[2].log_likelihood
