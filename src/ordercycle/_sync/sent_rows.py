"""Rows that are sent, and how those of two days differ."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, booleans, fixed_view, mask_of, rows_of
from ordercycle._sync.connection import Layout
from ordercycle._sync.digests import DIGEST, NO_DIGEST
from ordercycle_kernels import sent_rows as kernels
from ordercycle_kernels.transitions import are_ascending, pair_customers

#: What a customer is in rows: the hash of the id, and more of it where that is a text.
HASH, TIE = "hash", "tie"
#: What rows may have beside identifiers: what somebody is worth, and a digest of all details.
VALUE, DETAILS = "value", "details"
#: Whether a row is of identifiers that a customer had before, and that are still to be removed.
STALE = "stale"
TIE_BYTES = 8
TIE_TYPE = pa.binary(TIE_BYTES)
WORD_BYTES = 8
DIGEST_WORDS = DIGEST.byte_width // WORD_BYTES
Rows = NDArray[np.int64]


class Wanted(NamedTuple):
    """Whom a list is to hold: rows in the order of hash and tie, and an account of the others."""

    table: pa.Table
    has_values: bool
    suppressed: int
    unreachable: dict[str, int]
    values_replaced: int


class Differences(NamedTuple):
    """Rows of what was sent and of what is wanted.

    left: sent, of those who are gone; new: wanted, of those who came; before, changed: sent and
    wanted, of those whom other identifiers stand for now; touched: wanted, of those of whom
    something else changed; same: wanted, of all others.
    """

    left: Rows
    new: Rows
    before: Rows
    changed: Rows
    touched: Rows
    same: Rows


def sent_schema(layout: Layout, wanted: pa.Schema) -> pa.Schema:
    """Return the columns that are remembered of rows."""
    names = [HASH, TIE, *layout.identifiers, VALUE, DETAILS]
    kept = [wanted.field(name) for name in names if name in wanted.names]
    return pa.schema([*kept, pa.field(STALE, pa.bool_(), nullable=False)])


def nobody(layout: Layout, wanted: pa.Schema) -> pa.Table:
    """Return no rows, as they are remembered."""
    return sent_schema(layout, wanted).empty_table()


def as_sent(rows: pa.Table, layout: Layout, *, stale: bool) -> pa.Table:
    """Return rows as they are remembered."""
    schema = sent_schema(layout, rows.schema)
    flags = array_of_flags(rows.num_rows, value=stale)
    return pa.table([*(rows.column(name) for name in schema.names[:-1]), flags], schema=schema)


def array_of_flags(count: int, *, value: bool) -> pa.Array:
    """Return one truth for each of some rows."""
    return mask_of(np.full(count, value, np.bool_))


def divided(sent: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return rows of what stands for customers now, and of what stood for them before."""
    stale = sent.column(STALE)
    if not pc.any(stale, min_count=0).as_py():
        return sent, sent.slice(0, 0)
    return sent.filter(pc.invert(stale)), sent.filter(stale)


def in_order(rows: pa.Table) -> pa.Table:
    """Return rows in the order of hash and tie."""
    hashes = hashes_of(rows)
    if are_ascending(hashes):
        return rows
    ties = np.frombuffer(one_piece(rows, TIE).buffers()[1], ">u8")
    ties = ties[one_piece(rows, TIE).offset :][: rows.num_rows]
    return rows.take(rows_of(np.lexsort((ties, hashes))))


def one_piece(rows: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece."""
    column = rows.column(name)
    if column.num_chunks == 1:
        return column.chunk(0)
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def hashes_of(rows: pa.Table) -> NDArray[np.uint64]:
    """Return the hashes of rows."""
    return fixed_view(one_piece(rows, HASH), np.uint64)


def paired(before: pa.Table, after: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return where each customer is in either table, -1 where in one only."""
    data = np.concatenate([_ties(table) for table in (before, after)])
    count = data.size // TIE_BYTES
    places = (np.arange(count) * TIE_BYTES, np.full(count, TIE_BYTES, np.int32), data)
    rows = [np.empty(count, np.int32) for _ in range(2)]
    found = pair_customers(hashes_of(before), hashes_of(after), *places, *rows)
    return rows[0][:found], rows[1][:found]


def _ties(rows: pa.Table) -> NDArray[np.uint8]:
    return fixed_view(one_piece(rows, TIE), np.uint8, per_row=TIE_BYTES)


def are_texts(rows: pa.Table) -> bool:
    """Return whether rows are of customers whose ids are no integers: those have no ties."""
    return bool(_ties(rows).any())


def differences(sent: pa.Table, wanted: pa.Table, layout: Layout) -> Differences:
    """Return how what was sent and what is wanted differ: in a walk along both."""
    before, after = paired(sent, wanted)
    other = _differing(before, after, sent, wanted, list(layout.identifiers))
    there = {*sent.column_names, *wanted.column_names}
    further = [name for name in (VALUE, DETAILS) if name in there]
    else_changed = _differing(before, after, sent, wanted, further) & ~other
    both = (before >= 0) & (after >= 0)
    return Differences(
        before[after < 0].astype(np.int64),
        after[before < 0].astype(np.int64),
        before[other].astype(np.int64),
        after[other].astype(np.int64),
        after[else_changed].astype(np.int64),
        after[both & ~other & ~else_changed].astype(np.int64),
    )


def _differing(
    before: NDArray[np.int32],
    after: NDArray[np.int32],
    sent: pa.Table,
    wanted: pa.Table,
    names: list[str],
) -> NDArray[np.bool_]:
    """Return of which pairs, there in both tables, a column has another value."""
    changed = np.zeros(before.size, np.bool_)
    for name in names:
        if name not in sent.column_names or name not in wanted.column_names:
            changed |= (before >= 0) & (after >= 0)
            continue
        one, other = one_piece(sent, name), one_piece(wanted, name)
        if one.type == pa.large_string():
            pairs = np.flatnonzero((before >= 0) & (after >= 0))
            taken = [
                column.take(rows_of(rows[pairs].astype(np.int64))).fill_null("")
                for column, rows in ((one, before), (other, after))
            ]
            changed[pairs] |= booleans(pc.not_equal(*taken))
            continue
        width = one.type.byte_width // WORD_BYTES
        kernels.mark_changed(
            before, after, _words(one, width), _words(other, width), width, changed
        )
    return changed


def _words(column: pa.Array, width: int) -> NDArray[np.uint64]:
    return fixed_view(column, np.uint64, per_row=width)


def holders(wanted: pa.Table, rows: Rows, removed: pa.Table, layout: Layout) -> NDArray[np.bool_]:
    """Return which of some wanted rows have an identifier that is removed."""
    found = np.zeros(rows.size, np.bool_)
    if not removed.num_rows or not rows.size:
        return found
    for name in layout.identifiers:
        values = one_piece(removed, name)
        nothing: Any = pa.scalar(NO_DIGEST, DIGEST) if values.type == DIGEST else ""
        values = values.filter(pc.fill_null(pc.not_equal(values, nothing), fill_value=False))
        theirs = one_piece(wanted, name).take(rows_of(rows))
        likely = np.arange(rows.size)
        if values.type == DIGEST:
            likely = np.flatnonzero(_may_be_among(theirs, values))
            theirs = theirs.take(rows_of(likely))
        found[likely] |= booleans(pc.is_in(theirs, value_set=values))
    return found


def _may_be_among(digests: pa.Array, others: pa.Array) -> NDArray[np.bool_]:
    """Return which digests begin as one of others does: all that are there, and one in 16 more."""
    bits = max(len(others).bit_length() + 4, 8)
    shift = np.uint64(8 * WORD_BYTES - bits)
    firsts = [_words(column, DIGEST_WORDS)[::DIGEST_WORDS] >> shift for column in (digests, others)]
    is_there = np.zeros(2**bits, np.bool_)
    is_there[firsts[1]] = True
    found: NDArray[np.bool_] = is_there[firsts[0]]
    return found


def without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Return the rows of customers who are not in another table; both in order."""
    before, after = paired(rows, others)
    kept = before[(before >= 0) & (after < 0)]
    return rows if kept.size == rows.num_rows else rows.take(rows_of(kept.astype(np.int64)))


def united(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Return the rows of two tables without common customers, in order; columns as the second."""
    if not rows.num_rows:
        return others
    aligned = in_columns_of(rows, others.schema)
    both = pa.concat_tables([aligned, others])
    before, after = paired(rows, others)
    order = np.where(before >= 0, before, after + rows.num_rows)
    return both.take(rows_of(order.astype(np.int64)))


def in_columns_of(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns of a schema, zeros or nothing in those they lack."""
    columns = []
    for one in schema:
        if one.name in rows.column_names:
            columns.append(rows.column(one.name))
        elif one.type == pa.large_string():
            columns.append(pa.nulls(rows.num_rows, one.type))
        elif one.type == pa.bool_():
            columns.append(array_of_flags(rows.num_rows, value=False))
        else:
            zeros = np.zeros(rows.num_rows * one.type.bit_width // 8, np.uint8)
            columns.append(array_of(zeros, one.type))
    return pa.table(columns, schema=schema)
