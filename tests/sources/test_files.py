"""Many files as one table: the same bits, or an error that names the file."""

import os
import threading
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.order_files import AS_OF, DAY, orders, profile, write

import ordercycle as oc
from ordercycle._sources import arrow_files, files, parquet_files, read_ahead
from ordercycle._sources.file_list import list_files
from ordercycle._sources.read_request import ReadRequest

WANTED = ReadRequest("orders", {"customer_id": "customer"})


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


def test_bytes_that_are_read_ahead_are_bounded():
    """Also where they are all of later parts, while the caller waits for the first one."""
    taken = []
    full, too_many = threading.Event(), threading.Event()

    def slow():
        assert full.wait(10)
        assert not too_many.wait(0.1)
        yield from [pa.record_batch({"part": pa.array([0] * 10)})] * 20

    def fast(number):
        for _ in range(20):
            taken.append(number)
            if len(taken) >= 4:
                (full if len(taken) == 4 else too_many).set()
            yield pa.record_batch({"part": pa.array([number] * 10)})

    parts = [slow, lambda: fast(1), lambda: fast(2)]
    # Two batches fill what may wait; each of two threads holds one more.
    batches = list(read_ahead.read_ahead(parts, threads=3, most_bytes=160))
    found = [batch["part"][0].as_py() for batch in batches]
    assert found == [0] * 20 + [1] * 20 + [2] * 20


def test_batches_have_bounded_bytes_also_behind_an_empty_row_group(tmp_path):
    table = pa.table({"customer_id": ["x" * 1000] * 6000})
    with pq.ParquetWriter(tmp_path / "ids.parquet", table.schema) as writer:
        writer.write_table(table.slice(0, 0))
        writer.write_table(table)
    (file,) = list_files([str(tmp_path / "ids.parquet")], "orders")
    (part,) = parquet_files.look(file, WANTED).parts
    batches = list(parquet_files.read(file, part, table.schema, WANTED, 2_000_000))
    assert pa.Table.from_batches(batches).equals(table)
    assert max(batch.nbytes for batch in batches) <= 2_000_000


def test_batches_follow_what_is_read(tmp_path):
    """Of texts that are huge first, and later again: of bounded bytes, and few of them tiny."""
    texts = ["x" * 100_000] * 16 + [str(number) for number in range(150_000)]
    texts += ["y" * 10_000] * 100 + [str(number) for number in range(50_000)]
    table = pa.table({"customer_id": texts})
    pq.write_table(table, tmp_path / "ids.parquet", row_group_size=60_000)
    (file,) = list_files([str(tmp_path / "ids.parquet")], "orders")
    (part,) = parquet_files.look(file, WANTED).parts
    batches = list(parquet_files.read(file, part, table.schema, WANTED, 1_000_000))
    assert pa.Table.from_batches(batches).equals(table)
    assert [batch.num_rows for batch in batches[:5]] == [16, 16, 128, 1024, 8192]
    assert len(batches) < 30
    assert max(batch.nbytes for batch in batches) < 3_000_000


def test_ids_of_a_dictionary_have_bounded_bytes_in_arrow_files_as_well(tmp_path):
    ids = pa.array(["x" * 1000, "y" * 1000] * 3000).dictionary_encode()
    table = pa.table({"customer_id": ids})
    with pa.ipc.new_file(str(tmp_path / "ids.arrow"), table.schema) as writer:
        writer.write_table(table)
    (file,) = list_files([str(tmp_path / "ids.arrow")], "orders")
    (part,) = arrow_files.look(file, WANTED).parts
    batches = list(arrow_files.read(file, part, table.schema, WANTED, 2_000_000))
    assert pa.Table.from_batches(batches).equals(table)
    assert max(batch.num_rows for batch in batches) <= 2000
    (whole,) = arrow_files.read(file, part, table.schema, WANTED, None)
    assert whole.num_rows == 6000


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
    wanted = ReadRequest("orders", {"customer_id": "customer", "amount": "amount"})
    pa.set_memory_pool(counted)
    try:
        source = files.open_files([str(path)], wanted, threads=1)
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
    assert sorted(history.profile(AS_OF)["customer_id"].to_pylist()) == ["-20", "1"]
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
