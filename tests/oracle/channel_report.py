"""The report's metrics of channels, messages, loyalty and subscribers, from their definitions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import NamedTuple

from oracle.attribution import Credit, Entry, Model, Touch, credit, split
from oracle.report import ALL_CUSTOMERS, Value, ratio

#: Whole orders of models that divide them.
SHARE_UNIT = 5 * 232_792_560
CAMPAIGNS = "campaigns"
NONE = "(none)"
ENGAGED = {"Open Rate": "open", "Click Rate": "click", "Unsubscribe Rate": "unsubscribe"}


class Stay(NamedTuple):
    """In a segment, or a member, from a day on until before another one; None: open."""

    start: date
    stop: date | None
    name: str = ""

    def has(self, day: date) -> bool:
        """Return whether a day is one of it."""
        return self.start <= day and (self.stop is None or day < self.stop)


class Subscription(NamedTuple):
    """A subscription in a channel, and when the contact is valid there."""

    channel: str
    topic: str
    subscribed: Stay
    contact: Stay


class Points(NamedTuple):
    """Points on a day."""

    day: date
    kind: str | None
    points: int


@dataclass(frozen=True)
class Customer:
    """All that is known of a customer."""

    entries: list[Entry]
    touches: list[Touch]
    visits: list[datetime]
    stays: list[Stay] = field(default_factory=list)
    memberships: list[Stay] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)


@dataclass(frozen=True)
class Shop:
    """Customers, and what is known of campaigns, forms and orders."""

    customers: list[Customer]
    model: Model
    types: dict[str, str]
    sent_on: dict[str, date]
    form_of: Callable[[Touch], str | None]
    discount_of: Callable[[Entry], int | None]
    is_paid: Callable[[Entry], bool]


class Question(NamedTuple):
    """Of which segment, days, orders and channel a number is.

    as_of: after which day nothing marks a message.
    """

    segment: str
    first: date
    last: date
    brand: str | None = None
    paid: bool = False
    grain: tuple[str, str] | None = None
    as_of: date | None = None

    def asks(self, customer: Customer, day: date) -> bool:
        """Return whether a day of a customer counts."""
        return self.first <= day <= self.last and self.is_there(customer, day)

    def is_there(self, customer: Customer, day: date) -> bool:
        """Return whether a customer is in the segment on a day."""
        if self.segment == ALL_CUSTOMERS:
            return True
        return any(one.name == self.segment and one.has(day) for one in customer.stays)


def day_of(moment: datetime) -> date:
    """Return the day of a moment."""
    return moment.astimezone(UTC).date()


def value_of(shop: Shop, touch: Touch, grain: str) -> str:
    """Return the channel, type, form or campaign of a touch."""
    found = {
        "channel": touch.channel,
        "mailing_type": shop.types.get(touch.campaign or ""),
        "form_type": shop.form_of(touch),
        "campaign": touch.campaign,
    }[grain]
    return NONE if found is None else found


def orders_of(shop: Shop, asked: Question) -> Iterator[tuple[int, int, Customer, Entry]]:
    """Yield the entries of a brand and target action, on whatever day."""
    for number, customer in enumerate(shop.customers):
        for place, entry in enumerate(customer.entries):
            brand = NONE if entry.brand is None else entry.brand
            if asked.brand in (None, brand) and (not asked.paid or shop.is_paid(entry)):
                yield number, place, customer, entry


def in_period(shop: Shop, asked: Question) -> Iterator[tuple[int, int, Customer, Entry]]:
    """Yield the entries of the question's days and segment."""
    return (one for one in orders_of(shop, asked) if asked.asks(one[2], day_of(one[3].at)))


def credits_of(shop: Shop) -> list[tuple[int, Credit, Fraction]]:
    """Return what touches are credited with, of each customer, and the share in whole parts."""
    found = []
    for number, customer in enumerate(shop.customers):
        made = [
            one
            for one in credit(shop.model, customer.entries, customer.touches, customer.visits)
            if one.touch is not None
        ]
        paths: dict[object, list[Credit]] = {}
        for one in made:
            touch = customer.touches[one.touch]
            competition = {"group": one.group, "channel": touch.channel, "all": ""}
            paths.setdefault((one.entry, competition[shop.model.compete]), []).append(one)
        for path in paths.values():
            is_order = customer.entries[path[0].entry].is_order
            shares = [one.share if is_order else Fraction(0) for one in path]
            if is_order and shop.model.model not in ("last_touch", "first_touch"):
                parts = split(SHARE_UNIT, [one * 10**18 for one in shares])
                shares = [Fraction(part, SHARE_UNIT) for part in parts]
            found += [(number, one, share) for one, share in zip(path, shares, strict=True)]
    return found


class Won(NamedTuple):
    """What was won."""

    revenue: Fraction
    orders: Fraction


def won(
    shop: Shop,
    made: list[tuple[int, Credit, Fraction]],
    asked: Question,
    group: str | None,
    until: date | None = None,
) -> Won:
    """Return what a group won, or all of them: None; by channel where it is asked for.

    until: of campaigns, by the day of their send: up to when orders are known.
    """
    counted = {(number, place) for number, place, _, _ in orders_of(shop, asked)}
    revenue, orders, seen = Fraction(0), Fraction(0), set()
    for number, one, share in made:
        customer = shop.customers[number]
        entry, touch = customer.entries[one.entry], customer.touches[one.touch]
        if (number, one.entry) not in counted or group not in (None, one.group):
            continue
        day = day_of(entry.at) if until is None else sent_on(shop, customer, touch)
        if not asked.asks(customer, day) or (until is not None and day_of(entry.at) > until):
            continue
        if asked.grain is not None and value_of(shop, touch, asked.grain[0]) != asked.grain[1]:
            continue
        is_whole = asked.grain is None and (group is None or shop.model.compete == "channel")
        if is_whole:  # an order counts once
            if (number, one.entry) not in seen:
                revenue += Fraction(entry.amount)
                orders += entry.is_order
            seen.add((number, one.entry))
        else:
            revenue += Fraction(one.revenue)
            orders += share
    return Won(revenue, orders)


def eligible(shop: Shop, touch: Touch) -> bool:
    """Return whether a touch is a delivery of campaigns."""
    has_campaigns = CAMPAIGNS in shop.model.groups
    return (
        touch.kind == "delivery"
        and not touch.is_excluded
        and (not has_campaigns or shop.model.group(touch) == CAMPAIGNS)
    )


def delivery_of(shop: Shop, customer: Customer, touch: Touch) -> Touch | None:
    """Return the delivery that a touch is about."""
    before = [one for one in customer.touches if eligible(shop, one) and one.at <= touch.at]
    same = [one for one in before if touch.message is not None and one.message == touch.message]
    alike = [
        one
        for one in before
        if touch.campaign is not None
        and (one.campaign, one.channel) == (touch.campaign, touch.channel)
    ]
    found = same or alike
    return max(found, key=lambda one: (one.at, one.place)) if found else None


def sent_on(shop: Shop, customer: Customer, touch: Touch) -> date:
    """Return the day on which what was touched was sent."""
    delivery = delivery_of(shop, customer, touch)
    if delivery is not None:
        return day_of(delivery.at)
    return shop.sent_on.get(touch.campaign or "", day_of(touch.at))


def messages(shop: Shop, asked: Question) -> list[tuple[int, Customer, Touch]]:
    """Return the deliveries of a question."""
    return [
        (number, customer, touch)
        for number, customer in enumerate(shop.customers)
        for touch in customer.touches
        if eligible(shop, touch)
        and asked.asks(customer, day_of(touch.at))
        and asked.brand in (None, NONE if touch.brand is None else touch.brand)
        and (asked.grain is None or value_of(shop, touch, asked.grain[0]) == asked.grain[1])
    ]


def engaged(shop: Shop, asked: Question, kind: str) -> int:
    """Count the deliveries that a kind of touch is about."""
    its = {(number, touch.place) for number, _, touch in messages(shop, asked)}
    found = set()
    for number, customer in enumerate(shop.customers):
        for touch in customer.touches:
            group = shop.model.group(touch)
            counts = CAMPAIGNS not in shop.model.groups or group == CAMPAIGNS
            is_late = asked.as_of is not None and day_of(touch.at) > asked.as_of
            if touch.kind != kind or touch.is_excluded or is_late or not counts:
                continue
            delivery = delivery_of(shop, customer, touch)
            if delivery is not None:
                found.add((number, delivery.place))
    return len(its & found)


def monthly(those: list[tuple[int, Customer, Touch]]) -> int:
    """Count customers once a month."""
    return len({(number, day_of(touch.at).replace(day=1)) for number, _, touch in those})


def of_campaigns(shop: Shop, asked: Question) -> dict[str, Value]:
    """Return the metrics of touches, of everything, a channel or a type."""
    made = credits_of(shop)
    everything = asked._replace(grain=None)
    revenue = sum(
        (Fraction(entry.amount) for *_, entry in in_period(shop, everything)), Fraction(0)
    )
    those = messages(shop, asked)
    reach = len({number for number, _, _ in those})
    month = asked.last.replace(day=1)
    last = messages(shop, asked._replace(first=max(month, asked.first)))
    found: dict[str, Value] = {}
    titles = {
        "personalization": "Personalization",
        "in_app": "In-App",
        CAMPAIGNS: "Campaigns",
    }
    for group in (None, *shop.model.groups):
        got = won(shop, made, asked, group)
        title = titles.get(group or "", group)
        names = (
            ("Total CRM Revenue", "CRM Share of Revenue", "CRM Orders", "CRM Average Order Value")
            if group is None
            else (
                f"Revenue from {title}",
                f"Share of Revenue from {title}",
                f"Orders from {title}",
                f"Average Order Value from {title}",
            )
        )
        values = (got.revenue, ratio(got.revenue, revenue), got.orders, ratio(*got))
        found |= dict(zip(names, values, strict=True))
    if CAMPAIGNS in shop.model.groups:
        got = won(shop, made, asked, CAMPAIGNS)
        found["Campaign Conversion to Goal"] = ratio(got.orders, Fraction(len(those)))
        found["Revenue per Recipient from Campaigns"] = ratio(got.revenue, Fraction(reach))
    found |= {
        "Recipients": Fraction(len({number for number, _, _ in last})),
        "Delivered Campaigns per Recipient": ratio(Fraction(len(those)), Fraction(monthly(those))),
        "Reach": Fraction(reach),
        "Deliveries": Fraction(len(those)),
    }
    for name, kind in ENGAGED.items():
        found[name] = ratio(Fraction(engaged(shop, asked, kind)), Fraction(len(those)))
    return found


def is_subscribed(customer: Customer, day: date, channel: str | None) -> bool:
    """Return whether a customer can be written to in a channel, or any, on a day."""
    return any(
        one.subscribed.has(day) and one.contact.has(day)
        for one in customer.subscriptions
        if channel in (None, one.channel)
    )


def subscribers(shop: Shop, asked: Question) -> Fraction:
    """Return how many customers of the segment are subscribed on the last day."""
    channel = None if asked.grain is None else asked.grain[1]
    return Fraction(
        sum(
            asked.is_there(one, asked.last) and is_subscribed(one, asked.last, channel)
            for one in shop.customers
        )
    )


def of_loyalty(shop: Shop, asked: Question) -> dict[str, Value]:
    """Return the metrics of the loyalty programme; orders are those of all target actions."""

    def is_member(customer: Customer, day: date) -> bool:
        return any(one.has(day) for one in customer.memberships)

    rows = [
        (customer, entry) for *_, customer, entry in in_period(shop, asked._replace(paid=False))
    ]
    own = [entry for customer, entry in rows if is_member(customer, day_of(entry.at))]
    others = [entry for customer, entry in rows if not is_member(customer, day_of(entry.at))]

    def sums(entries: list[Entry]) -> Won:
        revenue = sum((Fraction(one.amount) for one in entries), Fraction(0))
        return Won(revenue, Fraction(sum(one.is_order for one in entries)))

    member, other = sums(own), sums(others)
    discount = Fraction(sum(shop.discount_of(one) or 0 for one in own))
    points = {"awarded": 0, "redeemed": 0}
    meaning = {
        "awarded": ("awarded", 1),
        "redeemed": ("redeemed", 1),
        "reversed_award": ("awarded", -1),
        "reversed_redemption": ("redeemed", -1),
    }
    for customer in shop.customers:
        for one in customer.points:
            if asked.asks(customer, one.day) and is_member(customer, one.day):
                name, sign = meaning.get(one.kind, (None, 0))
                if name is not None:
                    points[name] += sign * one.points
    averages = (ratio(*member), ratio(*other))
    uplift = None if None in averages else averages[0] - averages[1]
    there = [one for one in shop.customers if asked.is_there(one, asked.last)]
    found: dict[str, Value] = {
        "Loyalty Program Members": Fraction(sum(is_member(one, asked.last) for one in there)),
        "Revenue (members)": member.revenue,
        "Revenue (non-members)": other.revenue,
        "Share of Revenue (members)": ratio(member.revenue, member.revenue + other.revenue),
        "Orders (members)": member.orders,
        "Orders (non-members)": other.orders,
        "Average Order Value (members)": averages[0],
        "Average Order Value (non-members)": averages[1],
        "Average Order Value Uplift": uplift,
        "Total Discount Amount": discount,
        "Discount Share": ratio(discount, member.revenue),
    }
    if asked.brand is None:  # points know no brands
        found |= {
            "Points Awarded": Fraction(points["awarded"]),
            "Points Redeemed": Fraction(points["redeemed"]),
            "Redemption Rate": ratio(Fraction(points["redeemed"]), Fraction(points["awarded"])),
        }
    return found


def of_condition(
    shop: Shop, asked: Question, holds: Callable[[Touch], bool] | None
) -> dict[str, Fraction]:
    """Return revenue and orders that are credited to touches of a kind, their buyers, and more.

    holds: whether a touch is of the kind; None: of all orders and messages.
    """
    entries = {
        (number, one.entry)
        for number, one, _ in credits_of(shop)
        if holds is not None and holds(shop.customers[number].touches[one.touch])
    }
    own = [one for one in in_period(shop, asked) if holds is None or one[:2] in entries]
    those = [one for one in messages(shop, asked) if holds is None or holds(one[2])]
    return {
        "revenue": sum((Fraction(entry.amount) for *_, entry in own), Fraction(0)),
        "orders": Fraction(sum(entry.is_order for *_, entry in own)),
        "buyers": Fraction(len({number for number, _, _, entry in own if entry.is_order})),
        "deliveries": Fraction(len(those)),
        "recipients": Fraction(len({number for number, _, _ in those})),
    }


def campaign_values(shop: Shop, asked: Question, until: date) -> dict[str, Won]:
    """Return what each campaign won by the day of its send, of orders up to a day."""
    made = credits_of(shop)
    names = {touch.campaign for one in shop.customers for touch in one.touches} - {None}
    return {
        name: won(shop, made, asked._replace(grain=("campaign", name)), CAMPAIGNS, until)
        for name in sorted(names)
    }
