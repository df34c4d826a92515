"""Past a memory limit: what fits, and rows that wait on disk until they are grouped."""

from __future__ import annotations

import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, cast

from ordercycle._durable import path_of
from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._ingest.blocks import Block, Section
from ordercycle._ingest.spill_file import SpilledArray, SpillFile
from ordercycle._workspace import LARGE_TASKS_AHEAD, Workspace

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
#: Less cannot hold the work of a few threads on a few million rows.
LEAST_LIMIT = 100_000_000
#: Shares of the limit: rows that wait, one block of them on its way, and what is read ahead.
WAITING_SHARE, BLOCK_SHARE, READING_SHARE = 2, 12, 4
#: Bytes of the limit for each thread: scratch arrays for a morsel, and its batches.
THREAD_BYTES = 50_000_000
#: Bytes of the limit for whoever takes the results: tables that wait to be written.
TAKEN_BYTES = 64_000_000
#: Bytes that a row of a batch takes where every customer has one order: as a profile, and
#: beside it while it is grouped.
PROFILE_BYTES, GROUPING_BYTES = 150, 80
#: How often a batch holds the bytes of its rows at the same time, ids above all: as loaded, as
#: taken by partition, joined, and in the profile; as much again is freed, but not given back.
COPIES = 8
LEAST_BATCH_ROWS = 2**12


@dataclass(frozen=True)
class Spill:
    """Where to keep what does not fit, and how much does."""

    limit: int  # bytes
    folder: str | None  # None: the system's folder for temporary files
    beside: int = 0  # bytes of another table's rows, which wait in memory already

    @classmethod
    def of(cls, memory_limit: object, spill_directory: Any) -> Spill | None:
        """Return what the options ask for; None where there is no limit."""
        folder = None
        if spill_directory is not None:
            folder = str(path_of("spill_directory", spill_directory))
            if not os.path.isdir(folder):
                raise ConfigError(
                    (Option("spill_directory", folder), " is no folder"),
                    remedy="create it, or leave the option out",
                )
            if memory_limit is None:
                raise ConfigError(
                    (Option("spill_directory", folder), " needs a limit to say what fits"),
                    remedy=("add ", Option("memory_limit", "4GB")),
                )
        if memory_limit is None:
            return None
        return cls(_bytes(memory_limit), folder)

    @property
    def most_threads(self) -> int:
        """How many threads the limit has room for."""
        return max(1, self.limit // THREAD_BYTES)

    @property
    def reading_bytes(self) -> int:
        """Bytes that may be read ahead of the rows that are laid out."""
        return self.limit // READING_SHARE

    def block_rows(self, row_bytes: int) -> int:
        """Return how many rows to lay out at a time."""
        return max(1, self.limit // BLOCK_SHARE // row_bytes)

    def batch_rows(self, row_bytes: int, threads: int) -> int:
        """Return how many rows may be grouped at a time, whatever number of customers they have.

        Each thread works on one batch while others of its own wait to be taken, and one is taken.
        """
        waiting = PROFILE_BYTES + row_bytes
        working = PROFILE_BYTES + GROUPING_BYTES + COPIES * row_bytes
        needed = threads * (working + (LARGE_TASKS_AHEAD - 1) * waiting) + waiting
        return max(LEAST_BATCH_ROWS, (self.limit - TAKEN_BYTES) // needed)

    def is_over(self, waiting: int) -> bool:
        """Return whether so many bytes of rows are too many to wait in memory."""
        return self.beside + waiting > self.limit // WAITING_SHARE


#: Digits that sizes have, at most.
MOST_DIGITS = 100


def _bytes(memory_limit: object) -> int:
    number = whole_number(memory_limit)
    if number is None and isinstance(memory_limit, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", memory_limit)
        # Of so many digits that no float holds them, it is no size of any memory.
        if found and found[2].upper() in UNITS and len(found[1]) < MOST_DIGITS:
            number = int(float(found[1]) * UNITS[found[2].upper()])
    if number is None:
        raise ConfigError(
            (Option("memory_limit", memory_limit), " is no size"),
            remedy='pass a number of bytes or a text like "4GB" or "512MiB", or None for no limit',
        )
    if number < LEAST_LIMIT:
        raise ConfigError(
            (
                Option("memory_limit", memory_limit),
                f" is less than {LEAST_LIMIT // 10**6} MB, which is not enough to work with",
            ),
            remedy="raise it",
        )
    return number


class SpilledSection(Section):
    """A section on disk: its columns are spilled arrays."""

    @classmethod
    def of(cls, section: Section, file: SpillFile) -> SpilledSection:
        """Write a section to a file."""
        columns: dict[str, Any] = {name: file.put(each) for name, each in section.columns.items()}
        return cls(columns, section.begins, section.ends)

    def loaded(self, partitions: range, workspace: Workspace, use: str) -> Section:
        """Return a section of these partitions alone, in arrays of the thread."""
        items = self.slice_of(partitions)
        columns = {}
        for name, spilled in cast("dict[str, SpilledArray]", self.columns).items():
            out = workspace.array(f"{use}.{name}", items.stop - items.start, spilled.dtype)
            columns[name] = spilled.read(items, out)
        return Section(columns, self.begins - items.start, self.ends - items.start)


class Waiting:
    """Blocks of rows until they are grouped: in memory while they fit, else on disk.

    Blocks are written by a thread of their own, one at a time, while the next one is laid out.
    """

    def __init__(self, spill: Spill | None) -> None:
        self._spill = spill
        self._held: list[Block] = []
        self._writing: list[Future[Block]] = []
        self._file: SpillFile | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ordercycle-spill")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def is_spilled(self) -> bool:
        """Whether any block is on disk."""
        return self._file is not None

    @property
    def blocks(self) -> list[Block]:
        """All blocks, those on disk first, once they are there."""
        return [future.result() for future in self._writing] + self._held

    def add(self, block: Block) -> None:
        """Take a block over; once they are too many for memory, put it and the others on disk."""
        self._held.append(block)
        if self._spill is None:
            return
        if self._file is None and self._spill.is_over(sum(held.nbytes for held in self._held)):
            self._file = SpillFile(self._spill.folder)
        if self._file is None:
            return
        file = self._file

        def to_disk(_: str, section: Section) -> Section:
            return SpilledSection.of(section, file)

        if self._writing:
            self._writing[-1].result()  # no more than one block is on its way
        self._writing += [self._pool.submit(held.changed, to_disk) for held in self._held]
        self._held = []
