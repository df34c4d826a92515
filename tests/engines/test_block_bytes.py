"""Rows as the bytes of shuffle blocks, and back: texts are codes on the way."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._engines.block_bytes import BlockForm, Lexicon, coded_type

TEXTS = st.none() | st.sampled_from(["", "mail", "é", "sms", "x" * 40]) | st.text(max_size=3)
VALUE_TYPES = st.sampled_from([pa.string(), pa.large_string()])


def dictionary_of(texts, kind, spare=()):
    """Return texts as codes of a dictionary in any order, which has others, too."""
    words = list(dict.fromkeys([*spare, *reversed([one for one in texts if one is not None])]))
    places = {word: place for place, word in enumerate(words)}
    codes = [places.get(one) for one in texts]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, kind))


def rows_of(texts, others, kind, spare=(), first=0):
    return pa.RecordBatch.from_pydict(
        {
            "customer_id": pa.array(range(first, first + len(texts)), pa.int64()),
            "kind": dictionary_of(texts, kind, spare),
            "plain": pa.array(others, pa.string()),
            "campaign": dictionary_of(others, kind),
        }
    )


def pieces_of(batches, most_bytes=None):
    """Return the pieces of rows that come as several batches."""
    form = BlockForm(batches[0].schema)
    lexicon = Lexicon(form)
    numbered = [lexicon.numbered(batch) for batch in batches]
    words = lexicon.settled()
    table = pa.Table.from_batches(numbered, schema=form.numbered).combine_chunks()
    columns = [pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
               for column in table.columns]  # fmt: skip
    rows = pa.RecordBatch.from_arrays(columns, schema=form.numbered)
    rows = words.in_order(rows)
    # As rows are put in order before.
    return list(words.pieces(rows.take(pa.array(range(len(rows)), pa.int64())), most_bytes))


@given(
    st.lists(st.tuples(TEXTS, TEXTS), max_size=60),
    VALUE_TYPES,
    st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from([1, 40, 300, None]),
    st.integers(0, 5),
)
def test_rows_come_back_as_they_went(pairs, kind, spare, most_bytes, skipped):
    batch = rows_of([one for one, _ in pairs], [other for _, other in pairs], kind, spare)
    batch = batch.slice(skipped)
    form = BlockForm(batch.schema)
    pieces = pieces_of([batch], most_bytes)
    assert all(data.size % 8 == 0 for _, data in pieces)  # they are laid end to end
    found = [form.opened(data) for _, data in pieces]
    assert [rows for rows, _ in pieces] == [one.num_rows for one in found]
    back = pa.Table.from_batches(found, schema=batch.schema)
    back.validate(full=True)
    assert back.to_pylist() == batch.to_pylist()


@given(
    st.lists(TEXTS, min_size=1, max_size=40),
    st.lists(st.text(max_size=3), max_size=5),
    st.integers(0, 40),
)
def test_equal_rows_are_equal_bytes_whatever_their_dictionaries(texts, spare, cut):
    whole = rows_of(texts, texts, pa.string())
    parts = [
        rows_of(part, part, pa.string(), spare, first)
        for part, first in ((texts[:cut], 0), (texts[cut:], cut))
    ]
    one, other = pieces_of([whole], 100), pieces_of(parts, 100)
    assert [data.to_pybytes() for _, data in one] == [data.to_pybytes() for _, data in other]


@pytest.mark.parametrize("words", [2**8 - 1, 2**8, 2**8 + 1, 2**16, 2**16 + 1])
def test_codes_of_many_words(words):
    texts = [str(number) for number in range(words)] * 2
    batch = rows_of(texts, texts, pa.large_string())
    [(rows, data)] = pieces_of([batch])
    assert rows == 2 * words
    assert BlockForm(batch.schema).opened(data).to_pylist() == batch.to_pylist()


def test_few_words_travel_once_for_many_rows():
    texts = ["a rather long name of a campaign", None] * 5_000
    batch = rows_of(texts, texts, pa.string())
    plain = batch.set_column(1, "kind", pc.cast(batch["kind"], pa.string()))
    plain = plain.set_column(3, "campaign", pc.cast(plain["campaign"], pa.string()))
    [(_, as_codes)], [(_, as_texts)] = pieces_of([batch]), pieces_of([plain])
    both = 2 * 5_000 * 32  # bytes of the texts
    assert as_texts.size - as_codes.size > 0.9 * both


@pytest.mark.parametrize("length", [3, 30, 400])
@pytest.mark.parametrize("different", [3, 100, 20_000])
def test_pieces_are_no_larger_than_they_may_be(length, different):
    texts = [f"{row * 7919 % different:0{length}}" for row in range(20_000)]
    others = [None] * len(texts)
    pieces = pieces_of([rows_of(texts, others, pa.string())], 2**16)
    assert max(data.size for _, data in pieces) < 1.1 * 2**16
    assert sum(rows for rows, _ in pieces) == len(texts)
    whole = sum(data.size for _, data in pieces)
    assert len(pieces) <= 1 + 2 * whole // 2**16  # nor much smaller


def test_few_rows_of_many_words():
    spare = [str(number) for number in range(1_000)]
    batch = rows_of(["7", None, "999", "7"], ["a"] * 4, pa.string(), spare)
    [(_, data)] = pieces_of([batch])
    found = BlockForm(batch.schema).opened(data)
    assert found.to_pylist() == batch.to_pylist()
    assert found.column("kind").dictionary.to_pylist() == ["7", "999"]


def test_bytes_that_begin_anywhere():
    batch = rows_of(["mail", None], ["a", "b"], pa.string())
    [(_, data)] = pieces_of([batch])
    moved = pa.py_buffer(b"#" + data.to_pybytes()).slice(1)
    assert BlockForm(batch.schema).opened(moved).to_pylist() == batch.to_pylist()


def test_dictionaries_with_nulls_and_words_twice():
    words = pa.array(["a", None, "a", "b"])
    kind = pa.DictionaryArray.from_arrays(pa.array([2, 1, None, 0, 3], pa.int32()), words)
    batch = pa.RecordBatch.from_pydict({"customer_id": pa.array(range(5)), "kind": kind})
    [(_, data)] = pieces_of([batch])
    found = BlockForm(batch.schema).opened(data).column("kind")
    assert found.to_pylist() == ["a", None, None, "a", "b"]
    assert found.dictionary.to_pylist() == ["a", "b"]


def test_only_texts_are_coded():
    kinds = (pa.int64(), pa.bool_(), pa.date32())
    assert tuple(map(coded_type, kinds)) == kinds
    assert coded_type(pa.large_string()).value_type == pa.large_string()
