"""The bounds of the value lists, and who is in which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle_kernels.value_lists import value_list_codes

#: In the order of the codes, the best first.
SEGMENTS = ("Top", "Active", "At risk", "Lost")

#: Where the bounds of the probabilities come from.
ANCHORS = ("new", "absolute")
#: A customer is Active who orders again more likely than not, and Lost who does so hardly more
#: often than one in five; with the anchor "new", Active is who is as likely to as a new customer.
LIKELY, UNLIKELY = 0.5, 0.2
#: Against Active, by the anchor "new".
LOST_SHARE = 0.4

Floats = NDArray[np.float64]


class Values(NamedTuple):
    """What decides the list of some customers: (n,) each, any value without orders."""

    has_orders: NDArray[np.bool_]
    p_active: Floats
    predicted_value: Floats
    clv: Floats
    revenue: Floats


class Cuts(NamedTuple):
    """The bounds of the lists.

    hi, lo: of the probability to order again, that of Active and that of At risk; value: from
    which predicted value on customers are Top.
    """

    hi: float
    lo: float
    value: float

    def codes(self, values: Values) -> NDArray[np.int8]:
        """Return the list of each customer."""
        codes = np.empty(values.p_active.size, np.int8)
        value_list_codes(
            values.has_orders,
            values.p_active,
            values.predicted_value,
            self.hi,
            self.lo,
            self.value,
            codes,
        )
        return codes


def bounds_of(new: float, anchor: str) -> tuple[float, float]:
    """Return hi and lo; new: the probability of a customer on the day of the first order."""
    if anchor == "absolute":
        return LIKELY, UNLIKELY
    hi = min(LIKELY, new)
    return hi, LOST_SHARE * hi
