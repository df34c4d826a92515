"""Where the bytes of a block's ids go: to their partitions, or nowhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordercycle._arrow_views import address_of, spanning
from ordercycle._ingest.blocks import HASH, ID_COLUMNS, BlockIds
from ordercycle._ingest.id_bytes import LENGTHS_DIFFER, Placed
from ordercycle._ingest.id_columns import IdPiece
from ordercycle._ingest.table_readers import Run
from ordercycle_kernels import id_bytes as kernels


class IdLayout(ABC):
    """The ids of a block's rows, of one use, while these are laid out."""

    #: What the block says about them.
    ids: BlockIds

    def __init__(self, use: str, pieces: Sequence[IdPiece]) -> None:
        self._columns = ID_COLUMNS[use]
        self._length = common_length(pieces)

    @property
    @abstractmethod
    def unused(self) -> set[str]:
        """The columns that the block does without."""

    @abstractmethod
    def lay_out(self, number: int, pieces: Sequence[IdPiece], run: Run) -> None:
        """Lay out the ids of a run that was read; leave what is needed in its columns."""

    def _unused_length(self) -> set[str]:
        return set() if self._length == LENGTHS_DIFFER else {self._columns.length}


class IdsByPartition(IdLayout):
    """Ids that are moved to their partitions.

    Compared where they came from, they would have to be fetched from all over the memory: that
    took twice as long as to move them.
    """

    def __init__(
        self,
        use: str,
        pieces: Sequence[IdPiece],
        sizes: Sequence[NDArray[np.int64]],
        shift: int,
    ) -> None:
        super().__init__(use, pieces)
        self._shift = shift
        # Held, so that a dictionary is not hashed again when its rows are laid out.
        self._dictionaries = {id(piece.dictionary): piece.dictionary for piece in pieces}
        # Where the ids that each run has of each partition begin.
        self._begins = np.zeros((len(sizes) + 1, sizes[0].size), np.int64)
        np.cumsum(sizes, axis=0, out=self._begins[1:])
        offsets = np.concatenate([[0], np.cumsum(self._begins[-1])])
        self._begins += offsets[:-1]
        self.ids = BlockIds(Placed(np.empty(offsets[-1], np.uint8), self._length), offsets)

    @property
    def unused(self) -> set[str]:
        """Starts follow from lengths, as the ids of a partition lie one behind the other."""
        return {self._columns.start} | self._unused_length()

    def lay_out(self, number: int, pieces: Sequence[IdPiece], run: Run) -> None:
        """Move the ids of a run."""
        fill_lengths(pieces, run.columns[self._columns.length])
        starts, lengths = run.columns[self._columns.start], run.columns[self._columns.length]
        cursors = self._begins[number].copy()
        for piece in pieces:
            rows = piece.rows
            kernels.move_ids(
                run.columns[HASH][rows],
                run.kept[rows],
                self._shift,
                *piece.placed.ids(starts[rows], lengths[rows]),
                cursors,
                self.ids.placed.data,
            )


class IdsInDictionaries(IdLayout):
    """Ids that stay where they are, as many rows share each."""

    def __init__(self, use: str, pieces: Sequence[IdPiece]) -> None:
        super().__init__(use, pieces)
        # Held, so that a dictionary is not hashed again when its rows are laid out.
        self._dictionaries = {id(piece.dictionary): piece.dictionary for piece in pieces}
        memory = {address_of(piece.placed.data): piece.placed.data for piece in pieces}
        data, _ = spanning(list(memory.values()))
        self.ids = BlockIds(Placed(data, self._length), None)

    @property
    def unused(self) -> set[str]:
        """Lengths that are all the same."""
        return self._unused_length()

    def lay_out(self, number: int, pieces: Sequence[IdPiece], run: Run) -> None:  # noqa: ARG002 - every run is alike here
        """Let the ids of a run point into what is common to all dictionaries."""
        fill_lengths(pieces, run.columns[self._columns.length])
        for piece in pieces:
            if piece.placed.data.size:
                shift = address_of(piece.placed.data) - address_of(self.ids.placed.data)
                run.columns[self._columns.start][piece.rows] += shift


def common_length(pieces: Sequence[IdPiece]) -> int:
    """Return the length that all ids have, or LENGTHS_DIFFER."""
    lengths = {piece.placed.length for piece in pieces}
    return lengths.pop() if len(lengths) == 1 else LENGTHS_DIFFER


def fill_lengths(pieces: Sequence[IdPiece], lengths: NDArray[np.int32]) -> None:
    """Write the lengths of rows where these are the same: lengths: (n,), of a run."""
    for piece in pieces:
        if piece.placed.length != LENGTHS_DIFFER:
            lengths[piece.rows] = piece.placed.length


def bytes_by_partition(
    use: str, run: Run, counts: NDArray[np.int64], shift: int
) -> NDArray[np.int64]:
    """Return how many bytes the ids of a run have in each partition; counts: its rows there."""
    pieces = run.ids[use]
    length = common_length(pieces)
    if length != LENGTHS_DIFFER:
        return counts * length
    lengths = run.columns[ID_COLUMNS[use].length]
    fill_lengths(pieces, lengths)
    sizes = np.empty(counts.size, np.int64)
    kernels.count_bytes(run.columns[HASH], run.kept, shift, lengths, sizes)
    return sizes


def layout_of_ids(
    use: str,
    runs: Sequence[tuple[Sequence[IdPiece], NDArray[np.int64]]],
    shift: int,
    *,
    moves_all: bool,
) -> IdLayout:
    """Return the layout for the ids of some runs, given with the bytes in each partition.

    moves_all: those in dictionaries as well, which then need not stay in memory.
    """
    pieces = [piece for of_run, _ in runs for piece in of_run]
    if pieces[0].dictionary is not None and not moves_all:
        return IdsInDictionaries(use, pieces)
    return IdsByPartition(use, pieces, [sizes for _, sizes in runs], shift)
