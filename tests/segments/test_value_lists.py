"""Value lists: cuts, who is in which list, what comes next, and what is refused."""

import json
import math
import pickle
import tomllib
from datetime import date, timedelta
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import clv as oracle
from support import buyers

import ordercycle as oc
from ordercycle._cli.scheme_files import toml_of
from ordercycle._segments.counting_rounds import Cells, fit

MODEL = oc.Clv(
    model="mbg_nbd",
    horizon_days=180,
    parameters={
        "r": 0.9, "alpha": 50.0, "a": 0.9, "b": 3.0, "p": 3.0, "q": 4.0, "gamma": 60.0,
    },
)  # fmt: skip


@st.composite
def profiles(draw):
    """Draw a profile in which customers often are alike, so that values tie."""
    rows = []
    for _ in range(draw(st.integers(1, 30))):
        recency = draw(st.sampled_from([0, 1, 30, 200]))
        repeats = min(draw(st.integers(1, 6)), recency)
        is_buyer = draw(st.integers(0, 4)) > 0
        rows.append(
            {
                "order_days": repeats + 1 if is_buyer else 0,
                "lifetime_days": recency if is_buyer else None,
                "days_since_last_order": draw(st.sampled_from([0, 20, 500])) if is_buyer else None,
                "revenue": draw(st.sampled_from([5.0, 40.0, 900.0])) * is_buyer,
                "revenue_first_day": 5.0 * is_buyer,
            }
        )
    return as_table(rows)


def as_table(rows: list[dict]) -> pa.Table:
    kinds = [pa.int64(), pa.int32(), pa.int32(), pa.float64(), pa.float64()]
    schema = pa.schema(zip(rows[0], kinds, strict=True))
    return pa.Table.from_pylist(rows, schema=schema)


def expected_of(table: pa.Table) -> list[oracle.Expected | None]:
    """Return what the model foretells of each customer, None without orders."""
    names = ["p_active", "predicted_value", "clv", "revenue"]
    return [
        oracle.Expected(**row) if row["clv"] is not None else None
        for row in MODEL.assign(table).select(names).to_pylist()
    ]


@settings(max_examples=60)
@given(
    profiles(),
    st.sampled_from(["0.1", "0.07", "0.5", "1.0", "0.3"]),
    st.sampled_from(["new", "absolute"]),
    st.integers(0, 9),
)
def test_any_profile(table, top_share, anchor, cut):
    customers = expected_of(table)
    known = [one for one in customers if one is not None]
    lists = oc.ValueLists(MODEL, top_share=float(top_share), anchor=anchor)
    if not known:
        with pytest.raises(oc.DataError, match="no customer of this profile has orders"):
            lists.fit(table)
        return
    fitted = lists.fit(pa.concat_tables([table.slice(0, cut), table.slice(cut)]))
    hi, lo, value = fitted.cuts
    today = {"order_days": 1, "lifetime_days": 0, "days_since_last_order": 0}
    new = MODEL.assign(as_table([{**today, "revenue": 1.0, "revenue_first_day": 1.0}]))
    likely = min(0.5, new["p_active"][0].as_py())
    assert (hi, lo) == ((likely, 0.4 * likely) if anchor == "new" else (0.5, 0.2))
    assert value == oracle.cut_of([one.predicted_value for one in known], Fraction(top_share))
    names = [oracle.list_of(one, hi, lo, value) for one in known]
    found = fitted.assign(table)
    found.validate(full=True)
    of_buyers = [name for name in found["value_list"].to_pylist() if name is not None]
    assert of_buyers == names
    assert [one is None for one in customers] == [
        row is None for row in found["value_list"].to_pylist()
    ]
    account = fitted.account
    assert dict(account.sizes) == {name: names.count(name) for name in oracle.NAMES}
    if "Top" in names:
        numbers = oracle.top_numbers(known, names)
        assert list(account.numbers) == list(numbers)
        assert {name: float(number) for name, number in numbers.items()} == pytest.approx(
            dict(account.numbers), rel=1e-15
        )
        assert fitted.top_clv == float(numbers["mean_clv"])
        for name, number in account.numbers.items():
            assert dict(account.reached[name]) == {
                which: sum(
                    one.revenue >= number
                    for one, own in zip(known, names, strict=True)
                    if own == which
                )
                for which in oracle.NAMES
            }
    else:
        assert fitted.top_clv is None
    threshold = math.inf if fitted.top_clv is None else fitted.top_clv
    assert found["high_value"].to_pylist() == [
        None if one is None else one.predicted_value >= value or one.revenue >= threshold
        for one in customers
    ]
    assert oc.scheme_from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    first = pickle.loads(pickle.dumps(lists._first_round()))  # noqa: S301
    parts = [table.slice(0, cut), table.slice(cut)]
    assert fit(first, lambda now: [Cells.total(map(now.count, parts))]) == fitted


@settings(max_examples=25)
@given(profiles(), st.sampled_from([(0.5, 0.2, 30.0), (0.9, 0.001, 5.0), (0.0, 0.0, 80.0)]))
def test_next_lists_are_those_of_the_first_day_on_which_anything_changes(table, cuts):
    as_of = date(2025, 6, 30)
    lists = oc.ValueLists(MODEL, cuts=cuts)
    since = pa.array([700] * table.num_rows, pa.int32())
    registered = pa.array([as_of - timedelta(700)] * table.num_rows, pa.date32())
    dated = table.append_column("days_since_registration", since).append_column(
        "registered_on", registered
    )
    found = lists.next_transition(dated)
    today = lists.assign(table)["value_list"].to_pylist()

    def later(row: int, days: int) -> str:
        one = table.slice(row, 1).to_pylist()[0]
        one["days_since_last_order"] += days
        return lists.assign(as_table([one]))["value_list"][0].as_py()

    for row, (name, on) in enumerate(
        zip(found["next_segment"].to_pylist(), found["next_segment_on"].to_pylist(), strict=True)
    ):
        if today[row] is None or today[row] == "Lost":
            assert name is None
            continue
        if name is None:
            assert later(row, (date(2199, 12, 31) - as_of).days) == today[row]
            continue
        days = (on - as_of).days
        assert days > 0
        assert name != today[row]
        assert later(row, days) == name
        assert {later(row, day) for day in (days - 1, days // 2)} == {today[row]}


@pytest.fixture(scope="module")
def history():
    return buyers.history()


@pytest.fixture(scope="module")
def table(history):
    return history.profile(buyers.AS_OF)


@pytest.fixture(scope="module")
def lists(table):
    return oc.ValueLists(oc.Clv(model="mbg_nbd", horizon_days=180), top_share=0.2).fit(table)


def test_a_model_that_is_not_fitted_is_fitted_with_the_lists(table, lists):
    clv = oc.Clv(model="mbg_nbd", horizon_days=180).fit(table)
    assert lists.clv == clv
    assert oc.ValueLists(clv, top_share=0.2).fit(table) == lists
    assert lists.account.as_of == buyers.AS_OF
    assert sum(lists.account.sizes.values()) == lists.account.customers == 400
    unfitted = oc.ValueLists(oc.Clv(model="mbg_nbd", horizon_days=180), top_share=0.2)
    first = pickle.loads(pickle.dumps(unfitted._first_round()))  # noqa: S301
    parts = [table.slice(start, 90) for start in range(0, 400, 90)]
    assert fit(first, lambda now: [now.count(part) for part in parts]) == lists


def test_columns_of_the_model_are_taken_where_they_are_its(table, lists):
    whole = lists.assign(table)
    with_model = lists.clv.assign(table)
    assert lists.assign(with_model) == whole
    assert lists.fit(with_model) == lists
    some = with_model.drop_columns(["p_alive", "clv"])
    assert set(lists.assign(some).column_names) == set(whole.column_names)
    assert lists.assign(some)["clv"] == whole["clv"]
    for other in (
        lists.clv.assign(table, horizon_days=90),
        lists.clv.assign(table, discount_rate=0.1),
        with_model.replace_schema_metadata(None).cast(
            pa.schema([field.remove_metadata() for field in with_model.schema])
        ),
    ):
        with pytest.raises(oc.ColumnError, match="does not say it is of this model"):
            lists.assign(other)
    with pytest.raises(oc.ColumnError, match="has a column 'value_list' already"):
        lists.assign(whole)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32()])
def test_columns_of_the_model_have_its_type(table, lists, kind):
    found = lists.clv.assign(table)
    place = found.schema.get_field_index("p_active")
    column = found["p_active"].cast(kind, safe=False)
    other = found.set_column(place, found.field(place).with_type(kind), column)
    for use in (lists.assign, lists.fit):
        with pytest.raises(oc.ColumnError, match="'p_active' of the model is"):
            use(other)


@pytest.mark.parametrize("value", [None, math.nan])
def test_columns_of_the_model_are_known_of_whoever_has_orders(table, lists, value):
    found = lists.clv.assign(table)
    place = found.schema.get_field_index("predicted_value")
    values = [*found["predicted_value"].to_pylist()[:-1], value]
    other = found.set_column(place, found.field(place), pa.array(values, pa.float64()))
    for use in (lists.assign, lists.fit):
        with pytest.raises(oc.DataError, match=r"predicted_value is null, .* row 399"):
            use(other)


def test_columns_of_the_model_may_be_null_without_orders(lists):
    nobody = [1] + [0] * 9
    rows = [
        {
            "order_days": one,
            "lifetime_days": 0 if one else None,
            "days_since_last_order": 9 if one else None,
            "revenue": 5.0 * one,
            "revenue_first_day": 5.0 * one,
        }
        for one in nobody
    ]
    found = lists.assign(lists.clv.assign(as_table(rows)))
    assert found["value_list"].null_count == 9


def test_a_history_is_fitted_as_of_a_day(history, table):
    lists = oc.ValueLists(MODEL, top_share=0.2)
    assert lists.fit(history, buyers.AS_OF) == lists.fit(table)
    with pytest.raises(oc.ConfigError, match="as of a day"):
        lists.fit(history)
    with pytest.raises(oc.ConfigError, match="a profile has its day"):
        lists.fit(table, buyers.AS_OF)


def test_it_is_a_scheme_like_others(history, table, lists):
    assert isinstance(lists, oc.Scheme)
    assert oc.scheme_from_dict(tomllib.loads(toml_of(lists.to_dict()))) == lists
    assert pickle.loads(pickle.dumps(lists)) == lists  # noqa: S301
    assert "mean of revenue so far and predicted value in Top" in lists._repr_html_()
    membership = lists.membership(history, end=buyers.AS_OF)
    assert membership.segments == lists.segments
    held = {
        row["customer_id"]: row["segment"]
        for row in membership.to_table().to_pylist()
        if row["valid_to"] is None
    }
    found = lists.assign(table)
    names = zip(found["customer_id"].to_pylist(), found["value_list"].to_pylist(), strict=True)
    assert held == dict(names)
    moved = oc.transitions(lists.assign(history.profile("2025-06-30")), found, column="value_list")
    assert 0 < moved.num_rows < 400
    report = oc.SegmentReport.build(history, membership, period=("2025-10", "2025-12"))
    assert set(report.segments) >= {"Top", "Active", "At risk", "Lost"}


def test_who_orders_regularly_can_rise_by_waiting():
    """Each day of a year and a half is looked at: customers come nearer to an order, then fall."""
    regular = oc.Clv(
        model="mbg_cnbd_4",
        horizon_days=20,
        parameters={
            "r": 9.0, "alpha": 66.0, "a": 0.3, "b": 6.0, "p": 4.0, "q": 5.0, "gamma": 60.0,
        },
    )  # fmt: skip
    lists = oc.ValueLists(regular, cuts=(0.5, 0.2, 8.0))
    days = [1, 2, 3, 6, 12, 2, 20]
    lifetimes = [0, 40, 55, 200, 333, 1, 380]
    waited = 540
    profile = {
        "order_days": pa.array(days),
        "lifetime_days": pa.array(lifetimes, pa.int32()),
        "days_since_last_order": pa.array([0] * len(days), pa.int32()),
        "revenue": pa.array([10.0 * one for one in days]),
        "revenue_first_day": pa.array([10.0] * len(days)),
        "registered_on": pa.array([date(2024, 1, 1)] * len(days)),
        "days_since_registration": pa.array([500] * len(days), pa.int32()),
    }
    found = lists.next_transition(pa.table(profile))
    later = [
        lists.assign(
            pa.table(profile | {"days_since_last_order": pa.array([day] * len(days), pa.int32())})
        )["value_list"].to_pylist()
        for day in range(waited)
    ]
    as_of, rises = date(2024, 1, 1) + timedelta(500), 0
    for row, (name, on) in enumerate(
        zip(found["next_segment"].to_pylist(), found["next_segment_on"].to_pylist(), strict=True)
    ):
        now = later[0][row]
        first = next((day for day in range(waited) if later[day][row] != now), None)
        assert on == (None if first is None else as_of + timedelta(first))
        if first is not None:
            assert name == later[first][row]
            rises += lists.segments.index(name) < lists.segments.index(now)
    assert rises


def test_a_list_is_explained(history, table, lists):
    found = lists.assign(table)
    names = dict(
        zip(found["value_list"].to_pylist(), found["customer_id"].to_pylist(), strict=True)
    )
    for name, customer in names.items():
        why = lists.explain(history, customer, buyers.AS_OF)
        assert why.segment == name
        assert "within 180 days" in why.rule
        row = found.filter(pa.compute.equal(found["customer_id"], customer)).to_pylist()[0]
        assert why.numbers == {key: row[key] for key in ("p_active", "predicted_value")}
        foretold = lists.next_transition(table.filter(
            pa.compute.equal(table["customer_id"], customer)
        )).to_pylist()[0]  # fmt: skip
        assert (why.until, why.next_segment) == (
            foretold["next_segment_on"], foretold["next_segment"],
        )  # fmt: skip


def test_cuts_by_hand_stay(table):
    lists = oc.ValueLists(MODEL, cuts=[0.6, 0.3, 50])
    assert lists.cuts == (0.6, 0.3, 50.0)
    assert lists.is_fitted
    assert lists.top_clv is None
    fitted = lists.fit(table)
    assert fitted.cuts == lists.cuts
    assert fitted.account.by_hand
    assert fitted.top_clv is not None
    assert fitted.fit(table) == fitted
    again = oc.ValueLists(MODEL).fit(table.slice(0, 200)).fit(table)
    assert again == oc.ValueLists(MODEL).fit(table)  # fitted cuts are fitted anew


def test_what_is_odd_is_said(table, lists):
    assert any("Top has" in text for text in lists.lint())
    out_of_reach = oc.ValueLists(MODEL, cuts=(1.0, 0.5, 10.0)).fit(table)
    assert any("look further ahead" in text for text in out_of_reach.lint())
    assert out_of_reach.top_clv is None
    nobody = oc.ValueLists(MODEL, cuts=(0.0, 0.0, 1e9)).fit(table)
    assert "nobody is in the list Top" in nobody.lint()
    assert "not fitted" in oc.ValueLists().lint()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clv": "auto"}, "clv='auto' is no model of value"),
        ({"clv": oc.Clv(spend=None)}, "spend=None, and value lists need"),
        ({"top_share": 0}, "top_share=0 is no share"),
        ({"top_share": 1.5}, "top_share=1.5"),
        ({"anchor": "old"}, "anchor='old'"),
        ({"cuts": (0.2, 0.5, 1.0)}, "are no cuts"),
        ({"cuts": (0.5, 0.2)}, "are no cuts"),
        ({"cuts": (0.5, 0.2, math.nan)}, "are no cuts"),
        ({"cuts": 0.5}, "are no cuts"),
        ({"cuts": (0.5, 0.2, 10**400)}, "are no cuts"),
        ({"cuts": (True, 0.2, 1.0)}, "are no cuts"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        oc.ValueLists(**options)


def test_what_is_not_fitted_is_refused(table):
    for use in ("assign", "next_transition"):
        with pytest.raises(oc.ConfigError, match="is not fitted"):
            getattr(oc.ValueLists(MODEL), use)(table)
    with pytest.raises(oc.ConfigError, match="window"):
        oc.ValueLists(MODEL).fit(buyers.history(50).profile(buyers.AS_OF, 30))
