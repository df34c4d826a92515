"""Columns of text in the types that their roles ask for: found in some rows, read in all.

Nothing is taken for what it is not: where a value does not fit the type that the first rows have,
the column is read again in one that holds both, or there is an error that shows the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import array_of, bytes_view, validity
from ordercycle._errors import Option, Text
from ordercycle._sources.column_types import common_type
from ordercycle._sources.computed_columns import WRITTEN
from ordercycle._sources.file_formats import CsvFormat, arrow_type
from ordercycle._sources.read_request import Role
from ordercycle._sources.text import times
from ordercycle._sources.text.numbers import (
    Misread,
    as_plain,
    cast_numbers,
    fails,
    lost_digits,
    remedy_for_numbers,
)
from ordercycle._sources.text.time_formats import time_formats
from ordercycle_kernels import records, text_values
from ordercycle_kernels.text_values import (
    A_DAY,
    INSTANT,
    LENIENT,
    NO_TIME,
    ON_THE_WALL,
    SIGNED,
    WHOLE_FLOATS,
)

TEXT, INTEGER, FLOAT = pa.string(), pa.int64(), pa.float64()
#: What to do about numbers with more digits than floats have.
EXACTLY: Text = ("read it exactly, as decimal(20,0) or the like, with ", Option("CsvFormat.types"))
TIMES = (times.DAYS, times.LOCAL, times.INSTANTS)
PLAIN_TIMES = {
    times.DAYS: records.DAYS,
    times.LOCAL: records.LOCAL_TIMES,
    times.INSTANTS: records.INSTANTS,
}


class MisfitError(Exception):
    """A value has no place in the type of its column: in which row, and which type it needs."""

    def __init__(
        self, row: int, what: Text, remedy: Text | None = None, kind: pa.DataType | None = None
    ) -> None:
        super().__init__(row, what, remedy, kind)
        self.row = row
        self.what = what
        self.remedy = remedy
        self.kind = kind  # None: there is no wider type


def joined(  # noqa: PLR0911 - one case after the other
    role: Role, left: pa.DataType, right: pa.DataType
) -> pa.DataType | None:
    """Return the type in which the values of two can be read from text, or None.

    Examples
    --------
    >>> joined("customer", pa.int64(), pa.string()), joined("amount", pa.int64(), pa.float64())
    (DataType(string), DataType(double))
    """
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    kinds = {left, right}
    if kinds == {times.DAYS, times.LOCAL}:
        return times.LOCAL
    if kinds == {INTEGER, WRITTEN}:
        return WRITTEN
    if role == "amount" or kinds == {INTEGER, FLOAT}:
        return _joined_amounts(left, right)
    if TEXT in kinds and role in ("customer", "order", "text", "other"):
        return TEXT
    if role == "other" and not (kinds <= set(TIMES)):
        return TEXT
    return None


def _joined_amounts(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    for kind in (left, right):
        if pa.types.is_decimal(kind):  # of a history, or declared: digits are read as such
            return kind
    if {left, right} <= {INTEGER, FLOAT}:
        return FLOAT
    return common_type(left, right)


@dataclass(frozen=True)
class TextColumn:
    """A column of text files: its name, what it is for, and how its values are written.

    are_settled: whether it cannot be read again, so that ids are text; is_compared: whether rows
    are compared by what is written there.
    """

    name: str
    role: Role
    given: CsvFormat
    are_settled: bool = False
    is_compared: bool = False

    @property
    def declared(self) -> pa.DataType | None:
        """The type that the caller says the column has."""
        name = self.given.types.get(self.name)
        return None if name is None else arrow_type(name)

    @property
    def holds_times(self) -> bool:
        """Whether values are times."""
        return self.role in ("time", "registered") and self.declared is None

    def kind_of(  # noqa: PLR0911 - one case after the other
        self, texts: pa.StringArray
    ) -> pa.DataType:
        """Return the type of some values, null where all of them are missing.

        Raises
        ------
        MisfitError
            Where a value is nothing that its role allows.
        """
        if self.declared is not None:
            return self.declared
        if self.role in ("order", "text") or (self.role == "customer" and self.are_settled):
            return TEXT
        if texts.null_count == len(texts):
            return pa.null()
        if self.role == "customer":
            return INTEGER if self._first_no_integer(texts, WHOLE_FLOATS) < 0 else TEXT
        if self.holds_times:
            return self._kind_of_times(texts)
        if self._first_no_integer(texts, SIGNED) < 0:
            return INTEGER
        if self.role == "other":
            numbers = WRITTEN if self.is_compared else FLOAT
            return numbers if self._are_numbers(texts) else TEXT
        if self.is_compared:
            self.numbers(texts, FLOAT)
            return WRITTEN
        return self._kind_of_amounts(texts)

    def parsed_as(self, kind: pa.DataType) -> pa.DataType:
        """Return the type to parse the column in, for `reader` to make the type requested of it."""
        is_bare = self.given.thousands is None and self.given.currency is None
        is_plain = is_bare and self.role != "other" and not self.is_compared
        is_number = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        if is_plain and (is_number or (kind == INTEGER and self.role == "amount")):
            return kind
        return TEXT

    def plain_kind(self, kind: pa.DataType) -> int | None:
        """Return what a type is to the kernel of plain records, None where it has none for it."""
        if self.given.null_values:
            return None
        if kind == TEXT:
            return records.TEXT
        if kind in TIMES and self.holds_times:
            return None if self.given.time_formats else PLAIN_TIMES[kind]
        if kind == INTEGER and self.role in ("customer", "order"):
            return records.WHOLE_FLOAT
        marks = (self.given.decimal, self.given.thousands, self.given.currency)
        if marks != (".", None, None) or kind not in (INTEGER, FLOAT):
            return None
        return records.SIGNED_INTEGER if kind == INTEGER else records.NUMBER

    def reader(self, kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
        """Return what makes an array of a type of what was parsed.

        It raises a MisfitError at the first value that is none of the type.
        """
        return _as_it_is if self.parsed_as(kind) == kind else self.reader_of_texts(kind)

    def reader_of_texts(self, kind: pa.DataType) -> Callable[[pa.StringArray], pa.Array]:
        """Return what makes an array of a type of texts, whatever CSV would be parsed as.

        It raises a MisfitError at the first value that is none of the type.
        """
        if kind == TEXT:
            return _as_it_is
        if pa.types.is_null(kind):
            return self._nothing
        if kind in TIMES and self.holds_times:
            formats = times.program(time_formats(self.given.time_formats))
            return lambda texts: self._times(texts, kind, formats)
        if kind == INTEGER and (self.role != "amount" or self.is_compared):
            return self._integers
        if kind == WRITTEN:
            return self._written
        return lambda texts: self.numbers(texts, kind)

    def _nothing(self, texts: pa.StringArray) -> pa.Array:
        if texts.null_count < len(texts):
            raise self._misfit(texts, 0, pa.null(), "")
        return pa.nulls(len(texts))

    def _first_no_integer(self, texts: pa.StringArray, allowed: int) -> int:
        out = np.empty(len(texts), np.int64)
        return text_values.read_integers(*bytes_view(texts), allowed, out)

    def _integers(self, texts: pa.StringArray) -> pa.Array:
        allowed = SIGNED if self.role in ("other", "amount") else WHOLE_FLOATS
        if self.declared is not None:
            allowed = LENIENT | WHOLE_FLOATS
        out = np.empty(len(texts), np.int64)
        row = text_values.read_integers(*bytes_view(texts), allowed, out)
        if row >= 0:
            raise self._misfit(texts, row, INTEGER, "is no integer")
        return array_of(out, INTEGER, validity(texts))

    def numbers(self, texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
        """Return numbers of a type, or raise a MisfitError."""
        try:
            plain = as_plain(texts, self.given)
            numbers = cast_numbers(plain, kind)
        except Misread as misread:
            raise self._misfit(texts, misread.row, kind, misread.what) from None
        row = lost_digits(plain, numbers) if kind == FLOAT else None
        if row is not None and self.role == "other":
            raise MisfitError(row, "", None, TEXT)
        if row is not None:
            what = f"is {texts[row].as_py()!r}, which has more digits than a float64"
            raise MisfitError(row, what, EXACTLY)
        return numbers

    def _written(self, texts: pa.StringArray) -> pa.Array:
        numbers = self.numbers(texts, FLOAT)
        return pa.StructArray.from_arrays([numbers, texts], fields=list(WRITTEN))

    def _are_numbers(self, texts: pa.StringArray) -> bool:
        """Return whether all are numbers, of which floats have every digit."""
        try:
            plain = as_plain(texts, self.given)
            return lost_digits(plain, cast_numbers(plain, FLOAT)) is None
        except Misread:
            return False

    def _kind_of_amounts(self, texts: pa.StringArray) -> pa.DataType:
        """Return the type of numbers that are no plain integers, which floats need not hold."""
        if self._are_integers(texts):
            return INTEGER
        self.numbers(texts, FLOAT)
        return FLOAT

    def _are_integers(self, texts: pa.StringArray) -> bool:
        try:
            return not fails(as_plain(texts, self.given), INTEGER)
        except Misread:
            return False

    def _kind_of_times(self, texts: pa.StringArray) -> pa.DataType:
        formats = times.program(time_formats(self.given.time_formats))
        found = times.read_times(texts, formats)
        self._check_times(texts, found)
        return times.kind_of(found.counts)

    def _times(self, texts: pa.StringArray, kind: pa.DataType, formats: times.Program) -> pa.Array:
        found = times.read_times(texts, formats)
        self._check_times(texts, found)
        here = times.kind_of(found.counts)
        if joined("time", kind, here) != kind:
            row = found.first(int(max(found.kinds)))
            if times.INSTANTS in (kind, here):
                row = found.first(INSTANT) if here == times.INSTANTS else int(found.kinds.argmax())
                raise MisfitError(
                    row,
                    f"has times with an offset and times without: {texts[row].as_py()!r} "
                    + ("has one" if here == times.INSTANTS else "has none"),
                    "write all of them with an offset, or none",
                )
            raise MisfitError(row, "", None, joined("time", kind, here))
        return times.as_array(texts, found, kind)

    def _check_times(self, texts: pa.StringArray, found: times.Times) -> None:
        counts = found.counts
        if counts[NO_TIME]:
            row = found.first(NO_TIME)
            first = texts[row].as_py()
            missed = texts.filter(pa.array(found.kinds == NO_TIME))
            raise MisfitError(
                row, f"is {first!r}, which is no time", times.remedy_for(missed, first)
            )
        without = counts[A_DAY] + counts[ON_THE_WALL]
        if counts[INSTANT] and without:
            row = found.first(INSTANT)
            raise MisfitError(
                row,
                f"has times with an offset and times without: {texts[row].as_py()!r} has one",
                "write all of them with an offset, or none",
            )

    def _misfit(self, texts: pa.StringArray, row: int, kind: pa.DataType, what: str) -> MisfitError:
        """Return what to do about a value that is none of a type: which type holds it, if any."""
        value = texts[row].as_py()
        if self.declared is None:
            wider = None
            if not (self.role == "amount" and kind == FLOAT):
                wider = joined(self.role, kind, self.kind_of(texts))
            if wider is not None and wider != kind:
                return MisfitError(row, "", None, wider)
        declared = self.given.types.get(self.name)
        remedy = remedy_for_numbers(texts[row : row + 1], self.given, declared)
        return MisfitError(row, f"is {value!r}, which {what}", remedy)


def _as_it_is(array: pa.Array) -> pa.Array:
    return array
