"""`ordercycle segment`: give each customer of a profile a segment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ordercycle._cli.errors import say
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.profile_rows import ProfileRows
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    harmless_option,
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)
from ordercycle._cli.schemes import SchemeCommand, scheme_option
from ordercycle._cli.stream_files import missing_option, opened
from ordercycle._cli.value_options import MODELS, given_options, looking_ahead, model_or_file
from ordercycle._errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from ordercycle import Clv
    from ordercycle._cli.progress import Watch
    from ordercycle._cli.stream_files import StreamTable
    from ordercycle._segments.counting_rounds import Cells, Round
    from ordercycle._segments.customer_features import StreamsAsOf
    from ordercycle._segments.fittable import Fittable
    from ordercycle._segments.recalculation import Assigning
    from ordercycle._segments.scheme import Scheme
    from ordercycle._workspace import Workers

    Command = TypeVar("Command", bound=Callable[..., Any])
    F = TypeVar("F", bound=Fittable)

NAME_WIDTH = 22


def _checked_toml(_ctx: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() != ".toml":
        raise click.BadParameter(f"{str(value)!r} must end in .toml")
    return value


def save_scheme_option(text: str) -> Callable[[Command], Command]:
    """Return ``--save-scheme``, with a help text."""
    return click.option(
        "--save-scheme",
        type=DiskPath(),
        callback=_checked_toml,
        metavar="FILE",
        help=text,
    )


@click.command(cls=SchemeCommand)
@click.argument(
    "profile", type=DiskPath(is_read=True, exists=True, dir_okay=False, allow_dash=True)
)
@scheme_option
@click.option(
    "--as", "column", metavar="COLUMN", help="The column that the rules of a file add, not tier."
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="The day of the profile, for rules over streams. Default: as the profile says.",
)
@click.option(
    "--next",
    "with_next",
    is_flag=True,
    help="Add next_segment and next_segment_on: what comes if nothing more is bought.",
)
@missing_option
@click.option(
    "--clv",
    callback=model_or_file,
    metavar=f"[{'|'.join(MODELS)}|FILE]",
    help="Add what a model of value foretells, fitted to the profile or from a .toml file that "
    "`ordercycle clv` saved; value_lists takes it.",
)
@looking_ahead
@result_option("Without it: CSV on stdout.")
@save_scheme_option("Keep the scheme with what was fitted, as a .toml file for --scheme.")
@overwrite_option
@harmless_option
@quiet_option
def segment(  # noqa: PLR0913 - one argument per option
    *,
    profile: Path,
    schemes: list[Scheme],
    streams: dict[str, StreamTable],
    column: str | None,
    as_of: datetime | None,
    missing: str,
    with_next: bool,
    clv: str | Path | None,
    horizon_days: int | None,
    discount_rate: float | None,
    out: Path | None,
    save_scheme: Path | None,
    overwrite: bool,
    harmless: bool,
    quiet: bool,
) -> None:
    """Give each customer of a profile a segment.

    PROFILE is a file that `ordercycle profile` wrote, or - for CSV, Parquet or Arrow on stdin; it
    may have been through other programs meanwhile. The result has its columns and the segments.
    rfm and cadence are fitted to the profile, which is read more than once for it; a scheme that
    was saved is used as it is.

    \b
    Examples:
      ordercycle segment profile.parquet --preset fashion --out segments.parquet
      ordercycle segment profile.parquet --scheme rfm --save-scheme rfm.toml --out rfm.parquet
      ordercycle segment profile.parquet --scheme rfm --scheme tiers.toml > tiers.csv
      ordercycle segment profile.parquet --clv auto --scheme value_lists --out lists.parquet
      ordercycle profile orders.csv --as-of 2026-11-01 | ordercycle segment - --scheme rfm
    \b
    tiers.toml:
      scheme = "rules"
      [rules]
      VIP = "rfm == 'Champions' and revenue > 500"
      Sleeper = "missed_purchase_cycles > 2"
    \b
    ink.toml, whose rules read the lines of orders as well:
      scheme = "rules"
      [features]
      ink = "days_since(lines, category == 'ink')"
      [rules]
      "Needs ink" = "has(lines, category == 'printer') and ink > 90"
      [streams.lines]
      path = "lines.parquet"
      columns = { attributes = ["category"], values = ["amount"] }
    """  # noqa: D301 - click's mark for "keep these lines"
    if column is not None:
        schemes = _with_column(schemes, column)
    if save_scheme is not None and len(schemes) != 1:
        raise click.UsageError("--save-scheme keeps a single scheme; give one --scheme")
    foretelling = [place for place, scheme in enumerate(schemes) if scheme.foretells]
    if with_next and len(foretelling) != 1:
        raise click.UsageError(
            "--next needs one --scheme that time alone changes, such as lifecycle or cadence"
        )
    model, schemes = _with_model(
        schemes, given_options(model=clv, horizon_days=horizon_days, discount_rate=discount_rate)
    )
    refuse_existing(out, overwrite=overwrite)
    refuse_existing(save_scheme, overwrite=overwrite, flag="--save-scheme")
    from ordercycle._workspace import Workers, thread_count

    with watched(quiet=quiet) as watch, Workers(thread_count(None)) as workers:
        file = ProfileRows.of(profile)
        source = _source(file, schemes, streams, as_of, missing, watch)
        work = Segmenting(file, workers, source).after(model)
        fitted = work.fitted(schemes)
        steps = work.steps(fitted)
        if with_next:
            steps.append(partial(_with_next, fitted[foretelling[0]]))
        counts = SegmentCounts(fitted)
        named = [*(scheme.name for scheme in schemes), *_features(schemes), "next_segment"]
        with result_writer(
            out, overwrite=overwrite, harmless=None if harmless else named
        ) as writer:
            total = file.count()
            for table in work.tables(steps):
                writer.write(table)
                counts.add(table)
                watch.report(writer.rows, total, "segment")
        if save_scheme is not None:
            from ordercycle._cli.scheme_files import write_scheme

            write_scheme(save_scheme, fitted[0], streams)
        if not quiet:
            counts.report(writer.rows, out)
            for line in work.findings(fitted, counts):
                say(line)


def _with_column(schemes: Sequence[Scheme], column: str) -> list[Scheme]:
    """Let the one scheme whose column can be chosen add a column of that name."""
    from ordercycle._segments.fittable import with_options

    options = [scheme.column_option for scheme in schemes]
    if len(schemes) - options.count(None) != 1:
        raise click.UsageError("--as names the column of rules; give one --scheme file with rules")
    return [
        scheme if option is None else with_options(scheme, **{option: column})
        for scheme, option in zip(schemes, options, strict=True)
    ]


def _with_model(
    schemes: Sequence[Scheme], given: dict[str, Any]
) -> tuple[Clv | None, list[Scheme]]:
    """Return the model of value that was asked for, and schemes, which get it if they lack one."""
    import ordercycle as oc
    from ordercycle._cli.scheme_files import read_model
    from ordercycle._segments.value.lists import lacks_model, with_model

    if given and "model" not in given and not any(map(lacks_model, schemes)):
        flag = "--" + next(iter(given)).replace("_", "-")
        raise click.UsageError(f"{flag} is of --clv, or of --scheme value_lists")
    if isinstance(given.get("model"), Path):
        model = read_model(given["model"], {name: given[name] for name in given if name != "model"})
    else:
        model = oc.Clv(**given)
    held = [with_model(scheme, model) for scheme in schemes]
    return (model if "model" in given else None), held


def _source(
    file: ProfileRows,
    schemes: Sequence[Scheme],
    streams: Mapping[str, StreamTable],
    as_of: datetime | None,
    missing: str,
    watch: Watch,
) -> StreamsAsOf | None:
    """Return the streams that schemes read, as of the day of the profile; None: they read none."""
    wanted = [name for scheme in schemes for name in scheme.reads_streams]
    if not wanted:
        if as_of is not None:
            raise click.UsageError("--as-of is for rules over streams; leave it out")
        return None
    from ordercycle._segments.customer_features import StreamsAsOf

    day = file.as_of(None if as_of is None else as_of.date())
    return StreamsAsOf.of(opened(streams, wanted, watch), day, missing)


def _features(schemes: Sequence[Scheme]) -> list[str]:
    """Return the names of the columns that schemes add beside their segments."""
    return [name for scheme in schemes for name in scheme.features]


def _foretold(model: Clv, table: pa.Table, threads: int | None) -> pa.Table:
    return model.assign(table, threads=threads)


def _with_next(scheme: Scheme, table: pa.Table, threads: int | None) -> pa.Table:
    return scheme.next_transition(table, threads=threads)


@dataclass(frozen=True)
class Segmenting:
    """Work on a profile that is read once for each pass, by several threads.

    source: the streams that schemes read, if they do; models: of value, assigned first.
    """

    file: ProfileRows
    workers: Workers
    source: StreamsAsOf | None
    models: tuple[Clv, ...] = ()

    def after(self, model: Clv | None) -> Segmenting:
        """Return the work after a model of value, if any, fitted to the profile unless it was."""
        if model is None:
            return self
        return replace(self, models=(model if model.is_fitted else self._fitted(model, []),))

    def steps(self, schemes: Sequence[Scheme]) -> list[Assigning]:
        """Return what assigns models and schemes."""
        from ordercycle._segments.scheme import assigning

        foretelling = [partial(_foretold, model) for model in self.models]
        return [*foretelling, *(assigning(scheme, self.source) for scheme in schemes)]

    def tables(
        self, steps: Sequence[Assigning], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the profile in pieces, after each step has added its columns."""

        def stepped(piece: pa.Table) -> pa.Table:
            for step in steps:
                piece = step(piece, 1)
            return piece

        return self.workers.in_order(stepped, self.file.pieces(columns))

    def fitted(self, schemes: Sequence[Scheme]) -> list[Scheme]:
        """Return the schemes, each fitted where it has to be, to what those before it added."""
        from ordercycle._segments.value.lists import with_model

        made: list[Scheme] = []
        for scheme in schemes:
            one = with_model(scheme, *self.models)
            lacks_fit = one.fitted_to == "profile" and not one.is_fitted
            made.append(self._fitted(one, list(made)) if lacks_fit else one)
        return made

    def _fitted(self, scheme: F, before: Sequence[Scheme]) -> F:
        import pyarrow as pa

        from ordercycle._segments.counting_rounds import fit
        from ordercycle._segments.fittable import first_round

        steps = self.steps(before)

        def tables(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            # Columns of schemes before need all that these read.
            return self.tables(steps, None if steps else columns)

        def counted(current: Round[pa.Table, F]) -> Iterator[Cells]:
            return self.workers.in_order(current.count, tables(current.columns))

        first = first_round(scheme)
        if first is None:
            return scheme.fit(pa.concat_tables(list(tables(scheme.reads))))
        fitted: F = fit(first, counted)
        return fitted

    def findings(self, schemes: Sequence[Scheme], counts: SegmentCounts) -> Iterator[str]:
        """Yield what schemes find in what they assigned; the profile may be read again for it."""
        from ordercycle._segments.scheme import findings

        for place, scheme in enumerate(schemes):
            pieces = partial(self.tables, self.steps(schemes[:place]))
            yield from findings(scheme, counts.of(scheme), pieces, self.source)


class SegmentCounts:
    """How many customers each segment has; None stands for those without one."""

    def __init__(self, schemes: Sequence[Scheme]) -> None:
        self._counts: dict[str, dict[str | None, int]] = {
            scheme.name: {**dict.fromkeys(scheme.segments, 0), None: 0} for scheme in schemes
        }

    def of(self, scheme: Scheme) -> dict[str | None, int]:
        """Return the counts of a scheme's segments."""
        return self._counts[scheme.name]

    def add(self, table: pa.Table) -> None:
        """Count the customers of a piece."""
        for column, counts in self._counts.items():
            for found in table.column(column).value_counts().to_pylist():
                counts[found["values"]] += found["counts"]

    def report(self, customers: int, out: Path | None) -> None:
        """Print the counts on stderr."""
        names = [name for counts in self._counts.values() for name in counts if name is not None]
        width = max(NAME_WIDTH, *(len(printable(name)) + 1 for name in names))
        for column, counts in self._counts.items():
            if len(self._counts) > 1:
                say(f"{column}:")
            for name, count in counts.items():
                if name is not None or count:
                    say(f"{printable(name or '(no segment)'):<{width}}{count:>13,}")
        say(f"{'all customers':<{width}}{customers:>13,}  in {out or 'stdout'}")
