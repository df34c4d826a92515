"""Likelihoods of the models of orders by the formulas of the papers, in many digits."""

import mpmath
from mpmath import mpf


def alive_and_left(r, alpha, a, b, x, t, age, f):
    """Return the likelihoods of a customer who has not left, and of one who has."""
    counts = mpmath.gammaprod([r + x], [r]) * alpha**r
    stay = mpmath.beta(a, b + x + f) / mpmath.beta(a, b)
    leave = mpmath.beta(a + 1, b + x - 1 + f) / mpmath.beta(a, b) if x + f else mpf(0)
    return counts * stay * (alpha + age) ** -(r + x), counts * leave * (alpha + t) ** -(r + x)


def from_then_on(r, alpha, s, beta, x, t):
    """Return the integral of (alpha + u)**-(r + x) (beta + u)**-(s + 1) from t on."""
    k = r + s + x
    if alpha >= beta:
        series = mpmath.hyp2f1(1, r + x, k + 1, (alpha - beta) / (alpha + t))
        return (alpha + t) ** -(r + x) * (beta + t) ** -s / k * series
    series = mpmath.hyp2f1(1, s + 1, k + 1, (beta - alpha) / (beta + t))
    return (alpha + t) ** -(r + x - 1) * (beta + t) ** -(s + 1) / k * series


def log_likelihood_of_pareto(r, alpha, s, beta, x, t, age):
    """Return the log-likelihood of a customer of Pareto/NBD."""
    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    left = from_then_on(r, alpha, s, beta, x, t) - from_then_on(r, alpha, s, beta, x, age)
    counts = mpmath.loggamma(r + x) - mpmath.loggamma(r) + r * mpmath.log(alpha)
    return counts + s * mpmath.log(beta) + mpmath.log(alive + s * left)


def regular_alive_and_left(r, alpha, a, b, x, t, age, k):
    """Return the likelihoods of MBG/CNBD-k, without the factor of gaps that no parameter is in."""
    shape = r + k * x
    counts = mpmath.gammaprod([shape], [r]) * alpha**r
    stay = mpmath.beta(a, b + x + 1) / mpmath.beta(a, b)
    leave = mpmath.beta(a + 1, b + x) / mpmath.beta(a, b)
    waits = [
        mpmath.rf(shape, j) / mpmath.factorial(j) * (age - t) ** j * (alpha + age) ** -(shape + j)
        for j in range(k)
    ]
    return counts * stay * mpmath.fsum(waits), counts * leave * (alpha + t) ** -shape


def regular_orders(parameters, x, age, k, done, horizon):
    """Return E(orders) and E(orders (orders - 1)) of who is alive, so many stages into a gap."""
    r, alpha, a, b = parameters
    shape, share = r + k * x + done, horizon / (alpha + age + horizon)
    expected = pairs = mpf(0)
    place, survival = 0, mpf(1)
    while True:
        place += 1
        chance = survival * mpmath.betainc(k * place - done, shape, 0, share, regularized=True)
        expected, pairs = expected + chance, pairs + 2 * (place - 1) * chance
        if chance < mpf(10) ** -16 * expected:
            return expected, pairs
        survival *= (b + x + place) / (a + b + x + place)
