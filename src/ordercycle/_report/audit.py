"""What makes a number of a report: the customers and orders that add up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, check_choice, printable
from ordercycle._public import public
from ordercycle._report.audit_rows import Figure, RowScan
from ordercycle._report.counting import ReportScan
from ordercycle._report.metrics import Metric
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.sources import View

NUMERATOR, DENOMINATOR = "numerator", "denominator"


@dataclass(frozen=True)
class Side:
    """A side of a quotient: what is listed for it, row by row, and what the rows add up to."""

    scans: tuple[RowScan, ...]
    total: Fraction

    @classmethod
    def of(cls, scan: ReportScan, figure: Figure, names: tuple[str, ...]) -> Side:
        """Return the side of a product of quantities."""
        scans = tuple(RowScan(scan, figure, term) for term in figure.terms(names))
        total, units = Fraction(1), figure.figures
        for name in names:
            total = total * figure.total(name) / units.unit_of_quantity(name)
        return cls(scans, total)

    @property
    def unit(self) -> int:
        """How many of a value make one."""
        return self.scans[0].unit

    def schema(self) -> pa.Schema:
        """Return the names and types of the columns."""
        first = self.scans[0]
        fields = [pa.field("customer_id", first.id_type, nullable=False)]
        if first.order_type is not None:
            fields.append(pa.field("order", first.order_type))
        fields += [pa.field("day", pa.date32()), pa.field("value", first.value_type)]
        if any(scan.term.times != 1 for scan in self.scans):
            fields.append(pa.field("times", pa.int64(), nullable=False))
        return pa.schema(fields)


@public()
class Audit:
    """What makes a number of a report, made by :meth:`SegmentReport.audit`.

    Nothing is kept: rows are listed in a walk over the streams of the report when they are asked
    for, and are the same for any number of threads.

    Attributes
    ----------
    metric, segment, period
        Which number it is of.
    value
        The number, as the tables of the report have it; None where it is undefined.
    sides
        ``("numerator", "denominator")``, or the first alone.
    """

    def __init__(
        self, metric: Metric, scan: ReportScan, above: Figure, below: Figure, value: float | None
    ) -> None:
        self.metric = metric.name
        self.segment = above.figures.rows[above.row]
        self.period = str(above.period)
        self.value = value
        self._sides = {NUMERATOR: Side.of(scan, above, metric.numerator)}
        if metric.denominator:
            self._sides[DENOMINATOR] = Side.of(scan, below, metric.denominator)

    @property
    def sides(self) -> tuple[str, ...]:
        """What can be asked for."""
        return tuple(self._sides)

    def to_batches(self, of: str = "numerator") -> Iterator[pa.RecordBatch]:
        """Yield the rows of :meth:`to_table` batch by batch, in bounded memory.

        Parameters
        ----------
        of
            As for :meth:`to_table`.

        Raises
        ------
        ConfigError
            As for :meth:`to_table`.
        """
        side = self._side(of)
        schema = side.schema()
        for scan in side.scans:
            yield from scan.rows(schema)

    def to_table(self, of: str = "numerator") -> pa.Table:
        """Return the rows that add up to one side of the number.

        Parameters
        ----------
        of
            ``"numerator"``, or ``"denominator"`` of a metric that is a quotient.

        Returns
        -------
        pyarrow.Table
            ``customer_id``: as given; ``order``: its id, where rows are orders and have ids;
            ``day``: date32, on which a row counts (of customers as they are at the end, the last
            day; null for what a customer did over several days); ``value``: of what adds up, in
            the type of the amounts, or int64. Rows of the same customer follow each other.

            The sum of ``value``, divided by :meth:`unit`, is :meth:`total`, exactly. Where sums
            are multiplied (*Missed Purchase Cycles*, *Average Order Value Uplift*) the rows of one
            of them are listed, and a column ``times`` has what each counts for.

        Raises
        ------
        ConfigError
            `of` is none of these, or the metric has no denominator.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.generated(customers=300)
        >>> orders = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> report = oc.SegmentReport.build(
        ...     orders, oc.Lifecycle().membership(orders), period="2025-10", compare=None
        ... )
        >>> audit = report.audit("Orders", "Loyal")
        >>> sum(audit.to_table()["value"].to_pylist()) == audit.value
        True
        """
        schema = self.schema(of)
        return pa.Table.from_batches(list(self.to_batches(of)), schema=schema)

    def schema(self, of: str = "numerator") -> pa.Schema:
        """Return the names and types of the columns of :meth:`to_table`.

        Parameters
        ----------
        of
            As for :meth:`to_table`.
        """
        return self._side(of).schema()

    def total(self, of: str = "numerator") -> Fraction:
        """Return what the rows add up to, exactly: the number is their quotient.

        Parameters
        ----------
        of
            As for :meth:`to_table`.
        """
        return self._side(of).total

    def unit(self, of: str = "numerator") -> int:
        """Return how many of ``value`` make one: 1, but for orders that a model divides.

        Parameters
        ----------
        of
            As for :meth:`to_table`.
        """
        return self._side(of).unit

    def _side(self, of: str) -> Side:
        check_choice("of", of, (NUMERATOR, DENOMINATOR))
        if of not in self._sides:
            raise ConfigError(
                f"{self.metric!r} has no denominator",
                remedy="ask for its numerator: the metric itself",
            )
        return self._sides[of]

    def __repr__(self) -> str:
        return printable(
            f"{type(self).__name__}({self.metric}, {self.segment}, {self.period}: {self.value})"
        )


class Which(NamedTuple):
    """Which number of a metric and a segment is asked for.

    months, of: as `ReportNumbers.asked` takes them; grain: the name of the channel, type or
    campaign, by what it is.
    """

    months: str | Sequence[str] | None
    of: str
    view: View
    grain: Mapping[str, str | None]


def audit_of(numbers: ReportNumbers, metric: str, segment: str | None, which: Which) -> Audit:
    """Return what makes a number; segment: None for All Customers."""
    found = numbers.catalogue.metric(metric)
    scan = numbers.scan
    if scan is None:
        raise ConfigError(
            "this report was made by another engine, and its orders are not here",
            remedy="build it from an OrderHistory to audit it",
        )
    grain = numbers.grain(found, which.grain)
    reported = numbers.asked(which.months, which.of, which.view)
    figures, period, view = reported.figures, reported.period, which.view
    last = len(figures.rows) - 1
    row = last if segment is None else numbers.row(segment)
    values = reported.values(found, grain)
    for name in (*found.numerator, *found.denominator):
        if figures.amounts(name, period.months, view, grain) is None:
            raise ConfigError(
                f"{metric!r} is not counted for this brand or target action",
                remedy=("leave out ", Option("brand"), " and ", Option("target")),
            )
    until = numbers.as_of.until(figures.plan.period)
    above = Figure(figures, row, period, view, grain, until)
    below = replace(above, row=last) if found.of_all else above
    return Audit(found, scan, above, below, values[row])
