"""Models fitted to cells and made by hand, and what they predict."""

import math

import numpy as np
import pytest

from ordercycle import ConfigError, DataError
from ordercycle._value_models import Cells, TransactionFit, fit_transactions

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
