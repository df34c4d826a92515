"""Expressions, rows that count and ids of nobody on a cluster: the same bits as on one machine."""

import datetime as dt
import json
import tomllib
import warnings
from decimal import Decimal

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle._engines.dask_engine import DASK
from ordercycle._engines.verbs import planned
from ordercycle.engines import dask as engine

AS_OF = "2026-12-31"
STATUSES = ["paid", "shipped", "cancelled", None]
MAILS = ["Ann", "ann ", " Guest", "bob", None, "ANN"]
ORDERS = pa.table(
    {
        "mail": [MAILS[number % 6] for number in range(300)],
        "day": [dt.date(2026, 1, 1) + dt.timedelta(number % 90) for number in range(300)],
        "price": pa.array(
            [Decimal(number % 50).scaleb(-1) for number in range(300)], pa.decimal128(12, 2)
        ),
        "quantity": [number % 5 - 1 for number in range(300)],
        "status": [STATUSES[number % 4] for number in range(300)],
        "basket": [number % 40 for number in range(300)],
    }
)
CUSTOMERS = pa.table({"id": ["ANN ", "cleo", "guest"], "since": [dt.date(2025, 1, 1)] * 3})
COLUMNS = oc.Columns(
    customer="lower(trim(mail))", time="day", amount="price * quantity", order="basket",
    registered="since", listed_customer="lower(trim(id))",
)  # fmt: skip
OPTIONS = {"only": "status in ('paid', 'shipped')", "nobody": ["guest"]}
EXPECTED = oc.OrderHistory.build(ORDERS, CUSTOMERS, columns=COLUMNS, **OPTIONS).profile(AS_OF)


@pytest.fixture(autouse=True)
def threads():
    with dask.config.set(scheduler="threads"):
        yield


def framed(table, partitions=3):
    return dd.from_pandas(table.to_pandas(types_mapper=pd.ArrowDtype), npartitions=partitions)


def filed(table, folder, name):
    (folder / name).mkdir()
    middle = table.num_rows // 2
    for number, half in enumerate((table.slice(0, middle), table.slice(middle))):
        pq.write_table(half, folder / name / f"{number}.parquet")
    return str(folder / name)


def same(frame, expected=EXPECTED):
    made = pa.Table.from_pandas(frame.compute(), preserve_index=False).replace_schema_metadata(None)
    by_customer = expected.sort_by("customer_id").cast(made.schema)
    assert made.sort_by("customer_id").equals(by_customer)


@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("method", ["tasks", None])
def test_frames_and_files_are_read_as_described(tmp_path, files, method):
    with dask.config.set({"dataframe.shuffle.method": method} if method else {}):
        orders = filed(ORDERS, tmp_path, "orders") if files else framed(ORDERS)
        customers = filed(CUSTOMERS, tmp_path, "customers") if files else framed(CUSTOMERS, 1)
        same(engine.profile(orders, customers, as_of=AS_OF, columns=COLUMNS, **OPTIONS))


TOML = """
only = "status in ('paid', 'shipped')"
nobody = ["guest"]
[columns]
customer = "lower(trim(mail))"
time = "day"
amount = "price * quantity"
order = "basket"
"""


def test_a_source_says_it_all():
    source = oc.source_from_dict(tomllib.loads(TOML))
    expected = oc.OrderHistory.build(ORDERS, source=source).profile(AS_OF)
    same(engine.profile(framed(ORDERS), as_of=AS_OF, source=source), expected)


def test_without_amounts():
    columns = oc.Columns(customer="mail", time="day", amount=None)
    expected = oc.OrderHistory.build(ORDERS, columns=columns).profile(AS_OF)
    same(engine.profile(framed(ORDERS), as_of=AS_OF, columns=columns), expected)


def test_rows_that_do_not_count_do_not_travel():
    frame = framed(ORDERS)
    (packer,) = planned(DASK, frame, None, 2, COLUMNS, None, dict(OPTIONS)).job.tables
    table = pa.Table.from_pandas(frame.compute(), preserve_index=False)
    batches = table.select(packer.incoming.names).to_batches()
    rows = sum(block.rows for _, block in packer.blocks(0, batches))
    summary = oc.OrderHistory.build(ORDERS, columns=COLUMNS, **OPTIONS).summary()
    assert rows == summary.rows - summary.left_out - summary.nobody - summary.anonymous


def test_nobody_is_an_error_where_anonymous_rows_are():
    with pytest.raises(oc.DataError, match="means no customer"):
        engine.profile(
            framed(ORDERS.filter(ORDERS["mail"].is_valid())), as_of=AS_OF, columns=COLUMNS,
            anonymous="error", **OPTIONS,
        ).compute()  # fmt: skip


def test_rows_left_out_are_not_looked_at():
    wrong = ORDERS.append_column("q", pa.array([2**62 if n % 4 > 1 else 1 for n in range(300)]))
    columns = oc.Columns(customer="mail", time="day", amount="q * 4")
    expected = oc.OrderHistory.build(wrong, columns=columns, **OPTIONS).profile(AS_OF)
    same(engine.profile(framed(wrong), as_of=AS_OF, columns=columns, **OPTIONS), expected)
    with pytest.raises(oc.DataError, match=r"q \* 4 cannot be computed at a row of a partition"):
        engine.profile(framed(wrong), as_of=AS_OF, columns=columns).compute()


def test_the_file_is_named_where_a_row_cannot_be_computed(tmp_path):
    wrong = ORDERS.append_column("q", pa.array([2**62] * 300))
    columns = oc.Columns(customer="mail", time="day", amount="q * 4")
    with pytest.raises(oc.DataError, match=r"at a row of '.*0\.parquet': overflow"):
        engine.profile(filed(wrong, tmp_path, "orders"), as_of=AS_OF, columns=columns).compute()


LATER = {
    "amount": ("1", "1.5", "say what it holds with CsvFormat(types=...)", "is 1.5"),
    "ordered_at": (
        "2026-01-01", "2026-01-01T10:00", "write all of them in one way",
        "is timestamp[us], and of another type",
    ),
}  # fmt: skip


@pytest.mark.parametrize("column", LATER)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_text_that_turns_out_to_be_of_another_type(tmp_path, monkeypatch, column, kind):
    """One machine reads it again; tasks say which line it is, and what to do."""
    monkeypatch.setattr("ordercycle._sources.text.csv_files.SETTLED_LOOK_BYTES", 200)
    monkeypatch.setattr("ordercycle._sources.json_lines.LOOK_BYTES", 200)
    first, later, for_csv, for_json = LATER[column]
    row = {"customer_id": "a", "ordered_at": "2026-01-01", "amount": "1"}
    rows = [row | {column: first}] * 20 + [row | {column: later}]
    file = tmp_path / f"orders.{kind}"
    if kind == "csv":
        lines = [",".join(row), *(",".join(one.values()) for one in rows)]
    else:
        lines = [
            json.dumps(one).replace(f'"{one["amount"]}"', one["amount"]) for one in rows
        ]  # fmt: skip
    file.write_text("\n".join(lines))
    assert oc.OrderHistory.build(file).summary().rows == 21
    with pytest.raises(oc.ColumnError) as raised:
        engine.profile(str(file), as_of=AS_OF).compute()
    assert f"line {22 if kind == 'csv' else 21} of" in str(raised.value)
    assert (for_csv if kind == "csv" else for_json) in str(raised.value)
    assert ("first lines" if kind == "ndjson" else for_csv) in raised.value.remedy


@pytest.mark.parametrize("files", [False, True])
def test_a_zone_that_finds_nothing_is_a_warning_once_and_at_once(tmp_path, files):
    rows = ORDERS.set_column(1, "day", ORDERS["day"].cast(pa.timestamp("us")))
    options = {
        "columns": oc.Columns(customer="mail", time="day", amount="price"),
        "timezone": "Europe/Madrid",
    }
    orders = filed(rows, tmp_path, "orders") if files else framed(rows)
    for asked in (
        lambda **said: engine.profile(orders, as_of=AS_OF, **options, **said),
        lambda **said: engine.assign(
            engine.profile(orders, as_of=AS_OF, **options, **said), oc.Lifecycle()
        ),
        lambda **said: engine.segment_report(
            orders, oc.Lifecycle(), period="2026-02", as_of="2026-02-20", **options, **said,
            compare=None,
        ),
    ):  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", oc.OrdercycleWarning)
            made = asked()
            asked(times_without_zone="local")
        assert [str(one.message).partition(":")[0] for one in caught] == [
            "timezone='Europe/Madrid' has no effect"
        ]
        assert caught[0].filename == __file__
        if hasattr(made, "compute"):
            made.compute()


def test_no_history_is_built_before_the_tasks(monkeypatch):
    """A driver may have no kernels: it would compile them for a call that does nothing yet."""
    with monkeypatch.context() as patched:
        patched.setattr(oc.OrderHistory, "build", None)
        profiles = engine.profile(framed(ORDERS), as_of=AS_OF, columns=COLUMNS, **OPTIONS)
        assert profiles.columns[0] == "customer_id"
    assert len(profiles.compute())


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"columns": oc.Columns(customer="lower(male)", time="day", amount="price")},
         oc.ColumnError, "it names 'male' (did you mean 'mail'?)"),
        ({"columns": oc.Columns(customer="mail", time="day", amount="lower(status)")},
         oc.ColumnError, "which is no amount"),
        ({"columns": COLUMNS, "only": "state == 'paid'"}, oc.ColumnError, "'state'"),
        ({"columns": COLUMNS, "only": "status"}, oc.ConfigError, "not true or false"),
        ({"columns": COLUMNS, "onyl": "x"}, oc.ConfigError, "did you mean 'only'?"),
        ({"source": {"only": "x"}}, oc.ConfigError, "describes no source"),
        ({"columns": COLUMNS, "progress": print}, oc.ConfigError, "there is no option 'progress'"),
        ({"columns": COLUMNS, "unknown": "drop"}, oc.ConfigError, "needs a customers table"),
        ({"columns": COLUMNS, "window_days": 0}, oc.ConfigError, "no number of days"),
        ({"columns": oc.Columns(customer="mail", time="day", amount="price", order="quantity * .5"),
          "amount_per": "order", "same_day": "never"}, oc.ConfigError, "same_day"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_said_at_once(options, error, said):
    with pytest.raises(error) as raised:
        engine.profile(framed(ORDERS), as_of=AS_OF, **options)
    assert said in str(raised.value)


@pytest.mark.parametrize("files", [False, True])
def test_rows_are_compared_in_the_columns_behind_computed_ones(tmp_path, files):
    """Equal amounts of other prices are no duplicates; what is there twice is one."""
    day = dt.date(2026, 1, 1)
    table = pa.table(
        {"customer_id": ["a"] * 4, "ordered_at": [day] * 4, "q": [2, 2, 3, 6], "p": [3, 3, 2, 1],
         "status": ["paid", "paid", "paid", "lost"]}
    )  # fmt: skip
    options = {"columns": oc.Columns(amount="q * p"), "only": "status == 'paid'"}
    expected = oc.OrderHistory.build(table, **options, duplicates="drop")
    assert expected.summary().duplicates == 1
    source = filed(table, tmp_path, "orders") if files else framed(table, 2)
    found = engine.profile(source, as_of=AS_OF, **options, duplicates="drop")
    same(found, expected.profile(AS_OF))
