"""What journeys and experiments came to, as a page shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, printable
from ordercycle._experiments.result import ExperimentResult, path_curves
from ordercycle._journeys.charts import conversion_curve
from ordercycle._journeys.replayed import CONTROL, STATUSES
from ordercycle._page.journeys import (
    Column,
    Curve,
    ShownExperiment,
    ShownJourney,
    Table,
)
from ordercycle._page.numbers import day_name

OF_ENTRIES = (
    Column("Triggered journey", "count"),
    Column("Converted", "count"),
    Column("Conversion rate", "share"),
    Column("Days to convert (Avg)", "days"),
    Column("conversion_rate_so_far", "share"),
)
OF_STEPS = tuple(Column(name, "count") for name in ("reached", *STATUSES[:-1]))
#: What an arm is beside control.
COMPARED = (
    "Lift", "lift_low", "lift_high", "difference", "always_low", "always_high", "p_always",
)  # fmt: skip
OF_ARMS = (
    Column("Control group", "text"),
    Column("customers", "count"),
    Column("Unique views", "count"),
    Column("Conversion", "count"),
    Column("Conversion %", "share"),
    Column("Conversion value", "currency"),
    *(Column(name, "p" if name == "p_always" else "share") for name in COMPARED),
)
#: What tells of those who converted, in both.
OF_CONVERTED = tuple(one.name for one in OF_ENTRIES[1:])
OF_CONVERSIONS = ("Conversion", "Conversion %", "Conversion value", *COMPARED)
#: What columns are called on a page, where it is not their name.
SHOWN_AS = {
    "conversion_rate_so_far": "Conversion rate so far",
    "reached": "Reached",
    "waiting": "Waiting",
    "completed": "Completed",
    "converted": "Converted",
    "left": "Left",
    "customers": "Customers",
    "lift_low": "Lift from",
    "lift_high": "Lift to",
    "difference": "Difference",
    "always_low": "Always valid from",
    "always_high": "Always valid to",
    "p_always": "Always-valid p",
}
ALL = "All"
#: Where windows start, in words.
STARTS = {"assignment": "assignment", "view": "the first view"}


@runtime_checkable
class Run(Protocol):
    """What a page asks of a journey that was replayed, wherever that was."""

    @property
    def name(self) -> str:
        """What the journey is called."""

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of its arms."""

    @property
    def version(self) -> str:
        """A digest of its definition."""

    @property
    def starts_on(self) -> date | None:
        """The first day of the definition."""

    @property
    def ends_on(self) -> date | None:
        """The last day of the definition."""

    @property
    def as_of(self) -> date:
        """The last day that is known."""

    def analytics(self, by: str | None = None) -> pa.Table:
        """Return what entries came to."""

    def funnel(self, arm: str | None = None) -> pa.Table:
        """Return how far entries came."""

    def time_to_convert(self, arm: str | None = None) -> pa.Table:
        """Return after how many days entries converted."""


def shown_journeys(runs: Any, least: int) -> tuple[ShownJourney, ...]:
    """Return what journeys came to, without numbers of fewer people.

    Raises
    ------
    ConfigError
        These are no runs of journeys, or two are of one version.
    """
    if not isinstance(runs, Sequence) or not all(isinstance(one, Run) for one in runs):
        raise ConfigError(
            (Option("journeys"), " are no runs of journeys"),
            remedy="pass a list of what Journey.replay() returns",
        )
    versions = [(one.name, one.version) for one in runs]
    twice = next((one for one in versions if versions.count(one) > 1), None)
    if twice is not None:
        raise ConfigError(
            (Option("journeys"), printable(f" has {twice[0]!r} twice")),
            remedy="pass one run of each journey, or of each of its versions",
        )
    names = _names(runs)
    return tuple(_journey(one, name, least) for one, name in zip(runs, names, strict=True))


def _names(runs: Sequence[Run]) -> list[str]:
    """Return what runs are called: versions of a journey by their days, or else their digests."""
    several = {name for name, many in Counter(one.name for one in runs).items() if many > 1}
    names = [f"{one.name}{_days_of(one)}" if one.name in several else one.name for one in runs]
    shared = {name for name, many in Counter(names).items() if many > 1}
    return [
        f"{one.name}, version {one.version}" if name in shared else name
        for one, name in zip(runs, names, strict=True)
    ]


def _days_of(run: Run) -> str:
    if run.starts_on is not None:
        return f", from {day_name(run.starts_on)}"
    return "" if run.ends_on is None else f", until {day_name(run.ends_on)}"


def shown_experiments(results: Any, least: int) -> tuple[ShownExperiment, ...]:
    """Return what experiments found, by their names, without numbers of fewer people.

    Raises
    ------
    ConfigError
        These are no results of experiments by name.
    """
    is_named = isinstance(results, Mapping) and all(isinstance(name, str) for name in results)
    if not is_named or not all(isinstance(one, ExperimentResult) for one in results.values()):
        raise ConfigError(
            (Option("experiments"), " are no results by name"),
            remedy='pass them as {"banner": what Experiment.measure() returns}',
        )
    return tuple(_experiment(name, one, least) for name, one in results.items())


def _journey(run: Run, name: str, least: int) -> ShownJourney:
    by_arm = [(row["arm"], row) for row in run.analytics(by="arm").to_pylist()]
    rows = [*by_arm, (ALL, run.analytics().to_pylist()[0])] if len(by_arm) > 1 else by_arm
    few = {arm for arm, row in rows if _is_few(row["Triggered journey"], least)}
    few_converted = _blank_few(rows, "Converted", OF_CONVERTED, least)
    metrics = _table("Arm", OF_ENTRIES, rows, few)
    sent = [name for name in run.arms if name != CONTROL] or [*run.arms]
    steps = _summed([run.funnel(arm).to_pylist() for arm in sent])
    for row in steps:
        for one in OF_STEPS:
            row[one.name] = None if _is_few(row[one.name], least) else row[one.name]
    curves = [
        conversion_curve(run.time_to_convert(arm), arm)
        for arm, row in by_arm
        if arm not in few | few_converted and row["Triggered journey"]
    ]
    held_out = " Steps are those of all arms but control." if CONTROL in run.arms else ""
    return ShownJourney(
        name=name,
        note=(
            f"As of {day_name(run.as_of)}. The conversion rate is of entries whose window is over; "
            f"so far, open windows count too.{held_out}"
        ),
        metrics=metrics,
        steps=_table("Step", OF_STEPS, [(row["step"], row) for row in steps], ()),
        reached=tuple((row["step"], row["reached"]) for row in steps),
        curves=tuple(one for one in curves if len(one.points) > 1),
    )


def _summed(funnels: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the steps of several arms together."""
    return [
        {
            "step": rows[0]["step"],
            **{one.name: sum(row[one.name] for row in rows) for one in OF_STEPS},
        }
        for rows in zip(*funnels, strict=True)
    ]


def _experiment(name: str, result: ExperimentResult, least: int) -> ShownExperiment:
    rows = [(row["arm"], row) for row in result.to_table().to_pylist()]
    few = {arm for arm, row in rows if _is_few(row["customers"], least)}
    few_converted = _blank_few(rows, "Conversion", OF_CONVERSIONS, least)
    hidden = few | few_converted
    hidden = set(result.arms) if result.control in hidden else hidden
    withheld = rows[0][1]["withheld"]
    said = f" Nothing is compared: {withheld}." if withheld and not few else ""
    for arm, row in rows:
        row["Control group"] = "yes" if row["Control group"] else "no"
        if arm not in few and arm in hidden:
            row.update(dict.fromkeys(COMPARED))
        views = row["Unique views"]
        row["Unique views"] = None if _is_few(views, least) else views
        value = row["Conversion value"]
        row["Conversion value"] = None if value is None else float(value)
    paths: tuple[Curve, ...] = tuple(
        one for one in path_curves(result) if one.name not in hidden and one.points
    )
    return ShownExperiment(
        name=name,
        note=(
            f"As of {day_name(result.as_of)}; windows start at {STARTS[result.windows_from]}.{said}"
        ),
        control=result.control,
        arms=_table("Arm", OF_ARMS, rows, few),
        paths=paths,
    )


def _blank_few(
    rows: Iterable[tuple[str, dict[str, Any]]], count: str, told: Iterable[str], least: int
) -> set[str]:
    """Blank what rows tell of the people whom a column counts, where these are few; return which.

    told: the column and those that follow from it.
    """
    few = [(name, row) for name, row in rows if _is_few(row[count], least)]
    for _, row in few:
        row.update(dict.fromkeys(told))
    return {name for name, _ in few}


def _is_few(count: int | None, least: int) -> bool:
    return count is not None and 0 < count < least


def _table(
    title: str,
    columns: Sequence[Column],
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    few: Iterable[str],
) -> Table:
    """Return some columns of rows; few: rows of fewer people, which have no numbers."""
    hidden = set(few)
    return Table(
        title,
        tuple(Column(SHOWN_AS.get(one.name, one.name), one.unit) for one in columns),
        tuple(
            (
                name,
                tuple(
                    row[one.name] if name not in hidden or one.unit == "text" else None
                    for one in columns
                ),
            )
            for name, row in rows
        ),
    )
