"""Lists as CSV files, of the columns that each target takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._arrow_views import rows_of
from ordercycle._audiences import normalising
from ordercycle._audiences.members import ADDRESS, ROWS_PER_TASK, Members, cleaned_of
from ordercycle._audiences.normalising import Texts
from ordercycle._audiences.targets import Column
from ordercycle._durable import replacing
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._spreadsheets import FILLERS, FORMULA_STARTS, harmless
from ordercycle._sync.digests import TEXT, digests, hexadecimal
from ordercycle._workspace import Workers

#: Files with personal data are their owner's alone.
PRIVATE = 0o600
_MARKS = "".join(sorted(FORMULA_STARTS - {"-"})) + "-"
_UNSEEN = r"\p{C}\p{Z}" + "".join(rf"\x{{{ord(one):x}}}" for one in sorted(FILLERS))
#: What a spreadsheet would take for the beginning of a formula, and what hides it.
LEADING_MARKS = f"^[{_UNSEEN}{_MARKS}]*[{_MARKS}][{_UNSEEN}]*"
#: Roles of texts that people wrote, and that are written as they are.
WRITTEN_BY_PEOPLE = ("first_name", "last_name", "city", "state", "zip", "country", "gender", "born")


class _Part(NamedTuple):
    data: pa.Buffer
    stripped: int


class _Cells(NamedTuple):
    """A column of some members: texts, None where all are empty.

    stripped: how many lost the beginning of a formula; may_need_quotes: whether what they hold may
    have to stand in quotes, as nothing does that we wrote.
    """

    texts: Texts | None
    stripped: int = 0
    may_need_quotes: bool = True


#: What makes a column of some of the members, from one row to another.
Make = Callable[[int, int], _Cells]


def write_csv(
    path: Path,
    members: Members,
    audience: str,
    values: pa.ChunkedArray | None,
    *,
    hashed: bool,
    threads: int,
) -> int:
    """Write members; return how many texts lost what would begin a formula.

    values: of all customers of the audience, as it has them; hashed: whether to hash what the
    target takes hashed.
    """
    columns = list(_columns(members, audience, values, hashed=hashed))
    writes = [make for _, make in columns]
    stripped = 0

    def written(start: int) -> _Part:
        stop = min(start + ROWS_PER_TASK, len(members))
        made = [write(start, stop) for write in writes]
        return _Part(_lines(made, stop - start), sum(one.stripped for one in made))

    with (
        replacing(path, mode=PRIVATE) as stream,
        Workers(max(1, min(threads, -(-len(members) // ROWS_PER_TASK)))) as workers,
    ):
        stream.write(_lines([_Cells(pa.array([name], TEXT)) for name, _ in columns], 1))
        for part in workers.in_order(written, range(0, len(members), ROWS_PER_TASK)):
            stream.write(part.data)
            stripped += part.stripped
    return stripped


def _lines(columns: Sequence[_Cells], count: int) -> pa.Buffer:
    """Return rows of CSV, with quotes around what needs them and nowhere else."""
    pieces: list[Any] = []
    between = ""
    for place, column in enumerate(columns):
        between += "," if place else ""
        if column.texts is not None:
            texts = column.texts.fill_null("") if column.texts.null_count else column.texts
            pieces += [between] if between else []
            pieces.append(_quoted(texts) if column.may_need_quotes else texts)
            between = ""
    if not any(isinstance(one, pa.Array) for one in pieces):
        pieces.append(pa.array([""] * count, TEXT))
    # What is empty in all rows is a text of commas, not a column: of Meta's 19 most are.
    parts = [one if isinstance(one, pa.Array) else pa.scalar(one, TEXT) for one in pieces]
    end = pa.scalar(f"{between}\n", TEXT)
    return pc.binary_join_element_wise(*parts, end, pa.scalar("", TEXT)).buffers()[2]


def _quoted(texts: Texts) -> Texts:
    needed = pc.match_substring_regex(texts, '[",\r\n]')
    if not pc.any(needed, min_count=0).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    quote = pa.scalar('"', TEXT)
    return pc.if_else(
        needed, pc.binary_join_element_wise(quote, doubled, quote, pa.scalar("", TEXT)), texts
    )


def _columns(
    members: Members, audience: str, values: pa.ChunkedArray | None, *, hashed: bool
) -> Iterator[tuple[str, Make]]:
    """Yield the headers and what makes the columns."""
    target = members.target
    if target.columns is None:
        yield from _plain_columns(members, values)
        return
    for column in target.columns:
        count = 1
        if target.repeats and column.role in target.identifiers:
            count = max(1, len(members.of_kind(str(column.role))))
        for number in range(column.number, column.number + count):
            yield column.header, _made(members, audience, column, number, hashed=hashed)


def _made(members: Members, audience: str, column: Column, number: int, *, hashed: bool) -> Make:
    role, target = column.role, members.target
    digest = hashed and column.hashed
    made: Make | None = None
    if role == "audience":
        made = _same(harmless(audience))
    elif role == "value":
        made = None if members.values is None else _values(members)
    elif role in target.identifiers:
        made = _identifiers(members, role, number, digest=digest)
    elif role == "phone":
        made = _further_numbers(members)
    elif role is not None:
        made = _details(members, role, digest=digest)
    return _nothing if made is None else made


def _nothing(_start: int, _stop: int) -> _Cells:
    return _Cells(None)


def _same(text: str) -> Make:
    return lambda start, stop: _Cells(pa.array([text] * (stop - start), TEXT))


def _details(members: Members, role: str, *, digest: bool) -> Make:
    def made(start: int, stop: int) -> _Cells:
        texts = members.details(role, start, stop)
        if texts is None:
            return _nothing(start, stop)
        if members.target.finds_by_address:
            texts = _with_all_of_address(members, texts, start, stop)
        if digest:
            return _Cells(hexadecimal(digests(texts)), may_need_quotes=False)
        return _stripped(texts)

    return made


def _values(members: Members) -> Make:
    def made(start: int, stop: int) -> _Cells:
        values = pa.array(members.values[start:stop])  # type: ignore[index]  # columns of values only
        return _Cells(values.cast(TEXT), may_need_quotes=False)

    return made


def _identifiers(members: Members, kind: str, number: int, *, digest: bool) -> Make | None:
    """Return what writes one column of identifiers; None where there is none.

    Targets that take one of a kind get the first that is usable.
    """
    there = members.of_kind(kind)
    if members.target.most_per_identifier == 1:
        first = members.first_of(kind)
        there = [] if first is None else [first]
    if number >= len(there):
        return None
    found = there[number]

    def made(start: int, stop: int) -> _Cells:
        if digest or found.texts is None:
            digits = hexadecimal(found.digests.slice(start, stop - start))
            return _Cells(digits, may_need_quotes=False)
        return _Cells(found.texts.slice(start, stop - start))

    return made


def _further_numbers(members: Members) -> Make | None:
    """Return what writes numbers for a target that finds nobody by them."""
    contacts = members.contacts
    if contacts is None or not contacts.columns.phone:
        return None

    def made(start: int, stop: int) -> _Cells:
        rows = members.contact_rows[start:stop]
        found = None
        for column in contacts.columns.phone:
            texts = normalising.as_texts(contacts.column(column, rows), column)
            cleaned = cleaned_of("phone", texts, members.target, contacts, rows).texts
            found = cleaned if found is None else pc.coalesce(found, cleaned)
        return _Cells(found)

    return made


def _with_all_of_address(members: Members, texts: Texts, start: int, stop: int) -> Texts:
    """Return texts of those of whom all parts of an address are known, which only then help."""
    whole = pa.array(np.ones(stop - start, np.bool_))
    for role in ADDRESS:
        column = members.details(role, start, stop)
        if column is None:
            return pa.nulls(stop - start, TEXT)
        whole = pc.and_(whole, column.is_valid())
    return pc.if_else(whole, texts, pa.scalar(None, TEXT))


def _stripped(texts: Texts) -> _Cells:
    """Return texts without what a spreadsheet would take for a formula, and how many changed."""
    marked = pc.fill_null(pc.match_substring_regex(texts, LEADING_MARKS), fill_value=False)
    count = pc.sum(marked).as_py() or 0
    if not count:
        return _Cells(texts)
    changed = normalising.plain_texts(pc.replace_substring_regex(texts, LEADING_MARKS, ""))
    return _Cells(pc.if_else(marked, changed, texts), count)


def _plain_columns(members: Members, values: pa.ChunkedArray | None) -> Iterator[tuple[str, Make]]:
    ids = members.customers.ids

    def customers(start: int, stop: int) -> _Cells:
        return _Cells(_harmless_ids(ids.take(rows_of(members.rows[start:stop]))))

    yield CUSTOMER, customers
    if values is not None:

        def worth(start: int, stop: int) -> _Cells:
            taken = values.take(rows_of(members.rows[start:stop])).combine_chunks()
            return _Cells(taken.cast(TEXT), may_need_quotes=False)

        yield "value", worth
    if members.contacts is None:
        return
    for role, column in members.contacts.columns.by_role():
        if role in ("email", "phone"):
            columns = getattr(members.contacts.columns, role)
            made = _identifiers(members, role, columns.index(column), digest=False)
            if made is not None:
                yield harmless(column), made
        elif role in WRITTEN_BY_PEOPLE:
            yield harmless(column), _made(members, "", Column(column, role), 0, hashed=False)


def _harmless_ids(ids: pa.Array) -> Texts:
    """Return ids as text, with an apostrophe before those that a spreadsheet would run."""
    if pa.types.is_integer(ids.type):
        return ids.cast(TEXT)
    if pa.types.is_fixed_size_binary(ids.type) or pa.types.is_large_binary(ids.type):
        return pa.array([None if one is None else one.hex() for one in ids.to_pylist()], TEXT)
    texts = ids.cast(TEXT)
    marked = pc.match_substring_regex(texts, LEADING_MARKS)
    if not pc.any(marked).as_py():
        return texts
    with_mark = pc.binary_join_element_wise(pa.scalar("'", TEXT), texts, pa.scalar("", TEXT))
    return pc.if_else(marked, with_mark, texts)
