"""The metrics that a report has: those that what it was made of tells, and those of its user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ordercycle._errors import ConfigError, Option, suggestion
from ordercycle._report.metrics import METRICS, Metric
from ordercycle._report.quantities import (
    AWARDED,
    BASE,
    BY_MEMBERS,
    CLICKED,
    COLLECTED,
    CREDITED,
    DELIVERED,
    DISCOUNTED,
    KNOWN,
    MEMBERS,
    OPENED,
    QUANTITIES,
    REACHED,
    REDEEMED,
    SENT,
    SUBSCRIBED,
    UNSUBSCRIBED,
    VISITED,
    Quantity,
    base_quantities,
    of_known,
)

#: What metrics need that a report may be without, by the blocks of their cells.
NEEDS = {
    **dict.fromkeys(
        (CREDITED, SENT, DELIVERED, OPENED, CLICKED, UNSUBSCRIBED, REACHED, VISITED, COLLECTED),
        "credited",
    ),
    SUBSCRIBED: "subscriptions",
    **dict.fromkeys((MEMBERS, BY_MEMBERS), "loyalty"),
    DISCOUNTED: "Loyalty.discount",
    **dict.fromkeys((AWARDED, REDEEMED), "Loyalty.points"),
}

#: What the names of metrics end in of which only the present is known.
SNAPSHOT = "(snapshot)"


@dataclass(frozen=True)
class Catalogue:
    """The metrics of a report, in the order of its columns, and the quantities of them.

    blocks: which further cells there are; groups: of the attribution, and all of them together;
    has_forgotten: whether there may be orders of customers who are forgotten. Then metrics of
    customers leave these out, above and below: a quotient is of the same customers.
    """

    has_money: bool
    blocks: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    own: tuple[Metric, ...] = ()
    own_quantities: Mapping[str, Quantity] | None = None
    is_snapshot: bool = False  # of who is subscribed nothing is known but the present
    has_forgotten: bool = False

    def quantity(self, name: str) -> Quantity:
        """Return a quantity by its name."""
        whole = name.removesuffix(KNOWN)
        found = QUANTITIES.get(whole)
        if found is None:
            found = (self.own_quantities or {})[whole]
        return found if whole == name else replace(found, name=name)

    def quantities(self, metric: Metric) -> tuple[Quantity, ...]:
        """Return what a metric is made of, each quantity once."""
        found = (one for part in metric.parts for one in base_quantities(part, self.quantity))
        return tuple({one.name: one for one in found}.values())

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, in order."""
        found = [one for one in (*METRICS, *self.own) if not self._lacks(one)]
        if self.is_snapshot:
            found = [
                replace(one, name=f"{one.name} {SNAPSHOT}") if "subscribers" in one.parts else one
                for one in found
            ]
        if self.has_forgotten:
            found = [self._of_known(one) for one in found]
        return tuple(found)

    @cached_property
    def not_given(self) -> tuple[str, ...]:
        """What further metrics need and the report was built without."""
        given = {NEEDS[block] for block in self.blocks if block in NEEDS}
        return tuple(dict.fromkeys(need for need in NEEDS.values() if need not in given))

    def metric(self, name: str) -> Metric:
        """Return a metric, or raise a ConfigError that says which there are."""
        known = {metric.name: metric for metric in self.metrics}
        if name in known:
            return known[name]
        present = f"{name} {SNAPSHOT}"
        if present in known:
            raise ConfigError(
                f"there is no metric {name!r}: only the present is known of it",
                remedy=f"ask for {present!r}, or pass subscriptions with intervals",
            )
        for one in METRICS:
            if one.name == name:
                raise self._lacking(one)
        exported = {metric.export: metric.name for metric in self.metrics}
        hint = suggestion(str(name), known)
        if name in exported:
            hint = f", which is the export's name of {exported[name]!r}"
        raise ConfigError(
            f"there is no metric {name!r}{hint}",
            remedy=f"there are {', '.join(map(repr, known))}",
        )

    def named(self, names: Sequence[str] | None) -> tuple[Metric, ...]:
        """Return several metrics; None: all."""
        if names is None:
            return self.metrics
        if isinstance(names, str):
            raise ConfigError(
                (Option("metrics", names), " is no list of names"),
                remedy=("pass ", Option("metrics", [names])),
            )
        return tuple(self.metric(name) for name in names)

    def by_grain(self, names: Sequence[str] | None, grain: str) -> tuple[Metric, ...]:
        """Return metrics that are known by channel or type; None: all of them."""
        if names is None:
            return tuple(one for one in self.metrics if grain in one.grains)
        chosen = self.named(names)
        for one in chosen:
            if grain not in one.grains:
                known = [repr(other.name) for other in self.by_grain(None, grain)]
                raise ConfigError(
                    f"{one.name!r} is not counted by {grain.replace('_', ' ')}",
                    remedy=f"these are: {', '.join(known) or 'none'}",
                )
        return chosen

    def by_campaign(self, name: str) -> Metric:
        """Return a metric that is known by campaign."""
        metric = self.metric(name)
        if not self._has_campaigns(metric):
            known = [repr(one.name) for one in self.metrics if self._has_campaigns(one)]
            raise ConfigError(
                f"{name!r} is not counted by campaign",
                remedy=f"these are: {', '.join(known) or 'none'}",
            )
        return metric

    def _of_known(self, metric: Metric) -> Metric:
        """Return a metric without customers who are forgotten, where it is of customers."""
        if not metric.of_customers and not any(one.of_customers for one in self.quantities(metric)):
            return metric
        return replace(
            metric,
            numerator=tuple(map(of_known, metric.numerator)),
            denominator=tuple(map(of_known, metric.denominator)),
        )

    def _has_campaigns(self, metric: Metric) -> bool:
        parts = [one for name in metric.numerator for one in base_quantities(name, self.quantity)]
        return all(one.campaigns is not None for one in parts)

    def _lacks(self, metric: Metric) -> bool:
        return any(
            (one.is_money and not self.has_money)
            or (one.block != BASE and one.block not in self.blocks)
            or (one.group is not None and one.group not in self.groups)
            for one in self.quantities(metric)
        )

    def _lacking(self, metric: Metric) -> ConfigError:
        """Return what is said of a metric that this report does not have."""
        if metric.is_money and not self.has_money:
            return ConfigError(
                f"{metric.name!r} is about money, and the orders of this report have no amounts",
                remedy=("build the history with ", Option("Columns.amount")),
            )
        blocks = [one.block for one in self.quantities(metric)]
        missing = next((one for one in blocks if one in NEEDS and one not in self.blocks), None)
        if missing is None:
            return ConfigError(
                f"{metric.name!r} is not counted: the attribution has no such group",
                remedy=("name it in ", Option("Attribution.groups")),
            )
        return ConfigError(
            f"{metric.name!r} needs more than orders",
            remedy=("build the report with ", Option(NEEDS[missing])),
        )
