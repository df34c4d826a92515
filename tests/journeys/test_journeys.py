"""What journeys come to, by hand; what is refused; and what is doubtful."""

import tomllib
from datetime import date, timedelta

import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._journeys.survival import Times, log_rank, restricted_mean, survival

DAY = date(2026, 1, 1)
WIN_BACK = """
journey = "win-back"
starts_on = 2026-01-05
trigger = { enters = "At-risk", of = "lifecycle", from = ["Loyal"], where = "revenue > 100" }
reentry = { policy = "after_days", days = 180 }
conversion = { event = "order", where = "amount >= 10", within_days = 30 }
exit = ["converted", "event:unsubscribed"]
arms = { control = 10, treatment = 90 }

[[steps]]
name = "hello"
action = "mail/we-miss-you"

[[steps]]
name = "clicked"
wait_for = { event = "clicked", step = "hello", within_days = 3 }
then = "offer"
otherwise = "reminder"

[[steps]]
name = "reminder"
action = "mail/reminder"
then = "end"

[[steps]]
name = "offer"
action = "mail/offer"
wait_days = 1
"""


def day(number):
    return DAY + timedelta(days=number)


def built(orders, **options):
    """Return a history of (customer, day, amount)."""
    return oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": [one[0] for one in orders],
                "ordered_at": [day(one[1]) for one in orders],
                "amount": [one[2] for one in orders],
            }
        ),
        **options,
    )


def members(intervals):
    """Return memberships of (customer, segment, from, to)."""
    return oc.Membership.from_table(
        pa.table(
            {
                "customer_id": [one[0] for one in intervals],
                "segment": [one[1] for one in intervals],
                "valid_from": [day(one[2]) for one in intervals],
                "valid_to": pa.array([None if one[3] is None else day(one[3]) for one in intervals],
                                     pa.date32()),
            }
        )
    )  # fmt: skip


def events(rows, attributes=("event", "step")):
    table = pa.table(
        {
            "customer_id": pa.array([one[0] for one in rows], pa.string()),
            "occurred_at": pa.array([day(one[1]) for one in rows], pa.date32()),
            "event": pa.array([one[2] for one in rows], pa.string()),
            "step": pa.array([one[3] for one in rows], pa.string()),
        }
    )
    return oc.EventHistory.build(table, columns=oc.EventColumns(attributes=attributes))


ORDERS = [("ann", 0, 150), ("bob", 0, 150), ("eve", 0, 50), ("ann", 20, 40), ("ann", 22, -5)]
INTERVALS = [
    (who, segment, start, stop)
    for who in ("ann", "bob", "eve")
    for segment, start, stop in (("Loyal", 0, 10), ("At-risk", 10, None))
]
CLICKS = [("ann", 12, "clicked", "hello"), ("bob", 15, "unsubscribed", None)]


def replayed(as_of=60, **changes):
    data = {**tomllib.loads(WIN_BACK), "arms": {"treatment": 100}, **changes}
    journey = oc.Journey.from_dict(data)
    return journey.replay(
        built(ORDERS),
        memberships={"lifecycle": members(INTERVALS)},
        streams={"touches": events(CLICKS)},
        as_of=day(as_of),
    )


def by_customer(table):
    return {row["customer_id"]: row for row in table.to_pylist()}


def test_the_journey_of_the_reference():
    run = replayed()
    entries, states = by_customer(run.entries()), by_customer(run.states())
    assert entries.keys() == {"ann", "bob"}  # eve's revenue is 50
    ann, bob = entries["ann"], entries["bob"]
    assert (ann["triggered_on"], ann["window_ends_on"]) == (day(10), day(40))
    assert (ann["converted_on"], ann["days_to_convert"], ann["conversions"]) == (day(20), 10, 1)
    assert ann["value"] == 35  # net of the refund
    assert ann["status"] == "completed"  # before the conversion
    assert bob["status"] == "completed"  # before the unsubscription
    assert states["bob"]["step"] == "reminder"  # due the day after the wait
    feed = run.feed(day(0), day(60)).to_pylist()
    assert [(row["customer_id"], row["action"], row["due_on"]) for row in sorted(
        feed, key=lambda row: (row["customer_id"], row["due_on"])
    )] == [
        ("ann", "mail/we-miss-you", day(10)),
        ("ann", "mail/offer", day(13)),
        ("bob", "mail/we-miss-you", day(10)),
        ("bob", "mail/reminder", day(14)),
    ]  # fmt: skip


def test_analytics_of_the_source_text():
    row = replayed().analytics().to_pylist()[0]
    assert row == {
        "Triggered journey": 2,
        "Converted": 1,
        "Conversion rate": 0.5,
        "Days to convert (Avg)": 10.0,
        "conversion_rate_so_far": 0.5,
    }
    early = replayed(as_of=25).analytics().to_pylist()[0]
    assert (early["Converted"], early["Conversion rate"]) == (1, None)
    assert early["conversion_rate_so_far"] == 0.5
    run = replayed(arms={"control": 50, "treatment": 50})
    arms = run.analytics(by="arm").to_pylist()
    assert [row["arm"] for row in arms] == ["control", "treatment"]
    assert sum(row["Triggered journey"] for row in arms) == 2
    for by, name in (("cohort", "2026-01"), ("segment", "At-risk")):
        assert run.analytics(by=by)[by].to_pylist() == [name]
    assert run.analytics("version").num_rows == 1
    assert run.funnel()["reached"].to_pylist() == [2, 2, 2, 1, 1]
    curve = replayed().time_to_convert().to_pylist()
    # All windows are closed: the share that converted is that of the curve.
    assert 1.0 - curve[-1]["survival"] == 0.5
    assert next(row["day"] for row in curve if row["survival"] < 1.0) == 10


def test_pictures_show_the_tables():
    run = replayed()
    drawn = run.plot("funnel").to_dict()
    (values,) = drawn["datasets"].values()
    assert [row["now"] for row in values] == run.funnel()["reached"].to_pylist()
    drawn = run.plot("time_to_convert").to_dict()
    values = max(drawn["datasets"].values(), key=len)
    shares = [1.0 - share for share in run.time_to_convert()["survival"].to_pylist()]
    assert [row["value"] for row in values] == [0.0, *shares]
    assert all(row["low"] <= row["value"] <= row["high"] for row in values)
    with pytest.raises(oc.ConfigError, match="not an option"):
        run.plot("funel")


def test_control_walks_and_gets_nothing():
    run = replayed(arms={"control": 100})
    assert set(run.entries()["status"].to_pylist()) == {"held_out"}
    assert run.states()["step"].null_count == 0
    assert run.feed(day(0), day(60)).num_rows == 0


def test_what_was_sent_and_no_longer_follows_is_withdrawn():
    run = replayed()
    sent = run.feed(day(10)).select(["action_key"]).append_column(
        "sent_on", pa.array([day(10)] * 2)
    )  # fmt: skip
    strange = pa.table({"action_key": ["0123456789abcdef"], "sent_on": [day(3)]})
    ledger = pa.concat_tables([sent.cast(strange.schema), strange])
    journey = oc.Journey.from_dict({**tomllib.loads(WIN_BACK), "arms": {"treatment": 100}})
    options = {"memberships": {"lifecycle": members(INTERVALS)}, "as_of": day(60)}
    options["streams"] = {"touches": events(CLICKS)}
    again = journey.replay(built(ORDERS), ledger=ledger, **options)
    assert again.withdrawn().to_pylist() == strange.to_pylist()
    assert again.feed(day(10)).num_rows == 0
    assert again.feed(day(0), day(60)).num_rows == 2
    # An order that arrives late: bob was no longer to be written to.
    late = built([*ORDERS, ("bob", 12, 70)])
    other = journey.replay(late, ledger=run.feed(day(14)).append_column(
        "sent_on", pa.array([day(14)])
    ), **options)  # fmt: skip
    assert other.withdrawn().num_rows == 1
    for bad, said in (
        ({"action_key": ["x"], "sent_on": [day(1)]}, "no key"),
        ({"action_key": ["0" * 16], "sent_on": pa.array([None], pa.date32())}, "null"),
        ({"action_key": ["0" * 16]}, "sent_on"),
        ({"action_key": [[1]], "sent_on": [day(1)]}, "no text"),
        ({"action_key": ["0" * 16], "sent_on": ["soon"]}, "sent_on"),
    ):
        with pytest.raises((oc.DataError, oc.ColumnError), match=said):
            journey.replay(built(ORDERS), ledger=pa.table(bad), **options)


def test_refunds_count_where_their_orders_do():
    orders = pa.table(
        {
            "customer_id": ["ann"] * 5,
            "ordered_at": [day(at) for at in (0, 20, 21, 22, 23)],
            "amount": [150, 40, 5, -10, -3],
            "order_id": ["a", "b", "c", "b", "c"],
        }
    )
    history = oc.OrderHistory.build(orders, columns=oc.Columns(order="order_id"))
    journey = oc.Journey.from_dict({**tomllib.loads(WIN_BACK), "exit": []})
    run = journey.replay(
        history, memberships={"lifecycle": members(INTERVALS[:2])},
        streams={"touches": events(CLICKS)}, as_of=day(60),
    )  # fmt: skip
    assert run.entries()["value"].to_pylist() == [30]


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(12, 2), pa.decimal128(30, 2)])
def test_values_have_the_type_of_amounts(kind):
    orders = pa.table(
        {
            "customer_id": ["ann", "ann"],
            "ordered_at": [day(0), day(20)],
            "amount": pa.array([150, 40], pa.int32()).cast(kind),
        }
    )
    journey = oc.Journey.from_dict({**tomllib.loads(WIN_BACK), "exit": []})
    run = journey.replay(
        oc.OrderHistory.build(orders), memberships={"lifecycle": members(INTERVALS[:2])},
        streams={"touches": events(CLICKS)}, as_of=day(60),
    )  # fmt: skip
    assert run.entries()["value"].to_pylist() == [40]
    assert run.feed(day(0), day(60)).num_rows


def test_segments_that_began_before_memberships_are_no_entries():
    history = built([(f"c{at}", at, 10) for at in range(60)])
    journey = oc.Journey("hi", oc.enters("Inactive", of="l"), [{"name": "a", "action": "m"}],
                         arms={"treatment": 100})  # fmt: skip
    rules = oc.Rules({"Inactive": "days_since_last_order >= 10"})
    whole = rules.membership(history, end=day(59), every="day")
    cut = rules.membership(history, start=day(40), end=day(59), every="day")
    runs = [
        journey.replay(history, memberships={"l": one}, as_of=day(59)).entries()
        for one in (whole, cut)
    ]
    assert runs[0].num_rows == 50
    assert sorted(runs[1]["triggered_on"].to_pylist()) == [day(at) for at in range(41, 60)]
    early = oc.Journey.from_dict({**journey.to_dict(), "starts_on": str(day(30))})
    with pytest.raises(oc.ConfigError, match="the first day that the memberships know"):
        early.replay(history, memberships={"l": cut}, as_of=day(59))
    lifecycle = oc.Lifecycle().membership(history, end=day(50))
    with pytest.raises(oc.ConfigError, match="the last day that the memberships know"):
        oc.Journey("hi", oc.enters("At-risk", of="l"), [{"name": "a", "action": "m"}]).replay(
            history, memberships={"l": lifecycle}, as_of=day(59)
        )


STEPS = [{"name": "a", "action": "m"}, {"name": "b", "action": "n"}]
WAIT = {"event": "clicked", "within_days": 2}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "no steps"),
        ({"steps": [{**STEPS[0], "then": "end"}, STEPS[1]]}, "no way leads to the step 'b'"),
        ({"steps": [STEPS[0], {**STEPS[1], "then": "a"}]}, "in a loop: a > b > a"),
        ({"steps": [{**STEPS[0], "then": "bb"}]}, "no step"),
        ({"steps": [STEPS[0], STEPS[0]]}, "twice"),
        ({"steps": [{"name": "end", "action": "m"}]}, "the word for the end"),
        ({"steps": [{"name": "a"}]}, "either an action or a wait_for"),
        ({"steps": [{"name": "a", "action": "m", "wait_day": 1}]}, "did you mean 'wait_days'"),
        ({"steps": [{"name": "a", "wait_for": {"event": "x"}}]}, "lacks 'within_days'"),
        ({"steps": [{"name": "a", "action": "m", "wait_days": -1}]}, "wait_days"),
        ({"steps": [STEPS[0], {"name": "w", "wait_for": {**WAIT, "step": "w"}}]}, "no action"),
        ({"steps": [STEPS[0], {"name": "w", "wait_for":
            {"event": "order", "step": "a", "within_days": 1}}]}, "orders"),
        ({"arms": {"control": 10, "treatment": 80}}, "adds up to 90"),
        ({"reentry": {"policy": "after_days"}}, "'after_days'"),
        ({"reentry": {"policy": "twice"}}, "not an option"),
        ({"conversion": {"event": "order"}}, "within_days"),
        ({"exit": ["convert"]}, "not an option"),
        ({"exit": "converted"}, "no list"),
        ({"already_in": "enter", "starts_on": None}, "has no day"),
        ({"trigger": {"enters": "A"}}, "lacks 'of'"),
        ({"trigger": {"enters": "A", "of": "m", "were": "x"}}, "did you mean 'where'"),
        ({"steq": 1}, "no option 'steq'"),
    ],
)  # fmt: skip
def test_definitions_that_are_refused(changes, said):
    with pytest.raises(oc.ConfigError, match=said):
        oc.Journey.from_dict({**tomllib.loads(WIN_BACK), **changes})


@pytest.mark.parametrize(
    ("changes", "options", "error", "said"),
    [
        ({"trigger": {"enters": "At risk", "of": "lifecycle"}}, {}, oc.ConfigError,
         "did you mean 'At-risk'"),
        ({"trigger": {"enters": "At-risk", "of": "life"}}, {}, oc.ConfigError, "not there"),
        ({"trigger": {"enters": "At-risk", "of": "lifecycle", "where": "revenu > 1"}}, {},
         oc.ColumnError, "revenu"),
        ({"conversion": {"event": "order", "where": "brand == 'x'", "within_days": 3}}, {},
         oc.ColumnError, "conversion: "),
        ({}, {"streams": {}}, oc.ConfigError, "of no stream"),
        ({}, {"streams": {"t": events(CLICKS[:1])}}, oc.ConfigError, "'unsubscribed', unknown"),
        ({}, {"streams": {"t": events(CLICKS, ("event",))}}, oc.ColumnError, "no attribute 'step'"),
        ({}, {"streams": {"t": 1}}, oc.ConfigError, "no EventHistory"),
        ({}, {"streams": 1}, oc.ConfigError, "no mapping"),
        ({}, {"memberships": {"lifecycle": 1}}, oc.ConfigError, "is a int"),
        ({}, {"as_of": day(2)}, oc.ConfigError, "before the journey starts"),
    ],
)  # fmt: skip
def test_replays_that_are_refused(changes, options, error, said):
    journey = oc.Journey.from_dict({**tomllib.loads(WIN_BACK), **changes})
    options = {
        "memberships": {"lifecycle": members(INTERVALS)},
        "streams": {"touches": events(CLICKS)},
        "as_of": day(60),
        **options,
    }
    with pytest.raises(error, match=said):
        journey.replay(built(ORDERS), **options)


def test_feeds_of_days_that_are_not_known():
    run = replayed(as_of=20)
    for days, said in (((day(21),), "not known"), ((day(9), day(8)), "before")):
        with pytest.raises(oc.ConfigError, match=said):
            run.feed(*days)


def test_ways_that_part_and_meet_many_times_are_followed_once():
    waits = [
        {"name": f"w{number}", "wait_for": {"event": "order", "within_days": 1}}
        for number in range(60)
    ]
    journey = oc.Journey("x", oc.enters("A", of="m"), [STEPS[0], *waits])
    assert "the longest way takes 120 days" in journey.lint()[0]


def test_a_definition_comes_back_and_its_version_with_it():
    journey = oc.Journey.from_dict(tomllib.loads(WIN_BACK))
    again = oc.Journey.from_dict(journey.to_dict())
    assert again == journey
    assert again.digest == journey.digest
    assert hash(again) == hash(journey)
    other = oc.Journey.from_dict({**tomllib.loads(WIN_BACK), "exit": []})
    assert other.digest != journey.digest
    assert journey.lint(memberships={"lifecycle": members(INTERVALS)}) == ()
    doubts = oc.Journey.from_dict(
        {**tomllib.loads(WIN_BACK), "exit": [], "arms": {"treatment": 100},
         "conversion": {"event": "order", "within_days": 2}}
    ).lint()  # fmt: skip
    assert len(doubts) == 3
    with pytest.raises(oc.ConfigError, match="unknown"):
        journey.lint(memberships={"lifecycle": members([("ann", "Loyal", 0, 3)])})


def test_kaplan_and_meier_of_freireich_6_mp():
    """21 patients of Freireich (1963): remissions in weeks, nine relapses, twelve censored."""
    relapses = {6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1}
    lost = {6: 1, 9: 1, 10: 1, 11: 1, 17: 1, 19: 1, 20: 1, 25: 1, 32: 2, 34: 1, 35: 1}
    weeks = range(1, 36)
    found = survival(
        21, [relapses.get(one, 0) for one in weeks], [lost.get(one, 0) for one in weeks]
    )
    shares = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    errors = {6: 0.0764, 7: 0.0869, 10: 0.0963, 13: 0.1068, 16: 0.1141, 22: 0.1282, 23: 0.1346}
    for week, share in shares.items():
        one = found[week - 1]
        assert (one.day, one.share) == (week, pytest.approx(share, abs=5e-5))
        assert one.error == pytest.approx(errors[week], abs=5e-5)
        assert one.low < one.share < one.high
    assert len(found) == 35
    assert survival(2, [2, 0], [0, 0])[-1].share == 0.0


def test_log_rank_and_mean_of_freireich():
    """6-MP against placebo, 21 patients each; weeks up to 35, all of placebo relapsed."""
    relapses = {6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1}
    lost = {6: 1, 9: 1, 10: 1, 11: 1, 17: 1, 19: 1, 20: 1, 25: 1, 32: 2, 34: 1, 35: 1}
    placebo = {1: 2, 2: 2, 3: 1, 4: 2, 5: 2, 8: 4, 11: 2, 12: 2, 15: 1, 17: 1, 22: 1, 23: 1}
    weeks = range(1, 36)
    mp, control = (
        Times(21, [events.get(one, 0) for one in weeks], [gone.get(one, 0) for one in weeks])
        for events, gone in ((relapses, lost), (placebo, {}))
    )
    found = log_rank(mp, control)
    assert (found.observed, found.expected, found.variance) == (
        9, pytest.approx(19.2505, abs=5e-5), pytest.approx(6.25696, abs=5e-6),
    )  # fmt: skip
    assert found.chi_square == pytest.approx(16.79294, abs=5e-6)
    assert found.p == pytest.approx(4.169e-5, rel=2e-4)
    assert restricted_mean(mp, 35).days == pytest.approx(23.2874, abs=5e-5)
    assert (mp.last_day, control.last_day) == (35, 23)
    assert restricted_mean(control, 23).days == pytest.approx(182 / 21)  # all are seen to the end
    assert log_rank(mp, Times(0, [0] * 35, [0] * 35)).p is None


def test_arms_beside_control():
    days = [(f"c{who:03d}", 20 + who % 9 + 5 * (who % 2)) for who in range(300)]
    run = replayed_shop(days, {"control": 50, "treatment": 50}, as_of=60)
    (row,) = run.log_rank().to_pylist()
    arms = {one["arm"]: one for one in run.analytics(by="arm").to_pylist()}
    assert row["Converted"] == arms["treatment"]["Converted"]
    assert 0 < row["p"] <= 1
    assert row["rmst_low"] < row["rmst_difference"] < row["rmst_high"]
    assert row["rmst_difference"] == pytest.approx(
        arms["treatment"]["Days to convert (Avg)"] - arms["control"]["Days to convert (Avg)"]
    )  # everybody converts, so that the mean up to the last day is that of all
    nobody = replayed_shop([], {"control": 50, "treatment": 50}, as_of=10)
    assert nobody.log_rank().to_pylist()[0]["p"] is None
    with pytest.raises(oc.ConfigError, match="no arm 'control'"):
        replayed_shop(days, {"treatment": 100}, as_of=60).log_rank()


def replayed_shop(converting, arms, as_of, more=()):
    """Replay customers who enter on day 10 and order on days of their own."""
    people = [f"c{who:03d}" for who in range(300)]
    history = built([(who, 0, 50) for who in people] + [(who, at, 9) for who, at in converting])
    at_risk = [("Loyal", 0, 10), ("At-risk", 10, None)]
    lifecycle = members([(who, *interval) for who in people for interval in at_risk])
    size = members(
        [(who, "big" if who < "c100" else "small", 0, 12) for who in people[:200]]
        + [(who, "small" if who < "c100" else "big", 12, None) for who in people[:200]]
        + [*more]
    )
    journey = oc.Journey(
        "shop", oc.enters("At-risk", of="lifecycle"), [{"name": "hi", "action": "mail"}], arms=arms
    )
    return journey.replay(
        history, memberships={"lifecycle": lifecycle, "size": size}, as_of=day(as_of)
    )


def test_entries_by_a_segment_of_other_memberships(monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 20)
    run = replayed_shop([("c000", 20), ("c150", 21)], {"control": 10, "treatment": 90}, as_of=60)
    found = {row["size"]: row for row in run.analytics(by="size").to_pylist()}
    assert {name: row["Triggered journey"] for name, row in found.items()} == {
        "big": 100, "small": 100, "(no segment)": 100,
    }  # fmt: skip
    assert [found[name]["Converted"] for name in ("big", "small", "(no segment)")] == [1, 1, 0]
    with pytest.raises(oc.ConfigError, match="size"):
        run.analytics(by="sise")
    twice = [("c001", "huge", 5, 20)]
    run = replayed_shop([], {"control": 10, "treatment": 90}, as_of=60, more=twice)
    with pytest.raises(oc.ConfigError, match="has customer 'c001' in several segments at once"):
        run.analytics(by="size")


def test_a_version_ends_when_the_next_one_begins():
    people = [(f"c{who}", "Loyal", 0, 10 + who) for who in range(10)]
    people += [(f"c{who}", "At-risk", 10 + who, None) for who in range(10)]
    history = built([(f"c{who}", 0, 50) for who in range(10)])
    old = oc.Journey(
        "shop", oc.enters("At-risk", of="m"), [{"name": "hi", "action": "mail", "wait_days": 8}],
        ends_on=day(14), arms={"treatment": 100},
    )  # fmt: skip
    new = oc.Journey.from_dict({**old.to_dict(), "starts_on": day(15), "ends_on": str(day(99))})
    assert oc.Journey.from_dict(old.to_dict()).digest == old.digest != new.digest
    runs = [
        one.replay(history, memberships={"m": members(people)}, as_of=day(40)) for one in (old, new)
    ]
    entered = [run.entries()["triggered_on"].to_pylist() for run in runs]
    assert [len(days) for days in entered] == [5, 5]
    assert max(entered[0]) == day(14) < min(entered[1]) == day(15)
    assert runs[0].feed(day(22)).num_rows == 1  # walks go on after the last day of entries
    with pytest.raises(oc.ConfigError, match="is before"):
        oc.Journey.from_dict({**old.to_dict(), "starts_on": str(day(15))})


def test_versions_that_do_not_follow_one_another_are_refused():
    step = [{"name": "hi", "action": "mail", "wait_days": 8}]
    old = oc.Journey("shop", oc.enters("At-risk", of="lifecycle"), step, ends_on=day(14))
    # What was sent stays sent when the end of a version is announced.
    assert old.digest == oc.Journey("shop", old.trigger, step).digest
    assert old != oc.Journey("shop", old.trigger, step)
    going = oc.Journey.from_dict({**old.to_dict(), "migrate": True})
    assert going.digest == old.digest == oc.Journey.from_dict(going.to_dict()).digest
    with pytest.raises(oc.ConfigError, match="has no day"):
        oc.Journey("shop", old.trigger, step, migrate=True)
    with pytest.raises(oc.ConfigError, match="neither true nor false"):
        oc.Journey("shop", old.trigger, step, ends_on=day(9), migrate="yes")
    new = oc.Journey("shop", old.trigger, step, starts_on=day(15))
    other = oc.enters("Loyal", of="lifecycle")
    for one, after, said in (
        (new, 1, "no journeys"),
        (new, [1], "no journeys"),
        (new, oc.Journey("shopp", old.trigger, step, ends_on=day(14)), "no version of"),
        (new, oc.Journey("shop", old.trigger, step), "without an end"),
        (oc.Journey("shop", old.trigger, step), old, "no start"),
        (oc.Journey("shop", old.trigger, step, starts_on=day(14)), old, "the next starts on"),
        (oc.Journey("shop", old.trigger, step, starts_on=day(16)), going, "the next starts on"),
        (oc.Journey("shop", other, step, starts_on=day(15)), going, "not in the trigger"),
    ):
        with pytest.raises(oc.ConfigError, match=said):
            one.replay(
                built(ORDERS), memberships={"lifecycle": members(INTERVALS)}, as_of=day(60),
                after=after,
            )  # fmt: skip
    # Three versions: who entered by the first has entered.
    last = oc.Journey("shop", old.trigger, step, starts_on=day(30))
    middle = oc.Journey("shop", old.trigger, step, starts_on=day(15), ends_on=day(29))
    options = {"memberships": {"lifecycle": members(INTERVALS)}, "as_of": day(60)}
    assert last.replay(built(ORDERS), **options, after=[old, middle]).entries().num_rows == 0
    taken = new.replay(built(ORDERS), **options, after=going).entries().to_pylist()
    assert [row["triggered_on"] for row in taken] == [day(15)] * 3  # due on day 18 by the old one
    assert set(going.replay(built(ORDERS), **options).entries()["status"].to_pylist()) <= {
        "left", "held_out",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reentry", "entered"),
    [
        ({"policy": "once"}, []),
        ({"policy": "each_entry"}, [17, 24]),
        ({"policy": "after_days", "days": 8}, [24]),  # 12 + 8 = 20
        ({"policy": "after_days", "days": 13}, []),
        ({"policy": "after_end"}, [24]),  # the second walk of the old version ends on 20
    ],
)
def test_who_entered_by_an_earlier_version_enters_again_as_reentry_says(reentry, entered):
    step = [{"name": "hi", "action": "mail", "wait_days": 8}]
    trigger = oc.enters("At-risk", of="lifecycle")
    spans = [("eve", "At-risk", *span) for span in ((5, 7), (12, 14), (17, 18), (24, 26))]
    twice = {"policy": "after_days", "days": 5}
    old = oc.Journey("shop", trigger, step, ends_on=day(14), reentry=twice)
    new = oc.Journey("shop", trigger, step, starts_on=day(15), reentry=reentry)
    options = {"memberships": {"lifecycle": members(spans)}, "as_of": day(60)}
    found = new.replay(built(ORDERS), **options, after=old).entries()
    assert found["triggered_on"].to_pylist() == [day(one) for one in entered]
