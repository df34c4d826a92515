"""What was counted while rows were grouped, and what was wrong about the totals of orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ordercycle._columns import Columns
from ordercycle._errors import DataError, Option, counted


class Counted(NamedTuple):
    """How many, and a customer who has one of them: the place among some, or the id."""

    number: int = 0
    example: Any = None

    def plus(self, other: Counted) -> Counted:
        """Return both together."""
        return Counted(self.number + other.number, (self if self.number else other).example)


class GroupingTally(NamedTuple):
    """What the rows of some partitions added."""

    dropped_refunds: int = 0
    duplicates: int = 0
    split: int = 0  # orders with rows of several days
    different: Counted = Counted()  # days of orders with several totals
    missing: Counted = Counted()  # and with none

    def plus(self, other: GroupingTally) -> GroupingTally:
        """Return both together."""
        return GroupingTally(
            self.dropped_refunds + other.dropped_refunds,
            self.duplicates + other.duplicates,
            self.split + other.split,
            self.different.plus(other.different),
            self.missing.plus(other.missing),
        )

    def with_ids(self, ids_of: Callable[[], Sequence[Any]]) -> GroupingTally:
        """Return it with ids in the places of customers; ids_of: makes them, where needed."""
        if not (self.different.number or self.missing.number):
            return self
        ids = ids_of()
        different, missing = (
            Counted(each.number, ids[each.example]) if each.number else Counted()
            for each in (self.different, self.missing)
        )
        return self._replace(different=different, missing=missing)


def refuse_totals(found: GroupingTally, columns: Columns) -> None:
    """Raise a DataError where the total of an order is not the same on all rows of a day."""
    for each, what, remedy in (
        (
            found.different,
            "is not the same on all rows of a day of an order",
            ("where rows have amounts of their own, pass ", Option("amount_per", "line")),
        ),
        (found.missing, "is null on all rows of a day of an order", "fill or drop these rows"),
    ):
        if each.number:
            raise DataError(
                f"orders: {columns.amount} {what}, as of {columns.customer} {each.example} "
                f"({counted(each.number, 'such day')})",
                remedy=remedy,
                column=columns.amount,
                count=each.number,
            )
