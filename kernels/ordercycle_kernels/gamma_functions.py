"""Gamma functions of positive numbers, whose bits depend on no processor and no system library."""

from __future__ import annotations

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64Out, Float64s
from ordercycle_kernels.elementary import logarithm, logarithm_of_one_plus

#: From here on, series in 1 / x hold to the last digit.
LARGE = 10.0
HALF_LOG_TWO_PI = 0.91893853320467274178
#: The slope of ln gamma at 2, 1 less Euler's constant.
SLOPE_AT_TWO = 0.422784335098467139
#: Its further Taylor coefficients there: (-1)**k (zeta(k) - 1) / k for k = 2, 3, ...
AT_TWO = (
    0.32246703342411322,
    -0.067352301053198095,
    0.020580808427784548,
    -0.0073855510286739853,
    0.0028905103307415233,
    -0.001192753911703261,
    0.00050966952474304242,
    -0.00022315475845357938,
    9.9457512781808534e-5,
    -4.4926236738133142e-5,
    2.0507212775670692e-5,
    -9.4394882752683959e-6,
    4.3748667899074878e-6,
    -2.0392157538013662e-6,
    9.5514121304074198e-7,
    -4.492469198764566e-7,
    2.1207184805554666e-7,
    -1.00432248239681e-7,
    4.7698101693639806e-8,
    -2.2711094608943165e-8,
    1.0838659214896954e-8,
    -5.1834750419700467e-9,
    2.4836745438024783e-9,
    -1.1921401405860912e-9,
    5.731367241678862e-10,
    -2.7595228851242331e-10,
    1.3304764374244489e-10,
    -6.4229645638381e-11,
)

# m = values


@helper
def stirling_rest(value: float) -> float:
    """Return ln gamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2 for large x."""
    one = 1.0 / value
    square = one * one
    total = -3617.0 / 122400.0
    total = total * square + 1.0 / 156.0
    total = total * square - 691.0 / 360360.0
    total = total * square + 1.0 / 1188.0
    total = total * square - 1.0 / 1680.0
    total = total * square + 1.0 / 1260.0
    total = total * square - 1.0 / 360.0
    total = total * square + 1.0 / 12.0
    return total * one


@helper
def log_gamma_from_two(offset: float) -> float:
    """Return ln gamma(2 + offset), for offsets of at most 1/2, by its series."""
    total = 0.0
    for place in range(len(AT_TWO) - 1, -1, -1):
        total = total * offset + AT_TWO[place]
    return offset * (SLOPE_AT_TWO + offset * total)


@helper
def log_gamma(value: float) -> float:
    """Return ln gamma(x); it has all its digits where it is 0, at 1 and 2."""
    if value >= LARGE:
        start = (value - 0.5) * logarithm(value) - value
        return start + (HALF_LOG_TWO_PI + stirling_rest(value))
    if value < 0.5:
        return log_gamma_from_two(value) - logarithm_of_one_plus(value) - logarithm(value)
    if value < 1.5:
        offset = value - 1.0
        return log_gamma_from_two(offset) - logarithm_of_one_plus(offset)
    factor, rest = 1.0, value
    while rest > 2.5:
        rest -= 1.0
        factor *= rest
    return log_gamma_from_two(rest - 2.0) + logarithm(factor)


@helper
def digamma_rest(value: float) -> float:
    """Return ln x - 1 / (2 x) - psi(x) for large x."""
    square = 1.0 / (value * value)
    total = -3617.0 / 8160.0
    total = total * square + 1.0 / 12.0
    total = total * square - 691.0 / 32760.0
    total = total * square + 1.0 / 132.0
    total = total * square - 1.0 / 240.0
    total = total * square + 1.0 / 252.0
    total = total * square - 1.0 / 120.0
    total = total * square + 1.0 / 12.0
    return total * square


@helper
def trigamma_rest(value: float) -> float:
    """Return psi'(x) - 1 / x - 1 / (2 x**2) for large x."""
    one = 1.0 / value
    square = one * one
    total = -3617.0 / 510.0
    total = total * square + 7.0 / 6.0
    total = total * square - 691.0 / 2730.0
    total = total * square + 5.0 / 66.0
    total = total * square - 1.0 / 30.0
    total = total * square + 1.0 / 42.0
    total = total * square - 1.0 / 30.0
    total = total * square + 1.0 / 6.0
    return total * square * one


@helper
def digamma(value: float) -> float:
    """Return psi(x), the derivative of ln gamma."""
    before = 0.0
    while value < LARGE:
        before += 1.0 / value
        value += 1.0
    return (logarithm(value) - 0.5 / value - digamma_rest(value)) - before


@helper
def trigamma(value: float) -> float:
    """Return psi'(x), the second derivative of ln gamma."""
    before = 0.0
    while value < LARGE:
        before += 1.0 / (value * value)
        value += 1.0
    one = 1.0 / value
    return one + (0.5 * one * one + trigamma_rest(value)) + before


@helper
def digamma_rise(value: float, step: float) -> float:
    """Return psi(x + y) - psi(x), with its digits where x is large."""
    if value < LARGE:
        return digamma(value + step) - digamma(value)
    further = value + step
    rest = digamma_rest(value) - digamma_rest(further)
    return logarithm_of_one_plus(step / value) + (0.5 * step / (value * further) + rest)


@helper
def trigamma_fall(value: float, step: float) -> float:
    """Return psi'(x) - psi'(x + y), with its digits where x is large."""
    if value < LARGE:
        return trigamma(value) - trigamma(value + step)
    further = value + step
    share = step / (value * further)
    rest = trigamma_rest(value) - trigamma_rest(further)
    return share * (1.0 + 0.5 * (1.0 / value + 1.0 / further)) + rest


@helper
def log_beta(one: float, other: float) -> float:
    """Return ln B(x, y); no digits cancel where one of them is large."""
    small, large = min(one, other), max(one, other)
    if large < LARGE:
        return log_gamma(small) + log_gamma(large) - log_gamma(small + large)
    ratio = small / large
    rest = stirling_rest(large) - stirling_rest(small + large)
    spread = (small + large - 0.5) * logarithm_of_one_plus(ratio)
    if small < LARGE:
        return log_gamma(small) + (rest + small - small * logarithm(large) - spread)
    lesser = (small - 0.5) * logarithm(ratio) - 0.5 * logarithm(large)
    return lesser - spread + (HALF_LOG_TWO_PI + stirling_rest(small) + rest)


@kernel
def log_gammas(values: Float64s, out: Float64Out) -> None:
    """Write ln gamma(x) of positive numbers: values, out: (m,)."""
    for place in range(values.size):
        out[place] = log_gamma(values[place])


@kernel
def digammas(values: Float64s, out: Float64Out) -> None:
    """Write the derivatives of ln gamma at positive numbers: values, out: (m,)."""
    for place in range(values.size):
        out[place] = digamma(values[place])


@kernel
def trigammas(values: Float64s, out: Float64Out) -> None:
    """Write the second derivatives of ln gamma at positive numbers: values, out: (m,)."""
    for place in range(values.size):
        out[place] = trigamma(values[place])


@kernel
def log_betas(ones: Float64s, others: Float64s, out: Float64Out) -> None:
    """Write ln B(x, y) of positive numbers: ones, others, out: (m,)."""
    for place in range(ones.size):
        out[place] = log_beta(ones[place], others[place])


@kernel
def digamma_rises(values: Float64s, steps: Float64s, out: Float64Out) -> None:
    """Write psi(x + y) - psi(x) of positive numbers: values, steps, out: (m,)."""
    for place in range(values.size):
        out[place] = digamma_rise(values[place], steps[place])


@kernel
def trigamma_falls(values: Float64s, steps: Float64s, out: Float64Out) -> None:
    """Write psi'(x) - psi'(x + y) of positive numbers: values, steps, out: (m,)."""
    for place in range(values.size):
        out[place] = trigamma_fall(values[place], steps[place])
