"""What was sent: keys of actions, and the days on which they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of
from ordercycle._errors import ColumnError, DataError, counted
from ordercycle._sources.opening import open_all
from ordercycle._sources.read_request import Role
from ordercycle_kernels.journeys import write_hexadecimal

KEY, SENT = "action_key", "sent_on"
KEY_LENGTH = 16
KEY_PATTERN = "^[0-9a-f]{16}$"


@dataclass(frozen=True)
class Ledger:
    """Keys that were sent, ascending and distinct, and their first days: (l,) each."""

    keys: NDArray[np.uint64]
    days: NDArray[np.int32]

    @classmethod
    def of(cls, given: Any) -> Ledger:
        """Return the ledger of a table of action_key and sent_on, from any source; None: empty.

        Raises
        ------
        ColumnError, DataError
            A column is missing or of another type, or a value is null or no key.
        """
        if given is None:
            return cls(np.empty(0, np.uint64), np.empty(0, np.int32))
        table = given if isinstance(given, pa.Table) else _read(given)
        for name in (KEY, SENT):
            if name not in table.column_names:
                raise ColumnError(
                    f"the ledger has no column {name}",
                    remedy=f"it is a table of {KEY} and {SENT}",
                    column=name,
                )
        try:
            texts = table.column(KEY).cast(pa.large_string())
        except pa.ArrowException:
            raise ColumnError(
                f"the ledger: {KEY} is {table.column(KEY).type}, no text",
                remedy="keep what feed() gave",
                column=KEY,
            ) from None
        is_key = pc.fill_null(pc.match_substring_regex(texts, KEY_PATTERN), fill_value=False)
        _refuse(is_key, KEY, "no key of an action")
        try:
            days = table.column(SENT).cast(pa.date32()).cast(pa.int32())
        except pa.ArrowException:
            raise ColumnError(
                f"the ledger: {SENT} is {table.column(SENT).type}, no day",
                remedy="cast it to a date",
                column=SENT,
            ) from None
        _refuse(days.is_valid(), SENT, "null")
        keys = np.array([int(text, KEY_LENGTH) for text in texts.to_pylist()], np.uint64)
        sent = days.to_numpy().astype(np.int32)
        order = np.lexsort((sent, keys))
        keys, sent = keys[order], sent[order]
        first = np.ones(keys.size, np.bool_)
        first[1:] = keys[1:] != keys[:-1]
        return cls(keys[first], sent[first])

    def until(self, day: int) -> Ledger:
        """Return what was sent up to a day."""
        known = self.days <= day
        return Ledger(self.keys[known], self.days[known])

    def has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which keys were sent."""
        if not self.keys.size:
            return np.zeros(keys.size, np.bool_)
        places = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        found: NDArray[np.bool_] = self.keys[places] == keys
        return found

    def table(self, kept: NDArray[np.bool_]) -> pa.Table:
        """Return some of it as a table."""
        return pa.table(
            {
                KEY: texts_of(self.keys[kept]),
                SENT: array_of(self.days[kept], pa.date32()),
            }
        )


def texts_of(keys: NDArray[np.uint64]) -> pa.Array:
    """Return keys as text of sixteen hexadecimal digits."""
    digits = np.empty(keys.size * KEY_LENGTH, np.int8)
    write_hexadecimal(keys, digits)
    offsets = np.arange(keys.size + 1, dtype=np.int64) * KEY_LENGTH
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.large_string(), keys.size, buffers)


def _read(given: Any) -> pa.Table:
    source = open_all(given, "the ledger", _role, threads=1)
    try:
        return pa.Table.from_batches(list(source.batches), schema=source.schema)
    finally:
        source.close()


def _role(column: str) -> Role:
    return "time" if column == SENT else "text"


def _refuse(good: Any, name: str, said: str) -> None:
    bad = np.flatnonzero(~np.asarray(good.to_numpy(zero_copy_only=False), np.bool_)
                         if isinstance(good, pa.Array) else ~good.to_numpy())  # fmt: skip
    if bad.size:
        raise DataError(
            f"the ledger: {name} is {said} at row {bad[0]} ({counted(int(bad.size), 'such row')})",
            remedy="keep what feed() gave",
            column=name,
            row=int(bad[0]),
            count=int(bad.size),
        )
