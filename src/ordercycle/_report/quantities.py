"""The quantities of the report, each declared once: counts and sums that add up, and their parts.

All of them are data: how a quantity follows from cells is said by its fields, and how one follows
from others by sums of products, so that whoever has the cells needs no formula of his own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from ordercycle_kernels import cube as cells

#: What a quantity is about: the months of the period, those who are in the segment at its end, or
#: the same in its last month; or different customers, whichever months of the period they come in.
DURING, SO_FAR, LAST_MONTH, DISTINCT = "period", "all time", "last month", "distinct"

#: What a whole number of a quantity stands for.
WHOLE, MONEY, SHARES, DISCOUNT, POINTS = "whole", "money", "orders", "discount", "points"

#: Where the cells of a quantity are: those of all orders, or a block of further ones.
BASE = "orders"
CREDITED, SENT = "credited", "sent"
DELIVERED, OPENED, CLICKED, UNSUBSCRIBED = "delivered", "opened", "clicked", "unsubscribed"
REACHED, BOUGHT = "reached", "bought"
VISITED, COLLECTED = "visited", "collected"
SUBSCRIBED, MEMBERS = "subscribed", "members"
BY_MEMBERS, DISCOUNTED, AWARDED, REDEEMED = "by members", "discounted", "awarded", "redeemed"

#: What cells may be of beside everything: keys of a block.
CHANNEL, MAILING_TYPE, FORM_TYPE, CAMPAIGN = "channel", "mailing_type", "form_type", "campaign"
GRAINS = (CHANNEL, MAILING_TYPE, FORM_TYPE)

#: What stands for the last day of the period in products.
LAST_DAY = "last day"
#: What the names of quantities end in that leave out customers who are forgotten.
KNOWN = " of known customers"


@dataclass(frozen=True)
class Quantity:
    """A count or a sum that adds up over parts of the base, read from the cells of a report.

    fields: of a cell of all orders, added; of blocks, the unit says which: counts are whole
    numbers. grains: what it is known by, beside everything; group: of which attribution group it
    is; where: of which condition over touches; campaigns: which block has it by campaign;
    of_customers: whether it is about customers one by one, and leaves out those who are forgotten.
    """

    name: str
    over: str
    fields: tuple[int, ...] = ()
    unit: str = WHOLE
    block: str = BASE
    grains: tuple[str, ...] = ()
    group: str | None = None
    where: str | None = None
    campaigns: str | None = None
    of_customers: bool = False

    @property
    def is_money(self) -> bool:
        """Whether it is about amounts of orders, which these may not have."""
        return self.unit == MONEY

    @property
    def is_sum(self) -> bool:
        """Whether it is a sum of amounts, in chunks, and no count."""
        return self.unit in (MONEY, DISCOUNT, POINTS)


def _credited(group: str, grains: tuple[str, ...], campaigns: str | None) -> tuple[Quantity, ...]:
    """Return what a group's touches are credited with."""
    return tuple(
        Quantity(
            f"{what} from {group}", DURING, unit=unit, block=CREDITED, grains=grains, group=group,
            campaigns=campaigns,
        )
        for what, unit in (("revenue", MONEY), ("orders", SHARES))
    )  # fmt: skip


#: All groups together, of which an order counts once.
CRM = "any group"
CAMPAIGNS, PERSONALIZATION, IN_APP = "campaigns", "personalization", "in_app"
#: What groups are known by.
GROUP_GRAINS = {
    CRM: (CHANNEL,),
    CAMPAIGNS: (CHANNEL, MAILING_TYPE),
    PERSONALIZATION: (CHANNEL, FORM_TYPE),
    IN_APP: (CHANNEL, FORM_TYPE),
}
OF_MESSAGES = (CHANNEL, MAILING_TYPE)


def credited_quantities(group: str) -> tuple[Quantity, ...]:
    """Return the quantities of a group of an attribution, or of all of them."""
    grains = GROUP_GRAINS.get(group, GRAINS)
    return _credited(group, grains, SENT if group == CAMPAIGNS else None)


QUANTITIES: Mapping[str, Quantity] = {
    one.name: one
    for one in (
        Quantity("revenue", DURING, (cells.REVENUE,), MONEY),
        Quantity("orders", DURING, (cells.ORDERS,)),
        Quantity("monthly buyers", DURING, (cells.MONTHLY_BUYERS,), of_customers=True),
        Quantity("registrations", DURING, (cells.ENTERED,), of_customers=True),
        Quantity("customers", SO_FAR, (cells.CUSTOMERS,), of_customers=True),
        Quantity("all revenue", SO_FAR, (cells.REVENUE, cells.MOVED_REVENUE), MONEY),
        Quantity("first revenue", SO_FAR, (cells.FIRST_REVENUE,), MONEY, of_customers=True),
        Quantity("all orders", SO_FAR, (cells.ORDERS, cells.MOVED_ORDERS)),
        Quantity("buyers", SO_FAR, (cells.BUYERS,), of_customers=True),
        Quantity("repeat buyers", SO_FAR, (cells.REPEAT_BUYERS,), of_customers=True),
        Quantity("first order days", SO_FAR, (cells.FIRST_ORDER_DAYS,), of_customers=True),
        Quantity("waiting days", SO_FAR, (cells.WAITING_DAYS,), of_customers=True),
        Quantity("lifetime days", SO_FAR, (cells.LIFETIME_DAYS,), of_customers=True),
        Quantity("returning customers", LAST_MONTH, (cells.RETURNING,), of_customers=True),
        *(one for group in GROUP_GRAINS for one in credited_quantities(group)),
        *(
            Quantity(name, DURING, block=block, grains=OF_MESSAGES, campaigns=block)
            for name, block in (
                ("deliveries", DELIVERED),
                ("opened deliveries", OPENED),
                ("clicked deliveries", CLICKED),
                ("unsubscribed deliveries", UNSUBSCRIBED),
                ("visits without a customer", VISITED),
                ("visits with a contact", COLLECTED),
            )
        ),
        *(
            Quantity(
                name,
                over,
                block=REACHED,
                grains=OF_MESSAGES,
                campaigns=REACHED,
                of_customers=True,
            )
            for name, over in (
                ("monthly recipients", DURING),
                ("recipients", LAST_MONTH),
                ("reach", DISTINCT),
            )
        ),
        Quantity("subscribers", SO_FAR, block=SUBSCRIBED, grains=(CHANNEL,), of_customers=True),
        Quantity("members", SO_FAR, block=MEMBERS, of_customers=True),
        Quantity("member revenue", DURING, unit=MONEY, block=BY_MEMBERS),
        Quantity("member orders", DURING, block=BY_MEMBERS),
        Quantity("member discount", DURING, unit=DISCOUNT, block=DISCOUNTED),
        Quantity("awarded points", DURING, unit=POINTS, block=AWARDED),
        Quantity("redeemed points", DURING, unit=POINTS, block=REDEEMED),
        Quantity("period buyers", DISTINCT, block=BOUGHT, of_customers=True),
    )
}


@dataclass(frozen=True)
class Derived:
    """A quantity that follows from others: a sum of products, each with its sign.

    `LAST_DAY` may be a factor: the period's last day, counted from 1970-01-01.

    Examples
    --------
    >>> DERIVED["repeat orders"].value({"all orders": 5, "buyers": 2})
    3
    """

    name: str
    terms: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The quantities that it follows from, each once."""
        return tuple(dict.fromkeys(name for _, names in self.terms for name in names))

    def value(self, amounts: Mapping[str, int]) -> int:
        """Return it, given its parts."""
        return sum(sign * prod(amounts[name] for name in names) for sign, names in self.terms)


DERIVED: Mapping[str, Derived] = {
    one.name: one
    for one in (
        Derived("repeat orders", ((1, ("all orders",)), (-1, ("buyers",)))),
        Derived(
            "days since last order",
            ((1, ("buyers", LAST_DAY)), (-1, ("first order days",)), (-1, ("lifetime days",))),
        ),
        Derived("other revenue", ((1, ("revenue",)), (-1, ("member revenue",)))),
        Derived("other orders", ((1, ("orders",)), (-1, ("member orders",)))),
        # a / b - c / d is (a * d - c * b) / (b * d)
        Derived(
            "order value uplift",
            (
                (1, ("member revenue", "other orders")),
                (-1, ("other revenue", "member orders")),
            ),
        ),
    )
}


def of_known(name: str) -> str:
    """Return the name of a quantity that leaves out customers who are forgotten."""
    return name if name == LAST_DAY else f"{name}{KNOWN}"


def derived_of(name: str) -> Derived | None:
    """Return how a quantity follows from others; None where it does not."""
    found = DERIVED.get(name.removesuffix(KNOWN))
    if found is None or not name.endswith(KNOWN):
        return found
    terms = tuple((sign, tuple(map(of_known, names))) for sign, names in found.terms)
    return Derived(name, terms)


def base_quantities(
    name: str, quantity: Callable[[str], Quantity] = QUANTITIES.__getitem__
) -> tuple[Quantity, ...]:
    """Return the quantities, each once, that one is or follows from."""
    derived = derived_of(name)
    if derived is None:
        return () if name == LAST_DAY else (quantity(name),)
    found = {one.name: one for part in derived.parts for one in base_quantities(part, quantity)}
    return tuple(found.values())
