"""Whose rows are brought to the driver: customers by their ids, or a share of all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans
from ordercycle._errors import ConfigError, Option, counted
from ordercycle._history.forgetting import ids_like
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of

MOST_IDS = 1000
HASHES = 2**64


@dataclass(frozen=True)
class KeptCustomers:
    """Says whose rows are kept.

    ids: some, plain in the type that reader says; below: whoever has a hash below it, ids of
    nobody included, which rows are judged by later.
    """

    reader: IdReader
    ids: tuple[Any, ...] = ()
    below: int | None = None

    @classmethod
    def of_ids(cls, ids: Iterable[Any], reader: IdReader) -> KeptCustomers:
        """Return those of ids; reader: of the orders.

        Raises
        ------
        ConfigError
            They are none, too many, or of another kind than those of the orders.
        """
        given = dict.fromkeys(ids_like(ids, reader).to_pylist())
        if not given:
            raise ConfigError((Option("ids"), " names nobody"), remedy="pass some ids")
        if len(given) > MOST_IDS:
            raise ConfigError(
                (Option("ids"), f" has {counted(len(given), 'customer')}, more than {MOST_IDS:,}"),
                remedy=(
                    "pass fewer, write the rows that are wanted as files, or bring a ",
                    Option("share"),
                    " of all",
                ),
            )
        return cls(reader, tuple(given))

    @classmethod
    def of_share(cls, share: Any, reader: IdReader) -> KeptCustomers:
        """Return so much of all customers, the same ones each time, or raise a ConfigError."""
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not is_number or not 0 < share <= 1:
            raise ConfigError(
                (Option("share", share), " is no share of the customers"),
                remedy="pass a number above 0, 1 for all of them",
            )
        return cls(reader, below=math.ceil(share * HASHES))

    @property
    def are_all(self) -> bool:
        """Whether everybody's rows are kept."""
        return self.below is not None and self.below >= HASHES

    def among(self, column: pa.Array, hashes: NDArray[np.uint64], reader: IdReader) -> pa.Array:
        """Return whose rows are kept; hashes: those of the ids, 0 of none; reader: of them."""
        if self.below is not None:
            if self.are_all:
                return pa.array(np.ones(hashes.size, np.bool_))
            return pa.array(hashes < np.uint64(self.below))
        ids = pa.array(self.ids, self.reader.plain)
        kept = np.isin(hashes, hashes_of(ids)) & booleans(column.is_valid())
        common = reader.together_with(self.reader)
        if common is None:
            raise AssertionError("ids have none in common: checked where the job is made")
        # Others may have the hash of one of them.
        few = reader.values(column.filter(pa.array(kept))).cast(common.plain)
        kept[kept] = booleans(pc.is_in(few, value_set=ids.cast(common.plain)))
        return pa.array(kept)
