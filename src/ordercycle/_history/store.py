"""A saved history: a folder of batch files, and a manifest that is written last.

What the manifest lists is the history, nothing else is: files are written under new names, and
the manifest replaces the old one in one step, so that whoever opens the folder sees the history
as it was before or after, whenever the writer was stopped.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._errors import StorageError
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.batch_files import FileEntry, write_file
from ordercycle._history.counts import Counts
from ordercycle._history.grouped_orders import Folder, GroupedOrders, Part, cut
from ordercycle._history.manifest import MANIFEST, is_ours, read_manifest, unsound, write_manifest
from ordercycle._history.stored_files import Stored, StoredFile
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.morsels import Tally
from ordercycle._policies import Policies
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workers

LOCK = ".lock"
#: Files of a run, at most: each that is open takes a descriptor, of which a process has a thousand.
MOST_FILES = 256
#: Reading again after another process has replaced the history in between.
ATTEMPTS = 3


def save(
    history: GroupedOrders, directory: str | os.PathLike[str], pieces: int = 1
) -> GroupedOrders:
    """Write a history to a folder of its own, every part in one run; return it as saved.

    pieces: how many parts to make of each, a power of two.
    """
    path = Path(directory)
    bits = len(history.parts).bit_length() - 1
    with _writing(path, "saved"):
        path.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(path)
        with _locked(path), _tidied(path), Workers(history.threads) as workers:
            is_there = (path / MANIFEST).exists()  # if not, somebody removed it
            if history.folder is not None and is_there and path.samefile(history.folder.path):
                _check_unchanged(history.folder)
            token = secrets.token_hex(4)

            width = max(1, len(history.parts) // MOST_FILES)

            def batches(parts: Sequence[Part]) -> Iterator[CustomerBatch]:
                for part in parts:
                    yield from cut(part.read(workers.workspace), pieces, bits)
                    part.release()

            def write(number: int) -> FileEntry:
                name = path / f"part-{number:05d}-{token}.arrow"
                parts = history.parts[number * width : (number + 1) * width]
                return write_file(name, batches(parts), history.spec)

            files = len(history.parts) // width
            entries = tuple(workers.in_order(write, range(files)))
            return _committed(history, Folder(path, token, (entries,)))


def add_run(
    there: Folder, history: GroupedOrders, pieces: Sequence[CustomerBatch], kept: Sequence[Part]
) -> GroupedOrders:
    """Write a run, one piece for each part, on top of the parts that are kept.

    history: as it will be. Returns it as saved.
    """
    with _writing(there.path, "extended"), _locked(there.path), _tidied(there.path):
        _check_unchanged(there)
        token = secrets.token_hex(4)
        file = there.path / f"run-{len(there.runs):05d}-{token}.arrow"
        entry = write_file(file, pieces, history.spec)
        return _committed(history, Folder(there.path, token, (*there.runs, (entry,))), kept)


@contextmanager
def _tidied(path: Path) -> Iterator[None]:
    """Afterwards, whatever happened, remove the files of ours that are of no history."""
    try:
        yield
    finally:
        # What cannot be removed now is removed by the next writer.
        with suppress(OSError, StorageError):
            listed = set()
            if (path / MANIFEST).exists():
                listed = {entry["file"] for run in read_manifest(path)["runs"] for entry in run}
            for file in path.iterdir():
                if is_ours(file.name) and file.name not in listed:
                    file.unlink(missing_ok=True)


def open_folder(directory: str | os.PathLike[str], *, verify: bool, threads: int) -> GroupedOrders:
    """Open a saved history."""
    path = Path(directory)
    for attempt in range(ATTEMPTS):
        manifest = read_manifest(path)
        try:
            return _opened(path, manifest, verify=verify, threads=threads)
        except StorageError:
            # Another process may have replaced what the manifest listed.
            if attempt + 1 == ATTEMPTS or read_manifest(path)["token"] == manifest["token"]:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _opened(path: Path, manifest: dict[str, Any], *, verify: bool, threads: int) -> GroupedOrders:
    try:
        spec = _spec_of(manifest)
        tally, counts = Tally(**manifest["tally"]), Counts(**manifest["counts"])
    except (KeyError, TypeError, ValueError, OSError, OverflowError) as error:
        raise unsound(path / MANIFEST, error) from error
    runs = tuple(tuple(FileEntry(**entry) for entry in run) for run in manifest["runs"])
    entries = [entry for run in runs for entry in run]

    def open_file(entry: FileEntry) -> StoredFile:
        return StoredFile.open(path, entry, spec, verify=verify)

    with Workers(threads) as workers:
        opened = dict(zip(entries, workers.in_order(open_file, entries), strict=True))
    by_run = [_stored(opened[entry] for entry in run) for run in runs]
    return GroupedOrders(
        spec,
        tuple(Part(spec, part) for part in zip(*by_run, strict=True)),
        tally,
        counts,
        threads,
        tuple(manifest["names"]),
        Folder(path, manifest["token"], runs),
    )


def _stored(files: Iterable[StoredFile]) -> list[Stored]:
    """Return the batches of a run, one for each part."""
    return [Stored(file, number) for file in files for number in range(file.entry.batches)]


def _committed(history: GroupedOrders, folder: Folder, kept: Sequence[Part] = ()) -> GroupedOrders:
    """Write the manifest and return the history as saved: nothing can fail once it is written.

    kept: the parts as they were, where the newest run comes on top of them.
    """
    newest = _stored(
        StoredFile.open(folder.path, entry, history.spec, verify=False) for entry in folder.runs[-1]
    )
    parts = kept or [Part(history.spec, ()) for _ in newest]
    saved = tuple(part.with_run(run) for part, run in zip(parts, newest, strict=True))
    committed = replace(history, parts=saved, folder=folder, spill=None)
    write_manifest(folder.path, _manifest_of(committed, folder))
    return committed


def _manifest_of(history: GroupedOrders, folder: Folder) -> dict[str, Any]:
    spec = history.spec
    types = pa.schema(
        [
            ("given_id", spec.ids.given),
            ("plain_id", spec.ids.plain),
            ("amount", spec.amount.given),
            ("order_id", pa.null() if spec.order_ids is None else spec.order_ids.plain),
        ]
    )
    return {
        "token": folder.token,
        "parts": len(history.parts),
        "columns": asdict(spec.columns),
        "policies": asdict(spec.policies),
        "has_listing": spec.has_listing,
        "types": base64.b64encode(types.serialize().to_pybytes()).decode(),
        "tally": asdict(history.tally),
        "counts": history.counts._asdict(),
        "names": list(history.names),
        "runs": [[entry._asdict() for entry in run] for run in folder.runs],
    }


def _spec_of(manifest: dict[str, Any]) -> HistorySpec:
    types = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(manifest["types"])))
    columns = Columns(**manifest["columns"])
    given, plain = types.field("given_id").type, types.field("plain_id").type
    if IdReader.of(types.field("given_id"), "orders").plain != plain:
        raise ValueError(f"ids of {given} are not read as {plain}")
    order_ids = None
    if columns.order is not None:
        order_ids = IdReader.of(types.field("order_id"), "orders")
    return HistorySpec(
        ids=IdReader(given, plain),
        amount=AmountReader.of(
            types.field("amount"), "orders", has_lines=columns.order is not None
        ),
        columns=columns,
        order_ids=order_ids,
        policies=Policies(**manifest["policies"]),
        has_listing=manifest["has_listing"],
    )


def _refuse_other_files(path: Path) -> None:
    """Raise a StorageError where a folder holds files that are not of a history."""
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


def _check_unchanged(folder: Folder) -> None:
    if read_manifest(folder.path)["token"] != folder.token:
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
        yield


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
