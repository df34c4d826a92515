"""Ids that are refused, and errors of others, in the words of ordercycle."""

import enum
import uuid
from datetime import time, timedelta
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.identities import BY_ORDER, DAY, built, counts, order_table, refused

import ordercycle as oc

# --- What is refused, and why --------------------------------------------------------------------

REFUSED = [
    (pa.array([True, False]), "there are only two"),
    (pa.array([DAY] * 2), "says when"),
    (pa.array([0, 1], pa.timestamp("s")), "says when"),
    (pa.array([time(1)] * 2), "says when"),
    (pa.array([timedelta(1)] * 2), "says when"),
    (pa.array([[1], [2]]), "several values"),
    (pa.array([{"id": 1}] * 2), "several values"),
    (pa.array([[("id", 1)]] * 2, pa.map_(pa.string(), pa.int64())), "several values"),
    (pa.array([True, False]).dictionary_encode(), "there are only two"),
    (pa.RunEndEncodedArray.from_arrays([2], [True]), "there are only two"),
    (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 2], pa.int8())),
        "extension type arrow.bool8",
    ),
    (
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', '{"a": 1}'])),
        "extension type arrow.json",
    ),
    (
        pa.ExtensionArray.from_storage(
            pa.opaque(pa.binary(), "bignum", "DuckDB"), pa.array([b"\x80", b"\x81"])
        ),
        "extension type arrow.opaque",
    ),
]


@pytest.mark.parametrize(("ids", "why"), REFUSED, ids=lambda one: str(getattr(one, "type", "")))
def test_columns_that_identify_nobody_say_why(ids, why):
    orders = order_table(ids)
    error = refused(orders, oc.ColumnError, why)
    assert error.column == "customer_id"
    assert "cast" in error.remedy
    refused(orders.to_reader(), oc.ColumnError, why)
    listed = orders.select(["customer_id"])
    with pytest.raises(oc.ColumnError, match=f"customers: .*{why}"):
        built(order_table([1, 2]), listed)
    refused(order_table([1, 2], order_id=ids), oc.ColumnError, why, columns=BY_ORDER)


def unknown_extension():
    """Return ids of an extension type that nobody here has registered."""
    field = pa.field("customer_id", pa.int64(), metadata={"ARROW:extension:name": "corp.handle"})
    rest = [pa.field("ordered_at", pa.date32()), pa.field("amount", pa.float64())]
    arrays = [pa.array([1, 2]), pa.array([DAY] * 2), pa.array([1.0, 2.0])]
    return pa.table(arrays, schema=pa.schema([field, *rest]))


def test_extension_types_that_are_unknown_here_are_refused_from_every_source(tmp_path):
    table = unknown_extension()
    pq.write_table(table, tmp_path / "one.parquet")
    with pa.ipc.new_file(tmp_path / "two.arrow", table.schema) as writer:
        writer.write_table(table)
    for source in (table, table.to_reader(), tmp_path / "one.parquet", tmp_path / "two.arrow"):
        refused(source, oc.ColumnError, r"extension type corp\.handle")


class Color(enum.Enum):
    RED = 1


class Thing:
    """An object without a value."""


def rows_of(ids, kind=object):
    rows = len(ids)
    return pd.DataFrame(
        {
            "customer_id": pd.Series(ids, dtype=kind),
            "ordered_at": [DAY] * rows,
            "amount": [1.0] * rows,
        }
    )


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([1, "C1"], r"1 \(int\) at row 0 and 'C1' \(str\) at row 1"),
        (["C1", None, b"C1"], r"'C1' \(str\) at row 0 and b'C1' \(bytes\) at row 2"),
        ([b"C1", "C1"], r"b'C1' \(bytes\) at row 0 and 'C1' \(str\) at row 1"),
        (["a", 1.5], r"'a' \(str\) at row 0 and 1.5 \(float\) at row 1"),
        ([True, 1], r"True \(bool\) at row 0 and 1 \(int\) at row 1"),
        ([uuid.UUID(int=1), "a"], r"UUID.* at row 0 and 'a' \(str\) at row 1"),
    ],
    ids=str,
)
def test_objects_of_several_types_are_shown(ids, shown):
    error = refused(rows_of(ids), oc.ColumnError, shown)
    assert error.column == "customer_id"
    with pytest.raises(oc.ColumnError, match=shown):
        built(rows_of([1] * len(ids)), rows_of(ids)[["customer_id"]])


@pytest.mark.parametrize(
    "ids", [[Thing(), Thing()], [Color.RED, Color.RED], [2**70, 1]], ids=["things", "enums", "huge"]
)
def test_objects_that_are_no_values_are_refused(ids):
    error = refused(rows_of(ids), oc.ColumnError, "customer_id")
    assert error.column == "customer_id"


def test_objects_that_are_values_are_ids():
    known = uuid.UUID(int=7)
    assert counts(built(rows_of([known, known]))) == {known: 2}
    assert counts(built(rows_of([np.int8(1), 1, np.int64(2)]))) == {1: 2, 2: 1}
    assert counts(built(rows_of([np.str_("a"), "a"]))) == {"a": 2}
    assert counts(built(rows_of([1, 2.0, None]))) == {1: 1, 2: 1}
    assert counts(built(rows_of([Decimal(5), 5, Decimal("5.00")]))) == {5: 3}
    assert counts(built(rows_of([1, None, 1], "Int64"))) == {1: 2}
    assert counts(built(rows_of(["a", np.nan, None]))) == {"a": 1}
    assert counts(built(rows_of([1.0, 2.0, 1.0], "category"))) == {1: 2, 2: 1}


def test_handles_in_polars_frames_are_refused():
    frame = pl.DataFrame(
        {
            "customer_id": pl.Series([Thing(), Thing()], dtype=pl.Object),
            "ordered_at": [DAY] * 2,
            "amount": [1.0, 2.0],
        }
    )
    refused(frame, oc.ColumnError, "customer_id .*Object.* no values")
    large = frame.with_columns(customer_id=pl.Series([1, 2**70], dtype=pl.Int128))
    error = refused(large, oc.ColumnError, "customer_id")
    assert error.column == "customer_id"
    wide = frame.with_columns(customer_id=pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])))
    assert counts(built(wide)) == {"a": 1, "b": 1}


def test_large_integers_of_databases_are_ids_or_refused():
    with duckdb.connect() as connection:
        query = "select {} as customer_id, date '2025-03-01' as ordered_at, 1.0 as amount"
        for value in ("7::hugeint", "sum(7)", "7::decimal(20, 0)", "7::double", "7::ubigint"):
            assert counts(built(connection.sql(query.format(value)))) == {7: 1}
        for value in ("9223372036854775808::hugeint", "7.5::double", "7.5::decimal(20, 1)"):
            with pytest.raises(oc.DataError, match=r"customer_id .* no whole number"):
                built(connection.sql(query.format(value)))


# --- Errors of others ----------------------------------------------------------------------------


def test_frames_with_doubled_columns_are_refused_in_the_words_of_tables():
    frame = rows_of([1, 2], "int64")
    doubled = pd.concat([frame, frame[["amount"]]], axis=1)
    refused(doubled, oc.ColumnError, "orders has 2 columns named 'amount'")
    listed = pd.concat([frame[["customer_id"]]] * 2, axis=1)
    with pytest.raises(oc.ColumnError, match="customers has 2 columns named 'customer_id'"):
        built(frame, listed)
    doubled_note = frame.assign(note=1)
    doubled_note.columns = ["customer_id", "ordered_at", "amount", "amount"]
    refused(doubled_note, oc.ColumnError, "2 columns named 'amount'")
    notes = pd.concat(
        [frame, frame.assign(note=1)[["note"]], frame.assign(note=2)[["note"]]], axis=1
    )
    assert counts(built(notes)) == {1: 1, 2: 1}
    intervals = pd.DataFrame(
        [["a", "A", DAY, None, 1]],
        columns=["customer_id", "segment", "valid_from", "valid_to", "segment"],
    )
    with pytest.raises(oc.ColumnError, match="memberships has 2 columns named 'segment'"):
        oc.Membership.from_table(intervals)


def test_sparse_frames_are_refused_with_the_column():
    frame = rows_of([1, 2], "int64").assign(amount=pd.arrays.SparseArray([1.0, 0.0]))
    error = refused(frame, oc.ColumnError, "amount .*[Ss]parse")
    assert error.column == "amount"
    dense = frame.assign(amount=frame["amount"].sparse.to_dense())
    assert counts(built(dense)) == {1: 1, 2: 1}


def test_errors_of_databases_are_ours():
    query = """select i as customer_id, date '2025-03-01' as ordered_at,
        case when i = {} then error('broken') else 1 end as amount from range({}) t(i)"""
    with duckdb.connect() as connection:
        for last, rows in ((0, 1), (399_999, 400_000)):
            refused(connection.sql(query.format(last, rows)), oc.SourceError, "broken")
        cast = connection.sql(
            "select cast(x as int) as customer_id, date '2025-03-01' as ordered_at, 1 as amount "
            "from (values ('1'), ('b')) t(x)"
        )
        refused(cast, oc.SourceError, "orders cannot be read: .*Could not convert string 'b'")
        relation = connection.sql(query.format(-1, 1))
    refused(relation, oc.SourceError, "closed")


def test_errors_of_generators_are_ours():
    def batches():
        yield order_table([1, 2]).to_batches()[0]
        raise ConnectionResetError("the line is dead")

    refused(batches(), oc.SourceError, "orders cannot be read: .*the line is dead")

    def broken():
        yield order_table([1, 2]).to_batches()[0]
        raise KeyError("customer")

    refused(broken(), oc.SourceError, "KeyError: 'customer'")
