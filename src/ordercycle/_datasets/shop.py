"""The imagined shop: every assumption behind the generated orders, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from ordercycle._errors import ConfigError
from ordercycle._public import public


@public("ordercycle.datasets")
@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is assumed about the imagined shop. Plausible values of ours.

    Attributes
    ----------
    first_day, last_day
        The days the shop was open, both included.
    orders_per_customer
        Expected orders per registered customer, without refunds and guest orders.
    yearly_growth
        Registrations grow by this factor minus one a year, at a constant rate.
    never_order_share
        Share of customers who register and will never order.
    first_order_at_registration
        Share of the others who register by ordering; the rest take some time.
    days_to_first_order
        Mean days from registration to the first order for that rest (exponential).
    rate_shape
        Shape of the gamma distribution of purchase rates. Small: a few buy most.
    dropout_shape, dropout_scale_years
        Dropout rates are gamma distributed with this shape, and this scale in years for the
        inverse; lifetimes are therefore Pareto distributed.
    basket_median
        Median order amount.
    basket_spread_between, basket_spread_within
        Standard deviations of the logarithm of the amount, between customers and between the
        orders of one customer.
    refund_share
        Share of orders that are paid back.
    whole_refund_share
        Share of refunds that pay back the whole amount; the others pay back half of it.
    refund_days
        Mean days from the order to its refund (exponential, from three days on).
    guest_share
        Share of orders placed without a customer id.
    """

    first_day: date = date(2021, 1, 1)
    last_day: date = date(2025, 12, 31)
    orders_per_customer: float = 10.0
    yearly_growth: float = 0.25
    never_order_share: float = 0.07
    first_order_at_registration: float = 0.6
    days_to_first_order: float = 30.0
    rate_shape: float = 0.9
    dropout_shape: float = 0.8
    dropout_scale_years: float = 0.7
    basket_median: float = 45.0
    basket_spread_between: float = 0.45
    basket_spread_within: float = 0.55
    refund_share: float = 0.02
    whole_refund_share: float = 0.75
    refund_days: float = 10.0
    guest_share: float = 0.03

    def __post_init__(self) -> None:
        """Refuse what cannot be generated."""
        if self.last_day < self.first_day:
            raise ConfigError(
                f"last_day {self.last_day} is before first_day {self.first_day}",
                remedy="the shop must be open for a day at least",
            )
        if not (math.isfinite(self.orders_per_customer) and self.orders_per_customer >= 1):
            raise ConfigError(
                f"orders_per_customer is {self.orders_per_customer}", remedy="it must be 1 or more"
            )
