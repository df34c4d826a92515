"""Rows of a stream of events into morsels: customers, times, and all else that is declared."""

from __future__ import annotations

import pyarrow as pa

from ordercycle._event_columns import EventColumns
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS
from ordercycle._ingest.event_times import InstantReader
from ordercycle._ingest.morsels import BatchSlice, Morsel
from ordercycle._ingest.payload import DAY, DetailColumns, PayloadReader
from ordercycle._ingest.table_readers import StreamReader
from ordercycle._policies import Policies


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
        ids = {CUSTOMER_IDS: schema.field(columns.customer)}
        self._prepare(problems.table, {DAY: "int32"} | self.details.payload.types, ids)

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read days, and all else that is declared."""
        known = self._read_days(part, window, morsel)
        self.details.read(part, window, morsel, known)
