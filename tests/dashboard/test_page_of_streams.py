"""Channels, campaigns, brands, target actions and reach on the page: those of Python, to a bit."""

import io
import json
import random
from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement

import pyarrow as pa
import pytest
from support.pages import exported

import ordercycle as oc
from ordercycle._report.page_cells import PageCells

pytestmark = pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")

CHANNELS = ["Email", "<b>SMS</b>", "=1+1"]
CAMPAIGNS = ["spring", "</script><script>alert(1)</script>", "=A1", "عرض", "b" * 200, None]
BRANDS = ["plain", 'North, "South"', "-1"]
TARGETS = {"Orders": None, "@paid": "status == 'paid'"}
TEXTS = "channel == '<b>SMS</b>'"
FIRST = date(2026, 1, 1)
MONTHS = [f"2026-{month:02}" for month in range(1, 6)]


def touched(kind, people=60, seed=5):
    """Return orders and touches of five months, the last of which is not over."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    orders, touches = [], []
    for customer in range(people):
        for _ in range(rng.randint(1, 5)):
            at = datetime(*FIRST.timetuple()[:3], 12, tzinfo=UTC)
            at += timedelta(days=rng.randrange(141), minutes=rng.randrange(600))
            amount = rng.choice([1, 99, 2**52 + 1, 3])
            if kind == "float":
                amount = rng.choice([0.1, 1e17, 3.3, 1e-9])
            status = rng.choice(["paid", "open"])
            orders.append((customer, len(orders), at, amount, rng.choice(BRANDS), status))
            for kind_of, behind in (("delivery", 50), ("open", 40), ("click", 30)):
                if rng.random() < 0.8:
                    campaign, channel = rng.choice(CAMPAIGNS), rng.choice(CHANNELS)
                    sent = at - timedelta(hours=behind)
                    touches.append((customer, sent, kind_of, channel, campaign))
    names = ("customer_id", "order_id", "ordered_at", "amount", "brand", "status")
    columns = oc.Columns(order="order_id", instants=True, attributes=("brand", "status"))
    history = oc.OrderHistory.build(
        pa.table(dict(zip(names, map(list, zip(*orders, strict=True)), strict=True))),
        columns=columns,
    )
    names = ("customer_id", "occurred_at", "kind", "channel", "campaign")
    events = oc.EventHistory.build(
        pa.table(dict(zip(names, map(list, zip(*touches, strict=True)), strict=True))),
        columns=oc.EventColumns(attributes=("kind", "channel", "campaign")),
    )
    return history, events


def made(kind, people=60):
    """Return orders, and what they were credited to."""
    history, events = touched(kind, people)
    return history, oc.Attribution().credit(history, events)


@pytest.mark.parametrize("step", [1, -1])
def test_quantities_that_follow_from_others_come_in_any_order(monkeypatch, step):
    """One that is derived of derived ones may be met before these."""
    history, _ = touched("int")
    rows = {
        "customer_id": pa.array(range(0, 60, 2), pa.int64()),
        "valid_from": pa.array([FIRST] * 30),
        "valid_to": pa.nulls(30, pa.date32()),
    }
    members = oc.Loyalty(members=pa.table(rows))
    metrics = property(lambda cells: cells.figures.catalogue.metrics[::step])
    monkeypatch.setattr(PageCells, "metrics", metrics)
    page = oc.Dashboard.build(history, [oc.Lifecycle()], loyalty=members, as_of="2026-05-15")
    assert "order value uplift" in page._page


def csv_of(report, **options):
    text = io.StringIO()
    report.to_csv(text, **options)
    return text.getvalue().encode()


def values_of(page, table):
    """Return the names of rows, and the numbers in the first column of each."""
    return page.locator(f"{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [row.querySelector('.name').textContent,"
        " ...[...row.querySelectorAll('td')].map(cell => cell.dataset.value ?? null)])"
    )


def number(text):
    return float(text) if text else None


@pytest.fixture(scope="module", params=["integer", "float"])
def shop(request, tmp_path_factory):
    history, credited = made(request.param)
    sources = {
        "credited": credited,
        "brand": "brand",
        "targets": TARGETS,
        "metrics": [
            oc.Metric("Text orders", "orders", unit="orders", where=TEXTS),
            oc.Metric("Text reach", "recipients", unit="customers", where=TEXTS),
            oc.Metric("Buyers", "buyers", unit="customers"),
        ],
    }
    built = oc.Dashboard.build(history, [oc.Lifecycle()], as_of="2026-05-21", **sources)
    path = tmp_path_factory.mktemp("streams") / "page.html"
    built.save(path)
    membership = oc.Lifecycle().membership(history)

    def report(first, last, compare=None):
        day = "2026-05-21" if last == MONTHS[-1] else None
        return oc.SegmentReport.build(
            history, membership, period=(first, last), compare=compare, as_of=day,
            segments=list(built.report.segments), **sources,
        )  # fmt: skip

    return path, report


def address(**chosen):
    numbers = {name: 12 * int(text[:4]) + int(text[5:]) - 1 if name in ("first", "last") else text
               for name, text in chosen.items()}  # fmt: skip
    return "#" + "&".join(f"{name}={text}" for name, text in numbers.items())


def choose(page, first, last, compare):
    page.evaluate(
        "([first, last, compare]) => {"
        " for (const [id, value] of Object.entries({ first, last, compare }))"
        "   document.getElementById(id).value = value;"
        " const box = document.getElementById('first');"
        " box.dispatchEvent(new Event('change', { bubbles: true })); }",
        [*(str(12 * int(one[:4]) + int(one[5:]) - 1) for one in (first, last)), compare],
    )


def test_files_of_every_view_and_range_of_months(browser, shop):
    """All metrics, different customers among them; the last month is not over."""
    path, report = shop
    with browser.open(path) as page:
        for first, last in combinations_with_replacement(MONTHS[1:], 2):
            choose(page, first, last, "nothing")
            assert exported(page) == csv_of(report(first, last)), (first, last)
        choose(page, "2026-04", "2026-05", "previous_period")
        compared = report("2026-04", "2026-05", "previous_period")
        for brand in (None, *compared.brands):
            page.get_by_label("Brand").select_option(brand or "")
            for target in TARGETS:
                page.get_by_label("Target action").select_option(target)
                page.wait_for_timeout(50)
                assert exported(page) == csv_of(compared, brand=brand, target=target)


def test_channels_and_campaigns(browser, shop):
    path, report = shop
    compared = report("2026-04", "2026-05", "previous_period")
    channels = compared.channels("All Customers").to_pylist()
    with browser.open(path) as page:
        choose(page, "2026-04", "2026-05", "previous_period")
        page.get_by_role("button", name="Metrics").click()
        for box in page.locator("#many-metrics input").all():
            box.check()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Channels of All Customers", exact=True).click()
        names = page.locator("#table thead button").all_inner_texts()
        rows = values_of(page, "#table")
        there = dict.fromkeys(row["channel"] for row in channels)
        for place, channel in enumerate(there):
            name, *cells = rows[1 + place]
            assert name == channel
            found = {
                metric: tuple(map(number, cells[2 * at : 2 * at + 2]))
                for at, metric in enumerate(names)
            }
            for row in channels:
                if row["channel"] == channel:
                    shown = found[row["metric"]]
                    assert shown[0] == row["value"], row
            for metric in set(names) - {row["metric"] for row in channels}:
                assert found[metric] == (None, None)
        assert page.get_by_text("Channel rows show channel metrics only").is_visible()
        assert "open=row" in page.evaluate("location.hash")

        for metric in ("Revenue from Campaigns", "Orders from Campaigns"):
            page.get_by_label("Campaigns with most").select_option(label=metric)
            table = compared.top_campaigns(metric, campaigns=200, segments=30).to_pylist()
            wanted = [row for row in table if row["segment"] == "All Customers"]
            shown = values_of(page, "#campaigns-table")
            assert [(name, number(value)) for name, value, *_ in shown] == [
                (row["campaign"], row["value"]) for row in wanted
            ]
            opened = page.locator("#campaigns-table .changed")
            assert opened.count() == sum(row["open"] for row in wanted)
        best = wanted[0]["campaign"]
        page.get_by_role("button", name=f"Segments of {best}", exact=True).click()
        deeper = page.locator("#campaigns-table .deeper")
        of_best = [row for row in table if row["campaign"] == best][1:]
        assert deeper.count() == min(len(of_best), 5) + (len(of_best) > 5)
        if len(of_best) > 5:
            page.get_by_role("button", name=f"Load {len(of_best) - 5} more segments").click()
        shown = values_of(page, "#campaigns-table")[1 : 1 + len(of_best)]
        assert [(name, number(value)) for name, value, *_ in shown] == [
            (row["segment"], row["value"]) for row in of_best
        ]
        assert json.loads(page.locator("#head").inner_text())["channels"] == list(there)


def test_segments_of_rules_over_streams(browser, tmp_path):
    """Who is in them, in every month, is what the rules say of profiles as of its last day."""
    history, events = touched("integer")
    rules = oc.Rules(
        {"Often reached": "sent >= 2", "Once": "has(touches, kind == 'delivery')"},
        features={"sent": "count(touches, kind == 'delivery', last=60)"},
    )
    streams = {"touches": events}
    built = oc.Dashboard.build(history, [rules], as_of="2026-04-30", streams=streams)
    built.save(tmp_path / "x.html")
    with browser.open(tmp_path / "x.html", "#metric=TotalCustomers") as page:
        for month, day in (("2026-03", "2026-03-31"), ("2026-04", "2026-04-30")):
            table = rules.assign(history.profile(day), streams=streams, as_of=day)
            members = table[rules.name].to_pylist()
            choose(page, month, month, "nothing")
            shown = {name: number(value) for name, value in values_of(page, "#table")}
            assert shown["Often reached"] == members.count("Often reached") > 0
            assert shown["Once"] == members.count("Once")


def test_long_pages_say_what_is_not_by_channel(browser, tmp_path):
    history, credited = made("integer", people=20)
    built = oc.Dashboard.build(
        history, [oc.Lifecycle()], months=("2023-01", "2026-04"), credited=credited
    )
    built.save(tmp_path / "x.html")
    with browser.open(tmp_path / "x.html", "#open=row%20All%20Customers&metric=Recipients") as page:
        assert page.get_by_text("Of so many months, these are not counted by channel").is_visible()
