"""Columns of events as a history keeps them, from rows as they lie in a block."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.details import DetailWriter
from ordercycle._grouping.instant_order import Stretch
from ordercycle._ingest.event_layout import EventLayout
from ordercycle._workspace import Workspace
from ordercycle_kernels.code_words import gather_words, narrow_codes, places_of_codes
from ordercycle_kernels.partition import as_moved, gather

#: Bits of a byte.
BYTE = 8


@dataclass(frozen=True)
class EventWriter:
    """Writes columns of rows in another order, codes as they are kept; details: what is kept."""

    details: DetailWriter
    workspace: Workspace

    @cached_property
    def _kept_codes(self) -> dict[str, NDArray[Any]]:
        """What is kept of each code, by the column that it would have of its own."""
        details, types = self.details, self.details.types
        return {
            column: details.codes[name].astype(types[column], copy=False)
            for name, column in details.payload.codes.items()
        }

    @cached_property
    def _unchanged(self) -> set[str]:
        """The columns whose codes are kept as they are."""
        kept = self._kept_codes
        return {name for name, codes in kept.items() if (codes == np.arange(codes.size)).all()}

    def write(
        self,
        stretch: Stretch,
        layout: EventLayout,
        order: NDArray[np.int32],
        out: Mapping[str, NDArray[Any]],
        are_there: Collection[str] = (),
    ) -> None:
        """Write rows in an order: out: (n,) each; are_there: columns that are written already."""
        columns = stretch.columns
        for name in out.keys() - layout.codes.places.keys() - set(are_there):
            moved = as_moved(out[name])
            gather[moved.dtype.name](as_moved(columns[name]), order, moved)
        array = self.workspace.array
        words = {name: array(name, order.size, np.uint64) for name in layout.codes.types}
        for name, moved in words.items():
            if order.size == stretch.size:
                gather_words(columns[name], stretch.begins, stretch.ends, order, moved)
            else:
                gather["uint64"](columns[name], order, moved)
        bits = layout.codes.bits
        for name, (word, shift) in layout.codes.places.items():
            kept, item = out[name], out[name].dtype.name
            if name in self._unchanged and BYTE * kept.itemsize <= bits:
                narrow_codes[item](words[word], shift, kept)
            else:
                places_of_codes[item](words[word], shift, bits, self._kept_codes[name], kept)
