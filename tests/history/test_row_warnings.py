"""What is legal but suspicious is said, once, in words that say what to look at."""

import os
import warnings
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle._history import row_warnings

DAY = date(2025, 3, 1)


def orders(ids, days=None, kind=None):
    rows = len(ids)
    days = pa.array(days or [DAY] * rows, pa.date32())
    return pa.table(
        {"customer_id": pa.array(ids, kind), "ordered_at": days, "amount": [1.0] * rows}
    )


def said(source, listed=None, **options):
    """Return what is said while a history is built, and see that it is said of the line here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        columns = oc.Columns(registered=None)
        oc.OrderHistory.build(source, listed, columns=columns, **options)
    assert all(one.filename == __file__ for one in caught)
    assert all(one.category is oc.OrdercycleWarning for one in caught)
    return [str(one.message) for one in caught]


def dates(count, rule=bool, first=date(2020, 1, 1)):
    days = (first + timedelta(number) for number in range(100_000))
    return [day for day in days if rule(day)][:count]


# --- Ids that look like missing values -----------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()], ids=str
)
@pytest.mark.parametrize("text", ["NULL", "\\N", "nan", "None", "N/A", "undefined"])
def test_an_id_that_looks_like_a_missing_value_is_named(kind, text):
    assert text in row_warnings.MISSING_TEXTS
    ids = [f"customer {number}" for number in range(300)] + [text] * 5
    if kind == pa.binary():
        ids = [one.encode() for one in ids]
    (message,) = said(orders(ids, kind=kind))
    assert f"customer_id {text!r} has 5 orders of 305 and looks like a missing value" in message
    assert f"nobody=({text!r},)" in message


def test_few_orders_of_such_an_id_are_not_worth_a_word():
    ids = [f"customer {number}" for number in range(300)]
    assert said(orders([*ids, "NA"])) == []
    assert said(orders(["ann", "bob"])) == []
    assert len(said(orders(["ann", "NULL"]))) == 1
    assert said(orders(["ann", "NULL"]), nobody=("NULL",)) == []
    dictionary = pa.array([*ids, *["null"] * 9]).dictionary_encode()
    assert len(said(orders(ids * 2).slice(0, 309).set_column(0, "customer_id", dictionary))) == 1


@pytest.mark.parametrize(
    ("zero", "others"), [(0, range(1, 400)), ("0", [f"{n}" for n in range(1, 400)])]
)
def test_zero_is_somebody_unless_it_has_far_more_orders_than_others(zero, others):
    assert said(orders([zero, *others])) == []
    assert said(orders([zero] * 20 + [*others])) == []
    listed = pa.table({"customer_id": [*others, *(type(zero)(n) for n in range(400, 5_000))]})
    assert said(orders([zero] * 20 + [*others]), listed) == []
    (message,) = said(orders([zero] * 400 + [*others]))
    assert "customer_id '0' has 400 orders of 799" in message


def test_all_such_ids_are_found_wherever_they_are(monkeypatch):
    """Against looking at every one of them."""
    texts = [*row_warnings.MISSING_TEXTS, *row_warnings.SUSPICIOUS_TEXTS]
    monkeypatch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 50)
    random = np.random.default_rng(3)
    others = [f"{number:x}" * 3 for number in random.integers(0, 2**40, 2_000).tolist()]
    seen = {}
    monkeypatch.setattr(row_warnings, "check_signs", lambda signs, *_: seen.update(signs.orders_of))
    monkeypatch.setattr("ordercycle._history.build.check_signs", row_warnings.check_signs)
    for chosen in (texts, texts[::2], texts[1::3], []):
        seen.clear()
        ids = [*others, *(one for place, one in enumerate(chosen) for _ in range(1 + place % 3))]
        oc.OrderHistory.build(orders([ids[place] for place in random.permutation(len(ids))]))
        assert seen == {one: 1 + place % 3 for place, one in enumerate(chosen)}


# --- Days ----------------------------------------------------------------------------------------


def test_a_year_without_a_day_after_the_twelfth_is_suspicious():
    early = dates(101, lambda day: day.day <= 12)
    (message,) = said(orders(range(1, 102), early))
    assert "101 different days, and none is later than the 12th" in message
    assert said(orders(range(1, 101), early[:100])) == []
    assert said(orders(range(1, 103), [*early, date(2024, 1, 13)])) == []
    assert said(orders(range(1, 304), early * 3), threads=2) == [message]
    before = dates(150, lambda day: day.day <= 12, date(1961, 1, 1))
    assert "150 different days" in said(orders(range(1, 151), before))[0]


def test_many_orders_of_1970_are_suspicious():
    zeros = [date(1970, 1, 1)] * 2
    days = dates(99)
    (message,) = said(orders(range(1, 102), [*days, *zeros]))
    assert "ordered_at is 1970-01-01 in 2 orders of 101" in message
    assert said(orders(range(1, 101), [*days, zeros[0]])) == []
    times = pa.array([0, 10, 86_400], pa.timestamp("s"))
    assert len(said(orders([1, 2, 3]).set_column(1, "ordered_at", times))) == 1


def write(path, days, written):
    pq.write_table(orders(range(1, len(days) + 1), days), path)
    seconds = (written - date(1970, 1, 1)) // timedelta(seconds=1)
    os.utime(path, (seconds, seconds))
    return path


def test_days_after_the_file_was_written_are_suspicious(tmp_path):
    written = date(2025, 5, 10)
    path = write(tmp_path / "a.parquet", [date(2025, 1, 5), date(2025, 5, 12)], written)
    (message,) = said(path)
    assert "goes on to 2025-05-12, and the newest file was written on 2025-05-10" in message
    # Somewhere it is tomorrow already.
    assert said(write(tmp_path / "b.parquet", [DAY, date(2025, 5, 11)], written)) == []
    # A file whose time is that of a parcel it came in says nothing.
    assert said(write(tmp_path / "c.parquet", [DAY, date(2025, 5, 12)], date(1980, 1, 1))) == []
    assert said([path, write(tmp_path / "d.parquet", [DAY], date(2025, 6, 1))]) == []
    assert said(pq.read_table(path)) == []


# --- Customers who are missing in whole batches --------------------------------------------------


def test_files_that_spell_the_column_in_another_way_are_noticed_in_a_dataset(tmp_path):
    (tmp_path / "a.csv").write_text("customer_id,ordered_at,amount\nann,2025-01-05,1\n")
    (tmp_path / "b.csv").write_text("Customer_ID,ordered_at,amount\nbob,2025-01-06,1\n")
    files = ds.dataset([tmp_path / "a.csv", tmp_path / "b.csv"], format="csv")
    (message,) = said(files)
    assert "orders: customer_id is null in all rows of a batch" in message
    assert "b.csv' among them (1 row)" in message
    listed = ds.dataset(files.files, format="csv", schema=pa.schema([("customer_id", pa.string())]))
    with (
        pytest.warns(oc.OrdercycleWarning, match="customers: customer_id is null"),
        pytest.raises(oc.DataError, match="customers: customer_id is null or empty"),
    ):
        oc.OrderHistory.build(orders(["ann"]), listed, columns=oc.Columns(registered=None))
    with pytest.raises(oc.ColumnError, match="no column 'customer_id'"):
        oc.OrderHistory.build(tmp_path)


def test_batches_of_readers_in_which_nobody_is_known_are_noticed():
    known, unknown = orders(["ann", None]), orders([None, None], kind=pa.string())
    batches = [batch for table in (known, unknown, known, unknown) for batch in table.to_batches()]
    reader = pa.RecordBatchReader.from_batches(known.schema, batches)
    for source in (reader, iter(batches), batches):
        (message,) = said(source)
        assert "customer_id is null in all rows of 2 batches (4 rows)" in message
    assert said(known.to_reader()) == []
    # Files that are mostly anonymous are just that.
    assert said(pa.concat_tables([known, unknown])) == []


def test_usual_orders_are_not_suspicious(tmp_path):
    random = np.random.default_rng(1)
    days = random.integers(18_000, 20_000, 5_000).astype(np.int32)
    table = pa.table(
        {
            "customer_id": random.integers(0, 700, 5_000),
            "ordered_at": pa.array(days).cast(pa.date32()),
            "amount": random.random(5_000),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    for source in (table, table.to_reader(), tmp_path / "a.parquet", ds.dataset(tmp_path)):
        assert said(source) == []


@pytest.mark.parametrize(
    ("ids", "is_warned"),
    [
        (["17850.0", "17850", "a"], True),
        (["17850.0", "13047", "a"], True),
        (["17850.0", "13047.0", "a"], False),
        (["17850", "13047", "a"], False),
        (["v1.0", "13047", "a"], False),
    ],
)
def test_numbers_that_are_written_in_two_ways(ids, is_warned):
    days = [date(2025, 3, 20)] * len(ids)
    table = pa.table({"customer_id": ids, "ordered_at": days, "amount": [1.0] * len(ids)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oc.OrderHistory.build(table)
    assert [("without '.0'" in str(one.message)) for one in caught] == [True] * is_warned
