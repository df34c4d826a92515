"""Memberships made elsewhere, from a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from ordercycle._errors import ColumnError
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._history.places import Places, find_places
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._membership.interval_tables import CUSTOMER, NAME, IntervalTable
from ordercycle._membership.intervals import BatchOf, OwnedIntervals
from ordercycle._membership.timeline import Timeline
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import NO_DAY


@dataclass(frozen=True, eq=False)
class ImportedIntervals:
    """Intervals of a table, found for a history's customers by their ids."""

    rows: IntervalTable

    @property
    def id_type(self) -> pa.DataType:
        """The type in which the table gives ids; views as large."""
        return self.rows.reader.produced(len(self.rows.ids))

    @property
    def known_from(self) -> date | None:
        """None: before its intervals, a table has nobody in its segments."""
        return None

    @property
    def known_until(self) -> date | None:
        """None: what a table does not end goes on."""
        return None

    @property
    def is_held(self) -> bool:
        """What a list says holds until it says otherwise."""
        return True

    def belong_to(self, history: OrderHistory) -> bool:  # noqa: ARG002 - of the protocol
        """Return True: a table may be about the customers of any history."""
        return True

    def timeline(
        self,
        number: int,  # noqa: ARG002 - whose intervals these are, their ids say
        customers: CustomerBatch,
        workspace: Workspace,  # noqa: ARG002 - a part has few intervals of a table
    ) -> Timeline:
        """Return the intervals of a part's customers, cut to the days on which they exist."""
        rows = self.rows
        within, places = self._places(customers)
        found = np.flatnonzero(places.found) + within.start
        begins, sizes = rows.offsets[found], np.diff(rows.offsets)[found]
        owners = np.repeat(places.positions[places.found], sizes)
        taken = np.arange(owners.size) + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
        visible = customers.visible[owners]
        kept = (visible != NO_DAY) & (rows.stops[taken] > visible)
        owners, taken, visible = owners[kept], taken[kept], visible[kept]
        starts = rows.starts[taken]
        if (starts < visible).any():
            starts = np.maximum(starts, visible)
            order = np.lexsort((rows.codes[taken], starts, owners))
            taken, starts = taken[order], starts[order]
        sizes = np.bincount(owners, minlength=len(customers.ids))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return Timeline(offsets, rows.codes[taken], starts, rows.stops[taken])

    def batches(self, segments: tuple[str, ...], batch_of: BatchOf) -> Iterator[pa.RecordBatch]:
        """Yield a batch of all intervals, also those of customers whom no history has."""
        rows = self.rows
        timeline = Timeline(rows.offsets, rows.codes, rows.starts, rows.stops)
        ids = IdReader.as_produced(rows.ids, self.id_type)
        yield batch_of(OwnedIntervals(ids, rows.offsets, timeline.columns(segments)))

    def unknown(self, history: OrderHistory) -> int:
        """Count the intervals of customers whom a history does not have."""
        drop_unknown = grouped_orders(history).spec.drop_unknown
        sizes = np.diff(self.rows.offsets)

        def count(_: int, customers: CustomerBatch, __: Workspace) -> int:
            within, places = self._places(customers)
            hidden = customers.hidden(drop_unknown=drop_unknown)
            known = places.found
            if hidden is not None:
                known = known.copy()
                known[known] = ~hidden[places.positions[known]]
            return int(sizes[within][known].sum())

        return int(sizes.sum()) - sum(grouped_orders(history).scan(count))

    def _places(self, customers: CustomerBatch) -> tuple[slice, Places]:
        """Return which of the ids may be of a part's customers, and where they are among these."""
        there = customers.ids
        common = IdReader(there.type, there.type).together_with(self.rows.reader)
        if common is None:
            raise ColumnError(
                f"{NAME}: {CUSTOMER} is {self.rows.reader.given}, and {there.type} in the history",
                remedy="cast it, so that the same customer has the same id",
                column=CUSTOMER,
            )
        within = slice(0, 0)
        if len(there):
            first, last = hashes_of(pa.concat_arrays([there[:1], there[-1:]]))
            hashes = self.rows.hashes
            within = slice(
                int(hashes.searchsorted(first)), int(hashes.searchsorted(last, side="right"))
            )
        ids = self.rows.ids[within]
        if not common.is_integer:
            there, ids = there.cast(common.plain), ids.cast(common.plain)
        return within, find_places(there, ids)
