"""Attributes as codes: every value of a column once, and a number for each row."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity, without_view
from ordercycle._errors import ColumnError, DataError
from ordercycle_kernels.code_words import codes_of_entries, put_codes, put_entries
from ordercycle_kernels.partition import as_moved

#: The most values of an attribute.
MOST_VALUES = 2**31
#: So many values are put in order at once where they are the first.
FEW_VALUES = 2**16
#: What codes of so many values, null among them, are kept as.
CODE_TYPES = (np.uint8, np.uint16, np.uint32)

Codes = NDArray[np.uint32]


def plain_type(field: pa.Field, table: str) -> pa.DataType:
    """Return the type of an attribute's values, or raise a ColumnError where it can be none."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    kind = without_view(kind)
    if pa.types.is_null(kind) or pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return kind
    raise ColumnError(
        f"{table}: {field.name} is {field.type}, which is no attribute",
        remedy="attributes are text, integers or booleans: cast it to one of these, or name it "
        "among the values",
        column=field.name,
    )


def codes_type(values: int) -> type[np.unsignedinteger[Any]]:
    """Return what codes from 0, null, to this many are kept as."""
    return next(kind for kind in CODE_TYPES if values <= np.iinfo(kind).max)


@dataclass
class Attribute:
    """The values of an attribute as they are met, by any number of threads; codes begin at 1.

    Codes are in the order in which values arrive, which threads decide; `sorted` says where each
    belongs, so that nothing of that is left in what is kept.
    """

    name: str
    table: str
    kind: pa.DataType
    given: pa.DataType
    _codes: dict[Any, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: The dictionary that came last, and the codes of its entries as far as they were needed.
    _last: tuple[pa.Array, Codes] | None = None

    @classmethod
    def of(cls, field: pa.Field, table: str) -> Attribute:
        """Return an attribute without values for a column."""
        return cls(field.name, table, plain_type(field, table), field.type)

    def __len__(self) -> int:
        return len(self._codes)

    def begin_with(self, values: pa.Array) -> None:
        """Give the values of an earlier time their codes, before any are read.

        Integers are kept in the type that they had then.
        """
        if pa.types.is_null(self.given):
            self.kind = values.type
        elif self.kind != values.type:
            text = (pa.types.is_string, pa.types.is_large_string)
            alike = any(
                any(is_one(self.kind) for is_one in kinds)
                and any(is_one(values.type) for is_one in kinds)
                for kinds in (text, (pa.types.is_integer,))
            )
            if not alike:
                raise ColumnError(
                    f"{self.table}: {self.name} is {self.kind}, and {values.type} in the history",
                    remedy=f"cast it to {values.type}",
                    column=self.name,
                )
            self.kind = values.type
        self._found(values)

    def read(self, array: pa.Array, counts: NDArray[np.bool_] | None, out: Codes) -> None:
        """Write the code of every row, 0 for null; rows that do not count bring no value.

        counts: (n,), or None where all rows do; out: (n,).
        """
        _take(*self._entries_of(array, counts), out)

    def put(
        self,
        array: pa.Array,
        counts: NDArray[np.bool_] | None,
        shift: int,
        out_words: NDArray[np.uint64],
    ) -> None:
        """Put the codes of rows into words that hold those of other attributes too: (n,)."""
        indices, codes, present = self._entries_of(array, counts)
        if present is None and codes.size:
            put_entries[indices.dtype.name](indices, codes, shift, out_words)
        else:
            out = np.empty(len(array), np.uint32)
            _take(indices, codes, present, out)
            put_codes(out, shift, out_words)

    def _entries_of(
        self, array: pa.Array, counts: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], Codes, NDArray[np.bool_] | None]:
        """Return the entry of each row, the codes of entries, and which rows have one (or None)."""
        if not pa.types.is_dictionary(array.type):
            array = array.cast(without_view(array.type)).dictionary_encode()
        entries = array.dictionary.cast(without_view(array.dictionary.type))
        rows = fixed_view(array.indices, array.type.index_type.to_pandas_dtype())
        present = validity(array.indices)
        if counts is not None:
            present = counts if present is None else present & counts
        codes = self._codes_of_entries(entries)
        self._complete(entries, codes, rows if present is None else rows[present])
        return as_moved(rows), codes, present

    def sorted(self, first: int = 0) -> tuple[pa.Array, NDArray[np.uint32]]:
        """Return the values in their order, and the place of each code there, that of null first.

        Text is in the order of its UTF-8 bytes. Places begin at 1; null has 0. first: how many
        values stay where they are, those of an earlier time, before the others.
        """
        values = pa.array(list(self._codes), self.kind)
        order = np.arange(len(values))
        order[first:] = first + np.asarray(pc.array_sort_indices(values[first:]))
        places = np.zeros(len(values) + 1, np.uint32)
        places[1 + order] = np.arange(1, len(values) + 1)
        return values.take(pa.array(order)), places

    def _codes_of_entries(self, entries: pa.Array) -> Codes:
        """Return the codes of a dictionary's entries, as far as they are known."""
        last = self._last
        if last is not None and len(last[0]) == len(entries) and last[0].equals(entries):
            return last[1]
        codes = np.full(len(entries), MOST_VALUES, np.uint32)
        self._last = (entries, codes)
        return codes

    def _complete(self, entries: pa.Array, codes: Codes, rows: NDArray[Any]) -> None:
        """Find the codes of the entries that rows have."""
        if not (codes == MOST_VALUES).any():
            return
        used = np.flatnonzero(np.bincount(rows, minlength=len(entries))) if rows.size else rows
        new = used[codes[used] == MOST_VALUES]
        if not self._codes and new.size <= FEW_VALUES:
            # In their order, codes stay what they are if there are no others.
            new = new[np.asarray(pc.array_sort_indices(entries.take(pa.array(new))))]
        if new.size:
            codes[new] = self._found(entries.take(pa.array(new)))

    def _found(self, values: pa.Array) -> Codes:
        """Return the codes of values, new ones where there are none; that of null is 0."""
        try:
            listed = values.cast(self.kind).to_pylist()
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            if pa.types.is_integer(self.kind):
                raise DataError(
                    f"{self.table}: {self.name} has a value that does not fit {self.kind}, the "
                    f"type in the history ({error})",
                    remedy="build the history from values of the wider type",
                    column=self.name,
                ) from error
            raise DataError(
                f"{self.table}: a value of {self.name} is no UTF-8 text",
                remedy="decode the column before the call",
                column=self.name,
            ) from error
        with self._lock:
            known = self._codes
            found = [
                0 if value is None else known.setdefault(value, len(known) + 1) for value in listed
            ]
            if len(known) >= MOST_VALUES:
                raise DataError(
                    f"{self.table}: {self.name} has {MOST_VALUES} different values or more",
                    remedy="name it among the keys, which are not kept as codes",
                    column=self.name,
                )
        return np.array(found, np.uint32)


def _take(
    indices: NDArray[Any], codes: Codes, present: NDArray[np.bool_] | None, out: Codes
) -> None:
    """Write the codes of entries, 0 where there is none."""
    if not codes.size:  # nor are there any entries
        out[:] = 0
        return
    codes_of_entries[indices.dtype.name](indices, codes, out)
    if present is not None:
        out *= present
