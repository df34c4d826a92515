"""What is legal but suspicious in the rows that were read: warnings that say what to look at."""

from __future__ import annotations

import pyarrow as pa

from ordercycle.columns import Columns
from ordercycle.errors import Option, Text, warn
from ordercycle.ingest.readers import TimeReader
from ordercycle.sources.wanted import Times

LOCAL, UTC = Option("times_without_zone", "local"), Option("times_without_zone", "utc")


def check_zone_has_effect(
    times: Times, columns: Columns, ordered: TimeReader, registered: TimeReader | None
) -> None:
    """Warn where a time zone is named and no time has one: nothing is converted."""
    readers = [ordered] if registered is None else [ordered, registered]
    if not times.matter or any(reader.are_instants for reader in readers):
        return
    zone = Option("timezone", times.timezone)
    text: Text
    if pa.types.is_timestamp(ordered.kind):
        text = (
            zone,
            f" has no effect: {columns.time} has no zone and is taken as local already; pass ",
            UTC,
            " where it is UTC, or ",
            LOCAL,
            " where it is local",
        )
    else:
        text = (
            zone,
            f" has no effect: {columns.time} holds dates, which are local days; pass ",
            LOCAL,
            " to say that this is known",
        )
    warn(text)


def check_offsets_have_a_zone(times: Times, columns: Columns, *, had_offsets: bool) -> None:
    """Warn where times of a text have offsets and no time zone is named."""
    if had_offsets and times.timezone == "UTC":
        warn(
            (
                f"{columns.time} has offsets from UTC, and days begin and end in UTC; pass ",
                Option("timezone"),
                " where they begin and end elsewhere",
            )
        )
