"""Which files of a store a path means: patterns and folders, as they are on a disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ordercycle._errors import SourceError
from ordercycle._sources.file_names import divided, is_hidden, matches
from ordercycle._sources.lakehouse import TABLE_FORMATS, parents, refuse_table_files
from ordercycle._sources.row_source import unreadable
from ordercycle._sources.store_errors import cause
from ordercycle._sources.stores import RemoteStore


class Listed(NamedTuple):
    """A file of a store, as its folder lists it."""

    location: str
    size: int
    written: int | None  # nanoseconds; None: not listed


def remote_files(
    store: RemoteStore, location: str, name: str, is_data: Callable[[str], bool]
) -> list[Listed] | None:
    """Return the files that a path means, in order; None: there is nothing.

    is_data: whether a file of this name is read where it is found in a folder.

    Raises
    ------
    SourceError
        Where the store cannot be read, or the files are those of a table with a log of its own.
    """
    try:
        if store.family == "https":
            return [_page(store, location, name)]
        there = store.look(location)
        if there.is_file:
            return [_listed(there)]
        search = _Search(store, name, is_data)
        if there.type.name == "Directory":
            return search.of_folder(location)
        return search.of_pattern(location) if store.is_pattern(location) else None
    except SourceError:
        raise
    except store.errors as error:
        raise unreadable(name, error, store.name_of(location), store) from cause(error, store.uri)


def _page(store: RemoteStore, url: str, name: str) -> Listed:
    """Return the file of a server, which has to give any part of it."""
    try:
        found = store.foreign.info(url)
    except FileNotFoundError as error:  # whatever went wrong
        raise error.__cause__ or error from None
    if found.get("size") is None or not found.get("partial", True):
        raise SourceError(
            f"{name}: the server of {store.name_of(url)!r} gives files from their beginning only",
            remedy="download it, and pass the path",
        )
    return Listed(url, found["size"], None)


class _Folder:
    """What a store lists of a folder: all that is below it, or what is directly in it."""

    def __init__(self, store: RemoteStore, path: str, *, recursive: bool) -> None:
        self.path = path
        self._store = store
        self._recursive = recursive
        found = store.listed(path, recursive=recursive)
        self.files = sorted(_listed(one) for one in found if one.is_file)
        self._names: dict[str, set[str]] = defaultdict(set)
        for one in found:
            place = one.path.rstrip("/")
            while place != path and "/" in place:
                folder, _, last = place.rpartition("/")
                self._names[folder].add(last)
                place = folder
        self._above: dict[str, bool] = {}

    @property
    def folders(self) -> Iterable[str]:
        """The folder itself and those in it, as far as they are listed."""
        if self._recursive:
            return sorted({self.path, *self._names})
        own = {file.location for file in self.files}
        inner = {f"{self.path}/{last}" for last in self._names[self.path]}
        return sorted({self.path, *(inner - own)})

    def names(self, path: str) -> Collection[str] | None:
        """Return the names in a folder, wherever it is; None: there is no such folder."""
        if path.startswith(f"{self.path}/"):
            first = path[len(self.path) + 1 :].partition("/")[0]
            if self._recursive:
                return self._names.get(path)
            if first not in self._names.get(self.path, ()):
                return None
        elif not self._is_above(path):
            return None
        found = self._store.listed(path, recursive=False)
        return {one.path.rstrip("/").rpartition("/")[2] for one in found} or None

    def _is_above(self, path: str) -> bool:
        """Return whether there is a folder above this one; all are looked for at once."""
        if path not in self._above:
            logs = [f"{one}/{kind.log}" for one in parents(self.path) for kind in TABLE_FORMATS]
            try:
                there = self._store.filesystem.get_file_info(logs)
                self._above = {
                    one: info.type.name == "Directory"
                    for one, info in zip(logs, there, strict=True)
                }
            except self._store.errors:
                # A key that may read this folder may be refused the ones above it, which hide
                # what they hold from everyone who has it.
                self._above = dict.fromkeys(logs, False)
        return self._above.get(path, False)


class _Search:
    """A search for the files of one path."""

    def __init__(self, store: RemoteStore, name: str, is_data: Callable[[str], bool]) -> None:
        self._store = store
        self._name = name
        self._is_data = is_data

    def of_folder(self, path: str) -> list[Listed]:
        """Return the files anywhere in a folder but those that are hidden."""
        folder = _Folder(self._store, path, recursive=True)
        return self._checked(self._within(folder, path), folder)

    def of_pattern(self, pattern: str) -> list[Listed] | None:
        """Return the files that a pattern matches, and those in folders that it matches."""
        base, rest = divided(pattern)
        recursive = len(rest) > 1 or rest[0] == "**"
        folder = _Folder(self._store, base, recursive=recursive)

        def is_matched(path: str) -> bool:
            names = path[len(base) :].strip("/")
            return matches(names.split("/") if names else [], rest)

        direct = [file for file in folder.files if is_matched(file.location)]
        found = {file.location: [file] for file in self._checked(direct, folder)}
        for path in filter(is_matched, folder.folders):
            found[path] = (
                self._checked(self._within(folder, path), folder)
                if recursive
                else self.of_folder(path)
            )
        if not found:
            return None
        return list(dict.fromkeys(file for path in sorted(found) for file in found[path]))

    def _within(self, folder: _Folder, path: str) -> list[Listed]:
        """Return the files of a folder that was listed with all in it."""
        start = f"{path}/"
        inside = (file for file in folder.files if file.location.startswith(start))
        return [
            file
            for file in inside
            if self._is_data(file.location)
            and not is_hidden(file.location[len(start) :].split("/"))
        ]

    def _checked(self, files: list[Listed], folder: _Folder) -> list[Listed]:
        refuse_table_files(
            (file.location for file in files),
            folder.names,
            self._store.name_of,
            self._name,
            parents,
        )
        return files


def _listed(info: object) -> Listed:
    return Listed(info.path, info.size or 0, info.mtime_ns)  # type: ignore[attr-defined]
