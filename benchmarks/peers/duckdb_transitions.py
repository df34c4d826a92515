"""Transitions between two tables of segments in DuckDB: a full join of both by customer.

Both tables are Arrow, as ordercycle's are, and so is the result. A union of both, grouped by
customer, took twice the processor time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa

TRANSITIONS = """
SELECT customer_id, earlier.lifecycle AS from_segment, later.lifecycle AS to_segment
FROM earlier FULL JOIN later USING (customer_id)
WHERE earlier.lifecycle IS DISTINCT FROM later.lifecycle
"""
MATRIX = """
SELECT earlier.lifecycle AS from_segment, later.lifecycle AS to_segment, count(*) AS customers
FROM earlier FULL JOIN later USING (customer_id)
GROUP BY ALL
"""


def transitions(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return the customers whose segment is another one."""
    return _run(TRANSITIONS, before, after)


def transition_matrix(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return how many customers went from each segment to each."""
    return _run(MATRIX, before, after)


def _run(query: str, before: pa.Table, after: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        # Order is not asked for, so DuckDB need not keep it.
        connection.execute("SET preserve_insertion_order = false")
        connection.register("earlier", before)
        connection.register("later", after)
        return connection.sql(query).to_arrow_table()
