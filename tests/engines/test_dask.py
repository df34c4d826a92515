"""Dask, with threads and with two processes of two threads, against one machine, bit for bit."""

import os
import signal
import sys
import warnings
from pathlib import Path

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.dask_shops import computed, framed, local, plain
from support.shops import AS_OF, COLUMNS, assert_same_bits, tables

import ordercycle as oc
from ordercycle._columns import PROFILE_COLUMNS
from ordercycle.engines import dask


@pytest.fixture(scope="module")
def shop():
    """Return orders and customers, here and in Dask, in pieces."""
    orders, customers = tables()
    return orders, customers, framed(orders, 5), framed(customers, 2)


@pytest.mark.parametrize("partitions", [1, 2, None, 11])
@pytest.mark.parametrize(
    ("scheduler", "method"), [("threads", None), ("threads", "disk"), ("sync", "tasks")]
)
def test_any_number_of_partitions_on_one_machine(shop, partitions, scheduler, method):
    import dask as configured

    orders, customers, *there = shop
    expected = local(orders, customers).profile(AS_OF)
    with configured.config.set({"dataframe.shuffle.method": method}):
        found = dask.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=partitions)
        assert found.npartitions == (partitions or 5)
        assert_same_bits(computed(found, scheduler=scheduler), expected)


@pytest.mark.parametrize("partitions", [1, 3, 8])
@pytest.mark.parametrize("method", ["p2p", None])
def test_any_number_of_partitions_on_a_cluster(shop, cluster, partitions, method):  # noqa: ARG001
    import dask as configured

    orders, customers, *there = shop
    expected = local(orders, customers).profile(AS_OF)
    with configured.config.set({"dataframe.shuffle.method": method}):
        found = dask.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=partitions)
        assert_same_bits(computed(found), expected)


def test_many_sources(shop):
    """Of so many partitions, Dask divides what is added up, if nobody says otherwise."""
    orders, customers, *_ = shop
    there = framed(orders, 30), framed(customers, 30)
    found = dask.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=16)
    expected = local(orders, customers).profile(AS_OF)
    assert_same_bits(computed(found, scheduler="threads"), expected)


def test_persisted_frames(shop, cluster):  # noqa: ARG001
    orders, customers, *there = shop
    kept = [frame.persist() for frame in there]
    found = dask.profile(*kept, as_of=AS_OF, columns=COLUMNS).persist()
    expected = local(orders, customers).profile(AS_OF)
    assert_same_bits(computed(found), expected)
    assert 0 < len(found.partitions[0].compute()) < expected.num_rows


def test_each_partition_has_customers_in_order_of_their_hash(shop):
    orders, _, there, _ = shop
    found = dask.profile(there, as_of=AS_OF, columns=COLUMNS, partitions=4)
    names = local(orders).profile(AS_OF)["customer_id"].to_pylist()
    order = {name: place for place, name in enumerate(names)}
    for partition in found.partitions:
        places = partition["customer_id"].compute(scheduler="sync").map(order)
        assert len(places) > 20
        assert places.is_monotonic_increasing


@pytest.mark.parametrize(
    ("customer", "amount", "time"),
    [
        (pa.string(), pa.decimal128(10, 2), pa.timestamp("us")),
        (pa.large_string(), pa.decimal128(38, 4), pa.timestamp("ns", "Asia/Tokyo")),
        (pa.large_binary(), pa.float32(), pa.date32()),
        (pa.dictionary(pa.int16(), pa.string()), pa.int64(), pa.timestamp("ms", "UTC")),
        (pa.binary(), pa.int32(), pa.timestamp("s")),
        (pa.uint64(), pa.float64(), pa.date32()),
    ],
    ids=str,
)
def test_types(customer, amount, time):
    orders, customers = tables(customer, amount, time, rows=400, people=60)
    options = {"timezone": "Europe/Madrid", "times_without_zone": "local", "refunds": "count"}
    found = dask.profile(framed(orders), framed(customers), as_of=AS_OF, columns=COLUMNS, **options)
    expected = local(orders, customers, **options).profile(AS_OF)
    assert_same_bits(plain(computed(found, scheduler="sync")), plain(expected))


def test_frames_of_numpys_and_pandas_own_types():
    orders, customers = tables(pa.string(), time=pa.timestamp("us"))
    there = framed(orders, 4, types_mapper=None), framed(customers, 2, types_mapper=None)
    assert not isinstance(there[0].dtypes["amount"], pd.ArrowDtype)
    found = dask.profile(*there, as_of=AS_OF, columns=COLUMNS)
    assert found.dtypes["customer_id"] == there[0].dtypes["customer_id"]
    expected = local(orders, customers).profile(AS_OF)
    assert_same_bits(plain(computed(found, scheduler="sync")), plain(expected))


@pytest.mark.parametrize("known", [True, False])
def test_categories(known):
    orders, customers = tables(pa.dictionary(pa.int32(), pa.string()), rows=500, people=60)
    frames = [framed(table, 3, types_mapper=None) for table in (orders, customers)]
    if not known:
        for frame in frames:
            frame["customer_id"] = frame["customer_id"].cat.as_unknown()
    found = dask.profile(*frames, as_of=AS_OF, columns=COLUMNS, partitions=2)
    assert not found["customer_id"].cat.known
    made = found.compute(scheduler="sync")
    assert isinstance(made["customer_id"].dtype, pd.CategoricalDtype)
    expected = local(orders, customers).profile(AS_OF)
    made = pa.Table.from_pandas(made, preserve_index=False)
    assert_same_bits(plain(made), plain(expected))


def test_parquet_files(tmp_path, shop):
    orders, *_ = shop
    for number in range(7):
        pq.write_table(orders.slice(number * 500, 500), tmp_path / f"orders-{number}.parquet")
    there = dd.read_parquet(tmp_path, dtype_backend="pyarrow")
    found = dask.profile(there, as_of=AS_OF, columns=COLUMNS, partitions=3)
    assert_same_bits(computed(found, scheduler="threads"), local(orders).profile(AS_OF))
    # Left to itself, pandas turns integers into floats where one of them is missing.
    rounded = dask.profile(dd.read_parquet(tmp_path), as_of=AS_OF, columns=COLUMNS)
    with pytest.raises(oc.ColumnError, match="integers in the frame and floats in a partition"):
        rounded.compute(scheduler="threads")


def test_policies_reach_the_tasks(shop):
    orders, customers, *there = shop
    options = {"refunds": "drop", "unknown": "drop"}
    found = dask.profile(
        *there, as_of=AS_OF, window_days=90, columns=COLUMNS, memory_limit="100MB", **options
    )
    expected = local(orders, customers, **options).profile(AS_OF, 90)
    assert_same_bits(computed(found, scheduler="sync"), expected)


@pytest.mark.parametrize("same_day", ["separate", "merge"])
@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_what_an_order_is_reaches_the_tasks(shop, same_day, refunds):
    orders = pa.concat_tables([shop[0], shop[0].slice(100, 400)])
    options = {"same_day": same_day, "refunds": refunds, "duplicates": "drop"}
    expected = local(shop[0], same_day=same_day, refunds=refunds).profile(AS_OF)
    found = dask.profile(framed(orders, 5), as_of=AS_OF, columns=COLUMNS, partitions=3, **options)
    assert_same_bits(computed(found, scheduler="sync"), expected)
    totals = orders.group_by(["customer_id", "order_id", "ordered_at"]).aggregate(
        [("amount", "max")]
    )
    totals = totals.rename_columns({"amount_max": "amount"})
    first_days = totals.group_by(["customer_id", "order_id"]).aggregate([("ordered_at", "min")])
    totals = totals.join(
        first_days.rename_columns({"ordered_at_min": "ordered_at"}),
        ["customer_id", "order_id", "ordered_at"],
        join_type="inner",
    )
    options = {"same_day": same_day, "refunds": refunds, "amount_per": "order"}
    twice = pa.concat_tables([totals, totals])
    expected = local(totals, same_day=same_day, refunds=refunds).profile(AS_OF)
    found = dask.profile(framed(twice, 4), as_of=AS_OF, columns=COLUMNS, partitions=2, **options)
    assert_same_bits(computed(found, scheduler="sync"), expected)


def test_repeated_rows_are_refused_by_the_task_that_has_them(shop):
    orders = pa.concat_tables([shop[0], shop[0].slice(7, 1)])
    found = dask.profile(
        framed(orders, 3), as_of=AS_OF, columns=COLUMNS, partitions=1, duplicates="error"
    )
    with pytest.raises(oc.DataError, match=r"repeat an earlier row .*\(1 such row\)"):
        found.compute(scheduler="sync")


def test_no_rows_at_all(shop):
    *_, there, _ = shop
    found = dask.profile(there[there["amount"] > 1e9], as_of=AS_OF, columns=COLUMNS)
    made = found.compute(scheduler="sync")
    assert len(made) == 0
    assert list(made.columns) == [
        column.name for column in PROFILE_COLUMNS if column.name != "window_days"
    ]


def test_segments(shop):
    orders, customers, *there = shop
    profiles = dask.profile(*there, as_of=AS_OF, columns=COLUMNS)
    found = dask.assign(profiles.rename(columns={"gap_min": "shortest"}), oc.Lifecycle())
    assert found["lifecycle"].cat.known
    expected = oc.Lifecycle().assign(local(orders, customers).profile(AS_OF))
    segments = expected["lifecycle"].cast(pa.large_string())
    expected = expected.drop_columns("lifecycle").append_column("lifecycle", segments)
    names = ["shortest" if one == "gap_min" else one for one in expected.column_names]
    made = computed(found.astype({"lifecycle": "string[pyarrow]"}), scheduler="sync")
    assert_same_bits(made, expected.rename_columns(names))
    with pytest.raises(oc.ColumnError, match="has a column 'lifecycle' already"):
        dask.assign(found, oc.Lifecycle())
    with pytest.raises(oc.ColumnError, match="no single column 'orders'"):
        dask.assign(profiles.drop(columns="orders"), oc.Lifecycle())


def test_columns_that_no_scheme_reads_stay_as_they_are(shop):
    *_, there, _ = shop
    profiles = dask.profile(there, as_of=AS_OF, columns=COLUMNS)
    more = profiles.map_partitions(lambda part: part.assign(tags=[["a"]] * len(part)))
    more = more.assign(known=True).rename(columns={"known": 7})
    assert more.dtypes["tags"] == "object"
    assert dask.fit(more, oc.Cadence()) == dask.fit(profiles, oc.Cadence())
    found = dask.assign(more, oc.Lifecycle()).compute(scheduler="sync")
    assert found.columns[-3:].tolist() == ["tags", 7, "lifecycle"]
    assert found["tags"].tolist() == [["a"]] * len(found)
    taken = profiles.assign(lifecycle="Loyal").astype({"lifecycle": object})
    with pytest.raises(oc.ColumnError, match="has a column 'lifecycle' already"):
        dask.assign(taken, oc.Lifecycle())


def test_a_window_is_remembered(shop):
    *_, there, _ = shop
    profiles = dask.profile(there, as_of=AS_OF, window_days=90, columns=COLUMNS)
    with pytest.raises(oc.ConfigError, match="this profile has a window"):
        dask.assign(profiles[profiles["orders"] > 1], oc.Lifecycle())


def test_the_lifecycle_is_fitted_to_the_same_days(shop, cluster):  # noqa: ARG001
    orders, customers, *there = shop
    with warnings.catch_warnings(action="ignore", category=oc.OrdercycleWarning):
        found = dask.fit_lifecycle(
            *there, as_of=AS_OF, columns=COLUMNS, scheme=oc.Lifecycle(new_days=9), churned_share=0.9
        )
        expected = oc.Lifecycle(new_days=9).fit(local(orders, customers), AS_OF, churned_share=0.9)
    assert found == expected


def test_bad_values_are_the_same_error(shop, cluster):  # noqa: ARG001
    bad = shop[0].append_column("bad", pa.array([1.0] * 2900 + [float("inf")] * 3 + [1.0] * 97))
    profiles = dask.profile(
        framed(bad), as_of=AS_OF, columns=oc.Columns(amount="bad"), partitions=1
    )
    with pytest.raises(
        oc.DataError,
        match=r"orders: bad is NaN or infinite \(inf\) at a row of source partition 2 \(3 such",
    ):
        profiles.compute()


def test_a_customer_listed_twice_is_found_wherever_the_rows_are(shop):
    _, customers, there, _ = shop
    twice = framed(pa.concat_tables([customers, customers.slice(3, 1)]), 6)
    profiles = dask.profile(there, twice, as_of=AS_OF, columns=COLUMNS)
    with pytest.raises(oc.DataError, match=r"a second time at a row of source partition \d"):
        profiles.compute(scheduler="threads")


def test_what_is_wrong_with_a_frame_is_reported_at_once(shop):
    orders, _, there, _ = shop
    with pytest.raises(oc.ConfigError, match="a Table is no Dask DataFrame"):
        dask.profile(orders, as_of=AS_OF)
    with pytest.raises(oc.ColumnError, match="did you mean 'ordered_at'"):
        dask.profile(there, as_of=AS_OF, columns=oc.Columns(time="ordred_at"))
    with pytest.raises(oc.ConfigError, match="as_of"):
        dask.profile(there, as_of="yesterday")
    loose = there.astype({"customer_id": object})
    with pytest.raises(oc.ColumnError, match="customer_id has the dtype object"):
        dask.profile(loose, as_of=AS_OF)


def test_categories_of_another_type_than_text_have_to_be_known():
    frame = framed(tables(rows=60)[0].drop_columns("note"), 3).astype({"customer_id": "category"})
    profiles = dask.profile(frame, as_of=AS_OF)
    with pytest.raises(oc.ColumnError, match=r"orders: .* with \.cat\.as_known\(\)"):
        profiles.compute(scheduler="sync")


def test_a_worker_killed_mid_job(shop, cluster, tmp_path):  # noqa: ARG001
    """It had blocks that others still needed: Dask makes them again, and nothing changes."""
    orders, customers, *there = shop
    marker = str(tmp_path / "killed")

    def kill_once(frame, partition_info=None):
        if partition_info is not None and partition_info["number"] == 1:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return frame

    profiles = dask.profile(*there, as_of=AS_OF, columns=COLUMNS, partitions=6)
    found = computed(profiles.map_partitions(kill_once, meta=profiles._meta))
    assert os.path.exists(marker)
    assert_same_bits(found, local(orders, customers).profile(AS_OF))


def test_workers_get_warm(cluster):
    ready = cluster.run(oc.warmup)
    assert {made.kernels for made in ready.values()} == {oc.warmup().kernels}


def test_fits_to_columns_of_files_that_dask_reads_together(tmp_path):
    import dask as configured

    profile = local(*tables()).profile(AS_OF).slice(0, 120)
    for number in range(3):
        pq.write_table(profile.slice(number * 40, 40), tmp_path / f"{number}.parquet")
    frame = dd.read_parquet(tmp_path, dtype_backend="pyarrow")
    with configured.config.set(scheduler="sync"):
        assert dask.fit(frame, oc.Rfm()) == oc.Rfm().fit(profile)


def test_the_benchmark_compares_like_with_like(tmp_path):
    """Whatever Dask is measured by, it computes what is ours."""
    sys.path.append(str(Path(__file__).parents[2]))
    from benchmarks.peers.cluster_cases import CASES, Given
    from benchmarks.peers.cluster_shop import Shop, Size
    from benchmarks.peers.compare import differences
    from benchmarks.peers.dask_peers import FORMULATIONS, keep

    given = Given(dask, keep, Shop(Size.of(4_000), tmp_path, dd.read_parquet), partitions=2)
    cases = {case.name: case for case in CASES}
    compared = [
        (cases[name], make)
        for name, formulations in FORMULATIONS.items()
        if name != "features-64"  # which are the same but more
        for make in formulations.values()
    ]
    for case, make in compared:
        both = [
            computed(one, scheduler="sync") if isinstance(one, dd.DataFrame) else one
            for one in (case.ours(given), make(given))
        ]
        ours, theirs = (one.select(case.columns or one.column_names) for one in both)
        assert not differences(ours, theirs, key=case.key, tolerance=case.tolerance), case.name
