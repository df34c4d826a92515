"""Disks that are full: an error that says so, what was there is there, and no trace of the rest.

Two ways: a limit on the size of files (everywhere), and a small file system in memory that has so
much room left (Linux, as root).
"""

import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import click

import ordercycle as oc
from campaigns.children import done
from campaigns.runner import Campaign, FaultError
from campaigns.small_disks import small_disk
from campaigns.writers import NEW, NEXT, OLD, WRITERS, Prepared

#: Bytes of the file system: for two versions of the largest writer, and some.
DISK_BYTES = 2**22
TOLD = ("No space left", "File too large", "cannot be written", "too large")


class Disks:
    """Every writer, and a small file system where there can be one."""

    def __init__(self, folder, small, is_mounted):
        self.folder = folder
        self.prepared = {
            name: Prepared(make(), folder / name.replace(" ", "-"))
            for name, make in WRITERS.items()
        }
        self.small = small
        self.is_mounted = is_mounted


@contextmanager
def state(folder: Path):
    """Prepare every writer and mount the small disk."""
    small = folder / "small"
    with small_disk(small, DISK_BYTES) as is_mounted:
        yield Disks(folder, small, is_mounted)


def trial(random, state, totals):
    """Let a writer run out of room."""
    name = random.choice(list(state.prepared))
    prepared = state.prepared[name]
    writer = prepared.writer
    is_small = state.is_mounted and random.random() < 0.5
    place = prepared.copied((state.small if is_small else state.folder) / "full")
    filler = state.small / "filler"
    if is_small:
        disk = shutil.disk_usage(state.small)
        filler.write_bytes(bytes(max(0, disk.free - random.randrange(1, 2 * _size(place) + 2**14))))
    limit = random.randrange(1, 2 * _size(place) + 2**14)

    def write():
        if not is_small:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return _outcome(lambda: writer.write(place, NEW))

    said = done(write)
    filler.unlink(missing_ok=True)
    totals["fitted" if said == "done" else "refused"] += 1
    totals[f"{name}: tries"] += 1
    if said != "done" and not any(words in said for words in TOLD):
        raise FaultError(f"{name}: said {said!r}")
    wanted = prepared.digests[NEW if said == "done" else OLD]
    if writer.found(place) != wanted:
        raise FaultError(f"{name}: another version is there than was told: {said!r}")
    if said != "done" and writer.files(place) != writer.files(prepared.base):
        raise FaultError(f"{name}: {writer.files(place)} is there after {said!r}")
    for version in (NEW, NEXT):
        done(lambda version=version: writer.write(place, version))
    if writer.found(place) != prepared.digests[NEXT]:
        raise FaultError(f"{name}: the next run made something else")
    shutil.rmtree(place)


def _outcome(write):
    """Return what a user is told, or "done"; errors that are not meant for users go on."""
    try:
        write()
    except (oc.OrdercycleError, click.ClickException) as error:
        return str(error) or error.format_message()
    except OSError as error:
        if not error.filename:
            raise
        return f"{error.filename}: {error.strerror}"
    return "done"


def _size(folder):
    return max(path.stat().st_size for path in folder.iterdir() if path.is_file())


CAMPAIGN = Campaign(
    "disks",
    "full disks and limits on files in every writer",
    "refused",
    trial,
    state,
)
