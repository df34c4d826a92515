"""The page of a report, in a browser: the same numbers, to the last bit."""

import io

import pytest
from support.pages import exported, numbers_of
from support.reports import random_orders, report_of

import ordercycle as oc


def page_of(report, tmp_path):
    path = tmp_path / "page.html"
    report.to_html(path)
    return path


def csv_of(report, **options):
    text = io.StringIO()
    report.to_csv(text, **options)
    return text.getvalue().encode()


@pytest.mark.parametrize("kind", ["float", "integer", "decimal"])
def test_numbers_are_those_of_python(browser, tmp_path, kind):
    """Amounts far beyond 2**53 among them, of every type."""
    report = report_of(random_orders(7, 400, kind), period=("2025-07", "2025-12"))
    with browser.open(page_of(report, tmp_path)) as page:
        assert exported(page) == csv_of(report)
        page.get_by_role("radio", name="Dynamics").check(force=True)
        assert exported(page) == csv_of(report, mode="dynamics", months=("2025-07", "2025-12"))
        page.get_by_role("radio", name="Comparison").check(force=True)
        table = report.comparison(["Revenue", "Orders"]).to_pylist()
        everybody = [row for row in table if row["segment"] == "All Customers"]
        shown = numbers_of(page, 0)[:4]
        assert shown == [
            everybody[0]["value"],
            everybody[0]["change_ratio"],
            everybody[1]["value"],
            everybody[1]["change_ratio"],
        ]


def test_any_period_of_the_cube(browser, tmp_path):
    orders = random_orders(3, 300, "integer")
    report = report_of(orders, period=("2023-01", "2025-10"), compare=None)
    wanted = [
        (("2024-03", "2024-03"), "previous_year", "same months a year earlier"),
        (("2024-11", "2025-02"), "previous_period", "months before"),
        (("2023-02", "2025-10"), None, "nothing"),
    ]
    with browser.open(page_of(report, tmp_path)) as page:
        for months, compare, label in wanted:
            page.get_by_role("button", name="Period").click()
            names = [f"{'JanFebMarAprMayJunJulAugSepOctNovDec'[3 * int(m[5:]) - 3 :][:3]} {m[:4]}"
                     for m in months]  # fmt: skip
            page.get_by_label("First month", exact=True).select_option(names[0])
            page.get_by_label("Last month", exact=True).select_option(names[1])
            page.get_by_label("Compared with", exact=True).select_option(label)
            page.keyboard.press("Escape")
            same = report_of(orders, period=months, compare=compare)
            assert exported(page) == csv_of(same)


def test_currencies_have_three_letters(tmp_path):
    report = report_of(random_orders(3, 50, "integer"))
    with pytest.raises(oc.ConfigError, match="currency='euros' is no code"):
        report.to_html(tmp_path / "x.html", currency="euros")
    assert not (tmp_path / "x.html").exists()
