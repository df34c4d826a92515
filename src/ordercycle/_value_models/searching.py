"""The search for the parameters under which what customers did is most likely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ordercycle._errors import counted
from ordercycle._value_models.cells import Margins, check_repeats, every_nth, margins_of
from ordercycle._value_models.forms import (
    CANDIDATES,
    FORMS,
    REGULAR,
    STAGES,
    Form,
    exps_of,
    has_short_sums,
    regular_model,
    stages_of,
)
from ordercycle._value_models.likelihoods import (
    DeathLikelihood,
    DropoutLikelihood,
    Likelihood,
    NbdLikelihood,
    RegularLikelihood,
)
from ordercycle._value_models.newton import (
    Curve,
    Matrix,
    Maximum,
    inverse,
    maximize,
    product,
    symmetric,
    weakness,
)
from ordercycle._value_models.regularity import GapRatios
from ordercycle._workspace import Workers
from ordercycle_kernels.order_counts import Cells

#: How standard errors are computed.
ERRORS = ("sandwich", "information")
#: A logarithm of a parameter further from 0 than this is on its way to infinity.
BOUND = 16.0
#: Where an optimum is weak: curvature of a customer's log-likelihood, in logarithms of
#: parameters, and standard error of one.
WEAK_CURVATURE, WEAK_ERROR = 1e-4, 1.0
#: A limit takes over where the model, with its parameters further out, is not this much better.
NO_BETTER = 1e-6
#: So many customers for each parameter say how much their contributions to a likelihood vary.
ENOUGH_EACH = 10
#: The search starts on about so many cells, and ends on all.
CELLS_TO_START = 32_768

LIKELIHOODS: dict[str, Callable[[Cells, Workers], Likelihood]] = {
    "nbd": NbdLikelihood,
    "pareto_nbd": DeathLikelihood,
    "bg_nbd": lambda cells, workers: DropoutLikelihood(cells, workers, may_leave_at_first=False),
    "mbg_nbd": lambda cells, workers: DropoutLikelihood(cells, workers, may_leave_at_first=True),
    **{regular_model(stages): partial(RegularLikelihood, stages=stages) for stages in STAGES},
}


def lack_of_errors(name: str, customers: int, parameters: int, errors: str) -> str | None:
    """Return why customers are too few for the standard errors of a model; None: they are not.

    At a maximum the contributions of customers add up to zero, so that those of a few seem to vary
    hardly at all, and the sandwich with them.
    """
    enough = ENOUGH_EACH * parameters
    if errors != "sandwich" or customers >= enough:
        return None
    return (
        f"{counted(customers, 'customer')} are too few for sandwich errors of "
        f"{counted(parameters, 'parameter')} of {name}, which take {enough}: they are left out"
    )


@dataclass(frozen=True)
class Found:
    """A form of a model with its best parameters.

    Attributes
    ----------
    form
        The model, or its limit.
    likelihood
        Of all customers.
    maximum
        In logarithms of the parameters (of shares: of their odds).
    left
        Names of the forms that ran away to this limit, in order.
    of_gaps
        What gaps add to its log-likelihood.
    """

    form: Form
    likelihood: Likelihood
    maximum: Maximum
    left: tuple[str, ...] = ()
    of_gaps: float = 0.0

    @property
    def value(self) -> float:
        """The log-likelihood of all that is known, by which models are compared."""
        return self.maximum.value + self.of_gaps

    @property
    def naturals(self) -> list[float]:
        """The four parameters of the likelihood."""
        return self.form.naturals(exps_of(self.maximum.place))

    @property
    def information(self) -> Matrix:
        """The second derivatives of minus the log-likelihood, in logarithms of parameters."""
        return [[-value for value in row] for row in self.maximum.hessian]

    def covariance(self, errors: str) -> Matrix:
        """Return the covariance of the logarithms of the estimates.

        ``"information"`` believes the model; ``"sandwich"`` holds where it is wrong as well.
        """
        bread = inverse(self.information)
        if errors == "information":
            return bread
        products = self.likelihood.score_products(self.naturals)
        filling = symmetric([float(one) for one in products], 4)
        places = [one.place for one in self.form.parameters]
        filling = [[filling[i][j] for j in places] for i in places]
        return product(product(bread, filling), bread)

    def weakness(self) -> tuple[float, float]:
        """Return the smallest curvature a customer, and the greatest standard error of a log."""
        return weakness(self.information, self.likelihood.margins.customers)

    @property
    def is_weak(self) -> bool:
        """Whether the data hardly tell the parameters."""
        curvature, error = self.weakness()
        return curvature < WEAK_CURVATURE or not error <= WEAK_ERROR


@dataclass
class Search:
    """Fits forms of models to cells, each likelihood prepared once."""

    cells: Cells
    workers: Workers
    gaps: GapRatios | None = None
    _likelihoods: dict[str, Likelihood] = field(default_factory=dict)
    _samples: dict[str, Likelihood] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.margins = margins_of(self.cells)
        check_repeats(self.margins)

    def likelihood(self, model: str) -> Likelihood:
        """Return the likelihood of all customers."""
        if model not in self._likelihoods:
            self._likelihoods[model] = LIKELIHOODS[model](self.cells, self.workers)
        return self._likelihoods[model]

    def sample(self, model: str) -> Likelihood:
        """Return the likelihood of some customers of each kind."""
        step = self.cells.frequency.size // CELLS_TO_START
        if step < 2:
            return self.likelihood(model)
        if model not in self._samples:
            self._samples[model] = LIKELIHOODS[model](every_nth(self.cells, step), self.workers)
        return self._samples[model]

    def candidates(self, model: str) -> list[Found]:
        """Return the models that a name stands for, each with its best parameters."""
        if model == REGULAR:
            return [self.best("mbg_nbd"), *self._regular()]
        if model != "auto":
            return [self.best(model)]
        regular = self._regular() if self.gaps is not None and self.gaps.is_regular else []
        return [*map(self.best, CANDIDATES), *regular]

    def _regular(self) -> list[Found]:
        """Return the most likely model with several stages; none where there is no maximum.

        The search walks from the shape that gaps have, as long as models get more likely.
        """
        start = 2.0 if self.gaps is None else self.gaps.shape
        stages = int(min(max(round(start), STAGES[0]), STAGES[-1]))
        best = self.best(regular_model(stages))
        for step in (1, -1):
            place = stages + step
            while place in STAGES:
                other = self.best(regular_model(place))
                if not _is_usable(other) or other.value <= best.value:
                    break
                best, place = other, place + step
            if stages_of(best.form.likelihood) != stages:
                break
        return [best] if _is_usable(best) else []

    def best(self, name: str) -> Found:
        """Return a model with its best parameters, or the limit that they lead to."""
        form = FORMS[name]
        found = self._fit(form)
        if found.maximum.found and not found.is_weak:
            return found
        limits = [self.best(limit) for limit in form.limits]
        limits = [one for one in limits if one.maximum.found]
        if not limits:
            return found
        limit = max(limits, key=lambda one: one.maximum.value)
        if found.maximum.found and found.maximum.value > limit.maximum.value + NO_BETTER:
            return found
        return replace(limit, left=(name, *limit.left))

    def _fit(self, form: Form) -> Found:
        """Climb from each start on some customers, and from the best place on all."""
        sample, likelihood = self.sample(form.likelihood), self.likelihood(form.likelihood)
        tried = [
            self._climb(sample, form, form.logs(start))
            for start in starting_points(self.margins, form.likelihood)
        ]
        best = max(tried, key=lambda one: (one.found, one.value))
        if sample is not likelihood:
            best = self._climb(likelihood, form, [_bounded(one) for one in best.place])
        stages = stages_of(form.likelihood)
        of_gaps = 0.0 if self.gaps is None or stages == 1 else self.gaps.log_likelihood(stages)
        return Found(form, likelihood, best, of_gaps=of_gaps)

    @staticmethod
    def _climb(likelihood: Likelihood, form: Form, start: Sequence[float]) -> Maximum:
        return maximize(lambda logs: curve_of(likelihood, form, logs), start, BOUND)


def _is_usable(found: Found) -> bool:
    """Return whether a model with several stages has a maximum that it can predict with."""
    return found.maximum.found and has_short_sums(found.naturals, stages_of(found.form.likelihood))


def _bounded(log: float) -> float:
    return min(max(log, -BOUND / 2), BOUND / 2)


def curve_of(likelihood: Likelihood, form: Form, logs: Sequence[float]) -> Curve:
    """Return the log-likelihood and its derivatives by logarithms of a form's parameters."""
    naturals = form.naturals(exps_of(logs))
    value, *rest = (float(one) for one in likelihood.sums(naturals))
    places = [one.place for one in form.parameters]
    gradient = [naturals[i] * rest[i] for i in places]
    second = symmetric(rest[4:], 4)
    hessian = [[naturals[i] * naturals[j] * second[i][j] for j in places] for i in places]
    for place, slope in enumerate(gradient):
        hessian[place][place] += slope
    return value, gradient, hessian


def starting_points(margins: Margins, model: str) -> list[list[float]]:
    """Return where searches for a model start: three times four parameters.

    The shape of order rates has the right moments twice. Rates are a customer's orders a day, and
    times customers' mean age, so that other units of time give the same start.
    """
    customers, orders = margins.customers, margins.orders
    days = sum(age * int(count) for age, count in enumerate(margins.by_age[::2]))
    rate, age = orders / days, days / customers
    squares = sum(x * x * int(count) for x, count in enumerate(margins.by_orders))
    products = sum(age * int(count) for age, count in enumerate(margins.by_age[1::2]))
    ages = sum(age * age * int(count) for age, count in enumerate(margins.by_age[::2]))
    beyond = squares - 2 * rate * products + rate * rate * ages - orders
    r = min(max(rate * rate * ages / beyond if beyond > 0 else 10.0, 0.05), 10.0)
    rate *= stages_of(model)  # an order is so many stages
    leaving = (
        [[0.5, age], [1.0, age / 2], [0.3, age / 10]]
        if model == "pareto_nbd"
        else [[0.2, 1.8], [1.0, 1.0], [2.0, 8.0]]
    )
    return [[shape, shape / rate, *one] for shape, one in zip((r, r, 1.0), leaving, strict=True)]
