"""What of a row is not kept otherwise, so that rows can be distinguished: instants, other columns.

Customer, order, day and amount of a row are there when rows are grouped, and are compared as they
are. The instant of a timestamp goes along as the number that it is. Columns behind expressions go
along as 128 bits of hash, two words of independent functions: that two different rows agree in
them, of the same customer, order, instant and amount, is as good as impossible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._errors import ConfigError, Option
from ordercycle._ingest.id_bytes import hashes_of

UInt64s = NDArray[np.uint64]

#: Of the two functions: what each begins with, and what stands for a missing value.
SEEDS = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))
MISSING = (np.uint64(0xA4093822299F31D0), np.uint64(0x082EFA98EC4E6C89))
MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
SHIFT = np.uint64(32)


def instants(array: pa.Array) -> NDArray[np.int64] | None:
    """Return times as numbers, in the unit of their type; None where days say the same."""
    if pa.types.is_date32(array.type) or pa.types.is_null(array.type):
        return None
    return fixed_view(array, np.int64)


def words_of_rows(batch: pa.RecordBatch, names: Sequence[str]) -> tuple[UInt64s, UInt64s]:
    """Return two words for each row of some columns, the same for equal values; nulls are equal."""
    found = [np.full(batch.num_rows, seed, np.uint64) for seed in SEEDS]
    for name in names:
        values = _plain(batch.column(name))
        known = validity(values)
        for function, own in enumerate(_words_of(values)):
            words = own if known is None else np.where(known, own, MISSING[function])
            mixed = (found[function] ^ words) * MULTIPLIERS[function]
            found[function] = (mixed ^ (mixed >> SHIFT)) * MULTIPLIERS[1 - function]
            found[function] ^= found[function] >> SHIFT
    return found[0], found[1]


def check_comparable(schema: pa.Schema, names: Sequence[str]) -> None:
    """Raise a ConfigError where rows cannot be compared in some columns."""
    for name in names:
        kind = schema.field(name).type
        if pa.types.is_nested(kind) and not pa.types.is_dictionary(kind):
            raise ConfigError(
                (Option("duplicates"), f" cannot compare {name}, which is {kind}"),
                remedy=("read its parts, or pass ", Option("duplicates", "keep")),
            )


def _plain(values: pa.Array) -> pa.Array:
    """Return values without extension or dictionary."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        return _plain(values.dictionary_decode())
    if pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
        return values.cast(pa.int8())
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        return values.cast(pa.large_binary())
    return values


def _words_of(values: pa.Array) -> tuple[UInt64s, UInt64s]:
    """Return two words for each value: the value itself where it is one, else hashes."""
    kind = values.type
    width = kind.bit_width // 8 if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) else 0
    if 0 < width <= np.dtype(np.uint64).itemsize:
        words = fixed_view(values, f"u{width}").astype(np.uint64)
        if pa.types.is_floating(kind):  # minus zero is zero
            minus = np.uint64(1) << np.uint64(8 * width - 1)
            words = np.where(words == minus, np.uint64(0), words)
        return words, words
    if width:  # decimals, and intervals of two words
        size = width // np.dtype(np.uint64).itemsize
        parts = fixed_view(values, np.uint64, per_row=size).reshape(-1, size)
        first, second = parts[:, 0].copy(), parts[:, 0].copy()
        for column in range(1, size):
            first = (first ^ (first >> SHIFT)) * MULTIPLIERS[0] ^ parts[:, column]
            second = (second ^ (second >> SHIFT)) * MULTIPLIERS[1] + parts[:, column]
        return first, second
    return hashes_of(values), hashes_of(pc.binary_reverse(values.cast(pa.large_binary())))
