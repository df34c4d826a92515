"""Hypothesis strategies: orders, touches and visits of customers, and models to credit them by.

Few instants, channels and campaigns, so that ties, windows that end at an order, and paths longer
than a model keeps meet in a few rows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from oracle.attribution import Entry, Model, Touch

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHANNELS = ["Email", "SMS", "Popup", "In-App", None]
KINDS = ["click", "delivery", "open", None]
CAMPAIGNS = ["spring", None, "Autumn", "\U00010000", "\uffff"]
BRANDS = ["north", "south", None]
NAMES = ["click", "open", "delivery", ("SMS", "delivery"), ("Email", "open"), ("SMS", "click")]
GROUPS = [
    Model().groups,
    {"all": None},
    {"direct": ("Email", "SMS"), "site": ("Popup",)},
]
WINDOWS = [timedelta(0), HOUR, 12 * HOUR, DAY, 5 * DAY, 5 * DAY + timedelta(microseconds=1)]


@dataclass(frozen=True)
class Person:
    """A customer: what happened, in the order of time."""

    entries: list[Entry]
    touches: list[Touch]
    visits: list[datetime]


def moments() -> st.SearchStrategy[datetime]:
    """Draw one of few moments within some days."""
    return st.builds(
        lambda hours, microseconds: MIDNIGHT + hours * HOUR + timedelta(microseconds=microseconds),
        st.integers(0, 240),
        st.sampled_from([0, 0, 0, 1, -1]),
    )


@st.composite
def models(draw, *, options: tuple[str, ...] = ("brand", "clock", "reuse", "strict")) -> Model:
    """Draw a model; options: what may be drawn beside what all models have."""
    kind = draw(st.sampled_from(["last_touch", "first_touch", "linear", "position", "time_decay"]))
    strict = "strict" in options and kind == "last_touch" and draw(st.booleans())
    return Model(
        model=kind,
        window=draw(st.sampled_from(WINDOWS)),
        windows=draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WINDOWS), max_size=3)),
        qualify=tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))),
        groups=draw(st.sampled_from(GROUPS)),
        compete=draw(st.sampled_from(["group", "all", "channel"])),
        brand="brand" in options and draw(st.booleans()),
        clock=draw(st.sampled_from(["touch", "delivery"])) if "clock" in options else "touch",
        reuse=draw(st.booleans()) if "reuse" in options else True,
        tiers=()
        if strict
        else tuple(draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))),
        half_life=draw(st.sampled_from([7 * DAY, 5 * HOUR, timedelta(microseconds=7)])),
        most_touches=draw(st.sampled_from([1, 2, 3, 64])),
        strict=strict,
    )


def amounts(kind: str) -> st.SearchStrategy[int | Decimal | float]:
    """Draw amounts that are not negative: int, decimal, wide (beyond a word), or one of floats."""
    return {
        "int": st.integers(0, 10_000) | st.sampled_from([2**57, 2**31]),
        "decimal": st.integers(0, 10_000).map(lambda cents: Decimal(f"{cents}e-2")),
        "wide": st.sampled_from([10**30 + 7, 2**64 + 1, 3]).map(
            lambda cents: Decimal(f"{cents}e-2")
        ),
        "float": st.floats(0, 1e6) | st.sampled_from([0.1, 1e-310, 1e300]),
        # Of which every quotient is a float64.
        "float of reports": st.integers(0, 10**8).map(lambda parts: parts / 128)
        | st.sampled_from([0.1, 1e-150, 1e150]),
    }[kind]


def refunded(amount: Decimal | float) -> int | Decimal | float:
    """Return the amount of a refund, to the last digit, which is never 0."""
    if isinstance(amount, Decimal):
        return (amount or Decimal("0.01")).copy_negate()
    return -(amount or 1)


@st.composite
def people(draw, *, kind: str = "int") -> Person:
    """Draw a customer, whose order of entries and touches is that of the library."""
    sizes = {"entries": draw(st.integers(0, 5)), "touches": draw(st.integers(0, 9))}
    entries = []
    for number in range(sizes["entries"]):
        is_order = draw(st.integers(0, 3)) > 0
        amount = draw(amounts(kind))
        ids = st.sampled_from([0, 1, 2])
        entries.append(
            Entry(
                at=draw(moments()),
                amount=amount if is_order else refunded(amount),
                id=number if is_order else draw(st.none() | ids),
                brand=draw(st.sampled_from(BRANDS)),
                is_order=is_order,
                refund_of=None if is_order else draw(st.none() | ids | st.just(77)),
            )
        )
    touches = [
        Touch(
            at=draw(moments()),
            channel=draw(st.sampled_from(CHANNELS)),
            kind=draw(st.sampled_from(KINDS)),
            campaign=draw(st.sampled_from(CAMPAIGNS)),
            brand=draw(st.sampled_from(BRANDS)),
            id=draw(st.none() | st.integers(-3, 3)),
            message=draw(st.none() | st.integers(0, 3)),
            is_excluded=draw(st.integers(0, 5)) == 0,
        )
        for _ in range(sizes["touches"])
    ]
    entries.sort(key=lambda entry: entry.at)
    touches.sort(key=lambda touch: touch.at)
    return Person(
        entries,
        [touch._replace(place=place) for place, touch in enumerate(touches)],
        sorted(draw(st.lists(moments(), max_size=2))),
    )
