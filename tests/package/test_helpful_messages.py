"""Messages of orders, events and schemes say what to write instead."""

import re
from datetime import date

import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._engines.grouping_job import check_memory

DAY = date(2026, 1, 5)
ORDERS = pa.table({"customer_id": ["ann"], "ordered_at": [DAY], "amount": [20]})
HISTORY = oc.OrderHistory.build(ORDERS)
LONG = "x" * 5_000


def asked(feature):
    streams = {"orders": HISTORY}
    return oc.features(HISTORY.profile(DAY), {"f": feature}, as_of=DAY, streams=streams)


def events(name, column, **columns):
    there = {"customer_id": ["ann"], "occurred_at": [DAY]} | {name: column}
    return oc.EventHistory.build(pa.table(there), columns=oc.EventColumns(**columns))


@pytest.mark.parametrize(
    ("does", "error", "says"),
    [
        (lambda: asked("count(orders, brand = 'A')"), oc.ConfigError, "write == for equal"),
        (lambda: asked("cont(orders)"), oc.ConfigError, "did you mean 'count'?); the functions"),
        (lambda: asked("median(orders)"), oc.ConfigError, "the functions are count, days, "),
        (
            lambda: HISTORY.where("brand == 'A'"),
            oc.ColumnError,
            "there are 'amount'; build with Columns(attributes=('brand',)) to have it",
        ),
        (
            lambda: HISTORY.where("amuont > 3"),
            oc.ColumnError,
            "'amuont' at character 1 (did you mean 'amount'?); there are 'amount'",
        ),
        (
            lambda: events("page", ["tea"]).where("page == 'tea'"),
            oc.ColumnError,
            "there are none; build with EventColumns(attributes=('page',)) to have it",
        ),
        (
            lambda: oc.Rfm(monetary="averag").fit(HISTORY.profile(DAY)),
            oc.ColumnError,
            "'averag' (did you mean 'average'?)",
        ),
        (
            lambda: oc.Columns(attributes=["brand"], values=["brand"]),
            oc.ConfigError,
            "Columns names one column twice, 'brand'; every role needs its own",
        ),
        (
            lambda: events("occurred_at", [3]),
            oc.ColumnError,
            "pass EventColumns(time='instant(occurred_at, \"s\")')",
        ),
        (lambda: events("v", ["x"], values=["v"]), oc.ColumnError, "v is string, which is no num"),
        (lambda: HISTORY.customer("bob"), oc.ConfigError, "written as in the history"),
    ],
)
def test_a_message_says_what_to_write_instead(does, error, says):
    with pytest.raises(error, match=re.escape(says)):
        does()


def test_long_values_are_cut_in_a_message():
    with pytest.raises(oc.ConfigError) as caught:
        events("page", [LONG], attributes=["page"]).where("page == 'tea'")
    assert f"there are '{'x' * 60}' ...; " in str(caught.value)
    assert len(str(caught.value)) < 300


def test_scores_are_told_apart_by_their_letters():
    cuts = {"recency": [30], "frequency": [1], "monetary": [10]}
    names = {"Best": ["2 1+ 2", "2 2"], "Rest": "* *"}
    found = oc.Rfm(bins=2, cuts=cuts, map=names).explain(HISTORY, "ann", DAY)
    assert found.rule == "'Best' stands for scores R 2, F 1+, M 2 or R 2, F 2"


#: Of these, None is the system's folder for temporary files.
SPILLING = (
    lambda path: oc.OrderHistory.build(ORDERS, memory_limit="1GB", spill_directory=path),
    lambda path: oc.EventHistory.build(
        pa.table({"customer_id": ["ann"], "occurred_at": [DAY]}),
        memory_limit="1GB",
        spill_directory=path,
    ),
    lambda path: check_memory({"memory_limit": "1GB", "spill_directory": path}),
)


@pytest.mark.parametrize("path", [None, 7, b"folder", ""])
def test_what_is_no_path(path):
    audience = oc.Audience.where(pa.table({"customer_id": [1]}), "true", name="All")
    membership = oc.Lifecycle().membership(HISTORY)
    report = oc.SegmentReport.build(HISTORY, membership, period="2026-01")
    for write, named in (
        (HISTORY.save, "directory"),
        (oc.OrderHistory.open, "directory"),
        (oc.EventHistory.open, "directory"),
        (audience.to_csv, "path"),
        (report.to_csv, "path"),
        (lambda state: oc.forget([1], connectors=[], state=state), "state"),
        *((spill, "spill_directory") for spill in SPILLING if path is not None),
    ):
        with pytest.raises(oc.ConfigError, match=rf"{named}=.* is no path"):
            write(path)
