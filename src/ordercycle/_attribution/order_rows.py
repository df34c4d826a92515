"""Orders and refunds as attribution sees them: instants, brands, and whose refund each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of
from ordercycle._attribution.touch_classes import codes_elsewhere
from ordercycle._errors import ColumnError, ConfigError, Option, suggestion
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_format import order_ids_of
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import Keys, StreamColumns
from ordercycle_kernels.credit_shares import NO_ORDER, link_orders

Int64s = NDArray[np.int64]
NO_BRANDS = np.zeros(0, np.int64)


class OrderRows(NamedTuple):
    """The n orders and refunds of c customers, in the order of their time.

    batch: what they are of; instants, are_orders: (n,); brands: (n,), codes of
    touches, NONE where no touch has it, or (0,) where they do not matter; orders: (n,), of which
    order each entry is, NO_ORDER where that is not known; unknown: how many of these there are.
    """

    batch: CustomerBatch
    instants: Int64s
    are_orders: NDArray[np.bool_]
    brands: Int64s
    orders: Int64s
    unknown: int
    has_refunds: bool


@dataclass(frozen=True)
class OrderReader:
    """Reads the orders of a history.

    brands: the code that touches have for each code of the brand of orders, where brands matter.
    """

    spec: HistorySpec
    brand: str | None
    brands: Int64s | None

    @classmethod
    def of(cls, grouped: GroupedOrders, brand: str | None, touches: StreamColumns) -> OrderReader:
        """Check that a history has what attribution needs.

        Raises
        ------
        ColumnError
            Orders or touches have no such brand, or of types that have no values in common.
        ConfigError
            Orders have no instants, or those of a day are one.
        """
        spec = grouped.spec
        if spec.details is None or not spec.details.payload.has_instants:
            raise ConfigError(
                "the orders have no instants, and windows are lengths of time",
                remedy=("build their history with ", Option("Columns.instants", value=True)),
            )
        if spec.policies.same_day == "merge":
            raise ConfigError(
                (
                    "the orders of a customer on one day are one (",
                    Option("same_day", "merge"),
                    "), and have no instant of their own",
                ),
                remedy=("build their history with ", Option("same_day", "separate")),
            )
        if brand is None:
            return cls(spec, None, None)
        found = []
        for what, named, columns in (
            ("orders", "Columns.attributes", grouped.columns),
            ("touches", "EventColumns.attributes", touches),
        ):
            attribute = columns.attributes.get(brand)
            if attribute is None:
                hint = suggestion(brand, columns.attributes)
                raise ColumnError(
                    (Option("Attribution.brand", brand), f": the {what} have no such one{hint}"),
                    remedy=("name it in ", Option(named, (brand,))),
                    column=brand,
                )
            found.append(attribute)
        own, other = found
        try:
            return cls(spec, brand, codes_elsewhere(own, other))
        except pa.ArrowException as error:
            raise ColumnError(
                f"{brand} is {own.type} in the orders and {other.type} in the touches",
                remedy="cast one of them",
                column=brand,
            ) from error

    def rows(self, batch: CustomerBatch) -> OrderRows:
        """Return the orders and refunds of a batch."""
        hidden = batch.hidden(drop_unknown=self.spec.drop_unknown)
        if hidden is not None:
            batch = batch.select(~hidden)
        details = batch.details
        if details is None or details.instants is None:
            raise AssertionError("a history with instants has a batch without")
        are_orders = batch.are_orders(net_refunds=self.spec.net_refunds)
        orders = np.arange(are_orders.size)
        unknown = 0
        has_refunds = not are_orders.all()
        if has_refunds:
            orders[~are_orders] = NO_ORDER
            unknown = self.linked(batch, are_orders, orders)
        brands = NO_BRANDS
        if self.brand is not None and self.brands is not None:
            brands = self.brands[details.codes[self.brand]]
        return OrderRows(batch, details.instants, are_orders, brands, orders, unknown, has_refunds)

    def order_ids(self, batch: CustomerBatch) -> pa.Array:
        """Return the ids of a batch's orders, as they are given; nulls where they have none."""
        reader = self.spec.order_ids
        return pa.nulls(batch.days.size) if reader is None else order_ids_of(batch, reader)

    def linked(self, batch: CustomerBatch, are_orders: NDArray[np.bool_], orders: Int64s) -> int:
        """Write of which order each refund is, and return of how many that is not known."""
        size = are_orders.size
        if batch.keys is None:
            return int(size - np.count_nonzero(are_orders))
        wanted = batch.keys
        named = self.spec.columns.refund_of
        if named is not None and batch.details is not None:
            of_others = batch.details.keys[named]
            words = self._hashes(named, of_others)
            wanted = words if of_others.known is None else np.where(of_others.known, words, wanted)
        table = np.zeros(1 << max(1, (2 * size - 1).bit_length()), np.int64)
        everything = np.ones(size, np.bool_)
        return link_orders(batch.offsets, are_orders, batch.keys, wanted, everything, table, orders)

    def _hashes(self, named: str, keys: Keys) -> NDArray[np.uint64]:
        """Return keys as ids of orders are kept: by their hash."""
        details = self.spec.details
        reader: IdReader | None = None if details is None else details.keys[named]
        if reader is None or not reader.is_integer:
            return keys.words
        return hashes_of(array_of(keys.words.view(np.int64), pa.int64()))
