"""How regularly customers order, by the squares of the gaps between their order days.

Gaps that are Gamma distributed with the shape k have shares in their sum that are of Dirichlet's
distribution, whatever the customer's rate is, and independent of the sum: so the sum of their
squares tells of k what the days from the first order to the last do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordercycle._value_models.forms import exps_of, logs_of

#: Where the search for the shape of gaps ends; near it, gaps do not differ.
LOG_REGULAR = 10.0
ALL_ALIKE = 0.99 * math.exp(LOG_REGULAR)
#: Standard errors by which ratios are surely below those of gaps at random.
SURELY = 2.0
HALVINGS = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GapRatios:
    """The squared gaps of customers against the square of their sum, added up.

    Attributes
    ----------
    sizes, customers
        How many gaps customers have, two or more, and how many such customers: (g,).
    total
        The sum of the ratios of all of them.
    """

    sizes: Floats
    customers: Floats
    total: float

    @property
    def shape(self) -> float:
        """The shape k: 1 for gaps at random.

        Of a customer with n gaps, the expected ratio is (k + 1) / (n k + 1).
        """
        low, high = -LOG_REGULAR, LOG_REGULAR  # of ln k: the ratio falls as k grows
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            is_above = self._mean(exps_of([middle])[0]) > self.total
            low, high = (middle, high) if is_above else (low, middle)
        return exps_of([(low + high) / 2])[0]

    @property
    def error(self) -> float | None:
        """The standard error of the shape; None where all gaps are alike."""
        k = self.shape
        if k >= ALL_ALIKE:
            return None
        slope = math.fsum(self.customers * (self.sizes - 1) / (self.sizes * k + 1) ** 2)
        return math.sqrt(self._variance(k)) / slope

    @property
    def is_regular(self) -> bool:
        """Whether orders surely come more regularly than at random.

        By the ratios of gaps at random, so that few customers, however alike, are not enough.
        """
        return self._mean(1.0) - self.total > SURELY * math.sqrt(self._variance(1.0))

    def log_likelihood(self, k: float) -> float:
        """Return by how much a shape is more likely than 1: the sum is all but normal."""
        return self._log_density(k) - self._log_density(1.0)

    def _log_density(self, k: float) -> float:
        variance = self._variance(k)
        return -0.5 * ((self.total - self._mean(k)) ** 2 / variance + logs_of([variance])[0])

    def _mean(self, k: float) -> float:
        return math.fsum(self.customers * ((k + 1) / (self.sizes * k + 1)))

    def _variance(self, k: float) -> float:
        """Return the variance of the sum, by the fourth moments of the shares."""
        total = self.sizes * k
        fourths = total * (total + 1) * (total + 2) * (total + 3)
        own = self.sizes * (k * (k + 1) * (k + 2) * (k + 3))
        crossed = self.sizes * (self.sizes - 1) * (k * (k + 1)) ** 2
        variances = (own + crossed) / fourths - ((k + 1) / (total + 1)) ** 2
        return max(0.0, math.fsum(self.customers * variances))
