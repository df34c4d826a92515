"""Planted defects: each is a wrong implementation of the documentation, and has to be found.

A defect is a text of `docs_oracle` replaced by another, which makes a definition a little wrong.
Where the comparison finds each of them, it would find the same defect in the library.
"""

import types
from pathlib import Path

from campaigns import docs_oracle

FIRST_DAY_ONLY = """by_day = sums[customer, order]
        day = min(by_day, default=day)
"""
#: What each replaces: (what it is called, the right text, the wrong one).
DEFECTS = (
    ("new ends a day early", "if age <= NEW_DAYS:", "if age < NEW_DAYS:"),
    ("active ends a day early", "if since <= ACTIVE_DAYS:", "if since < ACTIVE_DAYS:"),
    ("churned begins a day early", "since <= CHURNED_DAYS", "since < CHURNED_DAYS"),
    ("loyal from two orders", '("Promising", "Active", ', '("Promising", "Loyal", '),
    ("the lower of two middle gaps", "median(gaps)", "sorted(gaps)[(len(gaps) - 1) // 2]"),
    ("spread of all gaps", "/ (len(gaps) - 1)", "/ len(gaps)"),
    ("expected rounded down", "math.ceil(mean)", "math.floor(mean)"),
    ("91 first days", "<= 89", "<= 90"),
    ("windows of a day more", "days=window - 1", "days=window"),
    ("refunds count as orders", 'refunds == "count")', 'refunds != "drop")'),
    ("zero is no order", "is_order and (amount >= 0", "is_order and (amount > 0"),
    ("orders count on each of their days", "counts = False", "counts = True"),
    ("lines of an order on one day", "by_day = sums[customer, order]\n", FIRST_DAY_ONLY),
    (
        "registered by the last order",
        "return min(days, default=None)",
        "return max(days, default=None)",
    ),
    ("the upper quantile", "low = math.floor(place)", "low = math.ceil(place)"),
    ("cuts count for equal values", "bisect.bisect_left(at", "bisect.bisect_right(at"),
    ("recency not reversed", "score = bins + 1 - score", "pass"),
    ("cadence without its spread", "deviations**2 * variance", "0"),
    ("cadence leans on nobody", "prior * middle) / (own + prior)", "0) / own"),
    ("intervals without the last day", "while day <= last:", "while day < last:"),
    ("refunds on their own day only", "counted = max(day, came)", "counted = day"),
    ("those who came did not move", "before.keys() | after.keys()", "before.keys() & after.keys()"),
)


def planted(right, wrong):
    """Return the oracle with a defect."""
    source = Path(docs_oracle.__file__).read_text(encoding="utf-8")
    if right not in source:
        raise ValueError(right)
    module = types.ModuleType("planted")
    exec(compile(source.replace(right, wrong), "planted", "exec"), vars(module))  # noqa: S102 - our own text
    return module
