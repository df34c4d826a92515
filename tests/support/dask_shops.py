"""The made-up shop as Dask frames, and their results as Arrow tables."""

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from support.shops import COLUMNS

import ordercycle as oc

EXACT = {"types_mapper": pd.ArrowDtype}


def framed(table, pieces=3, **how):
    return dd.from_pandas(table.to_pandas(**(how or EXACT)), npartitions=pieces, sort=False)


def local(orders, customers=None, **options):
    return oc.OrderHistory.build(orders, customers, columns=COLUMNS, **options)


def computed(frame, **how):
    made = frame.compute(**how)
    return pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None)


def plain(table):
    """Return a table with ids of one kind of text: dictionaries differ by what was there."""
    ids = table["customer_id"]
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(ids.type.value_type)
    if not pa.types.is_integer(ids.type) and not pa.types.is_binary(ids.type):
        ids = ids.cast(pa.large_string())
    return table.set_column(0, "customer_id", ids)
