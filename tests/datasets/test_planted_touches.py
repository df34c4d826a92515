"""Generated touches of which it is known which order each of them brought."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import ordercycle as oc


@pytest.fixture(scope="module")
def data():
    return oc.datasets.generated(customers=500, seed=5, touches=True)


@pytest.fixture(scope="module")
def touches(data):
    return data.touches()


def test_touches_are_those_of_their_seed(data, touches):
    again = oc.datasets.generated(customers=500, seed=5, touches=True)
    assert again.touches().equals(touches)
    assert again.truth().equals(data.truth())
    assert again.orders.equals(data.orders)
    other = oc.datasets.generated(customers=500, seed=6, touches=True)
    assert not other.touches().equals(touches)


def test_without_planted_touches_nothing_is_different():
    usual = oc.datasets.generated(customers=500, seed=5)
    assert type(usual) is oc.datasets.Generated
    assert usual.orders.column_names == ["order_id", "customer_id", "ordered_at", "amount"]


def test_every_order_that_is_won_is_of_the_customer_who_was_touched(data, touches):
    truth = data.truth()
    assert truth.num_rows > 500
    assert truth["group"].unique().sort().to_pylist() == ["campaigns", "personalization"]
    whose = dict(
        zip(*data.orders.select(["order_id", "customer_id"]).to_pydict().values(), strict=True)
    )
    today = dict(zip(*data.merges().to_pydict().values(), strict=True))
    touched = {
        event: today.get(customer, customer)
        for event, customer in zip(
            *touches.select(["event_id", "customer_id"]).to_pydict().values(), strict=True
        )
    }
    for order, _, event in zip(*truth.to_pydict().values(), strict=True):
        assert touched[event] == whose[order]


def test_rows_come_twice_late_by_machines_and_under_old_ids(data, touches):
    events = touches["event_id"].to_pylist()
    repeated = len(events) - len(set(events))
    assert 0 < repeated < len(events) / 20
    instants = touches["occurred_at"].to_pylist()
    assert instants != sorted(instants)
    assert pc.sum(touches["machine"].cast(pa.int64())).as_py() > 100
    old = set(data.merges()["old_id"].to_pylist())
    assert old & set(touches["customer_id"].drop_null().to_pylist())


def test_refunds_name_what_they_refund_but_for_a_few(data):
    orders = data.orders.to_pylist()
    known = {row["order_id"]: row for row in orders if row["amount"] > 0}
    refunds = [row for row in orders if row["amount"] < 0]
    named = [row for row in refunds if row["refund_of"] is not None]
    assert 0 < len(named) < len(refunds)
    for row in named:
        whole = known[row["refund_of"]]
        assert whole["customer_id"] == row["customer_id"]
        assert whole["ordered_at"] < row["ordered_at"]
        assert -row["amount"] <= whole["amount"] + 0.01
    assert len({row["order_id"] for row in orders}) == len(orders)


def test_a_shop_without_customers_has_nothing_planted():
    data = oc.datasets.generated(customers=0, touches=True)
    assert data.touches().num_rows == data.truth().num_rows == data.merges().num_rows == 0
