"""A saved history: a folder of batch files, and a manifest that is written last.

What the manifest lists is the history, nothing else is: files are written under new names, and
the manifest replaces the old one in one step, so that whoever opens the folder sees the history
as it was before or after, whenever the writer was stopped.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ordercycle.columns import Columns
from ordercycle.durable import sync_folder
from ordercycle.errors import StorageError
from ordercycle.grouping.batches import CustomerBatch
from ordercycle.history.batch_files import FileEntry, write_file
from ordercycle.history.parts import Counts, Kind, Part, cut
from ordercycle.history.policies import Policies
from ordercycle.history.stored_files import REBUILD, Stored, StoredFile, open_regular
from ordercycle.ingest.readers import AmountReader, IdReader
from ordercycle.ingest.row_readers import Tally
from ordercycle.ingest.spill import Spill
from ordercycle.workspace import Workers

MANIFEST = "manifest.json"
LOCK = ".lock"
#: The names that a writer gives its files: whatever else is in a folder is left alone.
OURS = re.compile(r"(part|run)-\d{5,}-[0-9a-f]{8}\.arrow|\.manifest\.json\.[0-9a-f]{8}\.tmp")
FORMAT, VERSION = "ordercycle history", 2
#: Versions that are read. In the first, an order was added up on the first of its days.
READABLE = (1, 2)
HASH = (
    "SplitMix64 output function of the 64-bit two's complement; bytes: folded 8 at a time from "
    "the hash of their length; a part is a range of the highest bits"
)
#: Files of a run, at most: each that is open takes a descriptor, of which a process has a thousand.
MOST_FILES = 256
#: Reading again after another process has replaced the history in between.
ATTEMPTS = 3


@dataclass(frozen=True)
class State:
    """All that a history is, wherever it is kept."""

    kind: Kind
    parts: tuple[Part, ...]
    tally: Tally
    counts: Counts
    names: tuple[str, ...] = ()  # of the appended batches that have one
    folder: Folder | None = None
    spill: Spill | None = None  # where parts that were too many for memory are


@dataclass(frozen=True)
class Folder:
    """Where a history is saved, and what it was when it was opened or written."""

    path: Path
    token: str  # another one after every write
    runs: tuple[tuple[FileEntry, ...], ...]


def save(
    state: State, directory: str | os.PathLike[str], workers: Workers, pieces: int = 1
) -> State:
    """Write a history to a folder of its own, every part in one run; return it as saved.

    pieces: how many parts to make of each, a power of two.
    """
    path = Path(directory)
    bits = len(state.parts).bit_length() - 1
    with _writing(path, "saved"):
        path.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(path)
        with _locked(path), _tidied(path):
            is_there = (path / MANIFEST).exists()  # if not, somebody removed it
            if state.folder is not None and is_there and path.samefile(state.folder.path):
                _check_unchanged(state.folder)
            token = secrets.token_hex(4)

            width = max(1, len(state.parts) // MOST_FILES)

            def batches(parts: Sequence[Part]) -> Iterator[CustomerBatch]:
                for part in parts:
                    yield from cut(part.read(workers.workspace), pieces, bits)
                    part.release()

            def write(number: int) -> FileEntry:
                name = path / f"part-{number:05d}-{token}.arrow"
                parts = state.parts[number * width : (number + 1) * width]
                return write_file(name, batches(parts), state.kind)

            files = len(state.parts) // width
            entries = tuple(workers.in_order(write, range(files)))
            return _committed(state, Folder(path, token, (entries,)))


def add_run(
    there: Folder, state: State, pieces: Sequence[CustomerBatch], kept: Sequence[Part]
) -> State:
    """Write a run, one piece for each part, on top of the parts that are kept.

    state: the history as it will be. Returns it as saved.
    """
    with _writing(there.path, "extended"), _locked(there.path), _tidied(there.path):
        _check_unchanged(there)
        token = secrets.token_hex(4)
        file = there.path / f"run-{len(there.runs):05d}-{token}.arrow"
        entry = write_file(file, pieces, state.kind)
        return _committed(state, Folder(there.path, token, (*there.runs, (entry,))), kept)


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
                listed = {entry["file"] for run in _manifest(path)["runs"] for entry in run}
            for file in path.iterdir():
                if _is_ours(file.name) and file.name not in listed:
                    file.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    """Say whether a file is one that a writer makes, beside the manifest and the lock."""
    return OURS.fullmatch(name) is not None


def open_folder(directory: str | os.PathLike[str], *, verify: bool, workers: Workers) -> State:
    """Open a saved history."""
    path = Path(directory)
    for attempt in range(ATTEMPTS):
        manifest = _manifest(path)
        try:
            return _state_of(path, manifest, verify=verify, workers=workers)
        except StorageError:
            # Another process may have replaced what the manifest listed.
            if attempt + 1 == ATTEMPTS or _manifest(path)["token"] == manifest["token"]:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _state_of(path: Path, manifest: dict[str, Any], *, verify: bool, workers: Workers) -> State:
    kind = _kind_of(manifest)
    runs = tuple(tuple(FileEntry(**entry) for entry in run) for run in manifest["runs"])
    entries = [entry for run in runs for entry in run]

    def open_file(entry: FileEntry) -> StoredFile:
        return StoredFile.open(path, entry, kind, verify=verify)

    opened = dict(zip(entries, workers.in_order(open_file, entries), strict=True))
    by_run = [_stored(opened[entry] for entry in run) for run in runs]
    return State(
        kind,
        tuple(Part(kind, part) for part in zip(*by_run, strict=True)),
        Tally(**manifest["tally"]),
        Counts(**manifest["counts"]),
        tuple(manifest["names"]),
        Folder(path, manifest["token"], runs),
    )


def _stored(files: Iterable[StoredFile]) -> list[Stored]:
    """Return the batches of a run, one for each part."""
    return [Stored(file, number) for file in files for number in range(file.entry.batches)]


def _committed(state: State, folder: Folder, kept: Sequence[Part] = ()) -> State:
    """Write the manifest and return the history as saved: nothing can fail once it is written.

    kept: the parts as they were, where the newest run comes on top of them.
    """
    newest = _stored(
        StoredFile.open(folder.path, entry, state.kind, verify=False) for entry in folder.runs[-1]
    )
    parts = kept or [Part(state.kind, ()) for _ in newest]
    saved = tuple(part.with_run(run) for part, run in zip(parts, newest, strict=True))
    state = State(state.kind, saved, state.tally, state.counts, state.names, folder)
    _write_manifest(folder.path, _manifest_of(state, folder))
    return state


def _manifest_of(state: State, folder: Folder) -> dict[str, Any]:
    types = pa.schema(
        [
            ("given_id", state.kind.ids.given),
            ("plain_id", state.kind.ids.plain),
            ("amount", state.kind.amount.given),
            ("order_id", pa.null() if state.kind.orders is None else state.kind.orders.plain),
        ]
    )
    return {
        "format": FORMAT,
        "version": VERSION,
        "token": folder.token,
        "hash": HASH,
        "parts": len(state.parts),
        "columns": asdict(state.kind.columns),
        "policies": asdict(state.kind.policies),
        "has_listing": state.kind.has_listing,
        "types": base64.b64encode(types.serialize().to_pybytes()).decode(),
        "tally": asdict(state.tally),
        "counts": state.counts._asdict(),
        "names": list(state.names),
        "runs": [[entry._asdict() for entry in run] for run in folder.runs],
    }


def _kind_of(manifest: dict[str, Any]) -> Kind:
    types = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(manifest["types"])))
    columns = Columns(**manifest["columns"])
    return Kind(
        ids=IdReader(types.field("given_id").type, types.field("plain_id").type),
        amount=AmountReader(types.field("amount").type, columns.order is not None),
        columns=columns,
        orders=None
        if columns.order is None
        else IdReader(types.field("order_id").type, types.field("order_id").type),
        policies=Policies(**manifest["policies"]),
        has_listing=manifest["has_listing"],
    )


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True).encode()


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    manifest = {**manifest, "crc32": zlib.crc32(_canonical(manifest))}
    temporary = path / f".{MANIFEST}.{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as stream:
            stream.write(_canonical(manifest))
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(path)  # the files first
        temporary.replace(path / MANIFEST)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # it is written: an error now would say that it is not
        sync_folder(path)


def _manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a folder, checked."""
    file = path / MANIFEST
    try:
        with os.fdopen(open_regular(file), "rb") as stream:
            text = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        if not path.exists():
            raise StorageError(f"there is no folder {path}; save a history there first") from None
        raise StorageError(
            f"{path} holds no saved history: {MANIFEST} is missing; name the folder that "
            "OrderHistory.save wrote"
        ) from None
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error
    try:
        manifest = json.loads(text)
        version = manifest["version"] if manifest["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError):
        raise StorageError(f"{file} is damaged; {REBUILD}") from None
    if version is None:
        raise StorageError(f"{file} is not of a saved history; name the folder of one")
    found = manifest.pop("crc32", None)
    if (
        zlib.crc32(_canonical(manifest)) != found
        or _canonical({**manifest, "crc32": found}) != text
    ):
        raise StorageError(f"{file} is damaged: its checksum differs; {REBUILD}")
    if version not in READABLE:
        raise StorageError(
            f"{file} has format version {version}, and this ordercycle reads versions "
            f"{', '.join(map(str, READABLE))}",
            remedy="install the ordercycle that wrote it, or build the history again",
        )
    if version == 1 and manifest["columns"]["order"] is not None:
        raise StorageError(
            f"{file} has format version 1, in which the rows of an order are added up whatever "
            "their days are",
            remedy="build the history again, which adds them up by day",
        )
    checked: dict[str, Any] = manifest
    return checked


def _refuse_strangers(path: Path) -> None:
    """Raise a StorageError where a folder holds files that are not of a history."""
    strangers = [
        file.name
        for file in path.iterdir()
        if file.name not in (LOCK, MANIFEST) and not _is_ours(file.name)
    ]
    if strangers:
        raise StorageError(
            f"{path} holds other files ({min(strangers)!r}); name a folder of its own"
        )


def _check_unchanged(folder: Folder) -> None:
    if _manifest(folder.path)["token"] != folder.token:
        raise StorageError(
            f"{folder.path} was extended or replaced since this history was opened; open it again, "
            "see what it holds, and repeat the call if that is missing"
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
                f"{path} is being written by another process; run again when it is done"
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
            f"the history could not be {what} in {path}: {reason}; what was there before is "
            "untouched"
        ) from error
