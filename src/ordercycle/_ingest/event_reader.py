"""Rows of a stream of events into morsels: customers, times, and all else that is declared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._event_columns import EventColumns
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS
from ordercycle._ingest.event_layout import EventLayout
from ordercycle._ingest.event_times import InstantDays, InstantReader
from ordercycle._ingest.morsels import BatchSlice, Morsel
from ordercycle._ingest.payload import DAY, INSTANT, DetailColumns, PayloadReader
from ordercycle._ingest.table_readers import StreamReader
from ordercycle._policies import Policies

#: Rows of a partition that is ordered in the cache, and of a morsel that is laid out there: as
#: three words each and once more by partition, these take 3 MB, which a thread touches first.
PARTITION_ROWS, MORSEL_ROWS = 2**14, 2**16


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
        self._declare(self.layout.types, {DAY: "int32"})
        if self.layout.days is not None and self.id_readers[CUSTOMER_IDS].is_integer:
            self.partition_rows, self.morsel_rows = PARTITION_ROWS, MORSEL_ROWS

    def widen(self) -> bool:
        """Give codes more bits where there are more values than those they have tell."""
        most = 1 << self.layout.codes.bits
        if all(len(attribute) < most for attribute in self.details.attributes.values()):
            return False
        self.layout = self.layout.widened
        self._declare(self.layout.types, {DAY: "int32"})
        return True

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read times, and all else that is declared."""
        self.details.read_instants(part, window, morsel)
        known = self._read_times(part, window, morsel)
        codes, details = self.layout.codes, self.details
        for name, attribute in details.attributes.items():
            word, shift = codes.places[details.payload.codes[name]]
            attribute.put(part.batch.column(name), known, shift, morsel.columns[word][window])
        details.read_others(part, window, morsel, known)

    def _read_times(
        self, part: BatchSlice, window: slice, morsel: Morsel
    ) -> NDArray[np.bool_] | None:
        """Do as `_read_days`: by the first and the last instant, where these tell all days."""
        days, times = self.layout.days, part.batch.column(self._time)
        every = self._marks(part).known is None and times.null_count == 0 and len(times) > 0
        if days is not None and every and self.details.instants.are_exact:
            ends = days.ends(morsel.columns[INSTANT][window])
            if ends is not None:
                morsel.tally.rows += len(times)
                morsel.tally.see_days(*ends)
                return None
        return self._read_days(part, window, morsel)
