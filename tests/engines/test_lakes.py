"""Delta and Iceberg tables on Spark without their jars, and on Dask: as their documentation says.

Readers of Python know which rows of which files count; tasks read them by conditions.
"""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.dask_shops import computed
from support.delta_tables import delete_by_vector, rename_by_mapping
from support.shops import AS_OF, assert_same_bits

import ordercycle as oc
from ordercycle.engines import dask as on_dask
from ordercycle.engines import spark

COLUMNS = oc.Columns(amount="gross", attributes=["year"])
#: Each row satisfies one of them.
CONDITIONS = [
    "ordered_at < '2025-03-01'",
    "ordered_at >= '2025-03-01' and ordered_at < '2025-09-01'",
    "ordered_at >= '2025-09-01'",
]
DELETED = [0, 3, 4, 217, 399]


@pytest.fixture(scope="module")
def orders():
    days = pa.array(range(20_000, 20_400), pa.int32()).cast(pa.date32())
    return pa.table(
        {
            "customer_id": pa.array([number % 37 for number in range(400)], pa.int64()),
            "ordered_at": days,
            "gross": [number / 7 for number in range(400)],
            "year": pc.cast(pc.year(days), pa.string()),
        }
    )


def delta_of(orders, path, how):
    """Return the reader of a table, and the rows that count."""
    from deltalake import DeltaTable, write_deltalake

    path = str(path)
    if how == "mapped":
        write_deltalake(path, orders.rename_columns(["customer_id", "ordered_at", "old", "year"]))
        rename_by_mapping(path, {"old": "gross"})
        return DeltaTable(path), orders
    if how == "deleted":
        write_deltalake(path, orders)
        delete_by_vector(path, DELETED)
        kept = [number for number in range(400) if number not in DELETED]
        return DeltaTable(path), orders.take(kept)
    write_deltalake(path, orders, partition_by=["year"])
    DeltaTable(path).delete("customer_id = 5")
    return DeltaTable(path), orders.filter(pc.not_equal(orders["customer_id"], 5))


def rows_of_delta(table):
    """Return what reads the rows of a table for which a condition holds, and their columns."""
    from deltalake import DeltaTable

    path, version, schema = table.table_uri, table.version(), pa.schema(table.schema().to_arrow())

    def rows_of(condition):
        for batch in DeltaTable(path, version=version).scan(predicate=condition):
            yield pa.record_batch(batch).cast(schema)

    return rows_of, schema.remove_metadata()


def files_of(table):
    """Return the files of a table, where they are all there is to it."""
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise ValueError("columns have other names in the files")
    table.to_pyarrow_dataset()  # an error where rows of the files were deleted
    return table.file_uris()


def on_spark(session, conditions, rows_of, schema):
    """Return a frame of a partition for each condition."""
    from pyspark.sql.pandas.types import from_arrow_schema

    def in_tasks(batches):
        for batch in batches:
            for number in batch["id"].to_pylist():
                yield from rows_of(conditions[number])

    count = len(conditions)
    numbers = session.range(0, count, 1, count)
    return numbers.mapInArrow(in_tasks, from_arrow_schema(schema))


def in_dask(conditions, rows_of, schema):
    """Return the same of Dask."""
    from dask import dataframe

    def in_pandas(batches):
        rows = pa.Table.from_batches(batches, schema=schema)
        return rows.to_pandas(types_mapper=pd.ArrowDtype)

    return dataframe.from_map(
        lambda condition: in_pandas(list(rows_of(condition))), conditions, meta=in_pandas([])
    )


def profile(orders):
    return oc.OrderHistory.build(orders, columns=COLUMNS).profile(AS_OF)


def found_on(engine, frame):
    if engine == "dask":
        made = on_dask.profile(frame, as_of=AS_OF, columns=COLUMNS, partitions=3)
        return computed(made, scheduler="sync")
    return spark.profile(frame, as_of=AS_OF, columns=COLUMNS, partitions=3).toArrow()


@pytest.mark.parametrize("engine", ["spark", "dask"])
@pytest.mark.parametrize("how", ["in partitions", "deleted", "mapped"])
def test_delta_tables_by_conditions(session, orders, tmp_path, engine, how):
    """Also of rows that were deleted by vectors, and of columns that files call otherwise."""
    table, kept = delta_of(orders, tmp_path / "orders", how)
    rows_of, schema = rows_of_delta(table)
    if engine == "spark":
        frame = on_spark(session, CONDITIONS, rows_of, schema)
        assert frame.rdd.getNumPartitions() == len(CONDITIONS)
    else:
        frame = in_dask(CONDITIONS, rows_of, schema)
    assert_same_bits(found_on(engine, frame), profile(kept))


@pytest.mark.parametrize("engine", ["spark", "dask"])
def test_the_files_of_a_delta_table(session, orders, tmp_path, engine):  # noqa: ARG001
    """Where files are all there is; partitions are columns, too, by the names of folders."""
    table, kept = delta_of(orders, tmp_path / "orders", "in partitions")
    assert_same_bits(found_on(engine, files_of(table)), profile(kept))
    for how, says in (("deleted", "deletionVectors"), ("mapped", "other names in the files")):
        table, _ = delta_of(orders, tmp_path / how, how)
        with pytest.raises(Exception, match=says):
            files_of(table)


@pytest.mark.parametrize("engine", ["spark", "dask"])
def test_iceberg_tables_by_conditions(session, orders, tmp_path, engine):
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import StaticTable

    catalog = SqlCatalog(
        "shops", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse"
    )
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.orders", schema=orders.schema)
    table.append(orders)
    table.delete("customer_id = 5")
    with table.update_schema() as update:
        update.rename_column("gross", "net")
        update.rename_column("year", "gross_of_year")
    with table.update_schema() as update:
        update.rename_column("net", "gross")
        update.rename_column("gross_of_year", "year")
    place, schema = table.metadata_location, orders.schema

    def rows_of(condition):
        found = StaticTable.from_metadata(place).scan(row_filter=condition).to_arrow()
        yield from found.cast(schema).to_batches()

    if engine == "spark":
        frame = on_spark(session, CONDITIONS, rows_of, schema)
    else:
        frame = in_dask(CONDITIONS, rows_of, schema)
    kept = orders.filter(pc.not_equal(orders["customer_id"], 5))
    assert_same_bits(found_on(engine, frame), profile(kept))
    catalog.close()
