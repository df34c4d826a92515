"""Where the bytes of a block's ids go: to their partitions, or nowhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordercycle._arrow_views import address_of, spanning
from ordercycle._ingest.blocks import BYTES, HASH, ID_COLUMNS, BlockIds, Section
from ordercycle._ingest.id_bytes import LENGTHS_DIFFER
from ordercycle._ingest.id_columns import SliceIds
from ordercycle._ingest.morsels import Morsel
from ordercycle_kernels import id_bytes as kernels


class IdWriter(ABC):
    """Writes the ids of a block's rows, of one use."""

    #: What the block knows of them, and its section with their bytes, if they are moved.
    ids: BlockIds
    section: Section | None = None

    def __init__(self, use: str, slices: Sequence[SliceIds]) -> None:
        self._columns = ID_COLUMNS[use]
        self._length = common_length(slices)

    @property
    @abstractmethod
    def unused(self) -> set[str]:
        """The columns that the block does without."""

    @abstractmethod
    def write(self, number: int, slices: Sequence[SliceIds], morsel: Morsel) -> None:
        """Write the ids of a morsel that was read; leave what is needed in its columns."""

    def _unused_length(self) -> set[str]:
        return set() if self._length == LENGTHS_DIFFER else {self._columns.length}


class IdsByPartition(IdWriter):
    """Ids that are moved to their partitions.

    Compared where they came from, they would have to be fetched from all over the memory: that
    took twice as long as to move them.
    """

    def __init__(
        self,
        use: str,
        slices: Sequence[SliceIds],
        sizes: Sequence[NDArray[np.int64]],
        shift: int,
    ) -> None:
        super().__init__(use, slices)
        self._shift = shift
        # Held, so that a dictionary is not hashed again when its rows are read.
        self._dictionaries = {id(part.dictionary): part.dictionary for part in slices}
        # Where the ids that each morsel has of each partition begin.
        self._begins = np.zeros((len(sizes) + 1, sizes[0].size), np.int64)
        np.cumsum(sizes, axis=0, out=self._begins[1:])
        self.section = Section.to_fill({BYTES: "uint8"}, self._begins[-1])
        self._bytes = self.section.columns[BYTES]
        self._begins += self.section.begins
        self.ids = BlockIds(self._length, None)

    @property
    def unused(self) -> set[str]:
        """Starts follow from lengths, as the ids of a partition lie one behind the other."""
        return {self._columns.start} | self._unused_length()

    def write(self, number: int, slices: Sequence[SliceIds], morsel: Morsel) -> None:
        """Move the ids of a morsel."""
        fill_lengths(slices, morsel.columns[self._columns.length])
        starts, lengths = morsel.columns[self._columns.start], morsel.columns[self._columns.length]
        cursors = self._begins[number].copy()
        for part in slices:
            rows = part.rows
            kernels.move_ids(
                morsel.columns[HASH][rows],
                morsel.kept[rows],
                self._shift,
                *part.buffer.ids(starts[rows], lengths[rows]),
                cursors,
                self._bytes,
            )


class IdsInDictionaries(IdWriter):
    """Ids that stay where they are, as many rows share each."""

    def __init__(self, use: str, slices: Sequence[SliceIds]) -> None:
        super().__init__(use, slices)
        # Held, so that a dictionary is not hashed again when its rows are read.
        self._dictionaries = {id(part.dictionary): part.dictionary for part in slices}
        memory = {address_of(part.buffer.data): part.buffer.data for part in slices}
        self._bytes, _ = spanning(list(memory.values()))
        self.ids = BlockIds(self._length, self._bytes)

    @property
    def unused(self) -> set[str]:
        """Lengths that are all the same."""
        return self._unused_length()

    def write(self, number: int, slices: Sequence[SliceIds], morsel: Morsel) -> None:  # noqa: ARG002 - every morsel is alike here
        """Let the ids of a morsel point into what is common to all dictionaries."""
        fill_lengths(slices, morsel.columns[self._columns.length])
        for part in slices:
            if part.buffer.data.size:
                shift = address_of(part.buffer.data) - address_of(self._bytes)
                morsel.columns[self._columns.start][part.rows] += shift


def common_length(slices: Sequence[SliceIds]) -> int:
    """Return the length that all ids have, or LENGTHS_DIFFER."""
    lengths = {part.buffer.length for part in slices}
    return lengths.pop() if len(lengths) == 1 else LENGTHS_DIFFER


def fill_lengths(slices: Sequence[SliceIds], lengths: NDArray[np.int32]) -> None:
    """Write the lengths of rows where these are the same: lengths: (n,), of a morsel."""
    for part in slices:
        if part.buffer.length != LENGTHS_DIFFER:
            lengths[part.rows] = part.buffer.length


def bytes_by_partition(
    use: str, morsel: Morsel, counts: NDArray[np.int64], shift: int
) -> NDArray[np.int64]:
    """Return how many bytes the ids of a morsel have in each partition; counts: its rows there."""
    slices = morsel.ids[use]
    length = common_length(slices)
    if length != LENGTHS_DIFFER:
        return counts * length
    lengths = morsel.columns[ID_COLUMNS[use].length]
    fill_lengths(slices, lengths)
    sizes = np.empty(counts.size, np.int64)
    kernels.count_bytes(morsel.columns[HASH], morsel.kept, shift, lengths, sizes)
    return sizes


def writer_of_ids(
    use: str,
    morsels: Sequence[tuple[Sequence[SliceIds], NDArray[np.int64]]],
    shift: int,
    *,
    moves_all: bool,
) -> IdWriter:
    """Return the writer for the ids of some morsels, given with the bytes in each partition.

    moves_all: those in dictionaries as well, which then need not stay in memory.
    """
    slices = [part for of_morsel, _ in morsels for part in of_morsel]
    if slices[0].dictionary is not None and not moves_all:
        return IdsInDictionaries(use, slices)
    return IdsByPartition(use, slices, [sizes for _, sizes in morsels], shift)
