"""Plans: which rows are sent, in which batches, and what is remembered once they were."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._errors import ConfigError, Option, counted
from ordercycle._sync.connection import Connection, Layout, Outcome
from ordercycle._sync.sent_rows import (
    HASH,
    STALE,
    TIE,
    Wanted,
    array_of_flags,
    as_sent,
    differences,
    divided,
    holders,
    in_columns_of,
    in_order,
    nobody,
    paired,
    sent_schema,
    united,
    without,
)
from ordercycle._sync.state_folder import Saved

ACTION, BATCH = "action", "batch"
#: What is done with a row of a plan: those before NEW are removed, the others added. STALE are of
#: identifiers from earlier, OLD of those that CHANGED ones take the place of; LEFT left the list;
#: TOUCHED and SAME have the identifiers they had.
LEFT, OLD, GONE, NEW, CHANGED, TOUCHED, SAME = range(7)
MOST_REPLACED = 100_000_000


class Planned(NamedTuple):
    """Rows to send, by batch, and how many stay as they are and were removed by replacing."""

    table: pa.Table
    unchanged: int
    left: int


def plan_of(sent: pa.Table, wanted: Wanted, connection: Connection, mode: str) -> Planned:
    """Return what is to be sent."""
    layout, rows = connection.layout, wanted.table
    current, stale = divided(sent)
    found = differences(current, rows, layout)
    replaces = mode == "replace" and connection.replaces
    if replaces and rows.num_rows > MOST_REPLACED:
        raise ConfigError(
            f"{connection.vendor} does not replace {counted(rows.num_rows, 'row')} at once",
            remedy=("pass ", Option("mode", "changes")),
        )
    identified = [HASH, TIE, *layout.identifiers]
    removed: list[tuple[int, pa.Table]] = []
    if mode != "add_only" and not replaces:
        removed = [
            (GONE, stale.select(identified)),
            (OLD, current.take(rows_of(found.before)).select(identified)),
            (LEFT, current.take(rows_of(found.left)).select(identified)),
        ]
    removals = [
        _planned_rows(table, action, rows.schema) for action, table in removed if table.num_rows
    ]
    touched, same = found.touched, found.same
    if removals:
        # Whoever is found by what is removed has to come after it.
        again = holders(rows, same, pa.concat_tables(removals), layout)
        touched, same = np.concatenate([touched, same[again]]), same[~again]
    added = [(NEW, found.new), (CHANGED, found.changed), (TOUCHED, touched)]
    if replaces:
        added.append((SAME, same))
    additions = [
        _planned_rows(rows.take(rows_of(places)), action, rows.schema)
        for action, places in added
        if places.size
    ]
    schema = pa.schema([pa.field(ACTION, pa.int8(), nullable=False), *rows.schema])
    parts = [_numbered(tables, schema, connection.batch_rows) for tables in (removals, additions)]
    first = pc.max(parts[0].column(BATCH)).as_py()
    if first is not None and parts[1].num_rows:
        shifted = pc.add(parts[1].column(BATCH), pa.scalar(first + 1, pa.int32()))
        parts[1] = parts[1].set_column(1, parts[1].schema[1], shifted)
    left = found.left.size if replaces else 0
    return Planned(pa.concat_tables(parts), int(same.size), int(left))


def _planned_rows(table: pa.Table, action: int, schema: pa.Schema) -> pa.Table:
    aligned = in_columns_of(table, schema)
    actions = pa.array(np.full(table.num_rows, action, np.int8))
    return aligned.add_column(0, pa.field(ACTION, pa.int8(), nullable=False), actions)


def _numbered(tables: list[pa.Table], schema: pa.Schema, batch_rows: int) -> pa.Table:
    """Return rows with the number of their batch."""
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    numbers = (np.arange(table.num_rows) // batch_rows).astype(np.int32)
    return table.add_column(1, pa.field(BATCH, pa.int32(), nullable=False), pa.array(numbers))


def actions_of(rows: pa.Table) -> NDArray[np.int8]:
    return np.asarray(rows.column(ACTION).combine_chunks(), np.int8)


def batches_of(plan: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of each batch with its number; rows of a batch are together."""
    numbers = np.asarray(plan.column(BATCH).combine_chunks(), np.int32)
    if not numbers.size:
        return
    starts = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), numbers.size]
    for start, stop in pairwise(starts):
        yield int(numbers[start]), plan.slice(start, stop - start)


def folded(
    saved: Saved | None, plan: Saved, outcomes: dict[int, Outcome], connection: Connection
) -> pa.Table:
    """Return what was sent once all batches of a plan are acknowledged."""
    layout = connection.layout
    actions = actions_of(plan.table)
    taken = np.ones(actions.size, np.bool_)
    refused = np.zeros(actions.size, np.bool_)
    start = 0
    for number, rows in batches_of(plan.table):
        outcome = outcomes[number]
        taken[[start + one for one in (*outcome.rejected, *outcome.unknown)]] = False
        refused[start : start + rows.num_rows] = outcome.refused
        start += rows.num_rows
    rows = plan.table.drop_columns([ACTION, BATCH])
    schema = sent_schema(layout, rows.schema)
    additions = _part(rows, (actions >= NEW) & taken & ~refused, layout)
    if plan.facts["mode"] == "replace" and connection.replaces:
        return in_order(additions)
    sent = nobody(layout, rows.schema) if saved is None else saved.table
    current, stale = divided(sent)
    gone = in_order(_part(rows, ((actions == LEFT) & ~refused) | (actions >= NEW), layout))
    kept = without(current, gone)
    not_removed = refused & ((actions == OLD) | (actions == GONE))
    left_over = [in_columns_of(_part(rows, not_removed, layout), schema)]
    if plan.facts["mode"] == "add_only":
        left_over.append(in_columns_of(stale, schema))
        replaced = in_order(_part(rows, (actions == CHANGED) & taken, layout))
        before, after = paired(current, replaced)
        both = before[(before >= 0) & (after >= 0)].astype(np.int64)
        left_over.append(in_columns_of(current.take(rows_of(both)), schema))
    old = pa.concat_tables(left_over)
    place = schema.get_field_index(STALE)
    old = old.set_column(place, schema.field(place), array_of_flags(old.num_rows, value=True))
    return pa.concat_tables([united(kept, in_order(additions)), old])


def _part(rows: pa.Table, which: NDArray[np.bool_], layout: Layout) -> pa.Table:
    return as_sent(rows.take(rows_of(np.flatnonzero(which))), layout, stale=False)
