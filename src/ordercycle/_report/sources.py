"""What a report is made of beside orders and memberships, and which cells that gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._attribution.credited import Credited, scan_of
from ordercycle._attribution.option_checks import CAMPAIGNS as CAMPAIGN_GROUP
from ordercycle._attribution.option_checks import GROUP_TITLES
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, FORM
from ordercycle._days import date_of
from ordercycle._errors import (
    ColumnError,
    ConfigError,
    Option,
    OrdercycleError,
    printable,
    suggestion,
    warn,
    within,
)
from ordercycle._events.event_history import stored_events
from ordercycle._events.stored_events import StoredEvents
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Node
from ordercycle._history.grouped import WITH_PATHS, Grouped
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._ingest.column_readers import AmountReader
from ordercycle._report.blocks import BlockPlan, Key
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.loyalty import VALUE, Loyalty
from ordercycle._report.metrics import GroupNames, group_metrics
from ordercycle._report.own_metrics import Metric, as_declared, condition_of, own_quantities
from ordercycle._report.quantities import (
    AWARDED,
    BOUGHT,
    BY_MEMBERS,
    CHANNEL,
    CLICKED,
    COLLECTED,
    CREDITED,
    CRM,
    DELIVERED,
    DISCOUNT,
    DISCOUNTED,
    FORM_TYPE,
    GROUP_GRAINS,
    MAILING_TYPE,
    MEMBERS,
    MONEY,
    OPENED,
    POINTS,
    REACHED,
    REDEEMED,
    SENT,
    SHARES,
    SUBSCRIBED,
    UNSUBSCRIBED,
    VISITED,
    WHOLE,
    credited_quantities,
)
from ordercycle._report.quantities import CAMPAIGN as BY_CAMPAIGN
from ordercycle._report.report_spec import DEFAULT_TARGET, Plan, unit_of
from ordercycle._report.subscriptions import Subscriptions
from ordercycle._report.touched import (
    NONE_TEXT,
    TYPE,
    KeysByCode,
    Names,
    Touched,
    credit_keys,
    message_keys,
    texts_of,
)
from ordercycle._streams.columns import StreamColumns
from ordercycle._streams.conditions import Condition, check_texts, fitted
from ordercycle_kernels.calendar import LAST_DAY
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS

Int64s = NDArray[np.int64]

MOST_BRANDS, MOST_TARGETS = 100, 20
MESSAGE_BLOCKS = (DELIVERED, OPENED, CLICKED, UNSUBSCRIBED, REACHED)
#: Visits without a customer: of the same keys.
VISIT_BLOCKS = (VISITED, COLLECTED)


class View(NamedTuple):
    """Which orders: those of a brand, or all; and those of a target action."""

    brand: str | None
    target: str


@dataclass(frozen=True)
class Sources:
    """All that a report is made of beside memberships.

    targets: the condition of each target action, None for all orders; brands: the values of the
    brand of orders; discount: its type, None where it is not counted.
    """

    orders: GroupedOrders
    targets: Mapping[str, Condition | None]
    touched: Touched | None = None
    subscriptions: Subscriptions | None = None
    loyalty: Loyalty | None = None
    brand: str | None = None
    brands: Names | None = None
    own: tuple[Metric, ...] = ()
    discount: pa.DataType | None = None

    @classmethod
    def of_orders(cls, orders: GroupedOrders) -> Sources:
        """Return what there is of orders alone."""
        return cls(orders, {DEFAULT_TARGET: None})

    @classmethod
    def of(
        cls,
        orders: GroupedOrders,
        *,
        credited: Credited | None,
        subscriptions: Any,
        loyalty: Loyalty | None,
        brand: str | None,
        targets: Mapping[str, Any] | None,
        own: tuple[Metric, ...],
        further_brands: Sequence[str] = (),
    ) -> Sources:
        """Check what a report is made of.

        further_brands: which orders may have elsewhere, where these are a part of them.

        Raises
        ------
        ConfigError
            An argument is not what it should be, or was made from another history.
        ColumnError
            There is no such brand or discount, or conditions name no column.
        """
        if loyalty is not None and not isinstance(loyalty, Loyalty):
            raise ConfigError(
                (Option("loyalty", loyalty), " is no loyalty programme"),
                remedy="pass an oc.Loyalty",
            )
        found = cls(
            orders,
            _targets(targets, orders),
            subscriptions=None if subscriptions is None else Subscriptions.of(subscriptions),
            loyalty=loyalty,
            brand=brand,
            brands=None if brand is None else _brands(brand, orders).with_texts(further_brands),
            own=own,
            discount=None if loyalty is None else loyalty.discount_type(orders),
        )
        if credited is None:
            _refuse_without_touches(own)
            return found
        found = replace(found, touched=_touched(credited, found))
        _refuse_equal_names(own, found.catalogue(has_money=True))
        return found

    # --- Which orders -----------------------------------------------------------------------------

    @cached_property
    def views(self) -> tuple[View, ...]:
        """All orders and those of each brand, by each target action."""
        return tuple(View(brand, target) for brand in self._brands for target in self.targets)

    @cached_property
    def _brands(self) -> dict[str | None, int]:
        """The numbers of all brands together, and of each."""
        texts = () if self.brands is None else self.brands.texts
        return {brand: number for number, brand in enumerate((None, *texts))}

    @cached_property
    def _targets(self) -> dict[str, int]:
        """The numbers of target actions."""
        return {name: number for number, name in enumerate(self.targets)}

    def view(self, brand: str | None, target: str | None) -> View:
        """Return a view, or raise a ConfigError that says which there are."""
        name = next(iter(self.targets)) if target is None else target
        if name not in self.targets:
            raise ConfigError(
                (
                    Option("target", target),
                    f": there is no such target action{suggestion(str(target), self.targets)}",
                ),
                remedy=f"there are {', '.join(map(repr, self.targets))}",
            )
        brands = self.brands.texts if self.brands else ()
        if brand is not None and brand not in brands:
            remedy: Any = f"there are {', '.join(map(repr, brands))}"
            if not brands:
                remedy = ("build the report with ", Option("brand"), " to have one per brand")
            raise ConfigError(
                (Option("brand", brand), f": there is no such brand{suggestion(brand, brands)}"),
                remedy=remedy,
            )
        return View(brand, name)

    def number_of(self, view: View, block: str) -> int | None:
        """Return the number that a block has for a view; None where it does not have it."""
        brand, target = self._brands[view.brand], self._targets[view.target]
        if block in (SUBSCRIBED, MEMBERS):
            return 0  # as memberships, they are those of all orders
        if block in (AWARDED, REDEEMED):
            return 0 if brand == 0 and self.targets[view.target] is None else None
        if block in (BY_MEMBERS, DISCOUNTED):
            return brand if self.targets[view.target] is None else None
        if block in (*MESSAGE_BLOCKS, *VISIT_BLOCKS):
            has_brands = self.touched is not None and self.touched.brands is not None
            return brand if has_brands or brand == 0 else None
        return brand * len(self.targets) + target

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns that touches are of."""
        found = None if self.touched is None else self.touched.campaigns
        if found is None:
            return ()
        of_values = set(found.by_code[1:].tolist())  # but for the code of none
        return tuple(text for place, text in enumerate(found.texts) if place in of_values)

    def values_of(self, grain: str) -> tuple[str, ...]:
        """Return the channels or types that there are; what stands for none where it is one."""
        found: tuple[str, ...] = ()
        if self.touched is not None:
            names = {
                CHANNEL: self.touched.channels,
                MAILING_TYPE: self.touched.types,
                FORM_TYPE: self.touched.forms,
            }[grain]
            found = texts_of(names)
        if grain == CHANNEL and self.subscriptions is not None:
            others = [name for name in self.subscriptions.channels if name not in found]
            both = {*found, *others}
            found = (*sorted(both - {NONE_TEXT}), *({NONE_TEXT} & both))
        return found

    # --- Which cells ------------------------------------------------------------------------------

    @property
    def is_of_orders(self) -> bool:
        """Whether orders and memberships are all there is."""
        views = dict(self.targets) == {DEFAULT_TARGET: None} and self.brands is None
        others = (self.touched, self.subscriptions, self.loyalty)
        return views and not self.counts_buyers and all(one is None for one in others)

    @property
    def counts_buyers(self) -> bool:
        """Whether a metric of one's own is about the buyers of a period."""
        return any("buyers" in (one.numerator, one.denominator) for one in self.own)

    @property
    def streams(self) -> tuple[Grouped[Any], ...]:
        """All that is walked, orders first, points last."""
        histories = (self.orders,) if self.touched is None else self.touched.scan.histories
        return histories if self.points is None else (*histories, self.points)

    @property
    def points(self) -> StoredEvents | None:
        """The points of the loyalty programme."""
        if self.loyalty is None or self.loyalty.points is None:
            return None
        return stored_events(self.loyalty.points)

    @property
    def last_touch(self) -> date | None:
        """The day of the last touch."""
        if self.touched is None:
            return None
        day = self.touched.scan.touches.tally.last_day
        return None if day is None else date_of(day)

    def unfinished_since(self, until: int | None) -> int:
        """Return the first day from which on orders may still come from what is sent.

        until: the last day that is known, where it is not that of the streams.
        """
        if self.touched is None:
            return int(LAST_DAY)
        scan = self.touched.scan
        days = [day for day in (scan.orders.tally.last_day, scan.touches.tally.last_day) if day]
        last = min(max(days, default=0), int(LAST_DAY) if until is None else until)
        windows = [one.window for one in scan.finder.classes.known]
        longest = max(windows, default=timedelta())
        return last + 1 - -(-longest // timedelta(days=1))

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The conditions of metrics of one's own, each once."""
        return tuple(dict.fromkeys(str(one.where) for one in self.own if one.where is not None))

    def catalogue(self, *, has_money: bool) -> Catalogue:
        """Return the metrics that this gives."""
        blocks = set(self.keys)
        others = self._other_groups
        further = [
            one
            for name, title in others.items()
            for one in group_metrics(GroupNames(name, title, _exports(title)))
        ]
        quantities = own_quantities(self.own)
        quantities |= {one.name: one for name in others for one in credited_quantities(name)}
        groups: set[str] = set()
        if self.touched is not None:
            groups |= {CRM, *self.touched.groups}
        own = tuple(as_declared(one) for one in self.own)
        is_snapshot = self.subscriptions is not None and self.subscriptions.is_snapshot
        return Catalogue(
            has_money,
            frozenset(blocks),
            frozenset(groups),
            (*further, *own),
            quantities,
            is_snapshot=is_snapshot,
            has_forgotten=bool(self.orders.forgotten),
        )

    @property
    def units(self) -> dict[str, Fraction]:
        """How many units of the sums make one, by what their numbers stand for."""
        found = {SHARES: Fraction(1), DISCOUNT: Fraction(1), POINTS: Fraction(1)}
        if self.touched is not None:
            found[SHARES] = Fraction(self.touched.share_unit)
        if self.discount is not None:
            found[DISCOUNT] = unit_of(AmountReader(self.discount))
        if self.points is not None:
            found[POINTS] = unit_of(AmountReader(self.points.columns.values[VALUE]))
        return found

    @cached_property
    def keys(self) -> dict[str, dict[Key, int]]:
        """The keys of each block that there is."""
        found: dict[str, list[Key]] = {}
        if self.counts_buyers:
            found[BOUGHT] = [Key(), *(Key(where=one) for one in self.conditions)]
        if self.touched is not None:
            own = [Key(where=one) for one in self.conditions]
            touched = self.touched
            found[CREDITED] = [*credit_keys(touched), *own]
            found[SENT] = [
                Key(group, BY_CAMPAIGN, name)
                for group in touched.groups
                if group == CAMPAIGN_GROUP
                for name in (touched.campaigns.texts if touched.campaigns else ())
            ]
            messages = message_keys(touched)
            for name in (*MESSAGE_BLOCKS, *VISIT_BLOCKS):
                found[name] = [*messages, *(own if name in (DELIVERED, REACHED) else ())]
        if self.subscriptions is not None:
            channels = self.subscriptions.channels
            found[SUBSCRIBED] = [Key(), *(Key(None, CHANNEL, name) for name in channels)]
        if self.loyalty is not None:
            found |= {MEMBERS: [Key()], BY_MEMBERS: [Key()]}
            if self.discount is not None:
                found[DISCOUNTED] = [Key()]
            if self.points is not None:
                found |= {AWARDED: [Key()], REDEEMED: [Key()]}
        return {
            name: {key: place for place, key in enumerate(dict.fromkeys(keys))}
            for name, keys in found.items()
        }

    @cached_property
    def keys_by_code(self) -> KeysByCode | None:
        """The keys of what touches are, by their codes; None without touches."""
        if self.touched is None:
            return None
        keys = self.keys
        return KeysByCode.of(self.touched, keys[CREDITED], keys[SENT], keys[DELIVERED])

    def blocks(self, plan: Plan) -> dict[str, BlockPlan]:
        """Return what is counted beside the cells of orders."""
        kinds = {CREDITED: MONEY, SENT: MONEY, BY_MEMBERS: MONEY, DISCOUNTED: DISCOUNT}
        kinds |= {AWARDED: POINTS, REDEEMED: POINTS}
        rows, columns, _ = plan.shape
        return {
            name: BlockPlan(
                name,
                keys,
                1 + max(self.number_of(view, name) or 0 for view in self.views),
                rows,
                columns,
                self._chunks(kinds.get(name, WHOLE), plan),
                has_pairs=name in (REACHED, BOUGHT),
            ).check()
            for name, keys in self.keys.items()
        }

    def _chunks(self, unit: str, plan: Plan) -> int:
        """Return how many chunks a sum has: of what has none, 0."""
        kinds: dict[str, pa.DataType | None] = {
            MONEY: plan.amount.given if plan.catalogue.has_money else None,
            DISCOUNT: self.discount,
            POINTS: None if self.points is None else self.points.columns.values[VALUE],
        }
        kind = kinds.get(unit)
        return 0 if kind is None else chunks_of(kind)

    @property
    def _other_groups(self) -> dict[str, str]:
        """The titles of groups that are not declared."""
        if self.touched is None:
            return {}
        return {
            one: GROUP_TITLES.get(one, one)
            for one in self.touched.groups
            if one not in GROUP_GRAINS
        }


def chunks_of(kind: pa.DataType) -> int:
    """Return how many chunks an exact sum of numbers of a type has."""
    return int(FLOAT_CHUNKS if pa.types.is_floating(kind) else INTEGER_CHUNKS)


def _exports(title: str) -> tuple[str, str, str, str]:
    word = "".join(part[:1].upper() + part[1:] for part in title.replace("-", " ").split())
    return (
        f"RevenueFrom{word}",
        f"RevenueShareFrom{word}",
        f"OrdersFrom{word}",
        f"AverageOrderValueFrom{word}",
    )


def _targets(targets: Mapping[str, Any] | None, orders: GroupedOrders) -> dict[str, Any]:
    if targets is None:
        return {DEFAULT_TARGET: None}
    if not isinstance(targets, Mapping) or not 0 < len(targets) <= MOST_TARGETS:
        raise ConfigError(
            (Option("targets"), printable(f" {targets!r} are no target actions")),
            remedy=f"pass up to {MOST_TARGETS} as a dict of conditions: "
            "{'Paid orders': \"status == 'paid'\"}, None for all orders",
        )
    found: dict[str, Condition | None] = {}
    for name, condition in targets.items():
        text = None if condition is None else as_text(condition)
        if not isinstance(name, str) or not name or not isinstance(text, str | None):
            raise ConfigError(
                (Option("targets"), printable(f" {name!r}: {condition!r}: no condition")),
                remedy="pass text such as \"status == 'paid'\", or None for all orders",
            )
        node = None if text is None else parsed(text, WITH_PATHS)
        found[name] = None if node is None else _fitted(node, orders.columns, "targets", name)
    return found


def _fitted(node: Node, columns: StreamColumns, option: str, name: str) -> Condition:
    """Return a condition; that it names a value which does not occur is told, and no error."""
    try:
        found = fitted(node, columns, missing="empty")
    except OrdercycleError as error:
        raise within(error, Option(option), f" {name!r}: ") from None
    if columns.has_events:
        try:
            check_texts(node, columns)
        except ConfigError as error:
            warn((Option(option), f" {name!r}: {error.what}"))
    return found


def _brands(brand: str, orders: GroupedOrders) -> Names:
    attribute = orders.columns.attributes.get(brand)
    if attribute is None:
        hint = suggestion(str(brand), orders.columns.attributes)
        raise ColumnError(
            (Option("brand", brand), f": the orders have no such attribute{hint}"),
            remedy=("name it in ", Option("Columns.attributes", (brand,))),
            column=str(brand),
        )
    names = Names.of(attribute)
    if names is None or len(names.texts) > MOST_BRANDS:
        raise ConfigError(
            (Option("brand", brand), f" has more than {MOST_BRANDS} values"),
            remedy="is it the right attribute?",
        )
    return names


def _touched(credited: Credited, found: Sources) -> Touched:
    if not isinstance(credited, Credited):
        raise ConfigError(
            (Option("credited"), printable(f": {type(credited).__name__} is no attribution")),
            remedy="pass what Attribution.credit returns",
        )
    scan = scan_of(credited)
    if scan.orders is not found.orders:
        raise ConfigError(
            (Option("credited"), " was made from another history"),
            remedy="credit the history that is reported",
        )
    if CRM in scan.finder.classes.group_names:
        raise ConfigError(
            (Option("credited"), f" has a group {CRM!r}, which stands for all groups here"),
            remedy=("name it otherwise in ", Option("Attribution.groups")),
        )
    columns = scan.touches.columns
    attributes = columns.attributes
    channels = Names.of(attributes[CHANNEL_COLUMN])
    if channels is None:
        raise AssertionError("touches have channels: checked where they are credited")
    campaigns, forms = attributes.get(CAMPAIGN), attributes.get(FORM)
    conditions = {}
    for where in found.conditions:
        node = condition_of(where, has_type=TYPE in attributes)
        conditions[where] = _fitted(node, columns, "where", where)
    brands = None
    if found.brand is not None and found.brands is not None and found.brand in attributes:
        of_touches = Names.of(attributes[found.brand])
        texts = {name: place + 1 for place, name in enumerate(found.brands.texts)}
        if of_touches is not None:
            own = [texts.get(name, -1) for name in of_touches.texts]
            brands = np.array(own, np.int64)[of_touches.by_code]
    return Touched(
        scan,
        channels,
        None if campaigns is None else Names.of(campaigns.lookups.get(TYPE)),
        None if forms is None else Names.of(forms.lookups.get(TYPE, forms)),
        Names.of(campaigns),
        conditions,
        brands,
    )


def _refuse_equal_names(own: Iterable[Metric], catalogue: Catalogue) -> None:
    """Raise a ConfigError where a metric of one's own is called as one of a group."""
    names = [name for one in catalogue.metrics for name in {one.name, one.export}]
    for one in own:
        for option, name in (("name", one.name), ("export", str(one.export))):
            # Its own name and export are there once, together where they are one.
            if names.count(name) > 1:
                raise ConfigError(
                    (Option(option, name), ": there is a metric of that name"),
                    remedy="choose another one",
                )


def _refuse_without_touches(own: Iterable[Metric]) -> None:
    for one in own:
        needs = {"crm_revenue", "crm_orders", "deliveries", "recipients"}
        if one.where is not None or needs & {one.numerator, one.denominator}:
            raise ConfigError(
                f"the metric {one.name!r} is about touches",
                remedy=("build the report with ", Option("credited")),
            )
