"""The touches before each order as Arrow: what models of others start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import array_of, rows_of
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.credit_table import GROUP, INSTANTS, CreditTable, Shown
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN

STEP_NAMES = (CHANNEL_COLUMN, CAMPAIGN)


@dataclass(frozen=True)
class PathTable:
    """Makes the paths of each batch."""

    scan: CreditScan

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""
        of_credits = CreditTable(self.scan).schema
        steps = [(name, of_credits.field(name).type.value_type) for name in STEP_NAMES]
        step = pa.struct([*steps, ("touched_at", INSTANTS)])
        return pa.schema(
            [
                of_credits.field("order"),
                of_credits.field(GROUP),
                pa.field("path", pa.large_list(pa.field("item", step))),
            ]
        )

    def batch(self, met: Meeting) -> pa.RecordBatch:
        """Return the paths to the orders of a batch of customers."""
        scan, table, schema = self.scan, CreditTable(self.scan), self.schema
        paths = scan.paths(met, most=scan.model.most_touches)
        firsts = np.flatnonzero(paths.places == 0)
        orders = np.searchsorted(paths.offsets, firsts, side="right") - 1
        ids = scan.reader.order_ids(met.orders.batch).take(rows_of(orders))
        step = schema.field("path").type.value_type
        shown = Shown.of(paths.rows)
        names = [
            table.attribute(name, met, shown).cast(step.field(name).type) for name in STEP_NAMES
        ]
        touched = array_of(table.taken(met.touches.instants, paths.rows), INSTANTS)
        steps = pa.StructArray.from_arrays([*names, touched], fields=list(step))
        ends = rows_of(np.append(firsts, paths.rows.size))
        # The touches of a path are of one group, but where all compete: then the last one says.
        lasts = firsts + paths.lengths[firsts] - 1
        groups = table.groups(met, Shown.of(paths.rows[lasts]))
        return pa.RecordBatch.from_arrays(
            [
                ids.cast(schema.field("order").type),
                groups,
                pa.LargeListArray.from_arrays(ends, steps),
            ],
            schema=schema,
        )
