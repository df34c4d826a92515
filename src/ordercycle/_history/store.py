"""A saved history: a folder of batch files, and a manifest that is written last.

What the manifest lists is the history, nothing else is: files are written under new names, and
the manifest replaces the old one in one step, so that whoever opens the folder sees the history
as it was before or after, whenever the writer was stopped.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ordercycle._durable import path_of, unlock
from ordercycle._errors import StorageError
from ordercycle._history.batch_files import FileEntry, write_file
from ordercycle._history.grouped import Folder, Grouped, Part, SavedTable, cut
from ordercycle._history.manifest import (
    FORGOTTEN,
    MANIFEST,
    Kind,
    files_of,
    is_ours,
    kind_in,
    other_kind,
    read_manifest,
    unsound,
    write_manifest,
)
from ordercycle._history.stored_files import RUN, HeldRun, Stored, StoredFile, read_table
from ordercycle._workspace import Workers

G = TypeVar("G", bound=Grouped[Any])

LOCK = ".lock"
#: Files of a run, at most: each that is open takes a descriptor, of which a process has a thousand.
MOST_FILES = 256
#: Reading again after another process has replaced the history in between.
ATTEMPTS = 3


def save(history: G, directory: str | os.PathLike[str], pieces: int = 1) -> G:
    """Write a history to a folder of its own, every part in one run; return it as saved.

    pieces: how many parts to make of each, a power of two.
    """
    path = path_of("directory", directory)
    bits = len(history.parts).bit_length() - 1
    with _writing(path, "saved"):
        path.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(path, history.kind)
        with _locked(path), _tidied(path, history.kind), Workers(history.threads) as workers:
            is_there = (path / MANIFEST).exists()  # if not, somebody removed it
            if history.folder is not None and is_there and path.samefile(history.folder.path):
                _check_unchanged(history.folder, history.kind)
            token = secrets.token_hex(4)

            width = max(1, len(history.parts) // MOST_FILES)

            kept = history.format

            def batches(parts: Sequence[Part[Any]]) -> Iterator[pa.RecordBatch]:
                for part in parts:
                    for piece in cut(part.read(workers.workspace), pieces, bits):
                        yield kept.to_arrow(piece)
                    part.release()

            def write(number: int) -> FileEntry:
                name = path / f"part-{number:05d}-{token}.arrow"
                parts = history.parts[number * width : (number + 1) * width]
                return write_file(name, batches(parts), kept.schema)

            files = len(history.parts) // width
            entries = tuple(workers.in_order(write, range(files)))
            tables = _write_tables(history, path, token, {})
            return _committed(history, Folder(path, token, (entries,), tables))


def add_run(
    there: Folder, history: G, pieces: Iterable[Any], kept: int, held: HeldRun | None = None
) -> G:
    """Write a run, one piece for each part, on top of so many that are kept.

    history: as it will be, without the run; held: the pieces, where they are to stay in memory.
    Returns the history as saved.
    """
    path, kind, made = there.path, history.kind, history.format
    with _writing(path, "extended"), _locked(path), _tidied(path, kind):
        _check_unchanged(there, kind)
        token = secrets.token_hex(4)
        file = path / f"{RUN}{kept:05d}-{token}.arrow"
        entry = write_file(file, map(made.to_arrow, pieces), made.schema)
        tables = _write_tables(history, path, token, there.tables)
        runs = (*there.runs[:kept], (entry,))
        return _committed(history, Folder(path, token, runs, tables), kept, held)


@contextmanager
def _tidied(path: Path, kind: Kind) -> Iterator[None]:
    """Afterwards, whatever happened, remove the files of ours that are of no history."""
    try:
        yield
    finally:
        # What cannot be removed now is removed by the next writer.
        with suppress(OSError, StorageError):
            listed = set()
            if (path / MANIFEST).exists():
                listed = set(files_of(read_manifest(path, kind)))
            for file in path.iterdir():
                if is_ours(file.name) and file.name not in listed:
                    file.unlink(missing_ok=True)


def open_folder(
    opened: type[G], directory: str | os.PathLike[str], *, verify: bool, threads: int
) -> G:
    """Open a saved history."""
    path = path_of("directory", directory)
    for attempt in range(ATTEMPTS):
        manifest = read_manifest(path, opened.kind)
        try:
            return _opened(opened, path, manifest, verify=verify, threads=threads)
        except StorageError:
            # Another process may have replaced what the manifest listed.
            if attempt + 1 == ATTEMPTS or _token(path, opened.kind) == manifest["token"]:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _token(path: Path, kind: Kind) -> str:
    return str(read_manifest(path, kind)["token"])


def _opened(
    opened: type[G], path: Path, manifest: dict[str, Any], *, verify: bool, threads: int
) -> G:
    entries = {name: FileEntry(**entry) for name, entry in manifest.get("tables", {}).items()}
    tables = {
        name: SavedTable(entry, read_table(path, entry, verify=verify))
        for name, entry in entries.items()
    }
    try:
        history = opened.opened(manifest, {name: one.table for name, one in tables.items()})
        forgotten = _forgotten_of(manifest.get(FORGOTTEN, []), history)
    except (KeyError, TypeError, ValueError, OSError, OverflowError) as error:
        raise unsound(path / MANIFEST, error) from error
    made = history.format
    runs = tuple(tuple(FileEntry(**entry) for entry in run) for run in manifest["runs"])
    files = [entry for run in runs for entry in run]

    # All of them at once: what is open may be replaced while checksums are compared.
    by_entry = {entry: StoredFile.open(path, entry, made) for entry in files}
    if verify:
        with Workers(threads) as workers:
            for _ in workers.in_order(StoredFile.verify, by_entry.values()):
                pass
    by_run = [_stored(by_entry[entry] for entry in run) for run in runs]
    return replace(
        history,
        parts=tuple(Part(made, part) for part in zip(*by_run, strict=True)),
        threads=threads,
        names=tuple(manifest["names"]),
        folder=Folder(path, manifest["token"], runs, tables),
        forgotten=forgotten,
    )


def _forgotten_of(written: Sequence[Any], history: Grouped[Any]) -> tuple[Any, ...]:
    """Return the ids of customers who were forgotten, or raise a TypeError or ValueError."""
    ids = history.format.ids
    if not ids.is_integer and not ids.is_text:
        written = [bytes.fromhex(one) for one in written]
    return tuple(pa.array(written, ids.plain).to_pylist())


def _stored(files: Iterable[StoredFile]) -> list[Stored]:
    """Return the batches of a run, one for each part."""
    return [Stored(file, number) for file in files for number in range(file.entry.batches)]


def _committed(history: G, folder: Folder, kept: int = 0, held: HeldRun | None = None) -> G:
    """Write the manifest and return the history as saved: nothing can fail once it is written.

    kept: how many runs of each part the newest one comes on top of; held: as of `add_run`.
    """
    newest = _stored(
        StoredFile.open(folder.path, entry, history.format, held) for entry in folder.runs[-1]
    )
    parts = history.parts if kept else [Part(history.format, ()) for _ in newest]
    saved = tuple(part.with_run(run, kept) for part, run in zip(parts, newest, strict=True))
    committed = replace(history, parts=saved, folder=folder, spill=None)
    write_manifest(folder.path, _manifest_of(committed, folder))
    return committed


def _manifest_of(history: Grouped[Any], folder: Folder) -> dict[str, Any]:
    kind = history.kind
    described = history.format.described()
    if history.format.tables is not None:
        described["tables"] = {name: saved.entry._asdict() for name, saved in folder.tables.items()}
    forgotten = [one.hex() if isinstance(one, bytes) else one for one in history.forgotten]
    return {
        "format": kind.format,
        "version": kind.version,
        "token": folder.token,
        "parts": len(history.parts),
        **described,
        "tally": asdict(history.tally),
        "counts": history.counts._asdict(),
        "names": list(history.names),
        "runs": [[entry._asdict() for entry in run] for run in folder.runs],
        **({FORGOTTEN: forgotten} if forgotten else {}),
    }


def _write_tables(
    history: Grouped[Any], path: Path, token: str, before: Mapping[str, SavedTable]
) -> dict[str, SavedTable]:
    """Write the tables of a history, but those that are as they were before."""
    tables = {}
    for number, (name, table) in enumerate((history.format.tables or {}).items()):
        there = before.get(name)
        if there is not None and there.table.equals(table, check_metadata=True):
            tables[name] = there
            continue
        batches = table.combine_chunks().to_batches() or [
            pa.RecordBatch.from_pylist([], table.schema)
        ]
        file = path / f"table-{number:05d}-{token}.arrow"
        tables[name] = SavedTable(write_file(file, batches, table.schema), table)
    return tables


def _refuse_other_files(path: Path, kind: Kind) -> None:
    """Raise a StorageError where a folder holds files that are not of a history of the kind."""
    there = kind_in(path)
    if there not in (None, kind):
        raise other_kind(path, there, kind)
    others = [
        file.name
        for file in path.iterdir()
        if not is_ours(file.name)
        and (file.name not in (LOCK, MANIFEST) or not file.is_file())  # a pipe would wait
    ]
    if others:
        raise StorageError(
            f"{path} holds other files ({min(others)!r})", remedy="name a folder of its own"
        )


def _check_unchanged(folder: Folder, kind: Kind) -> None:
    if _token(folder.path, kind) != folder.token:
        raise StorageError(
            f"{folder.path} was extended or replaced since this history was opened",
            remedy="open it again, see what it holds, and repeat the call if that is missing",
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out; the system ends the lock with the process."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - systems without it have no such lock
        yield
        return
    with (path / LOCK).open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"{path} is being written by another process", remedy="run again when it is done"
            ) from None
        try:
            yield
        finally:
            unlock(stream.fileno())


@contextmanager
def _writing(path: Path, what: str) -> Iterator[None]:
    """Turn errors of the system into a StorageError."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"the history could not be {what} in {path}: {reason} (what was there before is "
            "untouched)",
            remedy="make room or rights there and run again",
        ) from error
