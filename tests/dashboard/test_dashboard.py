"""The dashboard: its numbers, and its views in a browser."""

import io
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import axe_playwright_python
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from support.pages import NARROW, WIDE, exported, numbers_of
from support.reports import lists_of, orders_of, random_orders, shop

import ordercycle as oc
from ordercycle._cli.app import cli

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
TABS = ("Report", "Lifecycle map", "RFM", "Cohorts")
MONTHS = [f"{date(2025, month, 1):%b} 2025" for month in range(1, 13)]
HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("x")',
    "عملاء مخلصون",
    "x" * 200,
    "a, \"b\"\n'c'",
]


@pytest.fixture(scope="module")
def history():
    data = oc.datasets.generated(400)
    return oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)


@pytest.fixture(scope="module")
def page_file(history, tmp_path_factory):
    """A page of two schemes and hostile lists, whose last month is not over."""
    path = tmp_path_factory.mktemp("page") / "segments.html"
    everybody = history.profile("2025-12-31")["customer_id"]
    lists = pa.table(
        {
            "customer_id": everybody.slice(0, len(HOSTILE)),
            "segment": HOSTILE,
            "valid_from": [date(2021, 1, 1)] * len(HOSTILE),
            "valid_to": pa.array([None] * len(HOSTILE), pa.date32()),
        }
    )
    built = oc.Dashboard.build(
        history,
        [oc.Lifecycle.preset("fashion"), oc.Rfm()],
        memberships={"lists": oc.Membership.from_table(lists)},
        as_of="2025-12-20",
        changes={"lifecycle: Loyal": ["2025-08-12"]},
        title="Shop & <b>friends</b>",
    )
    built.save(path)
    return path


def csv_of(report, **options):
    text = io.StringIO()
    report.to_csv(text, **options)
    return text.getvalue().encode()


def report_of(history, period, compare, segments, **options):
    membership = oc.Lifecycle.preset("fashion").membership(history)
    return oc.SegmentReport.build(
        history,
        {"lifecycle": membership, "rfm": oc.Rfm().membership(history, every="month")},
        period=period,
        compare=compare,
        segments=segments,
        **options,
    )


def test_a_month_that_is_not_over_is_compared_with_as_many_days(browser, page_file, history):
    chosen = ["lifecycle: Active", "lifecycle: Loyal", "rfm: Champions"]
    link = "#mode=comparison&compare={}&first={}&last={}" + "".join(f"&segment={x}" for x in chosen)
    last = 12 * 2025 + 11
    for compare, size in (("previous_year", 12), ("previous_period", 3), ("previous_period", 1)):
        first = last - size + 1
        fragment = link.format(compare, first, last)
        months = (f"{first // 12}-{first % 12 + 1:02}", "2025-12")
        same = report_of(history, months, compare, chosen, as_of="2025-12-20")
        with browser.open(page_file, fragment) as page:
            assert exported(page) == csv_of(same)
            assert page.get_by_text("Dec 2025 is not over").is_visible()


def test_charts_name_schemes_where_names_are_alike(browser, history, tmp_path):
    schemes = [oc.Lifecycle.preset("fashion"), oc.Rfm(map="ten")]
    oc.Dashboard.build(history, schemes, months=("2025-07", "2025-12")).save(tmp_path / "page.html")

    def charted(*names):
        link = "&".join(f"segment={name}&show={name}" for name in names)
        with browser.open(tmp_path / "page.html", f"#{link}") as page:
            return set(page.locator("#plot svg text").all_text_contents())

    both = charted("lifecycle: Loyal", "rfm: Loyal", "rfm: Champions")
    assert {"lifecycle: Loyal", "rfm: Loyal", "Champions"} <= both
    one = charted("lifecycle: Loyal", "lifecycle: Promising")
    assert {"Loyal", "Promising"} <= one
    assert not any("lifecycle" in text for text in one)


@pytest.mark.parametrize(
    ("metric", "tones"),
    [
        ("TotalRevenue", {("▲", "good"), ("▼", "bad")}),
        ("AverageDaysSinceLastOrderAllTime", {("▲", "bad"), ("▼", "good")}),
        ("TotalCustomers", {("▲", "flat"), ("▼", "flat")}),
        ("CustomersShare", {("▲", "flat"), ("▼", "flat")}),
    ],
)
def test_a_segment_is_not_better_for_being_large(browser, page_file, metric, tones):
    with browser.open(page_file, f"#compare=previous_period&metric={metric}") as page:
        changes = page.locator("#table tbody").evaluate(
            "body => [...body.querySelectorAll('.good, .bad, .flat')]"
            ".map(one => [one.innerText[0], one.className.split(' ').at(-1)])"
        )
    assert {(sign, tone) for sign, tone in changes if sign in "▲▼"} == tones


def test_every_control_by_its_name(browser, page_file):
    with browser.open(page_file) as page:
        assert page.get_by_role("heading", level=1).inner_text() == "Shop & <b>friends</b>"
        rows = page.locator("#table tbody tr")
        assert rows.count() == 10
        page.get_by_role("button", name="Segments").click()
        page.get_by_label("Find a segment").fill("champ")
        assert page.get_by_role("checkbox").count() == 1
        page.get_by_role("checkbox", name="rfm: Champions", exact=True).check()
        page.get_by_label("Find a segment").fill("")
        show = page.get_by_role("button", name="Show rfm: Champions in the chart", exact=True)
        assert show.get_attribute("aria-pressed") == "false"
        show.click()
        assert show.get_attribute("aria-pressed") == "true"
        page.get_by_role("button", name="Show All Customers in the chart", exact=True).click()
        assert page.locator("#live").inner_text().startswith("Six segments at most")
        page.keyboard.press("Escape")
        assert rows.count() == 11
        page.get_by_role("button", name="Metrics").click()
        page.get_by_role("checkbox", name="Missed Purchase Cycles", exact=True).check()
        page.keyboard.press("Escape")
        assert page.get_by_role("columnheader", name="Missed Purchase Cycles").is_visible()
        page.get_by_role("button", name="Revenue", exact=True).click()
        sorted_by = page.get_by_role("columnheader", name="Revenue", exact=True)
        assert sorted_by.get_attribute("aria-sort") == "descending"
        values = [float(x) for x in page.locator("#table tbody tr td:nth-child(2)").evaluate_all(
            "cells => cells.map(cell => cell.dataset.value)")[1:]]  # fmt: skip
        assert values == sorted(values, reverse=True)
        page.get_by_label("Beside it").select_option("Orders")
        assert page.locator("#plot-2 svg").is_visible()
        # The address says all of it, and another page says the same.
        link = page.evaluate("location.hash")
        before = page.locator("main").inner_text()
    with browser.open(page_file, link) as page:
        assert page.locator("main").inner_text() == before
        assert page.evaluate("location.hash") == link


def test_by_keyboard_alone(browser, page_file):
    with browser.open(page_file) as page:
        press = page.keyboard.press
        page.get_by_role("radio", name="Comparison").focus()
        press("ArrowRight")
        assert page.get_by_role("heading", name="Revenue by month").count() == 2
        page.get_by_role("button", name="Metrics").focus()
        press("Enter")
        page.get_by_role("radio", name="Orders", exact=True).focus()
        press("Space")
        press("Escape")
        assert page.evaluate("document.activeElement.textContent").startswith("Metrics")
        page.locator("#plot").focus()
        press("ArrowLeft")
        assert page.locator("#live").inner_text().startswith("Nov 2025: ")
        assert page.locator("#tip").is_visible()
        assert page.get_by_text("Conditions of lifecycle: Loyal changed").is_visible()
        page.get_by_role("tab", name="Report").focus()
        press("ArrowRight")
        assert page.get_by_role("heading", name="Who moved where").is_visible()


def test_states_that_are_empty(browser, page_file):
    with browser.open(
        page_file, "#mode=comparison&first=x&last=24287&metric=Nope&segment="
    ) as page:
        assert page.get_by_text("No segment is chosen").is_visible()
        assert page.get_by_text("No metric is chosen").is_visible()
        assert page.locator("#empty").is_visible()
    with browser.open(page_file, "#mode=nonsense&show=9%20x&tab=nowhere&segment=&sort=a") as page:
        assert page.get_by_role("radio", name="Comparison").is_checked()
    with browser.open(page_file, f"#mode=dynamics&first={12 * 2024}&last={12 * 2024 + 2}") as page:
        assert page.get_by_text("There are no prior months to compare with").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_it(browser, page_file, theme):
    """No complaint of axe in any view, and no scrolling sideways on a phone."""
    # Dark differs in colours alone.
    rules = {"runOnly": ["color-contrast"]} if theme == "dark" else {}
    with browser.open(page_file, theme=theme, bypass_csp=True) as page:
        page.add_script_tag(path=AXE)

        def complaints(within):
            found = page.evaluate(
                "([within, rules]) => axe.run(within, rules).then(found => found.violations)",
                [within, rules],
            )
            return [(one["id"], one["nodes"][0]["html"]) for one in found]

        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert complaints("html") == []
        page.get_by_role("tab", name="Report").click()
        for name in ("Period", "Segments", "Metrics", "About"):
            page.get_by_role("button", name=name).click()
            assert complaints(".panel:popover-open") == []
            page.keyboard.press("Escape")
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_charts_stay_within_their_room(browser, page_file):
    """Months in their order, also beside a mark in the middle; no text cut off, wide or narrow."""
    segments = [
        "lifecycle: Loyal",
        "lifecycle: Churned",
        *(f"lists: {one}" for one in HOSTILE[2:4]),
    ]
    chosen = "".join(f"&segment={one}&show={one}" for one in segments)
    outside = """() => [...document.querySelectorAll("#plot text, .spark text")].filter((text) => {
        const room = text.closest("svg").getBoundingClientRect();
        const inner = text.getBoundingClientRect();
        return inner.left < room.left - 1 || inner.right > room.right + 1;
    }).map((text) => text.textContent)"""
    for size in (WIDE, NARROW):
        for mode in ("comparison", "dynamics"):
            fragment = f"#mode={mode}&first={12 * 2025}&compare=previous_year{chosen}"
            with browser.open(page_file, fragment, size=size) as page:
                assert page.evaluate(outside) == []
                texts = page.locator("#plot text").all_text_contents()
        months = [text for text in texts if text.endswith(" 2025")]
        assert months[0] == "Jan 2025"
        assert months == sorted(months, key=MONTHS.index)


def test_names_stay_text_and_files_harmless(browser, page_file):
    with browser.open(page_file) as page:
        page.get_by_role("button", name="Segments").click()
        for name in HOSTILE:
            page.get_by_role("checkbox", name=f"lists: {name}").check()
            page.get_by_role("button", name=f"Show lists: {name} in the chart").click()
        page.keyboard.press("Escape")
        assert page.locator("#table").get_by_text("<script>alert(1)</script>").is_visible()
        assert page.locator("#plot svg").is_visible()
        assert b"lists: =HYPERLINK" in exported(page)
        page.emulate_media(media="print")
        assert page.locator("#printed").is_visible()
        assert not page.locator("#controls").is_visible()


def test_pages_in_print(browser, page_file):
    with browser.open(page_file) as page:
        pdf = page.pdf(prefer_css_page_size=True)
        assert 1 <= pdf.count(b"/Type /Page\n") <= 4


def test_what_the_policy_stops(browser, page_file):
    with browser.open(page_file, is_attacked=True) as page:
        stopped = page.evaluate(
            """async () => {
                const stopped = [];
                addEventListener("securitypolicyviolation", (event) =>
                    stopped.push(event.effectiveDirective));
                const script = document.createElement("script");
                const tried = [
                    () => { script.textContent = "window.ran = 1"; document.body.append(script); },
                    () => { document.body.innerHTML = "x"; },
                    () => { const image = new Image(); image.src = "https://example.com/x.png";
                            document.body.append(image); },
                ];
                for (const one of tried) { try { one(); } catch (error) { /* as it should */ } }
                await fetch("https://example.com/").catch(() => 0);
                await new Promise((done) => setTimeout(done, 200));
                return [window.ran ?? null, [...new Set(stopped)].sort()];
            }"""
        )
        assert stopped[0] is None
        assert "unsafe-eval" not in page.locator("meta[http-equiv]").get_attribute("content")
        assert {"connect-src", "img-src", "require-trusted-types-for"} <= set(stopped[1])


def test_moves_are_those_of_profiles(history):
    scheme = oc.Lifecycle.preset("fashion")
    built = oc.Dashboard.build(history, [scheme], months=("2025-09", "2025-12"))
    moves = built._shown.moves
    ends = ("2025-10-31", "2025-11-30")
    tables = [scheme.assign(history.profile(day)) for day in ends]
    expected = Counter()
    for row in oc.transition_matrix(*tables).to_pylist():
        places = [
            moves.segments.index(row[name]) if row[name] else len(moves.segments)
            for name in ("from_segment", "to_segment")
        ]
        expected[tuple(places)] += row["customers"]
    counted = {
        (start, stop): size
        for start, line in enumerate(moves.counts[1])
        for stop, size in enumerate(line)
        if size
    }
    assert counted == expected


@pytest.mark.parametrize("kind", ["float", "integer"])
def test_cohorts_are_those_of_plain_python(kind):
    orders = random_orders(5, 200, kind)
    history = oc.OrderHistory.build(orders)
    built = oc.Dashboard.build(history, [oc.Lifecycle()], months=("2023-01", "2025-10"))
    found = built._shown.cohorts
    first, later = {}, defaultdict(Counter)
    for row in orders.sort_by("ordered_at").to_pylist():
        month = 12 * row["ordered_at"].year + row["ordered_at"].month - 1
        if row["amount"] >= 0:
            first.setdefault(row["customer_id"], month)
            later[first[row["customer_id"]]][month, row["customer_id"]] += 1
    for row, month in enumerate(found.months):
        people = {one for one, begun in first.items() if begun == month}
        assert found.sizes[row] == len(people)
        for after, share in enumerate(found.values["Buyers who came back"][row], start=1):
            back = [one for at, one in later[month] if at == month + after]
            is_over = month + after <= 12 * 2025 + 9
            assert share == (len(back) / len(people) if people and is_over else None)


def test_the_grid_counts_everybody_with_scores(history):
    grid = oc.Dashboard.build(history, [oc.Rfm()])._shown.grid
    buyers = sum(count > 0 for count in history.profile("2025-12-31")["orders"].to_pylist())
    assert sum(value or 0 for row in grid.values["Customers"] for value in row) == buyers
    profile = history.profile("2025-12-31")
    revenues: dict = {}
    for row in oc.Rfm().fit(profile).assign(profile).to_pylist():
        if row["recency_score"] is not None:
            cell = 5 - row["frequency_score"], row["recency_score"] - 1
            revenues.setdefault(cell, []).append(row["revenue"])
    for row, values in enumerate(grid.values["Revenue (all time)"]):
        for column, value in enumerate(values):
            own = revenues.get((row, column))
            assert value == (None if own is None else float(sum(map(Fraction, own))))


@pytest.mark.parametrize("amount", [2**62, Decimal(6 * 10**37)], ids=["int64", "decimal128"])
def test_the_revenue_of_a_cell_may_be_beyond_its_type(amount):
    day = [date(2025, 1, 5)] * 3
    orders = pa.table({"customer_id": [1, 2, 3], "ordered_at": day, "amount": [amount] * 3})
    grid = oc.Dashboard.build(oc.OrderHistory.build(orders), [oc.Rfm()])._shown.grid
    assert grid.values["Revenue (all time)"][4][4] == float(3 * amount)


def test_segments_of_few_people_are_merged():
    people = [(f"c{n}", date(2025, n % 9 + 1, 3), 10.0) for n in range(30)]
    history = oc.OrderHistory.build(orders_of(people))
    lists = {"customer_id": [f"c{n}" for n in (*range(20), 3, 4, 4, 5)]}
    lists["segment"] = ["many"] * 20 + ["few"] * 2 + ["fewer"] * 2
    lists["valid_from"] = [date(2025, 1, 1)] * 24
    lists["valid_to"] = pa.array([None] * 24, pa.date32())
    members = oc.Membership.from_table(pa.table(lists))
    built = oc.Dashboard.build(
        history, [], memberships={"lists": members}, min_customers=5, as_of="2025-09-30"
    )
    assert built.report.segments == ("many", "Other")
    table = built.report.comparison(["Customers", "Revenue"]).to_pylist()
    values = {(row["segment"], row["metric"]): row["value"] for row in table}
    # c4 is in both of the small ones, and counts once.
    assert values["Other", "Customers"] == 3
    assert values["many", "Customers"] == 20
    assert values["All Customers", "Revenue"] == 300


def test_few_people_show_no_numbers(browser, tmp_path):
    people = [(f"c{n}", date(2025, n % 9 + 1, 3), 10.0) for n in range(30)]
    history = oc.OrderHistory.build(orders_of(people))
    built = oc.Dashboard.build(history, [oc.Lifecycle()], min_customers=5, as_of="2025-09-30")
    built.save(tmp_path / "x.html")
    with browser.open(tmp_path / "x.html") as page:
        for row in page.locator("#table tbody tr").all()[1:]:
            customers = row.locator("td.value").all()[3].get_attribute("data-value")
            assert customers == "" or float(customers) >= 5


def test_what_cannot_be_built(history):
    lifecycle = oc.Lifecycle()
    with pytest.raises(oc.ConfigError, match="are empty"):
        oc.Dashboard.build(history, [])
    with pytest.raises(oc.ConfigError, match="which is no scheme"):
        oc.Dashboard.build(history, ["lifecycle"])
    with pytest.raises(oc.ConfigError, match="two memberships are called 'lifecycle'"):
        oc.Dashboard.build(history, [lifecycle, lifecycle])
    with pytest.raises(oc.ConfigError, match="did you mean 'Loyal'"):
        oc.Dashboard.build(history, [lifecycle], changes={"Loyall": "2025-01-01"})
    members = lists_of([f"list {number}" for number in range(31)])
    with pytest.raises(oc.ConfigError, match="30 segments at most"):
        oc.Dashboard.build(history, [lifecycle], memberships={"lists": members})
    with pytest.raises(oc.ConfigError, match="min_customers='5' is no number"):
        oc.Dashboard.build(history, [lifecycle], min_customers="5")
    empty = oc.OrderHistory.build(shop().slice(0, 0))
    with pytest.raises(oc.ConfigError, match="the history has nobody"):
        oc.Dashboard.build(empty, [lifecycle])


def test_one_month_and_nobody(browser, tmp_path):
    history = oc.OrderHistory.build(orders_of([("ann", date(2025, 10, 3), 9.5)]))
    built = oc.Dashboard.build(history, [oc.Lifecycle()], months="2025-10", as_of="2025-10-31")
    built.save(tmp_path / "x.html")
    with browser.open(tmp_path / "x.html") as page:
        assert page.get_by_role("tab").count() == 1
        assert page.get_by_text("There are no prior months").is_visible()
        page.get_by_role("button", name="Metrics").click()
        unknown = "channels and campaigns, subscribers, members of a loyalty program"
        assert page.get_by_text(f"nothing is known of them: {unknown}").is_visible()
    assert 'sandbox="allow-scripts allow-downloads"' in built._repr_html_()


def test_orders_without_amounts(browser, tmp_path):
    """No money anywhere: neither in a view, nor in what may be chosen, nor in the file."""
    orders = random_orders(5, 200, "integer").drop_columns("amount")
    history = oc.OrderHistory.build(orders, columns=oc.Columns(amount=None))
    built = oc.Dashboard.build(
        history, [oc.Lifecycle()], months=("2025-09", "2025-10"), as_of="2025-10-31"
    )
    built.save(tmp_path / "x.html")
    months = f"#compare=nothing&first={12 * 2025 + 8}&last={12 * 2025 + 9}"
    with browser.open(tmp_path / "x.html", months) as page:
        shown = page.locator("main, #controls").all_text_contents()
        assert not [text for text in shown if "Revenue" in text or "Order Value" in text]
        assert "€" not in page.locator("body").inner_text()
        heads = page.locator("#table thead th").all_inner_texts()
        table = built.report.comparison(["Orders", "Customers"]).to_pylist()
        everybody = [row["value"] for row in table if row["segment"] == "All Customers"]
        assert everybody[0] > 0
        assert heads[1:3] == ["Orders", "Customers"]
        assert numbers_of(page, 0)[:2] == everybody
        assert page.locator("#plot svg").count() == 1
        lines = exported(page).decode().splitlines()
        assert len(lines) > 1
        assert not any("Revenue" in line for line in lines)
        page.get_by_role("tab", name="Cohorts").click()
        assert page.locator("#cohorts table").first.is_visible()


def test_the_command(shop, browser):
    result = CliRunner().invoke(
        cli,
        ["dashboard", "orders.parquet", "--scheme", "lifecycle", "--out", "x.html",
         "--as-of", "2026-06-30", "--title", "Mine", "--amounts-in", "usd"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with browser.open(shop / "x.html") as page:
        assert page.get_by_role("heading", name="Mine").is_visible()
    again = ["dashboard", "orders.parquet", "--scheme", "lifecycle", "--out", "x.html"]
    assert CliRunner().invoke(cli, again).exit_code == 1
    assert CliRunner().invoke(cli, [*again[:-1], "x.pdf"]).exit_code == 2


def test_the_command_with_touches_brands_and_targets(tmp_path, monkeypatch, browser):
    monkeypatch.chdir(tmp_path)
    data = oc.datasets.generated(60, touches=True)
    shops = pa.array([("north", "south")[n % 2] for n in range(data.orders.num_rows)])
    pq.write_table(data.orders.append_column("shop", shops), "orders.parquet")
    pq.write_table(data.touches(), "touches.parquet")
    result = CliRunner().invoke(
        cli,
        ["dashboard", "orders.parquet", "--scheme", "lifecycle", "--out", "x.html", "--quiet",
         "--order", "order_id", "--touches", "touches.parquet", "--attribute", "shop",
         "--brand", "shop", "--target", "Orders", "--target", "Large=amount > 50"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with browser.open(tmp_path / "x.html") as page:
        page.get_by_label("Brand").select_option("south")
        page.get_by_label("Target action").select_option("Large")
        assert page.get_by_role("heading", name="Top campaigns").is_visible()
        page.get_by_role("button", name="Channels of All Customers", exact=True).click()
        lines = exported(page).decode().splitlines()
        assert all(",south,Large," in line for line in lines[1:])
