"""What models of value predict of each customer, as columns of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, bitmap
from ordercycle._errors import ConfigError, Option
from ordercycle._segments.assigning import worked
from ordercycle._segments.value.inputs import ClvInputs, as_floats, purchases_of
from ordercycle._value_models import Predictions, SpendFit, TransactionFit
from ordercycle._value_models.spend_search import SPEND_FORMS

#: The columns of orders, and those of money.
ORDER_COLUMNS = ("p_alive", "p_active", "expected_orders")
MONEY_COLUMNS = ("expected_order_value", "predicted_value", "clv")
#: The parameters of spend.
AVERAGE, MEAN_SPEND = "average", "mean_spend"
SPEND_PARAMETERS = {MEAN_SPEND, *(name for form in SPEND_FORMS.values() for name in form.names)}
#: What the metadata of a column say.
DIGEST, HORIZON, RATE = b"ordercycle.clv", b"ordercycle.horizon_days", b"ordercycle.discount_rate"


@dataclass(frozen=True)
class ValueModel:
    """The models that predict.

    orders: of orders; spend: of spend, None where there is none or it is the customer's own mean;
    mean_spend: that of all customers, where it is; inputs: what they read.
    """

    orders: TransactionFit
    spend: SpendFit | None
    mean_spend: float | None
    inputs: ClvInputs

    def write_order_values(
        self, days: NDArray[np.int64], means: NDArray[np.float64], out: NDArray[np.float64]
    ) -> None:
        """Write the expected spend on a day with an order.

        days, means, out: (n,) those of each customer that count, and the mean spend on them, NaN
        where there are none.
        """
        if self.spend is not None:
            self.spend.expected_value(days, means, out)
            return
        known = days > 0
        spent = np.where(known & (means > 0), means, 0.0)  # who brought nothing, brings nothing
        out[:] = np.where(known, spent, np.float64(self.mean_spend or 0.0))


class Predicted(NamedTuple):
    """What is predicted of customers with orders: (k,) each; no money: None."""

    p_alive: NDArray[np.float64]
    p_active: NDArray[np.float64]
    expected_orders: NDArray[np.float64]
    expected_order_value: NDArray[np.float64] | None
    predicted_value: NDArray[np.float64] | None
    clv: NDArray[np.float64] | None

    @classmethod
    def empty(cls, size: int, *, has_money: bool) -> Self:
        """Return room for the predictions of so many customers."""
        alive, active, orders = (np.empty(size) for _ in ORDER_COLUMNS)
        money = [np.empty(size) if has_money else None for _ in MONEY_COLUMNS]
        return cls(alive, active, orders, *money)

    def part(self, rows: slice) -> Predicted:
        """Return the room of some rows."""
        money = (None if values is None else values[rows] for values in self[3:])
        return Predicted(
            self.p_alive[rows], self.p_active[rows], self.expected_orders[rows], *money
        )


@dataclass(frozen=True)
class Forecast:
    """Models with a horizon.

    digest: which tells the numbers of the models from those of others.
    """

    models: ValueModel
    horizon_days: int
    discount_rate: float
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are added."""
        has_spend = self.models.inputs.has_spend
        return ORDER_COLUMNS + (MONEY_COLUMNS if has_spend else ())

    @property
    def fields(self) -> list[pa.Field]:
        """The columns, with what they were predicted by."""
        return [pa.field(name, pa.float64(), metadata=self.metadata) for name in self.names]

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """What is said of each column."""
        return {
            DIGEST: self.digest.encode(),
            HORIZON: str(self.horizon_days).encode(),
            RATE: repr(self.discount_rate).encode(),
        }

    @property
    def new_p_active(self) -> float:
        """The probability to order again of a customer on the day of the first order."""
        day = np.zeros(1, np.int32)
        return float(self.of(np.zeros(1, np.int64), day, day).p_active[0])

    def of(
        self,
        repeats: NDArray[np.int64],
        recency: NDArray[np.int32],
        age: NDArray[np.int32],
        means: NDArray[np.float64] | None = None,
        revenue: NDArray[np.float64] | None = None,
        out: Predicted | None = None,
    ) -> Predicted:
        """Predict customers with orders: (k,) each; means, revenue: None without money.

        out: where to write it; None: to arrays of their own.
        """
        if out is None:
            out = Predicted.empty(repeats.size, has_money=means is not None)
        found = Predictions(*out[:3], np.empty(repeats.size))
        self.models.orders.predict(
            repeats, recency, age, self.horizon_days, self.discount_rate, out=found
        )
        value, predicted, total = out[3:]
        if means is None or value is None or predicted is None or total is None:
            return out
        days = repeats if self.models.inputs.repeats_only else repeats + 1
        self.models.write_order_values(days, means, value)
        np.multiply(found.discounted_orders, value, out=predicted)
        total[:] = predicted if revenue is None else predicted + revenue
        return out


def value_model(
    model: str, spend: str | None, inputs: ClvInputs, estimates: Mapping[str, float]
) -> ValueModel:
    """Return the models of some parameters.

    Raises
    ------
    ConfigError
        Where they are not those of the models.
    """
    orders = dict(estimates)
    money = {name: orders.pop(name) for name in SPEND_PARAMETERS & orders.keys()}
    wanted = {None: set[str](), AVERAGE: {MEAN_SPEND}}.get(spend)
    if wanted is not None and money.keys() != wanted:
        raise ConfigError(
            (Option("parameters", sorted(money)), " are not those of ", Option("spend", spend)),
            remedy=f"of spend it has {', '.join(wanted) or 'none'}",
        )
    fitted = None if wanted is not None else SpendFit.of_parameters(str(spend), money)
    return ValueModel(
        TransactionFit.of_parameters(model, orders), fitted, money.get(MEAN_SPEND), inputs
    )


def predicted_columns(
    inputs: pa.Table, forecast: Forecast, *, threads: int | None
) -> list[pa.ChunkedArray]:
    """Return the columns of a forecast, of a profile whose inputs were checked."""
    rows = inputs.num_rows
    made = Predicted.empty(rows, has_money=forecast.models.inputs.has_spend)
    has_orders = np.empty(rows, np.bool_)

    def write(task: tuple[int, pa.Table]) -> None:
        start, piece = task
        for batch in piece.to_batches():
            part = slice(start, start + batch.num_rows)
            has_orders[part] = predict_batch(batch, forecast, made.part(part))
            start = part.stop

    for _ in worked(write, inputs, threads=threads):
        pass
    valid = None if has_orders.all() else bitmap(has_orders)
    return [
        pa.chunked_array([array_of(values, pa.float64(), valid)])
        for values in made
        if values is not None
    ]


def predict_batch(batch: pa.RecordBatch, forecast: Forecast, out: Predicted) -> NDArray[np.bool_]:
    """Write what is predicted of a checked batch, 0 without orders; return who has orders."""
    inputs = forecast.models.inputs
    purchases = purchases_of(batch)
    known = purchases.has_orders
    everybody = bool(known.all())

    def of_known(values: NDArray[Any]) -> NDArray[Any]:
        return values if everybody else values[known]

    recency = of_known(purchases.lifetimes)
    means = revenue = None
    if inputs.has_spend:
        means, revenue = of_known(inputs.means(batch)), of_known(as_floats(batch.column("revenue")))
    found = forecast.of(
        of_known(purchases.order_days) - 1,
        recency,
        recency + of_known(purchases.since_last),
        means,
        revenue,
        out if everybody else None,
    )
    if not everybody:
        for values, place in zip(found, out, strict=True):
            if values is not None and place is not None:
                place[:] = 0.0
                place[known] = values
    return known
