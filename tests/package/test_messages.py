"""Messages keep what is wrong apart from what to do, and name arguments as data."""

import ast
import inspect
import re
from dataclasses import is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import ordercycle as oc
from ordercycle import _errors as errors
from ordercycle._features.language import WINDOW

SRC = Path(oc.__file__).parent
#: Rooms whose messages have no front end but Python's.
PYTHON_ONLY = {"_cli", "_engines", "engines"}
#: Attributes of tags look like arguments.
MARKUP = re.compile(r"</?[a-z]+[ >]|=\"$")
#: Puts the remedy behind what is wrong, when a message is printed.
JOIN = "; "


def modules():
    paths = sorted(SRC.rglob("*.py"))
    return [path for path in paths if path.relative_to(SRC).parts[0] not in PYTHON_ONLY]


@cache
def options():
    """Return the names of arguments of what is public that no word of the feature language is."""
    found = set()
    for name in oc.__all__:
        thing = getattr(oc, name)
        members = vars(thing).values() if inspect.isclass(thing) else ()
        plain = [getattr(member, "__func__", member) for member in members]
        for one in (thing, *filter(inspect.isfunction, plain)):
            if is_dataclass(one) or inspect.isfunction(one):
                found |= set(inspect.signature(one).parameters)
    return found - {"self", "cls", *WINDOW}


def messages(tree):
    """Return the calls that make an error or a warning of the library."""
    kinds = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    own = {name for name in kinds if name.startswith("Ordercycle") or name.endswith("Error")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & own:
            own.add(node.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {*own, "warn"}:
            yield node


def literals(node):
    """Return the text in a node, but for what names an argument as data."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Option", "Code"}:
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [text for child in ast.iter_child_nodes(node) for text in literals(child)]


def remedies_within(tree):
    """Return texts that say what to do where errors say what is wrong."""
    return [
        text
        for call in messages(tree)
        if ast.unparse(call.func) not in {"warn", "OrdercycleWarning"}
        for text in (literals(call.args[0]) if call.args else [])
        if JOIN in text
    ]


def options_as_text(tree):
    """Return texts, but for docstrings, that write an argument as Python does."""
    documented = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            inside = getattr(node, name, None)
            if isinstance(inside, list):
                kept = [one for one in inside if id(getattr(one, "value", None)) not in documented]
                setattr(node, name, kept)
    written = re.compile(rf"\b({'|'.join(sorted(options()))})=(?!=)|\(\w+=\.\.\.")
    return [text for text in literals(tree) if written.search(text) and not MARKUP.search(text)]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SRC)))
def test_messages_are_data(path):
    source = path.read_text()
    assert remedies_within(ast.parse(source)) == []
    assert options_as_text(ast.parse(source)) == []


BREACHES = '''
"""Pass timezone=."""
class OddError(DataError):
    """A kind of its own."""
def fail(name, value):
    raise ColumnError(f"{name} is {value}; cast it", column=name)
def refuse(value):
    return OddError(("a", "b; c"), remedy=f"pass threads={value}")
def fine(value):
    warn(("two; halves, ", Option("timezone", "UTC")))
    raise ConfigError((Option("only", "a; b"), " is == it"), remedy="one; two")
def worse():
    warn("pass Columns(amount=...)")
'''


def test_breaches_are_found():
    assert remedies_within(ast.parse(BREACHES)) == ["; cast it", "b; c"]
    assert options_as_text(ast.parse(BREACHES)) == [
        "pass threads=",
        "pass Columns(amount=...)",
    ]


def test_options_are_those_of_classes_and_functions():
    assert {"timezone", "bins", "as_of", "decimal", "churned_days", "memory_limit"} <= options()


def test_an_error_keeps_its_pieces_where_it_is_found_within_another():
    inner = oc.DataError("b is null", remedy=("pass ", errors.Option("only")), column="b", row=3)
    outer = errors.within(inner, errors.Option("where", "b"), ": ")
    assert str(outer) == "where='b': b is null; pass only="
    flags = errors.rendered(outer, lambda option: f"--{option.name}")
    assert flags == "--where: b is null; pass --only"
    assert (type(outer), outer.column, outer.row, outer.count) == (oc.DataError, "b", 3, None)


#: What a number in front of it has to be one of several.
PLURAL = re.compile(r" (such )?(?!(is|was|has|as|this)\b)[a-z]+s\b")


def uncounted(tree):
    """Return the words behind numbers that are written with thousands' separators."""
    return [
        behind.value
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for number, behind in pairwise(node.values)
        if isinstance(number, ast.FormattedValue)
        and number.format_spec is not None
        and ast.unparse(number.format_spec) == "f','"
        and not ast.unparse(number.value).split(".")[0].isupper()  # constants are several
        and isinstance(behind, ast.Constant)
        and PLURAL.match(behind.value)
    ]


@pytest.mark.parametrize(
    "path", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC))
)
def test_one_of_a_thing_is_one(path):
    assert uncounted(ast.parse(path.read_text())) == []


def test_numbers_of_things_are_found():
    code = 'f"{count:,} rows of {share:.1f} days, {number:,} is {many:,} such customers"'
    assert uncounted(ast.parse(code)) == [" rows of ", " such customers"]
    assert uncounted(ast.parse('f"{MOST_IDS:,} ids, {LONGEST.days:,} days"')) == []
