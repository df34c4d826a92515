"""Four lists by what customers are expected to do: whom to keep, to grow, to win back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, bitmap
from ordercycle._errors import ConfigError, Option, check_choice, counted
from ordercycle._public import public
from ordercycle._segments.assigning import Produced, refuse_taken, worked
from ordercycle._segments.counting_rounds import Round, fit_profile
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.explaining import Reason
from ordercycle._segments.fittable import first_round, with_options
from ordercycle._segments.lifecycle_fit import share_of
from ordercycle._segments.next_transition import LookAhead
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.scheme_options import SchemeOption
from ordercycle._segments.value.clv import Clv, forecast_of, inputs_of
from ordercycle._segments.value.columns import Forecast, Predicted
from ordercycle._segments.value.inputs import Purchases, day_of, purchases_of
from ordercycle._segments.value.list_cuts import (
    ANCHORS,
    SEGMENTS,
    Cuts,
    Values,
    bounds_of,
)
from ordercycle._segments.value.lists_fit import (
    ListsRound,
    ModelRound,
    ValueListsAccount,
    valued,
    values_of,
)
from ordercycle._segments.value.options import float_of
from ordercycle._value_models import is_regular_model
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY
from ordercycle_kernels.value_lists import ACTIVE, LOST, TOP, high_values

#: Fewer are too few to look for others like them.
FEW_TOP = 100
HIGH_VALUE = "high_value"
PRODUCED = Produced("value_list", SEGMENTS, nullable=True)
#: Why a customer is in a list, in words, and the numbers that say so.
REASONS = {
    "Top": "an order within {days} has a probability of {hi:.2f} at least, and the value that is "
    "expected is {value:,.2f} at least",
    "Active": "an order within {days} has a probability of {hi:.2f} at least, and the value that "
    "is expected is below {value:,.2f}",
    "At risk": "an order within {days} has a probability from {lo:.2f} to below {hi:.2f}",
    "Lost": "an order within {days} has a probability below {lo:.2f}",
}
DECISIVE = ("p_active", "predicted_value")
#: Days at which the search for a change begins, and after which nothing is looked for.
FIRST_LOOK, LONGEST_WAIT = 32, int(LAST_DAY - FIRST_DAY)


@public()
@dataclass(frozen=True, repr=False)
class ValueLists(Scheme):
    """Four lists by the probability to order again and the value that is expected.

    =======  ============================================================
    Lost     ``p_active`` < lo
    At risk  lo <= ``p_active`` < hi
    Top      ``p_active`` >= hi and ``predicted_value`` >= the cut
    Active   ``p_active`` >= hi otherwise
    =======  ============================================================

    ``p_active`` is the probability of an order within the horizon of the model; unlike the
    probability that a customer has not left, it can be checked (:meth:`Clv.backtest`), and it is
    low for customers who are there still, but hardly ever order. Customers without orders are in
    no list (null). The names follow Sensai Metrics; the rules are ours.

    Parameters
    ----------
    clv
        The model of value, which needs one of spend; fitted with the lists where it is not.
    top_share
        The share of the customers with orders whose predicted value reaches the cut, as a decimal:
        0.07 of 100 customers are 7. Those with the same value as the last of them do, too.
    anchor
        Where hi and lo come from. ``"new"``: hi is the probability of a customer on the day of
        the first order, 0.5 at most, and lo 0.4 of it, so that nobody begins At risk.
        ``"absolute"``: 0.5 and 0.2.
    cuts
        hi, lo and the cut: set by :meth:`fit`, or by hand.
    account
        What it was fitted from: set by :meth:`fit`.

    Raises
    ------
    ConfigError
        Where an option makes no sense, or the model has no spend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> clv = Clv(model="mbg_nbd", parameters={
    ...     "r": 0.525, "alpha": 43.3, "a": 0.891, "b": 1.614,
    ...     "p": 6.25, "q": 3.74, "gamma": 15.44,
    ... })
    >>> profile = pa.table({
    ...     "order_days": [1, 4, 9], "lifetime_days": [0, 120, 300],
    ...     "days_since_last_order": [400, 12, 30],
    ...     "revenue": [30.0, 190.0, 800.0], "revenue_first_day": [30.0, 40.0, 90.0],
    ... })
    >>> lists = ValueLists(clv, top_share=0.3).fit(profile)
    >>> lists.assign(profile).select(["value_list", "high_value"]).to_pylist()
    [{'value_list': 'Lost', 'high_value': False}, {'value_list': 'Active', 'high_value': False}, \
{'value_list': 'Top', 'high_value': True}]
    """

    clv: Clv = Clv()  # noqa: RUF009 - frozen
    _: KW_ONLY
    top_share: float = 0.10
    anchor: str = "new"
    cuts: tuple[float, float, float] | None = None
    account: ValueListsAccount | None = field(default=None, repr=False)

    kind = "value_lists"
    fitted_to = "profile"
    foretells = True
    command_options = (
        SchemeOption(
            name="top_share",
            type=float,
            least=0,
            most=1,
            help="the share of customers whose predicted value is high",
        ),
        SchemeOption(name="anchor", choices=ANCHORS, help="what Active is measured by"),
    )
    _account_type = ValueListsAccount

    def __post_init__(self) -> None:
        if not isinstance(self.clv, Clv):
            raise ConfigError(
                (Option("clv", self.clv), " is no model of value"), remedy="pass a Clv"
            )
        if self.clv.spend is None:
            raise ConfigError(
                ("the model has ", Option("spend", None), ", and value lists need predicted value"),
                remedy="take a Clv with spend",
            )
        share_of(self.top_share, "top_share")
        check_choice("anchor", self.anchor, ANCHORS)
        if self.cuts is not None:
            object.__setattr__(self, "cuts", _checked(self.cuts))

    @property
    def name(self) -> str:
        """The column of the lists."""
        return PRODUCED.name

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the lists, in the order of their codes."""
        return SEGMENTS

    @property
    def reads(self) -> tuple[str, ...] | None:
        """The profile columns that the model reads."""
        return tuple(inputs_of(self.clv).columns)

    @property
    def is_fitted(self) -> bool:
        """Whether the model and the cuts are known."""
        return self.cuts is not None and self.clv.is_fitted

    @property
    def refits(self) -> bool:
        """False: memberships keep the model, so that a customer moves, not everybody else."""
        return False

    @property
    def top_clv(self) -> float | None:
        """The number on top of the list: what Top has spent and will spend, on average.

        None where Top is empty, or nothing was fitted.
        """
        if self.account is None or self.account.numbers is None:
            return None
        return self.account.numbers["mean_clv"]

    def fit(
        self, table: Any, as_of: date | str | None = None, *, threads: int | None = None
    ) -> Self:
        """Return the lists with the cuts of a profile, and the model where it is not fitted.

        Parameters
        ----------
        table
            A profile, as for :meth:`Clv.fit`, or a history.
        as_of
            The day, where it is a history.
        threads
            How many threads to use; None: every core this process may use.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for :meth:`Clv.fit` and :meth:`Clv.assign`.
        """
        day = day_of(table, as_of)
        table = as_table(table) if day is None else self.clv._read_of(table, day)  # noqa: SLF001 - its lists
        lists = self
        if not self.clv.is_fitted:
            lists = with_options(self, clv=self.clv.fit(table, threads=threads))
        forecast = forecast_of(lists.clv)
        inputs = valued(table, forecast)
        missing = [name for name in forecast.names if name not in inputs.column_names]
        if missing:
            extra = [name for name in inputs.column_names if name in forecast.names]
            table = lists.clv.assign(table.drop_columns(extra), threads=threads)
        return fit_profile(lists._lists_round(), table, threads=threads)  # noqa: SLF001 - one of us

    def _first_round(self) -> Round[pa.Table, Self]:
        if self.clv.is_fitted:
            return self._lists_round()
        return ModelRound(cast("Round[pa.Table, Any]", first_round(self.clv)), self)

    def _lists_round(self) -> ListsRound[Self]:
        by_hand = self.cuts is not None and (self.account is None or self.account.by_hand)
        if by_hand and self.cuts is not None:
            *bounds, cut = self.cuts
            hi, lo = bounds
        else:
            new = forecast_of(self.clv).new_p_active
            hi, lo, cut = *bounds_of(new, self.anchor), None
        return ListsRound(
            scheme=self,
            model=self.clv,
            bounds=(hi, lo),
            share=share_of(self.top_share, "top_share"),
            by_hand=by_hand,
            cut=cut,
        )

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's list to a profile, and what the model expects where it is missing.

        Parameters
        ----------
        table
            A profile, as for :meth:`Clv.assign`; columns of the model that are there are taken
            where they are of the same model, horizon and discount rate.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with the columns of :meth:`Clv.assign` that it lacks; ``value_list``:
            dictionary<int8, string>, codes in the order of :attr:`segments`; and ``high_value``:
            whether the predicted value reaches the cut, or revenue so far :attr:`top_clv`. Both
            are null for customers without orders.

        Raises
        ------
        ColumnError
            Where a column is missing or has another type, one to add is there already, or one of
            the model is there that is of another model, horizon or discount rate.
        ConfigError
            Where the scheme is not fitted, or the profile has a window.
        DataError
            As for :meth:`Clv.assign`.
        """
        cuts, forecast = self._cuts, forecast_of(self.clv)
        table = as_table(table)
        refuse_taken(table, [PRODUCED, pa.field(HIGH_VALUE, pa.bool_())])
        inputs = valued(table, forecast)
        rows = table.num_rows
        codes, high = np.empty(rows, np.int8), np.empty(rows, np.bool_)
        fields = [one for one in forecast.fields if one.name not in table.column_names]
        made = Predicted.empty(rows, has_money=True)
        top_clv = math.inf if self.top_clv is None else self.top_clv

        def write(task: tuple[int, pa.Table]) -> None:
            start, piece = task
            for batch in piece.to_batches():
                part = slice(start, start + batch.num_rows)
                values = values_of(batch, forecast, made.part(part))
                codes[part] = cuts.codes(values)
                high_values(values.predicted_value, values.revenue, cuts.value, top_clv, high[part])
                start = part.stop

        for _ in worked(write, inputs, threads=threads):
            pass
        valid = bitmap(codes >= 0)
        for one in fields:
            column = array_of(getattr(made, one.name), pa.float64(), valid)
            table = table.append_column(one, pa.chunked_array([column]))
        table = table.append_column(PRODUCED.field, PRODUCED.column(codes))
        flags = pa.Array.from_buffers(pa.bool_(), rows, [valid, bitmap(high)])
        return table.append_column(pa.field(HIGH_VALUE, pa.bool_()), pa.chunked_array([flags]))

    def _reason(self, table: pa.Table, segment: str | None, _: StreamsAsOf | None) -> Reason:
        hi, lo, value = self._cuts
        if segment is None:
            return Reason("no orders", table.select(["order_days"]).to_pylist()[0])
        expected = forecast_of(self.clv).names
        there = [name for name in expected if name in table.column_names]
        row = self.clv.assign(table.drop_columns(there)).select(list(expected)).to_pylist()[0]
        days = counted(self.clv.horizon_days, "day")
        rule = REASONS[segment].format(days=days, hi=hi, lo=lo, value=value)
        return Reason(rule, {name: row[name] for name in DECISIVE})

    def lint(self) -> tuple[str, ...]:
        """Return what is odd about the lists that it was fitted with, in words; nothing: ().

        Examples
        --------
        >>> ValueLists(top_share=0.2).lint()
        ('the lists are not fitted, so nothing is known of their customers',)
        """
        if self.account is None:
            return ("the lists are not fitted, so nothing is known of their customers",)
        return tuple(self._odd(self.account.sizes))

    def _odd(self, sizes: Mapping[str | None, int] | Mapping[str, int]) -> Iterator[str]:
        counts = {name: dict(sizes).get(name, 0) for name in SEGMENTS}
        likely = counts[SEGMENTS[TOP]] + counts[SEGMENTS[ACTIVE]]
        if self.cuts is not None and not likely:
            days = counted(self.clv.horizon_days, "day")
            yield (
                f"no customer's probability to order within {days} reaches {self.cuts[0]:.2f}, so "
                "nobody is Top or Active: look further ahead, or take lower bounds"
            )
        for name, count in counts.items():
            if not count and (likely or name not in (SEGMENTS[TOP], SEGMENTS[ACTIVE])):
                yield f"nobody is in the list {name}"
        if 0 < counts[SEGMENTS[TOP]] < FEW_TOP:
            yield (
                f"Top has {counted(counts[SEGMENTS[TOP]], 'customer')}; under {FEW_TOP} are few to "
                "look for others like them: add those whose revenue reaches top_clv (high_value)"
            )

    def _findings(
        self,
        counts: Mapping[str | None, int],
        pieces: Callable[[], Iterable[pa.Table]],  # noqa: ARG002 - the counts say enough
        source: StreamsAsOf | None,  # noqa: ARG002
    ) -> Iterator[str]:
        yield from self._odd(counts)
        if self.account is not None and self.account.numbers is not None:
            yield from str(self.account).splitlines()[1:]

    @property
    def _cuts(self) -> Cuts:
        if self.cuts is None or not self.clv.is_fitted:
            raise ConfigError(
                f"{self!r} is not fitted", remedy="call .fit, which returns the fitted scheme"
            )
        return Cuts(*self.cuts)

    def _look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:
        cuts, forecast = self._cuts, forecast_of(self.clv)

        def write(batch: pa.RecordBatch, codes: NDArray[np.int8], days: NDArray[np.int64]) -> None:
            waiting = _Waiting.of(batch, forecast, cuts)
            codes[:], days[:] = waiting.changes(batch.num_rows)

        return inputs_of(self.clv).of(table), write

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the scheme that `to_dict` wrote."""
        given = dict(given)
        if isinstance(given.get("clv"), Mapping):
            given["clv"] = Clv.from_dict(given["clv"])
        return super().from_dict(given)


@dataclass(frozen=True)
class _Waiting:
    """Customers who order nothing more: what becomes of the k of them who can still change.

    Where orders come at random, the probability to order and the expected value of a customer
    fall with each day without an order, under every mixture of rates and lifetimes: so lists only
    ever get worse, and the day of the first change is between a day without it and one with it.
    Where they come regularly, both rise at first, as an order comes nearer; then they fall.
    """

    rows: NDArray[np.int64]
    purchases: Purchases
    means: NDArray[np.float64]
    codes: NDArray[np.int8]
    forecast: Forecast
    cuts: Cuts

    @classmethod
    def of(cls, batch: pa.RecordBatch, forecast: Forecast, cuts: Cuts) -> _Waiting:
        """Return the customers of a checked batch."""
        purchases, means = purchases_of(batch), forecast.models.inputs.means(batch)
        rows = np.flatnonzero(purchases.has_orders)
        some = purchases.of(rows)
        one = cls(rows, some, means[rows], np.empty(rows.size, np.int8), forecast, cuts)
        one.codes[:] = one.codes_after(np.arange(rows.size), np.zeros(rows.size, np.int64))
        return one

    def codes_after(self, who: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the lists of some of the customers after so many days."""
        return self.cuts.codes(self.values_after(who, days))

    def values_after(self, who: NDArray[np.int64], days: NDArray[np.int64]) -> Values:
        """Return what decides the lists of some of the customers after so many days."""
        order_days, lifetimes, since = self.purchases.of(who)
        found = self.forecast.of(
            order_days - 1,
            lifetimes,
            (lifetimes + since + days).astype(np.int32),
            self.means[who],
        )
        nothing = np.zeros(who.size)
        value = nothing if found.predicted_value is None else found.predicted_value
        known = np.ones(who.size, np.bool_)
        return Values(known, found.p_active, value, nothing, nothing)

    def changes(self, rows: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return the next list of each row, -1 for none, and the days until then: (rows,)."""
        codes, days = np.full(rows, -1, np.int8), np.zeros(rows, np.int64)
        who = np.arange(self.rows.size)
        low = np.zeros(who.size, np.int64)
        if is_regular_model(self.forecast.models.orders.model):
            low = self._rise(codes, days)
        going_on = (self.codes < LOST) & (codes[self.rows] < 0)
        who, low = who[going_on], low[going_on]
        high = low + FIRST_LOOK
        open_ended = np.ones(who.size, np.bool_)
        while who.size:
            day = np.where(open_ended, high, (low + high) // 2)
            after = self.codes_after(who, day)
            has_changed = after != self.codes[who]
            open_ended &= ~has_changed
            high = np.where(has_changed, day, np.where(open_ended, 4 * day, high))
            low = np.where(has_changed, low, day)
            found = ~open_ended & (high - low == 1)
            places = self.rows[who[found]]
            days[places] = high[found]
            codes[places] = self.codes_after(who[found], high[found])
            going_on = ~found & (low < LONGEST_WAIT)
            who, low, high, open_ended = (
                array[going_on] for array in (who, low, np.minimum(high, LONGEST_WAIT), open_ended)
            )
        return codes, days

    def _rise(self, codes: NDArray[np.int8], days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Wait day by day while customers rise; return from which day on they only fall.

        codes, days: of each row, where the next list of those who change meanwhile is written.
        """
        who, falls = np.arange(self.rows.size), np.zeros(self.rows.size, np.int64)
        before = self.values_after(who, falls)
        for day in range(1, LONGEST_WAIT + 1):
            now = self.values_after(who, np.full(who.size, day))
            after = self.cuts.codes(now)
            has_changed = after != self.codes[who]
            places = self.rows[who[has_changed]]
            codes[places], days[places] = after[has_changed], day
            rises = now.p_active > before.p_active
            rises |= now.predicted_value > before.predicted_value
            falls[who] = day
            kept = rises & ~has_changed
            if not kept.any():
                break
            who, before = who[kept], Values(*(column[kept] for column in now))
        return falls


def _checked(cuts: Any) -> tuple[float, float, float]:
    """Return hi, lo and the cut of values, or raise a ConfigError."""
    given = tuple(cuts) if isinstance(cuts, list | tuple) else ()
    numbers = [float_of(one) for one in given]
    is_sound = len(numbers) == 3 and 0 <= numbers[1] <= numbers[0] <= 1
    if not is_sound or not np.isfinite(numbers[2]):
        raise ConfigError(
            (Option("cuts", cuts), " are no cuts"),
            remedy="pass (hi, lo, value): probabilities of which hi is the higher, and a value",
        )
    return numbers[0], numbers[1], numbers[2]


def lacks_model(scheme: Scheme) -> bool:
    """Return whether a scheme holds a model of value that is not fitted."""
    return isinstance(scheme, ValueLists) and not scheme.clv.is_fitted


def with_model(scheme: Scheme, *models: Clv) -> Scheme:
    """Return a scheme with the last of some models, where it holds one that is not fitted."""
    if models and lacks_model(scheme):
        return with_options(scheme, clv=models[-1])
    return scheme
