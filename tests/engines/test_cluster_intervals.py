"""Memberships that are frames of intervals, wherever a verb takes one, against one machine."""

import datetime as dt
import re
import warnings
from functools import partial

import dask as configured
import pyarrow as pa
import pytest
from support.cluster_streams import AS_OF, MODELS, TOUCHED, streams, values
from support.dask_shops import computed, framed

import ordercycle as oc
from ordercycle.engines import dask

SHOP = streams()
PARTITIONS = pytest.mark.parametrize("partitions", [1, 3, 7])
#: In alphabetical order, as on a cluster.
NAMES = ["Basic", "Nobody", "VIP"]


def intervals(*, named=False):
    """Return intervals, as many of one day as of none, of people whom nobody knows among them."""
    rows = [
        (who, NAMES[2 * (month % 2)], dt.date(2025, month, 1 + who % 3), end)
        for who in range(1, 131)
        for month, end in ((1 + who % 4, dt.date(2025, 8, 1)), (9, None))
    ]
    rows += [(who, "Nobody", dt.date(2025, 2, 1), None) for who in range(500, 505)]
    ids, segments, firsts, ends = map(list, zip(*rows, strict=True))
    codes = pa.array([NAMES.index(name) for name in segments], pa.int8())
    coded = pa.DictionaryArray.from_arrays(codes, pa.array(NAMES))
    return pa.table(
        {
            "note": ["of no matter"] * len(ids),
            "valid_to": pa.array(ends, pa.date32()),
            "segment": coded if named else coded.cast(pa.string()),
            "customer_id": pa.array(ids, pa.int64()),
            "valid_from": pa.array(firsts, pa.date32()),
        }
    )


HERE = oc.Membership.from_table(intervals(named=True))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with configured.config.set(scheduler="sync"):
        yield


def there(pieces=4):
    return framed(intervals(), pieces)


def told(make):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        made = make()
    return made, [str(one.message) for one in warned]


@PARTITIONS
@pytest.mark.parametrize("as_of", [None, "2025-12-31"])
def test_reports(as_of, partitions):
    """Alone, and beside a scheme and touches; of strangers one is warned, as on one machine."""
    [model, _] = MODELS
    asked = {"period": ("2025-11", "2025-12"), "as_of": as_of}
    stage = oc.Lifecycle()
    credited = model.credit(SHOP.history, SHOP.events)
    both = {"stage": stage.membership(SHOP.history), "lists": HERE}
    for given, memberships, beside, more in (
        (there(), HERE, {}, {}),
        (
            {"stage": stage, "lists": there()},
            both,
            {"touches": framed(SHOP.touches, 2), "model": model},
            {"credited": credited},
        ),
    ):
        columns = {"orders": SHOP.columns} | ({"touches": TOUCHED} if beside else {})
        how = {"columns": columns, "partitions": partitions, **beside}
        orders = framed(SHOP.orders, 2)
        found, said = told(partial(dask.segment_report, orders, given, **asked, **how))
        build = partial(oc.SegmentReport.build, SHOP.history, memberships, **asked, **more)
        expected, said_here = told(build)
        assert sorted(said) == sorted(said_here)
        assert any("39 intervals are of customers" in one for one in said)
        assert found.segments == expected.segments
        assert found.as_of == expected.as_of
        assert found.comparison().equals(expected.comparison())
        assert found.channels().equals(expected.channels()) if beside else True


@PARTITIONS
@pytest.mark.parametrize("least", [0, 40])
def test_pages(partitions, least):
    asked = {"as_of": "2025-12-28", "months": ("2025-10", "2025-12"), "min_customers": least}
    orders, schemes = framed(SHOP.orders, 2), [oc.Lifecycle(), oc.Rfm(bins=3)]
    how = {"columns": SHOP.columns, "partitions": partitions}
    build = partial(dask.dashboard, orders, schemes, memberships={"lists": there()}, **asked, **how)
    found, said = told(build)
    build = partial(oc.Dashboard.build, SHOP.history, schemes, memberships={"lists": HERE}, **asked)
    expected, said_here = told(build)
    assert found._page == expected._page
    assert sorted(set(said)) == sorted(set(said_here))
    asked = {"memberships": {"lists": there()}, "as_of": "2025-12-28"}
    alone, _ = told(partial(dask.dashboard, orders, [], **asked, **how))
    build = partial(oc.Dashboard.build, SHOP.history, [], memberships={"lists": HERE})
    assert alone._page == told(partial(build, as_of="2025-12-28"))[0]._page


@PARTITIONS
def test_journeys(partitions):
    journey = oc.Journey(
        "welcome",
        oc.enters("VIP", of="lists"),
        [
            {"name": "hello", "action": "mail/hello"},
            {
                "name": "opened",
                "wait_for": {"event": "open", "within_days": 7},
                "then": "end",
                "otherwise": "again",
            },
            {"name": "again", "action": "mail/again"},
        ],
        arms={"control": 20, "treatment": 80},
    )
    names = {"kind": "event"}
    mails = SHOP.touches.rename_columns([names.get(one, one) for one in SHOP.touches.column_names])
    opened = oc.EventColumns(attributes=["event"])
    run = journey.replay(
        SHOP.history,
        memberships={"lists": HERE},
        as_of=AS_OF,
        streams={"mails": oc.EventHistory.build(mails, columns=opened)},
    )
    found = dask.journey(
        framed(SHOP.orders, 2),
        journey,
        memberships={"lists": there()},
        as_of=AS_OF,
        streams={"mails": framed(mails, 3)},
        columns={"orders": SHOP.columns, "mails": opened},
        partitions=partitions,
    )
    for name in ("entries", "states"):
        expected = values(getattr(run, name)()).to_pylist()
        rows = values(computed(getattr(found, name)())).to_pylist()
        assert sorted(map(repr, rows)) == sorted(map(repr, expected))
        assert len(expected) > 20
    assert found.analytics("segment").equals(run.analytics("segment"))
    assert found.log_rank().equals(run.log_rank())


@PARTITIONS
def test_experiments_and_lift(partitions):
    experiment = oc.Experiment("banner", arms={"control": 40, "banner": 60})
    asked = {"since": "2025-06-01", "as_of": "2025-09-30", "covariate": "revenue"}
    orders, how = framed(SHOP.orders, 2), {"partitions": partitions}
    columns = {"orders": SHOP.columns}
    found = dask.measure(orders, experiment, by=there(), columns=columns, **asked, **how)
    expected = experiment.measure(SHOP.history, by=HERE, **asked)
    assert found.to_table().equals(expected.to_table())
    assert found.segments().equals(expected.segments())
    assert set(found.segments()["segment"].to_pylist()) >= {"Basic", "VIP"}
    [model, _] = MODELS
    asked = {"control": "Basic", "period": ("2025-10", "2025-12")}
    lift = dask.holdout_lift(
        orders,
        framed(SHOP.touches, 3),
        there(),
        model=model,
        segments=there(1),
        columns=columns | {"touches": TOUCHED},
        **asked,
        **how,
    )
    expected = oc.HoldoutLift.build(
        model.credit(SHOP.history, SHOP.events), HERE, segments=HERE, **asked
    )
    assert lift.to_table().equals(expected.to_table())


@PARTITIONS
def test_rules_that_read_streams(partitions):
    """What `membership` returns goes on to a report, which takes no streams by itself."""
    rules = oc.Rules({"Clicks": "count(touches, kind == 'click', last=90) > 2"})
    span = {"start": "2025-06-30", "end": "2025-12-31", "every": "month"}
    orders, how = framed(SHOP.orders, 2), {"partitions": partitions}
    given = {"streams": {"touches": framed(SHOP.touches, 3)}, **span}
    columns = {"orders": SHOP.columns, "touches": TOUCHED}
    rows = dask.membership(orders, rules, columns=columns, **given, **how)
    asked = {"period": ("2025-10", "2025-12"), "compare": None, "as_of": "2025-12-31"}
    found = dask.segment_report(orders, rows, columns=SHOP.columns, **asked, **how)
    here = rules.membership(SHOP.history, streams={"touches": SHOP.events}, **span)
    expected = oc.SegmentReport.build(SHOP.history, here, **asked)
    assert found.comparison().equals(expected.comparison())
    assert found.segments == ("Clicks", "Other")


def changed(**columns):
    """Return the frame with other columns, or, where they are None, without them."""
    table = intervals()
    for name, column in columns.items():
        table = table.drop_columns([name])
        if column is not None:
            table = table.append_column(name, column)
    return framed(table, 3)


ROWS = intervals().num_rows
DAYS = pa.array([dt.date(2025, 1, 1)] * ROWS)


@pytest.mark.parametrize(
    ("frame", "error", "says"),
    [
        (partial(changed, valid_to=None), oc.ColumnError, "has no column 'valid_to'"),
        (partial(changed, segment=pa.array(range(ROWS))), oc.ColumnError, "is no name"),
        (partial(changed, valid_from=pa.array(range(ROWS))), oc.ColumnError, "is no day"),
        (partial(changed, customer_id=pa.array(["7"] * ROWS)), oc.ColumnError, "no ids in common"),
        (
            partial(changed, segment=pa.array([None, *["VIP"] * (ROWS - 1)])),
            oc.DataError,
            "segment is null in a partition",
        ),
        (partial(changed, valid_from=DAYS, segment=pa.array(["VIP"] * ROWS)), oc.DataError, "end"),
        (
            partial(changed, segment=pa.array([f"list {one}" for one in range(ROWS)])),
            oc.ConfigError,
            "a report has 30 segments at most",
        ),
    ],
    ids=["no end", "no name", "no day", "other ids", "null", "overlaps", "many names"],
)
def test_what_is_wrong_is_said(frame, error, says):
    asked = {"period": "2025-12", "columns": SHOP.columns, "partitions": 3}
    with pytest.raises(error, match=re.escape(says)):
        dask.segment_report(framed(SHOP.orders, 2), frame(), **asked)


def test_names_that_were_not_there_before():
    """A frame that gives other rows each time is no list of anybody."""
    seen = []

    def changing(rows):
        if len(rows) > 3:  # not what describes the columns
            seen.append(1)
            if len(seen) > 4:
                rows = rows.assign(segment=rows["segment"].where(rows["customer_id"] != 7, "New"))
        return rows

    frame = there().map_partitions(changing, meta=there()._meta)
    asked = {"period": "2025-12", "columns": SHOP.columns, "partitions": 3}
    with pytest.raises(oc.SourceError, match="segment has 'New', which no row had when names"):
        dask.segment_report(framed(SHOP.orders, 2), frame, **asked)


@pytest.mark.parametrize(("name", "said"), [(None, "given memberships"), ("a", "memberships: a")])
def test_other_ids_are_an_error_that_names_the_frame(name, said):
    table = intervals()
    place = table.schema.get_field_index("customer_id")
    texts = framed(table.set_column(place, "customer_id", table[place].cast(pa.string())), 2)
    given = texts if name is None else {name: texts}
    orders, how = framed(SHOP.orders, 2), {"period": "2025-11", "columns": SHOP.columns}
    with pytest.raises(oc.ColumnError, match=rf"string in {said} and int64 in orders"):
        dask.segment_report(orders, given, **how)
