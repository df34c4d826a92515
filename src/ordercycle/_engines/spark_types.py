"""Spark's types and Arrow's, and where Spark sends a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ColumnError

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

#: Spark's types that can be an id, a time, an amount or a number of a profile, by type name.
#: A timestamp is an instant, whatever time zone the session shows it in.
ARROW_TYPES: dict[str, Callable[[Any], pa.DataType]] = {
    "byte": lambda _: pa.int8(),
    "short": lambda _: pa.int16(),
    "integer": lambda _: pa.int32(),
    "long": lambda _: pa.int64(),
    "float": lambda _: pa.float32(),
    "double": lambda _: pa.float64(),
    "decimal": lambda kind: pa.decimal128(kind.precision, kind.scale),
    "string": lambda _: pa.string(),
    "binary": lambda _: pa.binary(),
    "boolean": lambda _: pa.bool_(),
    "date": lambda _: pa.date32(),
    "timestamp": lambda _: pa.timestamp("us", "UTC"),
    "timestamp_ntz": lambda _: pa.timestamp("us"),
    "void": lambda _: pa.null(),
}


def arrow_schema(frame_schema: StructType, needed: Sequence[str], table: str) -> pa.Schema:
    """Return the Arrow schema of a Spark table; columns that are not needed have no type in it.

    Raises
    ------
    ColumnError
        Where a needed column is of a type that has no meaning here, such as a map.
    """
    fields = []
    for field in frame_schema.fields:
        kind = pa.null()
        if field.name in needed:
            of = ARROW_TYPES.get(field.dataType.typeName())
            if of is None:
                raise ColumnError(
                    f"{table}: {field.name} is {field.dataType.simpleString()}, which is no id, "
                    "time, amount or number",
                    remedy="select or cast what ordercycle should read",
                    column=field.name,
                )
            kind = of(field.dataType)
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def spark_type(column: pa.Field) -> Any:
    """Return the Spark type of a column that ordercycle produces.

    Raises
    ------
    ColumnError
        Where Spark has none, as for unsigned 64-bit integers.
    """
    from pyspark.sql import types

    kind = sparks(column.type)
    if pa.types.is_decimal(kind):
        return types.DecimalType(kind.precision, kind.scale)
    if pa.types.is_list(kind):
        return types.ArrayType(spark_type(kind.value_field))
    if pa.types.is_struct(kind):
        return spark_schema(pa.schema(kind))
    known = {
        pa.int8(): types.ByteType(),
        pa.int16(): types.ShortType(),
        pa.int32(): types.IntegerType(),
        pa.int64(): types.LongType(),
        pa.float64(): types.DoubleType(),
        pa.bool_(): types.BooleanType(),
        pa.string(): types.StringType(),
        pa.large_string(): types.StringType(),
        pa.binary(): types.BinaryType(),
        pa.large_binary(): types.BinaryType(),
        pa.date32(): types.DateType(),
        pa.float32(): types.FloatType(),
        pa.timestamp("us"): types.TimestampNTZType(),
        pa.timestamp("us", "UTC"): types.TimestampType(),
        pa.duration("us"): types.DayTimeIntervalType(),
        pa.null(): types.NullType(),
    }
    if kind not in known:
        raise ColumnError(
            f"{column.name}: {kind} is no type of Spark's",
            remedy="cast it in the files, to int64 or text",
            column=column.name,
        )
    return known[kind]


def sparks(kind: pa.DataType) -> pa.DataType:
    """Return the type in which Spark holds the values of another: it has fewer."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(sparks(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(sparks(field.type)) for field in kind])
    return {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64()}.get(
        kind, kind
    )


def spark_schema(schema: pa.Schema) -> StructType:
    """Return the Spark schema of a table that ordercycle produces."""
    from pyspark.sql import types

    return types.StructType(
        [types.StructField(one.name, spark_type(one), one.nullable) for one in schema]
    )


@lru_cache
def keys_of_partitions(partitions: int) -> tuple[int, ...]:
    """Return an integer for each partition that ``repartition(partitions, key)`` sends there.

    Spark puts a row where the Murmur3 hash of its key says. Looked for beforehand, the keys put
    every target in a partition of its own; the numbers 0, 1, 2, … would leave a third of the
    partitions empty and give others several. (``repartitionById`` came with Spark 4.1.)
    """
    keys, tried = np.full(partitions, -1), 0
    while (keys < 0).any():
        candidates = np.arange(tried, tried + 16 * partitions)
        places, first = np.unique(murmur3(candidates) % partitions, return_index=True)
        is_new = keys[places] < 0
        keys[places[is_new]] = candidates[first[is_new]]
        tried += candidates.size
    return tuple(keys.tolist())


def murmur3(values: NDArray[np.int64], seed: int = 42) -> NDArray[np.int32]:
    """Return Spark's hashes of 32-bit integers (Appleby's MurmurHash3, x86, 32 bits)."""

    def rotated(words: Any, bits: int) -> Any:
        return words << bits | words >> 32 - bits

    words = rotated(values.astype(np.uint32) * 0xCC9E2D51, 15) * 0x1B873593
    mixed = rotated(seed ^ words, 13) * 5 + 0xE6546B64
    mixed ^= 4  # bytes
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35
    hashes: NDArray[np.int32] = (mixed ^ mixed >> 16).view(np.int32)
    return hashes
