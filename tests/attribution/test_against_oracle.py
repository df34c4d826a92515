"""What orders are credited to, and why, against the rules written out in plain Python."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.attribution import credit, orders_of, outcome, path_lengths, scaled
from support.crediting import (
    attribution,
    distinct,
    found_rows,
    histories,
    wanted_rows,
)
from support.touches import models, people

import ordercycle as oc

# Few of the names that models are drawn with occur in few touches.
pytestmark = pytest.mark.filterwarnings("ignore:no touch has ")

KINDS = ("int", "decimal", "wide", "float")


def drawn(kind="int"):
    return st.lists(people(kind=kind), max_size=4).map(distinct)


@given(st.data(), models(), st.sampled_from(KINDS), st.booleans())
def test_every_row_of_the_audit(data, model, kind, has_visits):
    customers = data.draw(drawn(kind))
    if not has_visits:
        customers = [type(one)(one.entries, one.touches, []) for one in customers]
    orders, touches, visits = histories(customers, kind)
    credited = attribution(model).credit(orders, touches, visits if has_visits else None)
    assert found_rows(credited.to_table()) == wanted_rows(model, customers)


def explained(model, person, number):
    """Return what the oracle says of every touch in reach of an order."""
    order = person.entries[number]
    won = {
        one.touch
        for one in credit(model, person.entries, person.touches, person.visits)
        if one.entry == number
    }
    earlier = [
        one.at
        for one in person.entries[:number]
        if one.is_order and (not model.brand or one.brand == order.brand)
    ]
    widest = max([model.window, *model.windows.values()])
    for place, touch in enumerate(person.touches):
        if not timedelta(0) <= order.at - touch.at < widest:
            continue
        why = outcome(model, order, touch, person.touches, person.visits)
        if why is None and not model.reuse and earlier and touch.at <= max(earlier):
            why = "used"
        if why is None:
            why = "won" if place in won else "shadowed"
        yield (touch.channel, touch.campaign, touch.kind, touch.at, model.group(touch), why)


@given(models(), drawn())
def test_what_became_of_every_touch(model, customers):
    orders, touches, visits = histories(customers)
    credited = attribution(model).credit(orders, touches, visits)
    for person in customers:
        for number, entry in enumerate(person.entries):
            if not entry.is_order:
                continue
            found = [tuple(row.values()) for row in credited.explain(entry.id).to_pylist()]
            assert found == list(explained(model, person, number))


LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@given(models(), drawn(), LENGTHS)
def test_metrics_of_other_windows(model, customers, days):
    orders, touches, visits = histories(customers)
    credited = attribution(model).credit(orders, touches, visits)
    group = next(iter(model.groups))
    title = {"campaigns": "Campaigns"}.get(group, group)
    if not model.window:
        with pytest.raises(oc.ConfigError, match="window"):
            credited.windows("CRM Orders", days)
        return
    found = {
        name: credited.windows(name, days).to_pydict()
        for name in (
            "Total CRM Revenue",
            "CRM Orders",
            f"Revenue from {title}",
            f"Orders from {title}",
        )
    }
    for place, length in enumerate(days):
        won = [
            (one, number, person)
            for number, person in enumerate(customers)
            for one in credit(scaled(model, length), person.entries, person.touches, person.visits)
            if one.group is not None
        ]
        own = [(number, one.entry) for one, number, _ in won if one.group == group]
        everything = {(number, one.entry) for one, number, _ in won}

        def are_orders(those):
            return sum(customers[number].entries[entry].is_order for number, entry in set(those))

        def amounts(those):
            return sum(customers[number].entries[entry].amount for number, entry in set(those))

        parts = sum(one.revenue for one, _, _ in won if one.group == group)
        wanted = {
            "Total CRM Revenue": amounts(everything),
            "CRM Orders": are_orders(everything),
            f"Revenue from {title}": amounts(own) if model.compete == "channel" else parts,
            f"Orders from {title}": are_orders(own),
        }
        assert {name: values["value"][place] for name, values in found.items()} == wanted
        assert all(values["days"] == days for values in found.values())


@given(models(), drawn())
def test_paths_to_orders(model, customers):
    orders, touches, visits = histories(customers)
    table = attribution(model).credit(orders, touches, visits).paths()
    wanted = []
    for person in customers:
        paths = path_lengths(model, person.entries, person.touches, person.visits)
        for order, _, rows in paths:
            kept = [person.touches[row] for row in rows[-model.most_touches :]]
            steps = tuple((one.channel, one.campaign, one.at) for one in kept)
            wanted.append((person.entries[order].id, model.group(kept[-1]), steps))
    found = [
        (row["order"], row["group"], tuple(tuple(step.values()) for step in row["path"]))
        for row in table.to_pylist()
    ]
    assert Counter(found) == Counter(wanted)


@given(models(), drawn())
def test_what_is_counted(model, customers):
    orders, touches, visits = histories(customers)
    made = attribution(model).credit(orders, touches, visits).summary()
    entries = [entry for one in customers for entry in one.entries]
    credited = [
        (number, one)
        for number, person in enumerate(customers)
        for one in credit(model, person.entries, person.touches, person.visits)
        if person.entries[one.entry].is_order and one.group is not None
    ]
    assert made.orders == sum(entry.is_order for entry in entries)
    assert made.attributed == len({(number, one.entry) for number, one in credited})
    assert made.unattributed == made.orders - made.attributed
    assert made.groups == {
        name: len({(number, one.entry) for number, one in credited if one.group == name})
        for name in model.groups
    }
    assert made.refunds == len(entries) - made.orders
    assert made.unknown_refunds == sum(
        orders_of(person.entries).count(None) for person in customers
    )
    everything = [touch for one in customers for touch in one.touches]
    assert made.touches == len(everything)
    assert made.qualified == sum(
        model.takes_part(touch) for one in customers if one.entries for touch in one.touches
    )
    assert made.excluded == sum(touch.is_excluded for touch in everything)
    absent = [touch.channel for touch in everything if model.group(touch) is None]
    assert made.without_group == {name: absent.count(name) for name in absent}
    assert made.revenue == sum(entry.amount for entry in entries)


@given(models(), drawn())
def test_totals_of_channels_and_campaigns(model, customers):
    orders, touches, visits = histories(customers)
    credited = attribution(model).credit(orders, touches, visits)
    wanted, everything = {}, 0
    for person in customers:
        everything += sum(entry.amount for entry in person.entries)
        for one in credit(model, person.entries, person.touches, person.visits):
            touch = None if one.touch is None else person.touches[one.touch]
            key = (None,) * 3 if touch is None else (one.group, touch.channel, touch.campaign)
            share = person.entries[one.entry].is_order if touch is None else one.share
            orders_before, revenue = wanted.get(key, (0, 0))
            wanted[key] = (orders_before + share, revenue + one.revenue)
    for depth, by in ((1, "group"), (2, "channel"), (3, "campaign")):
        if by == "group" and model.compete == "channel":
            with pytest.raises(oc.ConfigError, match="groups have no totals"):
                credited.totals(by)
            continue
        cells = {}
        for key, (number, revenue) in wanted.items():
            before = cells.get(key[:depth], (0, 0))
            cells[key[:depth]] = (before[0] + number, before[1] + revenue)
        cells.setdefault((None,) * depth, (0, 0))
        if any(abs(revenue) >= 2**63 for _, revenue in cells.values()):
            with pytest.raises(oc.DataError, match="too large for int64"):
                credited.totals(by)
            continue
        table = credited.totals(by)
        found = {tuple(row.values())[:depth]: row for row in table.to_pylist()}
        assert len(found) == table.num_rows
        assert found.keys() == cells.keys()
        for key, (number, revenue) in cells.items():
            assert found[key]["orders"] == pytest.approx(float(number), abs=1e-9)
            assert found[key]["revenue"] == revenue
            share = revenue / everything if everything else None
            assert found[key]["share"] == pytest.approx(share)
