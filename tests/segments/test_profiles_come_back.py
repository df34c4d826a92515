"""Profiles that went through frames, files and databases are taken like those that did not."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

import ordercycle as oc
from ordercycle._datasets.generator import generated_orders

END = date(2025, 6, 30)


@pytest.fixture(scope="module")
def profile():
    customers = pa.table(
        {"customer_id": [900_001, 900_002], "registered_at": [date(2025, 6, 1)] * 2}
    )
    orders = generated_orders(3_000)
    columns = oc.Columns(order="order_id")
    return oc.OrderHistory.build(orders, customers, columns=columns).profile(END)


def through_csv(table, folder):
    csv.write_csv(table, folder / "profile.csv")
    return folder / "profile.csv"


def through_pandas_csv(table, folder):
    table.to_pandas().to_csv(folder / "frame.csv", index=False)
    return str(folder / "frame.csv")


def through_parquet(table, folder):
    parquet.write_table(table, folder / "profile.parquet")
    return folder / "profile.parquet"


def through_arrow(table, folder):
    feather.write_feather(table, folder / "profile.arrow", compression="uncompressed")
    return [folder / "profile.arrow"]


def as_text(table, _folder):
    """Every column as text, empty where there is nothing."""
    texts = {name: table[name].cast(pa.string()).fill_null("") for name in table.column_names[1:]}
    return pa.table({"customer_id": table["customer_id"], **texts})


def as_floats_and_times(table, _folder):
    """Every integer a float, NaN where there is nothing; every day a midnight."""
    made = {}
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_integer(field.type) and field.name != "customer_id":
            column = column.cast(pa.float64()).fill_null(float("nan"))
        if pa.types.is_date(field.type):
            column = column.cast(pa.timestamp("ns"))
        made[field.name] = column
    return pa.table(made)


ROADS = {
    "table": lambda table, _: table,
    "batch": lambda table, _: table.combine_chunks().to_batches()[0],
    "batches": lambda table, _: iter(table.to_batches(max_chunksize=100)),
    "reader": lambda table, _: table.to_reader(),
    "pandas": lambda table, _: table.to_pandas(),
    "pandas of Arrow": lambda table, _: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas of objects": lambda table, _: table.to_pandas().astype({"orders": object}),
    "Polars": lambda table, _: pl.from_arrow(table),
    "DuckDB": lambda table, _: duckdb.connect().from_arrow(table),
    "CSV": through_csv,
    "CSV of pandas": through_pandas_csv,
    "Parquet": through_parquet,
    "Arrow": through_arrow,
    "text": as_text,
    "floats and times": as_floats_and_times,
    "narrow": lambda table, _: table.set_column(
        table.column_names.index("orders"), "orders", table["orders"].cast(pa.uint16())
    ),
    "dictionaries": lambda table, _: table.set_column(
        table.column_names.index("orders"), "orders", table["orders"].dictionary_encode()
    ),
}


def assigned(scheme, table):
    found = scheme.assign(table)
    assert isinstance(found, pa.Table)
    rows = found.select(["customer_id", scheme.name]).sort_by("customer_id")
    return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))


@pytest.mark.parametrize("road", ROADS)
def test_schemes_find_the_same(profile, road, tmp_path):
    def taken():
        return ROADS[road](profile, tmp_path)

    for scheme in (oc.Lifecycle(), oc.Rules({"Often": "orders > 3 and last_gap < 60"})):
        assert assigned(scheme, taken()) == assigned(scheme, profile)
    for scheme in (oc.Rfm(), oc.Rfm(monetary="average"), oc.Cadence()):
        fitted, expected = scheme.fit(taken()), scheme.fit(profile)
        assert fitted.account == expected.account
        assert assigned(fitted, taken()) == assigned(expected, profile)
    following = oc.Lifecycle().next_transition(taken()).sort_by("customer_id")
    expected = oc.Lifecycle().next_transition(profile).sort_by("customer_id")
    for name in ("next_segment", "next_segment_on", "registered_on", "gap_square_sum"):
        assert following[name].to_pylist() == expected[name].to_pylist()


@pytest.mark.parametrize("size", [0, 2])
@pytest.mark.parametrize("road", ["text", "floats and times", "pandas"])
def test_columns_without_any_day_are_days(road, size):
    """As in a frame of customers who never ordered, or a batch of them, or a filter's result."""
    customers = pa.table({"customer_id": ["a", "b"], "registered_at": [date(2025, 6, 1)] * 2})
    orders = pa.table(
        {
            "customer_id": pa.array([], pa.string()),
            "ordered_at": pa.array([], pa.date32()),
            "amount": pa.array([], pa.int64()),
        }
    )
    profile = oc.OrderHistory.build(orders, customers).profile(END).slice(0, size)
    found = assigned(oc.Lifecycle(), ROADS[road](profile, None))
    assert found == dict.fromkeys(["a", "b"][:size], "New \N{EN DASH} no orders")


@pytest.mark.parametrize("road", ["pandas", "Polars", "DuckDB", "Parquet", "CSV", "batches"])
def test_transitions_take_them(profile, road, tmp_path):
    lifecycle = oc.Lifecycle()
    after = lifecycle.assign(profile)
    before = oc.Lifecycle(active_days=20, churned_days=40).assign(profile)
    expected = oc.transition_matrix(before, after)
    sides = []
    for name, table in (("before", before), ("after", after)):
        folder = tmp_path / name
        folder.mkdir()
        sides.append(ROADS[road](table.select(["customer_id", "lifecycle"]), folder))
    found = oc.transition_matrix(*sides)

    def by_pair(table):
        return sorted(
            (str(row["from_segment"]), str(row["to_segment"]), row["customers"])
            for row in table.to_pylist()
        )

    assert by_pair(found) == by_pair(expected)


def test_a_window_is_known_again(tmp_path):
    history = oc.OrderHistory.build(generated_orders(500), columns=oc.Columns(order="order_id"))
    windowed = history.profile(END, window_days=90)
    for road in ("pandas", "CSV", "DuckDB", "Polars", "Parquet"):
        with pytest.raises(oc.ConfigError, match="this profile has a window"):
            oc.Lifecycle().assign(ROADS[road](windowed, tmp_path))


def changed(profile, name, values, row=3):
    column = profile[name].to_pylist()
    if isinstance(values, str):
        column = [None if value is None else str(value) for value in column]
    column[row] = values
    return profile.set_column(profile.column_names.index(name), name, pa.array(column))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("orders", "many", "orders is 'many' at row 3, which is no whole number of type int64"),
        ("orders", "1.5", "orders is '1.5' at row 3"),
        ("orders", 2.5, "orders is 2.5 at row 3"),
        ("orders", float("inf"), "orders is inf at row 3"),
        ("days_since_registration", 2**31, "days_since_registration is 2147483648 at row 3"),
        ("days_since_registration", -(2.0**31) - 1, "days_since_registration is -2147483649.0"),
        ("registered_on", "01/02/2026", "registered_on is '01/02/2026' at row 3, which is no day"),
        ("registered_on", "2026-02-30", "registered_on is '2026-02-30' at row 3"),
        ("time_between_orders", "often", "time_between_orders is 'often' at row 3"),
        ("revenue", "12,50", "revenue is '12,50' at row 3, which is no number"),
        ("revenue", "9007199254740993", "revenue is '9007199254740993' at row 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(profile, name, values, said):
    with pytest.raises(oc.DataError, match="at row 3") as caught:
        oc.Lifecycle().next_transition(changed(profile, name, values))
    assert said in str(caught.value)
    error = caught.value
    assert (error.column, error.row, error.count) == (name, 3, 1)


def test_times_that_are_no_midnights_are_named(profile):
    days = [datetime(2025, 1, 1)] * profile.num_rows  # noqa: DTZ001 - local time
    days[7] += timedelta(hours=2)
    table = profile.set_column(1, "registered_on", pa.array(days))
    with pytest.raises(oc.DataError, match=r"registered_on is datetime.* at row 7"):
        oc.Lifecycle().assign(table)


@pytest.mark.parametrize("kind", [pa.bool_(), pa.binary(), pa.list_(pa.int64())], ids=str)
def test_types_that_are_no_numbers_are_named(profile, kind):
    table = profile.set_column(4, "orders", pa.nulls(profile.num_rows, kind))
    with pytest.raises(oc.ColumnError, match=r"orders is .*; cast it to int64"):
        oc.Lifecycle().assign(table)


def test_decimals_stay_exact():
    table = pa.table(
        {
            "customer_id": [1, 2, 3],
            "days_since_last_order": pa.array([1, 2, 3], pa.int8()),
            "orders": pa.array([Decimal(1), Decimal(2), Decimal(3)]),
            "revenue": pa.array(
                [Decimal("0.10"), Decimal("0.20"), Decimal("0.30")], pa.decimal32(4, 2)
            ),
        }
    )
    assert oc.Rfm(bins=2, map={"All": "* *"}).fit(table).cuts["monetary"] == (Decimal("0.20"),)


@pytest.mark.parametrize("nothing", [5, None, {"orders": [1]}, "absent.parquet"])
def test_what_is_no_profile_is_refused(nothing):
    for call in (oc.Lifecycle().assign, oc.Rfm().fit, oc.Cadence().fit):
        with pytest.raises(oc.SourceError):
            call(nothing)
