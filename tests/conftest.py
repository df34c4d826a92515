"""Settings of every test, and what tests of the public interface share."""

import os

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from pyarrow import parquet
from support.command_line import day

# The first example of a test may compile a kernel: no deadline could be both fair and useful.
# Where CI is set, the same source draws the same examples every time, so that a change is judged by
# what it changes; everywhere else each run draws others.
settings.register_profile(
    "ordercycle",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else settings.default.database,
)
settings.load_profile("ordercycle")
# Which lines run shows with few examples: --hypothesis-profile=brief, for the coverage of .ci/run.
BRIEF = "brief"
settings.register_profile(BRIEF, max_examples=5)
#: Where CI is set, more of the same examples every time would find little: other runs draw others.
MOST_IN_CI = 60


def pytest_collection_modifyitems(config, items):
    """Bound the examples of tests that say by themselves how many they draw."""
    if config.getoption("--hypothesis-profile") == BRIEF:
        most = settings.get_profile(BRIEF).max_examples
    elif "CI" in os.environ:
        most = MOST_IN_CI
    else:
        return
    for item in items:
        test = getattr(item, "function", None)
        if test is not None and is_hypothesis_test(test):
            own = test._hypothesis_internal_use_settings
            own = settings(own, max_examples=min(most, own.max_examples))
            test._hypothesis_internal_use_settings = own


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Distribute files, and what needs Spark as one of them."""
    if config.getvalue("dist") != "loadfile":
        return None
    from support.scheduling import FilesAndSpark

    return FilesAndSpark(config, log)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with orders.parquet and customers.parquet, made the working directory."""
    monkeypatch.chdir(tmp_path)
    rows = [
        (1, 10, day(1, 1), 20.0),
        (1, 10, day(1, 1), 5.0),  # a second line of order 10
        (1, 11, day(6, 1), 30.0),
        (1, 12, day(6, 10), -8.0),  # a refund
        (2, 13, day(6, 29), 12.5),
        (None, 14, day(6, 2), 99.0),  # nobody
        (3, 15, day(2, 1), 7.0),  # not in the customer table
    ]
    names = ("customer_id", "order_id", "ordered_at", "amount")
    orders = pa.table(
        dict(zip(names, (pa.array(column) for column in zip(*rows, strict=True)), strict=True))
    )
    parquet.write_table(orders, "orders.parquet")
    customers = pa.table(
        {"customer_id": [1, 2, 4], "registered_at": [day(1, 1), day(6, 20), day(3, 1)]}
    )
    parquet.write_table(customers, "customers.parquet")
    return tmp_path
