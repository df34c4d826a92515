"""Tasks that choose the customers of lists: their rows, and sums of what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._audiences.choosing import Choosing, Chosen, days_of
from ordercycle._audiences.customer_sets import CustomerSet
from ordercycle._audiences.listed import REVENUE, VALUE, Total, fingerprint_of, revenue_of
from ordercycle._audiences.overlap import MOST_AUDIENCES
from ordercycle._audiences.summaries import QUANTILES, known_values
from ordercycle._engines.feature_tasks import PROFILES, in_hash_order, others, with_values
from ordercycle._engines.named_sums import Name, to_batch
from ordercycle._engines.partition_tasks import Streams, SumTask, of_a_partition
from ordercycle._engines.shuffle_blocks import STEP_BYTES, joined
from ordercycle._errors import DataError, counted
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.customer_features import with_columns
from ordercycle._segments.order_statistics import KeyType, Search
from ordercycle._segments.profile_tables import CUSTOMER, as_table
from ordercycle_kernels.selection import DIGIT_BITS, DIGITS

#: What sums are about, as the first part of their names.
CUSTOMERS, HASHES, DAY, SPENT = "customers", "hashes", "day", "spent"
#: Behind these comes the name of a list.
MEMBERS, BYTES, MISSING, BOTH = "members", "bytes", "missing", "both"
IN_SEVERAL, IN_NONE = "in several", "in none"
FLOATS = KeyType("float64")
SHARES = (0.5, *QUANTILES)
OFFSET_BYTES = 8
#: Of so many ones, sums are exact in floats of 32 bits.
EXACT_ROWS = 2**20


@dataclass(frozen=True)
class ChosenRows:
    """Yields the rows of a list, wherever the table is.

    day: as of which streams are read; are_whole: whether all columns come, and features that have
    names, or the customers with VALUE and REVENUE, as far as there are such.
    """

    choosing: Choosing
    name: str
    day: int | None
    are_whole: bool

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of batches, small ones together: reading conditions has a fixed cost."""
        first = next(batches, None)
        if first is None:
            return
        for batch in joined(chain([first], batches), first.schema, STEP_BYTES):
            yield from self._rows(pa.Table.from_batches([batch]), {}).to_batches()

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns."""
        return self._rows(nobody[PROFILES], others(nobody)).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a partition in the order of their customers' hashes."""
        table = in_hash_order(streams[PROFILES])
        yield from self._rows(table, others(streams)).to_batches()

    def _rows(self, table: pa.Table, streams: Streams) -> pa.Table:
        with of_a_partition():
            declared = as_table(table)
        _refuse_nobody(declared)
        chosen = self.choosing.chosen(declared, streams, self.day, "empty", 1)
        rows = pa.array(np.flatnonzero(chosen.holds[self.name]))
        if self.are_whole:
            places = range(table.num_columns, chosen.shown.num_columns)
            shown = with_columns(table, chosen.shown.select(places))
            return with_values(shown.take(rows), places)
        ids = {CUSTOMER: declared.column(CUSTOMER).take(rows)}
        columns = chosen.columns(self.choosing.values.get(self.name), rows)
        return pa.table(ids | {one: columns.column(one) for one in columns.column_names})


@dataclass(frozen=True)
class AudienceSums(SumTask):
    """Adds up what the customers of lists spent and are worth, and those of the whole table."""

    choosing: Choosing
    day: int | None

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums."""
        with of_a_partition():
            table = as_table(in_hash_order(streams[PROFILES]))
        customers, _ = CustomerSet.of_table(table, "the table", 1)
        chosen = self.choosing.chosen(table, others(streams), self.day, "empty", 1)
        sums: dict[Name, Fraction | int] = {
            (CUSTOMERS,): table.num_rows,
            (HASHES,): fingerprint_of(customers),
        }
        revenue = revenue_of(table)
        if revenue is not None:
            sums |= _sums_of((SPENT,), Total.of(table.column(revenue)))
        sums |= {(DAY, day): 1 for day in days_of(table)}
        for name, holds in chosen.holds.items():
            rows = pa.array(np.flatnonzero(holds))
            columns = chosen.columns(self.choosing.values.get(name), rows)
            ids = customers.ids.take(rows)
            sums[MEMBERS, name] = len(rows)
            sums[BYTES, name] = _bytes_of(ids) + columns.nbytes
            if REVENUE in columns.column_names:
                sums |= _sums_of((REVENUE, name), Total.of(columns.column(REVENUE)))
            if VALUE in columns.column_names:
                known = known_values(columns.column(VALUE))
                sums |= _sums_of((VALUE, name), Total.of(known))
                sums[MISSING, name] = len(rows) - len(known)
        sums |= _overlaps(chosen)
        yield to_batch({name: total for name, total in sums.items() if total})


def _refuse_nobody(table: pa.Table) -> None:
    """Raise a DataError for rows without a customer, which nothing else finds without a shuffle."""
    count = table.column(CUSTOMER).null_count
    if count:
        raise DataError(
            f"the table: {CUSTOMER} is null in a partition ({counted(count, 'such row')})",
            remedy="drop these rows: they are nobody's",
            column=CUSTOMER,
            count=count,
        )


def _bytes_of(ids: pa.Array) -> int:
    """Return how many bytes ids take, of text with the places where each ends."""
    if not (pa.types.is_large_string(ids.type) or pa.types.is_large_binary(ids.type)):
        width: int = ids.type.bit_width // 8
        return len(ids) * width
    of_texts: int = pc.sum(pc.binary_length(ids)).as_py() or 0
    return of_texts + len(ids) * OFFSET_BYTES


def _sums_of(of: Name, total: Total) -> dict[Name, Fraction | int]:
    return {(*of, part): one for part, one in total._asdict().items()}


def total_in(sums: Mapping[Name, Fraction], *of: str) -> Total:
    """Return a sum of numbers."""
    finite, *others = (sums.get((*of, part), Fraction(0)) for part in Total._fields)
    return Total(finite, *map(int, others))


def _overlaps(chosen: Chosen) -> dict[Name, Fraction | int]:
    """Return how many customers each two lists have in common, and of how many lists others are.

    Nothing of more lists than overlaps are made of: their pairs would be more than all else.
    """
    if len(chosen.holds) > MOST_AUDIENCES:
        return {}
    masks = np.array(list(chosen.holds.values()))
    names = list(chosen.holds)
    both = np.zeros((len(names), len(names)), np.int64)
    several = none = 0
    for start in range(0, masks.shape[1], EXACT_ROWS):
        part = masks[:, start : start + EXACT_ROWS].astype(np.float32)
        both += np.rint(part @ part.T).astype(np.int64)
        lists = part.sum(axis=0)
        several += int(np.count_nonzero(lists > 1))
        none += int(np.count_nonzero(lists == 0))
    sums: dict[Name, Fraction | int] = {(IN_SEVERAL,): several, (IN_NONE,): none}
    for row, one in enumerate(names):
        for column, other in enumerate(names):
            sums[BOTH, one, other] = int(both[row, column])
    return sums


def quantile_places(customers: int) -> list[tuple[int, float]]:
    """Return where quantiles lie: behind so many values, and a part of the way to the next."""
    places = [(customers - 1) * share for share in SHARES]
    return [(int(place), place - int(place)) for place in places]


@dataclass(frozen=True)
class ValueRound(Round[pa.Table, tuple[float, ...]]):
    """Looks for the values of ranks, digit by digit."""

    search: Search
    columns = (VALUE,)

    @classmethod
    def of(cls, customers: int) -> ValueRound:
        """Return the first round for the quantiles of so many values."""
        ranks = [
            rank
            for place, _ in quantile_places(customers)
            for rank in (place, min(place + 1, customers - 1))
        ]
        return cls(Search.of(FLOATS, ranks))

    def count(self, batch: pa.Table) -> Cells:
        """Count the digits of values."""
        values = known_values(batch.column(VALUE)).combine_chunks()
        table = np.zeros((len(self.search.prefixes), DIGITS), np.int64)
        self.search.count(values, np.ones(len(values), np.bool_), table)
        places = np.flatnonzero(table.ravel())
        return Cells(places, table.ravel()[places])

    def then(self, total: Cells) -> ValueRound | tuple[float, ...]:
        """Return the next round, or the values."""
        found = self.search.then(total.cell >> DIGIT_BITS, total.cell & (DIGITS - 1), total.count)
        if not found.is_over:
            return replace(self, search=found)
        return tuple(float(one) for one in found.values())


def quantiles_of(values: Sequence[float], customers: int) -> list[float]:
    """Return the quantiles between values, as Arrow computes them."""
    pairs = zip(quantile_places(customers), values[::2], values[1::2], strict=True)
    return [one if not part else part * other + (1 - part) * one for (_, part), one, other in pairs]
