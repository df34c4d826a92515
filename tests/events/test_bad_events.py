"""Events that cannot be what they seem: each refused by an error that says where and what to do."""

import datetime as dt

import pyarrow as pa
import pytest

import ordercycle as oc

COLUMNS = oc.EventColumns(attributes=["page"], values=["points"], keys=["visit"])
GOOD = {
    "customer_id": ["ann", "bob", "ann"],
    "occurred_at": [dt.datetime(2026, 1, day, 9, tzinfo=dt.UTC) for day in (5, 6, 7)],
    "page": ["tea", "coffee", "tea"],
    "points": [1, 2, 3],
    "visit": [1, 2, 2],
}
NOBODY = pa.table({"customer_id": ["ann"]})


def events(**changed) -> pa.Table:
    return pa.table(GOOD | changed)


def built(rows: pa.Table | None = None, **options) -> oc.EventHistory:
    rows = events() if rows is None else rows
    return oc.EventHistory.build(rows, **{"columns": COLUMNS} | options)


def batches(history: oc.EventHistory) -> list[dict]:
    return pa.Table.from_batches(history.to_batches()).to_pylist()


def feature(text: str, stream: oc.EventHistory) -> list:
    table = oc.features(NOBODY, {"f": text}, as_of="2026-02-01", streams={"s": stream})
    return table["f"].to_pylist()


@pytest.mark.parametrize(
    ("changed", "kind", "match"),
    [
        ({"points": [1.0, float("inf"), 2.0]}, oc.DataError, r"points is NaN.*inf\) at row 1 "),
        ({"points": [1.0, 2.0, float("nan")]}, oc.DataError, r"points is NaN.*nan\) at row 2 "),
        (
            {"points": pa.array([0, 2**64 - 1, 0], pa.uint64())},
            oc.DataError,
            "exceeds int64.*row 1",
        ),
        ({"points": ["1", "2", "x"]}, oc.ColumnError, "points is string, which is no number"),
        ({"points": [True, False, None]}, oc.ColumnError, "points is bool, which is no number"),
        ({"page": [1.5, 2.5, 3.5]}, oc.ColumnError, "page is double, which is no attribute"),
        ({"page": [[1], [2], [3]]}, oc.ColumnError, "page is list.*which is no attribute"),
        ({"visit": [1.0, 2.5, 3.0]}, oc.DataError, r"no whole number below 2\^53 \(2.5\) at row 1"),
        ({"visit": [[1], [2], [3]]}, oc.ColumnError, "visit is list.*which is no id"),
        ({"occurred_at": [1, 2, 3]}, oc.ColumnError, "occurred_at is int64, which is no time"),
        (
            {"occurred_at": pa.array([2**62, 0, 0], pa.timestamp("s"))},
            oc.DataError,
            "outside the years 1900 to 2199.*row 0",
        ),
        (
            {"occurred_at": [None, *GOOD["occurred_at"][1:]]},
            oc.DataError,
            "occurred_at is null at row 0",
        ),
        (
            {"page": pa.array([b"tea", b"\xff", b"tea"]).view(pa.string())},
            oc.DataError,
            "a value of page is no UTF-8",
        ),
    ],
)
def test_values_that_are_none(changed, kind, match):
    with pytest.raises(kind, match=match):
        built(events(**changed))


@pytest.mark.parametrize(
    ("lookup", "kind", "match"),
    [
        (
            {"page": ["tea", "tea"], "k": [1, 2]},
            oc.DataError,
            "has page tea a second time at row 1",
        ),
        ({"page": ["tea", None], "k": [1, 2]}, oc.DataError, "page is null at row 1"),
        ({"pages": ["tea"], "k": [1]}, oc.ColumnError, r"no column 'page' \(did you mean 'pages'"),
        (pa.table([["tea"], [1], [2]], ["page", "k", "k"]), oc.ColumnError, "2 columns named 'k'"),
        (pa.table([["tea"], ["tea"]], ["page", "page"]), oc.ColumnError, "2 columns named 'page'"),
        ("pages.csv", oc.ConfigError, "what is given for 'page' is a str"),
        ([1, 2], oc.ConfigError, "what is given for 'page' is a list"),
    ],
)
def test_catalogues_without_one_row_for_each_value(lookup, kind, match):
    with pytest.raises(kind, match=match):
        built(lookups={"page": lookup})
    with pytest.raises(kind, match=match):
        built().with_lookups({"page": lookup})


def test_a_catalogue_in_the_type_of_the_values():
    with pytest.raises(oc.ColumnError, match="page is double, and int64 in the rows"):
        built(events(page=[1, 2, 3]), lookups={"page": {"page": [1.0, 2.5], "k": [1, 2]}})


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("count(s, page == 'cofee')", oc.ConfigError, "no value of page.*did you mean 'coffee'"),
        ("has_all(s.page, ('tea', 'tee'))", oc.ConfigError, "no value of s.page.*mean 'tea'"),
        ("cuont(s)", oc.ConfigError, "did you mean 'count'"),
        ("count(t)", oc.ConfigError, "there is no stream 't'.*there are 's'"),
        ("sum(s.point)", oc.ColumnError, r"no column 's.point'.*did you mean 'points'"),
        ("sum(s.page)", oc.ColumnError, r"sum\(\) takes values.*it has 'points'"),
        ("first(s.points)", oc.ColumnError, r"first\(\) takes attributes.*it has 'page'"),
        ("distinct(s.points)", oc.ColumnError, r"distinct\(\) takes attributes or keys"),
        ("count(s, visit == 1)", oc.ColumnError, "is a key, which conditions do not see"),
        (
            "count(s, page.kind == 'hot')",
            oc.ColumnError,
            "no column 'page.kind'.*page has no table",
        ),
    ],
)
def test_features_that_a_stream_cannot_have(text, kind, match):
    with pytest.raises(kind, match=match):
        feature(text, built())


def test_sums_beyond_their_type():
    for most, match in ((2**63 - 1, "beyond 64 bits"), (1.7e308, "beyond the largest float")):
        with pytest.raises(oc.DataError, match=match):
            feature("sum(s.points)", built(events(points=[most] * 3)))


def test_more_values_than_codes(monkeypatch):
    monkeypatch.setattr("ordercycle._ingest.attributes.MOST_VALUES", 3)
    history = built()
    more = events(page=["milk", None, "tea"])
    for refused in (
        lambda: built(pa.concat_tables([events(), more])),
        lambda: history.append(more),
    ):
        with pytest.raises(oc.DataError, match=r"page has 3 different values or more.*the keys"):
            refused()
    assert history.summary().events == 3


def test_no_event_at_all():
    history = built(events().slice(0, 0))
    assert history.where("page == 'nothing'").summary().events == 0
    assert history.summary().first_day is None
    assert feature("count(s, page == 'nothing')", history) == [0]
    assert feature("first(s.page)", history) == [None]
    assert history.append(events()).summary().events == 3


def test_one_event_of_a_slice():
    (only,) = batches(built(events().slice(1, 1)))
    assert only in batches(built())
    assert only["customer_id"] == "bob"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "+05:30"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_of_every_unit_and_zone(unit, zone):
    times = pa.array(GOOD["occurred_at"], pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone))
    assert batches(built(events(occurred_at=times))) == batches(built())


@pytest.mark.parametrize("kind", [pa.string_view(), pa.large_string(), pa.string()])
@pytest.mark.parametrize("is_dictionary", [True, False])
def test_texts_of_every_kind(kind, is_dictionary):
    if is_dictionary:
        codes = pa.array([1, 0, 1, None], pa.int8())
        pages = pa.DictionaryArray.from_arrays(codes, pa.array(["coffee", "tea"], kind))
    else:
        pages = pa.array(["tea", "coffee", "tea", None], kind)
    four = {name: [*column, column[0]] for name, column in GOOD.items()}
    rows = pa.table(four | {"page": pages})
    history = built(rows)
    assert history.where("page == 'tea'").summary().events == 2
    assert history.where("page is null").summary().events == 1


def test_events_of_nobody():
    for customers in (pa.array([None, "bob", ""]), pa.nulls(3, pa.string()), pa.nulls(3)):
        summary = built(events(customer_id=customers)).summary()
        assert summary.events + summary.anonymous == summary.rows == 3
    with pytest.raises(oc.DataError, match="customer_id is null or empty at row 0"):
        built(events(customer_id=[None, "bob", ""]), anonymous="error")


def test_ids_that_are_null_are_never_repeats():
    columns = oc.EventColumns(id="visit")
    for ids in ([None, None, None], [7, 7, 7]):
        visits = pa.array(ids, pa.int64())
        rows = events(visit=visits, customer_id=["ann"] * 3)
        assert built(rows, columns=columns).summary().repeated == (0 if ids[0] is None else 2)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"attributes": "page"}, r"is no list of columns; pass EventColumns\(attributes=\('page',"),
        ({"attributes": None}, r"is no list of columns"),
        ({"attributes": ["page"], "values": ["page"]}, "names page twice"),
        ({"attributes": ["occurred_at"]}, "names occurred_at twice"),
        ({"keys": [""]}, "names no column"),
    ],
)
def test_columns_that_are_none(given, match):
    with pytest.raises(oc.ConfigError, match=match):
        oc.EventColumns(**given)


def test_options_that_are_none():
    for options, match in (
        ({"atributes": 1}, "no option 'atributes'"),
        ({"columns": oc.Columns()}, "names no columns of events"),
        ({"lookups": ["page"]}, "names no attributes"),
        ({"lookups": {"pag": {}}}, r"'pag' is no attribute \(did you mean 'page'"),
    ):
        with pytest.raises(oc.ConfigError, match=match):
            built(**options)
