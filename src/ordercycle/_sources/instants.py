"""What times without a zone are: as the caller says, or as the writer of a Parquet file left it.

Parquet has two ways of keeping a time that do not say whether it is an instant: INT96, and
TIMESTAMP_MILLIS and TIMESTAMP_MICROS without a logical type. By its specification the latter are
UTC; of INT96 it says nothing, and engines differ. What they leave in the footer distinguishes them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa

from ordercycle._errors import ColumnError, Option
from ordercycle._sources.read_request import ReadRequest, Times

ARROW_SCHEMA, PANDAS = b"ARROW:schema", b"pandas"


class Meaning(Enum):
    """What a time without a zone is."""

    INSTANT = "UTC"
    LOCAL = "on the wall"
    UNSAID = "not said"


@dataclass(frozen=True)
class Footer:
    """What the footer of a Parquet file says of its writer."""

    created_by: str
    marks: Mapping[bytes, bytes]  # keys and values

    def arrow_meaning(self, column: str) -> Meaning | None:
        """Return what the Arrow schema of the writer says of a column."""
        if ARROW_SCHEMA not in self.marks:
            return None
        message = base64.b64decode(self.marks[ARROW_SCHEMA])
        schema = pa.ipc.read_schema(pa.BufferReader(message))
        kind = schema.field(column).type if schema.names.count(column) == 1 else pa.null()
        if not pa.types.is_timestamp(kind):
            return None
        return Meaning.LOCAL if kind.tz is None else Meaning.INSTANT

    def pandas_meaning(self, column: str) -> Meaning | None:
        """Return what pandas says of a column that it had."""
        try:
            columns = json.loads(self.marks.get(PANDAS, b"{}")).get("columns", [])
            kinds = {str(one.get("name")): str(one.get("pandas_type")) for one in columns}
        except (ValueError, AttributeError):  # not as pandas writes it
            return None
        known = {"datetime": Meaning.LOCAL, "datetimetz": Meaning.INSTANT}
        return known.get(kinds.get(column, ""))


#: Writers, by what they leave in the footer, and what their times without a zone are.
#: Spark's timestamps are instants, those of Hive are turned to UTC in the zone of the writer;
#: Impala and DuckDB keep what a clock on the wall says.
WRITERS: tuple[tuple[Callable[[Footer], bool], Meaning], ...] = (
    (lambda footer: b"org.apache.spark.version" in footer.marks, Meaning.INSTANT),
    (lambda footer: b"writer.time.zone" in footer.marks, Meaning.INSTANT),
    (lambda footer: footer.created_by.lower().startswith("impala"), Meaning.LOCAL),
    (lambda footer: footer.created_by.startswith("DuckDB"), Meaning.LOCAL),
)


def meaning(footer: Footer, column: str) -> Meaning:
    """Return what the times of a column are, as far as the file's writer left it."""
    said = footer.arrow_meaning(column) or footer.pandas_meaning(column)
    if said is not None:
        return said
    return next((means for is_its, means in WRITERS if is_its(footer)), Meaning.UNSAID)


def with_meanings(opened: Any, path: str, request: ReadRequest) -> pa.Schema:
    """Return the Arrow schema of a Parquet file in which instants have a zone.

    Raises
    ------
    ColumnError
        Where nothing says what the times of a requested column are, and days depend on it.
    """
    schema = opened.schema_arrow
    unclear = {column: kind for column, kind in _unclear(opened) if column in request.names}
    if not unclear:
        return schema
    metadata = opened.metadata
    footer = Footer(metadata.created_by or "", metadata.metadata or {})
    for column, kind in unclear.items():
        means = meaning(footer, column)
        if means is Meaning.UNSAID and kind != "INT96":
            means = Meaning.INSTANT  # by the specification of Parquet
        if means is Meaning.UNSAID and request.times.matter:
            raise ColumnError(
                f"{request.table}: {column} in {path!r} is {kind}, which some write in UTC and "
                f"some in local time, and its writer ({footer.created_by or 'who is not named'}) "
                "left nothing that says which",
                remedy=(
                    "pass ",
                    Option("times_without_zone", "utc"),
                    " or ",
                    Option("times_without_zone", "local"),
                ),
                column=column,
            )
        place = schema.get_field_index(column)
        zone = "UTC" if means is Meaning.INSTANT else None
        typed = schema.field(place).with_type(pa.timestamp(schema.field(place).type.unit, zone))
        schema = schema.set(place, typed)
    return schema


def _unclear(opened: Any) -> Iterator[tuple[str, str]]:
    """Yield the columns of times that do not say by themselves what they are, and why not."""
    schema = opened.schema_arrow
    for number in range(len(opened.schema)):
        column = opened.schema.column(number)
        if schema.names.count(column.path) != 1:
            continue
        if not pa.types.is_timestamp(schema.field(column.path).type):
            continue
        if column.physical_type == "INT96":
            yield column.path, "INT96"
        elif json.loads(column.logical_type.to_json()).get("is_from_converted_type"):
            yield column.path, column.converted_type


def times_mix(left: pa.DataType, right: pa.DataType, times: Times) -> bool:
    """Return whether two types of times without a zone mean the same days.

    A date is a local day; a timestamp that is UTC falls on one or the other.
    """
    kinds = {pa.types.is_date(left), pa.types.is_date(right)}
    return len(kinds) == 1 or not times.are_utc or times.timezone == "UTC"
