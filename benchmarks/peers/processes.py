"""Run measurements in child processes, and survive the ones that run out of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from time import sleep
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from .generate import Workload

ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.05
_MEMORY_SHARE = 0.92  # of what is free at the start; past it a child is ended, not the machine


class JobFailed(RuntimeError):  # noqa: N818 - reads better where it is caught
    """A child process did not come back with a result; the message says why."""


def run_job(task: str, workload: Workload, engine: str = "") -> dict:
    """Run one job of `worker` in a fresh process and return its answer."""
    job = json.dumps({"task": task, "engine": engine, "workload": asdict(workload)})
    allowed = int(psutil.virtual_memory().available * _MEMORY_SHARE)
    with TemporaryFile() as out, TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", job],
            cwd=ROOT,
            stdout=out,
            stderr=errors,
        )
        within = _watch(child, allowed)
        out.seek(0)
        errors.seek(0)
        if not within or child.returncode == -9:
            raise JobFailed("out of memory")
        if child.returncode:
            last_lines = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            message = last_lines[0] if last_lines else f"exit code {child.returncode}"
            raise JobFailed("out of memory" if "Memory" in message else message)
        return json.loads(out.read())


def _watch(child: subprocess.Popen, allowed: int) -> bool:
    """Wait for `child`; end it and return False once it holds more than `allowed` bytes."""
    process = psutil.Process(child.pid)
    while child.poll() is None:
        try:
            if process.memory_info().rss > allowed:
                child.kill()
                child.wait()
                return False
        except psutil.NoSuchProcess:
            break
        sleep(_POLL_SECONDS)
    child.wait()
    return True
