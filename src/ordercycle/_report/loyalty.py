"""The loyalty programme of a report: who its members are, and what they got and paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import is_text
from ordercycle._errors import ColumnError, ConfigError, Option, suggestion
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.stored_events import StoredEvents
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._membership.interval_tables import SEGMENT
from ordercycle._membership.membership import Membership
from ordercycle._public import public
from ordercycle._report.interval_columns import plain_table
from ordercycle._report.quantities import AWARDED, MEMBERS, REDEEMED

KIND, VALUE = "kind", "points"
#: What kinds of points add to, and whether they are taken off.
KINDS = {
    "awarded": (AWARDED, False),
    "redeemed": (REDEEMED, False),
    "reversed_award": (AWARDED, True),
    "reversed_redemption": (REDEEMED, True),
}
#: Kinds that count nowhere.
NEITHER = ("expired",)


@public()
@dataclass(frozen=True, kw_only=True)
class Loyalty:
    """A loyalty programme, for :meth:`SegmentReport.build`.

    Parameters
    ----------
    members
        Who is a member and when: a :class:`Membership` of one segment, or a table of
        ``customer_id``, ``valid_from`` and ``valid_to`` (null while there is none).
    points
        Events with the attribute ``kind`` and the value ``points``, magnitudes: ``awarded``,
        ``redeemed``, ``expired``, ``reversed_award`` and ``reversed_redemption`` say what they do.
        A report refuses numbers below 0, and says how many have no kind or no number.
    discount
        The value of orders (``Columns(values=("discount",))``) that is their discount, what was
        paid by points included; or several that add up to it.

    Raises
    ------
    ConfigError
        `members` have several segments, or `points` is no history of events.
    ColumnError
        The points have no kinds.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> members = pa.table({
    ...     "customer_id": ["ann"], "valid_from": [datetime.date(2026, 3, 10)],
    ...     "valid_to": pa.array([None], pa.date32()),
    ... })
    >>> Loyalty(members=members).members
    Membership('members')
    """

    members: Any
    points: EventHistory | None = None
    discount: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", _members(self.members))
        if self.points is not None:
            if not isinstance(self.points, EventHistory):
                raise ConfigError(
                    (Option("points"), f": {type(self.points).__name__} is no history of events"),
                    remedy="group them by EventHistory.build",
                )
            _check_points(stored_events(self.points))
        names = () if self.discount is None else self.discount
        names = (names,) if isinstance(names, str) else tuple(names)
        object.__setattr__(self, "discount", names)

    def discount_type(self, orders: GroupedOrders) -> pa.DataType | None:
        """Return the type of the discount, None without any.

        Raises
        ------
        ColumnError
            Orders have no such value, or several of different types.
        """
        values = {name: kind for name, kind in orders.columns.values.items() if name != "amount"}
        kinds = []
        for name in self.discount or ():
            if name not in values:
                raise ColumnError(
                    (Option("Loyalty.discount", name), ": the orders have no such value")
                    + ((suggestion(name, values),) if suggestion(name, values) else ()),
                    remedy=("name it in ", Option("Columns.values", (name,))),
                    column=name,
                )
            kinds.append(values[name])
        if len(set(kinds)) > 1:
            raise ColumnError(
                (
                    Option("Loyalty.discount", self.discount),
                    f" are of different types: {', '.join(map(str, kinds))}",
                ),
                remedy="cast them to one",
            )
        return kinds[0] if kinds else None


def _members(given: Any) -> Membership:
    if isinstance(given, Membership):
        if len(given.segments) != 1:
            raise ConfigError(
                (Option("members", given), " has several segments"),
                remedy="pass one of a single segment: that of the members",
            )
        return given
    table = plain_table(given, "members", ("customer_id", "valid_from", "valid_to"))
    codes = pa.array(np.zeros(table.num_rows, np.int32))
    named = pa.DictionaryArray.from_arrays(codes, pa.array([MEMBERS]))
    return Membership.from_table(table.append_column(SEGMENT, named))


def _check_points(points: StoredEvents) -> None:
    columns = points.columns
    kind = columns.attributes.get(KIND)
    if kind is None:
        raise ColumnError(
            f"the points have no attribute {KIND!r}{suggestion(KIND, columns.attributes)}",
            remedy=("name it in ", Option("EventColumns.attributes", (KIND,))),
            column=KIND,
        )
    if VALUE not in columns.values:
        raise ColumnError(
            f"the points have no value {VALUE!r}{suggestion(VALUE, columns.values)}",
            remedy=("name it in ", Option("EventColumns.values", (VALUE,))),
            column=VALUE,
        )
    if len(kind.values) and not is_text(kind.type):
        raise ColumnError(
            f"{KIND} is {kind.type} in the points, and has to be text",
            remedy="name what it stands for by text",
            column=KIND,
        )


def unknown_kinds(points: StoredEvents) -> list[str]:
    """Return the kinds of points that mean nothing here."""
    known = {*KINDS, *NEITHER}
    found = points.columns.attributes[KIND].by_code.to_pylist()
    return [repr(one) for one in found if one is not None and one not in known]


def codes_of_points(
    points: StoredEvents, block: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return by the code of a kind whether it adds to a block, and whether it is taken off."""
    meaning = [KINDS.get(one) for one in points.columns.attributes[KIND].by_code.to_pylist()]
    added = np.array([one is not None and one[0] == block for one in meaning], np.bool_)
    less = np.array([one is not None and one[1] for one in meaning], np.bool_)
    return added, less
