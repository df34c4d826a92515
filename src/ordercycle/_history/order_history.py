"""The grouped history: built once, kept and extended, and what everything else is computed from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Protocol, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, counted, printable
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.appending import Met, append
from ordercycle._history.build import group
from ordercycle._history.customer_card import CustomerCard
from ordercycle._history.detail_format import hashed_keys
from ordercycle._history.forgetting import forget
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.look_ups import customer_only, look_up
from ordercycle._history.options import BuildArguments, BuildOptions, Progress, with_options
from ordercycle._history.order_events import AMOUNT
from ordercycle._history.order_format import (
    OrderFormat,
    dates_array,
    shown_orders,
    shown_orders_array,
)
from ordercycle._history.seen_summary import seen_summary
from ordercycle._history.source_options import SourceOptions
from ordercycle._history.store import open_folder, save
from ordercycle._history.summary import HistorySummary, summarised
from ordercycle._ingest.asked_ids import asked_ids
from ordercycle._ingest.column_readers import IdReader
from ordercycle._profile import ProfileBuilder, checked_window
from ordercycle._public import public
from ordercycle._sources.file_formats import FileFormat
from ordercycle._workspace import Workspace, thread_count


class Compares(Protocol):
    """What tells who is in another segment: a scheme."""

    def transitions(self, before: Any, after: Any) -> pa.Table:
        """Return who moved between two profiles."""


@public()
class OrderHistory:
    """Orders grouped by customer: what every profile, segment and report is computed from.

    Made by :meth:`build`; immutable, and safe to use from several threads.
    """

    def __init__(self, grouped: GroupedOrders) -> None:
        self._grouped = grouped

    def __repr__(self) -> str:
        made = self._summary()
        span = f", {made.first_day} to {made.last_day}" if made.first_day else ""
        notes = "".join(f", {note}" for note in made.notes())
        views = self._grouped.said_of_views
        folder = self._grouped.folder
        where = f", in {str(folder.path)!r}" if folder else ""
        return printable(
            f"{type(self).__name__}({counted(made.customers, 'customer')}, "
            f"{counted(made.orders, 'order')}{span}{notes}{views}, "
            f"{made.bytes / 1e6:,.1f} MB{where})"
        )

    @classmethod
    @with_options
    def build(
        cls, orders: Any, customers: Any = None, **options: Unpack[BuildArguments]
    ) -> OrderHistory:
        """Group an order table by customer.

        Parameters
        ----------
        orders
            One row per order or order line: a path, URI, glob, directory or list of Parquet, CSV
            or Arrow files; a pyarrow Table, RecordBatch, Dataset or RecordBatchReader; any object
            with ``__arrow_c_stream__`` (pandas, Polars, DuckDB); an iterable of record batches.
        customers
            One row per customer, from the same kinds of source: adds customers without orders
            and registration days. None: the population is whoever ordered.
        source
            Options as data, from :func:`source_from_dict`; those given beside it come first.
        columns
            The columns to read, by name or as expressions; no other column is read.
        lookups
            Tables with further columns of an attribute's values, by the name of the attribute, as
            for :meth:`EventHistory.build`.
        day_instants
            Whether a date stands for its first moment, where instants are kept; otherwise dates
            have no instant, and keeping instants of them is an error.
        read
            How to read files, of both tables: :class:`CsvFormat`, :class:`NdJson` or
            :class:`ExcelSheet`; None: as their names say.
        filesystem
            Where paths lead, of both tables: a ``pyarrow.fs.FileSystem`` or one of fsspec. None:
            to this machine, or where a URI says: ``s3://``, ``gs://``, ``abfs://`` and ``hdfs://``
            by pyarrow, with keys from the environment and options such as ``?region=eu-west-1``;
            ``az://`` (extra ``azure``), single files of ``https://`` (extra ``http``) and others
            by fsspec. A URI of another kind of store than `filesystem` leads there all the same.
        timezone
            The business time zone, an IANA name. Timestamps with a zone become days in it; dates
            are local days. Where it finds nothing to act on there is a warning.
        times_without_zone
            What timestamps without a zone are: ``"local"`` already, or in ``"utc"``. None: local,
            with a warning where a zone is named and none is in the data. Instants that Parquet
            files keep without a zone (INT96) are known by what Spark, Hive or Arrow left in the
            footer; others are refused where it matters. A pyarrow Dataset does not pass that on:
            name the files instead.
        refunds
            What an order with a negative amount is. ``"net"``: it lowers revenue on its day and
            is no order; ``"drop"``: nothing; ``"count"``: an order like any other. Where an order
            column is named, the rows of an order are added up by day: it counts once, on the first
            day whose sum is not negative, and each negative sum is a refund of its day.
        anonymous
            Rows without a customer are left out (``"drop"``) or refused (``"error"``).
        only
            Rows that count: a condition in the language of `Rules` such as
            ``"status in ('paid', 'shipped')"``, or a pyarrow expression. The others, and those
            for which it is null, are counted and not looked at: nothing in them is an error.
        nobody
            Ids that mean no customer, such as ``["guest@example.com"]``.
        same_day
            Several orders of a customer on one day are orders of their own (``"separate"``) or one
            (``"merge"``), whose value is what they add up to; refunds stay refunds.
        amount_per
            With an order id, an amount is the line's own (``"line"``), or the order's total that
            stands on every line of a day (``"order"``): the same on all of them, or null; anything
            else is an error.
        duplicates
            Rows that are equal in every column that is read all count (``"keep"``), count once
            (``"drop"``), or are refused (``"error"``). Times are compared as they are given, not
            by day; columns behind expressions and `only` are compared, too; rows that do not count
            or have no customer are not looked at.
        unknown
            Customers with orders that `customers` does not list are added (``"add"``), left out
            (``"drop"``) or refused (``"error"``).
        threads
            How many threads to use; None: every core this process may use. Files of stores are
            read by four times as many, eight at most, which wait for them.
        memory_limit
            Bytes, or a text like ``"4GB"``: what reading, grouping and going through the history
            may hold in memory beyond what the process takes anyway (up to 400 MB with all
            libraries), with one thread for each 50 MB at most. Past it, rows wait on disk and so
            does the history. None: no limit. The orders of one customer have to fit, as have the
            record batches of Arrow data, what a pyarrow Dataset reads ahead (name its files
            instead), what is appended at a time, and results that are kept.
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
            A source cannot be read, does not exist, was read before, or names a file twice; a
            file was written again while it was read; a folder is a table of Delta Lake, Iceberg,
            Hudi or another kind with a log that says which files count.
        ColumnError
            A column is missing, has a type that has no meaning here, or one in some files that
            those of the others cannot be widened to.
        DataError
            An amount is null, NaN, infinite or too large, a time is null or outside the years
            1900 to 2199, an order id is null, a customer is listed twice; the rows of an order have
            different values of an attribute, or of what they refund, on one day (null is none).
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
        checked = BuildOptions.of(options, has_customers=customers is not None)
        return cls(group(orders, customers, checked))

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, verify: bool = True, threads: int | None = None
    ) -> OrderHistory:
        """Open a history that was saved.

        What a profile needs is read when it needs it, and checked before it is used.

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
        found = open_folder(GroupedOrders, directory, verify=verify, threads=thread_count(threads))
        return cls(found)

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
        return OrderHistory(save(self._grouped.itself("saved"), directory))

    def append(
        self,
        orders: Any,
        customers: Any = None,
        *,
        batch: str | None = None,
        repeated: str = "error",
        source: SourceOptions | None = None,
        read: FileFormat | None = None,
        filesystem: Any = None,
        progress: Progress | None = None,
    ) -> OrderHistory:
        """Return the history with more orders and customers, as if built from all at once.

        Columns, time zone and policies, ``only`` and ``nobody`` among them, are those of the
        history, and are kept with it. What arrives is kept on top of
        what is there and merged when it is read; when it piles up, it is merged for good. A
        history that is saved is extended in its folder, in one step: after a crash, the batch is
        in it or it is not.

        Parameters
        ----------
        orders, customers
            As for :meth:`build`; customers who are listed already must not come again. Where an
            order column is named, orders that are there may get rows of other days, earlier ones
            too; rows of a day that an order has already are refused. Duplicates are looked for
            within what arrives.
        batch
            A name for what arrives, so that it is not taken twice.
        repeated
            What to do where the history has a batch of that name: ``"error"``, or ``"skip"`` to
            return the history as it is.
        source
            Options as data, as for :meth:`build`. What it says of columns and rows has to be what
            the history was built with.
        read
            How to read files, as for :meth:`build`: a history does not know how those of before
            were read. Text is read in the types of the history.
        filesystem
            Where paths lead, as for :meth:`build`.
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
            again, or rows arrive of a day that an order has already.
        ConfigError
            Where a source contradicts the history.
        ColumnError
            Where ids or amounts are of another type than those of the history.
        StorageError
            Where the folder was changed since the history was opened, or cannot be written.
        """
        grouped = self._grouped.itself("appended to")
        extended = append(
            grouped,
            orders,
            customers,
            batch=batch,
            repeated=repeated,
            reading={
                "source": source,
                "read": read,
                "filesystem": filesystem,
                "progress": progress,
            },
        )
        return self if extended is grouped else OrderHistory(extended)

    def forget(self, ids: Iterable[Any], *, key: bytes | None = None) -> OrderHistory:
        """Return the history with customers who are nobody any more.

        Their orders stay, so that sums of all customers are as before, under a number that means
        nobody; metrics of customers leave them out. Of one key, id and type the number is
        always the same: that of :meth:`EventHistory.forget` too, so that touches
        and orders stay together. Nobody who does not have the key can tell whose a number was.
        A saved history is written anew in its folder, in one step, and its old files are removed:
        after a crash, it holds all of these customers or none of them.

        Parameters
        ----------
        ids
            Customers, as they were given; those whom the history does not have are passed over.
        key
            A secret of 16 to 64 bytes, such as ``secrets.token_bytes(32)``. None: one of this
            process, which ends with it. Whoever keeps a key keeps the way back to the ids.

        Returns
        -------
        OrderHistory
            This one stays as it was, but for its files. What arrives later under an id that was
            forgotten is of a new customer. Attributes and ids of orders stay as they are.

        Raises
        ------
        ConfigError
            Where this is a view; ids are of another type, or of fewer than 32 bits.
        DataError
            A number would be another customer's.
        StorageError
            Where the folder was changed since the history was opened, or cannot be written.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> history = OrderHistory.build(pa.table({
        ...     "customer_id": ["ann", "bob"],
        ...     "ordered_at": [datetime.date(2026, 1, 5), datetime.date(2026, 1, 6)],
        ...     "amount": [10.0, 20.0],
        ... }))
        >>> after = history.forget(["ann"])
        >>> after.summary().orders, after.summary().forgotten
        (2, 1)
        >>> sorted(after.profile("2026-02-01")["customer_id"].to_pylist())[0]
        'bob'
        """
        grouped = self._grouped.itself("changed")
        made = forget(grouped, ids, key)
        return self if made is grouped else OrderHistory(made)

    def append_and_compare(
        self,
        orders: Any,
        scheme: Compares,
        customers: Any = None,
        *,
        as_of: date | str,
        window_days: int | None = None,
        batch: str | None = None,
        repeated: str = "error",
        **reading: Any,
    ) -> tuple[OrderHistory, pa.Table]:
        """Return the history with more orders, and whom these moved to another segment.

        Only customers who arrive are looked at, before and after, as of the same day; those whom
        the passing of days moves are told by :meth:`Scheme.next_transition`.

        Parameters
        ----------
        orders, customers, batch, repeated
            As for :meth:`append`; a batch that is there already and skipped moves nobody.
        scheme
            The segments, of a scheme that needs no fit or has one: its numbers stay as they are.
        as_of, window_days
            The profiles that are compared, as for :meth:`profile`.
        **reading
            ``source``, ``read``, ``filesystem`` and ``progress``, as for :meth:`append`.

        Returns
        -------
        history : OrderHistory
            As :meth:`append` returns it; a saved one is extended in its folder.
        moved : pyarrow.Table
            ``customer_id``, ``from_segment``, ``to_segment``, as :func:`transitions` returns them.

        Raises
        ------
        ConfigError, ColumnError
            Where the scheme is not fitted, or reads what profiles do not have: then nothing is
            appended. Otherwise as for :meth:`append`.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> def orders(customer, *days):
        ...     days = [datetime.date(2026, 1, day) for day in days]
        ...     return pa.table({
        ...         "customer_id": [customer] * len(days), "ordered_at": days,
        ...         "amount": [9] * len(days),
        ...     })
        >>> history = oc.OrderHistory.build(orders("ann", 1))
        >>> rules = oc.Rules({"Regular": "orders >= 2"}, default="New")
        >>> history, moved = history.append_and_compare(orders("ann", 5), rules, as_of="2026-01-09")
        >>> moved.to_pylist()
        [{'customer_id': 'ann', 'from_segment': 'New', 'to_segment': 'Regular'}]
        """
        grouped = self._grouped.itself("appended to")
        day, window = day_number(as_of, "as_of"), checked_window(window_days)
        if not hasattr(scheme, "transitions"):
            raise ConfigError(
                (Option("scheme", scheme), " is no scheme"),
                remedy="pass one, such as ordercycle.Lifecycle()",
            )
        nobody = grouped.profiles(day, window).schema.empty_table()
        moved = scheme.transitions(nobody, nobody)  # whatever is wrong with it, before all else
        known: list[Met] = []
        extended = append(
            grouped,
            orders,
            customers,
            batch=batch,
            repeated=repeated,
            reading=reading,
            before=known.extend,
        )
        if extended is grouped:
            return self, moved

        def profiles(of: GroupedOrders, batches: Iterable[CustomerBatch]) -> pa.Table:
            builder, room = of.profiles(day, window), Workspace()
            found = [builder.batch(customers, room) for customers in batches]
            return pa.Table.from_batches(found, schema=builder.schema)

        before = profiles(grouped, (met.before for met in known))
        after = profiles(extended, (met.after for met in known))
        return OrderHistory(extended), scheme.transitions(before, after)

    def summary(self) -> HistorySummary:
        """Return what the history was built from: rows, orders, customers and what was dropped.

        Of a view, orders, refunds, days and nulls are those that it has; all else is of the whole
        history.
        """
        return self._summary(with_details=True)

    def _summary(self, *, with_details: bool = False) -> HistorySummary:
        """Return the summary; with_details: with what is counted of attributes and values."""
        grouped, details = self._grouped, self._grouped.spec.details
        has_more = details is not None and bool(details.values or details.attributes.lookups)
        if grouped.views or (with_details and has_more):
            made = seen_summary(grouped)
        else:
            made = summarised(grouped.spec, grouped.tally, grouped.counts, grouped.nbytes)
        return replace(made, forgotten=len(grouped.forgotten))

    def where(self, condition: str | pc.Expression, *, missing: str = "error") -> OrderHistory:
        """Return a view of the orders and refunds that satisfy a condition.

        Parameters
        ----------
        condition
            Over the attributes of orders, the columns of their lookups, their values and
            ``amount``, in the language of :class:`Rules`: ``"status in ('paid', 'shipped')"``.
        missing
            ``"error"`` refuses a text that no value equals, as it may be a typo; ``"empty"`` takes
            it as it is.

        Returns
        -------
        OrderHistory
            The view: nothing is copied, and views of views hold all their conditions. Customers,
            and since when they are registered, are those of the whole history; of what is kept, an
            order counts as if there had never been more.

        Raises
        ------
        ConfigError
            The condition is none, or compares with a text that no value equals.
        ColumnError
            A column is not there.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "ordered_at": [datetime.date(2026, 1, day) for day in (5, 6, 19)],
        ...     "amount": [20, 35, 30],
        ...     "status": ["paid", "paid", "cancelled"],
        ... })
        >>> history = OrderHistory.build(orders, columns=Columns(attributes=["status"]))
        >>> paid = history.where("status == 'paid'")
        >>> paid.summary().orders
        2
        >>> for row in paid.profile("2026-02-01").sort_by("customer_id").to_pylist():
        ...     print(row["customer_id"], row["orders"], row["revenue"])
        ann 1 20
        bob 1 35
        """
        return OrderHistory(self._grouped.where(condition, missing))

    def with_lookups(self, lookups: Mapping[str, Any]) -> OrderHistory:
        """Return the history with other lookups for the attributes that are named."""
        grouped = self._grouped
        details = grouped.spec.details
        if details is None:
            raise ConfigError(
                (Option("lookups"), ": orders have no attributes"),
                remedy=("build the history with ", Option("Columns.attributes")),
            )
        changed = details.with_lookups(lookups, "Columns.attributes")
        made = OrderFormat(replace(grouped.spec, details=changed))
        return OrderHistory(grouped.in_format(made))

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
        grouped, spec = self._grouped, self._grouped.spec
        schema = pa.schema(
            [
                pa.field("customer_id", grouped.id_type, nullable=False),
                pa.field("registered_on", pa.date32()),
                pa.field("orders", shown_orders(spec), nullable=False),
            ]
        )
        for part in grouped.parts:
            batch = part.read()
            if grouped.views:
                batch = grouped.seen(batch)
            hidden = batch.hidden(drop_unknown=spec.drop_unknown)
            if hidden is not None:
                batch = batch.select(~hidden)
            ids = IdReader.as_produced(batch.ids, grouped.id_type)
            arrays = [ids, dates_array(batch.registered), shown_orders_array(batch, spec)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def profile(
        self, as_of: date | str, window_days: int | None = None, *, customers: Any = None
    ) -> pa.Table:
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
        customers
            The ids of those who are wanted: a list, a NumPy or Arrow array, a column of a data
            frame. Nobody else is computed or, of a saved history, read: what is read of its files
            is checked, but not against their checksums, which :meth:`open` compares. None: all.

        Returns
        -------
        pyarrow.Table
            The columns of the profile, in ascending order of the customers' hash; of those who are
            wanted, a row for each that there is, however often it is named. Of orders
            without amounts (``Columns(amount=None)``), those about money are left out.

        Raises
        ------
        ConfigError
            Where `as_of` is no day (a datetime is refused), `window_days` not positive, or
            `customers` no list of ids as the history has them.
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
        >>> oc.OrderHistory.build(orders).profile("2026-03-02", customers=[7, 8]).num_rows
        1
        """
        day, window = day_number(as_of, "as_of"), checked_window(window_days)
        builder = self._grouped.profiles(day, window)
        if customers is None:
            batches = self._profiles(builder)
        else:
            grouped = self._grouped
            ids = asked_ids(customers, grouped.spec.ids, grouped.spec.columns.customer)
            batches = look_up(grouped, ids, builder.batch)
        return pa.Table.from_batches(list(batches), schema=builder.schema)

    def profile_batches(
        self, as_of: date | str, window_days: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows of :meth:`profile` batch by batch, in bounded memory."""
        day, window = day_number(as_of, "as_of"), checked_window(window_days)
        return self._profiles(self._grouped.profiles(day, window))

    def customer(self, customer: Any, as_of: date | str | None = None) -> CustomerCard:
        """Return what is known of one customer, to look at in a terminal or a notebook.

        Nobody else's orders are read.

        Parameters
        ----------
        customer
            The id.
        as_of
            A day, as for :meth:`profile`; None: the day of the history's last order.

        Returns
        -------
        CustomerCard
            The profile and the orders as of the day.

        Raises
        ------
        ConfigError
            Where nobody has the id, it is of another kind than those of the history, or `as_of`
            is no day.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann", "bob"],
        ...     "ordered_at": [datetime.date(2026, 1, day) for day in (5, 19, 30)],
        ...     "amount": [20.0, 30.0, 9.0],
        ... })
        >>> card = oc.OrderHistory.build(orders).customer("ann")
        >>> card.profile["days_since_last_order"], card.orders["amount"].to_pylist()
        (11, [20.0, 30.0])
        >>> print(str(card).splitlines()[0])
        Customer 'ann' as of 2026-01-30
        """
        alone = customer_only(self._grouped, customer)
        day = alone.last_day if as_of is None else day_number(as_of, "as_of")
        (batch,) = alone.scan(lambda _, batch, __: batch)
        entries = shown_orders_array(batch, alone.spec).values
        profile = None
        if day is not None:
            entries = entries.slice(0, int(np.searchsorted(batch.days, day, side="right")))
            rows = OrderHistory(alone).profile(date_of(day)).to_pylist()
            profile = rows[0] if rows else None
        ids = IdReader.as_produced(batch.ids, alone.id_type)
        return CustomerCard(
            ids[0].as_py(),
            None if day is None else date_of(day),
            profile,
            pa.Table.from_batches([pa.RecordBatch.from_struct_array(entries)]),
            _amounts=(AMOUNT, *alone.spec.columns.values),
            _unread=hashed_keys(alone.spec.details),
        )

    def _profiles(self, builder: ProfileBuilder) -> Iterator[pa.RecordBatch]:
        return self._grouped.scan(lambda _, batch, workspace: builder.batch(batch, workspace))


def grouped_orders(history: OrderHistory) -> GroupedOrders:
    """Return what a history is made of: for whatever else computes from its customers."""
    return history._grouped  # noqa: SLF001 - of all that users do not see, the one way in
