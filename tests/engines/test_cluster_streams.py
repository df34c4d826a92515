"""Several streams of the same customers on a cluster against one machine, bit for bit."""

import warnings
from datetime import date

import dask as configured
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.cluster_streams import AS_OF, FEATURES, MODELS, TOUCHED, by_customer, streams, values
from support.dask_shops import computed, framed
from support.shops import assert_same_bits
from support.shuffles import run, shuffled

import ordercycle as oc
from ordercycle._engines.credit_tasks import CreditedSums
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.stream_plans import (
    EventsPlan,
    OrdersPlan,
    Packing,
    all_event_options,
    all_options,
)
from ordercycle.engines import dask

SHOP = streams()


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_profiles_with_features(partitions):
    found = dask.profile(
        framed(SHOP.orders, 2),
        as_of=AS_OF,
        features=FEATURES,
        streams={"touches": framed(SHOP.touches, 3)},
        columns={"orders": SHOP.columns, "touches": TOUCHED},
        partitions=partitions,
    )
    expected = oc.features(
        SHOP.history.profile(AS_OF),
        FEATURES,
        as_of=AS_OF,
        streams={"orders": SHOP.history, "touches": SHOP.events},
    )
    there = computed(found, scheduler="sync")
    assert there.column_names == expected.column_names
    assert_same_bits(values(by_customer(there)), values(by_customer(expected)))


def test_features_of_tables_and_segments_by_them():
    wanted = {name: text for name, text in FEATURES.items() if "touches" in text}
    profile = SHOP.history.profile(AS_OF)
    how = {
        "as_of": AS_OF,
        "streams": {"touches": framed(SHOP.touches, 3)},
        "columns": {"touches": TOUCHED},
        "partitions": 3,
    }
    found = dask.features(framed(profile, 2), wanted, **how)
    expected = oc.features(profile, wanted, as_of=AS_OF, streams={"touches": SHOP.events})
    assert_same_bits(
        values(by_customer(computed(found, scheduler="sync"))), values(by_customer(expected))
    )
    rules = oc.Rules(
        {"Clickers": "clicks >= 3", "Readers": "count(touches, kind == 'open') > 2"},
        features={"clicks": "count(touches, kind == 'click')"},
    )
    found = dask.assign(framed(profile, 2), rules, **how)
    expected = rules.assign(profile, as_of=AS_OF, streams={"touches": SHOP.events})
    assert set(expected["tier"].to_pylist()) == set(rules.segments)
    assert_same_bits(
        values(by_customer(computed(found, scheduler="sync"))), values(by_customer(expected))
    )


def credited_there(partitions, model, **more):
    return dask.attribution(
        framed(SHOP.orders, 2),
        framed(SHOP.touches, 3),
        model=model,
        columns={"orders": SHOP.columns, "touches": TOUCHED},
        partitions=partitions,
        **more,
    )


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize("model", MODELS, ids=["last", "linear"])
def test_credits(partitions, model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        expected = model.credit(SHOP.history, SHOP.events)
    found = credited_there(partitions, model)
    with configured.config.set(scheduler="sync"), warnings.catch_warnings():
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        assert found.summary() == expected.summary()
        for by in ("channel", "campaign"):
            assert found.totals(by).equals(expected.totals(by))
        days = [1, 7, 30]
        curve = found.windows("Total CRM Revenue", days)
        assert curve.equals(expected.windows("Total CRM Revenue", days))
        rows, paths = computed(found.to_frame()), computed(found.paths())
    here = values(expected.to_table())
    there = values(rows)
    assert there.num_rows == here.num_rows > 100
    assert sorted(map(repr, there.to_pylist())) == sorted(map(repr, here.to_pylist()))
    assert sorted(map(repr, paths.to_pylist())) == sorted(map(repr, expected.paths().to_pylist()))


def test_names_that_no_touch_has_are_warned_of_once():
    """Tasks know of their own touches only, and say nothing."""
    model = oc.Attribution(qualify=("click", "clcik"), exclude="campaign == 'nno' or machine")
    with configured.config.set(scheduler="sync"), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        found = credited_there(7, model)
        assert not warned
        found.summary()
        found.totals()
    said = [str(one.message) for one in warned]
    assert [one for one in said if "no touch has 'clcik' of qualify=" in one] == said[:1]
    assert [one for one in said if "no value of campaign equals 'nno'" in one] == said[1:]
    assert len(said) == 2


def job_of_streams(partitions):
    packing = Packing(lambda table, _needed, _name: table.schema, partitions, repeatable=True)
    options = all_options(SHOP.columns, None, {})
    events = all_event_options({"columns": TOUCHED})
    plans = [
        OrdersPlan.of("orders", [SHOP.orders], options, packing),
        EventsPlan.of("touches", [SHOP.touches], events, packing, 1),
    ]
    return GroupingJob.of_streams(plans, {})


@pytest.mark.parametrize("table", [0, 1], ids=["orders", "touches"])
def test_a_lost_or_repeated_block_of_any_stream_is_noticed(table):
    job = job_of_streams(3)
    task = CreditedSums(oc.Attribution())
    arrived = shuffled(job, [SHOP.orders, SHOP.touches], seed=1)
    assert run(job, arrived, task).num_rows
    for target, blocks in arrived.items():
        numbers = [
            place
            for place, block in enumerate(blocks)
            if block["table"][0].as_py() == table and block["rows"][0].as_py()
        ]
        for change in (
            blocks[: numbers[0]] + blocks[numbers[0] + 1 :],
            [*blocks, blocks[numbers[0]]],
        ):
            name = job.tables[table].name
            with pytest.raises(oc.SourceError, match=f"{name}: of .* rows that source partition"):
                run(job, {**arrived, target: change}, task)


def test_typos_in_any_stream_are_found_when_all_was_read():
    """Every task answers alike, though a text may be in no partition but one."""
    how = {
        "as_of": AS_OF,
        "streams": {"touches": framed(SHOP.touches, 3)},
        "columns": {"orders": SHOP.columns, "touches": TOUCHED},
        "partitions": 7,
    }

    def profiles(features, **more):
        return dask.profile(framed(SHOP.orders, 2), features=features, **how | more)

    there = SHOP.touches["campaign"].to_pylist()
    rare = min(set(there), key=there.count)
    found = profiles({"n": f"count(touches, campaign == {rare!r})"})
    assert pc.sum(computed(found, scheduler="sync")["n"]).as_py() >= 1
    wrong = profiles({"n": "count(touches, kind == 'clcik')"})
    with pytest.raises(oc.ConfigError, match=r"feature 'n': no value of kind equals 'clcik'"):
        wrong.compute(scheduler="sync")
    wrong = profiles({"n": "has_all(touches.kind, ('click', 'opne'))"})
    with pytest.raises(oc.ConfigError, match=r"no value of touches.kind equals 'opne'"):
        wrong.compute(scheduler="sync")
    taken = profiles({"n": "count(touches, kind == 'clcik')"}, missing="empty")
    assert pc.sum(computed(taken, scheduler="sync")["n"]).as_py() == 0
    with pytest.raises(oc.ColumnError, match="feature 'n': 'touches' has no column"):
        profiles({"n": "distinct(touches.knid)"})
    with pytest.raises(oc.ConfigError, match=r"there is no stream 'touchs'.*'touches'"):
        profiles({"n": "count(touchs)"})
    with pytest.raises(oc.ConfigError, match="columns=: there is no stream 'touched'"):
        profiles({}, columns={"touched": TOUCHED})
    with pytest.raises(oc.ConfigError, match="streams= are there, and no features of them"):
        profiles({})
    as_text = SHOP.touches.set_column(
        1, "customer_id", SHOP.touches["customer_id"].cast(pa.string())
    )
    with pytest.raises(
        oc.ColumnError, match="customer_id is string in touches and int64 in orders"
    ):
        profiles({"n": "count(touches)"}, streams={"touches": framed(as_text, 2)})


def test_views_of_streams():
    found = dask.profile(
        framed(SHOP.orders, 2),
        as_of=AS_OF,
        features={"n": "count(touches)"},
        streams={"touches": framed(SHOP.touches, 3)},
        columns={"orders": SHOP.columns, "touches": TOUCHED},
        stream_options={"touches": {"where": "kind == 'click'", "only": "channel == 'Email'"}},
        partitions=3,
    )
    clicks = SHOP.events.where("kind == 'click' and channel == 'Email'")
    expected = oc.features(
        SHOP.history.profile(AS_OF),
        {"n": "count(touches)"},
        as_of=AS_OF,
        streams={"touches": clicks},
    )
    there = computed(found, scheduler="sync")
    assert_same_bits(values(by_customer(there)), values(by_customer(expected)))


#: Names for scores, of which some have no customers at first.
MAP = {"Best": "3 3", "Good": "2+ *", "Rest": "* *"}
VIEW = "amount >= 40"
EXPERIMENT = oc.Experiment("banner", arms={"control": 40, "banner": 60})
MEASURED = {"since": "2025-06-01", "as_of": "2025-09-30", "window_days": 30}


def assert_same_result(found, expected):
    assert found.windows_from == expected.windows_from
    for one in ("to_table", "path"):
        assert getattr(found, one)().equals(getattr(expected, one)()), one


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize(
    ("scheme", "covariate"),
    [(oc.Lifecycle(), None), (oc.Lifecycle(), "revenue"), (oc.Rfm(bins=3, map=MAP), "revenue")],
    ids=str,
)
def test_experiments(partitions, scheme, covariate):
    """Equal to the last bit, with segments, also of scores that are fitted on the day."""
    how = {"columns": {"orders": SHOP.columns}, "partitions": partitions}
    since, asked = MEASURED["since"], {"every": "day"}
    on_day = (since, since) if scheme.recalculates else ()
    by = scheme.membership(SHOP.history, *on_day, **asked if on_day else {})
    orders = framed(SHOP.orders, 2)
    with configured.config.set(scheduler="sync"):
        found = dask.measure(orders, EXPERIMENT, **MEASURED, covariate=covariate, by=scheme, **how)
        expected = EXPERIMENT.measure(SHOP.history, **MEASURED, covariate=covariate, by=by)
        assert sum(expected.to_table()["customers"].to_pylist()) > 50
        assert_same_result(found, expected)
        assert found.segments().equals(expected.segments())


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_rehearsals(partitions):
    asked = MEASURED | {"runs": 20, "covariate": "revenue"}
    long_ago = {"since": "1950-01-01", "as_of": "1950-03-01"}
    how = {"columns": SHOP.columns, "partitions": partitions}
    with configured.config.set(scheduler="sync"):
        found = dask.rehearse(framed(SHOP.orders, 2), EXPERIMENT, **asked, **how)
        with pytest.raises(oc.ConfigError, match="runs=0 is not from 1 to"):
            dask.rehearse(framed(SHOP.orders, 2), EXPERIMENT, **asked | {"runs": 0}, **how)
        with pytest.raises(oc.ConfigError, match="fewer than 2 customers on the day"):
            dask.rehearse(framed(SHOP.orders, 2), EXPERIMENT, **asked | long_ago, **how)
    assert found.equals(EXPERIMENT.rehearse(SHOP.history, **asked))
    assert found["customers"].to_pylist()[0] > 50


def test_experiments_with_exposures():
    """Whether windows start at views is known once all are counted; wrong views are an error."""
    views = SHOP.touches.filter(
        pc.greater_equal(
            SHOP.touches["occurred_at"], pa.scalar(date(2025, 6, 1)).cast(pa.timestamp("us"))
        )
    )
    events = oc.EventHistory.build(views, columns=TOUCHED)
    how = {"columns": {"orders": SHOP.columns, "exposures": TOUCHED}, "partitions": 3}
    with configured.config.set(scheduler="sync"):
        expected = EXPERIMENT.measure(SHOP.history, events, **MEASURED)
        assert expected.windows_from == "view"
        found = dask.measure(
            framed(SHOP.orders, 2), EXPERIMENT, framed(views, 2), **MEASURED, **how
        )
        assert_same_result(found, expected)
        with pytest.raises(oc.DataError, match="has before the assignment on 2025-06-01 views of"):
            dask.measure(
                framed(SHOP.orders, 2), EXPERIMENT, framed(SHOP.touches, 2), **MEASURED, **how
            )


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_views_of_orders(opened, partitions):
    """Of whatever is asked, the orders that satisfy a condition count, and all customers do."""
    orders, view = framed(SHOP.orders, 2), SHOP.history.where(VIEW)
    how = {"where": VIEW, "partitions": partitions}
    of_orders, of_touches = {"orders": SHOP.columns}, {"orders": SHOP.columns, "touches": TOUCHED}
    [model, _] = MODELS
    with configured.config.set(scheduler="sync"):
        credited = dask.attribution(
            orders, framed(SHOP.touches, 3), model=model, columns=of_touches, **how
        )
        expected = model.credit(view, SHOP.events)
        assert credited.totals("channel").equals(expected.totals("channel"))
        assert not credited.totals().equals(model.credit(SHOP.history, SHOP.events).totals())
        asked = MEASURED | {"covariate": "revenue"}
        found = dask.measure(orders, EXPERIMENT, **asked, columns=of_orders, **how)
        assert_same_result(found, EXPERIMENT.measure(view, **asked))
        asked |= {"runs": 20}
        found = dask.rehearse(orders, EXPERIMENT, **asked, columns=SHOP.columns, **how)
        assert found.equals(EXPERIMENT.rehearse(view, **asked))
        assert not found.equals(EXPERIMENT.rehearse(SHOP.history, **asked))
        run = JOURNEY.replay(
            view,
            memberships={"lifecycle": oc.Lifecycle().membership(view)},
            as_of=AS_OF,
            streams={"mails": oc.EventHistory.build(opened, columns=OPENED)},
        )
        assert (
            replayed(opened, where=VIEW, partitions=partitions)
            .analytics("segment")
            .equals(run.analytics("segment"))
        )
        typo = how | {"where": "order_id == 'nobody'"}
        with pytest.raises((oc.ConfigError, oc.ColumnError), match="order_id"):
            dask.rehearse(orders, EXPERIMENT, **MEASURED, columns=SHOP.columns, **typo)


def test_arms():
    profile = SHOP.history.profile(AS_OF)
    found = computed(dask.assign_arms(framed(profile, 3), EXPERIMENT), scheduler="sync")
    expected = EXPERIMENT.assign(profile)
    assert found["arm"].to_pylist() == expected["arm"].to_pylist()
    assert set(found["arm"].to_pylist()) == {"control", "banner"}
    with pytest.raises(oc.ColumnError, match="has already a column arm"):
        dask.assign_arms(dask.assign_arms(framed(profile, 3), EXPERIMENT), EXPERIMENT)


JOURNEY = oc.Journey(
    "win-back",
    oc.enters(["At-risk", "Loyal"], of="lifecycle"),
    [
        {"name": "hello", "action": "mail/hello"},
        {
            "name": "opened",
            "wait_for": {"event": "open", "within_days": 7},
            "then": "end",
            "otherwise": "offer",
        },
        {"name": "offer", "action": "mail/offer"},
    ],
    arms={"control": 20, "treatment": 80},
)
OPENED = oc.EventColumns(attributes=["event"])
NEVER_SENT = pa.table({"action_key": ["0123456789abcdef"], "sent_on": [date(2026, 1, 2)]})


@pytest.fixture(scope="module")
def opened():
    names = {"kind": "event"}
    return SHOP.touches.rename_columns([names.get(one, one) for one in SHOP.touches.column_names])


def replayed(opened, partitions, journey=JOURNEY, **more):
    how = {
        "memberships": {"lifecycle": oc.Lifecycle()},
        "as_of": AS_OF,
        "streams": {"mails": framed(opened, 3)},
        "columns": {"orders": SHOP.columns, "mails": OPENED},
        "partitions": partitions,
    }
    return dask.journey(framed(SHOP.orders, 2), journey, **how | more)


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_journeys(opened, partitions):
    run = JOURNEY.replay(
        SHOP.history,
        memberships={"lifecycle": oc.Lifecycle().membership(SHOP.history)},
        as_of=AS_OF,
        streams={"mails": oc.EventHistory.build(opened, columns=OPENED)},
    )
    days = ("2026-01-01", AS_OF)
    sent = run.feed(*days).slice(0, 3)
    ledger = sent.select(["action_key"]).append_column("sent_on", sent["due_on"])
    there = replayed(opened, partitions)
    for name, given in (("entries", ()), ("states", ()), ("feed", days)):
        expected = values(getattr(run, name)(*given))
        found = values(computed(getattr(there, name)(*given), scheduler="sync"))
        assert found.schema.names == expected.schema.names
        assert found.num_rows == expected.num_rows > 5
        assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected.to_pylist()))
    late = JOURNEY.replay(
        SHOP.history,
        memberships={"lifecycle": oc.Lifecycle().membership(SHOP.history)},
        as_of=AS_OF,
        streams={"mails": oc.EventHistory.build(opened, columns=OPENED)},
        ledger=pa.concat_tables([ledger, NEVER_SENT.cast(ledger.schema)]),
    )
    with configured.config.set(scheduler="sync"):
        for by in (None, "arm", "cohort", "segment", "version", "lifecycle"):
            table = there.analytics(by)
            assert table.equals(run.analytics(by)), by
        assert sum(table["Converted"].to_pylist()) > 5
        for arm in (None, "control", "treatment"):
            assert there.funnel(arm).equals(run.funnel(arm))
            assert there.time_to_convert(arm).equals(run.time_to_convert(arm))
        assert there.log_rank().equals(run.log_rank())
        followed = replayed(
            opened, partitions, ledger=pa.concat_tables([ledger, NEVER_SENT.cast(ledger.schema)])
        ).withdrawn()
        assert followed.equals(late.withdrawn())
        assert followed["action_key"].to_pylist() == NEVER_SENT["action_key"].to_pylist()
        with pytest.raises(oc.ConfigError, match="by='cohorts'"):
            there.analytics("cohorts")
    left = computed(replayed(opened, partitions, ledger=ledger).feed(*days), scheduler="sync")
    assert not set(left["action_key"].to_pylist()) & set(ledger["action_key"].to_pylist())


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_versions_of_a_journey(opened, partitions):
    """Who entered by an earlier version has; whom it lets go enter the next one."""
    spans = [
        {"ends_on": "2025-05-31"},
        {"starts_on": "2025-06-01", "ends_on": "2025-10-31", "migrate": True},
        {"starts_on": "2025-11-01"},
    ]
    *before, last = (oc.Journey.from_dict(JOURNEY.to_dict() | span) for span in spans)
    mails = oc.EventHistory.build(opened, columns=OPENED)
    run = last.replay(
        SHOP.history,
        memberships={"lifecycle": oc.Lifecycle().membership(SHOP.history)},
        as_of=AS_OF,
        streams={"mails": mails},
        after=before,
    )
    there = replayed(opened, partitions, journey=last, after=before)
    for name in ("entries", "states"):
        expected = values(getattr(run, name)()).to_pylist()
        found = values(computed(getattr(there, name)(), scheduler="sync")).to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
        assert len(expected) > 5
    alone = replayed(opened, partitions, journey=last).entries()
    assert len(alone.compute(scheduler="sync")) != len(expected)
    with configured.config.set(scheduler="sync"):
        assert there.analytics("version").equals(run.analytics("version"))
        assert there.log_rank().equals(run.log_rank())
    # Recalculated from the first day of the first version.
    rules = oc.Rules({"At-risk": "days_since_last_order > 60", "Loyal": "orders > 3"})
    how = {"memberships": {"lifecycle": rules}, "after": before[1:]}
    found = replayed(opened, partitions, journey=last, **how).entries()
    membership = rules.membership(SHOP.history, "2025-06-01", AS_OF)
    expected = last.replay(
        SHOP.history,
        memberships={"lifecycle": membership},
        as_of=AS_OF,
        streams={"mails": mails},
        after=before[1:],
    ).entries()
    rows = values(computed(found, scheduler="sync")).to_pylist()
    assert sorted(map(repr, rows)) == sorted(map(repr, values(expected).to_pylist()))
    with pytest.raises(oc.ConfigError, match="the journey starts on no day"):
        replayed(opened, partitions, journey=last, **how | {"after": before})
    with pytest.raises(oc.ConfigError, match="after= are no journeys"):
        replayed(opened, partitions, journey=last, after=[1])


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize("every", ["week", "month"])
def test_journeys_by_scores_that_are_fitted_again(opened, partitions, every):
    """Several schemes of one name, each with its own numbers as of each day."""
    trigger = {"enters": ["Best", "Good"], "of": "fine"}
    data = JOURNEY.to_dict() | {"starts_on": "2025-07-01", "trigger": trigger}
    journey = oc.Journey.from_dict(data)
    schemes = {"fine": oc.Rfm(bins=3, map=MAP), "coarse": oc.Rfm(bins=2, map={"Any": "* *"})}
    run = journey.replay(
        SHOP.history,
        memberships={
            name: one.membership(SHOP.history, "2025-07-01", AS_OF, every=every)
            for name, one in schemes.items()
        },
        as_of=AS_OF,
        streams={"mails": oc.EventHistory.build(opened, columns=OPENED)},
    )
    there = replayed(opened, partitions, journey, memberships=schemes, every=every)
    days = ("2025-08-01", AS_OF)
    for name, given in (("entries", ()), ("states", ()), ("feed", days)):
        expected = values(getattr(run, name)(*given)).to_pylist()
        found = values(computed(getattr(there, name)(*given), scheduler="sync")).to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
        assert len(expected) > 20
    with configured.config.set(scheduler="sync"):
        for by in ("segment", "coarse"):
            assert there.analytics(by).equals(run.analytics(by)), by
        assert there.log_rank().equals(run.log_rank())


def test_what_is_wrong_with_a_journey_is_said(opened):
    with pytest.raises(oc.ConfigError, match="the journey starts on no day"):
        replayed(opened, 2, memberships={"lifecycle": oc.Rfm()})
    with pytest.raises(oc.ConfigError, match=r"'lifecycle' is a Membership"):
        replayed(opened, 2, memberships={"lifecycle": oc.Lifecycle().membership(SHOP.history)})
    data = JOURNEY.to_dict()
    data["steps"][1]["wait_for"]["event"] = "opne"
    wrong = replayed(opened, 2, journey=oc.Journey.from_dict(data))
    with pytest.raises(oc.ConfigError, match="the journey: no value of event equals 'opne'"):
        wrong.states().compute(scheduler="sync")
