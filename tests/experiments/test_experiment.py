"""Arms and what they did, against plain Python; what is refused; what is promised of peeking."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ordercycle as oc
from ordercycle._experiments.arms import SALT_PREFIX
from ordercycle._statistics.means import Moments, adjusted_means, plain_means
from ordercycle._statistics.sequential import always_valid

DAY = date(2026, 1, 1)
HALVES = oc.Experiment("banner", {"control": 50, "banner": 50})


def day(number):
    return DAY + timedelta(days=number)


def mix(word):
    z = (word + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def hashed(text):
    data = text.encode()
    state = mix(len(data))
    for begin in range(0, len(data), 8):
        state = mix(state ^ int.from_bytes(data[begin : begin + 8], "little"))
    return state


def arm_of(customer, name="banner", arms=(("control", 50), ("banner", 50))):
    place = mix(mix(customer) ^ mix(hashed(SALT_PREFIX + name)))
    end = Fraction(0)
    for arm, weight in arms:
        end += Fraction(weight, 100)
        if place < int(end * 2**64):
            return arm
    raise AssertionError(customer)


def test_arms_are_those_of_plain_python():
    ids = [-(2**63), -1, 0, 7, 10**12, 2**63 - 1, *range(1000)]
    found = HALVES.assign(pa.array(ids)).to_pylist()
    assert found == [arm_of(one) for one in ids]
    assert Counter(found)["control"] / len(ids) == pytest.approx(0.5, abs=0.05)
    table = HALVES.assign(pa.table({"customer_id": pa.array([7, None])}))
    assert table["arm"].to_pylist() == [arm_of(7), None]
    assert HALVES.assign(["7"]).to_pylist() == [
        "control" if mix(hashed("7") ^ mix(hashed(SALT_PREFIX + "banner"))) < 2**63 else "banner"
    ]
    thirds = oc.Experiment("t", {"a": Fraction(1, 3), "b": 0, "c": Fraction(2, 3)}, control="a")
    assert Counter(thirds.assign(range(3000)).to_pylist())["a"] == pytest.approx(1000, abs=80)
    assert "b" not in thirds.assign(range(3000)).to_pylist()
    assert oc.Experiment.from_dict(thirds.to_dict()).to_dict() == thirds.to_dict()


def test_salts_divide_independently():
    one = np.array(HALVES.assign(range(20_000)).indices)
    other = np.array(oc.Experiment("x", dict(HALVES.arms)).assign(range(20_000)).indices)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    same = oc.Experiment("x", dict(HALVES.arms), salt="banner").assign(range(20_000))
    assert np.array_equal(one, np.array(same.indices))


def test_arms_of_other_systems():
    """GrowthBook: a .0505, b .2696 of seed; Optimizely: ppid1 5254, ppid2 4299 (of 10,000)."""
    arms = {"control": 10, "one": 40, "two": 50}
    growthbook = oc.Experiment("x", arms, salt="seed", hash="growthbook")
    assert growthbook.assign(["a", "b", None]).to_pylist() == ["control", "one", None]
    optimizely = oc.Experiment("x", arms, salt="1886780721", hash="optimizely")
    assert optimizely.assign(["ppid1", "ppid2"]).to_pylist() == ["two", "one"]
    assert growthbook.assign([11, -12]).to_pylist() == growthbook.assign(["11", "-12"]).to_pylist()


AMOUNTS = {
    "floats": (pa.float64(), lambda cents: cents / 100),
    "integers": (pa.int64(), lambda cents: cents),
    "decimals": (pa.decimal128(25, 2), lambda cents: Decimal(cents).scaleb(-2)),
}
rows = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 60), st.integers(-900, 5000)),
    min_size=1,
    max_size=60,
)


def built(orders, kind="integers", **options):
    type_, of = AMOUNTS[kind]
    return oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": pa.array([one[0] for one in orders], pa.int64()),
                "ordered_at": pa.array([day(one[1]) for one in orders], pa.date32()),
                "amount": pa.array([of(one[2]) for one in orders], type_),
            }
        ),
        **options,
    )


def measured(orders, since, as_of, width, value):
    """Return customers, converted and the moments of each arm, by walking orders."""
    first = {}
    for who, at, _ in orders:
        first[who] = min(at, first.get(who, at))
    found = {"control": [], "banner": []}
    for who, start in first.items():
        if start > since or since + width > as_of:
            continue
        within = [
            (at, cents) for one, at, cents in orders if one == who and since < at <= since + width
        ]
        past = [cents for one, at, cents in orders if one == who and at <= since]
        y = sum((Fraction(value(cents)) for _, cents in within), Fraction(0))
        x = sum((Fraction(value(cents)) for cents in past), Fraction(0))
        found[arm_of(who)].append((any(cents >= 0 for _, cents in within), y, x))
    return found


@given(rows, st.integers(0, 40), st.integers(1, 20), st.sampled_from(sorted(AMOUNTS)))
def test_measured_as_by_hand(orders, since, width, kind):
    history = built(orders, kind)
    as_of = since + width + 3
    result = HALVES.measure(
        history, since=day(since), as_of=day(as_of), window_days=width, covariate="revenue"
    )
    expected = measured(orders, since, as_of, width, AMOUNTS[kind][1])
    table = {row["arm"]: row for row in result.to_table().to_pylist()}
    moments = {}
    for arm, found in expected.items():
        assert table[arm]["customers"] == len(found)
        assert table[arm]["Conversion"] == sum(ordered for ordered, _, _ in found)
        total = sum(y for _, y, _ in found)
        value = table[arm]["Conversion value"]
        assert Fraction(value) == total or float(value) == pytest.approx(float(total), abs=1e-9)
        moments[arm] = Moments(
            len(found),
            Fraction(total),
            *(
                Fraction(sum(one * other for one, other in pairs))
                for pairs in (
                    [(y, y) for _, y, _ in found],
                    [(x, 1) for _, _, x in found],
                    [(x, x) for _, _, x in found],
                    [(x, y) for _, y, x in found],
                )
            ),
        )
    row = table["banner"]
    if row["withheld"] is None and min(len(found) for found in expected.values()) > 1:
        means = adjusted_means(moments["banner"], moments["control"])
        if means is not None and means.variance > 1e-12:
            assert row["value_difference"] == pytest.approx(means.difference, abs=1e-6)
            assert row["value_p"] == pytest.approx(means.p(), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("kind", sorted(AMOUNTS))
def test_sums_are_the_same_for_threads_and_order_of_rows(kind):
    random = np.random.default_rng(3)
    orders = [
        (int(who), int(at), int(cents))
        for who, at, cents in zip(
            random.integers(0, 3000, 20_000), random.integers(0, 90, 20_000),
            random.integers(-500, 9000, 20_000), strict=True,
        )
    ]  # fmt: skip
    options = {"since": day(40), "as_of": day(75), "covariate": "revenue"}
    one = HALVES.measure(built(orders, kind, threads=1), **options)
    other = HALVES.measure(built(orders[::-1], kind, threads=3), **options)
    assert one.to_table().equals(other.to_table())
    assert one.path().equals(other.path())
    plain = HALVES.measure(built(orders, kind), **{**options, "covariate": None}).to_table()
    assert plain["Conversion value"].equals(one.to_table()["Conversion value"])
    row = one.to_table().to_pylist()[1]
    assert row["value_high"] - row["value_low"] > 0
    # The decision is one, whichever interval shows it.
    assert (row["p"] < 0.05) == (not row["lift_low"] <= 0 <= row["lift_high"])


def exposed(views):
    table = pa.table(
        {
            "customer_id": pa.array([who for who, _ in views], pa.int64()),
            "occurred_at": pa.array([day(at) for _, at in views], pa.date32()),
        }
    )
    return oc.EventHistory.build(table)


def test_windows_from_views_where_every_arm_has_them():
    orders = [(who, 0, 100) for who in range(400)] + [(who, 25, 50) for who in range(0, 400, 2)]
    views = exposed([(who, 12) for who in range(400)])
    history = built(orders)
    options = {"since": day(5), "as_of": day(40), "window_days": 15}
    result = HALVES.measure(history, views, **options)
    table = result.to_table().to_pylist()
    assert result.windows_from == "view"
    assert sum(row["Conversion"] for row in table) == 200  # days 13 to 27
    assert [row["Unique views"] for row in table] == [row["customers"] for row in table]
    # Where control has no views, windows that start at views would be compared with others.
    own = HALVES.assign(range(400)).to_pylist()
    one_sided = exposed([(who, 12) for who in range(400) if own[who] == "banner"])
    result = HALVES.measure(history, one_sided, **options)
    assert result.windows_from == "assignment"
    assert sum(row["Conversion"] for row in result.to_table().to_pylist()) == 0  # days 6 to 20
    assert result.to_table()["Unique views"].to_pylist() == [None, own.count("banner")]
    # What closed stays closed: a later view moves nobody.
    late = exposed([(who, 12 if who % 4 else 30) for who in range(400)])
    path = HALVES.measure(history, late, since=day(5), as_of=day(50), window_days=15).path()
    before = HALVES.measure(history, late, since=day(5), as_of=day(29), window_days=15).path()
    assert path.slice(0, before.num_rows).equals(before)


def test_the_path_is_what_was_known_each_day():
    random = np.random.default_rng(7)
    orders = [(who, 0, 100) for who in range(900)]
    orders += [(int(who), int(at), 50) for who, at in random.integers(0, (900, 60), (900, 2))]
    views = exposed([(who, 5 + who % 9) for who in range(900)])
    history = built(orders)
    whole = HALVES.measure(history, views, since=day(5), as_of=day(40), window_days=10)
    path = whole.path().to_pylist()
    assert [row["day"] for row in path] == [day(at) for at in range(15, 41)]
    for at in (17, 30):
        then = HALVES.measure(history, views, since=day(5), as_of=day(at), window_days=10)
        assert path[at - 15] == then.path().to_pylist()[-1]
        assert then.to_table()["always_low"][1].as_py() == path[at - 15]["low"]
    assert all(a["p"] >= b["p"] for a, b in pairwise(path))
    drawn = max(whole.plot().to_dict()["datasets"].values(), key=len)
    assert [row["low"] for row in drawn] == [row["low"] for row in path]
    days = [layer["encoding"]["x"] for layer in whole.plot().to_dict()["layer"][:3]]
    assert {one["scale"]["type"] for one in days} == {"utc"}  # the days of the path in any zone


def test_segments_of_the_day_of_assignment():
    orders = [(who, 0, 100 if who % 3 else 900) for who in range(600)]
    orders += [(who, 20, 50) for who in range(600) if HALVES.assign([who])[0].as_py() == "banner"][
        ::2
    ]
    history = built(orders)
    rules = oc.Rules({"Rich": "revenue > 500", "Poor": "revenue <= 500"})
    by = rules.membership(history, start=day(0), end=day(40), every="day")
    result = HALVES.measure(history, since=day(5), as_of=day(40), by=by)
    table = result.segments().to_pylist()
    assert [row["segment"] for row in table] == ["Rich", "Rich", "Poor", "Poor"]
    of_arms = result.to_table().to_pylist()
    for place, arm in enumerate(("control", "banner")):
        mine = [row for row in table if row["arm"] == arm]
        assert sum(row["customers"] for row in mine) == of_arms[place]["customers"]
    treated = [row for row in table if row["arm"] == "banner"]
    for row in treated:
        mean = sum(one["difference"] for one in treated) / 2
        assert abs(row["shrunk"] - mean) <= abs(row["difference"] - mean) + 0.05
        assert row["p_adjusted"] >= row["p"]


def test_a_segment_of_few_does_not_outweigh_one_of_many():
    # Nobody of a few converts, in either arm: that is no certainty.
    orders = [(who, 0, 100 if who >= 8 else 900) for who in range(2000)]
    orders += [(who, 20, 50) for who in range(8, 2000, 4)]
    history = built(orders)
    rules = oc.Rules({"Few": "revenue > 500", "Many": "revenue <= 500"})
    by = rules.membership(history, start=day(0), end=day(40), every="day")
    result = HALVES.measure(history, since=day(5), as_of=day(40), by=by)
    few, many = (row for row in result.segments().to_pylist() if row["arm"] == "banner")
    assert few["difference"] == 0.0
    assert few["shrunk"] == pytest.approx(many["difference"], abs=0.005)
    assert many["shrunk"] == pytest.approx(many["difference"], abs=0.001)


def test_results_are_withheld_where_arms_have_the_wrong_sizes():
    own = HALVES.assign(range(2000)).to_pylist()
    orders = [(who, 0, 100) for who in range(2000) if own[who] == "banner" or who % 3 == 0]
    result = HALVES.measure(built(orders), since=day(5), as_of=day(40))
    row = result.to_table().to_pylist()[1]
    assert row["srm_p"] < 0.001
    assert "sample ratio" in row["withheld"]
    assert row["p"] is row["difference"] is row["Lift"] is row["always_low"] is None
    assert row["Conversion"] == 0
    assert result.path().num_rows == 0
    # Who is in which arm is known on the day of assignment: it is tested once, whenever one looks.
    early = HALVES.measure(built(orders), since=day(5), as_of=day(36)).to_table()
    assert early["srm_p"][0].as_py() == row["srm_p"]


def test_little_is_said_of_few():
    orders = [(who, 0, 100) for who in range(100)] + [(1, 10, 5), (2, 10, 5)]
    row = HALVES.measure(built(orders), since=day(5), as_of=day(40)).to_table().to_pylist()[1]
    assert row["difference_low"] < row["difference_high"]
    assert row["always_low"] is row["p_always"] is row["value_always_low"] is None
    nobody = HALVES.measure(built([(1, 0, 5)]), since=day(5), as_of=day(40)).to_table()
    assert nobody["withheld"][0].as_py() is not None


def test_conversions_without_amounts():
    orders = pa.table(
        {"customer_id": [*range(50)] * 2, "ordered_at": [day(0)] * 50 + [day(9)] * 50}
    )
    history = oc.OrderHistory.build(orders, columns=oc.Columns(amount=None))
    table = HALVES.measure(history, since=day(5), as_of=day(40), covariate="orders").to_table()
    assert sum(table["Conversion"].to_pylist()) == 50
    assert table["Conversion value"].null_count == 2
    assert table["value_p"].null_count == 2


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"as_of": day(20)}, oc.ConfigError, "before the first window closes"),
        ({"window_days": 0}, oc.ConfigError, "window_days"),
        ({"covariate": "revenu"}, oc.ColumnError, "did you mean 'revenue'"),
        ({"covariate": "customer_id"}, oc.ColumnError, "no number of a profile"),
        ({"alpha": 1}, oc.ConfigError, "alpha"),
        ({"by": "rfm"}, oc.ConfigError, "no Membership"),
        ({"exposures": pa.table({})}, oc.ConfigError, "no EventHistory"),
        ({"exposures": exposed([(1, 3)])}, oc.DataError, "before the assignment on 2026-01-06"),
    ],
)  # fmt: skip
def test_what_is_refused(options, error, said):
    history = built([(1, 0, 5), (2, 0, 5)])
    options = {"since": day(5), "as_of": day(40), **options}
    with pytest.raises(error, match=said):
        HALVES.measure(history, **options)


@pytest.mark.parametrize(
    ("name", "arms", "options", "said"),
    [
        ("x", {"control": 10, "b": 80}, {}, "adds up to 90, not to 100"),
        ("x", {"control": 0.5, "b": 0.5}, {}, "weight 0.5"),
        ("x", {"control": Fraction(1, 3), "b": Fraction(1, 3)}, {}, "adds up to 2/3, not to 1"),
        ("x", {"control": 100}, {}, "no two arms"),
        ("x", {"a": 50, "b": 50}, {}, "control"),
        ("x", {"control": 0, "b": 100}, {}, "weight 0"),
        ("x", {"control": -10, "b": 110}, {}, "weight -10"),
        ("", {"control": 50, "b": 50}, {}, "no name"),
        ("x", {"control": 50, "b": 50}, {"hash": "md5"}, "not an option"),
        ("x", {"control": 50, "b": 50}, {"plan_customers": 0}, "plan_customers"),
    ],
)
def test_definitions_that_are_refused(name, arms, options, said):
    with pytest.raises(oc.ConfigError, match=said):
        oc.Experiment(name, arms, **options)


def test_experiments_that_divide_differently_are_not_equal():
    given = {"control": 50, "banner": 50}
    turned = dict(reversed(given.items()))
    one, other = oc.Experiment("x", given), oc.Experiment("x", turned)
    assert one == oc.Experiment("x", dict(given))
    assert one.assign([1]).to_pylist() != other.assign([1]).to_pylist()
    assert one != other
    journeys = [
        oc.Journey("x", oc.enters("A", of="m"), [{"name": "a", "action": "m"}], arms=arms)
        for arms in (given, turned)
    ]
    assert journeys[0] != journeys[1]
    assert journeys[0].digest != journeys[1].digest


def test_values_beyond_what_can_be_squared_are_refused():
    history = oc.OrderHistory.build(
        pa.table({"customer_id": [1, 2, 1], "ordered_at": [day(0), day(0), day(9)],
                  "amount": [1.0, 1.0, 1e200]})
    )  # fmt: skip
    with pytest.raises(oc.DataError, match="what customer 1 has is too large"):
        HALVES.measure(history, since=day(5), as_of=day(40))


def test_sample_sizes_of_the_reference():
    """14,748.05 an arm for 10 % to 11 %; t, d = .5: 63.766, d = .2: 393.406 (statsmodels)."""
    assert oc.sample_size(baseline=0.10, difference=0.01) == 14_749
    assert oc.sample_size(sd=1.0, difference=0.5) == 64
    assert oc.sample_size(sd=1.0, difference=0.2) == 394
    fixed, always = (
        oc.sample_size(baseline=0.1, lift=0.1, sequential=sequential)
        for sequential in (False, True)
    )
    assert always / fixed == pytest.approx(1.9, abs=0.05)
    for options in (
        {"baseline": 0.1}, {"lift": 0.1}, {"baseline": 2.0, "lift": 0.1}, {"sd": 0, "lift": 1},
        {"baseline": 0.1, "lift": 0.0}, {"baseline": 0.1, "lift": 0.1, "r2": 0.5},
        {"baseline": 0.5, "lift": 1.5}, {"sd": 1.0, "difference": 1, "power": 1.0},
        {"baseline": 0.1, "lift": 0.1, "power": 0.02}, {"baseline": "0.1", "lift": 0.1},
        {"baseline": float("nan"), "lift": 0.1, "sd": 1.0}, {"sd": 1.0, "difference": 1e-300},
        {"sd": 1e300, "difference": 1e-300}, {"baseline": 0.1, "difference": 1e-200},
    ):  # fmt: skip
        with pytest.raises(oc.ConfigError):
            oc.sample_size(**options)


def test_rehearsals_find_nothing_as_often_as_alpha_says():
    random = np.random.default_rng(11)
    orders = [(who, 0, int(cents)) for who, cents in enumerate(random.integers(1, 900, 1500))]
    orders += [(who, 20, cents + 5) for who, _, cents in orders if random.random() < 0.2]
    row = HALVES.rehearse(
        built(orders), since=day(5), as_of=day(40), covariate="revenue", runs=400
    ).to_pylist()[0]
    assert row["customers"] == 1500
    assert row["baseline"] == pytest.approx(0.2, abs=0.03)
    assert row["baseline_low"] < row["baseline"] < row["baseline_high"]
    assert 0.02 <= row["false_positives"] <= 0.08
    assert row["false_positives_always"] <= 0.02
    assert row["r2"] > 0.0
    assert row["smallest_lift"] < row["smallest_lift_always"]


def test_the_always_valid_interval_keeps_its_promise_with_peeking_every_day():
    """Looked at on each of 60 days, 95 of 100 intervals hold the truth on all of them.

    At 1.96 standard errors, every third would have missed it at some time.
    """
    random = np.random.default_rng(20)
    runs, days, each, rate = 2_000, 60, 200, 0.1
    ones, controls = (random.binomial(each, rate, (runs, days)).cumsum(axis=1) for _ in range(2))
    n = each * np.arange(1, days + 1)
    p1, p0 = ones / n, controls / n
    difference, variance = p1 - p0, (p1 * (1 - p1) + p0 * (1 - p0)) / n
    missed = np.zeros(runs, bool)
    for at in range(days):
        # All runs have one width in standard errors: that of the customers so far.
        interval, _ = always_valid(0.0, 1.0, 2 * n[at], 2 * n[-1], 0.05)
        missed |= np.abs(difference[:, at]) > interval.high * np.sqrt(variance[:, at])
    fixed = (np.abs(difference) > 1.96 * np.sqrt(variance)).any(axis=1)
    assert missed.mean() < 0.05
    assert fixed.mean() > 0.25


def test_plain_means_of_an_arm_that_never_varies():
    assert plain_means(Moments(5), Moments(5)) is None
    bought = Moments(5, Fraction(30), Fraction(500))
    assert plain_means(bought, bought) is not None
    # That none of five bought does not say, to the cent, that nobody ever will.
    for arms in ((Moments(5), bought), (bought, Moments(5))):
        assert plain_means(*arms) is adjusted_means(*arms) is None
