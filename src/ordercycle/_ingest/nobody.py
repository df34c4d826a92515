"""Ids that mean no customer, such as a shop's guest: found among those of a column."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: An integer, or a whole float, as which text files may have them.
INTEGER = re.compile(r"([+-]?[0-9]+)(?:\.0)?")


@dataclass(frozen=True)
class Nobody:
    """The ids that mean no customer, in the type of a column of ids.

    A number stands for its text, and the other way round, "0.0" for 0 among integers as well; what
    no id of the column can be is none of them.

    Examples
    --------
    >>> nobody = Nobody.of(("0", "guest"), pa.int64())
    >>> nobody.among(pa.array([0, 7, None])).tolist()
    [True, False, False]
    """

    ids: pa.Array

    @classmethod
    def of(cls, given: Iterable[str | int], kind: pa.DataType) -> Nobody:
        """Return the ids that were given, as values of a column's type."""
        kind = _plain(kind)
        values = [value for one in given for value in _values(one, kind)]
        return cls(pa.array(values, kind))

    def among(self, column: pa.Array) -> NDArray[np.bool_]:
        """Return which rows have one of the ids."""
        if pa.types.is_dictionary(column.type):
            if len(column.dictionary) == 0:
                return np.zeros(len(column), np.bool_)
            entries = pa.array(self.among(column.dictionary))
            found = entries.take(column.indices).fill_null(fill_value=False)
        else:
            kind = _plain(column.type)
            plain = column.storage if isinstance(column, pa.ExtensionArray) else column
            plain = plain if plain.type == kind else plain.cast(kind)
            found = pc.is_in(plain, value_set=self.ids, skip_nulls=True)
        among: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
        return among


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type in which ids are compared."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _values(given: str | int, kind: pa.DataType) -> list[Any]:
    """Return what an id is in a type: one value, or none where it cannot be there."""
    text = str(given)
    if pa.types.is_integer(kind):
        limits = np.iinfo(kind.to_pandas_dtype())
        found = INTEGER.fullmatch(text)
        number = None if found is None else int(found[1])
        return [number] if number is not None and limits.min <= number <= limits.max else []
    if pa.types.is_fixed_size_binary(kind):
        ids = [text.encode()]
        with suppress(ValueError):
            ids.append(uuid.UUID(text).bytes)
        return [one for one in ids if len(one) == kind.byte_width]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [text.encode()]
    return [text]
