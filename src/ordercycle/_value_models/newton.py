"""Maxima of smooth functions of a few parameters, found the same way on every machine.

Newton's method with the second derivatives, in plain Python floats: libraries of linear algebra
round differently from build to build.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: A value with its gradient and its matrix of second derivatives.
Curve = tuple[float, list[float], list[list[float]]]
Vector = list[float]
Matrix = list[list[float]]

#: No parameter, a logarithm, moves further in one step.
LONGEST_STEP = 2.0
#: A step to a maximum near by is shorter.
SHORT_STEP = 0.1
MOST_STEPS, MOST_HALVINGS = 200, 40
#: What the next step could still add to the function, where it is taken for the maximum.
NOTHING_MORE = 1e-9
#: Curvatures below this share of the largest are raised to it: the direction hardly matters.
FLATTEST = 1e-12


@dataclass(frozen=True)
class Maximum:
    """Where a search ended.

    Attributes
    ----------
    place, value, gradient, hessian
        The parameters and what the function is there.
    found
        Whether this is a maximum, or the search left its bounds or ran out of steps.
    steps
        How many steps it took.
    """

    place: Vector
    value: float
    gradient: Vector
    hessian: Matrix
    found: bool
    steps: int


def maximize(
    function: Callable[[Sequence[float]], Curve],
    start: Sequence[float],
    bound: float,
    *,
    enough: float = 0.0,
) -> Maximum:
    """Climb from a start to a maximum, or until a parameter's absolute value passes a bound.

    enough: what a last step may still be expected to add; its end is then the maximum, unseen.
    """
    place = list(start)
    value, gradient, hessian = function(place)
    before = math.inf
    for steps in range(MOST_STEPS):
        step, gain = _newton_step(gradient, hessian)
        if max(map(abs, place)) > bound:
            return Maximum(place, value, gradient, hessian, found=False, steps=steps)
        # On the way to infinity, steps add little but are long.
        if gain < enough and max(map(abs, step)) < SHORT_STEP and is_concave(hessian):
            end = [one + move for one, move in zip(place, step, strict=True)]
            is_found = max(map(abs, end)) <= bound
            return Maximum(end, value + gain, gradient, hessian, found=is_found, steps=steps)
        # Below what the function can tell, derivatives still can: until they do no longer.
        is_lost = gain < _resolution(value)
        is_last = gain < NOTHING_MORE or (is_lost and gain > before / 4)
        before = gain
        longest = max(map(abs, step))
        share = min(1.0, LONGEST_STEP / longest) if longest > 0.0 else 1.0
        for _ in range(MOST_HALVINGS):
            further = [one + share * move for one, move in zip(place, step, strict=True)]
            reached = function(further)
            if reached[0] > value or (is_lost and _is_as_high(reached[0], value)):
                break
            share /= 2
        else:
            # No step leads higher: what is left is rounding, or this is no maximum.
            is_found = gain < _resolution(value)
            return Maximum(place, value, gradient, hessian, found=is_found, steps=steps)
        place, (value, gradient, hessian) = further, reached
        if is_last:
            is_found = max(map(abs, place)) <= bound and is_concave(hessian)
            return Maximum(place, value, gradient, hessian, found=is_found, steps=steps + 1)
    return Maximum(place, value, gradient, hessian, found=False, steps=MOST_STEPS)


def _is_as_high(value: float, before: float) -> bool:
    return value >= before - _resolution(before)


def _resolution(value: float) -> float:
    """Return what a sum of many terms may be wrong by."""
    return NOTHING_MORE + 1e-13 * abs(value)


def _newton_step(gradient: Vector, hessian: Matrix) -> tuple[Vector, float]:
    """Return a step upwards, and what it would add to a function that is a parabola."""
    curvatures, directions = eigen(hessian)
    flattest = FLATTEST * max(map(abs, curvatures))
    step = [0.0] * len(gradient)
    gain = 0.0
    for curvature, direction in zip(curvatures, directions, strict=True):
        slope = dot(direction, gradient)
        steepness = max(abs(curvature), flattest)
        if steepness == 0.0:
            continue
        length = slope / steepness
        gain += slope * length / 2
        step = [one + length * share for one, share in zip(step, direction, strict=True)]
    return step, gain


def is_concave(hessian: Matrix) -> bool:
    """Return whether all curvatures are downwards."""
    return max(eigen(hessian)[0]) < 0.0


def eigen(matrix: Matrix) -> tuple[Vector, list[Vector]]:
    """Return the eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations."""
    size = len(matrix)
    values = [list(row) for row in matrix]
    vectors = [[float(row == column) for column in range(size)] for row in range(size)]
    for _ in range(60):
        diagonal = [values[i][i] for i in range(size)]
        beside = [values[i][j] for i in range(size) for j in range(i)]
        if dot(beside, beside) <= 1e-34 * dot(diagonal, diagonal):
            break
        for i in range(size - 1):
            for j in range(i + 1, size):
                _rotate(values, vectors, i, j)
    return [values[i][i] for i in range(size)], vectors


def _rotate(values: Matrix, vectors: Matrix, i: int, j: int) -> None:
    """Turn the axes i and j so that the matrix has a zero there; vectors are rows."""
    if values[i][j] == 0.0:
        return
    ratio = (values[j][j] - values[i][i]) / (2 * values[i][j])
    tangent = math.copysign(1.0, ratio) / (abs(ratio) + math.sqrt(1.0 + ratio * ratio))
    cosine = 1.0 / math.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    for row in values:
        row[i], row[j] = cosine * row[i] - sine * row[j], sine * row[i] + cosine * row[j]
    for rows in (values, vectors):
        one, other = rows[i], rows[j]
        rows[i] = [cosine * x - sine * y for x, y in zip(one, other, strict=True)]
        rows[j] = [sine * x + cosine * y for x, y in zip(one, other, strict=True)]
    values[i][j] = values[j][i] = 0.0  # but for rounding, for ever


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a symmetric matrix; infinite where it has none."""
    values, vectors = eigen(matrix)
    shares = [1.0 / value if value != 0.0 else math.inf for value in values]
    scaled = [[share * x for x in row] for share, row in zip(shares, vectors, strict=True)]
    return product(transposed(vectors), scaled)


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the sum of products, in order: `sum` adds otherwise since Python 3.12."""
    total = 0.0
    for x, y in zip(one, other, strict=True):
        total += x * y
    return total


def product(one: Matrix, other: Matrix) -> Matrix:
    """Return the product of two matrices."""
    columns = list(zip(*other, strict=True))
    return [[dot(row, column) for column in columns] for row in one]


def transposed(matrix: Matrix) -> Matrix:
    """Return rows as columns."""
    return [list(column) for column in zip(*matrix, strict=True)]


def symmetric(upper: Sequence[float], size: int) -> Matrix:
    """Return the matrix whose upper triangle is given, row by row."""
    result = [[0.0] * size for _ in range(size)]
    values = iter(upper)
    for i in range(size):
        for j in range(i, size):
            result[i][j] = result[j][i] = next(values)
    return result


def weakness(information: Matrix, customers: int) -> tuple[float, float]:
    """Return the smallest curvature a customer, and the greatest standard error."""
    covariance = inverse(information)
    greatest = max(covariance[i][i] for i in range(len(covariance)))
    error = math.sqrt(greatest) if greatest >= 0.0 else math.inf
    return min(eigen(information)[0]) / customers, error
