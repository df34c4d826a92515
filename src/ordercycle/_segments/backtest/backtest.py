"""How well models of value foretell what happened, beside forecasts that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._errors import check_choice, counted
from ordercycle._public import public
from ordercycle._segments.backtest import scores
from ordercycle._segments.backtest.data import Holdout
from ordercycle._segments.backtest.verdict import verdict_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL, BASELINE = "model", "baseline"
#: Of repeat orders, this many and more are one row.
MOST_FREQUENCY = 7
DECILES = 10
PICTURES = ("tracking", "frequency", "gain", "reliability")

Floats = NDArray[np.float64]

TABLE = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("orders", pa.float64()),
        pa.field("orders_actual", pa.int64(), nullable=False),
        pa.field("orders_ratio", pa.float64()),
        pa.field("revenue", pa.float64()),
        pa.field("revenue_actual", pa.float64()),
        pa.field("revenue_ratio", pa.float64()),
        pa.field("mae", pa.float64()),
        pa.field("rmse", pa.float64()),
        pa.field("gini", pa.float64()),
        pa.field("top_decile_share", pa.float64()),
    ]
)


class Foretold(NamedTuple):
    """What a model or a baseline foretells of each customer: (k,), or None for nothing.

    name: which stays the same from split to split; shown: with the boundary it came to.
    """

    name: str
    shown: str
    role: str
    orders: Floats | None
    revenue: Floats | None
    p_active: Floats | None = None


@dataclass(frozen=True)
class Origin:
    """One split: what was foretold and what happened."""

    split: int
    holdout: Holdout
    foretold: Sequence[Foretold]
    #: By the name of a model, the order days of all customers, week by week: (weeks,).
    tracked: dict[str, Floats]

    @property
    def distinct(self) -> list[Foretold]:
        """What is not the same model again: several may have come to the same boundary."""
        first: dict[str, Foretold] = {}
        for one in self.foretold:
            first.setdefault(one.shown, one)
        return list(first.values())

    @property
    def later(self) -> Floats | None:
        """The revenue of the horizon."""
        money = self.holdout.money
        return None if money is None else money.later

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each forecast."""
        return [self._row(one) for one in self.distinct]

    def _row(self, one: Foretold) -> dict[str, Any]:
        actual, later = self.holdout.orders, self.later
        row: dict[str, Any] = dict.fromkeys(TABLE.names)
        row |= {"model": one.shown, "role": one.role, "orders_actual": int(actual.sum())}
        if one.orders is not None:
            wrong = one.orders - actual
            row |= {
                "orders": float(one.orders.sum()),
                "mae": scores.mean(np.abs(wrong)),
                "rmse": scores.root(scores.mean(wrong * wrong)),
            }
        row["orders_ratio"] = scores.ratio(row["orders"], row["orders_actual"])
        ranks = one.orders
        value: Floats = actual.astype(np.float64)
        if later is not None:
            row["revenue_actual"] = float(later.sum())
            ranks, value = one.revenue, later
            if one.revenue is not None and one.orders is not None:
                row["revenue"] = float(one.revenue.sum())
                row["revenue_ratio"] = scores.ratio(row["revenue"], row["revenue_actual"])
        if ranks is not None:
            row["gini"] = scores.gini(value, ranks)
            row["top_decile_share"] = scores.top_share(value, ranks, DECILES)
        return row


@public()
class Backtest:
    """What models foretold of a time that is over, and what happened: see :meth:`Clv.backtest`.

    Customers are those with orders on the day of the split; orders are days with an order; money
    is not discounted. Beside the models stand forecasts without one: ``same_again``, the days
    before the split as often as the horizon is long; ``past_rate``, the repeat orders and the
    spend of each customer so far, a day, times the days of the horizon; ``nbd``, a model in which
    nobody leaves; and ``past_revenue``, which only ranks customers.

    Attributes
    ----------
    split_day
        The last day that was known; the latest of several.
    horizon_days
        How many days were foretold.
    """

    def __init__(self, origins: Sequence[Origin], horizon_days: int) -> None:
        self._origins = list(origins)
        self.split_day: date = date_of(self._origins[0].split)
        self.horizon_days = horizon_days

    @property
    def _names(self) -> list[str]:
        """The models, and the baselines that foretell orders: what all splits have.

        A model that is another one again in each of the splits is left out.
        """
        distinct = {one.name for origin in self._origins for one in origin.distinct}
        there = set.intersection(
            *({one.name for one in origin.foretold} for origin in self._origins)
        )
        return [
            one.name
            for one in self._origins[0].foretold
            if one.orders is not None and one.name in distinct & there
        ]

    def to_table(self) -> pa.Table:
        """Return how each model and each baseline did.

        Returns
        -------
        pyarrow.Table
            ``model`` and ``role`` (``"model"``, the chosen one first, or ``"baseline"``);
            ``orders``, ``orders_actual`` and their ratio; ``revenue``, ``revenue_actual`` and
            their ratio; ``mae`` and ``rmse``, of the orders of a customer; ``gini``, how well
            revenue (orders, where there is no money) is ranked: 0 for chance, 1 for the best;
            ``top_decile_share``, of the revenue that those foretold as the best tenth brought.
            Null where a baseline says nothing, and ratios and shares also where what came is
            nothing or less. Models that came to the same boundary are one row. Of several splits,
            each has its rows, and a last column ``split_day``.
        """
        several = len(self._origins) > 1
        rows = [
            row | ({"split_day": date_of(origin.split)} if several else {})
            for origin in self._origins
            for row in origin.rows()
        ]
        schema = TABLE.append(pa.field("split_day", pa.date32())) if several else TABLE
        return pa.Table.from_pylist(rows, schema=schema)

    def by_frequency(self) -> pa.Table:
        """Return the mean orders of a customer by how often customers had ordered again.

        Returns
        -------
        pyarrow.Table
            ``frequency``: order days after the first up to the split, 7 for 7 and more;
            ``customers``; ``actual``: order days of the horizon, the mean of a customer; and what
            each model and baseline foretold, in a column of its name. Of several splits, the
            customers of all together: who had ordered by three of them counts three times, each
            time with the orders and the models, fitted anew, of that split.
        """
        group = np.minimum(
            np.concatenate([origin.holdout.repeats for origin in self._origins]), MOST_FREQUENCY
        )
        customers = np.bincount(group, minlength=MOST_FREQUENCY + 1)
        columns = {"actual": self._actual_orders.astype(np.float64)}
        columns |= {name: self._orders(name) for name in self._names}
        there = customers > 0
        made: dict[str, Any] = {
            "frequency": np.flatnonzero(there),
            "customers": customers[there],
        }
        for name, values in columns.items():
            sums = np.bincount(group, values, minlength=MOST_FREQUENCY + 1)
            made[name] = sums[there] / customers[there]
        return pa.table(made)

    def by_decile(self) -> pa.Table:
        """Return what each tenth of the customers brought, by the value foretold.

        Returns
        -------
        pyarrow.Table
            ``decile``: 1 for the customers of whom the first model foretold most; ``customers``;
            ``predicted`` and ``actual``: their revenue (orders, where there is no money);
            ``share_of_actual``.
        """
        places, predicted, actual = [], [], []
        for origin in self._origins:
            value, found = self._value(origin)
            places.append(scores.deciles(value, DECILES))
            predicted.append(value)
            actual.append(found)
        place = np.concatenate(places)
        customers = np.bincount(place, minlength=DECILES)
        sums = [
            np.bincount(place, np.concatenate(values), minlength=DECILES)
            for values in (predicted, actual)
        ]
        total = float(sums[1].sum())
        return pa.table(
            {
                "decile": np.arange(1, DECILES + 1),
                "customers": customers,
                "predicted": sums[0],
                "actual": sums[1],
                "share_of_actual": pa.array(
                    [scores.ratio(float(one), total) for one in sums[1]], pa.float64()
                ),
            }
        )

    def tracking(self) -> pa.Table:
        """Return the orders of all customers together, week by week of the horizon.

        Returns
        -------
        pyarrow.Table
            ``week``: 1 for the seven days after the split, the last may be shorter; ``actual``:
            days with an order; and what each model foretold, in a column of its name.
        """
        return pa.table(self._weeks)

    @cached_property
    def _weeks(self) -> dict[str, Any]:
        actual = np.sum([origin.holdout.weekly for origin in self._origins], axis=0)
        made: dict[str, Any] = {"week": np.arange(1, actual.size + 1), "actual": actual}
        for name in self._names:
            if name in self._origins[0].tracked:
                made[name] = np.sum([origin.tracked[name] for origin in self._origins], axis=0)
        return made

    @property
    def verdict(self) -> str:
        """Which forecast to trust for totals, and whether the model ranks customers better.

        The model judged is the chosen one, the first of :meth:`to_table`. Of several splits, it
        is judged by the latest; a last line says how much totals differed between splits.
        """
        return verdict_of(
            [origin.rows() for origin in self._origins],
            self.horizon_days,
            has_money=self._origins[0].holdout.money is not None,
        )

    def plot(self, what: str = "tracking", ax: Axes | None = None) -> Axes:
        """Draw what was foretold beside what happened.

        Parameters
        ----------
        what
            ``"tracking"``: orders by week; ``"frequency"``: orders by how often customers had
            ordered again; ``"gain"``: the share of revenue that the best so many customers
            brought; ``"reliability"``: how many customers ordered, by the probability foretold.
        ax
            Axes to draw on; None: new ones.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            Where matplotlib is not installed, the extra ``plot``.
        """
        check_choice("what", what, PICTURES)
        from ordercycle._segments.backtest import plot as pictures

        axes: Axes = pictures.DRAWN[what](self, ax)
        return axes

    def __repr__(self) -> str:
        models = [one.shown for one in self._origins[0].distinct if one.role == MODEL]
        customers = counted(self._origins[0].holdout.orders.size, "customer")
        return (
            f"Backtest({', '.join(models)}; {customers}, {self.horizon_days} days after "
            f"{self.split_day})"
        )

    def __str__(self) -> str:
        return self.verdict

    @cached_property
    def _actual_orders(self) -> NDArray[np.int64]:
        return np.concatenate([origin.holdout.orders for origin in self._origins])

    def _orders(self, name: str) -> Floats:
        found = [
            one.orders
            for origin in self._origins
            for one in origin.foretold
            if one.name == name and one.orders is not None
        ]
        return np.concatenate(found)

    @staticmethod
    def _value(origin: Origin) -> tuple[Floats, Floats]:
        """Return what the first model foretold of each customer, and what happened."""
        first, later = origin.foretold[0], origin.later
        if later is not None and first.revenue is not None:
            return first.revenue, later
        orders = cast("Floats", first.orders)  # which models foretell
        return orders, origin.holdout.orders.astype(np.float64)

    def _gains(self) -> dict[str, Floats]:
        """Return, by forecast, the value of customers in the order foretold; and in the best."""
        origin = self._origins[0]
        _, actual = self._value(origin)
        made = {"best": np.sort(actual)[::-1]}
        for one in origin.distinct:
            ranks = one.orders if origin.later is None else one.revenue
            if ranks is not None:
                made[one.name] = actual[np.argsort(-ranks, kind="stable")]
        return made

    def _reliability(self) -> dict[str, tuple[Floats, Floats]]:
        """Return, by model, the mean probability of ten bins, and the share who ordered."""
        origin = self._origins[0]
        ordered = origin.holdout.orders > 0
        return {
            one.name: scores.reliability(one.p_active, ordered, DECILES)
            for one in origin.distinct
            if one.p_active is not None and one.role == MODEL
        }
