"""Ids of several bytes: equal hashes, dictionaries and memory of every kind."""

from collections import Counter
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.colliding import ids_with_one_hash

import ordercycle as oc
from ordercycle._arrow_views import spanning
from ordercycle_kernels import hashing

DAY = date(2025, 3, 1)
LENGTHS = st.integers(1, 20)


def order_table(ids, **columns):
    rows = len(ids)
    return pa.table(
        {"customer_id": ids, "ordered_at": [DAY] * rows, "amount": [1.0] * rows, **columns}
    )


def orders_of(table, customers=None, **options):
    """Return how many orders each customer has in the profile of a table."""
    columns = oc.Columns(
        order="order_id" if "order_id" in table.column_names else None,
        registered=None,
    )
    profile = oc.OrderHistory.build(table, customers, columns=columns, **options).profile(DAY)
    return counts_of(profile)


def counts_of(profile):
    """Return how many orders each customer of a profile has, and see that each is there once."""
    found = profile.select(["customer_id", "orders"]).to_pylist()
    counts = {row["customer_id"]: row["orders"] for row in found}
    assert len(counts) == len(found)
    return counts


@pytest.fixture(params=["one part", "many parts"])
def parts(request, monkeypatch):
    """Let the tests of a few rows go through one partition, or through many runs and partitions."""
    if request.param == "many parts":
        monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 7)
        monkeypatch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 20)
        monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 5)


@st.composite
def ids_of_rows(draw):
    """Draw ids of rows: of one length or several, one with the hash of another, or one of all."""
    lengths = (
        st.just(draw(st.sampled_from([1, 7, 8, 9, 16, 36]))) if draw(st.booleans()) else LENGTHS
    )
    texts = lengths.flatmap(lambda size: st.text("ab-", min_size=size, max_size=size))
    known = [text.encode() for text in draw(st.lists(texts, min_size=1, max_size=9))]
    known += draw(st.sampled_from([[], ids_with_one_hash(2), ids_with_one_hash(5)]))
    return draw(st.lists(st.sampled_from(known), min_size=1, max_size=60))


@settings(max_examples=60, deadline=None)
@given(ids_of_rows(), st.integers(0, 3))
def test_ids_found_by_hash_are_those_found_by_bytes(ids, last_day):
    """What is compared with the id of a customer, once for all rows, or in a table of ids."""
    days = [date(2025, 3, 1 + row % (1 + last_day)) for row in range(len(ids))]
    amounts = np.arange(len(ids)) / 4
    table = pa.table({"customer_id": ids, "ordered_at": days, "amount": amounts})
    columns = oc.Columns(registered=None)
    found = oc.OrderHistory.build(table, columns=columns).profile(date(2025, 3, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ordercycle._grouping.customer_tables._ids_of_slots", lambda *_: None)
        assert oc.OrderHistory.build(table, columns=columns).profile(date(2025, 3, 9)) == found
    assert counts_of(found) == Counter(ids)


COLLIDING_KINDS = [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(16)]


@pytest.mark.parametrize("kind", [*COLLIDING_KINDS, pa.dictionary(pa.int32(), pa.binary())])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.usefixtures("parts")
def test_customers_with_equal_hashes_are_kept_apart(kind, stream):
    ids = [*ids_with_one_hash(40), *(number.to_bytes(16, "big") for number in range(40))]
    rows = [one for place, one in enumerate(ids) for _ in range(1 + place % 3)]
    shuffled = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    column = pa.array(shuffled, plain)
    table = order_table(column.dictionary_encode() if plain != kind else column)
    source = table
    if stream:
        source = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(11))
    profile = oc.OrderHistory.build(source, columns=oc.Columns(registered=None)).profile(DAY)
    assert counts_of(profile) == Counter(rows)
    # In the order of the hash, ties by id: the colliding ones come as a sorted block.
    order = profile["customer_id"].to_pylist()
    begin = min(order.index(one) for one in ids[:40])
    assert order[begin : begin + 40] == sorted(ids[:40])


@pytest.mark.usefixtures("parts")
def test_listed_customers_and_order_ids_with_equal_hashes_are_kept_apart():
    ids = ids_with_one_hash(12)
    table = order_table(
        pa.array(ids[:8] * 2, pa.binary()), order_id=pa.array([ids[4]] * 8 + ids[:8], pa.binary())
    )
    customers = pa.table({"customer_id": pa.array(ids[4:], pa.large_binary())})
    expected = dict.fromkeys(ids[:8], 2) | {ids[4]: 1} | dict.fromkeys(ids[8:], 0)
    found = oc.OrderHistory.build(
        table, customers, columns=oc.Columns(order="order_id", registered=None)
    )
    counts = {
        row["customer_id"]: len(row["orders"])
        for batch in found.to_batches()
        for row in batch.to_pylist()
    }
    assert counts == expected
    assert found.summary().unknown == 4
    twice = pa.table({"customer_id": pa.array([ids[0], ids[1], ids[0]], pa.binary())})
    with pytest.raises(oc.DataError, match="customer_id is there a second time at row 2"):
        orders_of(table.drop_columns("order_id"), twice)


ALIKE = [
    "",
    "\0",
    "\0\0",
    "a",
    "customer",
    "customer\0",
    "customes",
    "one word and a bit: 1",
    "one word and a bit: 2",
    "one word and a bit: 12",
    "x" * 200 + "1",
    "x" * 200 + "2",
]
TEXT_KINDS = [pa.string(), pa.large_string(), pa.string_view()]


@pytest.mark.parametrize("kind", TEXT_KINDS)
@pytest.mark.usefixtures("parts")
def test_ids_that_differ_at_their_end_or_in_length(kind):
    ids = [*ALIKE * 3, None, *ALIKE[3:5], None]
    expected = Counter(one for one in ids if one)
    assert orders_of(order_table(pa.array(ids, kind))) == expected
    sliced = order_table(pa.array(["before", *ids, "after"], kind).slice(1, len(ids)))
    assert orders_of(sliced) == expected
    chunks = [pa.array(ids[at : at + 5], kind) for at in range(0, len(ids), 5)]
    assert orders_of(order_table(pa.chunked_array([*chunks, pa.array([], kind)]))) == expected


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 36])
@pytest.mark.usefixtures("parts")
def test_ids_of_one_length_with_some_missing(size):
    ids = [None, *(str(number).rjust(size, "x")[-size:] for number in range(9)), None] * 2
    expected = Counter(one for one in ids if one is not None)
    for kind in TEXT_KINDS:
        assert orders_of(order_table(pa.array(ids, kind))) == expected


def dictionary(codes, values, kind=None, index=None):
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, index or pa.int8()), pa.array(values, kind or pa.string())
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.int64()])
@pytest.mark.usefixtures("parts")
def test_dictionaries_may_differ_and_repeat_and_lack_values(kind):
    names = {
        one: 10**10 + place if kind == pa.int64() else one * 3 for place, one in enumerate("abcd")
    }
    a, b, c, d = (names[one] for one in "abcd")
    chunks = [
        dictionary([0, 1, 2, 3, None, 3], [a, b, a, None], kind),  # a twice, and a missing value
        dictionary([1, 0, 0], [b, a, d], kind),  # d is never used
        dictionary([None, None], [], kind),
        dictionary([0, 1, 1, 1], [c, b], kind),
        dictionary([2, 2, 0], [None, None, a], kind).slice(1),
    ]
    table = order_table(pa.chunked_array(chunks))
    expected = {a: 4, b: 6, c: 1}
    assert orders_of(table) == expected
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    profile = oc.OrderHistory.build(reader, columns=oc.Columns(registered=None))
    assert profile.summary().anonymous == 6
    found = profile.profile(DAY)
    assert counts_of(found) == expected


def test_the_code_of_a_missing_id_may_be_anything():
    codes = pa.array([0, 99, 1, 200], pa.uint8())
    valid = pa.array([True, False, True, False]).buffers()[1]
    codes = pa.Array.from_buffers(pa.uint8(), 4, [valid, codes.buffers()[1]])
    ids = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"]), safe=False)
    assert orders_of(order_table(ids)) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("names", "kernel"),
    [(["ann", "bob", "cat"], "hash_equally_long"), ([7, 8, 9], "hash_integers")],
)
def test_a_dictionary_that_batches_share_is_hashed_once(names, kernel, monkeypatch):
    hashed = []
    original = getattr(hashing, kernel)

    def counted(*arguments):
        hashed.append(arguments[0].size)
        original(*arguments)

    monkeypatch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 5)
    monkeypatch.setattr(f"ordercycle_kernels.hashing.{kernel}", counted)
    whole = dictionary([0, 1, 2] * 20, names, pa.array(names).type)
    chunks = [whole.slice(at, 10) for at in range(0, 60, 10)]
    table = order_table(pa.chunked_array(chunks))
    assert orders_of(table, threads=2) == dict.fromkeys(names, 20)
    assert hashed == [3]


def test_every_kind_of_memory_gives_the_same_customers_in_the_same_order():
    random = np.random.default_rng(7)
    names = [f"{number:x}-{number % 7}" for number in random.integers(0, 3_000, 20_000).tolist()]
    plain = pa.array(names)
    kinds = [
        plain,
        plain.cast(pa.large_string()),
        plain.cast(pa.string_view()),
        plain.dictionary_encode(),
        pa.chunked_array([part.dictionary_encode() for part in (plain[:9_000], plain[9_000:])]),
    ]
    found = []
    for column in kinds:
        profile = oc.OrderHistory.build(
            order_table(column), columns=oc.Columns(registered=None)
        ).profile(DAY)
        found.append(list(counts_of(profile).items()))
    assert all(one == found[0] for one in found)
    assert dict(found[0]) == Counter(names)


def test_an_id_of_two_gigabytes_is_refused():
    offsets = pa.py_buffer(np.array([0, 3, 3 + 2**31], np.int64))
    never_touched = pa.py_buffer(np.zeros(3 + 2**31, np.uint8))
    ids = pa.Array.from_buffers(pa.large_binary(), 2, [None, offsets, never_touched])
    with pytest.raises(oc.DataError, match="orders: customer_id holds an id of 2 GiB or more"):
        orders_of(order_table(ids))


def test_arrays_anywhere_in_memory_are_seen_as_one_and_kept():
    arrays = [np.full(size, size, np.uint8) for size in (5, 0, 9, 3)]
    whole, begins = spanning(arrays)
    expected = [array.tolist() for array in arrays]
    sizes = [array.size for array in arrays]
    del arrays
    parts = zip(begins.tolist(), sizes, strict=True)
    assert [whole[begin : begin + size].tolist() for begin, size in parts] == expected
    nothing, begins = spanning([np.zeros(0, np.uint8)] * 2)
    assert (nothing.size, begins.tolist()) == (0, [0, 0])
