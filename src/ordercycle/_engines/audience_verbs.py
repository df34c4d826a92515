"""The verbs that make lists of customers, with their documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Generic

import pyarrow.compute as pc

from ordercycle._audiences.choosing import Choosing
from ordercycle._audiences.lists import AudienceLists
from ordercycle._days import day_number
from ordercycle._engines.audience_tasks import ChosenRows
from ordercycle._engines.cluster_audiences import ClusterAudience, ClusterAudiences
from ordercycle._engines.engine import Engine, F, check_frame
from ordercycle._engines.feature_tasks import PROFILES
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.verbs import planned_rows
from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._segments.customer_features import MISSING


class AudienceVerbs(Generic[F]):
    """Verbs of lists on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def audience(  # noqa: PLR0913 - every option is keyword-only
        self,
        profile_df: F,
        condition: str | pc.Expression,
        *,
        name: str,
        value: str | None = None,
        as_of: date | str | None = None,
        streams: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
        lookups: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> ClusterAudience[F]:
        """Return the customers for whom a condition holds, as :meth:`ordercycle.Audience.where`.

        Parameters
        ----------
        profile_df
            What `profile` and `assign` return, or any frame with ``customer_id``, one row per
            customer.
        condition, name, value
            As for :meth:`ordercycle.Audience.where`.
        as_of
            The day of the frame. None: as its columns say, where they do; with streams it is
            needed.
        streams, columns, lookups, timezone, missing, stream_options, partitions, **options
            As for `features`, where functions in the condition are about streams.

        Returns
        -------
        ClusterAudience
            ``to_frame()``, lazy rows; ``summary()`` and ``nbytes``, of which only sums come back;
            ``collect()``, the list as an :class:`ordercycle.Audience`.

        Raises
        ------
        ColumnError, ConfigError
            At once, as for :meth:`ordercycle.Audience.where`, as far as no row is read for it.

        Examples
        --------
        ::

            top = engine.audience(segments, "value_list == 'Top'", name="Top", value="clv")
            print(top.summary())
            top.collect().to_csv("top.csv", contacts, target="meta")
        """
        choosing = Choosing({name: condition}, {} if value is None else {name: value})
        given = (streams, columns, lookups, timezone, options, stream_options)
        return self._lists(profile_df, choosing, as_of, given, missing, partitions)[name]

    def audiences(  # noqa: PLR0913 - every option is keyword-only
        self,
        profile_df: F,
        lists: AudienceLists,
        *,
        as_of: date | str | None = None,
        streams: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
        lookups: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> ClusterAudiences[F]:
        """Return lists that are kept as data, as :meth:`ordercycle.AudienceLists.build` does.

        Parameters
        ----------
        profile_df
            As for `audience`.
        lists
            What :func:`ordercycle.audiences_from_dict` returns. Targets, contacts and connections
            are for whoever collects a list, or reads it from files.
        as_of, streams, columns, lookups, timezone, missing, stream_options, partitions, **options
            As for `audience`.

        Returns
        -------
        ClusterAudiences
            A mapping of the lists by name, what is counted is so for all of them at once;
            ``overlap()``.

        Raises
        ------
        ColumnError, ConfigError
            At once, as for :meth:`ordercycle.AudienceLists.build`, as far as no row is read for it.

        Examples
        --------
        ::

            lists = engine.audiences(segments, oc.audiences_from_dict(tomllib.load(file)))
            print(lists.overlap())
            lists["Lost"].to_frame().write.parquet("lost")
        """
        if not isinstance(lists, AudienceLists):
            raise ConfigError(
                (Option("lists", lists), " are no lists"),
                remedy="pass what audiences_from_dict returns",
            )
        choosing = Choosing(lists.conditions, lists.values, lists.features)
        given = (streams, columns, lookups, timezone, options, stream_options)
        return self._lists(profile_df, choosing, as_of, given, missing, partitions)

    def _lists(
        self,
        profile_df: F,
        choosing: Choosing,
        as_of: date | str | None,
        beside: tuple[Any, ...],
        missing: str,
        partitions: int | None,
    ) -> ClusterAudiences[F]:
        check_choice("missing", missing, MISSING)
        check_frame(self._engine, profile_df, PROFILES)
        choosing.check_names()
        given = GivenStreams.beside_rows(*beside)
        known = self._engine.columns(profile_df)
        planned = (self._engine, profile_df, partitions, given, missing)
        narrow = planned_rows(*planned, columns=choosing.columns_of(known))
        whole = planned_rows(*planned) if given.streams else None
        if whole is not None:
            features = choosing.read.features
            narrow = narrow.comparing(features, missing, given.streams)
            whole = whole.comparing(features, missing, given.streams)
        day = None if as_of is None else day_number(as_of, "as_of")
        made = ClusterAudiences(choosing, profile_df, whole, narrow, day)
        for name in made:  # which checks the rest
            made.schema(ChosenRows(choosing, name, day, are_whole=False))
        return made
