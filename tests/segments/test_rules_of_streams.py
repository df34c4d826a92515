"""Rules over streams: functions in their text and features with names, and what is refused."""

import copy
import pickle
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from oracle.membership import Interval
from support.memberships import intervals_of

import ordercycle as oc
from ordercycle._features.streams import Stream

DAY = "2026-01-10"


def test_features_of_rules_before_are_columns_for_those_after():
    visits = oc.EventHistory.build(
        pa.table({"customer_id": ["ann"] * 3, "occurred_at": [date(2025, 2, 20)] * 3})
    )
    orders = pa.table(
        {"customer_id": ["ann", "bob"], "ordered_at": [date(2025, 1, 20)] * 2, "amount": [1, 2]}
    )
    history = oc.OrderHistory.build(orders)
    before = oc.Rules({"Came": "visits > 0"}, features={"visits": "count(s)"}, column="came")
    rules = oc.Rules({"Often": "visits >= 3 and came == 'Came'"})
    membership = rules.membership(
        history, end="2025-03-01", schemes=[before], streams={"s": visits}
    )
    january, february = date(2025, 1, 31), date(2025, 2, 28)
    assert intervals_of(membership) == {
        "ann": [Interval("Other", january, february), Interval("Often", february, None)],
        "bob": [Interval("Other", january, None)],
    }
    with pytest.raises(oc.ConfigError, match="feature 'visits': there is no stream 's'"):
        rules.membership(history, end="2025-03-01", schemes=[before])
    with pytest.raises(oc.ConfigError, match="streams= means nothing for Rules"):
        oc.Rules({"one": "orders > 1"}).membership(history, streams={"s": visits})
    with pytest.raises(oc.ConfigError, match="streams= means nothing for Lifecycle"):
        oc.Lifecycle().membership(history, streams={"s": visits})


def test_what_no_value_equals_yet_may_be_taken_as_it_is():
    shop = oc.OrderHistory.build(
        pa.table({"customer_id": ["ann"], "ordered_at": [date(2026, 1, 2)], "amount": [1]})
    )
    soon = oc.Rules({"Soon": "has(lines, category == 'soon')"}, column="soon")
    rules = oc.Rules({"Soon": "soon == 'Soon'", "Here": "orders > 0"})
    streams = {"lines": bought()}
    for scheme, before in ((soon, []), (rules, [soon])):
        with pytest.raises(oc.ConfigError, match="missing='empty' takes it as it is"):
            scheme.membership(shop, schemes=before, streams=streams)
        with pytest.raises(oc.ConfigError, match="missing='empty' takes it as it is"):
            scheme.explain(shop, "ann", DAY, schemes=before, streams=streams)
        options = {"schemes": before, "streams": streams, "missing": "empty"}
        segment = "Here" if before else "Other"
        (row,) = scheme.membership(shop, end="2026-02-01", **options).to_table().to_pylist()
        assert (row["segment"], row["valid_from"]) == (segment, date(2026, 1, 31))
        assert scheme.explain(shop, "ann", DAY, **options).segment == segment
        with pytest.raises(oc.ConfigError, match="missing='emtpy' is not an option"):
            scheme.membership(shop, **options | {"missing": "emtpy"})
        with pytest.raises(oc.ConfigError, match="missing='emtpy' is not an option"):
            scheme.explain(shop, "ann", DAY, **options | {"missing": "emtpy"})


TYPOS = {
    "top": ("top(lines.category) == 'Ink'", {}, "top(lines.category) equals 'Ink'"),
    "first, among others": ("first(lines.category) in ('ink', 'Tea')", {}, "'Tea'"),
    "last, the other way round": ("revenue > 1 and not 'Tea' == last(lines.category)", {}, "'tea'"),
    "a name": ("b == 'Ink'", {"b": "top(lines.category)"}, "no value of b equals 'Ink'"),
    "an expression": (pc.field("b") == "Ink", {"b": "top(lines.category)"}, "(did you mean 'ink'?"),
    "a lookup": ("last(lines.category.kind) == 'Food'", {}, "(did you mean 'food'?)"),
}


@pytest.mark.parametrize("what", TYPOS)
def test_texts_that_no_feature_can_be_are_typos(what):
    condition, features, message = TYPOS[what]
    kinds = pa.table({"category": ["tea", "ink"], "kind": ["food", "office"]})
    events = pa.table(
        {"customer_id": ["ann", "bob"], "occurred_at": [date(2026, 1, 2)] * 2,
         "category": ["tea", "ink"]}
    )  # fmt: skip
    columns = oc.EventColumns(attributes=["category"])
    lines = oc.EventHistory.build(events, columns=columns, lookups={"category": kinds})
    rules = oc.Rules({"X": condition}, features=features)
    options = {"streams": {"lines": lines}, "as_of": DAY}
    shop = oc.OrderHistory.build(
        pa.table({"customer_id": ["ann"], "ordered_at": [date(2026, 1, 2)], "amount": [1]})
    )
    for refused in (
        lambda: rules.assign(CUSTOMERS, **options),
        lambda: rules.lint(CUSTOMERS, **options),
        lambda: rules.membership(shop, streams={"lines": lines}),
        lambda: rules.explain(shop, "ann", DAY, streams={"lines": lines}),
    ):
        with pytest.raises(oc.ConfigError) as raised:
            refused()
        assert str(raised.value).startswith("rule 'X': no value of ")
        assert message in str(raised.value)
        assert "missing='empty' takes it as it is" in str(raised.value)
    assert rules.assign(CUSTOMERS, missing="empty", **options).num_rows == CUSTOMERS.num_rows


def test_texts_that_features_can_be_are_none():
    for condition in ("top(lines.category) == 'ink'", "lower(top(lines.category)) == 'Ink'"):
        assert assigned(oc.Rules({"X": condition})).num_rows == CUSTOMERS.num_rows


def test_missing_means_nothing_without_streams():
    shop = oc.OrderHistory.build(
        pa.table({"customer_id": ["ann"] * 2, "ordered_at": [date(2026, 1, 2), date(2026, 1, 9)],
                  "amount": [1, 2]})
    )  # fmt: skip
    cadence = oc.Cadence().fit(shop.profile(DAY))
    for scheme in (oc.Rules({"a": "revenue > 1"}), oc.Lifecycle(), cadence, oc.Rfm()):
        with pytest.raises(oc.ConfigError, match="missing= means nothing for"):
            scheme.membership(shop, missing="empty")
        with pytest.raises(oc.ConfigError, match="missing= means nothing for"):
            scheme.explain(shop, "ann", DAY, missing="empty")
    with pytest.raises(oc.ConfigError, match="missing= means nothing for Rules"):
        oc.Rules({"a": "revenue > 1"}).assign(shop.profile(DAY), missing="empty")


@pytest.mark.parametrize("every", ["week", "month"])
def test_orders_as_a_stream_say_what_profiles_say(every):
    shop = oc.datasets.generated(customers=300)
    history = oc.OrderHistory.build(shop.orders, shop.customers, columns=shop.columns)
    of_stream = oc.Rules({
        "Big": "sum(o.amount) > 200 and count(o) >= 3",
        "Late": "days_since(o) > 90",
        "New": "days_since_first(o) < 20",
        "None": "not has(o)",
    })  # fmt: skip
    of_profile = oc.Rules({
        "Big": "revenue > 200 and orders >= 3",
        "Late": "days_since_last_order > 90",
        "New": "days_since_registration - days_to_first_order < 20",
        "None": "orders == 0",
    })  # fmt: skip
    options = {"start": "2023-01-15", "end": "2024-08-03", "every": every}
    found = of_stream.membership(history, **options, streams={"o": history}).to_table()
    expected = of_profile.membership(history, **options).to_table()
    assert found.equals(expected)
    assert set(found["segment"].to_pylist()) == set(of_stream.segments)


def bought(**more):
    """Return lines of three customers."""
    columns = {
        "customer_id": ["ann", "ann", "bob", "cid"],
        "occurred_at": [date(2026, 1, day) for day in (2, 9, 5, 1)],
        "category": ["printer", "ink", "printer", "tea"],
        "amount": [90, 20, 80, 5],
    }
    kept = oc.EventColumns(attributes=["category"], values=["amount"])
    return oc.EventHistory.build(pa.table(columns | more), columns=kept)


CUSTOMERS = pa.table({"customer_id": ["bob", "dan", "ann", "cid"], "revenue": [80, 0, 110, 5]})
NEEDS_INK = "has(lines, category == 'printer') and not has(lines, category == 'ink', last=365)"


def assigned(rules, table=CUSTOMERS, **options):
    return rules.assign(table, streams={"lines": bought()}, as_of=DAY, **options)


def test_functions_in_text_leave_no_columns():
    rules = oc.Rules({"Needs ink": NEEDS_INK, "Rich": "revenue > 100"})
    found = assigned(rules)
    assert found.column_names == ["customer_id", "revenue", "tier"]
    assert found.column("tier").to_pylist() == ["Needs ink", "Other", "Rich", "Other"]
    assert rules.reads_streams == ("lines",)


def test_a_column_that_is_called_like_a_function_is_another():
    text = "has(lines, category == 'ink')"
    table = CUSTOMERS.append_column(text, pa.array([True, False, False, False]))
    table = table.append_column("\x1f" + text, pa.array([False, True, False, False]))
    quoted = text.replace("'", "''")
    rules = oc.Rules({"ink": text, "column": f"column('{quoted}')"})
    assert assigned(rules, table).column("tier").to_pylist() == ["column", "Other", "ink", "Other"]
    with pytest.raises(oc.ColumnError, match="rule 'column': the table has no column"):
        assigned(rules)


def test_the_lint_says_what_features_find():
    rules = oc.Rules(
        {"Ink": "ink > 0", "Tea": "has(lines, category == 'tea', last=5)", "Else": "orders > 1"},
        features={"ink": "days_since(lines, category == 'ink')", "units": "sum(lines.amount)"},
    )
    table = CUSTOMERS.append_column("orders", pa.array([1, 0, 2, 1]))
    lint = rules.lint(table, streams={"lines": bought()}, as_of=DAY)
    assert str(lint).splitlines() == [
        "rule   matches  gets  taken before",
        "Ink          1     1             0",
        "Tea          0     0             0",
        "Else         1     0             1",
        "Other              3",
        "feature                                events  nulls",
        "ink                                         1      3",
        "units                                       4      0",
        "has(lines, category == 'tea', last=5)       0      0",
        "'Tea' matches nobody",
        "'Else' is shadowed: the only customer it matches is taken by earlier rules: 'Ink' (1)",
        "\"has(lines, category == 'tea', last=5)\" matches no event",
    ]
    assert not lint.is_clean
    fine = oc.Rules({"Any": "has(lines)"}).lint(CUSTOMERS, streams={"lines": bought()}, as_of=DAY)
    assert fine.is_clean
    assert str(fine).endswith("every rule gets customers, and every feature finds something")
    features = {"ink": "top(lines.category, category is null)", "n": "count(lines)"}
    events = bought(category=["a", None, None, "b"])
    lint = oc.lint_features(CUSTOMERS, features, streams={"lines": events}, as_of=DAY)
    assert [(one.events, one.nulls) for one in lint.features] == [(2, 4), (4, 0)]
    assert lint.problems == ("'ink' is null for every customer, though it matches 2 events",)
    nobody = oc.lint_features(CUSTOMERS[:0], features, streams={"lines": events}, as_of=DAY)
    assert nobody.problems == ("'ink' matches no event", "'n' matches no event")


def test_rules_with_features_are_values():
    rules = oc.Rules(
        {"Ink": "ink > 0 and has(lines, category == 'printer')"},
        features={"ink": "count(lines, category == 'ink')"},
    )
    same = oc.Rules(
        {"Ink": 'ink>0 and has( lines,category=="printer" )'},
        features={"ink": "count(lines, (category == 'ink'))"},
    )
    assert rules == same == pickle.loads(pickle.dumps(rules)) == copy.copy(rules)  # noqa: S301
    assert hash(rules) == hash(same)
    given_dict = rules.to_dict()
    assert given_dict["features"] == {"ink": "count(lines, category == 'ink')"}
    assert oc.scheme_from_dict(given_dict) == rules
    for other in (
        {"features": {"ink": "count(lines, category == 'tea')"}},
        {"rules": {"Ink": "ink > 0 and has(lines, category == 'tea')"}},
    ):
        assert oc.scheme_from_dict({**given_dict, **other}) != rules
    assert repr(rules) == (
        "Rules(Ink: ink > 0 and has(lines, category == 'printer'); else Other; "
        "ink = count(lines, category == 'ink'))"
    )
    assert "ink =</th>" in rules._repr_html_()
    with pytest.raises(TypeError):
        rules.features["ink"] = "count(lines)"


def test_features_that_mean_the_same_are_one():
    rules = oc.Rules(
        {"a": "has(lines) and count(lines)>1", "b": "has( lines ) or count( lines ) == n"},
        features={"n": "count(lines)"},
    )
    assert next(iter(rules._read.unnamed.values())).written == "has(lines)"
    assert len(rules._read.unnamed) == 1
    assert assigned(rules).column("n").to_pylist() == [1, 0, 2, 1]


def test_each_stream_is_scanned_once(monkeypatch):
    scanned = []
    scan = Stream.scan

    def noted(stream, *arguments):
        scanned.append(stream)
        return scan(stream, *arguments)

    monkeypatch.setattr(Stream, "scan", noted)
    rules = oc.Rules(
        {"a": "has(lines) and n > 1 and has(other)", "b": "sum(lines.amount) > count(other)"},
        features={"n": "count(lines)", "ink": "has(lines, category == 'ink', last=9)"},
    )
    streams = {"lines": bought(), "other": bought(), "unused": bought()}
    found = rules.assign(CUSTOMERS, streams=streams, as_of=DAY)
    assert found.column("tier").to_pylist() == ["b", "Other", "a", "b"]
    assert len(scanned) == 2


REFUSED = {
    "no streams": ({"streams": None}, oc.ConfigError,
                   "has(lines): there is no stream 'lines' at character 5; pass them as streams="),
    "no such stream": ({"streams": {"line": bought()}}, oc.ConfigError, "did you mean 'line'?"),
    "no day": ({"as_of": None}, oc.ConfigError, "pass as_of= with the day of the profile"),
    "a stream that is none": ({"streams": {"lines": CUSTOMERS}}, oc.ConfigError, "is a Table"),
    "a typo": ({"rules": {"one": "has(lines, category == 'inc')"}}, oc.ConfigError,
               "rule 'one': has(lines, category == 'inc'): no value of category equals 'inc'"),
    "no such column": ({"rules": {"one": "sum(lines.amout) > 1"}}, oc.ColumnError,
                       "rule 'one': sum(lines.amout): 'lines' has no column 'lines.amout'"),
    "what is no truth": ({"rules": {"one": "count(lines)"}}, oc.ConfigError,
                         "rule 'one' is int64, not true or false"),
    "text and number": ({"rules": {"one": "top(lines.category) > 1"}}, oc.ColumnError,
                        "top(lines.category) is large_string"),
    "a column that is there": ({"features": {"row": "count(lines)"}}, oc.ColumnError,
                               "has a column 'row' already"),
    "a column like a feature": ({"features": {"n": "count(lines)"}, "column": "n"}, oc.ConfigError,
                                "column='n' is the name of a feature too"),
    "an unknown column": ({"rules": {"one": "has(lines) and revenu > 1"}}, oc.ColumnError,
                          "it has 'customer_id', 'row', and columns of other schemes"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what):
    given_options, error, message = REFUSED[what]
    options = {
        "streams": {"lines": bought()}, "as_of": DAY, "rules": {"one": "has(lines)"}, "features": {}
    } | given_options  # fmt: skip
    rules = oc.Rules(options.pop("rules"), features=options.pop("features"))
    table = pa.table({"customer_id": ["ann"], "row": [0]})
    with pytest.raises(error) as raised:
        rules.assign(table, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": {"revenue": "count(s)"}}, "'revenue' has the name of a column of profiles"),
        ({"features": {"customer_id": "count(s)"}}, "has the name of a column of profiles"),
        ({"features": {"tier": "count(s)"}}, "column='tier' is the name of a feature too"),
        ({"features": {"n": "cont(s)"}}, "feature 'n': "),
        ({"features": ["count(s)"]}, "names no features"),
        ({"rules": {"a": "s.category == 'x'"}}, "rule 'a': 's.category' at character 1 has no"),
        ({"rules": {"a": "cont(s) > 1"}}, "did you mean 'count'?"),
        ({"rules": {"a": "count() > 1"}}, "names no stream"),
        ({"rules": {"a": "has(s, has(t))"}}, "has no meaning in a feature's condition"),
    ],
    ids=str,
)
def test_rules_that_cannot_be_are_reported(options, message):
    with pytest.raises(oc.ConfigError) as raised:
        oc.Rules(**({"rules": {"a": "revenue > 1"}} | options))
    assert message in str(raised.value)


def test_streams_mean_nothing_without_features():
    rules = oc.Rules({"a": "revenue > 1"})
    for option in ({"streams": {"lines": bought()}}, {"as_of": DAY}):
        with pytest.raises(oc.ConfigError, match="means nothing for Rules"):
            rules.assign(CUSTOMERS, **option)


def test_a_sum_beyond_its_type_names_the_rule():
    history = bought(amount=[2**62, 2**62, 1, 1])
    rules = oc.Rules({"one": "sum(lines.amount) > 1"})
    with pytest.raises(oc.DataError, match=r"rule 'one': sum\(lines.amount\): .* row 2") as raised:
        rules.assign(CUSTOMERS, streams={"lines": history}, as_of=DAY)
    assert (raised.value.column, raised.value.row) == ("sum(lines.amount)", 2)
