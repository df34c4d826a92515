"""Lists of customers: made by a condition, combined, measured, and sent to where they are used."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._audiences.choosing import Choosing, check_name, day_of
from ordercycle._audiences.contacts import Contacts, people_of
from ordercycle._audiences.csv_files import write_csv
from ordercycle._audiences.customer_sets import CustomerSet
from ordercycle._audiences.listed import (
    REVENUE,
    VALUE,
    Listed,
    Population,
    combined,
    population_of,
    sum_of,
)
from ordercycle._audiences.members import members_of
from ordercycle._audiences.reach import Reach, reach_of
from ordercycle._audiences.sending import rows_to_send
from ordercycle._audiences.summaries import AudienceSummary, ValueSummary
from ordercycle._audiences.targets import target_of
from ordercycle._days import date_of
from ordercycle._durable import path_of
from ordercycle._errors import ConfigError, counted
from ordercycle._public import public
from ordercycle._segments.profile_tables import CUSTOMER, as_table
from ordercycle._sync.connection import connection_of
from ordercycle._sync.syncing import SyncOptions, SyncReport, sync
from ordercycle._workspace import thread_count

if TYPE_CHECKING:
    from os import PathLike


@public()
@dataclass(frozen=True, eq=False, repr=False)
class Audience:
    """A list of customers with a name and a definition.

    Made by :meth:`where`, combined by ``|``, ``&`` and ``-``, written by :meth:`to_csv`, sent by
    :meth:`sync`.

    Attributes
    ----------
    name
        What it is called, here and where it is sent.
    definition
        The condition that made it, or how it was combined.
    as_of
        The day it is of, None where that is not known.
    customers
        The ids of its customers: an Arrow array in ascending order of their hashes.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({
    ...     "customer_id": ["ann", "bob", "cid", "dan"],
    ...     "value_list": ["Top", "Top", "Lost", "Active"], "revenue": [90, 40, 70, 20],
    ... })
    >>> top = Audience.where(table, "value_list == 'Top'", name="Top", value="revenue")
    >>> top
    Audience(Top: 2 of 4 customers, value_list == 'Top')
    >>> rich = Audience.where(table, "revenue > 50", name="Spent 50", value="revenue")
    >>> sorted((top | rich).customers.to_pylist()), (top & rich).customers.to_pylist()
    (['ann', 'bob', 'cid'], ['ann'])
    >>> (rich - top).named("Rich, not Top")
    Audience(Rich, not Top: 1 of 4 customers, (revenue > 50) - (value_list == 'Top'))
    """

    name: str
    definition: str
    as_of: date | None
    _listed: Listed

    @classmethod
    def where(
        cls,
        table: Any,
        condition: str | pc.Expression,
        *,
        name: str,
        value: str | None = None,
        as_of: date | str | None = None,
        streams: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> Self:
        """Return the customers for whom a condition holds.

        Parameters
        ----------
        table
            A profile, or any table with ``customer_id``, one row per customer in any order; from
            any source that :meth:`OrderHistory.build` takes.
        condition
            As of :class:`Rules`: text over the columns of the table, those of schemes included, in
            which functions of :func:`features` may stand.
        name
            What the list is called, here and where it is sent.
        value
            The column that says what a customer is worth, such as ``"clv"``.
        as_of
            The day of the table. None: as its columns say, where they do.
        streams
            Histories by the names that functions in the condition have for them.
        threads
            How many threads to use; None: every core this process may use.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for :meth:`Rules.assign`; also where a customer is null or there twice, or `value`
            is no column of numbers.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"customer_id": [1, 2, 3], "orders": [5, 1, None]})
        >>> Audience.where(table, "orders >= 2", name="Came back").customers.to_pylist()
        [1]
        """
        made = audiences_of(
            table,
            {name: condition},
            {} if value is None else {name: value},
            as_of=as_of,
            streams=streams,
            threads=threads,
        )[name]
        return cls(made.name, made.definition, made.as_of, made._listed)  # noqa: SLF001 - one class

    @property
    def customers(self) -> pa.Array:
        """The ids of the customers: an Arrow array in ascending order of their hashes."""
        return self._listed.customers.ids

    @property
    def has_values(self) -> bool:
        """Whether it says what its customers are worth."""
        return VALUE in self._listed.columns.column_names

    def __len__(self) -> int:
        return int(self._listed.customers.hashes.size)

    def named(self, name: str) -> Self:
        """Return the same list by another name.

        Raises
        ------
        ConfigError
            It is no name.
        """
        check_name(name)
        return type(self)(name, self.definition, self.as_of, self._listed)

    def __or__(self, other: object) -> Self:
        return self._with(other, "|")

    def __and__(self, other: object) -> Self:
        return self._with(other, "&")

    def __sub__(self, other: object) -> Self:
        return self._with(other, "-")

    def _with(self, other: object, sign: str) -> Self:
        if not isinstance(other, Audience):
            raise ConfigError(
                f"a {type(other).__name__} is no audience", remedy="combine audiences"
            )
        names = (repr(self.name), repr(other.name))
        return type(self)(
            f"{self.name} {sign} {other.name}",
            f"({self.definition}) {sign} ({other.definition})",
            self.as_of if self.as_of == other.as_of else None,
            combined(self._listed, other._listed, sign, names),  # noqa: SLF001 - of this class
        )

    def summary(self) -> AudienceSummary:
        """Return how many customers there are, what they spent and what they are worth.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"customer_id": [1, 2, 3, 4], "revenue": [90, 40, 70, 20]})
        >>> rich = Audience.where(table, "revenue > 50", name="Rich", value="revenue")
        >>> print(rich.summary())
        Rich: 2 customers, 50.0% of 4
        definition  revenue > 50
        revenue     160, 72.7% of all
        value       mean 80, median 80, quantiles 71 (5%) 75 (25%) 85 (75%) 89 (95%)
        """
        columns, population = self._listed.columns, self._listed.population
        has_revenue = REVENUE in columns.column_names
        share = len(self) / population.customers if population.customers else None
        return AudienceSummary(
            self.name,
            len(self),
            share,
            sum_of(columns.column(REVENUE)) if has_revenue else None,
            ValueSummary.of(columns.column(VALUE)) if self.has_values else None,
            self.as_of,
            self.definition,
            population.customers,
            population.revenue if has_revenue else None,
        )

    def reach(
        self, contacts: Contacts, target: str = "meta", *, threads: int | None = None
    ) -> Reach:
        """Return whom a target could be told of, by country, and why not the others.

        Parameters
        ----------
        contacts
            How customers are reached.
        target
            ``"meta"``, ``"google"``, ``"mailchimp"``, ``"klaviyo"`` or ``"plain"``.
        threads
            How many threads to use; None: every core this process may use.

        Raises
        ------
        ConfigError, ColumnError
            There is no such target, or the ids of both can have none in common.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"customer_id": [1, 2, 3]})
        >>> people = pa.table({"customer_id": [1, 2], "email": ["a@example.com", "none"]})
        >>> contacts = Contacts(people, columns=ContactColumns(phone=()))
        >>> found = Audience.where(table, "true", name="All").reach(contacts)
        >>> found.reachable, found.unreachable["no_contact"]
        (1, 1)
        """
        members = members_of(
            self._listed.customers,
            self._values(),
            people_of(contacts),
            target_of(target),
            keep_texts=False,
            threads=thread_count(threads),
        )
        return reach_of(members)

    def to_csv(
        self,
        path: str | PathLike[str],
        contacts: Contacts | None = None,
        target: str = "plain",
        *,
        hashed: bool = True,
        threads: int | None = None,
    ) -> Reach:
        """Write a file that a target takes, readable by its owner alone, whole or not at all.

        Parameters
        ----------
        path
            The file; one that is there is replaced.
        contacts
            How customers are reached; may be left out for ``"plain"``.
        target
            ``"meta"``, ``"google"``, ``"mailchimp"``, ``"klaviyo"`` or ``"plain"``: customer ids,
            the value where there is one, and the contacts' columns.
        hashed
            Whether to hash what the target takes hashed; nothing else ever is.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        Reach
            Who is in the file, and why not the others.

        Raises
        ------
        ConfigError, ColumnError
            As for :meth:`reach`.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"customer_id": [1, 2], "clv": [20.1, -3.0]})
        >>> people = pa.table({"customer_id": [1, 2], "email": ["a@example.com", "B@x.org"]})
        >>> contacts = Contacts(people, columns=ContactColumns(phone=()))
        >>> everybody = Audience.where(table, "true", name="All", value="clv")
        >>> everybody.to_csv("all.csv", contacts, target="meta", hashed=False).values_replaced
        1
        >>> import pathlib
        >>> _, *rows = pathlib.Path("all.csv").read_text().splitlines()
        >>> for row in rows:
        ...     print(row)
        a@example.com,,,,,,,,,,,,,,,,,,20.1
        b@x.org,,,,,,,,,,,,,,,,,,0
        """
        chosen, count = target_of(target), thread_count(threads)
        is_alone = contacts is None and not chosen.identifiers
        people = None if is_alone else people_of(contacts)
        values = self._values()
        keep = not (hashed and chosen.takes_hashes)
        members = members_of(
            self._listed.customers, values, people, chosen, keep_texts=keep, threads=count
        )
        stripped = write_csv(
            path_of("path", path),
            members,
            self.name,
            self._listed.columns.column(VALUE) if self.has_values else None,
            hashed=hashed,
            threads=count,
        )
        return reach_of(members, stripped=stripped)

    def sync(
        self,
        connector: Any,
        contacts: Contacts,
        state: str | PathLike[str],
        mode: str = "changes",
        *,
        dry_run: bool = False,
        largest_removal: float = 0.5,
        allow_empty: bool = False,
        threads: int | None = None,
    ) -> SyncReport:
        """Bring the list of a vendor in line with this one, by what changed since the last time.

        What was sent is remembered in a folder, readable by its owner alone. A plan is written
        before anything is sent, and each batch is noted once it is acknowledged: after a crash the
        next call finishes the plan, sends again what was on its way, and nothing else twice.

        Parameters
        ----------
        connector
            Of :mod:`ordercycle.connect`.
        contacts
            How customers are reached.
        state
            The folder, which holds the state of any number of audiences.
        mode
            ``"changes"``: add who is new, remove who left; ``"replace"``: make the list anew,
            whatever was in it; ``"add_only"``: remove nobody.
        dry_run
            Return what would be done: nothing is sent and no file is left.
        largest_removal
            The share of those sent before that may be removed at once.
        allow_empty
            Whether an audience that nobody is in, or can be reached of, may be sent.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        SyncReport
            How many were added, removed, changed and left as they were.

        Raises
        ------
        ConfigError
            A guard holds it back, or the connector and the audience do not fit.
        StorageError
            The state is damaged, of something else, open to others, or in use by another sync.
        SyncError
            The vendor refuses, or does not answer.
        """
        connection = connection_of(connector)
        people = people_of(contacts)
        options = SyncOptions.of(mode, dry_run, largest_removal, allow_empty)
        connection.check(has_consent=people.consents is not None)
        count = thread_count(threads)
        members = members_of(
            self._listed.customers,
            self._values(),
            people,
            target_of(connection.target),
            keep_texts=connection.layout.texts,
            threads=count,
        )
        wanted = rows_to_send(members, connection, threads=count)
        return sync(self.name, wanted, connection, path_of("state", state), options)

    def _values(self) -> NDArray[np.float64] | None:
        """Return what the customers are worth as floats, NaN where that is not known."""
        if not self.has_values:
            return None
        floats = self._listed.columns.column(VALUE).cast(pa.float64(), safe=False)
        return np.asarray(floats.fill_null(float("nan")).combine_chunks(), np.float64)

    def __repr__(self) -> str:
        of = counted(self._listed.population.customers, "customer")
        return f"Audience({self.name}: {len(self):,} of {of}, {self.definition})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self.summary()))}</pre>"


def audiences_of(
    table: Any,
    conditions: Mapping[str, str | pc.Expression],
    values: Mapping[str, str],
    *,
    features: Mapping[str, str] | None = None,
    streams: Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    missing: str = "error",
    threads: int | None = None,
) -> dict[str, Audience]:
    """Return audiences by the names of conditions, all of one table; as `Audience.where`.

    values: columns of values, features among them, by the names of the audiences that have some.
    """
    choosing = Choosing(conditions, values, {} if features is None else features)
    choosing.check_names()
    table, count = as_table(table), thread_count(threads)
    customers, rows = CustomerSet.of_table(table, "the table", count)
    day = day_of(table, as_of)
    chosen = choosing.chosen(table, streams, day, missing, threads)
    population = population_of(table, customers)
    made = {}
    for name in conditions:
        holds = chosen.holds[name]
        places = np.flatnonzero(holds if rows is None else holds[rows])
        wanted = rows_of((places if rows is None else rows[places]).astype(np.int64))
        columns = chosen.columns(choosing.values.get(name), wanted)
        made[name] = Audience(
            name,
            choosing.definition(name),
            None if day is None else date_of(day),
            Listed(customers.taken(places), columns, population),
        )
    return made


def audience_of_members(
    name: str, definition: str, as_of: date | None, members: pa.Table, population: Population
) -> Audience:
    """Return the audience of its members, in any order, with the columns VALUE and REVENUE."""
    customers, rows = CustomerSet.of_table(members, "the audience", thread_count(None))
    columns = members.drop_columns([CUSTOMER])
    if rows is not None:
        columns = columns.take(pa.array(rows))
    whole = {field.name: columns.column(field.name).combine_chunks() for field in columns.schema}
    return Audience(name, definition, as_of, Listed(customers, pa.table(whole), population))
