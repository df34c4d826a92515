"""Parcels where they arrive: opened, counted, and compared with what was sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ordercycle._engines.shuffle_blocks import TABLES, Parcel, joined
from ordercycle._engines.waiting_parcels import WaitingParcels
from ordercycle._errors import SourceError, counted
from ordercycle._ingest.spill import Spill
from ordercycle._sources.row_source import Source

#: Smaller parcels are joined to batches of so many bytes: reading a batch has a fixed cost.
JOINED_BYTES = 2**19
#: At which places in memory NumPy and kernels read whole numbers.
ALIGNMENT = 8


@dataclass
class _Sent:
    """What one source sent: rows that arrived, and what it said, each time it said it."""

    arrived: int = 0
    said: list[int] = field(default_factory=list)


class _Route:
    """Where the rows of a table came from: of each parcel the last row, and the source."""

    def __init__(self, places: Sequence[str] | None) -> None:
        self._places = places
        self._ends: list[int] = []
        self._sources: list[int] = []

    def add(self, rows: int, source: int) -> None:
        """Note the next parcel."""
        self._ends.append(rows + (self._ends[-1] if self._ends else 0))
        self._sources.append(source)

    def place(self, row: int) -> str:
        """Say where a row came from; the number it had there did not travel."""
        source = self._sources[bisect_right(self._ends, row)]
        if self._places is None:
            return f"a row of source partition {source}"
        return self._places[source]


class Delivery:
    """The parcels of one target, opened while they arrive, and counted.

    Orders stream through; customers, who are fewer, wait until the orders have been read, past a
    memory limit on disk. Parcels that are all here already (a sequence) are read where they are.
    """

    def __init__(
        self,
        parcels: Iterable[Parcel],
        schemas: Sequence[pa.Schema],
        places: Sequence[Sequence[str] | None],
        spill: Spill | None = None,
    ) -> None:
        self._parcels = parcels
        self._here = parcels if isinstance(parcels, Sequence) else None
        self._schemas = schemas
        self._sent: dict[tuple[int, int], _Sent] = {}
        self._routes = list(map(_Route, places))
        # What is here already takes no more memory by waiting.
        self._customers = WaitingParcels(spill if self._here is None else None)

    def source(self, table: int) -> Source:
        """Return the orders (0), or the customers (1), who are there once the orders were read."""
        rows = None
        if self._here is not None:
            rows = sum(parcel.rows for parcel in self._here if parcel.table == table)
        return Source(
            TABLES[table],
            self._schemas[table],
            (self._orders, self._listed)[table](),
            rows,
            in_memory=rows is not None,
            place=self._routes[table].place,
            is_whole=False,
        )

    def _orders(self) -> Iterator[pa.RecordBatch]:
        return joined(self._opened(), self._schemas[0], JOINED_BYTES)

    def _listed(self) -> Iterator[pa.RecordBatch]:
        return joined(map(self._rows, self._customers.let_go()), self._schemas[1], JOINED_BYTES)

    def _opened(self) -> Iterator[pa.RecordBatch]:
        """Yield the orders and keep the customers."""
        for parcel in self._parcels:
            sent = self._sent.setdefault((parcel.table, parcel.source), _Sent())
            if parcel.sent is not None:
                sent.said.append(parcel.sent)
                continue
            sent.arrived += parcel.rows
            self._routes[parcel.table].add(parcel.rows, parcel.source)
            if parcel.table == 0:
                yield self._rows(parcel)
            else:
                self._customers.add(parcel)

    def _rows(self, parcel: Parcel) -> pa.RecordBatch:
        message = parcel.data
        if message.address % ALIGNMENT:
            message = pa.py_buffer(message.to_pybytes())
        rows = pa.ipc.read_record_batch(message, self._schemas[parcel.table])
        if rows.num_rows != parcel.rows:
            raise SourceError(
                f"a parcel of {counted(parcel.rows, 'row')} of {TABLES[parcel.table]} holds "
                f"{rows.num_rows:,}; the shuffle damaged it",
                remedy="run the job again",
            )
        return rows

    def check(self, rows: int, announced: int | None) -> None:
        """Raise a SourceError unless what arrived and was read is what was sent.

        rows: of orders that were read; announced: of both tables, if the engine added them up on
        another way than the shuffle.
        """
        for (table, source), sent in self._sent.items():
            if sent.said != [sent.arrived]:
                said = " and ".join(f"{one:,}" for one in sent.said) or "an unknown number of"
                raise SourceError(
                    f"{TABLES[table]}: of {said} rows that source partition {source} sent here, "
                    f"{sent.arrived:,} arrived; the shuffle lost or repeated some",
                    remedy="run the job again",
                )
        arrived = sum(sent.arrived for (table, _), sent in self._sent.items() if table == 0)
        if rows != arrived:
            raise SourceError(
                f"orders: {counted(arrived, 'row')} arrived, {rows:,} were grouped",
                remedy="run the job again",
            )
        both = sum(sent.arrived for sent in self._sent.values())
        if announced is not None and both != announced:
            raise SourceError(
                f"of {counted(announced, 'row')} of orders and customers sent here, {both:,} "
                "arrived; either the shuffle lost or repeated some, or a partition that was "
                "computed a second time had other rows",
                remedy="persist the frames, or make them from what gives the same rows each time, "
                "and run the job again",
            )
