"""Past a memory limit: rows and grouped customers wait in files that have no name.

A spill file is removed from its folder as soon as it is made, so that the system frees it with
the process, however that ends.
"""

from __future__ import annotations

import os
import re
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle.errors import ConfigError, StorageError, whole_number
from ordercycle.ingest.blocks import Block, BlockIds, Streaks
from ordercycle.ingest.id_bytes import Placed

T = TypeVar("T")

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
#: Less cannot hold the work of a few threads on a few million rows.
LEAST_LIMIT = 100_000_000
#: Shares of the limit: rows that wait, and one block of them on its way.
WAITING_SHARE, BLOCK_SHARE = 2, 12


@dataclass(frozen=True)
class Spill:
    """Where to keep what does not fit, and how much does."""

    limit: int  # bytes
    folder: str | None  # None: the system's folder for temporary files

    @classmethod
    def of(cls, memory_limit: object, spill_directory: Any) -> Spill | None:
        """Return what the options ask for; None where there is no limit."""
        folder = None
        if spill_directory is not None:
            folder = os.fspath(spill_directory)
            if not os.path.isdir(folder):
                raise ConfigError(
                    f"spill_directory={folder!r} is no folder; create it, or leave the option out"
                )
            if memory_limit is None:
                raise ConfigError("spill_directory needs a memory_limit to say what fits")
        if memory_limit is None:
            return None
        return cls(_bytes(memory_limit), folder)

    def block_rows(self, row_bytes: int) -> int:
        """Return how many rows to lay out at a time."""
        return max(2**18, self.limit // BLOCK_SHARE // row_bytes)

    def is_over(self, waiting: int) -> bool:
        """Say whether so many bytes of rows are too many to wait in memory."""
        return waiting > self.limit // WAITING_SHARE

    def file(self) -> IO[bytes]:
        """Return a new file without a name, readable by its owner only."""
        return guarded(lambda: tempfile.TemporaryFile(dir=self.folder), self.folder)


def guarded(work: Callable[[], T], folder: str | None) -> T:
    """Do something with a spill file; turn the system's errors into a StorageError."""
    try:
        return work()
    except OSError as error:
        where = folder or tempfile.gettempdir()
        raise StorageError(
            f"cannot keep rows in {where}: {error.strerror}; free some space, name another folder "
            "with spill_directory=, or raise memory_limit= (nothing was left behind)"
        ) from error


def _bytes(memory_limit: object) -> int:
    number = whole_number(memory_limit)
    if number is None and isinstance(memory_limit, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", memory_limit)
        if found and found[2].upper() in UNITS:
            number = int(float(found[1]) * UNITS[found[2].upper()])
    if number is None:
        raise ConfigError(
            f'memory_limit={memory_limit!r}: pass a number of bytes or a text like "4GB" or '
            '"512MiB", or None for no limit'
        )
    if number < LEAST_LIMIT:
        raise ConfigError(
            f"memory_limit={memory_limit!r} is less than {LEAST_LIMIT // 10**6} MB, which is not "
            "enough to work with; raise it"
        )
    return number


@dataclass(eq=False)
class SpillFile:
    """One file for all rows that wait on disk."""

    spill: Spill
    _stream: IO[bytes] = field(init=False)
    _written: int = 0

    def __post_init__(self) -> None:
        self._stream = self.spill.file()
        weakref.finalize(self, self._stream.close)

    def put(self, array: NDArray[Any]) -> SpilledArray:
        """Write an array and return what stands for it."""
        start = self._written
        view = np.ascontiguousarray(array).data.cast("B")
        guarded(lambda: self._write(view), self.spill.folder)
        self._written += view.nbytes
        return SpilledArray(self, start, array.size, array.dtype)

    def _write(self, view: memoryview) -> None:
        self._stream.write(view)
        self._stream.flush()

    def get(self, start: int, out: NDArray[Any]) -> None:
        """Fill an array with the bytes from `start` on."""
        view = out.data.cast("B")

        def read() -> None:
            done = 0
            while done < view.nbytes:
                size = os.preadv(self._stream.fileno(), [view[done:]], start + done)
                if size == 0:
                    raise OSError(5, "the spill file was cut off")
                done += size

        guarded(read, self.spill.folder)


@dataclass(frozen=True)
class SpilledArray:
    """An array on disk: a slice of it is read when it is asked for."""

    file: SpillFile
    start: int
    size: int
    dtype: np.dtype[Any]

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """Read some of the items."""
        start, stop, _ = part.indices(self.size)
        out = np.empty(max(0, stop - start), self.dtype)
        if out.size:
            self.file.get(self.start + start * self.dtype.itemsize, out)
        return out


class Waiting:
    """Blocks of rows until they are grouped: in memory while they fit, else on disk."""

    def __init__(self, spill: Spill | None) -> None:
        self.blocks: list[Block] = []
        self._spill = spill
        self._file: SpillFile | None = None
        self._held = 0

    @property
    def is_spilled(self) -> bool:
        """Whether any block is on disk."""
        return self._file is not None

    def add(self, block: Block) -> None:
        """Take a block over, and put all that are in memory on disk once they are too many."""
        self.blocks.append(block)
        if self._spill is None:
            return
        self._held += block.nbytes
        if self._spill.is_over(self._held):
            if self._file is None:
                self._file = SpillFile(self._spill)
            self.blocks = [_on_disk(block, self._file) for block in self.blocks]
            self._held = 0


def _on_disk(block: Block, file: SpillFile) -> Block:
    def put(values: Any) -> Any:
        return values if isinstance(values, SpilledArray) else file.put(values)

    columns = {name: put(values) for name, values in block.columns.items()}
    streaks = None if block.streaks is None else Streaks(*map(put, block.streaks))
    ids = {
        # The entries of a dictionary are few, and not the block's.
        use: BlockIds(Placed(put(placed.data), placed.length), offsets)
        if offsets is not None
        else BlockIds(placed, offsets)
        for use, (placed, offsets) in block.ids.items()
    }
    return replace(block, columns=columns, streaks=streaks, ids=ids)
