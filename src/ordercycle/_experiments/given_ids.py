"""Ids that somebody passes without a history, in the plain types in which they are hashed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._errors import ConfigError, Option
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_types import Identity


def plain_ids(given: Any) -> pa.Array:
    """Return ids as integers, text or bytes, aligned with what is given and null where it is.

    Raises
    ------
    ConfigError
        What is given is no list of ids.
    ColumnError, DataError
        Its type is none that ids have, or numbers are not whole.
    """
    chunks = [_plain(chunk) for chunk in _chunks(given)]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _chunks(given: Any) -> list[pa.Array]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable | pa.Array):
        raise ConfigError(
            (Option("ids", given), " is no list of ids"),
            remedy="pass a list, a NumPy array or an Arrow array of them",
        )
    try:
        if isinstance(given, pa.Array):
            return [given]
        if isinstance(given, pa.ChunkedArray) or hasattr(given, "__arrow_c_stream__"):
            return list(pa.chunked_array(given).chunks)
        return [pa.array(given if isinstance(given, np.ndarray) else list(given))]
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            (Option("ids"), f" holds what is no id: {error}"),
            remedy="pass ids of one kind, as the orders have them",
        ) from error


def _plain(array: pa.Array) -> pa.Array:
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    problems = Problems("ids")
    ids = Identity.of(pa.field("ids", array.type), "ids").read(array, 0, problems)
    problems.check()
    return IdReader.of(pa.field("ids", ids.type), "ids").values(ids)
