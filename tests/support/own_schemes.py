"""Schemes as users write them, with nothing but pyarrow and the public names."""

from dataclasses import dataclass

import pyarrow.compute as pc

import ordercycle as oc


@dataclass(frozen=True)
class Spenders(oc.Scheme):
    """Whether a customer has spent much; nothing is said of whoever spent nothing."""

    big_revenue: float = 100.0
    names: tuple[str, str] = ("Small", "Big")

    name = "spenders"
    reads = ("revenue",)

    @property
    def segments(self):
        return self.names

    def decide(self, rows):
        small, big = self.names
        spent = pc.if_else(pc.equal(rows["revenue"], 0), None, rows["revenue"])
        return pc.if_else(pc.greater_equal(spent, self.big_revenue), big, small)


class Baskets(oc.Scheme):
    """Whether an order is worth more than the typical one of all customers; no dataclass."""

    name = "baskets"
    segments = ("Full", "Light")
    fitted_to = "profile"

    def __init__(self, typical: float | None = None) -> None:
        self.typical = typical

    @property
    def is_fitted(self):
        return self.typical is not None

    def fit(self, table):
        return Baskets(pc.sum(table["revenue"]).as_py() / pc.sum(table["orders"]).as_py())

    def decide(self, rows):
        average = pc.divide(rows["revenue"], pc.cast(rows["orders"], "float64"))
        return pc.if_else(pc.greater(average, self.typical), "Full", "Light")
