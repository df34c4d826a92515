"""What an engine has to do for the verbs; everything else is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import Assignment, PartitionTask
from ordercycle._engines.shuffle_blocks import ShuffleBlock
from ordercycle._errors import ConfigError, MissingExtraError

#: The frames of an engine: tables whose rows are made when they are needed.
F = TypeVar("F")
#: Streams of a job where the tasks of their customers are, in an engine's own form: it has `job`.
Blocks: TypeAlias = Any


class Engine(Protocol[F]):
    """Exchanges, runs, maps, keeps and adds up: plans of tasks, which run when the engine says.

    name: of the engine, and in lower case of the extra that installs it; library: what that is
    called; package: which has its DataFrame; repeatable: whether the engine expects of a task that
    runs again what it made before.
    """

    name: str
    library: str
    package: str
    repeatable: bool

    def columns(self, frame: F) -> list[str]:
        """Return the columns of a frame whose types have a meaning here."""

    def schema(self, frame: F, needed: Sequence[str], table: str) -> pa.Schema:
        """Return the Arrow schema of a frame; columns that are not needed have no type in it.

        Raises
        ------
        ColumnError
            Where the type of a needed column has no meaning here.
        """

    def partitions(self, frames: Sequence[F | FileFrame]) -> int:
        """Return into how many partitions the engine divides what it shuffles."""

    def exchange(self, job: GroupingJob, frames: Sequence[F | FileFrame]) -> Blocks:
        """Return the rows of frames as blocks, each partition those of its customers; lazy.

        frames: of the tables of the job.
        """

    def bring(self, job: GroupingJob, frames: Sequence[F | FileFrame]) -> Iterable[ShuffleBlock]:
        """Return the blocks of frames, brought to the driver."""

    def held(self, blocks: Blocks) -> AbstractContextManager[Blocks]:
        """Hold blocks while a block of code runs, so that all tasks on them take one shuffle."""

    def run(self, blocks: Blocks, task: PartitionTask) -> F:
        """Return the results of a task, one partition of customers after the other."""

    def assign(self, frame: F, assignment: Assignment, added: pa.Table) -> F:
        """Return a profile with the columns that a scheme adds; added: these, without rows."""

    def map(
        self,
        frame: F,
        work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
    ) -> F:
        """Return what is made of the batches of each partition; schema: of that."""

    def kept(self, frame: F, columns: Sequence[str]) -> AbstractContextManager[F]:
        """Keep columns of a frame for as long as a block of code runs."""

    def collect(self, frame: F, schema: pa.Schema) -> pa.Table:
        """Return the rows of a frame, in any order, in the types of a schema."""

    def add_up(self, cells: F, schema: pa.Schema) -> pa.Table:
        """Return the sum of tables of a schema, added up by the engine: `count` by the others."""


def require(engine: Engine[Any]) -> Any:
    """Return the package of the engine, or raise an error that says what to install."""
    try:
        return import_module(engine.package)
    except ImportError as error:
        extra = engine.name.lower()
        raise MissingExtraError(
            f'ordercycle.engines.{extra} needs {engine.library}; pip install "ordercycle[{extra}]"'
        ) from error


def check_frame(engine: Engine[Any], frame: object, table: str) -> None:
    """Raise a ConfigError for anything but a frame of the engine."""
    if not isinstance(frame, require(engine).DataFrame):
        raise ConfigError(
            f"{table}: a {type(frame).__name__} is no {engine.name} DataFrame, nor the path of "
            "files",
            remedy="ordercycle.OrderHistory and the schemes themselves take what is on one machine",
        )
