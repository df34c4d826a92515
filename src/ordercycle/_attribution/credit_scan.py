"""Orders, touches and visits of the same customers, and what is credited to what of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.attribution_options import AttributionOptions
from ordercycle._attribution.credit_rows import CreditRows, credits_of, rows_of_credits
from ordercycle._attribution.order_rows import OrderReader, OrderRows
from ordercycle._attribution.touch_classes import CHANNEL_COLUMN, NONE
from ordercycle._attribution.touch_paths import PathFinder, Paths, Qualified
from ordercycle._errors import ColumnError, ConfigError, Option, OrdercycleError, warn, within
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.stored_events import StoredEvents
from ordercycle._expressions.language import parsed
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped import WITH_PATHS, Grouped
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.side_by_side import HashSpan, Rows, SideBySide
from ordercycle._streams.conditions import Condition, check_texts, fitted

R = TypeVar("R")


class Meeting(NamedTuple):
    """What happened to the customers of a range of hashes: their orders, touches and visits.

    own, of_visits: where the rows of each customer with orders are.
    """

    orders: OrderRows
    touches: CustomerEvents
    own: Rows
    qualified: Qualified
    visits: CustomerEvents | None
    of_visits: Rows


@dataclass(frozen=True)
class CreditScan:
    """What an attribution makes of histories, batch by batch."""

    model: AttributionOptions
    orders: GroupedOrders
    touches: StoredEvents
    visits: StoredEvents | None
    reader: OrderReader
    finder: PathFinder

    @classmethod
    def of(
        cls,
        model: AttributionOptions,
        orders: GroupedOrders,
        touches: StoredEvents,
        visits: StoredEvents | None,
    ) -> CreditScan:
        """Check that histories have what a model needs.

        Raises
        ------
        ColumnError
            A column is missing or of a wrong type, or ids have none in common.
        ConfigError
            A history has no instants, or the condition of touches that do not count is none.
        """
        for what, events in (("touches", touches), ("visits", visits)):
            if events is None:
                continue
            if not events.spec.details.payload.has_instants:
                raise ConfigError(
                    f"the {what} have days without instants, and windows are lengths of time",
                    remedy=(
                        "build their history from timestamps, or with ",
                        Option("day_instants", value=True),
                        ", which takes the first moment of each day",
                    ),
                )
            if orders.spec.ids.together_with(events.spec.ids) is None:
                name = events.spec.columns.customer
                raise ColumnError(
                    f"{name} is {events.spec.ids.given} in the {what} and "
                    f"{orders.spec.ids.given} in the orders, which have no ids in common",
                    remedy="cast one to the type of the other",
                    column=name,
                )
        reader = OrderReader.of(orders, model.brand, touches.columns)
        finder = PathFinder.of(model, touches, _excluded(model, touches))
        return cls(model, orders, touches, visits, reader, finder)

    @property
    def histories(self) -> tuple[Grouped[Any], ...]:
        """All that is walked, orders first."""
        return (self.orders, self.touches, *([] if self.visits is None else [self.visits]))

    def scan(self, work: Callable[[Meeting], R]) -> Iterator[R]:
        """Yield what work makes of the customers of each range of hashes, in order."""
        streams = SideBySide(self.histories, self.orders.threads)
        return streams.scan(lambda batches: work(self.meeting(batches)))

    def of_customer(self, hashes: HashSpan, work: Callable[[Meeting], R]) -> R:
        """Return what work makes of the customers of few hashes."""
        streams = SideBySide(self.histories, 1)
        return streams.of_customer(hashes, lambda batches: work(self.meeting(batches)))

    def meeting(self, batches: Sequence[Any]) -> Meeting:
        """Return the orders of a batch, beside the touches and visits of their customers."""
        batch: CustomerBatch = batches[0]
        touches: CustomerEvents = batches[1]
        visits: CustomerEvents | None = batches[2] if len(batches) > 2 else None
        orders = self.reader.rows(batch)
        ids = orders.batch.ids
        own = Rows.of(touches, ids)
        of_visits = Rows.none(len(ids)) if visits is None else Rows.of(visits, ids)
        qualified = self.finder.qualified(touches, own)
        return Meeting(orders, touches, own, qualified, visits, of_visits)

    def paths(
        self, met: Meeting, *, finder: PathFinder | None = None, most: int | None = None
    ) -> Paths:
        """Return the touches of each order; finder: another than the model's own."""
        return (finder or self.finder).paths(
            met.orders, met.touches, met.qualified, met.visits, met.of_visits, most=most
        )

    def rows(self, met: Meeting, paths: Paths) -> CreditRows:
        """Return what each touch is credited with."""
        instants = met.touches.instants
        if instants is None:
            raise AssertionError("touches have instants: checked where the scan is made")
        spec = self.orders.spec
        return rows_of_credits(
            met.orders,
            credits_of(self.model, paths, instants),
            has_amount=spec.has_amount,
            is_float=spec.amount.is_float,
        )

    def groups_of(self, met: Meeting, touches: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the group of each touch's channel, as a number: touches: rows of the batch."""
        groups: NDArray[np.int32] = self.finder.classes.groups[
            met.touches.codes[CHANNEL_COLUMN][touches]
        ]
        return groups

    def without_group(self, met: Meeting) -> dict[str | None, int]:
        """Count the touches of each channel that is in no group."""
        classes = self.finder.classes
        if not classes.has_channels_of_no_group:
            return {}
        counts = np.bincount(met.touches.codes[CHANNEL_COLUMN], minlength=classes.groups.size)
        channels = self.touches.columns.attributes[CHANNEL_COLUMN].by_code
        return {
            channels[code].as_py(): int(counts[code])
            for code in np.flatnonzero((classes.groups == NONE) & (counts > 0)).tolist()
        }


def _excluded(model: AttributionOptions, touches: StoredEvents) -> Condition | None:
    if model.exclude is None:
        return None
    node, columns = parsed(model.exclude, WITH_PATHS), touches.columns
    try:
        condition = fitted(node, columns, missing="empty")
    except OrdercycleError as error:
        raise within(error, Option("Attribution.exclude"), ": ") from None
    if columns.has_events:
        try:
            check_texts(node, columns)
        except ConfigError as error:  # a shop may be free of bots
            warn((Option("Attribution.exclude"), f": {error.what}"))
    return condition
