"""Intervals of parameters and of totals, by models fitted to customers drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, counted, warn
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.value.columns import (
    AVERAGE,
    SPEND_PARAMETERS,
    Forecast,
    ValueModel,
    value_model,
)
from ordercycle._segments.value.fit import columns_of, transaction_cells
from ordercycle._segments.value.inputs import (
    TAG_SHIFT,
    ClvCounts,
    ClvInputs,
    counted_sums,
    means_of,
    packed,
    purchase_cells,
    purchases_of,
    tagged,
)
from ordercycle._segments.value.options import float_of
from ordercycle._value_models import (
    mean_bootstrap,
    mixed_quantiles,
    poisson_bootstrap,
    spend_bootstrap,
    total_of,
    variances_of_orders,
)
from ordercycle._workspace import Workers, thread_count

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("estimate", pa.float64(), nullable=False),
        pa.field("low", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
    ]
)
#: The totals, by the column of `assign` that they are of.
TOTALS = ("p_active", "expected_orders", "predicted_value")
#: Draws of spend are not those of orders.
SPEND_SEED = 2**62
#: Of the cells of amounts, by the power to which these are.
EXPONENT_TAGS = {1: 8, 2: 9}
#: Beyond all exponents of floats.
EXPONENT_OFFSET = 2**12
#: Bits of a sum of whole numbers.
SUM_BITS = 62

Floats = NDArray[np.float64]


class Fitted(Protocol):
    """What is read of a fitted model."""

    @property
    def model(self) -> str: ...
    @property
    def spend(self) -> str | None: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def account(self) -> Any: ...


@dataclass(frozen=True)
class Population:
    """Customers with orders by x, t_x and T: (n,) cells each.

    customers: how many; spent, squares: the mean spend of the days that count, and the mean of its
    squares, of all customers of a cell together; counts: what a fit needs.
    """

    repeats: NDArray[np.int64]
    recency: NDArray[np.int32]
    age: NDArray[np.int32]
    customers: Floats
    spent: Floats
    squares: Floats
    counts: ClvCounts

    def totals(self, forecast: Forecast) -> dict[str, float]:
        """Return how many order, on how many days, and what they spend, of all together."""
        has_spend = forecast.models.inputs.has_spend
        spent = self.spent if has_spend else None
        found = forecast.of(self.repeats, self.recency, self.age, spent)
        # The expected value of an order day is linear in what a customer spent.
        columns = [getattr(found, name) for name in TOTALS]
        return {
            name: total_of(self.customers, column)
            for name, column in zip(TOTALS, columns, strict=True)
            if column is not None
        }

    def variances(self, forecast: Forecast) -> dict[str, float]:
        """Return how much the totals vary by chance, with the parameters of the forecast."""
        models, days = forecast.models, forecast.horizon_days
        kinds = self.repeats, self.recency, self.age
        found = forecast.of(*kinds, self.spent if models.inputs.has_spend else None)
        of_orders = variances_of_orders(models.orders, *kinds, days)
        columns = [found.p_active * (1.0 - found.p_active), of_orders]
        value, predicted = found.expected_order_value, found.predicted_value
        if value is not None and predicted is not None:
            orders = found.expected_orders
            spent = _variances_of_spend(self, forecast.models, orders, of_orders)
            # Discounted spend is taken to vary as much less as the square of what is expected.
            undiscounted = orders * value
            less = predicted / np.where(undiscounted > 0, undiscounted, 1.0)
            columns.append(spent * (less**2 if forecast.discount_rate else 1.0))
        return {
            name: total_of(self.customers, column)
            for name, column in zip(TOTALS, columns, strict=False)
        }


def _variances_of_spend(
    population: Population, models: ValueModel, orders: Floats, variance: Floats
) -> Floats:
    """Return how much a customer's spend varies, of each cell on average; variance: of orders."""
    days = population.repeats + (not models.inputs.repeats_only)
    if models.spend is None:  # spend on a day is taken for certain
        known = np.float64(models.mean_spend or 0.0) ** 2
        return np.asarray(np.where(days > 0, population.squares, known) * variance)
    of_day, of_mean, expected = models.spend.second_moments(
        days, population.spent, population.squares
    )
    unknown = ~np.isfinite(of_mean)
    if unknown.any():
        warn(
            "the model of spend has no variance of customers of whom it knows little: the "
            "interval of predicted_value leaves out by how much the spend of "
            f"{counted(int(population.customers[unknown].sum()), 'customer')} varies"
        )
        of_day, of_mean, expected = (
            np.where(unknown, 0.0, one) for one in (of_day, of_mean, expected)
        )
    squared = orders * orders
    spent = orders * of_day + (variance + squared) * of_mean - squared * expected
    return np.asarray(np.maximum(spent, 0.0))


def _amounts(batch: pa.RecordBatch, inputs: ClvInputs) -> tuple[NDArray[np.int64], Floats]:
    """Return the packed purchases of who has orders, and what they spent on days that count."""
    purchases = purchases_of(batch)
    days = purchases.order_days - inputs.repeats_only
    means = inputs.means(batch)
    amounts = np.where((days > 0) & (means > 0), means * days, 0.0)
    return packed(purchases), amounts[purchases.has_orders]


@dataclass(frozen=True)
class PopulationRound(Round[pa.Table, Population]):
    """Counts customers as a fit does, and of which size their amounts are."""

    inputs: ClvInputs

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read."""
        return columns_of(self.inputs)

    def count(self, batch: pa.Table) -> Cells:
        """Count the customers of a profile."""
        counted = self.inputs.counted(batch)
        if not self.inputs.has_spend:
            return counted
        tables = []
        for one in self.inputs.of(batch).to_batches():
            _, amounts = _amounts(one, self.inputs)
            for power, tag in EXPONENT_TAGS.items():
                exponents = np.frexp(amounts[amounts > 0] ** power)[1]
                found, customers = np.unique(exponents, return_counts=True)
                cells = found.astype(np.int64) + EXPONENT_OFFSET
                tables.append(Cells.summed(cells | tag << TAG_SHIFT, customers))
        return counted.plus(*tables)

    def then(self, total: Cells) -> Round[pa.Table, Population] | Population:
        """Return the customers, or the round that adds up what they spent."""
        counts = ClvCounts.of(total)
        if not self.inputs.has_spend:
            return _population(counts, *np.zeros((2, counts.purchases.cell.size)))
        customers = int(counts.purchases.count.sum()) + counts.without_orders
        units = []
        for tag in EXPONENT_TAGS.values():
            exponents = tagged(total, tag).cell
            greatest = int(exponents[-1]) - EXPONENT_OFFSET if exponents.size else 0
            # So that whole numbers of units add up.
            units.append(math.ldexp(1.0, SUM_BITS - greatest - customers.bit_length()))
        return SpentRound(self.inputs, counts, units[0], units[1])


@dataclass(frozen=True)
class SpentRound(Round[pa.Table, Population]):
    """Adds up what customers of each kind spent, and its squares, in units."""

    inputs: ClvInputs
    counts: ClvCounts
    unit: float
    unit_of_squares: float

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read."""
        return columns_of(self.inputs)

    @property
    def _units(self) -> dict[int, float]:
        return {1: self.unit, 2: self.unit_of_squares}

    def count(self, batch: pa.Table) -> Cells:
        """Add up the amounts of a profile."""
        tables = []
        for one in self.inputs.of(batch).to_batches():
            keys, amounts = _amounts(one, self.inputs)
            for power, unit in self._units.items():
                units = np.rint(amounts**power * unit).astype(np.int64)
                sums = counted_sums(keys.copy(), units)[1]
                tables.append(Cells(sums.cell | np.int64(power << TAG_SHIFT), sums.count))
        return Cells.total(tables)

    def then(self, total: Cells) -> Population:
        """Return the customers with what they spent."""
        cells, customers = self.counts.purchases.cell, self.counts.purchases.count
        days = purchase_cells(cells)[0] + (not self.inputs.repeats_only)
        means = np.zeros((2, cells.size))
        for (power, unit), mean in zip(self._units.items(), means, strict=True):
            sums = tagged(total, power)
            mean[np.searchsorted(cells, sums.cell)] = sums.count / unit
            weights = days.astype(np.float64) ** power * customers
            np.divide(mean, weights, out=mean, where=days > 0)
        return _population(self.counts, *means)


def _population(counts: ClvCounts, spent: Floats, squares: Floats) -> Population:
    customers = counts.purchases.count.astype(np.float64)
    kinds = purchase_cells(counts.purchases.cell)
    return Population(*kinds, customers, spent, squares, counts)


def intervals_of(
    clv: Fitted,
    forecast: Forecast,
    counted_by: Callable[[PopulationRound], Population],
    *,
    level: float,
    draws: int,
    seed: int,
    threads: int | None,
) -> pa.Table:
    """Return estimates of parameters and of totals, with the bounds of their intervals.

    counted_by: runs the rounds that count the customers.
    """
    share = float_of(level)
    if not 0 < share < 1:
        raise ConfigError(
            (Option("level", level), " is no share of all draws"), remedy="pass one such as 0.95"
        )
    population = counted_by(PopulationRound(forecast.models.inputs))
    _check_fitted_to(clv, population.counts)
    parameters, lost = _drawn(clv, forecast, population.counts, draws, seed, threads)
    # So many reach the bounds, which lie between the draws of their ranks.
    if lost and lost > (1 - share) / 2 * draws - 1:
        warn(
            f"of {draws} draws of customers, {lost} do not tell all parameters: bounds of these "
            "are where the search stopped, and mean that there is none; those of totals hold"
        )
    estimates = {name: estimate for name, (estimate, _) in clv.parameters.items()}
    with Workers(thread_count(threads)) as workers:
        rows = list(
            workers.in_order(
                lambda values: _with_totals(clv, forecast, population, values),
                (estimates, *parameters),
            )
        )
    variances = population.variances(forecast)
    shares = [(1 - share) / 2, (1 + share) / 2]
    made = [
        (
            name,
            rows[0][name],
            *mixed_quantiles(of_draws, math.sqrt(variances.get(name, 0.0)), shares),
        )
        for name in rows[0]
        for of_draws in [np.array([row[name] for row in rows[1:]])]
    ]
    return pa.table([list(column) for column in zip(*made, strict=True)], schema=SCHEMA)


def _check_fitted_to(clv: Fitted, counts: ClvCounts) -> None:
    """Refuse parameters by hand, and a profile that the model was not fitted to."""
    if clv.account is None:
        raise ConfigError(
            "parameters by hand have no intervals: they come from no customers",
            remedy="call .fit, which returns the fitted model",
        )
    customers = int(counts.purchases.count.sum())
    likelihood = transaction_cells(counts)
    again = int(likelihood.customers[likelihood.frequency > 0].sum())
    if (customers, again) != (clv.account.customers, clv.account.repeat_customers):
        raise ConfigError(
            f"the profile has {counted(customers, 'customer')} with orders, of whom {again:,} "
            f"ordered again, and the model was fitted to {clv.account.customers:,} and "
            f"{clv.account.repeat_customers:,}",
            remedy="pass what it was fitted to",
        )


def _drawn(
    clv: Fitted, forecast: Forecast, counts: ClvCounts, draws: int, seed: int, threads: int | None
) -> tuple[list[dict[str, float]], int]:
    """Return the parameters of each draw, by name, and of how many some are not finite."""
    models, cells = forecast.models, transaction_cells(counts)
    parts = [poisson_bootstrap(models.orders, cells, draws, seed, threads=threads)]
    of_spend = seed ^ SPEND_SEED
    if models.spend is not None:
        money = spend_bootstrap(models.spend, counts.spends, draws, of_spend, threads=threads)
        parts.append(money)
    elif clv.spend == AVERAGE:
        means = means_of(counts.spends)
        parts.append(mean_bootstrap(means, counts.spends, draws, of_spend, threads=threads))
    names = _names(clv.parameters)
    found = np.logical_and.reduce([one.found for one in parts])
    return [
        dict(zip(names, map(float, values), strict=True))
        for values in np.concatenate([one.parameters for one in parts], axis=1)
    ], int(np.count_nonzero(~found))


def _names(parameters: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of parameters, those of orders first, as models have them."""
    return sorted(parameters, key=lambda name: name in SPEND_PARAMETERS)


def _with_totals(
    clv: Fitted, forecast: Forecast, population: Population, values: Mapping[str, float]
) -> dict[str, float]:
    """Return parameters, and the totals that follow."""
    models = value_model(clv.model, clv.spend, forecast.models.inputs, values)
    horizon = Forecast(models, forecast.horizon_days, forecast.discount_rate, "")
    return {name: values[name] for name in clv.parameters} | population.totals(horizon)
