"""The manifest of a saved history: what the folder holds, read and checked, and written whole.

Its checksum finds accidents. What somebody wrote by hand, or another version, may have the right
one: nothing in it is believed before its type and range are known.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ordercycle._durable import replacing, sync_folder
from ordercycle._errors import StorageError
from ordercycle._history.stored_files import REBUILD, open_regular
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

MANIFEST = "manifest.json"
#: The names that a writer gives its files: whatever else is in a folder is left alone.
OURS = re.compile(r"(part|run|table)-\d{5,}-[0-9a-f]{8}\.arrow|\.manifest\.json\.[0-9a-f]{8}\.tmp")
HASH = (
    "SplitMix64 output function of the 64-bit two's complement; bytes: folded 8 at a time from "
    "the hash of their length; a part is a range of the highest bits"
)
#: More than any file, row or part has.
MOST = 2**62
MOST_PARTS = 2**24

Check = Callable[[Any], bool]


def is_ours(name: str) -> bool:
    """Return whether a file is one that a writer makes, beside the manifest and the lock."""
    return OURS.fullmatch(name) is not None


def _whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _holding(*keys: str) -> Check:
    """Return the check of a mapping that has these keys, as those of every version do."""
    return lambda value: isinstance(value, dict) and value.keys() >= set(keys)


def _all(check: Check) -> Check:
    return lambda values: isinstance(values, list) and all(map(check, values))


def _with(**checks: Check) -> Check:
    """Return the check of a mapping that has these keys and no others."""
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == checks.keys()
        and all(check(value[key]) for key, check in checks.items())
    )


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_whole(0, MOST), value.values()))


def _is_tally(value: Any) -> bool:
    """Return whether a mapping has counts only, but for two days that may be missing."""
    days = ("first_day", "last_day")
    day = _whole(int(FIRST_DAY), int(LAST_DAY))
    return isinstance(value, dict) and all(
        (one is None or day(one)) if key in days else _whole(0, MOST)(one)
        for key, one in value.items()
    )


def _is_event_counts(value: Any) -> bool:
    """Return whether a mapping has counts and days as a tally has, and the nulls of values."""
    if not isinstance(value, dict) or not _is_counts(value.get("nulls")):
        return False
    return _is_tally({key: one for key, one in value.items() if key != "nulls"})


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}", value) is not None


_is_entry = _with(
    file=lambda name: _is_text(name) and is_ours(name) and name.endswith(".arrow"),
    bytes=_whole(1, MOST),
    crc32=_whole(0, 2**32 - 1),
    batches=_whole(1, MOST_PARTS),
)


def _is_runs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_all(_is_entry), value))


def _is_tables(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_entry, value.values()))


@dataclass(frozen=True)
class Kind:
    """A kind of history, as folders hold it.

    format: what its manifests say that they are; opened_by: the class of its histories; version:
    the one that is written; readable: those that are read; content: what else is in a manifest. Of
    columns, policies, tally and counts, their classes know the rest. version_of_more: the one of
    histories that not every reader of the other can read, whose manifests have `more`, too.
    """

    format: str
    opened_by: str
    version: int
    readable: tuple[int, ...]
    content: Mapping[str, Check]
    version_of_more: int | None = None
    more: Mapping[str, Check] = field(default_factory=dict)

    def content_of(self, version: int) -> Mapping[str, Check]:
        """Return what is in a manifest of a version."""
        return {**self.content, **self.more} if version == self.version_of_more else self.content


#: What is in every manifest.
COMMON: dict[str, Check] = {
    "format": _is_text,
    "token": _is_token,
    "hash": lambda value: value == HASH,
    "parts": lambda value: _whole(1, MOST_PARTS)(value) and not value & (value - 1),
    "types": _is_text,
    "tally": _is_tally,
    "counts": _is_counts,
    "names": _all(_is_text),
    "runs": _is_runs,
}
#: The ids of customers who were forgotten, which a manifest has where there are any: bytes in
#: hexadecimal digits.
FORGOTTEN = "forgotten"
OPTIONAL: dict[str, Check] = {
    FORGOTTEN: _all(lambda one: isinstance(one, str) or type(one) is int),
}

#: What is in the manifests of histories with codes of attributes.
OF_ATTRIBUTES: dict[str, Check] = {
    "day_instants": lambda value: isinstance(value, bool),
    "has_instants": lambda value: isinstance(value, bool),
    "tables": _is_tables,
}

ORDERS = Kind(
    format="ordercycle history",
    opened_by="OrderHistory",
    version=2,
    # In the first version, an order was added up on the first of its days.
    readable=(1, 2, 3),
    content=COMMON
    | {
        "version": _whole(1, 3),
        "columns": _holding("customer", "time", "amount", "order", "registered"),
        "policies": _holding("timezone", "refunds", "anonymous", "unknown"),
        "has_listing": lambda value: isinstance(value, bool),
    },
    version_of_more=3,  # orders with attributes, values or instants
    more=OF_ATTRIBUTES,
)
EVENTS = Kind(
    format="ordercycle events",
    opened_by="EventHistory",
    version=1,
    readable=(1,),
    content=COMMON
    | {
        "version": _whole(1, 1),
        "columns": _holding("customer", "time", "id", "attributes", "keys", "values"),
        "policies": _holding("timezone", "anonymous"),
        "counts": _is_event_counts,
        **OF_ATTRIBUTES,
    },
)
KINDS = {kind.format: kind for kind in (ORDERS, EVENTS)}


def read_manifest(folder: Path, wanted: Kind) -> dict[str, Any]:
    """Return the manifest of a folder, checked.

    Raises
    ------
    StorageError
        Where there is none, it is damaged, of another kind, or of a version that is not read.
    """
    file = folder / MANIFEST
    text = _text_of(file, wanted)
    try:
        manifest = json.loads(text)
        version = manifest["version"]
        kind = KINDS.get(manifest["format"])
        found = manifest.pop("crc32", None)
        whole = _canonical({**manifest, "crc32": found})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StorageError(f"{file} is damaged", remedy=REBUILD) from None
    if kind is None:
        raise StorageError(f"{file} is not of a saved history", remedy="name the folder of one")
    if zlib.crc32(_canonical(manifest)) != found or whole != text:
        raise StorageError(f"{file} is damaged: its checksum differs", remedy=REBUILD)
    if kind is not wanted:
        raise other_kind(folder, kind, wanted)
    if version not in kind.readable:
        raise StorageError(
            f"{file} has format version {version}, and this ordercycle reads versions "
            f"{', '.join(map(str, kind.readable))}",
            remedy="install the ordercycle that wrote it, or build the history again",
        )
    _check(file, manifest, kind)
    checked: dict[str, Any] = manifest
    return checked


def other_kind(folder: Path, kind: Kind, wanted: Kind) -> StorageError:
    """Return the error for a folder of another kind of history."""
    return StorageError(
        f"{folder} holds an {kind.opened_by}, and no {wanted.opened_by}",
        remedy=f"open it with {kind.opened_by}.open, or name another folder",
    )


def kind_in(folder: Path) -> Kind | None:
    """Return the kind of the history in a folder; None where its manifest says none."""
    try:
        with os.fdopen(open_regular(folder / MANIFEST), "rb") as stream:
            return KINDS.get(json.loads(stream.read())["format"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def files_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of all files that a manifest lists."""
    entries = [entry for run in manifest["runs"] for entry in run]
    entries += manifest.get("tables", {}).values()
    return [entry["file"] for entry in entries]


def _text_of(file: Path, wanted: Kind) -> bytes:
    try:
        with os.fdopen(open_regular(file), "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        if not file.parent.exists():
            raise StorageError(
                f"there is no folder {file.parent}", remedy="save a history there first"
            ) from None
        raise StorageError(
            f"{file.parent} holds no saved history: {MANIFEST} is missing",
            remedy=f"name the folder that {wanted.opened_by}.save wrote",
        ) from None
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error


def _check(file: Path, manifest: Mapping[str, Any], kind: Kind) -> None:
    """Raise a StorageError where a value is none that a writer writes."""
    content = kind.content_of(manifest["version"])
    content = {**content, **{key: one for key, one in OPTIONAL.items() if key in manifest}}
    wrong = sorted(manifest.keys() ^ content.keys())
    wrong += [key for key, check in content.items() if key in manifest and not check(manifest[key])]
    if not wrong:
        parts, files = manifest["parts"], files_of(manifest)
        sizes = [sum(one["batches"] for one in run) for run in manifest["runs"]]
        if any(size != parts for size in sizes) or len(set(files)) < len(files):
            wrong = ["runs"]
    if wrong:
        raise unsound(file, f"{wrong[0]!r} is not what a history has")
    if kind is ORDERS and manifest["version"] == 1 and manifest["columns"]["order"] is not None:
        raise StorageError(
            f"{file} has format version 1, in which the rows of an order are added up whatever "
            "their days are",
            remedy="build the history again, which adds them up by day",
        )


def unsound(file: Path, why: object) -> StorageError:
    """Return the error for a manifest whose checksum is right and whose content is not."""
    return StorageError(
        f"{file} was changed by something else than ordercycle: {why}", remedy=REBUILD
    )


def _canonical(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True).encode()


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Replace the manifest of a folder in one step; its files have been written before."""
    manifest = {"hash": HASH, **content}
    manifest["crc32"] = zlib.crc32(_canonical(manifest))
    with replacing(folder / MANIFEST) as stream:
        stream.write(_canonical(manifest))
        sync_folder(folder)  # the files first
