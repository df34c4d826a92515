"""What orders or events have that arrive, and those there: one spec of both."""

from __future__ import annotations

from dataclasses import replace

from ordercycle._errors import ColumnError
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.payload import Payload
from ordercycle._spec import DetailSpec


def common_details(there: DetailSpec, arriving: DetailSpec, time: str) -> DetailSpec:
    """Return what both have in common, or raise a ColumnError where types contradict each other.

    time: the column of times.
    """
    event_id, payload = there.event_id, there.payload
    if event_id is not None and arriving.event_id is not None:
        event_id = together(payload.id_column, event_id, arriving.event_id)
    if payload.has_instants != arriving.payload.has_instants:
        kinds = ("dates", "timestamps")
        before = kinds[payload.has_instants]
        raise ColumnError(
            f"{time} has {kinds[arriving.payload.has_instants]}, and {before} in the history",
            remedy=f"cast it to {before}",
            column=time,
        )
    values = {
        name: _wider(name, reader, arriving.values[name]) for name, reader in there.values.items()
    }
    return replace(
        there,
        keys={
            name: together(name, reader, arriving.keys[name]) for name, reader in there.keys.items()
        },
        values=values,
        event_id=event_id,
        attributes=there.attributes.with_values(arriving.attributes.known),
        payload=Payload.of(
            payload.codes,
            payload.keys,
            {name: reader.is_wide for name, reader in values.items()},
            None if payload.event_id is None else payload.id_column,
            has_instants=payload.has_instants,
        ),
    )


def together(column: str, there: IdReader, arriving: IdReader) -> IdReader:
    """Return the reader of ids of both."""
    common = there.together_with(arriving)
    if common is None:
        raise ColumnError(
            f"{column} is {arriving.given}, and {there.given} in the history",
            remedy="cast it, so that the same thing has the same id",
            column=column,
        )
    return common


def _wider(column: str, there: AmountReader, arriving: AmountReader) -> AmountReader:
    """Return the reader of values of both: of decimals, the one with more digits."""
    if there.produced != arriving.produced:
        raise ColumnError(
            f"{column} is {arriving.given}, and {there.given} in the history",
            remedy=f"cast it to {there.given}",
            column=column,
        )
    return there.wider(arriving)
