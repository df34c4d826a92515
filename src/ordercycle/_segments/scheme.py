"""What every segmentation scheme is: the base class, and what it does for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._features.streams import streams_of
from ordercycle._history.look_ups import customer_only
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.column_readers import IdReader
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Schedule
from ordercycle._public import public
from ordercycle._segments.assigning import (
    Produced,
    codes_of,
    refuse_absent,
    refuse_taken,
    worked,
)
from ordercycle._segments.customer_features import MISSING, StreamsAsOf
from ordercycle._segments.explaining import (
    EXACT,
    NOT_THERE,
    RECALCULATED,
    Explanation,
    Reason,
    streams_alone,
)
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.next_transition import LookAhead, next_segments
from ordercycle._segments.other_days import Days, OneCustomer, StreamsOnDays, events_of
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.recalculation import Assigning, ProfileOf, Steps, recalculated
from ordercycle._segments.transitions import transitions

S = TypeVar("S", bound="Scheme")


@public()
class Scheme(Fittable):
    """A rule that gives the customers of a profile segments: the base class of all schemes.

    Schemes are frozen, and equal where their options are. A scheme of one's own is a subclass with
    a `name`, its `segments` and :meth:`decide`; its options are parameters of its constructor,
    which keeps them under their names, as a frozen dataclass does. Everything else follows:
    :meth:`assign` by several threads, :meth:`membership` on a schedule, :meth:`to_dict`, its view
    in notebooks, and after :func:`register_scheme` also :func:`scheme_from_dict`, TOML files and
    the command line. What a scheme can do, it declares in the attributes below.

    Attributes
    ----------
    kind
        The word for it in dicts, in TOML files and on the command line; that of the class where
        its `name` is text.
    fitted_to
        ``"profile"`` or ``"history"`` where it has a :meth:`fit`, else None.
    recalculates
        Whether memberships come from profiles as of the days of a schedule; else they are exact.
    foretells
        Whether time alone changes its segments, so that there is a :meth:`next_transition`.
    column_option
        The option that names the column that it adds; None: this is always `name`.
    command_options
        Its options on the command line (:class:`SchemeOption`).
    features
        Columns that it computes of streams of events and adds beside its own, by name.
    account
        What it was fitted from, with ``origin`` (a few words) and a text; None where it was not.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import pyarrow as pa, pyarrow.compute as pc
    >>> @dataclass(frozen=True)
    ... class Spenders(Scheme):
    ...     big_revenue: float = 100.0
    ...
    ...     name = "spenders"
    ...     segments = ("Big", "Small")
    ...     reads = ("revenue",)
    ...
    ...     def decide(self, rows):
    ...         is_big = pc.greater_equal(rows["revenue"], self.big_revenue)
    ...         return pc.if_else(is_big, "Big", "Small")
    >>> table = pa.table({"customer_id": ["ann", "bob"], "revenue": [250.0, 12.5]})
    >>> Spenders().assign(table)["spenders"].to_pylist()
    ['Big', 'Small']
    >>> Spenders(big_revenue=10.0).to_dict()
    {'scheme': 'spenders', 'big_revenue': 10.0}
    """

    recalculates: ClassVar[bool] = True
    foretells: ClassVar[bool] = False
    column_option: ClassVar[str | None] = None
    features: Mapping[str, str] = MappingProxyType({})

    @property
    @abstractmethod
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes; 127 at most."""

    @property
    def reads_streams(self) -> tuple[str, ...]:
        """The names of the streams of events that it reads, beside a profile."""
        return ()

    @property
    def refits(self) -> bool:
        """Whether each recalculation of a membership fits it again, to all customers.

        By default where it is fitted to profiles; with False, it keeps the numbers that it has.
        """
        return self.recalculates and self.fitted_to == "profile"

    def decide(self, rows: pa.Table) -> Any:
        """Return the segment of each customer: what a scheme of one's own overrides.

        Parameters
        ----------
        rows
            Some customers of a profile, with the columns of `reads` or all: threads take a slice
            each. There may be none.

        Returns
        -------
        pyarrow.Array, pyarrow.ChunkedArray or a sequence
            A name of `segments` for each row, null (None) where a customer has none; strings, or a
            dictionary of them.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither decide nor assign")

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Return a profile with the scheme's column; one without rows shows its type.

        Parameters
        ----------
        table
            A profile, or any table with the columns that are read; from any source that
            :meth:`OrderHistory.build` takes.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with a column `name`: dictionary<int8, string>, codes in the order of
            `segments`, null for customers without a segment.

        Raises
        ------
        ColumnError
            Where a column is missing, or the one to add is there already.
        ConfigError
            Where the scheme is not fitted, or decides for a segment that it does not have.
        """
        if not self.is_fitted:
            raise ConfigError(
                f"{self!r} is not fitted", remedy="call .fit, which returns the fitted scheme"
            )
        table = as_table(table)
        produced = Produced.of(self.name, self.segments)
        refuse_taken(table, [produced])
        read = table
        if self.reads is not None:
            refuse_absent(table, self.reads)
            read = table.select(list(self.reads))
        codes = np.empty(table.num_rows, np.int8)

        def write(task: tuple[int, pa.Table]) -> None:
            start, rows = task
            codes[start : start + rows.num_rows] = codes_of(
                self.decide(rows), self.segments, rows.num_rows, self.name
            )

        if not table.num_rows:
            write((0, read))  # so that what is wrong with its columns shows
        for _ in worked(write, read, threads=threads):
            pass
        return table.append_column(produced.field, produced.column(codes))

    def transitions(self, before: Any, after: Any) -> pa.Table:
        """Return who entered, left or moved between two profiles.

        Parameters
        ----------
        before, after
            Profiles, as for :meth:`assign`.

        Returns
        -------
        pyarrow.Table
            ``customer_id``, ``from_segment``, ``to_segment``: what :func:`transitions` says of
            both, assigned by the scheme.

        Raises
        ------
        ColumnError, DataError, ConfigError
            As for :meth:`assign`.
        """
        return transitions(self.assign(before), self.assign(after), self.name)

    def next_transition(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's next segment if nothing more is bought, and from which day on.

        Parameters
        ----------
        table
            A profile, with or without segments: the columns that ``assign`` reads, and
            ``registered_on`` (date32) and ``days_since_registration`` (int32), whose sum is the
            profile's day. From any source, as for ``assign``.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with ``next_segment``: dictionary<int8, string>, codes in the order of
            ``segments``, and ``next_segment_on``: date32, the first day on which ``assign`` would
            give that segment instead of the present one. Both are null for customers who stay
            where they are for good, or until after 2199, the last year there is.

        Raises
        ------
        ColumnError, DataError, ConfigError
            As for ``assign``; also where the columns added are there already, the day is null, or
            time alone changes no segment of the scheme (`foretells` is False).

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann"], "ordered_at": [datetime.date(2026, 1, 1)], "amount": [9.0],
        ... })
        >>> profile = oc.OrderHistory.build(orders).profile("2026-02-15")
        >>> lifecycle = oc.Lifecycle()
        >>> row = lifecycle.next_transition(lifecycle.assign(profile)).to_pylist()[0]
        >>> row["lifecycle"], row["next_segment"], str(row["next_segment_on"])
        ('Promising', 'At-risk', '2026-05-02')
        """
        return next_segments(table, self.segments, self._look_ahead, threads=threads)

    def membership(
        self,
        history: OrderHistory,
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        every: str | None = None,
        window_days: int | None = None,
        schemes: Sequence[Scheme] = (),
        streams: Mapping[str, Any] | None = None,
        missing: str = "error",
    ) -> Membership:
        """Return who was in which segment, and when, recalculated on a schedule.

        The segments are those of the profile as of the last day of every day, ISO week or
        calendar month, which is what is known when the next one begins. They hold from this day
        until the next recalculation. Scores of RFM are fitted again each time, unless their cuts
        were given by hand; rules stay as they are.

        Parameters
        ----------
        history
            The orders.
        start
            The first day: what was calculated last before it holds on it. None: the day of the
            first order, which no calculation comes before.
        end
            The last day, as of which the membership is known: what it then is stays open. None:
            the day of the last order.
        every
            ``"day"``, ``"week"`` (as of Sundays) or ``"month"`` (as of the last days of months);
            None: every month.
        window_days
            Profiles keep only the orders of so many days, as in :meth:`OrderHistory.profile`.
        schemes
            Schemes assigned beforehand, in this order, where conditions read their columns; those
            that are recalculated are so like this one, others have to be fitted.
        streams
            Histories by the names that the rules' features have for them; None: no scheme reads
            any. What rules know on a day are the events up to it.
        missing
            What becomes of a text that the rules' features compare with a column of a stream that
            has no such value: ``"error"``, or ``"empty"``: nothing equals it.

        Returns
        -------
        Membership
            For each customer, intervals of which no two that touch have the same segment; gaps
            where a customer has no segment, or there is nobody to fit to.

        Raises
        ------
        ConfigError
            Where `start` or `end` is no day, `start` is after `end`, a stream is missing that a
            scheme reads, or an option makes no sense or means nothing for the scheme.
        ColumnError
            Where a condition has a column that a profile does not have.

        Notes
        -----
        Each recalculation takes a profile of the history, and where something is fitted one more:
        with a hundred million orders, a few seconds on two cores.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> days = [datetime.date(2025, 1, 20), datetime.date(2025, 2, 10)]
        >>> orders = {"customer_id": ["ann"] * 2, "ordered_at": days, "amount": [20.0, 30.0]}
        >>> history = oc.OrderHistory.build(pa.table(orders))
        >>> rules = oc.Rules({"Spender": "revenue >= 50"})
        >>> membership = rules.membership(history, end="2025-04-15")
        >>> for row in membership.to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        Other 2025-01-31 2025-02-28
        Spender 2025-02-28 None
        """
        if not any(scheme.reads_streams for scheme in (*schemes, self)):
            self._refuse_meaningless(streams=streams, missing=missing)
        check_choice("missing", missing, MISSING)
        there = streams_of({} if streams is None else streams)
        schedule = Schedule.of(history, start, end, "month" if every is None else every)

        def as_of(scheme: Scheme, day: int) -> Assigning:
            return assigning(scheme, StreamsAsOf(there, day, missing))

        steps = Steps(_refit, as_of)
        return recalculated(history, schedule, window_days, (*schemes, self), steps)

    def explain(
        self,
        history: OrderHistory,
        customer: Any,
        as_of: date | str,
        *,
        window_days: int | None = None,
        schemes: Sequence[Scheme] = (),
        streams: Mapping[str, Any] | None = None,
        missing: str = "error",
    ) -> Explanation:
        """Return why a customer is in a segment: since when, by which numbers, until when.

        The numbers that were fitted stay as they are, and nobody else's orders are read: of a saved
        history, it takes milliseconds.

        Parameters
        ----------
        history
            The orders.
        customer
            The id.
        as_of
            The day: a date or text like ``"2026-11-01"``.
        window_days
            The profile keeps only the orders of so many days, as in :meth:`OrderHistory.profile`.
        schemes
            Schemes assigned beforehand, in this order, where conditions read their columns.
        streams, missing
            Histories by the names that the rules' features have for them, and what becomes of texts
            that no value in them equals, as in :meth:`membership`.

        Returns
        -------
        Explanation
            Printed, it is a few lines; :meth:`Explanation.to_dict` has them as data. A customer
            who is not there yet on the day has no segment.

        Raises
        ------
        ConfigError
            Where nobody has the id, a scheme is not fitted, a stream is missing, `as_of` is no day,
            or an option means nothing for the scheme.
        ColumnError, DataError
            As for :meth:`assign`.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> days = [datetime.date(2025, 12, day) for day in (3, 17)]
        >>> orders = {"customer_id": ["ann"] * 2, "ordered_at": days, "amount": [20.0, 30.0]}
        >>> history = oc.OrderHistory.build(pa.table(orders))
        >>> found = oc.Lifecycle().explain(history, "ann", "2026-02-15")
        >>> found.segment, str(found.since), str(found.until), found.next_segment
        ('Active', '2026-01-03', '2026-04-17', 'At-risk')
        >>> found.rule
        'registered more than 30 days ago, 2 orders, the last one at most 120 days ago'
        >>> found.numbers
        {'days_since_registration': 74, 'orders': 2, 'days_since_last_order': 60}
        """
        question = _Question(history, customer, as_of, window_days)
        return _explained(self, question, schemes, streams, missing)

    def _reason(
        self,
        table: pa.Table,
        segment: str | None,  # noqa: ARG002 - see below
        source: StreamsAsOf | None,  # noqa: ARG002
    ) -> Reason:
        """Return why the customer of a table of one row has a segment, or none."""
        read = table.column_names if self.reads is None else self.reads
        row = table.select(list(read)).to_pylist()[0]
        return Reason(f"{type(self).__name__} decides by these columns", row)

    def _in_words(self) -> Mapping[str, str]:
        """Return what the customers of segments have in common, where the scheme can say it."""
        return {}

    def _refitted(self, profile_of: ProfileOf) -> Self | None:
        """Return the scheme fitted to a profile, or None where nobody is there to fit to."""
        table = profile_of(lambda name: self.reads is None or name in self.reads)
        return self.fit(table) if table.num_rows else None

    def _assigning(self, source: StreamsAsOf | None) -> Assigning:  # noqa: ARG002 - see below
        """Return what assigns the scheme, with streams as of a day where it reads any.

        Called with a profile or a part of one, and a number of threads; all that can be checked
        before is.
        """
        return lambda table, threads: self.assign(table, threads=threads)

    def _look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:  # noqa: ARG002 - see below
        """Return the columns that decide, checked, and what decides their next segments."""
        raise ConfigError(
            f"time alone changes no segment of {self!r}, so there is no next one to foretell",
            remedy="take a scheme that foretells, such as Lifecycle or Cadence",
        )

    def _findings(
        self,
        counts: Mapping[str | None, int],  # noqa: ARG002 - of schemes that look at themselves
        pieces: Callable[[], Iterable[pa.Table]],  # noqa: ARG002
        source: StreamsAsOf | None,  # noqa: ARG002
    ) -> Iterator[str]:
        """Yield what users should know of segments of these sizes.

        pieces: of the profile; source: as for `_assigning`.
        """
        yield from ()

    def _refuse_meaningless(self, **given: Any) -> None:
        """Raise a ConfigError for options of `membership` that mean nothing for the scheme."""
        for name, value in given.items():
            if value is None or (name, value) == ("missing", "error"):
                continue
            if name == "schemes" and not value:
                continue
            why = "whose memberships are exact, not recalculated on a schedule"
            if name in ("streams", "as_of", "missing"):
                why = "which reads no streams"
            raise ConfigError(
                (Option(name), f" means nothing for {type(self).__name__}, {why}"),
                remedy="leave it out",
            )


def findings(
    scheme: Scheme,
    counts: Mapping[str | None, int],
    pieces: Callable[[], Iterable[pa.Table]],
    source: StreamsAsOf | None = None,
) -> Iterator[str]:
    """Yield what users should know of a scheme after it was assigned to the pieces of a profile."""
    return scheme._findings(counts, pieces, source)  # noqa: SLF001 - for subclasses to override


def in_words(scheme: Scheme) -> Mapping[str, str]:
    """Return what the customers of segments have in common, where the scheme can say it."""
    return scheme._in_words()  # noqa: SLF001 - for subclasses to override


def assigning(scheme: Scheme, source: StreamsAsOf | None) -> Assigning:
    """Return what assigns a scheme to the pieces of a profile, with streams as of its day."""
    return scheme._assigning(source)  # noqa: SLF001 - for subclasses to override, not to call


def _refit(scheme: Scheme, profile_of: ProfileOf, day: int) -> Scheme | None:  # noqa: ARG001
    return scheme._refitted(profile_of)  # noqa: SLF001 - for subclasses to override, not to call


def refitted(scheme: S, profile: pa.Table) -> S | None:
    """Return a scheme fitted to a profile again, or None where nobody is there to fit it to."""
    return scheme._refitted(lambda _: profile)  # noqa: SLF001 - for subclasses to override


def membership_with(
    history: OrderHistory,
    schedule: Schedule,
    schemes: Sequence[Scheme],
    fits: Mapping[tuple[str, int], Scheme | None],
    window_days: int | None = None,
    streams: Mapping[str, Any] | None = None,
) -> Membership:
    """Return the membership of the last of some schemes, each assigned after those before it.

    fits: those that are fitted again, as they were fitted elsewhere, by their names and the day;
    None where nobody was there to fit them to; window_days: of profiles; streams: that schemes
    read, of which others may have texts that are compared.
    """
    there = streams_of({} if streams is None else streams)

    def refit(scheme: Scheme, _: ProfileOf, day: int) -> Scheme | None:
        return fits[scheme.name, day]

    steps = Steps(refit, lambda scheme, day: assigning(scheme, StreamsAsOf(there, day, "empty")))
    return recalculated(history, schedule, window_days, schemes, steps)


class _Question(NamedTuple):
    """Whose segment is to be explained, as of which day."""

    history: OrderHistory
    customer: Any
    as_of: date | str
    window_days: int | None


def _explained(
    scheme: Scheme,
    question: _Question,
    schemes: Sequence[Scheme],
    streams: Mapping[str, Any] | None,
    missing: str,
) -> Explanation:
    """Return why a customer is in a segment: Scheme.explain."""
    read_streams = any(one.reads_streams for one in (*schemes, scheme))
    if not read_streams:
        scheme._refuse_meaningless(streams=streams, missing=missing)  # noqa: SLF001 - see above
    check_choice("missing", missing, MISSING)
    history, customer, as_of, window_days = question
    day = day_number(as_of, "as_of")
    alone = customer_only(grouped_orders(history), customer)
    there = streams_of(streams_alone(streams or {}, customer) if read_streams else {})

    def assigned(table: pa.Table, several: Sequence[Scheme], source: StreamsAsOf) -> pa.Table:
        for one in several:
            table = assigning(one, source)(table, 1)
        return table

    def segments_of(table: pa.Table, days: Days) -> list[str | None]:
        source = StreamsOnDays(there, day, missing, days=days)
        column = assigned(table, (*schemes, scheme), source).column(scheme.name)
        return list(column.cast(pa.string()).to_pylist())

    source = StreamsAsOf(there, day, missing)
    profile = OrderHistory(alone).profile(date_of(day), window_days)
    before = assigned(profile, schemes, source)
    column = assigned(before, (scheme,), source).column(scheme.name)
    (segment,) = column.cast(pa.string()).to_pylist() or [None]
    (batch,) = alone.scan(lambda _, batch, __: batch)
    made = Explanation(
        customer_id=IdReader.as_produced(batch.ids, alone.id_type)[0].as_py(),
        as_of=date_of(day),
        scheme=scheme.name,
        segment=segment,
        since=None,
        since_means=NOT_THERE,
        rule="not there yet on this day",
        numbers={},
    )
    if not profile.num_rows:
        return made
    reason = scheme._reason(before, segment, source)  # noqa: SLF001 - for subclasses to override
    made = replace(made, rule=reason.rule, numbers=reason.numbers)
    there_then = OneCustomer(alone, day, events_of(there), window_days, segments_of)
    if _is_in_closed_form(scheme) and window_days is None:
        intervals = scheme.membership(OrderHistory(alone), end=date_of(day)).to_table()
        since = _entered(intervals, date_of(int(batch.visible[0])))
    else:
        since = date_of(there_then.unchanged_since(segment))
    means = RECALCULATED if scheme.recalculates else EXACT
    made = replace(made, since=since, since_means=means)
    if scheme.foretells:
        row = scheme.next_transition(before).to_pylist()[0]
        return replace(made, until=row["next_segment_on"], next_segment=row["next_segment"])
    changes = there_then.changes_next(segment)
    if changes is None:
        return made
    return replace(made, until=date_of(changes.day), next_segment=changes.segment)


def _is_in_closed_form(scheme: Scheme) -> bool:
    """Whether the memberships of a scheme are computed from orders, and not day by day."""
    return not scheme.recalculates and type(scheme).membership is not Scheme.membership


def _entered(intervals: pa.Table, visible: date) -> date:
    """Return since when one customer is where the intervals leave off, in no segment included."""
    if not intervals.num_rows:
        return visible
    last = max(intervals.to_pylist(), key=lambda row: row["valid_from"])
    since: date = last["valid_to"] or last["valid_from"]
    return since
