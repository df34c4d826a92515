"""How a history is built: the options of OrderHistory.build, declared and checked once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Self, TypedDict, TypeVar

import pyarrow.compute as pc

from ordercycle._columns import Columns
from ordercycle._errors import ConfigError, Option, suggestion
from ordercycle._history.effects import check_options_act
from ordercycle._ingest.spill import Spill
from ordercycle._policies import Policies
from ordercycle._sources.file_formats import FileFormat, check_read
from ordercycle._sources.locations import store_of
from ordercycle._sources.read_request import USUAL_TIMES, ReadRequest, Role, Times
from ordercycle._workspace import thread_count

Progress = Callable[[int, int | None, str], object]
Built = TypeVar("Built", bound=Callable[..., Any])


class BuildArguments(TypedDict, total=False):
    """The options of OrderHistory.build, for type checkers; BuildOptions declares them."""

    source: Any
    columns: Columns
    read: FileFormat | None
    filesystem: Any
    timezone: str
    times_without_zone: str | None
    refunds: str
    anonymous: str
    unknown: str
    only: str | pc.Expression | None
    nobody: Iterable[str | int]
    same_day: str
    amount_per: str
    duplicates: str
    threads: int | None
    memory_limit: int | str | None
    spill_directory: str | os.PathLike[str] | None
    progress: Progress | None


_OF_READING = {"of_reading": True}


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What to read, what it means, and with how much of the machine."""

    columns: Columns = field(default_factory=Columns)
    read: FileFormat | None = field(default=None, metadata=_OF_READING)  # files of both tables
    filesystem: Any = field(default=None, metadata=_OF_READING)  # where paths of both lead
    policies: Policies = field(default_factory=Policies)
    threads: int | None = None
    memory_limit: int | str | None = None
    spill_directory: str | os.PathLike[str] | None = None
    progress: Progress | None = field(default=None, metadata={"of_one_machine": True})
    #: Whether the time zone is said, rather than the usual one; no option of its own.
    zone_is_given: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.columns, Columns):
            raise ConfigError(
                (Option("columns", self.columns), " names no columns"),
                remedy=("pass ordercycle.", Option("Columns.customer"), " with the names of yours"),
            )
        check_read(self.read)
        if self.filesystem is not None:
            store_of(self.filesystem)
        if self.progress is not None and not callable(self.progress):
            raise ConfigError(
                (Option("progress", self.progress), " cannot be called"),
                remedy="pass a function of done, total and stage",
            )
        thread_count(self.threads)

    @classmethod
    def of(cls, given: Mapping[str, Any], *, has_customers: bool = True) -> Self:
        """Return the options of OrderHistory.build, checked; those not given have their defaults.

        Raises
        ------
        ConfigError
            Where there is no such option, or it is not one of its choices, or two contradict.
        """
        given = with_source(given)
        refuse_unknown(given, OPTIONS, "option")
        own = {name: value for name, value in given.items() if name not in POLICIES}
        if own.get("columns", own) is None:
            del own["columns"]
        policies = Policies(**{name: given[name] for name in POLICIES if name in given})
        made = cls(**own, policies=policies)
        object.__setattr__(made, "zone_is_given", given.get("timezone") is not None)
        check_options_act(made, has_customers=has_customers)
        return made

    @property
    def spill(self) -> Spill | None:
        """What to do past the memory limit; None without one."""
        return Spill.of(self.memory_limit, self.spill_directory)

    @property
    def most_threads(self) -> int:
        """How many threads to use."""
        number, spill = thread_count(self.threads), self.spill
        return number if spill is None else min(number, spill.most_threads)

    @property
    def wanted_orders(self) -> ReadRequest:
        """What is read of the orders."""
        policies = self.policies
        wanted = wanted_orders(
            self.columns, self.read, self.filesystem, policies.only, times=policies.times
        )
        return replace(wanted, compared=policies.duplicates != "keep")

    @property
    def wanted_customers(self) -> ReadRequest:
        """What is read of the customers table."""
        times = self.policies.times
        return wanted_customers(self.columns, self.read, self.filesystem, times=times)


#: The options that are policies, and all of them, in the order of the documentation.
POLICIES = tuple(one.name for one in fields(Policies))
OPTIONS = tuple(
    name
    for one in fields(BuildOptions)
    if one.init
    for name in (POLICIES if one.name == "policies" else (one.name,))
)
_DECLARED = {one.name: one.metadata for kind in (BuildOptions, Policies) for one in fields(kind)}
#: Those that whoever reads the rows is done with, and those that clusters take.
OF_READING = tuple(name for name in OPTIONS if _DECLARED[name].get("of_reading"))
OF_CLUSTERS = tuple(name for name in OPTIONS if not _DECLARED[name].get("of_one_machine"))


def with_source(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of their source, which come after what is given beside it.

    Raises
    ------
    ConfigError
        Where the source is nothing that ``source_from_dict`` made.
    """
    options = dict(given)
    source = options.pop("source", None)
    if source is None:
        return options
    if not isinstance(getattr(source, "given", None), Mapping):
        raise ConfigError(
            (Option("source", source), " describes no source"),
            remedy="pass ordercycle.source_from_dict(...)",
        )
    return dict(source.given) | options


def refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise a ConfigError for a name that is none of those known."""
    known = tuple(known)
    for name in given:
        if name not in known:
            raise ConfigError(
                f"there is no {what} {name!r}{suggestion(name, known)}",
                remedy=f"there are {', '.join(known)}",
            )


def with_options(build: Built) -> Built:
    """Show the declared options, with their defaults, in the signature of a function."""
    shown = inspect.signature(build)
    defaults = {
        one.name: None if one.default is MISSING else one.default
        for kind in (BuildOptions, Policies)
        for one in fields(kind)
    }
    arguments = [one for one in shown.parameters.values() if one.kind is not one.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name))
        for name in ("source", *OPTIONS)
    ]
    build.__signature__ = shown.replace(parameters=[*arguments, *options])  # type: ignore[attr-defined]
    return build


def wanted_orders(
    columns: Columns,
    read: FileFormat | None = None,
    filesystem: Any = None,
    only: str | None = None,
    *,
    times: Times = USUAL_TIMES,
) -> ReadRequest:
    """Return what is read of the orders, customer ids first."""
    roles: dict[str, Role] = {columns.customer: "customer", columns.time: "time"}
    if columns.amount is not None:
        roles[columns.amount] = "amount"
    if columns.order is not None:
        roles[columns.order] = "order"
    return ReadRequest("orders", roles, read, filesystem, only, times=times)


def wanted_customers(
    columns: Columns,
    read: FileFormat | None = None,
    filesystem: Any = None,
    *,
    times: Times = USUAL_TIMES,
) -> ReadRequest:
    """Return what is read of the customers table, customer ids first."""
    roles: dict[str, Role] = {columns.listed: "customer"}
    if columns.registered is not None:
        roles[columns.registered] = "registered"
    return ReadRequest("customers", roles, read, filesystem, times=times)


class Counter:
    """Adds up rows and passes them on to the caller's progress function."""

    def __init__(self, progress: Progress | None, stage: str, total: int | None) -> None:
        self._progress = progress
        self._stage = stage
        self._total = total
        self._done = 0

    def __call__(self, rows: int) -> None:
        """Count some more rows."""
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total, self._stage)
