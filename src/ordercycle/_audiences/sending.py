"""Members of an audience as the rows that a connection sends."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of
from ordercycle._audiences.customer_sets import CustomerSet
from ordercycle._audiences.members import ROWS_PER_TASK, Members
from ordercycle._sync.connection import Connection
from ordercycle._sync.digests import DIGEST, TEXT, digest_bytes, digests, never_null
from ordercycle._sync.sent_rows import (
    DETAILS,
    HASH,
    TIE,
    TIE_BYTES,
    TIE_TYPE,
    VALUE,
    Wanted,
    in_order,
)
from ordercycle._workspace import Workers
from ordercycle_kernels.sha256 import DIGEST_BYTES

#: Odd, so that no detail is lost: each column's digests count by a factor of their own.
FACTOR = np.uint64(0x9E3779B97F4A7C15)


def rows_to_send(members: Members, connection: Connection, *, threads: int) -> Wanted:
    """Return members as a vendor is sent them."""
    customers = members.customers.taken(members.rows)
    columns = dict(_keys(customers))
    layout = connection.layout
    for kind, name in zip(members.target.identifiers, layout.identifiers, strict=True):
        found = members.first_of(kind)
        if layout.texts:
            columns[name] = pa.nulls(len(members), TEXT) if found is None else found.texts
        else:
            whole = pa.nulls(len(members), DIGEST) if found is None else found.digests
            columns[name] = never_null(whole)
    details = _details(members, connection, threads)
    columns |= details
    if details and not layout.texts:
        columns[DETAILS] = pa.array(_combined(list(details.values()), len(members)))
    has_values = members.values is not None and connection.takes_values
    if has_values:
        columns[VALUE] = pa.array(members.values)
    fields = [pa.field(name, one.type, one.type == TEXT) for name, one in columns.items()]
    table = pa.table(list(columns.values()), schema=pa.schema(fields))
    return Wanted(
        in_order(table),
        has_values,
        members.unreachable["suppressed"],
        members.unreachable,
        members.zeroed,
    )


def keys_of(customers: CustomerSet) -> pa.Table:
    """Return what customers are in rows."""
    return pa.table(dict(_keys(customers)))


def _keys(customers: CustomerSet) -> list[tuple[str, pa.Array]]:
    """Return the hashes of customers, and of ids that are no integers some bytes of a digest."""
    count = customers.hashes.size
    if customers.reader.is_integer:
        ties = np.zeros(count * TIE_BYTES, np.uint8)
    else:
        found = digest_bytes(digests(customers.ids.cast(pa.large_binary())))
        ties = np.ascontiguousarray(found.reshape(-1, DIGEST_BYTES)[:, :TIE_BYTES]).reshape(-1)
    return [
        (HASH, array_of(customers.hashes, pa.uint64())),
        (TIE, array_of(ties, TIE_TYPE)),
    ]


def _details(members: Members, connection: Connection, threads: int) -> dict[str, pa.Array]:
    """Return what else is sent, of the columns that the contacts have."""
    layout = connection.layout
    found = {}
    starts = range(0, max(len(members), 1), ROWS_PER_TASK)
    with Workers(max(1, min(threads, len(starts)))) as workers:
        for name, role in layout.details.items():
            if members.details(role, 0, 0) is None:
                continue

            def made(start: int, role: str = role) -> pa.Array:
                texts = members.details(role, start, min(start + ROWS_PER_TASK, len(members)))
                return texts if layout.texts else never_null(digests(texts))

            found[name] = pa.concat_arrays(list(workers.in_order(made, starts)))
    return found


def _combined(columns: list[pa.Array], count: int) -> NDArray[np.uint64]:
    """Return a word that differs where any detail does."""
    total = np.zeros(count, np.uint64)
    factor = FACTOR
    with np.errstate(over="ignore"):
        for column in columns:
            words = digest_bytes(column).view(np.uint64)[:: DIGEST_BYTES // TIE_BYTES]
            total = (total + words) * factor
    return total
