"""Lists of customers on a cluster: their rows, what they are worth, and how to bring them here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic

import numpy as np
import pyarrow as pa

from ordercycle._audiences.audience import Audience, audience_of_members
from ordercycle._audiences.choosing import Choosing
from ordercycle._audiences.listed import REVENUE, VALUE, Population, revenue_of
from ordercycle._audiences.overlap import AudienceOverlap, check_count
from ordercycle._audiences.summaries import QUANTILES, AudienceSummary, ValueSummary
from ordercycle._days import date_of
from ordercycle._engines.audience_tasks import (
    BOTH,
    BYTES,
    CUSTOMERS,
    DAY,
    HASHES,
    IN_NONE,
    IN_SEVERAL,
    MEMBERS,
    MISSING,
    SPENT,
    AudienceSums,
    ChosenRows,
    ValueRound,
    quantiles_of,
    total_in,
)
from ordercycle._engines.engine import F
from ordercycle._engines.feature_tasks import PROFILES
from ordercycle._engines.named_sums import Name
from ordercycle._engines.verbs import ClusterHistory, counted_rounds
from ordercycle._errors import ConfigError, Option, SourceError, counted
from ordercycle._segments.profile_tables import as_table

MOST_BYTES = 2**31


@dataclass(frozen=True, eq=False)
class ClusterAudiences(Mapping[str, "ClusterAudience[F]"], Generic[F]):
    """The lists that `audiences` returns on a cluster, by name; what is counted is so at once.

    frame: the table; whole, narrow: it beside the streams, as far as lists and as their sums read
    it; day: as of which it is, None where its columns say so.
    """

    choosing: Choosing
    frame: F
    whole: ClusterHistory[F] | None
    narrow: ClusterHistory[F]
    day: int | None

    def __getitem__(self, name: str) -> ClusterAudience[F]:
        if name not in self.choosing.conditions:
            raise KeyError(name)
        return ClusterAudience(name, self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.choosing.conditions)

    def __len__(self) -> int:
        return len(self.choosing.conditions)

    def overlap(self) -> AudienceOverlap:
        """Return what :func:`ordercycle.overlap` returns of all lists, in one pass for all.

        Raises
        ------
        ConfigError, DataError
            There are more than 64 lists; as for :meth:`ClusterAudience.summary`.
        """
        names = tuple(self)
        check_count(names)
        both = [[int(self.sums.get((BOTH, one, other), 0)) for other in names] for one in names]
        of_table = [int(self.sums.get((part,), 0)) for part in (IN_NONE, IN_SEVERAL)]
        return AudienceOverlap(names, np.array(both, np.int64), *of_table)

    @cached_property
    def sums(self) -> Mapping[Name, Fraction]:
        """What is counted, of all lists and of the table."""
        return self.narrow.exchanged.summed(AudienceSums(self.choosing, self.day))

    def rows(self, task: ChosenRows) -> F:
        """Return the rows of a list; lazy."""
        engine = self.narrow.engine
        if self.whole is not None:
            return self.whole.group(task)
        return engine.map(self.frame, task, self.schema(task))

    def schema(self, task: ChosenRows) -> pa.Schema:
        """Return the columns of the rows of a list.

        Raises
        ------
        ColumnError
            A column of whole rows is of a type that has no meaning here.
        """
        if self.whole is not None:
            return task.schema(self.whole.job.nobody)
        engine = self.narrow.engine
        names = engine.columns(self.frame)
        if task.are_whole:
            names = engine.schema(self.frame, [], PROFILES).names
        known = engine.schema(self.frame, names, PROFILES)
        return task.schema({PROFILES: known.empty_table()})


@dataclass(frozen=True, eq=False)
class ClusterAudience(Generic[F]):
    """A list of customers on a cluster.

    Attributes
    ----------
    name
        What it is called.
    """

    name: str
    _lists: ClusterAudiences[F]

    @property
    def definition(self) -> str:
        """The condition that made it."""
        return self._lists.choosing.definition(self.name)

    def to_frame(self) -> F:
        """Return the rows of the table that are on the list; lazy, without a shuffle.

        With streams, features that have names are columns, too, and the rows have passed a shuffle.
        Without, a task sees its own rows only: customers who are there twice are found by
        :meth:`summary`, by :meth:`collect`, and by whoever reads the list as an audience.

        Raises
        ------
        ColumnError
            At once, where a column is of a type that has no meaning here: select the others.
        DataError
            When the frame is computed, where a customer is null.
        """
        return self._lists.rows(self._task(are_whole=True))

    def summary(self) -> AudienceSummary:
        """Return what :meth:`ordercycle.Audience.summary` returns, of which only sums come back.

        The columns that lists read pass the shuffle once, for all lists together; quantiles of
        values are four passes over the values of the list, which are kept meanwhile.

        Raises
        ------
        DataError
            A customer is null or there twice, in whichever partitions of the table.
        """
        sums, population = self._sums, self._population
        customers = int(sums.get((MEMBERS, self.name), 0))
        kind = self._kind_of_revenue
        revenue = None if kind is None else total_in(sums, REVENUE, self.name).number(kind)
        share = customers / population.customers if population.customers else None
        return AudienceSummary(
            self.name,
            customers,
            share,
            revenue,
            self._value(customers) if self.name in self._lists.choosing.values else None,
            self._as_of,
            self.definition,
            population.customers,
            population.revenue,
        )

    @property
    def nbytes(self) -> int:
        """How many bytes :meth:`collect` brings to the driver, counted as for :meth:`summary`."""
        return int(self._sums.get((BYTES, self.name), 0))

    def collect(self, *, most_bytes: int = MOST_BYTES) -> Audience:
        """Bring the list to the driver: ids, values and revenue of its customers, nothing else.

        Parameters
        ----------
        most_bytes
            How many bytes may come: how many there are is counted first.

        Returns
        -------
        Audience
            Equal to that of one machine; it combines with other lists of the table.

        Raises
        ------
        ConfigError
            More would come.
        DataError
            As for :meth:`summary`.
        SourceError
            The table had other rows when they were brought than when they were counted.
        """
        customers = int(self._sums.get((MEMBERS, self.name), 0))
        if self.nbytes > most_bytes:
            raise ConfigError(
                f"{self.name} has {counted(customers, 'customer')}, which are "
                f"{counted(self.nbytes, 'byte')}, and {most_bytes:,} may come",
                remedy=(
                    "write the rows of to_frame() as files, or pass a larger ",
                    Option("most_bytes"),
                ),
            )
        task = self._task(are_whole=False)
        members = self._lists.narrow.engine.collect(
            self._lists.rows(task), self._lists.schema(task)
        )
        if members.num_rows != customers:
            raise SourceError(
                f"{counted(customers, 'customer')} of {self.name} were counted, and "
                f"{members.num_rows:,} came: the table had other rows the second time",
                remedy="persist it, or make it from what gives the same rows each time",
            )
        return audience_of_members(
            self.name, self.definition, self._as_of, members, self._population
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}: {self.definition})"

    def _task(self, *, are_whole: bool) -> ChosenRows:
        return ChosenRows(self._lists.choosing, self.name, self._lists.day, are_whole)

    @property
    def _sums(self) -> Mapping[Name, Fraction]:
        return self._lists.sums

    @property
    def _kind_of_revenue(self) -> pa.DataType | None:
        table = as_table(self._lists.narrow.job.nobody[PROFILES])
        column = revenue_of(table)
        return None if column is None else table.schema.field(column).type

    @property
    def _population(self) -> Population:
        kind = self._kind_of_revenue
        return Population(
            int(self._sums.get((CUSTOMERS,), 0)),
            int(self._sums.get((HASHES,), 0)) % 2**64,
            None if kind is None else total_in(self._sums, SPENT).number(kind),
        )

    @property
    def _as_of(self) -> date | None:
        if self._lists.day is not None:
            return date_of(self._lists.day)
        days: list[Any] = [name[1] for name in self._sums if name[0] == DAY]
        return date_of(days[0]) if len(days) == 1 else None

    def _value(self, customers: int) -> ValueSummary:
        missing = int(self._sums.get((MISSING, self.name), 0))
        known = customers - missing
        if not known:
            return ValueSummary(None, None, dict.fromkeys(QUANTILES), missing)
        rows = self._lists.rows(self._task(are_whole=False))
        values = counted_rounds(self._lists.narrow.engine, rows, ValueRound.of(known))
        median, *quantiles = quantiles_of(values, known)
        return ValueSummary(
            total_in(self._sums, VALUE, self.name).divided(known),
            median,
            dict(zip(QUANTILES, quantiles, strict=True)),
            missing,
        )
