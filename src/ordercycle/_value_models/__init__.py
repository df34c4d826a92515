"""The mathematics of predicted value: models of orders and of spend, fitted and applied.

Arrays go in and come out; nothing here knows of tables, histories or days of the calendar.
"""

from ordercycle._value_models.predictions import Predictions
from ordercycle._value_models.transactions import TransactionFit, fit_transactions
from ordercycle_kernels.order_counts import Cells

__all__ = ["Cells", "Predictions", "TransactionFit", "fit_transactions"]
