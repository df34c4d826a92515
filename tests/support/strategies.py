"""Hypothesis strategies: order tables as raw values for the oracle and as Arrow for the library.

A `Case` is drawn once and read twice. Few customers, many ties and the corners of every type make
small tables dense in trouble; a `layouts.Layout` decides how the same values lie in memory.
"""

import decimal
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st
from oracle.history import CustomerRow, OrderRow, Policies
from support.layouts import Layout

EPOCH = date(1970, 1, 1)
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # no 30 December 2011
    "America/St_Johns",  # changed at one minute past midnight until 2011
    "Africa/Monrovia",  # an offset with odd seconds until 1972
)
BASE_DAYS = (
    date(2024, 1, 1),
    date(2023, 10, 20),  # summer time ends within days
    date(1969, 12, 20),  # across the epoch
    date(1971, 12, 20),
    date(1900, 1, 2),
    date(1915, 1, 1),
    date(2011, 12, 20),
    date(2037, 6, 1),  # past the tables, into the rule at their end
    date(2198, 10, 1),
)
TELLING_DAYS = (0, 1, 2, 7, 29, 30, 31, 89, 90, 91, 120, 121, 255, 256)
TELLING_SECONDS = (0, 1, 3_599, 7_200, 14_400, 43_200, 66_600, 79_200, 82_800, 86_399)


# --- Column kinds: an Arrow type and the Python values that try it ------------------------------


def _integers_of(bits: int, *, signed: bool) -> list[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return [low, high, 0, 1, high // 2, high // 2 + 1, low + 1, 100]


INTEGERS = {
    pa.int8(): _integers_of(8, signed=True),
    pa.int16(): _integers_of(16, signed=True),
    pa.int32(): _integers_of(32, signed=True),
    pa.int64(): _integers_of(64, signed=True),
    pa.uint8(): _integers_of(8, signed=False),
    pa.uint16(): _integers_of(16, signed=False),
    pa.uint32(): _integers_of(32, signed=False),
    pa.uint64(): _integers_of(64, signed=False),
}
TEXTS = [
    "",
    "0",
    "a",
    "a\0",
    "\0",
    "\u00e9\U0001f9fa",
    "twelve bytes",  # the longest a view holds in itself
    "thirteen byte",
    "a long name with a common beginning 1",
    "a long name with a common beginning 2",
]
BYTES = [b"", b"\0", b"\0\0", b"\xff", b"customer-000001", b"\xff" * 16, bytes(range(40))]
FIXED = [bytes(16), b"\0" * 15 + b"\1", b"\xff" * 16, bytes(range(16)), b"0123456789abcdef"]

CUSTOMER_KINDS: dict[pa.DataType, list] = {
    **INTEGERS,
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.dictionary(pa.int8(), pa.string()): TEXTS,
    pa.dictionary(pa.uint32(), pa.large_string()): TEXTS,
    pa.dictionary(pa.int32(), pa.int64()): INTEGERS[pa.int64()],
    pa.binary(): BYTES,
    pa.binary(16): FIXED,
    pa.uuid(): [uuid.UUID(bytes=value) for value in FIXED],
}
ORDER_KINDS: dict[pa.DataType, list] = {
    pa.int64(): INTEGERS[pa.int64()],
    pa.uint16(): INTEGERS[pa.uint16()],
    pa.string(): TEXTS[1:],
    pa.string_view(): TEXTS[1:],
    pa.dictionary(pa.int16(), pa.string()): TEXTS[1:],
    pa.binary(16): FIXED,
}
TIME_TYPES = [
    pa.date32(),
    pa.date64(),
    *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    *(pa.timestamp(unit, "UTC") for unit in ("s", "ms", "us", "ns")),
    pa.timestamp("us", "Asia/Tokyo"),  # the zone of the column is not the business zone
    pa.timestamp("ns", "+05:30"),
]
DECIMALS = [
    pa.decimal32(5, 2),
    pa.decimal32(9, 0),
    pa.decimal64(18, 4),
    pa.decimal128(10, 2),
    pa.decimal128(38, 0),
    pa.decimal128(38, 18),
    pa.decimal128(36, 36),
]
AMOUNT_TYPES = [*INTEGERS, pa.float32(), pa.float64(), *DECIMALS]


def _integer_amounts(kind: pa.DataType) -> st.SearchStrategy:
    # Thirty of them stay within 64 bits; sums beyond have tests of their own.
    low, high = min(INTEGERS[kind]), max(INTEGERS[kind])
    bound = 2**58
    return st.integers(max(low, -bound), min(high, bound)) | st.sampled_from(
        [amount for amount in (-100, -1, 0, 1, 100) if low <= amount]
    )


def _decimal_amounts(kind: pa.DataType) -> st.SearchStrategy:
    bound = 10 ** min(kind.precision, 36) - 1
    unscaled = st.integers(-bound, bound) | st.sampled_from([-bound, -1, 0, 1, bound])
    return unscaled.map(lambda value: exact_decimal(value, kind.scale))


def _float_amounts(width: int, *, lines: bool) -> st.SearchStrategy:
    """Quarters sum without error, so a collapsed order has one sign in any order of its lines."""
    quarters = st.integers(-4_000, 40_000).map(lambda value: value / 4)
    cents = st.integers(-4_000, 40_000).map(lambda value: value / 100)
    largest = 1e30 if width == 32 else 1e290
    smallest = 1e-30 if width == 32 else 1e-290
    wild = st.floats(smallest, largest, width=64) | st.floats(-largest, -smallest, width=64)
    if lines:
        return quarters
    drawn = quarters | cents | wild | st.sampled_from([0.0, -0.0])
    return drawn.map(_as_float32) if width == 32 else drawn


def _as_float32(value: float) -> float:
    return pa.scalar(value, pa.float64()).cast(pa.float32(), safe=False).as_py()


def exact_decimal(unscaled: int, scale: int) -> decimal.Decimal:
    """Return unscaled / 10**scale, all digits kept."""
    sign, digits = int(unscaled < 0), tuple(int(digit) for digit in str(abs(unscaled)))
    return decimal.Decimal((sign, digits, -scale))


def amounts(kind: pa.DataType, *, lines: bool) -> st.SearchStrategy:
    """Draw amounts of an Arrow type, refunds and zeros among them."""
    if pa.types.is_integer(kind):
        return _integer_amounts(kind)
    if pa.types.is_decimal(kind):
        return _decimal_amounts(kind)
    return _float_amounts(kind.bit_width, lines=lines)


# --- Times: the integer in the column and what it means ------------------------------------------


def python_time(raw: int | None, kind: pa.DataType) -> date | datetime | None:
    """Return what a column of type `kind` says with the integer `raw`."""
    if raw is None:
        return None
    if pa.types.is_date32(kind):
        return EPOCH + timedelta(days=raw)
    if pa.types.is_date64(kind):
        return EPOCH + timedelta(milliseconds=raw)
    per_second = ticks_per_second(kind)
    second, tick = divmod(raw, per_second)
    since = timedelta(seconds=second, microseconds=tick * 1_000_000 // per_second)
    return datetime(1970, 1, 1, tzinfo=UTC if kind.tz else None) + since


def ticks_per_second(kind: pa.DataType) -> int:
    """Return the resolution of a timestamp type."""
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]


@st.composite
def raw_times(draw: st.DrawFn, kind: pa.DataType, base: date) -> int:
    """Draw the integer of a time on one of a few days after `base`."""
    offset = draw(st.sampled_from(TELLING_DAYS) | st.integers(0, 420))
    day = (base - EPOCH).days + offset
    if pa.types.is_date32(kind):
        return day
    if pa.types.is_date64(kind):
        return day * 86_400_000
    second = draw(st.sampled_from(TELLING_SECONDS) | st.integers(0, 86_399))
    per_second = ticks_per_second(kind)
    tick = draw(st.sampled_from([0, per_second - 1]))
    return (day * 86_400 + second) * per_second + tick


# --- Cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RawRow:
    """One row as the columns hold it: `time` is the integer in the column."""

    customer: object
    time: int | None
    amount: object
    order: object = None


@dataclass(frozen=True)
class Types:
    """The Arrow type of each column."""

    customer: pa.DataType
    time: pa.DataType
    amount: pa.DataType
    order: pa.DataType | None
    registered: pa.DataType


@dataclass(frozen=True)
class Case:
    """One drawn order table with everything a build and a profile need."""

    types: Types
    orders: list[RawRow]
    customers: list[tuple[object, int | None]] | None
    policies: Policies
    as_of: date
    window_days: int | None

    def order_rows(self) -> list[OrderRow]:
        """Return the orders as the oracle reads them."""
        return [
            OrderRow(row.customer, python_time(row.time, self.types.time), row.amount, row.order)
            for row in self.orders
        ]

    def customer_rows(self) -> list[CustomerRow] | None:
        """Return the customers as the oracle reads them."""
        if self.customers is None:
            return None
        kind = self.types.registered
        return [CustomerRow(name, python_time(raw, kind)) for name, raw in self.customers]


@st.composite
def column_types(draw: st.DrawFn) -> Types:
    """Draw a type for every column."""
    return Types(
        customer=draw(st.sampled_from(list(CUSTOMER_KINDS))),
        time=draw(st.sampled_from(TIME_TYPES)),
        amount=draw(st.sampled_from(AMOUNT_TYPES)),
        order=draw(st.none() | st.sampled_from(list(ORDER_KINDS))),
        registered=draw(st.sampled_from(TIME_TYPES)),
    )


@st.composite
def cases(
    draw: st.DrawFn, types: st.SearchStrategy[Types] | None = None, max_rows: int = 30
) -> Case:
    """Draw a table, its customers and the options."""
    kinds = draw(types if types is not None else column_types())
    base = draw(st.sampled_from(BASE_DAYS))
    policies = Policies(
        timezone=draw(st.sampled_from(ZONES)),
        times_without_zone=draw(st.sampled_from(["local", "utc"])),
        refunds=draw(st.sampled_from(["net", "drop", "count"])),
        anonymous=draw(st.sampled_from(["drop", "drop", "error"])),
        unknown="add",
        collapse=kinds.order is not None,
        same_day=draw(st.sampled_from(["separate", "separate", "merge"])),
    )
    pool = st.sampled_from(CUSTOMER_KINDS[kinds.customer])
    names = draw(st.lists(pool, min_size=1, max_size=5, unique=True))
    size = draw(st.integers(0, max_rows))
    row = _rows(kinds, names, base, anonymous=draw(st.booleans()))
    rows = draw(st.lists(row, min_size=size, max_size=size))
    customers = None
    if draw(st.booleans()):
        listed = draw(st.lists(st.sampled_from(names) | pool, max_size=6, unique=True))
        registered = st.none() | raw_times(kinds.registered, base)
        if draw(st.integers(0, 7)):  # now and then, somebody without an id: refused
            listed = [name for name in listed if name not in ("", b"")]
        customers = [(name, draw(registered)) for name in listed]
        unknown = draw(st.sampled_from(["add", "add", "drop", "error"]))
        policies = Policies(**{**policies.__dict__, "unknown": unknown})
    offset = draw(st.sampled_from([0, 180, 420])) + draw(st.sampled_from((-3, *TELLING_DAYS)))
    policies = replace(
        policies,
        amount_per=draw(st.sampled_from(["line", "line", "order"]))
        if policies.collapse
        else "line",
        duplicates=draw(st.sampled_from(["keep", "keep", "drop", "drop", "error"])),
    )
    if policies.amount_per == "order":
        rows = draw(_with_totals(rows, kinds, policies))
    if rows and (policies.duplicates == "drop" or draw(st.booleans())):
        rows = rows + draw(st.lists(st.sampled_from(rows), max_size=4))
    return Case(
        types=kinds,
        orders=rows,
        customers=customers,
        policies=policies,
        as_of=max(FIRST_DAY, min(LAST_DAY, base + timedelta(days=offset))),
        window_days=draw(st.none() | st.sampled_from([1, 2, 30, 31, 90, 400])),
    )


@st.composite
def _with_totals(
    draw: st.DrawFn, rows: list[RawRow], types: Types, policies: Policies
) -> list[RawRow]:
    """Draw rows that have their order's total of the day, or null; now and then, another amount."""
    totals: dict = {}
    found = []
    for row in rows:
        if row.customer is None:
            found.append(row)
            continue
        day = policies.day_of(python_time(row.time, types.time))
        total = totals.setdefault((row.customer, row.order, day), row.amount)
        which = draw(st.integers(0, 60))
        amount = None if 0 < which < 15 else row.amount if which == 0 else total
        found.append(replace(row, amount=amount))
    if not draw(st.integers(0, 3)):
        return found
    # Mostly, every day has its total on a row at least.
    return found + [
        replace(row, amount=totals[row.customer, row.order, day])
        for row in rows
        if row.customer is not None
        for day in [policies.day_of(python_time(row.time, types.time))]
    ]


def _rows(types: Types, names: list, base: date, *, anonymous: bool) -> st.SearchStrategy[RawRow]:
    amount = amounts(types.amount, lines=types.order is not None)
    time = raw_times(types.time, base)
    order = st.none() if types.order is None else st.sampled_from(ORDER_KINDS[types.order][:4])
    named = st.builds(RawRow, st.sampled_from(names), time, amount, order)
    if not anonymous:
        return named
    # Whatever else an anonymous row lacks is nobody's business: it is dropped first.
    nameless = st.builds(RawRow, st.none(), st.none() | time, st.none() | amount, st.none() | order)
    return st.integers(0, 5).flatmap(lambda kind: nameless if kind == 0 else named)


def layouts() -> st.SearchStrategy[Layout]:
    """Draw how values lie in memory."""
    return st.integers(0, 10_000).map(Layout)


def order_columns(case: Case, names: dict[str, str]) -> dict[str, tuple[list, pa.DataType]]:
    """Return the columns of the order table; `names` maps roles to column names."""
    columns = {
        names["customer"]: ([row.customer for row in case.orders], case.types.customer),
        names["time"]: ([row.time for row in case.orders], case.types.time),
        names["amount"]: ([row.amount for row in case.orders], case.types.amount),
    }
    if case.types.order is not None:
        columns[names["order"]] = ([row.order for row in case.orders], case.types.order)
    return columns


def customer_columns(case: Case, names: dict[str, str]) -> dict[str, tuple[list, pa.DataType]]:
    """Return the columns of the customer table."""
    return {
        names["customer"]: ([name for name, _ in case.customers], case.types.customer),
        names["registered"]: ([raw for _, raw in case.customers], case.types.registered),
    }
