"""How a history is built: the options of OrderHistory.build, checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ordercycle.columns import Columns
from ordercycle.errors import ConfigError, check_choice
from ordercycle.history.parts import Policies
from ordercycle.ingest.spill import Spill
from ordercycle.ingest.zones import check_zone
from ordercycle.sources.file_formats import FileFormat, check_read
from ordercycle.sources.wanted import Role, Wanted
from ordercycle.workspace import thread_count

REFUNDS = ("net", "drop", "count")
ANONYMOUS = ("drop", "error")
UNKNOWN = ("add", "drop", "error")

Progress = Callable[[int, int | None, str], object]


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What to read, what it means, and with how much of the machine."""

    columns: Columns
    policies: Policies
    threads: int
    read: FileFormat | None = None  # how files are read, of both tables
    progress: Progress | None = None
    spill: Spill | None = None  # what to do past a memory limit; None without one

    @classmethod
    def checked(  # noqa: PLR0913 - every option is keyword-only
        cls,
        *,
        has_customers: bool,
        columns: Columns | None = None,
        read: FileFormat | None = None,
        timezone: str = "UTC",
        refunds: str = "net",
        anonymous: str = "drop",
        unknown: str = "add",
        threads: int | None = None,
        memory_limit: int | str | None = None,
        spill_directory: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Return the options, or raise a ConfigError; they are those of OrderHistory.build."""
        columns = Columns() if columns is None else columns
        if not isinstance(columns, Columns):
            raise ConfigError(f"columns={columns!r}: pass ordercycle.Columns(customer=..., ...)")
        check_read(read)
        check_choice("refunds", refunds, REFUNDS)
        check_choice("anonymous", anonymous, ANONYMOUS)
        check_choice("unknown", unknown, UNKNOWN)
        if not has_customers and unknown != "add":
            raise ConfigError(
                f"unknown={unknown!r} needs a customers table to say who is known; pass customers="
            )
        check_zone(timezone)
        spill = Spill.of(memory_limit, spill_directory)
        number = thread_count(threads)
        return cls(
            columns=columns,
            read=read,
            policies=Policies(timezone, refunds, anonymous, unknown),
            threads=number if spill is None else min(number, spill.most_threads),
            progress=progress,
            spill=spill,
        )

    @property
    def wanted_orders(self) -> Wanted:
        """What is read of the orders."""
        return wanted_orders(self.columns, self.read)

    @property
    def wanted_customers(self) -> Wanted:
        """What is read of the customers table."""
        return wanted_customers(self.columns, self.read)


def wanted_orders(columns: Columns, read: FileFormat | None = None) -> Wanted:
    """Return what is read of the orders, customer ids first."""
    roles: dict[str, Role] = {
        columns.customer: "customer",
        columns.time: "time",
        columns.amount: "amount",
    }
    if columns.order is not None:
        roles[columns.order] = "order"
    return Wanted("orders", roles, read)


def wanted_customers(columns: Columns, read: FileFormat | None = None) -> Wanted:
    """Return what is read of the customers table, customer ids first."""
    roles: dict[str, Role] = {columns.customer: "customer"}
    if columns.registered is not None:
        roles[columns.registered] = "registered"
    return Wanted("customers", roles, read)


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
