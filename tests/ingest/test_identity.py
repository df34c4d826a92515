"""Which columns are ids, and what identifies a customer in each."""

import enum
import uuid
from collections import Counter
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc

DAY = date(2025, 3, 1)
BY_ORDER = oc.Columns(order="order_id", registered=None)
UNLISTED = oc.Columns(registered=None)


def order_table(ids, **columns):
    rows = len(ids)
    return pa.table(
        {"customer_id": ids, "ordered_at": [DAY] * rows, "amount": [1.0] * rows, **columns}
    )


def built(orders, customers=None, columns=UNLISTED, **options):
    return oc.OrderHistory.build(orders, customers, columns=columns, **options)


def counts(history):
    """Return how many orders each customer has."""
    rows = history.profile(DAY).select(["customer_id", "orders"]).to_pylist()
    found = {row["customer_id"]: row["orders"] for row in rows}
    assert len(found) == len(rows)
    return found


def refused(orders, error, match, **options):
    with pytest.raises(error, match=match) as caught:
        built(orders, **options)
    return caught.value


# --- Numbers that are whole ----------------------------------------------------------------------

WHOLE_KINDS = [
    (pa.float16(), 2**11),
    (pa.float32(), 2**24),
    (pa.float64(), 2**53),
]


@pytest.mark.parametrize(("kind", "limit"), WHOLE_KINDS, ids=str)
def test_whole_floats_are_integers_up_to_what_their_type_holds(kind, limit):
    dtype = kind.to_pandas_dtype()
    values = [7.0, -7.0, 0.0, -0.0, float(limit - 1), float(1 - limit), float("nan")]
    history = built(order_table(pa.array(np.array(values, dtype), kind)))
    assert history.profile(DAY).schema.field("customer_id").type == pa.int64()
    assert counts(history) == {7: 1, -7: 1, 0: 2, limit - 1: 1, 1 - limit: 1}
    assert history.summary().anonymous == 1
    for bad in (float(limit), -float(limit), 1.5, float("inf"), -float("inf")):
        ids = pa.array(np.array([1.0, bad, bad, np.nan], dtype), kind)
        error = refused(
            order_table(ids), oc.DataError, f"no whole number below 2.{limit.bit_length() - 1}"
        )
        assert (error.column, error.row, error.count) == ("customer_id", 1, 2)
        assert str(pa.scalar(dtype(bad), kind)) in error.what


def test_memory_under_missing_ids_is_nobodys():
    known = pa.py_buffer(np.packbits(np.array([1, 0, 1], np.bool_), bitorder="little"))
    floats = pa.py_buffer(np.array([1.0, 0.5, 2.0]))
    ids = pa.Array.from_buffers(pa.float64(), 3, [known, floats])
    assert counts(built(order_table(ids))) == {1: 1, 2: 1}
    words = pa.py_buffer(np.array([100, 0, 150, 0, 200, 0], np.int64))
    ids = pa.Array.from_buffers(pa.decimal128(38, 2), 3, [known, words])
    assert counts(built(order_table(ids))) == {1: 1, 2: 1}
    offsets = pa.py_buffer(np.array([0, 1, 1, 2], np.int32))
    ids = pa.Array.from_buffers(pa.string(), 3, [known, offsets, pa.py_buffer(b"ab")])
    history = built(order_table(ids))
    assert (counts(history), history.summary().anonymous) == ({"a": 1, "b": 1}, 1)


@pytest.mark.parametrize(
    "kind",
    [pa.decimal32(9, 0), pa.decimal64(18, 2), pa.decimal128(38, 0), pa.decimal256(60, 4)],
    ids=str,
)
def test_whole_decimals_are_integers(kind):
    ids = pa.array([Decimal(7), Decimal(7), Decimal(-12), None], kind)
    history = built(order_table(ids))
    assert counts(history) == {7: 2, -12: 1}
    assert history.profile(DAY)["customer_id"].type == pa.int64()


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (pa.decimal128(10, 2), Decimal("1.50")),
        (pa.decimal128(38, 0), Decimal(2**63)),
        (pa.decimal256(60, 3), Decimal("-0.001")),
    ],
    ids=str,
)
def test_decimals_that_are_no_integers_are_refused(kind, bad):
    ids = pa.array([Decimal(1), None, bad], kind)
    error = refused(order_table(ids), oc.DataError, "no whole number of 64 bits")
    assert (error.row, error.count) == (2, 1)
    assert str(bad) in error.what


@given(
    st.lists(
        st.none()
        | st.floats()
        | st.integers(-(2**54), 2**54).map(float)
        | st.integers(-20, 20).map(float)
    ),
    st.lists(st.integers(0, 60), max_size=3),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_floats_are_ids_exactly_where_they_are_whole(values, cuts, listed):
    """What plain Python says: whole and below 2**53, or nobody where there is none or NaN."""
    column = pa.array(values, pa.float64())
    borders = sorted({min(cut, len(values)) for cut in cuts} | {0, len(values)})
    chunks = [column[a:b] for a, b in pairwise(borders)]
    orders = order_table(pa.chunked_array(chunks, pa.float64()))
    present = [one for one in values if one is not None and one == one]  # noqa: PLR0124
    bad = [one for one in present if not (abs(one) < 2**53 and one == int(one))]
    customers = pa.table({"customer_id": pa.array([3], pa.int32())}) if listed else None
    if bad:
        with pytest.raises(oc.DataError) as caught:
            built(orders, customers)
        assert caught.value.count == len(bad)
        assert caught.value.row == next(place for place, one in enumerate(values) if one in bad)
        return
    history = built(orders, customers)
    expected = dict(Counter(int(one) for one in present))
    assert history.summary().anonymous == len(values) - len(present)
    found = {
        row["customer_id"]: len(row["orders"])
        for batch in history.to_batches()
        for row in batch.to_pylist()
    }
    assert found == ({3: 0} if listed else {}) | expected


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(9, 1)], ids=str)
def test_rows_that_do_not_count_may_have_any_id(kind):
    ids = pa.array([Decimal(7), Decimal("0.5"), Decimal(7), None]).cast(kind)
    table = order_table(ids, paid=[True, False, True, True])
    history = built(table, only="paid")
    assert counts(history) == {7: 2}
    assert (history.summary().left_out, history.summary().anonymous) == (1, 1)
    table = order_table(ids, paid=[True, None, True, True])
    assert counts(built(table, only="paid")) == {7: 2}
    refused(order_table(ids, paid=[True] * 4), oc.DataError, "no whole number", only="paid")


# --- Encodings -----------------------------------------------------------------------------------


def encodings(values, kind):
    """Return a column in each encoding that Arrow has."""
    plain = pa.array(values, kind)
    coded = plain.dictionary_encode()
    twice = pa.DictionaryArray.from_arrays(pa.array(range(len(coded.dictionary))), coded.dictionary)
    nested = pa.DictionaryArray.from_arrays(coded.indices, twice)
    ends = pa.array(range(1, len(values) + 1), pa.int32())
    runs = pa.RunEndEncodedArray.from_arrays(ends, plain)
    of_coded = pa.RunEndEncodedArray.from_arrays(ends, coded)
    return [coded, nested, runs, runs[1:], of_coded]


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (pa.int16(), [5, 6, 5]),
        (pa.string(), ["a", "b", "a"]),
        (pa.large_binary(), [b"a", b"b", b"a"]),
        (pa.string_view(), ["a", "b", "a"]),
        (pa.binary_view(), [b"a", b"b", b"a"]),
        (pa.binary(2), [b"aa", b"bb", b"aa"]),
        (pa.float32(), [5.0, 6.0, 5.0]),
        (pa.decimal128(12, 2), [Decimal(5), Decimal(6), Decimal(5)]),
    ],
    ids=str,
)
def test_every_encoding_stands_for_its_values(kind, ids):
    for place, column in enumerate(encodings([None, *ids], kind)):
        assert counts(built(order_table(column))) == {ids[0]: 2, ids[1]: 1}, place


def test_entries_of_dictionaries_may_be_no_ids():
    ids = pa.array([1.0, 2.5, None]).dictionary_encode()
    refused(order_table(ids), oc.DataError, r"no whole number below 2.53 \(2.5\) at row 1")


# --- Empty ids -----------------------------------------------------------------------------------

TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
BYTES = [pa.binary(), pa.large_binary(), pa.binary_view()]
IDS = ["ann", "", None, "bob", "", "ann", "a name that is longer than twelve bytes"]


@pytest.mark.parametrize("kind", [*TEXTS, *BYTES], ids=str)
@pytest.mark.parametrize("coded", [False, True])
def test_empty_ids_are_nobody(kind, coded):
    is_text = kind in TEXTS
    ids = [one if is_text or one is None else one.encode() for one in IDS]
    column = pa.array(["before", *ids, ""] if is_text else [b"before", *ids, b""], kind)[1:-1]
    if coded:
        entries = pa.array([one for one in dict.fromkeys(ids) if one is not None], kind)
        places = {one: place for place, one in enumerate(entries.to_pylist())}
        column = pa.DictionaryArray.from_arrays(
            pa.array([places.get(one) for one in ids], pa.int8()), entries
        )
    orders = order_table(column)
    expected = {one: count for one, count in Counter(ids).items() if one}
    for source in (orders, orders.to_reader(max_chunksize=2)):
        history = built(source)
        assert counts(history) == expected
        assert history.summary().anonymous == 3
    refused(orders, oc.DataError, "customer_id is null or empty at row 1", anonymous="error")
    listed = pa.table({"customer_id": column[:2]})
    with pytest.raises(oc.DataError, match="customers: customer_id is null or empty at row 1"):
        built(orders, listed)
    ordered = order_table(["a", "b"], order_id=column[:2])
    refused(ordered, oc.DataError, "order_id is null or empty at row 1", columns=BY_ORDER)


def test_blobs_without_width_are_nobody():
    history = built(order_table(pa.array([b"", b""], pa.binary(0))))
    assert (history.summary().customers, history.summary().anonymous) == (0, 2)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_same_export_has_the_same_customers_from_every_source(frame, tmp_path):
    ids = ["ann", "", "bob", "ann"]
    table = order_table(pa.array(ids))
    pq.write_table(table, tmp_path / "orders.parquet")
    table.to_pandas().to_csv(tmp_path / "orders.csv", index=False)
    rows = {name: table[name].to_pylist() for name in table.column_names}
    for source in (table, frame(rows), tmp_path / "orders.parquet", tmp_path / "orders.csv"):
        assert counts(built(source)) == {"ann": 2, "bob": 1}


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_empty_slices_of_a_stream_are_no_rows(kind):
    """Their buffers may be shorter than where they begin."""
    ids = pa.array(["x"] * 6)
    column = ids.dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(["x"] * 6, kind)
    chunks = pa.chunked_array([column.slice(6, 0), column, column.slice(1, 0)])
    table = order_table(["x"] * 6).set_column(0, "customer_id", chunks)
    exported = pa.RecordBatchReader.from_stream(table)
    assert counts(built(exported)) == {"x": 6}


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


@pytest.mark.parametrize("ids", [[Thing(), Thing()], [Color.RED, Color.RED], [2**70, 1]], ids=str)
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


# --- Files and folders ---------------------------------------------------------------------------


def test_integers_and_whole_floats_meet_across_files(tmp_path):
    kinds = {"a": pa.int32(), "b": pa.float64(), "c": pa.float32(), "d": pa.int64()}
    for name, kind in kinds.items():
        ids = pa.array([7, None if "b" in name else 8], kind)
        pq.write_table(order_table(ids), tmp_path / f"{name}.parquet")
    history = built(tmp_path)
    assert counts(history) == {7: 4, 8: 3}
    assert history.profile(DAY)["customer_id"].type == pa.int64()
    pq.write_table(order_table(pa.array([2**53 + 1])), tmp_path / "e.parquet")
    refused(tmp_path, oc.OrdercycleError, r"9007199254740993")


def test_ids_in_the_names_of_folders_are_text(tmp_path):
    for name in ("customer_id=007", "customer_id=7", "customer_id=2025-03-01"):
        folder = tmp_path / name / "day=2025-03-01"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"amount": [1, 2]}), folder / "orders.parquet")
    columns = oc.Columns(time="day", registered=None)
    found = counts(built(tmp_path, columns=columns))
    assert found == {"007": 2, "7": 2, "2025-03-01": 2}


def test_text_that_differs_in_its_code_points_is_not_the_same():
    composed, decomposed = "\u00e9mile", "e\u0301mile"
    assert counts(built(order_table([composed, decomposed]))) == {composed: 1, decomposed: 1}


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
