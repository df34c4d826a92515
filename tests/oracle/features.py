"""Columns per customer from streams: the functions of the features' language."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from oracle.conditions import Listed
from oracle.errors import ConfigError, DataError
from oracle.events import Event, Stream, Test, Value, place
from oracle.money import DECIMAL_DIGITS, INT64_MAX, INT64_MIN, Amount

AS_THE_COLUMN = "as the column"
#: What each function makes; sums of integers are int64, of decimals decimal128(38, scale).
RESULTS = {
    "count": "int64",
    "days": "int64",
    "sum": AS_THE_COLUMN,
    "mean": "float64",
    "min": AS_THE_COLUMN,
    "max": AS_THE_COLUMN,
    "distinct": "int64",
    "first": "dictionary",
    "last": "dictionary",
    "top": "dictionary",
    "days_since": "int32",
    "days_since_first": "int32",
    "share": "float64",
    "has": "bool",
    "has_all": "bool",
}


@dataclass(frozen=True)
class Feature:
    """A feature as it is parsed: what is computed, of what, where, and of which days.

    The column is that of an event, or of a lookup as ``attribute.column``; `values` are those that
    `has_all` wants.
    """

    function: str
    column: str | None = None
    condition: Test | None = None
    last: int | None = None
    since: date | None = None
    until: date | None = None
    values: tuple[Value, ...] = ()

    def days(self, as_of: date) -> tuple[date, date]:
        """Return the first and the last day that are looked at.

        >>> [str(day) for day in Feature("count", last=90).days(date(2024, 3, 30))]
        ['2024-01-01', '2024-03-30']
        >>> of_march = Feature("count", since=date(2024, 3, 1), until=date(2024, 3, 31))
        >>> [str(day) for day in of_march.days(date(2024, 3, 30))]
        ['2024-03-01', '2024-03-30']
        >>> Feature("count", last=1).days(date(2024, 3, 30))[0].day
        30
        """
        if self.last is not None:
            return date.fromordinal(max(1, as_of.toordinal() - self.last + 1)), as_of
        return self.since or date.min, min(self.until or date.max, as_of)


@dataclass(frozen=True)
class Seen:
    """What one feature sees of one customer, in the order of the events.

    `entries` are all of the window, refunds and later days of orders among them.
    """

    stream: Stream
    feature: Feature
    as_of: date
    entries: list[Event]

    @property
    def matching(self) -> list[Event]:
        """What satisfies the condition."""
        condition = self.feature.condition
        if condition is None:
            return self.entries
        return [event for event in self.entries if condition(self.stream.read(event)) is True]

    @property
    def events(self) -> list[Event]:
        """What satisfies the condition, without refunds."""
        return [event for event in self.matching if event.is_counted]

    def column(self, events: list[Event]) -> list[Value | None]:
        """Return the feature's column of some events."""
        return [self.stream.read(event)(self.feature.column) for event in events]

    def known(self, events: list[Event]) -> list[Value]:
        """Return it without nulls."""
        return [value for value in self.column(events) if value is not None]


def computed(
    feature: Feature, stream: Stream, customers: Iterable[Hashable], as_of: date
) -> list[object]:
    """Return a feature of each of these customers; of those without events, what nothing makes.

    A year of coffee: what Ann bought up to 30 March.

    >>> from oracle.conditions import Compared
    >>> from oracle.events import EventRow, Fieldnames, build
    >>> bought = [
    ...     (date(2024, 1, 1), "coffee", "A1", 4, 1.5),
    ...     (date(2024, 1, 1), "milk", "A1", 1, 0.5),
    ...     (date(2024, 3, 1), "coffee", "A2", None, 2.5),
    ...     (date(2024, 3, 2), None, "A3", 2, None),
    ...     (date(2024, 4, 1), "tea", "A4", 9, 9.5),
    ... ]
    >>> names = Fieldnames(attributes=("category",), keys=("order",), values=("units", "price"))
    >>> rows = [EventRow("ann", row[0], dict(zip(names.all, row[1:]))) for row in bought]
    >>> departments = [{"category": "coffee", "aisle": 1}, {"category": "milk", "aisle": 2}]
    >>> lines = build(rows, names, lookups={"category": departments})
    >>> def of(function, column=None, condition=None, **window):
    ...     feature = Feature(function, column, condition, **window)
    ...     return computed(feature, lines, ["ann", "bob"], date(2024, 3, 30))
    >>> coffee = Compared("category", "==", "coffee")

    Counts; 90 days before the end of 30 March begin with 1 January, 89 with the day after it:

    >>> of("count"), of("days"), of("count", condition=coffee)
    ([4, 0], [3, 0], [2, 0])
    >>> of("count", last=90), of("count", last=89), of("count", until=date(2024, 2, 29))
    ([4, 0], [2, 0], [2, 0])
    >>> of("distinct", "order"), of("distinct", "category"), of("distinct", "category.aisle")
    ([3, 0], [2, 0], [2, 0])

    Values; a null adds nothing, and is no number to be averaged (7 units on 3 lines):

    >>> of("sum", "units"), of("sum", "price", coffee), of("mean", "units")
    ([7, 0], [4.0, 0], [2.3333333333333335, None])
    >>> of("min", "units"), of("max", "price"), of("max", "units", Compared("units", ">", 9))
    ([1, None], [2.5, None], [None, None])

    Coffee has 4 of 7 units, and what costs more than 99 has none of them:

    >>> of("share", "units", coffee), of("share", "price", Compared("price", ">", 99))
    ([0.5714285714285714, None], [0.0, None])

    Of 1 January, where there are days and no instants, the smaller category comes first. The last
    event has none, which is what is returned. Coffee is most frequent, and smaller than milk:

    >>> of("first", "category"), of("last", "category"), of("top", "category")
    (['coffee', None], [None, None], ['coffee', None])
    >>> of("first", "category.aisle"), of("top", "category", until=date(2024, 1, 31))
    ([1, None], ['coffee', None])

    Days, and whether:

    >>> of("days_since"), of("days_since", condition=coffee), of("days_since_first")
    ([28, None], [29, None], [89, None])
    >>> of("has", condition=coffee), of("has", condition=Compared("category", "==", "tea"))
    ([True, False], [False, False])
    >>> of("has_all", "category", values=("coffee", "milk")), of(
    ...     "has_all", "category", values=("coffee", "milk"), last=30
    ... )
    ([True, False], [False, False])
    """
    if feature.function not in RESULTS:
        raise ConfigError(f"there is no {feature.function}")
    first, last = feature.days(as_of)
    found = []
    for name in customers:
        events = stream.customers.get(name, [])
        entries = [event for event in events if first <= event.day <= last]
        found.append(FUNCTIONS[feature.function](Seen(stream, feature, as_of, entries)))
    return found


def unknown_texts(feature: Feature, stream: Stream) -> list[tuple[str, str]]:
    """Return the texts that a feature looks for in a field that never has them.

    >>> from oracle.conditions import Listed
    >>> from oracle.events import EventRow, Fieldnames, build
    >>> rows = [EventRow("ann", date(2024, 1, 1), {"kind": "click"})]
    >>> stream = build(rows, Fieldnames(attributes=("kind",)))
    >>> unknown_texts(Feature("has_all", "kind", values=("click", "klick")), stream)
    [('kind', 'klick')]
    >>> unknown_texts(Feature("count", condition=Listed("kind", ("opne",), negated=True)), stream)
    [('kind', 'opne')]
    """
    looked_for = [] if feature.condition is None else [feature.condition]
    if feature.values:
        looked_for.append(Listed(feature.column, feature.values))
    return [unknown for one in looked_for for unknown in stream.unknown_texts(one)]


def _exact(values: Iterable[Amount]) -> Fraction:
    return sum(map(Fraction, values), Fraction(0))


def _total(seen: Seen) -> Amount:
    """Return a sum, refunds included: integers and decimals as they are, floats rounded once.

    >>> _rounded([0.1] * 10), _rounded([1e300, 1.0, -1e300]), _rounded([])
    (1.0, 1.0, 0)
    >>> _rounded([Decimal("0.10"), Decimal("-0.30")])
    Decimal('-0.20')
    >>> _rounded([2**63 - 1, 1])
    Traceback (most recent call last):
    oracle.errors.DataError: a sum beyond 64 bits
    """
    return _rounded(seen.known(seen.matching))


def _rounded(values: list[Amount]) -> Amount:
    exact = _exact(values)
    if not values or isinstance(values[0], int):
        if not INT64_MIN <= exact <= INT64_MAX:
            raise DataError("a sum beyond 64 bits")
        return int(exact)
    if isinstance(values[0], float):
        return _nearest(exact)
    scale = -min(value.as_tuple().exponent for value in values)
    unscaled = int(exact * 10**scale)
    if abs(unscaled) >= 10**DECIMAL_DIGITS:
        raise DataError("a sum beyond 38 digits")
    digits = tuple(map(int, str(abs(unscaled))))
    return Decimal((int(unscaled < 0), digits, -scale))


def _nearest(exact: Fraction) -> float:
    """Return the float nearest to an exact number.

    >>> _nearest(Fraction(10) ** 400)
    Traceback (most recent call last):
    oracle.errors.DataError: a number beyond floats
    """
    try:
        return float(exact)
    except OverflowError:
        raise DataError("a number beyond floats") from None


def _mean(seen: Seen) -> float | None:
    """Return a mean; of an order's amount, the net sum by the number of orders.

    >>> from oracle.order_events import Line, build
    >>> amounts = {1: 9, 2: 5, 3: -4}  # by day
    >>> orders = build([Line("ann", date(2024, 1, day), amount) for day, amount in amounts.items()])
    >>> def of(function, **rest):
    ...     feature = Feature(function, "amount", **rest)
    ...     return computed(feature, orders, ["ann"], date(2024, 1, 31))[0]
    >>> of("mean"), of("sum"), of("min"), of("count"), of("days_since")
    (5.0, 10, 5, 2, 29)
    >>> of("share", condition=lambda read: read("amount") >= 9)
    0.9
    >>> of("mean", since=date(2024, 1, 3)), of("sum", since=date(2024, 1, 3))
    (None, -4)
    """
    if seen.feature.column in seen.stream.names.amount:
        values, number = seen.known(seen.matching), len(seen.events)
    else:
        values = seen.known(seen.events)
        number = len(values)
    return _nearest(_exact(values) / number) if number else None


def _share(seen: Seen) -> float | None:
    whole = _exact(seen.known(seen.entries))
    return _nearest(_exact(seen.known(seen.matching)) / whole) if whole else None


def _first(seen: Seen) -> Value | None:
    return next(iter(seen.column(seen.events)), None)


def _last(seen: Seen) -> Value | None:
    return next(iter(reversed(seen.column(seen.events))), None)


def _top(seen: Seen) -> Value | None:
    """Return the most frequent value; of equally frequent ones the smaller.

    >>> from oracle.events import EventRow, Fieldnames, build
    >>> brands = ["b", "b", "a", "a", "c", None, None, None]
    >>> rows = [EventRow("ann", date(2024, 1, 1), {"brand": brand}) for brand in brands]
    >>> stream = build(rows, Fieldnames(attributes=("brand",)))
    >>> computed(Feature("top", "brand"), stream, ["ann"], date(2024, 1, 1))
    ['a']
    """
    times = Counter(seen.known(seen.events))
    return min(times, key=lambda value: (-times[value], place(value)), default=None)


def _days_since(seen: Seen, pick: Callable[[Iterable[date]], date]) -> int | None:
    days = [event.day for event in seen.events]
    return (seen.as_of - pick(days)).days if days else None


FUNCTIONS: dict[str, Callable[[Seen], object]] = {
    "count": lambda seen: len(seen.events),
    "days": lambda seen: len({event.day for event in seen.events}),
    "sum": _total,
    "mean": _mean,
    "min": lambda seen: min(seen.known(seen.events), default=None),
    "max": lambda seen: max(seen.known(seen.events), default=None),
    "distinct": lambda seen: len(set(seen.known(seen.events))),
    "first": _first,
    "last": _last,
    "top": _top,
    "days_since": lambda seen: _days_since(seen, max),
    "days_since_first": lambda seen: _days_since(seen, min),
    "share": _share,
    "has": lambda seen: bool(seen.events),
    "has_all": lambda seen: set(seen.feature.values) <= set(seen.known(seen.events)),
}
