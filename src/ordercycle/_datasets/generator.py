"""Orders of an imagined shop, as many as you like, in bounded memory.

Each customer registers, may place a first order, buys at a personal rate until dropping out,
and spends around a personal level: a Pareto/NBD population with seasons, refunds and guests.
Every parameter is a plausible value of ours, not an estimate from a data set: good for trying
things out and for measuring speed, not for conclusions about real customers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import numpy as np
import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._datasets.planted_touches import Planted, with_refunds
from ordercycle._datasets.season import SeasonClock, season_clock
from ordercycle._datasets.shop import Shop
from ordercycle._datasets.touches import Generated
from ordercycle._errors import ConfigError, counted
from ordercycle._public import public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ORDERS_SCHEMA = pa.schema(
    [
        pa.field("order_id", pa.int64(), nullable=False),
        pa.field("customer_id", pa.int64()),
        pa.field("ordered_at", pa.timestamp("us"), nullable=False),
        pa.field("amount", pa.float64(), nullable=False),
    ]
)
CUSTOMERS_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.int64(), nullable=False),
        pa.field("registered_at", pa.timestamp("us"), nullable=False),
    ]
)

CUSTOMERS_PER_BLOCK = 1 << 20  # what is held at a time: about 60 MB, however many customers
SLICES_PER_YEAR = 12  # one record batch each; a block's orders come out ordered by time
GUEST = 0  # stands for "no customer" until the ids become an Arrow column
DAYS_PER_YEAR = 365.25
MICROSECONDS = 1_000_000
SECONDS_PER_DAY = 86_400


class _Population(NamedTuple):
    """One block of customers, in the order of registration; times in years of business time.

    Every field has one value per customer: shape (c,).
    """

    registered: NDArray[np.float64]  # ascending
    first_order: NDArray[np.float64]  # the clock's end or later: has not ordered
    dropout: NDArray[np.float64]  # not beyond the clock's end
    rate: NDArray[np.float64]  # orders per year after the first one
    log_basket: NDArray[np.float64]  # logarithm of the customer's median amount


class _Rows(NamedTuple):
    """Order rows: customer id (0: guest), seconds since the first midnight, amount."""

    customer: NDArray[np.int64]
    seconds: NDArray[np.int64]
    amount: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> _Rows:
        return _Rows(self.customer[rows], self.seconds[rows], self.amount[rows])

    @staticmethod
    def concatenate(first: _Rows, second: _Rows) -> _Rows:
        return _Rows(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


NO_ROWS = _Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


@overload
def generated(
    customers: int = ..., *, seed: int = ..., shop: Shop | None = ..., touches: Literal[False] = ...
) -> Generated: ...


@overload
def generated(
    customers: int = ..., *, seed: int = ..., shop: Shop | None = ..., touches: Literal[True]
) -> Planted: ...


@public("ordercycle.datasets")
def generated(
    customers: int = 10_000, *, seed: int = 7, shop: Shop | None = None, touches: bool = False
) -> Generated:
    """Return the orders and customers of an imagined shop, which sends messages too.

    Parameters
    ----------
    customers
        Registered customers, including those who never order.
    seed
        Same seed, same rows.
    shop
        Assumptions; by default ``Shop()``: five years, ten orders a customer.
    touches
        Whether touches bring orders: of which it is known then which order each of them brought,
        and refunds name their orders (`Planted`).

    Returns
    -------
    Generated
        `orders` is a table of ``order_id: int64``, ``customer_id: int64`` (null for guests),
        ``ordered_at: timestamp[us]`` (local) and ``amount: float64`` (refunds are negative);
        `customers` one of ``customer_id: int64`` and ``registered_at: timestamp[us]``.
        Both are in memory, about 320 bytes a customer. `touches` generates messages to them,
        `campaigns` what is known of each campaign.

    Raises
    ------
    ConfigError
        If `customers` or `seed` is negative.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.generated(customers=1_000, seed=1)
    >>> data
    Dataset generated, as of 2025-12-31: 10,626 order rows of 1,000 customers of an imagined shop
      orders, customers, columns
      touches(), campaigns()
      Generated with seed 1: plausible, not real
    >>> data.orders.column_names, data.customers.num_rows
    (['order_id', 'customer_id', 'ordered_at', 'amount'], 1000)
    """
    shop = shop or Shop()
    columns = Columns(order="order_id")
    kind = Generated
    if touches:
        kind, columns = Planted, Columns(order="order_id", refund_of="refund_of", instants=True)
        without = generated_orders(customers, seed=seed, shop=replace(shop, refund_share=0.0))
        end = int(np.datetime64(shop.last_day, "s").astype(np.int64)) + SECONDS_PER_DAY
        orders = with_refunds(without.read_all(), shop.refund_share, seed, end)
    else:
        orders = generated_orders(customers, seed=seed, shop=shop).read_all()
    return kind(
        name="generated",
        about=f"{counted(orders.num_rows, 'order row')} of {counted(customers, 'customer')} of an "
        "imagined shop",
        source=f"Generated with seed {seed}: plausible, not real",
        orders=orders,
        customers=generated_customers(customers, seed=seed, shop=shop).read_all(),
        columns=columns,
        as_of=shop.last_day,
        seed=seed,
        shop=shop,
    )


def generated_orders(
    customers: int, *, seed: int = 7, shop: Shop | None = None
) -> pa.RecordBatchReader:
    """Generate an order table.

    Memory stays bounded: at most about a million customers are held at a time, and their
    orders leave month by month. Within such a block rows are ordered by time.

    Parameters
    ----------
    customers
        Registered customers, including those who never order.
    seed
        Same seed, same rows.
    shop
        Assumptions; by default ``Shop()``.

    Returns
    -------
    pyarrow.RecordBatchReader
        ``order_id: int64`` (ascending, unique), ``customer_id: int64`` (null for guests),
        ``ordered_at: timestamp[us]`` (local, whole seconds), ``amount: float64`` (cents;
        refunds are negative and carry an order id of their own).

    Raises
    ------
    ConfigError
        If `customers` or `seed` is negative.

    Examples
    --------
    >>> orders = generated_orders(1_000).read_all()
    >>> orders.column_names
    ['order_id', 'customer_id', 'ordered_at', 'amount']
    >>> orders.equals(generated_orders(1_000).read_all())
    True
    """
    _check(customers, seed)
    batches = _order_batches(customers, seed, shop or Shop())
    return pa.RecordBatchReader.from_batches(ORDERS_SCHEMA, batches)


def generated_customers(
    customers: int, *, seed: int = 7, shop: Shop | None = None
) -> pa.RecordBatchReader:
    """Generate the customer table that belongs to `generated_orders` with the same arguments.

    Parameters
    ----------
    customers, seed, shop
        As for `generated_orders`.

    Returns
    -------
    pyarrow.RecordBatchReader
        ``customer_id: int64`` (1, 2, …) and ``registered_at: timestamp[us]``, one row per
        customer; some never ordered.

    Examples
    --------
    >>> generated_customers(1_000).read_all().num_rows
    1000
    """
    _check(customers, seed)
    batches = _customer_batches(customers, seed, shop or Shop())
    return pa.RecordBatchReader.from_batches(CUSTOMERS_SCHEMA, batches)


def _check(customers: int, seed: int) -> None:
    if customers < 0:
        raise ConfigError(f"customers is {customers}", remedy="it must be 0 or more")
    if seed < 0:
        raise ConfigError(f"seed is {seed}", remedy="it must be 0 or more")


def _random(seed: int, block: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([seed, block, stream]))


def _blocks(customers: int) -> Iterator[tuple[int, int, int]]:
    """Yield (block number, customers before it, customers in it)."""
    for block, before in enumerate(range(0, customers, CUSTOMERS_PER_BLOCK)):
        yield block, before, min(CUSTOMERS_PER_BLOCK, customers - before)


def _customer_batches(customers: int, seed: int, shop: Shop) -> Iterator[pa.RecordBatch]:
    clock = season_clock(shop.first_day, shop.last_day)
    for block, before, size in _blocks(customers):
        population = _population(_random(seed, block, 0), size, shop, clock)
        ids = np.arange(before + 1, before + 1 + size)
        registered_at = _timestamps(clock.seconds(population.registered), shop)
        yield pa.record_batch([pa.array(ids), registered_at], schema=CUSTOMERS_SCHEMA)


def _order_batches(customers: int, seed: int, shop: Shop) -> Iterator[pa.RecordBatch]:
    clock = season_clock(shop.first_day, shop.last_day)
    rows_before = 0
    for block, before, size in _blocks(customers):
        population = _population(_random(seed, block, 0), size, shop, clock)
        for rows in _block_rows(_random(seed, block, 1), population, shop, clock):
            order_ids = np.arange(rows_before + 1, rows_before + 1 + rows.customer.size)
            rows_before += rows.customer.size
            guests = rows.customer == GUEST
            customer_ids = pa.array(rows.customer + before, mask=guests)
            columns = [order_ids, customer_ids, _timestamps(rows.seconds, shop), rows.amount]
            yield pa.record_batch(columns, schema=ORDERS_SCHEMA)


def _population(
    random: np.random.Generator, size: int, shop: Shop, clock: SeasonClock
) -> _Population:
    # Running sums of exponential spacings are sorted uniform numbers: no sort needed.
    sums = np.cumsum(random.standard_exponential(size + 1))
    uniform = sums[:-1] / sums[-1]
    growth = math.log1p(shop.yearly_growth)
    registered = clock.years * uniform
    if growth:
        registered = np.log1p(uniform * math.expm1(growth * clock.years)) / growth

    hesitates = random.random(size) >= shop.first_order_at_registration
    hesitation = random.standard_exponential(size) * (shop.days_to_first_order / DAYS_PER_YEAR)
    first_order = registered + np.where(hesitates, hesitation, 0.0)
    first_order[random.random(size) < shop.never_order_share] = np.inf

    dropout_rate = random.standard_gamma(shop.dropout_shape, size) / shop.dropout_scale_years
    lifetime = random.standard_exponential(size) / np.maximum(dropout_rate, 1e-12)
    dropout = np.minimum(first_order + lifetime, clock.years)

    # Rates are scaled so that the block's expected orders are what the shop promises.
    rate = random.standard_gamma(shop.rate_shape, size)
    ordered = first_order < clock.years
    exposure = float((rate * np.where(ordered, dropout - first_order, 0.0)).sum())
    repeat_orders = max(0.0, size * shop.orders_per_customer - int(ordered.sum()))
    rate *= repeat_orders / exposure if exposure else 0.0

    spread = random.standard_normal(size) * shop.basket_spread_between
    return _Population(
        registered, first_order, dropout, rate, spread + math.log(shop.basket_median)
    )


def _block_rows(
    random: np.random.Generator, population: _Population, shop: Shop, clock: SeasonClock
) -> Iterator[_Rows]:
    """Yield the rows of one block, month by month, each ordered by time."""
    arrival = np.argsort(population.first_order)
    arrivals = population.first_order[arrival]
    slices = max(1, round(clock.years * SLICES_PER_YEAR))
    edges = np.linspace(0.0, clock.years, slices + 1)
    new_from = np.searchsorted(arrivals, edges)
    active = np.empty(0, np.int64)
    waiting = NO_ROWS  # refunds of later slices
    for number in range(slices):
        start, stop = edges[number], edges[number + 1]
        new = arrival[new_from[number] : new_from[number + 1]]
        active = np.concatenate((active[population.dropout[active] > start], new))
        bought = _slice_orders(random, population, shop, (active, new), (start, stop))
        rows = _priced(random, population, shop, clock, bought)
        waiting = _Rows.concatenate(waiting, _refunds(random, rows, shop))
        due = waiting.seconds < clock.seconds(np.array([stop]))[0]
        rows = _Rows.concatenate(rows, waiting.take(due))
        waiting = waiting.take(~due)
        yield rows.take(_by_time(rows.seconds))


def _by_time(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    # One sort of (second, row) packed in an integer takes a third of a stable argsort's time.
    packed = (seconds << 32) | np.arange(seconds.size)
    packed.sort()
    rows: NDArray[np.int64] = packed & 0xFFFFFFFF
    return rows


def _slice_orders(
    random: np.random.Generator,
    population: _Population,
    shop: Shop,
    customers: tuple[NDArray[np.int64], NDArray[np.int64]],
    period: tuple[float, float],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return customer (-1: guest) and business time of a slice's orders, without refunds."""
    active, new = customers
    begin = np.maximum(population.first_order[active], period[0])
    span = np.minimum(population.dropout[active], period[1]) - begin
    counts = random.poisson(population.rate[active] * span)
    again = np.repeat(active, counts)
    again_at = np.repeat(begin, counts) + np.repeat(span, counts) * random.random(again.size)
    known = again.size + new.size
    guests = random.poisson(known * shop.guest_share / (1.0 - shop.guest_share))
    guests_at = period[0] + (period[1] - period[0]) * random.random(guests)
    customer = np.concatenate((new, again, np.full(guests, -1)))
    return customer, np.concatenate((population.first_order[new], again_at, guests_at))


def _priced(
    random: np.random.Generator,
    population: _Population,
    shop: Shop,
    clock: SeasonClock,
    bought: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> _Rows:
    customer, at = bought
    level = np.where(customer < 0, math.log(shop.basket_median), population.log_basket[customer])
    noise = random.standard_normal(customer.size) * shop.basket_spread_within
    amount = np.rint(np.exp(level + noise) * 100.0) / 100.0
    return _Rows(customer + 1, clock.seconds(at), amount)


def _refunds(random: np.random.Generator, rows: _Rows, shop: Shop) -> _Rows:
    chosen = rows.take(random.random(rows.customer.size) < shop.refund_share)
    days = 3.0 + shop.refund_days * random.standard_exponential(chosen.customer.size)
    whole = random.random(chosen.customer.size) < shop.whole_refund_share
    share = np.where(whole, 1.0, 0.5)
    seconds = chosen.seconds + (days * SECONDS_PER_DAY).astype(np.int64)
    return _Rows(chosen.customer, seconds, -np.rint(chosen.amount * share * 100.0) / 100.0)


def _timestamps(seconds: NDArray[np.int64], shop: Shop) -> pa.Array:
    epoch_seconds = int(np.datetime64(shop.first_day, "s").astype(np.int64))
    return pa.array((seconds + epoch_seconds) * MICROSECONDS).view(pa.timestamp("us"))
