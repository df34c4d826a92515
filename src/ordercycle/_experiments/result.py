"""What an experiment found: arms beside control, day by day, and by segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._attribution.exact_totals import in_type
from ordercycle._days import date_of
from ordercycle._errors import ConfigError, Option, counted, printable
from ordercycle._experiments.window_scan import Sums, WindowScan, moments
from ordercycle._page.charts import LIGHT
from ordercycle._page.journeys import Curve
from ordercycle._page.journeys import always_valid as always_valid_chart
from ordercycle._public import public
from ordercycle._statistics.distributions import normal_quantile
from ordercycle._statistics.means import Means, Moments, adjusted_means, plain_means
from ordercycle._statistics.rates import FEWEST, Rate, score_difference, score_lift, score_p
from ordercycle._statistics.sequential import always_valid
from ordercycle._statistics.several import (
    SRM_LIMIT,
    benjamini_hochberg,
    holm,
    sample_ratio_p,
    shrunk,
)

if TYPE_CHECKING:
    from altair import LayerChart

FEWEST_CUSTOMERS = 2
NONE_OF_IT = "(no segment)"

#: Of an arm beside control, in the order of the table: of rates, then of money.
OF_RATES = (
    "Lift",
    "lift_low",
    "lift_high",
    "difference",
    "difference_low",
    "difference_high",
    "always_low",
    "always_high",
    "p",
    "p_always",
    "p_adjusted",
)
OF_MONEY = (
    "value_difference",
    "value_low",
    "value_high",
    "value_p",
    "value_lift",
    "value_lift_low",
    "value_lift_high",
    "value_always_low",
    "value_always_high",
)
PATH = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        *(pa.field(name, pa.float64()) for name in ("difference", "low", "high", "p")),
    ]
)
SEGMENTS = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),
        pa.field("Conversion", pa.int64(), nullable=False),
        *(
            pa.field(name, pa.float64())
            for name in (
                "Conversion %",
                "difference",
                "difference_low",
                "difference_high",
                "p",
                "p_adjusted",
                "shrunk",
                "shrunk_low",
                "shrunk_high",
                "q_p",
            )
        ),
        pa.field("withheld", pa.string()),
    ]
)


class Look(NamedTuple):
    """What is known of an arm on a day: the always-valid interval, None where it says nothing."""

    difference: float | None
    low: float | None
    high: float | None
    p: float


@public()
@dataclass(frozen=True, repr=False, eq=False)
class ExperimentResult:
    """What customers of each arm did: what :meth:`Experiment.measure` returns.

    Attributes
    ----------
    arms : tuple of str
        The arms, in their order.
    control : str
        The one that the others are compared with.
    windows_from : str
        ``"assignment"``, or ``"view"`` where windows start at the first view, as every arm has
        views in the proportion of its weight.
    alpha : float
        How often an interval may miss.
    as_of : datetime.date
        The last day that is known.
    """

    arms: tuple[str, ...]
    control: str
    windows_from: str
    alpha: float
    _plan: int | None
    _segments: tuple[str, ...]
    _scan: WindowScan
    _sums: Sums

    def __repr__(self) -> str:
        counts = ", ".join(
            printable(f"{name}: {self._rate([place]).x:,} of {self._rate([place]).n:,}")
            for place, name in enumerate(self.arms)
        )
        return f"ExperimentResult({counts} converted as of {date_of(self._scan.as_of)})"

    @property
    def as_of(self) -> date:
        return date_of(self._scan.as_of)

    def to_table(self) -> pa.Table:
        """Return a row for each arm.

        Returns
        -------
        pyarrow.Table
            ``arm``; ``Control group``: whether it is control; ``customers``: with a closed window;
            ``Unique views``: customers who viewed up to the day, null without views;
            ``Conversion``: customers who ordered in their window; ``Conversion %``: their share;
            ``Conversion value``: net of refunds in the windows.

            Beside control, of rates: ``Lift``, ``lift_low``, ``lift_high`` (score interval of the
            ratio), ``difference``, ``difference_low``, ``difference_high`` (score interval),
            ``always_low``, ``always_high`` (valid however often one looks), ``p``, ``p_always``
            (the least of all days so far), ``p_adjusted`` (Holm, over the arms).

            Of value by customer: ``value_difference``, ``value_low``, ``value_high``, ``value_p``
            (Welch), ``value_lift``, ``value_lift_low``, ``value_lift_high`` (Fieller; null where it
            has no bounds), ``value_always_low``, ``value_always_high``; adjusted where there is a
            covariate. Where the values of an arm do not vary, as those of nobody who ordered,
            ``value_difference`` alone.

            ``srm_p``: of customers being in the arms by their weights; ``withheld``: why there are
            no comparisons, null where there are. What is always valid holds of many customers
            alone, and is null where in an arm fewer than 5 converted or, of rates, fewer than 5 did
            not.
        """
        withheld = self._withheld()
        revenue = self._scan.orders.spec.revenue
        rows: dict[str, list[Any]] = {name: [] for name in (*OF_RATES, *OF_MONEY)}
        found = [
            {} if withheld or name == self.control else self._compared(place)
            for place, name in enumerate(self.arms)
        ]
        known = [one["p"] for one in found if one.get("p") is not None]
        adjusted = iter(holm(known))
        for one in found:
            one["p_adjusted"] = next(adjusted) if one.get("p") is not None else None
            for name, values in rows.items():
                values.append(one.get(name))
        rates = [self._rate([place]) for place in range(len(self.arms))]
        totals: list[Any] = [None] * len(rates)
        if revenue is not None:
            units = 10 ** self._scan.scales[0]
            totals = [
                in_type(self._moments([place]).y * units, revenue) for place in range(len(rates))
            ]
        columns: list[tuple[str, pa.DataType, list[Any]]] = [
            ("arm", pa.string(), list(self.arms)),
            ("Control group", pa.bool_(), [name == self.control for name in self.arms]),
            ("customers", pa.int64(), [rate.n for rate in rates]),
            ("Unique views", pa.int64(), self._views()),
            ("Conversion", pa.int64(), [rate.x for rate in rates]),
            ("Conversion %", pa.float64(), [rate.share if rate.n else None for rate in rates]),
            ("Conversion value", pa.float64() if revenue is None else revenue, totals),
            *((name, pa.float64(), values) for name, values in rows.items()),
            ("srm_p", pa.float64(), [self._srm_p] * len(rates)),
            ("withheld", pa.string(), [withheld] * len(rates)),
        ]
        return pa.table({name: pa.array(values, kind) for name, kind, values in columns})

    def path(self) -> pa.Table:
        """Return the always-valid interval of the difference, day by day.

        Returns
        -------
        pyarrow.Table
            ``arm``, ``day`` (date32, from the first on which windows close), ``difference`` of the
            conversion rates, ``low``, ``high``, and ``p``, the least so far. As of each day, they
            are what :meth:`Experiment.measure` as of that day finds.
        """
        withheld = self._withheld() is not None
        rows: list[tuple[Any, ...]] = []
        for place, name in enumerate(self.arms):
            if name == self.control or withheld:
                continue
            first = self._scan.since + self._scan.width
            rows += [
                (name, date_of(first + day), look.difference, look.low, look.high, look.p)
                for day, look in enumerate(self._looks(place))
            ]
        columns = list(zip(*rows, strict=True)) or [()] * len(PATH)
        return pa.table(
            [pa.array(column, kind) for column, kind in zip(columns, PATH.types, strict=True)],
            schema=PATH,
        )

    def plot(self) -> LayerChart:
        """Draw the path of the always-valid interval with Altair, the extra ``page``.

        Returns
        -------
        altair.LayerChart
            A line for each arm within its interval; ``.save("path.png")`` writes a picture.

        Raises
        ------
        ImportError
            Altair is not installed.
        """
        return always_valid_chart(LIGHT, path_curves(self), self.control)

    def segments(self) -> pa.Table:
        """Return what arms did in each segment of the day of assignment, beside control.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``arm``, ``customers``, ``Conversion``, ``Conversion %``, ``difference``,
            ``difference_low``, ``difference_high``, ``p``, ``p_adjusted`` (Benjamini and Hochberg,
            over all rows); ``shrunk``, ``shrunk_low``, ``shrunk_high``: the difference drawn to
            the mean of all segments by as much as it is uncertain (Paule and Mandel); ``q_p``: of
            the test that the arm does the same in all segments; ``withheld``: why a row has no
            comparison, null where it has.

        Raises
        ------
        ConfigError
            The experiment was not measured by segment.
        """
        if not self._segments:
            raise ConfigError(
                (Option("by"), " was not given: there are no segments"),
                remedy=("pass memberships to measure(), as ", Option("by"), "membership"),
            )
        names = (*self._segments, NONE_OF_IT)
        rows = []
        for place, arm in enumerate(self.arms):
            of_arm = [self._in_segment(group, place) for group in range(len(names))]
            kept = [
                (name, found) for name, found in zip(names, of_arm, strict=True) if found["there"]
            ]
            if arm != self.control:
                self._shrink([found for _, found in kept])
            rows += [{"segment": name, "arm": arm, **found} for name, found in kept]
        known = [row for row in rows if row.get("p") is not None]
        for row, p in zip(known, benjamini_hochberg([row["p"] for row in known]), strict=True):
            row["p_adjusted"] = p
        rows.sort(key=lambda row: names.index(row["segment"]))
        columns = {field.name: [row.get(field.name) for row in rows] for field in SEGMENTS}
        return pa.table(
            [pa.array(columns[field.name], field.type) for field in SEGMENTS], schema=SEGMENTS
        )

    @property
    def _control(self) -> int:
        return self.arms.index(self.control)

    @property
    def _groups(self) -> int:
        return len(self._segments) + 1 if self._segments else 1

    def _cells(self, arms: list[int], group: int | None = None) -> Any:
        """Return the cells of some arms, of a group or of all."""
        days, each = self._scan.days, len(self.arms)
        groups = range(self._groups) if group is None else [group]
        starts = [(one * each + arm) * days for one in groups for arm in arms]
        return np.concatenate([np.arange(start, start + days) for start in starts])

    def _rate(self, arms: list[int], group: int | None = None) -> Rate:
        cells = self._cells(arms, group)
        return Rate(int(self._sums.customers[cells].sum()), int(self._sums.converted[cells].sum()))

    def _rates_by_day(self, arm: int) -> Iterator[Rate]:
        """Yield the rate of an arm as of each day on which windows close."""
        shape = (self._groups, len(self.arms), self._scan.days)
        counts = (self._sums.customers, self._sums.converted)
        so_far = [count.reshape(shape)[:, arm].sum(axis=0).cumsum().tolist() for count in counts]
        return map(Rate, *so_far)

    def _moments(self, arms: list[int]) -> Moments:
        return moments(self._scan, self._sums, self._cells(arms))

    def _of_arms(self, counts: Any) -> list[int]:
        """Return counts by group and arm as those of arms."""
        of_arms: list[int] = counts.reshape(-1, len(self.arms)).sum(axis=0).tolist()
        return of_arms

    @property
    def _srm_p(self) -> float | None:
        weights = [float(weight) for weight in self._scan.arms.weights]
        return sample_ratio_p(self._of_arms(self._sums.assigned), weights)

    def _views(self) -> list[int | None]:
        """Return the customers of each arm who viewed; of control, null where nobody did."""
        if self._scan.views is None:
            return [None] * len(self.arms)
        viewers = self._of_arms(self._sums.viewers)
        return [
            None if name == self.control and not count else count
            for name, count in zip(self.arms, viewers, strict=True)
        ]

    def _withheld(self) -> str | None:
        """Return why there are no comparisons."""
        p = self._srm_p
        if p is not None and p < SRM_LIMIT:
            counts = " : ".join(f"{one:,}" for one in self._of_arms(self._sums.assigned))
            return f"sample ratio mismatch: {counts} customers in the arms, p = {p:.2g}"
        if self._rate([self._control]).n < FEWEST_CUSTOMERS:
            return f"too few customers in {self.control!r}"
        return None

    def _planned(self, place: int) -> int:
        """Return how many customers of both arms were planned."""
        if self._plan is not None:
            return self._plan
        assigned = self._of_arms(self._sums.assigned)
        return assigned[place] + assigned[self._control]

    def _looks(self, place: int) -> Iterator[Look]:
        """Yield what is known of an arm on each day on which windows close."""
        least = 1.0
        before: tuple[Rate, Rate] | None = None
        look = Look(None, None, None, least)
        days = zip(self._rates_by_day(place), self._rates_by_day(self._control), strict=True)
        for one, control in days:
            if (one, control) != before:
                look = self._look(place, one, control, least)
                least, before = look.p, (one, control)
            yield look

    def _look(self, place: int, one: Rate, control: Rate, least: float) -> Look:
        if min(one.n, control.n) == 0:
            return Look(None, None, None, least)
        found, variance = one.share - control.share, one.variance + control.variance
        if not (one.is_of_many and control.is_of_many):
            return Look(found, None, None, least)
        both = one.n + control.n
        interval, p = always_valid(found, variance, both, self._planned(place), self.alpha)
        return Look(found, *interval, min(least, p))

    def _compared(self, place: int) -> dict[str, Any]:
        """Return what the table says of an arm beside control."""
        one, control = self._rate([place]), self._rate([self._control])
        if one.n < FEWEST_CUSTOMERS:
            return {}
        z = normal_quantile(self.alpha)
        *_, look = self._looks(place)
        low, high = score_difference(one, control, z)
        found: dict[str, Any] = {
            "difference": one.share - control.share,
            "difference_low": low,
            "difference_high": high,
            "p": score_p(one, control),
            "always_low": look.low,
            "always_high": look.high,
            "p_always": None if look.low is None else look.p,
        }
        lift = score_lift(one, control, z)
        if lift is not None:
            found["Lift"] = one.share / control.share - 1.0
            found["lift_low"], found["lift_high"] = lift
        if self._scan.orders.spec.has_amount:
            found |= self._value(place, few=min(one.x, control.x) < FEWEST)
        return found

    def _value(self, place: int, *, few: bool) -> dict[str, Any]:
        """Return what the table says of an arm's value by customer; few: customers converted."""
        one, control = self._moments([place]), self._moments([self._control])
        compare = plain_means if self._scan.covariate is None else adjusted_means
        means: Means | None = compare(one, control)
        if means is None:
            return {"value_difference": one.mean - control.mean}
        critical = means.critical(self.alpha)
        low, high = means.interval(critical)
        found: dict[str, Any] = {
            "value_difference": means.difference,
            "value_low": low,
            "value_high": high,
            "value_p": means.p(),
            "value_lift": means.lift,
        }
        lift = means.lift_interval(critical)
        if lift is not None:
            found["value_lift_low"], found["value_lift_high"] = lift
        if not few:
            both, planned = one.n + control.n, self._planned(place)
            interval, _ = always_valid(means.difference, means.variance, both, planned, self.alpha)
            found["value_always_low"], found["value_always_high"] = interval
        return found

    def _in_segment(self, group: int, place: int) -> dict[str, Any]:
        """Return what the table of segments says of an arm in one of them."""
        one = self._rate([place], group=group)
        control = self._rate([self._control], group=group)
        found: dict[str, Any] = {
            "there": one.n + control.n > 0,
            "customers": one.n,
            "Conversion": one.x,
            "Conversion %": one.share if one.n else None,
            "withheld": self._withheld(),
        }
        if place == self._control or found["withheld"] is not None:
            return found
        if min(one.n, control.n) < FEWEST_CUSTOMERS:
            smaller = min(one.n, control.n)
            found["withheld"] = f"too few customers: {counted(smaller, 'customer')} in an arm"
            return found
        found["difference"] = one.share - control.share
        found["difference_low"], found["difference_high"] = score_difference(
            one, control, normal_quantile(self.alpha)
        )
        found["p"] = score_p(one, control)
        found["variance"] = one.cautious_variance + control.cautious_variance
        return found

    def _shrink(self, segments: list[dict[str, Any]]) -> None:
        """Add to what segments say their effects drawn to the mean."""
        there = [one for one in segments if "variance" in one]
        if len(there) < 2:
            return
        drawn = shrunk([one["difference"] for one in there], [one["variance"] for one in there])
        z = normal_quantile(self.alpha)
        for one, effect, error in zip(there, drawn.effects, drawn.errors, strict=True):
            one |= {
                "shrunk": effect,
                "shrunk_low": effect - z * error,
                "shrunk_high": effect + z * error,
                "q_p": drawn.q_p,
            }


def path_curves(result: ExperimentResult) -> tuple[Curve, ...]:
    """Return the path of each arm but control as a line within its interval."""
    rows = result.path().to_pylist()
    return tuple(
        Curve(
            name,
            tuple(
                (str(row["day"]), row["difference"], row["low"], row["high"])
                for row in rows
                if row["arm"] == name
            ),
        )
        for name in result.arms
        if name != result.control
    )
