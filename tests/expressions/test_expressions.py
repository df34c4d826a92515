"""The language of expressions: texts as they stand, names as they are, numbers exactly."""

import operator
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.language import Grammar, parsed, quoted
from ordercycle._expressions.nodes import Aggregate, Column, Literal, Path, Values, columns_of
from ordercycle._expressions.typed import compiled, computed


def values_of(text, table):
    value = compiled(parsed(text), table.schema)
    column = computed(table, [value.expression]).column(0)
    assert column.type == value.type
    return column.to_pylist()


# What is computed, against fractions of plain Python.

COLUMNS = {
    "whole": (pa.int64(), st.integers(-(10**6), 10**6)),
    "narrow": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "price": (pa.decimal128(12, 2), st.decimals(-(10**7), 10**7, places=2)),
    "small": (pa.decimal32(5, 3), st.decimals(-10, 10, places=3)),
    "wide": (pa.decimal128(38, 4), st.decimals(-(10**9), 10**9, places=4)),
}
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def as_fraction(value):
    return None if value is None else Fraction(value)


def sure(function, *values):
    return None if None in values else function(*values)


@st.composite
def leaves(draw):
    name = draw(st.sampled_from([*COLUMNS, "number", "number"]))
    if name != "number":
        return name, lambda row: as_fraction(row[name])
    written = draw(st.sampled_from(["1", "2", "0.01", "1.5", "100", "0.125", "3.0e2"]))
    return written, lambda _: Fraction(written)


def computed_of(parts):
    def join(drawn):
        (left, one), sign, (right, other) = drawn
        return f"({left} {sign} {right})", lambda row: sure(SIGNS[sign], one(row), other(row))

    def defaulted(drawn):
        (left, one), (right, other) = drawn
        return (
            f"if_null({left}, {right})",
            lambda row: one(row) if one(row) is not None else other(row),
        )

    joined = st.tuples(parts, st.sampled_from(list(SIGNS)), parts).map(join)
    return joined | st.tuples(parts, parts).map(defaulted)


formulas = st.recursive(leaves(), computed_of, max_leaves=3)
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}),
    min_size=1,
    max_size=4,
)


def table_of(drawn):
    return pa.table(
        {name: pa.array([row[name] for row in drawn], kind) for name, (kind, _) in COLUMNS.items()}
    )


@given(formulas, rows)
@settings(max_examples=300, deadline=None)
def test_integers_and_decimals_are_exact(formula, drawn):
    text, expected = formula
    found = values_of(text, table_of(drawn))
    expected = [expected(row) for row in drawn]
    if any(isinstance(value, float) for value in found):
        # A written number met an integer before it met a decimal, or no decimal at all.
        assert "." in text
        found = [
            None if value is None else pytest.approx(value, rel=1e-9, abs=1e-6) for value in found
        ]
        assert [None if value is None else float(value) for value in expected] == found
    else:
        assert [as_fraction(value) for value in found] == expected


@given(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), rows,
       st.sampled_from(["0.01", "0", "1.005", "-12.5", "100000.00001"]))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_decimals_are_compared_exactly(sign, drawn, number):
    compare = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
               ">": operator.gt, ">=": operator.ge}[sign]  # fmt: skip
    for name in ("price", "small", "wide"):
        found = values_of(f"{name} {sign} {number}", table_of(drawn))
        expected = [sure(compare, as_fraction(row[name]), Fraction(number)) for row in drawn]
        assert found == expected
        listed = values_of(f"{name} in ({number}, 7)", table_of(drawn))
        chosen = (Fraction(number), Fraction(7))
        assert listed == [as_fraction(row[name]) in chosen for row in drawn]


LARGE = pa.table({"big": [2**62], "n": pa.array([2**31 - 1], pa.int32()),
                  "w": pa.array([Decimal("9" * 36 + ".99")], pa.decimal128(38, 2)),
                  "scale": pa.array([Decimal("0.1")], pa.decimal128(38, 30))})  # fmt: skip


def test_overflow_is_an_error_and_no_other_number():
    for text in ("big * 2", "big + big", "big - (0 - big) - (0 - big)", "w * 10", "w + w", "w * w"):
        with pytest.raises(pa.ArrowInvalid):
            values_of(text, LARGE)
    assert values_of("n * n", LARGE) == [(2**31 - 1) ** 2]
    assert values_of("w * 1", LARGE) == [Decimal("9" * 36 + ".99")]
    with pytest.raises(oc.ColumnError, match="more than 38 digits"):
        values_of("scale * scale", LARGE)


def test_written_numbers_are_what_they_meet():
    discount = pa.array([Decimal("0.15")], pa.decimal128(4, 2))
    price = pa.array([Decimal("19.99")], pa.decimal128(12, 2))
    table = pa.table({"d": price, "f": [19.99], "i": [3], "discount": discount})
    assert values_of("d * (1 - discount)", table) == [Decimal("16.9915")]
    assert values_of("d * (1 - 0.2)", table) == [Decimal("15.992")]
    assert values_of("d - 0.01", table) == [Decimal("19.98")]
    assert values_of("f - 0.01", table) == [19.99 - 0.01]
    assert values_of("f * d", table) == [pytest.approx(19.99 * 19.99, rel=1e-15)]
    assert values_of("i * 0.5", table) == [1.5]
    assert values_of("d / 2", table) == [pytest.approx(9.995, rel=1e-15)]
    assert values_of("-d", table) == [Decimal("-19.99")]


# Texts.

TEXTS = pa.table({"mail": [" Ann@X.org ", None], "n": [7, None], "whole": [17850.0, 0.5],
                  "digits": ["17850.0", " 7 "], "big": [2.0**60, None],
                  "hexadecimal": ["0x1F", None],
                  "d": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
                  "bytes": [b"Zo\xc3\xab", None], "fixed": pa.array([b"ab", None], pa.binary(2)),
                  "uuid": pa.array([b"0123456789abcdef", None], pa.uuid())})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lower(trim(mail))", ["ann@x.org", None]),
        ("if_null(mail, 'nobody')", [" Ann@X.org ", "nobody"]),
        ("if_null(n, 0)", [7, 0]),
        ("if_null(d, 0)", [Decimal("1.50"), Decimal("0.00")]),
        ("if_null(d, 0.125)", [Decimal("1.500"), Decimal("0.125")]),
        ("text(n)", ["7", None]),
        ("text(whole)", ["17850", "0.5"]),
        ("text(d) + '|' + trim(mail)", ["1.50|Ann@X.org", None]),
        ("integer(digits)", [17850, 7]),
        ("integer(if_null(big, 0))", [2**60, 0]),
        ("text(bytes)", ["Zoë", None]),
        ("lower(text(fixed))", ["ab", None]),
    ],
)
def test_functions(text, expected):
    assert values_of(text, TEXTS) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lower(n)", r"write lower\(text\(n\)\)"),
        ("trim(d)", r"write trim\(text\(d\)\)"),
        ("mail + n", r"write text\(n\)"),
        ("mail * 2", "no number"),
        ("if_null(n, 'x')", "give a default of the same type"),
        ("n == '7'", "do not compare"),
        ("mail == 7", "do not compare"),
        ("mail in (1, 2)", "no text"),
        ("n in ('1', '2')", "text"),
        ("not n", "neither true nor false"),
        ("n and mail", "neither true nor false"),
        ("text(uuid)", r"uuid is extension<arrow.uuid>, which is no text; leave text\(\) out"),
        ("integer(bytes)", r"leave integer\(\) out"),
        ("instant(bytes, 's')", r"bytes is binary, .*; leave instant\(\) out"),
    ],
)
def test_what_does_not_fit_the_types_is_refused(text, said):
    with pytest.raises(oc.ColumnError, match=said):
        compiled(parsed(text), TEXTS.schema)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day > '2025-01-31'", r"day is date32\[day\] and '2025-01-31' is text, .*'2025-01-31'\)"),
        ("'2025-01-31 10:00' >= instant", r"instant is timestamp.*as date\('2025-01-31'\)"),
        ("local == 'January'", r"local is timestamp.*as date\('2026-01-01'\)"),
        ("day != name", r"name is text, which do not compare; write days as date\('2026-01-01'\)"),
    ],
)
def test_days_are_not_compared_with_text(text, said):
    types = {"day": pa.date32(), "instant": pa.timestamp("us", "UTC"), "local": pa.timestamp("s")}
    schema = pa.schema({**types, "name": pa.string()})
    with pytest.raises(oc.ColumnError, match=said):
        compiled(parsed(text), schema)
    remedied = text.replace("'2025-01-31'", "date('2025-01-31')")
    if remedied != text:
        assert compiled(parsed(remedied), schema).type == pa.bool_()


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", 10**9), ("ms", 10**12 + 999), ("us", -(10**15) - 1), ("ns", 2**63 - 1)],
)
@pytest.mark.parametrize("kind", ["integers", "text", "floats", "decimals"])
def test_instants_count_from_1970(unit, number, kind):
    part = 0.5 if abs(number) < 2**51 else 0
    values = {
        "integers": pa.array([number, None]),
        "text": pa.array([str(number), None]),
        "floats": pa.array([number + part if part else float(number // 2**11 * 2**11), None]),
        "decimals": pa.array([Decimal(number) + Decimal("0.50"), None], pa.decimal128(25, 2)),
    }[kind]
    table = pa.table({"n": values})
    found = compiled(parsed(f"instant(n, '{unit}')"), table.schema)
    assert found.type == pa.timestamp(unit, "UTC")
    column = computed(table, [found.expression]).column(0)
    assert column.type == found.type
    expected = number // 2**11 * 2**11 if kind == "floats" and not part else number
    assert column.cast(pa.int64()).to_pylist() == [expected, None]
    if kind == "integers":
        rule = parsed_condition(f"instant(n, '{unit}') > instant(0, 's')")
        assert table.filter(rule).num_rows == (number > 0)


@pytest.mark.parametrize("text", ["integer(mail)", "integer(whole)", "integer(hexadecimal)",
                                  "integer('0X1f')"])  # fmt: skip
def test_what_cannot_be_computed_is_an_error(text):
    with pytest.raises(pa.ArrowInvalid):
        values_of(text, TEXTS)


@given(st.text())
@settings(max_examples=300)
def test_text_between_quotes_is_taken_as_it_stands(text):
    node = parsed(quoted(text))
    assert isinstance(node, Literal)
    assert node.value == text
    doubled = '"' + text.replace('"', '""') + '"'
    assert parsed(f"name == {doubled}").right.value == text


@pytest.mark.parametrize("path", [r"C:\new", r"C:\data\x", "\\", "a\\'b", "tab\there", "line\nend"])
def test_backslashes_are_backslashes(path):
    rules = oc.Rules({"A": f"name == {quoted(path)}"})
    assert rules.assign(pa.table({"name": [path, "b"]}))["tier"].to_pylist() == ["A", "Other"]
    again = oc.scheme_from_dict(oc.Rules({"A": rules.conditions["A"]}).to_dict())
    assert again.conditions["A"].equals(rules.conditions["A"])


@pytest.mark.parametrize("name", ["µ", "μ", "ﬁle", "K", "ⅷ", "größe", "价格"])
def test_names_are_found_as_they_are_written(name):
    table = pa.table(
        {"µ": [1], "μ": [2], "ﬁle": [3], "K": [4], "ⅷ": [5], "größe": [6], "价格": [7]}
    )
    assert values_of(f"  ({name}\n + 0)", table) == table[name].to_pylist()
    assert [one for one, _ in columns_of(parsed(f"'ä' == text({name})"))] == [name]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a == 'b", "the quote at character 6 has no end"),
        ("a == 'it's'", "no end"),
        ("a == 'b' 'c'", "has no meaning here"),
        ("a == r'b'", "has no meaning here"),
        ("lowr(a)", "did you mean 'lower'"),
        ("if_null(a)", "takes 2"),
        ("lower(a, b)", "takes 1"),
        ("lower(a=1)", "has no meaning here"),
        ("instant(a)", "takes 2"),
        ("instant(a, 'h')", "'h' is no unit of time; write one of 's', 'ms', 'us', 'ns'"),
        ("instant(a, b)", "b is no unit of time"),
        ("a.lower()", "has no meaning here"),
        ("a || b", "cannot be read"),
        ("'Order Status' == 'paid'", "'Order Status' == 'paid'\" names no column"),
        ("'Order Status' in ('paid', 'sent')", "is written column('Order Status')"),
        ("'Order Status' is not null", "names no column, and says the same of every row"),
        ("lower('Status') == 'paid'", "is written column('Status')"),
        ("a == 1 and lower('Status') == 'paid'", "\"lower('Status') == 'paid'\" names no column"),
        ("text(1) in ('a', 'b')", "\"text(1) in ('a', 'b')\" names no column"),
        ("1 < 2", "'1 < 2' names no column"),
        ("1 < 2 < a", "'1 < 2' names no column"),
        ("1 + 1 == 2", "'1 + 1 == 2' names no column"),
        ("not (1 == 1)", "'1 == 1' names no column"),
        ("if_null(true, false)", "'if_null(true, false)' names no column"),
        ("a > 1 or if_null(true, false)", "'if_null(true, false)' names no column"),
        ("if_null(a > 1, 2 > 1)", "'2 > 1' names no column"),
        ("(a > 1) == (1 in (1, 2))", "'1 in (1, 2)' names no column"),
        ("a == 'b' # or c", "there is no # in an expression"),
        ("Order #", "there is no # in an expression"),
    ],
)
def test_what_the_language_has_not_is_refused(text, said):
    with pytest.raises(oc.ConfigError) as raised:
        parsed(text)
    assert said in str(raised.value)


def test_columns_say_what_they_are_used_as():
    found = dict(columns_of(parsed("status in ('a', 'b') and day > date('2026-01-01') and q > 0")))
    assert found == {"status": "text", "day": "time", "q": "amount"}
    assert dict(columns_of(parsed("lower(mail)"), "customer")) == {"mail": "text"}
    assert dict(columns_of(parsed("if_null(a, b)"), "time")) == {"a": "time", "b": "time"}
    assert dict(columns_of(parsed("q * p"), "amount")) == {"q": "amount", "p": "amount"}
    assert dict(columns_of(parsed("shop + '|' + id"), "customer")) == {"shop": "text", "id": "text"}


def test_rules_compare_decimals_exactly():
    """The float next to 2**53 + 1 hundredths is that of 2**53."""
    value = Decimal(2**53 + 1).scaleb(-2)
    table = pa.table({"revenue": pa.array([value, value - Decimal("0.01")], pa.decimal128(38, 2))})
    rules = oc.Rules({"A": f"revenue == {value}"})
    assert rules.assign(table)["tier"].to_pylist() == ["A", "Other"]


# What other grammars have beside: paths, and functions of other rows.

STREAMS = Grammar(paths=True, aggregates=("count", "has_all"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("product.category", ("product", "category")),
        ("a . b. c", ("a", "b", "c")),
        ("lines.column('sub category').column(\"it's\")", ("lines", "sub category", "it's")),
        ("ﬁrst.ﬁne", ("ﬁrst", "ﬁne")),
    ],
)
def test_paths(text, names):
    assert parsed(text, STREAMS) == Path(text, names)
    with pytest.raises(oc.ConfigError, match="has no meaning here"):
        parsed(text)


@pytest.mark.parametrize("text", ["f(x).y", "a.b(c)", "a.column(b)", "'a'.b", "a.column('b', c=1)"])
def test_what_is_no_path(text):
    with pytest.raises(oc.ConfigError, match="has no meaning here"):
        parsed(text, STREAMS)


def test_functions_of_a_grammar():
    text = "1 < count(s, a == 'x', last=90) and has_all(s.a, ('x', 'y'))"
    counted, has = parsed(text, STREAMS).nodes
    assert isinstance(counted.right, Aggregate)
    assert counted.right.function == "count"
    assert counted.right.arguments[0] == Column("s", "s")
    assert counted.right.arguments[1].written == "a == 'x'"
    assert [(name, one.value) for name, one in counted.right.options] == [("last", 90)]
    assert [one.value for one in has.arguments[1].values] == ["x", "y"]
    assert isinstance(has.arguments[1], Values)
    assert [one.written.place for one in (counted.right, has)] == [5, text.index("has") + 1]


def test_a_misspelt_function_of_a_grammar():
    with pytest.raises(oc.ConfigError, match=r"did you mean 'count'\?"):
        parsed("cuont(s, last=3)", STREAMS)


def test_what_means_the_same_looks_the_same():
    one, other = (parsed(text, STREAMS) for text in ("count( s,a=='x' )", 'count(s, (a == "x"))'))
    assert repr(one) == repr(other)
    assert repr(parsed("a == 1")) != repr(parsed("a == 1.0"))


LONG = "999999999999999999.999999999999999999"


@pytest.mark.parametrize("written", [LONG, f"-{LONG}", f"-({LONG})", f"0 - {LONG}", f"{LONG} * -1"])
def test_numbers_of_more_digits_than_decimals_have_by_themselves(written):
    values = [Decimal(LONG), Decimal(LONG).copy_negate()]  # -Decimal(LONG) is rounded
    table = pa.table({"x": pa.array(values, pa.decimal128(38, 18))})
    expected = [written == LONG, written != LONG]
    assert values_of(f"x == {written}", table) == expected


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("true and x > 1", [False, True]),
        ("x > 1 or false", [False, True]),
        ("not (false or x > 1)", [True, False]),
        ("not (true and false) and (true or x > 1)", [True, True]),
    ],
)
def test_programs_begin_with_true_and_false(text, holds):
    table = pa.table({"x": [1, 2]})
    assert values_of(text, table) == holds
    rules = oc.Rules({"A": pc.scalar(pa.scalar(value=True)) & (pc.field("x") > 1)})
    assert rules.assign(table)["tier"].to_pylist() == ["Other", "A"]


def test_the_smallest_integer():
    table = pa.table({"x": [-(2**63), 0]})
    assert values_of(f"x == {-(2**63)}", table) == [True, False]
    with pytest.raises(oc.ConfigError, match="is too large"):
        parsed(str(-(2**63) - 1))


def test_numbers_that_cannot_be_added_exactly():
    table = pa.table({"x": [1]})
    with pytest.raises(oc.ConfigError, match="has too many digits"):
        values_of("x < 1.0 + 1e-99999", table)
