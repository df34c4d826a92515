"""The demonstration's words and pictures, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ordercycle._errors import counted

if TYPE_CHECKING:
    from pathlib import Path

    from ordercycle._demo.stages import Outcome

STYLES = {"New": "cyan", "At-risk": "yellow", "Churned": "red", "Inactive": "bright_black"}
HEALTHY = "green"
EIGHTHS = " ▏▎▍▌▋▊▉█"
COUNTED = {
    "read": "reading",
    "group": "grouping by customer",
    "profile": "profiles",
    "segment": "segments",
}
MILLION = 1_000_000
MILLISECONDS_BELOW = 1.0  # seconds; below it, times are shown in milliseconds


class Pace(NamedTuple):
    """How many kernels were prepared, and seconds by stage."""

    kernels: int
    seconds: dict[str, float]


def present(
    outcome: Outcome,
    pace: Pace,
    out: Path,
    page: Path | None = None,
    console: Console | None = None,
) -> None:
    """Print the whole story; page: where the dashboard is."""
    console = console or Console(highlight=False)
    for part in (
        _title(outcome),
        _read(outcome),
        _segments(outcome, console),
        _meanings(outcome),
        _samples(outcome),
        _channels(outcome),
        _speed(outcome, pace),
        _result(outcome, out, page),
    ):
        console.print(part)


def _style(segment: str) -> str:
    return STYLES.get(segment.split(" ", maxsplit=1)[0], HEALTHY)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _open_table() -> Table:
    """Return a table without frame; its columns stand one blank apart to fit 80 columns."""
    return Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, header_style="dim")


def _indented(part: Any) -> Padding:
    return Padding(part, (0, 0, 0, 1), expand=False)


def _title(outcome: Outcome) -> Panel:
    scene = outcome.scene
    return Panel(
        Text.assemble((scene.title, "bold"), "\n", scene.about),
        title="ordercycle demo",
        title_align="left",
        box=box.ROUNDED,
    )


def _read(outcome: Outcome) -> Group:
    scene, summary = outcome.scene, outcome.summary
    rows = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    rows.add_column(justify="right")
    rows.add_column()
    rows.add_row(f"{summary.rows:,}", f"{scene.rows_are} read")
    rows.add_row(f"{summary.orders:,}", f"orders, {summary.first_day} to {summary.last_day}")
    rows.add_row(f"{summary.customers:,}", scene.customers_are)
    rows.add_row(f"{summary.refunds:,}", "refunds: they lower the revenue and are no orders")
    rows.add_row(f"{summary.anonymous:,}", f"{scene.rows_are} without a customer: dropped")
    return Group(_heading("What was read, and what was dropped"), _indented(rows))


def _bar(share: float, console: Console) -> str:
    cells = _bar_cells(console)
    if console.options.ascii_only:
        return "#" * round(share * cells)
    full, rest = divmod(round(share * cells * 8), 8)
    tip = EIGHTHS[rest] if rest else ""
    # A segment with anyone in it shows at least a sliver.
    return ("█" * full + tip) or (EIGHTHS[1] if share > 0 else "")


def _bar_cells(console: Console) -> int:
    return min(24, max(6, (console.width - 60) // 2))


def _segments(outcome: Outcome, console: Console) -> Group:
    customers = sum(segment.customers for segment in outcome.segments)
    revenue = sum(segment.revenue for segment in outcome.segments)
    table = _open_table()
    table.add_column("Segment", no_wrap=True)
    table.add_column(outcome.scene.customers_are.capitalize(), justify="right", no_wrap=True)
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("", width=_bar_cells(console), no_wrap=True)
    table.add_column("Revenue", justify="right", no_wrap=True)
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("", width=_bar_cells(console), no_wrap=True)
    for segment in outcome.segments:
        of_customers = segment.customers / customers if customers else 0.0
        of_revenue = segment.revenue / revenue if revenue > 0 else 0.0
        style = _style(segment.name)
        table.add_row(
            Text(segment.name, style=style if segment.customers else "bright_black"),
            f"{segment.customers:,}",
            f"{of_customers:.1%}",
            Text(_bar(of_customers, console), style=style),
            _money(segment.revenue, outcome),
            f"{of_revenue:.1%}",
            Text(_bar(of_revenue, console), style=style),
        )
    table.add_section()
    total = _money(revenue, outcome)
    table.add_row("All customers", f"{customers:,}", "", "", total, "", "", style="bold")
    return Group(_heading(f"Lifecycle segments as of {outcome.as_of}"), _indented(table))


def _meanings(outcome: Outcome) -> Padding:
    days = outcome.thresholds
    lines = Text(style="dim")
    lines.append(f"New: registered in the last {days.new_days} days. ")
    lines.append(
        f"Promising, Active, Loyal: 1, 2, 3 or more orders, the last within {days.active_days} "
        f"days. At-risk: silent for longer. Churned: silent for more than {days.churned_days} "
        "days. Inactive: never ordered.\n"
    )
    lines.append(f'Thresholds: preset "{outcome.preset}", {days.source}')
    return Padding(lines, (1, 0, 0, 1), expand=False)


def _samples(outcome: Outcome) -> Group:
    table = _open_table()
    table.add_column("\nSegment", no_wrap=True)
    for heading in (
        "\nCustomer",
        "\nOrders",
        "\nRevenue",
        "Typical\ngap",
        "Silent\nfor",
        "Missed\ncycles",
        "Next order\nexpected",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for segment in outcome.segments:
        row = outcome.samples.get(segment.name)
        if row is not None:
            table.add_row(
                Text(segment.name, style=_style(segment.name)),
                str(row["customer_id"]),
                f"{row['orders']:,}",
                _money(row["revenue"], outcome),
                _shown(row["gap_median"], "{:.0f} d"),
                _shown(row["days_since_last_order"], "{} d"),
                _shown(row["missed_purchase_cycles"], "{:.1f}"),
                _shown(row["next_order_expected_on"], "{}"),
            )
    return Group(_heading("One customer of each"), _indented(table))


def _channels(outcome: Outcome) -> Group:
    """Show what messages brought: baskets have none, so it is of an imagined shop."""
    found = outcome.channels
    table = _open_table()
    table.add_column("Channel", no_wrap=True)
    for heading in ("Deliveries", "Orders", "Revenue", "Share of revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.rows:
        if row is found.rows[-1]:
            table.add_section()
        table.add_row(
            row.name,
            _shown(row.deliveries, "{:,.0f}"),
            _shown(row.orders, "{:,.0f}"),
            _shown(row.revenue, "{:,.0f}"),
            _shown(row.share, "{:.1%}"),
            style="bold" if row is found.rows[-1] else None,
        )
    note = Text(
        f"Generated: {found.shop}. An order may be won by a message and by a pop-up on the "
        "website: all channels count it once.",
        style="dim",
    )
    title = _heading(f"What messages brought, {found.period}")
    return Group(title, _indented(table), _indented(note))


def _shown(value: Any, pattern: str) -> str:
    return "-" if value is None else pattern.format(value)


def _money(amount: Any, outcome: Outcome) -> str:
    value = float(amount or 0)
    sign = "-" if value < 0 else ""
    return f"{sign}{outcome.scene.currency}{abs(value):,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= MILLISECONDS_BELOW else f"{value * 1000:.0f} ms"


def _speed(outcome: Outcome, pace: Pace) -> Group:
    summary, seconds = outcome.summary, pace.seconds
    total = sum(seconds.get(stage, 0.0) for stage in COUNTED)
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for stage, label in COUNTED.items():
        table.add_row(label, _seconds(seconds.get(stage, 0.0)), "")
    rates = f"{_rate(summary.rows, total)} rows, {_rate(summary.orders, total)} orders a second"
    table.add_row("together", _seconds(total), rates, style="bold")
    apart = [f"writing the result {_seconds(seconds.get('write', 0.0))}"]
    if seconds.get("generate"):
        apart.insert(0, f"generating the orders {_seconds(seconds['generate'])}")
    note = Text(
        f"Not counted: {', '.join(apart)}, preparing {pace.kernels} kernels "
        f"{_seconds(seconds.get('prepare', 0.0))} (compiled on the first run only).",
        style="dim",
    )
    return Group(_heading("How fast it went"), _indented(table), _indented(note))


def _rate(count: int, seconds: float) -> str:
    if not seconds:
        return "-"
    per_second = count / seconds
    return f"{per_second / 1e6:.1f} million" if per_second >= MILLION else f"{per_second:,.0f}"


def _page(page: Path | None) -> list[str | tuple[str, str]]:
    """Say where the dashboard is, or how to get one."""
    if page is None:
        return ['pip install "ordercycle[page]" adds a page to look at them in a browser\n\n']
    return [(str(page), "bold"), ": segments over time, in a browser\n\n"]


def _result(outcome: Outcome, out: Path, page: Path | None) -> Group:
    customers = sum(segment.customers for segment in outcome.segments)
    where = Text.assemble(
        (str(out), "bold"),
        f": {counted(customers, 'profile')}, each with its segment\n",
        *_page(page),
        "The same with orders of your own:\n",
        f"  ordercycle profile orders.parquet --as-of {outcome.as_of} --out profile.parquet\n",
        "  ordercycle segment profile.parquet --out segments.parquet",
    )
    return Group(_heading("Where the result is"), _indented(where))
