"""The whole path, from any source to profile and segments, against the oracle."""

import csv
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.history import Policies
from support.against_oracle import (
    NAMES,
    ODD_NAMES,
    THREADS,
    check,
    customer_table,
    examples,
)
from support.cutting import cut_small
from support.layouts import Layout
from support.sources import IN_MEMORY, ON_DISK
from support.strategies import (
    CUSTOMER_KINDS,
    INTEGERS,
    ORDER_KINDS,
    Case,
    RawRow,
    Types,
    cases,
    column_types,
    customer_columns,
    layouts,
    order_columns,
)


@examples(250)
@given(
    case=cases(),
    layout=layouts(),
    source=st.sampled_from(list(IN_MEMORY)),
    names=st.sampled_from([NAMES, ODD_NAMES]),
    threads=THREADS,
)
def test_any_table_in_memory(case, layout, source, names, threads):
    columns = order_columns(case, names)
    columns["unread"] = ([{"a": [None]}] * len(case.orders), pa.struct({"a": pa.list_(pa.null())}))
    orders = IN_MEMORY[source](layout, columns)
    check(case, orders, customer_table(case, layout, names), names, threads)


# Parquet keeps dictionaries of text with 32-bit offsets only; the ids come back as they were read.
KEPT_ON_DISK = column_types().filter(
    lambda types: (
        not pa.types.is_dictionary(types.customer) or types.customer.value_type == pa.string()
    )
)


@examples(80)
@given(case=cases(KEPT_ON_DISK), source=st.sampled_from(list(ON_DISK)), threads=THREADS)
def test_any_table_on_disk(case, source, threads):
    plain = Layout(0)
    with tempfile.TemporaryDirectory() as folder:
        orders = ON_DISK[source](plain.table(order_columns(case, NAMES)), Path(folder))
        check(case, orders, customer_table(case, plain, NAMES), threads=threads)


@examples(60)
@given(
    case=cases(),
    layout=layouts(),
    source=st.sampled_from(["table", "reader", "generator of batches"]),
    threads=THREADS,
)
def test_any_table_in_many_small_parts(case, layout, source, threads):
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        orders = IN_MEMORY[source](layout, order_columns(case, NAMES))
        check(case, orders, customer_table(case, layout, NAMES), threads=threads)


@examples(40)
@given(case=cases(KEPT_ON_DISK), threads=THREADS, spare=st.sampled_from([0, 3, 64]))
def test_any_table_on_disk_in_many_small_parts(case, threads, spare):
    plain = Layout(0)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        cut_small(patch)
        patch.setattr("ordercycle._ingest.blocks.SPARE_ROWS", spare)
        orders = ON_DISK["parquet file"](plain.table(order_columns(case, NAMES)), Path(folder))
        check(case, orders, customer_table(case, plain, NAMES), threads=threads)


# The ids that rows can be laid out by in runs; text ids are among the cases above.
INTEGER_IDS = st.builds(
    replace,
    column_types(),
    customer=st.sampled_from([kind for kind in CUSTOMER_KINDS if kind in INTEGERS]),
    order=st.none() | st.sampled_from([kind for kind in ORDER_KINDS if kind in INTEGERS]),
)


@examples(250)
@given(
    case=cases(INTEGER_IDS, max_rows=60),
    layout=layouts(),
    source=st.sampled_from(["table", "reader", "generator of batches"]),
    threads=THREADS,
    together=st.integers(0, 12),
    least=st.sampled_from([0.0, 0.0, 2.0]),  # every block in runs, or those with long ones
    small=st.booleans(),
)
def test_rows_of_a_customer_that_lie_together(
    case, layout, source, threads, together, least, small
):
    case = replace(case, orders=clustered(case.orders, together, layout.random))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle._ingest.run_writer.LONG_RUN_ROWS", least)
        if small:
            cut_small(patch)
            patch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 11)
            patch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 23)
        orders = IN_MEMORY[source](layout, order_columns(case, NAMES))
        check(case, orders, customer_table(case, layout, NAMES), threads=threads)


def clustered(rows: list[RawRow], together: int, random: Random) -> list[RawRow]:
    """Return the rows by customer, cut into parts of so many that lie in any order; 0: in one."""
    rows = sorted(rows, key=lambda row: (row.customer is None, row.customer or 0))
    if together:
        parts = [rows[start : start + together] for start in range(0, len(rows), together)]
        random.shuffle(parts)
        rows = [row for part in parts for row in part]
    return rows


@pytest.mark.parametrize("source", IN_MEMORY)
@examples(8)
@given(case=cases().filter(lambda case: case.customers), layout=layouts())
def test_customers_come_from_any_source(source, case, layout):
    orders = layout.table(order_columns(case, NAMES))
    check(case, orders, IN_MEMORY[source](layout, customer_columns(case, NAMES)))


CSV_ROWS = [
    ("ann", "2024-01-05 23:30:00", "12.5", "A1"),
    ("ann", "2024-01-05 08:00:00", "7.25", "A1"),
    ("bob, the builder", "2024-01-07 00:00:00", "-3", "B1"),
    ("ann", "2024-02-05 12:00:00", "100", "A2"),
    ("bob, the builder", "2024-03-01 12:00:00", "0", "B2"),
    ("", "2024-03-01 12:00:00", "9", "G1"),
]


def csv_case(*, collapse: bool) -> Case:
    """Return the rows of the CSV tests as a case."""
    rows = [
        RawRow(
            customer or None,
            int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()),
            float(amount),
            order if collapse else None,
        )
        for customer, time, amount, order in CSV_ROWS
    ]
    order = pa.string() if collapse else None
    types = Types(pa.string(), pa.timestamp("s"), pa.float64(), order, pa.date32())
    policies = Policies(timezone="Europe/Madrid", times_without_zone="local", collapse=collapse)
    return Case(types, rows, None, policies, date(2024, 4, 1), None)


def write_csv(path: Path, rows: list[tuple]) -> None:
    """Write rows as a person would export them, an unread column among them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "note", "ordered_at", "amount", "order_id"])
        writer.writerows([customer, "x", *others] for customer, *others in rows)


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("source", ["file", "list", "glob", "directory"])
def test_csv_files(tmp_path, source, collapse):
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    if source == "file":
        write_csv(paths[0], CSV_ROWS)
    else:
        write_csv(paths[0], CSV_ROWS[:2])
        write_csv(paths[1], CSV_ROWS[2:])
    orders = {
        "file": paths[0],
        "list": [str(path) for path in paths],
        "glob": str(tmp_path / "*.csv"),
        "directory": tmp_path,
    }
    check(csv_case(collapse=collapse), orders[source], None)
