"""Pictures of the report."""

import builtins
from datetime import date

import matplotlib as mpl
import pytest
from support.reports import lists_of, orders_of, report_of, shop

import ordercycle as oc

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.text import Text


@pytest.fixture(autouse=True)
def figures():
    yield
    plt.close("all")


def test_a_line_per_segment():
    found = report_of(shop(), segments=["Active", "Churned"])
    ax = found.plot("Revenue", months=("2025-09", "2025-12"))
    assert [line.get_label() for line in ax.lines] == ["Active", "Churned"]
    assert list(ax.lines[0].get_ydata()) == [0.0, 30.0, 0.0, 0.0]
    assert ax.get_title(loc="left") == "Revenue, 2025-09 to 2025-12"
    assert ax.get_ylabel() == "currency"
    ax.figure.canvas.draw()
    assert ax.yaxis.get_major_formatter()(1_250_000.0) == "1,250,000"


def test_a_month_without_a_value_is_a_gap():
    found = report_of(shop(), segments=["Active", "Loyal"])
    ax = found.plot("Average Order Value", months=("2025-09", "2025-11"))
    (line,) = ax.lines  # nobody was loyal
    assert [str(value) for value in line.get_ydata()] == ["nan", "30.0", "nan"]
    assert not report_of(shop(), segments=["Loyal"]).plot("Customer Lifetime").lines


def test_bars_for_the_period_and_the_prior_one():
    found = report_of(shop(), segments=["Active", "New – 1 order"])
    _, given = plt.subplots()
    ax = found.plot("Share of Revenue (all time)", mode="comparison", ax=given)
    assert ax is given
    assert [name.get_text() for name in ax.get_yticklabels()] == list(found.segments)
    assert len(ax.patches) == 4
    assert {text.get_text() for text in ax.texts} >= {"0.0%", "100.0%"}
    ax.figure.canvas.draw()
    assert ax.yaxis_inverted()  # the first segment is on top
    alone = report_of(shop(), compare=None).plot("Orders", mode="comparison")
    assert len(alone.patches) == 9
    assert alone.get_xlabel() == "orders"


def test_a_long_title_and_the_legend_are_apart():
    ax = report_of(shop()).plot("Returning Customer Rate (last month)", mode="comparison")
    ax.figure.canvas.draw()
    title = next(one for one in ax.findobj(Text) if one.get_text().startswith("Returning"))
    assert not title.get_window_extent().overlaps(ax.get_legend().get_window_extent())


def test_thirty_lines_can_be_told_apart():
    history = oc.OrderHistory.build(orders_of([("ann", date(2025, 10, 1), 5.0)]))
    lists = lists_of([f"list {number}" for number in range(30)])
    ax = oc.SegmentReport.build(history, lists, period="2025-10").plot("Customers")
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 30


def test_what_cannot_be_drawn():
    found = report_of(shop())
    with pytest.raises(oc.ConfigError, match="did you mean 'Revenue'"):
        found.plot("Revenu")
    with pytest.raises(oc.ConfigError, match="choose from 'comparison', 'dynamics'"):
        found.plot("Revenue", mode="bars")
    with pytest.raises(oc.ConfigError, match="months= chooses dynamics"):
        found.plot("Revenue", mode="comparison", months="2025-10")


def test_without_matplotlib_one_learns_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "ordercycle\[plot\]"'):
        report_of(shop()).plot("Revenue")
