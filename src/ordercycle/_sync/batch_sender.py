"""Batches of a plan, sent some at a time, each noted once it is acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._sync.connection import Batch, Connection, Outcome, RemoteAudience
from ordercycle._sync.plans import CHANGED, LEFT, NEW, TOUCHED, actions_of, batches_of
from ordercycle._sync.sent_rows import VALUE
from ordercycle._sync.state_folder import AudienceFolder, Journal, Saved

#: What the vendor allows for a replacement, less a few minutes.
REPLACEMENT_SECONDS = 85 * 60
#: What a vendor calls the value of a row.
VALUE_KEY = "LOOKALIKE_VALUE"


@dataclass
class Tally:
    """What was done so far."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    rejected: int = 0
    unknown: int = 0
    refused: int = 0
    batches: int = 0

    def count(self, actions: NDArray[np.int8], outcome: Outcome) -> None:
        """Count a batch."""
        self.batches += 1
        if outcome.refused:
            self.refused += actions.size
            return
        taken = np.ones(actions.size, np.bool_)
        taken[[*outcome.rejected, *outcome.unknown]] = False
        self.added += int(np.count_nonzero(taken & (actions == NEW)))
        self.removed += int(np.count_nonzero(taken & (actions == LEFT)))
        self.changed += int(np.count_nonzero(taken & ((actions == CHANGED) | (actions == TOUCHED))))
        self.rejected += len(outcome.rejected) + outcome.invalid
        self.unknown += len(outcome.unknown)


def acknowledged(folder: AudienceFolder, plan: Saved) -> dict[int, Outcome]:
    """Return what became of the batches of a plan that were acknowledged."""
    sizes = {number: rows.num_rows for number, rows in batches_of(plan.table)}
    found = {number: _outcome_of(entry) for number, entry in folder.acknowledged().items()}
    for number, outcome in found.items():
        if max((*outcome.rejected, *outcome.unknown), default=-1) >= sizes.get(number, 0):
            folder.refuse_journal()
    return found


def _outcome_of(entry: dict[str, Any]) -> Outcome:
    return Outcome(
        tuple(entry.get("rejected", ())),
        tuple(entry.get("unknown", ())),
        int(entry.get("invalid", 0)),
        bool(entry.get("refused", False)),
    )


def _entry(number: int, outcome: Outcome) -> dict[str, Any]:
    """Return the line of a batch, without what is as usual."""
    usual = Outcome()
    said = {name: one for name, one in vars(outcome).items() if one != getattr(usual, name)}
    return {"batch": number, **said}


@dataclass(frozen=True)
class _Task:
    """A batch to send: its number, and what is done with its rows."""

    number: int
    actions: NDArray[np.int8]
    batch: Batch

    @property
    def goes_alone(self) -> bool:
        """Whether no other may be on its way: the first of a replacement, the last of all."""
        return self.batch.is_last or (self.batch.replaces and self.batch.sequence == 1)


def send_plan(
    connection: Connection, folder: AudienceFolder, plan: Saved, tally: Tally
) -> dict[int, Outcome]:
    """Send the batches of a plan that are not acknowledged: removals, then the others."""
    outcomes = acknowledged(folder, plan)
    remote = RemoteAudience(plan.facts["remote"], plan.facts["name"], plan.facts["values"])
    listed = list(batches_of(plan.table))
    removals = [one for one in listed if actions_of(one[1])[0] < NEW]
    additions = listed[len(removals) :]
    session = int(plan.facts["session"])
    with folder.journal() as journal:
        sender = _Sender(connection.concurrency, journal, outcomes, tally)
        for phase, send, its_session in (
            (removals, connection.remove, session),
            (additions, connection.add, session + 1),
        ):
            tasks = _tasks(phase, its_session, connection, plan)
            sender.send([one for one in tasks if one.number not in outcomes], partial(send, remote))
    return outcomes


def _tasks(
    phase: list[tuple[int, pa.Table]], session: int, connection: Connection, plan: Saved
) -> list[_Task]:
    replaces = plan.facts["mode"] == "replace" and connection.replaces
    is_expired = replaces and time.time() - plan.facts["started"] > REPLACEMENT_SECONDS
    total = sum(rows.num_rows for _, rows in phase)
    return [
        _Task(
            number,
            actions_of(rows),
            Batch(
                _as_taken(rows, connection),
                session,
                sequence,
                is_last=sequence == len(phase),
                total=total,
                batches=len(phase),
                replaces=replaces,
                is_expired=is_expired,
            ),
        )
        for sequence, (number, rows) in enumerate(phase, 1)
    ]


def _as_taken(rows: pa.Table, connection: Connection) -> pa.Table:
    """Return rows with the columns that a vendor takes."""
    layout = connection.layout
    names = [name for name in (*layout.identifiers, *layout.details) if name in rows.column_names]
    taken = rows.select(names)
    if connection.takes_values and VALUE in rows.column_names:
        taken = taken.append_column(VALUE_KEY, rows.column(VALUE))
    return taken


@dataclass(frozen=True)
class _Sender:
    """Sends batches, so many at a time, and notes what became of each."""

    concurrency: int
    journal: Journal
    outcomes: dict[int, Outcome]
    tally: Tally

    def send(self, tasks: list[_Task], send: Callable[[Batch], Outcome]) -> None:
        """Send batches; where one fails, those on their way are noted before the error is raised.

        A crash, which is no Exception, is not waited for.
        """
        waiting = deque(tasks)
        running: dict[Future[Outcome], _Task] = {}
        failure: Exception | None = None
        with ThreadPoolExecutor(self.concurrency, "ordercycle-sync") as pool:
            while running or (waiting and failure is None):
                while failure is None and self._may_start(waiting, running):
                    task = waiting.popleft()
                    running[pool.submit(send, task.batch)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    failure = self._note(running.pop(one), one) or failure
        if failure is not None:
            raise failure

    def _may_start(self, waiting: deque[_Task], running: dict[Future[Outcome], _Task]) -> bool:
        if not waiting or len(running) >= self.concurrency:
            return False
        alone = waiting[0].goes_alone or any(one.goes_alone for one in running.values())
        return not (alone and running)

    def _note(self, task: _Task, done: Future[Outcome]) -> Exception | None:
        """Note what became of a batch; return its error where it failed."""
        error = done.exception()
        if isinstance(error, Exception):
            return error
        outcome = done.result()
        self.journal.write(_entry(task.number, outcome))
        self.outcomes[task.number] = outcome
        self.tally.count(task.actions, outcome)
        return None
