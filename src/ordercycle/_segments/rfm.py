"""Recency, frequency and monetary scores, and names for their combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._errors import Code, ConfigError, Option, suggestion, whole_number
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.expression_text import check_names_column, language_text
from ordercycle._public import public
from ordercycle._segments.assigning import Produced, appended, refuse_taken
from ordercycle._segments.counting_rounds import AS_OF_COLUMNS, fit_profile
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.explaining import Reason
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.recalculation import Assigning, ProfileOf
from ordercycle._segments.rfm_cuts import TypedCuts, checked_cuts, plain_cuts, scores_reached
from ordercycle._segments.rfm_fit import (
    FREQUENCY,
    OF_ORDERS,
    RECENCY,
    RfmAccount,
    RfmRound,
    ScoredValues,
)
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.scheme_options import SchemeOption
from ordercycle._segments.score_maps import (
    MAPS,
    SCORES,
    FrozenDict,
    MapLint,
    MapRules,
    ScoreMap,
    in_letters,
    rules_of,
)
from ordercycle_kernels.scores import rfm_codes

#: The columns of orders, which need not be named.
USUAL = {"recency": RECENCY, "frequency": FREQUENCY}


@public()
@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Rfm(Scheme):
    """Scores of recency, frequency and monetary value by quantiles, and a name for each three.

    Of the customers with orders, R is ``days_since_last_order``, F ``orders`` and M ``revenue``,
    or the average order value; or they are other columns, such as those of :func:`features`. A
    score is 1 + the number of cuts strictly below the value; that of recency is reversed, so that
    the most recent have the highest. Equal values always share a score. Cuts are the quantiles
    1/bins to (bins - 1)/bins with linear interpolation (type 7, NumPy's default, and equal to
    NumPy's to the last bit; those of decimals are exact and rounded down to their scale, which
    divides them alike).

    Parameters
    ----------
    bins
        Scores are 1 to bins, 2 to 10.
    recency
        The column that is R: numbers of which small ones are best, such as days since a visit.
    frequency
        The column that is F. Of other columns than those of orders, whoever has null in one of the
        three, or a frequency that is not above 0, has no scores.
    monetary
        M is the ``"sum"`` of a customer's orders, or their ``"average"``, or another column.
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

    Visits instead of orders, of which :func:`features` knows:

    >>> visitors = pa.table({
    ...     "days_since_visit": [1, 40, 3, None], "visits_90": [30, 1, 4, 0],
    ...     "revenue": [80.0, 9.0, 0.0, 20.0],
    ... })
    >>> names = {"Warm": "2 *", "Cold": "* *"}
    >>> visits = Rfm(bins=2, map=names, recency="days_since_visit", frequency="visits_90")
    >>> visits.fit(visitors).assign(visitors)["rfm"].to_pylist()
    ['Warm', 'Cold', 'Warm', None]

    Cuts of frequency by hand, where most customers order once, and quantiles of the others:

    >>> Rfm(bins=2, map={"All": "* *"}, cuts={"frequency": [1]}).fit(profile).cuts
    {'recency': (40.0,), 'frequency': (1.0,), 'monetary': (60.0,)}
    """

    bins: int = 5
    recency: str = RECENCY
    frequency: str = FREQUENCY
    monetary: str = "sum"
    map: str | ScoreMap = "five"
    where: pc.Expression | str | None = None
    cuts: Mapping[str, Sequence[float | Decimal]] | None = None
    account: RfmAccount | None = field(default=None, repr=False)

    name = "rfm"
    fitted_to = "profile"
    command_options = (
        SchemeOption(name="bins", type=int, least=2, most=10, help="scores are 1 to N"),
        SchemeOption(name="recency", help=f"the column that is recency; {RECENCY} by default"),
        SchemeOption(
            name="frequency", help=f"the column that is frequency; {FREQUENCY} by default"
        ),
        SchemeOption(name="monetary", help="sum or average of orders, or the column that is it"),
        SchemeOption(name="map", choices=tuple(MAPS), help="names for scores"),
        SchemeOption(name="where", help="whom to score, as in 'orders > 1'; others have no scores"),
    )
    _account_type = RfmAccount

    def __post_init__(self) -> None:
        bins = whole_number(self.bins)
        if bins is None or not 2 <= bins <= 10:
            raise ConfigError(
                (Option("bins", self.bins), " is no number of scores"), remedy="pass 2 to 10"
            )
        object.__setattr__(self, "bins", bins)
        for name in ("recency", "frequency", "monetary"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ConfigError(
                    (Option(name, getattr(self, name)), " is no name of a column"),
                    remedy='name one by text, such as "days_since_visit"',
                )
        if not isinstance(self.map, str):
            if not isinstance(self.map, Mapping):
                raise ConfigError(
                    (Option("map", self.map), " is no map"),
                    remedy="pass 'five', 'ten', or names with scores",
                )
            object.__setattr__(self, "map", FrozenDict(self.map))
        _ = self._rules
        if self.where is not None and not isinstance(self.where, pc.Expression | str):
            raise ConfigError(
                (Option("where", self.where), " is no condition"),
                remedy='pass a pyarrow expression such as pc.field("orders") > 1, or text such as '
                '"orders > 1"',
            )
        if isinstance(self.where, pc.Expression):
            check_names_column(self.where)
        _ = self._condition
        if self.cuts is not None:
            by_hand = SCORES if self.account is None else self.account.by_hand
            fitted = [score for score in SCORES if score not in by_hand]
            object.__setattr__(self, "cuts", checked_cuts(self.cuts, bins, fitted=fitted))

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the map, in the order of their codes."""
        return self._rules.names

    @property
    def reads(self) -> tuple[str, ...] | None:
        """The columns of R, F and M; None where a condition may read any."""
        return None if self.where is not None else tuple(dict.fromkeys(self._values.columns))

    @property
    def refits(self) -> bool:
        """Whether cuts are fitted again at each recalculation: where not all are by hand."""
        return len(self._by_hand) < len(SCORES)

    @property
    def _by_hand(self) -> Mapping[str, Sequence[float | Decimal]]:
        """The cuts that no fit has set, by score."""
        cuts = self.cuts or {}
        of = SCORES if self.account is None else self.account.by_hand
        return {score: cuts[score] for score in of if score in cuts}

    @property
    def _lacking(self) -> tuple[str, ...]:
        """The scores without cuts: those that a fit has to set."""
        return tuple(score for score in SCORES if score not in (self.cuts or {}))

    @property
    def is_fitted(self) -> bool:
        """Whether all scores have cuts."""
        return not self._lacking

    @property
    def _rules(self) -> MapRules:
        """The map written out for the bins."""
        return rules_of(self.map, self.bins)

    @property
    def _condition(self) -> pc.Expression | None:
        return parsed_condition(self.where) if isinstance(self.where, str) else self.where

    @property
    def _values(self) -> ScoredValues:
        return ScoredValues(self.recency, self.frequency, self.monetary, self.where)

    def fit(self, table: Any, *, threads: int | None = None) -> Self:
        """Return the scheme with cuts at the quantiles of a profile's customers.

        Cuts that were given by hand stay as they are; where all were, so does the scheme.
        Cuts are found by counting digits of the values, round by round, so that nothing is sorted
        and a cluster finds the same.

        Parameters
        ----------
        table
            A profile, windowed or not, or a table with its columns ``days_since_last_order``
            (int32), ``orders`` (int64) and ``revenue`` (float64, int64, decimal128) or
            ``average_order_value`` (float64), and those of `where`; with the columns that the
            scheme names instead (integers, floats, decimals). From any source, as for
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
            Where there are no customers to take quantiles of, or a value is not finite, or null
            where there are orders.

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
        return fit_profile(self._first_round(), table, threads=threads, whole=True)

    def _first_round(self) -> RfmRound[Self]:
        by_hand = FrozenDict(self._by_hand)
        unfitted = replace(self, cuts=by_hand or None, account=None)
        return RfmRound(unfitted, self._values, self.bins, by_hand)

    def _refitted(self, profile_of: ProfileOf) -> Self | None:
        read, condition = (*self._values.columns, *AS_OF_COLUMNS), str(self.where)
        table = profile_of(lambda name: name in read or name in condition)
        self._refuse_uncomputed(table.column_names)
        _, kept = self._values.of(table)
        return self.fit(table) if kept.any() else None

    def _assigning(self, source: StreamsAsOf | None) -> Assigning:
        assign = super()._assigning(source)

        def assigned(table: pa.Table, threads: int | None) -> pa.Table:
            self._refuse_uncomputed(table.column_names)
            return assign(table, threads)

        return assigned

    def _refuse_uncomputed(self, there: Sequence[str]) -> None:
        """Raise a ConfigError for a column that profiles do not have as they are recalculated."""
        absent = [name for name in self._values.columns if name not in there]
        if absent and absent[0] not in OF_ORDERS:
            raise ConfigError(
                f"profiles that are recalculated have no column {absent[0]!r}"
                f"{suggestion(absent[0], there)}",
                remedy=(
                    "pass ",
                    Option("schemes", Code(f"[Rules(..., features={{{absent[0]!r}: ...}})]")),
                    " which computes it of ",
                    Option("streams"),
                ),
            )

    def _reason(self, table: pa.Table, segment: str | None, _: StreamsAsOf | None) -> Reason:
        row = self.assign(table, threads=1).to_pylist()[0]
        numbers = {}
        for score, column in zip(SCORES, self._values.columns, strict=True):
            numbers[column] = row[column]
            if segment is not None:
                numbers[f"{score}_score"] = row[f"{score}_score"]
        if segment is not None:
            return Reason(f"{segment!r} stands for {self._in_words()[segment]}", numbers)
        _, is_scored = replace(self._values, where=None).of(table)
        if is_scored[0]:
            return Reason(f"left out, as it does not hold that {self._where_text()}", numbers)
        return Reason(f"scores are of those who have {self._values.has_all}", numbers)

    def _in_words(self) -> Mapping[str, str]:
        given = self.map if isinstance(self.map, Mapping) else MAPS[self.map](self.bins)
        patterns = {
            segment: (several,) if isinstance(several, str) else several
            for segment, several in given.items()
        }
        return {
            segment: f"scores {' or '.join(map(in_letters, several))}"
            for segment, several in patterns.items()
        }

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
            All null for customers without orders, those whom `where` leaves out, and of other
            columns those who have null in one of them.

        Raises
        ------
        ConfigError
            Where a score has no cuts.
        ColumnError
            Where a column is missing, has another type, or one of those above is there already.
        DataError
            Where a value is not finite, or null where there are orders.

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
        if self.cuts is None or self._lacking:
            of = f" of {' and '.join(self._lacking)}" if self.cuts else ""
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
        inputs, kept = self._values.of(table)
        codes_of_scores = self._rules.codes
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
        rules = self._rules
        unreachable = rules.unreached()
        reached = [
            np.ones(self.bins, np.bool_)
            if self.cuts is None or score not in self.cuts
            else scores_reached(self.cuts[score], score, are_of_orders=self._values.are_of_orders)
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

    def to_dict(self) -> dict[str, Any]:
        """Return the options, the cuts and what they were fitted from, as plain values.

        Raises
        ------
        ConfigError
            Where `where` is an expression that the language of :class:`Rules` does not have.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Rfm(map="ten", where="orders > 1").to_dict()
        {'scheme': 'rfm', 'bins': 5, 'monetary': 'sum', 'map': 'ten', 'where': 'orders > 1'}
        """
        made: dict[str, Any] = {"scheme": self.name, "bins": self.bins}
        made |= {name: value for name, value in self._shown() if name in USUAL}
        made["monetary"] = self.monetary
        made["map"] = (
            self.map
            if isinstance(self.map, str)
            else {name: list(of) if isinstance(of, tuple) else of for name, of in self.map.items()}
        )
        if self.where is not None:
            made["where"] = self._where_text()
            if made["where"] is None:
                raise ConfigError(
                    (Option("where", str(self.where)), " has no text"),
                    remedy="give the condition as text to save it, such as 'orders > 1'",
                )
        if self.cuts is not None:
            made["cuts"] = plain_cuts(self.cuts)
        return made if self.account is None else made | {"account": self.account.to_dict()}

    def _where_text(self) -> str | None:
        return self.where if isinstance(self.where, str) else language_text(self.where)

    def _compared(self) -> tuple[Any, ...]:
        where = None if self.where is None else str(self._condition)
        columns = (self.recency, self.frequency, self.monetary)
        return (self.bins, columns, self.map, where, self.cuts, self.account)

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Rfm) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def _shown(self) -> list[tuple[str, Any]]:
        shown = [
            (name, value)
            for name, value in super()._shown()
            if value is not None and not (name in USUAL and value == USUAL[name])
        ]
        return [
            (name, (self._where_text() or str(value)) if name == "where" else value)
            for name, value in shown
        ]
