"""Folders that are more than their files: tables whose own log says which files count.

Rows that were deleted, overwritten or rewritten are still in files beside those that count.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ordercycle._errors import Option, SourceError

#: The names in a folder, or None where there is no such folder.
Names = Callable[[str], Collection[str] | None]


@dataclass(frozen=True)
class TableFormat:
    """How tables of a kind are recognised, and what reads them.

    log: the folder of the log, within that of the table; entry: what the name of a file in it is
    like, or nothing where the name of the folder is enough; remedy: with ``{path}`` for the table.
    """

    name: str
    log: str
    entry: str
    remedy: str


TABLE_FORMATS = (
    TableFormat(
        "a Delta Lake table",
        "_delta_log",
        "",
        "pass what its own reader gives: deltalake.DeltaTable({path!r}).to_pyarrow_dataset()",
    ),
    TableFormat(
        "an Apache Iceberg table",
        "metadata",
        r".*\.metadata\.json(\.gz)?|.*\.gz\.metadata\.json|version-hint\.text",
        "pass what its own reader gives: pyiceberg.catalog.load_catalog(...).load_table(...)"
        ".scan().to_arrow_batch_reader()",
    ),
    TableFormat(
        "an Apache Hudi table",
        ".hoodie",
        "",
        "have Spark read it, with spark.read.format('hudi').load({path!r}), and pass its toArrow()",
    ),
    TableFormat(
        "an Apache Paimon table",
        "snapshot",
        r"snapshot-[0-9]+|LATEST|EARLIEST",
        "read it with pypaimon or with Spark, and pass the Arrow table",
    ),
    TableFormat(
        "what a stream of Spark wrote",
        "_spark_metadata",
        "",
        "have Spark read it, with spark.read.load({path!r}), and pass its toArrow()",
    ),
)
#: Files of DuckLake, whose log is in a database.
DUCKLAKE = re.compile(r"ducklake-[0-9a-f]{8}-[0-9a-f-]{27}(-delete)?\.parquet")
#: Files of a saved history, of orders or of events.
SAVED = re.compile(r"(part|run|table)-[0-9]{5,}-[0-9a-f]{8}\.arrow")


def refuse_table_files(
    files: Iterable[str],
    names: Names,
    shown: Callable[[str], str],
    name: str,
    parents: Callable[[str], Iterator[str]],
) -> None:
    """Refuse files that were found in the folder of a table with a log of its own.

    files: found in a folder or by a pattern; a file that the caller names is read; names: looks
    into folders; shown: names a folder in messages; parents: of a file, the folders above it.

    Raises
    ------
    SourceError
        Which says what reads the table.
    """
    seen: set[str] = set()
    for file in files:
        for folder in parents(file):
            if folder in seen:  # and so are those above it
                break
            seen.add(folder)
            for known in TABLE_FORMATS:
                entries = names(posixpath.join(folder, known.log))
                if entries is not None and (
                    not known.entry or any(re.fullmatch(known.entry, one) for one in entries)
                ):
                    _refuse(shown(folder), known.name, known.remedy, name)
        if DUCKLAKE.fullmatch(file.rpartition("/")[2]):
            remedy = "ATTACH 'ducklake:...' with duckdb, and pass the relation of the table"
            _refuse(shown(file), "of a DuckLake table", remedy, name)
        if SAVED.fullmatch(file.rpartition("/")[2].rpartition(os.sep)[2]):
            folder = shown(os.path.dirname(file))
            raise SourceError(
                f"{name}: {folder!r} is a history that was saved, and no table of rows",
                remedy=(
                    "open orders with ",
                    Option("saved_history", folder),
                    ", and events with EventHistory.open",
                ),
            )


def _refuse(path: str, kind: str, remedy: str, name: str) -> None:
    raise SourceError(
        f"{name}: {path!r} is {kind}, whose log says which of its files count: others hold rows "
        "that were deleted or replaced",
        remedy=remedy.format(path=path),
    )


def parents(location: str) -> Iterator[str]:
    """Yield the folders above a location in a store, the nearest first."""
    folder = posixpath.dirname(location)
    while folder and folder != "/":
        yield folder
        folder = posixpath.dirname(folder)
