"""Published and recomputed numbers, each by the name of where it is from."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._statistics.distributions import (
    chi_square_p,
    normal_p,
    normal_quantile,
    t_p,
    t_quantile,
)
from ordercycle._statistics.means import Moments, adjusted_means, plain_means
from ordercycle._statistics.rates import (
    Rate,
    restricted_rate,
    score_difference,
    score_lift,
    score_p,
    wilson,
)
from ordercycle._statistics.sequential import always_valid, multiplier, tuning
from ordercycle._statistics.several import benjamini_hochberg, holm, sample_ratio_p, shrunk

Z = normal_quantile(0.05)


def near(interval, *ends, digits=5e-5):
    return interval == pytest.approx(ends, abs=digits)


NEWCOMBE = [  # Newcombe 1998: counts, Mee, Miettinen and Nurminen
    ((56, 70), (48, 80), (0.0533, 0.3377), (0.0528, 0.3382)),
    ((9, 10), (3, 10), (0.1821, 0.8370), (0.1700, 0.8406)),
    ((5, 56), (0, 29), (-0.0313, 0.1926), (-0.0326, 0.1933)),
    ((0, 10), (0, 20), (-0.1611, 0.2775), (-0.1658, 0.2844)),
    ((10, 10), (0, 10), (0.6777, 1.0), (0.6636, 1.0)),
]


@pytest.mark.parametrize(("one", "control", "mee", "mn"), NEWCOMBE)
def test_score_intervals_of_newcombe_1998(one, control, mee, mn):
    one, control = Rate(one[1], one[0]), Rate(control[1], control[0])
    assert near(score_difference(one, control, Z, corrected=False), *mee)
    assert near(score_difference(one, control, Z), *mn)


def test_perondi_as_propcis_has_it():
    one, control = Rate(34, 7), Rate(34, 1)
    assert near(score_difference(one, control, Z), 0.0270416, 0.3452912, digits=5e-7)
    low, high = score_lift(one, control, Z, corrected=False)
    assert (low + 1, high + 1) == pytest.approx((1.220853, 42.575718), rel=2e-6)


HILLSTROM = [  # e-mail campaign "Mens" against none: difference, error, score, Koopman, sequential
    (3894, 2262, 0.0765896, 0.0033858, (0.069960, 0.083234), (0.640438, 0.806468),
     (0.066313, 0.086866)),
    (267, 122, 0.0068050, 0.00092085, (0.005024, 0.008649), (0.768757, 1.707840),
     (0.004010, 0.009600)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mens", "none", "difference", "error", "score", "lift", "always"), HILLSTROM
)
def test_hillstrom_e_mail(mens, none, difference, error, score, lift, always):
    one, control = Rate(21_307, mens), Rate(21_306, none)
    found, variance = one.share - control.share, one.variance + control.variance
    assert found == pytest.approx(difference, abs=5e-8)
    assert math.sqrt(variance) == pytest.approx(error, rel=2e-5)
    assert near(score_difference(one, control, Z), *score, digits=6e-7)
    assert near(score_lift(one, control, Z, corrected=False), *lift, digits=6e-7)
    n = one.n + control.n
    assert near(always_valid(found, variance, n, n, 0.05)[0], *always, digits=1e-6)


def test_hillstrom_sample_ratio():
    counts = [21_307, 21_387, 21_306]
    assert sample_ratio_p(counts, [1, 1, 1]) == pytest.approx(0.9037, abs=5e-5)


def gbstats(n, total, squares):
    return Moments(n, Fraction(total), Fraction(squares))


def test_gbstats_absolute_difference_and_fieller():
    a = gbstats(3407, "1396.87", "52377.9767")
    b = gbstats(3461, "2422.7", "134698.29")
    means = plain_means(b, a)
    assert means.difference == pytest.approx(0.29, abs=5e-6)
    critical = means.critical(0.05)
    assert near(means.interval(critical), 0.04538, 0.53462, digits=6e-6)
    assert means.p() == pytest.approx(0.02016, abs=5e-6)
    assert means.degrees == pytest.approx(5841.742, abs=5e-4)
    assert means.lift == pytest.approx(0.70732, abs=5e-6)
    # A symmetric interval of the lift would hold 0, and contradict the test.
    assert near(means.lift_interval(critical), 0.094, 1.709, digits=5e-4)


def relative(one, control):
    """Return the relative effect with its delta variance, as gbstats has them."""
    (m1, v1), (m0, v0) = one, control
    return (m1 - m0) / m0, v1 / m0**2 + m1**2 * v0 / m0**4


def test_gbstats_sequential_lift_of_means():
    a, b = gbstats(3000, "1396.87", "52377.9767"), gbstats(3461, "2422.7", "134698.29")
    lift, variance = relative((b.mean, b.variance / b.n), (a.mean, a.variance / a.n))
    assert lift == pytest.approx(0.50336, abs=5e-6)
    interval, p = always_valid(lift, variance, 6461, 1000, 0.05)
    assert near(interval, -0.55844, 1.56516, digits=6e-6)
    assert p == 1.0


def test_gbstats_sequential_lift_of_rates():
    one, control = Rate(3461, 2422), Rate(3000, 1396)
    lift, variance = relative((one.share, one.variance), (control.share, control.variance))
    interval, _ = always_valid(lift, variance, 6461, 5000, 0.05)
    assert lift == pytest.approx(0.50386, abs=5e-6)
    assert near(interval, 0.40098, 0.60675, digits=6e-6)


def test_sequential_multipliers():
    assert multiplier(10**7, 5_000, 0.05) == pytest.approx(3.96, abs=5e-3)
    assert multiplier(500, 5_000, 0.05) == pytest.approx(3.86, abs=5e-3)
    assert multiplier(10_000, 5_000, 0.05) == pytest.approx(3.06, abs=5e-3)
    assert multiplier(50_000, 5_000, 0.05) == pytest.approx(3.24, abs=1e-2)
    assert multiplier(5_000, 5_000, 0.05) == pytest.approx(3.035, abs=5e-4)
    assert tuning(0.05) == pytest.approx(7.936, abs=5e-4)


TEA = (
    Moments(*map(Fraction, (2023, 1073, 2073, 1090, 2720, 1691))),
    Moments(*map(Fraction, (1977, 1133, 2121, 1006, 2380, 1551))),
)


def test_tea_tasting_orders_per_user():
    control, one = TEA
    means = plain_means(one, control)
    assert means.difference == pytest.approx(0.0426901458, abs=5e-11)
    interval = means.interval(means.critical(0.05))
    assert near(interval, -0.0108002016, 0.0961804931, digits=5e-10)
    assert means.p() == pytest.approx(0.1177317800, abs=5e-10)


def test_tea_tasting_orders_with_lins_slopes():
    control, one = TEA
    slopes = [arm.spread("xy", "x", "y") / arm.spread("xx", "x", "x") for arm in TEA]
    assert sorted(map(float, slopes)) == pytest.approx([0.521639, 0.521809], abs=5e-7)
    means = adjusted_means(one, control)
    assert means.difference == pytest.approx(0.0583167671, abs=5e-11)
    assert math.sqrt(means.variance) == pytest.approx(0.0217322538, abs=5e-10)


def test_holm_and_benjamini_hochberg():
    ps = [0.01, 0.04, 0.03, 0.005]
    assert holm(ps) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(ps) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    of_tea = benjamini_hochberg([0.118, 0.0211, 0.0213, 0.00218])
    assert of_tea == pytest.approx([0.118, 0.0284, 0.0284, 0.00872], abs=5e-6)


def test_sample_ratio_of_wikipedia_and_kohavi_2020():
    assert sample_ratio_p([600, 400], [1, 1]) == pytest.approx(2.54e-10, rel=2e-3)
    assert sample_ratio_p([821_588, 815_482], [1, 1]) == pytest.approx(1.82e-6, rel=3e-3)
    assert sample_ratio_p([821_588, 815_482, 0], [1, 1, 0]) == pytest.approx(1.82e-6, rel=3e-3)
    assert sample_ratio_p([5, 0], [1, 0]) is None


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    [(2.0, 1, 0.29516723530086653), (2.0, 5, 0.10193947830742186), (0.5, 30, 0.6207234),
     (1.9599639845400545, 10**7, 0.0500000345)],
)  # fmt: skip
def test_tails_of_students_t(t, degrees, p):
    assert t_p(t, degrees) == pytest.approx(p, rel=2e-6)
    assert t_quantile(p, degrees) == pytest.approx(t, rel=2e-6)


def test_the_expansion_of_t_quantiles_goes_on_where_halving_ends():
    for alpha in (0.05, 0.001):
        below, above = t_quantile(alpha, 9_999.999), t_quantile(alpha, 10_000.0)
        assert below == pytest.approx(above, rel=1e-10)


def test_tails_of_chi_square():
    assert chi_square_p(2.0, 2) == pytest.approx(math.exp(-1.0), rel=1e-14)
    assert chi_square_p(50.0, 2) == pytest.approx(math.exp(-25.0), rel=1e-13)
    assert chi_square_p(22.774, 1) == pytest.approx(math.erfc(math.sqrt(22.774 / 2)), rel=1e-12)
    assert chi_square_p(0.0, 3) == 1.0


rates = st.integers(1, 300).flatmap(lambda n: st.builds(Rate, st.just(n), st.integers(0, n)))


@given(rates, rates, st.sampled_from([0.2, 0.05, 0.001]))
def test_lift_difference_and_p_say_the_same(one, control, alpha):
    z = normal_quantile(alpha)
    low, high = score_difference(one, control, z)
    assert -1.0 <= low <= one.share - control.share <= high <= 1.0
    p, lift = score_p(one, control), score_lift(one, control, z)
    if p is not None and abs(p - alpha) > 1e-9:
        assert (p < alpha) == (not low <= 0.0 <= high)
        if lift is not None:
            assert (p < alpha) == (not lift.low <= 0.0 <= lift.high)
    assert (lift is None) == (control.x == 0)
    within = wilson(one, z)
    assert 0.0 <= within.low <= one.share <= within.high <= 1.0


@given(rates, rates, st.floats(-0.99, 0.99))
def test_restricted_rates_are_the_most_likely(one, control, difference):
    def likelihood(rate):
        total = 0.0
        for arm, share in ((one, rate + difference), (control, rate)):
            for count, part in ((arm.x, share), (arm.n - arm.x, 1.0 - share)):
                if count:
                    total += count * math.log(part) if part > 0.0 else -math.inf
        return total

    found = restricted_rate(one, control, difference)
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    assert low <= found <= high
    best = likelihood(found)
    for place in range(1, 200):
        assert likelihood(low + (high - low) * place / 200) <= best + 1e-6 + 1e-9 * abs(best)


values = st.lists(st.tuples(st.integers(-5, 50), st.integers(0, 9)), min_size=2, max_size=30)


def moments(pairs):
    return Moments(
        len(pairs),
        *(Fraction(sum(one)) for one in (
            [y for y, _ in pairs], [y * y for y, _ in pairs], [x for _, x in pairs],
            [x * x for _, x in pairs], [x * y for y, x in pairs],
        )),
    )  # fmt: skip


@given(values, values)
def test_fieller_agrees_with_the_difference(first, second):
    for make in (plain_means, adjusted_means):
        means = make(moments(first), moments(second))
        if means is None:
            continue
        critical = means.critical(0.05)
        low, high = means.interval(critical)
        lift = means.lift_interval(critical)
        if lift is not None and min(abs(low), abs(high)) > 1e-9:
            assert (lift.low <= 0.0 <= lift.high) == (low <= 0.0 <= high)
        assert (means.p() < 0.05) == (not low <= 0.0 <= high) or abs(means.p() - 0.05) < 1e-9


def test_shrunk_effects_lie_between_themselves_and_their_mean():
    drawn = shrunk([0.01, 0.05, 0.02], [0.0001, 0.0001, 0.0004])
    assert drawn.effects[0] > 0.01
    assert drawn.effects[1] < 0.05
    assert max(drawn.errors) < 0.02
    together = shrunk([0.02, 0.02], [0.1, 0.2])
    assert together.effects == pytest.approx([0.02, 0.02])
    assert together.q_p == pytest.approx(1.0)
    apart = shrunk([0.0, 1.0], [1e-8, 1e-8])
    assert apart.effects == pytest.approx([0.0, 1.0], abs=1e-6)
    assert apart.q_p < 1e-9


def test_few_customers_are_never_sure():
    # None of two converted: the plain variance is 0, and would outweigh thousands of customers.
    assert Rate(2, 0).variance == 0.0
    assert Rate(2, 0).cautious_variance == pytest.approx(0.25 * 0.75 / 4)
    assert Rate(10_000, 2_500).cautious_variance == pytest.approx(
        Rate(10_000, 2_500).variance, rel=1e-3
    )
    of_many = {(9, 5): False, (10, 5): True, (10, 4): False, (10, 10): False}
    assert {rate: Rate(*rate).is_of_many for rate in of_many} == of_many


@pytest.mark.parametrize("degrees", [3.0, 40.0, 20_000.0])
def test_quantiles_far_out_are_not_those_of_a_rounded_share(degrees):
    for alpha in (1e-12, 1e-20):
        assert t_p(t_quantile(alpha, degrees), degrees) == pytest.approx(alpha, rel=1e-6)
        assert normal_p(normal_quantile(alpha)) == pytest.approx(alpha, rel=1e-9)
