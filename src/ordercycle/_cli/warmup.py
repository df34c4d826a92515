"""`ordercycle warmup`: compile every kernel ahead of the first use."""

from __future__ import annotations

import click

from ordercycle._cli.errors import OneLineError
from ordercycle._cli.progress import watched
from ordercycle._cli.results import quiet_option


@click.command()
@quiet_option
def warmup(*, quiet: bool) -> None:
    """Compile every kernel for later runs.

    Do it once while building an image, so that no worker compiles anything when it starts.

    \b
    Example:
      RUN pip install ordercycle && ordercycle warmup
    """  # noqa: D301 - click's mark for "keep these lines"
    import ordercycle as oc
    from ordercycle._errors import counted

    with watched(quiet=quiet) as watch:
        result = oc.warmup(progress=watch.report_kernel)
    if result.directory is None:
        raise OneLineError(
            "no directory is writable for compiled kernels: every process will compile them again"
        )
    if not quiet:
        click.echo(
            f"{counted(result.kernels, 'kernel')} ready in {result.seconds:.1f} s, kept in "
            f"{result.directory}",
            err=True,
        )
