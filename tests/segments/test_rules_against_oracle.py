"""Rules over any events, as of a day and in memberships, against plain Python."""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import rules as oracle
from oracle.conditions import Compared, Joined, Missing, Not
from oracle.errors import DataError
from oracle.features import computed
from oracle.membership import days_between, of_all
from support.against_oracle import THREADS, examples
from support.cutting import cut_small
from support.event_histories import build, stream_of
from support.events import can_be_written, event_cases, feature_text
from support.featured import asked, profiles
from support.memberships import intervals_of
from support.strategies import layouts

import ordercycle as oc
from ordercycle._membership.scheduled import SCHEDULES


@st.composite
def conditions_over(draw, columns):
    """Draw a condition over columns, given values of each."""

    def parts(name):
        values = [one for one in columns[name] if one is not None and can_be_written(one)]
        missing = st.builds(Missing, st.just(name), negated=st.booleans())
        if not values:
            return missing
        signs = ["==", "!="] if isinstance(values[0], bool) else ["==", "!=", "<=", ">"]
        compared = st.builds(
            Compared, st.just(name), st.sampled_from(signs), st.sampled_from(values)
        )
        return compared | missing

    one = st.sampled_from(sorted(columns)).flatmap(parts)
    joined = st.builds(
        Joined, st.sampled_from(["and", "or"]), st.lists(one, min_size=2, max_size=3).map(tuple)
    )
    return draw(one | one.map(Not) | joined)


@examples(40)
@given(case=event_cases(), data=st.data(), threads=THREADS)
def test_rules_over_any_events(case, data, threads):
    try:
        stream = stream_of(case)
    except DataError:
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    layout = data.draw(layouts())
    history = build(case, layout.table(case.columns()), layout)
    wanted, as_of = data.draw(asked(stream, case.base))
    customers, table = data.draw(profiles(case.types["customer_id"], list(stream.customers)))
    try:
        made = [computed(one, stream, customers, as_of) for one in wanted]
    except DataError:
        assume(False)  # noqa: FBT003 - features alone are compared with it
    texts = [feature_text(one, "s") for one in wanted]
    size = data.draw(st.integers(0, len(wanted)))  # of those that have names
    named = {f"f{place}": text for place, text in enumerate(texts[:size])}
    columns = dict(zip([*named, *texts[size:]], made, strict=True))
    columns["row"] = list(range(len(customers)))
    drawn = data.draw(st.lists(conditions_over(columns), min_size=1, max_size=3))
    conditions = {f"rule {place}": one for place, one in enumerate(drawn)}
    rules = oc.Rules({name: str(one) for name, one in conditions.items()}, features=named)
    streams = {"s": history} if rules.reads_streams else None
    options = {"streams": streams, "as_of": as_of, "missing": "empty"} if streams else {}
    found = rules.assign(table, threads=threads, **options)
    found.validate(full=True)
    assert found.column_names == [*table.column_names, *named, "tier"]
    for name in named:
        assert found.column(name).to_pylist() == columns[name]
    rows = [{name: values[row] for name, values in columns.items()} for row in columns["row"]]
    read = {name: lambda row, one=one: one(row.get) for name, one in conditions.items()}
    expected = [oracle.segment(row, read, "Other") for row in rows]
    assert found.column("tier").to_pylist() == expected
    lint = rules.lint(table, threads=threads, **options)
    assert [rule.gets for rule in lint.rules] == [expected.count(name) for name in conditions]
    asked_of = dict(zip([*named, *texts[size:]], wanted, strict=True))
    for one in lint.features:
        count = replace(asked_of[one.feature], function="count", column=None, values=())
        assert one.events == sum(computed(count, stream, customers, as_of)), one.feature
        assert one.nulls == columns[one.feature].count(None)
    assert oc.scheme_from_dict(rules.to_dict()) == rules


class Known:
    """What is known of customers as of days: how often they ordered, and features of events."""

    def __init__(self, orders, stream, wanted):
        self.orders = orders
        self.wanted = {feature_text(one, "s"): one for one in wanted}
        self.stream = stream
        self.days = days_between(*(pick(day for _, day in orders) for pick in (min, max)))
        self.columns = {day: self.columns_as_of(day) for day in self.days}

    def customers(self, day):
        return list(dict.fromkeys(customer for customer, bought in self.orders if bought <= day))

    def columns_as_of(self, day):
        there = self.customers(day)
        columns = {
            text: computed(feature, self.stream, there, day)
            for text, feature in self.wanted.items()
        }
        return columns | {
            "orders": [
                sum(customer == one and bought <= day for customer, bought in self.orders)
                for one in there
            ]
        }

    def intervals(self, conditions, every):
        """Return the intervals of rules that are recalculated: each day, what held last."""
        read = {name: lambda row, one=one: one(row.get) for name, one in conditions.items()}
        before = days_between(self.days[0] - timedelta(31), self.days[-1])
        recalculated = [day for day in before if SCHEDULES[every](day)]

        @cache
        def as_of(day):
            columns = self.columns.get(day) or self.columns_as_of(day)
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            segments = [oracle.segment(row, read, "Other") for row in rows]
            return dict(zip(self.customers(day), segments, strict=True))

        return of_all(
            (day, as_of(max(one for one in recalculated if one <= day))) for day in self.days
        )


@st.composite
def known_of_days(draw, case):
    """Draw orders of some customers of a stream, features of it, and rules over both."""
    stream = stream_of(case)
    customers = sorted(stream.customers, key=repr)
    assume(customers)
    wanted, as_of = draw(asked(stream, case.base))
    near = st.integers(0, 40).map(lambda days: min(as_of + timedelta(days), date(2199, 12, 31)))
    orders = draw(st.lists(st.tuples(st.sampled_from(customers), near), min_size=1, max_size=9))
    known = Known(orders, stream, wanted)
    ends = [known.columns[day] for day in (known.days[0], known.days[-1])]
    values = {name: [one for columns in ends for one in columns[name]] for name in ends[0]}
    drawn = draw(st.lists(conditions_over(values), min_size=1, max_size=3))
    return known, {f"rule {place}": one for place, one in enumerate(drawn)}


@examples(25)
@given(case=event_cases(max_rows=12), data=st.data(), every=st.sampled_from(list(SCHEDULES)))
def test_a_membership_knows_of_each_day_what_had_happened(case, data, every):
    try:
        known, conditions = data.draw(known_of_days(case))
    except DataError:
        assume(False)  # noqa: FBT003 - features alone are compared with it
    layout = data.draw(layouts())
    orders = layout.table({
        "customer_id": ([customer for customer, _ in known.orders], case.types["customer_id"]),
        "ordered_at": ([(day - date(1970, 1, 1)).days for _, day in known.orders], pa.date32()),
    })  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            cut_small(patch)
        history = oc.OrderHistory.build(orders, columns=oc.Columns(amount=None))
        events = build(case, layout.table(case.columns()), layout)
    rules = oc.Rules({name: str(one) for name, one in conditions.items()})
    streams = {"s": events} if rules.reads_streams else None
    last = known.days[-1]
    if streams is not None:
        try:
            rules.assign(history.profile(last), streams=streams, as_of=last)
        except oc.ConfigError:  # a text that the lookup has nowhere
            with pytest.raises(oc.ConfigError, match="no value of"):
                rules.membership(history, every=every, streams=streams)
            return
    membership = rules.membership(history, every=every, streams=streams)
    assert intervals_of(membership) == known.intervals(conditions, every)
