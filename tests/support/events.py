"""Hypothesis strategies: event tables as raw values for the oracle and as Arrow for the library.

Like those of orders: few customers, few instants and the corners of every type, so that ties,
repeats and nulls meet in tables of a few rows. Whatever is drawn shrinks to its first choice: no
rows, no fields, UTC, the plain layout.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st
from oracle import events as oracle_events
from oracle import order_events
from oracle.conditions import Compared, Condition, Joined, Listed, Missing, Not, written
from oracle.events import EventRow, Fieldnames, Reading, Stream
from oracle.features import RESULTS, Feature
from oracle.order_events import Kept, Line, OrderStream
from support.layouts import Layout
from support.strategies import (
    AMOUNT_TYPES,
    BASE_DAYS,
    CUSTOMER_KINDS,
    FIRST_DAY,
    INTEGERS,
    LAST_DAY,
    ORDER_KINDS,
    TIME_TYPES,
    ZONES,
    Case,
    amounts,
    cases,
    order_columns,
    python_time,
    raw_times,
    ticks_per_second,
)

CUSTOMER, TIME, ID = "customer_id", "occurred_at", "event_id"
ATTRIBUTES = ("kind", "channel", "campaign")
KEYS = ("order_id", "message")
VALUES = ("points", "price")
TEXT, RANK = "type", "rank"  # the columns of catalogues beside their attribute

#: UTF-8 and UTF-16 sort the last two differently; conditions are written with those without NUL.
WORDS = ["click", "open", "", "Click", "it's", "a\0", "\uffff", "\U00010000"]
TRUTHS = [False, True]
ATTRIBUTE_KINDS: dict[pa.DataType, list] = {
    pa.string(): WORDS,
    pa.dictionary(pa.int8(), pa.string()): WORDS,
    pa.int64(): INTEGERS[pa.int64()],
    pa.bool_(): TRUTHS,
    pa.large_string(): WORDS,
    pa.string_view(): WORDS,
    pa.dictionary(pa.uint32(), pa.large_string()): WORDS,
    pa.dictionary(pa.int16(), pa.int64()): INTEGERS[pa.int64()],
    pa.uint64(): INTEGERS[pa.uint64()],
    pa.int8(): INTEGERS[pa.int8()],
    pa.uint16(): INTEGERS[pa.uint16()],
}
#: Local times about which clocks disagree: in an hour that never was, or was twice.
CHANGES = {
    "Europe/Madrid": ["2024-03-31 02:30", "2024-10-27 02:30"],
    "America/New_York": ["2024-03-10 02:00", "2024-11-03 01:59:59"],
    "Asia/Kathmandu": ["1986-01-01 00:14"],
    "Australia/Lord_Howe": ["2024-10-06 02:15", "2024-04-07 01:45"],
    "Pacific/Apia": ["2011-12-30 10:00"],
    "America/St_Johns": ["2011-03-13 00:30", "2010-11-06 23:30"],
    "Africa/Monrovia": ["1972-01-07 00:30"],
}


@dataclass(frozen=True)
class RawEvent:
    """One row as the columns hold it: `time` is the integer in the column."""

    customer: object
    time: int | None
    fields: dict[str, object]
    id: object = None


@dataclass(frozen=True)
class EventCase:
    """One drawn event table with everything a build needs.

    types: the Arrow type of every column; catalogues: per attribute, their rows as dictionaries.
    """

    types: dict[str, pa.DataType]
    names: Fieldnames
    rows: list[RawEvent]
    reading: Reading
    catalogues: dict[str, list[dict[str, object]]]
    base: date

    @property
    def has_ids(self) -> bool:
        """Whether events have ids."""
        return ID in self.types

    def event_rows(self) -> list[EventRow]:
        """Return the events as the oracle reads them."""
        kind = self.types[TIME]
        return [
            EventRow(row.customer, python_time(row.time, kind), row.fields, row.id)
            for row in self.rows
        ]

    def stream(self) -> Stream:
        """Return the oracle's stream."""
        return oracle_events.build(self.event_rows(), self.names, self.reading, self.catalogues)

    def columns(self) -> dict[str, tuple[list, pa.DataType]]:
        """Return the columns of the event table, for a layout."""
        found = {
            CUSTOMER: [row.customer for row in self.rows],
            TIME: [row.time for row in self.rows],
        }
        if self.has_ids:
            found[ID] = [row.id for row in self.rows]
        for name in self.names.all:
            found[name] = [row.fields[name] for row in self.rows]
        return {name: (values, self.types[name]) for name, values in found.items()}

    def lookups(self, layout: Layout) -> dict[str, pa.Table]:
        """Return the catalogues as tables."""
        return {
            name: catalogue_table(rows, name, self.types[name], layout)
            for name, rows in self.catalogues.items()
        }


def catalogue_table(
    rows: list[dict[str, object]], attribute: str, kind: pa.DataType, layout: Layout
) -> pa.Table:
    """Return a catalogue as a table; its keys are of the type of the attribute."""
    types = {attribute: kind, TEXT: pa.string(), RANK: pa.int32()}
    return layout.table({name: ([row[name] for row in rows], types[name]) for name in types})


# --- Tables -----------------------------------------------------------------------------------


def local_times(kind: pa.DataType, zone: str, base: date) -> st.SearchStrategy[int]:
    """Draw the integer of a time, those among them about which clocks disagree."""
    usual = raw_times(kind, base)
    if not pa.types.is_timestamp(kind) or zone not in CHANGES:
        return usual
    per_second = ticks_per_second(kind)
    seconds = [int(datetime.fromisoformat(f"{at}+00:00").timestamp()) for at in CHANGES[zone]]
    near = st.tuples(st.sampled_from(seconds), st.sampled_from([0, 1, 1_800, -1_800, 3_600]))
    return usual | near.map(lambda drawn: sum(drawn) * per_second)


@st.composite
def event_types(draw: st.DrawFn) -> tuple[dict[str, pa.DataType], Fieldnames]:
    """Draw the columns of an event table, and a type for each."""
    attributes, keys, values = (
        names[: draw(st.sampled_from(range(len(names) + 1)))]
        for names in (ATTRIBUTES, KEYS, VALUES)
    )
    types = {
        CUSTOMER: draw(st.sampled_from(list(CUSTOMER_KINDS))),
        TIME: draw(st.sampled_from(TIME_TYPES)),
    }
    if draw(st.booleans()):
        types[ID] = draw(st.sampled_from(list(ORDER_KINDS)))
    types |= {name: draw(st.sampled_from(list(ATTRIBUTE_KINDS))) for name in attributes}
    types |= {name: draw(st.sampled_from(list(ORDER_KINDS))) for name in keys}
    types |= {name: draw(st.sampled_from(AMOUNT_TYPES)) for name in values}
    return types, Fieldnames(attributes=attributes, keys=keys, values=values)


def fields_of(types: dict[str, pa.DataType], names: Fieldnames) -> st.SearchStrategy[dict]:
    """Draw the fields of an event, nulls among them."""
    drawn = {name: st.sampled_from(ATTRIBUTE_KINDS[types[name]][:6]) for name in names.attributes}
    drawn |= {name: st.sampled_from(ORDER_KINDS[types[name]][:4]) for name in names.keys}
    drawn |= {name: amounts(types[name], lines=False) for name in names.values}
    return st.fixed_dictionaries({name: one | st.none() for name, one in drawn.items()})


@st.composite
def event_cases(
    draw: st.DrawFn,
    types: st.SearchStrategy[tuple[dict[str, pa.DataType], Fieldnames]] | None = None,
    max_rows: int = 30,
) -> EventCase:
    """Draw an event table, its catalogues and the options."""
    kinds, names = draw(types if types is not None else event_types())
    reading = Reading(
        timezone=draw(st.sampled_from(ZONES)),
        anonymous=draw(st.sampled_from(["drop", "drop", "error"])),
        day_instants=draw(st.booleans()),
        times_without_zone=draw(st.sampled_from(["local", "utc"])),
    )
    base = draw(st.sampled_from(BASE_DAYS))
    customers = draw(
        st.lists(
            st.sampled_from(CUSTOMER_KINDS[kinds[CUSTOMER]]), min_size=1, max_size=4, unique=True
        )
    )
    times = draw(st.lists(local_times(kinds[TIME], reading.timezone, base), min_size=1, max_size=6))
    ids = st.none()
    if ID in kinds:
        ids = st.none() | st.sampled_from(ORDER_KINDS[kinds[ID]])
    named = st.builds(
        RawEvent,
        st.sampled_from(customers),
        st.sampled_from(times),
        fields_of(kinds, names),
        ids,
    )
    # Whatever else an anonymous row lacks is nobody's business: it is dropped first.
    nameless = st.builds(
        RawEvent, st.none(), st.none() | st.sampled_from(times), fields_of(kinds, names), ids
    )
    row = named if draw(st.booleans()) else named | named | named | nameless
    size = draw(st.integers(0, max_rows))
    rows = draw(st.lists(row, min_size=size, max_size=size))
    if rows and draw(st.booleans()):  # a delivery that comes again
        rows = rows + draw(st.lists(st.sampled_from(rows), max_size=4))
    with_catalogue = [name for name in names.attributes if draw(st.booleans())]
    catalogues = {name: draw(catalogue_rows(name, kinds[name])) for name in with_catalogue}
    return EventCase(kinds, names, rows, reading, catalogues, base)


@st.composite
def catalogue_rows(draw: st.DrawFn, attribute: str, kind: pa.DataType) -> list[dict[str, object]]:
    """Draw a row for some values of an attribute, and for some that no event has."""
    values = draw(st.lists(st.sampled_from(ATTRIBUTE_KINDS[kind]), max_size=8, unique=True))
    rows = [
        {
            attribute: value,
            TEXT: draw(st.none() | st.sampled_from(["a", "b", "c"])),
            RANK: draw(st.none() | st.integers(-1, 2)),
        }
        for value in values
    ]
    return draw(st.permutations(rows))


# --- Orders with attributes -------------------------------------------------------------------


@dataclass(frozen=True)
class OrderEventCase:
    """A case of orders with further fields: one dictionary for each row of its orders."""

    case: Case
    kept: Kept
    types: dict[str, pa.DataType]
    fields: list[dict[str, object]]

    def lines(self) -> list[Line]:
        """Return the rows as the oracle reads them."""
        return [
            Line(*row, fields)
            for row, fields in zip(self.case.order_rows(), self.fields, strict=True)
        ]

    def stream(self) -> OrderStream:
        """Return the oracle's stream."""
        return order_events.build(
            self.lines(), self.case.customer_rows(), kept=self.kept, policies=self.case.policies
        )

    def columns(self, names: dict[str, str]) -> dict[str, tuple[list, pa.DataType]]:
        """Return the columns of the order table, for a layout."""
        further = {
            name: ([fields[name] for fields in self.fields], kind)
            for name, kind in self.types.items()
        }
        return order_columns(self.case, names) | further


@st.composite
def order_event_cases(draw: st.DrawFn, max_rows: int = 30) -> OrderEventCase:
    """Draw orders with attributes, most of which are the same on all rows of an order, or null."""
    case = draw(cases(max_rows=max_rows))
    types, names = draw(event_types())
    types = {name: types[name] for name in names.attributes + names.values}
    names = replace(names, keys=())
    fields = fields_of(types, names)
    of_order: dict[object, dict] = {}
    found = []
    for number, row in enumerate(case.orders):
        own = draw(fields)
        key = (row.customer, row.order) if case.policies.collapse else number
        first = of_order.setdefault(key, own)
        if draw(st.integers(0, 20)):  # now and then, a row of its own mind: refused, if not later
            own |= {name: first[name] for name in names.attributes}
        silent = draw(st.sets(st.sampled_from(names.attributes))) if names.attributes else set()
        found.append(own | dict.fromkeys(silent))
    is_dated = not pa.types.is_timestamp(case.types.time)
    kept = Kept(
        names.attributes,
        names.values,
        instants=draw(st.booleans()),
        day_instants=is_dated or draw(st.booleans()),
    )
    return OrderEventCase(case, kept, types, found)


# --- Conditions and features ------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """A field that conditions and features may name, and values to compare it with."""

    name: str
    values: list
    is_value: bool = False  # a number that is added up
    is_key: bool = False


def can_be_written(value: object) -> bool:
    """Return whether conditions can have a value: no text has NUL, whole numbers have 64 bits."""
    if isinstance(value, int | Decimal) and value == int(value):
        return -(2**63) <= value < 2**63
    return not (isinstance(value, str) and "\0" in value)


def fields_to_name(stream: Stream) -> list[Field]:
    """Return what conditions and features may name of a stream: fields, and those of lookups."""
    seen = {
        name: sorted(filter(can_be_written, stream.values_of(name)), key=oracle_events.place)
        for name in stream.names.all
    }
    numbers = stream.names.amount + stream.names.values
    found = [
        Field(name, values, is_value=name in numbers, is_key=name in stream.names.keys)
        for name, values in seen.items()
    ]
    for attribute in stream.lookups:
        found.append(Field(f"{attribute}.{TEXT}", ["a", "b", "c", "z"]))
        found.append(Field(f"{attribute}.{RANK}", [-1, 0, 1, 2, 3]))
    return found


@st.composite
def _parts(draw: st.DrawFn, fields: list[Field]) -> Condition:
    field = draw(st.sampled_from(fields))
    values = field.values
    if not values or draw(st.integers(0, 4)) == 4:
        return Missing(field.name, negated=draw(st.booleans()))
    if field.is_value or not draw(st.booleans()):
        is_truth = isinstance(values[0], bool)
        signs = ["==", "!="] if is_truth else ["==", "!=", "<", "<=", ">", ">="]
        return Compared(field.name, draw(st.sampled_from(signs)), draw(st.sampled_from(values)))
    listed = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
    return Listed(field.name, tuple(listed), negated=draw(st.booleans()))


def conditions(stream: Stream) -> st.SearchStrategy[Condition]:
    """Draw a condition over the fields of a stream, which has one at least that is no key."""
    fields = [field for field in fields_to_name(stream) if not field.is_key]
    several = lambda one: st.lists(one, min_size=2, max_size=3).map(tuple)  # noqa: E731
    return st.recursive(
        _parts(fields),
        lambda one: (
            st.builds(Not, one) | st.builds(Joined, st.sampled_from(["and", "or"]), several(one))
        ),
        max_leaves=4,
    )


#: What each kind of function takes as its column.
WITHOUT_COLUMN = ("count", "days", "days_since", "days_since_first", "has")
OF_VALUES = ("sum", "mean", "min", "max", "share")
OF_ATTRIBUTES = ("first", "last", "top")
NEEDS_CONDITION = ("share", "has")


@st.composite
def features(draw: st.DrawFn, stream: Stream, base: date) -> Feature:
    """Draw a feature of a stream, with windows around its events; around `base` without any."""
    fields = fields_to_name(stream)
    values = [field for field in fields if field.is_value]
    attributes = [field for field in fields if not (field.is_value or field.is_key)]
    others = [field for field in fields if not field.is_value]
    comparable = [field for field in fields if not field.is_key]
    choices: dict[str, list[Field] | None] = dict.fromkeys(WITHOUT_COLUMN)
    choices |= dict.fromkeys(OF_VALUES, values) | dict.fromkeys(OF_ATTRIBUTES, attributes)
    choices["distinct"] = others
    choices["has_all"] = [field for field in attributes if field.values]
    possible = [
        name
        for name, columns in choices.items()
        if columns != [] and (comparable or name not in NEEDS_CONDITION)
    ]
    function = draw(st.sampled_from(sorted(possible, key=list(RESULTS).index)))
    column = draw(st.sampled_from(choices[function])) if choices[function] else None
    condition = None
    if comparable and (function in NEEDS_CONDITION or draw(st.booleans())):
        condition = draw(conditions(stream))
    wanted: tuple = ()
    if function == "has_all":
        values_of = st.sampled_from(column.values)
        wanted = tuple(draw(st.lists(values_of, min_size=1, max_size=3, unique=True)))
    return Feature(
        function,
        column and column.name,
        condition,
        values=wanted,
        **draw(_windows(days_near(stream, base))),
    )


@st.composite
def _windows(draw: st.DrawFn, day: st.SearchStrategy[date]) -> dict[str, object]:
    if draw(st.booleans()):
        last = st.sampled_from([400, 90, 31, 30, 2, 1])
        return draw(st.just({}) | st.fixed_dictionaries({"last": last}))
    days = {"since": draw(st.none() | day), "until": draw(st.none() | day)}
    return {name: one for name, one in days.items() if one is not None}


def days_near(stream: Stream, base: date) -> st.SearchStrategy[date]:
    """Draw a day of an event, or one that is just as far from it as windows are long."""
    days = sorted({event.day for event in stream.events()}, reverse=True) or [base]
    distance = st.sampled_from([0, 1, -1, 29, 30, 89, 90])
    return st.tuples(st.sampled_from(days), distance).map(
        lambda drawn: max(FIRST_DAY, min(LAST_DAY, drawn[0] + timedelta(days=drawn[1])))
    )


def feature_text(feature: Feature, stream: str) -> str:
    """Return a feature as the language writes it.

    >>> bought = Compared("category", "==", "coffee")
    >>> feature_text(Feature("share", "amount", bought, last=90), "lines")
    "share(lines.amount, category == 'coffee', last=90)"
    >>> has_open = Feature("has_all", "kind", values=("open",), since=date(2024, 1, 2))
    >>> feature_text(has_open, "touches")
    "has_all(touches.kind, ('open',), since='2024-01-02')"
    """
    arguments = [stream if feature.column is None else f"{stream}.{feature.column}"]
    if feature.values:
        listed = ", ".join(map(written, feature.values))
        arguments.append(f"({listed}{',' if len(feature.values) == 1 else ''})")
    if feature.condition is not None:
        arguments.append(str(feature.condition))
    if feature.last is not None:
        arguments.append(f"last={feature.last}")
    arguments += [
        f"{name}='{day}'"
        for name, day in (("since", feature.since), ("until", feature.until))
        if day is not None
    ]
    return f"{feature.function}({', '.join(arguments)})"
