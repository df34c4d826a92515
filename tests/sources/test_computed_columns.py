"""Columns that are expressions, rows that count, and ids that mean nobody, in every source."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.layouts import Layout
from support.sources import IN_MEMORY, ON_DISK
from support.strategies import layouts

import ordercycle as oc

DAY = dt.date(2026, 1, 1)
AS_OF = "2026-12-31"
KINDS = {
    "mail": pa.string(),
    "day": pa.date32(),
    "price": pa.decimal128(12, 2),
    "quantity": pa.int32(),
    "discount": pa.decimal128(4, 2),
    "status": pa.string(),
    "order_no": pa.int64(),
}
COLUMNS = oc.Columns(
    customer="lower(trim(mail))", time="day", amount="price * quantity * (1 - discount)"
)
OPTIONS = {"columns": COLUMNS, "only": "status in ('paid', 'shipped')", "nobody": ["guest"]}

drawn_rows = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "ann ", "ANN", "bob", " Guest", None]),
        st.integers(0, 90).map(lambda days: DAY + dt.timedelta(days)),
        st.decimals(0, 100, places=2),
        st.integers(-3, 9),
        st.decimals(0, 1, places=2),
        st.sampled_from(["paid", "shipped", "cancelled", None]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=30,
)


def columns_of(rows):
    epoch = dt.date(1970, 1, 1)
    found = {name: (list(column), kind) for (name, kind), column in
             zip(KINDS.items(), zip(*rows, strict=True), strict=True)}  # fmt: skip
    found["day"] = ([(day - epoch).days for day in found["day"][0]], KINDS["day"])
    return found


def table_of(rows):
    return Layout(0).table(columns_of(rows))


def expected_of(rows):
    """Return revenue and orders by customer, and the counts, in plain Python."""
    found = defaultdict(lambda: [Decimal(0), 0])
    left_out = anonymous = nobody = 0
    for mail, _, price, quantity, discount, status, _ in rows:
        customer = None if mail is None else mail.strip().lower()
        if status not in ("paid", "shipped"):
            left_out += 1
        elif customer is None:
            anonymous += 1
        elif customer == "guest":
            nobody += 1
        else:
            amount = price * quantity * (1 - discount)
            found[customer][0] += amount
            found[customer][1] += amount >= 0
    return dict(found), (len(rows), left_out, anonymous, nobody)


def check(history, rows):
    expected, counts = expected_of(rows)
    summary = history.summary()
    assert (summary.rows, summary.left_out, summary.anonymous, summary.nobody) == counts
    found = {
        row["customer_id"]: [row["revenue"], row["orders"]]
        for row in history.profile(AS_OF).to_pylist()
    }
    assert found == expected


@given(drawn_rows, layouts(), st.sampled_from(list(IN_MEMORY)))
@settings(max_examples=150, deadline=None)
def test_columns_are_computed_in_memory(rows, layout, kind):
    source = IN_MEMORY[kind](layout, columns_of(rows))
    check(oc.OrderHistory.build(source, **OPTIONS), rows)


ROWS = [
    (["Ann", "ann ", " Guest", "bob", None, "ANN"][number % 6], DAY + dt.timedelta(number),
     Decimal(number * 7 % 50).scaleb(-1).quantize(Decimal("0.01")), number % 5 - 1, Decimal("0.15"),
     ["paid", "shipped", "cancelled", None][number % 4], number % 3)
    for number in range(60)
]  # fmt: skip


@pytest.mark.parametrize("kind", ON_DISK)
@pytest.mark.parametrize("memory_limit", [None, "200MB"])
def test_columns_are_computed_of_files(tmp_path, kind, memory_limit):
    source = ON_DISK[kind](table_of(ROWS), tmp_path)
    check(oc.OrderHistory.build(source, **OPTIONS, memory_limit=memory_limit), ROWS)


@pytest.mark.parametrize("frame", ["pandas", "polars", "duckdb"])
def test_columns_are_computed_of_frames(frame):
    table = table_of(ROWS)
    if frame == "pandas":
        pandas = pytest.importorskip("pandas")
        source = table.to_pandas(types_mapper=pandas.ArrowDtype)
    else:
        source = pl.from_arrow(table) if frame == "polars" else duckdb.from_arrow(table)
    check(oc.OrderHistory.build(source, **OPTIONS), ROWS)


def test_a_saved_history_computes_what_is_appended(tmp_path):
    whole = oc.OrderHistory.build(table_of(ROWS), **OPTIONS)
    oc.OrderHistory.build(table_of(ROWS[:30]), **OPTIONS).save(tmp_path / "history")
    history = oc.OrderHistory.open(tmp_path / "history").append(table_of(ROWS[30:]))
    assert history.profile(AS_OF).equals(whole.profile(AS_OF))
    check(history, ROWS)


def test_expressions_of_pyarrow_and_text_are_the_same():
    field = pc.field
    given = oc.Columns(
        customer=pc.utf8_lower(pc.utf8_trim_whitespace(field("mail"))),
        time="day",
        amount=field("price") * field("quantity") * (pc.scalar(1) - field("discount")),
    )
    only = field("status").isin(["paid", "shipped"])
    check(oc.OrderHistory.build(table_of(ROWS), columns=given, only=only, nobody=["guest"]), ROWS)


def test_expressions_beyond_the_language_are_computed():
    columns = oc.Columns(
        customer=pc.utf8_slice_codeunits(pc.utf8_lower(pc.field("mail")), 0, 1), time="day",
        amount=pc.coalesce(pc.field("price"), pc.scalar(Decimal("0.00"))),
    )  # fmt: skip
    only = pc.starts_with(pc.field("mail"), "b")
    history = oc.OrderHistory.build(table_of(ROWS), columns=columns, only=only)
    assert history.profile(AS_OF)["customer_id"].to_pylist() == ["b"]
    with pytest.raises(oc.ColumnError, match="names 'male'"):
        oc.OrderHistory.build(
            table_of(ROWS),
            columns=oc.Columns(
                customer=pc.utf8_reverse(pc.field("male")), time="day", amount="price"
            ),
        )


def test_a_column_of_that_name_comes_before_the_expression():
    table = pa.table({"customer_id": [1], "ordered_at": [DAY], "q * p": [7], "q": [2], "p": [3]})
    history = oc.OrderHistory.build(table, columns=oc.Columns(amount="q * p"))
    assert history.profile(AS_OF)["revenue"].to_pylist() == [7]


SMALL = pa.table(
    {"customer_id": [1, 2, 3], "ordered_at": [DAY] * 3, "amount": [1, 2, 3], "q": [1, 2**62, 1],
     "status": ["paid", "lost", None], "note": ["1", "x", "2"]}
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"columns": oc.Columns(amount="q * prize")}, oc.ColumnError, "it names 'prize'"),
        ({"columns": oc.Columns(amount="qq * amoun")}, oc.ColumnError,
         "'amoun' (did you mean 'amount'?), which are not there"),
        ({"columns": oc.Columns(amount="Order Total")}, oc.ColumnError,
         "has no column 'Order Total'"),
        ({"columns": oc.Columns(amount="12")}, oc.ColumnError, "has no column '12'"),
        ({"columns": oc.Columns(amount="order-total")}, oc.ColumnError, "it names 'order'"),
        ({"columns": oc.Columns(amount="status * 2")}, oc.ColumnError, "status is string"),
        ({"columns": oc.Columns(amount="lower(status)")}, oc.ColumnError, "which is no amount"),
        ({"columns": oc.Columns(time="q + 1")}, oc.ColumnError, "which is no time"),
        ({"only": "state == 'paid'"}, oc.ColumnError, "'state' (did you mean 'status'?)"),
        ({"only": "status"}, oc.ConfigError, "only='status' is string, not true or false"),
        ({"only": "status = 'paid'"}, oc.ConfigError, "write == for equal"),
        ({"only": "status == 7"}, oc.ColumnError, "do not compare"),
        ({"only": pc.field("state") == "paid"}, oc.ColumnError, "'state'"),
        ({"columns": oc.Columns(amount="q * 4")}, oc.DataError, "at row 1: overflow"),
        ({"columns": oc.Columns(amount="integer(note)")}, oc.DataError, "at row 1: "),
        ({"only": "integer(note) > 0"}, oc.DataError, "at row 1: "),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_computed_is_refused(options, error, said):
    with pytest.raises(error) as raised:
        oc.OrderHistory.build(SMALL, **options)
    assert said in str(raised.value)
    if error is oc.DataError:
        assert raised.value.row == 1
        assert raised.value.column is not None


def test_the_row_is_that_of_its_file(tmp_path):
    for name, table in (("a", SMALL.slice(0, 1)), ("b", SMALL.slice(2)), ("c", SMALL)):
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=1)
    with pytest.raises(oc.DataError, match=r"at row 1 of '.*c\.parquet': overflow"):
        oc.OrderHistory.build(tmp_path, columns=oc.Columns(amount="q * 4"))


def test_rows_left_out_are_not_looked_at():
    """Neither what they hold, nor what cannot be computed of it, is an error."""
    far = dt.datetime(2900, 1, 1)  # noqa: DTZ001 - local time
    table = pa.table(
        {
            "customer_id": [1, 1, None, None, 2],
            "ordered_at": pa.array([far, dt.datetime(2026, 1, 2), None, far, far]),  # noqa: DTZ001
            "amount": [float("nan"), 5.0, None, 1.0, 2.0],
            "order_id": [None, "a", None, "b", "c"],
            "q": [2**62, 1, 2**62, 2**62, None],
            "counts": [False, True, None, False, False],
        }
    )
    for columns in (oc.Columns(), oc.Columns(order="order_id"), oc.Columns(amount="q * 4")):
        for refunds in ("net", "drop"):
            history = oc.OrderHistory.build(
                table, columns=columns, only="counts", anonymous="error", refunds=refunds
            )
            assert history.summary().left_out == 4
            assert history.profile(AS_OF)["customer_id"].to_pylist() == [1]
    assert "4 rows left out" in repr(history)


def test_row_numbers_are_those_of_the_source():
    table = pa.table({"customer_id": [1, 2, 3], "ordered_at": [DAY] * 3, "amount": [1.0, 2.0, None],
                      "status": ["lost", "paid", "paid"]})  # fmt: skip
    with pytest.raises(oc.DataError) as raised:
        oc.OrderHistory.build(table, only="status == 'paid'")
    assert raised.value.row == 2


@pytest.mark.parametrize(
    ("ids", "nobody"),
    [
        (pa.array([0, 7, 7], pa.int64()), [0]),
        (pa.array([0, 7, 7], pa.uint8()), ["0", "guest", 300]),
        (pa.array(["0", "7", "7"]), [0]),
        (pa.array(["guest", "7", "7"], pa.string_view()), ["guest"]),
        (pa.array(["guest", "7", "7"]).dictionary_encode(), ["guest"]),
        (pa.array([b"guest", b"7", b"7"]), ["guest"]),
        (pa.array([b"\0" * 16, b"7" * 16, b"7" * 16], pa.uuid()),
         ["00000000-0000-0000-0000-000000000000"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_nobody_is_nobody_in_any_type(ids, nobody):
    orders = pa.table({"customer_id": ids, "ordered_at": [DAY] * 3, "amount": [1, 2, 3]})
    history = oc.OrderHistory.build(orders, nobody=nobody)
    assert (history.summary().customers, history.summary().nobody) == (1, 1)
    assert "1 row of nobody" in repr(history)
    with pytest.raises(oc.DataError, match="customer_id means no customer at row 0"):
        oc.OrderHistory.build(orders, nobody=nobody, anonymous="error")
    listed = pa.table({"customer_id": ids.slice(0, 2), "registered_at": [None, DAY]})
    both = oc.OrderHistory.build(orders, listed, nobody=nobody)
    assert (both.summary().customers, both.summary().nobody) == (1, 2)


def test_nobody_in_sorted_orders():
    """Which are laid out by runs."""
    ids = pa.array([number // 50 for number in range(2000)])
    orders = pa.table({"customer_id": ids, "ordered_at": [DAY] * 2000, "amount": [1] * 2000})
    history = oc.OrderHistory.build(orders, nobody=[3, 7], only="customer_id < 20")
    summary = history.summary()
    assert (summary.customers, summary.nobody, summary.left_out) == (18, 100, 1000)


# Cases from real exports.


def test_quantity_times_price():
    """F2: no column is the amount."""
    table = pa.table({"customer_id": ["a"], "ordered_at": [DAY], "q": [2], "p": [7.5]})
    history = oc.OrderHistory.build(table, columns=oc.Columns(amount="q * p"))
    assert history.profile(AS_OF)["revenue"].to_pylist() == [15.0]
    refunded = pa.table(
        {"customer_id": ["a", "a"], "ordered_at": [DAY] * 2, "Total": [10, 7],
         "Refunded Amount": [3, None]}
    )  # fmt: skip
    amount = "Total - if_null(column('Refunded Amount'), 0)"
    history = oc.OrderHistory.build(refunded, columns=oc.Columns(amount=amount))
    assert history.profile(AS_OF)["revenue"].to_pylist() == [14]


def test_cancelled_orders():
    """F5: rows that should not count."""
    table = pa.table({"customer_id": ["a", "a"], "ordered_at": [DAY] * 2, "amount": [15, 15],
                      "status": ["paid", "cancelled"]})  # fmt: skip
    history = oc.OrderHistory.build(table, only="status == 'paid'")
    assert history.summary().orders == 1
    assert history.summary().left_out == 1


def test_the_customers_table_has_a_name_of_its_own_for_the_id():
    """F10: orders.user_id is customers.id; one may be an expression."""
    orders = pa.table({"user_id": ["A1"], "ordered_at": [DAY], "amount": [1]})
    customers = pa.table({"id": ["a1 ", "b2"], "registered_at": [DAY] * 2})
    columns = oc.Columns(customer="lower(user_id)", listed_customer="trim(id)")
    history = oc.OrderHistory.build(orders, customers, columns=columns, unknown="error")
    assert history.summary().customers == 2


def test_a_shop_of_each_brand():
    """F11: one history for several brands."""
    table = pa.table({"id": [7, 7], "brand": ["x", "y"], "ordered_at": [DAY] * 2, "amount": [1, 2]})
    columns = oc.Columns(customer="text(id) + '|' + brand")
    found = oc.OrderHistory.build(table, columns=columns).profile(AS_OF)["customer_id"].to_pylist()
    assert sorted(found) == ["7|x", "7|y"]


def test_without_amounts():
    """F12: lifecycle and cadence need no money."""
    table = pa.table({"customer_id": [1, 1], "ordered_at": [DAY, DAY + dt.timedelta(30)]})
    history = oc.OrderHistory.build(table, columns=oc.Columns(amount=None))
    assert history.summary().orders == 2


def test_addresses_in_several_spellings_are_one_customer():
    """F13: e-mail as id."""
    table = pa.table({"Email": ["Ann@x.org", "ann@x.org", "ann@x.org "], "ordered_at": [DAY] * 3,
                      "amount": [1, 2, 3]})  # fmt: skip
    history = oc.OrderHistory.build(table, columns=oc.Columns(customer="lower(trim(Email))"))
    assert history.profile(AS_OF)["customer_id"].to_pylist() == ["ann@x.org"]


def test_a_customer_listed_twice_is_said_by_the_tables_own_name():
    orders = pa.table({"user_id": ["a"], "ordered_at": [DAY], "amount": [1]})
    customers = pa.table({"id": ["a", "A"], "registered_at": [DAY] * 2})
    columns = oc.Columns(customer="user_id", listed_customer="lower(id)")
    with pytest.raises(oc.DataError, match=r"customers: lower\(id\) is there a second time"):
        oc.OrderHistory.build(orders, customers, columns=columns)


@pytest.mark.parametrize("threads", [1, 3])
def test_columns_of_many_batches_are_computed_in_their_order(threads, monkeypatch):
    monkeypatch.setattr("ordercycle._sources.computed_columns.PART_ROWS", 7)
    monkeypatch.setattr("ordercycle._sources.computed_columns.BATCH_ROWS", 3)
    history = oc.OrderHistory.build(table_of(ROWS), **OPTIONS, threads=threads)
    check(history, ROWS)
    late = pa.table({"customer_id": range(50), "ordered_at": [DAY] * 50, "amount": [1] * 50,
                     "q": [1] * 40 + [2**62] * 10})  # fmt: skip
    with pytest.raises(oc.DataError) as raised:
        oc.OrderHistory.build(late, columns=oc.Columns(amount="q * 4"), threads=threads)
    assert raised.value.row == 40


@pytest.mark.parametrize("ids", [pa.array([1.5, 2.0]), pa.array([Decimal("1.5"), Decimal("2.0")])])
def test_ids_of_rows_left_out_may_be_none(ids):
    table = pa.table({"customer_id": ids, "ordered_at": [DAY] * 2, "amount": [1, 1]})
    history = oc.OrderHistory.build(table, only="customer_id == 2")
    assert history.profile(AS_OF)["customer_id"].to_pylist() == [2]
    assert history.summary().left_out == 1


FIRST_HOUR = dt.datetime(2026, 3, 1, 22)  # noqa: DTZ001 - in the zone of each case
HOURS = [FIRST_HOUR + dt.timedelta(hours=hours) for hours in range(54)]
ZONE = "America/New_York"


@pytest.mark.parametrize("kind", ["instants", "zone-less UTC", "local", "CSV"])
@pytest.mark.parametrize(
    "only",
    [
        "at >= date('2026-03-02') and at < date('2026-03-03')",
        "date('2026-03-02') <= at < date('2026-03-03')",
        (pc.field("at") >= pc.scalar(dt.date(2026, 3, 2)))
        & (pc.field("at") < pc.scalar(dt.date(2026, 3, 3))),
    ],
)
def test_days_in_a_condition_are_days_in_the_business_time_zone(tmp_path, kind, only):
    """A day of a condition is the day on which the row counts, whatever its time is kept as."""
    zone = None if kind in ("local", "zone-less UTC") else "UTC"
    at = pa.array(HOURS, pa.timestamp("us", zone))
    orders = pa.table({"customer_id": ["a"] * len(HOURS), "at": at, "amount": [1] * len(HOURS)})
    if kind == "CSV":
        lines = "".join(f"a,{one.isoformat()}Z,1\n" for one in HOURS)
        orders = tmp_path / "a.csv"
        orders.write_text("customer_id,at,amount\n" + lines)
    history = oc.OrderHistory.build(
        orders,
        columns=oc.Columns(time="at"),
        only=only,
        timezone=ZONE,
        times_without_zone={"local": "local", "zone-less UTC": "utc"}.get(kind),
    )
    found = history.profile(AS_OF)
    assert found["orders"].to_pylist() == [24]
    assert found["first_order_on"].to_pylist() == [dt.date(2026, 3, 2)]
    assert found["last_order_on"].to_pylist() == [dt.date(2026, 3, 2)]


def test_empty_text_is_missing_in_text_files_and_a_value_elsewhere(tmp_path):
    rows = {"customer_id": ["ann", ""], "ordered_at": ["2026-01-01"] * 2, "amount": [1.0, 2.0]}
    columns = oc.Columns(customer="if_null(customer_id, 'walk-in')")
    table = pa.table(rows).set_column(1, "ordered_at", pa.array([DAY] * 2))
    text = 'customer_id,ordered_at,amount\nann,2026-01-01,1.0\n"",2026-01-01,2.0\n'
    (tmp_path / "orders.csv").write_text(text)
    missing = table.set_column(0, "customer_id", pa.array(["ann", None]))
    for source in (tmp_path / "orders.csv", missing):
        found = oc.OrderHistory.build(source, columns=columns).profile(AS_OF)
        assert sorted(found["customer_id"].to_pylist()) == ["ann", "walk-in"]
    history = oc.OrderHistory.build(table, columns=columns)
    assert (history.summary().customers, history.summary().anonymous) == (1, 1)
