"""The grouped history: built once, asked many things."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, TypeVar

import pyarrow as pa

from ordercycle.columns import Columns, profile_schema
from ordercycle.days import day_number
from ordercycle.errors import ConfigError, check_choice, whole_number
from ordercycle.grouping.batches import CustomerBatch
from ordercycle.history.appending import append
from ordercycle.history.batch_files import dates_array, order_list, orders_array
from ordercycle.history.build import (
    ANONYMOUS,
    REFUNDS,
    UNKNOWN,
    Progress,
    group,
    refuse_unknown,
    summarised,
)
from ordercycle.history.parts import Kind, Part, Policies, as_parts
from ordercycle.history.store import State, open_folder, save
from ordercycle.history.summary import HistorySummary
from ordercycle.ingest.readers import IdReader
from ordercycle.ingest.spill import Spill
from ordercycle.ingest.zones import check_zone
from ordercycle.profile import Profiler
from ordercycle.workspace import Spare, Workers, Workspace, thread_count
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

R = TypeVar("R")


class OrderHistory:
    """Orders grouped by customer: what every profile, segment and report is computed from.

    Made by :meth:`build`; immutable, and safe to use from several threads.
    """

    def __init__(self, state: State, threads: int, spare: Spare | None = None) -> None:
        self._state = state
        self._kind = state.kind
        self._threads = threads
        # What the rows' hashes took: the first profile is written there, instead of to fresh
        # memory, which would take longer to touch than to fill, and raise the peak.
        self._spare = spare

    def __repr__(self) -> str:
        made = self.summary()
        span = f", {made.first_day} to {made.last_day}" if made.first_day else ""
        folder = self._state.folder
        where = f", in {str(folder.path)!r}" if folder else ""
        return (
            f"OrderHistory({made.customers:,} customers, {made.orders:,} orders{span}, "
            f"{made.bytes / 1e6:,.1f} MB{where})"
        )

    @classmethod
    def build(  # noqa: PLR0913 - every option is keyword-only
        cls,
        orders: Any,
        customers: Any = None,
        *,
        columns: Columns | None = None,
        timezone: str = "UTC",
        refunds: str = "net",
        anonymous: str = "drop",
        unknown: str = "add",
        threads: int | None = None,
        memory_limit: int | str | None = None,
        spill_directory: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> OrderHistory:
        """Group an order table by customer.

        Parameters
        ----------
        orders
            One row per order or order line: a path, glob, directory or list of Parquet, CSV or
            Arrow files; a pyarrow Table, RecordBatch, Dataset or RecordBatchReader; any object
            with ``__arrow_c_stream__`` (pandas, Polars, DuckDB); an iterable of record batches.
        customers
            One row per customer, from the same kinds of source: adds customers without orders
            and registration days. None: the population is whoever ordered.
        columns
            The names of the columns to read; no other column is read.
        timezone
            The business time zone, an IANA name. Timestamps with a zone become days in it;
            timestamps without one and dates are taken as local already.
        refunds
            What an order with a negative amount is. ``"net"``: it lowers revenue on its day and
            is no order; ``"drop"``: nothing; ``"count"``: an order like any other.
        anonymous
            Rows without a customer are left out (``"drop"``) or refused (``"error"``).
        unknown
            Customers with orders that `customers` does not list are added (``"add"``), left out
            (``"drop"``) or refused (``"error"``).
        threads
            How many threads to use; None: every core this process may use.
        memory_limit
            Bytes, or a text like ``"4GB"``: what building may hold in memory beyond what the
            process takes anyway (some 400 MB with all libraries). Past it, rows wait on disk and
            so does the history. None: no limit. The orders of one customer have to fit.
        spill_directory
            The folder for what waits on disk, in files without a name that are freed with the
            process; None: the system's folder for temporary files.
        progress
            Called as ``progress(done, total, stage)`` with rows; total is None while unknown.
            The stages are ``"read"``, ``"read customers"`` and ``"group"``.

        Returns
        -------
        OrderHistory
            The same, to the bit, for any order of the rows, chunks and number of threads.

        Raises
        ------
        SourceError
            A source cannot be read, does not exist, was read before, or names a file twice.
        ColumnError
            A column is missing, has a type that has no meaning here, or one in some files that
            those of the others cannot be widened to.
        DataError
            An amount is null, NaN, infinite or too large, a time is null or outside the years
            1900 to 2199, an order id is null, a customer is listed twice.
        ConfigError
            An option is not one of those above.
        StorageError
            The spill directory is full or cannot be written.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "ordered_at": [datetime.date(2026, 1, day) for day in (5, 6, 19)],
        ...     "amount": [20.0, 35.0, 30.0],
        ... })
        >>> history = OrderHistory.build(orders)
        >>> history
        OrderHistory(2 customers, 3 orders, 2026-01-05 to 2026-01-19, 0.0 MB)
        >>> profile = history.profile("2026-02-01")
        >>> for row in profile.sort_by("customer_id").to_pylist():
        ...     print(row["customer_id"], row["orders"], row["revenue"])
        ann 2 50.0
        bob 1 35.0
        """
        columns = Columns() if columns is None else columns
        if not isinstance(columns, Columns):
            raise ConfigError(f"columns={columns!r}: pass ordercycle.Columns(customer=..., ...)")
        check_choice("refunds", refunds, REFUNDS)
        check_choice("anonymous", anonymous, ANONYMOUS)
        check_choice("unknown", unknown, UNKNOWN)
        if customers is None and unknown != "add":
            raise ConfigError(
                f"unknown={unknown!r} needs a customers table to say who is known; pass customers="
            )
        check_zone(timezone)
        policies = Policies(timezone, refunds, anonymous, unknown)
        count_of_threads = thread_count(threads)
        spill = Spill.of(memory_limit, spill_directory)
        made = group(orders, customers, columns, policies, count_of_threads, progress, spill=spill)
        if unknown == "error":
            refuse_unknown((run.read() for run in made.runs), columns)
        parts = as_parts(made.kind, made.runs)
        state = State(made.kind, parts, made.tally, made.counts, spill=made.spill)
        return cls(state, count_of_threads, made.spare)

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, verify: bool = True, threads: int | None = None
    ) -> OrderHistory:
        """Open a history that was saved.

        Its files are mapped into memory, not read: what a profile needs is read when it needs it.

        Parameters
        ----------
        directory
            The folder that :meth:`save` wrote.
        verify
            Read all files once and compare their checksums. False: trust them; sizes and the
            manifest are still compared.
        threads
            How many threads to use; None: every core this process may use.

        Raises
        ------
        StorageError
            The folder holds no history, or one of another format; a file is missing, was cut
            off or has changed.
        """
        number = thread_count(threads)
        with Workers(number) as workers:
            return cls(open_folder(directory, verify=verify, workers=workers), number)

    def save(self, directory: str | os.PathLike[str]) -> OrderHistory:
        """Save the history to a folder of its own.

        The folder holds Arrow IPC files that any Arrow tool reads, of one range of customers
        each, and a manifest that is written last. A history that is there already is replaced:
        whoever opens the folder finds the old or the new one, whenever the writer was stopped.

        Parameters
        ----------
        directory
            A folder that is new, empty, or holds a saved history.

        Returns
        -------
        OrderHistory
            The history as saved: appending to it extends the folder.

        Raises
        ------
        StorageError
            The folder holds other files, another process is writing there, or writing failed.

        Examples
        --------
        >>> import datetime, tempfile, pyarrow as pa
        >>> def orders(*days):
        ...     return pa.table({
        ...         "customer_id": ["ann"] * len(days),
        ...         "ordered_at": [datetime.date(2026, 1, day) for day in days],
        ...         "amount": [10.0] * len(days),
        ...     })
        >>> folder = tempfile.mkdtemp()
        >>> saved = OrderHistory.build(orders(5, 12)).save(folder)
        >>> OrderHistory.open(folder).append(orders(19), batch="2026-01-19").summary().orders
        3
        >>> OrderHistory.open(folder).profile("2026-02-01")["orders"].to_pylist()
        [3]
        """
        with Workers(self._threads) as workers:
            return OrderHistory(save(self._state, directory, workers), self._threads)

    def append(
        self,
        orders: Any,
        customers: Any = None,
        *,
        batch: str | None = None,
        repeated: str = "error",
        progress: Progress | None = None,
    ) -> OrderHistory:
        """Return the history with more orders and customers, as if built from all at once.

        Columns, time zone and policies are those of the history. What arrives is kept on top of
        what is there and merged when it is read; when it piles up, it is merged for good. A
        history that is saved is extended in its folder, in one step: after a crash, the batch is
        in it or it is not.

        Parameters
        ----------
        orders, customers
            As for :meth:`build`; customers who are listed already must not come again.
        batch
            A name for what arrives, so that it is not taken twice.
        repeated
            What to do where the history has a batch of that name: ``"error"``, or ``"skip"`` to
            return the history as it is.
        progress
            As for :meth:`build`.

        Returns
        -------
        OrderHistory
            The same, to the bit, as one built from all orders. This one stays as it was.

        Raises
        ------
        DataError
            As for :meth:`build`; also where the batch is there already, a customer is listed
            again, or lines arrive for an order that is there.
        ColumnError
            Where ids or amounts are of another type than those of the history.
        StorageError
            Where the folder was changed since the history was opened, or cannot be written.
        """
        state = append(
            self._state,
            orders,
            customers,
            batch=batch,
            repeated=repeated,
            threads=self._threads,
            progress=progress,
        )
        return self if state is self._state else OrderHistory(state, self._threads)

    def summary(self) -> HistorySummary:
        """Return what the history was built from: rows, orders, customers and what was dropped."""
        state = self._state
        held = sum(run.nbytes for part in state.parts for run in part.runs)
        return summarised(state.kind, state.tally, state.counts, held)

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the history itself, without copying.

        Yields
        ------
        pyarrow.RecordBatch
            ``customer_id``, ``registered_on`` (date32, null where unknown), ``orders``:
            large_list of struct ``ordered_on`` (date32), ``amount`` (float64, int64 or
            decimal128). Customers ascend by hash, orders by day, then amount. Refunds are
            among the orders, with negative amounts, unless they were dropped.
        """
        kind = self._kind
        schema = pa.schema(
            [
                pa.field("customer_id", self.id_type, nullable=False),
                pa.field("registered_on", pa.date32()),
                pa.field("orders", order_list(kind.amount), nullable=False),
            ]
        )
        for part in self._state.parts:
            batch = part.read()
            hidden = batch.hidden(drop_unknown=kind.drop_unknown)
            if hidden is not None:
                batch = batch.select(~hidden)
            ids = IdReader.as_produced(batch.ids, self.id_type)
            arrays = [ids, dates_array(batch.registered), orders_array(batch, kind.amount)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def profile(self, as_of: date | str, window_days: int | None = None) -> pa.Table:
        """Return one row per customer as of the end of a day.

        Parameters
        ----------
        as_of
            A day: a date or text like ``"2026-11-01"``. Orders of that day are included, later
            ones are not; customers registered later are not there yet.
        window_days
            Keep only the orders of the last so many days: (as_of - window_days, as_of].
            Registration is not touched. None: all of them.

        Returns
        -------
        pyarrow.Table
            The columns of the README's table, in ascending order of the customers' hash.

        Raises
        ------
        ConfigError
            Where `as_of` is no day (a datetime is refused) or `window_days` not positive.
        DataError
            Where a customer's revenue is too large for its type.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": [7, 7, 7],
        ...     "ordered_at": [datetime.date(2026, 1, day) for day in (1, 11, 31)],
        ...     "amount": [10, 20, 30],
        ... })
        >>> row = OrderHistory.build(orders).profile("2026-03-02").to_pylist()[0]
        >>> row["time_between_orders"], row["days_since_last_order"], row["missed_purchase_cycles"]
        (15.0, 30, 2.0)
        """
        day, window = day_number(as_of, "as_of"), _window(window_days)
        batches = self._profile_batches(day, window, self._taken_spare())
        return pa.Table.from_batches(list(batches), schema=self._schema(window_days))

    def profile_batches(
        self, as_of: date | str, window_days: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows of :meth:`profile` batch by batch, in bounded memory."""
        day, window = day_number(as_of, "as_of"), _window(window_days)
        return self._profile_batches(day, window, self._taken_spare())

    def _taken_spare(self) -> Spare | None:
        spare, self._spare = self._spare, None
        return spare

    def _profile_batches(
        self, day: int, window_days: int | None, spare: Spare | None
    ) -> Iterator[pa.RecordBatch]:
        after = None if window_days is None else day - window_days
        schema = self._schema(window_days)
        last_day = self._state.tally.last_day
        profiler = Profiler(
            as_of=day,
            after=after,
            last_day=day if last_day is None else last_day,
            schema=schema,
            amount=self._kind.amount,
            net_refunds=self._kind.net_refunds,
            spare=spare,
        )
        return self.scan(lambda _, customers, workspace: profiler.batch(customers, workspace))

    @property
    def kind(self) -> Kind:
        """What all customers of the history have in common: types, columns and policies."""
        return self._kind

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

            yield from workers.in_order(on_part, enumerate(parts))

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""
        return self._kind.ids.produced(self._state.counts.customers)

    def _schema(self, window_days: int | None) -> pa.Schema:
        return profile_schema(self.id_type, self._kind.amount.produced, _window(window_days))


def _window(days: int | None) -> int | None:
    """Return the window, checked; one longer than all accepted years is as long as they are."""
    if days is None:
        return None
    number = whole_number(days)
    if number is None or number < 1:
        raise ConfigError(f"window_days={days!r}: pass a positive number of days, or None for all")
    return min(number, int(LAST_DAY - FIRST_DAY) + 1)
