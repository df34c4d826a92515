"""A small disk in memory, which can be filled: on Linux, as root."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(place: Path, size: int):
    """Mount a file system of a size at a folder; give whether there can be one."""
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={size}", "campaign", str(place)]
    is_mounted = os.geteuid() == 0 and mount is not None
    if is_mounted:
        is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            # Whoever had files open there may still end: the system lets go of it after that.
            subprocess.run([str(shutil.which("umount")), "-l", str(place)], check=True)


@contextmanager
def filled(place: Path, but: int):
    """Fill the disk of a folder but for some bytes, for the time of a block."""
    filler = place / "filler"
    try:
        filler.write_bytes(bytes(max(0, shutil.disk_usage(place).free - but)))
        yield
    finally:
        filler.unlink(missing_ok=True)
