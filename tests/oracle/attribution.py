"""Which touches orders are credited to: every rule written out, one order and touch at a time."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
#: Weights of time decay are whole numbers of this many bits, from tables of so many steps.
WEIGHT_BITS, STEP_BITS, DIGITS = 31, 10, 3
SINGLE = ("last_touch", "first_touch")

#: A kind of touches, or a channel and a kind.
Name = str | tuple[str, str]


class Touch(NamedTuple):
    """A touch of a customer; `place` is where the history has it among the customer's."""

    at: datetime
    channel: str | None
    kind: str | None = "click"
    campaign: str | None = None
    brand: str | None = None
    id: int | None = None
    message: Hashable | None = None
    is_excluded: bool = False
    place: int = 0


class Entry(NamedTuple):
    """An order, or what changes one afterwards: a refund of it, or a later day of its lines."""

    at: datetime
    amount: int | Decimal | float = 0
    id: Hashable | None = None
    brand: str | None = None
    is_order: bool = True
    refund_of: Hashable | None = None


class Credit(NamedTuple):
    """What a touch is credited with of an entry; without a touch, what nobody is credited with.

    entry, order (whose touches these are): numbers among the customer's entries; touch: among the
    touches as given; share: of the order, 0 of what is no order.
    """

    entry: int
    order: int | None
    group: str | None
    touch: int | None
    share: Fraction | None
    revenue: int | Decimal | float


@dataclass(frozen=True)
class Model:
    """The options of the library's model, its durations as timedeltas."""

    model: str = "last_touch"
    window: timedelta = timedelta(days=5)
    windows: Mapping[Name, timedelta] = field(default_factory=dict)
    qualify: tuple[Name, ...] = ("click", ("SMS", "delivery"))
    groups: Mapping[str, tuple[str, ...] | None] = field(
        default_factory=lambda: {
            "campaigns": None,
            "personalization": ("Popup", "Embedded", "Recommendations"),
            "in_app": ("In-App",),
        }
    )
    compete: str = "group"
    brand: bool = False
    clock: str = "touch"
    reuse: bool = True
    tiers: tuple[Name, ...] = ()
    half_life: timedelta = timedelta(days=7)
    most_touches: int = 64
    strict: bool = False

    def group(self, touch: Touch) -> str | None:
        """Return the group of a touch's channel, None where it is in none."""
        for name, channels in self.groups.items():
            if channels is not None and touch.channel in channels:
                return name
        return next((name for name, channels in self.groups.items() if channels is None), None)

    def window_of(self, touch: Touch) -> timedelta:
        """Return the window of a touch: that of its channel and kind comes before its kind's."""
        for name in ((touch.channel, touch.kind), touch.kind):
            if name in self.windows:
                return self.windows[name]
        return self.window

    def competition(self, touch: Touch) -> Hashable:
        """Return what a touch competes in."""
        return {"group": self.group(touch), "channel": (touch.channel,), "all": "all"}[self.compete]

    def takes_part(self, touch: Touch) -> bool:
        """Return whether a touch may win orders at all."""
        return (
            not touch.is_excluded
            and place_among(self.qualify, touch) is not None
            and self.group(touch) is not None
        )


def place_among(names: Sequence[Name], touch: Touch) -> int | None:
    """Return the place of the first name that is the touch's kind, or its channel and kind."""
    both = (touch.kind, (touch.channel, touch.kind))
    return next((place for place, name in enumerate(names) if name in both), None)


def sort_key(model: Model, touch: Touch) -> tuple[object, ...]:
    """Return by what touches are ordered: the last one wins."""
    campaign = touch.campaign
    return (
        touch.at,
        place_among(model.qualify, touch),
        campaign is not None,
        (campaign or "").encode(),
        touch.id is not None,
        touch.id or 0,
        touch.place,
    )


def window_start(model: Model, touch: Touch, touches: Sequence[Touch]) -> datetime:
    """Return when the window of a touch starts."""
    if model.clock == "touch":
        return touch.at
    before = [
        one
        for one in touches
        if one.kind == "delivery" and not one.is_excluded and one.at <= touch.at
    ]
    same_message = [
        one.at for one in before if touch.message is not None and one.message == touch.message
    ]
    same_campaign = [
        one.at
        for one in before
        if touch.campaign is not None
        and (one.campaign, one.channel) == (touch.campaign, touch.channel)
    ]
    return max(same_message or same_campaign or [touch.at])


def outcome(
    model: Model,
    order: Entry,
    touch: Touch,
    touches: Sequence[Touch],
    visits: Sequence[datetime] = (),
) -> str | None:
    """Return why a touch is no candidate for an order; None where it is one.

    >>> noon = datetime(2026, 1, 2, 12)
    >>> click = Touch(datetime(2026, 1, 1, 12), "Email")
    >>> outcome(Model(window=timedelta(days=1)), Entry(noon), click, [click])
    'window'
    >>> outcome(Model(window=timedelta(days=1, microseconds=1)), Entry(noon), click, [click])
    """
    age = order.at - window_start(model, touch, touches)
    reasons = {
        "excluded": touch.is_excluded,
        "kind": place_among(model.qualify, touch) is None,
        "channel": model.group(touch) is None,
        "brand": model.brand and touch.brand != order.brand,
        "visit": any(touch.at < visit <= order.at for visit in visits),
        "window": age >= model.window_of(touch),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def path_lengths(
    model: Model, entries: Sequence[Entry], touches: Sequence[Touch], visits: Sequence[datetime]
) -> Iterator[tuple[int, Hashable, list[int]]]:
    """Yield of each order and competition all touches that could be credited with it."""
    by_time = sorted(range(len(touches)), key=lambda row: sort_key_or_time(model, touches[row]))
    for number, order in enumerate(entries):
        if not order.is_order:
            continue
        earlier = [
            one
            for one in entries[:number]
            if one.is_order and (not model.brand or one.brand == order.brand)
        ]
        reached = [row for row in by_time if touches[row].at <= order.at]
        if not model.reuse and earlier:
            reached = [row for row in reached if touches[row].at > max(one.at for one in earlier)]
        candidates: dict[Hashable, list[int]] = {}
        latest: dict[Hashable, int] = {}
        for row in reached:
            touch = touches[row]
            why = outcome(model, order, touch, touches, visits)
            if why in ("excluded", "kind", "channel", "brand"):
                continue
            latest[model.competition(touch)] = row
            if why is None:
                candidates.setdefault(model.competition(touch), []).append(row)
        for competition, rows in candidates.items():
            if model.strict and rows[-1] != latest[competition]:
                continue
            tiers = [place_among(model.tiers, touches[row]) for row in rows]
            numbers = [len(model.tiers) if tier is None else tier for tier in tiers]
            best = min(numbers)
            yield (
                number,
                competition,
                [row for row, tier in zip(rows, numbers, strict=True) if tier == best],
            )


def sort_key_or_time(model: Model, touch: Touch) -> tuple[object, ...]:
    """Return the key of touches that take part, and of others one that does not matter."""
    return sort_key(model, touch) if model.takes_part(touch) else (touch.at, -1)


def weights_of(model: Model, moments: Sequence[datetime]) -> list[int]:
    """Return the weights of the touches of a path, the earliest first.

    >>> days = [datetime(2026, 1, day) for day in (1, 2, 3, 4)]
    >>> weights_of(Model("position"), days)
    [4, 1, 1, 4]
    >>> weights_of(Model("time_decay", half_life=timedelta(days=1)), days)[-2:]
    [1073741824, 2147483648]
    """
    size = len(moments)
    if model.model == "last_touch":
        return [0] * (size - 1) + [1]
    if model.model == "first_touch":
        return [1] + [0] * (size - 1)
    if model.model == "linear" or (model.model == "position" and size <= 2):
        return [1] * size
    if model.model == "position":
        return [2 * (size - 2)] + [1] * (size - 2) + [2 * (size - 2)]
    return [decayed(moments[-1] - moment, model.half_life) for moment in moments]


def decayed(age: timedelta, half_life: timedelta) -> int:
    """Return 2**31 * 2**(-age / half_life), by three digits of ten bits of what is no whole half.

    >>> decayed(timedelta(days=21), timedelta(days=7)) == 2**28
    True
    """
    halvings, rest = divmod(age // MICROSECOND, half_life // MICROSECOND)
    weight = 1 << WEIGHT_BITS
    for digit in range(1, DIGITS + 1):
        step, rest = divmod(rest << STEP_BITS, half_life // MICROSECOND)
        weight = weight * power(step, digit) >> WEIGHT_BITS
    return weight >> halvings


def power(step: int, digit: int) -> int:
    """Return 2**31 * 2**(-step / 1024**digit), to the nearest whole number."""
    with localcontext() as context:
        context.prec = 60
        return round(2**WEIGHT_BITS * Decimal(2) ** (-Decimal(step) / 2 ** (STEP_BITS * digit)))


def split(amount: Decimal | float, weights: Sequence[int]) -> list[int | Decimal | float]:
    """Divide money by weights.

    Whole units go to the largest remainders, of equal ones to the earlier touch; a refund is
    divided as the order of the opposite amount is.

    >>> split(100, [1, 1, 1]), split(-100, [1, 1, 1]), split(5, [1, 1])
    ([34, 33, 33], [-34, -33, -33], [3, 2])
    >>> split(Decimal("0.05"), [2, 1, 2])
    [Decimal('0.02'), Decimal('0.01'), Decimal('0.02')]
    >>> parts = split(0.1, [1, 1, 1])
    >>> parts[0] + parts[1] + parts[2], parts[0] == 0.1 / 3
    (0.1, True)
    """
    if isinstance(amount, float):
        return split_float(amount, weights)
    exponent = amount.as_tuple().exponent if isinstance(amount, Decimal) else 0
    if isinstance(amount, Decimal):
        with localcontext() as context:
            context.prec = 60
            parts = split(int(amount.scaleb(-exponent)), weights)
            return [Decimal(part).scaleb(exponent) for part in parts]
    whole = sum(weights)
    shares = [divmod(abs(amount) * weight, whole) for weight in weights]
    parts = [share for share, _ in shares]
    left = abs(amount) - sum(parts)
    for place in sorted(range(len(parts)), key=lambda place: (-shares[place][1], place))[:left]:
        parts[place] += 1
    return [part if amount >= 0 else -part for part in parts]


def split_float(amount: float, weights: Sequence[int]) -> list[float]:
    """Divide a float: quotients rounded once, and what is left of them for the last.

    Where these do not add up to the amount again, the quotients are rounded as coarsely as numbers
    of its size are, so that nothing is lost when they are added.

    >>> split_float(100.0, [1, 1, 1])
    [33.333333333333336, 33.333333333333336, 33.33333333333333]
    """
    whole = sum(weights)
    *quotients, _ = [float(Fraction(amount) * weight / whole) for weight in weights]
    parts = with_rest(amount, quotients)
    if added(parts) != amount:
        parts = with_rest(amount, [(amount + quotient) - amount for quotient in quotients])
    return parts


def with_rest(amount: float, quotients: Sequence[float]) -> list[float]:
    """Return parts and, as the last, what they leave of an amount."""
    return [*quotients, amount - added(quotients)]


def added(parts: Sequence[float]) -> float:
    """Add floats one after the other."""
    whole = 0.0
    for part in parts:
        whole += part
    return whole


def orders_of(entries: Sequence[Entry]) -> list[int | None]:
    """Return of which order each entry is: itself, what it refunds, or none that is known.

    >>> day = datetime(2026, 1, 1)
    >>> orders_of([Entry(day, 9, "a"), Entry(day, -9, "a", is_order=False),
    ...            Entry(day, -9, "x", is_order=False, refund_of="a"),
    ...            Entry(day, -9, is_order=False)])
    [0, 0, 0, None]
    """
    numbers = {
        entry.id: number
        for number, entry in reversed(list(enumerate(entries)))
        if entry.is_order and entry.id is not None
    }
    return [
        number
        if entry.is_order
        else numbers.get(entry.id if entry.refund_of is None else entry.refund_of)
        for number, entry in enumerate(entries)
    ]


def credit(
    model: Model,
    entries: Sequence[Entry],
    touches: Sequence[Touch],
    visits: Sequence[datetime] = (),
) -> list[Credit]:
    """Return what each touch of a customer is credited with, entry by entry.

    Groups come as declared, channels by name, touches by time; an entry without any has one row.
    """
    paths: dict[int, list[tuple[str, list[int], list[int]]]] = {}
    for number, _, rows in path_lengths(model, entries, touches, visits):
        kept = rows[-model.most_touches :] if model.model != "last_touch" else rows
        weights = weights_of(model, [touches[row].at for row in kept])
        credited = [pair for pair in zip(kept, weights, strict=True) if pair[1] or len(kept) == 1]
        if model.model == "time_decay":
            credited = list(zip(kept, weights, strict=True))
        rows_and_weights = ([row for row, _ in credited], [weight for _, weight in credited])
        group = model.group(touches[kept[0]])
        if model.compete == "all":
            group = model.group(touches[rows_and_weights[0][-1]])
        paths.setdefault(number, []).append((group, *rows_and_weights))
    order_of_groups = list(model.groups)

    def in_order(path: tuple[str, list[int], list[int]]) -> tuple[object, ...]:
        channel = touches[path[1][0]].channel if model.compete == "channel" else ""
        return (order_of_groups.index(path[0]), channel is not None, (channel or "").encode())

    found = []
    for number, order in enumerate(orders_of(entries)):
        entry = entries[number]
        if order is None or order not in paths:
            found.append(Credit(number, order, None, None, None, entry.amount))
            continue
        for group, rows, weights in sorted(paths[order], key=in_order):
            parts = split(entry.amount, weights)
            for row, weight, part in zip(rows, weights, parts, strict=True):
                share = Fraction(weight, sum(weights)) if entry.is_order else Fraction(0)
                named = model.group(touches[row]) if model.compete == "all" else group
                found.append(Credit(number, order, named, row, share, part))
    return found


def long_paths(
    model: Model, entries: Sequence[Entry], touches: Sequence[Touch], visits: Sequence[datetime]
) -> int:
    """Count the paths that are longer than the model keeps."""
    if model.model == "last_touch":
        return 0
    paths = path_lengths(model, entries, touches, visits)
    return sum(len(rows) > model.most_touches for _, _, rows in paths)


def scaled(model: Model, days: int) -> Model:
    """Return the model with another window, and all others longer or shorter in proportion.

    A window is made up to whole microseconds, in which ages are.
    """

    def longer(window: timedelta) -> timedelta:
        factor = Fraction(timedelta(days=days) // MICROSECOND, model.window // MICROSECOND)
        exact = window // MICROSECOND * factor
        return -(-exact.numerator // exact.denominator) * MICROSECOND

    return replace(
        model,
        window=timedelta(days=days),
        windows={name: longer(window) for name, window in model.windows.items()},
    )
