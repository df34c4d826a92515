"""Spark with two executor processes against one machine, bit for bit."""

import os
import re
import sys
import warnings
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._columns import PROFILE_COLUMNS
from ordercycle.engines import spark


@pytest.fixture(scope="module")
def shop(session):
    """Return orders and customers, here and in Spark, in pieces."""
    orders, customers = tables()
    return orders, customers, framed(session, orders, 5), framed(session, customers, 2)


def framed(session, table, pieces=3):
    from pyspark.sql.pandas.types import from_arrow_schema

    # Left to itself, Spark reads local times as instants of the session's zone.
    schema = from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
    return session.createDataFrame(table, schema).repartition(pieces)


def local(orders, customers=None, **options):
    return oc.OrderHistory.build(orders, customers, columns=COLUMNS, **options)


@pytest.mark.parametrize("partitions", [1, 2, None, 11])
def test_any_number_of_partitions(shop, partitions):
    orders, customers, orders_there, customers_there = shop
    found = spark.profile(
        orders_there, customers_there, as_of=AS_OF, columns=COLUMNS, partitions=partitions
    )
    assert_same_bits(found.toArrow(), local(orders, customers).profile(AS_OF))


def test_each_partition_has_customers_in_order_of_their_hash(shop):
    orders, _, there, _ = shop
    found = spark.profile(there, as_of=AS_OF, columns=COLUMNS, partitions=4)
    assert found.rdd.getNumPartitions() == 4
    order = {
        name: place
        for place, name in enumerate(local(orders).profile(AS_OF)["customer_id"].to_pylist())
    }
    of_partitions = found.select("customer_id").rdd.glom().collect()
    assert min(map(len, of_partitions)) > 20
    for rows in of_partitions:
        places = [order[row.customer_id] for row in rows]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("customer", "amount", "time"),
    [
        (pa.string(), pa.decimal128(10, 2), pa.timestamp("us")),
        (pa.binary(), pa.int32(), pa.date32()),
        (pa.large_string(), pa.decimal128(38, 4), pa.timestamp("us", "Asia/Tokyo")),
        (pa.large_binary(), pa.float32(), pa.date32()),
        (pa.dictionary(pa.int16(), pa.string()), pa.int64(), pa.timestamp("ms", "UTC")),
    ],
    ids=str,
)
def test_types(session, customer, amount, time):
    """What Spark makes of a type, one machine is given as well."""
    orders, customers = tables(customer, amount, time, rows=400, people=60)
    there = [framed(session, table) for table in (orders, customers)]
    options = {"timezone": "Europe/Madrid", "times_without_zone": "local", "refunds": "count"}
    found = spark.profile(*there, as_of=AS_OF, columns=COLUMNS, **options).toArrow()
    here = [with_sparks_ids(table) for table in (orders, customers)]
    expected = local(*here, **options).profile(AS_OF)
    assert_same_bits(found, expected)


def with_sparks_ids(table):
    kind = table["customer_id"].type
    plain = (
        pa.binary() if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else pa.string()
    )
    return table.set_column(0, "customer_id", table["customer_id"].cast(plain))


def test_days_are_those_of_the_business_whatever_the_session_says(session):
    """Half past midnight in Madrid is the day before in UTC and in Newfoundland."""
    times = pa.array([1_748_730_600_000_000], pa.int64())  # 2025-05-31 22:30 UTC
    for kind, zone, day in (
        (pa.timestamp("us", "UTC"), "Europe/Madrid", date(2025, 6, 1)),
        (pa.timestamp("us", "UTC"), "UTC", date(2025, 5, 31)),
        (pa.timestamp("us"), "Europe/Madrid", date(2025, 5, 31)),
    ):
        orders = pa.table({"customer_id": [1], "ordered_at": times.cast(kind), "amount": [1.0]})
        there = framed(session, orders)
        said = {} if kind.tz else {"times_without_zone": "local"}
        row = spark.profile(there, as_of=AS_OF, timezone=zone, **said).first()
        assert row.first_order_on == day, (kind, zone)


def test_columns_are_computed_in_the_tasks(shop):
    orders, customers, *there = shop
    options = {
        "columns": oc.Columns(
            customer="text(customer_id) + '|' + note",
            amount="amount * 2",
            order="order_id",
            listed_customer="text(customer_id) + '|not read'",
        ),
        "only": "amount > 5 and not order_id in ('o1', 'o2')",
        "nobody": [f"{orders['customer_id'][0].as_py()}|not read"],
    }
    found = spark.profile(*there, as_of=AS_OF, **options).toArrow()
    history = oc.OrderHistory.build(orders, customers, **options)
    assert history.summary().left_out > 0
    assert history.summary().nobody > 1
    expected = history.profile(AS_OF)
    kind = found.schema.field("customer_id").type
    plain = expected.set_column(0, "customer_id", expected["customer_id"].cast(kind))
    assert_same_bits(found, plain)


def test_policies_reach_the_tasks(shop):
    orders, customers, *there = shop
    options = {"refunds": "drop", "unknown": "drop"}
    found = spark.profile(
        *there, as_of=AS_OF, window_days=90, columns=COLUMNS, memory_limit="100MB", **options
    )
    expected = local(orders, customers, **options).profile(AS_OF, 90)
    assert_same_bits(found.toArrow(), expected)


def test_no_rows_at_all(shop):
    *_, there, _ = shop
    found = spark.profile(there.limit(0), as_of=AS_OF, columns=COLUMNS).toArrow()
    assert found.num_rows == 0
    assert found.schema.names == [
        column.name for column in PROFILE_COLUMNS if column.name != "window_days"
    ]


def test_nothing_runs_before_an_action(session, shop):
    *_, there, _ = shop
    group = "nothing runs"
    session.sparkContext.setJobGroup(group, group)
    spark.assign(spark.profile(there, as_of=AS_OF, columns=COLUMNS), oc.Lifecycle())
    assert not session.sparkContext.statusTracker().getJobIdsForGroup(group)


def test_segments(shop):
    orders, customers, *there = shop
    profiles = spark.profile(*there, as_of=AS_OF, columns=COLUMNS)
    found = spark.assign(profiles.withColumnRenamed("gap_min", "shortest"), oc.Lifecycle())
    assert found.schema["lifecycle"].dataType.typeName() == "string"
    expected = oc.Lifecycle().assign(local(orders, customers).profile(AS_OF))
    segments = expected["lifecycle"].cast(pa.string())
    expected = expected.set_column(expected.num_columns - 1, "lifecycle", segments)
    names = ["shortest" if one == "gap_min" else one for one in expected.column_names]
    assert_same_bits(found.toArrow(), expected.rename_columns(names))
    with pytest.raises(oc.ColumnError, match="has a column 'lifecycle' already"):
        spark.assign(found, oc.Lifecycle())
    with pytest.raises(oc.ColumnError, match="no single column 'orders'"):
        spark.assign(profiles.drop("orders"), oc.Lifecycle())


def test_segments_are_assigned_where_profiles_are_made_or_kept(shop):
    orders, customers, *there = shop
    profiles = spark.profile(*there, as_of=AS_OF, columns=COLUMNS)
    expected = oc.Lifecycle().assign(local(orders, customers).profile(AS_OF))
    rules = oc.Rules({"Big": "revenue > 50"})
    expected = rules.assign(expected, column="tier")
    for name in ("lifecycle", "tier"):
        place = expected.column_names.index(name)
        expected = expected.set_column(place, name, expected[name].cast(pa.string()))

    def found():
        return spark.assign(spark.assign(profiles, oc.Lifecycle()), rules, column="tier")

    at_once = found()
    assert_same_bits(at_once.toArrow(), expected)
    profiles.persist()
    try:
        from_kept = found()
        assert from_kept.schema == at_once.schema
        assert_same_bits(from_kept.toArrow(), expected)
    finally:
        profiles.unpersist()
    steps = [
        frame.select("tier")._jdf.queryExecution().toString() for frame in (at_once, from_kept)
    ]
    assert 0 < steps[0].count("MapInArrow") < steps[1].count("MapInArrow")


def test_a_window_is_remembered(shop):
    *_, there, _ = shop
    profiles = spark.profile(there, as_of=AS_OF, window_days=90, columns=COLUMNS)
    with pytest.raises(oc.ConfigError, match="this profile has a window"):
        spark.assign(profiles.where("orders > 1"), oc.Lifecycle())


def test_the_lifecycle_is_fitted_to_the_same_days(shop):
    orders, customers, *there = shop
    with warnings.catch_warnings(action="ignore", category=oc.OrdercycleWarning):
        found = spark.fit_lifecycle(
            *there, as_of=AS_OF, columns=COLUMNS, scheme=oc.Lifecycle(new_days=9), churned_share=0.9
        )
        expected = oc.Lifecycle(new_days=9).fit(local(orders, customers), AS_OF, churned_share=0.9)
    assert found == expected


def test_bad_values_are_reported_with_column_and_count(session, shop):
    from pyspark.errors import PythonException

    bad = (
        shop[0]
        .slice(0, 50)
        .append_column("bad", pa.array([1.0] * 40 + [float("nan")] * 3 + [1.0] * 7))
    )
    profiles = spark.profile(
        framed(session, bad),
        as_of=AS_OF,
        columns=oc.Columns(amount="bad"),
        partitions=1,
    )
    with pytest.raises(PythonException) as raised:
        profiles.collect()
    assert (
        "ordercycle.DataError: orders: bad is NaN or infinite (nan) at a row of source "
        "partition" in str(raised.value)
    )
    assert "(3 such rows); drop or fix them" in str(raised.value)


def test_a_customer_listed_twice_is_found_wherever_the_rows_are(session, shop):
    from pyspark.errors import PythonException

    _, customers, there, _ = shop
    twice = framed(session, pa.concat_tables([customers, customers.slice(3, 1)]), 6)
    profiles = spark.profile(there, twice, as_of=AS_OF, columns=COLUMNS)
    with pytest.raises(PythonException, match="customers: customer_id is there a second time"):
        profiles.collect()


def test_what_is_wrong_with_a_frame_is_reported_at_once(session, shop):
    orders, _, there, _ = shop
    with pytest.raises(oc.ConfigError, match="a Table is no Spark DataFrame"):
        spark.profile(orders, as_of=AS_OF)
    with pytest.raises(oc.ColumnError, match="did you mean 'ordered_at'"):
        spark.profile(there, as_of=AS_OF, columns=oc.Columns(time="ordred_at"))
    with pytest.raises(oc.ConfigError, match="as_of"):
        spark.profile(there, as_of="yesterday")
    odd = session.sql(
        "SELECT map('a', 1) AS customer_id, current_date() AS ordered_at, 1 AS amount"
    )
    with pytest.raises(oc.ColumnError, match="customer_id is map<string,int>"):
        spark.profile(odd, as_of=AS_OF)
    stream = session.readStream.format("rate").load()
    with pytest.raises(oc.ConfigError, match="orders: this is a stream"):
        spark.profile(stream, as_of=AS_OF)


def test_names_of_any_spelling(session):
    names = {"customer_id": "who `is` it", "ordered_at": "when.then", "amount": "how much"}
    orders = tables(rows=50)[0].select(list(names))
    renamed = orders.rename_columns(list(names.values()))
    columns = oc.Columns(customer="who `is` it", time="when.then", amount="how much")
    found = spark.profile(session.createDataFrame(renamed), as_of=AS_OF, columns=columns)
    profile = oc.OrderHistory.build(orders).profile(AS_OF)
    assert_same_bits(found.toArrow(), profile)
    odd = found.withColumnRenamed("gap_min", "gap.`min`")
    rfm = spark.fit(odd, oc.Rfm(where="orders > 1"))
    assert rfm == oc.Rfm(where="orders > 1").fit(profile)
    segments = spark.assign(odd, rfm)
    assert segments.columns == [*odd.columns, *rfm.assign(profile).column_names[-4:]]
    assert segments.toArrow()["gap.`min`"].equals(odd.toArrow()["gap.`min`"])


def test_an_executor_killed_mid_job(shop, tmp_path):
    """It had blocks that others still needed: Spark makes them again, and nothing changes."""
    orders, customers, *there = shop
    marker = str(tmp_path / "killed")

    def kill_once(batches):
        import os
        import signal
        from pathlib import Path

        from pyspark import TaskContext

        rows = list(batches)
        if TaskContext.get().partitionId() == 1:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                daemon = os.getppid()
                stat = Path(f"/proc/{daemon}/stat").read_text()
                os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
        yield from rows

    profiles = spark.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=6)
    found = profiles.mapInArrow(kill_once, profiles.schema).toArrow()
    assert os.path.exists(marker)
    assert_same_bits(found, local(orders, customers).profile(AS_OF))


@pytest.mark.parametrize(
    "scheme", [oc.Rfm(where="orders > 1"), oc.Cadence()], ids=["rfm", "cadence"]
)
def test_fits_and_their_segments(shop, scheme):
    orders, customers, *there = shop
    profiles = spark.profile(*there, as_of=AS_OF, columns=COLUMNS)
    table = local(orders, customers).profile(AS_OF)
    fitted = spark.fit(profiles, scheme)
    assert fitted == scheme.fit(table)
    name = scheme.name
    found = spark.assign(profiles, fitted).select("customer_id", name).toArrow()
    segments = fitted.assign(table).select(["customer_id", name])
    expected = segments.set_column(1, name, segments[name].cast(pa.string()))
    assert_same_bits(found, expected)


def test_reports(shop):
    orders, customers, *there = shop
    period = ("2025-01", "2025-03")
    history = local(orders, customers)
    membership = oc.Lifecycle().membership(history)
    with pytest.warns(oc.OrdercycleWarning, match="2025-03 is not over"):
        found = spark.segment_report(
            there[0], oc.Lifecycle(), there[1], period=period, columns=COLUMNS
        )
    with pytest.warns(oc.OrdercycleWarning, match="2025-03 is not over"):
        expected = oc.SegmentReport.build(history, membership, period=period)
    assert found.as_of == expected.as_of
    assert found.comparison().equals(expected.comparison())


def test_views(session, shop):
    """Booleans among the attributes: blocks are the same in whatever order rows come."""
    from pyspark.errors import PythonException

    said = ["paid" if row % 3 else None for row in range(shop[0].num_rows)]
    orders = shop[0].append_column("status", pa.array(said)).drop_columns(["order_id"])
    orders = orders.append_column("gift", pa.array([row % 4 == 0 for row in range(len(said))]))
    columns = oc.Columns(attributes=["status", "gift"], instants=True)
    lookups = {"status": pa.table({"status": ["paid"], "counts": [True]})}
    where = "status == 'paid' and status.counts and not gift"
    view = oc.OrderHistory.build(orders, shop[1], columns=columns, lookups=lookups).where(where)
    there = framed(session, orders, 4)
    options = {"columns": columns, "lookups": lookups, "partitions": 3}
    found = spark.profile(there, shop[3], as_of=AS_OF, where=where, **options)
    lifecycle = oc.Lifecycle()
    expected = lifecycle.assign(view.profile(AS_OF))
    segments = expected["lifecycle"].cast(pa.string())
    place = expected.schema.get_field_index("lifecycle")
    expected = expected.set_column(place, "lifecycle", segments)
    assert_same_bits(spark.assign(found, lifecycle).toArrow(), expected)
    report = {"period": "2025-02", "as_of": "2025-02-28"}
    made = spark.segment_report(there, lifecycle, shop[3], where=where, **report, **options)
    known = oc.SegmentReport.build(view, lifecycle.membership(view), **report)
    assert made.comparison().equals(known.comparison())
    fitted = spark.fit_lifecycle(there, shop[3], as_of=AS_OF, where=where, **options)
    assert fitted == lifecycle.fit(view, AS_OF)
    typo = spark.profile(there, as_of=AS_OF, where="status == 'piad'", **options)
    with pytest.raises(PythonException, match="no value of status equals 'piad'"):
        typo.collect()


def test_the_example_of_the_documentation_runs(session, capsys):  # noqa: ARG001 - which it gets
    page = (Path(__file__).parents[2] / "docs" / "scaling" / "spark.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (example,) = (block for block in blocks if "SparkSession" in block)
    with warnings.catch_warnings(action="ignore", category=oc.OrdercycleWarning):
        exec(example, {})  # noqa: S102 - our own text
    shown = capsys.readouterr().out
    assert "Loyal" in shown
    assert "All Customers" in shown


@pytest.mark.parametrize("median", ["sorted list", "percentile"])
def test_the_benchmark_compares_like_with_like(session, tmp_path, median):
    sys.path.append(str(Path(__file__).parents[2]))
    from benchmarks.peers.cluster_shop import write_orders
    from benchmarks.peers.compare import differences
    from benchmarks.peers.generate import AS_OF as END
    from benchmarks.peers.generate import Workload, order_table
    from benchmarks.peers.spark_profile import profile

    workload = Workload(orders=5_000)
    orders = session.read.parquet(str(write_orders(workload, tmp_path / "orders")))
    ours = oc.Lifecycle().assign(oc.OrderHistory.build(order_table(workload)).profile(END))
    assert not differences(ours, profile(orders, END, median).toArrow())
