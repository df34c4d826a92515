"""What data do not tell about a model, said in words with the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ordercycle._errors import counted
from ordercycle._value_models.cells import Margins
from ordercycle._value_models.forms import Form
from ordercycle._value_models.searching import WEAK_CURVATURE, WEAK_ERROR, Found
from ordercycle_kernels.order_counts import Cells

#: Under so many customers who ordered again, or with such a share who did not.
FEW_REPEATERS, MANY_ONCE = 100, 0.9
#: A history shows who left where it is so many mean gaps long.
SHORT_GAPS = 3
#: First orders of the first days against those of as many days after them.
FIRST_DAYS, MANY_FIRSTS, FEW_FIRSTS = 28, 2, 50

#: What is one for all customers, by the parameter that stands for it.
MEANINGS = {
    "dropout": "one probability to leave after an order, the same for all",
    "death_rate": "one rate of leaving, the same for all",
    "order_rate": "one rate of orders, the same for all",
}


def problems_of(found: Found, values: Sequence[float], cells: Cells) -> tuple[str, ...]:
    """Return what the data do not tell: about the fit, and about any model of these cells."""
    return (*_of_the_fit(found, values), *_of_the_data(found.likelihood.margins, cells))


def _of_the_fit(found: Found, values: Sequence[float]) -> Iterator[str]:
    form = found.form
    if found.left:
        yield (
            f"the data do not tell all parameters of {found.left[0]}: its likelihood is highest "
            f"where some are infinite or 0, which is {form.name}: {_described(form, values)}"
        )
    if found.is_weak:
        curvature, error = found.weakness()
        yield (
            f"the data hardly tell the parameters of {form.name}: the standard error of the "
            f"logarithm of one is {error:.2g} (weak above {WEAK_ERROR:g}), and the least curvature "
            f"a customer {curvature:.2g} (weak below {WEAK_CURVATURE:g}); totals of predictions "
            "can be right all the same, single parameters mean little"
        )
    if not found.maximum.found:
        yield (
            f"the likelihood of {form.name} has no maximum: it still grows at "
            f"{_described(form, values)}"
        )


def _described(form: Form, values: Sequence[float]) -> str:
    """Return what a form's own parameters are, or that nobody leaves."""
    pairs = zip(form.parameters, values, strict=True)
    own = [f"{MEANINGS[one.name]} ({value:.3g})" for one, value in pairs if one.name in MEANINGS]
    if form.likelihood == "nbd":
        own.insert(0, "nobody leaves")
    return " and ".join(own) or ", ".join(
        f"{one.name} {value:.3g}" for one, value in zip(form.parameters, values, strict=True)
    )


def _of_the_data(margins: Margins, cells: Cells) -> Iterator[str]:
    customers, once = margins.customers, int(margins.by_orders[0])
    repeaters = customers - once
    if repeaters < FEW_REPEATERS:
        yield (
            f"only {counted(repeaters, 'customer')} of {customers:,} ordered on a second day: "
            f"under {FEW_REPEATERS} they tell little"
        )
    if once > MANY_ONCE * customers:
        yield (
            f"{100 * once / customers:.1f} % of the customers ordered on one day only: whether "
            "they left or order rarely, the data do not tell"
        )
    oldest = margins.days - 1
    gap = int((cells.recency_days * cells.customers).sum()) / margins.orders
    if oldest < SHORT_GAPS * gap:
        yield (
            f"the oldest customer is known for {counted(oldest, 'day')}, under {SHORT_GAPS} mean "
            f"gaps between orders ({gap:.0f} days): too short to see who left"
        )
    firsts = margins.by_age[::2][::-1]
    first, second = (int(one.sum()) for one in np.split(firsts[: 2 * FIRST_DAYS], [FIRST_DAYS]))
    is_long = margins.days > 3 * FIRST_DAYS
    if is_long and first > FEW_FIRSTS and first > MANY_FIRSTS * second:
        yield (
            f"{counted(first, 'customer')} first ordered in the first {FIRST_DAYS} days and "
            f"{second:,} in the {FIRST_DAYS} days after: many seem to be older than the history, "
            "so that their age and their first order are not what they look like; leave out "
            "customers first seen in the first weeks, or take a longer history"
        )


def account_of(found: Found, candidates: Sequence[Found], cells: Cells) -> str:
    """Return how a model came about, in words."""
    margins = found.likelihood.margins
    repeaters = margins.customers - int(margins.by_orders[0])
    text = (
        f"{found.form.name} was fitted to {counted(margins.customers, 'customer')}, of whom "
        f"{repeaters:,} ordered again, on {counted(margins.orders, 'day')} in all "
        f"({counted(cells.frequency.size, 'distinct history', 'distinct histories')}); "
        f"log-likelihood {found.value:,.4f}."
    )
    others = [one for one in candidates if one is not found]
    if others:
        listed = ", ".join(f"{one.form.name} {one.value - found.value:,.2f}" for one in others)
        text += f" The most likely of {len(candidates)} models; by so much less likely: {listed}."
    return text
