"""Files in the place of a frame: tasks read them with Arrow, and the engine sees no row of them.

An engine that reads Parquet may make rows of its columns, and columns of its rows for Python: on
Spark that takes two fifths of the processor time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pyarrow as pa

from ordercycle._sources.computed_columns import Computation, UncomputableError
from ordercycle._sources.files import Piece, look_at_files, settle
from ordercycle._sources.locations import absolute
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.row_source import Files

#: The path, glob or directory of files, or a list of these.
Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
#: A task reads pieces of so many bytes, as they lie in the files: a million orders or two.
TASK_BYTES = 2**24


@dataclass(frozen=True)
class PieceReader:
    """What reads pieces of files in a task, which brings its own.

    held: the columns that are read; computation: what makes others of them, where some are made.
    """

    request: ReadRequest
    held: pa.Schema
    computation: Computation | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns of the rows."""
        return self.held if self.computation is None else self.computation.schema

    def batches(self, pieces: Iterable[Piece]) -> Iterator[pa.RecordBatch]:
        """Read pieces; the rows are the same each time, or there is an error.

        Raises
        ------
        SourceError
            Where a file cannot be read, or was written again since it was looked at: an action may
            come days later, and a task that runs again would give some targets other rows than the
            rest.
        DataError
            Where a column cannot be computed.
        """
        for piece in pieces:
            try:
                for batch in piece.batches(self.held, self.request):
                    yield batch if self.computation is None else self.computation.batch(batch)
            except UncomputableError as error:
                raise error.at(f"a row of {piece.file.path!r}") from None


@dataclass(frozen=True)
class FileFrame:
    """The columns of a table in files that driver and workers see alike, divided among tasks.

    tasks: the pieces that each reads; files: what they are.
    """

    reader: PieceReader
    tasks: tuple[tuple[Piece, ...], ...]
    files: Files | None = None

    @classmethod
    def of(cls, paths: Any, request: ReadRequest) -> FileFrame:
        """Look at files; every schema is read here, no row is.

        Raises
        ------
        SourceError, ColumnError
            As for files in OrderHistory.build.
        """
        paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
        # Workers have working directories of their own.
        paths = [absolute(os.fspath(path), request.filesystem, request.table) for path in paths]
        found = look_at_files(paths, replace(request, are_settled=True))
        settle(found.pieces)
        # Each piece knows where it is.
        read = replace(found.request, filesystem=None)
        reader = PieceReader(read, found.schema, found.computation)
        return cls(reader, tuple(_tasks(found.pieces)), found.files)


def are_paths(source: object) -> bool:
    """Return whether a source is the path of files, or a list of such."""
    paths = source if isinstance(source, (list, tuple)) else [source]
    return bool(paths) and all(isinstance(path, (str, os.PathLike)) for path in paths)


def _tasks(pieces: list[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Yield the pieces of each task; there is at least one."""
    together: list[Piece] = []
    size = 0
    for piece in pieces:
        together.append(piece)
        size += piece.size
        if size >= TASK_BYTES:
            yield tuple(together)
            together, size = [], 0
    if together or not pieces:
        yield tuple(together)


def place_of(pieces: Sequence[Piece]) -> str:
    """Return in words where the rows of a task come from."""
    if not pieces:
        return "no row of any file"
    files = list(dict.fromkeys(piece.file.path for piece in pieces))
    if len(files) == 1:
        return f"a row of {files[0]!r}"
    return f"a row of one of {len(files)} files, {files[0]!r} to {files[-1]!r}"
