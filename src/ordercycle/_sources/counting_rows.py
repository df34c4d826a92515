"""Rows that count, found before all columns are read: nothing of the others has to be readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans
from ordercycle._errors import OrdercycleError
from ordercycle._sources.computation import ONLY, Computation
from ordercycle._sources.wanted import Wanted


@dataclass(frozen=True)
class CountingRows:
    """What says which rows count: the condition, computed of the columns that it names."""

    computation: Computation

    @classmethod
    def of(cls, wanted: Wanted, kinds: Mapping[str, pa.DataType]) -> CountingRows | None:
        """Return it for columns of some types; None where they have no condition to decide."""
        condition = wanted.formulas.get(ONLY)
        names = [] if condition is None else list(dict(condition.columns))
        if condition is None or not names or not set(names) <= set(kinds):
            return None
        schema = pa.schema([(name, kinds[name]) for name in names])
        alone = replace(wanted, made=(), behind=(), formulas={ONLY: condition})
        try:
            computation = Computation.of(alone, schema)
        except OrdercycleError:  # which is reported where all columns are known
            return None
        return None if computation is None else cls(computation)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that decide."""
        return self.computation.reads

    def rows(self, deciding: Sequence[pa.Array]) -> NDArray[np.bool_] | None:
        """Return which rows count, by the columns that decide.

        None where that cannot be computed, which is reported with its row where all columns are.
        """
        try:
            rows = pa.RecordBatch.from_arrays(list(deciding), list(self.names))
            counts = self.computation.batch(rows).column(ONLY)
        except OrdercycleError:
            return None
        return booleans(counts.fill_null(fill_value=False))

    def blotted(self, texts: pa.RecordBatch, deciding: Sequence[pa.Array]) -> pa.RecordBatch:
        """Return texts without those of rows that do not count."""
        counts = self.rows(deciding)
        if counts is None:
            return texts
        places = pa.array(np.arange(texts.num_rows), mask=~counts)
        columns = [one.take(places) for one in texts.columns]  # nulls without bytes beneath
        return pa.RecordBatch.from_arrays(columns, schema=texts.schema)
