"""Lists of customers on a cluster against one machine, bit for bit."""

import math
from decimal import Decimal

import dask as configured
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.cluster_streams import AS_OF, TOUCHED, by_customer, streams, values
from support.dask_shops import computed, framed

import ordercycle as oc
from ordercycle.engines import dask

SHOP = streams()
LISTS = {
    "features": {"clicks": "count(touches, kind == 'click')"},
    "audiences": {
        "Clickers": {"where": "clicks >= 2", "value": "clicks"},
        "Rich": {"where": "revenue > 300", "value": "revenue"},
        "Readers": {"where": "count(touches, kind == 'open') > 2 and orders > 1"},
    },
}
IDS = {
    "int": (pa.int64(), lambda one: one),
    "text": (pa.string(), lambda one: f"{one:04}"),
    "bytes": (pa.binary(), lambda one: f"{one:x}".encode()),
}
FLOATS = st.one_of(
    st.none(),
    st.floats(-1e300, 1e300),
    st.sampled_from([0.1, 0.7, 1e16, 1.0, -1e16, -0.0, math.nan]),
)
NUMBERS = {
    "float": (pa.float64(), FLOATS),
    "float32": (pa.float32(), st.one_of(st.none(), st.floats(width=32, allow_nan=True))),
    "int": (pa.int64(), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    "decimal": (
        pa.decimal128(20, 2),
        st.integers(-(10**15), 10**15).map(lambda one: Decimal(one) / 100),
    ),
}


def assert_same_list(found, expected):
    """Compare two audiences with all that they say of themselves."""
    assert found.customers.equals(expected.customers)
    assert (found.name, found.definition, found.as_of) == (
        expected.name,
        expected.definition,
        expected.as_of,
    )
    assert repr(found.summary()) == repr(expected.summary())
    assert len(found | expected) == len(found & expected) == len(expected)
    assert (found - expected).summary().of_customers == expected.summary().of_customers
    assert oc.overlap([found, expected.named("other")]).in_several == len(expected)


@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.data(),
    st.sampled_from(sorted(IDS)),
    st.sampled_from(sorted(NUMBERS)),
    st.sampled_from(sorted(NUMBERS)),
    st.sampled_from([1, 3, 7]),
)
def test_equal_to_one_machine(data, ids, spent, worth, partitions):
    customers = data.draw(st.lists(st.integers(0, 999), max_size=40, unique=True))
    columns = {"customer_id": pa.array(map(IDS[ids][1], customers), IDS[ids][0])}
    for name, kind in (("revenue", spent), ("worth", worth)):
        drawn = data.draw(
            st.lists(NUMBERS[kind][1], min_size=len(customers), max_size=len(customers))
        )
        columns[name] = pa.array(drawn, NUMBERS[kind][0])
    size = len(customers)
    # Columns of a profile are read in their own types, whatever they come in.
    kind = data.draw(st.sampled_from([pa.int64(), pa.int16(), pa.float64()]))
    columns["orders"] = pa.array(
        data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), kind
    )
    table = pa.table(columns)
    asked = {"name": "Some", "value": "worth"}
    expected = oc.Audience.where(table, "orders >= 1", **asked)
    with configured.config.set(scheduler="sync"):
        frame = framed(table, min(3, max(1, size)))
        found = dask.audience(frame, "orders >= 1", partitions=partitions, **asked)
        summary = found.summary()
        assert repr(summary) == repr(expected.summary())
        assert_same_list(found.collect(), expected)
        rows = computed(found.to_frame())
        members = [row for row in table.to_pylist() if row["orders"]]
        assert rows.column_names == table.column_names
        assert sorted(map(str, rows.to_pylist())) == sorted(map(str, members))
        brought = found.collect()._listed
        assert found.nbytes >= brought.columns.nbytes


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_lists_with_streams(partitions):
    profile = SHOP.history.profile(AS_OF)
    lists = oc.audiences_from_dict(LISTS)
    expected = lists.build(profile, streams={"touches": SHOP.events})
    with configured.config.set(scheduler="sync"):
        found = dask.audiences(
            framed(profile, 3),
            lists,
            as_of=AS_OF,
            streams={"touches": framed(SHOP.touches, 2)},
            columns={"touches": TOUCHED},
            partitions=partitions,
        )
        assert list(found) == list(expected)
        for name, one in expected.items():
            assert 5 < len(one) < profile.num_rows
            assert_same_list(found[name].collect(), one)
        rows = by_customer(computed(found["Clickers"].to_frame()))
        here = oc.overlap(list(expected.values()))
        there = found.overlap()
    assert there.to_table().equals(here.to_table())
    assert (there.in_none, there.in_several) == (here.in_none, here.in_several)
    featured = oc.features(
        profile, LISTS["features"], as_of=AS_OF, streams={"touches": SHOP.events}
    )
    members = featured.filter(pa.compute.greater_equal(featured["clicks"], 2))
    assert values(rows).to_pylist() == values(by_customer(members)).to_pylist()


TABLE = pa.table({"customer_id": [1, 2, 3, 4], "orders": [0, 5, 2, 5], "clv": [0.5, 1.5, 2.5, 0.0]})


def some(table=TABLE, condition="orders > 1", **asked):
    how = {"name": "Some", "value": "clv", "partitions": 3} | asked
    return dask.audience(framed(table, 2), condition, **how)


def test_the_day_is_that_of_all_partitions():
    profile = SHOP.history.profile(AS_OF)
    with configured.config.set(scheduler="sync"):
        found = dask.audience(framed(profile, 3), "orders > 1", name="Some", partitions=3)
        assert str(found.summary().as_of) == AS_OF
        earlier = SHOP.history.profile("2026-05-31")
        both = pa.concat_tables([profile.slice(0, 40), earlier.slice(40)])
        mixed = dask.audience(framed(both, 3), "orders > 1", name="Some", partitions=3)
        assert mixed.summary().as_of is None
        assert oc.Audience.where(both, "orders > 1", name="Some").as_of is None


def test_customers_who_are_there_twice_are_refused():
    """Also those in different partitions, of whom one row only is on the list."""
    twice = pa.concat_tables([TABLE, TABLE.slice(0, 1).set_column(1, "orders", [[9]])])
    missing = pa.concat_tables(
        [TABLE, TABLE.slice(0, 1).set_column(0, "customer_id", pa.nulls(1, pa.int64()))]
    )
    for table, says in (
        (twice, "is there already"),
        (missing, "is null"),
    ):
        for ask in ("summary", "collect"):
            found = some(table)
            with configured.config.set(scheduler="sync"), pytest.raises(oc.DataError) as raised:
                getattr(found, ask)()
            assert f"customer_id {says} in a partition (1 such row)" in str(raised.value)
            assert raised.value.row is None
    with configured.config.set(scheduler="sync"), pytest.raises(oc.DataError) as raised:
        some(missing).to_frame().compute()
    assert "customer_id is null in a partition (1 such row)" in str(raised.value)
    assert (raised.value.column, raised.value.count) == ("customer_id", 1)


def test_pairs_of_many_lists_are_not_counted():
    named = {f"From {least}": {"where": f"orders >= {least}"} for least in range(65)}
    lists = oc.audiences_from_dict({"audiences": named})
    with configured.config.set(scheduler="sync"):
        found = dask.audiences(framed(TABLE, 2), lists, partitions=3)
        assert found["From 3"].summary().customers == 2
        assert len(found.sums) < 200
        with pytest.raises(oc.ConfigError, match="65 audiences are too many"):
            found.overlap()


def test_what_is_wrong_is_said():
    with pytest.raises(oc.ConfigError, match="is no name of an audience"):
        some(name=" ")
    with pytest.raises(oc.ColumnError, match=r"'ordres'.*'orders'"):
        some(condition="ordres > 1")
    with pytest.raises(oc.ColumnError, match=r"no single column 'clw'.*'clv'"):
        some(value="clw")
    with pytest.raises(oc.ConfigError, match="streams are read as of a day"):
        some(
            condition="count(touches) > 1",
            streams={"touches": framed(SHOP.touches, 2)},
            columns={"touches": TOUCHED},
        )
    with pytest.raises(oc.ConfigError, match="there is no option 'thread'"):
        some(thread=2)
    with pytest.raises(oc.ConfigError, match=r"lists=.* are no lists"):
        dask.audiences(framed(TABLE, 2), {"Some": "orders > 1"})
    with pytest.raises(oc.ColumnError, match="customer_id"):
        some(TABLE.drop_columns(["customer_id"]))
    typo = some(
        condition="count(touches, kind == 'clcik') > 1",
        as_of=AS_OF,
        streams={"touches": framed(SHOP.touches, 2)},
        columns={"touches": TOUCHED},
    )
    with configured.config.set(scheduler="sync"):
        with pytest.raises(oc.ConfigError, match="no value of kind equals 'clcik'"):
            typo.summary()
        found = some()
        assert found.nbytes == 3 * (8 + 8)
        with pytest.raises(oc.ConfigError, match="3 customers, which are 48 bytes, and 47 may"):
            found.collect(most_bytes=47)
        assert len(found.collect(most_bytes=48)) == 3
