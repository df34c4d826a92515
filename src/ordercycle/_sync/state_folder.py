"""What was sent, on disk: written ahead, noted batch by batch, folded when all is done.

A folder of the state has a folder for each audience of a connector, with what was sent
(`sent.arrow`), and while a sync is on its way, the rows it sends (`plan.arrow`) and a line for each
batch that was acknowledged (`journal`). All belong to their owner alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import pyarrow as pa

from ordercycle._durable import lock, replacing, sync_folder, unlock
from ordercycle._errors import StorageError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
SENT, PLAN, JOURNAL, MANIFEST, LOCK = "sent.arrow", "plan.arrow", "journal", "state.json", "lock"
FORMAT, VERSION = "ordercycle audience state", 1
#: The key of a file's own facts in its schema.
FACTS = b"ordercycle"
#: What a file ends with, behind what Arrow reads: the checksum of all before it.
CHECKSUM_BYTES = 4
#: What is with every file, and the columns without which it is none of ours.
NEEDED = {
    SENT: ({"remote"}, {"hash", "tie", "stale"}),
    PLAN: (
        {"remote", "name", "values", "mode", "session", "started", "left"},
        {"action", "batch", "hash", "tie"},
    ),
}
REMEDY = "move the folder away; the next sync then begins anew, best by replacing what is there"


@dataclass(frozen=True)
class Saved:
    """A table and the facts that were written with it."""

    table: pa.Table
    facts: dict[str, Any]


class AudienceFolder:
    """The state of one audience at one connector."""

    def __init__(self, folder: Path, connector: str, audience: str) -> None:
        self.folder = folder
        self.connector = connector
        self.audience = audience

    @classmethod
    def at(cls, state: Path, connector: str, audience: str) -> AudienceFolder:
        """Return the folder of an audience, which may not be there yet."""
        slug = re.sub(r"[^a-z0-9]+", "-", audience.lower()).strip("-")[:40] or "audience"
        digest = hashlib.sha256(f"{connector}\n{audience}".encode()).hexdigest()[:12]
        return cls(state / f"{connector.partition(':')[0]}-{slug}-{digest}", connector, audience)

    @classmethod
    def all_in(cls, state: Path) -> list[AudienceFolder]:
        """Return the folders of all audiences of a state.

        Raises
        ------
        StorageError
            One is damaged, or the state is open to others.
        """
        if not state.exists():
            return []
        check_private(state)
        found = []
        for folder in sorted(state.iterdir()):
            if folder.is_dir() and (folder / MANIFEST).exists():
                facts = _manifest(folder / MANIFEST)
                found.append(cls(folder, str(facts["connector"]), str(facts["audience"])))
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder where there is none, and keep other syncs out while the block runs.

        Raises
        ------
        StorageError
            Another sync is running, or the folder is of something else.
        """
        make_private(self.folder.parent)
        make_private(self.folder)
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            if not lock(handle):
                raise StorageError(
                    f"{self.folder} is in use by another sync", remedy="wait until it is done"
                )
            try:
                self._introduce()
                yield
            finally:
                unlock(handle)
        finally:
            os.close(handle)

    def check(self) -> None:
        """Raise a StorageError where the folder is there and of something else."""
        if self.folder.parent.exists():
            check_private(self.folder.parent)
        if not self.folder.exists():
            return
        check_private(self.folder)
        path = self.folder / MANIFEST
        if not path.exists():
            if any((self.folder / name).exists() for name in (SENT, PLAN, JOURNAL)):
                raise StorageError(f"{self.folder} holds no state of ours", remedy=REMEDY)
            return
        facts = _manifest(path)
        if (facts["connector"], facts["audience"]) != (self.connector, self.audience):
            raise StorageError(f"{self.folder} is of another audience or account", remedy=REMEDY)

    def _introduce(self) -> None:
        self.check()
        path = self.folder / MANIFEST
        if not path.exists():
            facts = {"format": FORMAT, "version": VERSION, "connector": self.connector,
                     "audience": self.audience}  # fmt: skip
            with replacing(path, mode=PRIVATE_FILE) as stream:
                stream.write(json.dumps(facts).encode())

    def sent(self) -> Saved | None:
        """Return what was sent; None: nothing was."""
        return self._read(SENT)

    def plan(self) -> Saved | None:
        """Return the plan of a sync that was not finished; None: there is none."""
        return self._read(PLAN)

    def write_sent(self, table: pa.Table, facts: dict[str, Any]) -> None:
        """Write what was sent in the place of what was there."""
        self._write(SENT, table, facts)

    def write_plan(self, table: pa.Table, facts: dict[str, Any]) -> None:
        """Write a plan, of which nothing is acknowledged."""
        (self.folder / JOURNAL).unlink(missing_ok=True)
        sync_folder(self.folder)
        self._write(PLAN, table, facts)

    def drop_plan(self) -> None:
        """Remove a plan whose outcome is with what was sent."""
        (self.folder / PLAN).unlink(missing_ok=True)
        sync_folder(self.folder)
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def acknowledged(self) -> dict[int, dict[str, Any]]:
        """Return what became of batches of the plan, by their numbers.

        A last line without an end is one that a crash cut off.
        """
        path = self.folder / JOURNAL
        if not path.exists():
            return {}
        *lines, _cut = path.read_bytes().split(b"\n")
        found = {}
        for line in lines:
            try:
                entry = json.loads(line)
                _check_entry(entry)
                found[entry["batch"]] = entry
            except (ValueError, KeyError, TypeError, AttributeError):
                self.refuse_journal()
        return found

    def refuse_journal(self) -> NoReturn:
        """Raise a StorageError for a journal that is not of the plan."""
        raise StorageError(f"{self.folder / JOURNAL} is damaged", remedy=REMEDY) from None

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """Open the journal, behind its last whole line."""
        path = self.folder / JOURNAL
        handle = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            written = path.read_bytes()
            whole = written.rfind(b"\n") + 1
            if whole < len(written):
                os.ftruncate(handle, whole)
            os.lseek(handle, whole, os.SEEK_SET)
            sync_folder(self.folder)
            yield Journal(handle)
        finally:
            os.close(handle)

    def _read(self, name: str) -> Saved | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            with pa.memory_map(str(path)) as source:
                whole = source.read_buffer()
            content = whole.slice(0, max(whole.size - CHECKSUM_BYTES, 0))
            # A flipped bit would be sent as somebody to remove.
            checksum = whole.slice(content.size).to_pybytes()
            is_whole = checksum == _checksum(zlib.crc32(content))
            table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
            facts = json.loads(table.schema.metadata[FACTS])
            is_ours = (facts["format"], facts["version"]) == (FORMAT, VERSION)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            raise StorageError(f"{path} is damaged", remedy=REMEDY) from None
        if not is_ours:
            raise StorageError(
                f"{path} is of another version of the library", remedy="use that version"
            )
        its_facts, columns = NEEDED[name]
        if not (is_whole and its_facts <= facts.keys() and columns <= {*table.column_names}):
            raise StorageError(f"{path} is damaged", remedy=REMEDY)
        return Saved(table, facts)

    def _write(self, name: str, table: pa.Table, facts: dict[str, Any]) -> None:
        whole = {"format": FORMAT, "version": VERSION, **facts}
        table = table.replace_schema_metadata({FACTS: json.dumps(whole).encode()})
        with replacing(self.folder / name, mode=PRIVATE_FILE) as stream:
            counted = _Checked(stream)
            with pa.ipc.new_file(pa.PythonFile(counted, "w"), table.schema) as writer:
                # In one piece, so that it is read without being put together.
                writer.write_table(table.combine_chunks())
            stream.write(_checksum(counted.crc32))


class _Checked:
    """A stream whose checksum is taken on the way."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.crc32 = 0

    def write(self, content: Any) -> int:
        self.crc32 = zlib.crc32(content, self.crc32)
        return self._stream.write(content)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is closed by who opened it."""


def _checksum(crc32: int) -> bytes:
    return crc32.to_bytes(CHECKSUM_BYTES, "little")


class Journal:
    """Lines of batches that were acknowledged, each on the disk before the next is sent."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, entry: dict[str, Any]) -> None:
        """Write a line, and wait until it is on the disk."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(self._handle, line) :]
        os.fsync(self._handle)


def _check_entry(entry: Any) -> None:
    """Raise a ValueError or a KeyError where a line of the journal is none."""
    numbers = [entry["batch"], entry.get("invalid", 0)]
    for name in ("rejected", "unknown"):
        numbers += entry.get(name, [])
    if not all(type(one) is int and one >= 0 for one in numbers):
        raise ValueError


def _manifest(path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes())
        version = facts["version"]
        is_ours = facts["format"] == FORMAT and {"connector", "audience"} <= facts.keys()
    except (OSError, ValueError, KeyError, TypeError):
        is_ours, version, facts = False, None, {}
    if not is_ours:
        raise StorageError(f"{path} is damaged, or of something else", remedy=REMEDY)
    if version != VERSION:
        raise StorageError(
            f"{path} is of version {version!r}, and this library reads {VERSION}",
            remedy="use the version that wrote it",
        )
    return facts


def check_private(folder: Path) -> None:
    """Raise a StorageError where a folder is none, or others may write in it."""
    if not folder.is_dir():
        raise StorageError(f"{folder} is no folder", remedy="name one for the state")
    if os.name != "nt" and folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StorageError(
            f"others may write in {folder}, which holds what was sent of people",
            remedy=f"make it its owner's alone: chmod 700 {folder}",
        )


def make_private(folder: Path) -> None:
    """Make a folder that is its owner's alone, or check one that is there."""
    if not folder.exists():
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        sync_folder(folder.parent)
    check_private(folder)
