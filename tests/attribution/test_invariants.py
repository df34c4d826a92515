"""What holds of credits whatever the data: sums, unions, windows, and the same bits always."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crediting import attribution, distinct, found_rows, histories, wanted_rows
from support.cutting import cut_small
from support.touches import models, people

import ordercycle as oc

pytestmark = pytest.mark.filterwarnings("ignore:no touch has ")

MODELS = ("last_touch", "first_touch", "linear", "position", "time_decay")
COLUMNS = oc.EventColumns(
    id="event_id", attributes=("kind", "channel", "campaign", "machine"), keys=("message",)
)
SHOP = oc.datasets.Shop(orders_per_customer=5)


def merged(touches, merges):
    """Return touches under the ids of today."""
    places = pc.index_in(touches["customer_id"], merges["old_id"])
    today = pc.coalesce(merges["customer_id"].take(places), touches["customer_id"])
    return touches.set_column(touches.schema.get_field_index("customer_id"), "customer_id", today)


@pytest.fixture(scope="module")
def data():
    return oc.datasets.generated(customers=400, seed=3, shop=SHOP, touches=True)


@pytest.fixture(scope="module")
def streams(data):
    orders = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
    touches = merged(data.touches(), data.merges())
    return orders, oc.EventHistory.build(touches, columns=COLUMNS)


def winners(table):
    """Return order, group and event of every winner of an order, in order."""
    won = table.filter(pc.and_(pc.is_valid(table["group"]), pc.greater(table["credit"], 0)))
    return sorted(
        zip(*(won[name].to_pylist() for name in ("order", "group", "event")), strict=True)
    )


def test_the_winners_are_those_that_were_planted(data, streams):
    credited = oc.Attribution(exclude="machine").credit(*streams)
    truth = data.truth()
    assert truth.num_rows > 100
    assert winners(credited.to_table()) == sorted(
        zip(*(column.to_pylist() for column in truth.columns), strict=True)
    )


def test_machines_give_themselves_away(data, streams):
    credited = oc.Attribution(bursts=((4, "1s"), (5, "10s"))).credit(*streams)
    assert winners(credited.to_table()) == sorted(
        zip(*(column.to_pylist() for column in data.truth().columns), strict=True)
    )
    flagged = oc.Attribution(exclude="machine").credit(*streams).summary()
    assert credited.summary().excluded == flagged.excluded
    slow = oc.Attribution(bursts=((6, "10s"),), exclude="kind == 'open'").credit(*streams)
    opens = oc.Attribution(exclude="kind == 'open'").credit(*streams)
    assert slow.summary() == opens.summary()


def test_refunds_follow_the_winners_that_were_planted(data, streams):
    table = oc.Attribution(exclude="machine").credit(*streams).to_table()
    planted = defaultdict(set)
    for order, group, event in zip(*data.truth().to_pydict().values(), strict=True):
        planted[order].add((group, event))
    refunds = [row for row in table.to_pylist() if row["revenue"] < 0]
    found = defaultdict(set)
    for row in refunds:
        if row["group"] is not None:
            assert row["credit"] == 0
            found[row["order"]].add((row["group"], row["event"]))
    named = {row["refund_of"] for row in data.orders.to_pylist()} - {None}
    wanted = {order: planted[order] for order in named if planted[order]}
    assert len(wanted) > 5
    assert found == wanted


def test_rows_that_come_late_change_nothing(data, streams):
    model = oc.Attribution(exclude="machine")
    touches = merged(data.touches(), data.merges())
    third = touches.num_rows // 3
    stream = oc.EventHistory.build(touches.slice(0, third), columns=COLUMNS)
    for first in (third, 2 * third):  # with rows that come twice, in another batch as well
        stream = stream.append(touches.slice(first - 50, touches.num_rows - first + 50))
    assert model.credit(streams[0], stream).to_table().equals(model.credit(*streams).to_table())


def test_machines_win_where_they_are_not_left_out(data, streams):
    table = oc.Attribution().credit(*streams).to_table()
    wrong = set(winners(table)) - set(
        map(tuple, zip(*data.truth().to_pydict().values(), strict=True))
    )
    assert wrong


def by_entry(table):
    """Return the rows of each order and refund: by its order and moment."""
    found = defaultdict(list)
    for row in table.to_pylist():
        found[row["customer_id"], row["order"], row["ordered_at"]].append(row)
    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("compete", ["group", "all", "channel"])
def test_credits_add_up(data, streams, model, compete):
    credited = oc.Attribution(model=model, compete=compete, exclude="machine").credit(*streams)
    table = credited.to_table()
    entries = by_entry(table)
    known = data.orders.filter(pc.field("customer_id").is_valid())
    amounts = Counter()
    for row in known.to_pylist():
        amounts[Fraction(row["amount"])] += 1
    found = Counter()
    groups, crm, masks = Counter(), Fraction(0), Counter()
    for rows in entries.values():
        parts, shares = defaultdict(float), defaultdict(float)
        for row in rows:
            of = (
                row["group"] if compete == "group" else "",
                row["channel"] if compete == "channel" else "",
            )
            parts[of] += row["revenue"]
            shares[of] += row["credit"] or 0.0
        (amount,) = set(parts.values())  # every competition shares out the whole amount
        found[Fraction(amount)] += 1
        names = frozenset(row["group"] for row in rows if row["group"] is not None)
        masks[names] += Fraction(amount)
        crm += Fraction(amount) if names else 0
        for name in names:
            groups[name] += Fraction(amount)
        if names and amount > 0:
            assert all(share == pytest.approx(1) for share in shares.values())
    assert found == amounts
    assert sum(masks.values()) == sum(amount * count for amount, count in amounts.items())
    assert masks[frozenset()] + crm == sum(masks.values())
    if compete == "group":
        for name, total in groups.items():
            title = {"campaigns": "Campaigns", "personalization": "Personalization"}[name]
            value = credited.windows(f"Revenue from {title}", [5])["value"].to_pylist()
            assert value == [float(total)]
            assert total == sum(one for names, one in masks.items() if name in names)
    assert credited.windows("Total CRM Revenue", [5])["value"].to_pylist() == [float(crm)]


def test_every_model_attributes_the_same_revenue(streams):
    found = {
        oc.Attribution(model=model)
        .credit(*streams)
        .windows("Revenue from Campaigns", [5])["value"][0]
        for model in MODELS
    }
    assert len(found) == 1


@given(models(options=("brand", "clock", "reuse")), st.lists(people(), max_size=3).map(distinct))
def test_windows_and_further_touches(model, customers):
    orders, touches, visits = histories(customers)
    nothing = replace(model, window=timedelta(0), windows={})
    made = attribution(nothing).credit(orders, touches, visits).summary()
    assert made.attributed == 0

    def attributed(one, stream):
        table = attribution(one).credit(orders, stream, visits).to_table()
        return set(table.filter(pc.is_valid(table["group"]))["order"].to_pylist())

    wider = replace(
        model,
        window=model.window * 2,
        windows={name: window * 2 for name, window in model.windows.items()},
    )
    before = attributed(model, touches)
    assert before <= attributed(wider, touches)
    rows = touches.summary().events
    if rows and model.clock == "touch":
        fewer = [type(one)(one.entries, one.touches[:-1], one.visits) for one in customers]
        assert attributed(model, histories(fewer)[1]) <= before


@pytest.mark.parametrize("cut", ["orders", "touches", "both"])
@given(models(), st.lists(people(), min_size=4, max_size=8).map(distinct))
@settings(max_examples=5)
def test_parts_of_any_size_meet(cut, model, customers):
    with pytest.MonkeyPatch.context() as patch:
        if cut != "touches":
            cut_small(patch)
        orders = histories(customers)[0]
        patch.undo()
        if cut != "orders":
            cut_small(patch)
        touches, visits = histories(customers)[1:]
    found = found_rows(attribution(model).credit(orders, touches, visits).to_table())
    assert found == wanted_rows(model, customers)


def test_threads_and_order_of_rows_leave_no_trace(data, streams):
    model = oc.Attribution(model="time_decay", compete="all", clock="delivery", exclude="machine")
    wanted = model.credit(*streams).to_table()
    touches = merged(data.touches(), data.merges())
    backwards = touches.take(pa.array(range(touches.num_rows - 1, -1, -1)))
    for threads in (1, 2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ordercycle._history.build.BATCH_ROWS", 200)
            orders = oc.OrderHistory.build(
                data.orders, data.customers, columns=data.columns, threads=threads
            )
            again = oc.EventHistory.build(backwards, columns=COLUMNS, threads=threads)
        found = model.credit(orders, again)
        assert found.to_table().combine_chunks().equals(wanted.combine_chunks())
        assert pa.Table.from_batches(found.to_batches()).num_rows == wanted.num_rows
