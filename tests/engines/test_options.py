"""Every option of a build on Dask and on Spark: the bits of one machine, from frames and files."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from support.build_options import CASES, FILED, FRAMED, filed, here
from support.dask_shops import framed
from support.shops import assert_same_bits

import ordercycle as oc
from ordercycle._engines import file_frames
from ordercycle._history.options import OF_CLUSTERS
from ordercycle.engines import dask, spark


def test_every_option_has_a_case(tmp_path):
    given = {name for case in CASES.values() for name in case.options}
    given |= {name for case in CASES.values() if "source" in case.options
              for name in case.options["source"].given}  # fmt: skip
    given |= {name for case in CASES.values() for name in case.in_files(tmp_path)}
    given |= {"spill_directory"}  # which test_shuffle_blocks has
    assert given >= {"source", *OF_CLUSTERS}


def with_dask(case, partitions, *tables, **options):
    made = dask.profile(*tables, partitions=partitions, **options, **case.profiled)
    frame = made.compute(scheduler="threads")
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


@pytest.mark.parametrize("name", FRAMED)
def test_frames_of_dask(name):
    case = CASES[name]
    tables = [one for one in (case.orders, case.customers) if one is not None]
    expected = here(case, *tables, **case.options)
    for partitions in (1, 3):
        there = [framed(table, partitions) for table in tables]
        assert_same_bits(with_dask(case, partitions, *there, **case.options), expected)


@pytest.mark.parametrize("name", FILED)
def test_files_of_dask(name, tmp_path, monkeypatch):
    monkeypatch.setattr(file_frames, "TASK_BYTES", 1_000)
    case = CASES[name]
    places, options = filed(case, tmp_path)
    expected = here(case, *places, **options)
    for partitions in (1, 3):
        assert_same_bits(with_dask(case, partitions, *places, **options), expected)


def differs(made, expected):
    try:
        assert_same_bits(made, expected)
    except AssertionError as error:
        return error
    return None


def test_spark(session, tmp_path, monkeypatch):
    """All of them in one session, some at a time: each has half a second of Spark's own.

    What frames were asked for is asked of files in some cases only: what differs is not Spark's.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    monkeypatch.setattr(file_frames, "TASK_BYTES", 1_000)

    def frame(table):
        schema = from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
        return session.createDataFrame(table, schema)

    def asked(case, partitions, *tables, **options):
        return spark.profile(*tables, partitions=partitions, **options, **case.profiled)

    jobs = {}
    for number, name in enumerate(CASES):
        case = CASES[name]
        tables = [one for one in (case.orders, case.customers) if one is not None]
        if case.framed:
            there = asked(case, 2 - number % 2, *map(frame, tables), **case.options)
            jobs[name, "frames"] = (there, here(case, *tables, **case.options))
        if case.write is not None and (not case.framed or number % 3 == 0):
            places, options = filed(case, tmp_path / str(number))
            there = asked(case, 1 + number % 2, *places, **options)
            jobs[name, "files"] = (there, here(case, *places, **options))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda job: job[0].toArrow(), jobs.values()))
    wrong = {job for job, made in zip(jobs, found, strict=True) if differs(made, jobs[job][1])}
    assert not wrong


MARCH_AND_APRIL = ("2026-03", "2026-04")


@pytest.mark.parametrize(
    ("name", "period", "as_of"),
    [
        ("expressions", MARCH_AND_APRIL, None),
        ("no amount, lines", MARCH_AND_APRIL, "2026-04-20"),
        ("orders over days", MARCH_AND_APRIL, "2026-04-20"),
        ("orders over days", MARCH_AND_APRIL, "2026-03-31"),
        ("a source", MARCH_AND_APRIL, None),
        ("same day", "2027-03", None),
        ("refunds dropped", "2025-03", None),
    ],
)
def test_reports_and_fits_of_dask(name, period, as_of):
    """Until when the days are known is found by all tasks together, and so is what to warn of."""
    case = CASES[name]
    tables = [one for one in (case.orders, case.customers) if one is not None]
    history = oc.OrderHistory.build(*tables, **case.options)
    orders, *customers = [framed(table, 3) for table in tables]
    options = {"partitions": 3, **case.options}
    asked = {"period": period, "compare": "previous_period", "as_of": as_of}
    with warnings.catch_warnings(record=True) as here_warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        expected = oc.SegmentReport.build(history, oc.Lifecycle().membership(history), **asked)
        lifecycle = oc.Lifecycle().fit(history, "2026-04-20")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        found = dask.segment_report(orders, oc.Lifecycle(), *customers, **asked, **options)
        fitted = dask.fit_lifecycle(orders, *customers, as_of="2026-04-20", **options)
    assert [str(one.message) for one in warned] == [str(one.message) for one in here_warned]
    assert {one.filename for one in warned} <= {__file__}
    assert (found.as_of, found.period) == (expected.as_of, expected.period)
    assert found.comparison().equals(expected.comparison())
    assert fitted == lifecycle
