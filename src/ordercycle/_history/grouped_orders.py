"""What a grouped history is asked: its summary, its customers, and their profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._columns import profile_schema
from ordercycle._days import day_number
from ordercycle._errors import counted, printable
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.batch_files import dates_array, order_list, orders_array
from ordercycle._history.profile_stream import checked_window, profiler
from ordercycle._history.storage_parts import Part
from ordercycle._history.store import State
from ordercycle._history.summary import HistorySummary, summarised
from ordercycle._ingest.column_readers import IdReader
from ordercycle._profile import Profiler, room_for
from ordercycle._spec import HistorySpec
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Spare, Workers, Workspace

R = TypeVar("R")


class GroupedOrders:
    """Orders grouped by customer, as far as they are read; OrderHistory makes and keeps them."""

    def __init__(self, state: State, threads: int, spare: Spare | None = None) -> None:
        self._state = state
        self._spec = state.spec
        self._threads = threads
        # What the rows' hashes took: the first profile is written there, instead of to fresh
        # memory, which would take longer to touch than to fill, and raise the peak.
        self._spare = spare

    def __repr__(self) -> str:
        made = self.summary()
        span = f", {made.first_day} to {made.last_day}" if made.first_day else ""
        notes = "".join(f", {note}" for note in made.notes())
        folder = self._state.folder
        where = f", in {str(folder.path)!r}" if folder else ""
        return printable(
            f"{type(self).__name__}({counted(made.customers, 'customer')}, "
            f"{counted(made.orders, 'order')}{span}{notes}, {made.bytes / 1e6:,.1f} MB{where})"
        )

    def summary(self) -> HistorySummary:
        """Return what the history was built from: rows, orders, customers and what was dropped."""
        state = self._state
        held = sum(run.nbytes for part in state.parts for run in part.runs)
        return summarised(state.spec, state.tally, state.counts, held)

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the history itself, without copying.

        Yields
        ------
        pyarrow.RecordBatch
            ``customer_id``, ``registered_on`` (date32, null where unknown), ``orders``:
            large_list of struct ``ordered_on`` (date32), ``amount`` (float64, int64 or
            decimal128), ``is_order`` (bool). Customers ascend by hash, orders by day, then amount.
            Each entry is what a row adds to its day or, where an order column is named, what an
            order adds to one of its days; ``is_order`` says whether it counts as an order. Refunds
            do not, unless ``refunds="count"``, and are there with negative amounts, unless they
            were dropped; nor do later days of an order, nor, with ``same_day="merge"``, all
            orders of a day but one.
        """
        spec = self._spec
        schema = pa.schema(
            [
                pa.field("customer_id", self.id_type, nullable=False),
                pa.field("registered_on", pa.date32()),
                pa.field("orders", order_list(spec.amount), nullable=False),
            ]
        )
        for part in self._state.parts:
            batch = part.read()
            hidden = batch.hidden(drop_unknown=spec.drop_unknown)
            if hidden is not None:
                batch = batch.select(~hidden)
            ids = IdReader.as_produced(batch.ids, self.id_type)
            arrays = [ids, dates_array(batch.registered), orders_array(batch, spec)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def profile(self, as_of: date | str, window_days: int | None = None) -> pa.Table:
        """Return one row per customer as of the end of a day.

        Parameters
        ----------
        as_of
            A day: a date or text like ``"2026-11-01"``. Orders of that day are included, later
            ones are not; customers registered later are not there yet.
        window_days
            Keep only the orders of the last so many days: (as_of - window_days, as_of]. What is
            about the beginning is of the whole history still: ``registered_on``,
            ``days_since_registration``, ``days_to_first_order``, ``revenue_first_90_days``,
            ``revenue_first_day``; and a last column ``window_days`` (int32) says so. None: all
            orders, and no such column.

        Returns
        -------
        pyarrow.Table
            The columns of the profile, in ascending order of the customers' hash. Of orders
            without amounts (``Columns(amount=None)``), those about money are left out.

        Raises
        ------
        ConfigError
            Where `as_of` is no day (a datetime is refused) or `window_days` not positive.
        DataError
            Where a customer's revenue is too large for its type.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": [7, 7, 7],
        ...     "ordered_at": [datetime.date(2026, 1, day) for day in (1, 11, 31)],
        ...     "amount": [10, 20, 30],
        ... })
        >>> row = oc.OrderHistory.build(orders).profile("2026-03-02").to_pylist()[0]
        >>> row["time_between_orders"], row["days_since_last_order"], row["missed_purchase_cycles"]
        (15.0, 30, 2.0)
        """
        day, window = day_number(as_of, "as_of"), checked_window(window_days)
        spare = self._taken_spare() or Spare()
        # Behind what there is, one piece for all parts, which begins on huge pages: in small ones,
        # a piece for each took 1 ns an order longer to touch.
        room = room_for(self._state.counts.customers, len(self._state.parts))
        spare.give([np.empty(room, np.uint8)])
        batches = self._profile_batches(day, window, spare)
        return pa.Table.from_batches(list(batches), schema=self._schema(window_days))

    def profile_batches(
        self, as_of: date | str, window_days: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows of :meth:`profile` batch by batch, in bounded memory."""
        day, window = day_number(as_of, "as_of"), checked_window(window_days)
        return self._profile_batches(day, window, self._taken_spare())

    def _taken_spare(self) -> Spare | None:
        spare, self._spare = self._spare, None
        return spare

    def _profile_batches(
        self, day: int, window_days: int | None, spare: Spare | None
    ) -> Iterator[pa.RecordBatch]:
        profiler = self.profiler(day, window_days, spare)
        return self.scan(lambda _, customers, workspace: profiler.batch(customers, workspace))

    def profiler(
        self, as_of: int, window_days: int | None = None, spare: Spare | None = None
    ) -> Profiler:
        """Return what makes profiles of this history's customers, part by part.

        as_of: days since 1970-01-01; spare: memory to write to, as far as it goes.
        """
        return profiler(
            self._spec,
            self.id_type,
            self.last_day,
            as_of,
            checked_window(window_days),
            spare,
        )

    @property
    def spec(self) -> HistorySpec:
        """What all customers of the history have in common: types, columns and policies."""
        return self._spec

    @property
    def first_day(self) -> int | None:
        """The day of the first order, in days since 1970-01-01; None without orders."""
        return self._state.tally.first_day

    @property
    def last_day(self) -> int | None:
        """The day of the last order, in days since 1970-01-01; None without orders."""
        return self._state.tally.last_day

    def scan(self, work: Callable[[int, CustomerBatch, Workspace], R]) -> Iterator[R]:
        """Yield what `work` makes of each part of the history, in order, in bounded memory.

        What every answer about customers is made of: parts are worked on by several threads, and
        each gets its number, its customers, and scratch arrays of its thread. The customers are
        valid until `work` returns.
        """
        parts = self._state.parts
        with Workers(min(self._threads, max(1, len(parts)))) as workers:

            def on_part(numbered: tuple[int, Part]) -> R:
                number, part = numbered
                made = work(number, part.read(workers.workspace), workers.workspace)
                part.release()
                return made

            ahead = TASKS_AHEAD if self._state.spill is None else LARGE_TASKS_AHEAD
            yield from workers.in_order(on_part, enumerate(parts), ahead=ahead)

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""
        return self._spec.ids.produced(self._state.counts.customers)

    def _schema(self, window_days: int | None) -> pa.Schema:
        windowed = checked_window(window_days) is not None
        return profile_schema(self.id_type, self._spec.revenue, windowed=windowed)
