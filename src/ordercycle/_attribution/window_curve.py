"""What a metric would be with other windows: all of them from one walk over the streams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._attribution.credit_rows import CreditRows
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.exact_totals import exact_total, in_type
from ordercycle._attribution.option_checks import CHANNEL, GROUP_TITLES
from ordercycle._errors import ConfigError, Option, check_choice, whole_number
from ordercycle._grouping.amount_words import AmountWords
from ordercycle_kernels.credit_shares import NO_ORDER

#: Lengths of windows that are computed at a time, and the longest.
MOST_DAYS, LONGEST_DAYS = 1000, 36_500


class Curve(NamedTuple):
    """What is added up: revenue, or orders; of a group, or of all of them: None."""

    is_revenue: bool
    group: int | None

    @classmethod
    def of(cls, metric: object, scan: CreditScan) -> Curve:
        """Return what a metric adds up, by its name in reports.

        Raises
        ------
        ConfigError
            There is no such metric of an attribution, or orders have no amounts.
        """
        known = {"Total CRM Revenue": cls(True, None), "CRM Orders": cls(False, None)}  # noqa: FBT003 - the fields are named above
        for place, group in enumerate(scan.finder.classes.group_names):
            title = GROUP_TITLES.get(group, group)
            known[f"Revenue from {title}"] = cls(True, place)  # noqa: FBT003
            known[f"Orders from {title}"] = cls(False, place)  # noqa: FBT003
        if not scan.orders.spec.has_amount:
            known = {name: one for name, one in known.items() if not one.is_revenue}
        check_choice("metric", metric, known)
        return known[str(metric)]

    def value(self, scan: CreditScan, met: Meeting, rows: CreditRows) -> Fraction:
        """Return what the rows of a batch add to it."""
        counts = rows.touches != NO_ORDER
        if not counts.any():
            return Fraction(0)
        if self.group is not None:
            own = np.zeros(counts.size, np.bool_)
            own[counts] = scan.groups_of(met, rows.touches[counts]) == self.group
            counts = own
        entries = rows.entries[counts]
        if not self.is_revenue:
            entries = entries[met.orders.are_orders[entries]]
            return Fraction(np.unique(entries).size)
        parts: AmountWords
        if self.group is None or scan.model.compete == CHANNEL:
            # Winners of several competitions share an order: it counts once.
            parts = met.orders.batch.words.take(np.unique(entries))
        else:
            parts = rows.parts.take(counts)
        return exact_total(parts, is_float=scan.orders.spec.amount.is_float)


def window_curve(scan: CreditScan, metric: object, days: Iterable[int]) -> pa.Table:
    """Return a metric by the window in days, all other windows being scaled with it."""
    lengths = checked_days(days)
    return curve_table(scan, metric, lengths, curve_totals(scan, metric, lengths))


def curve_totals(scan: CreditScan, metric: object, lengths: Sequence[int]) -> list[Fraction]:
    """Return what a metric adds up to with each window."""
    curve = Curve.of(metric, scan)
    if not scan.model.lengths[None]:
        raise ConfigError(
            (Option("Attribution.window", scan.model.window), " has no other window in proportion"),
            remedy="credit with a positive window",
        )
    finders = [scan.finder.scaled(one) for one in lengths]

    def work(met: Meeting) -> list[Fraction]:
        return [
            curve.value(scan, met, scan.rows(met, scan.paths(met, finder=finder)))
            for finder in finders
        ]

    totals = [Fraction(0)] * len(lengths)
    for found in scan.scan(work):
        totals = [one + other for one, other in zip(totals, found, strict=True)]
    return totals


def curve_table(
    scan: CreditScan, metric: object, lengths: Sequence[int], totals: Sequence[Fraction]
) -> pa.Table:
    """Return the table of totals; scan: of any of the customers."""
    kind = scan.orders.spec.revenue if Curve.of(metric, scan).is_revenue else pa.int64()
    values = pa.array([in_type(total, kind) for total in totals], kind)
    return pa.table({"days": pa.array(lengths, pa.int64()), "value": values})


def checked_days(days: Iterable[int]) -> list[int]:
    """Return lengths of windows, or raise a ConfigError."""
    numbers = list(days) if isinstance(days, Iterable) else [days]
    found = [whole_number(one) for one in numbers]
    sound = [one for one in found if one is not None and 0 < one <= LONGEST_DAYS]
    if not sound or len(sound) < len(found) or len(found) > MOST_DAYS:
        raise ConfigError(
            (Option("days", days), " are no windows"),
            remedy=f"pass up to {MOST_DAYS:,} whole numbers of days, each 1 or more",
        )
    return sound
