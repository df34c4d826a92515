"""Progress, for a person who watches: a bar on stderr if stderr is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILE = "compile"
#: Kernels that are loaded take less, all of them together.
SHOWN_FROM_SECONDS = 2.0
STAGES = {
    COMPILE: "Preparing kernels",
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
        self.report(done, total, COMPILE)


class _Bar(Watch):
    """One line per stage, shown one after the other."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def report(self, done: int, total: int | None, stage: str) -> None:
        if stage not in self._tasks:
            for name in self._tasks:
                self._finish(name)
            self._add(stage, total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def count_kernels(self) -> None:
        """Show that kernels are prepared in the middle of a stage, where it is worth a line."""
        from ordercycle_kernels._jit import PREPARED, prepared_seconds

        if COMPILE not in self._tasks and prepared_seconds() < SHOWN_FROM_SECONDS:
            return
        if COMPILE not in self._tasks:
            self._add(COMPILE, None)
        self._progress.update(self._tasks[COMPILE], completed=len(PREPARED))

    def _add(self, stage: str, total: int | None) -> None:
        label = STAGES.get(stage, stage.capitalize())
        self._tasks[stage] = self._progress.add_task(label, total=total)

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

    from ordercycle_kernels._jit import WATCHERS

    columns = (
        TextColumn("{task.description:<21}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:>13,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        bar = _Bar(progress)
        WATCHERS.append(bar.count_kernels)
        try:
            yield bar
        finally:
            WATCHERS.remove(bar.count_kernels)
