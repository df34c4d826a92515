"""Cells that kernels count in, of a size that has to grow, and what they hold."""

from collections.abc import Callable

import numpy as np

from ordercycle_kernels import sparse_cells as kernels


class SparseCells:
    """Cells by code: one for each (is_direct), or as many as are taken."""

    def __init__(self, codes: int, width: int, is_direct: bool) -> None:
        self.is_direct = is_direct
        self.cells = self._room_for(codes if is_direct else 0, width)

    def _room_for(self, cells: int, width: int) -> kernels.Cells:
        slots = 0 if self.is_direct else 1 << (2 * cells).bit_length()
        return kernels.Cells(
            np.zeros(slots, np.int32),
            np.zeros(0 if self.is_direct else cells, np.int64),
            np.zeros((cells, width), np.int64),
            np.zeros(1, np.int64),
        )

    def grow(self, more: int) -> None:
        """Make room for so many cells more."""
        assert not self.is_direct
        old = self.cells
        taken = int(old.taken[0])
        self.cells = self._room_for(taken + more, old.values.shape[1])
        self.cells.codes[:taken], self.cells.values[:taken] = old.codes[:taken], old.values[:taken]
        self.cells.taken[0] = taken
        kernels.find_cells(self.cells)

    def fill(self, work: Callable[[int, kernels.Cells], int], size: int) -> None:
        """Call a kernel, with what it starts from, until it has all: it stops for want of room."""
        start = work(0, self.cells)
        while start < size:
            self.grow(4)
            start = work(start, self.cells)

    def read(self) -> dict[int, list[int]]:
        """Return the values of the cells by code."""
        if self.is_direct:
            return dict(enumerate(self.cells.values.tolist()))
        taken = int(self.cells.taken[0])
        codes = self.cells.codes[:taken].tolist()
        assert len(set(codes)) == taken
        return dict(zip(codes, self.cells.values[:taken].tolist(), strict=True))
