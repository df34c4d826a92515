"""Rows of a stream of events into morsels: customers, times, and all else that is declared."""

from __future__ import annotations

import pyarrow as pa

from ordercycle._event_columns import EventColumns
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS
from ordercycle._ingest.event_layout import EventLayout
from ordercycle._ingest.event_times import InstantDays, InstantReader
from ordercycle._ingest.morsels import BatchSlice, Morsel
from ordercycle._ingest.payload import DetailColumns, PayloadReader
from ordercycle._ingest.table_readers import StreamReader
from ordercycle._policies import Policies

#: Rows of a partition that is ordered in the cache.
PARTITION_ROWS = 2**14


class EventReader(StreamReader):
    """Reads rows of events: customer, time and whatever else is declared."""

    def __init__(
        self,
        schema: pa.Schema,
        columns: EventColumns,
        problems: Problems,
        policies: Policies,
        *,
        day_instants: bool,
    ) -> None:
        super().__init__(schema, columns.customer, columns.time, problems, policies)
        instants = InstantReader(self.time)
        self.details = PayloadReader.of(
            schema,
            problems,
            columns.time,
            instants,
            DetailColumns(columns.attributes, columns.keys, columns.values, columns.id),
            has_instants=day_instants or instants.has_instants,
        )
        self.layout = EventLayout.of(self.details.payload, InstantDays.of(self.time))
        ids = {CUSTOMER_IDS: schema.field(columns.customer)}
        self._prepare(problems.table, {}, ids)
        self._declare(self.layout.types, self.layout.scratch)
        if self.layout.days is not None and self.id_readers[CUSTOMER_IDS].is_integer:
            self.partition_rows = PARTITION_ROWS

    def widen(self) -> bool:
        """Give codes more bits where there are more values than those they have tell."""
        most = 1 << self.layout.codes.bits
        if all(len(attribute) < most for attribute in self.details.attributes.values()):
            return False
        self.layout = self.layout.widened
        self._declare(self.layout.types, self.layout.scratch)
        return True

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read days, and all else that is declared."""
        known = self._read_days(part, window, morsel)
        self.details.read(part, window, morsel, known)
        self.layout.codes.put(morsel.columns, window)
