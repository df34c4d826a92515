"""The `ordercycle` command and its subcommands.

Heavy libraries are imported by the commands that need them, so that help appears at once.
"""

from __future__ import annotations

import gc
import signal
from typing import TYPE_CHECKING, NoReturn

import click

from ordercycle._cli.attribution import attribution
from ordercycle._cli.audience import audience, sync
from ordercycle._cli.clv import clv
from ordercycle._cli.dashboard import dashboard
from ordercycle._cli.demo import demo
from ordercycle._cli.doctor import doctor
from ordercycle._cli.errors import OneLineErrors
from ordercycle._cli.experiment import experiment
from ordercycle._cli.journey import journey
from ordercycle._cli.profile import profile
from ordercycle._cli.report import report
from ordercycle._cli.segment import segment
from ordercycle._cli.warmup import warmup

if TYPE_CHECKING:
    from types import FrameType

#: What shells add to the number of the signal that ended a command.
ENDED_BY_SIGNAL = 128


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("ordercycle")
    except PackageNotFoundError:
        number = "(not installed: run from its source)"
    click.echo(f"ordercycle {number}")
    ctx.exit()


@click.group(
    cls=OneLineErrors,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    epilog="Data goes to stdout or to --out, everything else to stderr. "
    "Exit codes: 0 done, 2 wrong usage, 1 anything else.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and stop.",
)
def cli() -> None:
    """Turn an order table into customer profiles, segments and reports.

    \b
    Examples:
      ordercycle demo
      ordercycle profile orders/*.parquet --as-of 2026-11-01 --out profile.parquet
      ordercycle segment profile.parquet --preset fashion --out segments.parquet
      ordercycle report orders/*.parquet --period 2026-07:2026-09 --out report.csv
    """  # noqa: D301 - click's mark for "keep these lines"


for command in (
    demo,
    profile,
    segment,
    clv,
    attribution,
    report,
    dashboard,
    audience,
    sync,
    journey,
    experiment,
    warmup,
    doctor,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Under nohup, a closed terminal ends nothing.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminated)
    try:
        cli.main(prog_name="ordercycle")
    finally:
        # As the process ends, so does all it holds: to look for garbage there once more would take
        # a tenth of a second.
        gc.freeze()
    raise SystemExit(0)  # not reached: click exits by itself


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds the stack, so that half-written results are removed.
    raise SystemExit(ENDED_BY_SIGNAL + number)
