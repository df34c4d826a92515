"""Replayed journeys against a walk day by day, over generated customers and definitions."""

from datetime import date, timedelta
from itertools import groupby

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle.journeys import entries

import ordercycle as oc
from ordercycle._journeys.replaying import Replay
from ordercycle._journeys.versions import Walked

DAY = date(2026, 1, 1)
DAYS = 50
SEGMENTS = ("A", "B", "C", None)
EVENTS, STEPS = ("click", "open"), ("s0", "s1", "s2", "s3")


def day(number):
    return None if number is None else DAY + timedelta(days=number)


@st.composite
def drawn_steps(draw):
    """Steps that lead to later ones, or to the end."""
    count = draw(st.integers(1, 4))
    steps = []
    for place in range(count):
        targets = st.sampled_from([*STEPS[place + 1 : count], "end"])
        if draw(st.booleans()):
            one = {"action": f"mail/{place % 2}", "wait_days": draw(st.integers(0, 6))}
        else:
            event = draw(st.sampled_from([*EVENTS, "order"]))
            waited = {"event": event, "within_days": draw(st.integers(1, 6))}
            actions = [other["name"] for other in steps if "action" in other]
            if event != "order" and actions and draw(st.booleans()):
                waited["step"] = draw(st.sampled_from(actions))
            one = {"wait_for": waited, "otherwise": draw(targets)}
        if draw(st.integers(0, 3)) == 0:
            one["then"] = draw(targets)
        steps.append({"name": STEPS[place], **one})
    return steps


CONVERSIONS = st.sampled_from(
    [{"event": "order"}, {"event": "order", "where": "amount >= 10"}, {"enters": "B", "of": "m"}]
)
REENTRIES = st.sampled_from(
    [
        *({"policy": policy} for policy in ("once", "each_entry", "after_end")),
        {"policy": "after_days", "days": 9},
    ]
)
EXITS = st.sampled_from(["converted", "left_segment", "event:open", "event:order"])


@st.composite
def definitions(draw):
    trigger = {"enters": "A", "of": "m"}
    if draw(st.booleans()):
        trigger["from"] = draw(st.sampled_from([["B"], ["B", "C"]]))
    data = {
        "journey": draw(st.sampled_from(["one", "two"])),
        "trigger": trigger,
        "reentry": draw(REENTRIES),
        "conversion": {**draw(CONVERSIONS), "within_days": draw(st.integers(1, 20))},
        "exit": draw(st.lists(EXITS, unique=True, max_size=3)),
        "arms": {"control": 50, "treatment": 50},
        "steps": draw(drawn_steps()),
    }
    if draw(st.booleans()):
        data |= {"starts_on": day(draw(st.integers(0, 15))), "already_in": "enter"}
    if draw(st.booleans()):
        data |= {"ends_on": day(draw(st.integers(15, DAYS)))}
    try:
        return oc.Journey.from_dict(data)
    except oc.ConfigError:  # a step that nothing leads to
        assume(condition=False)


EVENT = st.tuples(st.integers(0, DAYS), st.sampled_from(EVENTS), st.sampled_from([*STEPS, None]))
customers = st.fixed_dictionaries(
    {
        "segments": st.lists(
            st.tuples(st.sampled_from(SEGMENTS), st.integers(1, 12)), min_size=1, max_size=9
        ),
        "orders": st.lists(st.tuples(st.integers(1, DAYS), st.integers(-20, 40)), max_size=8),
        "events": st.lists(EVENT, max_size=10),
    }
)


def segments_of(customer):
    """Return the segment of each day."""
    days = [segment for segment, length in customer["segments"] for _ in range(length)]
    return [*days, *[days[-1]] * (DAYS + 10 - len(days))][: DAYS + 10]


def built(people):
    """Return history, memberships and a stream of customers; each has an order on the first day."""
    orders, intervals, events = [], [], []
    for who, one in enumerate(people):
        orders += [(who, at, amount) for at, amount in ((0, 5), *one["orders"])]
        start = 0
        for segment, same in groupby(segments_of(one)):
            stop = start + len(list(same))
            if segment is not None:
                intervals.append((who, segment, start, None if stop >= DAYS + 10 else stop))
            start = stop
        events += [(who, *event) for event in one["events"]]
    history = oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": pa.array([one[0] for one in orders], pa.int64()),
                "ordered_at": pa.array([day(one[1]) for one in orders], pa.date32()),
                "amount": pa.array([one[2] for one in orders], pa.int64()),
            }
        )
    )
    names = [one for one in SEGMENTS if one]
    codes = pa.array([names.index(one[1]) for one in intervals], pa.int16())
    membership = oc.Membership.from_table(
        pa.table(
            {
                "customer_id": pa.array([one[0] for one in intervals], pa.int64()),
                "segment": pa.DictionaryArray.from_arrays(codes, pa.array(names)),
                "valid_from": pa.array([day(one[2]) for one in intervals], pa.date32()),
                "valid_to": pa.array([day(one[3]) for one in intervals], pa.date32()),
            }
        )
    )
    streams = {}
    for number in range(2):  # those of two streams are walked together
        part = events[number::2]
        streams[f"stream {number}"] = oc.EventHistory.build(
            pa.table(
                {
                    "customer_id": pa.array([one[0] for one in part], pa.int64()),
                    "occurred_at": pa.array([day(one[1]) for one in part], pa.date32()),
                    "event": pa.array([one[2] for one in part], pa.string()),
                    "step": pa.array([one[3] for one in part], pa.string()),
                }
            ),
            columns=oc.EventColumns(attributes=("event", "step")),
        )
    return history, {"m": membership}, streams


def expected(people, journey, as_of, sent=None, earlier=None):
    definition = journey.to_dict()
    where = definition["conversion"].get("where")
    first, until = (
        (date.fromisoformat(definition[key]) - DAY).days if key in definition else default
        for key, default in (("starts_on", 0), ("ends_on", as_of))
    )
    found = {}
    for who, one in enumerate(people):
        days = segments_of(one)
        found[who] = entries(
            {
                "definition": definition,
                "segments": lambda at, days=days: days[at] if at >= 0 else None,
                "orders": [(0, 5), *one["orders"]],
                "events": one["events"],
                "first": first,
                "until": until,
                "last": DAYS + 10,
                "as_of": as_of,
                "kept": None,
                "sent": (sent or {}).get(who, {}),
                "counts": lambda amount: where is None or amount >= 10,
                "migrate_on": until + 1 if journey.migrate else None,
                "earlier": (earlier or {}).get(who, []),
            }
        )
    return found


def check(run, journey, want):
    """Compare entries, states and actions with those of the oracle."""
    made, states = run.entries().to_pylist(), run.states().to_pylist()
    place = {}
    for row, state in zip(made, states, strict=True):
        who = row["customer_id"]
        one = want[who][place.get(who, 0)]
        place[who] = place.get(who, 0) + 1
        held = row["arm"] == "control"
        assert row["entry"] == state["entry"] == place[who]
        assert row["triggered_on"] == day(one["triggered"])
        assert row["converted_on"] == day(one["converted"])
        assert row["conversions"] == one["conversions"]
        by_orders = "event" in journey.conversion
        assert row["value"] == (one["value"] if by_orders else None)
        assert row["status"] == ("held_out" if held else one["status"])
        assert (state["step"], state["since"]) == (one["step"], day(one["since"]))
        assert (state["next_step"], state["due_on"]) == (one["next_step"], day(one["due"]))
    assert place == {who: len(some) for who, some in want.items() if some}
    return made


def actions(made, want, journey):
    """Return the actions of all but control: customer, step and day."""
    kinds = {one["name"]: "action" in one for one in journey.to_dict()["steps"]}
    arms = {row["customer_id"]: row["arm"] for row in made}
    return sorted(
        (who, step, day(at))
        for who, some in want.items()
        for one in some
        for step, at in one["visits"]
        if kinds[step] and arms[who] != "control"
    )


@given(st.lists(customers, min_size=1, max_size=4), definitions(), st.integers(21, DAYS))
def test_replays_are_the_walk_of_every_day(people, journey, as_of):
    history, memberships, streams = built(people)
    try:
        run = journey.replay(history, memberships=memberships, streams=streams, as_of=day(as_of))
    except oc.ConfigError as error:
        assume("unknown" not in str(error))  # an event that nobody has
        raise
    want = expected(people, journey, as_of)
    made = check(run, journey, want)
    feed = run.feed(DAY, day(as_of)).to_pylist()
    assert sorted((row["customer_id"], row["step"], row["due_on"]) for row in feed) == actions(
        made, want, journey
    )
    assert len({row["action_key"] for row in feed}) == len(feed)
    # The feed of a day is the same when that day is the last one known.
    then = day(as_of - 5)
    early = journey.replay(history, memberships=memberships, streams=streams, as_of=then)
    assert early.feed(then).equals(run.feed(then))
    # What was sent late moves what follows, and is not sent again.
    if journey.reentry["policy"] == "once" and feed:
        late = {row["action_key"]: row["due_on"] + timedelta(days=place % 3)
                for place, row in enumerate(feed[::2])}  # fmt: skip
        ledger = pa.table({"action_key": list(late), "sent_on": list(late.values())})
        triggered = {row["customer_id"]: (row["triggered_on"] - DAY).days for row in made}
        sent = {}
        for row in feed[::2]:
            at = late[row["action_key"]]
            if at <= day(as_of):
                who = row["customer_id"]
                key = (triggered[who], row["step"])
                sent.setdefault(who, {})[key] = (at - DAY).days
        again = journey.replay(
            history, memberships=memberships, streams=streams, as_of=day(as_of), ledger=ledger
        )
        check(again, journey, expected(people, journey, as_of, sent))
        keys = set(again.feed(DAY, day(as_of))["action_key"].to_pylist())
        assert not keys & set(late)


@given(
    st.lists(customers, min_size=1, max_size=4),
    definitions(),
    definitions(),
    st.integers(15, 30),
    st.booleans(),
    st.sampled_from([20, 31, DAYS]),
)
def test_versions_follow_one_another_as_walked_every_day(people, old, new, end, migrate, as_of):
    """Who enters the next version, and who is taken up by it, in one walk over both."""
    as_of = max(as_of, end + 1)
    old = {**old.to_dict(), "ends_on": str(day(end)), "migrate": migrate}
    if "starts_on" in old:
        old["starts_on"] = str(min(day(end), date.fromisoformat(old["starts_on"])))
    new = {**new.to_dict(), "journey": old["journey"], "starts_on": str(day(end + 1))}
    new.pop("ends_on", None)
    old, new = map(oc.Journey.from_dict, (old, new))
    history, memberships, streams = built(people)
    options = {"memberships": memberships, "streams": streams, "as_of": day(as_of)}
    try:
        run, first = new.replay(history, **options, after=old), old.replay(history, **options)
    except oc.ConfigError as error:
        assume("unknown" not in str(error))  # an event that nobody has
        raise
    want = expected(people, old, as_of)
    check(first, old, want)
    check(run, new, expected(people, new, as_of, earlier=want))


def walked_behind_walks(self, batches):
    """Walk each version anew for every one behind it: as often again for each."""
    walks = [one.walk(batches) for one in self.before]
    return self._walk_behind(walks, batches)


@settings(max_examples=20)
@given(st.lists(customers, min_size=1, max_size=4), st.lists(definitions(), min_size=4, max_size=4))
def test_each_version_is_walked_once(people, versions):
    """Four versions, the second of which takes nobody up: as if each were walked for each."""
    ends = (14, 22, 30, None)
    journeys = []
    for place, (given_version, end) in enumerate(zip(versions, ends, strict=True)):
        data = given_version.to_dict() | {"journey": "one", "migrate": place in (0, 2)}
        data["trigger"] = {"enters": "A", "of": "m"}
        for key in ("starts_on", "ends_on", "already_in"):
            data.pop(key, None)
        if place:
            data["starts_on"] = str(day(ends[place - 1] + 1))
        if end is not None:
            data["ends_on"] = str(day(end))
        journeys.append(oc.Journey.from_dict(data))
    history, memberships, streams = built(people)
    options = {"memberships": memberships, "streams": streams, "as_of": day(DAYS)}
    *before, last = journeys
    try:
        run = last.replay(history, **options, after=before)
    except oc.ConfigError as error:
        assume("unknown" not in str(error))  # an event that nobody has
        raise
    found, written, walks = [], Walked.written, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Walked, "written", lambda *given: walks.append(1) or written(*given))
        found.append((run.entries(), run.states()))
        ways = len(walks)
        patch.setattr(Replay, "walk", walked_behind_walks)
        again = last.replay(history, **options, after=before)
        found.append((again.entries(), again.states()))
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])
    assert ways < len(walks) - ways
