"""What one customer is as of many days at once, against features and rules as of each of them."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle.errors import ConfigError, DataError
from oracle.features import computed
from support.against_oracle import THREADS, examples
from support.event_histories import build, stream_of
from support.events import FIRST_DAY, event_cases, feature_text, order_event_cases
from support.featured import asked
from support.order_details import detailed
from support.strategies import layouts

import ordercycle as oc
from ordercycle._days import day_number
from ordercycle._features.streams import streams_of
from ordercycle._segments import other_days
from ordercycle._segments.customer_features import parsed_features
from ordercycle._segments.explaining import streams_alone
from ordercycle._segments.other_days import StreamsOnDays

EPOCH = date(1970, 1, 1)
END = date(2026, 6, 30)
SEVERAL_DAYS = st.sets(st.integers(0, 400), min_size=1, max_size=4)
MOST_CUSTOMERS = 2  # of a case


def compare(history, stream, wanted, as_of, days):
    """Compare the features of each customer as of some days with the oracle's of each day."""
    texts = {f"f{place}": feature_text(one, "s") for place, one in enumerate(wanted)}
    there = [as_of - timedelta(back) for back in days]
    as_of_days = [day for day in there if day >= FIRST_DAY] or [as_of]
    for customer in list(stream.customers)[:MOST_CUSTOMERS]:
        alone = streams_of(streams_alone({"s": history}, customer))
        known = day_number(as_of, "as_of")
        numbers = np.array([(day - EPOCH).days for day in as_of_days])
        source = StreamsOnDays(alone, known, "empty", days=numbers)

        def made(source=source):
            scans = source.scans(parsed_features(texts))
            return scans.of(pa.table({"row": as_of_days}), threads=1).table.to_pylist()

        try:
            expected = [
                [computed(one, stream, [customer], day)[0] for one in wanted] for day in as_of_days
            ]
        except DataError:
            with pytest.raises(oc.DataError, match=r"as of days until .* beyond"):
                made()
            continue
        assert [list(row.values()) for row in made()] == expected, texts


@examples(12)
@given(case=event_cases(), data=st.data(), days=SEVERAL_DAYS)
def test_features_of_events_as_of_several_days(case, data, days):
    try:
        stream = stream_of(case)
    except DataError:
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    layout = data.draw(layouts())
    history = build(case, layout.table(case.columns()), layout)
    wanted, as_of = data.draw(asked(stream, case.base))
    compare(history, stream, wanted, as_of, days)


@examples(12)
@given(case=order_event_cases(max_rows=12), data=st.data(), days=SEVERAL_DAYS, threads=THREADS)
def test_features_of_orders_as_of_several_days(case, data, days, threads):
    try:
        stream = case.stream()
    except (ConfigError, DataError):
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    history = detailed(case, data.draw(layouts()), threads=threads)
    wanted, as_of = data.draw(asked(stream, case.case.as_of))
    compare(history, stream, wanted, as_of, days)


RULES = {
    "Campaign": "clicks_in_may >= 2 and days_since(clicks) < 40",
    "Buys tea": "share(orders.amount, brand == 'tea', last=60) > 0.5 and orders > 1",
    "Reads": "has(clicks, last=20) and not has(orders, last=30)",
    "New": "days_since_registration < 15",
    "Late": "days_since_last_order > 45",
}
FEATURES = {"clicks_in_may": "count(clicks, page == 'tea', since='2026-05-01', until='2026-05-31')"}
OPTIONS = {"columns": oc.Columns(attributes=("brand",))}


def orders_and_clicks():
    random = np.random.default_rng(5)

    def table(time, value, rows, **more):
        days = np.sort(random.integers(-60, 160, rows))[::-1]
        columns = {
            "customer_id": [f"c{one}" for one in random.integers(0, 7, rows)],
            time: [END - timedelta(int(day)) for day in days],
            value: random.choice(["tea", "ink"], rows),
        }
        return pa.table(columns | more)

    amounts = np.where(random.random(60) < 0.15, -9.5, random.integers(5, 90, 60) / 2)
    return table("ordered_at", "brand", 60, amount=amounts), table("occurred_at", "page", 70)


def test_since_and_until_of_rules_over_streams(tmp_path, monkeypatch):
    """Since when is what rules say as of every day before; until, without what comes later."""
    # Some days at a time, as of customers with many events.
    monkeypatch.setattr(other_days, "MOST_ENTRIES", 8_000)
    orders, clicks = orders_and_clicks()
    pages = oc.EventColumns(attributes=("page",))

    def made(shop, visits):
        return oc.OrderHistory.build(shop, **OPTIONS), oc.EventHistory.build(visits, columns=pages)

    def until(table, time):
        return table.filter(pa.compute.less_equal(table[time], pa.scalar(END)))

    now = made(orders, clicks)
    later = made(until(orders, "ordered_at"), until(clicks, "occurred_at"))
    scheme = oc.Rules(RULES, features=FEATURES)
    days = [END + timedelta(one) for one in range(-170, 30)]
    tiers = {}
    for day in days:
        history, visits = now if day <= END else later
        profile = history.profile(day)
        streams = {"orders": history, "clicks": visits}
        table = scheme.assign(profile, streams=streams, as_of=day)
        for row in table.select(["customer_id", "tier"]).to_pylist():
            tiers.setdefault(row["customer_id"], {})[day] = row["tier"]
    history, visits = now[0].save(tmp_path / "orders"), now[1].save(tmp_path / "clicks")
    streams = {"orders": history, "clicks": visits}
    seen = set()
    for customer, by_day in tiers.items():
        if END not in by_day:
            continue
        found = scheme.explain(history, customer, END, streams=streams)
        assert found.segment == by_day[END]
        seen.add(found.segment)
        before = [day for day in by_day if day <= END and by_day[day] != found.segment]
        since = min(by_day) if not before else max(before) + timedelta(1)
        assert (found.since, found.since_means[:9]) == (since, "the first")
        after = [day for day in by_day if day > END and by_day[day] != found.segment]
        expected = (min(after), by_day[min(after)]) if after else (None, None)
        if found.until is None or found.until <= days[-1]:
            assert (found.until, found.next_segment) == expected
        else:
            assert expected == (None, None)
    assert len(seen) > 2
