"""Conditions over events: for whom they hold, put together from truths per value and per row."""

from difflib import SequenceMatcher

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle.errors import ConfigError as OracleConfigError
from oracle.errors import DataError as OracleDataError
from support.events import conditions, event_cases, fields_to_name
from support.streams import Batch, Kept

import ordercycle as oc
from ordercycle._expressions.language import Grammar, parsed
from ordercycle._streams import conditions as conditions_room
from ordercycle._streams.columns import Attribute, Lookup, StreamColumns, Words
from ordercycle._streams.conditions import OfCode, fitted

PATHS = Grammar(paths=True)


@settings(max_examples=50, deadline=None)
@given(event_cases(), st.data(), st.sampled_from([0, 1]))
def test_events_for_which_a_condition_holds(case, data, seed):
    try:
        stream = case.stream()
    except (OracleConfigError, OracleDataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    assume(any(not field.is_key for field in fields_to_name(stream)))
    condition = data.draw(conditions(stream))
    try:
        node = parsed(str(condition), PATHS)
    except oc.ConfigError as error:
        assume("is too large" not in error.what)  # magnitudes of 64 bits
        raise
    kept = Kept.of(stream, case.types, seed=seed)
    made = fitted(node, kept.columns, missing="empty")
    (batch,) = kept.batches(list(stream.customers), 100)
    wanted = [condition(stream.read(event)) is True for event in stream.events()]
    assert made.holds(batch).tolist() == wanted


def attribute(*values, **lookups):
    found = {name: Lookup(pa.array(one), pa.array(one)) for name, one in lookups.items()}
    return Attribute(pa.array(values), lookups=found)


EVENTS = StreamColumns(
    attributes={"brand": attribute("a", "b"), "product": attribute("x", "y", brand=["a", "c"])},
    values={"units": pa.int64(), "price": pa.decimal128(20, 2)},
)
EMPTY = np.empty(0, np.int64)
BATCH = Batch(
    np.array([0, 4]),
    np.zeros(4, np.int32),
    {"brand": np.array([1, 2, 0, 1], np.uint8), "product": np.array([1, 1, 2, 2], np.uint16)},
    {},
    {
        "units": Words(np.array([1, 2, 3, 4]), EMPTY, np.array([True, True, False, True])),
        "price": Words(np.array([100, -250, 0, 1]), np.array([0, -1, 0, 0])),
    },
    None,
)


@pytest.mark.parametrize(
    ("text", "holds", "per_value"),
    [
        ("brand == 'a' and product.brand == 'c'", [0, 0, 0, 1], 2),
        ("brand == 'a' and not (product == 'x' or brand is null)", [0, 0, 0, 1], 2),
        ("not brand == 'a'", [0, 1, 0, 0], 1),
        ("brand != 'a' or brand is null", [0, 1, 1, 0], 1),
        ("brand == product.brand", [1, 0, 0, 0], 0),
        ("brand == 'a' or units > 1", [1, 1, 0, 1], 0),
        ("not (brand == 'a' and units > 1)", [1, 1, 0, 0], 0),
        ("not units > 1", [1, 0, 0, 0], 0),
        ("price == -2.50 or price > 0.005 and units == 4", [0, 1, 0, 1], 0),
        ("price * units < 0.02", [0, 1, 0, 0], 0),
        ("true", [1, 1, 1, 1], 0),
        ("false", [0, 0, 0, 0], 0),
        ("not (true and false)", [1, 1, 1, 1], 0),
        ("false or brand in ('b')", [0, 1, 0, 0], 1),
    ],
)
def test_what_is_computed_per_value(text, holds, per_value):
    made = fitted(parsed(text, PATHS), EVENTS)
    assert made.holds(BATCH).tolist() == list(map(bool, holds))
    assert len(made.of_codes) == per_value
    assert all(isinstance(one, OfCode) for one in made.of_codes)


def nearest(text, values):
    columns = StreamColumns(attributes={"sku": Attribute(pa.array(values))})
    with pytest.raises(oc.ConfigError, match="no value of sku equals") as caught:
        fitted(parsed(f"sku == {text!r}"), columns)
    _, _, hint = str(caught.value).partition("did you mean ")
    return hint.partition("?)")[0].strip("'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tea-199998 ", "tea-199998"),
        ("TEA-199998", "tea-199998"),
        (" Earl GREY", "Earl Grey"),
        ("Earl Gray", "Earl Grey"),
        ("arl Grey", "Earl Grey"),
        ("\u00c9ARL", "\u00e9arl"),
        ("a" * 39, "a" * 40),
        ("quite another thing", ""),
    ],
)
def test_the_nearest_of_many_values_is_found(text, expected):
    values = [f"tea-{number}" for number in range(200_000)]
    assert nearest(text, [*values, "Earl Grey", "\u00e9arl", "a" * 40]) == expected


@given(
    st.lists(st.text("abcAB -é", max_size=8), min_size=1, max_size=30),
    st.text("abcAB -é", max_size=8),
    st.integers(1, 4),
)
def test_no_value_is_nearer_than_the_letters_in_common_allow(values, text, letters):
    lowered = pa.array([value.lower() for value in values])
    shares = conditions_room._shares(text.lower(), lowered, letters)
    for value, share in zip(values, shares.tolist(), strict=True):
        for pair in ((value, text), (value.lower(), text.lower())):
            assert share >= SequenceMatcher(None, *pair).ratio() or pair == ("", "")
