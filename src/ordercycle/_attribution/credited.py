"""Orders that were credited to touches: the audit, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, reduce
from html import escape
from typing import Any

import pyarrow as pa

from ordercycle._attribution.credit_counts import CreditSummary, counts_of, in_amounts, lookup_notes
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.credit_table import CreditTable
from ordercycle._attribution.credit_totals import (
    TOTALS_BY,
    Cells,
    cells_of,
    named_cells,
    totals_table,
)
from ordercycle._attribution.explanation import explained
from ordercycle._attribution.path_table import PathTable
from ordercycle._attribution.window_curve import window_curve
from ordercycle._days import date_of
from ordercycle._errors import check_choice, counted, printable
from ordercycle._public import public


@public()
class Credited:
    """Orders that are credited to touches, made by :meth:`Attribution.credit`.

    Nothing is kept but the histories and the rules: what is asked for is computed in one walk over
    the orders and touches of each customer, and is the same to the bit for any number of threads.
    """

    def __init__(self, scan: CreditScan) -> None:
        self._scan = scan

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of :meth:`to_table` batch by batch, in bounded memory."""
        counts = CreditSummary()
        for batch, its_counts in self._made():
            counts = counts.plus(its_counts)
            yield batch
        self._keep(counts)

    def to_table(self) -> pa.Table:
        """Return who is credited with what of which order: the audit.

        Returns
        -------
        pyarrow.Table
            One row per order, group and touch credited, and one with null group for an order
            without any; refunds have the rows of the order that they refund.

            ============  =====================  =====================================
            Column        Type                   What it is
            ============  =====================  =====================================
            order         as given               of a refund, the order that it refunds
            customer_id   as given
            ordered_at    timestamp[us, UTC]     of a refund, its own instant
            group         dictionary             in which the touch won
            channel       dictionary             of the touch, as campaign, kind, form
            event         as given, or its hash  the id of the touch
            touched_at    timestamp[us, UTC]
            age           duration[us]           from the touch to the order
            credit        double                 share of the order; 0 of a refund
            revenue       as the amounts         part of the amount
            ============  =====================  =====================================

            Customers ascend by hash, orders by time, groups as they are declared, touches by time.
            Parts of an amount add up to it, to the last unit or bit.
        """
        return pa.Table.from_batches(list(self.to_batches()), schema=CreditTable(self._scan).schema)

    def summary(self) -> CreditSummary:
        """Return what was counted: orders by group, touches that do not count, long paths."""
        return self._counted

    def totals(self, by: str = "channel") -> pa.Table:
        """Return what each channel is credited with.

        Parameters
        ----------
        by
            ``"group"``, ``"channel"`` or ``"campaign"``: a row each.

        Returns
        -------
        pyarrow.Table
            ``group``, ``channel``, ``campaign`` (as far as `by` goes), ``orders`` (double: the sum
            of their credit), ``revenue`` (as the amounts, refunds included) and ``share`` (double:
            of the revenue of all orders). Groups as they are declared, in each the largest revenue
            first; last, with null group, what is credited to nobody. Groups share orders: their
            sums are not the shop's, which `summary` has.

        Raises
        ------
        ConfigError
            `by` is none of these, or ``"group"`` where channels do not compete
            (``compete="channel"``): an order has a winner in each of them then.

        Examples
        --------
        >>> import ordercycle as oc
        >>> data = oc.datasets.generated(customers=300, touches=True)
        >>> touches = oc.EventHistory.build(
        ...     data.touches(), columns=oc.EventColumns(attributes=["kind", "channel"])
        ... )
        >>> orders = oc.OrderHistory.build(data.orders, columns=data.columns)
        >>> totals = oc.Attribution().credit(orders, touches).totals()
        >>> totals.column_names
        ['group', 'channel', 'orders', 'revenue', 'share']
        >>> totals["channel"].to_pylist()[0]
        'Email'
        """
        check_choice("by", by, TOTALS_BY)
        cells = named_cells(self._scan, self._cells)
        return totals_table(self._scan, cells, self._cells.revenue, by)

    def explain(self, order: Any) -> pa.Table:
        """Return every touch in reach of an order, and why it won or lost.

        Parameters
        ----------
        order
            The id of an order, as it was given.

        Returns
        -------
        pyarrow.Table
            ``channel``, ``campaign``, ``kind``, ``touched_at``, ``group`` and ``outcome`` of each
            touch within the longest window before the order, by time. Outcomes are ``won``;
            ``shadowed`` (a later touch, or one of a better tier, won); ``window`` (it is closed);
            ``visit`` (another visit came between); ``brand`` (of another brand); ``excluded``;
            ``kind`` (it never wins); ``channel`` (in no group); ``used`` (by an earlier order).

        Raises
        ------
        ConfigError
            There is no such order.
        DataError
            Several customers have an order of that id.
        """
        return explained(self._scan, order)

    def windows(self, metric: str, days: Iterable[int]) -> pa.Table:
        """Return what a metric would be with other windows, from one walk over the streams.

        The streams are read once; what is computed of them grows with the number of lengths.

        Parameters
        ----------
        metric
            ``"Revenue from Campaigns"``, ``"Orders from Campaigns"``, the same of any group,
            ``"Total CRM Revenue"`` or ``"CRM Orders"``.
        days
            Lengths of `window`; windows of single kinds are longer or shorter in proportion.

        Returns
        -------
        pyarrow.Table
            ``days`` and ``value``: of all orders, refunds included.

        Raises
        ------
        ConfigError
            There is no such metric, or a length is no positive whole number.
        """
        return window_curve(self._scan, metric, days)

    def paths(self) -> pa.Table:
        """Return the touches that each order could be credited to, for models of others.

        Returns
        -------
        pyarrow.Table
            ``order``, ``group`` and ``path``: a list of struct of ``channel``, ``campaign`` and
            ``touched_at``, the earliest first, of the latest `most_touches` in reach. Orders
            without any are not there.
        """
        table = PathTable(self._scan)
        batches = list(self._scan.scan(table.batch))
        return pa.Table.from_batches(batches, schema=table.schema)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the credits were made with: the model, and of what."""
        from importlib.metadata import version  # loads what mail needs

        orders, touches = self._scan.orders, self._scan.touches
        return {
            "attribution": self._scan.model.to_dict(),
            "orders": orders.entries,
            "touches": touches.entries,
            "visits": None if self._scan.visits is None else self._scan.visits.entries,
            "views": {
                "orders": [text for text, _ in orders.views],
                "touches": [text for text, _ in touches.views],
            },
            "last_day": str(self._last_day),
            "version": version("ordercycle"),
        }

    @property
    def _last_day(self) -> Any:
        """The last known day: the later of orders and touches."""
        days = (self._scan.orders.tally.last_day, self._scan.touches.tally.last_day)
        known = [day for day in days if day is not None]
        return date_of(max(known)) if known else None

    @cached_property
    def _counted(self) -> CreditSummary:
        return self._keep(reduce(CreditSummary.plus, self._counts(), CreditSummary()))

    @cached_property
    def _cells(self) -> Cells:
        scan = self._scan
        found = scan.scan(lambda met: cells_of(scan, met, scan.rows(met, scan.paths(met))))
        return reduce(Cells.plus, found, Cells())

    def _keep(self, counts: CreditSummary) -> CreditSummary:
        """Keep what was counted of all customers, which need not be walked again for it."""
        counted_ones = in_amounts(counts, self._scan.orders.spec.revenue)
        self.__dict__["_counted"] = counted_ones
        return counted_ones

    def _counts(self) -> Iterator[CreditSummary]:
        scan = self._scan

        def work(met: Meeting) -> CreditSummary:
            paths = scan.paths(met)
            return counts_of(scan, met, paths, scan.rows(met, paths))

        return scan.scan(work)

    def _made(self) -> Iterator[tuple[pa.RecordBatch, CreditSummary]]:
        scan = self._scan
        table = CreditTable(scan)

        def work(met: Meeting) -> tuple[pa.RecordBatch, CreditSummary]:
            paths = scan.paths(met)
            rows = scan.rows(met, paths)
            return table.batch(met, rows), counts_of(scan, met, paths, rows)

        return scan.scan(work)

    def _told(self) -> list[tuple[str, str]]:
        """Return what is said of it: names and values."""
        made = self.summary()
        shares = [(name, counted(number, "order")) for name, number in made.groups.items()]
        return [
            ("model", self._scan.model.model),
            ("orders", f"{made.orders:,}"),
            *shares,
            ("unattributed", counted(made.unattributed, "order")),
            *(("note", note) for note in notes_of(self)),
        ]

    def __repr__(self) -> str:
        told = [value if name == "note" else f"{name} {value}" for name, value in self._told()]
        return printable(f"{type(self).__name__}({', '.join(told)})")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(printable(value))}</td></tr>"
            for name, value in self._told()
        )
        return f"<table>{rows}</table>"


def notes_of(credited: Credited) -> list[str]:
    """Return what is worth a note of credits, in words."""
    return [*credited.summary().notes(), *lookup_notes(scan_of(credited).touches)]


def scan_of(credited: Credited) -> CreditScan:
    """Return what credits are computed with, for tables that walk the same streams."""
    return credited._scan  # noqa: SLF001 - what users have no use for
