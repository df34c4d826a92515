"""Features as text: what is read, shared, and refused with its place and a remedy."""

import numpy as np
import pyarrow as pa
import pytest
from support.streams import Batch

import ordercycle as oc
from ordercycle._features.functions import FUNCTIONS
from ordercycle._features.language import Window, form_of, parsed_feature, parsed_rule
from ordercycle._features.scan import by_stream, scan_of
from ordercycle._streams.columns import Attribute, Keys, Lookup, StreamColumns, Words

AISLES = Lookup(pa.array([1, None, 2]), pa.array([1, 2, 7]))
CATEGORIES = Attribute(pa.array(["coffee", "ink", "printer"]), lookups={"aisle": AISLES})
LINES = StreamColumns(
    attributes={"category": CATEGORIES},
    keys=("order_id",),
    values={"units": pa.int64(), "price": pa.float64()},
)


def scan(text, **options):
    return scan_of({"f": parsed_feature(text)}, LINES, 20_000, **options)


def test_a_feature_and_its_window():
    feature = parsed_feature("share(lines.price, category.aisle == 1, since='2026-01-01')")
    assert (feature.stream, feature.column.name) == ("lines", "price")
    assert feature.condition.written == "category.aisle == 1"
    assert feature.window == Window(since=20_454)
    assert parsed_feature("top(s.category.column('sub aisle'))").column.names == (
        "category",
        "sub aisle",
    )


@pytest.mark.parametrize(
    ("window", "days"),
    [
        (Window(), (-25_567, 100)),
        (Window(last=1), (100, 100)),
        (Window(last=90), (11, 100)),
        (Window(last=10**9), (-25_567, 100)),
        (Window(since=90), (90, 100)),
        (Window(until=90), (-25_567, 90)),
        (Window(since=50, until=200), (50, 100)),
        (Window(since=101), (101, 100)),
    ],
)
def test_the_days_of_windows(window, days):
    assert window.days(100) == days


def test_functions_in_a_rule_become_columns():
    text = (
        "has(lines, category == 'printer') and not has(lines, category == 'ink', last=365)"
        ' and revenue > 5 and has( lines, category=="printer" )'
    )
    node, features = parsed_rule(text)
    names = ["has(lines, category == 'printer')", "has(lines, category == 'ink', last=365)"]
    assert list(features) == names
    assert [node.nodes[0].name, node.nodes[1].node.name, node.nodes[3].name] == [*names, names[0]]
    assert parsed_rule("revenue > 5")[1] == {}


def test_what_is_the_same_is_measured_once():
    texts = ["count(s, units > 1)", "mean(s.price)", "sum(s.price)", "count(s, ( units>1 ))"]
    made = scan_of({text: parsed_feature(text) for text in texts}, LINES, 20_000)
    assert len(made.plan.selections) == 2
    assert len(made.plan.measures) == 3  # a count of the condition and one of prices, and a sum


def example_of(name):
    """Return a feature of each function, as the form of it says."""
    column = {"value": "price", "attribute": "category"}
    takes = FUNCTIONS[name].takes
    text = form_of(name).replace("[, last=DAYS]", ", last=9").replace("[", "").replace("]", "")
    text = text.replace(".column", f".{column[takes[0]]}" if takes else "")
    text = text.replace("condition", "units > 1").replace("'x', 'y'", "'coffee', 'ink'")
    return text, LINES.type_of((column[takes[0]],)) if takes else None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_written_as_it_says(name):
    text, kind = example_of(name)
    assert scan(text).schema.field("f").type == FUNCTIONS[name].result_of(kind)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_nothing(name):
    none = np.empty(0, np.int64)
    batch = Batch(
        np.zeros(2, np.int64),
        none.astype(np.int32),
        {"category": none.astype(np.uint8)},
        {"order_id": Keys(none.astype(np.uint64))},
        {"units": Words(none, none), "price": Words(none, none)},
        None,
    )
    text, _ = example_of(name)
    assert scan(text).columns(batch)["f"].to_pylist() == [FUNCTIONS[name].nothing]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("cuont(s)", oc.ConfigError, "did you mean 'count'"),
        ("1 + count(s)", oc.ConfigError, "is no feature; write a function over a stream"),
        ("count('s')", oc.ConfigError, "names no stream; write count(stream"),
        ("count(s.units)", oc.ConfigError, "count() is about s, not about a column"),
        ("sum(s)", oc.ConfigError, "names no column of s; write sum(stream.column"),
        ("share(s.units)", oc.ConfigError, "has no condition; write share(stream.column, cond"),
        ("has_all(s.category)", oc.ConfigError, "lists no values; write has_all("),
        ("count(s, units > 1, units < 5)", oc.ConfigError, "several conditions; join them by and"),
        ("count(s, has(s))", oc.ConfigError, "'has(s)' at character 10 has no meaning"),
        ("count(s, last=0)", oc.ConfigError, "last=0 is no number of days; pass 1"),
        ("count(s, last=1.5)", oc.ConfigError, "last=1.5 is no number of days"),
        ("count(s, last=true)", oc.ConfigError, "last=True is no number of days"),
        ("count(s, last=-3)", oc.ConfigError, "last=-3 is no number of days"),
        ("count(s, lsat=9)", oc.ConfigError, "there is no lsat= (did you mean 'last'?)"),
        ("count(s, last=9, until='2026-01-01')", oc.ConfigError, "has last= and a first or last"),
        ("count(s, since=3)", oc.ConfigError, "since=3 is not a day"),
        ("count(s, since='3')", oc.ConfigError, "since='3' is not a day"),
        (
            "count(s, since='2026-02-01', until='2026-01-01')",
            oc.ConfigError,
            "since='2026-02-01' is after until='2026-01-01'; exchange them",
        ),
        (
            "count(s, categry == 'ink')",
            oc.ColumnError,
            "'categry' at character 10 (did you mean 'category'?); there are 'category', 'units'",
        ),
        ("count(s, category.isle == 1)", oc.ColumnError, "did you mean 'category.aisle'"),
        ("count(s, order_id == 1)", oc.ColumnError, "is a key, which conditions do not see"),
        ("count(s, category > 3)", oc.ColumnError, "category is string and 3 is int64"),
        ("count(s, units)", oc.ConfigError, "'units' is int64, not true or false"),
        (
            "count(s, units > 1 and category in ('ink', 'cofee'))",
            oc.ConfigError,
            "equals 'cofee' at character 44 (did you mean 'coffee'?); there are 'coffee', 'ink', ",
        ),
        ("has_all(s.category, 'cofee')", oc.ConfigError, "did you mean 'coffee'"),
        ("sum(s.unit)", oc.ColumnError, "'s' has no column 's.unit' at character 5 (did you mean"),
        ("sum(s.category)", oc.ColumnError, "is an attribute, and sum() takes values of 's'"),
        ("distinct(s.units)", oc.ColumnError, "is a value, and distinct() takes attributes or k"),
        ("top(s.order_id)", oc.ColumnError, "is a key, and top() takes attributes of 's'; it has"),
        ("count(s, integer(category) > 1)", oc.DataError, "at character 10 cannot be computed"),
    ],
)
def test_what_is_refused(text, error, message):
    with pytest.raises(error) as caught:
        scan(text)
    assert message in str(caught.value)


def test_texts_without_a_value_are_taken_where_that_is_wanted():
    with pytest.raises(oc.ConfigError, match="missing='emtpy' is not an option"):
        scan("count(s, category == 'tea')", missing="emtpy")
    scan("count(s, category == 'tea')", missing="empty")
    scan("count(s, category != 'tea' and category.aisle == 9)")
    empty = StreamColumns(attributes={"category": Attribute(pa.array([], pa.string()))},
                          has_events=False)  # fmt: skip
    scan_of({"f": parsed_feature("has(s, category == 'tea')")}, empty, 0)


def test_streams_that_are_not_there():
    features = {"f": parsed_feature("count(lines)"), "g": parsed_feature("count(line)")}
    with pytest.raises(oc.ConfigError, match=r"feature 'g': there is no stream 'line' at char"):
        by_stream(features, {"lines": LINES})
    with pytest.raises(oc.ConfigError, match="pass them as streams="):
        by_stream(features, {})
    del features["g"]
    assert list(by_stream(features, {"lines": LINES, "other": LINES})) == ["lines"]
