"""The grouped history: built once, asked many things."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle.arrow_views import array_of
from ordercycle.batches import CustomerBatch
from ordercycle.build import ANONYMOUS, REFUNDS, UNKNOWN, Built, Policies, Progress, build
from ordercycle.columns import Columns, profile_schema
from ordercycle.days import day_number
from ordercycle.errors import ConfigError, check_choice, whole_number
from ordercycle.profile import Profiler
from ordercycle.readers import IdReader
from ordercycle.summary import HistorySummary
from ordercycle.workspace import Spare, Workers, thread_count
from ordercycle.zones import check_zone
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY, NO_DAY


class OrderHistory:
    """Orders grouped by customer: what every profile, segment and report is computed from.

    Made by :meth:`build`; immutable, and safe to use from several threads.
    """

    def __init__(self, built: Built) -> None:
        self._batches = built.batches
        self._summary = built.summary
        self._ids = built.ids
        self._amount = built.amount
        self._refunds = built.policies.refunds
        self._threads = built.threads
        # What the rows' hashes took: the first profile is written there, instead of to fresh
        # memory, which would take longer to touch than to fill, and raise the peak.
        self._spare: Spare | None = built.spare

    def __repr__(self) -> str:
        made = self._summary
        span = f", {made.first_day} to {made.last_day}" if made.first_day else ""
        return (
            f"OrderHistory({made.customers:,} customers, {made.orders:,} orders{span}, "
            f"{made.bytes / 1e6:,.1f} MB)"
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
        return cls(build(orders, customers, columns, policies, thread_count(threads), progress))

    def summary(self) -> HistorySummary:
        """Return what the history was built from: rows, orders, customers and what was dropped."""
        return self._summary

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
        order = pa.struct(
            [
                pa.field("ordered_on", pa.date32(), nullable=False),
                pa.field("amount", self._amount.produced, nullable=False),
            ]
        )
        schema = pa.schema(
            [
                pa.field("customer_id", self._id_type, nullable=False),
                pa.field("registered_on", pa.date32()),
                pa.field(
                    "orders", pa.large_list(pa.field("item", order, nullable=False)), nullable=False
                ),
            ]
        )
        for batch in self._batches:
            fields_of_orders = [
                array_of(batch.days, pa.date32()),
                array_of(self._amount_words(batch), self._amount.produced),
            ]
            lists = pa.Array.from_buffers(
                schema.field("orders").type,
                len(batch.ids),
                [None, pa.py_buffer(batch.offsets)],
                children=[pa.StructArray.from_arrays(fields_of_orders, fields=list(order))],
            )
            dated = batch.registered != NO_DAY
            registered = array_of(
                np.where(dated, batch.registered, np.int32(0)), pa.date32(), dated
            )
            ids = IdReader.as_produced(batch.ids, self._id_type)
            yield pa.RecordBatch.from_arrays([ids, registered, lists], schema=schema)

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
        last = self._summary.last_day
        last_day = day_number(last, "last_day") if last is not None else day
        with Workers(min(self._threads, max(1, len(self._batches)))) as workers:
            profiler = Profiler(
                as_of=day,
                after=after,
                last_day=last_day,
                schema=schema,
                amount=self._amount,
                net_refunds=self._refunds == "net",
                workspace=workers.workspace,
                spare=spare,
            )
            yield from workers.in_order(profiler.batch, self._batches)

    @property
    def _id_type(self) -> pa.DataType:
        return self._ids.produced(self._summary.customers)

    def _schema(self, window_days: int | None) -> pa.Schema:
        return profile_schema(self._id_type, self._amount.produced, _window(window_days))

    def _amount_words(self, batch: CustomerBatch) -> Any:
        lows, highs = batch.words
        if not self._amount.is_decimal:
            return lows
        return np.column_stack([lows, highs if highs.size else lows >> 63])


def _window(days: int | None) -> int | None:
    """Return the window, checked; one longer than all accepted years is as long as they are."""
    if days is None:
        return None
    number = whole_number(days)
    if number is None or number < 1:
        raise ConfigError(f"window_days={days!r}: pass a positive number of days, or None for all")
    return min(number, int(LAST_DAY - FIRST_DAY) + 1)
