"""RFM scores against the oracle and NumPy: any orders, any day, any chunks, any bins."""

import json
import pickle
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle import rfm as oracle
from oracle.profile import profile
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.strategies import cases

import ordercycle as oc
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.score_maps import FrozenDict

SCORES = ("recency", "frequency", "monetary")


def columns_of(rows: list[dict], monetary: str) -> dict[str, list]:
    """Return R, F and M of the customers with orders."""
    buyers = [row for row in rows if row["orders"]]
    names = ("days_since_last_order", "orders", monetary)
    return {score: [row[name] for row in buyers] for score, name in zip(SCORES, names, strict=True)}


def expected(row: dict, cuts: dict, bins: int, name_of: object, monetary: str) -> tuple:
    """Return the scores and the name of a customer."""
    if not row["orders"]:
        return (None, None, None, None)
    r = bins + 1 - oracle.score(row["days_since_last_order"], cuts["recency"])
    f = oracle.score(row["orders"], cuts["frequency"])
    m = oracle.score(row[monetary], cuts["monetary"])
    return (r, f, m, name_of(r, f, m))


def found_in(table: pa.Table) -> list[tuple]:
    """Return the scores and the name of each customer."""
    names = [*(f"{score}_score" for score in SCORES), "rfm"]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


@settings(max_examples=60)
@given(cases(), st.booleans(), st.sampled_from(["sum", "average"]), st.booleans())
def test_any_history(case, is_ten, monetary, ragged):
    assume(not is_refused(case))
    reference = oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    column = {"sum": "revenue", "average": "average_order_value"}[monetary]
    # The library's own sums of floats: the oracle's differ in the last bits.
    table = built(case, *tables(case, Layout(3))).profile(case.as_of, case.window_days)
    assert table.num_rows == len(profile(reference, case.as_of, case.window_days))
    if ragged:
        table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    rows = table.to_pylist()
    rfm = oc.Rfm(monetary=monetary, map="ten" if is_ten else "five")
    values = columns_of(rows, column)
    if not values["frequency"]:
        with pytest.raises(oc.DataError, match="no customer of this profile has orders"):
            rfm.fit(table)
        return
    fitted = rfm.fit(table)
    cuts = {score: oracle.cuts(values[score], 5) for score in SCORES}
    assert {score: list(fitted.cuts[score]) for score in SCORES} == cuts
    assert fitted.account.buyers == len(values["frequency"])
    assert fitted.account.as_of == case.as_of
    found = fitted.assign(table)
    found.validate(full=True)
    name_of = oracle.ten if is_ten else oracle.five
    assert found_in(found) == [expected(row, cuts, 5, name_of, column) for row in rows]
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def profile_of(since: list, orders: list, revenue: object) -> pa.Table:
    """Return a profile of what is scored."""
    return pa.table(
        {
            "days_since_last_order": pa.array(since, pa.int32()),
            "orders": pa.array(orders, pa.int64()),
            "revenue": revenue,
        }
    )


@pytest.mark.parametrize("bins", range(2, 11))
@pytest.mark.parametrize("kind", ["cents", "wild", "integers", "few", "large"])
def test_cuts_are_those_of_numpy_to_the_last_bit(bins, kind):
    random = np.random.default_rng(bins)
    count = int(random.integers(300, 3_000))
    revenue = {
        "cents": random.integers(0, 100_000, count) / 100,
        "wild": random.standard_normal(count) * 10.0 ** random.integers(-200, 200, count),
        "integers": random.integers(-(10**6), 10**6, count),
        "few": random.choice([1.25, 7.5, 7.5, 9.0], count),
        "large": random.integers(-(2**61), 2**61, count),
    }[kind]
    since, orders = random.integers(0, 700, count), random.geometric(0.3, count)
    table = profile_of(since, orders, revenue)
    fitted = oc.Rfm(bins=bins, map={"All": "* *"}).fit(table)
    shares = [number / bins for number in range(1, bins)]
    for score, values in zip(SCORES, (since, orders, revenue), strict=True):
        assert list(fitted.cuts[score]) == np.quantile(values, shares).tolist()
    cuts = {score: list(fitted.cuts[score]) for score in SCORES}
    rows = table.to_pylist()
    wanted = [expected(row, cuts, bins, lambda *_: "All", "revenue") for row in rows]
    assert found_in(fitted.assign(table)) == wanted


def test_decimals_are_divided_exactly():
    cents = [10**36 + n for n in (0, 0, 1, 2, 3, 5, 8)]
    kind = pa.decimal128(38, 2)
    revenue = pa.array([Decimal(f"{value // 100}.{value % 100:02d}") for value in cents], kind)
    table = profile_of([1] * 7, [1] * 7, revenue)
    fitted = oc.Rfm().fit(table)
    assert list(fitted.cuts["monetary"]) == oracle.cuts(revenue.to_pylist(), 5)
    assert fitted.assign(table)["monetary_score"].to_pylist() == [1, 1, 2, 3, 4, 5, 5]
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_values_too_far_apart_for_a_difference():
    table = profile_of([0, 1], [1, 2**62], pa.array([-(2**63), 2**63 - 1]))
    fitted = oc.Rfm(bins=2, map={"All": "* *"}).fit(table)
    assert fitted.cuts["monetary"] == (0.0,)
    table = profile_of([0, 1], [1, 2], [-1.7e308, 1.7e308])
    assert oc.Rfm(bins=2, map={"All": "* *"}).fit(table).cuts["monetary"] == (0.0,)


def test_equal_values_share_a_score_and_the_lint_says_so():
    fitted = oc.Rfm().fit(profile_of([7] * 9, [1] * 9, [5.0] * 9))
    assert fitted.cuts == FrozenDict({"recency": (7.0,) * 4, "frequency": (1.0,) * 4,
                                      "monetary": (5.0,) * 4})  # fmt: skip
    table = fitted.assign(profile_of([7], [1], [5.0]))
    assert found_in(table) == [(5, 1, 1, "Promising")]
    lint = fitted.lint()
    assert lint.collapsed == dict.fromkeys(SCORES, (2, 3, 4))
    assert not lint.is_clean
    assert "no customer has frequency score 2, 3, 4: too many have equal values" in str(lint)


def test_scores_between_whole_numbers_are_collapsed_too():
    cuts = {"recency": [10, 20, 30, 40], "frequency": [0.5, 1.2, 1.8, 2], "monetary": [1, 2, 3, 4]}
    lint = oc.Rfm(map="ten", cuts=cuts).lint()
    # One order is above 0.5, two are above 1.8: nobody is below the first cut or between the two.
    assert lint.collapsed == {"frequency": (1, 3)}
    assert lint.out_of_reach == ("New", "Promising", "Need Attention")
    assert "'New' cannot occur with these cuts" in str(lint)


def test_no_customer_has_fewer_orders_than_one():
    cuts = CUTS | {"frequency": [-5, 0.5]}
    assert oc.Rfm(bins=3, cuts=cuts).lint().collapsed == {"frequency": (1, 2)}


@pytest.mark.parametrize(
    "revenue",
    [[-5, 7], [-5.0, 7.0], [Decimal("-5.00"), Decimal("7.00")]],
    ids=["integers", "floats", "decimals"],
)
def test_cuts_may_be_beyond_the_values_of_a_type(revenue):
    cuts = {"recency": [-1e300, 1e300], "frequency": [1, 1e300], "monetary": [-1e300, 1e300]}
    table = profile_of([3, 4], [1, 2], pa.array(revenue))
    found = found_in(oc.Rfm(bins=3, cuts=cuts).assign(table))
    assert [scores[:3] for scores in found] == [(2, 1, 2), (2, 2, 2)]


def test_a_condition_that_is_null_leaves_out():
    table = profile_of([1, 2], [1, 2], [5.0, 6.0]).append_column("gap_median", [[None, 4.0]])
    fitted = oc.Rfm(bins=3, cuts=CUTS, where="gap_median < 10")
    assert found_in(fitted.assign(table))[0] == (None,) * 4
    assert oc.Rfm(bins=3, where="gap_median < 10").fit(table).account.buyers == 1


def test_of_several_days_an_account_has_the_latest():
    days = pa.array([date(2025, 1, 10)] * 3)
    table = profile_of([3, 1, 2], [1, 2, 3], [5.0, 6.0, 7.0]).append_column("last_order_on", days)
    assert oc.Rfm().fit(table).account.as_of == date(2025, 1, 13)


@pytest.mark.parametrize(("name", "rule"), [("five", oracle.five), ("ten", oracle.ten)])
def test_maps_are_exact_partitions_of_all_125_combinations(name, rule):
    rfm = oc.Rfm(map=name, cuts=dict.fromkeys(SCORES, (1, 2, 3, 4)))
    grid = np.array(np.meshgrid(range(1, 6), range(1, 6), range(1, 6), indexing="ij"))
    r, f, m = grid.reshape(3, -1)
    # A value between cuts k - 1 and k has the score k; for recency, 6 - k.
    table = rfm.assign(profile_of(6 - r, f, m.astype(float)))
    wanted = [
        (*scores, rule(*scores)) for scores in zip(*(a.tolist() for a in (r, f, m)), strict=True)
    ]
    assert found_in(table) == wanted
    assert set(rfm.segments) == {name for *_, name in wanted}
    assert rfm.lint().is_clean


@pytest.mark.parametrize("bins", range(3, 11))
def test_the_map_five_has_all_its_names_from_three_bins_up(bins):
    rfm = oc.Rfm(bins=bins)
    assert rfm.lint().is_clean
    assert rfm.segments == ("Champions", "Regulars", "Promising", "Needs Attention", "At Risk")


def test_five_in_ten_bins_names_the_same_customers():
    random = np.random.default_rng(5)
    table = profile_of(random.permutation(1000), random.permutation(1000) + 1, random.random(1000))
    names = [oc.Rfm(bins=bins).fit(table).assign(table)["rfm"].to_pylist() for bins in (5, 10)]
    assert names[0] == names[1]


def test_the_map_ten_has_no_overlaps():
    assert oc.Rfm(map="ten").lint().overlaps == ()
    assert str(oc.Rfm(map="ten").lint()).startswith("every combination of scores has one name")


@pytest.mark.parametrize("as_text", [False, True])
def test_customers_are_left_out(as_text):
    where = (
        "revenue > 0 and orders < 9"
        if as_text
        else ((pc.field("revenue") > 0) & (pc.field("orders") < 9))
    )
    table = profile_of([5, None, 9, 30, 50], [3, 0, 1, 10, 2], [9.5, 0.0, -1.0, 70.0, 4.0])
    fitted = oc.Rfm(bins=2, map={"High": "2 *", "Low": "1 *"}, where=where).fit(table)
    assert fitted.account.buyers == 2
    assert fitted.cuts["recency"] == (27.5,)
    assert fitted.assign(table)["rfm"].to_pylist() == ["High", None, None, None, "Low"]
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    assert pickle.loads(pickle.dumps(fitted)) == fitted  # noqa: S301
    assert hash(fitted) == hash(pickle.loads(pickle.dumps(fitted)))  # noqa: S301
    assert "revenue > 0" in repr(fitted)
    assert fitted != oc.Rfm(bins=2, map={"High": "2 *", "Low": "1 *"})


def test_rounds_travel_and_parts_add_up():
    random = np.random.default_rng(3)
    table = profile_of(random.integers(0, 99, 500), random.geometric(0.4, 500), random.random(500))
    now = oc.Rfm(map="ten")._first_round()
    while isinstance(now, Round):
        now = pickle.loads(pickle.dumps(now))  # noqa: S301
        parts = [now.count(table.slice(start, 100)) for start in range(0, 600, 100)]
        assert Cells.total(parts).to_dict() == now.count(table).to_dict()
        now = now.then(Cells.total(parts[::-1]))
    assert now == oc.Rfm(map="ten").fit(table, threads=2)


def test_threads_and_chunks_change_nothing():
    random = np.random.default_rng(8)
    count = 300_000
    table = profile_of(random.integers(0, 999, count), random.geometric(0.2, count),
                       np.round(random.lognormal(4, 1, count), 2))  # fmt: skip
    ragged = pa.Table.from_batches(table.to_batches(max_chunksize=7_001))
    one = oc.Rfm().fit(table, threads=1)
    assert oc.Rfm().fit(ragged, threads=2) == one
    assigned = one.assign(table, threads=1)
    assert one.assign(ragged, threads=2).combine_chunks().equals(assigned.combine_chunks())


def test_the_order_of_names_tells_maps_apart():
    names = {"Best": "5 *", "Rest": "* *"}
    assert oc.Rfm(map=names) == oc.Rfm(map=dict(names))
    assert oc.Rfm(map=names) != oc.Rfm(map=dict(reversed(names.items())))


def test_parts_of_several_types_are_refused():
    floats = profile_of([1], [1], [1.0])
    now = oc.Rfm()._first_round()
    cells = Cells.total([now.count(floats), now.count(profile_of([1], [1], [1]))])
    with pytest.raises(oc.ColumnError, match="several types"):
        now.then(cells)
    with pytest.raises(oc.ColumnError, match="int64 here and float64 elsewhere"):
        now.then(now.count(floats)).count(profile_of([1], [1], [1]))


def test_values_that_change_between_rounds_are_noticed():
    table = profile_of([1, 2], [1, 2], [1.0, 2.0])
    now = oc.Rfm()._first_round()
    now = now.then(now.count(table))
    with pytest.raises(oc.DataError, match="others in an earlier round"):
        now.then(now.count(profile_of([1], [1], [-7.0])))


def test_a_fit_shows_its_numbers_and_where_they_come_from():
    fitted = oc.Rfm().fit(profile_of([1, 2], [1, 2], [1.0, 2.0]))
    assert repr(fitted).startswith(
        "Rfm(bins=5, monetary='sum', map='five', cuts={'recency': (1.2, "
    )
    assert repr(fitted).endswith("; fitted from 2 buyers)")
    assert "quantiles of 2 buyers" in fitted._repr_html_()
    assert isinstance(fitted, oc.Scheme)
    assert repr(oc.Rfm()) == "Rfm(bins=5, monetary='sum', map='five')"


CUTS = {"recency": [10, 20], "frequency": [1, 2], "monetary": [5, 6]}


KINDS = {
    "decimals": lambda value: Decimal(value).scaleb(-2),
    "floats": lambda value: value / 4,
    "integers": int,
}


@settings(max_examples=40)
@given(
    st.sets(st.sampled_from(SCORES), max_size=3),
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(*[st.integers(0, 40)] * 3), min_size=1, max_size=20),
    st.data(),
)
def test_cuts_by_hand_stay_and_the_others_are_fitted(by_hand, kind, rows, data):
    ascending = st.lists(st.integers(0, 50), min_size=3, max_size=3, unique=True).map(sorted)
    cuts = {score: tuple(map(float, data.draw(ascending))) for score in SCORES if score in by_hand}
    since, orders, revenue = zip(*rows, strict=True)
    orders = [count + 1 for count in orders]
    money = pa.array([KINDS[kind](value) for value in revenue])
    table = profile_of(since, orders, money)
    names = {"All": "* *"}
    given = oc.Rfm(bins=4, map=names, cuts=cuts or None)
    values = dict(zip(SCORES, (since, orders, money.to_pylist()), strict=True))
    expected_cuts = {
        score: list(cuts[score]) if score in cuts else oracle.cuts(values[score], 4)
        for score in SCORES
    }
    for fitted in (given.fit(table), given.fit(table.slice(0, 1)).fit(table)):
        assert {score: list(fitted.cuts[score]) for score in SCORES} == expected_cuts
        assert dict(fitted._by_hand) == cuts
        assert fitted.is_fitted
        again = oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict())))
        assert again == fitted
        assert dict(again._by_hand) == cuts
        found = fitted.assign(table)
        wanted = [
            expected(row, expected_cuts, 4, lambda *_: "All", "revenue")
            for row in table.to_pylist()
        ]
        assert found_in(found) == wanted
    assert (given.fit(table) == given) == (len(cuts) == 3)


def test_some_cuts_by_hand_are_no_scheme_yet():
    given = oc.Rfm(cuts={"frequency": (1, 2, 4, 8)})
    assert (given.is_fitted, given._lacking) == (False, ("recency", "monetary"))
    assert oc.scheme_from_dict(json.loads(json.dumps(given.to_dict()))) == given
    assert given.lint().is_clean
    table = profile_of([1, 2, 3], [1, 5, 9], [1.0, 2.0, 3.0])
    with pytest.raises(oc.ConfigError, match=r"no cuts of recency and monetary; call \.fit"):
        given.assign(table)
    fitted = given.fit(table)
    assert repr(fitted).endswith("; fitted from 3 buyers, frequency by hand)")
    assert "those of frequency are by hand" in fitted._repr_html_()
    assert fitted.assign(table)["frequency_score"].to_pylist() == [1, 4, 5]


@pytest.mark.parametrize("by_hand", ["frequency", ["orders"], [3], 7, ["recency", "recency"]])
def test_an_account_of_cuts_by_hand_names_scores(by_hand):
    kept = oc.Rfm(cuts={"recency": (1, 2, 3, 4)}).fit(profile_of([1], [1], [1.0])).to_dict()
    kept["account"]["by_hand"] = by_hand
    with pytest.raises(oc.ConfigError, match=r"account=.* is not what a fitted Rfm writes"):
        oc.scheme_from_dict(kept)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 1}, "2 to 10"),
        ({"bins": 11}, "2 to 10"),
        ({"bins": 2.5}, "2 to 10"),
        ({"bins": 2}, "3 bins or more"),
        ({"bins": 4, "map": "ten"}, "bins=5"),
        ({"map": "fife"}, "did you mean 'five'"),
        ({"map": {}}, "1 to 127 names"),
        ({"map": 5}, "'five', 'ten'"),
        ({"map": {"Best": "5 5"}}, "no name for 120 of 125 combinations .* such as 1-1-1"),
        ({"map": {"Best": "6 5", "Rest": "* *"}}, "'6' in 'Best'"),
        ({"map": {"Best": "3-2 5", "Rest": "* *"}}, "'3-2' in 'Best'"),
        ({"map": {"Best": "high 5", "Rest": "* *"}}, "'high' in 'Best'"),
        ({"map": {"Best": "5", "Rest": "* *"}}, "'Best' stands for '5'"),
        ({"map": {"Best": 5, "Rest": "* *"}}, "'Best' stands for 5"),
        ({"map": {"Best": {"recency": 5}, "Rest": "* *"}}, "'Best' stands for {'recency': 5}"),
        ({"map": {"Best": ["5 5", 5], "Rest": "* *"}}, "'Best' stands for 5"),
        ({"map": {5: "5 5", "Rest": "* *"}}, "names"),
        ({"map": {"Best": [["5 5"]], "Rest": "* *"}}, r"'Best' stands for \['5 5'\]"),
        ({"map": {"Best": "1-" + "9" * 5000 + " *", "Rest": "* *"}}, "range of scores from 1 to 5"),
        ({"monetary": ""}, "monetary='' is no name of a column"),
        ({"recency": None}, "recency=None is no name of a column"),
        ({"frequency": 3}, "frequency=3 is no name of a column"),
        ({"where": True}, "where=True"),
        ({"where": "orders >"}, "orders >"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, 10]}}, "recency do not ascend"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, 20]}}, "recency do not ascend"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20]}}, "recency has 1 cut; pass 2"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, "x"]}}, "'x' of recency"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, None]}}, "None of recency"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, float("inf")]}}, "not finite"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, "sNaN"]}}, "not finite"),
        ({"bins": 3, "cuts": CUTS | {"recency": [20, 10**400]}}, "recency is beyond all floats"),
        ({"bins": 3, "cuts": CUTS | {"recency": "20"}}, "pass a dict of 'recency'"),
        ({"bins": 3, "cuts": {}}, "pass a dict of 'recency'"),
        ({"bins": 3, "cuts": {"frequencies": [1, 2]}}, "did you mean 'frequency'"),
        ({"bins": 3, "cuts": {"frequency": [2, 2]}}, "frequency do not ascend"),
        ({"bins": 3, "cuts": CUTS | {"recency": None}}, "pass a dict of 'recency'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        oc.Rfm(**options)


@pytest.mark.parametrize(
    ("since", "orders", "revenue", "message"),
    [
        ([1, None, 3], [1, 1, 1], [1.0, 2.0, 3.0], "days_since_last_order is null .* row 1 "),
        ([1, 2, 3], [1, -1, 1], [1.0, 2.0, 3.0], "orders is null or negative at row 1 "),
        ([1, 2, 3], [1, 1, 1], [1.0, 2.0, None], "revenue is null .* row 2 "),
        ([1, 2, 3], [1, 1, 1], [1.0, float("nan"), 3.0], "revenue is NaN or infinite at row 1 "),
        ([1, 2, 3], [1, 1, 1], [1.0, 2.0, float("-inf")], "revenue is NaN or infinite at row 2 "),
    ],
)
def test_values_that_cannot_be_scored_are_named(since, orders, revenue, message):
    table = profile_of(since, orders, revenue)
    for use in (oc.Rfm().fit, oc.Rfm(bins=3, cuts=CUTS).assign):
        with pytest.raises(oc.DataError, match=message):
            use(table)


def test_wrong_use_is_reported():
    table = profile_of([1, 2], [1, 2], [1.0, 2.0])
    with pytest.raises(oc.ConfigError, match="no cuts"):
        oc.Rfm().assign(table)
    fitted = oc.Rfm().fit(table)
    with pytest.raises(oc.ColumnError, match="'recency_score' already"):
        fitted.assign(fitted.assign(table))
    with pytest.raises(oc.ColumnError, match="revenue is binary; cast it to double"):
        fitted.assign(profile_of([1], [1], [b"1"]))
    with pytest.raises(oc.ColumnError, match="spend"):
        oc.Rfm(where="spend > 1").fit(table)
    with pytest.raises(oc.DataError, match="and satisfies where="):
        oc.Rfm(where="orders > 5").fit(table)
    with pytest.raises(oc.ConfigError, match="has no text"):
        oc.Rfm(where=pc.starts_with(pc.field("x"), "a")).to_dict()
    nobody = table.slice(0, 0)
    assert fitted.assign(nobody)["rfm"].type == pa.dictionary(pa.int8(), pa.string())
    # What has no orders may hold anything.
    assert found_in(fitted.assign(profile_of([None], [0], [float("nan")]))) == [(None,) * 4]


# --- Any columns ---------------------------------------------------------------------------------

OTHERS = {"recency": "since_visit", "frequency": "visits", "monetary": "spent"}
NAMED = {"All": "* *"}
COLUMN_TYPES = {
    pa.int8(): int,
    pa.int32(): int,
    pa.uint64(): abs,
    pa.int64(): int,
    pa.float32(): lambda value: value / 4,
    pa.float64(): lambda value: value / 4,
    pa.decimal64(9, 1): lambda value: Decimal(value).scaleb(-1),
    pa.decimal128(12, 2): lambda value: Decimal(value).scaleb(-2),
}


def others(*columns: pa.Array) -> pa.Table:
    return pa.table(dict(zip(OTHERS.values(), columns, strict=True)))


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(list(COLUMN_TYPES)), min_size=3, max_size=3),
    st.lists(st.tuples(*[st.none() | st.integers(-20, 60)] * 3), min_size=1, max_size=25),
    st.integers(0, 25),
    st.sampled_from([None, "spent > 1"]),
)
def test_other_columns_are_scored_where_all_three_are_there(kinds, rows, at, where):
    columns = [
        pa.array([None if one is None else COLUMN_TYPES[kind](one) for one in column], kind)
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    table = others(*columns)
    table = pa.concat_tables([table.slice(0, at), table.slice(at)])
    rows = [tuple(row.values()) for row in table.to_pylist()]
    scored = [None not in row and row[1] > 0 and (where is None or row[2] > 1) for row in rows]
    rfm = oc.Rfm(bins=4, map=NAMED, where=where, **OTHERS)
    if not any(scored):
        with pytest.raises(oc.DataError, match="has since_visit, spent and a visits above 0"):
            rfm.fit(table)
        return
    kept = [row for row, is_scored in zip(rows, scored, strict=True) if is_scored]
    cuts = {
        score: oracle.cuts(list(values), 4)
        for score, values in zip(SCORES, zip(*kept, strict=True), strict=True)
    }
    fitted = rfm.fit(table)
    assert {score: list(fitted.cuts[score]) for score in SCORES} == cuts
    assert fitted.account.buyers == len(kept)
    wanted = [
        (5 - oracle.score(row[0], cuts["recency"]), oracle.score(row[1], cuts["frequency"]),
         oracle.score(row[2], cuts["monetary"]), "All")
        if is_scored else (None,) * 4
        for row, is_scored in zip(rows, scored, strict=True)
    ]  # fmt: skip
    assert found_in(fitted.assign(table)) == wanted
    kept_as = [oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict())))]
    if where is None:  # expressions do not travel
        kept_as.append(pickle.loads(pickle.dumps(fitted)))  # noqa: S301 - ours
    for again in kept_as:
        assert again == fitted
        assert found_in(again.assign(table)) == wanted
    parts = [table.slice(0, at), table.slice(at)]
    made = rfm._first_round()
    while isinstance(made, Round):
        made = made.then(Cells.total(made.count(part) for part in parts))
    assert made == fitted


def test_columns_of_orders_and_of_others_meet():
    table = profile_of([1, 2, 3, None], [4, 3, 2, 0], [9.0, 8.0, None, 7.0])
    table = table.append_column("visits", pa.array([9, None, 5, 1]))
    fitted = oc.Rfm(bins=2, map=NAMED, frequency="visits").fit(table)
    assert fitted.assign(table)["frequency_score"].to_pylist() == [1, None, None, None]
    twice = oc.Rfm(bins=2, map=NAMED, frequency="visits", monetary="visits").fit(table)
    assert twice.cuts == {"recency": (2.0,), "frequency": (7.0,), "monetary": (7.0,)}
    assert twice.assign(table)["monetary_score"].to_pylist() == [2, None, 1, None]
    assert repr(twice).startswith("Rfm(bins=2, frequency='visits', monetary='visits', map=")
    assert "recency" not in twice.to_dict()
    assert twice != replace(twice, frequency="orders")
    # The columns of orders, named, are what they are without a name.
    named = oc.Rfm(bins=2, map=NAMED, monetary="revenue")
    with pytest.raises(oc.DataError, match="revenue is null though there are orders at row 2"):
        named.fit(table)


@pytest.mark.parametrize(
    ("column", "error", "says"),
    [
        (pa.array([True, False]), oc.ColumnError, "visits is bool, and scores are of numbers"),
        (pa.array(["1", "2"]), oc.ColumnError, "visits is string, and scores are of numbers"),
        (pa.array([date(2026, 1, 1)] * 2), oc.ColumnError, "visits is date32"),
        (pa.array([1.0, float("nan")]), oc.DataError, "visits is NaN or infinite at row 1 "),
        (pa.array([float("-inf"), 1.0]), oc.DataError, "visits is NaN or infinite at row 0 "),
        (pa.array([1, 2**64 - 1], pa.uint64()), oc.DataError, "with values beyond int64"),
    ],
)
@pytest.mark.parametrize("score", SCORES)
def test_columns_that_cannot_be_scored_are_named(score, column, error, says):
    columns = {name: pa.array([1, 2]) for name in ("a", "b", "c")} | {"visits": column}
    names = dict(zip(SCORES, ("a", "b", "c"), strict=True)) | {score: "visits"}
    cuts = {one: [1] for one in SCORES}
    for use in (oc.Rfm(**names).fit, oc.Rfm(bins=2, map=NAMED, cuts=cuts, **names).assign):
        with pytest.raises(error, match=says) as caught:
            use(pa.table(columns))
        assert caught.value.column == "visits"


def test_what_nobody_scored_has_may_be_anything():
    table = others(*map(pa.array, ([1.0, float("nan")], [3, 0], [float("inf"), None])))
    with pytest.raises(oc.DataError, match="spent is NaN or infinite at row 0 "):
        oc.Rfm(**OTHERS).fit(table)
    visits = oc.Rfm(**OTHERS | {"monetary": "visits"}).fit(table)
    assert visits.account.buyers == 1
    nothing = others(pa.array([1, 2]), pa.array([1, 2]), pa.nulls(2))
    with pytest.raises(oc.DataError, match="no customer of this profile has since_visit"):
        oc.Rfm(**OTHERS).fit(nothing)


def test_a_column_that_is_not_there_is_named_with_the_nearest_one():
    table = others(*[pa.array([1, 2])] * 3)
    with pytest.raises(oc.ColumnError, match=r"no single column 'visit' \(did you mean 'visits'"):
        oc.Rfm(**OTHERS | {"frequency": "visit"}).fit(table)


def test_the_lint_knows_nothing_of_other_columns_but_that_they_are_above_0():
    cuts = {"recency": [-5, 0.5], "frequency": [0.25, 0.5], "monetary": [1, 2]}
    rfm = oc.Rfm(bins=3, map=NAMED, cuts=cuts, **OTHERS)
    assert rfm.lint().is_clean
    never = replace(rfm, cuts=cuts | {"frequency": [-1, 0]}).lint()
    assert never.collapsed == {"frequency": (1, 2)}


def test_visits_and_orders_together():
    random = np.random.default_rng(8)
    days = [date(2026, 1, 1) + timedelta(int(day)) for day in random.integers(0, 200, 400)]
    orders = {"customer_id": random.integers(0, 40, 400), "ordered_at": days}
    history = oc.OrderHistory.build(pa.table(orders | {"amount": random.integers(1, 99, 400)}))
    seen = {"customer_id": random.integers(20, 60, 400), "occurred_at": days}
    streams = {"visits": oc.EventHistory.build(pa.table(seen), columns=oc.EventColumns())}
    known = {"since_visit": "days_since(visits)", "visits": "count(visits, last=90)"}
    day = "2026-06-30"
    table = oc.features(history.profile(day), known, as_of=day, streams=streams)
    rfm = oc.Rfm(recency="since_visit", frequency="visits")
    fitted = rfm.fit(table)
    scored = fitted.assign(table).to_pylist()
    without = [row["rfm"] is None for row in scored]
    assert without == [row["visits"] == 0 for row in scored]
    assert 0 < sum(without) < len(without)

    for one in (rfm, fitted):
        with pytest.raises(oc.ConfigError, match="recalculated have no column 'since_visit'; pass"):
            one.membership(history)
    rules = oc.Rules({"Any": "orders > 0"}, features=known)
    options = {"schemes": (rules,), "streams": streams}
    membership = rfm.membership(history, end="2026-07-05", **options).to_table()
    there = membership.filter(pc.is_null(membership["valid_to"])).to_pylist()
    found = {row["customer_id"]: row["segment"] for row in there}
    assert found == {row["customer_id"]: row["rfm"] for row in scored if row["rfm"] is not None}
