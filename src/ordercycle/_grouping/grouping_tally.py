"""What was counted while rows were grouped, and what was wrong about the totals of orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ordercycle._columns import Columns
from ordercycle._errors import DataError, Option, counted, printable


class Counted(NamedTuple):
    """How many, and a customer who has one of them: the place among some, or the id."""

    number: int = 0
    example: Any = None

    def plus(self, other: Counted) -> Counted:
        """Return both together."""
        return Counted(self.number + other.number, (self if self.number else other).example)


#: What was counted by the names of columns.
ByColumn = tuple[tuple[str, Counted], ...]


class GroupingTally(NamedTuple):
    """What the rows of some partitions added."""

    dropped_refunds: int = 0
    duplicates: int = 0
    split: int = 0  # orders with rows of several days
    different: Counted = Counted()  # days of orders with several totals
    missing: Counted = Counted()  # and with none
    #: By column, days of orders whose rows have several values; examples are ids of orders.
    contradictions: ByColumn = ()

    def plus(self, other: GroupingTally) -> GroupingTally:
        """Return both together."""
        return GroupingTally(
            self.dropped_refunds + other.dropped_refunds,
            self.duplicates + other.duplicates,
            self.split + other.split,
            self.different.plus(other.different),
            self.missing.plus(other.missing),
            _together(self.contradictions, other.contradictions),
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


def _together(one: ByColumn, other: ByColumn) -> ByColumn:
    both = dict(one)
    for column, counted_there in other:
        both[column] = both.get(column, Counted()).plus(counted_there)
    return tuple(both.items())


def refuse_contradictions(found: GroupingTally, columns: Columns) -> None:
    """Raise a DataError where rows of one day of an order have several values of a column."""
    both = dict(found.contradictions)
    for column in (*columns.attributes, str(columns.refund_of)):
        each = both.get(column)
        if each is not None:
            raise DataError(
                f"orders: {column} has different values on the rows of a day of order "
                f"{printable(str(each.example))} ({counted(each.number, 'such day')})",
                remedy=(
                    "give them one value, or null; what is of single lines belongs in a stream "
                    "of lines, which EventHistory.build groups"
                ),
                column=column,
                count=each.number,
            )


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
