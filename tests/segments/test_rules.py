"""Rules: text and expressions against plain Python, whatever is wrong with them, and their lint."""

import copy
import operator
import pickle
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import rules as oracle
from support.strategies import layouts

import ordercycle as oc
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.expression_text import language_text
from ordercycle._expressions.language import LONGEST_TEXT
from ordercycle._segments import assigning

EPOCH = date(1970, 1, 1).toordinal()
DAYS = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 28)]
#: Columns of every kind that a profile has: type, values, and how text writes them.
COLUMNS = {
    "orders": (pa.int64(), [-1, 0, 1, 2, 7], repr),
    "days_since_last_order": (pa.int32(), [-1, 0, 1, 2, 7], repr),
    "gap_median": (pa.float64(), [-0.5, 0.0, 1.5, 2.0], repr),
    "revenue": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal(2), Decimal(0)], str),
    "rfm": (pa.dictionary(pa.int8(), pa.string()), ["Champions", "At Risk", "it's"], repr),
    "odd name": (pa.string(), ["Champions", 'a "b"', ""], repr),
    "last_order_on": (pa.date32(), DAYS, "date('{}')".format),
    "subscribed": (pa.bool_(), [True, False], lambda value: str(value).lower()),
}
NUMBERS = ("orders", "days_since_last_order", "gap_median")
COMPARISONS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
               ">": operator.gt, ">=": operator.ge}  # fmt: skip


def written(column):
    return f"column({column!r})" if " " in column else column


def known(function, *values):
    return None if None in values else function(*values)


@st.composite
def comparisons(draw):
    """Draw a comparison of a column with a value, as text and as a function of a row."""
    column = draw(st.sampled_from(list(COLUMNS)))
    _, values, write = COLUMNS[column]
    value = draw(st.sampled_from(values))
    signs = ["==", "!="] if column == "subscribed" else list(COMPARISONS)
    sign = draw(st.sampled_from(signs))
    return (
        f"{written(column)} {sign} {write(value)}",
        lambda row: known(COMPARISONS[sign], row[column], value),
    )


@st.composite
def memberships(draw):
    """Draw whether a column is in a list or null."""
    column = draw(st.sampled_from([name for name in COLUMNS if name != "revenue"]))
    _, values, write = COLUMNS[column]
    if draw(st.booleans()):
        word = draw(st.sampled_from(["is null", "is not null"]))
        return f"{written(column)} {word}", lambda row: (row[column] is None) == (word == "is null")
    chosen = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    word = draw(st.sampled_from(["in", "not in"]))
    listed = ", ".join(map(write, chosen))
    return (
        f"{written(column)} {word} [{listed}]",
        lambda row: (row[column] in chosen) == (word == "in"),
    )


@st.composite
def computations(draw):
    """Draw a comparison of sums, differences, products and quotients."""
    one, other = (draw(st.sampled_from(NUMBERS)) for _ in range(2))
    sign = draw(st.sampled_from(["+", "-", "*"]))
    compute = {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign]
    if draw(st.booleans()):
        return (
            f"1 < ({one} {sign} {other}) <= 3",
            lambda row: known(lambda a, b: 1 < compute(a, b) <= 3, row[one], row[other]),
        )
    return (
        f"{one} / 2 > -{other}",
        lambda row: known(lambda a, b: a / 2 > -b, row[one], row[other]),
    )


def joined(conditions):
    """Join drawn conditions by and, or and not."""
    pairs = st.tuples(conditions, conditions)
    return (
        pairs.map(lambda two: (f"({two[0][0]} and {two[1][0]})",
                               lambda row: oracle.both(two[0][1](row), two[1][1](row))))
        | pairs.map(lambda two: (f"({two[0][0]} or {two[1][0]})",
                                 lambda row: oracle.either(two[0][1](row), two[1][1](row))))
        | conditions.map(lambda one: (f"not ({one[0]})", lambda row: oracle.negated(one[1](row))))
    )  # fmt: skip


conditions = st.recursive(comparisons() | memberships() | computations(), joined, max_leaves=5)
rows = st.lists(
    st.tuples(*(st.none() | st.sampled_from(values) for _, values, _ in COLUMNS.values())),
    max_size=12,
)


def columns_of(drawn):
    return {
        name: ([raw(row[place]) for row in drawn], kind)
        for place, (name, (kind, _, _)) in enumerate(COLUMNS.items())
    }


def raw(value):
    """Return a value as layouts take it: days as their numbers."""
    return value.toordinal() - EPOCH if isinstance(value, date) else value


@given(st.lists(conditions, min_size=1, max_size=3), rows, layouts(), st.sampled_from([1, 2]))
@settings(max_examples=100)
def test_the_first_condition_that_holds_decides(drawn, values, layout, threads):
    table = layout.table(columns_of(values))
    names = [f"rule {number}" for number in range(len(drawn))]
    rules = oc.Rules({name: text for name, (text, _) in zip(names, drawn, strict=True)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assigning, "ROWS_PER_TASK", 5)
        found = rules.assign(table, threads=threads)
    found.validate(full=True)
    expected = {name: condition for name, (_, condition) in zip(names, drawn, strict=True)}
    dicts = [dict(zip(COLUMNS, row, strict=True)) for row in values]
    segments = [oracle.segment(row, expected, "Other") for row in dicts]
    assert found["tier"].to_pylist() == segments
    assert found.drop_columns("tier").equals(table)
    check_lint(rules, table, [[condition(row) for _, condition in drawn] for row in dicts])


def check_lint(rules, table, truths):
    lint = rules.lint(table)
    assert lint.customers == len(truths)
    assert lint.left == sum(True not in row for row in truths)
    for number, rule in enumerate(lint.rules):
        matched = [row for row in truths if row[number] is True]
        first = [row for row in matched if True not in row[:number]]
        assert (rule.matches, rule.gets) == (len(matched), len(first))
        assert sum(rule.taken.values()) == len(matched) - len(first)
        assert rule.unknown == sum(row[number] is None for row in truths)
        assert (rule.problem is None) == bool(first)


@given(conditions)
@settings(max_examples=100)
def test_text_of_expressions_says_the_same(drawn):
    """What has a text has it exactly; the language itself always has one, but for odd names."""
    expression = parsed_condition(drawn[0])
    text = language_text(expression)
    if text is not None:
        assert parsed_condition(text).equals(expression)
    mixed = "." in drawn[0]  # whole numbers and floats together: Arrow shows both alike
    assert text is not None or "column(" in drawn[0] or mixed


FIELD = pc.field
EXPRESSIONS = {
    "rfm == 'Champions' and revenue > 5": (FIELD("rfm") == "Champions") & (FIELD("revenue") > 5),
    "revenue > 500.0": FIELD("revenue") > 500.0,
    "not rfm in ['a', 'b: [c]']": ~FIELD("rfm").isin(["a", "b: [c]"]),
    "last_order_on >= date('2026-01-01')": FIELD("last_order_on") >= date(2026, 1, 1),
    "rfm is null or rfm is not null": FIELD("rfm").is_null() | FIELD("rfm").is_valid(),
    "orders * 2 - 1 > -3": FIELD("orders") * 2 - 1 > -3,
    "subscribed == true": FIELD("subscribed") == True,  # noqa: E712 - an expression
    "rfm == '2026-01-01'": FIELD("rfm") == "2026-01-01",
}


@pytest.mark.parametrize(("text", "expression"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_expressions_are_saved_as_text(text, expression):
    rules = oc.Rules({"one": expression})
    assert rules.to_dict()["rules"] == {"one": text}
    assert oc.scheme_from_dict(rules.to_dict()) == rules


@pytest.mark.parametrize(
    "expression",
    [
        pc.starts_with(FIELD("rfm"), "C"),
        FIELD("odd name") == "x",
        FIELD("revenue") > Decimal("1.50"),
        (FIELD("orders") > 1) & (FIELD("gap_median") > 2.0),
        FIELD("gap_median").is_null(nan_is_null=True),
    ],
    ids=str,
)
def test_expressions_without_text_work_but_are_not_saved(expression):
    rules = oc.Rules({"one": expression})
    table = pa.table(
        {name: pa.array(values[:2], kind) for name, (kind, values, _) in COLUMNS.items()}
    )
    assert rules.assign(table)["tier"].null_count == 0
    with pytest.raises(oc.ConfigError, match="give the condition as text"):
        rules.to_dict()
    assert str(expression) in repr(rules)


def test_rules_are_values():
    rules = oc.Rules({"VIP": FIELD("revenue") > 500, "B": "orders > 1"}, default="Z", column="c")
    same = oc.Rules({"VIP": "revenue>500", "B": FIELD("orders") > 1}, default="Z", column="c")
    assert rules == same == pickle.loads(pickle.dumps(rules)) == copy.copy(rules)  # noqa: S301
    assert hash(rules) == hash(same)
    assert rules != oc.Rules({"VIP": "revenue > 500", "B": "orders > 2"}, default="Z", column="c")
    assert rules != oc.Rules({"B": "orders > 1", "VIP": "revenue > 500"}, default="Z", column="c")
    assert oc.scheme_from_dict(rules.to_dict()) == rules
    assert isinstance(rules, oc.Scheme)
    assert rules.segments == ("VIP", "B", "Z")
    assert rules.name == "c"
    with pytest.raises(AttributeError):
        rules.default = "Y"
    with pytest.raises(TypeError):
        rules.rules["VIP"] = "orders > 9"
    assert "<th style='text-align:left'>VIP</th>" in rules._repr_html_()


def test_codes_follow_the_priority_and_the_column_is_named():
    table = pa.table({"orders": [5, 0, None]})
    rules = oc.Rules({"Many": "orders > 3", "Some": "orders > 1"}, default="Few")
    found = rules.assign(table, column="size")
    assert found.schema.field("size") == pa.field(
        "size", pa.dictionary(pa.int8(), pa.string()), nullable=False
    )
    assert found["size"].chunk(0).dictionary.to_pylist() == ["Many", "Some", "Few"]
    assert found["size"].to_pylist() == ["Many", "Few", "Few"]
    assert rules.assign(table.slice(0, 0))["tier"].to_pylist() == []
    batch = table.to_batches()[0]
    assert rules.assign(batch)["tier"].to_pylist() == ["Many", "Few", "Few"]
    for unnamed in ("", 5):
        with pytest.raises(oc.ConfigError, match="pass a name"):
            rules.assign(table, column=unnamed)


@pytest.mark.parametrize(
    ("given_rules", "said"),
    [
        ({}, "pass a dict of conditions"),
        ([("a", "b > 1")], "pass a dict of conditions"),
        ({"": "orders > 1"}, "is no name of a segment"),
        ({"Other": "orders > 1"}, "give it another name"),
        ({"a": 3}, "pass a pyarrow expression"),
        ({"a": True}, "pass a pyarrow expression"),
        ({str(number): "orders > 1" for number in range(127)}, "too many"),
        ({"a": ""}, "rule 'a': the condition is empty"),
        ({"a": "orders = 1"}, "orders = 1"),
        ({"a": "orders > 1 AND revenue > 2"}, "write and in small letters"),
        ({"a": "orders > "}, "cannot be read"),
        ({"a": "orders == null"}, "write 'is null'"),
        ({"a": "orders is 3"}, "has no meaning here"),
        ({"a": "orders in revenue"}, "has no meaning here"),
        ({"a": "orders ** 2 > 1"}, "has no meaning here"),
        ({"a": "orders in (1, 'x')"}, "lists values of different kinds"),
        ({"a": "__import__('os').system('true')"}, "has no meaning here"),
        ({"a": "(lambda: 1)()"}, "has no meaning here"),
        ({"a": "orders.real > 1"}, "has no meaning here"),
        ({"a": "[o for o in orders]"}, "has no meaning here"),
        ({"a": "f'{orders}' == 'x'"}, "has no meaning here"),
        ({"a": "orders > 1j"}, "has no meaning here"),
        ({"a": "rfm == b'x'"}, "has no meaning here"),
        ({"a": "column(orders) > 1"}, "has no meaning here"),
        ({"a": "last_order_on > date('soon')"}, "is not a day"),
        ({"a": "last_order_on > 2026-01-01"}, "cannot be read"),
        ({"a": "orders > 99999999999999999999"}, "too large"),
        ({"a": "revenue > 1e999"}, "too large"),
        ({"a": "orders\0 > 1"}, "cannot be read"),
        ({"a": "1" + " + 1" * 2000 + " > orders"}, "nested too deeply"),
        ({"a": "(" * 150 + "orders > 1" + ")" * 150 + " " * LONGEST_TEXT}, "too long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rules_that_cannot_be_are_reported(given_rules, said):
    with pytest.raises(oc.ConfigError) as raised:
        oc.Rules(given_rules)
    assert said in str(raised.value)


TABLE = pa.table({"orders": [1, 0], "revenue": [2.0, 3.0], "rfm": ["a", None]})


@pytest.mark.parametrize(
    ("condition", "error", "said"),
    [
        ("order > 1", oc.ColumnError, "rule 'one': the table has no column 'order' (did you mean"),
        ("rfm > 1", oc.ColumnError, "rule 'one' does not fit the types"),
        ("orders + 1", oc.ConfigError, "rule 'one' is int64, not true or false"),
        ("rfm", oc.ConfigError, "rule 'one' is string, not true or false"),
        (FIELD("orders") / FIELD("orders") > 1, oc.DataError, "rule 'one' cannot be computed"),
        (FIELD("orders") * 2**62 * 4 > 1, oc.DataError, "overflow"),
    ],
    ids=str,
)
def test_conditions_that_do_not_fit_the_table_are_reported(condition, error, said):
    rules = oc.Rules({"first": "orders > 5", "one": condition})
    for use in (rules.assign, rules.lint):
        with pytest.raises(error) as raised:
            use(TABLE)
        assert said in str(raised.value)


def test_a_column_that_is_there_twice_is_reported():
    twice = TABLE.append_column("orders", [[1, 2]])
    with pytest.raises(oc.ColumnError, match="more than one column 'orders'"):
        oc.Rules({"one": "orders > 1"}).assign(twice)
    with pytest.raises(oc.ColumnError, match="'rfm' already"):
        oc.Rules({"one": "orders > 1"}).assign(TABLE, column="rfm")


@pytest.mark.parametrize("condition", ["view == 'a' and coded == 'b'", "coded in ('b')"])
def test_views_and_dictionaries_of_views_are_read(condition):
    """Polars has them; Arrow compares neither."""
    views = pa.array(["a", "b", None, "a"], pa.string_view())
    codes = pa.array([1, 1, 0, None], pa.int8())
    table = pa.table(
        {
            "view": views,
            "coded": pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"], pa.string_view())),
            "another": views,
        }
    )
    expected = ["x", "Other", "Other", "Other"]
    if "view" not in condition:
        expected[1] = "x"
    assert oc.Rules({"x": condition}).assign(table)["tier"].to_pylist() == expected


def test_lists_may_be_empty_and_bare():
    table = pa.table({"rfm": ["a", "b", None], "orders": [1, 2, 3]})
    rules = oc.Rules({"none": "orders in ()", "a": "rfm in ('a')", "not b": "rfm not in ['b']"})
    assert rules.assign(table)["tier"].to_pylist() == ["a", "Other", "not b"]


def test_a_quotient_in_text_is_a_float_and_no_error():
    rules = oc.Rules({"more than one and a half": "revenue / orders > 1.5"})
    table = pa.table({"orders": [2, 0, 2], "revenue": [5, 1, 3]})
    assert rules.assign(table)["tier"].to_pylist() == [*2 * ["more than one and a half"], "Other"]


def test_lint_is_read_by_people():
    rules = oc.Rules({"Buyer": "orders >= 1", "Loyal": "orders >= 3", "Gap": "gap_median > 3"})
    table = pa.table({"orders": [1, 4, 0], "gap_median": pa.array([None] * 3, pa.float64())})
    lint = rules.lint(table)
    assert lint.problems == (
        "'Loyal' is shadowed: the only customer it matches is taken by earlier rules: 'Buyer' (1)",
        "'Gap' matches nobody; its condition is null for 3",
    )
    assert str(lint).splitlines()[0].split() == ["rule", "matches", "gets", "taken", "before"]
    assert not lint.is_clean
    clean = oc.Rules({"Buyer": "orders >= 1"}).lint(table)
    assert clean.is_clean
    assert "every rule gets customers" in str(clean)


def test_rules_over_a_profile_and_its_lifecycle():
    orders = pa.table({
        "customer_id": ["ann", "ann", "ann", "bob"],
        "ordered_at": [date(2026, month, 1) for month in (1, 2, 3, 3)],
        "amount": [Decimal("300.00")] * 3 + [Decimal("5.00")],
    })  # fmt: skip
    profile = oc.Lifecycle().assign(oc.OrderHistory.build(orders).profile("2026-05-15"))
    rules = oc.Rules({"VIP": (FIELD("lifecycle") == "Loyal") & (FIELD("revenue") > 500)})
    found = rules.assign(profile, column="tier")
    tiers = dict(zip(found["customer_id"].to_pylist(), found["tier"].to_pylist(), strict=True))
    assert tiers == {"ann": "VIP", "bob": "Other"}
    after = oc.Rules({"VIP": "revenue > 1000"}).assign(profile)
    assert oc.transitions(found, after, column="tier").to_pylist() == [
        {"customer_id": "ann", "from_segment": "VIP", "to_segment": "Other"}
    ]
