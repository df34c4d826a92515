"""Rows as the bytes of shuffle blocks, and back: texts are codes on the way."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._engines.block_bytes import BlockForm, coded_type

TEXTS = st.none() | st.sampled_from(["", "mail", "é", "sms", "x" * 40]) | st.text(max_size=3)
VALUE_TYPES = st.sampled_from([pa.string(), pa.large_string()])


def dictionary_of(texts, kind, spare=()):
    """Return texts as codes of a dictionary in any order, which has others, too."""
    words = list(dict.fromkeys([*spare, *reversed([one for one in texts if one is not None])]))
    places = {word: place for place, word in enumerate(words)}
    codes = [places.get(one) for one in texts]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, kind))


def rows_of(texts, others, kind, spare=()):
    return pa.RecordBatch.from_pydict(
        {
            "customer_id": pa.array(range(len(texts)), pa.int64()),
            "kind": dictionary_of(texts, kind, spare),
            "plain": pa.array(others, pa.string()),
            "campaign": dictionary_of(others, kind),
        }
    )


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
    pieces = list(form.pieces(batch, most_bytes))
    found = [form.opened(data) for _, data in pieces]
    assert all(data.size % 8 == 0 for _, data in pieces)  # they are laid end to end
    assert [rows for rows, _ in pieces] == [one.num_rows for one in found]
    back = pa.Table.from_batches(found, schema=batch.schema)
    back.validate(full=True)
    assert back.to_pylist() == batch.to_pylist()


@given(st.lists(TEXTS, min_size=1, max_size=40), st.lists(st.text(max_size=3), max_size=5))
def test_equal_rows_are_equal_bytes_whatever_their_dictionaries(texts, spare):
    one, other = (rows_of(texts, texts, pa.string(), more) for more in ((), spare))
    form = BlockForm(one.schema)
    pieces = [list(form.pieces(batch, 100)) for batch in (one, other)]
    assert [data.to_pybytes() for _, data in pieces[0]] == [
        data.to_pybytes() for _, data in pieces[1]
    ]


@pytest.mark.parametrize("words", [2**8 - 1, 2**8, 2**8 + 1, 2**16, 2**16 + 1])
def test_codes_of_many_words(words):
    texts = [str(number) for number in range(words)] * 2
    batch = rows_of(texts, texts, pa.large_string())
    form = BlockForm(batch.schema)
    [(rows, data)] = form.pieces(batch, None)
    assert rows == 2 * words
    assert form.opened(data).to_pylist() == batch.to_pylist()


def test_few_words_travel_once_for_many_rows():
    texts = ["a rather long name of a campaign", None] * 5_000
    batch = rows_of(texts, texts, pa.string())
    coded = BlockForm(batch.schema)
    plain = batch.set_column(1, "kind", pc.cast(batch["kind"], pa.string()))
    plain = plain.set_column(3, "campaign", pc.cast(plain["campaign"], pa.string()))
    [(_, as_codes)], [(_, as_texts)] = (
        list(form.pieces(rows, None))
        for form, rows in ((coded, batch), (BlockForm(plain.schema), plain))
    )
    both = 2 * 5_000 * 32  # bytes of the texts
    assert as_texts.size - as_codes.size > 0.9 * both


def test_bytes_that_begin_anywhere():
    batch = rows_of(["mail", None], ["a", "b"], pa.string())
    form = BlockForm(batch.schema)
    [(_, data)] = form.pieces(batch, None)
    moved = pa.py_buffer(b"#" + data.to_pybytes()).slice(1)
    assert form.opened(moved).to_pylist() == batch.to_pylist()


def test_only_texts_are_coded():
    kinds = (pa.int64(), pa.bool_(), pa.date32())
    assert tuple(map(coded_type, kinds)) == kinds
    assert coded_type(pa.large_string()).value_type == pa.large_string()
