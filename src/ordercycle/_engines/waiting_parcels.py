"""Parcels that wait until others were read: in memory while they fit, else on disk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ordercycle._engines.shuffle_blocks import Parcel
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpilledArray, SpillFile

NOTHING = pa.py_buffer(b"")
#: How much of what may wait in memory may be parcels: orders are laid out beside them.
SHARE = 4


class WaitingParcels:
    """Parcels in the order in which they came.

    spill: where to keep those that do not fit; None: all do.
    """

    def __init__(self, spill: Spill | None) -> None:
        self._spill = spill
        self._file: SpillFile | None = None
        self._parcels: list[tuple[Parcel, SpilledArray | None]] = []
        self.held = 0  # bytes in memory

    def add(self, parcel: Parcel) -> None:
        """Keep a parcel."""
        spill, size = self._spill, parcel.data.size
        if spill is None or not spill.is_over((self.held + size) * SHARE):
            self.held += size
            self._parcels.append((parcel, None))
            return
        if self._file is None:
            self._file = SpillFile(spill.folder)
        data = self._file.put(np.frombuffer(parcel.data, np.uint8))
        self._parcels.append((parcel._replace(data=NOTHING), data))

    def let_go(self) -> Iterator[Parcel]:
        """Yield the parcels, and keep none."""
        parcels, self._parcels, self.held = self._parcels, [], 0
        for parcel, data in parcels:
            yield parcel if data is None else parcel._replace(data=pa.py_buffer(data.read()))
