"""Pandas frames, of which Dask's partitions are, and Arrow tables: nothing is lost either way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._errors import ColumnError

OBJECT = np.dtype(object)


def arrow_schema(meta: Any, needed: Sequence[str], table: str) -> pa.Schema:
    """Return the Arrow schema of a frame; columns that are not needed have no type in it.

    meta: the frame without rows, whose dtypes are those of all partitions.

    Raises
    ------
    ColumnError
        Where a needed column has a dtype that does not say what it holds.
    """
    read = []
    for place, (name, dtype) in enumerate(zip(meta.columns, meta.dtypes, strict=True)):
        if name not in needed:
            continue
        if dtype == OBJECT:
            raise ColumnError(
                f"{table}: {name} has the dtype object, which does not say what it holds",
                remedy="cast it, for example to 'string[pyarrow]' or "
                "pandas.ArrowDtype(pyarrow.decimal128(12, 2))",
                column=str(name),
            )
        read.append(place)
    kinds = pa.Schema.from_pandas(meta.iloc[:, read], preserve_index=False).types
    of = dict(zip(read, kinds, strict=True))
    return pa.schema(
        [(str(name), of.get(place, pa.null())) for place, name in enumerate(meta.columns)]
    )


def known_columns(meta: Any) -> list[str]:
    """Return the columns of a frame that are named, of a dtype that says what they hold."""
    columns = zip(meta.columns, meta.dtypes, strict=True)
    return [name for name, dtype in columns if isinstance(name, str) and dtype != OBJECT]


def batches_of(frame: Any, schema: pa.Schema, table: str) -> list[pa.RecordBatch]:
    """Return the columns of a schema from a pandas frame, in the types of the schema.

    Raises
    ------
    ColumnError
        Where values are of another type, such as integers that became floats on the way.
    """
    for field in schema:
        if pa.types.is_integer(field.type) and frame[field.name].dtype.kind == "f":
            raise ColumnError(
                f"{table}: {field.name} holds integers in the frame and floats in a partition, "
                "which large ones do not survive; missing values do that",
                remedy='read the files with dtype_backend="pyarrow"',
                column=field.name,
            )
    try:
        converted = pa.Table.from_pandas(
            frame[schema.names], schema=schema, preserve_index=False, nthreads=1
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ColumnError(
            f"{table}: a partition's columns are not of the types of the frame ({error})",
            remedy="cast them, and make the categories of a category column known with "
            ".cat.as_known()",
        ) from error
    return list(converted.replace_schema_metadata(None).to_batches())


def frame_of(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Any:
    """Return record batches as a pandas frame of Arrow's types, which hold every value exactly."""
    return frame_of_table(pa.Table.from_batches(list(batches), schema=schema))


def frame_of_table(table: pa.Table) -> Any:
    """Return a table as such a frame; segments become categories, also those that nobody is in."""
    import pandas as pd

    # Of several chunks, each selection of rows would copy all.
    table = table.combine_chunks()
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    for field in table.schema:
        if pa.types.is_dictionary(field.type):
            frame[field.name] = table[field.name].to_pandas()
    return frame


def dtype_alone(dtype: Any) -> Any:
    """Return a dtype without categories, which may be as many as there are customers."""
    import pandas as pd

    return pd.CategoricalDtype() if isinstance(dtype, pd.CategoricalDtype) else dtype


def with_ids_as(frame: Any, column: str, dtype: Any) -> Any:
    """Return a frame with the ids in the dtype they came in.

    Categories are those of the partition: who is where is not known beforehand.
    """
    import pandas as pd
    from dask.dataframe.utils import clear_known_categories

    if column not in frame or frame[column].dtype == dtype:
        return frame
    categorical = isinstance(dtype, pd.CategoricalDtype)
    # Of a frame, astype would go through all of its columns.
    frame[column] = frame[column].astype("category" if categorical else dtype)
    if len(frame) or not categorical:
        return frame
    return clear_known_categories(frame, cols=[column])
