"""How large a page is, and how fast it is drawn: `python benchmarks/page_size.py`, needs Chromium.

Of numbers as a large shop has them: 30 segments, 60 months, every metric, 8 channels and 200
campaigns, of which a share is always on and the others are sent in two months.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ordercycle._months import Months
from ordercycle._page.content import (
    Campaign,
    Content,
    Numbers,
    ShownMetric,
    ShownMonth,
    ShownSegment,
    Slice,
)
from ordercycle._page.document import document
from ordercycle._report.export import PLACE
from ordercycle._report.metrics import COUNTED, METRICS, Metric
from ordercycle._report.quantities import (
    CHANNEL,
    DISTINCT,
    REACHED,
    SO_FAR,
    Quantity,
    base_quantities,
    derived_of,
)

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

SEGMENTS, MONTHS, CHANNELS, CAMPAIGNS = 30, 60, 8, 200
LAST = 12 * 2025 + 11
#: What a change of the period is measured with: as many times.
CHANGES = 25


def is_by_campaign(metric: Metric) -> bool:
    """Return whether a page has a metric by campaign."""
    above = [one for name in metric.numerator for one in base_quantities(name)]
    return all(one.campaigns for one in above) and not any(
        one.campaigns == REACHED or one.over == DISTINCT for one in parts_of(metric)
    )


def is_by_channel(metric: Metric) -> bool:
    """Return whether a page of so many months has a metric by channel."""
    return CHANNEL in metric.grains and not any(one.over == DISTINCT for one in parts_of(metric))


def parts_of(metric: Metric) -> list[Quantity]:
    """Return the quantities that a metric adds up."""
    return [one for name in metric.parts for one in base_quantities(name)]


def content(always_on: float) -> Content:
    """Return a page of generated numbers; always_on: which share of campaigns has every month."""
    rng = np.random.default_rng(7)
    quantities = {one.name: one for metric in METRICS for one in parts_of(metric)}
    rows = SEGMENTS + 1
    sizes = np.geomspace(1, 0.01, SEGMENTS)
    sizes = np.append(sizes, sizes.sum())[:, None]

    def table(name: str, share: float) -> np.ndarray:
        one = quantities[name]
        most = 5e7 if one.is_sum else 2e5
        if one.over == DISTINCT:
            made = np.zeros((rows, MONTHS, MONTHS), np.int64)
            for month in range(MONTHS):
                behind = 0.5 ** np.arange(month + 1)[::-1]
                made[:, month, : month + 1] = rng.poisson(1e4 * share * sizes * behind)
            return made
        made = rng.poisson(most * share * sizes, (rows, MONTHS))
        return made.cumsum(axis=1) if one.over == SO_FAR else made

    by_channel = {one.name for metric in filter(is_by_channel, METRICS) for one in parts_of(metric)}
    of_campaign = (one for metric in filter(is_by_campaign, METRICS) for one in parts_of(metric))
    of_channels = sorted(name for name in by_channel if CHANNEL in quantities[name].grains)
    of_campaigns = sorted({one.name for one in of_campaign if one.campaigns})
    cells = {"": {name: table(name, 1) for name in quantities}}
    for channel in range(CHANNELS):
        cells[f"c{channel}"] = {name: table(name, 0.1) for name in of_channels}
    for campaign in range(CAMPAIGNS):
        its = {name: table(name, 0.001) for name in of_campaigns}
        if campaign >= always_on * CAMPAIGNS:
            start = int(rng.integers(0, MONTHS - 1))
            for one in its.values():
                one[:, :start] = one[:, start + 2 :] = 0
        cells[f"m{campaign}"] = its
    derived = {name: found.terms for metric in METRICS for name in metric.parts
               if (found := derived_of(name))}  # fmt: skip
    grains = {name: "c" * (name in of_channels) + "m" * (name in of_campaigns)
              for name in quantities}  # fmt: skip
    months = Months(LAST - MONTHS + 1, LAST)
    return Content(
        title="Segments", currency="EUR", as_of=date(2025, 12, 31), is_partial=False,
        months=tuple(ShownMonth(one.first, one.last_day) for one in months.each()),
        segments=tuple(ShownSegment(f"Segment {n}", f"Segment {n}") for n in range(SEGMENTS)),
        all_customers="All Customers",
        metrics=tuple(
            ShownMetric(
                one.name, one.export, one.unit, one.unit in COUNTED and not one.denominator,
                one.scope, one.numerator, one.denominator, one.of_all, (1, 1), one.doc,
                channels=is_by_channel(one), campaigns=is_by_campaign(one),
            )
            for one in METRICS
        ),
        numbers=Numbers({name: one.over for name, one in quantities.items()}, derived, grains),
        slices=(Slice(None, "Orders", cells, None),),
        first=LAST - 11, last=LAST, compare="previous_year", place=PLACE,
        channels=tuple(f"Channel {n}" for n in range(CHANNELS)),
        campaigns=tuple(Campaign(f"Campaign {n}") for n in range(CAMPAIGNS)),
    )  # fmt: skip


#: What waits until a change is painted.
CHANGE = """
async (at) => {
  const box = document.getElementById("first");
  box.selectedIndex = at;
  const start = performance.now();
  box.dispatchEvent(new Event("change", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}
"""


def measure(path: Path, chromium: str) -> tuple[float, float, float, float]:
    """Return seconds until a page is drawn, and milliseconds until a change of months is.

    Each by the clock, and by what the page's own thread took of a processor.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        drawn, busy = [], []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            watch = page.context.new_cdp_session(page)
            watch.send("Performance.enable", {"timeDomain": "threadTicks"})
            start = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            drawn.append(time.perf_counter() - start)
            busy.append(processor_time(watch))
        times, processor = [], [processor_time(watch)]
        for at in range(CHANGES):
            times.append(page.evaluate(CHANGE, 1 + 3 * at % 40))
            processor.append(processor_time(watch))
        browser.close()
    steps = [1000 * (end - start) for start, end in pairwise(processor)]
    drawing, drawing_busy = statistics.median(drawn), statistics.median(busy)
    return drawing, drawing_busy, statistics.median(times), statistics.median(steps)


def processor_time(watch: CDPSession) -> float:
    """Return the seconds that the page's thread was at work."""
    found = watch.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in found if one["name"] == "TaskDuration")


def main() -> None:
    """Print what was measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = options.parse_args()
    print("campaigns always on  file, MB  drawn, s (thread)  months changed, ms (thread)")
    with tempfile.TemporaryDirectory() as folder:
        for share in (0.15, 1.0):
            path = Path(folder) / "page.html"
            path.write_text(document(content(share)))
            drawn, busy, changed, step = measure(path, chosen.chromium)
            size = path.stat().st_size / 1e6
            print(f"{share:19.0%}  {size:8.2f}  {drawn:8.2f} ({busy:.2f})", end="")
            print(f"  {changed:18.0f} ({step:.0f})")


if __name__ == "__main__":
    main()
