"""Attribution: which touches orders are credited to, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Self

from ordercycle._attribution.attribution_options import AttributionOptions
from ordercycle._attribution.credit_scan import CreditScan
from ordercycle._attribution.credited import Credited
from ordercycle._attribution.durations import duration_text
from ordercycle._attribution.option_checks import PRESETS
from ordercycle._errors import ConfigError, Option, check_choice, printable
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.stored_events import StoredEvents
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._public import public


@public()
@dataclass(frozen=True, kw_only=True, repr=False)
class Attribution(AttributionOptions):
    """Rules by which orders are credited to the touches before them.

    Within a group, the touches compete whose windows are open: from the touch on, for the length of
    the window, its end excluded. Groups do not compete: an order has a winner in each of them at
    most. Of touches at one instant the last wins: by place in `qualify`, campaign, and id.

    Parameters
    ----------
    model
        ``"last_touch"`` or ``"first_touch"`` take all; ``"linear"`` gives each touch the same;
        ``"position"`` 40 per cent to the first and the last each, and 20 to those between them
        (halves to two); ``"time_decay"`` half as much per `half_life` before the last touch.
    window
        How long after a touch an order may be credited to it: text such as ``"5d"``, ``"12h"`` and
        ``"30m"``, or a timedelta. Days are 24 hours.
    windows
        Windows of kinds, or of (channel, kind), instead of `window`.
    qualify
        Which touches may win: kinds, or (channel, kind).
    groups
        The channels of each group; None: all channels that no other group has.
    compete
        Who competes: the touches of a ``"group"``, ``"all"`` of them, or those of a ``"channel"``.
    exclude
        A condition over touches that neither win nor count as deliveries, in the language of
        :meth:`EventHistory.where`: machines, bots, one-time codes.
    bursts
        Clicks of a customer that are a machine's, and do not count: pairs of a number and a
        duration, ``((4, "1s"), (5, "10s"))``: of four clicks or more within less than a second,
        or five within less than ten, all.
    brand
        The name of an attribute of orders and touches: a touch wins orders of its brand only.
    clock
        When a window starts: with the ``"touch"``, or with the ``"delivery"`` of the message that
        was touched: of the same key ``message``, else the last of the same campaign
        in the same channel.
    reuse
        Whether a touch may be credited with several orders. False: an order uses up all touches of
        its brand that come before it, in whatever group; later ones are credited to later touches.
    tiers
        Kinds, or (channel, kind), in order: touches of the first that has any in reach compete
        alone, and touches of none come last.
    half_life
        Of ``"time_decay"``.
    most_touches
        Of longer paths, the latest so many touches are credited, and the path is counted.
    strict
        With ``"last_touch"``: nobody wins where the window of the latest touch of all is closed.

    Raises
    ------
    ConfigError
        An option is none of those above, a channel is in two groups, or options contradict.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> from ordercycle import Columns, EventColumns, EventHistory, OrderHistory
    >>> def moments(*hours):
    ...     return [datetime.datetime(2026, 1, 5) + datetime.timedelta(hours=one) for one in hours]
    >>> orders = OrderHistory.build(
    ...     pa.table({
    ...         "customer_id": ["ann", "bob"], "order_id": [1, 2],
    ...         "ordered_at": moments(71, 50), "amount": [60, 40],
    ...     }),
    ...     columns=Columns(order="order_id", instants=True),
    ... )
    >>> touches = EventHistory.build(
    ...     pa.table({
    ...         "customer_id": ["ann", "ann"], "occurred_at": moments(10, 58),
    ...         "kind": ["click", "delivery"], "channel": ["Email", "SMS"],
    ...         "campaign": ["spring", "sale"],
    ...     }),
    ...     columns=EventColumns(attributes=["kind", "channel", "campaign"]),
    ... )
    >>> credited = Attribution(windows={("SMS", "delivery"): "12h"}).credit(orders, touches)
    >>> for row in credited.to_table().select(["order", "channel", "age", "revenue"]).to_pylist():
    ...     print(*row.values())
    1 Email 2 days, 13:00:00 60
    2 None None 40
    >>> credited.explain(1).select(["channel", "outcome"]).to_pylist()[-1]
    {'channel': 'SMS', 'outcome': 'window'}
    """

    @classmethod
    def preset(cls, name: str) -> Self:
        """Return the rules of a vendor.

        Parameters
        ----------
        name
            ``"maestra"`` (clicks, and deliveries of SMS; one window), ``"klaviyo"`` (opens and
            clicks of each channel in windows of their own, from the delivery on) or
            ``"last_click"`` (of all channels together, within 30 days).

        Raises
        ------
        ConfigError
            There is no such preset.

        Examples
        --------
        >>> Attribution.preset("last_click").window
        datetime.timedelta(days=30)
        """
        check_choice("name", name, PRESETS)
        return cls(**PRESETS[name])

    def credit(
        self, history: OrderHistory, touches: EventHistory, visits: EventHistory | None = None
    ) -> Credited:
        """Credit orders to touches.

        Parameters
        ----------
        history
            Orders with instants (``Columns(instants=True)``), or a view of them. Refunds follow
            the touches of their order, on their own day: negative rows of the order's id, and rows
            whose ``Columns(refund_of=...)`` names it.
        touches
            Events with instants and the attributes ``kind`` and ``channel``, and where there are
            any ``campaign`` and ``form``.
        visits
            Visits from elsewhere, which are not direct: a touch counts only if none of them lies
            between it and the order, or at the order.

        Returns
        -------
        Credited
            What can be asked; nothing is computed yet.

        Raises
        ------
        ColumnError
            An attribute is missing or of a wrong type, or ids have none in common.
        ConfigError
            An argument is no history, or has no instants; `exclude` does not fit the touches.

        Warns
        -----
        OrdercycleWarning
            Where no touch has a kind or channel that is named.
        """
        if not isinstance(history, OrderHistory):
            raise ConfigError(
                printable(f"{type(history).__name__} is no history of orders"),
                remedy="group orders by OrderHistory.build",
            )
        stored = _stored("touches", touches)
        between = None if visits is None else _stored("visits", visits)
        return Credited(CreditScan.of(self, grouped_orders(history), stored, between))

    def __repr__(self) -> str:
        given = [
            f"{one.name}={_shown(getattr(self, one.name))}"
            for one in fields(self)
            if getattr(self, one.name) != getattr(DEFAULT, one.name)
        ]
        return printable(f"{type(self).__name__}({', '.join(given)})")


#: What is not said of others.
DEFAULT = AttributionOptions()


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return repr(duration_text(value))
    if isinstance(value, tuple):
        inner = ", ".join(map(_shown, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Mapping):
        items = (f"{name!r}: {_shown(one)}" for name, one in value.items())
        return f"{{{', '.join(items)}}}"
    return repr(value)


def _stored(what: str, given: object) -> StoredEvents:
    if not isinstance(given, EventHistory):
        raise ConfigError(
            (Option(what), printable(f": {type(given).__name__} is no history of events")),
            remedy="group them by EventHistory.build",
        )
    return stored_events(given)
