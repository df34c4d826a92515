"""Many files as one table: the same bits, or an error that names the file."""

import gzip
import os
import threading
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle.sources import csv_files, files, parquet_files, read_ahead
from ordercycle.sources.common_types import common_type
from ordercycle.sources.file_list import list_files

DAY = date(2025, 3, 1)
AS_OF = "2025-12-31"


def orders(count, first=0, **columns):
    """Return orders that differ in every row; columns given replace those of the same name."""
    number = np.arange(first, first + count)
    given = {
        "customer_id": pa.array(number * 7919 % 101),
        "ordered_at": pa.array(20_000 + number % 300, pa.int32()).cast(pa.date32()),
        "amount": pa.array(number % 977 / 4),
        **columns,
    }
    return pa.table(given)


def profile(source, **options):
    return oc.OrderHistory.build(source, **options).profile(AS_OF)


def write(table, *paths, **options):
    """Write a table to files, a stretch to each."""
    size = -(-table.num_rows // len(paths))
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(number * size, size), path, **options)
    return list(paths)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_files_and_row_groups_of_any_size_give_the_bits_of_the_table(
    tmp_path, threads, monkeypatch
):
    monkeypatch.setattr(parquet_files, "PART_ROWS", 64)
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 16)
    monkeypatch.setattr(read_ahead, "PART_ROWS", 40)
    table = orders(5000)
    paths = write(table, *(tmp_path / f"{n}.parquet" for n in range(7)), row_group_size=33)
    history = oc.OrderHistory.build(paths, threads=threads)
    whole = oc.OrderHistory.build(table)
    assert history.profile(AS_OF).equals(whole.profile(AS_OF))
    assert history.summary() == whole.summary()


def test_rows_keep_their_order(tmp_path):
    write(orders(3000), tmp_path / "a.parquet", tmp_path / "b.parquet", row_group_size=100)
    bad = orders(50, amount=pa.array([1.0] * 20 + [None] * 30))
    third = write(bad, tmp_path / "c.parquet")
    with pytest.raises(oc.DataError, match=r"amount is null at row 20 of '.*c\.parquet' \(30 such"):
        profile([tmp_path / "a.parquet", tmp_path / "b.parquet", *third], threads=4)


def test_bad_customers_name_their_file_too(tmp_path):
    listed = pa.table({"customer_id": [1, 2, 1], "registered_at": [DAY] * 3})
    paths = write(listed, *(tmp_path / f"customers-{n}.parquet" for n in range(3)))
    with pytest.raises(oc.DataError, match=r"row 0 of '.*customers-2\.parquet'"):
        oc.OrderHistory.build(orders(5), paths)


def test_no_more_threads_than_asked_for(tmp_path, monkeypatch):
    paths = write(orders(900), *(tmp_path / f"{n}.parquet" for n in range(3)), row_group_size=9)
    seen = set()
    plain_read = parquet_files.read

    def watched(*arguments):
        seen.add(threading.current_thread())
        seen.update(one for one in threading.enumerate() if one.name.startswith("ordercycle"))
        return plain_read(*arguments)

    monkeypatch.setitem(files.READERS, "parquet", files.Format(parquet_files.look, watched))
    expected = profile(orders(900))
    assert profile(paths, threads=1).equals(expected)
    assert len(seen) == 1
    seen.clear()
    assert profile(paths, threads=2).equals(expected)
    assert len([one for one in seen if "read" in one.name]) <= 2


@pytest.mark.parametrize("fails", [False, True])
def test_no_thread_stays(tmp_path, fails):
    bad = pa.array([1.0, float("nan")] * 450)
    table = orders(900, **({"amount": bad} if fails else {}))
    paths = write(table, *(tmp_path / f"{n}.parquet" for n in range(9)))
    if fails:
        with pytest.raises(oc.DataError):
            oc.OrderHistory.build(paths)
    else:
        oc.OrderHistory.build(paths)
    assert not [one for one in threading.enumerate() if one.name.startswith("ordercycle-read")]


def test_what_is_read_ahead_is_bounded():
    started = []
    allowed = threading.Semaphore(0)
    batch = pa.record_batch({"x": [1]})

    def part(number):
        def batches():
            started.append(number)
            allowed.release()
            yield batch
            yield batch

        return batches

    stream = read_ahead.read_ahead([part(number) for number in range(100)], threads=3)
    next(stream)
    for _ in range(4):
        assert allowed.acquire(timeout=10)
    assert not allowed.acquire(timeout=0.2)  # the caller is at the first part: three more at most
    assert sorted(started) == [0, 1, 2, 3]
    assert sum(1 for _ in stream) == 199
    assert sorted(started) == list(range(100))


@pytest.mark.parametrize("row_group_size", [2**18, 2**22])
def test_memory_does_not_grow_with_the_file_or_its_row_groups(tmp_path, row_group_size):
    rows = 2**22
    path = tmp_path / "orders.parquet"
    ids = np.random.Generator(np.random.SFC64(7)).integers(0, 2**62, rows)
    table = pa.table({"customer_id": ids, "amount": ids * 0.5})
    pq.write_table(table, path, row_group_size=row_group_size, use_dictionary=False)
    counted = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(counted)
    try:
        source = files.open_files([str(path)], ["customer_id", "amount"], "orders", threads=1)
        assert sum(batch.num_rows for batch in source.batches) == rows
    finally:
        pa.set_memory_pool(before)
    # Two parts may wait, each of a million rows and a batch; the file has four times that.
    assert counted.max_memory() < 2 * 16 * (read_ahead.PART_ROWS + 2 * read_ahead.BATCH_ROWS)
    assert table.nbytes > 2 * 16 * read_ahead.PART_ROWS


def test_a_reader_that_fails_does_so_in_its_place():
    batch = pa.record_batch({"x": [1]})

    def good():
        yield batch

    def bad():
        yield batch
        raise OSError("gone")

    stream = read_ahead.read_ahead([good, bad, good], threads=3)
    assert [next(stream) for _ in range(2)] == [batch, batch]
    with pytest.raises(OSError, match="gone"):
        next(stream)


# --- schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_column_missing_in_one_file_is_no_column_of_nulls(tmp_path, position):
    paths = write(orders(30), *(tmp_path / f"{n}.parquet" for n in range(3)))
    renamed = pq.read_table(paths[position]).rename_columns(["customer_id", "ordered_at", "amuont"])
    pq.write_table(renamed, paths[position])
    with pytest.raises(
        oc.ColumnError,
        match=rf"no column 'amount' \(did you mean 'amuont'\?\) in '.*{position}\.parquet'",
    ):
        profile(paths)


WIDENED = [
    ("customer_id", pa.int32(), pa.int64()),
    ("customer_id", pa.uint32(), pa.int32()),
    ("customer_id", pa.string(), pa.large_string()),
    ("customer_id", pa.dictionary(pa.int8(), pa.string()), pa.string()),
    ("customer_id", pa.dictionary(pa.int16(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
    ("customer_id", pa.string_view(), pa.string()),
    ("customer_id", pa.binary(), pa.large_binary()),
    ("ordered_at", pa.timestamp("s"), pa.timestamp("ns")),
    ("ordered_at", pa.timestamp("ms", "UTC"), pa.timestamp("us", "Europe/Madrid")),
    ("ordered_at", pa.date32(), pa.date64()),
    ("amount", pa.float32(), pa.float64()),
    ("amount", pa.int16(), pa.int64()),
    ("amount", pa.decimal128(9, 2), pa.decimal128(20, 2)),
]


@pytest.mark.parametrize(("column", "left", "right"), WIDENED)
@pytest.mark.parametrize("swapped", [False, True])
def test_types_of_one_kind_are_widened(tmp_path, column, left, right, swapped):
    kinds = (right, left) if swapped else (left, right)
    table = orders(60, amount=pa.array(range(60)).cast(pa.float64()))
    wide = common_type(*kinds)
    parts = []
    for number, kind in enumerate(kinds):
        part = table.slice(number * 30, 30)
        values = part[column]
        if pa.types.is_dictionary(kind):
            values = values.cast(kind.value_type).dictionary_encode().cast(kind)
        elif not pa.types.is_integer(kind) and column == "customer_id":
            values = values.cast(pa.string()).cast(kind)
        else:
            values = values.cast(kind)
        place = part.column_names.index(column)
        parts.append(part.set_column(place, column, values))
    paths = [tmp_path / "a.arrow", tmp_path / "b.arrow"]
    for path, part in zip(paths, parts, strict=True):
        with pa.ipc.new_file(path, part.schema) as writer:
            writer.write_table(part)
    place = table.column_names.index(column)
    chunks = []
    for part in parts:
        values = part[column].combine_chunks()
        if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(wide):
            values = values.dictionary_decode()
        chunks.append(values.cast(wide))
    expected = table.set_column(place, column, pa.chunked_array(chunks))
    assert profile(paths).equals(profile(expected))


REFUSED = [
    ("customer_id", pa.int64(), pa.string()),
    ("customer_id", pa.uint64(), pa.int64()),
    ("customer_id", pa.string(), pa.binary()),
    ("ordered_at", pa.date32(), pa.timestamp("us")),
    ("ordered_at", pa.timestamp("us"), pa.timestamp("us", "UTC")),
    ("amount", pa.int64(), pa.float64()),
    ("amount", pa.decimal128(9, 2), pa.decimal128(9, 3)),
    ("amount", pa.decimal128(9, 2), pa.float64()),
]


@pytest.mark.parametrize(("column", "left", "right"), REFUSED)
def test_types_of_two_kinds_are_refused_by_file(tmp_path, column, left, right):
    assert common_type(left, right) is None
    assert common_type(right, left) is None
    empty = orders(0)
    place = empty.column_names.index(column)
    for path, kind in (("a", left), ("b", left), ("c", right)):
        table = empty.set_column(place, column, pa.array([], kind))
        pq.write_table(table, tmp_path / f"{path}.parquet")
    with pytest.raises(oc.ColumnError, match=rf"{column} is .* in '.*c\.parquet' but .* in '.*a\."):
        profile(tmp_path)


def test_a_column_of_nothing_but_nulls_fits_any_type(tmp_path):
    nulls = orders(2, customer_id=pa.nulls(2))
    pq.write_table(nulls, tmp_path / "a.parquet")
    pq.write_table(orders(20), tmp_path / "b.parquet")
    history = oc.OrderHistory.build(tmp_path)
    assert history.summary().anonymous == 2
    assert history.profile(AS_OF).equals(profile(orders(20)))


# --- files that cannot be read ---------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def emptied(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_bytes(b"this is no such file, though its name says so" * 9)


def damaged(path):
    content = bytearray(path.read_bytes())
    content[60:900] = b"\xff" * 840
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, emptied, foreign, damaged])
@pytest.mark.parametrize("position", [0, 3])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_that_cannot_be_read_is_named(tmp_path, harm, position, threads):
    paths = write(
        orders(4000), *(tmp_path / f"{n}.parquet" for n in range(4)), compression="snappy"
    )
    harm(paths[position])
    message = rf"orders: '.*{position}\.parquet' (cannot be read|is empty)"
    with pytest.raises(oc.SourceError, match=message):
        profile(paths, threads=threads)


@pytest.mark.parametrize("harm", [cut, emptied, foreign])
def test_an_arrow_file_that_cannot_be_read_is_named(tmp_path, harm):
    for name in ("a.arrow", "b.feather"):
        with pa.ipc.new_file(tmp_path / name, orders(9).schema) as writer:
            writer.write_table(orders(9))
    harm(tmp_path / "b.feather")
    with pytest.raises(oc.SourceError, match=r"'.*b\.feather' (cannot be read|is empty)"):
        profile(tmp_path)


# --- the same file twice ---------------------------------------------------------------------


def test_a_file_listed_twice_is_refused_however_it_is_named(tmp_path):
    path, other = write(orders(20), tmp_path / "a.parquet", tmp_path / "b.parquet")
    link, hard = tmp_path / "link.parquet", tmp_path / "hard.parquet"
    link.symlink_to(path)
    os.link(path, hard)
    around = tmp_path / "." / ".." / tmp_path.name / "a.parquet"
    for twin in (path, link, hard, f"{tmp_path}/../{tmp_path.name}/a.parquet", around):
        with pytest.raises(oc.SourceError, match="listed twice"):
            profile([path, other, twin])
    hard.unlink()
    with pytest.raises(oc.SourceError, match=r"link\.parquet' is listed twice, once as"):
        profile(tmp_path)


def test_a_pattern_that_matches_folders_and_their_files_reads_these_once(tmp_path):
    write(orders(20), tmp_path / "x" / "a.parquet", tmp_path / "x" / "y" / "b.parquet")
    found = profile(f"{tmp_path}/**")
    assert found.equals(profile(orders(20)))
    assert len(list_files([f"{tmp_path}/**"], "orders")) == 2


# --- folders that name columns ---------------------------------------------------------------


def test_partition_columns_are_read_where_they_are_named(tmp_path):
    table = orders(40)
    without = table.drop_columns(["ordered_at"])
    write(without.slice(0, 20), tmp_path / "year=2025" / "day=2025-10-01" / "x.parquet")
    write(without.slice(20), tmp_path / "year=2025" / "day=2025-10-02" / "x.parquet")
    days = [date(2025, 10, 1)] * 20 + [date(2025, 10, 2)] * 20
    expected = without.append_column("day", pa.array(days))
    columns = oc.Columns(time="day")
    for source in (tmp_path, f"{tmp_path}/*/*/*.parquet", sorted(tmp_path.rglob("*.parquet"))):
        assert profile(source, columns=columns).equals(profile(expected, columns=columns))


def test_partitions_of_integers_text_and_nothing(tmp_path):
    columns = oc.Columns(customer="store")
    without = orders(30).drop_columns(["customer_id"])
    names = ["store=1", "store=-20", "store=__HIVE_DEFAULT_PARTITION__"]
    write(without, *(tmp_path / "numbers" / name / "x.parquet" for name in names))
    history = oc.OrderHistory.build(tmp_path / "numbers", columns=columns)
    assert history.summary().anonymous == 10
    assert history.profile(AS_OF)["customer_id"].type == pa.int64()
    names = ["store=1", "store=a%2Fb", "store=2025-02-30"]
    write(without, *(tmp_path / "texts" / name / "x.parquet" for name in names))
    found = profile(tmp_path / "texts", columns=columns)["customer_id"].to_pylist()
    assert sorted(found) == ["1", "2025-02-30", "a/b"]


def test_a_column_of_the_file_is_not_taken_from_its_folder(tmp_path):
    write(orders(20), tmp_path / "customer_id=5" / "x.parquet")
    assert profile(tmp_path).equals(profile(orders(20)))


def test_a_partition_column_that_one_file_lacks(tmp_path):
    without = orders(30).drop_columns(["ordered_at"])
    write(without, tmp_path / "day=2025-01-01" / "x.parquet", tmp_path / "y.parquet")
    with pytest.raises(oc.ColumnError, match=r"no column 'day' in '.*y\.parquet'"):
        profile(tmp_path, columns=oc.Columns(time="day"))


# --- CSV -------------------------------------------------------------------------------------


def write_csv(path, table):
    lines = [",".join(table.column_names)]
    lines += [
        ",".join("" if value is None else str(value) for value in row.values())
        for row in table.to_pylist()
    ]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("part", [1, 7, 50, 1000, 10**6])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_csv_file_is_divided_where_lines_end(tmp_path, monkeypatch, part, ends, last):
    monkeypatch.setattr(csv_files, "PART_BYTES", part)
    monkeypatch.setattr(csv_files, "SEARCH_BYTES", 5)
    table = orders(200)
    path = tmp_path / "orders.csv"
    write_csv(path, table)
    content = path.read_text().replace("\n", ends)
    path.write_text(content if last else content.rstrip(), newline="")
    assert profile(path, threads=3).equals(profile(table))


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
def test_compressed_csv(tmp_path, ending):
    table = orders(500)
    write_csv(tmp_path / "plain.csv", table)
    content = (tmp_path / "plain.csv").read_bytes()
    for name, piece in (("a", slice(0, 250)), ("b", slice(250, None))):
        write_csv(tmp_path / "piece.csv", table[piece])
        with pa.output_stream(tmp_path / f"{name}.csv.{ending}", compression="detect") as stream:
            stream.write((tmp_path / "piece.csv").read_bytes())
    (tmp_path / "piece.csv").unlink()
    (tmp_path / "plain.csv").unlink()
    assert len(content) > 5000
    assert profile(f"{tmp_path}/*.csv.{ending}").equals(profile(table))


def test_csv_files_with_their_columns_in_another_order(tmp_path):
    table = orders(60, note=pa.array(["x"] * 60))
    write_csv(tmp_path / "a.csv", table[:30])
    write_csv(
        tmp_path / "b.csv", table.select(["note", "amount", "customer_id", "ordered_at"])[30:]
    )
    assert profile(tmp_path).equals(profile(table))


def test_an_empty_field_is_missing_and_a_file_may_have_no_row(tmp_path):
    table = orders(40)
    holes = pa.array([None if n % 4 == 0 else n for n in range(40)])
    table = table.set_column(0, "customer_id", holes)
    write_csv(tmp_path / "a.csv", table[:1])  # customer_id: nothing but nulls
    write_csv(tmp_path / "b.csv", table[1:])
    write_csv(tmp_path / "c.csv", table[:0])
    history = oc.OrderHistory.build(tmp_path)
    assert history.summary().anonymous == 10
    assert history.profile(AS_OF).equals(profile(table))


@pytest.mark.parametrize("part", [300, 10**6])
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_a_type_that_changes_in_a_later_block_names_file_and_column(
    tmp_path, monkeypatch, part, ending
):
    monkeypatch.setattr(csv_files, "PART_BYTES", part)
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 400)
    table = orders(200).cast(
        pa.schema({"customer_id": pa.string(), "ordered_at": pa.string(), "amount": pa.string()})
    )
    ids = table["customer_id"].to_pylist()
    changed = table.set_column(0, "customer_id", pa.array([*ids[:-1], "A17"]))
    write_csv(tmp_path / f"a.{ending}", table)
    write_csv(tmp_path / f"b.{ending}", changed)
    message = rf"in '.*b\.{ending}', customer_id is int64 in the first rows, .*A17.*Parquet"
    with pytest.raises(oc.ColumnError, match=message):
        profile(tmp_path)


def test_types_that_differ_between_csv_files_name_file_and_column(tmp_path):
    write_csv(tmp_path / "a.csv", orders(20))
    write_csv(tmp_path / "b.csv", orders(20, customer_id=pa.array([f"c{n}" for n in range(20)])))
    message = r"customer_id is string in '.*b\.csv' but int64 in '.*a\.csv'; CSV has no types"
    with pytest.raises(oc.ColumnError, match=message):
        profile(tmp_path)


@pytest.mark.parametrize("swapped", [False, True])
def test_amounts_without_fractions_in_one_csv_file_are_floats_in_all(tmp_path, swapped):
    whole = orders(20, amount=pa.array(range(20)))
    names = ["b.csv", "a.csv"] if swapped else ["a.csv", "b.csv"]
    write_csv(tmp_path / names[0], whole)
    write_csv(tmp_path / names[1], orders(20))
    both = pa.concat_tables([whole.cast(orders(0).schema), orders(20)])
    assert profile(tmp_path).equals(profile(both))


def test_a_csv_file_that_cannot_be_read_is_named(tmp_path):
    write_csv(tmp_path / "a.csv", orders(20))
    other = tmp_path / "b.csv"
    write_csv(other, orders(20))
    other.write_text(other.read_text() + "1,2025-01-01\n")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv' cannot be read: .*Expected 3 columns"):
        profile(tmp_path)
    other.write_text("")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv' is empty"):
        profile(tmp_path)
    other.write_text("\n\n")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv' cannot be read"):
        profile(tmp_path)
    (tmp_path / "b.csv").rename(tmp_path / "b.csv.gz")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv\.gz' cannot be read"):
        profile(tmp_path)


def test_csv_times_with_a_zone_and_tabs(tmp_path):
    moment = pa.array([datetime(2025, 3, 1, 23, 30), datetime(2025, 3, 2, 1, 0)])  # noqa: DTZ001
    table = orders(2, ordered_at=moment.cast(pa.timestamp("s")).cast(pa.timestamp("s", "UTC")))
    lines = ["customer_id\tordered_at\tamount"]
    lines += [f"{n * 7919 % 101}\t{at}Z\t{n / 4}" for n, at in enumerate(moment.to_pylist())]
    Path(tmp_path / "orders.tsv").write_text("\n".join(lines))
    options = {"timezone": "Europe/Madrid"}
    assert profile(tmp_path, **options).equals(profile(table, **options))
