"""Tasks that credit the orders of a partition to its touches: rows, or sums under names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import pyarrow as pa

from ordercycle._attribution.attribution import Attribution
from ordercycle._attribution.credit_counts import CreditSummary, counts_of
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.credit_table import CreditTable
from ordercycle._attribution.credit_totals import Cell, Cells, Named, cells_of, named_cells
from ordercycle._attribution.credited import Credited, scan_of
from ordercycle._attribution.path_table import PathTable
from ordercycle._attribution.touch_classes import CHANNEL_COLUMN, KIND
from ordercycle._attribution.window_curve import curve_totals
from ordercycle._engines.cluster_views import texts_of
from ordercycle._engines.feature_tasks import with_values
from ordercycle._engines.named_sums import Name, to_batch
from ordercycle._engines.partition_tasks import ORDERS, Streams, SumTask
from ordercycle._errors import without_warnings
from ordercycle._expressions.language import parsed
from ordercycle._history.grouped import WITH_PATHS

TOUCHES, VISITS = "touches", "visits"
#: What sums are about, as the first part of their names.
COUNT, CELL, WHOLE, THERE, WINDOW = "count", "cell", "whole", "there", "window"
EXCLUDED = "excluded"


def credited_by(model: Attribution, streams: Streams) -> Credited:
    """Return what a model credits to the touches of a partition.

    What no touch has is warned of once, by whoever knows all of them.
    """
    with without_warnings():
        return model.credit(streams[ORDERS], streams[TOUCHES], streams.get(VISITS))


@dataclass(frozen=True)
class CreditedRows:
    """Makes the rows of the audit, or the paths of orders."""

    model: Attribution
    has_paths: bool = False

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns, those of codes as the values themselves."""
        scan = scan_of(credited_by(self.model, nobody))
        kind = PathTable(scan).schema if self.has_paths else CreditTable(scan).schema
        return _plain(kind.empty_table()).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        credited = credited_by(self.model, streams)
        scan = scan_of(credited)
        batches = scan.scan(PathTable(scan).batch) if self.has_paths else credited.to_batches()
        for batch in batches:
            yield from _plain(pa.Table.from_batches([batch])).to_batches()


def _plain(table: pa.Table) -> pa.Table:
    return with_values(table, range(table.num_columns))


@dataclass(frozen=True)
class CreditedSums(SumTask):
    """Adds up what is counted, and what each channel and campaign is credited with."""

    model: Attribution

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums, as one table."""
        scan = scan_of(credited_by(self.model, streams))

        def work(met: Meeting) -> tuple[CreditSummary, Cells]:
            paths = scan.paths(met)
            rows = scan.rows(met, paths)
            return counts_of(scan, met, paths, rows), cells_of(scan, met, rows)

        counts, cells = CreditSummary(), Cells()
        for counted, found in scan.scan(work):
            counts, cells = counts.plus(counted), cells.plus(found)
        yield to_batch(_sums_of(scan, counts, cells))


def _sums_of(scan: CreditScan, counts: CreditSummary, cells: Cells) -> dict[Name, Fraction | int]:
    sums = sums_of_summary(counts)
    sums[WHOLE,] = cells.revenue
    for key, cell in named_cells(scan, cells).items():
        for name, total in zip(Cell._fields, cell, strict=True):
            sums[CELL, name, *key] = total
    for name in (KIND, CHANNEL_COLUMN):
        values = scan.touches.columns.attributes[name].by_code.to_pylist()
        sums |= {(THERE, name, value): 1 for value in values}
    for path, text in excluded_texts(scan):
        values = scan.touches.columns.by_code(path)
        if values is not None and text in values.values.to_pylist():
            sums[EXCLUDED, *path, text] = 1
    return sums


def sums_of_summary(counts: CreditSummary) -> dict[Name, Fraction | int]:
    """Return what was counted, under names."""
    sums: dict[Name, Fraction | int] = {}
    for one in fields(CreditSummary):
        value = getattr(counts, one.name)
        if isinstance(value, Mapping):
            sums |= {(COUNT, one.name, name): number for name, number in value.items()}
        elif value is not None:
            sums[COUNT, one.name] = value
    return sums


def excluded_texts(scan: CreditScan) -> list[tuple[tuple[str, ...], str]]:
    """Return the texts that a condition of touches which do not count compares with, by column."""
    if scan.model.exclude is None:
        return []
    node = parsed(scan.model.exclude, WITH_PATHS)
    compared = texts_of(node, scan.touches.columns)
    return list(dict.fromkeys((path, str(value.value)) for _, path, value in compared))


def summary_of(scan: CreditScan, sums: Mapping[Name, Fraction]) -> CreditSummary:
    """Return the counts of all partitions, money in exact units; scan: of nobody."""
    made: dict[str, Any] = {}
    for one in fields(CreditSummary):
        if isinstance(getattr(CreditSummary(), one.name), Mapping):
            found = {
                key[2]: int(total)
                for key, total in sums.items()
                if key[:2] == (COUNT, one.name) and len(key) > 2
            }
            made[one.name] = found
        elif one.name in ("revenue", "attributed_revenue"):
            if scan.orders.spec.has_amount:
                made[one.name] = sums.get((COUNT, one.name), Fraction(0))
        else:
            made[one.name] = int(sums.get((COUNT, one.name), 0))
    groups = dict.fromkeys(scan.finder.classes.group_names, 0) | made["groups"]
    return CreditSummary(**made | {"groups": groups})


def cells_in(sums: Mapping[Name, Fraction]) -> dict[Named, Cell]:
    """Return what channels and campaigns are credited with."""
    found: dict[Named, dict[str, Fraction]] = {}
    for name, total in sums.items():
        if name[0] == CELL:
            _, field, group, channel, campaign = name
            found.setdefault((int(group or 0), channel, campaign), {})[str(field)] = total
    nothing = dict.fromkeys(Cell._fields, Fraction(0))
    return {key: Cell(**nothing | cell) for key, cell in found.items()}


def there(sums: Mapping[Name, Fraction], attribute: str) -> set[Any]:
    """Return the values of an attribute of touches."""
    return {name[2] for name in sums if name[:2] == (THERE, attribute)}


@dataclass(frozen=True)
class CreditedWindows(SumTask):
    """Adds up a metric with several windows."""

    model: Attribution
    metric: str
    days: Sequence[int]

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums, as one table."""
        scan = scan_of(credited_by(self.model, streams))
        totals = curve_totals(scan, self.metric, self.days)
        yield to_batch({(WINDOW, days): one for days, one in zip(self.days, totals, strict=True)})
