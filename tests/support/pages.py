"""Pages in a browser that must not ask a network for anything."""

from contextlib import contextmanager

import pyarrow as pa

WIDE, NARROW = (1280, 900), (390, 844)


class Browser:
    """Opens pages, and sees what they ask for and complain about."""

    def __init__(self, chromium):
        self.chromium = chromium

    @contextmanager
    def open(self, path, fragment="", *, size=WIDE, theme="light", is_attacked=False, **options):
        """Open a file, drawn; afterwards it has asked for nothing and complained of nothing."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            accept_downloads=True,
            **options,
        )
        page = context.new_page()
        page.set_default_timeout(15_000)
        asked, complaints = [], []
        page.on("request", lambda one: asked.append(one.url))
        page.on("console", lambda one: complaints.append(one.text))
        page.on("pageerror", lambda one: complaints.append(str(one)))
        page.goto(f"file://{path}{fragment}")
        page.wait_for_selector("html[data-ready]", state="attached")
        yield page
        outside = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
        if not is_attacked:
            assert outside == []
            assert complaints == []
        context.close()


def numbers_of(page, row):
    """Return the numbers of a row of the table of metrics, as they are meant: None undefined."""
    cells = page.locator(f"#table tbody tr >> nth={row}").locator("td")
    texts = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
    return [float(text) if text else None for text in texts]


def exported(page):
    """Return the bytes of the file that the page exports."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export .csv").click()
    with open(waiting.value.path(), "rb") as file:
        return file.read()


def named_orders(names, amounts, days):
    """Return orders of customers with amounts of any type."""
    return pa.table({"customer_id": names, "ordered_at": days, "amount": amounts})
