"""What everything about one history has in common, wherever its customers are worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._columns import Columns
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.payload import Payload, PayloadReader
from ordercycle._policies import Policies
from ordercycle._streams.attributes import Attributes, Values
from ordercycle._streams.columns import StreamColumns


@dataclass(frozen=True, kw_only=True)
class DetailSpec:
    """What orders or events of a history have beside their day, and who read it."""

    payload: Payload
    keys: Mapping[str, IdReader]
    values: Mapping[str, AmountReader]
    event_id: IdReader | None
    attributes: Attributes

    @classmethod
    def of(
        cls, reader: PayloadReader, like: DetailSpec | None
    ) -> tuple[DetailSpec, dict[str, NDArray[np.uint32]]]:
        """Return what was read, and the codes of each attribute that are kept by those read.

        like: of the history to which rows are added, whose codes stay what they are.
        """
        attributes, codes = {}, {}
        for name, attribute in reader.attributes.items():
            known = None if like is None else like.attributes[name]
            values, codes[name] = attribute.sorted(0 if known is None else len(known.values))
            if known is None:
                attributes[name] = Values(values)
            else:
                attributes[name] = known if len(values) == len(known.values) else Values.of(values)
        made = cls(
            payload=reader.payload,
            keys=reader.keys,
            values=reader.values,
            event_id=reader.event_id,
            attributes=Attributes(attributes),
        )
        return made, codes

    def begin(self, reader: PayloadReader) -> None:
        """Give the values of attributes the codes that they have, before more are read."""
        for name, known in self.attributes.items():
            reader.attributes[name].begin_with(known.values)

    def stream_with(self, own: StreamColumns) -> StreamColumns:
        """Return what conditions and features can ask for; own: beside these columns."""
        values = {name: reader.produced for name, reader in self.values.items()}
        return replace(
            own,
            attributes=self.attributes.columns,
            keys=(*own.keys, *self.keys),
            values={**own.values, **values},
        )

    def with_lookups(self, lookups: Mapping[str, Any], named: str) -> DetailSpec:
        """Return the same with other tables for the attributes that are named, checked.

        named: the argument by which attributes are named.
        """
        return replace(self, attributes=self.attributes.with_lookups(lookups, named))


@dataclass(frozen=True, kw_only=True)
class HistorySpec:
    """The types, columns and policies of a history: grouping, files and profiles go by them."""

    ids: IdReader
    amount: AmountReader
    order_ids: IdReader | None  # where orders have lines
    columns: Columns
    policies: Policies
    has_listing: bool  # whether a customers table says who is known
    details: DetailSpec | None = None  # where orders have more than a day and an amount
    day_instants: bool = False  # whether a date stands for its first moment

    @property
    def revenue(self) -> pa.DataType | None:
        """The type of sums of amounts; None where there are none."""
        return self.amount.produced if self.has_amount else None

    @property
    def has_order_ids(self) -> bool:
        """Whether ids of orders are kept that their keys do not tell."""
        reader = self.order_ids
        return self.columns.instants and reader is not None and not reader.is_integer

    @property
    def has_amount(self) -> bool:
        """Whether anything about money is known."""
        return self.columns.amount is not None

    @property
    def has_lines(self) -> bool:
        """Whether rows are lines that are added up to orders."""
        return self.columns.order is not None

    @property
    def net_refunds(self) -> bool:
        """Whether refunds are no orders."""
        return self.policies.refunds == "net"

    @property
    def once_a_day(self) -> bool:
        """Whether one order of a day stands for all of them."""
        return self.policies.same_day == "merge"

    @property
    def has_further_days(self) -> bool:
        """Whether entries may be no orders though they are no refunds."""
        return self.has_lines or self.once_a_day

    @property
    def has_dropped_days(self) -> bool:
        """Whether it keeps which days of orders were refunds, and dropped."""
        return self.has_lines and self.policies.refunds == "drop"

    @property
    def drop_unknown(self) -> bool:
        """Whether customers who are not listed are left out."""
        return self.policies.unknown == "drop"
