"""Backtests: what happened and plain forecasts against the oracle, tables, pictures, words."""

import pickle
import warnings
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import vl_convert
from oracle import clv as oracle
from oracle import history as oracle_history
from oracle.profile import profile
from scipy.stats import mannwhitneyu, spearmanr
from support import buyers

import ordercycle as oc
from ordercycle._segments.backtest import scores
from ordercycle._segments.backtest.verdict import verdict_of
from ordercycle._segments.value import fit
from ordercycle._value_models import fit_spend

SPLIT, DAYS = date(2025, 6, 30), 180
BY_HAND = oc.Clv(
    model="mbg_nbd",
    parameters={
        "r": 1.2, "alpha": 60.0, "a": 1.0, "b": 4.0, "p": 3.0, "q": 4.0, "gamma": 60.0,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    """Return orders with refunds and customers who come later, in cents."""
    table = buyers.orders(150)
    rows = [
        (row["customer_id"], row["ordered_at"], int(row["amount"] * 100))
        for row in table.to_pylist()
    ]
    late = [(900 + place, SPLIT + timedelta(place), 500) for place in range(1, 5)]
    refunds = [(person, day + timedelta(3), -cents // 2) for person, day, cents in rows[::9]]
    same_day = [(person, day, 700) for person, day, _ in rows[::13]]
    return rows + late + refunds + same_day


@pytest.fixture(scope="module")
def history(rows):
    people, days, cents = zip(*rows, strict=True)
    table = {"customer_id": people, "ordered_at": days, "amount": cents}
    return oc.OrderHistory.build(pa.table(table), threads=2)


@pytest.fixture(scope="module")
def test(history):
    return BY_HAND.backtest(history, SPLIT, horizon_days=DAYS)


@pytest.fixture(scope="module")
def later(rows):
    built = oracle_history.build([oracle_history.OrderRow(*row) for row in rows])
    return oracle.later(built, profile(built, SPLIT), SPLIT, DAYS)


def by_name(test) -> dict[str, dict]:
    return {row["model"]: row for row in test.to_table().to_pylist()}


def test_what_happened_and_plain_forecasts_are_those_of_the_oracle(test, later):
    found = by_name(test)
    roles = {name: row["role"] for name, row in found.items()}
    assert roles == {
        "mbg_nbd": "model",
        "same_again": "baseline",
        "past_rate": "baseline",
        "nbd": "baseline",
        "past_revenue": "baseline",
        "recency": "baseline",
    }
    actual = [one.orders for one in later]
    revenue = [one.revenue for one in later]
    plain = {
        "same_again": [one.same_again for one in later],
        "past_rate": [one.past_rate for one in later],
    }
    for row in found.values():
        assert row["orders_actual"] == sum(actual)
        assert row["revenue_actual"] == float(sum(revenue))
    for name, forecasts in plain.items():
        row, size = found[name], len(later)
        orders = [Fraction(one) for one, _ in forecasts]
        money = [one for _, one in forecasts]
        wrong = [one - own for one, own in zip(orders, actual, strict=True)]
        exact = {
            "orders": sum(orders),
            "orders_ratio": Fraction(sum(orders), sum(actual)),
            "revenue": sum(money),
            "revenue_ratio": sum(money) / sum(revenue),
            "mae": sum(map(abs, wrong)) / size,
            "gini": oracle.gini(revenue, money),
        }
        for column, value in exact.items():
            assert row[column] == pytest.approx(float(value), rel=1e-12), (name, column)
        assert row["rmse"] ** 2 == pytest.approx(float(sum(one * one for one in wrong) / size))
    ranked = found["past_revenue"]
    assert ranked["orders"] is ranked["revenue"] is ranked["mae"] is None
    past = [one.past_revenue for one in later]
    assert ranked["gini"] == pytest.approx(float(oracle.gini(revenue, past)), rel=1e-12)


def test_tables_add_up_to_each_other(test, history):
    found = by_name(test)["mbg_nbd"]
    frequency, deciles, weeks = test.by_frequency(), test.by_decile(), test.tracking()
    customers = frequency["customers"].to_numpy()
    assert frequency.column_names == [
        "frequency", "customers", "actual", "mbg_nbd", "same_again", "past_rate", "nbd",
    ]  # fmt: skip
    assert (customers * frequency["actual"].to_numpy()).sum() == found["orders_actual"]
    for name in frequency.column_names[3:]:
        total = (customers * frequency[name].to_numpy()).sum()
        assert total == pytest.approx(by_name(test)[name]["orders"])
    assert deciles["decile"].to_pylist() == list(range(1, 11))
    assert set(np.diff(deciles["customers"].to_numpy())) <= {-1, 0, 1}
    assert deciles["actual"].to_numpy().sum() == pytest.approx(found["revenue_actual"])
    assert deciles["predicted"].to_numpy().sum() == pytest.approx(found["revenue"])
    assert sum(deciles["share_of_actual"].to_pylist()) == pytest.approx(1)
    assert (np.diff(deciles["predicted"].to_numpy()) <= 1e-9).all()
    assert weeks.num_rows == 26  # 180 days are 25 weeks and 5 days
    assert weeks["actual"].to_numpy().sum() == found["orders_actual"]
    assert weeks["mbg_nbd"].to_numpy().sum() == pytest.approx(found["orders"])
    assert weeks["nbd"].to_numpy().sum() == pytest.approx(by_name(test)["nbd"]["orders"])
    days = {
        (row["customer_id"], order["ordered_on"])
        for row in pa.Table.from_batches(list(history.to_batches())).to_pylist()
        for order in row["orders"]
        if order["is_order"]
    }
    known = {person for person, day in days if day <= SPLIT}
    first_week = [day for person, day in days
                  if person in known and 0 < (day - SPLIT).days <= 7]  # fmt: skip
    assert weeks["actual"][0].as_py() == len(first_week)


def test_who_orders_is_scored_as_by_hand(test, history, later):
    profile = BY_HAND.assign(history.profile(SPLIT), horizon_days=DAYS)
    profile = profile.filter(pa.compute.is_valid(profile["p_active"]))
    # Rows of the profile and customers of the oracle are each in their own order.
    days = dict(oracle_days(history))
    ordered = np.array([(person in days) for person in profile["customer_id"].to_pylist()])
    actual = np.array([days.get(person, 0) for person in profile["customer_id"].to_pylist()])
    assert sorted(actual) == sorted(one.orders for one in later)
    chance = profile["p_active"].to_numpy()
    recency = -profile["days_since_last_order"].to_numpy()
    found = by_name(test)
    pairs = int(ordered.sum()) * int((~ordered).sum())
    for name, ranks in (("mbg_nbd", chance), ("recency", recency)):
        wins = mannwhitneyu(ranks[ordered], ranks[~ordered]).statistic
        assert found[name]["auc"] == pytest.approx(wins / pairs, rel=1e-12)
    assert found["mbg_nbd"]["brier"] == pytest.approx(
        sum((p - came) ** 2 for p, came in zip(chance, ordered, strict=True)) / len(later)
    )
    assert found["mbg_nbd"]["active"] == pytest.approx(chance.sum())
    assert {row["active_actual"] for row in found.values()} == {int(ordered.sum())}
    plain = test.to_table().filter(pa.compute.equal(test.to_table()["model"], "recency"))
    silent = ("orders", "revenue", "mae", "gini", "spearman", "brier", "active")
    assert all(plain[name].null_count == 1 for name in silent)
    without = oc.Clv(model="mbg_nbd", spend=None).backtest(history, SPLIT, horizon_days=DAYS)
    same = by_name(without)["same_again"]
    before = [one.same_again[0] for one in later]
    expected = spearmanr(before, [one.orders for one in later]).statistic
    assert same["spearman"] == pytest.approx(expected, rel=1e-12)
    wrong = sum((one > 0) != (of.orders > 0) for one, of in zip(before, later, strict=True))
    assert same["brier"] == pytest.approx(wrong / len(later))


def oracle_days(history) -> Counter:
    """Return how many days with an order each customer has in the horizon."""
    return Counter(
        person
        for person, day in {
            (row["customer_id"], order["ordered_on"])
            for row in pa.Table.from_batches(list(history.to_batches())).to_pylist()
            for order in row["orders"]
            if order["is_order"]
        }
        if SPLIT < day <= SPLIT + timedelta(DAYS)
    )


@pytest.mark.parametrize("anchor", ["new", "absolute"])
def test_lists_are_those_of_the_scheme_and_what_became_of_them(test, history, anchor):
    model = oc.Clv(model=BY_HAND.model, parameters=BY_HAND.parameters, horizon_days=DAYS)
    lists = oc.ValueLists(model, anchor=anchor, top_share=0.2)
    made = lists.fit(history.profile(SPLIT)).assign(history.profile(SPLIT))
    rows = test.by_list(anchor=anchor, top_share=0.2).to_pylist()
    assert [row["value_list"] for row in rows] == ["Top", "Active", "At risk", "Lost"]
    days = oracle_days(history)
    total = by_name(test)["mbg_nbd"]
    for row in rows:
        of_it = [one for one in made.to_pylist() if one["value_list"] == row["value_list"]]
        assert row["customers"] == len(of_it)
        if of_it:
            came = sum(one["customer_id"] in days for one in of_it)
            assert row["ordered"] == pytest.approx(came / len(of_it))
            chances = [one["p_active"] for one in of_it]
            assert row["p_active"] == pytest.approx(sum(chances) / len(of_it))
        value = sum(one["predicted_value"] for one in of_it)
        assert row["predicted"] == pytest.approx(value)
    assert sum(row["actual"] for row in rows) == pytest.approx(total["revenue_actual"])
    assert sum(row["share_of_actual"] for row in rows) == pytest.approx(1)
    with pytest.raises(oc.ConfigError, match="anchor='old'"):
        test.by_list(anchor="old")
    with pytest.raises(oc.ConfigError, match="top_share=0 is no share"):
        test.by_list(top_share=0)


def test_probabilities_stand_beside_what_came(test, history):
    table = test.reliability()
    assert set(table["model"].to_pylist()) == {"mbg_nbd", "same_again", "nbd"}
    rows = [row for row in table.to_pylist() if row["model"] == "mbg_nbd"]
    found = by_name(test)["mbg_nbd"]
    assert sum(row["customers"] for row in rows) == found["customers"] == 150
    assert [row["bin"] for row in rows] == sorted({row["bin"] for row in rows})
    assert all(row["bin"] - 1 <= 10 * row["predicted"] <= row["bin"] for row in rows)
    for what, total in (("predicted", "active"), ("actual", "active_actual")):
        added = sum(row["customers"] * row[what] for row in rows)
        assert added == pytest.approx(found[total])
    several = BY_HAND.backtest(history, SPLIT, horizon_days=90, origins=2)
    known = dict.fromkeys(several.to_table()["split_day"].to_pylist(), 0)
    for row in several.to_table().to_pylist():
        known[row["split_day"]] = row["customers"]
    both = several.reliability().filter(pa.compute.field("model") == "nbd")
    assert pa.compute.sum(both["customers"]).as_py() == sum(known.values())
    assert pa.compute.sum(several.by_list()["customers"]).as_py() == sum(known.values())


def test_models_are_fitted_to_what_was_known(history):
    test = oc.Clv(model="mbg_nbd").backtest(history, SPLIT, horizon_days=DAYS)
    fitted = oc.Clv(model="mbg_nbd", horizon_days=DAYS).fit(history, SPLIT)
    assert fitted.account.without_spend == 2
    predicted = fitted.assign(history.profile(SPLIT))
    row = by_name(test)["mbg_nbd"]
    assert row["orders"] == pytest.approx(pa.compute.sum(predicted["expected_orders"]).as_py())
    assert row["revenue"] == pytest.approx(pa.compute.sum(predicted["predicted_value"]).as_py())
    again = fitted.backtest(history, SPLIT)  # what was fitted is fitted anew
    assert again.to_table() == test.to_table()


def test_several_splits_are_a_horizon_apart(history):
    test = BY_HAND.backtest(history, SPLIT, horizon_days=90, origins=3)
    table = test.to_table()
    assert table.column_names[-1] == "split_day"
    days = sorted(set(table["split_day"].to_pylist()), reverse=True)
    assert days == [SPLIT - timedelta(90 * place) for place in range(3)]
    single = BY_HAND.backtest(history, days[1], horizon_days=90).to_table()
    of_second = table.filter(pa.compute.equal(table["split_day"], days[1]))
    assert of_second.drop_columns(["split_day"]).to_pylist() == single.to_pylist()
    total = sum(table["orders_actual"].to_pylist()) / 6
    assert test.tracking()["actual"].to_numpy().sum() == total
    assert "Over 3 splits" in test.verdict


def test_without_money_orders_are_what_is_ranked(history):
    test = oc.Clv(model="mbg_nbd", spend=None).backtest(history, SPLIT, horizon_days=DAYS)
    found = by_name(test)
    assert "past_revenue" not in found
    assert all(row["revenue"] is None for row in found.values())
    assert 0 < found["mbg_nbd"]["gini"] < 1
    assert "revenue" not in test.verdict.partition("\n")[0]
    assert test.by_decile()["actual"].to_numpy().sum() == found["mbg_nbd"]["orders_actual"]


@pytest.mark.parametrize("what", ["tracking", "frequency", "gain", "reliability"])
def test_pictures_show_the_tables(test, what):
    chart = test.plot(what)
    drawn = chart.to_dict()
    drawn_rows = [row for rows in drawn["datasets"].values() for row in rows]
    points = [row for row in drawn_rows if row["name"] == "mbg_nbd"]
    found = [point["value"] for point in points]
    if what == "reliability":
        table = test.reliability()
        wanted = table.filter(pc.equal(table["model"], "mbg_nbd"))["actual"].to_pylist()
    elif what == "gain":
        assert points[0]["at"] == points[0]["value"] == 0.0
        assert points[-1]["at"] == pytest.approx(points[-1]["value"]) == 1.0
        best = [row["value"] for row in drawn_rows if row["name"] == "the best possible"]
        wanted = np.minimum(found, np.array(best) + 1e-12).tolist()
    else:
        table = test.tracking() if what == "tracking" else test.by_frequency()
        wanted = table["mbg_nbd"].to_pylist()
    assert found == wanted
    assert str(test.split_day) in drawn["title"]["text"]
    picture = vl_convert.vegalite_to_svg(drawn)
    assert "mbg_nbd" in picture
    assert picture.count("<path") > 5


def test_histories_that_are_too_short_are_refused(history):
    with pytest.raises(oc.ConfigError, match="has 182 days, less than horizon_days=365"):
        BY_HAND.backtest(history, "2024-06-30")
    with pytest.raises(oc.ConfigError, match="has no orders after it"):
        BY_HAND.backtest(history, "2026-06-30", horizon_days=30)
    with pytest.warns(oc.OrdercycleWarning, match="less than twice the 120 days"):
        BY_HAND.backtest(history, "2024-06-30", horizon_days=120)
    with pytest.warns(oc.OrdercycleWarning, match="count as days without orders"):
        BY_HAND.backtest(history, "2025-12-01", horizon_days=90)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_day": "June"}, "split_day='June' is not a day"),
        ({"horizon_days": 0}, "horizon_days=0"),
        ({"origins": 0}, "origins=0 is no number of splits"),
        ({"origins": 1.5}, "origins=1.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(history, options, message):
    given = {"split_day": SPLIT, "horizon_days": 90} | options
    with pytest.raises(oc.ConfigError, match=message):
        BY_HAND.backtest(history, **given)


def test_only_histories_are_tested(test):
    with pytest.raises(oc.ConfigError, match="a backtest takes an OrderHistory, not a Table"):
        BY_HAND.backtest(pa.table({}), SPLIT)
    with pytest.raises(oc.ConfigError, match="did you mean 'gain'"):
        test.plot("gains")
    row = by_name(test)["mbg_nbd"]
    numbers = [f"{row[name]:.2f}" for name in ("orders_ratio", "gini", "auc", "brier")]
    assert repr(test) == (
        "Backtest(mbg_nbd; 150 customers, 180 days after 2025-06-30: orders {}, Gini {}, AUC {}, "
        "Brier {})".format(*numbers)
    )
    assert str(test) == test.verdict


def test_scores_of_nothing_are_none():
    nothing, same = np.zeros(0), np.ones(3)
    assert scores.gini(nothing, nothing) is None
    assert scores.gini(same, np.arange(3.0)) is None
    assert scores.gini(np.zeros(3), np.arange(3.0)) is None
    assert scores.top_share(np.zeros(3), same, 10) is None
    assert scores.spearman(nothing, nothing) is scores.spearman(same, np.arange(3.0)) is None
    assert scores.auc(same > 0, same) is scores.auc(same < 0, same) is None
    assert scores.mean(nothing) is scores.root(None) is scores.ratio(None, 1) is None
    assert scores.ratio(1.0, 0) is None


def test_a_tie_at_the_best_tenth_is_shared():
    value = np.array([10.0, 30.0, 0.0, 20.0])
    assert scores.top_share(value, np.array([1.0, 5.0, 1.0, 1.0]), 2) == (30 + 10) / 60


def row(name: str, role: str, orders: float, mae: float, gini: float, top: float) -> dict:
    return {
        "model": name, "role": role, "orders": orders, "orders_actual": 100,
        "orders_ratio": orders / 100, "mae": mae, "rmse": 2 * mae, "gini": gini,
        "top_decile_share": top, "auc": None,
    }  # fmt: skip


def said(*rows: dict) -> list[str]:
    return verdict_of([rows], 90, [], has_money=False).splitlines()


def test_the_verdict_follows_the_numbers():
    rate = row("past_rate", "baseline", 150, 0.5, 0.60, 0.40)
    totals, single, ranking = said(row("m", "model", 95, 0.4, 0.70, 0.50), rate)
    assert "trust m for it" in totals
    assert "the model is better customer by customer" in single
    assert "m finds the best customers better than the past rate does" in ranking
    totals, single, ranking = said(row("m", "model", 20, 0.6, 0.50, 0.30), rate)
    assert "both are off by more than 10 %: trust neither" in totals
    assert "the model is worse customer by customer" in single
    assert "the past rate finds the best customers better than m does: rank by it" in ranking
    totals, _, ranking = said(row("m", "model", 70, 0.4, 0.605, 0.405), rate | {"orders_ratio": 1})
    assert "trust past_rate for it: the model adds nothing to this total here" in totals
    assert "as well as the past rate does, and no better" in ranking
    _, _, ranking = said(row("m", "model", 130, 0.4, 0.50, 0.50), rate)
    assert "by m where only the best tenth matters" in ranking
    nothing = row("m", "model", 5, 0.4, 0.5, 0.5) | {"orders_ratio": None, "gini": None}
    nothing["orders_actual"] = 0
    totals, _, ranking = said(nothing, rate | {"orders_ratio": None})
    assert "there were none in the 90 days" in totals
    assert "nothing came" in ranking


def test_the_model_that_a_fit_chooses_is_judged_and_no_other():
    rate = row("past_rate", "baseline", 150, 0.5, 0.60, 0.40)
    chosen = row("bg_nbd", "model", 80, 0.4, 0.70, 0.50)
    other = row("pareto_nbd, one death rate", "model", 101, 0.1, 0.80, 0.60)
    totals, single, ranking = said(chosen, other, rate)
    assert "bg_nbd foretold 80 and 100 came (80 %)" in totals
    assert "trust neither" in totals
    assert "(model='pareto_nbd' came nearer, 101 %; pass it to take it)" in totals
    assert "0.40 on average" in single
    assert "pareto_nbd" not in single
    assert "bg_nbd finds the best customers better" in ranking
    assert ranking.endswith("model='pareto_nbd' ranked better (Gini 0.80); pass it to take it.")
    fits = chosen | {"orders": 95, "orders_ratio": 0.95, "gini": 0.795}
    assert not any("pareto_nbd" in line for line in said(fits, other, rate))


def test_rankings_no_better_than_chance_are_not_recommended():
    rate = row("past_rate", "baseline", 100, 0.5, -0.30, 0.05)
    ranking = said(row("m", "model", 100, 0.5, -0.10, 0.09), rate)[-1]
    assert "neither m nor the past rate ranks customers better than chance does" in ranking
    some = said(row("m", "model", 100, 0.5, 0.10, 0.15), rate)[-1]
    assert "m finds the best customers better" in some
    rate |= {"gini": 0.10, "top_decile_share": 0.17}
    tenth = said(row("m", "model", 100, 0.5, 0.105, 0.15), rate)[-1]
    assert "the past rate finds the best tenth better than m does, and both" in tenth


def test_totals_are_judged_by_how_far_off_both_are():
    exact = row("m", "model", 99, 0.5, 0.5, 0.4)
    assert said(exact, row("past_rate", "baseline", 100.5, 0.5, 0.5, 0.4))[0].endswith("both fit.")
    at_bound = row("m", "model", 89.5, 0.5, 0.5, 0.4)
    alike = said(at_bound, row("past_rate", "baseline", 90.5, 0.5, 0.5, 0.4))
    assert alike[0].endswith("both fit.")
    awful = said(
        row("m", "model", 300, 0.5, 0.5, 0.4), row("past_rate", "baseline", 140, 0.5, 0.5, 0.4)
    )
    assert "trust neither" in awful[0]
    money = {"revenue": 40.0, "revenue_actual": -50.0, "revenue_ratio": scores.ratio(40.0, -50.0)}
    assert money["revenue_ratio"] is None
    lines = verdict_of(
        [[exact | money, row("past_rate", "baseline", 100, 0.5, 0.5, 0.4) | money]],
        90,
        [],
        has_money=True,
    )
    assert "Total revenue: -50 came in the 90 days, so none can be compared." in lines


def test_customer_by_customer_takes_two_measures_and_a_margin():
    rate = row("past_rate", "baseline", 100, 0.5, 0.5, 0.4)  # rmse 1
    model = row("m", "model", 100, 0.5, 0.5, 0.4)

    def outcome(mae: float, rmse: float) -> str:
        return said(model | {"mae": mae, "rmse": rmse}, rate)[1]

    assert "the model is as good as the baselines" in outcome(0.4999, 1.01)
    assert "better by one measure and worse by the other" in outcome(0.55, 0.8)
    assert "the model is better" in outcome(0.495, 0.9)
    assert "the model is worse" in outcome(0.495, 1.1)
    nobody = {"mae": None, "rmse": None, "gini": None}
    assert "no customers to compare" in said(model | nobody, rate | nobody)[1]


def test_the_verdict_says_who_orders_and_what_the_lists_are_worth():
    rate = row("past_rate", "baseline", 100, 0.5, 0.5, 0.4)
    recency = row("recency", "baseline", 100, 0.9, 0.1, 0.1) | {"auc": 0.70}
    own = {"auc": 0.75, "brier": 0.15, "active": 22.0, "active_actual": 20, "customers": 80}
    model = row("m", "model", 100, 0.5, 0.5, 0.4) | own

    def who(**change: float) -> str:
        return said(model | change, rate, recency)[-1]

    assert "m foretold 22 customers and 20 did" in who()
    assert "better than the same one for everybody (Brier 0.150 against 0.188)" in who()
    assert "tell who orders better than the days since the last order do" in who()
    assert "no better than the same one for everybody" in who(brier=0.185)
    assert "tell who orders as well as the days" in who(auc=0.695)
    assert "tell who orders worse than the days" in who(auc=0.6)
    assert not who(auc=None).startswith("Who orders")

    def lists(*shares: float) -> str:
        names = ("Top", "Active", "At risk", "Lost")
        rows = [
            {"value_list": name, "customers": 400 if share is not None else 0, "ordered": share}
            for name, share in zip(names, shares, strict=True)
        ]
        return verdict_of([[model, rate]], 90, rows, has_money=False).splitlines()[-1]

    assert lists(0.8, 0.5, 0.4, 0.1).endswith(
        "80 % of Top, 50 % of Active, 40 % of At risk, 10 % of Lost ordered, fewer from list to "
        "list."
    )
    assert "but for differences that chance explains" in lists(0.8, 0.5, 0.1, 0.12)
    assert "do not go by the value lists here" in lists(0.8, 0.1, 0.4, 0.1)
    assert "80 % of Top, 10 % of Lost ordered" in lists(0.8, None, None, 0.1)
    assert not lists(0.8, None, None, None).startswith("Value lists")


def nobody_leaves() -> oc.OrderHistory:
    """Return the history of a shop where nobody leaves, whatever model of leaving is fitted."""
    rng = np.random.default_rng(5)
    rows = []
    for person in range(300):
        day = int(rng.integers(0, 100))
        rate = rng.gamma(4.0, 1 / 120)
        while day < 700:
            rows.append((person, date(2023, 1, 1) + timedelta(day)))
            day += max(1, int(rng.exponential(1 / rate)))
    people, days = zip(*rows, strict=True)
    table = pa.table({"customer_id": people, "ordered_at": days, "amount": [10.0] * len(days)})
    return oc.OrderHistory.build(table)


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
def test_models_that_come_to_the_same_boundary_are_one():
    test = oc.Clv(spend=None).backtest(nobody_leaves(), "2024-04-30", horizon_days=120)
    found = test.to_table()["model"].to_pylist()
    assert len(found) == len(set(found))
    assert found == ["nbd", "same_again", "past_rate", "recency"]
    assert test.to_table()["role"].to_pylist()[0] == "model"
    assert test.by_frequency().column_names[3:] == ["mbg_nbd", "same_again", "past_rate"]
    assert test.tracking().column_names == ["week", "actual", "mbg_nbd"]
    assert test.verdict.count("order days: nbd foretold") == 1


def test_early_splits_that_are_no_date_are_refused(history):
    with pytest.raises(oc.ConfigError, match="the history begins on 2024-01-01"):
        BY_HAND.backtest(history, SPLIT, horizon_days=36_525, origins=10_000)


def test_parameters_by_hand_need_nobody_who_came_back():
    days = [date(2024, 1, 1) + timedelta(place) for place in range(50)]
    table = pa.table({"customer_id": range(50), "ordered_at": days, "amount": [10.0] * 50})
    model = oc.Clv(
        model="bg_nbd", spend=None, parameters={"r": 0.24, "alpha": 30.0, "a": 0.8, "b": 2.4}
    )
    with pytest.warns(oc.OrdercycleWarning, match="the baseline nbd is left out"):
        test = model.backtest(oc.OrderHistory.build(table), "2024-02-01", horizon_days=15)
    assert test.to_table()["model"].to_pylist() == ["bg_nbd", "same_again", "past_rate", "recency"]
    assert "there were none in the 15 days" in test.verdict
    assert test.tracking().column_names == ["week", "actual", "bg_nbd"]


def test_it_comes_back_from_pickles(test):
    again = pickle.loads(pickle.dumps(test))  # noqa: S301 - made here
    assert again.to_table() == test.to_table()
    assert again.tracking() == test.tracking()
    assert again.verdict == test.verdict


def test_spend_is_fitted_once(history, monkeypatch):
    fits = []

    def counting(*given, **options):
        fits.append(given)
        return fit_spend(*given, **options)

    monkeypatch.setattr(fit, "fit_spend", counting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oc.Clv().backtest(history, SPLIT, horizon_days=DAYS)
    assert len(fits) == 1
