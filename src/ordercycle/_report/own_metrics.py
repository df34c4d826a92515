"""Metrics of one's own: quotients of quantities, of orders that certain touches won."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Column, Node, Path, replaced
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._public import public
from ordercycle._report import metrics as declared
from ordercycle._report.quantities import (
    BOUGHT,
    CREDITED,
    CRM,
    DELIVERED,
    DISTINCT,
    DURING,
    MONEY,
    QUANTITIES,
    REACHED,
    SHARES,
    Quantity,
)

#: What one's own metrics are made of, and what the report calls it.
NAMES = {
    "revenue": "revenue",
    "orders": "orders",
    "crm_revenue": f"revenue from {CRM}",
    "crm_orders": f"orders from {CRM}",
    "deliveries": "deliveries",
    "recipients": "reach",
    "customers": "customers",
    "buyers": "period buyers",
}
UNITS = (
    declared.REVENUE, declared.ORDERS, declared.CUSTOMERS, declared.MESSAGES, declared.SHARE,
    declared.PER_RECIPIENT, declared.NUMBER,
)  # fmt: skip
TYPE, OF_CAMPAIGN = "type", ("campaign", "type")


@public()
@dataclass(frozen=True)
class Metric:
    """A metric of one's own for a :class:`SegmentReport`.

    Parameters
    ----------
    name
        What the report calls it.
    numerator, denominator
        ``"revenue"``, ``"orders"``, ``"crm_revenue"``, ``"crm_orders"``, ``"deliveries"``,
        ``"recipients"`` (different customers with a delivery in the period), ``"customers"`` (in
        the segment on the period's last day) or ``"buyers"`` (different customers with an order in
        the period). Without a denominator, the numerator itself.
    where
        A condition over touches: ``channel``, ``campaign``, ``form``, and ``type`` or
        ``campaign.type`` of the campaign's lookup. Orders, revenue and buyers are then those of
        orders that are credited to a touch of the kind: an order counts once and whole, however
        many touches it is credited to. Deliveries and recipients are those of such messages. Where
        `numerator` and `denominator` are one and the same, the numerator alone is of the kind, so
        that the metric is its share of all.
    unit
        ``"currency"``, ``"orders"``, ``"customers"``, ``"messages"``, ``"share"``,
        ``"messages per recipient"`` or ``"points"``.
    export
        The name of its column in exports; None: the name without blanks.

    Raises
    ------
    ConfigError
        A quantity or the unit is none of these, or `where` is no condition.

    Examples
    --------
    >>> Metric("Popup revenue", "revenue", where="channel == 'Popup'", unit="currency").export
    'PopupRevenue'
    """

    name: str
    numerator: str
    denominator: str | None = None
    where: Any = field(default=None, kw_only=True)
    unit: str = field(kw_only=True)
    export: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for option in ("name", "export"):
            given = getattr(self, option)
            is_missing = given is None and option == "export"
            if not is_missing and not (isinstance(given, str) and given.strip()):
                raise ConfigError(
                    (Option(option, given), " is no name"), remedy="pass text that is not blank"
                )
        check_choice("numerator", self.numerator, NAMES)
        if self.denominator is not None:
            check_choice("denominator", self.denominator, NAMES)
        check_choice("unit", self.unit, UNITS)
        if self.where is not None:
            text: Any = as_text(self.where)
            if not isinstance(text, str):
                raise ConfigError(
                    (Option("where", self.where), " is no condition"),
                    remedy="pass text such as \"channel == 'Popup'\"",
                )
            parsed(text, WITH_PATHS)
            object.__setattr__(self, "where", text)
            if {self.numerator, self.denominator} <= {"customers", None}:
                raise ConfigError(
                    (Option("where", self.where), " is about touches, and customers are not"),
                    remedy="leave it out, or count 'recipients' or 'buyers'",
                )
        if self.export is None:
            object.__setattr__(self, "export", _without_blanks(self.name))


def _without_blanks(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", name))


def check_own(metrics: object) -> tuple[Metric, ...]:
    """Return metrics of one's own, or raise a ConfigError: they are none, or a name is taken."""
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise ConfigError(
            (Option("metrics", metrics), " is no list of metrics"),
            remedy="pass a list of oc.Metric(...)",
        )
    given = tuple(metrics)
    taken = {one.name for one in declared.METRICS} | {one.export for one in declared.METRICS}
    for one in given:
        if not isinstance(one, Metric):
            raise ConfigError(
                (Option("metrics", one), " is no metric"), remedy="pass a list of oc.Metric(...)"
            )
        for option, name in (("name", one.name), ("export", one.export)):
            if name in taken:
                raise ConfigError(
                    (Option(option, name), ": there is a metric of that name"),
                    remedy="choose another one",
                )
        taken |= {one.name, str(one.export)}
    return given


def as_declared(metric: Metric) -> declared.Metric:
    """Return a metric of one's own as the report declares those of its own."""
    below: tuple[str, ...] = ()
    if metric.denominator is not None:
        # Of one and the same: a share of all, conditions are those of the numerator.
        is_share = metric.numerator == metric.denominator
        name = metric.denominator
        below = (NAMES[name] if is_share else _quantity_name(metric, name),)
    return declared.Metric(
        metric.name,
        str(metric.export),
        metric.unit,
        declared.PERIOD,
        (_quantity_name(metric, metric.numerator),),
        below,
        doc="of one's own" if metric.where is None else f"where {metric.where}",
    )


def own_quantities(metrics: Iterable[Metric]) -> dict[str, Quantity]:
    """Return the quantities of metrics with conditions, by their names."""
    return {
        name: one
        for metric in metrics
        if metric.where is not None
        for name, one in _of_condition(str(metric.where))
    }


def _of_condition(where: str) -> Iterator[tuple[str, Quantity]]:
    for quantity, over, unit, block in (
        ("revenue", DURING, MONEY, CREDITED),
        ("orders", DURING, SHARES, CREDITED),
        ("deliveries", DURING, QUANTITIES["deliveries"].unit, DELIVERED),
        ("reach", DISTINCT, QUANTITIES["reach"].unit, REACHED),
        ("period buyers", DISTINCT, QUANTITIES["period buyers"].unit, BOUGHT),
    ):
        name = f"{quantity} where {where}"
        is_of_customers = over == DISTINCT
        made = Quantity(
            name, over, unit=unit, block=block, where=where, of_customers=is_of_customers
        )
        yield name, made


def _quantity_name(metric: Metric, quantity: str) -> str:
    name = NAMES[quantity]
    if metric.where is None or quantity == "customers":
        return name
    return f"{name.removesuffix(f' from {CRM}')} where {metric.where}"


def condition_of(where: str, *, has_type: bool) -> Node:
    """Return a condition over touches, in which ``type`` is that of the campaign.

    has_type: whether touches have a type themselves.
    """

    def of_campaign(one: Node) -> Node | None:
        if isinstance(one, Column) and one.name == TYPE and not has_type:
            return Path(one.written, OF_CAMPAIGN)
        return None

    return replaced(parsed(where, WITH_PATHS), of_campaign)
