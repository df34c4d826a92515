"""The thresholds of the lifecycle: given, by the name of a trade, or fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar, Self

from ordercycle._days import day_number
from ordercycle._errors import ConfigError, Option, suggestion, whole_number
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._segments.counting_rounds import fit
from ordercycle._segments.gap_fit import GapAccount, GapRound, share_of
from ordercycle._segments.presets import LIFECYCLE_PRESETS, LifecyclePreset
from ordercycle._segments.reprs import Shown
from ordercycle._segments.serialization import options_of

THRESHOLDS = ("new_days", "active_days", "churned_days")


@dataclass(frozen=True, kw_only=True, repr=False)
class Thresholds(Shown):
    """The days at which a customer changes segment by doing nothing, and ways to find them."""

    new_days: int = 30
    active_days: int = 120
    churned_days: int = 255
    account: GapAccount | None = field(default=None, repr=False)

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for name in THRESHOLDS:
            days = whole_number(getattr(self, name))
            if days is None or not 0 <= days < 2**31:
                raise ConfigError(
                    (Option(name, getattr(self, name)), " is no number of days"),
                    remedy="pass 0 or more",
                )
            object.__setattr__(self, name, days)  # a NumPy integer becomes an int
        if self.active_days >= self.churned_days:
            raise ConfigError(f"{self!r}: active_days has to be less than churned_days")

    @classmethod
    def preset(cls, name: str) -> Self:
        """Return the lifecycle with the thresholds of a named kind of trade.

        Raises
        ------
        ConfigError
            Where there is no preset of that name.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Lifecycle.preset("fashion")
        Lifecycle(new_days=30, active_days=120, churned_days=255)
        """
        preset = LIFECYCLE_PRESETS.get(name)
        if preset is None:
            raise ConfigError(
                f"there is no lifecycle preset {name!r}{suggestion(str(name), LIFECYCLE_PRESETS)}",
                remedy=f"there are {', '.join(map(repr, LIFECYCLE_PRESETS))}",
            )
        return cls(
            new_days=preset.new_days,
            active_days=preset.active_days,
            churned_days=preset.churned_days,
        )

    @staticmethod
    def presets() -> Mapping[str, LifecyclePreset]:
        """Return all presets by name, with their thresholds and where these come from.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Lifecycle.presets()["fashion"].published
        True
        """
        return MappingProxyType(LIFECYCLE_PRESETS)

    def fit(
        self,
        history: OrderHistory,
        as_of: date | str,
        *,
        active_share: float = 0.80,
        churned_share: float = 0.95,
    ) -> Self:
        """Return the lifecycle with thresholds that fit how this shop's customers come back.

        Over customers with two or more orders, every gap between orders weighs 1 / (number of
        the customer's gaps), so that each repeat customer counts once. ``active_days`` is the
        smallest day within which `active_share` of the weight ends; ``churned_days`` the
        smallest above it for `churned_share`; ``new_days`` stays. (The vendor whose segments
        these are says only "from the average number of orders and the time between them"; the
        rule is ours.)

        Parameters
        ----------
        history
            All orders: a profile has no gaps one by one.
        as_of
            Orders up to this day count.
        active_share, churned_share
            Shares above 0 and up to 1, the first not above the second.

        Returns
        -------
        Lifecycle
            With an :attr:`account` of what the thresholds were fitted from.

        Raises
        ------
        DataError
            Where nobody has ordered twice.
        ConfigError
            Where a share or the day makes no sense.

        Warns
        -----
        OrdercycleWarning
            Under 100 repeat customers, or where the history is shorter than twice the fitted
            ``churned_days``.

        Examples
        --------
        >>> import datetime, warnings, pyarrow as pa, ordercycle as oc
        >>> days = [datetime.date(2025, 1, 1) + datetime.timedelta(gap) for gap in (0, 20, 40, 90)]
        >>> orders = pa.table({
        ...     "customer_id": ["ann"] * 4, "ordered_at": days, "amount": [1.0] * 4
        ... })
        >>> with warnings.catch_warnings(action="ignore"):  # one customer says little
        ...     fitted = oc.Lifecycle().fit(oc.OrderHistory.build(orders), "2026-01-01")
        >>> fitted
        Lifecycle(new_days=30, active_days=50, churned_days=51; fitted as of 2026-01-01 from 1 \
repeat customer)
        >>> fitted.account.gap_days
        ((0.5, 20), (0.8, 50), (0.9, 50), (0.95, 50))
        """
        if not isinstance(history, OrderHistory):
            raise ConfigError(
                "Lifecycle.fit takes an OrderHistory, which has every gap between orders, not a "
                f"{type(history).__name__}"
            )
        grouped = grouped_orders(history)
        first = self.first_round(
            as_of,
            net_refunds=grouped.spec.net_refunds,
            active_share=active_share,
            churned_share=churned_share,
        )
        made: Self = fit(first, lambda now: grouped.scan(lambda _, batch, __: now.count(batch)))
        return made

    def first_round(
        self, as_of: date | str, *, net_refunds: bool, active_share: float, churned_share: float
    ) -> GapRound:
        """Return the fit as rounds over the customers of a history, for any engine to run."""
        shares = share_of(active_share, "active_share"), share_of(churned_share, "churned_share")
        if shares[0] > shares[1]:
            raise ConfigError(
                (
                    Option("active_share", active_share),
                    " is above ",
                    Option("churned_share", churned_share),
                ),
                remedy="swap them: customers churn after they cease to be active",
            )
        return GapRound(
            as_of=day_number(as_of, "as_of"),
            net_refunds=net_refunds,
            active_share=shares[0],
            churned_share=shares[1],
            scheme=self,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds, and what they were fitted from, as plain values.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Lifecycle().to_dict()
        {'scheme': 'lifecycle', 'new_days': 30, 'active_days': 120, 'churned_days': 255}
        """
        made: dict[str, Any] = {"scheme": self.name}
        made |= {name: getattr(self, name) for name in THRESHOLDS}
        return made if self.account is None else made | {"account": self.account.to_dict()}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the lifecycle that `to_dict` wrote."""
        return cls(**options_of(given, cls, (*THRESHOLDS, "account"), GapAccount))
