"""DuckDB, Polars and pandas need no engine: they speak Arrow, both ways."""

import subprocess
import sys
from inspect import signature

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle.engines import dask, spark


@pytest.fixture(scope="module")
def profile():
    return oc.Lifecycle().assign(oc.OrderHistory.build(*tables(), columns=COLUMNS).profile(AS_OF))


def test_duckdb(profile):
    """A query in, a table of segments out, which DuckDB queries where it is."""
    orders, customers = tables()
    with duckdb.connect() as connection:
        connection.register("orders", orders)
        connection.register("customers", customers)
        history = oc.OrderHistory.build(
            connection.sql("SELECT * FROM orders"),
            # A connection streams one query at a time: the smaller one is fetched beforehand.
            connection.sql("SELECT * FROM customers").to_arrow_table(),
            columns=COLUMNS,
        )
        segments = oc.Lifecycle().assign(history.profile(AS_OF))
        assert_same_bits(segments, profile)
        counted = connection.sql("SELECT lifecycle, count(*) FROM segments GROUP BY ALL").fetchall()
    expected = profile["lifecycle"].value_counts().to_pylist()
    assert dict(counted) == {pair["values"]: pair["counts"] for pair in expected}


def test_polars(profile):
    orders, customers = map(pl.from_arrow, tables())
    history = oc.OrderHistory.build(orders, customers, columns=COLUMNS)
    segments = oc.Lifecycle().assign(history.profile(AS_OF))
    assert_same_bits(segments, profile)
    counted = pl.from_arrow(segments).group_by("lifecycle").len()
    assert counted["len"].sum() == profile.num_rows


def test_pandas(profile):
    orders, customers = (table.to_pandas(types_mapper=pd.ArrowDtype) for table in tables())
    history = oc.OrderHistory.build(orders, customers, columns=COLUMNS)
    segments = oc.Lifecycle().assign(history.profile(AS_OF))
    assert_same_bits(segments, profile)
    frame = segments.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    assert frame.groupby("lifecycle", observed=True)["orders"].sum().sum() == sum(
        profile["orders"].to_pylist()
    )


@pytest.mark.parametrize(
    ("engine", "package"), [("spark", "pyspark"), ("dask", "dask")], ids=["spark", "dask"]
)
def test_without_the_extra_it_says_what_to_install(engine, package):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from ordercycle.engines import {engine}\n"
        f"try: {engine}.profile(None, as_of='2025-06-30')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f'pip install "ordercycle[{engine}]"' in done.stdout


@pytest.mark.parametrize(
    ("verb", "by_place"),
    [
        ("profile", ["orders_df", "customers_df"]),
        ("fit", ["profile_df", "scheme"]),
        ("fit_lifecycle", ["orders_df", "customers_df"]),
        ("assign", ["profile_df", "scheme"]),
        ("segment_report", ["orders_df", "scheme", "customers_df"]),
        ("features", ["profile_df", "features"]),
        ("attribution", ["orders_df", "touches_df", "visits_df", "customers_df"]),
        ("assign_arms", ["profile_df", "experiment"]),
        ("journey", ["orders_df", "journey", "customers_df"]),
        ("measure", ["orders_df", "experiment", "exposures_df", "customers_df"]),
    ],
)
def test_both_engines_take_the_same(verb, by_place):
    here, there = (signature(getattr(engine, verb)).parameters for engine in (spark, dask))
    assert [*here] == [*there]
    assert [one for one in here if here[one].kind is here[one].POSITIONAL_OR_KEYWORD] == by_place
    assert {one: here[one].default for one in here} == {one: there[one].default for one in there}
