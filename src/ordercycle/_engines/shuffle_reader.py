"""Shuffle blocks in the task that reads them: opened, counted, and compared with what was sent."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ordercycle._engines.shuffle_blocks import Packer, ShuffleBlock, joined
from ordercycle._engines.source_notes import SourceNote
from ordercycle._errors import SourceError, counted
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpilledArray, SpillFile
from ordercycle._sources.row_source import Source

#: Smaller blocks are joined to batches of so many bytes: reading a batch has a fixed cost.
JOINED_BYTES = 2**19
#: How much of the memory limit blocks that wait may take: one part in so many. Rows that are read
#: are laid out beside them.
SHARE = 4
NOTHING = pa.py_buffer(b"")


@dataclass
class _Sent:
    """What one source sent: rows that came, and how many it reported, each time it did."""

    came: int = 0
    reported: list[int] = field(default_factory=list)


class _Origins:
    """Where the rows of a table come from: of each block the last row, and the source."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._sources: list[int] = []
        self._places: dict[int, str] = {}

    def add(self, block: ShuffleBlock) -> None:
        """Note the next block with rows."""
        self._ends.append(block.rows + (self._ends[-1] if self._ends else 0))
        self._sources.append(block.source)

    def name(self, source: int, place: str) -> None:
        """Note what a source calls its place."""
        self._places[source] = place

    def place(self, row: int) -> str:
        """Return in words where a row comes from; the number it had there did not travel."""
        source = self._sources[bisect_right(self._ends, row)]
        return self._places.get(source) or f"a row of source partition {source}"


class WaitingBlocks:
    """Blocks of tables that wait until others were read: in memory while they fit, else on disk.

    spill: where to keep those that do not fit; None: all do. are_here: whether all are in memory
    anyway; else, they are in that of rows, which is not to be held for some of them.
    """

    def __init__(self, spill: Spill | None, *, are_here: bool = False) -> None:
        self._spill = None if are_here else spill
        self._are_here = are_here
        self._file: SpillFile | None = None
        self._blocks: dict[int, list[tuple[ShuffleBlock, SpilledArray | None]]] = defaultdict(list)
        self.held = 0  # bytes in memory

    def add(self, block: ShuffleBlock) -> None:
        """Keep a block."""
        spill, size, blocks = self._spill, block.data.size, self._blocks[block.table]
        if spill is None or not spill.is_over((self.held + size) * SHARE):
            self.held += size
            if not self._are_here:
                block = block._replace(data=pa.py_buffer(block.data.to_pybytes()))
            blocks.append((block, None))
            return
        if self._file is None:
            self._file = SpillFile(spill.folder)
        data = self._file.put(np.frombuffer(block.data, np.uint8))
        blocks.append((block._replace(data=NOTHING), data))

    def drain(self, table: int) -> Iterator[ShuffleBlock]:
        """Yield the blocks of a table in the order in which they came, and keep none."""
        blocks = self._blocks.pop(table, [])
        self.held -= sum(block.data.size for block, _ in blocks)
        for block, data in blocks:
            yield block if data is None else block._replace(data=pa.py_buffer(data.read()))


class ShuffleReader:
    """The blocks of one target, opened while they come, and counted.

    The first table streams through; the others, which are smaller, wait until it has been read,
    past a memory limit on disk. Blocks that are all here already (a sequence) are read where they
    are.

    What sources say of all their rows is known once the first table was read.
    """

    def __init__(
        self,
        blocks: Iterable[ShuffleBlock],
        tables: Sequence[Packer],
        spill: Spill | None = None,
    ) -> None:
        self._blocks = blocks
        self._here = blocks if isinstance(blocks, Sequence) else None
        self._tables = tables
        self._sent: dict[tuple[int, int], _Sent] = defaultdict(_Sent)
        self._origins = [_Origins() for _ in tables]
        self._has_rows: set[int] = set()
        self._found: dict[int, set[int | str]] = defaultdict(set)
        # What is here already takes no more memory by waiting.
        self._waiting = WaitingBlocks(spill, are_here=self._here is not None)

    def source(self, table: Packer) -> Source:
        """Return a table; all but the first are there once that has been read."""
        opened = self._opened(table.number)
        rows = None
        if self._here is not None:
            rows = sum(block.rows for block in self._here if block.table == table.number)
        return Source(
            table.name,
            table.schema,
            joined(opened, table.schema, JOINED_BYTES),
            rows,
            in_memory=rows is not None,
            place=self._origins[table.number].place,
            is_whole=False,
        )

    def found(self, table: Packer) -> set[int | str] | None:
        """Return which texts and names the sources of a table found; None: it has no rows."""
        return self._found[table.number] if table.number in self._has_rows else None

    def _opened(self, table: int) -> Iterator[pa.RecordBatch]:
        yield from map(self._rows, self._waiting.drain(table) if table else self._first())

    def _first(self) -> Iterator[ShuffleBlock]:
        """Yield the blocks of the first table, count all, and keep those of the others."""
        for block in self._blocks:
            sent, origins = self._sent[block.table, block.source], self._origins[block.table]
            if block.sent is not None:
                sent.reported.append(block.sent)
                note = SourceNote.from_buffer(block.data)
                origins.name(block.source, note.place)
                self._found[block.table].update(note.found)
                if note.has_rows:
                    self._has_rows.add(block.table)
                continue
            sent.came += block.rows
            origins.add(block)
            if block.table == 0:
                yield block
            else:
                self._waiting.add(block)

    def _rows(self, block: ShuffleBlock) -> pa.RecordBatch:
        table = self._tables[block.table]
        rows = table.form.opened(block.data)
        if rows.num_rows != block.rows:
            raise SourceError(
                f"a shuffle block of {counted(block.rows, 'row')} of {table.name} holds "
                f"{rows.num_rows:,}; the shuffle damaged it",
                remedy="run the job again",
            )
        return rows

    def check(self, rows: Mapping[int, int], expected_rows: int | None) -> None:
        """Raise a SourceError unless what came and was read is what was sent.

        rows: that were read of tables, by their numbers; expected_rows: of all tables, if the
        engine added them up on another way than the shuffle.
        """
        for (table, source), sent in self._sent.items():
            if sent.reported != [sent.came]:
                said = " and ".join(f"{one:,}" for one in sent.reported) or "an unknown number of"
                raise SourceError(
                    f"{self._tables[table].name}: of {said} rows that source partition {source} "
                    f"sent here, {sent.came:,} arrived; the shuffle lost or repeated some",
                    remedy="run the job again",
                )
        for number, read in rows.items():
            came = sum(sent.came for (table, _), sent in self._sent.items() if table == number)
            if read != came:
                raise SourceError(
                    f"{self._tables[number].name}: {counted(came, 'row')} arrived, {read:,} were "
                    "grouped",
                    remedy="run the job again",
                )
        of_all = sum(sent.came for sent in self._sent.values())
        names = " and ".join(table.name for table in self._tables)
        if expected_rows is not None and of_all != expected_rows:
            raise SourceError(
                f"of {counted(expected_rows, 'row')} of {names} sent here, {of_all:,} "
                "arrived; either the shuffle lost or repeated some, or a partition "
                "that was computed a second time had other rows",
                remedy="persist the frames, or make them from what gives the same rows each time, "
                "and run the job again",
            )
