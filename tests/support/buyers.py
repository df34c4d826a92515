"""Customers who order at rates of their own until they leave, as models of value take them."""

from datetime import date, timedelta
from random import Random

import pyarrow as pa

import ordercycle as oc

FIRST = date(2024, 1, 1)
AS_OF = date(2025, 12, 31)


def orders(
    people: int = 400, *, seed: int = 7, until: date = AS_OF, kind: pa.DataType | None = None
) -> pa.Table:
    """Return orders of customers with gamma rates, beta dropouts, and gamma spends."""
    random = Random(seed)  # noqa: S311 - the same shop each time, not a secret
    rows = []
    for person in range(people):
        day = random.randrange(300)
        rate, leaving = random.gammavariate(1.2, 1 / 60), random.betavariate(1.0, 4.0)
        level = random.gammavariate(4.0, 10.0)
        while FIRST + timedelta(day) <= until:
            cents = max(100, int(100 * random.gammavariate(3.0, level / 3)))
            rows.append((person, FIRST + timedelta(day), cents))
            if random.random() < leaving:
                break
            day += 1 + int(random.expovariate(rate))
    cents = pa.array([row[2] for row in rows], pa.int64())
    money = cents.cast(pa.decimal128(21, 2)) if kind is None else cents.cast(kind)
    return pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows]),
            "ordered_at": pa.array([row[1] for row in rows], pa.date32()),
            "amount": money,
        }
    )


def history(people: int = 400, **options) -> oc.OrderHistory:
    return oc.OrderHistory.build(orders(people, **options), threads=1)
