"""`ordercycle demo`: the library on real baskets, or on any number of generated orders."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ordercycle._cli.progress import watched
from ordercycle._cli.results import refuse_existing, result_option, result_writer

RESULT = Path("ordercycle-demo.parquet")
#: Generated orders and their profiles stay in memory.
MOST_CUSTOMERS = 20_000_000


@click.command()
@click.option(
    "--customers",
    type=click.IntRange(min=1, max=MOST_CUSTOMERS),
    metavar="N",
    help="Generate orders of N customers instead of reading the grocery baskets.",
)
@click.option(
    "--orders-per-customer",
    type=click.FloatRange(min=1, max=100),
    default=10.0,
    show_default=True,
    help="Generated orders: how many on average.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Generated orders: same seed, same orders.",
)
@result_option(f"Default: {RESULT}, replaced each time.")
@click.option("--overwrite", is_flag=True, help="Replace an existing --out.")
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads. Default: every core."
)
def demo(
    *,
    customers: int | None,
    orders_per_customer: float,
    seed: int,
    out: Path | None,
    overwrite: bool,
    threads: int | None,
) -> None:
    """Show it all on real grocery baskets.

    A year of baskets is read, profiled and segmented; the findings are shown on stdout, the
    profiles written to a file, and a page of the segments over time beside it. What messages
    brought is shown by channel, of an imagined shop.

    \b
    Examples:
      ordercycle demo
      ordercycle demo --customers 1000000
    """  # noqa: D301 - click's mark for "keep these lines"
    overwrite = overwrite or out is None
    out = out or RESULT
    refuse_existing(out, overwrite=overwrite)
    refuse_existing(out.with_suffix(".html"), overwrite=overwrite)
    from ordercycle._demo.output import Pace, present
    from ordercycle._demo.scenes import generated, groceries
    from ordercycle._demo.stages import LONGEST_COMPILED, Stopwatch, run
    from ordercycle._warm_up import compiling_ahead
    from ordercycle_kernels._jit import PREPARED

    with compiling_ahead(LONGEST_COMPILED, threads), watched(quiet=False) as watch:
        if customers is None:
            scene = groceries()
        else:
            scene = generated(customers, orders_per_customer=orders_per_customer, seed=seed)
        watch_and_time = Stopwatch(watch.report)
        with result_writer(out, overwrite=overwrite) as writer:
            outcome = run(scene, write=writer.write, clock=watch_and_time, threads=threads)
            watch_and_time.lap("write")
        watch_and_time.lap("write")
        page = None if outcome.page is None else out.with_suffix(".html")
        if outcome.page is not None and page is not None:
            outcome.page.save(page)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not know every sign
    present(outcome, Pace(len(PREPARED), watch_and_time.seconds), out, page)
