"""Customers who order but are not listed, where that is an error."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import numpy as np

from ordercycle._columns import Columns
from ordercycle._errors import DataError, Option, counted
from ordercycle._grouping.batches import CustomerBatch


class Strangers(NamedTuple):
    """How many there are, and one of them."""

    number: int = 0
    example: object = None

    @classmethod
    def among(cls, customers: CustomerBatch) -> Strangers:
        """Find the strangers of a batch."""
        strangers = ~customers.listed & (customers.offsets[1:] > customers.offsets[:-1])
        number = int(np.count_nonzero(strangers))
        return cls(number, customers.ids[int(np.argmax(strangers))] if number else None)

    def plus(self, other: Strangers) -> Strangers:
        """Return both together."""
        return Strangers(self.number + other.number, self.example if self.number else other.example)


def refuse_strangers(found: Iterable[Strangers], columns: Columns) -> None:
    """Raise a DataError where there are any."""
    number, example = reduce(Strangers.plus, found, Strangers())
    if number:
        raise DataError(
            f"orders: {columns.customer} {example} is not in customers "
            f"({counted(number, 'such customer')})",
            remedy=(
                "add them there, or pass ",
                Option("unknown", "add"),
                " or ",
                Option("unknown", "drop"),
            ),
            column=columns.customer,
            count=number,
        )
