"""Where files are, and how they are opened there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa


class Written(NamedTuple):
    """How long a file is and when it was written: what tells that it was written anew."""

    size: int
    nanoseconds: int


class Store(Protocol):
    """Where files are. Pickles, so that tasks on other machines open files themselves."""

    def open(self, path: str) -> pa.NativeFile:
        """Open a file at its beginning; bytes anywhere in it can be read."""

    def written(self, path: str) -> Written:
        """Look at a file, or raise an OSError."""


@dataclass(frozen=True)
class LocalStore:
    """The disks of this machine."""

    def open(self, path: str) -> pa.NativeFile:
        """Open a file; it is not mapped into memory.

        Mapped pages of a file that is cut short meanwhile, or of a disk that fails, end the
        process instead of raising.
        """
        return pa.OSFile(path)

    def written(self, path: str) -> Written:
        """Look at a file."""
        found = os.stat(path)
        return Written(found.st_size, found.st_mtime_ns)


LOCAL = LocalStore()
