"""Derivatives of functions in many digits, by differences."""

from mpmath import mpf


def derivatives(function, parameters):
    """Return a value, its gradient and second derivatives (upper triangle)."""
    parameters = [mpf(one) for one in parameters]
    steps = [one * mpf(10) ** -18 for one in parameters]

    def at(*moves):
        place = list(parameters)
        for which, sign in moves:
            place[which] += sign * steps[which]
        return function(*place)

    size = range(len(parameters))
    here, above, below = at(), [at((i, 1)) for i in size], [at((i, -1)) for i in size]
    found = [here, *((above[i] - below[i]) / (2 * steps[i]) for i in size)]
    for i in size:
        found.append((above[i] - 2 * here + below[i]) / steps[i] ** 2)
        for j in size[i + 1 :]:
            signs = [(one, other) for one in (1, -1) for other in (1, -1)]
            mixed = sum(one * other * at((i, one), (j, other)) for one, other in signs)
            found.append(mixed / (4 * steps[i] * steps[j]))
    return found
