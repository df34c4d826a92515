"""Tasks that compare customers who are held out with those who are touched, as sums."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from ordercycle._attribution.attribution import Attribution
from ordercycle._attribution.credited import scan_of
from ordercycle._engines.credit_tasks import credited_by
from ordercycle._engines.named_sums import NAMED_SCHEMA, arrays_to_batches, fill_arrays
from ordercycle._engines.partition_tasks import ORDERS, Streams, SumTask, of_a_partition
from ordercycle._engines.refits import Added
from ordercycle._engines.task_memberships import OnDay
from ordercycle._history.order_history import grouped_orders
from ordercycle._membership.interval_tables import CUSTOMER, FROM, SEGMENT, TO
from ordercycle._membership.membership import Membership
from ordercycle._report.holdout_lift import HoldoutLift
from ordercycle._report.holdout_sums import HoldoutArms, LiftRequest

HOLDOUT = "holdout"
OF_INTERVALS = (CUSTOMER, SEGMENT, FROM, TO)
#: The keys of names that the holdout has, beside those of the sums.
NAMED = "named"


@dataclass(frozen=True)
class LiftSums(SumTask):
    """Adds up what customers of both arms spend; segments: those that are compared, if any."""

    asked: LiftRequest
    model: Attribution
    segments: OnDay | None

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums that are not 0, and which names the holdout has."""
        with of_a_partition():
            holdout = Membership.from_table(streams[HOLDOUT])
        scan = scan_of(credited_by(self.model, streams))
        arms = self.arms(streams, holdout)
        yield from arrays_to_batches(arms.summed(scan)._asdict())
        keys = [json.dumps([NAMED, name]) for name in holdout.segments]
        columns = [keys, [0] * len(keys), [1] * len(keys)]
        yield pa.record_batch(columns, schema=NAMED_SCHEMA)

    def arms(self, streams: Streams, holdout: Membership) -> HoldoutArms:
        """Return who is in which arm."""
        history = streams[ORDERS]
        by = None if self.segments is None else self.segments.of(streams)
        return self.asked.arms(grouped_orders(history), holdout, by)


def lift_of(task: LiftSums, nobody: Streams, added: Added) -> HoldoutLift:
    """Return the lift of what `added` adds up; nobody: the streams without customers."""
    task.asked.check_amounts(grouped_orders(nobody[ORDERS]))
    scan_of(credited_by(task.model, nobody))
    arms = task.arms(nobody, Membership.from_table(nobody[HOLDOUT]))
    if task.segments is not None:
        task = replace(task, segments=task.segments.prepared(added, nobody[ORDERS]))
    sums = arms.nothing()
    others = fill_arrays(sums._asdict(), added(task))
    task.asked.check_names(sorted(json.loads(key)[1] for key in others["key"].to_pylist()))
    return HoldoutLift(arms, task.asked.alpha, sums)
