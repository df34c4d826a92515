"""Models of when customers order: fitted to cells, or made by hand, and what they predict."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._value_models.cells import as_cells
from ordercycle._value_models.forms import (
    FORMS,
    LEAST,
    LEAST_ALPHA_OF_STAGES,
    MODELS,
    Form,
    check_fitted_sums,
    check_names,
    check_sums,
    checked_parameter,
    exps_of,
    logs_of,
    stages_of,
)
from ordercycle._value_models.identification import account_of, problems_of
from ordercycle._value_models.predictions import Predictions, Predictor
from ordercycle._value_models.regularity import GapRatios
from ordercycle._value_models.searching import ERRORS, LIKELIHOODS, Found, Search, lack_of_errors
from ordercycle._workspace import Workers, thread_count
from ordercycle_kernels.order_counts import Cells

DAYS_OF_A_YEAR = 365
LONGEST_HORIZON = 36_525
#: The tables of so many horizons are kept, those used last.
KEPT_PREDICTORS = 4


@dataclass(frozen=True)
class TransactionFit:
    """A model of orders with its parameters.

    Attributes
    ----------
    model
        Its name, or that of its limit, as ``"pareto_nbd, one death rate"``.
    parameters
        Estimate and standard error by name; times are days. Errors are nan where parameters were
        given by hand.
    covariance
        Of the estimates, in the order of the parameters: (k, k).
    log_likelihood
        Of all customers; nan by hand.
    problems
        What the data do not tell, with the numbers.
    candidates
        The log-likelihoods of the models that were compared, by name.
    account
        How the model came about, in words.
    """

    model: str
    parameters: Mapping[str, tuple[float, float]]
    covariance: NDArray[np.float64]
    log_likelihood: float
    problems: tuple[str, ...] = ()
    candidates: Mapping[str, float] = field(default_factory=dict)
    account: str = ""
    _predictors: dict[tuple[float, float], Predictor] = field(
        default_factory=dict, repr=False, compare=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def form(self) -> Form:
        """The model as it is declared."""
        return FORMS[self.model]

    @classmethod
    def of_parameters(cls, model: str, parameters: Mapping[str, float]) -> Self:
        """Return a model with parameters by hand.

        Raises
        ------
        ConfigError
            If there is no such model, or parameters are missing, unknown or senseless.
        """
        check_choice("model", model, FORMS)
        form = FORMS[model]
        names = [one.name for one in form.parameters]
        check_names("model", model, names, parameters)
        least = {"alpha": LEAST_ALPHA_OF_STAGES if stages_of(form.likelihood) > 1 else LEAST}
        values = {
            one.name: checked_parameter(
                one.name,
                parameters[one.name],
                is_share=one.is_share,
                least=least.get(one.name, LEAST),
            )
            for one in form.parameters
        }
        if (stages := stages_of(form.likelihood)) > 1:
            check_sums(form.naturals_of(list(values.values())), stages)
        size = len(names)
        unknown = np.full((size, size), math.nan)
        shown = {name: (value, math.nan) for name, value in values.items()}
        return cls(model, shown, unknown, math.nan, account="parameters by hand")

    def predict(
        self,
        frequency: NDArray[np.int64],
        recency_days: NDArray[np.int32],
        age_days: NDArray[np.int32],
        horizon_days: float,
        discount_rate: float = 0.0,
        out: Predictions | None = None,
    ) -> Predictions:
        """Return the predictions of customers with these x, t and T: each (n,).

        ``horizon_days``: from 0 to 100 years; ``discount_rate``: a year's, as 0.1. Any number of
        threads may call this at the same time.
        """
        found = out if out is not None else Predictions.empty(len(frequency))
        predictor = self._predictor(horizon_days, discount_rate)
        predictor.predict(
            np.ascontiguousarray(frequency, np.int64),
            np.ascontiguousarray(recency_days, np.int32),
            np.ascontiguousarray(age_days, np.int32),
            found,
        )
        # Rounding may take what is all but certain a little beyond.
        np.minimum(found.p_active, 1.0, out=found.p_active)
        return found

    def new_customer_orders(self, days: float) -> float:
        """Return the expected days with orders after the first, of a customer on that day."""
        return float(self._of_new_customer(days, 0.0).expected_orders[0])

    def discounted_new_customer_orders(self, days: float, discount_rate: float) -> float:
        """Return the same, each discounted to the day of the first order."""
        return float(self._of_new_customer(days, discount_rate).discounted_orders[0])

    def _of_new_customer(self, days: float, discount_rate: float) -> Predictions:
        zero = np.zeros(1, np.int32)
        return self.predict(np.zeros(1, np.int64), zero, zero, days, discount_rate)

    def _predictor(self, horizon_days: float, discount_rate: float) -> Predictor:
        """Return the tables of a horizon: those used last are kept."""
        horizon = horizon_of(horizon_days), daily_discount(discount_rate)
        with self._lock:
            found = self._predictors.pop(horizon, None)
            if found is None:
                values = [estimate for estimate, _ in self.parameters.values()]
                naturals = self.form.naturals_of(values)
                if (stages := stages_of(self.form.likelihood)) > 1:
                    check_sums(naturals, stages, horizon[0])
                found = Predictor(self.form.likelihood, naturals, *horizon)
            self._predictors[horizon] = found  # a dict keeps the order: the last one is last
            while len(self._predictors) > KEPT_PREDICTORS:
                del self._predictors[next(iter(self._predictors))]
            return found


def horizon_of(horizon_days: float) -> float:
    """Return a horizon that is one."""
    if isinstance(horizon_days, bool) or not 0 <= horizon_days <= LONGEST_HORIZON:
        raise ConfigError(
            (Option("horizon_days", horizon_days), " is no horizon"),
            remedy=f"pass a number of days from 0 to {LONGEST_HORIZON:,}, 100 years",
        )
    return float(horizon_days)


def daily_discount(discount_rate: float) -> float:
    """Return the continuous rate of a day for the interest of a year."""
    if isinstance(discount_rate, bool) or not 0 <= discount_rate < math.inf:
        raise ConfigError(
            (Option("discount_rate", discount_rate), " is no rate of a year"),
            remedy="pass 0 or a positive number, as 0.1 for 10 %",
        )
    return logs_of([1.0 + discount_rate])[0] / DAYS_OF_A_YEAR


def root_of(variance: float) -> float:
    """Return a standard error; nan where there is none, as where nothing was found."""
    return math.sqrt(variance) if variance >= 0.0 else math.nan


def fit_transactions(
    cells: Cells,
    model: str = "auto",
    *,
    gaps: GapRatios | None = None,
    errors: str = "sandwich",
    threads: int | None = None,
) -> TransactionFit:
    """Fit a model of orders to cells of customers; the same bits for any number of threads.

    What is known of gaps, beside their sum, tells of the stages of a gap; log-likelihoods of
    models with more than one have it with them.

    Raises
    ------
    ConfigError
        If there is no such model or kind of errors.
    DataError
        If cells are not in ascending order, or nobody has ordered on a second day; or customers
        order too often for the model with several stages that was chosen to predict with it.
    """
    if model not in LIKELIHOODS:
        check_choice("model", model, MODELS)
    check_choice("errors", errors, ERRORS)
    with Workers(thread_count(threads)) as workers:
        search = Search(as_cells(cells), workers, gaps)
        found = search.candidates(model)
        best = max(found, key=lambda one: one.value)
        check_fitted_sums(best.form.likelihood, best.naturals)
        return _result(best, found, search.cells, errors)


def is_regular_model(model: str) -> bool:
    """Return whether a gap has several stages in a model."""
    return stages_of(FORMS[model].likelihood) > 1


def _result(best: Found, candidates: Sequence[Found], cells: Cells, errors: str) -> TransactionFit:
    form = best.form
    odds = exps_of(best.maximum.place)
    values = form.shown(odds)
    slopes = [
        value * (1.0 - value) if one.is_share else value
        for one, value in zip(form.parameters, values, strict=True)
    ]
    of_logs = best.covariance(errors)
    size = range(len(values))
    covariance = [[slopes[i] * slopes[j] * of_logs[i][j] for j in size] for i in size]
    problems = problems_of(best, values, cells)
    customers = best.likelihood.margins.customers
    lack = lack_of_errors(form.name, customers, len(values), errors)
    if lack is not None:
        covariance = [[math.nan for _ in size] for _ in size]
        problems = (*problems, lack)
    return TransactionFit(
        form.name,
        {
            one.name: (values[place], root_of(covariance[place][place]))
            for place, one in enumerate(form.parameters)
        },
        np.array(covariance),
        best.value,
        problems,
        {one.form.name: one.value for one in candidates},
        account_of(best, candidates, cells),
    )
