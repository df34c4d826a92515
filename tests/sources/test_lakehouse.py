"""Folders with a log of their own are refused, and what the refusal says to pass is right."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from support.delta_tables import delete_by_vector, rename_by_mapping
from support.order_files import orders, profile

import ordercycle as oc

TABLE = orders(90).append_column("year", pa.array([2025] * 45 + [2026] * 45))
#: What is left of it once it was changed as `changed_delta` and `changed_iceberg` do.
LEFT = pa.concat_tables([TABLE.slice(30, 30), TABLE.slice(60, 10)])


@pytest.fixture(scope="module")
def delta(tmp_path_factory):
    """Return the folder of a Delta table with rows deleted, overwritten and rewritten."""
    from deltalake import DeltaTable, write_deltalake

    path = str(tmp_path_factory.mktemp("delta") / "orders")
    numbered = TABLE.append_column("number", pa.array(range(90)))
    write_deltalake(path, numbered.slice(0, 40), partition_by=["year"])
    write_deltalake(path, numbered.slice(40, 20), mode="append")
    DeltaTable(path).delete("number < 30")
    write_deltalake(path, numbered.slice(60, 30), mode="append")
    DeltaTable(path).optimize.compact()
    write_deltalake(path, numbered.slice(60, 10), mode="overwrite", predicate="number >= 60")
    return path


@pytest.fixture(scope="module")
def iceberg(tmp_path_factory):
    """Return an Iceberg table with rows deleted, overwritten and rewritten, and its folder."""
    from pyiceberg.catalog.sql import SqlCatalog

    place = tmp_path_factory.mktemp("iceberg")
    catalog = SqlCatalog(
        "shops", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}/warehouse"
    )
    catalog.create_namespace("shop")
    numbered = TABLE.append_column("number", pa.array(range(90)))
    table = catalog.create_table("shop.orders", schema=numbered.schema)
    table.append(numbered.slice(0, 40))
    table.append(numbered.slice(40, 20))
    table.delete("number < 30")
    table.append(numbered.slice(60, 30))
    table.overwrite(numbered.slice(60, 10), "number >= 60")
    yield catalog, str(place / "warehouse" / "shop" / "orders")
    catalog.close()


def remedy_for(source):
    """Return the expression that the refusal of a source says to pass."""
    with pytest.raises(oc.SourceError, match="whose log says which of its files count") as refused:
        oc.OrderHistory.build(source)
    return refused.value.remedy.partition(": ")[2]


def test_a_delta_table_by_its_own_reader(delta):
    import deltalake

    there = eval(remedy_for(delta), {"deltalake": deltalake})  # noqa: S307 - our own words
    assert profile(there).equals(profile(LEFT))
    assert profile(deltalake.DeltaTable(delta).to_pyarrow_table()).equals(profile(LEFT))
    files = sorted(str(file) for file in pq.ParquetDataset(delta).files)
    named = oc.OrderHistory.build(files)  # by name, files are read, the deleted rows with them
    assert named.summary().rows > LEFT.num_rows


@pytest.mark.parametrize("change", ["deleted", "renamed"])
def test_delta_tables_whose_files_do_not_say_all(tmp_path, change):
    """Their scan knows; the dataset of a table with mapped columns would have nulls in these."""
    from deltalake import DeltaTable, write_deltalake

    path = str(tmp_path / "orders")
    if change == "deleted":
        write_deltalake(path, TABLE)
        delete_by_vector(path, [0, 1, 88])
        kept = TABLE.take([row for row in range(90) if row not in (0, 1, 88)])
    else:
        old = {"amount": "gross", "customer_id": "buyer"}
        write_deltalake(
            path, TABLE.rename_columns([old.get(one, one) for one in TABLE.schema.names])
        )
        rename_by_mapping(path, {new: name for name, new in old.items()})
        kept = TABLE
        with pytest.raises(
            oc.SourceError, match=r"'(gross|buyer)' in the files of the Delta table"
        ):
            profile(DeltaTable(path).to_pyarrow_dataset())
    assert profile(DeltaTable(path).scan()).equals(profile(kept))


def test_an_iceberg_table_by_its_own_reader(iceberg):
    from pyiceberg import catalog as catalogs

    catalog, folder = iceberg
    words = remedy_for(folder)
    assert words.startswith("pyiceberg.catalog.load_catalog(...).load_table(...)")
    words = words.removeprefix("pyiceberg.catalog.load_catalog(...)").replace("...", "name")
    there = eval(f"catalog{words}", {"catalog": catalog, "name": "shop.orders"})  # noqa: S307
    assert hasattr(catalogs, "load_catalog")
    assert profile(there).equals(profile(LEFT))


@pytest.mark.parametrize(
    "path",
    ["", "/", "/*", "/**", "/**/*.parquet", "/year=2025", "/year=*/*.parquet", "/../*/year=*"],
)
def test_every_way_into_a_delta_table_is_refused(delta, path):
    with pytest.raises(oc.SourceError, match=r"orders' is a Delta Lake table.*; pass what"):
        profile(delta + path)
    bucket = fs.SubTreeFileSystem(os.path.dirname(os.path.dirname(delta)), fs.LocalFileSystem())
    above = os.path.basename(os.path.dirname(delta))
    with pytest.raises(oc.SourceError, match=r"orders' is a Delta Lake table.*; pass what"):
        profile(os.path.normpath(f"{above}/orders{path}"), filesystem=bucket)


@pytest.mark.parametrize("path", ["", "/data", "/data/*", "/../**/*.parquet"])
def test_every_way_into_an_iceberg_table_is_refused(iceberg, path):
    with pytest.raises(oc.SourceError, match=r"orders' is an Apache Iceberg table"):
        profile(iceberg[1] + path)


def test_a_saved_history_is_no_table_of_rows(tmp_path):
    saved = tmp_path / "history"
    oc.OrderHistory.build(TABLE).save(saved)
    for path in (saved, f"{saved}/*.arrow"):
        with pytest.raises(oc.SourceError, match=r"history' is a history that was saved.*; open"):
            oc.OrderHistory.build(path)


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(TABLE, path)


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("_delta_log/00000000000000000000.json", "a Delta Lake table"),
        (".hoodie/hoodie.properties", "an Apache Hudi table"),
        ("metadata/version-hint.text", "an Apache Iceberg table"),
        ("metadata/v3.metadata.json", "an Apache Iceberg table"),
        ("metadata/v3.gz.metadata.json", "an Apache Iceberg table"),
        ("_spark_metadata/0", "what a stream of Spark wrote"),
        ("snapshot/snapshot-1", "an Apache Paimon table"),
        ("ducklake-01912345-89ab-7cde-8f01-23456789abcd.parquet", "of a DuckLake table"),
    ],
)
def test_logs_of_all_kinds(tmp_path, log, kind):
    from fsspec import filesystem

    put(tmp_path / "shop" / "table" / "day=1" / "a.parquet")
    put(tmp_path / "shop" / "plain" / "a.parquet")
    (tmp_path / "shop" / "table" / log).parent.mkdir(exist_ok=True)
    put(tmp_path / "shop" / "table" / log)
    memory = filesystem("memory", skip_instance_cache=True)
    memory.put(str(tmp_path / "shop"), "/lake-of-tests", recursive=True)
    try:
        for place, store in ((str(tmp_path / "shop"), None), ("/lake-of-tests", memory)):
            of_files = kind.startswith("of")
            inner = [] if of_files else ["/table/day=1", "/*/*/a.parquet"]
            for path in ("", "/table", "/t*", "/**/*.parquet", *inner):
                with pytest.raises(oc.SourceError, match=kind):
                    profile(place + path, filesystem=store)
            for path in ("/plain", "/p*", "/plain/*", "/table/day=1/a.parquet"):
                assert profile(place + path, filesystem=store).equals(profile(TABLE))
            one = [f"{place}/table/day=1/a.parquet"]
            assert profile(one, filesystem=store).equals(profile(TABLE))
    finally:
        memory.rm("/lake-of-tests", recursive=True)


def test_folders_that_only_look_like_it(tmp_path):
    put(tmp_path / "metadata" / "orders.parquet")
    put(tmp_path / "snapshot" / "orders.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "_metadata").write_text("")
    (tmp_path / ".part.crc").write_text("")
    assert oc.OrderHistory.build(tmp_path).summary().rows == 2 * TABLE.num_rows


def test_a_link_into_a_table_is_a_way_into_it(delta, tmp_path):
    (tmp_path / "latest").symlink_to(os.path.join(delta, "year=2025"))
    with pytest.raises(oc.SourceError, match="is a Delta Lake table"):
        profile(tmp_path / "latest")


def test_tables_themselves_are_kept_apart(delta, iceberg):
    from deltalake import DeltaTable

    with pytest.raises(
        oc.SourceError,
        match=r"holds no rows yet; pass its \.to_pyarrow_d",
    ):
        profile(DeltaTable(delta))
    with pytest.raises(oc.SourceError, match=r"pass its .scan\(\)\.to_arrow_batch_reader\(\)"):
        profile(iceberg[0].load_table("shop.orders"))
