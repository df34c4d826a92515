"""How a history of events is built: the options of EventHistory.build."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypedDict

import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option
from ordercycle._event_columns import EventColumns
from ordercycle._history.options import Progress, refuse_unknown, with_source
from ordercycle._ingest.spill import Spill
from ordercycle._policies import Policies
from ordercycle._sources.file_formats import FileFormat, check_read
from ordercycle._sources.locations import store_of
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._workspace import thread_count


class EventArguments(TypedDict, total=False):
    """The options of EventHistory.build, for type checkers; EventOptions declares them."""

    source: Any
    columns: EventColumns
    lookups: Mapping[str, Any] | None
    timezone: str
    anonymous: str
    day_instants: bool
    threads: int | None
    memory_limit: int | str | None
    spill_directory: str | os.PathLike[str] | None
    progress: Progress | None
    read: FileFormat | None
    only: str | pc.Expression | None
    nobody: Iterable[str | int]
    times_without_zone: str | None
    filesystem: Any


OPTIONS = tuple(name for name in EventArguments.__annotations__ if name != "source")
#: The policies that say something about events.
POLICIES = ("timezone", "anonymous", "only", "nobody", "times_without_zone")


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """What to read, what it means, and with how much of the machine."""

    columns: EventColumns = field(default_factory=EventColumns)
    lookups: Mapping[str, Any] = field(default_factory=dict)
    day_instants: bool = False
    policies: Policies = field(default_factory=Policies)
    read: FileFormat | None = None
    filesystem: Any = None
    threads: int | None = None
    memory_limit: int | str | None = None
    spill_directory: str | os.PathLike[str] | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.columns, EventColumns):
            raise ConfigError(
                (Option("columns", self.columns), " names no columns of events"),
                remedy=("pass ordercycle.", Option("EventColumns.customer")),
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
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return the options, checked; those not given have their defaults.

        Raises
        ------
        ConfigError
            Where there is no such option of events, or it is not one of its choices.
        """
        given = with_source(given)
        refuse_unknown(given, OPTIONS, "option")
        own = {name: value for name, value in given.items() if name not in POLICIES}
        for name in ("columns", "lookups"):
            if own.get(name, own) is None:
                del own[name]
        policies = Policies(**{name: given[name] for name in POLICIES if name in given})
        return cls(**own, policies=policies)

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
    def wanted(self) -> ReadRequest:
        """What is read of the events, customer ids first."""
        columns = self.columns
        roles: dict[str, Role] = {columns.customer: "customer", columns.time: "time"}
        roles |= dict.fromkeys(columns.attributes, "other")
        roles |= dict.fromkeys(columns.keys, "order")
        roles |= dict.fromkeys(columns.values, "amount")
        if columns.id is not None:
            roles[columns.id] = "order"
        policies = self.policies
        return ReadRequest(
            "events",
            roles,
            self.read,
            self.filesystem,
            policies.only,
            times=policies.times,
            as_codes=True,
        )
