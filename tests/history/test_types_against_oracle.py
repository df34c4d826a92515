"""Every type of id, time and amount, and every foreign frame, against the oracle."""

import uuid
from datetime import date
from random import Random

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.compare import differences
from oracle.history import Policies
from oracle.profile import profile as oracle_profile
from support.against_oracle import (
    NAMES,
    build,
    check,
    customer_table,
    examples,
    oracle_of,
    profile_rows,
)
from support.layouts import Layout
from support.strategies import (
    AMOUNT_TYPES,
    CUSTOMER_KINDS,
    ORDER_KINDS,
    TIME_TYPES,
    Case,
    RawRow,
    Types,
    cases,
    exact_decimal,
    layouts,
    order_columns,
)

import ordercycle as oc

# Every type by itself, so that none depends on the luck of the draw above.
USUAL = Types(pa.int64(), pa.timestamp("us"), pa.float64(), None, pa.date32())


def replaced(**kinds: pa.DataType) -> st.SearchStrategy[Types]:
    """Return the usual types but for some."""
    return st.just(Types(**{**USUAL.__dict__, **kinds}))


@pytest.mark.parametrize("kind", CUSTOMER_KINDS, ids=str)
@examples(8)
@given(data=st.data(), layout=layouts())
def test_every_customer_id_type(kind, data, layout):
    check_drawn(replaced(customer=kind), data, layout)


@pytest.mark.parametrize("kind", TIME_TYPES, ids=str)
@examples(8)
@given(data=st.data(), layout=layouts())
def test_every_time_type(kind, data, layout):
    check_drawn(replaced(time=kind, registered=kind), data, layout)


@pytest.mark.parametrize("kind", AMOUNT_TYPES, ids=str)
@examples(8)
@given(data=st.data(), layout=layouts())
def test_every_amount_type(kind, data, layout):
    check_drawn(replaced(amount=kind), data, layout)


@pytest.mark.parametrize("kind", ORDER_KINDS, ids=str)
@examples(8)
@given(data=st.data(), layout=layouts())
def test_every_order_id_type(kind, data, layout):
    check_drawn(
        replaced(order=kind, customer=pa.string(), amount=pa.decimal128(10, 2)), data, layout
    )


def check_drawn(types: st.SearchStrategy[Types], data: st.DataObject, layout: Layout) -> None:
    """Check a case of given types."""
    case = data.draw(cases(types))
    orders = layout.table(order_columns(case, NAMES))
    check(case, orders, customer_table(case, layout, NAMES))


def frame_case() -> tuple[Case, pa.Table]:
    """Return one table with ties, refunds, nulls and order lines, for foreign frames."""
    random = Random(7)  # noqa: S311
    names = ["ann", "bob", "a customer with a long name", "\u00e9mile", None]
    rows = [
        RawRow(
            random.choice(names),
            random.randint(1_700_000_000_000_000, 1_740_000_000_000_000),
            random.randint(-400, 4_000) / 4,
            f"order {random.randint(1, 40)}",
        )
        for _ in range(100)
    ]
    types = Types(pa.string(), pa.timestamp("us"), pa.float64(), pa.string(), pa.date32())
    case = Case(types, rows, None, Policies(collapse=True), date(2025, 3, 1), None)
    return case, Layout(0).table(order_columns(case, NAMES))


def check_frame(orders: object) -> None:
    """Compare a foreign frame of the rows above with the oracle; its types are its own."""
    case, _ = frame_case()
    expected = oracle_of(case)
    history = build(case, orders, None, NAMES, 2)
    rows = profile_rows(history.profile(case.as_of))
    assert differences(rows, oracle_profile(expected, case.as_of), expected) == []


def test_a_pandas_frame():
    check_frame(frame_case()[1].to_pandas())


def test_a_polars_frame():
    check_frame(pl.from_arrow(frame_case()[1]))


def test_a_duckdb_relation():
    with duckdb.connect() as connection:
        check_frame(connection.from_arrow(frame_case()[1]))


def test_a_table_of_many_partitions(monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 10_000)
    random = Random(11)  # noqa: S311
    rows = [
        RawRow(
            # Half of the rows are those of two hundred customers, the rest of one in five orders.
            random.randint(0, 200) if random.random() < 0.5 else random.randint(0, 6_000),
            random.randint(18_000 * 86_400, 19_500 * 86_400),
            exact_decimal(random.randint(-2_000, 20_000), 2),
        )
        for _ in range(30_000)
    ]
    types = Types(pa.int64(), pa.timestamp("s", "UTC"), pa.decimal128(10, 2), None, pa.date32())
    policies = Policies(timezone="America/New_York", times_without_zone="local")
    case = Case(types, rows, None, policies, date(2023, 5, 1), None)
    check(case, Layout(3).table(order_columns(case, NAMES)), None, threads=2)


@pytest.mark.parametrize("lines", [1, 2, 7])
@pytest.mark.parametrize("kind", ORDER_KINDS, ids=str)
def test_many_order_ids_of_every_type(kind, lines):
    random = Random(13)  # noqa: S311
    numbers = [number for number in range(1_200) for _ in range(lines)]
    ids = many_ids(kind, 1_200)
    rows = [
        RawRow(number % 11, 19_000 + random.randint(0, 400), random.randint(-5, 50), ids[number])
        for number in numbers
    ]
    random.shuffle(rows)
    types = Types(pa.int64(), pa.date32(), pa.int64(), kind, pa.date32())
    case = Case(types, rows, None, Policies(collapse=True), date(2023, 1, 1), None)
    check(case, Layout(17).table(order_columns(case, NAMES)), None, threads=2)


@pytest.mark.parametrize("kind", CUSTOMER_KINDS, ids=str)
def test_many_customers_of_every_type(kind):
    random = Random(19)  # noqa: S311
    if pa.types.is_integer(kind) and kind.bit_width == 8:
        ids = many_ids(kind, 100)
    elif kind == pa.dictionary(pa.int8(), pa.string()):
        ids = many_ids(kind, 60)
    else:
        ids = many_ids(kind, 1_200)
    rows = [
        RawRow(random.choice(ids), 19_000 + random.randint(0, 400), random.randint(-5, 50))
        for _ in range(3_600)
    ]
    types = Types(kind, pa.date32(), pa.int64(), None, pa.date32())
    listed = [(name, 19_100) for name in ids[::2]]
    case = Case(types, rows, listed, Policies(), date(2023, 1, 1), None)
    orders = Layout(23).table(order_columns(case, NAMES))
    check(case, orders, customer_table(case, Layout(29), NAMES), threads=2)


def many_ids(kind: pa.DataType, count: int) -> list:
    """Return that many distinct ids."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        return list(range(count))
    if isinstance(kind, pa.UuidType):
        return [uuid.UUID(int=number << 60) for number in range(count)]
    if kind == pa.binary(16):
        return [number.to_bytes(16, "little") for number in range(count)]
    if kind == pa.binary():
        return [b"\0" * (number % 5) + b"%d" % number for number in range(count)]
    return [f"{'long ' * (number % 5)}{number}" for number in range(count)]


def test_policies_on_unlisted_customers_need_a_list():
    orders = frame_case()[1]
    for unknown in ("drop", "error"):
        with pytest.raises(oc.ConfigError, match="unknown"):
            oc.OrderHistory.build(orders, unknown=unknown)
