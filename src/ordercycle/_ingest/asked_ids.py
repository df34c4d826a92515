"""Customers that somebody asks for, in the type in which a history has their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_types import Identity

#: What is one id, or no ids at all, though Python goes through it.
NO_LISTS = (str, bytes, bytearray, Mapping, pa.Table, pa.RecordBatch)


def asked_ids(given: Any, reader: IdReader, column: str, *, option: str = "customers") -> pa.Array:
    """Return the ids that somebody asks for, in the plain type of a history's.

    given: a list, NumPy array, Arrow array, or a column of a data frame; missing ones, and what no
    id of the type can be, such as -1 among unsigned numbers, are left out. column: of the history's
    customers, and option: the argument, for messages.

    Raises
    ------
    ConfigError
        What is given is no list of ids, or of ids of another kind than those of the history.
    ColumnError
        Its type is none that ids have.
    DataError
        Numbers are among them that are not whole.
    """
    chunks = _chunks(given, reader, option)
    found = [_plain(chunk, reader, column, option) for chunk in chunks]
    return pa.concat_arrays([reader.nobody(), *found])


def _chunks(given: Any, reader: IdReader, option: str) -> list[pa.Array]:
    """Return what is given as Arrow arrays, in types of its own."""
    if isinstance(given, NO_LISTS) or not isinstance(given, (Iterable, pa.Array)):
        raise ConfigError(
            (Option(option, given), " is no list of ids"),
            remedy="pass a list, a NumPy array or an Arrow array of them",
        )
    try:
        if isinstance(given, pa.Array):
            return [given]
        if isinstance(given, pa.ChunkedArray) or hasattr(given, "__arrow_c_stream__"):
            return list(pa.chunked_array(given).chunks)
        if isinstance(given, np.ndarray) or hasattr(given, "__arrow_c_array__"):
            return [pa.array(given)]
        return [_array(list(given), reader)]
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ConfigError(
            (Option(option), f" holds what is no id: {error}"), remedy=_remedy(reader)
        ) from error


def _array(values: list[Any], reader: IdReader) -> pa.Array:
    try:
        return pa.array(values, reader.given if _is_uuid(reader) and values else None)
    except OverflowError:  # beyond 63 bits, of which only unsigned ids have one
        if not reader.is_integer:
            raise
        limits = np.iinfo(reader.plain.to_pandas_dtype())
        within = [one for one in values if one is None or limits.min <= one <= limits.max]
        return pa.array(within, reader.plain)


def _plain(array: pa.Array, reader: IdReader, column: str, option: str) -> pa.Array:
    """Return ids in the plain type of a history, without those that are missing in it."""
    identity = Identity.of(pa.field(column, array.type), option)
    problems = Problems(option)
    ids = identity.read(array, 0, problems)
    problems.check()
    own = IdReader.of(pa.field(column, ids.type), option)
    ids = own.values(ids).drop_null()
    if len(ids) == 0:
        return reader.nobody()
    if _kind(own) != _kind(reader):
        raise ConfigError(
            (
                Option(option),
                f" holds {_kind(own)}, and ids of the history are {_kind(reader)}: {reader.given}",
            ),
            remedy=_remedy(reader),
        )
    if reader.is_integer:
        words = ids.to_numpy()
        limits = np.iinfo(reader.plain.to_pandas_dtype())
        # Python's numbers, as NumPy's of one type do not hold the limits of the others.
        low, high = max(limits.min, int(words.min())), min(limits.max, int(words.max()))
        if low > high:
            return reader.nobody()
        ids = pa.array(words[(words >= low) & (words <= high)])
    elif pa.types.is_fixed_size_binary(reader.plain):
        width = reader.plain.byte_width
        ids = ids.filter(pc.equal(pc.binary_length(ids), width))
    return ids.cast(reader.plain)


def _is_uuid(reader: IdReader) -> bool:
    return isinstance(reader.given, pa.BaseExtensionType)


def _kind(reader: IdReader) -> str:
    """Return what ids of a type are, in words."""
    if reader.is_integer:
        return "numbers"
    return "text" if reader.is_text else "bytes"


def _remedy(reader: IdReader) -> str:
    kind = "UUIDs" if _is_uuid(reader) else _kind(reader)
    return f"pass {kind}, as the ids of the history are"
