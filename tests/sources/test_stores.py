"""Files in stores: the bits of the same files on a disk, or an error that names the URI."""

import os
import pickle
import re
import threading
import traceback
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, fs, ipc
from support.order_files import AS_OF, orders, profile
from support.store_servers import ENVIRONMENT, Pages, Wire, s3_file_system

import ordercycle as oc
from ordercycle._history.options import BuildOptions
from ordercycle._sources import files, parquet_files
from ordercycle._sources.file_list import list_files
from ordercycle._sources.file_names import matches
from ordercycle._sources.locations import absolute, is_uri
from ordercycle._sources.store_errors import explained, redacted

TABLE = orders(120)
KEY = "S3CR3T%2Fkey"  # of nothing
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "nightly.md"


@pytest.fixture(scope="module")
def server():
    """Return the address of an S3 server, in whose environment clients find their keys."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        made.start()
        yield made.get_host_and_port()
        made.stop()


@pytest.fixture(scope="module")
def s3(server):
    """Return a client of a bucket with orders in several formats, of 120 rows each."""
    client = s3_file_system("{}:{}".format(*server))
    client.create_dir("shop")
    write(client, "shop/orders/year=2025/a b.parquet", TABLE.slice(0, 50))
    write(client, "shop/orders/year=2026/c%2Fd.parquet", TABLE.slice(50))
    write(client, "shop/orders/year=2026/_hidden.parquet", TABLE)
    write(client, "shop/orders/.tmp/x.parquet", TABLE)
    write(client, "shop/orders/_SUCCESS", None)
    write(client, "shop/csv/a.csv", TABLE.slice(0, 50))
    write(client, "shop/csv/b.csv", TABLE.slice(50))
    write(client, "shop/packed/a.csv.gz", TABLE)
    write(client, "shop/arrow/a.arrow", TABLE)
    return client


@pytest.fixture
def wire(server):
    """Return a wire to the S3 server."""
    made = Wire(server)
    yield made
    made.close()


def write(client, path, table):
    """Write a table to a store, in the format of its name; None: nothing but the object."""
    with client.open_output_stream(path, compression="detect") as stream:
        if table is None:
            stream.write(b"{}")
        elif path.endswith(".parquet"):
            pq.write_table(table, stream, row_group_size=20)
        elif path.endswith(".arrow"):
            with ipc.new_file(stream, table.schema) as writer:
                writer.write_table(table, max_chunksize=10)
        else:
            csv.write_csv(table, stream)


def uri(path, server, keys="testing:testing@"):
    return f"s3://{keys}{path}?endpoint_override={server[0]}:{server[1]}&scheme=http"


PATHS = [
    "shop/orders",
    "shop/orders/",
    "shop/orders/**",
    "shop/orders/*",
    "shop/orders/year=*",
    "shop/orders/*/[!_]*.parquet",
    "shop/orders/**/year=*/[ac]*.parquet",
    "shop/ord*s",
    "shop/*/year=202?/*[bd].parquet",
    "shop/csv",
    "shop/csv/?.csv",
    "shop/packed/*.gz",
    "shop/packed/a.csv.gz",
    "shop/arrow/a.arrow",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_way_in_gives_the_bits_of_the_table(s3, server, path):
    expected = profile(TABLE)
    assert profile(path, filesystem=s3).equals(expected)
    assert profile(f"s3://{path}", filesystem=s3).equals(expected)
    assert profile(uri(path, server)).equals(expected)
    assert profile(uri(path, server, keys="")).equals(expected)  # keys of the environment


@pytest.mark.parametrize("path", PATHS)
def test_a_store_and_a_disk_match_the_same_files(s3, tmp_path, path):
    fs.copy_files("shop", str(tmp_path / "shop"), source_filesystem=s3)
    on_disk = list_files([str(tmp_path / path)], "orders")
    in_store = list_files([path], "orders", s3)
    there = [os.path.relpath(file.path, tmp_path) for file in on_disk]
    assert [file.path for file in in_store] == there
    assert [file.partition for file in in_store] == [file.partition for file in on_disk]


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("**", "", True),
        ("**", "a/b", True),
        ("**", "a/.b", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "a/b/c.csv", True),
        ("**/*.csv", "a/.b/c.csv", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a**/b", "ax/y/b", False),  # such stars are one
        ("*", ".a", False),
        (".*", ".a", True),
        ("[ab]", "b", True),
        ("*", "a/b", False),
        ("*/b", "a", False),
        ("**/*.csv", "_temporary/0/a.csv", False),
        ("**", "a/_b", False),
    ],
)
def test_patterns_are_those_of_a_disk(tmp_path, pattern, names, expected):
    import glob

    assert matches(names.split("/") if names else [], pattern.split("/")) is expected
    place = tmp_path / names
    place.parent.mkdir(parents=True, exist_ok=True)
    if names:
        place.write_text("")
    found = os.path.join(tmp_path, names) in glob.glob(f"{tmp_path}/{pattern}", recursive=True)
    assert found is (expected or "_" in names)  # which glob.glob does not hide


def test_folders_name_columns(s3):
    without = TABLE.drop_columns(["ordered_at"])
    write(s3, "shop/days/day=2025-10-01/x.parquet", without.slice(0, 60))
    write(s3, "shop/days/day=2025-10-02/x.parquet", without.slice(60))
    days = [date(2025, 10, 1)] * 60 + [date(2025, 10, 2)] * 60
    expected = without.append_column("day", pa.array(days))
    columns = oc.Columns(time="day")
    found = profile("shop/days", filesystem=s3, columns=columns)
    assert found.equals(profile(expected, columns=columns))


def test_both_tables_and_places_of_several_kinds(s3, server, tmp_path):
    ids = TABLE["customer_id"].unique()
    listed = pa.table({"customer_id": ids, "registered_at": pa.nulls(len(ids), pa.date32())})
    write(s3, "shop/customers/all.parquet", listed)
    expected = oc.OrderHistory.build(TABLE, listed).profile(AS_OF)
    found = oc.OrderHistory.build("shop/orders", "shop/customers/all.parquet", filesystem=s3)
    assert found.profile(AS_OF).equals(expected)
    first, rest = tmp_path / "a %.parquet", TABLE.slice(50)
    pq.write_table(TABLE.slice(0, 50), first)
    pq.write_table(rest, tmp_path / "b.parquet")
    by_uri = "file://" + str(first).replace("%", "%25").replace(" ", "%20")
    later = "shop/orders/year=2026/c%2Fd.parquet"
    for paths in (
        [by_uri, uri(later.replace("%", "%25"), server)],
        [first, uri("shop/orders/year=2026", server)],
    ):
        assert profile(paths).equals(profile(TABLE))
    assert profile([by_uri, later], filesystem=s3).equals(profile(TABLE))
    assert profile([first, tmp_path / "b.parquet"], filesystem=fs.LocalFileSystem()).equals(
        profile(TABLE)
    )


def test_file_systems_of_fsspec(server, s3):
    import fsspec
    import s3fs

    memory = fsspec.filesystem("memory", skip_instance_cache=True)
    writer = fs.PyFileSystem(fs.FSSpecHandler(memory))
    write(writer, "/shop-of-tests/year=2025/a.parquet", TABLE.slice(0, 50))
    write(writer, "/shop-of-tests/b.parquet", TABLE.slice(50))
    expected = profile(TABLE)
    for path in ("memory://shop-of-tests", "memory://shop-of-tests/**/*.parquet"):
        assert profile(path).equals(expected)
        assert profile(path, filesystem=memory).equals(expected)
    assert profile("/shop-of-tests", filesystem=memory).equals(expected)
    assert profile("shop-of-tests/*", filesystem=writer).equals(expected)
    memory.rm("/shop-of-tests", recursive=True)
    client = s3fs.S3FileSystem(
        endpoint_url="http://{}:{}".format(*server), skip_instance_cache=True
    )
    for path in PATHS:
        assert profile(path, filesystem=client).equals(expected)
    # What the client remembers of a folder is not what is there.
    write(s3, "shop/orders/year=2026/late.parquet", TABLE)
    try:
        assert oc.OrderHistory.build("shop/orders", filesystem=client).summary().rows == 240
    finally:
        s3.delete_file("shop/orders/year=2026/late.parquet")


def test_a_history_is_put_back_and_fetched_as_the_tutorial_says(server, tmp_path, monkeypatch):
    import s3fs

    monkeypatch.chdir(tmp_path)
    store = s3fs.S3FileSystem(endpoint_url="http://{}:{}".format(*server), skip_instance_cache=True)
    written = re.findall(r"^(?:>>>|\.\.\.) (.*)$", TUTORIAL.read_text(), re.MULTILINE)
    start, stop = written.index("def put_back(night, *folders):"), "def fetch(into, *folders):"
    stop = written.index(stop) + 4
    code = "\n".join(written[start:stop])
    said = {"store": store}
    exec(code, said)  # noqa: S102 - our own page
    history = oc.OrderHistory.build(TABLE)
    history.save("history")
    for night in ("2026-01-01-first-run", "2026-01-01-again"):
        said["put_back"](night, "history")
        said["fetch"](night, "history")
        assert sorted(path.name for path in (tmp_path / night / "history").iterdir()) == sorted(
            path.name for path in (tmp_path / "history").iterdir()
        )
        fetched = oc.OrderHistory.open(tmp_path / night / "history")
        assert fetched.profile(AS_OF).equals(history.profile(AS_OF))


@pytest.mark.parametrize("ending", ["csv", "parquet", "csv.gz", "arrow"])
def test_single_files_of_a_server(tmp_path, ending):
    write(fs.LocalFileSystem(), str(tmp_path / f"a.{ending}"), TABLE)
    content = (tmp_path / f"a.{ending}").read_bytes()
    with Pages({f"/export/a.{ending}": content}) as pages:
        base = f"http://{pages.address}/export"
        assert profile(f"{base}/a.{ending}?token={KEY}").equals(profile(TABLE))
        with pytest.raises(oc.SourceError, match=f"'{base}/b.{ending}' cannot.*the path") as lost:
            profile(f"{base}/b.{ending}?token={KEY}")
        assert "S3CR3T" not in shown(lost.value)
        twin = f"http://{pages.address}/./%65xport/a.{ending}"
        with pytest.raises(oc.SourceError, match="listed twice"):
            profile([f"{base}/a.{ending}", twin])
        pages.ranges = False
        with pytest.raises(oc.SourceError, match="from their beginning only; download it"):
            profile(f"{base}/a.{ending}")
        pages.shutdown()


def test_an_object_listed_twice_is_refused_however_it_is_spelled(s3, server):
    path = "shop/csv/a.csv"
    for twin in (
        path,
        "shop/./csv/a.csv",
        "shop/arrow/../csv/a.csv",
        "s3://shop/csv/a.csv",
        uri(path, server),
        uri(path, server, keys=""),
        uri("shop/c%73v/a.csv", server),
        "shop/csv/*.csv",
        "shop/csv",
    ):
        with pytest.raises(oc.SourceError, match=r"a\.csv' is listed twice"):
            profile([path, twin], filesystem=s3)


def test_objects_of_the_same_name_and_size_in_two_stores_are_two(s3, server):  # noqa: ARG001
    import fsspec

    stores = [fs.SubTreeFileSystem(base, s3) for base in ("shop/csv", "shop/arrow")]
    assert [len(list_files(["*"], "orders", one)) for one in stores] == [2, 1]
    assert fsspec.filesystem("memory").protocol == "memory"


def newer(s3):
    write(
        s3,
        "shop/changed/a.parquet",
        TABLE.slice(0, 119).append_column("new", TABLE["amount"].slice(0, 119)),
    )


def same_size(s3):
    """Write other rows in the same number of bytes, within the same second."""
    with s3.open_input_file("shop/changed/a.parquet") as stream:
        content = bytearray(stream.read())
    content[4:40] = bytes(reversed(content[4:40]))
    with s3.open_output_stream("shop/changed/a.parquet") as stream:
        stream.write(bytes(content))


@pytest.mark.parametrize("change", [newer, same_size])
@pytest.mark.parametrize("when", ["before", "while"])
@pytest.mark.parametrize("client", ["arrow", "fsspec"])
def test_an_object_that_changes_is_an_error(s3, server, change, when, client, monkeypatch):
    import s3fs

    write(s3, "shop/changed/a.parquet", TABLE)
    store = s3
    if client == "fsspec":
        url = "http://{}:{}".format(*server)
        store = s3fs.S3FileSystem(endpoint_url=url, skip_instance_cache=True)
    plain_read = parquet_files.read

    def read(*arguments):
        if when == "before":
            change(s3)
        yield from plain_read(*arguments)
        if when == "while":
            change(s3)

    monkeypatch.setitem(files.READERS, "parquet", files.Format(parquet_files.look, read))
    with pytest.raises(oc.SourceError, match=r"'shop/changed/a\.parquet' was written again since"):
        profile("shop/changed", filesystem=store)


def test_a_local_file_that_grows_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    plain_read = parquet_files.read

    def read(*arguments):
        yield from plain_read(*arguments)
        with open(path, "ab") as stream:
            stream.write(b"more")

    monkeypatch.setitem(files.READERS, "parquet", files.Format(parquet_files.look, read))
    with pytest.raises(oc.SourceError, match="was written again since"):
        profile(path)


def shown(error):
    """Return what Python prints of an error."""
    return "".join(traceback.format_exception_only(error)) + str(error.__cause__)


def test_a_refused_key_is_named_without_the_key(wire):
    wire.refuses = True
    keys = f"AKIAKEY:{KEY}@"
    for path in ("shop/orders", "shop/orders/year=2025/a%20b.parquet", "shop/orders/*/*.parquet"):
        with pytest.raises(
            oc.SourceError, match=r"orders: 's3://shop/orders[^']*' cannot"
        ) as refused:
            profile(uri(path, wire.address.split(":"), keys=keys))
        assert "give it a key that may read this" in str(refused.value.remedy)
        assert "AKIAKEY" not in shown(refused.value)
        assert "S3CR3T" not in shown(refused.value)
    with pytest.raises(oc.SourceError, match="give it a key that may read this"):
        profile("shop/orders", filesystem=s3_file_system(wire.address))


@pytest.mark.parametrize(
    "path", ["shop/orders", "shop/csv", "shop/packed/a.csv.gz", "shop/arrow/a.arrow"]
)
def test_a_connection_that_breaks_anywhere_is_an_error(s3, wire, path):  # noqa: ARG001 - objects
    client = s3_file_system(wire.address)
    wire.cut(2**40)
    assert profile(path, filesystem=client, threads=1).equals(profile(TABLE))
    whole = wire._answered
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 0.95):
        wire.cut(int(whole * share))
        with pytest.raises(oc.SourceError, match=r"orders: 'shop/.*' (cannot be read|is empty)"):
            profile(path, filesystem=client, threads=1)


def test_nothing_listens(server):  # noqa: ARG001 - the environment
    with pytest.raises(oc.SourceError, match=r"'shop/orders' cannot be read: .*; look at the conn"):
        profile("shop/orders", filesystem=s3_file_system("127.0.0.1:1"))


def test_what_is_not_there(s3, server):
    for path, message in {
        "shop/nowhere": r"there is no file or folder 's3://shop/nowhere'",
        "shop/nowhere/*.csv": r"no file matches 's3://shop/nowhere/\*\.csv'",
        "shop/csv/*.parquet": r"no file matches",
        "nobody/orders": r"there is no 's3://nobody/orders', nor a bucket 'nobody'",
        "shop/orders/.tmp": None,
        "shop/orders/_SUCCESS": "format of 's3://shop/orders/_SUCCESS' is unknown",
    }.items():
        if message is None:
            assert oc.OrderHistory.build(uri(path, server)).summary().rows == 120
            continue
        with pytest.raises(oc.SourceError, match=message):
            profile(uri(path, server))
    s3.create_dir("shop/empty")
    with pytest.raises(oc.SourceError, match="the folder 'shop/empty' holds no file named"):
        profile("shop/empty", filesystem=s3)
    with s3.open_output_stream("shop/empty/a.csv"):
        pass
    with pytest.raises(oc.SourceError, match=r"'shop/empty/a\.csv' is empty"):
        profile("shop/empty", filesystem=s3)
    s3.delete_dir("shop/empty")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("foo://shop/x", "there is no kind of store 'foo'; write a path"),
        ("s33://shop/x", r"no kind of store 's33' \(did you mean 's3'\?\)"),
        ("s3:///orders", "names no bucket; write s3://bucket/path"),
        (
            "s3://AKIAKEY:S3CR3T/x@shop/y",
            r"'s3://shop/y' has a key with a slash in it; write .*%2F",
        ),
        (
            "s3://AKIAKEY:S3CR3T@shop/y?nonsense=S3CR3T",
            "'s3://shop/y.nonsense=...' cannot be opened",
        ),
        ("file://orders/a.csv", "names the host 'orders'.*; write 'file:///orders/a.csv'"),
        ("ssh://me:S3CR3T@shop/x", "'ssh://me@shop/x' cannot be opened: .*paramiko"),
        (
            "http://AKIAKEY:S3CR3T@127.0.0.1:1/a.csv?sig=S3CR3T",
            "'http://127.0.0.1:1/a.csv' cannot be",
        ),
    ],
)
def test_uris_that_lead_nowhere(path, message):
    with pytest.raises(oc.SourceError, match=message) as lost:
        profile(path)
    assert "S3CR3T" not in shown(lost.value)
    assert "AKIAKEY" not in shown(lost.value)


def test_a_file_system_that_is_none():
    for nonsense in ("s3", 3, object()):
        with pytest.raises(oc.ConfigError, match=r"filesystem= takes no .*; pass a pyarrow\.fs"):
            profile(TABLE, filesystem=nonsense)


def test_what_is_a_uri():
    for path in ("s3://a", "S3A://a", "simplecache::s3://a", "zip://x.csv::file://a.zip"):
        assert is_uri(path)
    for path in ("C:/orders", "C:\\orders", "c://orders", "orders", "a:b", "/s3://a", "./a://b"):
        assert not is_uri(path)


def test_keys_are_hidden_wherever_they_stand():
    url = "https://acct.example/a.csv?sv=2024&sig=abc%2Fdef"
    assert redacted(url) == "https://acct.example/a.csv?sv=***&sig=***"
    assert redacted("abfs://box:a2V5@acct.example/x") == "abfs://box@acct.example/x"
    assert redacted("s3://shop/a@b/*?.csv") == "s3://shop/a@b/*?.csv"
    error = OSError(f"404, message='Not Found', url='{url}' (abc/def)\nmore")
    reason, remedy = explained(error, url)
    assert "abc" not in reason
    assert "\n" not in reason
    assert remedy == "look at the path, or leave it out"
    assert explained(ValueError("Not in the footer. No such file."))[0].endswith("No such file")


def test_stores_travel(s3, server):
    for path, store in (("shop/csv/a.csv", s3), (uri("shop/csv/a.csv", server), None)):
        (file,) = list_files([path], "orders", store)
        again = pickle.loads(pickle.dumps(file))  # noqa: S301 - our own
        assert "testing" not in repr(file)
        assert again.written() == file.written()
        with again.open() as stream:
            assert stream.size() == file.size()
    assert absolute("a.csv", None, "orders") == os.path.abspath("a.csv")
    assert absolute("a.csv", s3, "orders") == "a.csv"


def test_memory_stays_bounded_under_a_limit(s3):
    table = pa.table(
        {
            "customer_id": [f"customer {number:090}" for number in range(60_000)],
            "ordered_at": pa.array([date(2025, 1, 1)] * 60_000),
            "amount": [1.0] * 60_000,
        }
    )
    pq.write_table(table, "shop/large/a.parquet", filesystem=s3)
    (file,) = list_files(["shop/large/a.parquet"], "orders", s3)
    wanted = BuildOptions().orders_request
    look = parquet_files.look(file, wanted)
    for limit in (100_000, 50_000_000):
        batches = list(parquet_files.read(file, look.parts[0], table.schema, wanted, limit))
        assert pa.Table.from_batches(batches).equals(table)
        assert max(batch.nbytes for batch in batches) < 2 * limit


def test_stores_are_read_by_more_readers_than_disks(s3, wire, monkeypatch):  # noqa: ARG001
    """Of four times as many, as each waits for most of the time; never more than that."""
    monkeypatch.setattr(parquet_files, "PART_ROWS", 20)
    client = s3_file_system(wire.address)
    wire.delay = 0.05
    reading, most = set(), 0
    plain_read = parquet_files.read

    def read(*arguments):
        nonlocal most
        reading.add(threading.current_thread())
        most = max(most, len(reading))
        yield from plain_read(*arguments)
        reading.discard(threading.current_thread())

    monkeypatch.setitem(files.READERS, "parquet", files.READERS["parquet"]._replace(read=read))
    found = profile("shop/orders", filesystem=client, threads=1)
    assert found.equals(profile(TABLE))
    assert 2 <= most <= 4


def test_a_limit_holds_for_stores(s3):
    found = oc.OrderHistory.build("shop/orders", filesystem=s3, memory_limit="200MB", threads=1)
    assert found.profile(AS_OF).equals(profile(TABLE))
