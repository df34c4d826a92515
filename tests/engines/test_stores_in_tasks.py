"""Files in stores on clusters: tasks open them by themselves, with the bits of one machine."""

import pickle

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.dask_shops import computed
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables
from support.store_servers import s3_file_system

import ordercycle as oc
from ordercycle._engines import file_frames
from ordercycle._engines.dask_engine import DASK
from ordercycle._engines.dask_exchange import by_target, packed
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.verbs import planned
from ordercycle._history.options import BuildOptions
from ordercycle.engines import dask, spark

SECRET = "S3CR3T-key"  # noqa: S105 - of a server of our own


@pytest.fixture(scope="module")
def server():
    """Return the address of an S3 server."""
    from moto.server import ThreadedMotoServer

    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield "{}:{}".format(*made.get_host_and_port())
    made.stop()


@pytest.fixture
def s3(server, monkeypatch):
    """Return a client of a bucket with orders and customers."""
    monkeypatch.setattr(file_frames, "TASK_BYTES", 2_000)
    client = s3_file_system(server)
    client.create_dir("jobs")
    orders, customers = tables()
    for number, start in enumerate(range(0, orders.num_rows, 300)):
        path = f"jobs/orders/part={number}/orders.parquet"
        parquet.write_table(orders.slice(start, 300), path, filesystem=client, row_group_size=100)
    parquet.write_table(customers, "jobs/customers.parquet", filesystem=client)
    return client


@pytest.fixture
def places(s3, server):
    """Return orders, customers and options: with a file system, and as URIs."""
    end = f"?endpoint_override={server}&scheme=http"
    uris = [f"s3://testing:testing@jobs/{path}{end}" for path in ("orders/**", "customers.parquet")]
    return (
        ("jobs/orders", "jobs/customers.parquet", {"filesystem": s3}),
        (*uris, {}),
        ([uris[0]], "s3://jobs/customers.parquet", {"filesystem": s3}),
    )


@pytest.fixture
def expected():
    """Return the profile of the tables themselves."""
    return oc.OrderHistory.build(*tables(), columns=COLUMNS).profile(AS_OF)


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_dask_reads_objects_in_its_tasks(places, expected, on, request):
    if on == "processes":
        request.getfixturevalue("cluster")
    settings = {"scheduler": "threads"} if on == "threads" else {}
    for orders, customers, options in places:
        profiles = dask.profile(
            orders, customers, as_of=AS_OF, columns=COLUMNS, partitions=3, **options
        )
        assert_same_bits(computed(profiles, **settings), expected)


def test_spark_reads_objects_in_its_tasks(places, expected, session):  # noqa: ARG001 - active
    for orders, customers, options in places[:2]:
        found = spark.profile(
            orders, customers, as_of=AS_OF, columns=COLUMNS, partitions=3, **options
        )
        assert_same_bits(found.toArrow(), expected)


def test_an_object_that_changed_before_its_task_is_an_error(places, s3):
    orders, customers, options = places[0]
    profiles = dask.profile(orders, customers, as_of=AS_OF, columns=COLUMNS, **options)
    path = "jobs/orders/part=1/orders.parquet"
    parquet.write_table(tables()[0].slice(0, 300), path, filesystem=s3, row_group_size=100)
    with pytest.raises(oc.SourceError, match=r"part=1/orders\.parquet' was written again since"):
        profiles.compute(scheduler="threads")
    s3.delete_file(path)
    with pytest.raises(oc.SourceError, match=r"part=1/orders\.parquet' cannot be read on .*"):
        profiles.compute(scheduler="threads")


def test_file_systems_of_fsspec_travel_and_keys_are_not_shown(s3, server):
    import s3fs

    client = s3fs.S3FileSystem(
        key="testing", secret=SECRET, endpoint_url=f"http://{server}", use_ssl=False
    )
    frame = FileFrame.of(
        "jobs/orders", BuildOptions(columns=COLUMNS, filesystem=client).orders_request
    )
    again = pickle.loads(pickle.dumps(frame))  # noqa: S301 - our own
    assert SECRET not in repr(frame)
    assert len(frame.tasks) > 2
    held = [pa.Table.from_batches(one.reader.batches(one.tasks[1])) for one in (frame, again)]
    assert held[0].equals(held[1])
    job = planned(DASK, "jobs/orders", None, 2, COLUMNS, None, {"filesystem": client}).job
    tasks = dict(packed(frame, job.tables[0], by_target).dask)
    assert max(len(pickle.dumps(task)) for task in tasks.values()) < 5_000
    assert s3.get_file_info("jobs").type.name == "Directory"
