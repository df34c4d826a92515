"""Options of what a report is made of beside orders and schemes, and of what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.results import SUFFIXES, result_writer
from ordercycle._cli.stream_files import table_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ordercycle import SegmentReport

GRAINS = ("channel", "mailing_type", "form_type", "campaign")
#: Columns whose texts are anybody's, which a spreadsheet may take for formulas.
NAMES = ("campaign", "segment")
TOP_METRIC = "Revenue from Campaigns"


def _targets(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, str | None]:
    """Return the condition of each target action; none for all orders."""
    found: dict[str, str | None] = {}
    for text in given:
        name, equals, condition = text.partition("=")
        if not name.strip():
            raise click.BadParameter(f"{text!r} has no name; write NAME=CONDITION, or NAME")
        found[name.strip()] = condition.strip() if equals else None
    return found


def _grain(_ctx: click.Context, _option: click.Parameter, given: str | None) -> dict[str, str]:
    """Return the channel, type or campaign that a text such as channel=Email asks for."""
    if given is None:
        return {}
    kind, equals, name = given.partition("=")
    kind = kind.strip().replace("-", "_")
    if not equals or kind not in GRAINS:
        kinds = ", ".join(one.replace("_", "-") for one in GRAINS)
        raise click.BadParameter(f"{given!r} is no KIND=NAME; kinds are {kinds}")
    return {kind: name}


SOURCES = (
    click.option(
        "--brand",
        metavar="ATTRIBUTE",
        help="An attribute of orders, which --attribute names: rows of all brands, and of each.",
    ),
    click.option(
        "--target",
        "targets",
        multiple=True,
        callback=_targets,
        metavar="NAME=CONDITION",
        help="A target action, as \"Paid=status == 'paid'\", or a NAME alone for all orders; may "
        "be given several times. Default: Orders.",
    ),
    click.option(
        "--subscriptions",
        metavar="PATH",
        help="A table of customer_id, channel and topic, and of valid_from, valid_to, contact_from "
        "and contact_to; without these a snapshot.",
    ),
)
QUESTIONS = (
    click.option(
        "--top-campaigns",
        type=click.IntRange(min=1),
        metavar="N",
        help="Instead of the report: the N campaigns with most of --metric, by the day of the "
        "send. Default of --metric: Revenue from Campaigns.",
    ),
    click.option(
        "--audit",
        metavar="METRIC",
        help="Instead of the report: the customers and orders that add up to a metric, of "
        "--segment or of all customers, in --months or the period.",
    ),
    click.option(
        "--audit-of",
        callback=_grain,
        metavar="KIND=NAME",
        help="The audit of a channel, mailing-type, form-type or campaign, as channel=Email.",
    ),
    click.option("--denominator", is_flag=True, help="The audit of what the metric is divided by."),
)


def with_options(
    options: Iterable[Callable[..., Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds options to a command, which gets them as keywords."""

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(tuple(options)):
            command = option(command)
        return command

    return added


def sources_of(
    brand: str | None, targets: dict[str, str | None], subscriptions: str | None
) -> dict[str, Any]:
    """Return the arguments of a report that its options stand for."""
    found: dict[str, Any] = {"brand": brand, "targets": targets or None}
    if subscriptions is not None:
        found["subscriptions"] = table_of(subscriptions, "the subscriptions")
    return found


class Question:
    """What is asked of a report instead of itself: its best campaigns, or what makes a number."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.campaigns: int | None = options.pop("top_campaigns")
        self.metric: str | None = options.pop("audit")
        self.grain: dict[str, str] = options.pop("audit_of")
        self.denominator: bool = options.pop("denominator")
        if self.metric is None and (self.grain or self.denominator):
            raise click.UsageError("--audit-of and --denominator are of --audit METRIC")
        if self.metric is not None and self.campaigns is not None:
            raise click.UsageError("--audit and --top-campaigns each have a result of their own")

    @property
    def is_asked(self) -> bool:
        """Whether there is one."""
        return self.metric is not None or self.campaigns is not None

    def check(self, out: Path | None, given: dict[str, bool], segments: tuple[str, ...]) -> None:
        """Refuse an ending that is no format, and options that are not of it.

        given: whether each of the options is.
        """
        if not self.is_asked:
            if out is not None and out.suffix.lower() != ".csv":
                raise click.BadParameter(
                    f"{str(out)!r} must end in .csv: a report is a CSV file", param_hint="'--out'"
                )
            return
        flag = "--top-campaigns" if self.metric is None else "--audit"
        if out is not None and out.suffix.lower() not in SUFFIXES:
            raise click.BadParameter(
                f"{str(out)!r} must end in one of {', '.join(SUFFIXES)}", param_hint="'--out'"
            )
        for name, is_given in given.items():
            if is_given:
                raise click.UsageError(f"{name} means nothing with {flag}; leave it out")
        if self.metric is not None and len(segments) > 1:
            raise click.UsageError("--audit is of one --segment, or of all customers")

    def write(
        self,
        report: SegmentReport,
        out: Path | None,
        *,
        segment: str | None,
        months: Any,
        metric: str | None,
        overwrite: bool,
    ) -> int:
        """Write the answer, and return how many rows it has."""
        with result_writer(out, overwrite=overwrite, harmless=NAMES) as writer:
            for table in self._tables(report, segment, months, metric):
                writer.write(table)
        return writer.rows

    def _tables(
        self, report: SegmentReport, segment: str | None, months: Any, metric: str | None
    ) -> Iterator[pa.Table]:
        import pyarrow as pa

        if self.campaigns is not None:
            yield report.top_campaigns(metric or TOP_METRIC, campaigns=self.campaigns)
            return
        audit = report.audit(str(self.metric), segment, months, **self.grain)
        side = "denominator" if self.denominator else "numerator"
        yield audit.schema(side).empty_table()  # a header, whatever there is
        for batch in audit.to_batches(side):
            yield pa.Table.from_batches([batch])
