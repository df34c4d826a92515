"""Events of customers, grouped once, and asked many things."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from typing import Any, NamedTuple, TypeVar, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._arrow_views import array_of
from ordercycle._days import date_of
from ordercycle._errors import counted, printable
from ordercycle._events.event_appending import append
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_build import build
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_options import EventArguments, EventOptions
from ordercycle._events.event_spec import EventSpec
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._history.detail_format import (
    INSTANTS,
    key_type,
    shown_arrays,
    shown_fields,
    shown_keys,
)
from ordercycle._history.forgetting import forget
from ordercycle._history.look_ups import customer_only
from ordercycle._history.options import Progress
from ordercycle._history.source_options import SourceOptions
from ordercycle._history.store import open_folder, save
from ordercycle._ingest.column_readers import IdReader
from ordercycle._public import public
from ordercycle._sources.file_formats import FileFormat
from ordercycle._workspace import thread_count

R = TypeVar("R")


@public()
@dataclass(frozen=True)
class EventSummary:
    """What a history of events was built from.

    Attributes
    ----------
    rows
        Rows of the table, all of them.
    events
        Events that are kept.
    customers
        Customers with events.
    repeated
        Events that came again with the same customer and id, taken once.
    anonymous
        Rows without a customer, dropped.
    nobody
        Rows with an id that means no customer, dropped.
    left_out
        Rows that do not count (`only`), not looked at.
    nulls
        By the names of values, how many events have none.
    unmatched
        By the names of attributes with a lookup, how many of their values have no row there.
    first_day, last_day
        Of the events; None where there are none.
    bytes
        What the history takes.
    forgotten
        Customers who were forgotten: numbers that mean nobody, among the customers.
    """

    rows: int
    events: int
    customers: int
    repeated: int
    anonymous: int
    nobody: int
    left_out: int
    nulls: dict[str, int]
    unmatched: dict[str, int]
    first_day: date | None
    last_day: date | None
    bytes: int
    forgotten: int = 0


class _Seen(NamedTuple):
    """What there is of the events of a history or a view, and the bytes that these take."""

    counts: EventCounts
    bytes: int

    def plus(self, other: _Seen) -> _Seen:
        """Return both together."""
        return _Seen(self.counts.plus(other.counts), self.bytes + other.bytes)


@public()
class EventHistory:
    """Events of one kind of stream, grouped by customer and in the order of their time.

    Made by :meth:`build`; immutable, and safe to use from several threads.
    """

    def __init__(self, stored: StoredEvents) -> None:
        self._stored = stored

    @classmethod
    def build(cls, events: Any, **options: Unpack[EventArguments]) -> EventHistory:
        """Group a table of events by customer.

        Parameters
        ----------
        events
            One row per event, from the same kinds of source as for :meth:`OrderHistory.build`.
        source
            Options as data, from :func:`source_from_dict`; those given beside it come first. It
            names no columns, as these are those of orders, and no options that only orders have.
        columns
            An :class:`EventColumns`: the columns to read; no other column is read.
        lookups
            Tables with further columns of an attribute's values, by the name of the attribute:
            each has a column of that name, without nulls and repetitions. Conditions read them as
            ``product.category``. Values without a row have null there and are counted.
        timezone
            The business time zone, an IANA name: on which day an instant falls.
        anonymous
            Rows without a customer are left out (``"drop"``) or refused (``"error"``).
        day_instants
            Whether a date stands for its first moment; otherwise dates have no instant.
        threads, memory_limit, spill_directory, progress
            As for :meth:`OrderHistory.build`.
        read, only, nobody, times_without_zone, filesystem
            As for :meth:`OrderHistory.build`.

        Returns
        -------
        EventHistory
            The same, to the bit, for any order of the rows, chunks and number of threads.

        Raises
        ------
        SourceError
            A source cannot be read, or does not exist.
        ColumnError
            A column is missing, or has a type that has no meaning here.
        DataError
            A time is null or outside the years 1900 to 2199, a value is NaN or infinite, a lookup
            has two rows for a value.
        ConfigError
            An option is not one of those above.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> visits = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "occurred_at": [datetime.datetime(2026, 1, day, 9) for day in (6, 5, 2)],
        ...     "page": ["coffee", "tea", "tea"],
        ... })
        >>> history = EventHistory.build(visits, columns=EventColumns(attributes=["page"]))
        >>> history
        EventHistory(2 customers, 3 events, 2026-01-02 to 2026-01-06, 0.0 MB)
        >>> history.where("page == 'tea'").summary().events
        2
        """
        checked = EventOptions.of(options)
        return cls(build(events, checked))

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, verify: bool = True, threads: int | None = None
    ) -> EventHistory:
        """Open a history that was saved, as :meth:`OrderHistory.open` does.

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
            The folder holds no history, one of orders, or one of another format; a file is missing,
            was cut off or has changed.
        """
        found = open_folder(StoredEvents, directory, verify=verify, threads=thread_count(threads))
        return cls(found)

    def save(self, directory: str | os.PathLike[str]) -> EventHistory:
        """Save the history to a folder of its own, as :meth:`OrderHistory.save` does.

        The folder also holds the values of attributes, and lookups, as Arrow IPC files.

        Parameters
        ----------
        directory
            A folder that is new, empty, or holds a saved history of events.

        Returns
        -------
        EventHistory
            The history as saved: appending to it extends the folder.

        Raises
        ------
        StorageError
            The folder holds other files, another process is writing there, or writing failed.
        ConfigError
            Where this is a view: save the history itself.

        Examples
        --------
        >>> import datetime, tempfile, pyarrow as pa
        >>> def visits(*days):
        ...     times = [datetime.datetime(2026, 1, day, 9) for day in days]
        ...     return pa.table({"customer_id": ["ann"] * len(days), "occurred_at": times})
        >>> folder = tempfile.mkdtemp()
        >>> saved = EventHistory.build(visits(5, 12)).save(folder)
        >>> EventHistory.open(folder).append(visits(19), batch="2026-01-19").summary().events
        3
        >>> EventHistory.open(folder).summary().last_day
        datetime.date(2026, 1, 19)
        """
        return EventHistory(save(self._stored.itself("saved"), directory))

    def append(
        self,
        events: Any,
        *,
        batch: str | None = None,
        repeated: str = "error",
        source: SourceOptions | None = None,
        read: FileFormat | None = None,
        filesystem: Any = None,
        progress: Progress | None = None,
    ) -> EventHistory:
        """Return the history with more events, as if built from all at once.

        Columns, time zone and all else that says what rows mean are those of the history. An event
        whose customer and id are there already is taken once, the first in the order of events.

        Parameters
        ----------
        events
            As for :meth:`build`; values have the types of the history, and text is read in them.
        batch
            A name for what arrives, so that it is not taken twice.
        repeated
            What to do where the history has a batch of that name: ``"error"``, or ``"skip"`` to
            return the history as it is.
        source, read, filesystem, progress
            As for :meth:`build`. What a source says of rows has to be what the history was built
            with.

        Returns
        -------
        EventHistory
            Equal to one built from all events. This one stays as it was.

        Raises
        ------
        DataError
            As for :meth:`build`; also where the batch is there already, or a value does not fit the
            type that it has in the history.
        ColumnError
            Where a column is of another type than in the history.
        ConfigError
            Where this is a view: append to the history itself. Where a source contradicts the
            history.
        StorageError
            Where the folder was changed since the history was opened, or cannot be written.
        """
        stored = self._stored.itself("appended to")
        reading = {
            "source": source,
            "read": read,
            "filesystem": filesystem,
            "progress": progress,
        }
        extended = append(stored, events, batch=batch, repeated=repeated, reading=reading)
        return self if extended is stored else EventHistory(extended)

    def forget(self, ids: Iterable[Any], *, key: bytes | None = None) -> EventHistory:
        """Return the history with customers who are nobody any more.

        Their events stay, so that sums of all customers are as before, under a number that means
        nobody; metrics of customers leave them out. Of one key, id and type the number is
        always the same: that of :meth:`OrderHistory.forget` too, so that events
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
        EventHistory
            This one stays as it was, but for its files. What arrives later under an id that was
            forgotten is of a new customer. Attributes and ids of events stay as they are.

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
        >>> history = EventHistory.build(pa.table({
        ...     "customer_id": ["ann", "bob"],
        ...     "occurred_at": [datetime.datetime(2026, 1, 5), datetime.datetime(2026, 1, 6)],
        ... }))
        >>> after = history.forget(["ann"])
        >>> after.summary().events, after.summary().forgotten
        (2, 1)
        """
        grouped = self._stored.itself("changed")
        made = forget(grouped, ids, key)
        return self if made is grouped else EventHistory(made)

    def __repr__(self) -> str:
        counts, size = self._seen
        span = "" if counts.first_day is None else f", {_date(counts.first_day)} to "
        span += "" if counts.last_day is None else str(_date(counts.last_day))
        views = self._stored.said_of_views
        folder = self._stored.folder
        where = f", in {str(folder.path)!r}" if folder else ""
        return printable(
            f"{type(self).__name__}({counted(counts.customers, 'customer')}, "
            f"{counted(counts.events, 'event')}{span}{views}, {size / 1e6:,.1f} MB{where})"
        )

    @cached_property
    def _seen(self) -> _Seen:
        """What was counted when the history was built; of a view, what is counted now."""
        stored = self._stored
        if not stored.views:
            return _Seen(stored.counts, stored.nbytes)
        found = stored.scan(lambda _, batch, __: _Seen(EventCounts.of(batch), batch.nbytes))
        return reduce(_Seen.plus, found, _Seen(EventCounts(), 0))

    def summary(self) -> EventSummary:
        """Return what was read, and how much of it there is."""
        stored, tally, counts = self._stored, self._stored.tally, self._seen.counts
        return EventSummary(
            rows=tally.rows,
            events=counts.events,
            customers=counts.customers,
            repeated=stored.counts.repeated,
            anonymous=tally.anonymous,
            nobody=tally.nobody,
            left_out=tally.left_out,
            nulls={name: counts.nulls.get(name, 0) for name in stored.spec.details.values},
            unmatched=self._unmatched,
            first_day=_date(counts.first_day),
            last_day=_date(counts.last_day),
            bytes=self._seen.bytes,
            forgotten=len(stored.forgotten),
        )

    @cached_property
    def _unmatched(self) -> dict[str, int]:
        """By the names of attributes with a lookup, how many of their values are not in it."""
        stored = self._stored
        codes = stored.spec.details.attributes.unmatched_codes()
        if stored.views or stored.counts.repeated:  # some values may be those of no event
            wanted = [name for name, unmatched in codes.items() if unmatched]
            used = (
                list(stored.scan(lambda _, batch, __: _codes_of(batch, wanted))) if wanted else []
            )
            for name in wanted:
                codes[name] &= set().union(*(one[name] for one in used))
        return {name: len(unmatched) for name, unmatched in codes.items()}

    def where(self, condition: str | pc.Expression, *, missing: str = "error") -> EventHistory:
        """Return a view of the events that satisfy a condition.

        Parameters
        ----------
        condition
            Over the attributes, the columns of their lookups and the values, in the language of
            :class:`Rules`: ``"kind == 'click' and campaign.type != 'transactional'"``.
        missing
            ``"error"`` refuses a text that no value equals, as it may be a typo; ``"empty"`` takes
            it as it is.

        Returns
        -------
        EventHistory
            The view: nothing is copied, and views of views hold all their conditions.

        Raises
        ------
        ConfigError
            The condition is none, or compares with a text that no value equals.
        ColumnError
            A column is not there.
        """
        return EventHistory(self._stored.where(condition, missing))

    def with_lookups(self, lookups: Mapping[str, Any]) -> EventHistory:
        """Return the history with other lookups for the attributes that are named."""
        stored = self._stored
        return EventHistory(stored.in_format(EventFormat(stored.spec.with_lookups(lookups))))

    def customer(self, customer: Any) -> pa.Table:
        """Return the events of one customer, in their order; nobody else's are read.

        Parameters
        ----------
        customer
            The id.

        Returns
        -------
        pyarrow.Table
            A row for each event, with the fields that ``events`` have in :meth:`to_batches`. Of a
            view, the events that it has.

        Raises
        ------
        ConfigError
            Where nobody has the id, or it is of another kind than those of the history.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> visits = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "occurred_at": [datetime.date(2026, 1, day) for day in (9, 7, 5)],
        ...     "page": ["tea", "tea", "coffee"],
        ... })
        >>> history = EventHistory.build(visits, columns=EventColumns(attributes=("page",)))
        >>> for row in history.customer("ann").to_pylist():
        ...     print(row["occurred_at"], row["page"])
        2026-01-05 coffee
        2026-01-09 tea
        """
        alone = EventHistory(customer_only(self._stored, customer))
        batches = [
            pa.RecordBatch.from_struct_array(batch.column("events").values)
            for batch in alone.to_batches()
        ]
        return pa.Table.from_batches(batches)

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the history itself.

        Yields
        ------
        pyarrow.RecordBatch
            The customer column, and ``events``: large_list of struct, whose fields are named as the
            columns: the time first (timestamp[us, UTC], or date32 where there are no instants),
            then the id, attributes (dictionaries in the order of their values), keys and values.
            Customers ascend by hash, events by time and then by all else.
        """
        spec = self._stored.spec
        fields = _fields(spec)
        events = pa.large_list(pa.field("item", pa.struct(fields), nullable=False))
        id_type = self._stored.id_type
        schema = pa.schema(
            [
                pa.field(spec.columns.customer, id_type, nullable=False),
                pa.field("events", events, nullable=False),
            ]
        )
        for batch in self._stored.scan(lambda _, batch, __: batch):
            items = pa.StructArray.from_arrays(_arrays(batch, spec), fields=fields)
            buffers = [None, pa.py_buffer(np.ascontiguousarray(batch.offsets))]
            lists = pa.Array.from_buffers(events, len(batch.ids), buffers, children=[items])
            ids = IdReader.as_produced(batch.ids, id_type)
            yield pa.RecordBatch.from_arrays([ids, lists], schema=schema)


def stored_events(history: EventHistory) -> StoredEvents:
    """Return what a history is made of: for whatever else computes from its events."""
    return history._stored  # noqa: SLF001 - of all that users do not see, the one way in


def _date(day: int | None) -> date | None:
    return None if day is None else date_of(day)


def _codes_of(batch: CustomerEvents, attributes: Iterable[str]) -> dict[str, set[int]]:
    """Return the codes that the events of a batch have."""
    return {
        name: set(np.flatnonzero(np.bincount(batch.codes[name])).tolist()) for name in attributes
    }


def _fields(spec: EventSpec) -> list[pa.Field]:
    columns, details = spec.columns, spec.details
    time = INSTANTS if details.payload.has_instants else pa.date32()
    fields = [pa.field(columns.time, time, nullable=False)]
    if columns.id is not None and details.event_id is not None:
        fields.append(pa.field(columns.id, key_type(details.event_id)))
    return fields + shown_fields(details)


def _arrays(batch: CustomerEvents, spec: EventSpec) -> list[pa.Array]:
    """Return the fields of a batch's events."""
    times = batch.days if batch.instants is None else batch.instants
    arrays = [array_of(times, _fields(spec)[0].type)]
    event_ids, reader = batch.details.event_ids, spec.details.event_id
    if event_ids is not None and reader is not None:
        arrays.append(shown_keys(event_ids, reader))
    return arrays + shown_arrays(batch.details, spec.details)
