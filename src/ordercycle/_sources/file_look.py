"""What can be known of a file without reading it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Look:
    """The columns of a file, and its parts: each can be read without the others."""

    schema: pa.Schema
    rows: int | None  # None: not known without reading
    parts: Sequence[Any]  # whatever the format's reader makes of them
    #: Finds the bytes that whoever reads a part has to hold at a time, beside batches: only a
    #: memory limit asks for them.
    held_bytes: Callable[[], int] = int
    #: Whether times of a text have offsets other than that of UTC, as far as it was looked at.
    times_have_offsets: bool = False
