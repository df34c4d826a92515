"""The streams of the data sets: whose events they are, and what their lookups know."""

from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle._datasets.touches import CHANNELS, EVENTS_PER_BLOCK, STAGES, generated_touches

SHOP = oc.datasets.Shop(last_day=date(2022, 6, 30))


@pytest.fixture(scope="module")
def groceries():
    return oc.datasets.groceries()


@pytest.fixture(scope="module")
def touches():
    return oc.datasets.generated(customers=500, seed=3, shop=SHOP).touches(events=30_000)


def by_campaign(campaigns, column):
    return dict(zip(campaigns["campaign"].to_pylist(), campaigns[column].to_pylist(), strict=True))


def test_lines_are_the_orders_line_by_line(groceries):
    lines, rows = groceries.lines(), pq.read_table(groceries.orders)
    for name, given in {
        "customer_id": "household_id",
        "order_id": "basket_id",
        "product": "product_id",
        "quantity": "quantity",
        "amount": "sales_value",
    }.items():
        assert lines[name].equals(rows[given]), name
    assert lines["occurred_at"].cast(pa.timestamp("ns")).equals(rows["transaction_timestamp"])


def test_lines_say_what_their_products_are(groceries):
    lines, products = groceries.lines(), groceries.products()
    known = {row["product"]: row for row in products.to_pylist()}
    assert len(known) == products.num_rows
    nothing = dict.fromkeys(products.column_names)
    for row in lines.take(list(range(0, lines.num_rows, 997))).to_pylist():
        product = known.get(row["product"], nothing)
        for name in ("category", "department", "brand"):
            assert row[name] == product[name]


def test_touches_of_the_groceries_are_of_their_campaigns(groceries):
    touches, campaigns = groceries.touches(), groceries.campaigns()
    starts_on = by_campaign(campaigns, "starts_on")
    assert len(starts_on) == campaigns.num_rows
    for row in touches.to_pylist():
        is_first_day = row["occurred_on"] == starts_on[row["campaign"]]
        assert is_first_day or row["kind"] == "redeem"


def test_touches_are_those_of_their_seed(touches):
    data = oc.datasets.generated(customers=500, seed=3, shop=SHOP)
    assert data.touches(events=30_000).equals(touches)
    assert not oc.datasets.generated(500, seed=4, shop=SHOP).touches(events=30_000).equals(touches)
    assert data.touches().num_rows == 10_000


def test_touches_have_unique_ids_and_happen_while_the_shop_is_open(touches):
    assert touches["event_id"].to_pylist() == list(range(1, 30_001))
    instants = touches["occurred_at"].to_pylist()
    assert instants == sorted(instants)
    assert instants[0] >= datetime.combine(SHOP.first_day, time())
    assert instants[-1] < datetime.combine(SHOP.last_day + timedelta(days=1), time())
    assert set(pc.unique(touches["customer_id"].drop_null()).to_pylist()) == set(range(1, 501))


def test_a_message_is_of_one_customer_and_campaign_and_goes_through_its_stages(touches):
    stages = dict(zip(CHANNELS, STAGES, strict=True))
    found = {}
    for row in touches.to_pylist():
        found.setdefault(row["message"], []).append(row)
    assert max(map(len, found.values())) == 3
    for rows in found.values():
        assert len({(row["customer_id"], row["campaign"], row["channel"]) for row in rows}) == 1
        kinds = [row["kind"] for row in rows]
        assert kinds[0] in ("delivery", "impression")
        assert set(kinds) <= set(stages[rows[0]["channel"]])
    nameless = touches.filter(pc.field("customer_id").is_null())
    assert set(nameless["channel"].to_pylist()) == {"Popup"}


def test_every_campaign_is_looked_up(touches):
    campaigns = oc.datasets.generated(customers=500, seed=3, shop=SHOP).campaigns()
    channel_of = by_campaign(campaigns, "channel")
    assert len(channel_of) == campaigns.num_rows
    for row in touches.to_pylist():
        assert row["channel"] == channel_of[row["campaign"]]
    is_regular = pc.equal(campaigns["type"], "regular")
    assert campaigns["sent_at"].is_valid().equals(is_regular)


def test_blocks_go_on_where_the_one_before_ends():
    events = EVENTS_PER_BLOCK + 10
    batches = list(generated_touches(events, 100, seed=1, shop=SHOP))
    assert [batch.num_rows for batch in batches] == [EVENTS_PER_BLOCK, 10]
    first, second = batches
    assert second["event_id"][0].as_py() == EVENTS_PER_BLOCK + 1
    assert pc.min(second["message"]).as_py() > pc.max(first["message"]).as_py()
    table = pa.Table.from_batches(batches)
    assert pc.count_distinct(table["event_id"]).as_py() == events


@pytest.mark.parametrize(("customers", "events"), [(10, -1), (0, 1)])
def test_touches_of_nobody_are_refused(customers, events):
    with pytest.raises(oc.ConfigError, match="events"):
        oc.datasets.generated(customers=customers).touches(events=events)
    assert oc.datasets.generated(customers=0).touches().num_rows == 0
