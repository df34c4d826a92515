"""How much orders vary, against simulated customers; and quantiles of mixtures."""

from statistics import NormalDist

import numpy as np
import pytest

from ordercycle._value_models import TransactionFit, mixed_quantiles, total_of, variances_of_orders

#: A model, its parameters by hand, and how many stages a gap has.
MODELS = {
    "nbd": ({"r": 2.0, "alpha": 60.0}, 1),
    "bg_nbd": ({"r": 2.0, "alpha": 60.0, "a": 0.9, "b": 3.0}, 1),
    "mbg_nbd": ({"r": 2.0, "alpha": 60.0, "a": 0.9, "b": 3.0}, 1),
    "mbg_cnbd_3": ({"r": 2.0, "alpha": 20.0, "a": 0.9, "b": 3.0}, 3),
    "mbg_nbd, one dropout probability": ({"r": 2.0, "alpha": 60.0, "dropout": 0.2}, 1),
}
SIZE, HORIZON = 40_000, 365


@pytest.mark.parametrize("model", MODELS)
def test_orders_of_new_customers_vary_as_simulated_ones_do(model):
    given, stages = MODELS[model]
    random = np.random.default_rng(4)
    rate = random.gamma(given["r"], 1 / given["alpha"], SIZE)
    leaving = np.zeros(SIZE)
    if "a" in given:
        leaving = random.beta(given["a"], given["b"], SIZE)
    elif "dropout" in given:
        leaving = np.full(SIZE, given["dropout"])
    now, orders = np.zeros(SIZE), np.zeros(SIZE)
    may_leave_at_first = model.startswith("mbg")
    here = np.flatnonzero(random.random(SIZE) >= leaving * may_leave_at_first)
    while here.size:
        now[here] += random.gamma(stages, 1 / rate[here])
        here = here[now[here] <= HORIZON]
        orders[here] += 1
        here = here[random.random(here.size) >= leaving[here]]
    fit = TransactionFit.of_parameters(model, given)
    none = np.zeros(1, np.int64), np.zeros(1, np.int32), np.zeros(1, np.int32)
    assert variances_of_orders(fit, *none, HORIZON)[0] == pytest.approx(orders.var(), rel=0.06)
    assert variances_of_orders(fit, *none, 0)[0] == 0.0


@pytest.mark.parametrize("deviation", [0.5, 3.0, 1e6])
def test_quantiles_of_mixtures(deviation):
    centres = np.array([1.0, 4.0, 100.0])
    low, high = mixed_quantiles(centres, deviation, (0.02, 0.9))
    for found, share in ((low, 0.02), (high, 0.9)):
        parts = [NormalDist(one, deviation).cdf(found) for one in centres.tolist()]
        assert sum(parts) / 3 == pytest.approx(share, abs=1e-12)


def test_quantiles_of_what_does_not_vary_are_those_of_the_draws():
    assert mixed_quantiles(np.array([3.0, 1.0, 2.0]), 0.0, (0.25, 0.5)) == (1.5, 2.0)


def test_totals_lose_nothing_to_rounding():
    assert total_of(np.array([1.0, 1.0, 1.0]), np.array([1e16, 1.0, -1e16])) == 1.0
