"""An experiment: arms, who is in them, and what they did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, array_of_texts, validity
from ordercycle._days import day_number
from ordercycle._errors import (
    ColumnError,
    ConfigError,
    Option,
    check_choice,
    printable,
    suggestion,
    whole_number,
)
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.stored_events import StoredEvents
from ordercycle._experiments.arms import ARM_TYPE, HASHES, Arms
from ordercycle._experiments.given_ids import plain_ids
from ordercycle._experiments.rehearsing import divided_of, rehearsed
from ordercycle._experiments.result import ExperimentResult
from ordercycle._experiments.window_scan import Sums, WindowScan
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.intervals import Intervals
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._public import public
from ordercycle._statistics.several import SRM_LIMIT, sample_ratio_p

CUSTOMER, ARM = "customer_id", "arm"
OPTIONS = ("name", "arms", "salt", "hash", "control", "plan_customers")


@public()
@dataclass(frozen=True)
class Experiment:
    """Arms that customers are divided into by their ids, and the comparison of what they did.

    Who is in which arm is a function of the id, the salt and the weights: the same on every
    machine, engine and day, and nothing has to be kept.

    Parameters
    ----------
    name
        Of the experiment.
    arms
        Names of arms with their shares: whole percents that add up to 100, or
        ``fractions.Fraction`` that add up to 1.
    salt
        What is hashed with ids, so that experiments divide customers independently of each other;
        those with one salt divide them alike. None: the name. Of a foreign hash, the seed
        (GrowthBook) or the experiment's id (Optimizely).
    hash
        ``"ordercycle"``, or that of a system which shows the experience: ``"growthbook"`` (its
        second version) or ``"optimizely"``, with buckets in the order of the arms.
    control
        The arm that others are compared with.
    plan_customers
        How many customers of control and another arm together are planned: there, the always-valid
        interval is about the narrowest. None: those assigned.

    Raises
    ------
    ConfigError
        Arms do not add up, `control` is none of them, or an option is not one of those above.

    Examples
    --------
    >>> experiment = Experiment("spring-banner", arms={"control": 10, "banner": 90})
    >>> experiment.assign(["ann", "bob", "eve"]).to_pylist()
    ['banner', 'banner', 'banner']
    >>> Experiment("banner", arms={"control": 10, "banner": 80})
    Traceback (most recent call last):
    ...
    ordercycle.ConfigError: arms= adds up to 90, not to 100; give shares in percent that add up to \
100, or fractions that add up to 1
    """

    name: str
    arms: Mapping[str, Any]
    _: KW_ONLY
    salt: str | None = None
    hash: str = HASHES[0]
    control: str = "control"
    plan_customers: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError((Option("name", self.name), " is no name"), remedy="name it by text")
        if self.salt is not None and (not isinstance(self.salt, str) or not self.salt):
            raise ConfigError((Option("salt", self.salt), " is no text"), remedy="pass text")
        arms = self._arms
        check_choice("control", self.control, arms.names)
        if not arms.weights[arms.names.index(self.control)]:
            raise ConfigError(
                (Option("control", self.control), " has the weight 0"),
                remedy="nothing can be compared with it; give it a share",
            )
        if self.plan_customers is not None and (whole_number(self.plan_customers) or 0) < 1:
            raise ConfigError(
                (Option("plan_customers", self.plan_customers), " is no number of customers")
            )

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and self._key == other._key

    @property
    def _key(self) -> tuple[Any, ...]:
        """What makes it this experiment: of arms, also the order, which says who is in which."""
        arms = tuple(self.arms.items())
        return (self.name, arms, self.salt, self.hash, self.control, self.plan_customers)

    @property
    def _arms(self) -> Arms:
        return Arms.of("arms", self.arms, self.salt or self.name, self.hash)

    def to_dict(self) -> dict[str, Any]:
        """Return the experiment as data.

        Examples
        --------
        >>> Experiment("banner", {"control": 50, "banner": 50}).to_dict()
        {'experiment': 'banner', 'arms': {'control': 50, 'banner': 50}}
        """
        found: dict[str, Any] = {"experiment": self.name, "arms": self._arms.to_dict()}
        given = {"salt": self.salt, "plan_customers": self.plan_customers}
        found |= {name: one for name, one in given.items() if one is not None}
        if self.hash != HASHES[0]:
            found["hash"] = self.hash
        if self.control != "control":
            found["control"] = self.control
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the experiment that :meth:`to_dict`, or a TOML file, describes.

        Shares may be text such as ``"1/3"``.

        Raises
        ------
        ConfigError
            It is none, or has another option.
        """
        if not isinstance(data, Mapping) or "experiment" not in data:
            raise ConfigError(
                "this is no experiment", remedy='it begins with experiment = "its name"'
            )
        options = {("name" if name == "experiment" else name): one for name, one in data.items()}
        for name in options:
            if name not in OPTIONS:
                hint = suggestion(str(name), OPTIONS)
                raise ConfigError(
                    printable(f"an experiment has no option {name!r}{hint}"),
                    remedy=f"there are experiment, {', '.join(OPTIONS[1:])}",
                )
        options.setdefault("arms", None)
        return cls(**options)

    def assign(self, ids: Any) -> Any:
        """Return the arm of each customer.

        Parameters
        ----------
        ids
            A list, a NumPy or Arrow array of ids, or a pyarrow Table with ``customer_id``. The
            number 7 and the text "7" are two customers: pass ids as the orders have them.

        Returns
        -------
        pyarrow.Array or pyarrow.Table
            A dictionary of the arms' names, aligned with the ids and null where these are; of a
            table, the table with this column, ``arm``, behind.

        Raises
        ------
        ConfigError
            These are no ids.
        ColumnError
            A table has no ``customer_id``, has ``arm`` already, or ids of a type that is none.
        """
        if isinstance(ids, pa.RecordBatch):
            ids = pa.Table.from_batches([ids])
        if not isinstance(ids, pa.Table):
            return self._assigned(ids)
        for name, wanted in ((CUSTOMER, True), (ARM, False)):
            if (name in ids.column_names) != wanted:
                said = "has no column" if wanted else "has already a column"
                raise ColumnError(f"the table {said} {name}", remedy="rename one", column=name)
        return ids.append_column(ARM, pa.chunked_array([self._assigned(ids.column(CUSTOMER))]))

    def _assigned(self, ids: Any) -> pa.DictionaryArray:
        arms, plain = self._arms, plain_ids(ids)
        codes = array_of(arms.codes(plain), pa.int8(), validity(plain))
        return pa.DictionaryArray.from_arrays(codes, array_of_texts(arms.names)).cast(ARM_TYPE)

    def measure(
        self,
        history: OrderHistory,
        exposures: EventHistory | None = None,
        *,
        since: date | str,
        as_of: date | str,
        window_days: int = 30,
        covariate: str | None = None,
        by: Membership | None = None,
        alpha: float = 0.05,
    ) -> ExperimentResult:
        """Compare what customers of the arms ordered within their windows.

        All who were customers on the day of assignment count, whether they saw anything or not:
        what is compared is the decision to show it.

        Parameters
        ----------
        history
            The orders. Of a view, those that it has: ``history.where("brand == 'tea'")``.
        exposures
            Views of the experience. Where every arm has views in the proportion of its weight
            (control: views of where it would have been), a customer's window starts at the first
            view within `window_days` after the assignment; otherwise views are counted alone, as
            windows that start differently cannot be compared.
        since
            The day of assignment: windows are the days after it.
        as_of
            The last day that is known. Customers count from the day on which their window closes.
        window_days
            How long windows are.
        covariate
            A number of the profile as of `since`, such as ``"revenue"``, which takes its part off
            the spread of values: what is later would be an effect itself.
        by
            Memberships whose segments on the day of assignment are compared as well.
        alpha
            How often an interval may miss.

        Raises
        ------
        ConfigError
            A day is none, `as_of` is before the first window closes, or an option makes no sense.
        ColumnError
            The covariate is no number of a profile.
        DataError
            Views are before the assignment, or a value is too large to be squared.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> days = [datetime.date(2026, 1, 5), datetime.date(2026, 2, 10)]
        >>> orders = pa.table({
        ...     "customer_id": [*range(100), *range(0, 100, 3)],
        ...     "ordered_at": [days[0]] * 100 + [days[1]] * 34,
        ...     "amount": [10] * 134,
        ... })
        >>> experiment = oc.Experiment("banner", arms={"control": 50, "banner": 50})
        >>> result = experiment.measure(
        ...     oc.OrderHistory.build(orders), since="2026-02-01", as_of="2026-03-03"
        ... )
        >>> for row in result.to_table().to_pylist():
        ...     print(row["arm"], row["customers"], row["Conversion"], row["Conversion value"])
        control 45 15 150
        banner 55 19 190
        """
        scan = self._scan(history, exposures, since, as_of, window_days, covariate, by)
        segments = by.segments if by is not None else ()
        return self._result(scan, WindowScan.sums, alpha, segments)

    def _result(
        self,
        scan: WindowScan,
        sums_of: Callable[[WindowScan], Sums],
        alpha: float,
        segments: tuple[str, ...],
    ) -> ExperimentResult:
        """Return what the sums of a scan come to: from views on where all arms have them alike."""
        _check_alpha(alpha)
        sums = sums_of(scan)
        start = "assignment"
        if scan.views is not None and self._views_are_alike(scan, sums):
            start = "view"
            scan = WindowScan(**{**vars(scan), "from_views": True})
            sums = sums_of(scan)
        plan = self.plan_customers
        return ExperimentResult(
            scan.arms.names, self.control, start, alpha, plan, segments, scan, sums
        )

    def rehearse(
        self,
        history: OrderHistory,
        *,
        since: date | str,
        as_of: date | str,
        window_days: int = 30,
        covariate: str | None = None,
        runs: int = 200,
        alpha: float = 0.05,
    ) -> pa.Table:
        """Return how the experiment would have gone in the past, where the arms did nothing.

        The customers of a past day are divided again and again, by other salts, and measured as
        :meth:`measure` does: every effect that is found is a false one.

        Parameters
        ----------
        history, since, as_of, window_days, covariate, alpha
            As for :meth:`measure`.
        runs
            How often customers are divided.

        Returns
        -------
        pyarrow.Table
            One row. ``runs``; ``false_positives``: the share of comparisons with p below `alpha`;
            ``false_positives_always``: with an always-valid interval without 0; ``srm_failures``;
            ``customers``, with a closed window; ``baseline``: their conversion rate,
            ``baseline_low``, ``baseline_high`` (Wilson); ``value_mean`` and ``value_sd`` by
            customer; ``r2``: the share of the value's variance that the covariate explains;
            ``smallest_lift``: the lift that is found in four of five cases in
            the arms as planned, by the fixed interval; ``smallest_lift_always``: by the
            always-valid one; ``days``: from assignment until all windows closed.

        Raises
        ------
        ConfigError, ColumnError, DataError
            As for :meth:`measure`.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.groceries()
        >>> history = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> experiment = oc.Experiment("banner", arms={"control": 50, "banner": 50})
        >>> table = experiment.rehearse(history, since="2017-06-01", as_of="2017-07-01", runs=50)
        >>> table["false_positives"][0].as_py() < 0.2
        True
        """
        scan = self._scan(history, None, since, as_of, window_days, covariate, None)
        _check_rehearsal(runs, alpha)
        return rehearsal_of(self, scan, scan.sums(), lambda: divided_of(scan, int(runs)), alpha)

    def _views_are_alike(self, scan: WindowScan, sums: Sums) -> bool:
        """Return whether every arm has views in the proportion of its weight."""
        viewers = sums.viewers.reshape(-1, len(scan.arms.names)).sum(axis=0).tolist()
        arms = [
            (count, float(weight))
            for count, weight in zip(viewers, scan.arms.weights, strict=True)
            if weight
        ]
        p = sample_ratio_p([count for count, _ in arms], [weight for _, weight in arms])
        return all(count for count, _ in arms) and p is not None and p >= SRM_LIMIT

    def _scan(
        self,
        history: OrderHistory,
        exposures: EventHistory | None,
        since: date | str,
        as_of: date | str,
        window_days: int,
        covariate: str | None,
        by: Membership | None,
    ) -> WindowScan:
        """Return what is to be measured, checked."""
        if not isinstance(history, OrderHistory):
            raise ConfigError(
                (Option("history"), f" is a {type(history).__name__}, no OrderHistory"),
                remedy="build one with OrderHistory.build(orders)",
            )
        orders = grouped_orders(history)
        first, last = day_number(since, "since"), day_number(as_of, "as_of")
        width = whole_number(window_days)
        if width is None or width < 1:
            raise ConfigError(
                (Option("window_days", window_days), " is no number of days"),
                remedy="pass a whole number from 1 on",
            )
        if last < first + width:
            raise ConfigError(
                (
                    Option("as_of", str(as_of)),
                    f" is before the first window closes, {width} days after ",
                    Option("since", str(since)),
                ),
                remedy=("wait, or pass fewer ", Option("window_days")),
            )
        groups, segments = _groups(by, history)
        scan = WindowScan(
            arms=self._arms,
            orders=orders,
            views=_views(exposures, orders),
            since=first,
            as_of=last,
            width=width,
            covariate=covariate,
            groups=groups,
            segments=segments,
        )
        scan.check_covariate()
        return scan


def scan_of(experiment: Experiment, history: OrderHistory, **options: Any) -> WindowScan:
    """Return what measures an experiment, for clusters; options: those of `Experiment.measure`."""
    return experiment._scan(history, **options)  # noqa: SLF001 - users measure at once


def result_of(
    experiment: Experiment,
    scan: WindowScan,
    sums_of: Callable[[WindowScan], Sums],
    alpha: float,
    segments: tuple[str, ...],
) -> ExperimentResult:
    """Return what the sums of a scan come to; sums_of: adds them up, with errors of its own."""
    return experiment._result(scan, sums_of, alpha, segments)  # noqa: SLF001 - as above


def rehearsal_scan(
    experiment: Experiment, history: OrderHistory, runs: int, alpha: float, **options: Any
) -> WindowScan:
    """Return what measures a rehearsal, checked; options: others of `Experiment.rehearse`."""
    scan = scan_of(experiment, history, exposures=None, by=None, **options)
    _check_rehearsal(runs, alpha)
    return scan


def rehearsal_of(
    experiment: Experiment,
    scan: WindowScan,
    sums: Sums,
    divided: Callable[[], NDArray[np.int64]],
    alpha: float,
) -> pa.Table:
    """Return what the sums of a rehearsal come to; divided: its runs, counted when asked for."""
    return rehearsed(scan, sums, divided, experiment.control, experiment.plan_customers, alpha)


def _check_rehearsal(runs: int, alpha: float) -> None:
    _check_alpha(alpha)
    if not 1 <= (whole_number(runs) or 0) <= 10_000:
        raise ConfigError((Option("runs", runs), " is not from 1 to 10,000"))


def _check_alpha(alpha: float) -> None:
    if isinstance(alpha, bool) or not isinstance(alpha, float) or not 0.0 < alpha < 0.5:
        raise ConfigError((Option("alpha", alpha), " is not between 0 and 0.5"))


def _groups(by: Membership | None, history: OrderHistory) -> tuple[Intervals | None, int]:
    if by is None:
        return None, 0
    if not isinstance(by, Membership):
        raise ConfigError(
            (Option("by"), f" is a {type(by).__name__}, no Membership"),
            remedy="make one with the membership method of a scheme",
        )
    if not by.belongs_to(history):
        raise ConfigError(
            (Option("by"), " is of another history"),
            remedy="make the memberships of the history that is measured",
        )
    return intervals_of(by), len(by.segments)


def _views(exposures: EventHistory | None, orders: GroupedOrders) -> StoredEvents | None:
    if exposures is None:
        return None
    if not isinstance(exposures, EventHistory):
        raise ConfigError(
            (Option("exposures"), f" is a {type(exposures).__name__}, no EventHistory"),
            remedy="build one with EventHistory.build(events)",
        )
    views = stored_events(exposures)
    if orders.spec.ids.together_with(views.spec.ids) is None:
        name = views.spec.columns.customer
        raise ColumnError(
            f"{name} is {views.spec.ids.given} in the exposures and {orders.spec.ids.given} in "
            "the orders, which have no ids in common",
            remedy="cast one to the type of the other",
            column=name,
        )
    return views
