"""How the runs of a block get to their places in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import Block
from ordercycle._ingest.runs import Runs
from ordercycle._ingest.table_readers import Tally
from ordercycle._workspace import Workers


class Layout(ABC):
    """The runs of a block: looked at when it is made, read and deposited when it is filled."""

    block: Block

    def __init__(
        self, runs: Runs, problems: Problems, partition_bits: int, workers: Workers
    ) -> None:
        self._runs = runs
        self._problems = problems
        self._shift = 64 - partition_bits
        self._workers = workers
        # Where what each run has of each partition begins in the block.
        self._begins = np.zeros((len(runs) + 1, 1 << partition_bits), np.int64)

    def fill(self) -> Iterator[tuple[int, Tally]]:
        """Read all runs and deposit them; yield the size and tally of one after the other."""
        tallies = self._workers.in_order(self._read, range(len(self._runs)))
        for number, tally in enumerate(tallies):
            yield self._runs.rows(number), tally

    @abstractmethod
    def _read(self, number: int) -> Tally:
        """Read a run, check it, and deposit it unless something was wrong anywhere."""
