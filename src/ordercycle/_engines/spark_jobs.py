"""What Spark is asked: which frames and files it takes, in which session, and in what parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._engines.grouping_job import FrameKind, Job, opened
from ordercycle._engines.spark_types import arrow_schema
from ordercycle._errors import ConfigError, Option

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: A DataFrame; or the path, glob, directory or list of files that driver and workers see alike.
Frame: TypeAlias = "DataFrame | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"


def require_spark() -> None:
    """Raise an ImportError that says what to install, where there is no PySpark."""
    try:
        import pyspark  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ImportError(
            'ordercycle.engines.spark needs PySpark; pip install "ordercycle[spark]"'
        ) from error


def schema_of(frame: DataFrame, needed: list[str], table: str) -> pa.Schema:
    """Return the Arrow schema of orders or customers; of a stream there is none.

    Raises
    ------
    ConfigError
        For a stream: each of its micro-batches would be taken for all there is.
    """
    if frame.isStreaming:
        raise ConfigError(
            f"{table}: this is a stream, of which Spark would profile each micro-batch by itself",
            remedy="pass a table that holds all of them",
        )
    return arrow_schema(frame.schema, needed, table)


#: Spark compares what a task wrote to a shuffle with what it writes when it has to run again, and
#: ends a job where that has changed.
SPARK = FrameKind(
    name="Spark DataFrame",
    method="mapInArrow",
    repeatable=True,
    schema=schema_of,
)


def job_of(
    orders: Frame,
    customers: Frame | None,
    partitions: int | None,
    columns: Columns | None,
    timezone: str | None,
    options: dict[str, Any],
) -> tuple[Job, list[Any]]:
    """Return the job, and its frames with files opened."""
    require_spark()
    tables = [orders] if customers is None else [orders, customers]
    frames = opened(tables, columns, timezone, options)
    job = Job.of(
        frames,
        SPARK,
        partitions=default_partitions(session_of(frames)) if partitions is None else partitions,
        columns=columns,
        timezone=timezone,
        options=options,
    )
    return job, frames


def session_of(frames: Sequence[Any]) -> SparkSession:
    """Return the session of the frames; where all are files, the active one.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    from pyspark.sql import SparkSession

    sessions = [frame.sparkSession for frame in frames if hasattr(frame, "sparkSession")]
    session: SparkSession | None = (sessions or [SparkSession.getActiveSession()])[0]
    if session is None:
        raise ConfigError("there is no active Spark session to read files with", remedy="start one")
    return session


def default_partitions(session: SparkSession) -> int:
    """Return into how many partitions the session divides what it shuffles.

    Raises
    ------
    ConfigError
        Where that is no number, such as the "auto" of some platforms.
    """
    said = str(session.conf.get("spark.sql.shuffle.partitions"))
    if not said.isdecimal():
        raise ConfigError(
            f"spark.sql.shuffle.partitions is {said!r}, which is no number",
            remedy=("pass ", Option("partitions")),
        )
    return int(said)
