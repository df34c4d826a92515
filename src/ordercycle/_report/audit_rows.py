"""The rows behind the numbers of a report: what counting adds, listed one by one.

What is of orders, messages or points is listed as the facts that are counted. What is about
customers is counted for each of them alone, by the counting itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, rows_of
from ordercycle._days import number_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_format import order_ids_of
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._membership.membership import intervals_of
from ordercycle._membership.timeline import Timeline
from ordercycle._months import Months, Period
from ordercycle._report.blocks import Key
from ordercycle._report.counting import ReportScan, as_states
from ordercycle._report.cube import Cube
from ordercycle._report.deliveries import Linker
from ordercycle._report.facts import Facts, SeenOrders, Situation, are_there
from ordercycle._report.loyalty import VALUE
from ordercycle._report.metric_values import Figures, Grain
from ordercycle._report.order_facts import FactReader
from ordercycle._report.quantities import (
    AWARDED,
    BASE,
    DISCOUNT,
    DURING,
    KNOWN,
    LAST_MONTH,
    MEMBERS,
    MONEY,
    POINTS,
    REDEEMED,
    SHARES,
    SO_FAR,
    SUBSCRIBED,
    Quantity,
    base_quantities,
    derived_of,
)
from ordercycle._report.report_spec import Plan
from ordercycle._report.sources import MESSAGE_BLOCKS, VISIT_BLOCKS, View
from ordercycle._report.visits import VisitReader
from ordercycle._streams.columns import Words, arrow_values
from ordercycle._workspace import Workspace
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.timeline import OPEN

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]

#: Customers who are counted one by one at once, and integers of their cells, at most.
MOST_CUSTOMERS, MOST_CELLS = 2**12, 2**22
#: The number of what is no key of a block: no fact has it.
NO_KEY = -2
#: Before all days.
LONG_AGO = np.int32(-(2**31) + 1)


class Listed(NamedTuple):
    """Rows of a quantity: (k,) each.

    owners: places of customers in their batch; days: None for what is of no day; entries: of
    orders, None where it is about something else.
    """

    owners: Int64s
    days: Int32s | None
    entries: Int64s | None
    values: pa.Array

    def take(self, kept: NDArray[Any]) -> Listed:
        """Return some of the rows: listed, or marked by a mask."""
        rows = np.flatnonzero(kept) if kept.dtype == np.bool_ else kept
        return Listed(
            self.owners[rows],
            None if self.days is None else self.days[rows],
            None if self.entries is None else self.entries[rows],
            self.values.take(rows_of(rows)),
        )


@dataclass(frozen=True)
class Figure:
    """A number of a report: of a row of it, some months, a view and a channel, type or campaign.

    figures: from which it is read; until: as for `FactReader`.
    """

    figures: Figures
    row: int
    period: Period
    view: View
    grain: Grain | None
    until: int | None

    @property
    def last_day(self) -> int:
        """The last day that counts."""
        return number_of(self.period.last_day)

    @property
    def last_month(self) -> Period:
        """The last month of its period, up to its last day."""
        months = self.period.months
        return Period(Months(months.last, months.last), self.period.last_day)

    def total(self, name: str) -> int:
        """Return a quantity."""
        return self.figures.quantity(name, self.period.months, self.view, self.grain)[self.row]

    def terms(self, names: Sequence[str]) -> Iterator[Term]:
        """Yield what is listed for a product of quantities, and how often each row counts.

        The first factor is listed, the others are numbers. What follows from products is listed
        by its terms.
        """
        first, *others = names
        times = 1
        for name in others:
            times *= self.total(name)
        derived = derived_of(first)
        if derived is None or self._is_listed(first):
            yield Term(first, times)
            return
        for sign, factors in derived.terms:
            for term in self.terms(factors):
                yield Term(term.name, sign * times * term.times)

    def bases(self, name: str) -> tuple[Quantity, ...]:
        """Return the quantities that one is or follows from."""
        return base_quantities(name, self.figures.catalogue.quantity)

    def is_of_customers(self, name: str) -> bool:
        """Whether a quantity is about customers one by one, and not about what they did."""
        return any(one.of_customers for one in self.bases(name))

    def is_of_orders(self, name: str) -> bool:
        """Whether the rows of a quantity are orders."""
        of_others = (*MESSAGE_BLOCKS, *VISIT_BLOCKS, AWARDED, REDEEMED)
        return not self.is_of_customers(name) and self.bases(name)[0].block not in of_others

    def _is_listed(self, name: str) -> bool:
        derived = derived_of(name)
        is_sum = derived is not None and all(len(factors) == 1 for _, factors in derived.terms)
        return is_sum or self.is_of_customers(name)


class Term(NamedTuple):
    """A quantity that is listed, and how often each of its rows counts."""

    name: str
    times: int


@dataclass(frozen=True)
class RowScan:
    """The walk over the streams of a report that lists the rows of one of its numbers."""

    scan: ReportScan
    figure: Figure
    term: Term

    @property
    def value_type(self) -> pa.DataType:
        """The type of values: that of amounts, discounts or points, or whole numbers."""
        sources, kind = self.scan.sources, self.figure.bases(self.term.name)[0].unit
        if kind == MONEY and sources.orders.spec.revenue is not None:
            return sources.orders.spec.revenue
        if kind == DISCOUNT and sources.discount is not None:
            return AmountReader(sources.discount).produced
        if kind == POINTS and sources.points is not None:
            return AmountReader(sources.points.columns.values[VALUE]).produced
        return pa.int64()

    @property
    def unit(self) -> int:
        """How many of a value make one."""
        sources, kind = self.scan.sources, self.figure.bases(self.term.name)[0].unit
        is_share = kind == SHARES and sources.touched is not None
        return sources.touched.share_unit if is_share and sources.touched is not None else 1

    @property
    def order_type(self) -> pa.DataType | None:
        """The type of ids of orders; None where rows are no orders, or have no ids."""
        spec = self.scan.sources.orders.spec
        reader = spec.order_ids
        if reader is None or not self.figure.is_of_orders(self.term.name):
            return None
        return reader.plain if reader.is_integer or spec.has_order_ids else None

    @property
    def is_of_visits(self) -> bool:
        """Whether rows are visits, of people who are no customers."""
        return self.figure.bases(self.term.name)[0].block in VISIT_BLOCKS

    @property
    def id_type(self) -> pa.DataType:
        """The type of the ids of those whom rows are of."""
        touched = self.scan.sources.touched
        if self.is_of_visits and touched is not None:
            return touched.scan.touches.id_type
        return self.scan.sources.orders.id_type

    def rows(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows batch by batch, customers in ascending order of their hash."""

        def work(there: Situation, workspace: Workspace) -> pa.RecordBatch:
            return self._batch(there, BatchRows.of(self, there, workspace).listed(), schema)

        known_only = self.term.name.endswith(KNOWN)
        for batch in self.scan.scan(work, known_only=known_only):
            if batch.num_rows:
                yield batch

    def _batch(self, there: Situation, found: Listed, schema: pa.Schema) -> pa.RecordBatch:
        batch, size = there.batch, found.owners.size
        people = there.met.touches if self.is_of_visits and there.met is not None else batch
        ids = IdReader.as_produced(people.ids, schema.field("customer_id").type)
        days = pa.nulls(size, pa.date32())
        if found.days is not None:
            days = array_of(found.days.astype(np.int32), pa.date32())
        arrays = [ids.take(rows_of(found.owners))]
        reader = self.scan.sources.orders.spec.order_ids
        if "order" in schema.names and reader is not None and found.entries is not None:
            own = order_ids_of(batch, reader).take(rows_of(found.entries))
            arrays.append(own.cast(schema.field("order").type))
        arrays += [days, found.values]
        if "times" in schema.names:
            arrays.append(pa.repeat(pa.scalar(self.term.times, pa.int64()), size))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class BatchRows:
    """Lists the rows of a batch of customers.

    stays: when they are in the segment, None for all customers; timelines: of subscriptions.
    """

    wanted: RowScan
    there: Situation
    stays: kernels.States | None
    workspace: Workspace

    @classmethod
    def of(cls, wanted: RowScan, there: Situation, workspace: Workspace) -> BatchRows:
        """Find when the customers of a batch are in the segment that is asked for."""
        figure, stays = wanted.figure, None
        if figure.row < len(figure.figures.plan.segments):
            for membership, rows in zip(
                wanted.scan.memberships, figure.figures.plan.rows, strict=True
            ):
                codes = np.flatnonzero(rows == figure.row)
                if codes.size:
                    timeline = intervals_of(membership).timeline(0, there.batch, workspace)
                    stays = only(as_states(timeline), int(codes[0]))
        return cls(wanted, there, stays, workspace)

    def listed(self) -> Listed:
        """Return the rows of the quantity that is asked for."""
        figure, name = self.wanted.figure, self.wanted.term.name.removesuffix(KNOWN)
        bases = figure.bases(name)
        if figure.is_of_customers(name) and all(one.block == BASE for one in bases):
            return self._counted_alone(name, bases[0])
        whole, *parts = (self._of_quantity(one) for one in bases)
        for part in parts:  # of a difference: each row of a part is one of the whole
            if whole.entries is None or part.entries is None:
                raise AssertionError(f"{name} is no difference of orders")
            whole = whole.take(~np.isin(whole.entries, part.entries))
        return whole

    def _of_quantity(self, quantity: Quantity) -> Listed:
        if quantity.block in (MEMBERS, SUBSCRIBED):
            return self._of_states(quantity)
        if quantity.block in VISIT_BLOCKS and self.stays is not None:
            return _joined([], self.wanted.value_type)
        found = [one for facts in self._facts(quantity) for one in self._of_facts(quantity, facts)]
        return _joined(found, self.wanted.value_type)

    # --- Facts ------------------------------------------------------------------------------------

    def _facts(self, quantity: Quantity) -> Iterator[Facts]:
        """Yield the facts of a block of cells, and orders themselves."""
        reader = FactReader(self.wanted.scan.sources, self.wanted.figure.until)
        if quantity.block == BASE:
            yield self._orders(reader)
            return
        block, _ = self.wanted.figure.figures.place(quantity, self.wanted.figure.grain)
        sources = self.wanted.scan.sources
        linker = Linker.of(sources, self.wanted.scan.horizon)
        if block in VISIT_BLOCKS:
            yield from self._visits(block)
            return
        touches = reader.of_touches(self.there, linker)
        if block in MESSAGE_BLOCKS and touches is not None:
            found = touches.messages()
        else:
            found = reader.facts(self.there, [self._seen(reader)], touches)
        yield from (one for one in found if one.block == block)

    def _visits(self, block: str) -> Iterator[Facts]:
        visits = VisitReader.of(self.wanted.scan.sources, self.wanted.scan.horizon)
        if visits is not None and self.there.met is not None:
            yield from (one for one in visits.facts(self.there.met) if one.block == block)

    def _seen(self, reader: FactReader) -> SeenOrders:
        view = self.wanted.figure.view
        return next(one for one in reader.views(self.there.batch) if one.view == view)

    def _orders(self, reader: FactReader) -> Facts:
        """Return the orders of the view as facts."""
        seen = self._seen(reader)
        batch = seen.batch
        entries = np.arange(batch.days.size) if seen.held is None else np.flatnonzero(seen.held)
        has_amount = self.wanted.scan.sources.orders.spec.has_amount
        return Facts(
            BASE,
            batch.offsets,
            reader.entry_days(batch),
            (np.zeros(entries.size, np.int64),),
            reader.are_orders(batch).astype(np.int64),
            entries,
            batch.words if has_amount else None,
        )

    def _of_facts(self, quantity: Quantity, facts: Facts) -> Iterator[Listed]:
        """Yield those of the facts that make up the number, once for each of their keys."""
        key = self._key(quantity)
        kept = np.zeros(facts.days.size, np.bool_)
        for keys in facts.keys:
            kept |= keys == key
        figure = self.wanted.figure
        period = figure.last_month if quantity.over == LAST_MONTH else figure.period
        kept &= facts.days <= figure.last_day
        at = facts.days
        if quantity.over == SO_FAR:  # who is there at the end, with all that came before
            at = np.full(facts.days.size, figure.last_day, np.int32)
        else:
            kept &= facts.days >= number_of(period.first_day)
        if self.stays is not None:
            kept &= are_there(self.stays, facts.offsets, at)
        if not quantity.is_sum:
            kept &= facts.counts != 0
        rows = np.flatnonzero(kept)
        owners = np.repeat(np.arange(facts.offsets.size - 1), np.diff(facts.offsets))[rows]
        if quantity.of_customers:  # each counts once, or once a month
            months = facts.days[rows].astype("datetime64[D]").astype("datetime64[M]")
            places = owners * np.int64(2**20)
            if quantity.over == DURING:
                places = places + months.astype(np.int64)
            _, first = np.unique(places, return_index=True)
            rows, owners = rows[first], owners[first]
        if rows.size:
            entries = facts.rows[rows] if facts.of_orders else None
            yield Listed(owners, facts.days[rows], entries, self._values(quantity, facts, rows))

    def _key(self, quantity: Quantity) -> int:
        """Return the number of the key in the facts of a block, NO_KEY for none."""
        figure = self.wanted.figure
        block, key = figure.figures.place(quantity, figure.grain)
        if block == BASE:
            return 0
        sources = self.wanted.scan.sources
        keys = sources.keys[block]
        number = sources.number_of(figure.view, block)
        return NO_KEY if number is None or key not in keys else number * len(keys) + keys[key]

    def _values(self, quantity: Quantity, facts: Facts, rows: Int64s) -> pa.Array:
        if not quantity.is_sum or facts.words is None:
            return pa.array(facts.counts[rows], pa.int64())
        words = facts.words.take(rows)
        kind = self.wanted.value_type
        values = arrow_values(Words(words.lows.view(np.int64), words.highs), kind)
        if not facts.are_less.size:
            return values
        return pc.if_else(pa.array(facts.are_less[rows]), pc.negate(values).cast(kind), values)

    # --- Customers --------------------------------------------------------------------------------

    def _of_states(self, quantity: Quantity) -> Listed:
        """Return the customers who are members, or subscribed, on the last day."""
        size = len(self.there.batch.ids)
        everybody = np.arange(size + 1)
        if self._key(quantity) == NO_KEY:  # a channel that nobody can be subscribed in
            return _joined([], pa.int64())
        last = np.full(size, self.wanted.figure.last_day, np.int32)
        kept = are_there(self._states(quantity), everybody, last)
        if self.stays is not None:
            kept &= are_there(self.stays, everybody, last)
        rows = np.flatnonzero(kept)
        return Listed(rows, last[rows], None, pa.array(np.ones(rows.size, np.int64)))

    def _states(self, quantity: Quantity) -> kernels.States:
        members, figure = self.there.member_states, self.wanted.figure
        if quantity.block == MEMBERS and members is not None:
            return members
        subscriptions = self.wanted.scan.sources.subscriptions
        if subscriptions is None:
            raise AssertionError("subscribers are listed of a report that has them")
        _, key = figure.figures.place(quantity, figure.grain)
        given = subscriptions.anywhere if key == Key() else subscriptions.by_channel
        states = as_states(intervals_of(given).timeline(0, self.there.batch, self.workspace))
        if key == Key():
            return states
        return only(states, given.segments.index(str(key.value)))

    def _counted_alone(self, name: str, first: Quantity) -> Listed:
        """Return what the counting makes of each customer alone."""
        figure = self.wanted.figure
        reader = FactReader(self.wanted.scan.sources, figure.until)
        batch = self._seen(reader).batch
        _, columns, width = self._plan(0).shape
        step = max(1, min(MOST_CUSTOMERS, MOST_CELLS // (columns * width)))
        found = []
        for start in range(0, len(batch.ids), step):
            part = batch.slice(start, min(start + step, len(batch.ids)))
            found += self._alone(name, part, start)
        owners = np.array([owner for owner, _ in found], np.int64)
        amounts = [amount for _, amount in found]
        days = None
        if first.over != DURING:
            days = np.full(owners.size, figure.last_day, np.int32)
        kind = self.wanted.value_type
        if not first.is_sum:
            return Listed(owners, days, None, pa.array(amounts, pa.int64()))
        places, values = as_values(amounts, figure.figures.plan.units[first.unit], kind)
        listed = Listed(owners, days, None, pa.nulls(owners.size, kind)).take(places)
        return listed._replace(values=values)

    def _plan(self, customers: int) -> Plan:
        """Return a plan in which each customer is a row."""
        names = tuple(map(str, range(customers)))
        return replace(
            self.wanted.figure.figures.plan,
            period=self.wanted.figure.period,
            segments=names,
            rows=(np.arange(customers),),
        )

    def _alone(self, name: str, part: CustomerBatch, start: int) -> list[tuple[int, int]]:
        """Return the place of each customer of a part, and its quantity where that is not 0."""
        size = len(part.ids)
        offsets, owners = np.arange(size + 1), np.arange(size)
        starts, stops = np.full(size, LONG_AGO), np.full(size, OPEN)
        if self.stays is not None:
            first, last = self.stays.offsets[start], self.stays.offsets[start + size]
            offsets = self.stays.offsets[start : start + size + 1] - first
            starts, stops = self.stays.starts[first:last], self.stays.stops[first:last]
            owners = np.repeat(owners, np.diff(offsets))
        cube = Cube(self._plan(size))
        cube.add(part, [Timeline(offsets, owners.astype(np.int16), starts, stops)])
        *amounts, _ = Figures(cube).quantity(name, self.wanted.figure.period.months)
        return [(start + place, one) for place, one in enumerate(amounts) if one]


def only(states: kernels.States, code: int) -> kernels.States:
    """Return when customers are in one of the states."""
    kept = states.codes == code
    offsets = np.concatenate([[0], np.cumsum(kept)])[states.offsets]
    codes = np.zeros(int(offsets[-1]), np.int16)
    arrays = (offsets, codes, states.starts[kept], states.stops[kept])
    return kernels.States(*map(as_input, arrays))


def as_values(amounts: Sequence[int], unit: Fraction, kind: pa.DataType) -> tuple[Int64s, pa.Array]:
    """Return exact sums as values, and whose each is.

    A sum that no single float64 is has several: the nearest, and what is left.
    """
    if not pa.types.is_floating(kind):
        if pa.types.is_decimal(kind):
            from decimal import Context, Decimal

            exact = Context(prec=80)
            amounts_of = [Decimal(one).scaleb(-kind.scale, exact) for one in amounts]
            return np.arange(len(amounts)), pa.array(amounts_of, kind)
        return np.arange(len(amounts)), pa.array(amounts, kind)
    places, values = [], []
    for place, amount in enumerate(amounts):
        left = Fraction(amount) / unit
        while left:
            values.append(float(left))
            places.append(place)
            left -= Fraction(values[-1])
    return np.array(places, np.int64), pa.array(values, kind)


def _joined(found: Sequence[Listed], kind: pa.DataType) -> Listed:
    """Return rows of several kinds together, by customer."""
    if not found:
        none = np.zeros(0, np.int64)
        return Listed(none, np.zeros(0, np.int32), none, pa.array([], kind))
    if len(found) == 1:
        return found[0]
    days = [one.days for one in found if one.days is not None]
    entries = [one.entries for one in found if one.entries is not None]
    whole = Listed(
        np.concatenate([one.owners for one in found]),
        np.concatenate(days),
        np.concatenate(entries) if entries else None,
        pa.concat_arrays([one.values for one in found]),
    )
    return whole.take(np.argsort(whole.owners, kind="stable"))
