"""Every function of features against plain Python, over drawn streams and drawn floats."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle.errors import ConfigError as OracleConfigError
from oracle.errors import DataError as OracleDataError
from oracle.events import EventRow, Fieldnames, build
from oracle.features import AS_THE_COLUMN, RESULTS, Feature, computed, unknown_texts
from support.events import event_cases, feature_text, features, fields_to_name, order_event_cases
from support.strategies import TELLING_DAYS
from support.streams import EPOCH, Batch, Kept

import ordercycle as oc
from ordercycle._features.language import parsed_feature
from ordercycle._features.scan import scan_of
from ordercycle._streams.columns import Keys, StreamColumns
from ordercycle_kernels.marked_values import SPREAD

many = settings(max_examples=50, deadline=None)
NOBODY = "nobody"


def stream_of(case):
    """Return a case's stream; cases that must be refused are not of interest here."""
    try:
        return case.stream()
    except (OracleConfigError, OracleDataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it


def found(kept, texts, as_of, customers, size):
    """Return what the library computes, a list per feature, from batches of a size."""
    asked = {str(place): parsed_feature(text) for place, text in enumerate(texts)}
    scan = scan_of(asked, kept.columns, (as_of - EPOCH).days, missing="empty")
    lists = {name: [] for name in asked}
    row = 0
    for batch in kept.batches(customers, size):
        made = scan.columns(batch, np.arange(row, row + batch.offsets.size - 1))
        for name, column in made.items():
            column.validate(full=True)
            assert column.type == scan.schema.field(name).type
            assert len(column) == batch.offsets.size - 1
            lists[name] += column.to_pylist()
        row += batch.offsets.size - 1
    return list(lists.values())


def compare(kept, wanted, as_of, size):
    """Compare features with those of the oracle; of sums beyond their type both are refused."""
    customers = [*kept.stream.customers, NOBODY]
    texts = [feature_text(feature, "s") for feature in wanted]
    try:
        expected = [computed(one, kept.stream, customers, as_of) for one in wanted]
    except OracleDataError:
        with pytest.raises(oc.DataError, match="beyond") as caught:
            found(kept, texts, as_of, customers, size)
        assert 0 <= caught.value.row < len(customers)
        return
    made = found(kept, texts, as_of, customers, size)
    for text, one, other in zip(texts, made, expected, strict=True):
        assert one == other, text


def can_be_written(wanted):
    """Whether the language has the numbers, whose magnitude has 63 bits, and the windows."""
    for feature in wanted:
        try:
            parsed_feature(feature_text(feature, "s"))
        except oc.ConfigError as error:
            if "is too large" in error.what or "is after" in error.what:
                return False
            raise
    return True


@st.composite
def asked(draw, stream, base):
    """Draw some features and the day that they are as of."""
    wanted = draw(st.lists(features(stream, base), min_size=1, max_size=6))
    as_of = base + timedelta(days=draw(st.sampled_from(TELLING_DAYS)))
    return wanted, as_of


widths = st.sampled_from([np.uint8, np.uint16, np.uint32])
seeds = st.sampled_from([0, 1, 2])
sizes = st.sampled_from([1, 2, 100])


@many
@given(event_cases(), st.data(), seeds, widths, sizes)
def test_features_of_events(case, data, seed, width, size):
    stream = stream_of(case)
    wanted, as_of = data.draw(asked(stream, case.base))
    assume(can_be_written(wanted))
    compare(Kept.of(stream, case.types, seed=seed, width=width), wanted, as_of, size)


@many
@given(order_event_cases(), st.data(), seeds, sizes)
def test_features_of_orders(case, data, seed, size):
    stream = stream_of(case)
    wanted, as_of = data.draw(asked(stream, case.case.as_of))
    assume(can_be_written(wanted))
    types = {**case.types, "amount": case.case.types.amount}
    compare(Kept.of(stream, types, seed=seed), wanted, as_of, size)


# Numbers of any size, of few customers: exact sums and quotients, rounded once.

ANY = {
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False).map(lambda one: one + 0.0)
    | st.integers(-99999, 99999).map(lambda cents: cents / 100),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5),
    pa.decimal128(38, 3): st.decimals(-(10**35) + 1, 10**35 - 1, places=3),
    pa.decimal128(38, 30): st.decimals(-(10**8) + 1, 10**8 - 1, places=30),
    pa.decimal128(9, 2): st.decimals(-9999999, 9999999, places=2),
}
OF_NUMBERS = ("sum", "mean", "min", "max", "share")


@many
@given(st.data(), st.sampled_from(list(ANY)))
def test_numbers_are_exact(data, kind):
    day = date(2024, 1, 1)
    value = st.none() | ANY[kind]
    rows = st.tuples(st.sampled_from("ab"), st.booleans(), value)
    drawn = data.draw(st.lists(rows, max_size=12))
    stream = build(
        [EventRow(name, day, {"of": chosen, "v": number}) for name, chosen, number in drawn],
        Fieldnames(attributes=("of",), values=("v",)),
    )
    kept = Kept.of(stream, {"of": pa.bool_(), "v": kind})
    chosen = lambda read: read("of")  # noqa: E731
    for function in OF_NUMBERS:
        for condition, text in ((None, ""), (chosen, ", of == true")):
            if function == "share" and condition is None:
                continue
            customers = ["a", "b", NOBODY]
            try:
                wanted = computed(Feature(function, "v", condition), stream, customers, day)
            except OracleDataError:
                with pytest.raises(oc.DataError, match="beyond"):
                    found(kept, [f"{function}(s.v{text})"], day, customers, 5)
                continue
            made = found(kept, [f"{function}(s.v{text})"], day, customers, 5)
            assert made == [wanted], (function, text)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_more_selections_than_a_word_has_bits(data):
    kinds = [f"k{number}" for number in range(9)]
    rows = st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.sampled_from([None, *kinds]))
    drawn = data.draw(st.lists(rows, max_size=60))
    base = date(2024, 1, 1)
    stream = build(
        [EventRow(name, base + timedelta(days=day), {"kind": kind}) for name, day, kind in drawn],
        Fieldnames(attributes=("kind",)),
    )
    wanted = [
        Feature("count", None, lambda read, kind=kind: read("kind") == kind, last=last)
        for kind in kinds
        for last in range(1, 22)
    ]
    texts = [f"count(s, kind == '{kind}', last={last})" for kind in kinds for last in range(1, 22)]
    as_of = base + timedelta(days=20)
    kept = Kept.of(stream, {"kind": pa.string()})
    assert len(scan_of(dict(enumerate(map(parsed_feature, texts))), kept.columns, 1,
                       missing="empty").plan.markers) == 3  # fmt: skip
    expected = [computed(one, stream, "abc", as_of) for one in wanted]
    assert found(kept, texts, as_of, "abc", 2) == expected
    every_kind = ", ".join(f"'{kind}'" for kind in kinds)
    some = found(kept, [*texts[:60], f"has_all(s.kind, ({every_kind}))"], as_of, "abc", 2)[-1]
    assert some == computed(Feature("has_all", "kind", values=tuple(kinds)), stream, "abc", as_of)


@many
@given(event_cases(), st.data())
def test_texts_that_no_value_equals_are_refused(case, data):
    stream = stream_of(case)
    assume(any(not field.is_key for field in fields_to_name(stream)))
    feature = data.draw(features(stream, case.base))
    assume(can_be_written([feature]))
    unknown = unknown_texts(feature, stream)
    kept = Kept.of(stream, case.types)
    asked = {"f": parsed_feature(feature_text(feature, "s"))}
    scan_of(asked, kept.columns, 0, missing="empty")
    if not unknown:
        scan_of(asked, kept.columns, 0)
        return
    with pytest.raises(oc.ConfigError, match=r"no value of .* equals .* at character"):
        scan_of(asked, kept.columns, 0)


def test_every_function_makes_what_the_oracle_says():
    from ordercycle._features.functions import FUNCTIONS

    assert set(FUNCTIONS) == set(RESULTS)
    for name, kind in RESULTS.items():
        made = FUNCTIONS[name].result_of(pa.int64())
        if kind == "dictionary":
            assert pa.types.is_dictionary(made)
        else:
            assert made == (pa.int64() if kind == AS_THE_COLUMN else pa.type_for_alias(kind))


def test_the_events_that_features_see_are_counted():
    days = [date(2024, 1, day) for day in (1, 2, 9)]
    stream = build(
        [EventRow("ann", day, {"kind": kind}) for day, kind in zip(days, "aab", strict=True)],
        Fieldnames(attributes=("kind",)),
    )
    kept = Kept.of(stream, {"kind": pa.string()})
    texts = {"all": "count(s)", "a": "days_since(s, kind == 'a')", "late": "has(s, last=2)",
             "both": "has_all(s.kind, ('a', 'b'), last=9)"}  # fmt: skip
    scan = scan_of({name: parsed_feature(text) for name, text in texts.items()},
                   kept.columns, (days[-1] - EPOCH).days)  # fmt: skip
    (batch,) = kept.batches(["ann"], 10)
    assert scan.matches(batch) == {"all": 3, "a": 2, "late": 1, "both": 3}


def test_keys_that_were_made_to_collide():
    """Multiplied by what hashes them, they have nothing but zeros in the upper half."""
    inverse = pow(int(SPREAD), -1, 2**64)
    hostile = [place // 2 * inverse % 2**64 for place in range(6000)]
    words = [5, 6, 5, *hostile, 7, 7]
    batch = Batch(
        np.array([0, 3, 6003, 6005]),
        np.zeros(6005, np.int32),
        {},
        {"order": Keys(np.array(words, np.uint64))},
        {},
        None,
    )
    scan = scan_of({"f": parsed_feature("distinct(s.order)")}, StreamColumns(keys=("order",)), 0)
    assert scan.columns(batch)["f"].to_pylist() == [2, 3000, 1]
