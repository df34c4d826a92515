"""Features of streams as columns of a table of customers, and what they find."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._public import public
from ordercycle._segments.customer_features import StreamsAsOf, parsed_features
from ordercycle._segments.feature_lint import FeaturesLint, feature_counts
from ordercycle._segments.profile_tables import as_table


@public()
def features(
    profile: Any,
    features: Mapping[str, str],
    *,
    as_of: date | str,
    streams: Mapping[str, Any],
    missing: str = "error",
    threads: int | None = None,
) -> pa.Table:
    """Return a table of customers with columns behind that are computed of their events.

    Each stream is scanned once, whatever the number of features.

    Parameters
    ----------
    profile
        A profile, or any table with ``customer_id``, one row per customer in any order; from any
        source that :meth:`OrderHistory.build` takes.
    features
        What is computed, by the names of the columns:
        ``function(stream[.column][, condition][, last=DAYS])``, or with ``since='2026-01-01'`` and
        ``until='2026-03-31'`` instead of ``last``. Conditions are those of
        :meth:`EventHistory.where`; columns may be of a lookup (``lines.product.category``).

        ====================================  =======================  ==================
        Function                              Type                     Without events
        ====================================  =======================  ==================
        ``count(s)``, ``days(s)``             int64                    0
        ``sum(s.value)``                      as the value             0
        ``mean(s.value)``                     float64                  null
        ``min(s.value)``, ``max(s.value)``    as the value             null
        ``share(s.value, condition)``         float64                  null
        ``distinct(s.attribute)``             int64; also of keys      0
        ``first``, ``last``, ``top``          dictionary<int32, ...>   null
        ``days_since(s)``                     int32                    null
        ``days_since_first(s)``               int32                    null
        ``has(s)``                            bool                     false
        ``has_all(s.attribute, (...))``       bool                     false
        ====================================  =======================  ==================
    as_of
        A day: a date or text like ``"2026-11-01"``. Events of that day are included, later ones
        are not. ``last=90`` is this day and the 89 before it.
    streams
        Histories by the names that features have for them: an :class:`EventHistory`, a view of
        one, or an :class:`OrderHistory`, whose columns are ``amount`` and what else it was built
        with: attributes, lookups, values, and order ids as keys. Sums and shares of amounts are net
        of refunds; all else is about orders.
    missing
        ``"error"`` refuses a text in a condition that no value equals, as it may be a typo;
        ``"empty"`` takes it as it is.
    threads
        How many threads to use; None: every core this process may use.

    Returns
    -------
    pyarrow.Table
        The table with a column for each feature, in their order. Customers of the table who are in
        a stream not have what there is without events; those of a stream who are not in the table
        are left out.

    Raises
    ------
    ColumnError
        A column is there already, or a stream has no such column; or the ids of the table and of a
        stream are of types that have no ids in common.
    ConfigError
        A feature is not in the language, or about no stream that is given; `as_of` is no day; a
        text equals no value.
    DataError
        A customer is null or there twice, or a sum is beyond its type.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> lines = pa.table({
    ...     "customer_id": ["ann", "bob", "ann", "ann"],
    ...     "occurred_at": [datetime.date(2026, 1, day) for day in (2, 5, 6, 6)],
    ...     "category": ["tea", "tea", "coffee", "tea"],
    ...     "amount": [4, 3, 9, 2],
    ... })
    >>> columns = EventColumns(attributes=["category"], values=["amount"])
    >>> bought = EventHistory.build(lines, columns=columns)
    >>> customers = pa.table({"customer_id": ["bob", "cid", "ann"]})
    >>> table = features(customers, {
    ...     "coffee": "sum(lines.amount, category == 'coffee')",
    ...     "tea_share": "share(lines.amount, category == 'tea')",
    ...     "days_since": "days_since(lines)",
    ... }, as_of="2026-01-10", streams={"lines": bought})
    >>> for row in table.to_pylist():
    ...     print(*row.values())
    bob 0 1.0 5
    cid 0 None None
    ann 9 0.4 4
    """
    source = StreamsAsOf.of(streams, as_of, missing)
    wanted = parsed_features(features)
    return source.scans(wanted).added_to(as_table(profile), threads=threads)


@public()
def lint_features(
    profile: Any,
    features: Mapping[str, str],
    *,
    as_of: date | str,
    streams: Mapping[str, Any],
    missing: str = "error",
    threads: int | None = None,
) -> FeaturesLint:
    """Count the events that features see, and the customers for whom they are null.

    Parameters
    ----------
    profile, features, as_of, streams, missing, threads
        As for :func:`features`.

    Returns
    -------
    FeaturesLint
        Printed, it is a table; ``problems`` names the features that match no event of these
        customers, or are null for all of them.

    Raises
    ------
    ColumnError, ConfigError, DataError
        As for :func:`features`.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> visits = pa.table({
    ...     "customer_id": ["ann", "ann", "bob"],
    ...     "occurred_at": [datetime.date(2026, 1, day) for day in (2, 5, 6)],
    ... })
    >>> visits = EventHistory.build(visits, columns=EventColumns())
    >>> customers = pa.table({"customer_id": ["ann", "bob", "cid"]})
    >>> print(lint_features(customers, {
    ...     "visits": "count(visits)",
    ...     "days_since_visit": "days_since(visits)",
    ...     "visits_in_2024": "count(visits, until='2024-12-31')",
    ... }, as_of="2026-01-10", streams={"visits": visits}))
    feature           events  nulls
    visits                 3      0
    days_since_visit       3      1
    visits_in_2024         0      0
    'visits_in_2024' matches no event
    """
    source = StreamsAsOf.of(streams, as_of, missing)
    wanted = parsed_features(features)
    table = as_table(profile)
    found = source.scans(wanted).of(table, threads=threads, with_matches=True)
    return FeaturesLint(customers=table.num_rows, features=feature_counts(found, wanted))
