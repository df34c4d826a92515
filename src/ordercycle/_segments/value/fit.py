"""How a model of value is fitted: one round of counting, then the maxima of two likelihoods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._errors import DataError, Option, counted, warn
from ordercycle._segments.counting_rounds import AS_OF_COLUMNS, Cells, Round, as_of_in
from ordercycle._segments.fittable import Fittable, with_options
from ordercycle._segments.value.account import REGULAR, ClvAccount
from ordercycle._segments.value.columns import MEAN_SPEND
from ordercycle._segments.value.inputs import (
    SQUARES,
    ClvCounts,
    ClvInputs,
    means_of,
    purchase_cells,
)
from ordercycle._value_models import (
    ALL_ALIKE,
    SpendFit,
    TransactionFit,
    fit_spend,
    fit_transactions,
    is_regular_model,
    total_of,
)
from ordercycle._value_models import Cells as PurchaseCells
from ordercycle_kernels.spends import SpendCells

#: A model of value: its numbers and its account are options.
C = TypeVar("C", bound=Fittable)

#: Beyond, spend depends on how often customers order.
CORRELATED = 0.3
#: Of the customers, when so many bring nothing that spend says little.
MANY = 0.05
#: Beyond, sums of products of mean spends would leave the floats.
MOST_SPEND = 1e100
#: Below, a model of spend has hardly anything to learn from.
FEW_SPENDERS = 10
#: Kinds of standard errors, the default first.
ERRORS = ("sandwich", "information")


class Fitted(NamedTuple):
    """The outcome of a fit: what the constructor of a model takes."""

    model: str
    spend: str | None
    parameters: dict[str, tuple[float, float | None]]
    account: ClvAccount


@dataclass(frozen=True)
class ClvRound(Round[pa.Table, C]):
    """Counts the customers of profiles by purchases and by spend."""

    scheme: C
    model: str
    spend: str | None
    spend_of: str
    errors: str
    threads: int | None = None  # of the search for the maxima

    @property
    def inputs(self) -> ClvInputs:
        """What is read of a profile."""
        return ClvInputs(self.spend is not None, self.spend_of)

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read."""
        return columns_of(self.inputs)

    def count(self, batch: pa.Table) -> Cells:
        """Count the customers of a profile."""
        return self.inputs.counted(batch)

    def then(self, total: Cells) -> C:
        """Return the fitted model."""
        counts = ClvCounts.of(total)
        fitted = fit_counts(
            counts, self.model, self.spend, self.errors, as_of_in(total), threads=self.threads
        )
        for text in fitted.account.warnings:
            warn(text)
        return with_options(self.scheme, **fitted._asdict())


def columns_of(inputs: ClvInputs) -> tuple[str, ...]:
    """Return the profile columns that are read where they are there."""
    return (*inputs.columns, "orders", SQUARES, *AS_OF_COLUMNS, "window_days")


def fit_counts(
    counts: ClvCounts,
    model: str,
    spend: str | None,
    errors: str,
    as_of: date | None,
    *,
    threads: int | None = None,
) -> Fitted:
    """Return the models of orders and of spend that counts of customers make most likely.

    Raises
    ------
    DataError
        Where nobody has orders, nobody has ordered on a second day, or no spend is positive.
    """
    return fit_each(counts, [model], spend, errors, as_of, threads=threads)[0]


def fit_each(
    counts: ClvCounts,
    models: Sequence[str],
    spend: str | None,
    errors: str,
    as_of: date | None,
    *,
    threads: int | None = None,
) -> list[Fitted]:
    """Return the same for each of some models of orders, all with one fit of spend."""
    cells = transaction_cells(counts)
    if not cells.customers.any():
        raise DataError(
            "no customer of this profile has orders, so there is nothing to fit to",
            remedy=("take a later ", Option("as_of"), " or more orders"),
        )
    orders = [
        fit_transactions(cells, model, gaps=counts.gaps, errors=errors, threads=threads)
        for model in models
    ]
    money = None
    if spend is not None:
        _check_spends(counts, spend)
        if spend == "gamma_gamma":
            money = fit_spend(counts.spends, errors=errors, threads=threads)
    return [_fitted(counts, cells, one, spend, money, errors, as_of) for one in orders]


def _fitted(
    counts: ClvCounts,
    cells: PurchaseCells,
    orders: TransactionFit,
    spend: str | None,
    money: SpendFit | None,
    errors: str,
    as_of: date | None,
) -> Fitted:
    """Return models with their account; money: that of spend, None where it is no distribution."""
    parameters = _with_known_errors(orders.parameters)
    problems = list(orders.problems)
    spend_likelihood = mean = correlation = None
    chosen = spend
    if spend is not None:
        mean, deviation = _mean_spend(counts.spends)
        correlation = counts.correlation()
        if money is not None:
            parameters |= _with_known_errors(money.parameters)
            chosen = money.model
            spend_likelihood = money.log_likelihood
            problems += money.problems
        else:
            parameters[MEAN_SPEND] = (mean, deviation)
        problems += _problems_of_spend(counts, correlation)
    gaps = counts.gaps
    regularity = None if gaps is None else gaps.shape
    if regularity is not None and regularity > REGULAR and not is_regular_model(orders.model):
        problems.append(
            f"gaps between orders are more regular than at random ({_shown(regularity)}): "
            f"{orders.model} takes too long to give up customers who miss their rhythm; mbg_cnbd "
            "knows of it"
        )
    account = ClvAccount(
        as_of=as_of,
        customers=int(cells.customers.sum()),
        repeat_customers=int(cells.customers[cells.frequency > 0].sum()),
        without_orders=counts.without_orders,
        without_spend=counts.without_spend,
        log_likelihood=orders.log_likelihood,
        spend_log_likelihood=spend_likelihood,
        candidates=orders.candidates,
        errors=errors,
        mean_spend=mean,
        correlation=correlation,
        regularity=regularity,
        regularity_error=None if gaps is None else gaps.error,
        warnings=tuple(problems),
    )
    return Fitted(orders.model, chosen, parameters, account)


def _shown(regularity: float) -> str:
    return "all gaps alike" if regularity >= ALL_ALIKE else f"k = {regularity:.1f}"


def _with_known_errors(
    parameters: Mapping[str, tuple[float, float]],
) -> dict[str, tuple[float, float | None]]:
    """Return parameters, with None for errors that the data do not tell."""
    return {
        name: (estimate, error if math.isfinite(error) else None)
        for name, (estimate, error) in parameters.items()
    }


def transaction_cells(counts: ClvCounts) -> PurchaseCells:
    """Return the cells that models of orders are fitted to."""
    return PurchaseCells(*purchase_cells(counts.purchases.cell), counts.purchases.count)


def _check_spends(counts: ClvCounts, spend: str) -> None:
    customers = int(counts.spends.customers.sum())
    if not customers:
        raise DataError(
            "no customer's mean spend is positive "
            f"({counted(counts.without_spend, 'customer')} with zero or less), so there is no "
            "spend to predict",
            remedy=("take ", Option("spend", None), " to predict orders alone"),
            column="revenue",
            count=counts.without_spend,
        )
    if spend == "gamma_gamma" and customers < FEW_SPENDERS:
        raise DataError(
            f"only {counted(customers, 'customer')} with a positive mean spend: too few for a "
            "distribution of spend",
            remedy=("take ", Option("spend", "average"), ", or ", Option("spend", None)),
            column="revenue",
        )

    most = float(means_of(counts.spends).max())
    if most > MOST_SPEND:
        raise DataError(
            f"a mean spend is {most:.3g}, and the sums of a fit do not hold more than "
            f"{MOST_SPEND:g}",
            remedy="take another unit of money, or drop what is no amount",
            column="revenue",
        )


def _mean_spend(spends: SpendCells) -> tuple[float, float | None]:
    """Return the mean over customers of their mean spend, and its standard error."""
    weights = spends.customers.astype(np.float64)
    size = float(spends.customers.sum())
    means = means_of(spends)
    mean = total_of(weights, means) / size
    if size < 2:
        return mean, None
    squares = total_of(weights, (means - mean) ** 2)
    return mean, math.sqrt(squares / (size - 1) / size)


def _problems_of_spend(counts: ClvCounts, correlation: float | None) -> list[str]:
    problems = []
    known = counts.without_spend + int(counts.spends.customers.sum())
    if counts.without_spend > MANY * known:
        problems.append(
            f"{counted(counts.without_spend, 'customer')} whose mean spend is zero or negative "
            f"{'is' if counts.without_spend == 1 else 'are'} left out of the fit of spend"
        )
    if correlation is not None and abs(correlation) > CORRELATED:
        problems.append(
            f"spend depends on how often customers order (correlation {correlation:.2f}), which "
            "the model takes for independent: the value of frequent customers is "
            f"{'under' if correlation > 0 else 'over'}estimated"
        )
    return problems
