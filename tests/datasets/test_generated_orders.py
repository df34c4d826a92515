"""The generated orders: repeatable, shaped like a shop's, and what they promise."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ordercycle._datasets import generator as module
from ordercycle._datasets.generator import generated_customers, generated_orders
from ordercycle._datasets.season import WEEKDAY_FACTORS, season_clock
from ordercycle._datasets.shop import Shop
from ordercycle._errors import ConfigError

CUSTOMERS = 40_000


@pytest.fixture(scope="module")
def orders():
    return generated_orders(CUSTOMERS).read_all()


@pytest.fixture(scope="module")
def customers():
    return generated_customers(CUSTOMERS).read_all()


@pytest.fixture(scope="module")
def purchases(orders):
    known = pc.and_(pc.is_valid(orders["customer_id"]), pc.greater(orders["amount"], 0))
    return orders.filter(known)


def test_same_seed_same_rows():
    first = generated_orders(3_000, seed=11).read_all()
    assert first.equals(generated_orders(3_000, seed=11).read_all())
    assert not first.equals(generated_orders(3_000, seed=12).read_all())
    assert (
        generated_customers(3_000, seed=11)
        .read_all()
        .equals(generated_customers(3_000, seed=11).read_all())
    )


def test_streams_batches_of_the_declared_schema():
    reader = generated_orders(3_000)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.schema == module.ORDERS_SCHEMA
    batches = list(reader)
    assert len(batches) == 60  # five years, month by month
    assert max(batch.num_rows for batch in batches) < sum(b.num_rows for b in batches) / 10
    assert all(batch.column("order_id").null_count == 0 for batch in batches)


def test_every_customer_is_in_the_customer_table(orders, customers):
    assert customers["customer_id"].to_pylist() == list(range(1, CUSTOMERS + 1))
    ids = pc.unique(orders["customer_id"].drop_null())
    assert pc.all(pc.is_in(ids, customers["customer_id"].combine_chunks())).as_py()


def test_order_ids_ascend_without_holes(orders):
    assert np.array_equal(orders["order_id"].to_numpy(), np.arange(1, orders.num_rows + 1))


def test_rows_of_a_block_are_ordered_by_time(orders):
    assert np.all(np.diff(orders["ordered_at"].to_numpy().astype(np.int64)) >= 0)


def test_all_days_are_the_shops(orders, customers):
    shop = Shop()
    for column in (orders["ordered_at"], customers["registered_at"]):
        days = pc.min_max(column.cast(pa.date32())).as_py()
        assert days["min"] >= shop.first_day
        assert days["max"] <= shop.last_day
    assert pc.max(orders["ordered_at"]).as_py().date() == shop.last_day


@pytest.mark.parametrize("promised", [1.5, 8.0, 12.0])
def test_orders_per_customer_keeps_its_promise(promised):
    table = generated_orders(20_000, shop=Shop(orders_per_customer=promised)).read_all()
    known = pc.and_(pc.is_valid(table["customer_id"]), pc.greater(table["amount"], 0))
    assert pc.sum(known).as_py() / 20_000 == pytest.approx(promised, rel=0.03)


def test_shares_of_refunds_guests_and_never_ordering_customers(orders, purchases, customers):
    refunds = pc.sum(pc.less(orders["amount"], 0)).as_py() / orders.num_rows
    assert refunds == pytest.approx(0.02, abs=0.002)
    assert orders["customer_id"].null_count / orders.num_rows == pytest.approx(0.03, abs=0.002)
    buyers = pc.count_distinct(purchases["customer_id"]).as_py()
    never = 1 - buyers / customers.num_rows
    assert 0.07 < never < 0.10  # and a few who have not ordered yet


def test_shares_follow_the_shop():
    shop = Shop(refund_share=0.0, guest_share=0.0, never_order_share=0.5)
    table = generated_orders(5_000, shop=shop).read_all()
    assert pc.min(table["amount"]).as_py() > 0
    assert table["customer_id"].null_count == 0
    assert pc.count_distinct(table["customer_id"]).as_py() == pytest.approx(2_450, rel=0.05)


def test_a_few_customers_buy_most(purchases):
    counts = purchases.group_by("customer_id").aggregate([([], "count_all")])["count_all"]
    sizes = np.sort(counts.to_numpy())[::-1]
    assert sizes[: sizes.size // 5].sum() / sizes.sum() > 0.6
    assert 0.15 < np.mean(sizes == 1) < 0.40


def test_many_customers_have_gone_for_good(purchases):
    last = purchases.group_by("customer_id").aggregate([("ordered_at", "max")])
    silent = np.datetime64("2026-01-01") - last["ordered_at_max"].to_numpy()
    gone = np.mean(silent > np.timedelta64(255, "D"))
    assert 0.3 < gone < 0.7


def test_baskets_have_a_personal_level(purchases):
    amounts = purchases["amount"].to_numpy()
    assert np.allclose(np.rint(amounts * 100), amounts * 100, atol=1e-6)  # cents
    # The level does not depend on the rate, but each large buyer weighs many rows.
    assert np.median(amounts) == pytest.approx(45.0, rel=0.05)
    means = (
        purchases.append_column("log", pc.ln(purchases["amount"]))
        .group_by("customer_id")
        .aggregate([("log", "mean"), ("log", "count")])
        .filter(pc.field("log_count") >= 30)
    )
    spread = float(np.std(means["log_mean"].to_numpy()))
    assert spread == pytest.approx(0.45, rel=0.1)


def test_refunds_pay_back_an_earlier_order_of_the_same_customer(orders):
    refund = orders.filter(pc.less(orders["amount"], 0))
    bought = orders.filter(pc.greater(orders["amount"], 0))
    paid = {}
    columns = (bought[name].to_pylist() for name in ("customer_id", "ordered_at", "amount"))
    for customer, at, amount in zip(*columns, strict=True):
        paid.setdefault(customer, []).append((at, amount))
    columns = (refund[name].to_pylist() for name in ("customer_id", "ordered_at", "amount"))
    for customer, at, amount in list(zip(*columns, strict=True))[:300]:
        assert any(
            at - day >= timedelta(days=3) and (price == -amount or abs(price + 2 * amount) < 0.02)
            for day, price in paid[customer]
        )


def test_november_and_december_are_the_peak(orders):
    months = pc.month(orders["ordered_at"])
    shares = np.bincount(months.to_numpy(), minlength=13)[1:] / orders.num_rows * 12
    assert shares[11] > shares[10] > 1.3
    assert shares[11] > 1.6
    assert shares[1] < 0.8


def test_weekdays_follow_their_factors():
    # Years without growth or peaks would be cleaner; the guests' level rate is the next best.
    shop = Shop(guest_share=0.9, yearly_growth=0.0)
    table = generated_orders(10_000, shop=shop).read_all()
    guests = table.filter(pc.is_null(table["customer_id"]))
    weekdays = np.bincount(pc.day_of_week(guests["ordered_at"]).to_numpy(), minlength=7)
    expected = np.asarray(WEEKDAY_FACTORS) / sum(WEEKDAY_FACTORS)
    assert weekdays / weekdays.sum() == pytest.approx(expected, rel=0.04)


def test_nights_are_quiet(orders):
    hours = np.bincount(pc.hour(orders["ordered_at"]).to_numpy(), minlength=24)
    assert hours[3] < hours[20] / 20


def test_registrations_grow(customers):
    years = np.bincount(pc.year(customers["registered_at"]).to_numpy() - 2021, minlength=5)
    growth = years[1:] / years[:-1]
    assert growth == pytest.approx(np.full(4, 1.25), rel=0.08)


def test_blocks_bound_what_is_held(monkeypatch):
    monkeypatch.setattr(module, "CUSTOMERS_PER_BLOCK", 1_000)
    orders = generated_orders(2_500).read_all()
    assert np.array_equal(orders["order_id"].to_numpy(), np.arange(1, orders.num_rows + 1))
    ids = pc.unique(orders["customer_id"].drop_null()).to_numpy()
    assert ids.min() >= 1
    assert ids.max() <= 2_500
    per_block = [np.sum((ids > low) & (ids <= low + 1_000)) for low in (0, 1_000, 2_000)]
    assert per_block[0] > 850
    assert per_block[1] > 850
    assert 400 < per_block[2] <= 500
    customers = generated_customers(2_500).read_all()
    assert customers["customer_id"].to_pylist() == list(range(1, 2_501))


@pytest.mark.parametrize("customers", [0, 1, 2, 17])
def test_small_shops(customers):
    table = generated_orders(customers).read_all()
    assert table.schema == module.ORDERS_SCHEMA
    assert generated_customers(customers).read_all().num_rows == customers
    assert customers or not table.num_rows


def test_a_shop_open_for_a_day():
    day = date(2024, 2, 29)
    table = generated_orders(500, shop=Shop(first_day=day, last_day=day)).read_all()
    assert pc.unique(table["ordered_at"].cast(pa.date32())).to_pylist() == [day]


def test_clock_passes_every_day_and_stays_inside():
    clock = season_clock(date(2023, 1, 1), date(2023, 12, 31))
    at = clock.seconds(np.linspace(0.0, clock.years, 100_001))
    assert at[0] == 0
    assert at[-1] == 365 * 86_400 - 1
    assert np.all(np.diff(at) >= 0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: generated_orders(-1),
        lambda: generated_orders(1, seed=-1),
        lambda: generated_customers(-1),
        lambda: Shop(orders_per_customer=0.5),
        lambda: Shop(orders_per_customer=float("nan")),
        lambda: Shop(first_day=date(2024, 1, 2), last_day=date(2024, 1, 1)),
    ],
)
def test_what_cannot_be_generated_is_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()
