"""What customers are worth by MBG/NBD and Gamma-Gamma, in NumPy and SciPy, given the parameters.

E. Batislam, M. Denizel and A. Filiztekin (2007), U. Wagner and D. Hoppe (2008), P. S. Fader and
B. G. S. Hardie (2013).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def values(
    inputs: Mapping[str, Floats], parameters: Mapping[str, float], horizon: int
) -> dict[str, Floats]:
    """Return the columns of `Clv.assign`.

    inputs: x, recency and age in days, revenue, and that of the first day.
    """
    from scipy.special import hyp2f1

    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    p, q, gamma = (parameters[name] for name in ("p", "q", "gamma"))
    x, age, revenue = inputs["x"], inputs["age"], inputs["revenue"]
    left = a / (b + x) * ((alpha + age) / (alpha + inputs["recency"])) ** (r + x)
    alive = 1 / (1 + left)
    later = alpha + age + horizon
    silent = ((alpha + age) / later) ** (r + x)
    orders = alive * (a + b + x) / (a - 1)
    orders *= 1 - silent * hyp2f1(r + x, b + x + 1, a + b + x, horizon / later)
    spent = np.where(x > 0, revenue - inputs["first"], 0.0)  # x means
    spend = p * (gamma + spent) / (p * x + q - 1)
    return {
        "p_alive": alive,
        "p_active": alive * (1 - silent),
        "expected_orders": orders,
        "expected_order_value": spend,
        "predicted_value": orders * spend,
        "clv": revenue + orders * spend,
    }
