"""The page's script: how much there is of it, and that it writes numbers as Python does."""

import random
from importlib import resources
from itertools import product

from ordercycle._page.document import SCRIPTS
from ordercycle._page.numbers import digits, shown

ASSETS = resources.files("ordercycle._page") / "assets"
UNITS = ("share", "currency", "days", "orders", "customers")


def source(name):
    return (ASSETS / name).read_text(encoding="utf-8")


def test_the_script_stays_small():
    there = {path.name for path in ASSETS.iterdir() if path.name.endswith(".js")}
    assert there == set(SCRIPTS)
    lines = [line for name in SCRIPTS for line in source(name).splitlines()]
    assert len(lines) <= 700
    assert max(map(len, lines)) <= 190


def test_numbers_are_written_as_the_script_writes_them(browser):
    """Halves among them, and numbers that no float is."""
    rng = random.Random(4)  # noqa: S311 - nothing secret
    values = [0, 0.5, 0.05, 0.25, 2.5, 1.005, 0.125, 999.995, 1000, 1e21, 123456.785, 1 / 3]
    values += [rng.choice([1, -1]) * rng.random() * 10 ** rng.randint(-5, 18) for _ in range(300)]
    values += [rng.randint(-2000, 2000) / 16 for _ in range(100)] + [None]
    cases = list(product(UNITS, (True, False), values))
    script = f"""(cases) => {{ {source("format.js")}
        return cases.map(([unit, counts, value]) => [shown({{ unit, counts }}, value, "€"),
            value === null || digits(value, 0), value === null || exactText(value)]);
    }}"""
    page = browser.chromium.new_page()
    found = page.evaluate(script, cases)
    page.close()
    for (unit, counts, value), texts in zip(cases, found, strict=True):
        assert texts[0] == shown(unit, value, "€", counts=counts), (unit, counts, value)
        if value is not None:
            assert texts[1] == digits(value, 0), value
            assert texts[2] == repr(float(value)), value
