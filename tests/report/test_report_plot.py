"""Charts of the report."""

import builtins
from datetime import date

import pyarrow as pa
import pytest
from support.reports import PERIOD, lists_of, orders_of, report_of, shop

import ordercycle as oc


def data_of(chart, at):
    """Return the rows of a layer of a chart."""
    data = chart.to_dict()
    name = {**data, **data["layer"][at]}["data"]["name"]
    return data["datasets"][name]


def test_a_line_per_segment():
    found = report_of(shop(), segments=["Active", "Churned"])
    chart = found.plot("Revenue", months=("2025-09", "2025-12"))
    rows = [(row["name"], row["month"], row["value"], row["end"]) for row in data_of(chart, -1)]
    assert rows[:4] == [
        ("Active", "Sep 2025", 0.0, None),
        ("Active", "Oct 2025", 30.0, None),
        ("Active", "Nov 2025", 0.0, None),
        ("Active", "Dec 2025", 0.0, "done"),
    ]
    assert {row[0] for row in rows} == {"Active", "Churned"}
    assert chart.title == "Revenue, 2025-09 to 2025-12"


def test_a_month_without_a_value_is_a_gap():
    found = report_of(shop(), segments=["Active", "Loyal"])
    chart = found.plot("Average Order Value", months=("2025-09", "2025-11"))
    rows = [(row["name"], row["value"], row["end"]) for row in data_of(chart, -1)]
    assert rows == [("Active", None, None), ("Active", 30.0, "done"), ("Active", None, None)]
    nobody = report_of(shop(), segments=["Loyal"]).plot("Customer Lifetime")
    assert data_of(nobody, -1) == []


def test_bars_for_the_period_and_the_prior_one():
    found = report_of(shop(), segments=["Active", "New – 1 order"])
    chart = found.plot("Share of Revenue (all time)", mode="comparison")
    rows = data_of(chart, 0)
    assert [row["name"] for row in rows] == ["Active", "New – 1 order"]
    assert [row["shown"] for row in rows] == ["74.6%", "10.4%"]
    assert [row["prior"] for row in rows] == [0.0, 1.0]
    assert rows[1]["change"] == "-89.6% from 100.0%"
    alone = report_of(shop(), compare=None).plot("Orders", mode="comparison")
    assert {row["prior"] for row in data_of(alone, 0)} == {None}
    assert len(data_of(alone, 0)) == 9


def test_charts_name_their_brand_and_target_action():
    sizes = pa.array(["large", "large", "small", "small", "large"])
    brands = pa.array(["north", "south", "north", "south", "north"])
    orders = shop().append_column("size", sizes).append_column("brand", brands)
    columns = oc.Columns(attributes=("brand", "size"))
    history = oc.OrderHistory.build(orders, columns=columns)
    found = oc.SegmentReport.build(
        history, oc.Lifecycle().membership(history), period=PERIOD,
        brand="brand", targets={"Orders": None, "Large": "size == 'large'"},
    )  # fmt: skip
    north = {"brand": "north", "target": "Large"}
    drawn = found.plot("Revenue", mode="comparison", **north)
    beside = "beside 2024-10 to 2024-12"
    said = "Revenue, brand north, target action Large, 2025-10 to 2025-12"
    assert drawn.title == f"{said}, {beside}"
    rows = found.comparison(["Revenue"], **north).to_pylist()
    assert [row["now"] for row in data_of(drawn, 0)] == [row["value"] for row in rows[:-1]]
    assert found.plot("Revenue", months=PERIOD, **north).title == said
    assert found.plot("Revenue", months=PERIOD).title == "Revenue, 2025-10 to 2025-12"
    with pytest.raises(oc.ConfigError, match="no such brand"):
        found.plot("Revenue", brand="west")


def test_pictures_are_files(tmp_path):
    """Thirty long names among them: each line is drawn, and named."""
    history = oc.OrderHistory.build(orders_of([("ann", date(2025, 10, 1), 5.0)]))
    lists = lists_of([f"a list of people whose number is {number}" for number in range(30)])
    chart = oc.SegmentReport.build(history, lists, period="2025-10").plot("Customers")
    assert len({row["slot"] for row in data_of(chart, -1)}) == 30
    chart.save(tmp_path / "x.svg")
    assert "whose number is 29" in (tmp_path / "x.svg").read_text()
    chart.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn():
    found = report_of(shop())
    with pytest.raises(oc.ConfigError, match="did you mean 'Revenue'"):
        found.plot("Revenu")
    with pytest.raises(oc.ConfigError, match="choose from 'comparison', 'dynamics'"):
        found.plot("Revenue", mode="bars")
    with pytest.raises(oc.ConfigError, match="months= chooses dynamics"):
        found.plot("Revenue", mode="comparison", months="2025-10")


def test_without_altair_one_learns_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.startswith("altair"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "ordercycle\[page\]"'):
        report_of(shop()).plot("Revenue")
