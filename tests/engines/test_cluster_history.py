"""Customers of a cluster who are brought to the driver, against one machine."""

import warnings
from dataclasses import replace

import dask as configured
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.cluster_streams import AS_OF, MODELS, TOUCHED, by_customer, streams, values
from support.dask_shops import framed
from support.shuffles import job_for, shuffled

import ordercycle as oc
from ordercycle._engines.kept_customers import KeptCustomers
from ordercycle.engines import dask

SHOP = streams()
PROFILE = SHOP.history.profile(AS_OF)
IDS = PROFILE["customer_id"].to_pylist()


def here(ids=None, orders=SHOP.orders, pieces=2, **asked):
    how = {"columns": {"orders": SHOP.columns, "touches": TOUCHED}} | asked
    with configured.config.set(scheduler="sync"):
        return dask.history_of(
            framed(orders, pieces), ids, streams={"touches": framed(SHOP.touches, 3)}, **how
        )


@pytest.mark.parametrize("pieces", [1, 3, 7])
def test_all_that_is_asked_of_a_customer(pieces):
    ids = IDS[3:60:8]
    history, others = here(ids, pieces=pieces)
    found = by_customer(history.profile(AS_OF))
    expected = by_customer(PROFILE.filter(pc.is_in(PROFILE["customer_id"], pa.array(ids))))
    assert found.equals(expected)
    for one in ids:
        card, there = history.customer(one, AS_OF), SHOP.history.customer(one, AS_OF)
        assert card.to_dict() == there.to_dict()
        assert str(card) == str(there)
        lifecycle = oc.Lifecycle()
        assert str(lifecycle.explain(history, one, AS_OF)) == str(
            lifecycle.explain(SHOP.history, one, AS_OF)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", oc.OrdercycleWarning)
        audit, whole = (
            values(MODELS[0].credit(orders, touches).to_table())
            for orders, touches in ((history, others["touches"]), (SHOP.history, SHOP.events))
        )
    theirs = whole.filter(pc.is_in(whole["customer_id"], pa.array(ids)))
    assert audit.num_rows == theirs.num_rows > len(ids)
    assert sorted(map(repr, audit.to_pylist())) == sorted(map(repr, theirs.to_pylist()))


KINDS = {
    "small": lambda ids: ids.cast(pa.int16()),
    "text": lambda ids: ids.cast(pa.string()),
    "large": lambda ids: ids.cast(pa.large_string()),
    "bytes": lambda ids: ids.cast(pa.string()).cast(pa.binary()),
    "float": lambda ids: ids.cast(pa.float64()),
}


@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.sampled_from(IDS), min_size=1, max_size=9),
    st.booleans(),
    st.sampled_from([1, 3, 7]),
)
def test_ids_of_any_kind(kind, ids, has_stranger, pieces):
    made = KINDS[kind](SHOP.orders["customer_id"])
    place = SHOP.orders.column_names.index("customer_id")
    orders = SHOP.orders.set_column(place, "customer_id", made)
    wanted = KINDS[kind](pa.array([*ids, *([32_000] if has_stranger else [])])).to_pylist()
    if kind == "float":
        wanted = list(map(int, wanted))
    expected = oc.OrderHistory.build(orders, columns=SHOP.columns).profile(AS_OF)
    with configured.config.set(scheduler="sync"), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        found, _ = dask.history_of(framed(orders, pieces), wanted, columns=SHOP.columns)
    said = [str(one.message) for one in warned if "nobody has" in str(one.message)]
    assert len(said) == has_stranger
    there = found.profile(AS_OF)
    theirs = expected.filter(
        pc.is_in(expected["customer_id"], pa.array(wanted, there.schema[0].type))
    )
    assert there.num_rows == len(set(ids))
    assert values(there).to_pylist() == values(theirs).to_pylist()


def test_a_share_of_all_customers():
    """The same ones each time, a smaller share within a larger; 1 is everybody."""
    parts = {share: set(here(share=share).history.profile(AS_OF)["customer_id"].to_pylist())
             for share in (0.2, 0.5, 1)}  # fmt: skip
    assert parts[0.2] < parts[0.5] < parts[1] == set(IDS)
    assert 0.3 < len(parts[0.5]) / len(IDS) < 0.7
    whole = here(share=1)
    assert whole.history.profile(AS_OF).equals(PROFILE)
    events = [
        sorted(str(row) for batch in one.to_batches() for row in batch.to_pylist())
        for one in (whole.streams["touches"], SHOP.events)
    ]
    assert events[0] == events[1]


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize("share", [0.6, 1])
def test_backtests(share):
    asked = {"split_day": "2025-06-30", "horizon_days": 120}
    clv = oc.Clv()
    with configured.config.set(scheduler="sync"):
        found = dask.clv_backtest(
            framed(SHOP.orders, 3), clv, share=share, columns=SHOP.columns, **asked
        )
    ids = here(share=share).history.profile(AS_OF)["customer_id"]
    orders = SHOP.orders.filter(pc.is_in(SHOP.orders["customer_id"], ids.combine_chunks()))
    expected = clv.backtest(oc.OrderHistory.build(orders, columns=SHOP.columns), **asked)
    for one in ("to_table", "by_decile", "by_frequency", "by_list", "tracking", "reliability"):
        assert getattr(found, one)().equals(getattr(expected, one)()), one
    assert found.verdict == expected.verdict


def test_files_are_read_where_they_are(tmp_path):
    pq.write_table(SHOP.orders, tmp_path / "orders.parquet", row_group_size=200)
    with configured.config.set(scheduler="sync"):
        found, others = dask.history_of(
            str(tmp_path / "orders.parquet"), IDS[:2], columns=SHOP.columns
        )
    assert others == {}
    assert set(found.profile(AS_OF)["customer_id"].to_pylist()) == set(IDS[:2])


@pytest.mark.parametrize("who", [{"ids": IDS[:2]}, {"share": 0.2}, {"share": 1}], ids=str)
def test_rows_of_nobody_are_refused_as_on_one_machine(who):
    """Whoever comes; where they are dropped, none of them come."""
    known = SHOP.orders.filter(SHOP.orders["customer_id"].is_valid())
    guest = max(known["customer_id"].to_pylist()) + 7
    ids = pa.array([guest, guest, *known["customer_id"].to_pylist()[2:]], pa.int64())
    place = known.column_names.index("customer_id")
    of_guests = known.set_column(place, "customer_id", ids)
    listed = framed(pa.table({"customer_id": pa.array([*IDS, None], pa.int64())}), 2)
    columns = replace(SHOP.columns, registered=None)
    with configured.config.set(scheduler="sync"):
        for orders, nobody in ((SHOP.orders, ()), (of_guests, (guest,))):
            kept = {"columns": columns, "anonymous": "error", "nobody": nobody}
            with pytest.raises(oc.DataError) as there:
                oc.OrderHistory.build(orders, **kept)
            with pytest.raises(oc.DataError) as found:
                dask.history_of(framed(orders, 2), **who, **kept)
            assert found.value.count == there.value.count >= 1
        with pytest.raises(oc.DataError, match="customer_id"):
            dask.history_of(framed(known, 2), **who, customers_df=listed, columns=columns)
        dropped, _ = dask.history_of(framed(SHOP.orders, 2), **who, columns=columns)
    nameless = SHOP.history.summary().anonymous
    assert nameless > 0
    assert dropped.summary().anonymous == (nameless if who == {"share": 1} else 0)
    if who == {"share": 1}:
        assert dropped.summary() == SHOP.history.summary()


def test_views_know_the_texts_of_all_customers():
    """What another customer bought is a value of the attribute, though none of these has it."""
    kinds = pa.array(["rare"] + ["usual"] * (SHOP.orders.num_rows - 1))
    orders = SHOP.orders.append_column("sort", kinds)
    other = next(one for one in IDS if one != orders["customer_id"][0].as_py())
    columns = oc.Columns(order="order_id", instants=True, attributes=["sort"])
    asked = {"orders": orders, "columns": {"orders": columns, "touches": TOUCHED}}
    found, _ = here([other], **asked, where="sort == 'rare'")
    assert found.profile(AS_OF)["orders"].to_pylist() == [0]
    with pytest.raises(oc.ConfigError, match="no value of sort equals 'raer'"):
        here([other], **asked, where="sort == 'raer'")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "pass either ids= or share="),
        ({"ids": [1], "share": 0.5}, "pass either ids= or share="),
        ({"ids": []}, "ids= names nobody"),
        ({"ids": "17"}, "ids='17' is no list of ids"),
        ({"ids": ["17"]}, "are not all int64"),
        ({"ids": [-5, -6]}, "has 2 ids that nobody has: -5, -6"),
        ({"ids": range(1001)}, "has 1,001 customers, more than 1,000"),
        ({"share": 0}, "share=0 is no share"),
        ({"share": True}, "share=True is no share"),
        ({"share": "all"}, "share='all' is no share"),
        ({"share": 1, "memory_limit": "1GB"}, "memory_limit= is about tasks that group rows"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(asked, says):
    with pytest.raises(oc.ConfigError, match=says):
        here(**asked)


def test_a_lost_or_repeated_block_is_noticed():
    job = job_for(SHOP.orders, columns=SHOP.columns, partitions=1)
    job = job.brought(KeptCustomers.of_ids(IDS[:9], job.streams[0].ids), None)
    blocks = [block for block in _blocks(job) if block.rows or block.sent is not None]
    assert job.built(blocks)["orders"].profile(AS_OF).num_rows == 9
    full = next(place for place, block in enumerate(blocks) if block.rows)
    for wrong in (blocks[:full] + blocks[full + 1 :], [*blocks, blocks[full]]):
        with pytest.raises(oc.SourceError, match="the shuffle lost or repeated some"):
            job.built(wrong)


def _blocks(job):
    from ordercycle._engines.shuffle_blocks import from_rows

    return list(from_rows(shuffled(job, [SHOP.orders], seed=3)[0]))
