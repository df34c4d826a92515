"""The nine lifecycle segments, and their thresholds: given, by the name of a trade, or fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, counted, suggestion, whole_number
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.exact import LifecycleIntervals, Span
from ordercycle._membership.membership import Membership
from ordercycle._public import public
from ordercycle._segments.assigning import (
    Produced,
    appended,
    refuse_bad_orders,
    refuse_missing,
    refuse_taken,
    refuse_undecided,
    refuse_window,
    selected,
    views,
)
from ordercycle._segments.counting_rounds import fit
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.explaining import Reason
from ordercycle._segments.lifecycle_fit import GapAccount, gap_round
from ordercycle._segments.next_transition import LookAhead
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.scheme_options import SchemeOption
from ordercycle_kernels.lifecycle import lifecycle_codes, next_lifecycle_codes


@public()
@dataclass(frozen=True, kw_only=True)
class LifecyclePreset:
    """Thresholds of the lifecycle segments for a kind of trade.

    Attributes
    ----------
    new_days, active_days, churned_days
        The thresholds, in days.
    published
        Whether a vendor published these numbers; otherwise they were fitted by us.
    source
        Where they come from.
    """

    new_days: int
    active_days: int
    churned_days: int
    published: bool
    source: str


_FITTED = (
    "active_days and churned_days fitted by ordercycle, not published: the smallest days that hold "
    "80 % and 95 % of the gaps between orders, every repeat customer counted once, "
)

LIFECYCLE_PRESETS: dict[str, LifecyclePreset] = {
    "fashion": LifecyclePreset(
        new_days=30,
        active_days=120,
        churned_days=255,
        published=True,
        source=(
            "published by Maestra for fashion (apparel, shoes and accessories): Customer Lifecycle "
            "Segmentation, help.maestra.io/en/articles/11900062"
        ),
    ),
    "grocery": LifecyclePreset(
        new_days=30,
        active_days=16,
        churned_days=56,
        published=False,
        source=_FITTED + "over the baskets of the Complete Journey grocery data (2,469 households)",
    ),
    "music": LifecyclePreset(
        new_days=30,
        active_days=206,
        churned_days=381,
        published=False,
        source=_FITTED + "over the CDNOW master file (23,570 customers who began in early 1997)",
    ),
}


#: In the order of the kernel's codes.
SEGMENTS = (
    "New – no orders",
    "New – 1 order",
    "New – 2+ orders",
    "Promising",
    "Active",
    "Loyal",
    "At-risk",
    "Churned",
    "Inactive (no orders)",
)
PRODUCED = (Produced("lifecycle", SEGMENTS, nullable=False),)

#: The profile columns that decide the segment, and their types.
INPUTS = {
    "days_since_registration": (pa.int32(),),
    "days_since_last_order": (pa.int32(),),
    "orders": (pa.int64(),),
}
THRESHOLDS = ("new_days", "active_days", "churned_days")

#: The rule of each segment, in words, and the columns that it looks at.
REASONS_READ = ("days_since_registration", "orders", "days_since_last_order")
_NEW, _LATER = "registered at most {new_days} ago", "registered more than {new_days} ago"
_ACTIVE = "the last one at most {active_days} ago"
_AT_RISK = "the last order more than {active_days} and at most {churned_days} ago"
REASONS = {
    "New – no orders": f"{_NEW}, no orders",
    "New – 1 order": f"{_NEW}, 1 order",
    "New – 2+ orders": f"{_NEW}, 2 or more orders",
    "Promising": f"{_LATER}, 1 order, {_ACTIVE}",
    "Active": f"{_LATER}, 2 orders, {_ACTIVE}",
    "Loyal": f"{_LATER}, 3 or more orders, {_ACTIVE}",
    "At-risk": f"{_LATER}, {_AT_RISK}",
    "Churned": f"{_LATER}, the last order more than {{churned_days}} ago",
    "Inactive (no orders)": f"{_LATER}, no orders",
}


@public()
@dataclass(frozen=True, kw_only=True, repr=False)
class Lifecycle(Scheme):
    """Nine segments from registration, number of orders and days since the last order.

    With A = days_since_registration, r = days_since_last_order, n = orders:

    ======================  =========================================
    New – no orders         A <= new_days, n = 0
    New – 1 order           A <= new_days, n = 1
    New – 2+ orders         A <= new_days, n >= 2
    Promising               n = 1, r <= active_days
    Active                  n = 2, r <= active_days
    Loyal                   n >= 3, r <= active_days
    At-risk                 n >= 1, active_days < r <= churned_days
    Churned                 n >= 1, r > churned_days
    Inactive (no orders)    n = 0
    ======================  =========================================

    The last six apply to customers with A > new_days; every customer is in exactly one.

    Parameters
    ----------
    new_days, active_days, churned_days
        The thresholds in days; the defaults are published for fashion.
    account
        What the thresholds were fitted from: set by :meth:`fit`.

    Examples
    --------
    >>> Lifecycle(active_days=60, churned_days=180)
    Lifecycle(new_days=30, active_days=60, churned_days=180)
    """

    new_days: int = 30
    active_days: int = 120
    churned_days: int = 255
    account: GapAccount | None = field(default=None, repr=False)

    name = "lifecycle"
    reads = tuple(INPUTS)
    fitted_to = "history"
    recalculates = False
    foretells = True
    command_options = (
        SchemeOption(name="preset", help="thresholds such as fashion", replaces=THRESHOLDS),
        SchemeOption(name="new_days", type=int, least=0, help="new until then"),
        SchemeOption(name="active_days", type=int, least=0, help="active until then"),
        SchemeOption(name="churned_days", type=int, least=0, help="at-risk until then"),
    )
    _account_type = GapAccount

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
        first = gap_round(
            self,
            as_of,
            net_refunds=grouped.spec.net_refunds,
            active_share=active_share,
            churned_share=churned_share,
        )
        return fit(first, lambda now: grouped.scan(lambda _, batch, __: now.count(batch)))

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""
        return SEGMENTS

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's segment to a profile.

        Parameters
        ----------
        table
            A profile (:meth:`OrderHistory.profile`), or any table with its columns
            ``days_since_registration`` (int32), ``days_since_last_order`` (int32, null without
            orders) and ``orders`` (int64); from any source that :meth:`OrderHistory.build`
            takes. Integers of any width, whole floats, midnights, text and dictionaries become
            the types above; NaN and empty text are missing values.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with a column ``lifecycle``: dictionary<int8, string>, codes in the order
            of :attr:`segments`, never null.

        Raises
        ------
        ColumnError
            Where a column is missing, has another type, or ``lifecycle`` is there already.
        DataError
            Where a value does not fit its column, one that decides the segment is null, or orders
            are negative.
        ConfigError
            Where the profile has a window: what lies before it decides too.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_registration": pa.array([400, 10], pa.int32()),
        ...     "days_since_last_order": pa.array([200, None], pa.int32()),
        ...     "orders": pa.array([4, 0], pa.int64()),
        ... })
        >>> Lifecycle().assign(profile)["lifecycle"].to_pylist()
        ['At-risk', 'New – no orders']
        """
        table = as_table(table)
        refuse_taken(table, PRODUCED)
        inputs, thresholds = _checked(table), self._days

        def write(batch: pa.RecordBatch, codes: Sequence[NDArray[np.int8]]) -> None:
            registered, last_order, orders = views(batch)
            lifecycle_codes(registered, last_order, orders, thresholds, codes[0])

        return appended(table, inputs, PRODUCED, write, threads=threads)

    def _look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:
        thresholds = self._days

        def write(batch: pa.RecordBatch, codes: NDArray[np.int8], days: NDArray[np.int64]) -> None:
            registered, last_order, orders = views(batch)
            next_lifecycle_codes(registered, last_order, orders, thresholds, codes, days)

        return _checked(table), write

    @property
    def _days(self) -> NDArray[np.int32]:
        return np.array([self.new_days, self.active_days, self.churned_days], np.int32)

    def membership(
        self,
        history: OrderHistory,
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        every: str | None = None,
        window_days: int | None = None,
        schemes: Sequence[Scheme] = (),
        streams: Mapping[str, Any] | None = None,
        missing: str = "error",
    ) -> Membership:
        """Return who was in which segment, and when, to the day.

        The segment on a day is that of the profile as of the day: orders of the day are in it.
        Memberships change at the registration, at orders and when a threshold expires, and are
        computed from these, not day by day.

        Parameters
        ----------
        history
            The orders.
        start
            The first day of interest: intervals begin no earlier. None: with the registration.
        end
            The last day, as of which the membership is known: orders and registrations of later
            days are not looked at, and the interval that holds this day stays open. None: the
            last day there is, 2199-12-31, as if nothing more were ever bought.
        every, window_days, schemes, streams, missing
            Of schemes that are recalculated on a schedule; here they mean nothing.

        Returns
        -------
        Membership
            For each customer, intervals without gaps from the registration on, of which no two
            neighbours have the same segment.

        Raises
        ------
        ConfigError
            Where `start` or `end` is no day, `start` is after `end`, or an option is given that
            means nothing here.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann"],
        ...     "ordered_at": [datetime.date(2025, 12, 3), datetime.date(2025, 12, 20)],
        ...     "amount": [20.0, 30.0],
        ... })
        >>> history = OrderHistory.build(orders)
        >>> for row in Lifecycle().membership(history, end="2026-06-30").to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        New – 1 order 2025-12-03 2025-12-20
        New – 2+ orders 2025-12-20 2026-01-03
        Active 2026-01-03 2026-04-20
        At-risk 2026-04-20 None
        """
        self._refuse_meaningless(
            every=every,
            window_days=window_days,
            schemes=schemes,
            streams=streams,
            missing=missing,
        )
        thresholds = (self.new_days, self.active_days, self.churned_days)
        intervals = LifecycleIntervals(history, thresholds, Span.of(start, end))
        return Membership(self.segments, intervals)

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds, and what they were fitted from, as plain values.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Lifecycle().to_dict()
        {'scheme': 'lifecycle', 'new_days': 30, 'active_days': 120, 'churned_days': 255}
        """
        return super().to_dict()

    def _reason(self, table: pa.Table, segment: str | None, _: StreamsAsOf | None) -> Reason:
        numbers = table.select(list(REASONS_READ)).to_pylist()[0]
        if numbers["days_since_last_order"] is None:
            del numbers["days_since_last_order"]
        return Reason(self._in_words()[str(segment)], numbers)

    def _in_words(self) -> Mapping[str, str]:
        days = {name: counted(getattr(self, name), "day") for name in THRESHOLDS}
        return {segment: text.format(**days) for segment, text in REASONS.items()}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the lifecycle that `to_dict` wrote, or with a ``preset`` in place of the days."""
        if "preset" not in given:
            return super().from_dict(given)
        both = [name for name in THRESHOLDS if name in given]
        if both:
            raise ConfigError(
                (Option("preset", given["preset"]), " sets ", Option(both[0]), " too"),
                remedy="give either a preset or days of your own",
            )
        preset = cls.preset(given["preset"])
        others = {name: value for name, value in given.items() if name != "preset"}
        return super().from_dict(preset.to_dict() | others)


def _checked(table: pa.Table) -> pa.Table:
    """Return the columns that decide a segment; none of their values is null or makes no sense."""
    refuse_window(table, "in which a loyal customer looks like a newcomer")
    inputs = selected(table, INPUTS)
    registered = inputs.column("days_since_registration")
    if registered.null_count:
        refuse_undecided("days_since_registration is null", registered.is_null())
    refuse_bad_orders(inputs.column("orders"))
    refuse_missing(inputs, "days_since_last_order", at_least=1)
    return inputs
