"""Some customers of a history, found and read without the others.

Ids lie in the order of their hashes, and hashes are spread evenly: where one is, is known to within
the root of how many customers a part has. What is read are the ids around that place and then the
rows of those who were found: of a saved history a few bytes of its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._errors import ConfigError, Option, StorageError
from ordercycle._history.batch_files import Batch, BatchFormat
from ordercycle._history.grouped import Grouped, Held, Part, joined
from ordercycle._history.places import find_places, found_among_equal_hashes
from ordercycle._history.stored_files import REBUILD
from ordercycle._ingest.asked_ids import asked_ids
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._workspace import Workers, Workspace

B = TypeVar("B")
R = TypeVar("R")
G = TypeVar("G", bound=Grouped[Any])
Int64s = NDArray[np.int64]

#: How an id may have been meant that nobody has.
NEARLY: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.title)
#: Who is wanted of a part, at most, before all of the part is read: so many customers, or one in so
#: many of its own, in memory or on disk. To read one took 30 µs; to look through 600,000 in memory
#: 10 ms, and to read 30,000 of a file 5 ms.
MOST_APART, ONE_IN, ONE_IN_FILE = 16, 2_000, 250
#: Customers of as many parts as have so many are worked on together.
MOST_TOGETHER = 2_048
#: Ids to either side of where one is expected: so many the first time; then so many standard
#: deviations more, which is where a saved history has nearly all; then more and more.
LEAST_REACH, DEVIATIONS, WIDER, MOST_TIMES = 8, 2.5, 8, 12


class Run(Protocol):
    """A batch of customers somewhere, of which some are read without the others."""

    @property
    def customers(self) -> int:
        """How many customers there are."""

    def whole_for(self, wanted: int) -> Any:
        """Return the customers of the runs of all parts, where that is as good for so many."""

    @classmethod
    def ids_of(cls, rows: Sequence[tuple[Any, int, int]]) -> pa.Array:
        """Return the ids of customers from start to stop of each of some such batches."""

    @classmethod
    def rows_of(cls, rows: Sequence[tuple[Any, int, int]], kept: BatchFormat[Any]) -> Any:
        """Return customers from start to stop of each of some such batches: of one, at least."""


class Wanted(NamedTuple):
    """Ids that are looked for: (w,), plain, each once, in the order that histories have."""

    ids: pa.Array
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, ids: pa.Array) -> Wanted:
        """Return plain ids, of any order and perhaps repeated, as what is looked for."""
        ids = ids.unique()
        hashes = hashes_of(ids)
        order = np.argsort(hashes)
        if not pa.types.is_integer(ids.type) and (np.diff(hashes[order]) == 0).any():
            table = pa.table({"hash": hashes, "id": ids.cast(pa.large_binary())})
            keys = [("hash", "ascending"), ("id", "ascending")]
            order = np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)
        return cls(ids.take(rows_of(order)), hashes[order])

    def slice(self, start: int, stop: int) -> Wanted:
        """Return those from start to stop."""
        return Wanted(self.ids.slice(start, stop - start), self.hashes[start:stop])


class _Group(NamedTuple):
    """Parts by their numbers, and who is wanted of them: `ends` of each part's among all of them.

    whole: whether all of it is to be read, of a single one.
    """

    numbers: tuple[int, ...]
    parts: tuple[Part[Any], ...]
    wanted: Wanted
    ends: tuple[int, ...]
    whole: bool = False

    def read(self, bits: int, workspace: Workspace) -> Any:
        """Return the customers that are wanted; bits: of hashes, that tell parts apart."""
        return _selected(self, workspace) if self.whole else _picked(self, bits)


def look_up(history: Grouped[B], ids: pa.Array, work: Callable[[B, Workspace], R]) -> Iterator[R]:
    """Yield what `work` makes of the customers with these ids, in the order of the history.

    As `Grouped.scan`, but that each batch is of some parts, and that parts without any of them are
    not read. ids: plain, of any order; those that are nobody's, and repeated ones, change nothing.
    """
    groups = list(_groups(history.parts, Wanted.of(ids)))
    bits = len(history.parts).bit_length() - 1
    with Workers(min(history.threads, max(1, len(groups)))) as workers:

        def on_group(group: _Group) -> R:
            customers = group.read(bits, workers.workspace)
            if history.views:
                customers = history.seen(customers)
            return work(customers, workers.workspace)

        yield from workers.in_order(on_group, groups)


def meet(
    history: Grouped[B], pieces: Sequence[B], work: Callable[[B, B, Workspace], R]
) -> Iterator[R]:
    """Yield what `work` makes of customers of a history and of what arrives for the same ones.

    pieces: what arrives, one for each part, as batches of the history are. As `look_up`, parts for
    which nobody arrives are not read, and of the others only those who arrive.
    """
    arriving = cast("Sequence[Batch]", pieces)
    ids = pa.concat_arrays([piece.ids for piece in arriving])
    groups = list(_groups(history.parts, Wanted(ids, hashes_of(ids))))
    bits = len(history.parts).bit_length() - 1
    with Workers(min(history.threads, max(1, len(groups)))) as workers:

        def on_group(group: _Group) -> R:
            there = group.read(bits, workers.workspace)
            arrived = joined(history.format, [pieces[number] for number in group.numbers])
            return work(there, arrived, workers.workspace)

        yield from workers.in_order(on_group, groups)


def only(history: G, ids: pa.Array) -> G:
    """Return a history in memory that has the customers with these ids alone: a few.

    Types, days, policies and views are those of the whole, and so is what it counts.
    """
    itself = replace(history, views=())
    batches = list(look_up(itself, ids, lambda batch, _: batch))
    kept = history.format
    if not batches:
        batches = [part.read().slice(0, 0) for part in history.parts[:1]]
    parts = (Part(kept, (Held(kept.joined(batches)),)),)
    return replace(history, parts=parts, folder=None, spill=None, threads=1)


def customer_only(history: G, customer: Any) -> G:
    """Return a history in memory that has one customer alone.

    Raises
    ------
    ConfigError
        There is no such customer, or the id is of another kind than those of the history.
    """
    reader, column = history.format.ids, history.format.customer_column
    ids = asked_ids([customer], reader, column, option="customer")
    found = only(history, ids)
    batch = found.parts[0].read()
    hidden = history.format.hidden(batch)
    if not len(batch.ids) or (hidden is not None and hidden.all()):
        raise ConfigError(
            (Option("customer", customer), " is no customer of this history"),
            remedy=_nearest(history, customer),
        )
    return found


def _nearest(history: Grouped[Any], customer: Any) -> str:
    """Return what to do about an id that nobody has: who is there with nearly the same."""
    near = [change(customer.strip()) for change in NEARLY] if isinstance(customer, str) else []
    others = asked_ids([one for one in near if one != customer], history.format.ids, "", option="")
    found = only(history, others).parts[0].read().ids
    if len(found):
        return f"did you mean {found[0].as_py()!r}? Ids are compared byte by byte"
    return "look whether the id is of this shop, and written as in the history"


def _groups(parts: Sequence[Part[Any]], wanted: Wanted) -> Iterator[_Group]:
    """Yield the parts in which somebody is wanted: those with many of them alone."""
    bits = len(parts).bit_length() - 1
    numbers = (wanted.hashes >> np.uint64(1)) >> np.uint64(63 - bits)
    found, starts = np.unique(numbers, return_index=True)
    stops = [*starts.tolist(), numbers.size][1:]
    some: list[int] = []
    ends: list[int] = []
    first = 0

    def group(numbers: list[int], start: int, stop: int, *, whole: bool = False) -> _Group:
        own = tuple(parts[number] for number in numbers)
        within = (stop - start,) if whole else tuple(ends)
        return _Group(tuple(numbers), own, wanted.slice(start, stop), within, whole)

    for number, start, stop in zip(found.tolist(), starts.tolist(), stops, strict=True):
        whole = _are_many(stop - start, parts[number])
        if some and (whole or stop - first > MOST_TOGETHER):
            yield group(some, first, start)
            some, ends, first = [], [], start
        if whole:
            yield group([number], start, stop, whole=True)
            first = stop
        else:
            some.append(number)
            ends.append(stop - first)
    if some:
        yield group(some, first, numbers.size)


def _are_many(wanted: int, part: Part[Any]) -> bool:
    """Return whether so many are wanted of a part that reading all of it takes less time."""
    if wanted <= MOST_APART:
        return False
    base = cast("Run", part.runs[0])
    return wanted > base.customers // (ONE_IN if isinstance(base, Held) else ONE_IN_FILE)


def _selected(group: _Group, workspace: Workspace) -> Any:
    """Return the customers that are wanted of a part, reading all of it."""
    (part,) = group.parts
    customers = _of_customers(part.read(workspace), group.wanted.ids, part.format)
    part.release()
    return customers


def _picked(group: _Group, bits: int) -> Any:
    """Return the customers that are wanted of some parts, reading no others."""
    kept = group.parts[0].format
    levels = zip(*(cast("tuple[Run, ...]", part.runs) for part in group.parts), strict=True)
    base, *later = (
        _picked_from(runs, group, kept, bits)
        if (whole := runs[0].whole_for(len(group.wanted.ids))) is None
        else _of_customers(whole, group.wanted.ids, kept)
        for runs in levels
    )
    return kept.merge(base, reduce(kept.merge, later)) if later else base


def _of_customers(batch: Any, ids: pa.Array, kept: BatchFormat[Any]) -> Any:
    """Return the customers of a batch that have these ids."""
    places = find_places(batch.ids, ids)
    wanted = np.zeros(len(batch.ids), np.bool_)
    wanted[places.positions[places.found]] = True
    return kept.of_customers(batch, wanted)


def _picked_from(runs: Sequence[Run], group: _Group, kept: Any, bits: int) -> Any:
    """Return the customers that are wanted of one run of each part."""
    of_run, rows = _rows(runs, group, bits)
    kind = type(runs[0])
    if not rows:
        return kind.rows_of([(runs[0], 0, 0)], kept)
    found = zip(of_run, rows, strict=True)
    return kind.rows_of([(runs[number], row, row + 1) for number, row in found], kept)


def _rows(runs: Sequence[Run], group: _Group, bits: int) -> tuple[list[int], list[int]]:
    """Return in which of the runs, and in which row of it, those who are there are found."""
    wanted = group.wanted
    of_run = np.repeat(np.arange(len(runs)), np.diff((0, *group.ends)))
    high = np.array([run.customers for run in runs])[of_run]
    within = np.uint64(2 ** (64 - bits) - 1)  # of hashes, what tells those of a part apart
    bounds = _Bounds(np.zeros_like(high), high, wanted.hashes & ~within, wanted.hashes | within)
    rows = np.full(high.size, -1)
    left, times = np.flatnonzero(high > 0), 0
    while left.size:
        bounds_left, hashes = bounds.take(left), wanted.hashes[left]
        starts, stops = bounds_left.around(hashes, times)
        there = [runs[number] for number in of_run[left].tolist()]
        pieces = list(zip(there, starts.tolist(), stops.tolist(), strict=True))
        found = _found_within(pieces, starts, stops, Wanted(_taken(wanted.ids, left), hashes))
        narrowed = bounds_left.narrowed(starts, stops, found)
        is_sure = (narrowed.low >= starts) & (narrowed.high <= stops)
        rows[left[is_sure]] = found.rows[is_sure]
        for bound, closer in zip(bounds, narrowed, strict=True):
            bound[left] = closer
        left, times = left[~is_sure], times + 1
    there_at = np.flatnonzero(rows >= 0)
    return of_run[there_at].tolist(), rows[there_at].tolist()


class _Bounds(NamedTuple):
    """Between which rows of a run ids are: (w,) each.

    Rows before low have smaller hashes, rows from high on larger ones: none smaller than low_hash
    and larger than high_hash is between.
    """

    low: Int64s
    high: Int64s
    low_hash: NDArray[np.uint64]
    high_hash: NDArray[np.uint64]

    def take(self, rows: Int64s) -> _Bounds:
        """Return the bounds of some ids."""
        low, high, low_hash, high_hash = self
        return _Bounds(low[rows], high[rows], low_hash[rows], high_hash[rows])

    def around(self, hashes: NDArray[np.uint64], times: int) -> tuple[Int64s, Int64s]:
        """Return the rows, from start to stop, to look at next; times: how often it was done."""
        share = (hashes - self.low_hash) / ((self.high_hash - self.low_hash) + 1.0)
        expected = self.low + (share * (self.high - self.low)).astype(np.int64)
        expected = np.clip(expected, self.low, np.maximum(self.high - 1, self.low))
        # As hashes are spread evenly, a row is off by the root of how far from a known one it is.
        near = np.minimum(expected - self.low, self.high - expected)
        reach = np.full(near.size, LEAST_REACH)
        if times:
            reach += (DEVIATIONS * np.sqrt(near)).astype(np.int64)
            reach *= WIDER ** min(times - 1, MOST_TIMES)
        starts = np.maximum(expected - reach, self.low)
        return starts, np.minimum(expected + reach + 1, self.high)

    def narrowed(self, starts: Int64s, stops: Int64s, found: _Found) -> _Bounds:
        """Return the bounds after the rows from starts to stops were looked at."""
        has_smaller, has_larger = found.before > 0, found.until < stops - starts
        return _Bounds(
            np.where(has_smaller, starts + found.before, self.low),
            np.where(has_larger, starts + found.until, self.high),
            np.where(has_smaller, found.last_smaller, self.low_hash),
            np.where(has_larger, found.first_larger, self.high_hash),
        )


class _Found(NamedTuple):
    """What some rows say of ids that are looked for: (w,) each.

    before, until: how many of the rows have a smaller hash, and one that is not larger;
    last_smaller, first_larger: the hashes there, anything where there are none; rows: of the run,
    in which the ids are, -1 where they are in none.
    """

    before: Int64s
    until: Int64s
    last_smaller: NDArray[np.uint64]
    first_larger: NDArray[np.uint64]
    rows: Int64s


def _found_within(
    pieces: Sequence[tuple[Run, int, int]], starts: Int64s, stops: Int64s, wanted: Wanted
) -> _Found:
    """Look each id up among those of its piece: from start to stop of a run."""
    ids = type(pieces[0][0]).ids_of(pieces)
    hashes = hashes_of(ids)
    lengths = stops - starts
    ends = np.cumsum(lengths)
    begins = ends - lengths
    ascends = hashes[1:] >= hashes[:-1]
    ascends[ends[:-1] - 1] = True  # from one piece to the next
    if not ascends.all():
        raise StorageError(
            "the ids of a saved history are not in order: its files were damaged since it was "
            "opened",
            remedy=REBUILD,
        )
    own = np.repeat(wanted.hashes, lengths)
    before = np.add.reduceat(hashes < own, begins, dtype=np.int64)
    until = np.add.reduceat(hashes <= own, begins, dtype=np.int64)
    places, found = begins + before, until > before
    if not pa.types.is_integer(ids.type):
        places, found = found_among_equal_hashes(ids, wanted.ids, places, begins + until)
    return _Found(
        before,
        until,
        hashes[np.maximum(begins + before - 1, 0)],
        hashes[np.minimum(begins + until, hashes.size - 1)],
        np.where(found, starts + places - begins, -1),
    )


def _taken(ids: pa.Array, rows: Int64s) -> pa.Array:
    return ids if rows.size == len(ids) else ids.take(rows_of(rows))
