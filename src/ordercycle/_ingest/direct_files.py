"""Files without a name, which bypass the system's page cache where that is possible.

A page of the cache is fresh memory: to write there took 2 ns a byte of processor time, to copy into
a buffer that is used again and again takes a tenth of that, and the disk fetches it from there.
"""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What the disk's memory access asks of places in files and in memory, and of lengths.
ALIGNMENT = 4096
#: Bytes that are handed to the disk at a time.
PIECE_BYTES = 2**22


def aligned(room: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the room from its first aligned byte on."""
    return room[-room.ctypes.data % ALIGNMENT :]


def rounded_up(size: int) -> int:
    """Return a size as a multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def room_for(size: int) -> int:
    """Return how much room reading so many bytes from anywhere takes."""
    return rounded_up(size + ALIGNMENT - 1)


class UnnamedFile:
    """A file that is removed as soon as it is made, and freed with the process.

    Written by one thread at a time; read by any.
    """

    def __init__(self, folder: str | None) -> None:
        self._stream = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - kept open
        weakref.finalize(self, self._stream.close)
        self._is_direct = self._set_direct(wanted=True)
        self._piece = aligned(np.empty(PIECE_BYTES + ALIGNMENT, np.uint8))[:PIECE_BYTES]
        self.bytes = 0

    def append(self, array: NDArray[Any]) -> int:
        """Write an array to the end, from an aligned place on; return where that is."""
        start = self.bytes
        source = np.ascontiguousarray(array).view(np.uint8)
        for begin in range(0, source.size, PIECE_BYTES):
            part = source[begin : begin + PIECE_BYTES]
            self._piece[: part.size] = part
            self._write(self._piece[: rounded_up(part.size)].data)
        return start

    def read(self, start: int, size: int, room: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Read bytes into aligned room, of `room_for` bytes at least; return where they are."""
        skipped = start % ALIGNMENT
        view = room[: rounded_up(skipped + size)].data
        done = 0
        while done < skipped + size:
            # What was read so far ends on the alignment, except at the end of the file.
            count = os.preadv(self._stream.fileno(), [view[done:]], start - skipped + done)
            if count == 0:
                raise OSError(errno.EIO, "the spill file was cut off")
            done += count
        return room[skipped : skipped + size]

    def _write(self, view: memoryview) -> None:
        done = 0
        while done < view.nbytes:
            try:
                done += os.pwrite(self._stream.fileno(), view[done:], self.bytes + done)
            except OSError as error:
                # Some file systems say only now that they know no way around the cache.
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._is_direct = self._set_direct(wanted=False)
        self.bytes += view.nbytes

    def _set_direct(self, *, wanted: bool) -> bool:
        """Bypass the cache, or not; return whether it is bypassed."""
        direct: Any = getattr(os, "O_DIRECT", None)
        if direct is None:
            return False
        import fcntl

        flags = fcntl.fcntl(self._stream, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._stream, fcntl.F_SETFL, flags | direct if wanted else flags & ~direct)
        except OSError:
            return False
        return wanted
