"""More orders for a history: grouped by themselves, checked against what is there, put on top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import mask_of, rows_of
from ordercycle._columns import customer_of_listing
from ordercycle._errors import (
    ColumnError,
    ConfigError,
    DataError,
    Option,
    StorageError,
    check_choice,
    counted,
    without_option,
)
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._grouping.grouping_tally import Counted
from ordercycle._history import store
from ordercycle._history.batch_files import BatchFormat
from ordercycle._history.build import (
    batches_for,
    group,
    refuse_unknown_customers,
    unknown_customers,
)
from ordercycle._history.common_details import common_details
from ordercycle._history.counts import Counts, DaysOfOrders, count
from ordercycle._history.grouped import Grouped, Held, Part, Run, as_parts, cut, joined, keep
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.look_ups import meet
from ordercycle._history.merging import merge_batches
from ordercycle._history.options import POLICIES, BuildOptions, with_source
from ordercycle._history.order_format import OrderFormat
from ordercycle._history.places import Places, find_places
from ordercycle._history.stored_files import MOST_HELD, HeldRun
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.pipeline import partition_bits_for
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._policies import Policies
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workers, Workspace

G = TypeVar("G", bound=Grouped[Any])
#: What to do where a column of what arrives has another name than in the history.
RENAME = "rename the one that is meant: a history keeps the names of its columns"


class Described(Protocol):
    """A history's spec, or options of a build, of orders or of events."""

    @property
    def columns(self) -> Any:
        """Columns by their roles."""

    @property
    def policies(self) -> Policies:
        """What rows mean."""


D = TypeVar("D", bound=Described)

REPEATED = ("error", "skip")
#: Runs on top of a base are merged whenever they are read. What arrives becomes one with the runs
#: that have up to so many times its bytes, which leaves as many runs as their sizes have digits;
#: with this share of the base's bytes, everything is written again as one run.
GROWTH = 4
MOST_SHARE = 0.25
#: What a batch takes in a file beside its customers.
BATCH_BYTES = 2_000


def append(
    history: GroupedOrders,
    orders: Any,
    customers: Any,
    *,
    batch: str | None,
    repeated: str,
    reading: Mapping[str, Any],
    before: Callable[[list[Met]], None] | None = None,
) -> GroupedOrders:
    """Return the history with more orders; the parameters are those of OrderHistory.append.

    reading: source, read, filesystem and progress; before: called with all who arrive, when these
    are checked and the history is still what it was.
    """
    if is_there(history, batch, repeated):
        return history
    spec = history.spec
    options = _options(history, reading)
    with names_kept():
        arriving = group(orders, customers, options, most_batches=len(history.parts), like=spec)
    _check_types(spec, arriving.spec)
    has_listing = spec.has_listing or arriving.spec.has_listing
    amount = spec.amount.wider(arriving.spec.amount)
    details, order_ids = spec.details, spec.order_ids
    if details is not None and arriving.spec.details is not None:
        details = common_details(details, arriving.spec.details, spec.columns.time)
        order_ids = _order_ids(spec, arriving.spec)
    made = OrderFormat(
        replace(spec, has_listing=has_listing, amount=amount, details=details, order_ids=order_ids)
    )
    pieces = pieces_of(arriving, len(history.parts), made)
    met: list[Met] | None = None if before is None else []
    counts = _checked(made, history, pieces, met)
    changed = replace(history, format=made, counts=counts)
    if before is not None and met is not None:
        before(met)
    return extended(changed, arriving.tally, pieces, batch)


class Met(NamedTuple):
    """Customers who arrive: what was there of them, and what is there with all that arrives."""

    before: CustomerBatch
    after: CustomerBatch


def is_there(history: Grouped[Any], batch: str | None, repeated: str) -> bool:
    """Return whether a batch is in a history, and may come again; names are checked."""
    check_choice("repeated", repeated, REPEATED)
    if batch is not None and (not isinstance(batch, str) or not batch):
        raise ConfigError(
            (Option("batch", batch), " names no batch"), remedy="pass a text, or None"
        )
    if batch not in history.names:
        return False
    if repeated == "skip":
        return True
    raise DataError(
        f"the batch {batch!r} is already in the history",
        remedy=(
            "pass ",
            Option("repeated", "skip"),
            " where it may come again, or another name",
        ),
    )


def extended(history: G, tally: Tally, pieces: Sequence[Any], batch: str | None) -> G:
    """Return a history with what arrives: on top of its parts, or merged with what piled up.

    history: in the format and with the counts that it has then; tally: of what arrives; pieces: one
    for each part.
    """
    both = replace(history.tally)
    both.add(tally)
    names = history.names if batch is None else (*history.names, batch)
    parts = tuple(replace(part, format=history.format) for part in history.parts)
    made = replace(history, parts=parts, tally=both, names=names)
    arriving = sum(piece.nbytes + BATCH_BYTES for piece in pieces)
    kept, size = _kept_runs(parts, arriving)
    held = None
    if size <= MOST_HELD:  # merged at once, not part by part; when it is saved, it stays in memory
        whole = _merged(parts, pieces, kept)
        held = HeldRun(whole, list(cut(whole, len(parts), 0)))
    merged = (
        (_merged([part], [piece], kept) for part, piece in zip(parts, pieces, strict=True))
        if held is None
        else held.pieces
    )
    if history.folder is not None:
        made = store.add_run(history.folder, made, merged, kept, held)
    else:
        runs = zip(parts, merged, strict=True)
        made = replace(made, parts=tuple(part.with_run(Held(one), kept) for part, one in runs))
    return _compacted(made) if _is_piled_up(made) else made


def _kept_runs(parts: Sequence[Part[Any]], arriving: int) -> tuple[int, int]:
    """Return how many runs stay as they are, and how many bytes become the next one.

    arriving: bytes of what arrives.
    """
    sizes = [sum(run.nbytes for run in runs) for runs in zip(*_runs_of(parts), strict=True)]
    kept, size = len(sizes), arriving
    while kept > 1 and sizes[kept - 1] <= GROWTH * size:
        kept -= 1
        size += sizes[kept]
    return kept, size


def _merged(parts: Sequence[Part[Any]], pieces: Sequence[Any], kept: int) -> Any:
    """Return the customers of the parts in all runs beyond the kept ones and in what arrives."""
    made = parts[0].format
    levels = zip(*(runs[kept:] for runs in _runs_of(parts)), strict=True)
    later = [joined(made, [run.read() for run in runs]) for runs in levels]
    return reduce(made.merge, [*later, joined(made, pieces)])


@contextmanager
def names_kept() -> Iterator[None]:
    """Say of a column that does not arrive what can be done: its name is the history's."""
    try:
        yield
    except ColumnError as error:
        raise without_option(error, "columns", RENAME) from error.__cause__


def _runs_of(parts: Sequence[Part[Any]]) -> list[tuple[Run, ...]]:
    return [part.runs for part in parts]


def _options(history: GroupedOrders, reading: Mapping[str, Any]) -> BuildOptions:
    """Return how more orders are read: as those of the history, from where the caller says."""
    spec = history.spec
    described = as_described(spec, reading, BuildOptions.of)
    # Who is unknown is judged later, with all that are listed.
    policies = replace(spec.policies, unknown="add")
    return replace(
        described,
        columns=spec.columns,
        day_instants=spec.day_instants,
        policies=policies,
        threads=history.threads,
        zone_is_given=True,  # and what offsets mean with it
    )


def as_described(
    spec: Described, reading: Mapping[str, Any], options_of: Callable[[dict[str, Any]], D]
) -> D:
    """Return options of what arrives as the caller and the source describe it.

    spec: of the history; options_of: makes options of those that are given by name.

    Raises
    ------
    ConfigError
        Where a source says of columns or rows what does not hold for the history.
    """
    given = with_source({name: one for name, one in reading.items() if one is not None})
    described = options_of(given)
    if given.get("columns") is not None and described.columns != spec.columns:
        raise ConfigError(
            (Option("source"), f" names other columns than the history, which has {spec.columns}"),
            remedy="leave them out, or build a history of its own",
        )
    own = spec.policies
    for name in POLICIES:
        if name in given and getattr(described.policies, name) != getattr(own, name):
            raise ConfigError(
                (Option(name, given[name]), " is not what the history was built with: ",
                 Option(name, getattr(own, name))),
                remedy="leave it out, or build a history of its own",
            )  # fmt: skip
    return described


def _compacted(history: G) -> G:
    """Return the history with all runs of a part merged into one, and large parts divided."""
    partitions = 1 << partition_bits_for(history.entries)
    pieces = max(1, min(partitions, batches_for(history.entries)) // len(history.parts))
    if history.folder is not None:
        # What was appended is saved already: if this fails, the next one tries again.
        with suppress(StorageError):
            return store.save(history, history.folder.path, pieces)
        return history
    bits = len(history.parts).bit_length() - 1
    made = history.format
    file = None if history.spill is None else SpillFile(history.spill.folder)

    with Workers(history.threads) as workers:

        def merged(part: Part[Any]) -> list[Run]:
            batches = cut(part.read(), pieces, bits)
            runs = [keep(batch, made, file, workers.workspace) for batch in batches]
            part.release()
            return runs

        runs = (run for of_part in workers.in_order(merged, history.parts) for run in of_part)
        return replace(history, parts=as_parts(made, runs))


def _is_piled_up(history: Grouped[Any]) -> bool:
    base = sum(part.runs[0].nbytes for part in history.parts)
    later = sum(run.nbytes for part in history.parts for run in part.runs[1:])
    return later > MOST_SHARE * base


def _check_types(there: HistorySpec, arriving: HistorySpec) -> None:
    """Raise a ColumnError where ids or amounts are of other types than those of the history."""
    columns = there.columns
    for column, what, known, given in (
        (columns.customer, "customer", there.ids, arriving.ids),
        (columns.order, "order", there.order_ids, arriving.order_ids),
    ):
        if known is not None and given is not None and known.together_with(given) is None:
            raise ColumnError(
                f"{column} is {given.given}, and {known.given} in the history",
                remedy=f"cast it, so that the same {what} has the same id",
                column=column,
            )
    if there.amount.produced != arriving.amount.produced:
        raise ColumnError(
            f"{columns.amount} is {arriving.amount.given}, and {there.amount.given} in the history",
            remedy=f"cast it to {there.amount.given}",
            column=columns.amount,
        )


def _order_ids(there: HistorySpec, arriving: HistorySpec) -> IdReader | None:
    """Return the reader of order ids of both, which are kept in the type of those there.

    Those that are integers are kept as words, whatever their type.
    """
    known, given = there.order_ids, arriving.order_ids
    if known is None or given is None or known.plain == given.plain:
        return known
    common = known.together_with(given)
    if known.is_integer or (known.is_text and given.is_text):
        return common if known.is_integer else known
    raise ColumnError(
        f"{there.columns.order} is {given.given}, and {known.given} in the history",
        remedy=f"cast it to {known.given}",
        column=there.columns.order,
    )


def pieces_of(arriving: Grouped[Any], parts: int, made: BatchFormat[Any]) -> list[Any]:
    """Cut what was grouped into one piece for each part, with ids of the history's type."""
    width = parts // len(arriving.parts)
    bits = len(arriving.parts).bit_length() - 1
    return [
        replace(piece, ids=_as_kept(piece.ids, made))
        for part in arriving.parts
        for piece in cut(part.read(), width, bits)
    ]


def _as_kept(ids: pa.Array, made: BatchFormat[Any]) -> pa.Array:
    try:
        return ids.cast(made.ids.plain)
    except ValueError as error:  # pyarrow's: an integer beyond the narrower type
        raise ColumnError(
            f"{made.customer_column} has ids that do not fit {made.ids.plain}, the type in the "
            f"history ({error})",
            remedy="build the history from ids of the wider type",
            column=made.customer_column,
        ) from error


def _checked(
    made: OrderFormat,
    history: GroupedOrders,
    pieces: Sequence[CustomerBatch],
    met: list[Met] | None,
) -> Counts:
    """Check what arrives against what is there of the same customers, and count all together.

    made: the format of both; met: to be filled with the customers who arrive, if any list.
    """
    spec = made.spec

    def check(there: CustomerBatch, piece: CustomerBatch, _: Workspace) -> _Checked:
        places = find_places(there.ids, piece.ids)
        listed = places.found.copy()
        listed[places.found] = there.listed[places.positions[places.found]]
        both = None
        if met is not None or spec.has_further_days:
            both = merge_batches(there, piece, spec)
        return _Checked(
            before=count(spec, there),
            after=count(spec, there, piece, places) if both is None else count(spec, both),
            listed_twice=piece.ids.filter(mask_of(piece.listed & listed)),
            repeated_days=_repeated_days(there, piece, places),
            unknown=(
                unknown_customers(piece.select(~listed))
                if spec.policies.unknown == "error"
                else Counted()
            ),
            met=None if met is None or both is None else Met(there, both),
        )

    checks = list(meet(history, pieces, check))
    columns, column = spec.columns, customer_of_listing(spec.columns)
    _refuse(
        [checked.listed_twice for checked in checks],
        lambda example: f"customers: {column} {example} is in the history's customers already",
        "append only customers who are not listed yet",
        column,
    )
    _refuse(
        [checked.repeated_days for checked in checks],
        lambda example: (
            f"orders: an order of {columns.customer} {example} gets rows of a day that "
            "it has in the history already"
        ),
        "leave out rows that were appended before; to change a day, build the history again",
        str(columns.order),
    )
    refuse_unknown_customers(
        reduce(Counted.plus, (checked.unknown for checked in checks), Counted()), columns
    )
    if met is not None:
        met += [checked.met for checked in checks if checked.met is not None]
    counts = history.counts
    if spec.has_listing and not history.spec.has_listing:  # who is unknown was never counted
        scanned = history.scan(lambda _, there, __: count(spec, there))
        counts = reduce(Counts.plus, scanned, Counts())
    for checked in checks:
        counts = counts.plus(checked.after).minus(checked.before)
    return counts


class _Checked(NamedTuple):
    """What was found where customers and what arrives for them meet."""

    before: Counts
    after: Counts
    listed_twice: pa.Array  # ids
    repeated_days: pa.Array  # ids of their customers
    unknown: Counted
    met: Met | None


def _repeated_days(there: CustomerBatch, piece: CustomerBatch, places: Places) -> pa.Array:
    """Return the customers who have an order with rows of one day on both sides."""
    if piece.keys is None or not places.found.any():
        return piece.ids[:0]
    both = np.flatnonzero(places.found)
    sides = [DaysOfOrders.of(there, places.positions[both]), DaysOfOrders.of(piece, both)]
    found = DaysOfOrders.together(sides)
    same = found.again & (found.days[1:] == found.days[:-1])
    return piece.ids.take(rows_of(both[np.unique(found.owners[1:][same])]))


def _refuse(found: list[pa.Array], what: Callable[[str], str], remedy: str, column: str) -> None:
    ids = pa.concat_arrays(found) if found else []
    if len(ids):
        raise DataError(
            f"{what(str(ids[0]))} ({counted(len(ids), 'such customer')})",
            remedy=remedy,
            column=column,
            count=len(ids),
        )
