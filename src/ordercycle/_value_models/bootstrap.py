"""Parameters of a model fitted again and again to customers drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._value_models.cells import as_cells
from ordercycle._value_models.forms import exps_of, logs_of
from ordercycle._value_models.newton import maximize
from ordercycle._value_models.searching import BOUND, LIKELIHOODS, curve_of
from ordercycle._value_models.spend import SpendFit
from ordercycle._value_models.spend_search import SPEND_FORMS, SpendSearch
from ordercycle._value_models.transactions import TransactionFit
from ordercycle._workspace import Workers, thread_count
from ordercycle_kernels._types import as_input
from ordercycle_kernels.order_counts import Cells
from ordercycle_kernels.resampling import draw_customers, fill_chances_of_means, keep_cells
from ordercycle_kernels.spends import SpendCells

SEEDS = 2**63
#: A draw's parameters are at its maximum when a last step would add so little to the
#: log-likelihood: it moves by a twentieth of a standard error and ends there to a thousandth.
ENOUGH = 1e-3
#: Cells with more customers are few.
MOST_CHANCES = 4095

#: The parameters of a draw, and whether they are finite.
Drawn = tuple[list[float], bool]


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
    form, cells = fit.form, as_cells(cells)
    start = logs_of(form.odds([estimate for estimate, _ in fit.parameters.values()]))

    def refit(customers: NDArray[np.int64], there: int) -> Drawn:
        with Workers(1) as workers:
            likelihood = LIKELIHOODS[form.likelihood](_drawn(cells, customers, there), workers)
            maximum = maximize(partial(curve_of, likelihood, form), start, BOUND, enough=ENOUGH)
        return form.shown(exps_of(maximum.place)), maximum.found

    return _draws(cells, refit, draws, seed, threads)


def spend_bootstrap(
    fit: SpendFit, cells: SpendCells, draws: int, seed: int, *, threads: int | None = None
) -> Draws:
    """Return the parameters of a model of spend for draws of customers, as `poisson_bootstrap`.

    All customers of a cell have the mean of the cell, which is less than 0.03 % off.
    """
    form = SPEND_FORMS[fit.model]
    cells = SpendCells(*(as_input(np.ascontiguousarray(one, np.int64)) for one in cells))
    values = [estimate - (name == "q") for name, (estimate, _) in fit.parameters.items()]
    start = logs_of(values)

    def refit(customers: NDArray[np.int64], _: int) -> Drawn:
        drawn = customers > 0
        counts = customers[drawn]
        beyond = cells.steps[drawn] // cells.customers[drawn] * counts
        columns = cells.days[drawn], cells.levels[drawn], counts, beyond
        with Workers(1) as workers:
            search = SpendSearch(SpendCells(*map(as_input, columns)), workers)
            maximum = maximize(
                partial(search.curve, form), start, search.bound(start), enough=ENOUGH
            )
        found = zip(form.names, exps_of(maximum.place), strict=True)
        return [value + (name == "q") for name, value in found], maximum.found

    return _draws(_as_kinds(cells), refit, draws, seed, threads)


def mean_bootstrap(
    means: NDArray[np.float64],
    cells: SpendCells,
    draws: int,
    seed: int,
    *,
    threads: int | None = None,
) -> Draws:
    """Return the mean spend of draws of customers; means: of each cell, (s,)."""

    def refit(customers: NDArray[np.int64], _: int) -> Drawn:
        weights = customers.astype(np.float64)
        size = math.fsum(weights)
        return [math.fsum(weights * means) / size if size else math.nan], size > 0

    return _draws(_as_kinds(cells), refit, draws, seed, threads)


def _as_kinds(cells: SpendCells) -> Cells:
    """Return cells of spend as those of purchases, of which draws are made."""
    return Cells(
        as_input(np.ascontiguousarray(cells.days, np.int64)),
        as_input(cells.levels.astype(np.int32)),
        as_input(np.zeros(cells.days.size, np.int32)),
        as_input(np.ascontiguousarray(cells.customers, np.int64)),
    )


def _draws(
    cells: Cells,
    refit: Callable[[NDArray[np.int64], int], Drawn],
    draws: int,
    seed: int,
    threads: int | None,
) -> Draws:
    """Return what a fit comes to for draws of the customers of cells; draws are the tasks."""
    count, number = checked_draws(draws, seed)
    most = int(cells.customers.max(initial=0))
    chances = np.empty(min(most, MOST_CHANCES) + 1)
    fill_chances_of_means(chances)

    def run(draw: int) -> Drawn:
        customers = np.empty(cells.frequency.size, np.int64)
        there = draw_customers(cells, chances, number, draw, customers)
        return refit(customers, there)

    with Workers(thread_count(threads)) as workers:
        parameters, found = zip(*workers.in_order(run, range(count)), strict=True)
    return Draws(np.array(parameters), np.array(found))


def _drawn(cells: Cells, customers: NDArray[np.int64], there: int) -> Cells:
    """Return the cells of which a draw has customers; there: how many."""
    frequency, drawn = np.empty((2, there), np.int64)
    recency, age = np.empty((2, there), np.int32)
    keep_cells(cells, customers, frequency, recency, age, drawn)
    return Cells(as_input(frequency), as_input(recency), as_input(age), as_input(drawn))


def checked_draws(draws: object, seed: object) -> tuple[int, int]:
    """Return a number of draws and a seed.

    Raises
    ------
    ConfigError
        If the one is not positive, or the other no number of 63 bits.
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
    return count, number
