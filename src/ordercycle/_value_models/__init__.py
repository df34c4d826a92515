"""The mathematics of predicted value: models of orders and of spend, fitted and applied.

Arrays go in and come out; nothing here knows of tables, histories or days of the calendar.
"""

from ordercycle._value_models.bootstrap import (
    Draws,
    mean_bootstrap,
    poisson_bootstrap,
    spend_bootstrap,
)
from ordercycle._value_models.forms import CANDIDATES, REGULAR
from ordercycle._value_models.predictions import Predictions
from ordercycle._value_models.regularity import ALL_ALIKE, GapRatios
from ordercycle._value_models.spend import SpendFit, add_spend_cells, fit_spend, spend_cells
from ordercycle._value_models.spread import mixed_quantiles, total_of, variances_of_orders
from ordercycle._value_models.transactions import (
    TransactionFit,
    fit_transactions,
    is_regular_model,
)
from ordercycle_kernels.order_counts import Cells
from ordercycle_kernels.spends import SpendCells

__all__ = [
    "ALL_ALIKE",
    "CANDIDATES",
    "REGULAR",
    "Cells",
    "Draws",
    "GapRatios",
    "Predictions",
    "SpendCells",
    "SpendFit",
    "TransactionFit",
    "add_spend_cells",
    "fit_spend",
    "fit_transactions",
    "is_regular_model",
    "mean_bootstrap",
    "mixed_quantiles",
    "poisson_bootstrap",
    "spend_bootstrap",
    "spend_cells",
    "total_of",
    "variances_of_orders",
]
