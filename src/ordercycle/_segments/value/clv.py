"""Customer lifetime value: how often customers will order, and what they will spend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Self

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._history.order_history import OrderHistory
from ordercycle._public import public
from ordercycle._segments.assigning import refuse_taken
from ordercycle._segments.backtest.backtest import Backtest
from ordercycle._segments.backtest.run import backtested
from ordercycle._segments.counting_rounds import fit, fit_profile
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.score_maps import FrozenDict
from ordercycle._segments.value.account import ClvAccount
from ordercycle._segments.value.columns import (
    Forecast,
    ValueModel,
    predicted_columns,
    value_model,
)
from ordercycle._segments.value.fit import ERRORS, ClvRound
from ordercycle._segments.value.inputs import SPEND_OF, ClvInputs, day_of, read_of
from ordercycle._segments.value.intervals import Population, PopulationRound, intervals_of
from ordercycle._segments.value.options import (
    checked_days,
    checked_parameters,
    checked_rate,
    each_of_days,
)
from ordercycle._value_models.forms import FORMS
from ordercycle._value_models.spend_search import SPEND_FORMS

#: What can be fitted.
MODELS = ("auto", "mbg_nbd", "pareto_nbd", "bg_nbd", "mbg_cnbd", "nbd")
SPENDS = ("gamma_gamma", "average")
#: How None is written where there is no null.
NONE = "none"


@public()
@dataclass(frozen=True, kw_only=True, repr=False)
class Clv(Fittable):
    """A model of what customers will order and spend, fitted to their order days.

    Of each customer it reads three numbers of the profile: x, the days with an order after the
    first one (``order_days`` - 1); t_x, the days from the first order to the last
    (``lifetime_days``); and T, the days from the first order to the day of the profile. Customers
    order at random, each at a rate of their own, until they leave, which nobody sees. The models
    differ in when customers may leave: at any time (``"pareto_nbd"``), after each order
    (``"mbg_nbd"``), after each order but the first (``"bg_nbd"``), or never (``"nbd"``). In
    ``"mbg_cnbd"`` they order more regularly than at random: a gap has k stages, 1 to 12, of which
    each ends at random.

    Parameters
    ----------
    model
        The model of orders. ``"auto"`` fits the first three, and ``"mbg_cnbd"`` where gaps are
        surely more regular than at random (``gap_square_sum`` of the profile says so), and keeps
        the most likely. After a fit: the one that was chosen, with its k as in ``"mbg_cnbd_3"``;
        where the data do not tell all parameters, its name says which boundary of the model it
        is, such as ``"pareto_nbd, one death rate"``. So does that of the model of spend.
    spend
        The model of spend: ``"gamma_gamma"``; ``"average"``, the customer's own mean spend, and
        that of all for those who ordered once; None: orders only.
    horizon_days
        How far to look ahead, 1 to 36,525 (100 years).
    discount_rate
        What money loses in a year: 0.1 for a tenth.
    spend_of
        Whether the mean spend is that of days with an order after the first one (``"repeat"``),
        as in publications, or of all of them (``"all"``). Refunds lower it wherever they fall.
    parameters
        Parameters by hand, by name, with the day as unit: r, alpha, and a, b or s, beta, and p, q,
        gamma; set by :meth:`fit`, each with its standard error.
    account
        What it was fitted from: set by :meth:`fit`.

    Raises
    ------
    ConfigError
        Where an option makes no sense, or parameters are not those of the model.

    References
    ----------
    P. S. Fader, B. G. S. Hardie and K. L. Lee, "Counting Your Customers the Easy Way" (2005);
    D. C. Schmittlein, D. G. Morrison and R. Colombo, "Counting Your Customers" (1987); E.
    Batislam, M. Denizel and A. Filiztekin, "Empirical validation and comparison of models for
    customer base analysis" (2007); M. Platzer and T. Reutterer, "Ticking Away the Moments" (2016);
    P. S. Fader and B. G. S. Hardie, "The Gamma-Gamma Model of
    Monetary Value" (2013).

    Examples
    --------
    The published parameters of BG/NBD for the CDNOW sample, in days:

    >>> clv = Clv(model="bg_nbd", spend=None, parameters={
    ...     "r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426,
    ... })
    >>> import pyarrow as pa
    >>> profile = pa.table({
    ...     "order_days": [3], "lifetime_days": [213], "days_since_last_order": [59],
    ... })
    >>> row = clv.assign(profile, horizon_days=39 * 7).to_pylist()[0]
    >>> round(row["expected_orders"], 3)
    1.226
    """

    model: str = "auto"
    spend: str | None = "gamma_gamma"
    horizon_days: int = 365
    discount_rate: float = 0.0
    spend_of: str = "repeat"
    parameters: Mapping[str, Any] | None = None
    account: ClvAccount | None = field(default=None, repr=False)

    kind = "clv"
    fitted_to = "profile"
    _account_type = ClvAccount

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or self.model not in FORMS:
            check_choice("model", self.model, MODELS)
        if self.spend is not None and (
            not isinstance(self.spend, str) or self.spend not in (*SPENDS, *SPEND_FORMS)
        ):
            check_choice("spend", self.spend, SPENDS)
        check_choice("spend_of", self.spend_of, SPEND_OF)
        object.__setattr__(self, "horizon_days", checked_days(self.horizon_days, "horizon_days"))
        object.__setattr__(self, "discount_rate", checked_rate(self.discount_rate))
        if self.parameters is not None:
            object.__setattr__(self, "parameters", FrozenDict(checked_parameters(self.parameters)))
            if self.model not in FORMS:
                raise ConfigError(
                    (Option("model", self.model), " has no parameters of its own"),
                    remedy=("name the model, such as ", Option("model", "mbg_nbd")),
                )
            _ = self._models  # so that parameters of another model show now

    @property
    def reads(self) -> tuple[str, ...] | None:
        """The profile columns that it reads."""
        return tuple(self._inputs.columns)

    @property
    def is_fitted(self) -> bool:
        """Whether it has parameters."""
        return self.parameters is not None

    @property
    def log_likelihood(self) -> float | None:
        """The log-likelihood of the orders; None where parameters are by hand, or lacking."""
        return None if self.account is None else self.account.log_likelihood

    @property
    def spend_log_likelihood(self) -> float | None:
        """The log-likelihood of the spend; None where there is none."""
        return None if self.account is None else self.account.spend_log_likelihood

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was warned of when it was fitted."""
        return () if self.account is None else self.account.warnings

    def fit(
        self,
        source: Any,
        as_of: date | str | None = None,
        *,
        errors: str = "sandwich",
        threads: int | None = None,
    ) -> Self:
        """Return the model with the parameters that make what customers did most likely.

        Parameters
        ----------
        source
            A history, or a profile: a table with ``order_days`` (int64), ``lifetime_days`` and
            ``days_since_last_order`` (int32, null without orders) and, for spend, ``revenue`` and
            ``revenue_first_day``. Customers who ordered once are part of it; a profile has them.
        as_of
            The day, where `source` is a history.
        errors
            Which standard errors the parameters get: ``"sandwich"``, which hold where the model
            is not quite true, or ``"information"``, which most papers print. Under 10 customers
            for each parameter, there are no sandwich errors: they are None.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        Clv
            The same, to the bit, whatever the order of the rows, threads, batches or cluster.

        Raises
        ------
        ColumnError
            Where a column is missing or has another type.
        DataError
            Where nobody ordered on a second day, no spend is positive, or no orders can have the
            numbers of a customer.
        ConfigError
            Where the profile has a window, or an option makes no sense.

        Warns
        -----
        OrdercycleWarning
            Where the data do not identify the model, or contradict it: see `warnings`.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.cdnow()
        >>> history = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> clv = oc.Clv(model="bg_nbd", spend=None).fit(history, "1997-09-30")
        >>> clv.account.customers
        23570
        """
        check_choice("errors", errors, ERRORS)
        first = self._round(errors, threads)
        day = day_of(source, as_of)
        if day is not None:
            return fit(
                first, lambda now: (now.count(batch) for batch in source.profile_batches(day))
            )
        table = as_table(source)
        return fit_profile(first, table, threads=threads, whole=True)

    def _first_round(self) -> ClvRound[Self]:
        return self._round(ERRORS[0])

    def _round(self, errors: str, threads: int | None = None) -> ClvRound[Self]:
        return ClvRound(
            scheme=self,
            model=_family(self.model),
            spend=None if self.spend is None else _family(self.spend),
            spend_of=self.spend_of,
            errors=errors,
            threads=threads,
        )

    @property
    def _inputs(self) -> ClvInputs:
        return ClvInputs(self.spend is not None, self.spend_of)

    @cached_property
    def _models(self) -> ValueModel:
        """The models that predict."""
        if self.parameters is None:
            raise ConfigError(
                f"{self!r} is not fitted: it has no parameters",
                remedy="call .fit(profile) or .fit(history, as_of), which returns the fitted model",
            )
        estimates = {name: estimate for name, (estimate, _) in self.parameters.items()}
        return value_model(self.model, self.spend, self._inputs, estimates)

    def __getstate__(self) -> dict[str, Any]:
        # The models have tables and locks: each process makes its own.
        return {name: value for name, value in vars(self).items() if name != "_models"}

    def _digest(self) -> str:
        """Return what tells the numbers of this model from those of others."""
        numbers = {name: estimate.hex() for name, (estimate, _) in (self.parameters or {}).items()}
        text = json.dumps([self.model, self.spend, self.spend_of, numbers], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def assign(
        self,
        table: Any,
        *,
        horizon_days: int | None = None,
        discount_rate: float | None = None,
        threads: int | None = None,
    ) -> pa.Table:
        """Add what each customer is expected to do to a profile.

        Parameters
        ----------
        table
            A profile, as for :meth:`fit`.
        horizon_days, discount_rate
            Instead of the model's own.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with these columns, all double and null for customers without orders:
            ``p_alive``, the probability that the customer has not left;
            ``p_active``, that there will be an order within the horizon;
            ``expected_orders``, days with an order within it; and, with spend,
            ``expected_order_value``, spend on such a day; ``predicted_value``, spend within the
            horizon, discounted; ``clv``, ``revenue`` and the predicted value. Their metadata name
            the model (a digest of its numbers), the horizon and the discount rate.

        Raises
        ------
        ColumnError
            Where a column is missing, has another type, or is there already.
        DataError
            Where a value is null that the orders call for, or no orders can have the numbers.
        ConfigError
            Where the model is not fitted, the profile has a window, or an option makes no sense.

        Examples
        --------
        >>> import pyarrow as pa
        >>> clv = Clv(model="mbg_nbd", horizon_days=90, parameters={
        ...     "r": 0.525, "alpha": 43.3, "a": 0.891, "b": 1.614,
        ...     "p": 6.25, "q": 3.74, "gamma": 15.44,
        ... })
        >>> profile = pa.table({
        ...     "order_days": [1, 4], "lifetime_days": [0, 120], "days_since_last_order": [60, 12],
        ...     "revenue": [30.0, 190.0], "revenue_first_day": [30.0, 40.0],
        ... })
        >>> for row in clv.assign(profile).to_pylist():
        ...     print(round(row["p_active"], 2), round(row["clv"], 2))
        0.15 37.48
        0.62 250.75
        """
        forecast = self._forecast(horizon_days, discount_rate)
        table = as_table(table)
        fields = forecast.fields
        refuse_taken(table, fields)
        inputs = self._inputs.of(table)
        for made, column in zip(
            fields, predicted_columns(inputs, forecast, threads=threads), strict=True
        ):
            table = table.append_column(made, column)
        return table

    def expected_orders(self, days: int | Sequence[int] = (30, 90, 365)) -> dict[int, float]:
        """Return how many further order days a new customer makes within so many days.

        Parameters
        ----------
        days
            Days after the first order, several or one.

        Examples
        --------
        >>> clv = Clv(model="bg_nbd", spend=None, parameters={
        ...     "r": 0.242595, "alpha": 4.413602 * 7, "a": 0.792922, "b": 2.425907,
        ... })
        >>> {days: round(orders, 4) for days, orders in clv.expected_orders((7, 21)).items()}
        {7: 0.0532, 21: 0.1506}
        """
        orders = self._models.orders
        return {one: float(orders.new_customer_orders(one)) for one in each_of_days(days)}

    def discounted_orders(self, days: int | Sequence[int] = (30, 90, 365)) -> dict[int, float]:
        """Return the same, each order worth less the later it is, by `discount_rate`."""
        orders, rate = self._models.orders, self.discount_rate
        return {
            one: float(orders.discounted_new_customer_orders(one, rate))
            for one in each_of_days(days)
        }

    def intervals(
        self,
        source: Any,
        as_of: date | str | None = None,
        *,
        level: float = 0.95,
        draws: int = 200,
        seed: int = 0,
        horizon_days: int | None = None,
        discount_rate: float | None = None,
        threads: int | None = None,
    ) -> pa.Table:
        """Return intervals of the parameters, and of what customers do together.

        Customers are drawn at random, each a Poisson number of times, and the model is fitted to
        them, again and again (a bootstrap). An interval of a parameter holds the middle part of
        what comes out. Totals vary by chance besides, around what each fit expects: their
        intervals are to hold what will happen, by a normal distribution of the sum. Of customers
        that a model draws they do; what the model leaves out, as seasons, is for
        :meth:`backtest`. Of ``spend="average"``, spend on an order day is taken for certain;
        discounted spend, to vary as much less as the square of what is expected.

        Parameters
        ----------
        source, as_of
            What it was fitted to.
        level
            The share of the draws that an interval holds.
        draws
            How many times to draw.
        seed
            From 0 to 2**63 - 1; with the same one, the same bits on every machine.
        horizon_days, discount_rate
            Instead of the model's own.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            ``name``, ``estimate``, ``low`` and ``high``: of each parameter; of ``p_active``, the
            customers who order within the horizon; of ``expected_orders``; and, with spend, of
            ``predicted_value``.

        Raises
        ------
        ConfigError
            Where it is not fitted, the profile is another one, or an option makes no sense.
        ColumnError, DataError
            As for :meth:`fit`.

        Warns
        -----
        OrdercycleWarning
            Where many draws do not tell all parameters, or the model of spend has no variance
            (q is 2 or less), which the interval of ``predicted_value`` then leaves out.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.cdnow()
        >>> history = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> clv = oc.Clv(model="bg_nbd", spend=None).fit(history, "1997-09-30")
        >>> for row in clv.intervals(history, "1997-09-30", draws=50).to_pylist():
        ...     print(f"{row['name']:<16}{row['low']:>11,.3f}{row['high']:>11,.3f}")
        r                     0.242      0.260
        alpha                31.599     35.825
        a                     0.634      0.826
        b                     1.863      2.534
        p_active          6,809.293  7,167.332
        expected_orders  20,562.854 22,329.530
        """
        day = day_of(source, as_of)

        def counted(first: PopulationRound) -> Population:
            table = as_table(source) if day is None else self._read_of(source, day)
            return fit_profile(first, table, threads=threads)

        return intervals_with(
            self,
            counted,
            horizon_days=horizon_days,
            discount_rate=discount_rate,
            level=level,
            draws=draws,
            seed=seed,
            threads=threads,
        )

    def backtest(
        self,
        history: OrderHistory,
        split_day: date | str,
        *,
        horizon_days: int | None = None,
        origins: int = 1,
    ) -> Backtest:
        """Return how well it would have foretold the past, beside forecasts without a model.

        What was known on the day of the split is fitted again; then the days of the horizon that
        follow are predicted for each customer known by then, and compared with what happened.
        Parameters by hand stay as they are; where the data cannot tell the baseline `nbd` beside
        them, it is left out with a warning.

        Parameters
        ----------
        history
            The orders, up to the end of the horizon.
        split_day
            The last day that is known. There has to be as much history before it as the horizon
            is long, and better twice as much.
        horizon_days
            Instead of the model's own.
        origins
            How many splits, each a horizon before the one after it; models are fitted anew at
            each. The table has rows of each, other tables are of all splits together, and the
            verdict is of the latest.

        Returns
        -------
        Backtest

        Raises
        ------
        ConfigError
            Where an option makes no sense, or the history begins too late or ends before the split.
        DataError
            As for :meth:`fit`.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.cdnow()
        >>> history = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> clv = oc.Clv(model="mbg_nbd", spend=None)
        >>> test = clv.backtest(history, "1998-01-31", horizon_days=120)
        >>> rows = test.to_table().select(["model", "orders", "orders_actual"])
        >>> for row in rows.drop_null().to_pylist():
        ...     print(f"{row['model']:<12}{row['orders']:>9,.0f}{row['orders_actual']:>9,}")
        mbg_nbd         7,671    8,352
        same_again      9,172    8,352
        past_rate      11,486    8,352
        nbd            11,487    8,352
        """
        days = self.horizon_days if horizon_days is None else horizon_days
        return backtested(
            self, history, split_day, checked_days(days, "horizon_days"), origins=origins
        )

    def _read_of(self, history: OrderHistory, as_of: date | str) -> pa.Table:
        """Return what a fit reads of the profile of a history."""
        return read_of(history, as_of, self._first_round().columns or ())

    def to_dict(self) -> dict[str, Any]:
        """Return the options and the fitted numbers as plain values.

        Examples
        --------
        >>> Clv(spend=None).to_dict()["spend"]
        'none'
        """
        made: dict[str, Any] = {"scheme": self.kind}
        made |= {name: value for name, value in self._options() if value is not None}
        made["spend"] = NONE if self.spend is None else self.spend
        if self.parameters is not None:
            made["parameters"] = {
                name: [number for number in pair if number is not None]
                for name, pair in self.parameters.items()
            }
        if self.account is not None:
            made["account"] = self.account.to_dict()
        return made

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the model that `to_dict` wrote."""
        given = dict(given)
        if given.get("spend") == NONE:
            given["spend"] = None
        return super().from_dict(given)

    def _forecast(
        self, horizon_days: int | None = None, discount_rate: float | None = None
    ) -> Forecast:
        days = self.horizon_days if horizon_days is None else horizon_days
        rate = self.discount_rate if discount_rate is None else discount_rate
        return Forecast(
            self._models, checked_days(days, "horizon_days"), checked_rate(rate), self._digest()
        )


def forecast_of(clv: Clv) -> Forecast:
    """Return what predicts with a model, for schemes that hold it."""
    return clv._forecast()  # noqa: SLF001 - what users have no use for


def intervals_with(
    clv: Clv,
    counted_by: Callable[[PopulationRound], Population],
    *,
    horizon_days: int | None,
    discount_rate: float | None,
    **options: Any,
) -> pa.Table:
    """Return what `Clv.intervals` returns of customers that are counted wherever they are."""
    forecast = clv._forecast(horizon_days, discount_rate)  # noqa: SLF001 - as above
    return intervals_of(clv, forecast, counted_by, **options)


def inputs_of(clv: Clv) -> ClvInputs:
    """Return what a model reads of a profile."""
    return clv._inputs  # noqa: SLF001 - what users have no use for


def _family(model: str) -> str:
    """Return the model of which one may be a boundary."""
    return model.partition(",")[0]
