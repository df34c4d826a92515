"""Memberships that are frames of intervals: each task has those of its customers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._engines.engine import Engine, F, check_frame, require
from ordercycle._engines.named_sums import NAMED_SCHEMA, from_table, to_batch
from ordercycle._engines.partition_tasks import Streams, of_a_partition
from ordercycle._engines.refits import Added
from ordercycle._engines.stream_plans import RowsPlan
from ordercycle._errors import SourceError
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.imported import ImportedIntervals
from ordercycle._membership.interval_tables import (
    CUSTOMER,
    FROM,
    MOST_SEGMENTS,
    NAME,
    SEGMENT,
    TO,
    read_intervals,
    refuse_many_names,
)
from ordercycle._membership.membership import Membership
from ordercycle._months import Period

OF_INTERVALS = (CUSTOMER, SEGMENT, FROM, TO)


@dataclass(frozen=True)
class GivenIntervals:
    """The membership that a frame of intervals is; stream: what tasks call it."""

    stream: str

    @classmethod
    def called(cls, name: str) -> GivenIntervals:
        """Return that of a name, beside which streams of events may have the same one."""
        return cls(f"{NAME}: {name}" if name else f"given {NAME}")

    def of(self, streams: Streams, *_: Period) -> Membership:
        """Return the membership of the customers of a partition."""
        membership: Membership = streams[self.stream]
        return membership

    @property
    def refits(self) -> bool:
        """False: intervals are what they are."""
        return False

    def prepared(self, *_: Added | OrderHistory | Sequence[Period]) -> GivenIntervals:
        """Return the same, which has all that it needs."""
        return self

    def check(self) -> None:
        """Do nothing: a frame has been looked at where it was planned."""


@dataclass(frozen=True, kw_only=True)
class IntervalsPlan(RowsPlan):
    """Intervals of customers, of which tasks make memberships; names: of all segments, in order."""

    names: tuple[str, ...] = field(default=())

    @property
    def nobody(self) -> Any:
        """A membership of nobody in any of the segments."""
        return self._membership(super().nobody)

    def counted(self, built: pa.Table, found: AbstractSet[int | str] | None) -> Membership:  # noqa: ARG002 - of streams with texts
        """Return the membership of rows.

        Raises
        ------
        DataError
            As for Membership.from_table.
        SourceError
            There is a segment that the frame did not have when its names were looked for.
        """
        with of_a_partition():
            return self._membership(built)

    def _membership(self, rows: pa.Table) -> Membership:
        names = pa.array(self.names, pa.large_string())
        given = rows.column(SEGMENT).cast(pa.large_string())
        codes = pc.index_in(given, value_set=names)
        if codes.null_count > given.null_count:
            unknown = given.filter(pc.and_(codes.is_null(), given.is_valid()))[0].as_py()
            raise SourceError(
                f"{self.name}: {SEGMENT} has {unknown!r}, which no row had when names were looked "
                "for",
                remedy="persist the frame, or make it from what gives the same rows each time",
            )
        chunks = [pa.DictionaryArray.from_arrays(one, names) for one in codes.chunks]
        named = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.large_string()))
        made = read_intervals(rows.set_column(rows.schema.get_field_index(SEGMENT), SEGMENT, named))
        return Membership(self.names, ImportedIntervals(replace(made, segments=self.names)))


@dataclass(frozen=True)
class CountNames:
    """Tells the names in a column, of more than make sense not all."""

    column: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield each name once."""
        names: set[str] = set()
        for batch in batches:
            if len(names) <= MOST_SEGMENTS:
                names.update(map(str, pc.unique(batch.column(self.column)).drop_null().to_pylist()))
        yield to_batch({(name,): 1 for name in sorted(names)[: MOST_SEGMENTS + 1]})


def is_frame(engine: Engine[F], given: object) -> bool:
    """Return whether something is a frame of the engine."""
    return isinstance(given, require(engine).DataFrame)


def names_of(engine: Engine[F], frame: F, name: str) -> tuple[str, ...]:
    """Return the names of a frame's segments in alphabetical order, in one pass over them.

    Raises
    ------
    ColumnError
        There is no such column, or it is none of names.
    DataError
        There are more names than make sense.
    """
    check_frame(engine, frame, name)
    there = [one for one in OF_INTERVALS if one in engine.columns(frame)]
    read = engine.schema(frame, there, name)
    # Which checks the columns before any row is read.
    read_intervals(pa.schema([read.field(one) for one in there]).empty_table())
    with engine.kept(frame, [SEGMENT]) as kept:
        told = engine.add_up(engine.map(kept, CountNames(SEGMENT), NAMED_SCHEMA), NAMED_SCHEMA)
    names = sorted(str(one) for (one,) in from_table(told))
    refuse_many_names(len(names))
    return tuple(names)


def among(engine: Engine[F], given: Mapping[str, Any]) -> dict[str, F]:
    """Return the frames of intervals among memberships by name, by what tasks call them."""
    return {
        GivenIntervals.called(name).stream: one
        for name, one in given.items()
        if is_frame(engine, one)
    }


def in_tasks(engine: Engine[F], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return memberships by name, with what tasks know in the place of frames."""
    return {
        name: GivenIntervals.called(name) if is_frame(engine, one) else one
        for name, one in given.items()
    }
