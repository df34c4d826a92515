"""What customers will order, by a model with its parameters."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import DataError
from ordercycle._value_models.forms import STAGES, logs_of, regular_model, stages_of
from ordercycle._value_models.likelihoods import DeathSetup, dropout_tables
from ordercycle_kernels.death_predictions import (
    BLOCK,
    alive_of_deaths,
    expect_death_orders,
    expect_orders,
    fill_integrals,
    fill_presence,
)
from ordercycle_kernels.dropout_predictions import (
    GROWTH,
    TERMS,
    discount_dropout_orders,
    expect_dropout_orders,
    fill_beta_nodes,
    fill_rates,
)
from ordercycle_kernels.dropout_predictions import NODES as BETA_NODES
from ordercycle_kernels.order_counts import DropoutTables, alive_of_dropouts
from ordercycle_kernels.order_pairs import find_new_pairs, predict_from_pairs, store_pairs
from ordercycle_kernels.quadrature import WIDEST
from ordercycle_kernels.regular_orders import (
    discount_regular_orders,
    expect_regular_orders,
    predict_regular_orders,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Days = NDArray[np.int32]
#: Days, and the continuous rate of a day by which orders in them are discounted.
Horizon: TypeAlias = tuple[float, float]
#: One more than the most orders, and than the most days, that tables are for.
Size: TypeAlias = tuple[int, int]


#: Tables are for fewer orders: they have a place for each number of them and each age.
MOST_ORDERS = 2048


class Predictions(NamedTuple):
    """Predictions of customers: each (n,) float64.

    Attributes
    ----------
    p_alive
        Probability that the customer has not left.
    p_active
        Probability of at least one day with orders in the horizon.
    expected_orders
        Expected days with orders in the horizon.
    discounted_orders
        The same, each discounted to the day of the profile.
    """

    p_alive: Floats
    p_active: Floats
    expected_orders: Floats
    discounted_orders: Floats

    @classmethod
    def empty(cls, size: int) -> Predictions:
        """Return room for the predictions of so many customers."""
        return cls(*(np.empty(size) for _ in range(4)))


class Expectations(Protocol):
    """What a model says, in tables for up to so many orders and days.

    Attributes
    ----------
    width
        How many numbers it has of a pair of orders and age.
    """

    width: int

    def learn(self, orders: Integers) -> None:
        """Compute the tables of numbers of orders that were not met before."""
        ...

    def of_pairs(self, orders: Integers, ages: Integers) -> Floats:
        """Return what is known of pairs: (width, m)."""
        ...

    def predict(
        self,
        frequency: Integers,
        recency: Days,
        age: Days,
        days: int,
        pairs: Floats,
        out: Predictions,
    ) -> None:
        """Write predictions of customers; pairs, each at x * days + T: (t, width)."""
        ...


class OfPairs(ABC):
    """A model by which customers who are alive are known by their orders and their age.

    Of a pair, it has P(active), orders and discounted orders.
    """

    width = 3

    @abstractmethod
    def fill_alive(self, frequency: Integers, recency: Days, age: Days, out: Floats) -> None:
        """Write probabilities that customers have not left."""

    def predict(
        self,
        frequency: Integers,
        recency: Days,
        age: Days,
        days: int,
        pairs: Floats,
        out: Predictions,
    ) -> None:
        """Write predictions of customers."""
        self.fill_alive(frequency, recency, age, out.p_alive)
        predict_from_pairs(frequency, age, out.p_alive, days, pairs, *out[1:])


class NbdExpectations(OfPairs):
    """NBD: nobody leaves."""

    def __init__(self, parameters: Sequence[float], horizon: Horizon, size: Size) -> None:  # noqa: ARG002 - no tables
        self.parameters, self.horizon = parameters, horizon

    def learn(self, orders: Integers) -> None:
        """Do nothing: there are no tables."""

    def fill_alive(self, frequency: Integers, recency: Days, age: Days, out: Floats) -> None:  # noqa: ARG002 - as others
        """Write ones."""
        out.fill(1.0)

    def of_pairs(self, orders: Integers, ages: Integers) -> Floats:
        """Return P(active), orders and discounted orders."""
        result = np.empty((3, orders.size))
        r, alpha = self.parameters[:2]
        expect_orders(r, alpha, *self.horizon, orders, ages, result)
        return result


class DropoutExpectations(OfPairs):
    """BG/NBD and MBG/NBD."""

    def __init__(
        self,
        parameters: Sequence[float],
        horizon: Horizon,
        size: Size,
        *,
        may_leave_at_first: bool,
    ) -> None:
        self.parameters, self.horizon = parameters, horizon
        self.is_first = int(may_leave_at_first)
        orders, days = size
        self.tables: DropoutTables = dropout_tables(parameters, self.is_first, days, orders)
        self.nodes, self.weights = np.zeros((2, orders, BETA_NODES))
        panels = self._panels(orders) if horizon[1] > 0.0 else 0
        self.series = np.zeros((orders, panels * TERMS))

    def learn(self, orders: Integers) -> None:
        """Compute the tables of numbers of orders that were not met before."""
        r, _, a, b = self.parameters
        fill_beta_nodes(a, b + self.is_first, orders, self.nodes, self.weights)
        if self.horizon[1] > 0.0:
            fill_rates(r, orders, self.nodes, self.weights, np.empty(BETA_NODES), self.series)

    def fill_alive(self, frequency: Integers, recency: Days, age: Days, out: Floats) -> None:
        """Write probabilities that customers have not left."""
        r = self.parameters[0]
        alive_of_dropouts(frequency, recency, age, self.tables, r, self.is_first, out)

    def of_pairs(self, orders: Integers, ages: Integers) -> Floats:
        """Return P(active), orders and discounted orders of who is alive."""
        r, alpha, a, b = self.parameters
        horizon, discount = self.horizon
        result = np.empty((3, orders.size))
        expect_dropout_orders(
            np.array([r, alpha, a, b + self.is_first]),
            horizon,
            orders,
            ages,
            self.nodes,
            self.weights,
            np.empty(BETA_NODES),
            result[0],
            result[1],
        )
        if discount > 0.0:
            discount_dropout_orders(
                r, alpha, horizon, discount, orders, ages, self.series, result[2]
            )
        else:
            result[2] = result[1]
        return result

    def _panels(self, orders: int) -> int:
        """Return how many panels reach to the end of the horizon, for up to so many orders."""
        r, alpha = self.parameters[:2]
        end = logs_of([1.0 + self.horizon[0] / alpha])[0]
        place, panels = 0.0, 0
        while place < end:
            width = (GROWTH - 1.0) * place if panels else 1.0 / (r + orders)
            place += min(width, WIDEST)
            panels += 1
        return panels


class DeathExpectations(OfPairs):
    """Pareto/NBD."""

    def __init__(self, parameters: Sequence[float], horizon: Horizon, size: Size) -> None:
        self.parameters, self.horizon = parameters, horizon
        orders, days = size
        days = -(-days // BLOCK) * BLOCK + 1  # with the day on which the last block ends
        self.setup = DeathSetup.of(parameters, days, moments=0)
        tables = self.setup.tables
        logs = np.stack([tables.order_logs, tables.death_logs])
        self.day_growths = np.append(np.diff(logs, axis=1), np.zeros((2, 1)), axis=1).ravel()
        self.growths = np.concatenate([tables.order_growths, tables.death_growths])
        self.integrals = np.zeros((orders, days))
        self.presence = np.zeros((days, 2))
        self.known = np.zeros(days, bool)

    def learn(self, orders: Integers) -> None:
        """Compute the tables of numbers of orders that were not met before."""
        r, _, s, _ = self.parameters
        fill_integrals(
            r,
            s,
            orders,
            self.setup.firsts,
            self.day_growths,
            self.growths,
            self.setup.tables.weights,
            self.integrals,
        )

    def fill_alive(self, frequency: Integers, recency: Days, age: Days, out: Floats) -> None:
        """Write probabilities that customers have not left."""
        r, _, s, _ = self.parameters
        tables = self.setup.tables
        alive_of_deaths(
            frequency,
            recency,
            age,
            tables.order_logs,
            tables.death_logs,
            self.integrals,
            r,
            s,
            out,
        )

    def of_pairs(self, orders: Integers, ages: Integers) -> Floats:
        """Return P(active), orders and discounted orders of who is alive."""
        _, _, s, beta = self.parameters
        new = np.zeros(self.known.size, bool)
        new[ages] = True
        new &= ~self.known
        fill_presence(s, beta, *self.horizon, np.flatnonzero(new), self.presence)
        self.known |= new
        result = np.empty((3, orders.size))
        expect_death_orders(
            self.setup.parameters, self.horizon[0], orders, ages, self.presence, result
        )
        return result


class RegularExpectations:
    """MBG/CNBD-k: how far a customer is into the next gap matters beside orders and age."""

    def __init__(
        self, parameters: Sequence[float], horizon: Horizon, size: Size, *, stages: int
    ) -> None:
        self.parameters, self.horizon, self.stages = np.array(parameters), horizon, stages
        self.width = 2 * stages
        orders, days = size
        self.tables = dropout_tables(parameters, 1, days, orders)

    def learn(self, orders: Integers) -> None:
        """Do nothing: there are no tables of orders alone."""

    def of_pairs(self, orders: Integers, ages: Integers) -> Floats:
        """Return orders and discounted orders, by the stages of a gap that are over."""
        horizon, discount = self.horizon
        result = np.empty((2, self.stages, orders.size))
        expect_regular_orders(
            self.parameters, self.stages, 1, horizon, orders, ages, result[0], result[1]
        )
        result[1] = result[0]
        if discount > 0.0:
            discount_regular_orders(
                self.parameters,
                self.stages,
                horizon,
                discount,
                orders,
                ages,
                result[0],
                result[1],
            )
        return result.reshape(self.width, orders.size)

    def predict(
        self,
        frequency: Integers,
        recency: Days,
        age: Days,
        days: int,  # noqa: ARG002 - that of its tables
        pairs: Floats,
        out: Predictions,
    ) -> None:
        """Write predictions of customers."""
        found = np.empty((4, frequency.size))
        predict_regular_orders(
            frequency,
            recency,
            age,
            self.tables,
            self.parameters,
            self.stages,
            self.horizon[0],
            pairs,
            found,
        )
        for values, room in zip(found, out, strict=True):
            room[:] = values


class Predictor:
    """Predicts for one horizon and discount; tables grow with what customers need.

    Any number of threads may call it at the same time.
    """

    def __init__(
        self, model: str, parameters: Sequence[float], horizon_days: float, discount: float
    ) -> None:
        self.model, self.parameters = model, parameters
        self.horizon = (float(horizon_days), discount)
        self._lock = threading.Lock()
        self._tables = self._tables_for(1, 1)

    def predict(self, frequency: Integers, recency: Days, age: Days, out: Predictions) -> None:
        """Write the predictions of customers.

        Raises
        ------
        DataError
            If a customer cannot exist, as with a last order behind the day of the profile.
        """
        _check_customers(frequency, recency, age)
        orders, days = int(frequency.max(initial=0)) + 1, int(age.max(initial=0)) + 1
        if orders > MOST_ORDERS:
            self._predict_apart(frequency, recency, age, out)
            return
        with self._lock:
            tables = self._tables
            if orders > tables.orders or days > tables.days:
                size = max(orders, tables.orders), max(days, tables.days)
                tables = self._tables = self._tables_for(*size)
            tables.learn(frequency, age)
        tables.expectations.predict(frequency, recency, age, tables.days, tables.pairs, out)

    def _predict_apart(
        self, frequency: Integers, recency: Days, age: Days, out: Predictions
    ) -> None:
        """Write predictions where some customers have more orders than tables are for.

        Each number of orders beyond is a model by itself, of customers without any: what they
        ordered is in its parameters.
        """
        beyond = [int(one) for one in np.unique(frequency[frequency >= MOST_ORDERS])]
        parts = [
            (self, frequency < MOST_ORDERS, 0),
            *((self._after(x), frequency == x, x) for x in beyond),
        ]
        for predictor, rows, orders in parts:
            found = Predictions.empty(int(np.count_nonzero(rows)))
            predictor.predict(frequency[rows] - orders, recency[rows], age[rows], found)
            for values, part in zip(out, found, strict=True):
                values[rows] = part

    def _after(self, orders: int) -> Predictor:
        """Return the predictor of customers with so many orders, for whom they are none."""
        r, alpha, third, fourth = self.parameters
        model, stages = self.model, stages_of(self.model)
        if stages > 1:
            return Predictor(
                model, [r + stages * orders, alpha, third, fourth + orders], *self.horizon
            )
        if model in ("bg_nbd", "mbg_nbd"):
            fourth += orders - 1 + (model == "mbg_nbd")
            model = "mbg_nbd"
        return Predictor(model, [r + orders, alpha, third, fourth], *self.horizon)

    def _tables_for(self, orders: int, days: int) -> _Tables:
        """Return empty tables, with room for more than asked for."""
        orders, days = (1 << (number - 1).bit_length() for number in (orders, days))
        expectations = EXPECTATIONS[self.model](self.parameters, self.horizon, (orders, days))
        return _Tables(orders, days, expectations)


def _check_customers(frequency: Integers, recency: Days, age: Days) -> None:
    """Raise a DataError where a customer cannot exist: tables are looked up by these numbers."""
    if min(frequency.min(initial=0), recency.min(initial=0)) >= 0 and not (recency > age).any():
        return
    wrong = (frequency < 0) | (recency < 0) | (recency > age)
    row = int(np.argmax(wrong))
    raise DataError(
        f"row {row} is of no customer: {frequency[row]} orders after the first, the last "
        f"{recency[row]} days after it, {age[row]} days old",
        row=row,
        count=int(np.count_nonzero(wrong)),
    )


class _Tables:
    """Predictions of pairs of orders and age, of those that were met."""

    def __init__(self, orders: int, days: int, expectations: Expectations) -> None:
        self.orders, self.days = orders, days
        self.expectations = expectations
        self.met = np.zeros(orders, bool)
        self.known = np.zeros(orders * days, np.uint8)
        # Memory that is zero costs nothing before it is written.
        self.pairs = np.zeros((orders * days, expectations.width))

    def learn(self, frequency: Integers, age: Days) -> None:
        """Compute the predictions of pairs that were not met before."""
        orders, ages = np.empty((2, frequency.size), np.int64)
        found = find_new_pairs(frequency, age, self.days, self.known, orders, ages)
        if not found:
            return
        orders, ages = orders[:found], ages[:found]
        met = np.zeros(self.orders, bool)
        met[orders] = True
        new = np.flatnonzero(met & ~self.met)
        self.expectations.learn(new)
        self.met[new] = True
        store_pairs(orders, ages, self.days, self.expectations.of_pairs(orders, ages), self.pairs)


EXPECTATIONS: dict[str, Callable[[Sequence[float], Horizon, Size], Expectations]] = {
    "nbd": NbdExpectations,
    "pareto_nbd": DeathExpectations,
    "bg_nbd": partial(DropoutExpectations, may_leave_at_first=False),
    "mbg_nbd": partial(DropoutExpectations, may_leave_at_first=True),
    **{regular_model(stages): partial(RegularExpectations, stages=stages) for stages in STAGES},
}
