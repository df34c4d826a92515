"""What happens to clusters that lose things, the same for all engines: a question meanwhile."""

import os
import random
import signal
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import Any, ClassVar

import pyarrow as pa

from campaigns.cluster_questions import OF_SUMS, QUESTIONS, There, ask
from campaigns.runner import FaultError
from campaigns.small_disks import filled

DISK_BYTES = 2**26
#: Seconds within which a worker is killed from outside.
SOON = 3


@dataclass
class Cluster(ABC):
    """A cluster, the streams as its frames, the disk of its workers, and how much happened.

    in_a_task: what can happen in a task, once; errors: what may be raised where the disk is full.
    """

    driver: Any
    orders: Any
    touches: Any
    disk: Path
    is_mounted: bool
    folder: Path
    number: int = 0

    engine: ClassVar[ModuleType]
    in_a_task: ClassVar[tuple[str, ...]]
    errors: ClassVar[tuple[type[Exception], ...]]

    @abstractmethod
    def collect(self, frame: Any) -> pa.Table:
        """Return the rows of a frame."""

    @abstractmethod
    def struck(self, frame: Any, kind: str, mark: str, partition: int) -> Any:
        """Return a frame in whose task of a partition something happens, once."""

    @abstractmethod
    def workers(self) -> list[int]:
        """Return the numbers of the processes that can be killed."""


def first(mark: str) -> bool:
    """Return whether nobody has made a file yet, which is then there."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def trial(random: random.Random, state: Cluster, totals: Counter[str]) -> None:
    """Ask one question while one thing happens: in a task, at any moment, or on the disk."""
    kinds = [*state.in_a_task, "worker lost at any moment"]
    kind = random.choice(kinds + ["full disk"] * state.is_mounted)
    question = random.choice(list(QUESTIONS))
    there = There(
        engine=state.engine,
        orders=state.orders,
        touches=state.touches,
        how={"partitions": random.choice([2, 3, 6])},
        collect=state.collect,
    )
    if kind == "full disk":
        _with_full_disk(question, there, random, state, totals)
    elif kind == "worker lost at any moment":
        if not _with_a_worker_lost(question, there, random, state):
            totals["answers before a worker was lost"] += 1
            return
    else:
        _with_a_task_struck(kind, question, there, random, state)
    totals[kind] += 1
    totals[f"of {question}"] += 1
    totals["happened"] += 1


def _with_a_task_struck(kind, question, there, random, state):
    state.number += 1
    how = {
        "kind": kind,
        "mark": str(state.folder / f"mark-{state.number}"),
        "partition": random.randrange(2),
    }
    if question in OF_SUMS or random.random() < 0.5:
        there = there._replace(orders=state.struck(there.orders, **how))
    else:
        there = there._replace(collect=lambda frame: state.collect(state.struck(frame, **how)))
    ask(question, there)
    if not os.path.exists(how["mark"]):
        raise FaultError(f"{kind}: it did not happen")


def _with_a_worker_lost(question, there, random, state):
    """Ask a question; return whether a worker was lost before there was an answer."""
    found = state.workers()
    if not found:
        raise FaultError("there is no worker that could be lost")
    killed = []

    def kill():
        worker = random.choice(found)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

    timer = Timer(random.uniform(0, SOON), kill)
    timer.start()
    try:
        ask(question, there)
    finally:
        timer.cancel()
        timer.join()
    return bool(killed)


def _with_full_disk(question, there, random, state, totals):
    with filled(state.disk, random.randrange(2**20)):
        try:
            ask(question, there)
        except state.errors as error:
            totals["refused"] += 1
            totals["refused, saying why"] += "No space left" in _said(error)
    ask(question, there)  # there is room again


def _said(error):
    """Return what an error and those behind it say."""
    said = ""
    while error is not None:
        said += str(error)
        error = error.__cause__ or error.__context__
    return said
