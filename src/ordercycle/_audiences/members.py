"""Who of an audience can be reached, and by what: contacts joined, normalised and hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans, mask_of, rows_of
from ordercycle._audiences import normalising
from ordercycle._audiences.contacts import People
from ordercycle._audiences.customer_sets import CustomerSet, paired
from ordercycle._audiences.normalising import Texts
from ordercycle._audiences.regions import NUMBERING
from ordercycle._audiences.targets import FORMS, Target
from ordercycle._errors import ColumnError
from ordercycle._segments.hash_order import in_hash_order
from ordercycle._sync.digests import DIGEST, TEXT, digests
from ordercycle._workspace import Workers
from ordercycle_kernels.contact_texts import NO_REGION
from ordercycle_kernels.sha256 import DIGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Why somebody is not reached, in the order in which they are asked.
CAUSES = (
    "no_contact",
    "no_consent",
    "suppressed",
    "no_identifier",
    "unusable_identifier",
    "shared_identifier",
)
#: Customers that a thread works on at a time.
ROWS_PER_TASK = 2**17
NOBODY = np.zeros(0, np.int64)


class Identifier(NamedTuple):
    """A column of addresses or numbers of n customers: digests, and texts where they are kept."""

    kind: str
    digests: pa.Array
    texts: Texts | None
    unusable: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Who has a usable one."""
        if not self.digests.null_count:
            return np.ones(len(self.digests), np.bool_)
        return booleans(self.digests.is_valid())

    def only(self, keep: NDArray[np.bool_]) -> Identifier:
        """Return the column without what is not kept."""
        mask = mask_of(keep)
        digests = pc.if_else(mask, self.digests, pa.scalar(None, DIGEST))
        texts = None if self.texts is None else pc.if_else(mask, self.texts, pa.scalar(None, TEXT))
        return Identifier(self.kind, digests, texts, self.unusable)

    def taken(self, rows: NDArray[np.int64]) -> Identifier:
        """Return the column of some customers."""
        places = rows_of(rows)
        texts = None if self.texts is None else self.texts.take(places)
        return Identifier(self.kind, self.digests.take(places), texts, self.unusable[rows])


@dataclass(frozen=True)
class Members:
    """The m customers of an audience whom a target can be told of, in the audience's order.

    customers: all of the audience's; rows: (m,) of those; contacts: (m,) rows of the table of
    contacts, -1 where there is none; values: (m,), from 0 on where the target wants it; changed
    values: how many were below 0, not a number or missing; unreachable: by cause.
    """

    target: Target
    contacts: People | None
    customers: CustomerSet
    rows: NDArray[np.int64]
    contact_rows: NDArray[np.int64]
    identifiers: tuple[Identifier, ...]
    values: NDArray[np.float64] | None
    zeroed: int
    unreachable: dict[str, int]
    countries: Texts = field(repr=False)

    def __len__(self) -> int:
        return int(self.rows.size)

    def of_kind(self, kind: str) -> list[Identifier]:
        """Return the columns of one kind of identifier."""
        return [one for one in self.identifiers if one.kind == kind]

    def first_of(self, kind: str) -> Identifier | None:
        """Return the first usable identifier of each customer; None: there is no such column."""
        columns = self.of_kind(kind)
        if not columns:
            return None
        digests, texts = columns[0].digests, columns[0].texts
        for other in columns[1:]:
            digests = pc.coalesce(digests, other.digests)
            texts = None if texts is None else pc.coalesce(texts, other.texts)
        return Identifier(kind, digests, texts, columns[0].unusable)

    def details(self, role: str, start: int = 0, stop: int | None = None) -> Texts | None:
        """Return what else is known of some customers; None where contacts have no such column."""
        rows = self.contact_rows[start:stop]
        return None if self.contacts is None else detail(self.contacts, self.target, role, rows)


def members_of(
    customers: CustomerSet,
    values: NDArray[np.float64] | None,
    contacts: People | None,
    target: Target,
    *,
    keep_texts: bool,
    threads: int,
) -> Members:
    """Return whom a target can be told of.

    values: (c,), NaN where there is none; keep_texts: whether addresses and numbers are needed
    beside their digests.
    """
    count = customers.hashes.size
    if contacts is None:
        every = np.arange(count)
        nobody = pa.nulls(count, TEXT)
        return Members(
            target, None, customers, every, np.full(count, -1), (), values, 0,
            dict.fromkeys(CAUSES, 0), nobody,
        )  # fmt: skip
    causes = np.full(count, -1, np.int8)
    contact_rows = contacts.rows_of(customers, "the audience")
    _mark(causes, contact_rows < 0, "no_contact")
    _mark(causes, ~contacts.consented(contact_rows), "no_consent")
    asked = np.flatnonzero(causes < 0)
    _refuse_too_many(contacts, target)
    identifiers = _identifiers(contacts, target, contact_rows[asked], keep_texts, threads)
    its_contacts = contact_rows[asked]
    refused = _found_by(identifiers, _refusers(contacts, target))
    _mark(causes, refused, "no_consent", asked)
    suppressed = _suppressed(customers, contacts, target, asked, its_contacts, identifiers)
    _mark(causes, suppressed, "suppressed", asked)
    known = _any([one.known for one in identifiers], asked.size)
    unusable = _any([one.unusable for one in identifiers], asked.size)
    if target.finds_by_address:
        known |= _has_address(contacts, target, contact_rows[asked])
    if target.identifiers:
        _mark(causes, ~known & unusable, "unusable_identifier", asked)
        _mark(causes, ~known, "no_identifier", asked)
    kept = np.flatnonzero(causes[asked] < 0)
    identifiers = [one.taken(kept) for one in identifiers]
    rows = asked[kept]
    theirs, zeroed = _values(values, rows, from_zero=target.values_from_zero)
    if target.identifiers:
        identifiers, theirs = _once(identifiers, theirs, rows.size)
        left = _any([one.known for one in identifiers], rows.size)
        if target.finds_by_address:
            left |= _has_address(contacts, target, contact_rows[rows])
        if not left.all():
            _mark(causes, ~left, "shared_identifier", rows)
            kept = np.flatnonzero(left)
            identifiers = [one.taken(kept) for one in identifiers]
            rows = rows[kept]
            theirs = None if theirs is None else theirs[kept]
    found = np.bincount(causes[causes >= 0], minlength=len(CAUSES)).tolist()
    its_countries = detail(contacts, target, "country_code", contact_rows[rows])
    return Members(
        target,
        contacts,
        customers,
        rows,
        contact_rows[rows],
        tuple(identifiers),
        theirs,
        zeroed,
        dict(zip(CAUSES, found, strict=True)),
        pa.nulls(rows.size, TEXT) if its_countries is None else its_countries,
    )


def _mark(
    causes: NDArray[np.int8],
    which: NDArray[np.bool_] | None,
    cause: str,
    rows: NDArray[np.int64] | None = None,
) -> None:
    """Say of those of some rows who are not reached why, unless there is a reason already."""
    if which is None:
        return
    marked = np.flatnonzero(which) if rows is None else rows[which]
    marked = marked[causes[marked] < 0]
    causes[marked] = CAUSES.index(cause)


def _any(masks: Sequence[NDArray[np.bool_]], size: int) -> NDArray[np.bool_]:
    found = np.zeros(size, np.bool_)
    for mask in masks:
        found |= mask
    return found


def _identifiers(
    contacts: People, target: Target, rows: NDArray[np.int64], keep_texts: bool, threads: int
) -> list[Identifier]:
    """Return all columns by which customers may be found."""
    kinds = target.identifiers or ("email", "phone")
    wanted = [(kind, column) for kind, column in contacts.columns.by_role() if kind in kinds]

    def read(start: int) -> list[Identifier]:
        return [
            _identifier(
                contacts, target, kind, column, rows[start : start + ROWS_PER_TASK], keep_texts
            )
            for kind, column in wanted
        ]

    with Workers(max(1, min(threads, -(-rows.size // ROWS_PER_TASK)))) as workers:
        parts = list(workers.in_order(read, range(0, max(rows.size, 1), ROWS_PER_TASK)))
    made = []
    for number, (kind, _) in enumerate(wanted):
        pieces = [part[number] for part in parts]
        texts = [piece.texts for piece in pieces]
        made.append(
            Identifier(
                kind,
                pa.concat_arrays([piece.digests for piece in pieces]),
                pa.concat_arrays(texts) if keep_texts else None,
                np.concatenate([piece.unusable for piece in pieces]),
            )
        )
    return made


def _refuse_too_many(contacts: People, target: Target) -> None:
    if target.name != "meta":
        return
    for kind in target.identifiers:
        columns = getattr(contacts.columns, kind)
        if len(columns) > (target.most_per_identifier or len(columns)):
            raise ColumnError(
                f"{target.name} takes {target.most_per_identifier} columns {kind!r} at most, and "
                f"these contacts have {len(columns)}",
                remedy="name the most important ones",
                column=columns[target.most_per_identifier or 0],
            )


def _identifier(
    contacts: People,
    target: Target,
    kind: str,
    column: str,
    rows: NDArray[np.int64],
    keep_texts: bool,
) -> Identifier:
    texts = normalising.as_texts(contacts.column(column, rows), column)
    cleaned = cleaned_of(kind, texts, target, contacts, rows)
    return Identifier(
        kind, digests(cleaned.texts), cleaned.texts if keep_texts else None, cleaned.unusable
    )


def cleaned_of(
    kind: str, texts: Texts, target: Target, contacts: People, rows: NDArray[np.int64] | None
) -> normalising.Cleaned:
    """Return addresses or numbers as a target writes them; rows: whose they are, if known."""
    if kind == "email":
        cleaned = normalising.addresses(texts, target.addresses)
        if target.name == "mailchimp":  # nothing but ASCII before the @
            odd = pc.fill_null(
                pc.match_substring_regex(cleaned.texts, r"^[^@]*[^\x00-\x7f][^@]*@"),
                fill_value=False,
            )
            kept = pc.if_else(odd, pa.scalar(None, TEXT), cleaned.texts)
            return normalising.Cleaned(kept, cleaned.unusable | booleans(odd))
        return cleaned
    return _numbers(texts, _regions(contacts, len(texts), rows), target)


def _numbers(texts: Texts, regions: NDArray[np.int16], target: Target) -> normalising.Cleaned:
    cleaned = normalising.numbers(texts, regions)
    if not target.plus:
        return cleaned
    with_plus = pc.binary_join_element_wise(
        pa.scalar("+", TEXT), cleaned.texts, pa.scalar("", TEXT)
    )
    return normalising.Cleaned(with_plus, cleaned.unusable)


def _regions(contacts: People, count: int, rows: NDArray[np.int64] | None) -> NDArray[np.int16]:
    """Return whose telephone numbers are national where they have no calling code."""
    default = NUMBERING.places.get(contacts.default_region or "", NO_REGION)
    column = contacts.columns.country
    if column is None or rows is None:
        return np.full(count, default, np.int16)
    texts = normalising.as_texts(contacts.column(column, rows), column)
    encoded = normalising.countries(texts).dictionary_encode()
    places = [NUMBERING.places.get(one, default) for one in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.fill_null(len(places)).cast(pa.int64()))
    regions: NDArray[np.int16] = np.array([*places, default], np.int16)[codes]
    return regions


#: The columns from which a part is taken.
COLUMN_OF = {
    "born_year": "born",
    "born_month": "born",
    "born_day": "born",
    "country_code": "country",
}


def detail(contacts: People, target: Target, role: str, rows: NDArray[np.int64]) -> Texts | None:
    """Return what is known of customers beside identifiers, as a target writes it."""
    column = getattr(contacts.columns, COLUMN_OF.get(role, role), None)
    if column is None:
        return None
    given = contacts.column(column, rows)
    if role.startswith("born"):
        if target.details == "plain":
            return normalising.plain_texts(normalising.as_texts(given, column))
        days = normalising.birthdays(given, column, date.today())  # noqa: DTZ011 - any day on earth
        patterns = {"born": "%Y%m%d", "born_year": "%Y", "born_month": "%m", "born_day": "%d"}
        return normalising.day_parts(days, patterns[role])
    texts = normalising.as_texts(given, column)
    if role == "country_code":
        return normalising.countries(texts)
    if target.details == "plain":
        return normalising.plain_texts(texts)
    return _folded(contacts, target, role, texts, rows)


def _folded(
    contacts: People, target: Target, role: str, texts: Texts, rows: NDArray[np.int64]
) -> Texts:
    if role in ("first_name", "last_name"):
        return normalising.names(texts)
    if role == "gender":
        return normalising.genders(texts)
    if role == "city":
        return normalising.cities(texts)
    if role == "country":
        codes = normalising.countries(texts)
        return codes if target.name == "google" else pc.utf8_lower(codes)
    if role == "zip" and target.name == "google":
        return normalising.plain_texts(texts)
    codes = detail(contacts, target, "country_code", rows)
    codes = pa.nulls(len(texts), TEXT) if codes is None else codes
    return (normalising.states if role == "state" else normalising.postcodes)(texts, codes)


ADDRESS = ("first_name", "last_name", "zip", "country")


def _has_address(contacts: People, target: Target, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return who can be found by name, postcode and country, which only help together."""
    columns = [detail(contacts, target, role, rows) for role in ADDRESS]
    found = np.ones(rows.size, np.bool_)
    for column in columns:
        found &= np.zeros(rows.size, np.bool_) if column is None else booleans(column.is_valid())
    return found


def _found_by(
    identifiers: Sequence[Identifier], found: Sequence[pa.Array]
) -> NDArray[np.bool_] | None:
    """Return who of some customers is found by any of some digests; None where there are none."""
    values = pa.concat_arrays([pa.array([], DIGEST), *(one.drop_null() for one in found)])
    if not len(values) or not identifiers:
        return None
    return _any(
        [booleans(pc.is_in(one.digests, value_set=values)) & one.known for one in identifiers],
        len(identifiers[0].digests),
    )


def _refusers(contacts: People, target: Target) -> list[pa.Array]:
    """Return what finds those who said no: who shares it is not reached by it either."""
    if contacts.refused is None or not contacts.refused.size:
        return []
    found = _identifiers(contacts, target, contacts.refused, keep_texts=False, threads=1)
    return [one.digests for one in found]


def _suppressed(
    customers: CustomerSet,
    contacts: People,
    target: Target,
    rows: NDArray[np.int64],
    contact_rows: NDArray[np.int64],
    identifiers: Sequence[Identifier],
) -> NDArray[np.bool_] | None:
    """Return who of some customers is not to be reached, by id or by any address or number.

    Whichever target it is, and whichever way what is suppressed is written.
    """
    given = contacts.suppress
    if not given:
        return None
    of_all = np.zeros(customers.hashes.size, np.bool_)
    theirs = NOBODY
    if "customers" in given:
        pairs = paired(customers, given["customers"], ("the audience", "the suppressed customers"))
        of_all[pairs.one[(pairs.one >= 0) & (pairs.other >= 0)]] = True
        theirs = contacts.rows_of(given["customers"], "the suppressed customers")
        theirs = theirs[theirs >= 0]
    suppressed = of_all[rows]
    hashes = pa.array([bytes.fromhex(one.strip()) for one in given.get("hashes", ())], DIGEST)
    for form in FORMS:
        found = identifiers
        if form is not target:
            found = _identifiers(contacts, form, contact_rows, keep_texts=False, threads=1)
        denied = [hashes, *_denied(contacts, form)]
        if theirs.size:
            its = _identifiers(contacts, form, theirs, keep_texts=False, threads=1)
            denied += [one.digests for one in its]
        found_by = _found_by(found, denied)
        if found_by is not None:
            suppressed |= found_by
    return suppressed


def _denied(contacts: People, form: Target) -> list[pa.Array]:
    """Return digests of suppressed addresses and numbers, national ones as of any country."""
    given = contacts.suppress
    emails = pa.array(given.get("emails", ()), TEXT)
    found = [digests(normalising.addresses(emails, form.addresses).texts)]
    numbers = pa.array(given.get("phones", ()), TEXT)
    if len(numbers):
        places = {NUMBERING.places.get(contacts.default_region or "", NO_REGION)}
        column = contacts.columns.country
        if column is not None:
            every = np.arange(len(contacts))
            texts = normalising.as_texts(contacts.column(column, every), column)
            codes = normalising.countries(texts).unique().to_pylist()
            places |= {NUMBERING.places[one] for one in codes if one in NUMBERING.places}
        for place in sorted(places):
            regions = np.full(len(numbers), place, np.int16)
            found.append(digests(_numbers(numbers, regions, form).texts))
    return found


def _values(
    values: NDArray[np.float64] | None, rows: NDArray[np.int64], *, from_zero: bool
) -> tuple[NDArray[np.float64] | None, int]:
    """Return the values of some customers, and how many were no number from 0 on."""
    if values is None:
        return None, 0
    theirs = values[rows]
    if not from_zero:
        return theirs, 0
    bad = ~(np.isfinite(theirs) & (theirs >= 0))
    theirs = np.where(bad, 0.0, theirs) + 0.0
    return theirs, int(np.count_nonzero(bad))


def _once(
    identifiers: list[Identifier], values: NDArray[np.float64] | None, count: int
) -> tuple[list[Identifier], NDArray[np.float64] | None]:
    """Leave each identifier to the first who has it, with the largest value of those who do."""
    for kind in dict.fromkeys(one.kind for one in identifiers):
        columns = [number for number, one in enumerate(identifiers) if one.kind == kind]
        repeated = _repeated([identifiers[number] for number in columns])
        if repeated is None:
            continue
        owners, groups, places = repeated  # in the order of groups, then of owners and columns
        first = np.insert(groups[1:] != groups[:-1], 0, values=True)
        keeper = owners[np.maximum.accumulate(np.where(first, np.arange(first.size), 0))]
        if values is not None:
            values = values.copy()
            np.fmax.at(values, keeper, values[owners])
        dropped = places[~first]
        for order, number in enumerate(columns):
            its = dropped[(dropped >= order * count) & (dropped < (order + 1) * count)]
            if its.size:
                keep = np.ones(count, np.bool_)
                keep[its - order * count] = False
                identifiers[number] = identifiers[number].only(keep)
    return identifiers, values


def _repeated(columns: Sequence[Identifier]) -> tuple[Any, Any, Any] | None:
    """Return owners, groups and places of identifiers that several customers have, in order."""
    whole = pa.concat_arrays([one.digests for one in columns])
    known = np.concatenate([one.known for one in columns])
    words = np.frombuffer(whole.buffers()[1], np.uint64)[whole.offset * 4 :]
    prefixes = words[: len(whole) * (DIGEST_BYTES // 8) : DIGEST_BYTES // 8]
    places = np.flatnonzero(known)
    with Workers(1) as workers:
        ordered = in_hash_order(np.ascontiguousarray(prefixes[places]), workers)
    same = ordered.hashes[1:] == ordered.hashes[:-1]
    if not same.any():
        return None
    tied = np.append(same, False) | np.insert(same, 0, values=False)
    places = places[ordered.rows[tied]]
    groups = np.asarray(whole.take(rows_of(places)).dictionary_encode().indices)
    owners = places % len(columns[0].digests)
    order = np.lexsort((places, owners, groups))
    return owners[order], groups[order], places[order]
