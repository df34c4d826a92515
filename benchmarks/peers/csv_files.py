"""Time ordercycle and DuckDB from CSV files to a profile, and compare what they find.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.csv_files --orders 5000000 --rounds 3
    python -m benchmarks.peers.csv_files --shape daily --rounds 5

One file has integer ids, timestamps and amounts of two decimals. The other shape is that of a
well-known export: 305 files of a day each, with ids that are floats and missing in a quarter of the
rows, invoices that begin with C where they are cancelled, and amounts that are a product. Both
engines read the files in this process, with their own number of threads, and take turns. ordercycle
makes all columns of the profile, DuckDB orders, revenue and the days of first and last order only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

DAILY_FILES, DAILY_ROWS = 305, 541_909
AS_OF = date(2026, 1, 1)
SEED = 7


@dataclass(frozen=True)
class Shape:
    """Files, and how each engine makes customers of them."""

    path: str
    options: dict[str, Any]
    sql: str


def one_file(folder: Path, orders: int) -> Shape:
    """Write one large file."""
    rng = np.random.default_rng(SEED)
    path = folder / "orders.csv"
    table = pa.table(
        {
            "customer_id": rng.integers(1, max(2, orders * 88 // 1000), orders),
            "ordered_at": pa.array(
                rng.integers(1_600_000_000, 1_750_000_000, orders), pa.timestamp("s")
            ),
            "amount": rng.integers(1, 50_000, orders) / 100,
        }
    )
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))
    sql = f"""
        SELECT customer_id, count(*) AS orders, sum(amount) AS revenue,
               min(ordered_at)::DATE AS first_order_on, max(ordered_at)::DATE AS last_order_on
        FROM read_csv('{path}') GROUP BY customer_id
    """
    return Shape(str(path), {}, sql)


def daily_files(folder: Path, _: int) -> Shape:
    """Write a file for each of many days, with order lines."""
    import ordercycle as oc

    rng = np.random.default_rng(SEED)
    rows = np.sort(rng.integers(0, DAILY_FILES, DAILY_ROWS))
    for number in range(DAILY_FILES):
        lines = int(np.count_nonzero(rows == number))
        invoices = np.sort(rng.integers(0, max(1, lines // 20), lines))
        owners = rng.integers(12_346, 18_288, max(1, lines // 20))
        nobody = rng.random(owners.size) < 0.25
        cancelled = rng.random(owners.size) < 0.08
        day = date(2024, 12, 1) + timedelta(number)
        with (folder / f"{day}.csv").open("w") as file:
            file.write(
                "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
            )
            for invoice in invoices.tolist():
                sign, mark = (-1, "C") if cancelled[invoice] else (1, "")
                customer = "" if nobody[invoice] else f"{owners[invoice]}.0"
                quantity = sign * int(rng.integers(1, 40))
                price = int(rng.integers(1, 2000)) / 100
                identity = f"{mark}{536_365 + number * 1000 + invoice}"
                file.write(
                    f'{identity},85123A,"HOLDER, T-LIGHT",{quantity},'
                    f"{day} {8 + invoice % 10:02}:26:00,{price},{customer},United Kingdom\n"
                )
    columns = oc.Columns(
        customer="CustomerID",
        time="InvoiceDate",
        amount="UnitPrice * Quantity",
        order="InvoiceNo",
    )
    sql = f"""
        WITH invoices AS (
            SELECT CustomerID::BIGINT AS customer_id, InvoiceNo, InvoiceDate::DATE AS day,
                   sum(UnitPrice * Quantity) AS amount
            FROM read_csv('{folder}/*.csv', types = {{'InvoiceNo': 'VARCHAR'}})
            WHERE CustomerID IS NOT NULL GROUP BY ALL
        )
        SELECT customer_id, count(*) FILTER (amount >= 0) AS orders, sum(amount) AS revenue,
               min(day) FILTER (amount >= 0) AS first_order_on,
               max(day) FILTER (amount >= 0) AS last_order_on
        FROM invoices GROUP BY customer_id
    """
    return Shape(str(folder), {"columns": columns}, sql)


SHAPES: dict[str, Callable[[Path, int], Shape]] = {"one": one_file, "daily": daily_files}


def by_ordercycle(shape: Shape) -> pa.Table:
    """Return the profile."""
    import ordercycle as oc

    return oc.OrderHistory.build(shape.path, **shape.options).profile(AS_OF)


def by_duckdb(shape: Shape) -> pa.Table:
    """Return orders, revenue and days of every customer."""
    import duckdb

    with duckdb.connect() as connection:
        return connection.sql(shape.sql).to_arrow_table()


ENGINES = {"ordercycle": by_ordercycle, "duckdb": by_duckdb}


def differences(ours: pa.Table, theirs: pa.Table) -> int:
    """Return how many customers differ: in all but the last bits of revenue, which is a float."""
    names = ["customer_id", "orders", "first_order_on", "last_order_on"]
    ours = ours.sort_by("customer_id")
    theirs = theirs.sort_by("customer_id")
    if ours.num_rows != theirs.num_rows:
        return max(ours.num_rows, theirs.num_rows)
    rows = zip(ours.select(names).to_pylist(), theirs.select(names).to_pylist(), strict=True)
    money = zip(ours["revenue"].to_pylist(), theirs["revenue"].to_pylist(), strict=True)
    wrong = [left != right for left, right in rows]
    return sum(
        bad or abs(left - right) > 1e-6 for bad, (left, right) in zip(wrong, money, strict=True)
    )


def main() -> int:
    """Write the files, compare the results, and print a line for each engine."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.csv_files")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="one")
    parser.add_argument("--orders", type=int, default=5_000_000, help="of one file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the files go for the time of the run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ordercycle-csv-", dir=options.folder) as folder:
        shape = SHAPES[options.shape](Path(folder), options.orders)
        found = {name: engine(shape) for name, engine in ENGINES.items()}
        wrong = differences(found["ordercycle"], found["duckdb"])
        print(f"{found['ordercycle'].num_rows:,} customers, {wrong:,} differ")
        seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
        for _ in range(options.rounds):
            for name, engine in ENGINES.items():
                start = perf_counter()
                engine(shape)
                seconds[name].append(perf_counter() - start)
    for name, taken in seconds.items():
        ratio = median(taken) / median(seconds["ordercycle"])
        print(f"{name:10} {median(taken):6.2f} s   {ratio:.1f} x ordercycle")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
