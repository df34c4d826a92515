"""Recency, frequency and monetary scores, and names for their combinations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._errors import ConfigError, Option
from ordercycle._public import public
from ordercycle._segments.profile_fit import AS_OF_COLUMN, fit_profile
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.rfm_cuts import TypedCuts, scores_reached
from ordercycle._segments.rfm_fit import RfmRound
from ordercycle._segments.rfm_options import RfmOptions
from ordercycle._segments.scheduled import ProfileOf, Recalculated
from ordercycle._segments.scheme import Produced, appended, refuse_taken
from ordercycle._segments.score_maps import SCORES, MapLint
from ordercycle._segments.serialization import FrozenDict
from ordercycle_kernels.scores import rfm_codes


@public()
@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Rfm(Recalculated, RfmOptions):
    """Scores of recency, frequency and monetary value by quantiles, and a name for each three.

    Of the customers with orders, R is ``days_since_last_order``, F ``orders`` and M ``revenue``,
    or the average order value. A score is 1 + the number of cuts strictly below the value; that
    of recency is reversed, so that the most recent have the highest. Equal values always share a
    score. Cuts are the quantiles 1/bins to (bins - 1)/bins with linear interpolation (type 7,
    NumPy's default, and equal to NumPy's to the last bit; those of decimals are exact and rounded
    down to their scale, which divides them alike).

    Parameters
    ----------
    bins
        Scores are 1 to bins, 2 to 10.
    monetary
        M is the ``"sum"`` of a customer's orders, or their ``"average"``.
    map
        ``"five"``: Champions have at least 4 in all three scores, Regulars 3; Promising R >= 3;
        Needs Attention F >= 3 and M >= 3; At Risk are all others; the first that fits counts.
        (Names as in Intempt, rules ours; with other bins, 4 and 3 become the best two fifths at
        most and the best three fifths at least, in whole bins, of 3 or more.)
        ``"ten"``: ten names by R and F, of 5 bins.
        A dict of names by scores of R, F and, where it matters, M: ``{"VIP": "5 4-5 3+",
        "Rest": "* * *"}``; several in a list. The first name that fits counts.
    where
        Leaves customers out, who get null: a pyarrow expression over the columns of the profile,
        or text as in :class:`Rules`.
    cuts
        Cuts by hand: a dict of ``recency``, ``frequency`` and ``monetary``, or some of these,
        bins - 1 ascending numbers each; :meth:`fit` sets the others and leaves these. A value
        equal to a cut belongs below it: with the frequency's cuts ``[1, 4]``, 1 order is the
        lowest score, 2 to 4 the next.
    account
        What cuts were fitted from: set by :meth:`fit`.

    Raises
    ------
    ConfigError
        Where an option makes no sense, or a map has no name for a combination of scores.

    Examples
    --------
    >>> rfm = Rfm(bins=3, map={"Best": "3 3", "Fading": "1 2+", "Rest": "* *"}, cuts={
    ...     "recency": [30, 90], "frequency": [1, 4], "monetary": [50, 200],
    ... })
    >>> import pyarrow as pa
    >>> profile = pa.table({
    ...     "days_since_last_order": pa.array([5, 200, 40, None], pa.int32()),
    ...     "orders": pa.array([9, 3, 1, 0], pa.int64()),
    ...     "revenue": [900.0, 60.0, 20.0, 0.0],
    ... })
    >>> rfm.assign(profile).select(["recency_score", "frequency_score", "rfm"]).to_pylist()[1]
    {'recency_score': 1, 'frequency_score': 2, 'rfm': 'Fading'}

    Cuts of frequency by hand, where most customers order once, and quantiles of the others:

    >>> Rfm(bins=2, map={"All": "* *"}, cuts={"frequency": [1]}).fit(profile).cuts
    {'recency': (40.0,), 'frequency': (1.0,), 'monetary': (60.0,)}
    """

    name = "rfm"

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the map, in the order of their codes."""
        names: tuple[str, ...] = self.rules.names
        return names

    def fit(self, table: Any, *, threads: int | None = None) -> Rfm:
        """Return the scheme with cuts at the quantiles of a profile's customers.

        Cuts that were given by hand stay as they are; where all were, so does the scheme.
        Cuts are found by counting digits of the values, round by round, so that nothing is sorted
        and a cluster finds the same.

        Parameters
        ----------
        table
            A profile, windowed or not, or a table with its columns ``days_since_last_order``
            (int32), ``orders`` (int64) and ``revenue`` (float64, int64, decimal128) or
            ``average_order_value`` (float64), and those of `where`; from any source, as for
            :meth:`Lifecycle.assign`.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        Rfm
            With :attr:`cuts`, ascending, and an :attr:`account`. Where all values are equal, so
            are the cuts: F and M are 1 then, R is `bins`, and :meth:`lint` says so.

        Raises
        ------
        ColumnError
            Where a column is missing or has another type.
        DataError
            Where there are no customers to take quantiles of, or a value is null or not finite.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_last_order": pa.array([1, 11, 21, 31, 41, 51], pa.int32()),
        ...     "orders": pa.array([6, 5, 4, 3, 2, 1], pa.int64()),
        ...     "revenue": [60.0, 80.0, 40.0, 30.0, 20.0, 10.0],
        ... })
        >>> rfm = Rfm().fit(profile)
        >>> rfm.cuts["monetary"]
        (20.0, 30.0, 40.0, 60.0)
        >>> rfm.assign(profile)["rfm"].to_pylist()[:3]
        ['Champions', 'Champions', 'Regulars']
        """
        table = as_table(table)
        made: Rfm = fit_profile(self.first_round(), table, threads=threads, whole=True)
        return made

    def first_round(self) -> RfmRound:
        """Return the fit as rounds over a profile, for any engine to run."""
        return RfmRound(scheme=replace(self, cuts=self.by_hand or None, account=None))

    def made_anew(self, profile_of: ProfileOf) -> Rfm | None:
        """Return the scheme fitted to a profile, or itself where its cuts were given by hand."""
        if len(self.by_hand) == len(SCORES):
            return self
        read, condition = (*self.inputs, AS_OF_COLUMN), str(self.where)
        table = profile_of(lambda name: name in read or name in condition)
        _, kept = self.chosen(table)
        return self.fit(table) if kept.any() else None

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add scores and a name to each customer of a profile.

        Parameters
        ----------
        table
            As for :meth:`fit`; customers of another day or another profile are scored alike.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with columns ``recency_score``, ``frequency_score``, ``monetary_score``
            (int8) and ``rfm``: dictionary<int8, string>, codes in the order of :attr:`segments`.
            All null for customers without orders and those whom `where` leaves out.

        Raises
        ------
        ConfigError
            Where a score has no cuts.
        ColumnError
            Where a column is missing, has another type, or one of those above is there already.
        DataError
            Where a value is null or not finite.

        Examples
        --------
        >>> import pyarrow as pa
        >>> cuts = {"recency": [30], "frequency": [1], "monetary": [100]}
        >>> rfm = Rfm(bins=2, map={"Keep": "2 2", "Win back": "1 2", "Rest": "* *"}, cuts=cuts)
        >>> profile = pa.table({
        ...     "days_since_last_order": pa.array([10, 99, None], pa.int32()),
        ...     "orders": pa.array([5, 2, 0], pa.int64()),
        ...     "revenue": [120.0, 80.0, 0.0],
        ... })
        >>> assigned = rfm.assign(profile)
        >>> assigned["rfm"].to_pylist(), assigned["monetary_score"].to_pylist()
        (['Keep', 'Win back', None], [2, 1, None])
        """
        if self.cuts is None or self.lacking:
            of = f" of {' and '.join(self.lacking)}" if self.cuts else ""
            raise ConfigError(
                f"{self!r} has no cuts{of}",
                remedy=(
                    "call .fit(profile), which returns the fitted scheme, or pass ",
                    Option("cuts"),
                ),
            )
        produced = (
            *(Produced(f"{score}_score", None, nullable=True) for score in SCORES),
            Produced(self.name, self.segments, nullable=True),
        )
        table = as_table(table)
        refuse_taken(table, produced)
        inputs, kept = self.chosen(table)
        codes_of_scores = self.rules.codes
        thresholds = [
            TypedCuts.of(self.cuts[score], column.type)
            for score, column in zip(SCORES, inputs.columns, strict=True)
        ]
        inputs = inputs.append_column("kept", array_of(kept.view(np.uint8), pa.uint8()))

        def write(batch: pa.RecordBatch, out: Sequence[NDArray[np.int8]]) -> None:
            for limits, column, below in zip(thresholds, batch.columns, out, strict=False):
                limits.count_below(column, below)
            rfm_codes(fixed_view(batch.columns[-1], np.bool_), self.bins, codes_of_scores, *out)

        return appended(table, inputs, produced, write, threads=threads)

    def lint(self) -> MapLint:
        """Look for nonsense in the map, and in what it becomes with the cuts.

        Returns
        -------
        MapLint
            Printed, a line for each finding. (A map with a gap is refused when it is given.)

        Examples
        --------
        >>> print(Rfm(map={"Good": "4+ 4+", "Best": "5 5", "Rest": "* *"}).lint())
        'Best' is never used: earlier names take all of it
        names share combinations of scores, the first one counts:
          'Best' comes after 'Good' (5)
          'Rest' comes after 'Good' (20), 'Best' (5)
        """
        rules = self.rules
        unreachable = rules.unreached()
        reached = [
            np.ones(self.bins, np.bool_)
            if self.cuts is None or score not in self.cuts
            else scores_reached(self.cuts[score], score)
            for score in SCORES
        ]
        collapsed = {
            score: tuple((np.flatnonzero(~found) + 1).tolist())
            for score, found in zip(SCORES, reached, strict=True)
            if not found.all()
        }
        missing = rules.unreached(reached)
        return MapLint(
            bins=self.bins,
            overlaps=tuple(rules.overlaps()),
            unreachable=unreachable,
            collapsed=FrozenDict(collapsed),
            out_of_reach=tuple(name for name in missing if name not in unreachable),
        )
