"""What everything about one history has in common, wherever its customers are worked on."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._policies import Policies


@dataclass(frozen=True, kw_only=True)
class HistorySpec:
    """The types, columns and policies of a history: grouping, files and profiles go by them."""

    ids: IdReader
    amount: AmountReader
    order_ids: IdReader | None  # where orders have lines
    columns: Columns
    policies: Policies
    has_listing: bool  # whether a customers table says who is known

    @property
    def revenue(self) -> pa.DataType | None:
        """The type of sums of amounts; None where there are none."""
        return self.amount.produced if self.has_amount else None

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
