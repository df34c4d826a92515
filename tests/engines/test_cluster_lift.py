"""Lift against customers who are held out, on a cluster against one machine, bit for bit."""

import datetime as dt
from decimal import Decimal

import dask as configured
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.cluster_streams import MODELS, TOUCHED, streams
from support.dask_shops import framed

import ordercycle as oc
from ordercycle.engines import dask

SHOP = streams()
PERIOD = ("2025-10", "2026-03")
#: Whole units of money, hundredths, and floats of which sums are rounded in any order.
KINDS = {"int": pa.int64(), "decimal": pa.decimal128(12, 2), "float": pa.float64()}
ARMS = ["held out", "mail", "VIP"]
MAP = {"Best": "2 2", "Rest": "* *"}


def orders_of(kind):
    given = SHOP.orders["amount"].to_pylist()
    amounts = {
        "int": map(round, given),
        "decimal": (Decimal(str(one)) for one in given),
        "float": (one / 7 for one in given),
    }[kind]
    place = SHOP.orders.column_names.index("amount")
    return SHOP.orders.set_column(place, "amount", pa.array(list(amounts), KINDS[kind]))


def holdout_of(rows):
    """Return intervals (customer, arm, first month, months): of no customer and arm do any meet."""
    firsts = [dt.date(2025, first, 1) for _, _, first, _ in rows]
    ends = [
        None if months is None else first + dt.timedelta(days=30 * months)
        for first, (_, _, _, months) in zip(firsts, rows, strict=True)
    ]
    return pa.table(
        {
            "valid_to": pa.array(ends, pa.date32()),
            "customer_id": pa.array([who for who, _, _, _ in rows], pa.int64()),
            "segment": pa.array([arm for _, arm, _, _ in rows], pa.string()),
            "valid_from": pa.array(firsts, pa.date32()),
        }
    )


#: Also of customers whom nobody knows.
INTERVALS = st.lists(
    st.tuples(
        st.integers(1, 150),
        st.sampled_from(ARMS),
        st.integers(1, 12),
        st.sampled_from([1, 4, None]),
    ),
    min_size=20,
    max_size=90,
    unique_by=lambda row: row[:2],
)


@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    INTERVALS,
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([1, 3, 7]),
    st.sampled_from([None, "mail", ("VIP", "mail")]),
    st.sampled_from(
        [None, oc.Lifecycle(), oc.Rules({"Big": "revenue >= 300"}), oc.Rfm(bins=2, map=MAP)]
    ),
)
def test_equal_to_one_machine(rows, kind, partitions, treated, segments):
    rows = [*rows, *((1 + place, arm, 1, None) for place, arm in enumerate(ARMS))]
    rows = list({row[:2]: row for row in rows}.values())
    orders, holdout = orders_of(kind), holdout_of(rows)
    asked = {"control": "held out", "treated": treated, "period": PERIOD}
    history = oc.OrderHistory.build(orders, columns=SHOP.columns)
    by = segments
    if segments is not None and segments.recalculates:
        by = segments.membership(history, dt.date(2025, 10, 1), dt.date(2025, 10, 1), every="day")
    elif segments is not None:
        by = segments.membership(history)
    expected = oc.HoldoutLift.build(
        MODELS[0].credit(history, SHOP.events),
        oc.Membership.from_table(holdout),
        segments=by,
        **asked,
    )
    with configured.config.set(scheduler="sync"):
        found = dask.holdout_lift(
            framed(orders, 2),
            framed(SHOP.touches, 3),
            framed(holdout, 2),
            model=MODELS[0],
            segments=segments,
            columns={"orders": SHOP.columns, "touches": TOUCHED},
            partitions=partitions,
            **asked,
        )
    assert found.in_both == expected.in_both
    assert found.to_table().equals(expected.to_table())
    assert found.between("2025-11", "2026-01").equals(expected.between("2025-11", "2026-01"))
    assert found.to_table()["customers"][0].as_py() + found.in_both > 0
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_of_a_view_of_the_orders(partitions):
    holdout = holdout_of([(who, ARMS[who % 2], 1, None) for who in range(1, 121)])
    orders, view = orders_of("float"), "amount >= 5"
    asked = {"control": "held out", "treated": "mail", "period": PERIOD}
    history = oc.OrderHistory.build(orders, columns=SHOP.columns).where(view)
    expected = oc.HoldoutLift.build(
        MODELS[0].credit(history, SHOP.events), oc.Membership.from_table(holdout), **asked
    )
    with configured.config.set(scheduler="sync"):
        found = dask.holdout_lift(
            framed(orders, 2),
            framed(SHOP.touches, 3),
            framed(holdout, 2),
            model=MODELS[0],
            where=view,
            columns={"orders": SHOP.columns, "touches": TOUCHED},
            partitions=partitions,
            **asked,
        )
    assert found.to_table().equals(expected.to_table())


DAY = dt.date(2025, 1, 1)
GIVEN = holdout_of([(1, "held out", 1, None), (2, "mail", 1, None)])


def lift(holdout=GIVEN, **asked):
    how = {"control": "held out", "period": PERIOD, "partitions": 3} | asked
    columns = {"orders": how.pop("orders", SHOP.columns), "touches": TOUCHED}
    with configured.config.set(scheduler="sync"):
        return dask.holdout_lift(
            framed(SHOP.orders, 2),
            framed(SHOP.touches, 2),
            framed(holdout, 1),
            columns=columns,
            **how,
        )


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"alpha": 0.5}, oc.ConfigError, "alpha=0.5 is not between 0 and 0.5"),
        ({"period": ("2015-01", "2026-01")}, oc.ConfigError, "has 133 months, more than 60"),
        ({"treated": "held out"}, oc.ConfigError, "treated='held out' is among control='held out'"),
        ({"control": ()}, oc.ConfigError, "control=.* names no segment"),
        ({"control": "held"}, oc.ConfigError, "control='held'.*'held out'"),
        ({"treated": "mails"}, oc.ConfigError, "treated='mails'.*'mail'"),
        ({"segments": oc.Cadence()}, oc.ConfigError, "is not fitted"),
        ({"segments": "Loyal"}, oc.ConfigError, "segments='Loyal' is no scheme"),
        (
            {"holdout": GIVEN.drop_columns(["segment"])},
            oc.ColumnError,
            "memberships has no column 'segment'",
        ),
        (
            {"holdout": GIVEN.set_column(1, "customer_id", pa.array(["a", "b"]))},
            oc.ColumnError,
            "customer_id is string in holdout and int64 in orders",
        ),
        (
            {"holdout": pa.concat_tables([GIVEN, GIVEN])},
            oc.DataError,
            "is before the end of another interval of the same customer and segment in a partition",
        ),
    ],
    ids=lambda one: "" if isinstance(one, type) else None,
)
def test_what_is_wrong_is_said(asked, error, says):
    with pytest.raises(error, match=says) as raised:
        lift(**asked)
    assert getattr(raised.value, "row", None) is None


def test_orders_without_amounts_have_no_lift():
    with pytest.raises(oc.ConfigError, match="the orders have no amounts"):
        lift(orders=oc.Columns(order="order_id", amount=None, instants=True))
