"""Progress, for a person who watches: a bar on stderr if stderr is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGES = {
    "compile": "Preparing kernels",
    "read": "Reading orders",
    "read customers": "Reading customers",
    "group": "Grouping by customer",
    "segment": "Assigning segments",
    "write": "Writing the result",
}


class Watch:
    """Nobody watches: take progress and show nothing."""

    def report(self, done: int, total: int | None, stage: str) -> None:
        """Take `done` of `total` (None: unknown) of a stage."""

    def report_kernel(self, done: int, total: int, _kernel: str) -> None:
        """Take the progress of a warm-up, which names the kernel at hand."""
        self.report(done, total, "compile")


class _Bar(Watch):
    """One line per stage, shown one after the other."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def report(self, done: int, total: int | None, stage: str) -> None:
        if stage not in self._tasks:
            for name in self._tasks:
                self._finish(name)
            label = STAGES.get(stage, stage.capitalize())
            self._tasks[stage] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def _finish(self, stage: str) -> None:
        task = self._progress.tasks[self._tasks[stage]]
        if task.total is None:  # its end was unknown until now
            self._progress.update(task.id, total=task.completed)


@contextmanager
def watched(*, quiet: bool) -> Iterator[Watch]:
    """Show a progress bar on stderr while the block runs, if a person is there to see it."""
    if quiet or not sys.stderr.isatty():
        yield Watch()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<21}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:>13,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        yield _Bar(progress)
