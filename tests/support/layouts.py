"""The same values, differently in memory: chunks, slices, garbage, dictionaries."""

from itertools import pairwise
from random import Random

import pyarrow as pa


class Layout:
    """Where values lie: chunk borders, slices of larger arrays, memory under nulls, dictionaries.

    Seed 0, which Hypothesis shrinks to, is the plain layout: one chunk and nothing around it.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a reproducible layout, not a secret
        self.plain = seed == 0

    def cuts(self, rows: int) -> list[tuple[int, int]]:
        """Return the borders of the chunks; some chunks are empty."""
        if self.plain:
            return [(0, rows)]
        inner = sorted(self.random.randint(0, rows) for _ in range(self.random.randint(0, 4)))
        borders = [0, *inner, rows]
        return list(pairwise(borders))

    def chunk(self, values: list, kind: pa.DataType) -> pa.Array:
        """Return one array of `values`, perhaps a slice with other values around it."""
        if self.plain:
            return make_array(values, kind)
        present = [value for value in values if value is not None] or [None]
        before, after = (
            self.random.choices([*present, None], k=self.random.randint(0, 9)) for _ in range(2)
        )
        padded = [*before, *values, *after]
        if pa.types.is_dictionary(kind):
            array = self._dictionary_array(padded, kind)
        else:
            array = make_array(padded, kind)
            if self.random.random() < 0.5:
                array = self._with_memory_under_nulls(array, padded, present)
        return array.slice(len(before), len(values))

    def column(self, values: list, kind: pa.DataType) -> pa.ChunkedArray:
        """Return a column with chunk borders of its own."""
        chunks = [self.chunk(values[start:stop], kind) for start, stop in self.cuts(len(values))]
        return pa.chunked_array(chunks, kind)

    def table(self, columns: dict[str, tuple[list, pa.DataType]]) -> pa.Table:
        """Return a table whose columns are chunked independently, in any order."""
        names = list(columns)
        if not self.plain:
            self.random.shuffle(names)
        return pa.table({name: self.column(*columns[name]) for name in names})

    def batch(self, columns: dict[str, tuple[list, pa.DataType]]) -> pa.RecordBatch:
        """Return all rows as one record batch."""
        return pa.record_batch({name: self.chunk(*column) for name, column in columns.items()})

    def batches(self, columns: dict[str, tuple[list, pa.DataType]]) -> list[pa.RecordBatch]:
        """Return record batches, each with its own padding and dictionaries."""
        rows = len(next(iter(columns.values()))[0])
        return [
            pa.record_batch(
                {name: self.chunk(vals[start:stop], kind) for name, (vals, kind) in columns.items()}
            )
            for start, stop in self.cuts(rows)
        ]

    def _dictionary_array(self, values: list, kind: pa.DataType) -> pa.Array:
        entries = list({value for value in values if value is not None})
        self.random.shuffle(entries)
        entries += self._spare_entries(entries)
        places = {
            value: [place for place, entry in enumerate(entries) if entry == value]
            for value in {*entries, *values}
        }
        indices = []
        for value in values:
            choices = places[value] + ([None] if value is None else [])
            indices.append(self.random.choice(choices))
        return pa.DictionaryArray.from_arrays(
            pa.array(indices, kind.index_type), pa.array(entries, kind.value_type)
        )

    def _spare_entries(self, entries: list) -> list:
        """Return repeated entries and nulls: a code may well point at a null entry."""
        return self.random.choices([*entries, None], k=self.random.randint(0, 3))

    def _with_memory_under_nulls(self, array: pa.Array, values: list, present: list) -> pa.Array:
        whole = isinstance(array, pa.ExtensionArray) or array.type == pa.string_view()
        if not values or whole or array.type.num_fields:
            return array
        filled = [self.random.choice(present) if value is None else value for value in values]
        data = make_array(filled, array.type).buffers()[1:]
        validity = pa.array([value is not None for value in values]).buffers()[1]
        return pa.Array.from_buffers(array.type, len(values), [validity, *data])


def make_array(values: list, kind: pa.DataType) -> pa.Array:
    """Return an array of Python values; times are given as the integers of the column."""
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if pa.types.is_date32(kind):
        return pa.array(values, pa.int32()).cast(kind)
    if isinstance(kind, pa.UuidType):
        raw = [None if value is None else value.bytes for value in values]
        return pa.ExtensionArray.from_storage(kind, pa.array(raw, pa.binary(16)))
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)
