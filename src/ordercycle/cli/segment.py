"""`ordercycle segment`: give each customer of a profile a segment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle.cli.endings import OneLineError
from ordercycle.cli.results import checked_out, refuse_existing, result_writer
from ordercycle.cli.watch import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

ROWS_PER_BATCH = 131_072


@click.command()
@click.argument("profile", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--scheme",
    type=click.Choice(["lifecycle"]),
    default="lifecycle",
    show_default=True,
    help="How customers are divided.",
)
@click.option("--preset", metavar="NAME", help="Thresholds by name, such as fashion.")
@click.option("--new-days", type=click.IntRange(min=0), metavar="N", help="New until then.")
@click.option("--active-days", type=click.IntRange(min=0), metavar="N", help="Active until then.")
@click.option("--churned-days", type=click.IntRange(min=0), metavar="N", help="At-risk until then.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=checked_out,
    metavar="FILE",
    help="Result: .parquet, .arrow, .feather or .csv. Without it: CSV on stdout.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing result.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr but errors.")
def segment(  # noqa: PLR0913 - one argument per option
    *,
    profile: Path,
    scheme: str,
    preset: str | None,
    new_days: int | None,
    active_days: int | None,
    churned_days: int | None,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Give each customer of a profile a segment.

    PROFILE is a .parquet, .arrow or .feather file; the result has its columns and the segment.

    \b
    Examples:
      ordercycle segment profile.parquet --preset fashion --out segments.parquet
      ordercycle segment profile.parquet --active-days 60 --churned-days 180 > segments.csv
    """  # noqa: D301 - click's mark for "keep these lines"
    days = {"new_days": new_days, "active_days": active_days, "churned_days": churned_days}
    given = {name: value for name, value in days.items() if value is not None}
    if preset is not None and given:
        raise click.UsageError("give either --preset or days of your own, not both")
    refuse_existing(out, overwrite=overwrite)
    lifecycle = _lifecycle(preset, given)
    counts = dict.fromkeys(lifecycle.segments, 0)
    with watched(quiet=quiet) as watch, result_writer(out, overwrite=overwrite) as writer:
        for piece, total in _profile_tables(profile):
            table = lifecycle.assign(piece)
            writer.write(table)
            for found in table.column(scheme).value_counts().to_pylist():
                counts[found["values"]] += found["counts"]
            watch.report(writer.rows, total, "segment")
    if not quiet:
        for name, count in counts.items():
            click.echo(f"{name:<22}{count:>13,}", err=True)
        click.echo(f"{'all customers':<22}{writer.rows:>13,}  in {out or 'stdout'}", err=True)


def _lifecycle(preset: str | None, days: dict[str, Any]) -> Any:
    import ordercycle as oc

    if preset is None:
        return oc.Lifecycle(**days)
    return oc.Lifecycle.preset(preset)


def _profile_tables(path: Path) -> Iterator[tuple[pa.Table, int | None]]:
    """Yield the profile in pieces, each with the number of rows in all (None: unknown)."""
    import pyarrow as pa

    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet_tables(path)
        elif suffix in {".arrow", ".feather"}:
            yield from _arrow_tables(path)
        else:
            raise click.UsageError(
                f"{path} must end in .parquet, .arrow or .feather: a profile keeps its types there"
            )
    except (pa.ArrowException, OSError) as error:
        raise OneLineError(
            f"{path} cannot be read as {suffix[1:]}: {' '.join(str(error).split())}"
        ) from None


def _parquet_tables(path: Path) -> Iterator[tuple[pa.Table, int | None]]:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        if not rows:
            yield file.schema_arrow.empty_table(), 0
        for batch in file.iter_batches(ROWS_PER_BATCH):
            yield pa.Table.from_batches([batch]), rows


def _arrow_tables(path: Path) -> Iterator[tuple[pa.Table, int | None]]:
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(path)) as source:
        file = ipc.open_file(source)
        if not file.num_record_batches:
            yield file.schema.empty_table(), 0
        for number in range(file.num_record_batches):
            yield pa.Table.from_batches([file.get_batch(number)]), None
