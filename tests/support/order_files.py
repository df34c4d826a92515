"""Orders in files: what the tests of files write and read."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import ordercycle as oc

DAY = date(2025, 3, 1)
AS_OF = "2025-12-31"


def orders(count, first=0, **columns):
    """Return orders that differ in every row; columns given replace those of the same name."""
    number = np.arange(first, first + count)
    given = {
        "customer_id": pa.array(number * 7919 % 101),
        "ordered_at": pa.array(20_000 + number % 300, pa.int32()).cast(pa.date32()),
        "amount": pa.array(number % 977 / 4),
        **columns,
    }
    return pa.table(given)


def profile(source, **options):
    return oc.OrderHistory.build(source, **options).profile(AS_OF)


def write(table, *paths, **options):
    """Write a table to files, a stretch to each."""
    size = -(-table.num_rows // len(paths))
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(number * size, size), path, **options)
    return list(paths)
