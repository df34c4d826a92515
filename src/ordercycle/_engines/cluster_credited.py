"""Orders of a cluster that were credited to touches, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Generic

import pyarrow as pa

from ordercycle._attribution.attribution import Attribution
from ordercycle._attribution.credit_counts import CreditSummary, in_amounts
from ordercycle._attribution.credit_scan import CreditScan
from ordercycle._attribution.credit_totals import TOTALS_BY, totals_table
from ordercycle._attribution.credited import scan_of
from ordercycle._attribution.touch_classes import CHANNEL_COLUMN, KIND, warn_of_absent
from ordercycle._attribution.window_curve import Curve, checked_days, curve_table
from ordercycle._engines.credit_tasks import (
    EXCLUDED,
    WHOLE,
    WINDOW,
    CreditedRows,
    CreditedSums,
    CreditedWindows,
    cells_in,
    credited_by,
    excluded_texts,
    summary_of,
    there,
)
from ordercycle._engines.engine import F
from ordercycle._engines.named_sums import Name
from ordercycle._engines.verbs import ClusterHistory, Exchanged
from ordercycle._errors import Option, check_choice, warn


@dataclass(frozen=True)
class ClusterCredited(Generic[F]):
    """What `attribution` returns on a cluster: the verbs of :class:`ordercycle.Credited`.

    Rows are frames of the engine, and lazy. Of everything else, sums come back: the summary and
    all totals take one pass together, each call of `windows` one of its own. Each pass shuffles
    the streams again, but in the block of a ``with credited.held() as held:``, where all that is
    asked of `held` takes one shuffle.
    """

    history: Exchanged[F]
    model: Attribution

    @classmethod
    def of(cls, history: ClusterHistory[F], model: Attribution | None) -> ClusterCredited[F]:
        """Return what a model credits; what is wrong with it or the streams is an error at once."""
        made = cls(history.exchanged, Attribution() if model is None else model)
        _ = made._nobody  # which checks all
        return made

    @contextmanager
    def held(self) -> Iterator[ClusterCredited[F]]:
        """Hold the streams on the cluster while a block of code runs, in memory or else on disk."""
        with self.history.held() as history:
            yield replace(self, history=history)

    def to_frame(self) -> F:
        """Return the rows of :meth:`ordercycle.Credited.to_table`; lazy.

        What are dictionaries there are values here. Within a partition customers ascend by hash.
        """
        return self.history.group(CreditedRows(self.model))

    def paths(self) -> F:
        """Return the rows of :meth:`ordercycle.Credited.paths`; lazy."""
        return self.history.group(CreditedRows(self.model, has_paths=True))

    def summary(self) -> CreditSummary:
        """Return what :meth:`ordercycle.Credited.summary` returns.

        Channels that are in no group are in the order of their names.

        Warns
        -----
        OrdercycleWarning
            Where no touch has a kind or channel that the model names, or a text of `exclude`.
        """
        return in_amounts(summary_of(self._nobody, self._sums), self._nobody.orders.spec.revenue)

    def totals(self, by: str = "channel") -> pa.Table:
        """Return what :meth:`ordercycle.Credited.totals` returns, with its errors."""
        check_choice("by", by, TOTALS_BY)
        whole = self._sums.get((WHOLE,), Fraction(0))
        return totals_table(self._nobody, cells_in(self._sums), whole, by)

    def windows(self, metric: str, days: Iterable[int]) -> pa.Table:
        """Return what :meth:`ordercycle.Credited.windows` returns, with its errors."""
        lengths = checked_days(days)
        Curve.of(metric, self._nobody)
        sums = self.history.summed(CreditedWindows(self.model, metric, tuple(lengths)))
        totals = [sums.get((WINDOW, one), Fraction(0)) for one in lengths]
        return curve_table(self._nobody, metric, lengths, totals)

    @cached_property
    def _nobody(self) -> CreditScan:
        return scan_of(credited_by(self.model, self.history.job.nobody))

    @cached_property
    def _sums(self) -> Mapping[Name, Fraction]:
        sums = self.history.summed(CreditedSums(self.model))
        if there(sums, KIND):
            warn_of_absent(self.model, there(sums, KIND), there(sums, CHANNEL_COLUMN))
            for path, text in excluded_texts(self._nobody):
                if (EXCLUDED, *path, text) not in sums:
                    name = ".".join(path)
                    warn((Option("Attribution.exclude"), f": no value of {name} equals {text!r}"))
        return dict(sorted(sums.items(), key=lambda one: str(one[0])))
