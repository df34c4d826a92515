"""Several streams of the same customers on Spark: frames and files together, rows and sums."""

import warnings
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support.cluster_streams import AS_OF, FEATURES, MODELS, TOUCHED, by_customer, streams, values

import ordercycle as oc
from ordercycle.engines import spark

#: Fitted again each time.
SCORES = oc.Rfm(bins=3, map={"Best": "3 3", "Good": "2+ *", "Rest": "* *"})


@pytest.fixture(scope="module")
def there(session, tmp_path_factory):
    """Return orders as a frame, touches as files, and how to read both."""
    from pyspark.sql.pandas.types import from_arrow_schema

    shop = streams()
    path = tmp_path_factory.mktemp("streams") / "touches.parquet"
    pq.write_table(shop.touches, path, row_group_size=500)
    schema = from_arrow_schema(shop.orders.schema, prefer_timestamp_ntz=True)
    orders = session.createDataFrame(shop.orders, schema).repartition(2)
    return orders, str(path), {"columns": {"orders": shop.columns, "touches": TOUCHED}}


def test_profiles_with_features(there):
    orders, touches, how = there
    shop = streams()
    found = spark.profile(
        orders, as_of=AS_OF, features=FEATURES, streams={"touches": touches}, partitions=3, **how
    )
    expected = oc.features(
        shop.history.profile(AS_OF),
        FEATURES,
        as_of=AS_OF,
        streams={"orders": shop.history, "touches": shop.events},
    )
    rows = values(by_customer(found.toArrow()))
    assert rows.to_pylist() == values(by_customer(expected)).to_pylist()


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")  # of few customers
def test_features_of_rows_and_intervals_of_value(there):
    """Of profiles that are kept: what is added to them, and what is counted of them."""
    orders, touches, _ = there
    shop = streams()
    profiles = spark.profile(orders, as_of=AS_OF, columns=shop.columns, partitions=3).persist()
    asked = {name: FEATURES[name] for name in ("clicks", "recent", "channel")}
    given = {"as_of": AS_OF, "streams": {"touches": touches}, "columns": {"touches": TOUCHED}}
    found = spark.features(profiles, asked, partitions=2, **given)
    table = shop.history.profile(AS_OF)
    expected = oc.features(table, asked, as_of=AS_OF, streams={"touches": shop.events})
    rows = values(by_customer(found.toArrow()))
    assert rows.to_pylist() == values(by_customer(expected)).to_pylist()
    clv = oc.Clv(model="bg_nbd", horizon_days=180).fit(table)
    intervals = spark.clv_intervals(profiles, clv, draws=5, seed=5)
    assert intervals.equals(clv.intervals(table, draws=5, seed=5))
    profiles.unpersist()


def test_credits(there):
    orders, touches, how = there
    [model, _] = MODELS
    found = spark.attribution(orders, touches, model=model, partitions=3, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        expected = model.credit(streams().history, streams().events)
        assert found.totals("campaign").equals(expected.totals("campaign"))
        assert found.summary() == expected.summary()
    rows, paths = values(found.to_frame().toArrow()), found.paths().toArrow()
    here = values(expected.to_table())
    assert rows.num_rows == here.num_rows
    assert sorted(map(repr, rows.to_pylist())) == sorted(map(repr, here.to_pylist()))
    assert paths.num_rows == expected.paths().num_rows


def test_full_reports(there):
    """A period that turns out not to be over is counted again."""
    orders, touches, how = there
    [model, _] = MODELS
    asked = {"period": ("2025-11", "2026-02"), "compare": None}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        found = spark.segment_report(
            orders, oc.Lifecycle(), touches=touches, model=model, partitions=3, **asked, **how
        )
    with warnings.catch_warnings(record=True) as expected_warnings:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        history = streams().history
        expected = oc.SegmentReport.build(
            history,
            oc.Lifecycle().membership(history),
            credited=model.credit(history, streams().events),
            **asked,
        )
    said, said_here = ({str(one.message) for one in some} for some in (warned, expected_warnings))
    assert said == said_here
    assert any("is not over" in one for one in said)
    assert found.as_of == expected.as_of
    assert found.comparison().equals(expected.comparison())
    assert found.channels().equals(expected.channels())
    assert found.top_campaigns().num_rows > 10
    assert found.top_campaigns().equals(expected.top_campaigns())
    # Several schemes, of which one is fitted again each month.
    schemes = {"stage": oc.Lifecycle(), "scores": SCORES}
    asked |= {"as_of": "2026-02-28"}
    found = spark.segment_report(orders, schemes, columns=how["columns"]["orders"], **asked)
    months = ("2025-11-01", "2026-02-28")
    expected = oc.SegmentReport.build(
        history,
        {
            "stage": oc.Lifecycle().membership(history),
            "scores": SCORES.membership(history, *months),
        },
        **asked,
    )
    assert found.segments == expected.segments
    assert found.comparison().equals(expected.comparison())


def test_reach(there):
    _, touches, how = there
    shop, view = streams(), "kind == 'click'"
    found = spark.reach(touches, columns=how["columns"]["touches"], where=view, partitions=3)
    expected = oc.reach(shop.events.where(view))
    assert found.to_table().equals(expected.to_table())
    assert repr(found) == repr(expected)


def test_experiments(there):
    orders, _, _ = there
    experiment = oc.Experiment("banner", arms={"control": 40, "banner": 60})
    asked = {"since": "2025-06-01", "as_of": "2025-09-30"}
    found = spark.measure(
        orders, experiment, columns={"orders": streams().columns}, partitions=3, **asked
    )
    expected = experiment.measure(streams().history, **asked)
    assert found.to_table().equals(expected.to_table())
    # Of a view, by scores that are fitted on the day.
    how = {"where": "amount >= 40", "columns": {"orders": streams().columns}, "partitions": 3}
    found = spark.measure(orders, experiment, by=SCORES, **asked, **how)
    view = streams().history.where(how["where"])
    by = SCORES.membership(view, asked["since"], asked["since"], every="day")
    expected = experiment.measure(view, by=by, **asked)
    assert found.to_table().equals(expected.to_table())
    assert found.segments().equals(expected.segments())
    asked |= {"covariate": "revenue", "runs": 20}
    rehearsed = spark.rehearse(orders, experiment, columns=streams().columns, partitions=3, **asked)
    assert rehearsed.equals(experiment.rehearse(streams().history, **asked))
    arms = spark.assign_arms(orders, experiment).select("customer_id", "arm").distinct()
    ids, names = zip(*arms.collect(), strict=True)
    assert list(names) == experiment.assign(list(ids)).to_pylist()


def test_journeys(there):
    orders, _, _ = there
    journey = oc.Journey(
        "win-back",
        oc.enters("At-risk", of="lifecycle"),
        [{"name": "hello", "action": "mail/hello"}],
        arms={"control": 20, "treatment": 80},
    )
    columns = {"orders": streams().columns}
    schemes = {"lifecycle": oc.Lifecycle()}
    found = spark.journey(
        orders, journey, memberships=schemes, as_of=AS_OF, columns=columns, partitions=3
    )
    lifecycle = oc.Lifecycle().membership(streams().history)
    run = journey.replay(streams().history, memberships={"lifecycle": lifecycle}, as_of=AS_OF)
    for rows, here in ((found.entries(), run.entries()), (found.states(), run.states())):
        expected = values(here).to_pylist()
        assert sorted(map(repr, values(rows.toArrow()).to_pylist())) == sorted(map(repr, expected))
        assert len(expected) > 5


def test_versions_of_a_journey_by_scores_that_are_fitted_again(there):
    orders, _, _ = there
    before, last = (
        oc.Journey(
            "win-back",
            oc.enters(["Best", "Good"], of="scores"),
            [{"name": "hello", "action": "mail/hello"}],
            arms={"control": 20, "treatment": 80},
            **span,
        )
        for span in (
            {"starts_on": "2025-03-01", "ends_on": "2025-05-31"},
            {"starts_on": "2025-06-01"},
        )
    )
    found = spark.journey(
        orders,
        last,
        memberships={"scores": SCORES},
        as_of=AS_OF,
        after=before,
        every="week",
        columns={"orders": streams().columns},
        partitions=3,
    )
    scores = SCORES.membership(streams().history, "2025-03-01", AS_OF, every="week")
    run = last.replay(streams().history, memberships={"scores": scores}, as_of=AS_OF, after=before)
    with found.held() as held:
        for rows, here in (
            (held.entries(), run.entries()),
            (held.states(), run.states()),
            (held.feed("2025-07-01", AS_OF), run.feed("2025-07-01", AS_OF)),
        ):
            expected = values(here).to_pylist()
            there_too = values(rows.toArrow()).to_pylist()
            assert sorted(map(repr, there_too)) == sorted(map(repr, expected))
            assert len(expected) > 15
        for by in ("version", "segment"):
            assert held.analytics(by).equals(run.analytics(by)), by
        assert held.log_rank().equals(run.log_rank())


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize("share", [0.6, 1])
def test_backtests(there, share):
    """Of a share of the customers, the backtest of one machine of the same ones."""
    orders, _, _ = there
    shop, clv = streams(), oc.Clv()
    asked = {"split_day": "2025-06-30", "horizon_days": 120}
    found = spark.clv_backtest(orders, clv, share=share, columns=shop.columns, **asked)
    brought, _ = spark.history_of(orders, share=share, columns={"orders": shop.columns})
    ids = brought.profile(AS_OF)["customer_id"]
    kept = shop.orders.filter(pc.is_in(shop.orders["customer_id"], ids.combine_chunks()))
    expected = clv.backtest(oc.OrderHistory.build(kept, columns=shop.columns), **asked)
    for one in ("to_table", "by_decile", "by_frequency", "by_list", "tracking", "reliability"):
        assert getattr(found, one)().equals(getattr(expected, one)()), one
    assert found.verdict == expected.verdict


def test_holdout_lift(there, session):
    orders, touches, how = there
    shop, [model, _] = streams(), MODELS
    held = pa.table(
        {
            "customer_id": pa.array(range(1, 121), pa.int64()),
            "segment": ["held out" if who % 3 == 0 else "mail" for who in range(1, 121)],
            "valid_from": pa.array([date(2025, 1, 1)] * 120, pa.date32()),
            "valid_to": pa.nulls(120, pa.date32()),
        }
    )
    asked = {"control": "held out", "treated": "mail", "period": ("2025-10", "2026-01")}
    found = spark.holdout_lift(
        orders,
        touches,
        session.createDataFrame(held),
        model=model,
        segments=SCORES,
        where="amount >= 5",
        partitions=3,
        **asked,
        **how,
    )
    view = shop.history.where("amount >= 5")
    expected = oc.HoldoutLift.build(
        model.credit(view, shop.events),
        oc.Membership.from_table(held),
        segments=SCORES.membership(view, "2025-10-01", "2025-10-01", every="day"),
        **asked,
    )
    assert found.to_table().equals(expected.to_table())
    assert found.to_table()["difference_low"][0].as_py() is not None


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")  # of strangers on the list
def test_frames_of_intervals_are_memberships(there, session):
    """A list of another system, wherever a verb takes a scheme."""
    from pyspark.sql.pandas.types import from_arrow_schema

    orders, touches, how = there
    shop, [model, _] = streams(), MODELS
    whom = range(1, 121)
    names = ["Basic", "VIP"]
    codes = pa.array([who % 2 for who in whom], pa.int8())
    rows = {
        "customer_id": pa.array(whom, pa.int64()),
        "segment": pa.DictionaryArray.from_arrays(codes, pa.array(names)),
        "valid_from": pa.array([date(2025, 1 + who % 6, 1) for who in whom], pa.date32()),
        "valid_to": pa.array([None if who % 5 else date(2025, 11, 10) for who in whom]),
    }
    here = oc.Membership.from_table(pa.table(rows))
    plain = pa.table(rows | {"segment": rows["segment"].cast(pa.string())})
    listed = session.createDataFrame(plain, from_arrow_schema(plain.schema)).repartition(3)
    asked = {"period": ("2025-11", "2025-12"), "compare": None, "as_of": "2025-12-31"}
    found = spark.segment_report(
        orders,
        {"stage": oc.Lifecycle(), "list": listed},
        touches=touches,
        model=model,
        partitions=3,
        **asked,
        **how,
    )
    credited = model.credit(shop.history, shop.events)
    both = {"stage": oc.Lifecycle().membership(shop.history), "list": here}
    expected = oc.SegmentReport.build(shop.history, both, credited=credited, **asked)
    assert found.segments == expected.segments
    assert found.comparison().equals(expected.comparison())
    assert found.channels().equals(expected.channels())
    columns = {"orders": shop.columns}
    asked = {"as_of": "2025-12-28", "months": ("2025-11", "2025-12"), "min_customers": 30}
    page = spark.dashboard(
        orders,
        [oc.Lifecycle()],
        memberships={"list": listed},
        columns=columns,
        partitions=3,
        **asked,
    )
    schemes, lists = [oc.Lifecycle()], {"list": here}
    assert page._page == oc.Dashboard.build(shop.history, schemes, memberships=lists, **asked)._page
    experiment = oc.Experiment("banner", arms={"control": 40, "banner": 60})
    asked = {"since": "2025-06-01", "as_of": "2025-09-30"}
    measured = spark.measure(orders, experiment, by=listed, columns=columns, **asked)
    expected = experiment.measure(shop.history, by=here, **asked)
    assert measured.segments().equals(expected.segments())
    journey = oc.Journey(
        "welcome", oc.enters("VIP", of="list"), [{"name": "hello", "action": "mail/hello"}]
    )
    replayed = spark.journey(
        orders, journey, memberships={"list": listed}, as_of=AS_OF, columns=columns, partitions=3
    )
    run = journey.replay(shop.history, memberships={"list": here}, as_of=AS_OF)
    expected = values(run.entries()).to_pylist()
    rows = values(replayed.entries().toArrow()).to_pylist()
    assert sorted(map(repr, rows)) == sorted(map(repr, expected))
    assert len(expected) > 20


def test_audiences(there):
    orders, touches, how = there
    shop = streams()
    profiles = spark.profile(orders, as_of=AS_OF, columns=shop.columns, partitions=3)
    lists = oc.audiences_from_dict(
        {
            "audiences": {
                "Rich": {"where": "revenue > 300", "value": "revenue"},
                "Clickers": {"where": "count(touches, kind == 'click') >= 2"},
            }
        }
    )
    found = spark.audiences(
        profiles,
        lists,
        as_of=AS_OF,
        streams={"touches": touches},
        columns={"touches": how["columns"]["touches"]},
        partitions=3,
    )
    expected = lists.build(shop.history.profile(AS_OF), streams={"touches": shop.events})
    alone = spark.audience(profiles, "revenue > 300", name="Rich", value="revenue", partitions=3)
    odd = profiles.selectExpr("*", "array(revenue) AS tags")
    with pytest.raises(oc.ColumnError, match="tags is array<double>"):
        spark.audience(odd, "revenue > 300", name="Rich", partitions=3).to_frame()
    for one, here in (
        (alone, expected["Rich"]),
        *((found[name], expected[name]) for name in expected),
    ):
        brought = one.collect()
        assert brought.customers.equals(here.customers)
        assert 5 < one.to_frame().count() == len(here)
        assert repr(one.summary()) == repr(brought.summary()) == repr(here.summary())
    assert found.overlap().to_table().equals(oc.overlap(list(expected.values())).to_table())


def test_customers_who_are_brought_here(there):
    orders, touches, how = there
    shop = streams()
    ids = shop.history.profile(AS_OF)["customer_id"].to_pylist()[5:50:9]
    with pytest.warns(oc.OrdercycleWarning, match="has 1 id that nobody has: -1"):
        history, others = spark.history_of(orders, [*ids, -1], streams={"touches": touches}, **how)
    for one in ids:
        card = history.customer(one, AS_OF)
        assert card.to_dict() == shop.history.customer(one, AS_OF).to_dict()
    wanted = {"clicks": "count(touches, kind == 'click')"}
    found, expected = (
        {
            row["customer_id"]: row["clicks"]
            for row in oc.features(
                each.profile(AS_OF), wanted, as_of=AS_OF, streams={"touches": events}
            ).to_pylist()
        }
        for each, events in ((history, others["touches"]), (shop.history, shop.events))
    )
    assert found == {one: expected[one] for one in ids}


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
def test_pages_of_schemes_that_are_fitted_again(there):
    orders, touches, how = there
    shop, [model, _] = streams(), MODELS
    asked = {"months": ("2025-12", "2026-01"), "as_of": "2026-01-15"}
    schemes = [oc.Lifecycle(), oc.Rfm(bins=3)]
    listed = pa.table(
        {
            "customer_id": pa.array(range(1, 61), pa.int64()),
            "segment": ["VIP", "Basic"] * 30,
            "valid_from": pa.array([date(2025, 1, 1)] * 60, pa.date32()),
            "valid_to": pa.nulls(60, pa.date32()),
        }
    )
    asked["memberships"] = {"lists": oc.Membership.from_table(listed)}
    found = spark.dashboard(
        orders, schemes, touches=touches, model=model, partitions=3, **asked, **how
    )
    credited = model.credit(shop.history, shop.events)
    assert (
        found._page == oc.Dashboard.build(shop.history, schemes, credited=credited, **asked)._page
    )
    assert found._shown.grid is not None


def test_more_names_than_segments_in_whichever_partitions(session):
    rows = [(number, f"tier {number}") for number in range(150)]
    before = session.createDataFrame(rows[:20], "customer_id long, tier string").repartition(2)
    after = session.createDataFrame(rows, "customer_id long, tier string").repartition(3)
    for ask in (lambda: spark.transitions(before, after, "tier", partitions=7).count(),
                lambda: spark.transition_matrix(before, after, "tier", partitions=7)):  # fmt: skip
        with pytest.raises(Exception, match="after: tier brings the names to 150, and 127"):
            ask()
    few = after.where("customer_id < 127")
    assert spark.transitions(before, few, "tier", partitions=7).count() == 107


def test_memberships_and_transitions(there):
    orders, _, _ = there
    shop, days = streams(), ("2025-09-30", "2025-12-31")
    columns, lifecycle = shop.columns, oc.Lifecycle()
    found = spark.membership(orders, lifecycle, end=AS_OF, columns=columns, partitions=3)
    intervals = lifecycle.membership(shop.history, end=AS_OF).to_table()
    tables = [
        spark.assign(spark.profile(orders, as_of=day, columns=columns), lifecycle) for day in days
    ]
    here = [lifecycle.assign(shop.history.profile(day)) for day in days]
    for rows, expected in (
        (found, intervals),
        (spark.transitions(*tables, partitions=3), oc.transitions(*here)),
        (spark.next_transition(tables[1], lifecycle), lifecycle.next_transition(here[1])),
    ):
        made = values(rows.toArrow())
        assert made.column_names == expected.column_names
        assert sorted(map(repr, made.to_pylist())) == sorted(
            map(repr, values(expected).to_pylist())
        )
        assert made.num_rows > 20
    counts = oc.transition_matrix(*here).to_pylist()
    found = spark.transition_matrix(*tables, partitions=3).to_pylist()
    assert sorted(map(repr, found)) == sorted(map(repr, counts))
