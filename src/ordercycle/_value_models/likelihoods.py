"""The log-likelihoods of the models, with their derivatives, over cells of customers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ordercycle._value_models.cells import Margins, margins_of
from ordercycle._workspace import Workers
from ordercycle_kernels._types import as_input
from ordercycle_kernels.deaths import (
    MOMENTS,
    NODES,
    DeathTables,
    count_panels,
    fill_panels,
    sum_death_products,
    sum_deaths,
    sum_lives,
)
from ordercycle_kernels.elementary import logarithms
from ordercycle_kernels.gamma_functions import log_gammas
from ordercycle_kernels.order_counts import (
    CHUNK,
    NOBODY_LEAVES,
    PRODUCTS,
    SUMS,
    Cells,
    DropoutTables,
    add_chunks,
    fill_day_tables,
    fill_dropout_tables,
    fill_score_tables,
    sum_counts,
    sum_dropouts,
    sum_score_products,
    sum_survivals,
)
from ordercycle_kernels.regular_orders import sum_regular_dropouts, sum_regular_products

#: Chunks that a thread takes at a time.
CHUNKS_AT_A_TIME = 8


class Likelihood(Protocol):
    """A log-likelihood of four parameters, over all customers.

    ``sums`` returns it with its gradient and the upper triangle of its second derivatives.
    """

    cells: Cells
    margins: Margins

    def sums(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return the sums of the kernels: (SUMS,)."""
        ...

    def score_products(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return sums of products of scores by logarithms of parameters: (PRODUCTS,)."""
        ...


def sums_of_chunks(
    cells: int, workers: Workers, task: Callable[[int, NDArray[np.float64]], None], width: int
) -> NDArray[np.float64]:
    """Return the rows that a task writes for chunks of cells, from a chunk on: (c, width)."""
    chunks = -(-cells // CHUNK)
    rows = np.empty((chunks, width))

    def run(first: int) -> None:
        task(first, rows[first : first + CHUNKS_AT_A_TIME])

    for _ in workers.in_order(run, range(0, chunks, CHUNKS_AT_A_TIME)):
        pass
    return rows


def added(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of rows, in their order."""
    sums = np.zeros((2, rows.shape[1]))
    add_chunks(rows, sums)
    return np.asarray(sums[0] + sums[1])


class NbdLikelihood:
    """NBD: nobody leaves. Of the four parameters only the first two matter."""

    def __init__(self, cells: Cells, workers: Workers) -> None:
        self.cells, self.workers = cells, workers
        self.margins = margins_of(cells)

    def sums(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return the sums of the kernels."""
        r, alpha = parameters[:2]
        sums = np.zeros((2, SUMS))
        sum_counts(r, alpha, self.margins.by_orders, self.margins.by_age, sums)
        return np.asarray(sums[0] + sums[1])

    def score_products(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return sums of products of scores."""
        return _score_products(self, parameters, NOBODY_LEAVES)


class DropoutLikelihood:
    """BG/NBD and, where the first order may be the last, MBG/NBD."""

    def __init__(self, cells: Cells, workers: Workers, *, may_leave_at_first: bool) -> None:
        self.cells, self.workers = cells, workers
        self.is_first = int(may_leave_at_first)
        self.margins = margins_of(cells)

    def tables(self, parameters: Sequence[float]) -> DropoutTables:
        """Return what depends on days or orders alone."""
        return dropout_tables(
            parameters, self.is_first, self.margins.days, self.margins.by_orders.size
        )

    def sums(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return the sums of the kernels."""
        r, alpha, a, b = parameters
        tables = self.tables(parameters)

        def task(first: int, rows: NDArray[np.float64]) -> None:
            scratch = np.empty((4, CHUNK))
            sum_dropouts(self.cells, tables, r, a, self.is_first, first, scratch, rows)

        sums = np.zeros((2, SUMS))
        sum_counts(r, alpha, self.margins.by_orders, self.margins.by_age, sums)
        sum_survivals(a, b, self.is_first, self.margins.by_orders, sums)
        add_chunks(sums_of_chunks(self.cells.frequency.size, self.workers, task, SUMS), sums)
        return np.asarray(sums[0] + sums[1])

    def score_products(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return sums of products of scores."""
        return _score_products(self, parameters, self.is_first)


class RegularLikelihood:
    """MBG/CNBD-k: gaps of k stages, of which only the sum, t, is known.

    To tell of k as well, it is the likelihood of x and t, up to a factor that MBG/NBD has too.
    """

    def __init__(self, cells: Cells, workers: Workers, *, stages: int) -> None:
        self.cells, self.workers, self.stages = cells, workers, stages
        self.margins = margins_of(cells)
        by_orders, by_age = self.margins.by_orders, self.margins.by_age
        self.by_stages = np.zeros(stages * (by_orders.size - 1) + 1, np.int64)
        self.by_stages[::stages] = by_orders
        self.stages_by_age = by_age.copy()
        self.stages_by_age[1::2] *= stages
        self._of_gaps = _density_of_sums(cells, by_orders, stages)

    def tables(self, parameters: Sequence[float]) -> DropoutTables:
        """Return what depends on days or orders alone."""
        return dropout_tables(parameters, 1, self.margins.days, self.margins.by_orders.size)

    def sums(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return the sums of the kernels."""
        r, alpha, a, b = parameters
        tables = self.tables(parameters)

        def task(first: int, rows: NDArray[np.float64]) -> None:
            sum_regular_dropouts(self.cells, tables, self.stages, r, a, first, rows)

        sums = np.zeros((2, SUMS))
        sum_counts(r, alpha, self.by_stages, self.stages_by_age, sums)
        sum_survivals(a, b, 1, self.margins.by_orders, sums)
        add_chunks(sums_of_chunks(self.cells.frequency.size, self.workers, task, SUMS), sums)
        sums[1, 0] += self._of_gaps
        return np.asarray(sums[0] + sums[1])

    def score_products(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return sums of products of scores."""
        r, _, a, b = parameters
        tables, given = self.tables(parameters), np.array(parameters)
        scores = np.empty((3, self.margins.by_orders.size))
        by_stages = np.empty((3, self.by_stages.size))
        fill_score_tables(r, a, b, 1, scores)
        fill_score_tables(r, 1.0, 1.0, NOBODY_LEAVES, by_stages)

        def task(first: int, rows: NDArray[np.float64]) -> None:
            sum_regular_products(
                self.cells, tables, scores, by_stages[0], given, self.stages, first, rows
            )

        size = self.cells.frequency.size
        return added(sums_of_chunks(size, self.workers, task, PRODUCTS))


def _density_of_sums(cells: Cells, by_orders: NDArray[np.int64], stages: int) -> float:
    """Return what the density of sums of gaps has more than that of as many gaps at random.

    Of a customer with x > 0: (k - 1) x ln t - ln gamma(k x) + ln gamma(x).
    """
    orders = np.arange(1, by_orders.size, dtype=np.float64)
    one, other = np.empty((2, orders.size))
    log_gammas(orders, one)
    log_gammas(stages * orders, other)
    gaps = np.bincount(cells.recency_days, cells.frequency * cells.customers)  # whole numbers
    days = np.flatnonzero(gaps)
    logs = np.empty(days.size)
    logarithms(days.astype(np.float64), logs)
    terms = [by_orders[1:] * (one - other), (stages - 1) * gaps[days] * logs]
    return math.fsum(np.concatenate(terms))


def _score_products(
    likelihood: NbdLikelihood | DropoutLikelihood, parameters: Sequence[float], is_first: int
) -> NDArray[np.float64]:
    """Return sums of products of scores, of a model where f is so, or nobody leaves."""
    margins = likelihood.margins
    orders = margins.by_orders.size
    tables = dropout_tables(parameters, max(is_first, 0), margins.days, orders)
    r, _, a, b = parameters
    scores = np.empty((3, orders))
    fill_score_tables(r, a, b, is_first, scores)
    given = np.array(parameters)

    def task(first: int, rows: NDArray[np.float64]) -> None:
        scratch = np.empty((4, CHUNK))
        sum_score_products(likelihood.cells, tables, scores, given, is_first, first, scratch, rows)

    size = likelihood.cells.frequency.size
    return added(sums_of_chunks(size, likelihood.workers, task, PRODUCTS))


def dropout_tables(
    parameters: Sequence[float], is_first: int, days: int, orders: int
) -> DropoutTables:
    """Return what depends on days, or on orders, alone, for so many of them."""
    _, alpha, a, b = parameters
    day_logs, day_rates = np.empty((2, days))
    odds, last_rates = np.zeros((2, orders))
    fill_day_tables(alpha, day_logs, day_rates)
    fill_dropout_tables(a, b, is_first, odds, last_rates)
    return DropoutTables(*map(as_input, (day_logs, day_rates, odds, last_rates)))


@dataclass(frozen=True)
class DeathSetup:
    """What Pareto/NBD needs for so many days and such parameters.

    Attributes
    ----------
    firsts
        The first panel of each day: (d,) int64.
    tables
        Of the kernels.
    parameters
        r, alpha, s and beta: (4,).
    """

    firsts: NDArray[np.int64]
    tables: DeathTables
    parameters: NDArray[np.float64]

    @classmethod
    def of(cls, parameters: Sequence[float], days: int, moments: int = MOMENTS) -> DeathSetup:
        """Return what is needed for days up to so many less 1; moments: 0 where none are."""
        _, alpha, _, beta = parameters
        firsts = np.empty(days, np.int64)
        given = np.array(parameters)
        count_panels(given, firsts)
        nodes = int(firsts[-1]) * NODES
        of_days = np.empty((4, days))
        fill_day_tables(alpha, of_days[0], of_days[1])
        fill_day_tables(beta, of_days[2], of_days[3])
        of_nodes = np.empty((3, nodes))
        factors = np.empty(nodes * moments)
        fill_panels(given, firsts, of_nodes[0], of_nodes[1], of_nodes[2], factors)
        tables = DeathTables(*map(as_input, (*of_days, *of_nodes, factors)))
        return cls(firsts, tables, given)

    def scratch(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return room for the integrals of one number of orders, and for the cells of a chunk."""
        nodes = np.empty(self.tables.weights.size)
        return nodes, np.empty(self.firsts.size * MOMENTS), np.empty((5, CHUNK))


class DeathLikelihood:
    """Pareto/NBD."""

    def __init__(self, cells: Cells, workers: Workers) -> None:
        self.cells, self.workers = cells, workers
        self.margins = margins_of(cells)

    def sums(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return the sums of the kernels."""
        r, alpha, s, beta = parameters
        setup = DeathSetup.of(parameters, self.margins.days)

        def task(first: int, rows: NDArray[np.float64]) -> None:
            sum_deaths(
                self.cells,
                setup.tables,
                setup.firsts,
                setup.parameters,
                first,
                *setup.scratch(),
                rows,
            )

        sums = np.zeros((2, SUMS))
        sum_counts(r, alpha, self.margins.by_orders, self.margins.by_age, sums)
        sum_lives(s, beta, self.margins.by_age, sums)
        add_chunks(sums_of_chunks(self.cells.frequency.size, self.workers, task, SUMS), sums)
        return np.asarray(sums[0] + sums[1])

    def score_products(self, parameters: Sequence[float]) -> NDArray[np.float64]:
        """Return sums of products of scores."""
        setup = DeathSetup.of(parameters, self.margins.days)
        scores = np.empty((3, self.margins.by_orders.size))
        fill_score_tables(parameters[0], 1.0, 1.0, NOBODY_LEAVES, scores)

        def task(first: int, rows: NDArray[np.float64]) -> None:
            sum_death_products(
                self.cells,
                setup.tables,
                scores[0],
                setup.firsts,
                setup.parameters,
                first,
                *setup.scratch(),
                rows,
            )

        size = self.cells.frequency.size
        return added(sums_of_chunks(size, self.workers, task, PRODUCTS))
