"""Columns of events as a history keeps them, from rows as they lie in a block."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.details import Columns, DetailWriter
from ordercycle._ingest.event_layout import EventLayout
from ordercycle._workspace import Workspace
from ordercycle_kernels.code_words import places_of_codes
from ordercycle_kernels.partition import as_moved, gather


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

    def write(
        self,
        columns: Columns,
        layout: EventLayout,
        order: NDArray[np.int32],
        out: Mapping[str, NDArray[Any]],
        are_there: Collection[str] = (),
    ) -> None:
        """Write rows in an order: out: (n,) each; are_there: columns that are written already."""
        for name in out.keys() - layout.codes.places.keys() - set(are_there):
            moved = as_moved(out[name])
            gather[moved.dtype.name](as_moved(columns[name]), order, moved)
        words = {
            name: self.workspace.array(name, order.size, np.uint64) for name in layout.codes.types
        }
        for name, moved in words.items():
            gather["uint64"](columns[name], order, moved)
        for name, (word, shift) in layout.codes.places.items():
            write, bits = places_of_codes[out[name].dtype.name], layout.codes.bits
            write(words[word], shift, bits, self._kept_codes[name], out[name])
