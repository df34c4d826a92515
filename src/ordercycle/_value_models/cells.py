"""What the models of orders are fitted to: how many customers there are of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import DataError, counted
from ordercycle_kernels._types import as_input
from ordercycle_kernels.order_counts import Cells, count_margins


@dataclass(frozen=True)
class Margins:
    """How often each number of orders, and each age, occurs.

    Attributes
    ----------
    by_orders
        Customers by x: (x,) int64.
    by_age
        By T, customers and their orders after the first, in turn: (2 * d,) int64.
    """

    by_orders: NDArray[np.int64]
    by_age: NDArray[np.int64]

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return int(self.by_orders.sum())

    @property
    def orders(self) -> int:
        """How many orders after the first there are."""
        return int(self.by_age[1::2].sum())

    @property
    def days(self) -> int:
        """One more than the greatest age."""
        return self.by_age.size // 2


def margins_of(cells: Cells) -> Margins:
    """Return the margins of cells."""
    by_orders = np.zeros(int(cells.frequency.max(initial=0)) + 1, np.int64)
    by_age = np.zeros(2 * (int(cells.age_days.max(initial=0)) + 1), np.int64)
    count_margins(cells, by_orders, by_age)
    return Margins(by_orders, by_age)


def as_cells(cells: Cells) -> Cells:
    """Return cells as kernels take them.

    Raises
    ------
    DataError
        If they are of no customers that could exist, or are not in ascending order.
    """
    frequency, recency, age, customers = (
        np.ascontiguousarray(array, kind)
        for array, kind in zip(cells, (np.int64, np.int32, np.int32, np.int64), strict=True)
    )
    first = recency > 0
    wrong = (frequency < 0) | (recency < frequency) | (age < recency) | (customers < 1)
    wrong |= first & (frequency == 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"cell {row} is of no customer: {frequency[row]} orders after the first, the last "
            f"{recency[row]} days after it, {age[row]} days old, {customers[row]} such customers",
            row=row,
            count=int(wrong.sum()),
        )
    ascending = _is_ascending(frequency, recency, age)
    if not ascending.all():
        row = int(np.argmin(ascending)) + 1
        raise DataError(f"cell {row} does not come after the one before it", row=row)
    return Cells(*map(as_input, (frequency, recency, age, customers)))


def _is_ascending(
    frequency: NDArray[np.int64], recency: NDArray[np.int32], age: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return of each cell but the first whether it comes after the one before it."""
    result = np.diff(age) > 0
    for column in (recency, frequency):
        change = np.diff(column)
        result = (change > 0) | ((change == 0) & result)
    return np.asarray(result)


def every_nth(cells: Cells, step: int) -> Cells:
    """Return every nth cell: cells are in order, so that each kind of customer stays."""
    return Cells(*(as_input(np.ascontiguousarray(array[::step])) for array in cells))


def check_repeats(margins: Margins) -> None:
    """Raise a DataError where nobody has ordered on a second day: no model can say anything."""
    if margins.orders == 0:
        customers = margins.customers
        raise DataError(
            f"nobody has ordered on a second day, of {counted(customers, 'customer')}: "
            "there is nothing to predict from",
            remedy="take a history that is longer, or of more customers",
        )
