"""Parameters of a model fitted again and again to customers drawn at random."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._value_models.cells import as_cells
from ordercycle._value_models.forms import exps_of, logs_of
from ordercycle._value_models.newton import maximize
from ordercycle._value_models.searching import BOUND, LIKELIHOODS, curve_of
from ordercycle._value_models.transactions import TransactionFit
from ordercycle._workspace import Workers, thread_count
from ordercycle_kernels._types import as_input
from ordercycle_kernels.order_counts import Cells
from ordercycle_kernels.resampling import draw_customers

SEEDS = 2**63


class Draws(NamedTuple):
    """Parameters of draws of customers.

    Attributes
    ----------
    parameters
        As the model shows them, in their order: (draws, k).
    found
        Whether the best parameters of the draw are finite: (draws,). Where they are not, they
        are those where the search stopped: large, but good for predictions.
    """

    parameters: NDArray[np.float64]
    found: NDArray[np.bool_]


def poisson_bootstrap(
    fit: TransactionFit, cells: Cells, draws: int, seed: int, *, threads: int | None = None
) -> Draws:
    """Return a model's parameters for draws of customers: each counts a Poisson number of times.

    The same bits for the same seed on every machine and for any number of threads.

    Raises
    ------
    ConfigError
        If ``draws`` is not positive, or ``seed`` no number of 63 bits.
    DataError
        If cells are not in ascending order.
    """
    count, number = whole_number(draws), whole_number(seed)
    if count is None or count < 1:
        raise ConfigError(
            (Option("draws", draws), " is no number of draws"), remedy="pass a positive number"
        )
    if number is None or not 0 <= number < SEEDS:
        raise ConfigError(
            (Option("seed", seed), " is no seed"), remedy="pass a number from 0 to 2**63 - 1"
        )
    form, cells = fit.form, as_cells(cells)
    values = [estimate for estimate, _ in fit.parameters.values()]
    start = logs_of(form.odds(values))
    parameters = np.empty((count, len(values)))
    found = np.empty(count, bool)
    customers = np.empty(cells.frequency.size, np.int64)
    with Workers(thread_count(threads)) as workers:
        for draw in range(count):
            draw_customers(cells, number, draw, customers)
            drawn = Cells(*cells[:3], as_input(customers))
            likelihood = LIKELIHOODS[form.likelihood](drawn, workers)
            maximum = maximize(partial(curve_of, likelihood, form), start, BOUND)
            parameters[draw] = form.shown(exps_of(maximum.place))
            found[draw] = maximum.found
    return Draws(parameters, found)
