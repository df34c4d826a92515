"""What happened to the customers of a batch, as facts: orders that were won, messages, points.

A fact has a day, a count, perhaps an amount, and keys: of all, of its channel, of its campaign.
Counting adds facts to cells; an audit lists the same ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_scan import Meeting
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._grouping.amount_words import AmountWords
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.side_by_side import Rows
from ordercycle._report.blocks import NO_MARKS
from ordercycle._report.sources import View
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.cube import Track

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]


class Facts(NamedTuple):
    """What is added to a block: n facts of customers, grouped by them.

    offsets: (c + 1,); days, counts, rows (entries of orders, or events of a stream), and each of
    keys (with the view; negative for none): (n,); words: (n,), None without amounts; are_less:
    (n,), or (0,): amounts that are taken off.
    """

    block: str
    offsets: Int64s
    days: Int32s
    keys: tuple[Int64s, ...]
    counts: Int64s
    rows: Int64s
    words: AmountWords | None = None
    are_less: NDArray[np.bool_] = NO_MARKS
    of_orders: bool = True


class SeenOrders(NamedTuple):
    """The orders of a view: the batch of them, and which of all entries these are.

    held: (n,), None for all.
    """

    view: View
    batch: CustomerBatch
    held: NDArray[np.bool_] | None


class Situation(NamedTuple):
    """A batch of customers, and all that happened to them, as far as it matters.

    met: their orders and touches; of_points: where the points of each customer are; member_states:
    when they are members.
    """

    batch: CustomerBatch
    met: Meeting | None
    points: CustomerEvents | None
    of_points: Rows | None
    member_states: kernels.States | None


def chosen(offsets: Int64s, kept: NDArray[np.bool_]) -> Int64s:
    """Return the offsets of some of the facts."""
    return np.concatenate([[0], np.cumsum(kept)])[offsets]


def listed(rows: Rows) -> tuple[Int64s, Int64s]:
    """Return offsets, and the rows of customers one behind the other."""
    sizes = rows.ends - rows.begins
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return offsets, np.arange(offsets[-1]) + np.repeat(rows.begins - offsets[:-1], sizes)


def are_there(states: kernels.States, offsets: Int64s, days: Int32s) -> NDArray[np.bool_]:
    """Return whether customers are in any state on the days of facts: (n,)."""
    one_row = as_input(np.zeros(int(states.codes.max(initial=0)) + 1, np.int64))
    found = np.empty(days.size, np.int64)
    kernels.rows_at(Track(*states, one_row), offsets, days, found)
    return found >= 0
