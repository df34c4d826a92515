"""A browser for all tests of pages."""

import pytest
from playwright.sync_api import sync_playwright
from support.pages import Browser


@pytest.fixture(scope="session")
def browser():
    """One browser; a page of its own for each test."""
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield Browser(chromium)
        chromium.close()
