"""Journeys and experiments on a page: the numbers of their tables, and how it looks."""

from pathlib import Path

import axe_playwright_python
import pytest
from support.pages import NARROW

import ordercycle as oc
from ordercycle._dashboard.journeys import shown_experiments, shown_journeys

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
HOSTILE = "</svg><script>alert(1)</script>" + "x" * 150


@pytest.fixture(scope="module")
def history():
    data = oc.datasets.generated(400)
    return oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)


@pytest.fixture(scope="module")
def run(history):
    journey = oc.Journey(
        HOSTILE,
        oc.enters("At-risk", of="lifecycle"),
        [{"name": "hello", "action": "mail"}, {"name": HOSTILE, "action": "x", "wait_days": 9}],
        arms={"control": 30, "mail to customers, A": 30, "mail to customers, <b>B": 40},
    )
    lifecycle = oc.Lifecycle().membership(history)
    return journey.replay(history, memberships={"lifecycle": lifecycle}, as_of="2025-12-20")


@pytest.fixture(scope="module")
def result(history):
    arms = oc.Experiment("banner", {"control": 50, "banner": 50})
    return arms.measure(history, since="2025-10-01", as_of="2025-12-20", window_days=60)


def page_of(history, tmp_path, **options):
    path = tmp_path / "page.html"
    months = ("2025-11", "2025-12")
    page = oc.Dashboard.build(
        history, [oc.Lifecycle()], months=months, as_of="2025-12-20", **options
    )
    page.save(path)
    return path


@pytest.fixture(scope="module")
def page_file(history, run, result, tmp_path_factory):
    options = {"journeys": [run], "experiments": {HOSTILE: result}}
    return page_of(history, tmp_path_factory.mktemp("page"), **options)


TABLES = """tables => tables.map(table => [...table.rows].slice(1).map(row =>
    [...row.cells].map(cell => cell.dataset.value ?? cell.textContent)))"""


def tables_of(page):
    return page.locator("#journeys table").evaluate_all(TABLES)


def texts(rows, columns):
    """Return the rows of a table as cells hold them: the shortest text of a number."""
    return [["" if row[name] is None else str(row[name]) for name in columns] for row in rows]


def test_the_view_has_the_numbers_of_runs_and_results(browser, page_file, run, result):
    with browser.open(page_file, "#tab=journeys") as page:
        entries, steps, arms = tables_of(page)
        wanted = [
            *run.analytics(by="arm").to_pylist(),
            {"arm": "All", **run.analytics().to_pylist()[0]},
        ]
        assert entries == texts(wanted, wanted[0])
        funnels = [run.funnel(arm).to_pylist() for arm in run.arms[1:]]
        assert [row[0] for row in steps] == ["(triggered)", "hello", HOSTILE]
        assert [int(row[1]) for row in steps] == [
            one["reached"] + other["reached"] for one, other in zip(*funnels, strict=True)
        ]
        assert sum(int(row[1]) for row in steps) > 0
        columns = (
            *("arm", "Conversion", "Conversion %", "Conversion value", "Lift", "lift_low"),
            *("lift_high", "difference", "always_low", "always_high", "p_always"),
        )
        measured = result.to_table().to_pylist()
        assert [[row[0], *row[4:]] for row in arms] == texts(measured, columns)
        assert page.locator("#journeys .picture svg").count() == 3
        names = page.locator("#journeys .picture").all_text_contents()
        assert all(name in names[1] for name in ("control", "mail to customers…"))
        # Names that are cut to the same text are lines of their own.
        lines = page.locator("#journeys .picture").nth(1).locator('path[stroke-width="2.2"]')
        assert lines.count() == 3
        # The pictures have no colours of their own: light and dark are one drawing.
        assert "var(--series-1)" in page.locator("#journeys .picture").nth(1).inner_html()


def test_the_view_can_be_used_by_everybody(browser, page_file):
    for theme in ("light", "dark"):
        with browser.open(page_file, "#tab=journeys", theme=theme, bypass_csp=True) as page:
            page.add_script_tag(path=AXE)
            found = page.evaluate("axe.run('html')")["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.keyboard.press("Tab")
            page.get_by_role("tab", name="Report").click()
            assert not page.locator("#journeys").is_visible()


def test_no_numbers_of_few_people(browser, history, run, result, tmp_path):
    counts = {row["arm"]: row["Triggered journey"] for row in run.analytics(by="arm").to_pylist()}
    least = min(counts.values()) + 1
    path = page_of(
        history, tmp_path, journeys=[run], experiments={"banner": result}, min_customers=least
    )
    few = {name for name, count in counts.items() if count < least}
    with browser.open(path, "#tab=journeys") as page:
        entries, steps, _ = tables_of(page)
        drawn = page.locator("#journeys .picture").all_text_contents()
    assert few
    assert len(drawn) == (2 if any(row[2] for row in entries[:-1]) else 1)
    for row in entries[:-1]:
        assert (row[1] == "") == (row[0] in few)
        assert row[2] == "" or int(row[2]) == 0 or row[0][:17] in drawn[1]
    assert all(
        text == "" or int(text) in (0, *range(least, 10**6)) for row in steps for text in row[1:]
    )
    with browser.open(
        page_of(history, tmp_path, experiments={"b": result}, min_customers=10**6)
    ) as page:
        page.get_by_role("tab", name="Journeys").click()
        (arms,) = tables_of(page)
        assert {text for row in arms for text in row[2:]} == {""}
        assert page.locator("#journeys .picture").count() == 0


def test_what_follows_from_counts_of_few_people_is_left_out(run, result):
    """In arms of many as well: whatever a count that is left out would be known from."""
    left_out = 0
    for least in range(1, 60):
        (journey,) = shown_journeys([run], least)
        (experiment,) = shown_experiments({"banner": result}, least)
        drawn = {one.name for one in journey.curves}
        for arm, (entered, converted, *rest) in journey.metrics.rows:
            assert all(one is None or one == 0 or one >= least for one in (entered, converted))
            if converted is None:
                left_out += entered is not None
                assert set(rest) == {None}
                assert arm not in drawn
        few = {arm for arm, cells in experiment.arms.rows if cells[3] is None}
        for arm, (_, *counts, share, value) in (
            (arm, cells[:6]) for arm, cells in experiment.arms.rows
        ):
            assert all(one is None or one == 0 or one >= least for one in counts)
            assert arm not in few or (share, value) == (None, None)
        hidden = {"control", "banner"} if "control" in few else few
        assert all(cells[6:] == (None,) * 7 for arm, cells in experiment.arms.rows if arm in hidden)
        assert not hidden & {one.name for one in experiment.paths}
    assert left_out


def test_versions_of_a_journey_are_told_apart(history):
    steps, trigger = [{"name": "hello", "action": "mail"}], oc.enters("At-risk", of="lifecycle")
    first = oc.Journey("shop", trigger, steps, ends_on="2025-09-30")
    second = oc.Journey("shop", trigger, steps, starts_on="2025-10-01")
    other = oc.Journey("shop", trigger, steps, starts_on="2025-10-01", exit=["left_segment"])
    lifecycle = oc.Lifecycle().membership(history)
    options = {"memberships": {"lifecycle": lifecycle}, "as_of": "2025-12-20"}
    one, two, three = (journey.replay(history, **options) for journey in (first, second, other))
    names = [made.name for made in shown_journeys([one, two], 0)]
    assert names == ["shop, until 30 Sep 2025", "shop, from 1 Oct 2025"]
    assert [made.name for made in shown_journeys([two], 0)] == ["shop"]
    names = [made.name for made in shown_journeys([one, two, three], 0)]
    assert names[1:] == [f"shop, version {run.version}" for run in (two, three)]
    assert len(set(names)) == 3


def test_there_is_no_view_of_nothing_and_what_is_refused(browser, history, run, result, tmp_path):
    with browser.open(page_of(history, tmp_path)) as page:
        assert page.get_by_role("tab", name="Journeys").count() == 0
    for options, said in (
        ({"journeys": run}, "no runs of journeys"),
        ({"journeys": [result]}, "no runs of journeys"),
        ({"journeys": [run, run]}, "twice"),
        ({"experiments": [result]}, "no results by name"),
        ({"experiments": {"a": run}}, "no results by name"),
    ):
        with pytest.raises(oc.ConfigError, match=said):
            oc.Dashboard.build(history, [oc.Lifecycle()], **options)
