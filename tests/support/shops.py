"""Order tables of a made-up shop, with everything that a cluster could get wrong."""

from datetime import date
from random import Random

import pyarrow as pa

import ordercycle as oc

AS_OF = date(2025, 6, 30)
COLUMNS = oc.Columns(order="order_id")


IDS, MONEY, TIMES = pa.int64(), pa.float64(), pa.timestamp("us", "UTC")


def tables(
    customer: pa.DataType = IDS,
    amount: pa.DataType = MONEY,
    time: pa.DataType = TIMES,
    rows: int = 3_000,
    people: int = 250,
) -> tuple[pa.Table, pa.Table]:
    """Return orders and customers: lines of orders, refunds, ties, guests, and one heavy buyer."""
    random = Random(5)  # noqa: S311 - the same shop each time, not a secret
    first = 1_700_000_000
    names = [random.getrandbits(60) for _ in range(people)]
    orders = []
    for row in range(rows):
        name = names[0] if random.random() < 0.3 else random.choice(names[: people - 40])
        second = first + random.randrange(0, 500 * 86_400)
        cents = random.randrange(100, 20_000) * (-1 if random.random() < 0.05 else 1)
        guest = random.random() < 0.02
        orders.append((None if guest else name, second, cents, row // 2))
    registered = [first + random.randrange(0, 400 * 86_400) for _ in names]
    shown = registered[: people // 2] + [None] * (people - people // 2)
    return (
        pa.table(
            {
                "customer_id": _ids([row[0] for row in orders], customer),
                "ordered_at": _times([row[1] for row in orders], time),
                "amount": _amounts([row[2] for row in orders], amount),
                "order_id": pa.array([f"o{row[3]}" for row in orders]),
                "note": pa.array(["not read"] * rows),
            }
        ),
        pa.table(
            {"customer_id": _ids(names, customer), "registered_at": _times(shown, time)}
        ).slice(0, people - 20),
    )


def _ids(values: list, kind: pa.DataType) -> pa.Array:
    if pa.types.is_integer(kind):
        return pa.array(values, kind)
    texts = [None if value is None else f"customer-{value:x}" for value in values]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array(texts).cast(pa.binary()).cast(kind)
    if pa.types.is_dictionary(kind):
        return pa.array(texts).dictionary_encode().cast(kind)
    return pa.array(texts, kind)


def _times(seconds: list, kind: pa.DataType) -> pa.Array:
    if pa.types.is_date32(kind):
        return (
            pa.array([None if one is None else one // 86_400 for one in seconds])
            .cast(pa.int32())
            .cast(kind)
        )
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    return pa.array([None if one is None else one * per_second for one in seconds]).cast(kind)


def _amounts(cents: list, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array(cents, pa.int64()).cast(pa.decimal128(21, 2)).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array([cent / 100 for cent in cents], kind)
    return pa.array(cents, kind)


def sorted_rows(table: pa.Table) -> pa.Table:
    """Return a table by customer, in one chunk, without what the engines do not keep."""
    fields = [pa.field(field.name, field.type) for field in table.schema]
    plain = pa.table(
        [table.column(place).combine_chunks() for place in range(table.num_columns)],
        schema=pa.schema(fields),
    )
    return plain.sort_by("customer_id").combine_chunks()


def assert_same_bits(found: pa.Table, expected: pa.Table) -> None:
    """Compare columns by their bytes: minus zero is not zero, and no float is nearly another."""
    left, right = sorted_rows(found), sorted_rows(expected)
    assert left.schema == right.schema
    assert left.num_rows == right.num_rows
    for name in left.column_names:
        one, other = left[name], right[name]
        if pa.types.is_float64(one.type):
            one, other = (
                pa.chunked_array([_bits(chunk) for chunk in column.chunks], pa.int64())
                for column in (one, other)
            )
        assert one.equals(other), name


def _bits(array: pa.Array) -> pa.Array:
    array = array.fill_null(-1.25)  # which no float of a profile is: they count days or money
    return pa.Array.from_buffers(
        pa.int64(), len(array), [None, array.buffers()[1]], offset=array.offset
    )
