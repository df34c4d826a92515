"""Compiled kernels on disk, shared by processes that do not know of each other.

A cache file is found by a digest of everything that shapes the machine code: all kernel
sources, the Python, NumPy, Numba and LLVM versions, the processor and Numba's settings. It
carries a checksum of its kernel and its content and is replaced whole, so that a stale, foreign,
truncated or half-written file, or that of another kernel, is never run: it is compiled again, in
memory where nothing can be written. And a checksum is no signature: only what this user or the
system's put there is run, from a directory where nobody else can put anything.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import platform
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import _Cache

#: Where compiled kernels are kept; "off" compiles in memory only.
DIRECTORY_VARIABLE = "ORDERCYCLE_CACHE_DIR"
#: "1" runs what is in that directory whoever can write there.
TRUST_VARIABLE = "ORDERCYCLE_CACHE_TRUSTED"

#: Directories that were warned about.
_WARNED: set[Path] = set()
_CHECKSUM_BYTES = hashlib.sha256().digest_size


class KernelCache(_Cache):
    """Numba's cache interface for one kernel with one signature."""

    def __init__(self, name: str, signature: str) -> None:
        self._name = name
        self._kernel = f"{name} {signature}".encode() + b"\0"

    @property
    def cache_path(self) -> str:
        return str(cache_directory() or "")

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ARG002 - Numba's interface
        """Return the compiled kernel, or None where no sound file holds it."""
        path = self.path(target_context.codegen())
        if path is None:
            return None
        content = _content_of(path)
        checksum, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if self._checksum(payload) != checksum:
            return None
        _start_runtime(target_context)
        # The directory is this user's own, and the content is what this package wrote.
        return _rebuild(target_context, pickle.loads(payload))  # noqa: S301

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ARG002 - Numba's interface
        """Write the compiled kernel; a directory that cannot be written is no error."""
        path = self.path(data.codegen)
        if path is None:
            return
        payload = _reduced(data)
        try:
            _replace(path, self._checksum(payload) + payload)
        except OSError:
            return

    def _checksum(self, payload: bytes) -> bytes:
        """Return the checksum of code for this kernel, which no other kernel's has."""
        return hashlib.sha256(self._kernel + payload).digest()

    def enable(self) -> None:
        """Do nothing: caching is chosen by the environment."""

    def disable(self) -> None:
        """Do nothing: caching is chosen by the environment."""

    def flush(self) -> None:
        """Do nothing: files are found by digest and never go stale."""

    def path(self, codegen: Any) -> Path | None:
        """Return the kernel's file for this processor, or None where nothing is kept."""
        directory = cache_directory()
        if directory is None:
            return None
        folder = directory / _digest(codegen.magic_tuple())
        return folder / f"{self._name}.bin" if _is_trusted(folder) else None


def _start_runtime(target_context: Any) -> None:
    """Make ready what compiled code needs while it runs.

    Numba's own cache refreshes the whole compiler instead, for each file it loads. No compiled
    kernel asks for that, and compiling does it then: it imports half of Numba, and SciPy
    where that is installed. All kernels of a profile took 0.5 s to load that way, and take 0.15.
    """
    runtime: Any = importlib.import_module("numba.core.runtime")
    runtime.rtsys.initialize(target_context)


def _rebuild(target_context: Any, reduced: Any) -> Any:
    compiler: Any = importlib.import_module("numba.core.compiler")
    return compiler.CompileResult._rebuild(target_context, *reduced)  # noqa: SLF001


def _reduced(compiled: Any) -> bytes:
    serialize: Any = importlib.import_module("numba.core.serialize")
    return bytes(serialize.dumps(compiled._reduce()))  # noqa: SLF001 - as Numba's own cache does


def cache_directory() -> Path | None:
    """Where compiled kernels are kept, or None where they live in memory only."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named is not None:
        if named in ("", "off"):
            return None
        return Path(named) if _is_trusted(Path(named)) else None
    base = os.environ.get("XDG_CACHE_HOME") or (
        os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    )
    try:
        directory = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    directory = directory / "ordercycle"
    return directory if _is_private(directory) else None


def _is_trusted(directory: Path) -> bool:
    """Return whether code of a directory that is named is run; say once where it is not."""
    if os.environ.get(TRUST_VARIABLE) == "1" or _is_private(directory):
        return True
    if directory not in _WARNED:
        _WARNED.add(directory)
        warnings.warn(
            f"others than this user can put code into {directory}, so kernels are compiled in "
            f"memory; make the directory this user's own, writable by nobody else, or set "
            f"{TRUST_VARIABLE}=1 where everybody who can write there is trusted",
            RuntimeWarning,
            stacklevel=2,
        )
    return False


def files_of(names: Iterable[str]) -> list[Path | None]:
    """Return where the compiled code of kernels is kept, None where nothing is."""
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    return [KernelCache(name, "").path(codegen) for name in names]


def holds(names: Iterable[str]) -> bool:
    """Return whether the directory holds the compiled code of all these kernels."""
    return all(path is not None and path.exists() for path in files_of(names))


def _is_private(directory: Path) -> bool:
    """Return whether only this user can put code there (a missing directory is made private)."""
    try:
        return _is_own(directory.stat())
    except OSError:
        return True


def _is_own(found: os.stat_result) -> bool:
    """Return whether nobody but this user or the system owns a file or folder, or can write it."""
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid in (os.getuid(), 0) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _content_of(path: Path) -> bytes:
    """Return what a file of the cache holds; nothing where it is not one that can be trusted."""
    try:
        # Opening a pipe would wait until something writes to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        is_own = os.environ.get(TRUST_VARIABLE) == "1" or _is_own(found)
        return file.read() if is_own and stat.S_ISREG(found.st_mode) else b""


def _replace(path: Path, content: bytes) -> None:
    # Each made private by itself: parents=True would leave its parents to the umask.
    path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@cache
def _digest(processor: tuple[str, ...]) -> str:
    import llvmlite
    import numba
    import numpy as np

    settings: Any = numba.config
    facts = [
        sys.version,
        platform.platform(terse=True),
        np.__version__,
        numba.__version__,
        llvmlite.__version__,
        *processor,
        f"opt={settings.OPT}",
        f"bounds={settings.BOUNDSCHECK}",
        f"debug={settings.DEBUGINFO_DEFAULT}",
    ]
    digest = hashlib.sha256("\0".join(facts).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:32]
