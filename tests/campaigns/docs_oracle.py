"""What the pages of the documentation say, in plain Python: written from them and nothing else.

Not from the definitions in tests/oracle, which the other tests compare with: a mistake that these
share with the library shows here. Amounts are integers, decimals or floats that add up exactly.
"""

import bisect
import math
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median

NEW_DAYS, ACTIVE_DAYS, CHURNED_DAYS = 30, 120, 255


class Person:
    """A customer: orders, refunds and what was given of the registration."""

    def __init__(self, entries, given):
        self.orders = sorted((day, amount) for day, amount, is_order in entries if is_order)
        self.money = sorted((day, amount) for day, amount, _ in entries)
        self.refunds = [day for day, _, is_order in entries if not is_order]
        self.given = given

    def first_day(self):
        """Return the first day on which a profile includes the customer."""
        days = [day for day, _ in self.orders[:1]]
        days += self.refunds if self.given is None else [self.given]
        return min(days, default=None)

    def registered(self, day):
        """Return the registration as it is known on a day; None before there is one."""
        days = [one for one, _ in self.orders if one <= day]
        if self.given is not None and self.given <= day:
            days.append(self.given)
        if not days and self.given is None:
            days = [one for one in self.refunds if one <= day]
        return min(days, default=None)


def people(rows, given, *, refunds="net", same_day="separate", has_ids=False):
    """Return customers by id. Rows are (customer, day, amount, order id)."""
    rows = [row for row in rows if row[0] is not None and row[0] != ""]
    entries = _of_orders(rows) if has_ids else defaultdict(list)
    if not has_ids:
        for customer, day, amount, _ in rows:
            entries[customer].append((day, amount, True))
    found = {}
    for customer, its in entries.items():
        kept = [
            (day, amount, is_order and (amount >= 0 or refunds == "count"))
            for day, amount, is_order in its
            if amount >= 0 or refunds != "drop"
        ]
        found[customer] = Person(
            _merged(kept) if same_day == "merge" else kept, given.get(customer)
        )
    for customer in given.keys() - found.keys():
        found[customer] = Person([], given[customer])
    return found


def _of_orders(rows):
    """Add up the lines of each order by day."""
    sums = defaultdict(dict)
    for customer, day, amount, order in rows:
        by_day = sums[customer, order]
        by_day[day] = by_day.get(day, 0) + amount
    entries = defaultdict(list)
    for (customer, _), by_day in sums.items():
        counts = True
        for day in sorted(by_day):
            amount = by_day[day]
            entries[customer].append((day, amount, counts or amount < 0))
            if amount >= 0:
                counts = False
    return entries


def _merged(entries):
    """Make one order of those of a day."""
    totals = {}
    for day, amount, is_order in entries:
        if is_order:
            totals[day] = totals.get(day, 0) + amount
    others = [one for one in entries if not one[2]]
    return [(day, amount, True) for day, amount in totals.items()] + others


def profile(person, as_of, window=None):
    """Return the columns of a profile, or None for who does not exist yet."""
    registered = person.registered(as_of)
    if registered is None:
        return None
    begin = None if window is None else as_of - timedelta(days=window - 1)

    def counts(day):
        return day <= as_of and (begin is None or day >= begin)

    days = [day for day, _ in person.orders if counts(day)]
    first_of_all = min((day for day, _ in person.orders if day <= as_of), default=None)
    revenue = sum(amount for day, amount in person.money if counts(day))
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    row = {
        "registered_on": registered,
        "first_order_on": days[0] if days else None,
        "last_order_on": days[-1] if days else None,
        "orders": len(days),
        "order_days": len(set(days)),
        "revenue": revenue,
        "average_order_value": float(revenue / len(days)) if days else None,
        "days_since_registration": (as_of - registered).days,
        "days_since_last_order": (as_of - days[-1]).days if days else None,
        "days_to_first_order": (first_of_all - registered).days if first_of_all else None,
        "lifetime_days": (days[-1] - days[0]).days if days else None,
        "revenue_first_90_days": sum(
            amount for day, amount in person.money if 0 <= (day - registered).days <= 89
            and day <= as_of
        ),
        "revenue_first_day": sum(
            amount for day, amount in person.money if day == first_of_all
        ) if first_of_all else 0,
    }  # fmt: skip
    return row | _gap_columns(gaps, days, as_of)


def _gap_columns(gaps, days, as_of):
    names = (
        "time_between_orders", "gap_min", "gap_max", "last_gap", "gap_median", "gap_square_sum",
        "gap_std", "missed_purchase_cycles", "next_order_expected_on",
    )  # fmt: skip
    row = dict.fromkeys(names)
    if not gaps:
        return row
    total, squares = sum(gaps), sum(gap * gap for gap in gaps)
    mean = total / len(gaps)
    row["time_between_orders"] = mean
    row["gap_min"], row["gap_max"], row["last_gap"] = min(gaps), max(gaps), gaps[-1]
    row["gap_median"] = float(median(gaps))
    row["gap_square_sum"] = squares
    if len(gaps) > 1:
        of_all = squares * len(gaps) - total**2
        row["gap_std"] = math.sqrt(of_all / len(gaps) / (len(gaps) - 1))
    if mean:
        row["missed_purchase_cycles"] = (as_of - days[-1]).days / mean
    row["next_order_expected_on"] = days[-1] + timedelta(days=math.ceil(mean))
    return row


def lifecycle(age, orders, since):
    """Return the segment by days since registration, orders and days since the last one."""
    if age <= NEW_DAYS:
        return ("New – no orders", "New – 1 order", "New – 2+ orders")[min(orders, 2)]
    if orders == 0:
        return "Inactive (no orders)"
    if since <= ACTIVE_DAYS:
        return ("Promising", "Active", "Loyal")[min(orders, 3) - 1]
    return "At-risk" if since <= CHURNED_DAYS else "Churned"


def lifecycle_of(row):
    """Return the segment of a row of a profile."""
    return lifecycle(row["days_since_registration"], row["orders"], row["days_since_last_order"])


def segment_on(person, day):
    """Return the lifecycle segment on a day; None before the customer exists."""
    registered = person.registered(day)
    if registered is None:
        return None
    days = [one for one, _ in person.orders if one <= day]
    since = (day - days[-1]).days if days else None
    return lifecycle((day - registered).days, len(days), since)


def intervals(person, first, last):
    """Return (segment, first day, day after the last or None) from a day to another."""
    found = []
    day = first
    while day <= last:
        segment = segment_on(person, day)
        if segment is not None and (not found or found[-1][0] != segment):
            found.append([segment, day])
        day += timedelta(days=1)
    ends = [begin for _, begin in found[1:]] + [None] * bool(found)
    return [(segment, begin, end) for (segment, begin), end in zip(found, ends, strict=True)]


def cuts(values, bins):
    """Return linearly interpolated quantiles: NumPy's floats, and of decimals exact."""
    values = sorted(values)
    is_exact = isinstance(values[0], Decimal)
    values = [Fraction(value) if is_exact else float(value) for value in values]
    found = []
    for number in range(1, bins):
        share = Fraction(number, bins) if is_exact else number / bins
        place = (len(values) - 1) * share
        low = math.floor(place)
        high = min(low + 1, len(values) - 1)
        step, part = values[high] - values[low], place - low
        # From the nearer of both, as NumPy does.
        near_high = values[high] - step * (1 - part)
        found.append(near_high if part >= 0.5 else values[low] + step * part)
    return found


def scores(rows, bins):
    """Return (recency, frequency, monetary) scores by customer, of those with orders."""
    buyers = {name: row for name, row in rows.items() if row["orders"]}
    if not buyers:
        return {}
    found = {name: [] for name in buyers}
    for column in ("days_since_last_order", "orders", "revenue"):
        at = cuts([row[column] for row in buyers.values()], bins)
        for name, row in buyers.items():
            score = 1 + bisect.bisect_left(at, row[column])
            if column == "days_since_last_order":
                score = bins + 1 - score
            found[name].append(score)
    return {name: tuple(values) for name, values in found.items()}


def cadence(rows, just_ordered=30, prior=1):
    """Return the cadence by customer, of those with orders, over all customers' gaps."""
    gaps, total, squares = 0, 0, 0
    for row in rows.values():
        if row["orders"] > 1:
            gaps += row["orders"] - 1
            total += row["lifetime_days"]
            squares += row["gap_square_sum"]
    if not gaps:
        return None
    middle = Fraction(total, gaps)
    spread = Fraction(squares, gaps) - middle**2
    found = {}
    for name, row in rows.items():
        since = row["days_since_last_order"]
        if since is None:
            found[name] = None
            continue
        own = row["orders"] - 1
        mean, variance = middle, spread
        if own:
            mean_of_own = Fraction(row["lifetime_days"], own)
            of_own = Fraction(row["gap_square_sum"], own) - mean_of_own**2
            mean = (own * mean_of_own + prior * middle) / (own + prior)
            variance = (own * of_own + prior * spread) / (own + prior)
        found[name] = _band(since, mean, variance, just_ordered)
    return found


def _band(since, mean, variance, just_ordered):
    if since <= just_ordered:
        return "Just ordered"
    late = since - mean
    for name, deviations in (("Active", 1), ("Slipping away", 2)):
        if late <= 0 or late**2 <= deviations**2 * variance:
            return name
    return "Lost"


def report(persons, first, last):
    """Return metrics of a period by segment of the lifecycle, and of all under None."""
    found = defaultdict(Counter)
    for person in persons.values():
        row = profile(person, last)
        came = person.first_day()
        for day, amount in person.money:
            # A refund from before that day lowers the revenue of that day.
            counted = max(day, came)
            if first <= counted <= last:
                for name in (segment_on(person, counted), None):
                    found[name]["Revenue"] += amount
        for day, _ in person.orders:
            if first <= day <= last:
                for name in (segment_on(person, day), None):
                    found[name]["Orders"] += 1
        if row is not None:
            for name in (lifecycle_of(row), None):
                found[name]["Customers"] += 1
                found[name]["Revenue (all time)"] += row["revenue"]
                found[name]["Orders (all time)"] += row["orders"]
                found[name]["buyers"] += row["orders"] > 0
                found[name]["repeat"] += row["orders"] > 1
                found[name]["gap days"] += row["lifetime_days"] or 0
                found[name]["gaps"] += max(row["orders"] - 1, 0)
                found[name]["since"] += row["days_since_last_order"] or 0
    return found


def transitions(before, after):
    """Return who changed, and from what to what."""
    return {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
