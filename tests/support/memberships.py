"""Memberships in the oracle's terms."""

from oracle import membership as oracle

import ordercycle as oc


def intervals_of(membership: oc.Membership) -> dict:
    """Return the intervals per customer, as the oracle does."""
    found: dict = {}
    for row in membership.to_table().to_pylist():
        interval = oracle.Interval(row["segment"], row["valid_from"], row["valid_to"])
        found.setdefault(row["customer_id"], []).append(interval)
    return found
