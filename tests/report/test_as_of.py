"""A profile as of a day knows nothing of what comes later."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc

FIRST = date(2025, 1, 1)

rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(-20, 40)), max_size=30)
registrations = st.dictionaries(st.integers(0, 6), st.none() | st.integers(0, 60))


def tables(orders, registered):
    """Return orders and customers, whose days count from FIRST."""
    return (
        pa.table(
            {
                "customer_id": pa.array([customer for customer, _, _ in orders], pa.int64()),
                "ordered_at": pa.array(
                    [FIRST + timedelta(day) for _, day, _ in orders], pa.date32()
                ),
                "amount": pa.array([amount for _, _, amount in orders], pa.int64()),
            }
        ),
        pa.table(
            {
                "customer_id": pa.array(list(registered), pa.int64()),
                "registered_at": pa.array(
                    [
                        None if day is None else FIRST + timedelta(day)
                        for day in registered.values()
                    ],
                    pa.date32(),
                ),
            }
        ),
    )


@settings(max_examples=300)
@given(
    rows,
    registrations,
    st.integers(0, 60),
    st.none() | st.integers(1, 40),
    st.sampled_from(["net", "drop", "count"]),
)
def test_later_orders_leave_no_trace(orders, registered, day, window_days, refunds):
    as_of = FIRST + timedelta(day)
    profiles = []
    for seen in (orders, [order for order in orders if order[1] <= day]):
        orders_table, customers = tables(seen, registered)
        history = oc.OrderHistory.build(orders_table, customers, refunds=refunds, threads=1)
        profiles.append(history.profile(as_of, window_days))
    assert profiles[0].equals(profiles[1])


def test_a_windowed_profile_gets_no_lifecycle_segments():
    orders, _ = tables([(1, 0, 10), (1, 50, 10)], {})
    history = oc.OrderHistory.build(orders)
    windowed = history.profile(FIRST + timedelta(60), window_days=30)
    with pytest.raises(oc.ConfigError, match="window"):
        oc.Lifecycle().assign(windowed)
    (batch,) = history.profile_batches(FIRST + timedelta(60), window_days=30)
    with pytest.raises(oc.ConfigError, match="window"):
        oc.Lifecycle().assign(batch)
