"""Runs of input rows: read piece by piece into the scratch arrays of a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.blocks import COLUMN_TYPES
from ordercycle._ingest.table_readers import Piece, Run
from ordercycle._workspace import Workspace


@dataclass(frozen=True)
class Runs:
    """The rows of a block, in runs that fit the processor's cache."""

    pieces: Sequence[Sequence[Piece]]
    workspace: Workspace

    def __len__(self) -> int:
        return len(self.pieces)

    def rows(self, number: int) -> int:
        """Return the number of rows of a run."""
        return sum(piece.batch.num_rows for piece in self.pieces[number])

    def read(
        self,
        number: int,
        names: Sequence[str],
        read: Callable[[Piece, slice, Run], None],
        kept: Mapping[str, NDArray[Any]] | None = None,
        *,
        has_hashes: bool = False,
    ) -> Run:
        """Read a run into scratch columns, valid until the thread's next run.

        kept: columns that are to outlive it; has_hashes: whether they hold the hashes already.
        """
        array, size = self.workspace.array, self.rows(number)
        columns = dict(kept or {})
        for name in names:
            if name not in columns:
                columns[name] = array(f"run.{name}", size, COLUMN_TYPES[name])
        run = Run(columns, np.zeros(0, np.bool_), has_hashes=has_hashes)
        begin = 0
        for piece in self.pieces[number]:
            end = begin + piece.batch.num_rows
            read(piece, slice(begin, end), run)
            begin = end
        return run
