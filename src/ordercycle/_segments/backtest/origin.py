"""What was foretold at one split, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._segments.backtest import scores
from ordercycle._segments.backtest.data import Holdout

MODEL, BASELINE = "model", "baseline"
DECILES = 10

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
        pa.field("spearman", pa.float64()),
        pa.field("auc", pa.float64()),
        pa.field("brier", pa.float64()),
        pa.field("active", pa.float64()),
        pa.field("active_actual", pa.int64(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),
    ]
)


class Foretold(NamedTuple):
    """What a model or a baseline foretells of each customer: (k,), or None for nothing.

    name: which stays the same from split to split; shown: with the boundary it came to; ranks: by
    which those who order are told from those who do not, where the probability does not say;
    new_p_active: the probability of a customer on the day of the first order.
    """

    name: str
    shown: str
    role: str
    orders: Floats | None = None
    revenue: Floats | None = None
    p_active: Floats | None = None
    ranks: Floats | None = None
    new_p_active: float = 0.0


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
    def ordered(self) -> NDArray[np.bool_]:
        """Who ordered in the horizon: (k,)."""
        return self.holdout.orders > 0

    @property
    def later(self) -> Floats | None:
        """The revenue of the horizon."""
        money = self.holdout.money
        return None if money is None else money.later

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each forecast."""
        return [self._row(one) for one in self.distinct]

    def value_of(self, one: Foretold) -> tuple[Floats | None, Floats]:
        """Return what is foretold of each customer, and what came: revenue, orders without."""
        if self.later is None:
            return one.orders, self.holdout.orders.astype(np.float64)
        return one.revenue, self.later

    def _row(self, one: Foretold) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(TABLE.names)
        row |= {"model": one.shown, "role": one.role, "customers": self.holdout.orders.size}
        return row | self._of_orders(one) | self._of_revenue(one) | self._of_ranks(one)

    def _of_orders(self, one: Foretold) -> dict[str, Any]:
        """Return what is said of the order days, and of who ordered."""
        actual, ordered = self.holdout.orders, self.ordered
        total, came = int(actual.sum()), int(np.count_nonzero(ordered))
        made: dict[str, Any] = {"orders_actual": total, "active_actual": came}
        if one.orders is not None:
            wrong, foretold = one.orders - actual, float(one.orders.sum())
            made |= {
                "orders": foretold,
                "orders_ratio": scores.ratio(foretold, total),
                "mae": scores.mean(np.abs(wrong)),
                "rmse": scores.root(scores.mean(wrong * wrong)),
            }
        if one.p_active is not None:
            made["active"] = float(one.p_active.sum())
            made["brier"] = scores.mean((one.p_active - ordered) ** 2)
        ranks = one.p_active if one.ranks is None else one.ranks
        if ranks is not None:
            made["auc"] = scores.auc(ordered, ranks)
        return made

    def _of_revenue(self, one: Foretold) -> dict[str, Any]:
        later = self.later
        if later is None:
            return {}
        made: dict[str, Any] = {"revenue_actual": float(later.sum())}
        if one.revenue is not None and one.orders is not None:
            made["revenue"] = float(one.revenue.sum())
            made["revenue_ratio"] = scores.ratio(made["revenue"], made["revenue_actual"])
        return made

    def _of_ranks(self, one: Foretold) -> dict[str, Any]:
        """Return how well customers are ranked by what they brought."""
        ranks, value = self.value_of(one)
        if ranks is None:
            return {}
        return {
            "gini": scores.gini(value, ranks),
            "top_decile_share": scores.top_share(value, ranks, DECILES),
            "spearman": scores.spearman(value, ranks),
        }
