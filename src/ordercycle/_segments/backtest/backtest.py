"""How well models of value foretell what happened, beside forecasts that need no model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._errors import check_choice, counted
from ordercycle._public import public
from ordercycle._segments.backtest import scores
from ordercycle._segments.backtest.origin import DECILES, MODEL, TABLE, Foretold, Origin
from ordercycle._segments.backtest.verdict import verdict_of
from ordercycle._segments.lifecycle_fit import share_of
from ordercycle._segments.value.list_cuts import ANCHORS, SEGMENTS, Cuts, Values, bounds_of

if TYPE_CHECKING:
    from altair import LayerChart

#: Of repeat orders, this many and more are one row.
MOST_FREQUENCY = 7
PICTURES = ("tracking", "frequency", "gain", "reliability")
RELIABILITY = ["model", "bin", "customers", "predicted", "actual"]
LISTS = ("value_list", "customers", "p_active", "ordered", "predicted", "actual", "share_of_actual")

Floats = NDArray[np.float64]


@public()
class Backtest:
    """What models foretold of a time that is over, and what happened: see :meth:`Clv.backtest`.

    Customers are those with orders on the day of the split; orders are days with an order; money
    is not discounted. Beside the models stand forecasts without one: ``same_again``, the days
    before the split as often as the horizon is long; ``past_rate``, the repeat orders and the
    spend of each customer so far, a day, times the days of the horizon; ``nbd``, a model in which
    nobody leaves; ``past_revenue``, which only ranks customers; and ``recency``, the days since
    the last order, which only tells who orders again.

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
            ``top_decile_share``, of the revenue that those foretold as the best tenth brought;
            ``spearman``, the correlation of the ranks foretold and those that came;
            ``auc``, of two customers of whom one ordered, how often that one was foretold to be
            the likelier, 0.5 for chance: by the probability to order, and of baselines by the
            orders, the revenue or the days since the last order; ``brier``, the mean squared error
            of the probability (of ``same_again``: 1 for who ordered in the days before);
            ``active`` and ``active_actual``, how many customers order; ``customers``.
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
        for name in self._names:
            columns[name] = cast("Floats", self._of_all(name, "orders"))  # those with orders
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

    def by_list(self, *, anchor: str = "new", top_share: float = 0.10) -> pa.Table:
        """Return what became of the customers of each value list, made on the day of the split.

        Parameters
        ----------
        anchor, top_share
            As for :class:`ValueLists`; the model is the first one.

        Returns
        -------
        pyarrow.Table
            ``value_list``; ``customers``; ``p_active``, the mean probability to order that was
            foretold; ``ordered``, the share who did; ``predicted`` and ``actual``: their revenue
            (orders, where there is no money); ``share_of_actual``. Means and shares are null
            where nobody is in a list.
        """
        check_choice("anchor", anchor, ANCHORS)
        share = share_of(top_share, "top_share")
        codes, columns = [], []
        for origin in self._origins:
            first = origin.foretold[0]
            value, found = self._value(origin)
            active = cast("Floats", first.p_active)  # which models foretell
            codes.append(_lists_of(first, active, value, anchor, share))
            columns.append(np.stack([active, origin.ordered, value, found]))
        code, size = np.concatenate(codes), len(SEGMENTS)
        customers = np.bincount(code, minlength=size)
        *chances, predicted, actual = (
            np.bincount(code, values, minlength=size) for values in np.concatenate(columns, axis=1)
        )
        means = [
            [scores.ratio(float(one), int(many)) for one, many in zip(sums, customers, strict=True)]
            for sums in chances
        ]
        shares = [scores.ratio(float(one), float(actual.sum())) for one in actual]
        made = SEGMENTS, customers, *means, predicted, actual, shares
        return pa.table(dict(zip(LISTS, made, strict=True)))

    def reliability(self) -> pa.Table:
        """Return how many customers ordered, by the probability that was foretold.

        Returns
        -------
        pyarrow.Table
            ``model``: each forecast that has probabilities; ``bin``: tenths of the probability,
            1 for those below 0.1, of which some are foretold; ``customers``; ``predicted``, their
            mean probability; ``actual``, the share who ordered.
        """
        ordered = np.concatenate([origin.ordered for origin in self._origins])
        parts = []
        for name in self._names:
            chances = self._of_all(name, "p_active")
            if chances is not None:
                bins, *columns = scores.reliability(chances, ordered, DECILES)
                named = pa.array([name] * bins.size, pa.string())
                parts.append(pa.table([named, bins + 1, *columns], names=RELIABILITY))
        return pa.concat_tables(parts)

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
        latest = Backtest(self._origins[:1], self.horizon_days)
        return verdict_of(
            [origin.rows() for origin in self._origins],
            self.horizon_days,
            latest.by_list().to_pylist(),
            has_money=self._origins[0].holdout.money is not None,
        )

    def plot(self, what: str = "tracking") -> LayerChart:
        """Draw what was foretold beside what happened, with Altair, the extra ``page``.

        Parameters
        ----------
        what
            ``"tracking"``: orders by week; ``"frequency"``: orders by how often customers had
            ordered again; ``"gain"``: the share of revenue that the best so many customers
            brought; ``"reliability"``: how many customers ordered, by the probability foretold.

        Returns
        -------
        altair.LayerChart
            For notebooks; ``.save("test.png")`` or ``.save("test.svg")`` writes a picture.

        Raises
        ------
        ConfigError
            Where there is no such picture.
        ImportError
            Where Altair is not installed.
        """
        check_choice("what", what, PICTURES)
        from ordercycle._segments.backtest import plot as pictures

        return pictures.DRAWN[what](self)

    def __repr__(self) -> str:
        models = [one.shown for one in self._origins[0].distinct if one.role == MODEL]
        row = self._origins[0].rows()[0]
        customers = counted(row["customers"], "customer")
        scored = {"orders": "orders_ratio", "Gini": "gini", "AUC": "auc", "Brier": "brier"}
        said = [f"{name} {row[key]:.2f}" for name, key in scored.items() if row[key] is not None]
        return (
            f"Backtest({', '.join(models)}; {customers}, {self.horizon_days} days after "
            f"{self.split_day}{': ' if said else ''}{', '.join(said)})"
        )

    def __str__(self) -> str:
        return self.verdict

    @cached_property
    def _actual_orders(self) -> NDArray[np.int64]:
        return np.concatenate([origin.holdout.orders for origin in self._origins])

    def _of_all(self, name: str, what: str) -> Floats | None:
        """Return what a forecast says of the customers of all splits; None where it is silent."""
        found = [
            getattr(one, what)
            for origin in self._origins
            for one in origin.foretold
            if one.name == name
        ]
        return None if any(one is None for one in found) else np.concatenate(found)

    @staticmethod
    def _value(origin: Origin) -> tuple[Floats, Floats]:
        """Return what the first model foretold of each customer, and what happened."""
        value, actual = origin.value_of(origin.foretold[0])
        return cast("Floats", value), actual  # which models foretell

    def _gains(self) -> dict[str, Floats]:
        """Return, by forecast, the value of customers in the order foretold; and in the best."""
        origin = self._origins[0]
        _, actual = self._value(origin)
        made = {"best": np.sort(actual)[::-1]}
        for one in origin.distinct:
            ranks, _ = origin.value_of(one)
            if ranks is not None:
                made[one.name] = actual[np.argsort(-ranks, kind="stable")]
        return made


def _lists_of(
    model: Foretold, active: Floats, value: Floats, anchor: str, share: Fraction
) -> NDArray[np.int8]:
    """Return the value list of each customer, by cuts of these very customers."""
    rank = math.ceil(share * value.size)
    cut = float(np.sort(value)[value.size - rank]) if rank else math.inf
    cuts = Cuts(*bounds_of(model.new_p_active, anchor), cut)
    nothing = np.zeros(value.size)
    known = np.ones(value.size, np.bool_)
    return cuts.codes(Values(known, active, value, nothing, nothing))
