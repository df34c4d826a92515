"""Four groups by a customer's own rhythm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, check_choice, counted, whole_number
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.exact import CadenceIntervals, Span
from ordercycle._membership.membership import Membership
from ordercycle._public import public
from ordercycle._segments.assigning import (
    Produced,
    appended,
    refuse_taken,
    refuse_window,
    views,
)
from ordercycle._segments.cadence_fit import INPUTS, CadenceAccount, CadenceRound, checked_gaps
from ordercycle._segments.counting_rounds import fit_profile
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.explaining import Reason
from ordercycle._segments.next_transition import LookAhead
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.scheme_options import SchemeOption
from ordercycle_kernels import cadence as kernels

#: In the order of the kernel's codes.
SEGMENTS = ("Just ordered", "Active", "Slipping away", "Lost")
PRODUCED = (Produced("cadence", SEGMENTS, nullable=True),)
SCOPES = ("personal", "population")


#: The rule of each group, in words.
REASONS = {
    "Just ordered": "the last order at most {days} ago",
    "Active": "silent no longer than the expected gap and its deviation",
    "Slipping away": "silent no longer than the expected gap and twice its deviation",
    "Lost": "silent for longer than the expected gap and twice its deviation",
}


@public()
@dataclass(frozen=True, kw_only=True, repr=False)
class Cadence(Scheme):
    """Four groups by days since the last order, against the customer's own gaps between orders.

    With r = days_since_last_order, μ and σ the mean and standard deviation of a customer's gaps:

    =============  ======================
    Just ordered   r <= just_ordered_days
    Active         r <= μ + σ
    Slipping away  r <= μ + 2σ
    Lost           beyond
    =============  ======================

    The first that holds counts; customers without orders have no group (null). The bands are
    published by Clerk.io. Ours is that μ and σ of a customer with few gaps lean on those of all
    gaps of all customers, μ₀ and σ₀: with g gaps, μ' = (g·μ + k·μ₀) / (g + k) and
    σ'² = (g·σ² + k·σ₀²) / (g + k), where σ² has the divisor g and k is `prior_gaps`. Who ordered
    once has μ₀ and σ₀. A band ends with its last whole day, a billionth of a day aside.

    Parameters
    ----------
    prior_gaps
        k: for how many gaps of the customer's own those of all customers count; 0: for none.
    just_ordered_days
        Days after an order in which nothing can be said yet.
    scope
        ``"personal"``, or ``"population"``: μ₀ and σ₀ for everybody.
    account
        μ₀ and σ₀, and what they were fitted from: set by :meth:`fit`.

    Examples
    --------
    >>> Cadence(just_ordered_days=14)
    Cadence(prior_gaps=1, just_ordered_days=14, scope='personal')
    """

    prior_gaps: float = 1
    just_ordered_days: int = 30
    scope: str = "personal"
    account: CadenceAccount | None = field(default=None, repr=False)

    name = "cadence"
    reads = tuple(INPUTS)
    fitted_to = "profile"
    recalculates = False
    foretells = True
    command_options = (
        SchemeOption(
            name="prior_gaps",
            type=float,
            least=0,
            help="how many gaps of one's own the rhythm of all customers counts for",
        ),
        SchemeOption(name="just_ordered_days", type=int, least=0, help="just ordered until then"),
        SchemeOption(
            name="scope",
            choices=SCOPES,
            help="a rhythm for each customer, or that of all for everybody",
        ),
    )
    _account_type = CadenceAccount

    def __post_init__(self) -> None:
        prior = self.prior_gaps
        number = isinstance(prior, (int, float, np.number)) and not isinstance(prior, bool)
        if not number or not 0 <= prior < 2**31:
            raise ConfigError(
                (Option("prior_gaps", prior), " is no number of gaps"),
                remedy="pass one from 0 to 2**31",
            )
        whole_prior = whole_number(prior)
        object.__setattr__(self, "prior_gaps", float(prior) if whole_prior is None else whole_prior)
        days = whole_number(self.just_ordered_days)
        if days is None or not 0 <= days < 2**31:
            raise ConfigError(
                (Option("just_ordered_days", self.just_ordered_days), " is no number of days"),
                remedy="pass 0 or more",
            )
        object.__setattr__(self, "just_ordered_days", days)
        check_choice("scope", self.scope, SCOPES)

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the groups, in the order of their codes."""
        return SEGMENTS

    def fit(self, table: Any, *, threads: int | None = None) -> Self:
        """Return the cadence with the mean and the spread of all customers' gaps.

        Parameters
        ----------
        table
            A profile, or a table with its columns ``orders`` (int64), ``lifetime_days`` (int32)
            and ``gap_square_sum`` (int64), the last two null under two orders or any value. A
            windowed one gives the rhythm of its days.
        threads
            How many threads to use; None: every core this process may use.

        Raises
        ------
        ColumnError
            Where a column is missing or has another type.
        DataError
            Where nobody has ordered twice, a value is null that the orders call for, or no gaps can
            have the sums of these columns.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_last_order": pa.array([12, 40, 90, None], pa.int32()),
        ...     "orders": pa.array([3, 3, 1, 0], pa.int64()),
        ...     "lifetime_days": pa.array([20, 60, 0, None], pa.int32()),
        ...     "gap_square_sum": pa.array([200, 1850, None, None], pa.int64()),
        ... })
        >>> cadence = Cadence(just_ordered_days=14).fit(profile)
        >>> cadence
        Cadence(prior_gaps=1, just_ordered_days=14, scope='personal'; gaps of 20.0 ± 10.6 days, \
fitted from 2 repeat customers)
        >>> cadence.assign(profile)["cadence"].to_pylist()
        ['Just ordered', 'Slipping away', 'Lost', None]
        """
        table = as_table(table)
        checked_gaps(table)
        return fit_profile(self._first_round(), table, threads=threads)

    def _first_round(self) -> CadenceRound[Self]:
        return CadenceRound(scheme=self)

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's group to a profile.

        Parameters
        ----------
        table
            A profile, or a table with the columns that :meth:`fit` reads and
            ``days_since_last_order`` (int32, null without orders).
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with a column ``cadence``: dictionary<int8, string>, codes in the order of
            :attr:`segments`, null for customers without orders.

        Raises
        ------
        ConfigError
            Where the scheme is not fitted, or the profile has a window.
        ColumnError
            Where a column is missing, has another type, or ``cadence`` is there already.
        DataError
            Where a value is null that the orders call for.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_last_order": pa.array([31, 31], pa.int32()),
        ...     "orders": pa.array([5, 5], pa.int64()),
        ...     "lifetime_days": pa.array([28, 120], pa.int32()),
        ...     "gap_square_sum": pa.array([196, 3600], pa.int64()),
        ... })
        >>> Cadence().fit(profile).assign(profile)["cadence"].to_pylist()  # weekly and monthly
        ['Lost', 'Active']
        """
        rhythm = self._rhythm
        table = as_table(table)
        refuse_taken(table, PRODUCED)
        inputs = _deciding(table)

        def write(batch: pa.RecordBatch, codes: Sequence[NDArray[np.int8]]) -> None:
            since, orders, gap_sums, squares = views(batch)
            kernels.cadence_codes(
                since, orders, gap_sums, squares, self.just_ordered_days, rhythm, codes[0]
            )

        return appended(table, inputs, PRODUCED, write, threads=threads)

    def _look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:
        rhythm = self._rhythm

        def write(batch: pa.RecordBatch, codes: NDArray[np.int8], days: NDArray[np.int64]) -> None:
            since, orders, gap_sums, squares = views(batch)
            kernels.next_cadence_codes(
                since, orders, gap_sums, squares, self.just_ordered_days, rhythm, codes, days
            )

        return _deciding(table), write

    def _reason(self, table: pa.Table, segment: str | None, _: StreamsAsOf | None) -> Reason:
        row = table.select(list(INPUTS)).to_pylist()[0]
        if segment is None:
            return Reason("no orders", {"orders": row["orders"]})
        mean, deviation = self._rhythm_of(row)
        numbers = {
            "days_since_last_order": row["days_since_last_order"],
            "orders": row["orders"],
            "expected_gap": mean,
            "expected_deviation": deviation,
        }
        return Reason(self._in_words()[segment], numbers)

    def _in_words(self) -> Mapping[str, str]:
        days = counted(self.just_ordered_days, "day")
        return {segment: text.format(days=days) for segment, text in REASONS.items()}

    def _rhythm_of(self, row: Mapping[str, Any]) -> tuple[float, float]:
        """Return the mean of a customer's gaps and their standard deviation, as they are expected.

        As the kernel `silent_limits` has them.
        """
        mean, variance, prior, is_personal = self._rhythm.tolist()
        gaps = row["orders"] - 1
        if gaps > 0 and is_personal:
            days, squares = row["lifetime_days"], row["gap_square_sum"]
            own = (gaps * squares - days * days) / gaps
            mean = (days + prior * mean) / (gaps + prior)
            variance = (own + prior * variance) / (gaps + prior)
        return mean, math.sqrt(variance)

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
        """Return who was in which group, and when, to the day.

        The group on a day is that of the profile as of the day: a customer's own gaps are those
        known then. What was fitted, μ₀ and σ₀, holds for all days. Memberships change at orders
        and when a band ends, and are computed from these, not day by day.

        Parameters
        ----------
        history
            The orders.
        start, end
            As in :meth:`Lifecycle.membership`: intervals begin no earlier than `start`, and what
            comes after `end` is not known yet.
        every, window_days, schemes, streams, missing
            Of schemes that are recalculated on a schedule; here they mean nothing.

        Returns
        -------
        Membership
            For each customer, intervals without gaps from the first order on, of which no two
            neighbours have the same group.

        Raises
        ------
        ConfigError
            Where the scheme is not fitted, `start` or `end` is no day, `start` is after `end`, or
            an option is given that means nothing here.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> days = [datetime.date(2025, 1, 1) + datetime.timedelta(day) for day in (0, 40, 90)]
        >>> orders = {"customer_id": ["ann"] * 3, "ordered_at": days, "amount": [20.0] * 3}
        >>> history = oc.OrderHistory.build(pa.table(orders))
        >>> cadence = Cadence().fit(history.profile("2025-12-31"))
        >>> for row in cadence.membership(history, "2025-04-01").to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        Just ordered 2025-04-01 2025-05-02
        Active 2025-05-02 2025-05-22
        Slipping away 2025-05-22 2025-05-27
        Lost 2025-05-27 None
        """
        self._refuse_meaningless(
            every=every,
            window_days=window_days,
            schemes=schemes,
            streams=streams,
            missing=missing,
        )
        span = Span.of(start, end)
        intervals = CadenceIntervals(history, self.just_ordered_days, self._rhythm, span)
        return Membership(self.segments, intervals)

    @property
    def is_fitted(self) -> bool:
        """Whether the gaps of all customers are known."""
        return self.account is not None

    @property
    def _rhythm(self) -> NDArray[np.float64]:
        """μ₀, σ₀², k, and whether customers have a rhythm of their own, as the kernels take it."""
        if self.account is None:
            raise ConfigError(
                f"{self!r} is not fitted: it does not know the gaps of all customers",
                remedy="call .fit(profile), which returns the fitted scheme, or scheme_from_dict",
            )
        mean, variance = self.account.mean_gap, self.account.gap_variance
        return np.array([mean, variance, self.prior_gaps, self.scope == "personal"], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the options, and the fitted numbers, as plain values.

        Examples
        --------
        >>> Cadence(scope="population").to_dict()
        {'scheme': 'cadence', 'prior_gaps': 1, 'just_ordered_days': 30, 'scope': 'population'}
        """
        return super().to_dict()


def _deciding(table: pa.Table) -> pa.Table:
    """Return the columns that decide the group, of a profile of all orders."""
    refuse_window(table, "in which whoever stayed away longer has no orders")
    return checked_gaps(table)
