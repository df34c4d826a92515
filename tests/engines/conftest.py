"""Real engines for the tests: started once, on the loopback interface, stopped at the end.

The conditions of real clusters, and what tries each of them:

==============================  ==================================================================
batches that cut a customer     Spark's have 257 rows here, with a customer of 900 orders;
in the middle                   test_shuffle_blocks cuts anywhere, down to a row
empty partitions                test_any_table_in_any_pieces, test_no_rows_at_all
skewed keys                     shops.tables: a customer has 30 % of all orders
retried tasks                   test_an_executor_killed_mid_job, test_a_worker_killed_mid_job,
                                test_blocks_are_the_same_in_whatever_order_rows_arrive
speculative tasks               not started on purpose, as Spark's choice depends on time: to us
                                they are retries, of which Spark takes one; were both taken,
                                test_a_source_that_comes_twice_is_an_error
lost, damaged or repeated rows  test_shuffle_blocks
lost or divided customers       not counted by themselves: all rows of a customer have one target
                                (test_all_rows_of_a_customer_and_the_listing_meet), and what each
                                source sent to a target arrives in one task, whole, or is an error
no shared disk                  executors have folders of their own, and nothing but frames
no home, nowhere to write,      tests/package/test_kernel_cache.py: the same for any process; the
site-packages read-only         cache is never in site-packages
many threads per worker         the Dask cluster has two in each process; the threaded scheduler
decimals, large strings,        test_types; string views are neither Spark's nor, with pyarrow's
dictionaries, categories        take, Dask's: test_any_table_in_any_pieces has them
time zones                      the session's is Newfoundland's, that of tables and business vary
nulls                           guests, customers without registration, rows without an amount
==============================  ==================================================================
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from support.scheduling import OF_SPARK, needs_spark

JAVA = "17"
#: Compiled quickly rather than well, and without threads that collect garbage: of the processor
#: time of these tests, three quarters were Java's, most of it for compiling.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def pytest_collection_modifyitems(items):
    """Leave out what the engines say of themselves; have tests on Spark where one worker is."""
    for item in items:
        if "engines" in item.path.parts:
            if needs_spark(item) and item.path.name not in OF_SPARK:
                raise pytest.UsageError(f"{item.path.name} needs Spark: add it to OF_SPARK")
            for ignored in (
                # PySpark 4 names the pandas it was tested with; no pandas is used here.
                "ignore:PySpark does not yet fully support pandas:FutureWarning",
                # Dask calls pandas in ways that pandas will drop.
                "ignore:The inplace keyword:DeprecationWarning",
                # Of the sockets to a Java process that has ended.
                "ignore:unclosed:ResourceWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.fixture(scope="session")
def java():
    """Check that there is a Java that Spark runs on."""
    program = (
        os.path.join(os.environ["JAVA_HOME"], "bin", "java")
        if "JAVA_HOME" in os.environ
        else shutil.which("java")
    )
    if program is None:
        pytest.fail(f"the Spark tests need Java {JAVA} or later: install it, or set JAVA_HOME")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version.group(1)) < int(JAVA):
        pytest.fail(f"the Spark tests need Java {JAVA} or later, {program} is: {said.strip()}")
    return program


@pytest.fixture(scope="session")
def session(java):  # noqa: ARG001
    """Return a Spark session with two executors, processes of their own."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("ordercycle tests")
    for name, value in {
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": "3",
        "spark.task.maxFailures": "2",
        # Neither that of the tables nor the business time zone: results must not depend on it.
        "spark.sql.session.timeZone": "America/St_Johns",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "257",
    }.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def dask_cluster():
    """Return the client of a Dask cluster of two processes with two threads each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=2,
            host="127.0.0.1",
            dashboard_address=":0",  # a port that is free
            silence_logs="ERROR",
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def cluster(dask_cluster):
    """Compute on the cluster for the time of a test."""
    with dask_cluster.as_current():
        yield dask_cluster
