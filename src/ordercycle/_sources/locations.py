"""Where a path leads: a path or a URI, with a file system of the caller's or its own."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ordercycle._errors import ConfigError, Option, SourceError, Text, suggestion
from ordercycle._sources.store_errors import explained, has_slash_in_key, redacted
from ordercycle._sources.stores import LOCAL, WITH_BUCKETS, RemoteStore, Store, family

#: A scheme has two letters at least: a single one is a disk of Windows.
URI = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+(?:://[^:]*)?::)*([A-Za-z][A-Za-z0-9+.-]+)://")
#: Options at the end of a URI; any other question mark is one of a pattern.
QUERY = re.compile(r"\?[A-Za-z_][\w.-]*=[^*\[\]?]*$")
#: Schemes that pyarrow reads, and those that fsspec reads.
ARROW_SCHEMES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "hdfs": "hdfs"}
ARROW_SCHEMES |= {"viewfs": "viewfs", "abfs": "abfs", "abfss": "abfss"}
#: Extras that bring what a scheme needs.
EXTRAS = {"az": "azure", "adl": "azure", "https": "http", "http": "http"}
#: Schemes whose paths begin with a slash.
WITH_ROOT = ("hdfs", "viewfs")
SCHEMES = (*ARROW_SCHEMES, *EXTRAS, "file")


@dataclass(frozen=True)
class Place:
    """A path in a store, which may be a pattern."""

    store: Store
    location: str


def is_uri(path: str) -> bool:
    """Return whether a path says by itself which kind of store it leads to.

    Examples
    --------
    >>> is_uri("s3://shop/orders"), is_uri("C:/orders"), is_uri("orders/2025")
    (True, False, False)
    """
    return URI.match(path) is not None


def place_of(
    path: str, filesystem: Any, name: str, clients: dict[str, tuple[Any, str]] | None = None
) -> Place:
    """Return where a path leads.

    filesystem: of the caller; a URI of another kind of store leads there all the same; clients:
    those of buckets, which are made once for all URIs of a list.

    Raises
    ------
    SourceError
        Where there is no such kind of store, or it cannot be reached with what the URI says.
    ConfigError
        Where `filesystem` is none.
    """
    given = None if filesystem is None else store_of(filesystem)
    match = URI.match(path)
    if match is None:
        if isinstance(given, RemoteStore):
            return Place(given, _listed_as(given, path))
        return Place(LOCAL, path)
    scheme, is_chained = match[1].lower(), match.start(1) > 0
    if scheme == "file" and not is_chained:
        return Place(LOCAL, _local_path(path, name))
    _check_host(path, scheme, name)
    try:
        if isinstance(given, RemoteStore) and given.family == family(scheme):
            return _in_given(path, given)
        if scheme in ARROW_SCHEMES and not is_chained:
            return _by_arrow(path, scheme, {} if clients is None else clients)
        return _by_fsspec(path, scheme, name)
    except SourceError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the clients of any store raise
        reason, remedy = explained(error, path)
        # The error may repeat the credentials, so that it is not shown with this one.
        raise SourceError(
            f"{name}: {redacted(path)!r} cannot be opened: {reason}", remedy=remedy
        ) from None


def absolute(path: str, filesystem: Any, name: str) -> str:
    """Return a path that leads to the same file from any working directory."""
    place = place_of(path, filesystem, name)
    return os.path.abspath(place.location) if place.store is LOCAL else path


def store_of(filesystem: Any) -> Store:
    """Return the store of a caller's file system, or raise a ConfigError."""
    from pyarrow import fs

    fsspec = sys.modules.get("fsspec")  # only someone who has imported it has one of its
    if fsspec is not None and isinstance(filesystem, fsspec.AbstractFileSystem):
        if "file" in filesystem.protocol:
            return LOCAL
        return RemoteStore(fs.PyFileSystem(fs.FSSpecHandler(filesystem)))
    if isinstance(filesystem, fs.LocalFileSystem):
        return LOCAL
    if isinstance(filesystem, fs.FileSystem):
        return RemoteStore(filesystem)
    raise ConfigError(
        (Option("filesystem"), f" takes no {type(filesystem).__name__}"),
        remedy="pass a pyarrow.fs.FileSystem or an fsspec.AbstractFileSystem",
    )


def _check_host(uri: str, scheme: str, name: str) -> None:
    """Raise a SourceError where what stands before the path of a URI cannot be meant."""
    if has_slash_in_key(uri):
        raise SourceError(
            f"{name}: {redacted(uri)!r} has a key with a slash in it",
            remedy=(
                "write the slash as %2F, or better give the key in the environment, or with ",
                Option("filesystem"),
            ),
        )
    if family(scheme) in WITH_BUCKETS and uri.partition("://")[2].startswith("/"):
        raise SourceError(
            f"{name}: {redacted(uri)!r} names no bucket", remedy=f"write {scheme}://bucket/path"
        )


def _listed_as(store: RemoteStore, location: str) -> str:
    """Return a location as its file system lists it."""
    if store.foreign is not None:
        return str(store.foreign._strip_protocol(location))  # noqa: SLF001 - all of fsspec have it
    return location.rstrip("/")


def _divided(uri: str) -> tuple[str, str, str]:
    """Return the root of a URI with scheme and host, the path within, and its options."""
    found = QUERY.search(uri)
    plain, query = (uri[: found.start()], found[0]) if found else (uri, "")
    scheme, _, rest = plain.partition("://")
    authority, slash, within = rest.partition("/")
    return f"{scheme}://{authority}", slash + within, query


def _named(filesystem: Any, location: str, uri: str, within: str) -> Place:
    """Return a place whose files are named as the URI is."""
    if location.endswith(within):
        shown, hidden = redacted(_divided(uri)[0]), location[: len(location) - len(within)]
    else:
        shown, hidden = uri.partition("://")[0] + "://", ""
    return Place(RemoteStore(filesystem, shown, hidden, uri), location)


def _in_given(uri: str, store: RemoteStore) -> Place:
    if store.family == "https":
        return Place(RemoteStore(store.filesystem, _page(uri), uri, uri), uri)
    root, within, _ = _divided(uri)
    within = unquote(within).rstrip("/")
    host = root.partition("://")[2].rpartition("@")[2]
    return _named(store.filesystem, _listed_as(store, host + within), uri, within)


def _by_arrow(uri: str, scheme: str, clients: dict[str, tuple[Any, str]]) -> Place:
    from pyarrow import fs

    root, within, query = _divided(uri)
    authority = root.partition("://")[2]
    # Without the path, in which characters of patterns may stand that a URI must not have.
    bucket = f"{ARROW_SCHEMES[scheme]}://{authority}{query}"
    if bucket not in clients:  # may look its region up in the network
        clients[bucket] = fs.FileSystem.from_uri(bucket)
    filesystem, base = clients[bucket]
    within = unquote(within).rstrip("/")
    base = base.rstrip("/")
    location = base + within if base or scheme in WITH_ROOT else within.lstrip("/")
    return _named(filesystem, location, uri, within)


def _by_fsspec(uri: str, scheme: str, name: str) -> Place:
    try:
        import fsspec
    except ImportError:
        raise _missing_library(uri, scheme, name, "fsspec is not installed") from None
    from pyarrow import fs

    try:
        client, location = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise _missing_library(uri, scheme, name, str(error)) from None
    except ValueError as error:
        if not str(error).startswith("Protocol not known"):
            raise
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise SourceError(
            f"{name}: {redacted(uri)!r}: there is no kind of store {scheme!r}"
            f"{suggestion(scheme, SCHEMES)}",
            remedy=(
                f"write a path of this machine or one of {known}, or pass the file system in ",
                Option("filesystem"),
            ),
        ) from None
    filesystem = fs.PyFileSystem(fs.FSSpecHandler(client))
    if family(scheme) == "https":
        return Place(RemoteStore(filesystem, _page(uri), location, uri), location)
    return _named(filesystem, location, uri, _divided(uri)[1].rstrip("/"))


def _page(url: str) -> str:
    """Return a URL without what follows its path: keys, perhaps."""
    return redacted(url.partition("#")[0].partition("?")[0])


def _missing_library(uri: str, scheme: str, name: str, reason: str) -> SourceError:
    extra = EXTRAS.get(scheme)
    remedy: Text = f'pip install "ordercycle[{extra}]"'
    if extra is None:
        remedy = ("install it, or pass the file system in ", Option("filesystem"))
    return SourceError(f"{name}: {redacted(uri)!r} cannot be opened: {reason}", remedy=remedy)


def _local_path(uri: str, name: str) -> str:
    """Return the path of a file:// URI."""
    host, _, path = uri.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise SourceError(
            f"{name}: {uri!r} names the host {host!r}, where a file of this machine has none",
            remedy=f"write 'file:///{host}/{path}'",
        )
    from urllib.request import url2pathname  # brings the clients of HTTP and e-mail along

    return url2pathname(f"/{path}")
