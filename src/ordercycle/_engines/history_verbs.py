"""The verbs that bring customers to the driver, with their documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Generic, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._columns import Columns
from ordercycle._engines.engine import Engine, F
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.kept_customers import KeptCustomers
from ordercycle._engines.partition_tasks import ORDERS
from ordercycle._engines.stream_plans import OF_TASKS
from ordercycle._engines.verbs import ClusterHistory, planned_streams
from ordercycle._errors import ConfigError, Option, counted, printable, warn
from ordercycle._events.event_history import EventHistory
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._segments.backtest.backtest import Backtest
from ordercycle._segments.value.clv import Clv

#: Ids that a warning shows.
MOST_SHOWN = 5


class CustomersHere(NamedTuple):
    """Customers who were brought to the driver.

    history: their orders; streams: what else was asked for, by name.
    """

    history: OrderHistory
    streams: Mapping[str, EventHistory | OrderHistory]


class HistoryVerbs(Generic[F]):
    """Verbs that bring customers to the driver, of one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def history_of(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        ids: Iterable[Any] | None = None,
        customers_df: Any = None,
        *,
        share: float | None = None,
        streams: Mapping[str, Any] | None = None,
        columns: Columns | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: str | pc.Expression | None = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> CustomersHere:
        """Bring the rows of some customers here, as the histories that one machine makes of them.

        For whatever is asked of one customer, such as :meth:`ordercycle.OrderHistory.customer` and
        ``explain``, and for what ranks customers, of a share of them. All rows are read where they
        are; no other customer's leave their task.

        Parameters
        ----------
        orders_df, customers_df
            Frames, or paths of files.
        ids
            Up to 1,000 customers, in the type of the orders' ids.
        share
            Instead of ids: so much of all customers, by their hashes, which are spread evenly: the
            same customers each time, and those of a smaller share are among those of a larger one.
            1 brings everybody.
        streams
            Further events of the same customers, frames or paths of files by name.
        columns, timezone, where, missing, stream_options, **options
            As for `profile`, but for ``memory_limit`` and ``spill_directory``, which are about
            tasks; ``threads`` are those that the histories have here.

        Returns
        -------
        CustomersHere
            ``history`` and ``streams``, by name. Of a history of some customers the last day is
            that of their own orders: name the day with ``as_of``. Its ``summary()`` counts the
            rows that came here: of those without a customer, which ``anonymous="drop"`` leaves
            out in the tasks, none, but with a share of 1 all, as on one machine.

        Raises
        ------
        ConfigError, ColumnError
            Ids are of another kind than those of the orders, too many, or all unknown; and as for
            `profile`.
        DataError
            As for :meth:`ordercycle.OrderHistory.build`, of rows of these customers, and with
            ``anonymous="error"`` of all rows without one.

        Warns
        -----
        OrdercycleWarning
            Where the orders, and the customers where they are given, do not know some of the ids.

        Examples
        --------
        ::

            history, _ = engine.history_of(orders, ["ann", "bob"], columns=columns)
            print(history.customer("ann", "2026-10-31"))
            print(oc.Lifecycle().explain(history, "ann", "2026-10-31"))
        """
        given = GivenStreams.of(streams, columns, timezone, options, stream_options)
        tables = (orders_df, customers_df)
        planned = planned_streams(self._engine, tables, 1, given, missing)
        planned = planned.where(where, missing, has_streams=bool(given.streams))
        if (ids is None) == (share is None):
            raise ConfigError(
                "it is to be said who is brought, once",
                remedy=("pass either ", Option("ids"), " or ", Option("share")),
            )
        reader = planned.job.streams[0].ids
        if ids is None:
            return _brought(planned, KeptCustomers.of_share(share, reader), options)
        kept = KeptCustomers.of_ids(ids, reader)
        found = _brought(planned, kept, options)
        _say_unknown(kept, found.history)
        return found

    def clv_backtest(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        clv: Clv,
        split_day: date | str,
        customers_df: Any = None,
        *,
        share: float,
        horizon_days: int | None = None,
        origins: int = 1,
        columns: Columns | None = None,
        timezone: str | None = None,
        where: str | pc.Expression | None = None,
        missing: str = "error",
        **options: Any,
    ) -> Backtest:
        """Return what :meth:`ordercycle.Clv.backtest` returns, of a share of the customers.

        Scores rank customers by what was foretold and by what came, which no sums tell: the rows
        of the share are brought here, as by `history_of`, and one machine does the rest. The
        number of customers decides how sure a score is, not their share.

        Parameters
        ----------
        orders_df, customers_df, columns, timezone, where, missing, **options
            As for `history_of`.
        clv, split_day, horizon_days, origins
            The model, and the arguments of :meth:`ordercycle.Clv.backtest`.
        share
            Of the customers, by their hashes; 1 for all.

        Returns
        -------
        Backtest
            Equal to that of one machine of the same customers, to the last bit.

        Raises
        ------
        ConfigError, ColumnError, DataError
            As for `history_of` and :meth:`ordercycle.Clv.backtest`.

        Examples
        --------
        ::

            print(engine.clv_backtest(orders, oc.Clv(), "2026-03-31", share=0.01).verdict)
        """
        here = self.history_of(
            orders_df,
            None,
            customers_df,
            share=share,
            columns=columns,
            timezone=timezone,
            where=where,
            missing=missing,
            **options,
        )
        return clv.backtest(here.history, split_day, horizon_days=horizon_days, origins=origins)


def _brought(
    planned: ClusterHistory[F], kept: KeptCustomers, options: Mapping[str, Any]
) -> CustomersHere:
    for name in OF_TASKS:
        if options.get(name) is not None:
            raise ConfigError(
                (Option(name), " is about tasks that group rows, and these are grouped here"),
                remedy="leave it out, and bring fewer customers where they do not fit",
            )
    job = planned.job.brought(kept, options.get("threads"))
    built = job.built(planned.engine.bring(job, planned.frames))
    history = built.pop(ORDERS)
    return CustomersHere(history, built)


def _say_unknown(kept: KeptCustomers, history: OrderHistory) -> None:
    """Warn of ids that a history does not know; all of them are an error."""
    found = grouped_orders(history).scan(lambda _, batch, __: batch.ids)
    there = pa.chunked_array([one.cast(kept.reader.plain) for one in found], kept.reader.plain)
    ids = pa.array(kept.ids, kept.reader.plain)
    unknown = ids.filter(pc.invert(pc.is_in(ids, value_set=there))).to_pylist()
    if not unknown:
        return
    shown = ", ".join(repr(one) for one in unknown[:MOST_SHOWN])
    more = ", …" if len(unknown) > MOST_SHOWN else ""
    what = printable(f" has {counted(len(unknown), 'id')} that nobody has: {shown}{more}")
    if len(unknown) == len(ids):
        raise ConfigError((Option("ids"), what), remedy="pass ids as the orders have them")
    warn((Option("ids"), what))
