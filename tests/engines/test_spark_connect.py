"""Spark Connect: a client without a Java of its own, so that only DataFrame methods do."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

# A process of its own: no two kinds of Spark session live in one.
CLIENT = """
import warnings
warnings.simplefilter("ignore")
from pyspark.sql import SparkSession
from support.shops import AS_OF, COLUMNS, assert_same_bits, oc, tables
import pyarrow as pa
import sys
from pyarrow import parquet
from ordercycle.engines import spark

builder = SparkSession.builder.remote("local[2]")
for name, value in {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.log.level": "OFF",
    "spark.sql.shuffle.partitions": "3",
}.items():
    builder = builder.config(name, value)
session = builder.getOrCreate()
orders, customers = tables()
there = session.createDataFrame(orders), session.createDataFrame(customers)
assert type(there[0]).__module__ == "pyspark.sql.connect.dataframe"
history = oc.OrderHistory.build(orders, customers, columns=COLUMNS)
profiles = spark.profile(*there, as_of=AS_OF, columns=COLUMNS)
expected = history.profile(AS_OF)
assert_same_bits(profiles.toArrow(), expected)

files = sys.argv[1]
parquet.write_table(orders, files)
found = spark.assign(spark.profile(files, there[1], as_of=AS_OF, columns=COLUMNS), oc.Lifecycle())
assert_same_bits(found.drop("lifecycle").toArrow(), expected)
assert_same_bits(spark.profile(files, as_of=AS_OF, columns=COLUMNS).toArrow(),
                 oc.OrderHistory.build(orders, columns=COLUMNS).profile(AS_OF))

cadence = spark.fit(profiles, oc.Cadence())
assert cadence == oc.Cadence().fit(expected)
found = spark.assign(profiles, cadence).select("customer_id", "cadence").toArrow()
segments = cadence.assign(expected).select(["customer_id", "cadence"])
plain = segments["cadence"].cast(pa.string())
assert_same_bits(found, segments.set_column(1, "cadence", plain))

assert spark.fit_lifecycle(*there, as_of=AS_OF, columns=COLUMNS) == oc.Lifecycle().fit(
    history, AS_OF
)
period = {"period": ("2025-01", "2025-03"), "as_of": "2025-03-31"}
report = spark.segment_report(
    there[0], oc.Lifecycle(), there[1], columns=COLUMNS, **period
)
membership = oc.Lifecycle().membership(history)
local = oc.SegmentReport.build(history, membership, **period)
assert report.comparison().equals(local.comparison())

bad = orders.set_column(2, "amount", pa.nulls(orders.num_rows, pa.float64()))
try:
    spark.profile(session.createDataFrame(bad), as_of=AS_OF, columns=COLUMNS).collect()
except Exception as error:
    assert "DataError: orders: amount is null at a row of source partition" in str(error), error
else:
    raise AssertionError("nothing was raised")
session.stop()
print("all the same")
"""


def test_everything_through_spark_connect(java, monkeypatch, tmp_path):  # noqa: ARG001
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    # Client and workers take the code that is tested, where that is not the one installed.
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, tmp_path / "orders.parquet"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.strip().endswith("all the same"), done.stderr[-4000:]
