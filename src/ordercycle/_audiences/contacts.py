"""How customers are reached: their addresses, numbers and consent, as a table has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import is_text, rows_of
from ordercycle._audiences.customer_sets import CustomerSet, given_ids, paired
from ordercycle._audiences.regions import NUMBERING
from ordercycle._errors import (
    ColumnError,
    ConfigError,
    DataError,
    Option,
    counted,
    suggestion,
)
from ordercycle._public import public
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._sources.opening import open_all
from ordercycle._sources.read_request import Role
from ordercycle._workspace import thread_count

WHAT = "contacts"
#: What may be suppressed.
SUPPRESSED = ("customers", "emails", "phones", "hashes")
#: Roles that several columns may have.
SEVERAL = ("email", "phone")
HASH_DIGITS = 64


@public()
@dataclass(frozen=True)
class ContactColumns:
    """The columns of a table of contacts.

    Parameters
    ----------
    customer
        The customers' ids.
    email, phone
        Columns of e-mail addresses and of telephone numbers, the most important first; ``()`` for
        none.
    first_name, last_name, city, state, zip, country, gender, born
        Further columns, where there are such. Countries are codes of two letters, genders m or f
        (or male, female), `born` is a date or ISO text. What cannot be read is left empty.
    consent
        Whether a customer may be reached: a boolean column. Null is no. Whoever shares an address
        or number with somebody who said no is not reached by it either.

    Raises
    ------
    ConfigError
        A column has no name, or one column has two meanings that exclude each other.

    Examples
    --------
    >>> ContactColumns(email=("email", "billing_email"), phone=(), consent="opted_in").email
    ('email', 'billing_email')
    """

    _: KW_ONLY
    customer: str = CUSTOMER
    email: tuple[str, ...] = ("email",)
    phone: tuple[str, ...] = ("phone",)
    first_name: str | None = None
    last_name: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    gender: str | None = None
    born: str | None = None
    consent: str | None = None

    def __post_init__(self) -> None:
        for name in SEVERAL:
            given = getattr(self, name)
            given = () if given is None else (given,) if isinstance(given, str) else tuple(given)
            object.__setattr__(self, name, given)
        for role, column in self.by_role():
            if not isinstance(column, str) or not column:
                raise ConfigError(
                    (Option(f"ContactColumns.{role}", column), " names no column"),
                    remedy="pass the name of a column",
                )
        for name in SEVERAL:
            listed = getattr(self, name)
            if len(set(listed)) < len(listed):
                raise ConfigError(
                    (Option(f"ContactColumns.{name}", listed), " names a column twice"),
                    remedy="name each once",
                )

    def by_role(self) -> Iterator[tuple[str, str]]:
        """Yield what each column is for, and its name."""
        for one in fields(self):
            given = getattr(self, one.name)
            if one.name in SEVERAL:
                yield from ((one.name, column) for column in given)
            elif given is not None:
                yield one.name, given


@public()
class Contacts:
    """How customers are reached, one row per customer.

    Nothing of it is printed, logged or part of an error. What is sent is written as each target
    writes it, and hashed in this process where the target takes hashes.

    Parameters
    ----------
    source
        A table with a row for each customer: any source that :meth:`OrderHistory.build` takes.
    columns
        Its columns.
    default_region
        The country whose telephone numbers are written without a calling code, such as ``"ES"``. A
        customer's own country comes first, where there is such a column. Without a region, digits
        are taken to begin with the calling code.
    suppress
        Whom not to reach, whatever else holds: ``customers`` (ids), ``emails``, ``phones`` and
        ``hashes`` (SHA-256 of an address or number, as 64 hexadecimal digits). Each holds for every
        target, in whichever way it writes addresses and numbers.

    Raises
    ------
    ColumnError
        A column is missing, or of a type that does not fit.
    DataError
        A customer is null or there twice, or a consent is neither true nor false.
    ConfigError
        The region or what is suppressed makes no sense.

    Examples
    --------
    >>> import pyarrow as pa
    >>> people = pa.table({
    ...     "customer_id": ["ann", "bob"], "email": ["Ann@Example.com", None],
    ...     "phone": ["612 34 56 78", "+34 600 000 000"],
    ... })
    >>> Contacts(people, default_region="ES")
    Contacts(2 customers, by email and phone)
    """

    def __init__(
        self,
        source: Any,
        columns: ContactColumns | None = None,
        default_region: str | None = None,
        suppress: Mapping[str, Any] | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        columns = ContactColumns() if columns is None else columns
        if not isinstance(columns, ContactColumns):
            raise ConfigError(
                "the columns of contacts are no ContactColumns",
                remedy=("pass ", Option("columns")),
            )
        region, denied = _region(default_region), _suppressed(suppress)
        self._people = People.of(source, columns, region, denied, thread_count(threads))

    @property
    def columns(self) -> ContactColumns:
        """The columns of the table."""
        return self._people.columns

    @property
    def default_region(self) -> str | None:
        """The country whose telephone numbers are written without a calling code."""
        return self._people.default_region

    def __len__(self) -> int:
        return len(self._people)

    def __repr__(self) -> str:
        kinds = [kind for kind in SEVERAL if getattr(self.columns, kind)]
        by = f", by {' and '.join(kinds)}" if kinds else ""
        return f"Contacts({counted(len(self), 'customer')}{by})"


@dataclass(frozen=True, repr=False)
class People:
    """The table of contacts: its rows, and its customers in the order of their hashes.

    rows: (c,) of the table, of the customers in their order; None: the table is in it. consents:
    (c,) of the rows of the table; refused: rows of those who said no, which nulls do not.
    """

    columns: ContactColumns
    default_region: str | None
    suppress: Mapping[str, Any]
    table: pa.Table
    customers: CustomerSet
    rows: NDArray[np.int32] | None
    consents: NDArray[np.bool_] | None
    refused: NDArray[np.int64] | None

    @classmethod
    def of(
        cls,
        source: Any,
        columns: ContactColumns,
        default_region: str | None,
        suppress: Mapping[str, Any],
        threads: int,
    ) -> Self:
        """Read a table of contacts."""
        table = _read(source, columns, threads)
        of_customers = pa.table({CUSTOMER: table.column(columns.customer)})
        customers, rows = CustomerSet.of_table(of_customers, WHAT, threads)
        consents = refused = None
        if columns.consent is not None:
            given = table.column(columns.consent)
            consents = _booleans(given, columns.consent)
            refused = np.flatnonzero(~consents & ~_blanks(given))
        return cls(columns, default_region, suppress, table, customers, rows, consents, refused)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def rows_of(self, customers: CustomerSet, name: str) -> NDArray[np.int64]:
        """Return the row of each customer, -1 where there is none; name: for messages."""
        pairs = paired(customers, self.customers, (name, WHAT))
        both = (pairs.one >= 0) & (pairs.other >= 0)
        places = pairs.other[both]
        found = np.full(customers.hashes.size, -1, np.int64)
        found[pairs.one[both]] = places if self.rows is None else self.rows[places]
        return found

    def consented(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return who may be reached: everybody, unless there is a column that says so."""
        if self.consents is None or not self.consents.size:
            return np.ones(rows.size, np.bool_)
        return self.consents[np.maximum(rows, 0)]

    def column(self, name: str, rows: NDArray[np.int64]) -> pa.Array:
        """Return a column at some rows, null where a row is -1."""
        there = self.table.column(name)
        if not len(there):
            return pa.nulls(rows.size, there.type)
        has_gaps = bool(rows.size) and int(rows.min()) < 0
        places = pa.array(rows, mask=rows < 0) if has_gaps else rows_of(np.ascontiguousarray(rows))
        taken = there.take(places)
        return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def people_of(contacts: object) -> People:
    """Return the table of contacts, or raise a ConfigError where something is none."""
    if not isinstance(contacts, Contacts):
        raise ConfigError(
            f"a {type(contacts).__name__} is no table of contacts",
            remedy="pass ordercycle.Contacts of the table",
        )
    return contacts._people  # noqa: SLF001 - for this room alone


def _region(given: Any) -> str | None:
    if given is None:
        return None
    code = given.upper() if isinstance(given, str) else given
    if code not in NUMBERING.places:
        raise ConfigError(
            (Option("default_region", given), " is no country with telephone numbers"),
            remedy="pass its code of two letters, such as 'ES'",
        )
    return str(code)


def _suppressed(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(
            (Option("suppress"), " is no mapping"), remedy='pass {"customers": [...]} or such'
        )
    for key in given:
        if key not in SUPPRESSED:
            raise ConfigError(
                (Option("suppress"), f" has a key {key!r}{suggestion(str(key), SUPPRESSED)}"),
                remedy=f"it has {', '.join(map(repr, SUPPRESSED))}",
            )
    found = {key: _listed(one, key) for key, one in given.items()}
    for text in found.get("hashes", ()):
        digits = text.strip() if isinstance(text, str) else ""
        if len(digits) != HASH_DIGITS or not set(digits.lower()) <= set("0123456789abcdef"):
            raise ConfigError(
                "a hash to suppress is no SHA-256",
                remedy="pass 64 hexadecimal digits",
                column="hashes",
            )
    if "customers" in found:
        found["customers"] = given_ids(found["customers"], "the suppressed customers")
    return found


def _listed(given: Any, key: str) -> Any:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigError((Option("suppress"), f" has under {key!r} no list"), remedy="pass a list")
    if key == "customers":
        return given
    if isinstance(given, pa.Array | pa.ChunkedArray):
        given = given.to_pylist()
    texts = [one for one in given if one is not None]
    if not all(isinstance(one, str) for one in texts):
        raise ConfigError(
            (Option("suppress"), f" has under {key!r} what is no text"), remedy="pass texts"
        )
    return texts


def _read(source: Any, columns: ContactColumns, threads: int) -> pa.Table:
    wanted = list(dict.fromkeys(column for _, column in columns.by_role()))
    roles: dict[str, Role] = dict.fromkeys(wanted, "text")
    roles[columns.customer] = "customer"
    opened = open_all(source, WHAT, lambda name: roles[name], threads, wanted)
    try:
        missing = [name for name in wanted if name not in opened.schema.names]
        if missing:
            role = next(role for role, column in columns.by_role() if column == missing[0])
            empty: Any = () if role in SEVERAL else None
            raise ColumnError(
                f"{WHAT} has no column {missing[0]!r}{suggestion(missing[0], opened.schema.names)}",
                remedy=(
                    "name the one that it has, or pass ",
                    Option(f"ContactColumns.{role}", empty),
                )
                if role != "customer"
                else ("name it with ", Option("ContactColumns.customer")),
                column=missing[0],
            )
        table = pa.Table.from_batches(list(opened.batches), schema=opened.schema).select(wanted)
        return _with_large_texts(table)
    finally:
        opened.close()


def _with_large_texts(table: pa.Table) -> pa.Table:
    """Return a table whose texts are of a type that any number of them can be taken from."""
    for place, one in enumerate(table.schema):
        if is_text(one.type) and not pa.types.is_large_string(one.type):
            table = table.set_column(place, one.name, table.column(place).cast(pa.large_string()))
    return table


def _blanks(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return where nothing is said: nulls, and texts of nothing, as files have them."""
    blank = column.is_null()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind):
        words = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
        blank = pc.or_(blank, pc.fill_null(pc.equal(words, ""), fill_value=True))
    return np.asarray(blank.combine_chunks().cast(pa.uint8())).astype(np.bool_)


_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0", "")


def _booleans(column: pa.ChunkedArray, name: str) -> NDArray[np.bool_]:
    """Return truths of booleans, zeros and ones, or words for them; null is no."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.bool_)
    bad = None
    if pa.types.is_boolean(column.type):
        truth = column
    elif pa.types.is_integer(column.type):
        truth = pc.equal(column, 1)
        bad = pc.and_not(column.is_valid(), pc.or_(truth, pc.equal(column, 0)))
    elif is_text(column.type):
        words = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.large_string())))
        truth = pc.is_in(words, pa.array(_TRUE, pa.large_string()))
        known = pc.or_(truth, pc.is_in(words, pa.array(_FALSE, pa.large_string())))
        bad = pc.and_not(column.is_valid(), known)
    else:
        raise ColumnError(
            f"{WHAT}: {name} is {column.type}, which says neither yes nor no",
            remedy="cast it to boolean",
            column=name,
        )
    if bad is not None:
        bad = pc.fill_null(bad, fill_value=False)
        count = pc.sum(bad).as_py() or 0
        if count:
            row = bad.index(pa.scalar(value=True)).as_py()
            raise DataError(
                f"{WHAT}: {name} is neither true nor false at row {row} "
                f"({counted(count, 'such row')})",
                remedy="null is no; fix the others",
                column=name,
                row=row,
                count=count,
            )
    whole = pc.fill_null(truth, fill_value=False).combine_chunks()
    return np.asarray(whole.cast(pa.uint8())).astype(np.bool_)
