"""Which columns are ids, and what identifies a customer in each."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.identities import BY_ORDER, DAY, built, counts, order_table, refused

import ordercycle as oc

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


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary(9_000),
     pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("column", ["customer_id", "order_id"])
def test_a_memory_limit_has_no_room_for_long_ids(kind, column):
    def orders(size):
        width = 9_000 if pa.types.is_fixed_size_binary(kind) else size
        array = pa.array([one * width for one in ("x", "y")])
        days = pa.array([20_000, 20_001], pa.date32())
        table = {"customer_id": ["a", "b"], "ordered_at": days, "amount": [1.0, 2.0]}
        is_dictionary = pa.types.is_dictionary(kind)
        plain = array.dictionary_encode() if is_dictionary else array.cast(pa.binary())
        plain = array if pa.types.is_string_view(kind) else plain
        table[column] = plain.cast(kind)
        return pa.table(table)

    options = {"columns": oc.Columns(order="order_id" if column == "order_id" else None)}
    oc.OrderHistory.build(orders(9_000), **options)
    with pytest.raises(oc.DataError, match="holds an id of 9,000 bytes") as raised:
        oc.OrderHistory.build(orders(9_000), memory_limit="100MB", **options)
    assert raised.value.column == column
    if not pa.types.is_fixed_size_binary(kind):
        oc.OrderHistory.build(orders(8_192), memory_limit="100MB", **options)


def test_long_ids_that_are_missing_are_none_under_a_memory_limit():
    views = np.zeros((1000, 4), np.int32)
    views[:, 0] = [9_000] + [8_000] * 999  # the first one is null, whatever is in its slot
    valid = pa.array([False] + [True] * 999)
    buffers = [valid.buffers()[1], pa.py_buffer(views.tobytes()), pa.py_buffer(bytes(9_000))]
    ids = pa.Array.from_buffers(pa.binary_view(), 1000, buffers)
    summary = oc.OrderHistory.build(order_table(ids), memory_limit="100MB").summary()
    assert (summary.customers, summary.anonymous) == (1, 1)
