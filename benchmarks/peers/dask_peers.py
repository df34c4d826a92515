"""Attribution, features and value in Dask, with pandas and NumPy for its partitions.

Only rows and columns that can matter are shuffled, by customer, once, by the better of Dask's
shuffles; counts are added up before. Instants are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from . import dask_expressions, dask_profile
from .asked_features import FEW, MANY, Counted
from .cluster_cases import (
    CAN_WIN,
    CLV,
    COUNTED,
    CREDIT_COLUMNS,
    VALUE_COLUMNS,
    Given,
    Needed,
)
from .generate import AS_OF
from .value_formulas import values

if TYPE_CHECKING:
    import dask.dataframe as dd

Formulation = Callable[[Given], Any]

END = pd.Timestamp(AS_OF + timedelta(days=1), tz="UTC")
LONG, SHORT = (pd.Timedelta(days=5).value // 1000, pd.Timedelta(hours=12).value // 1000)
TEXT = "string[pyarrow]"


def by_customer(frame: dd.DataFrame, partitions: int) -> dd.DataFrame:
    """Shuffle rows by customer."""
    return frame.shuffle(
        "customer_id", npartitions=partitions, ignore_index=True, shuffle_method="tasks"
    )


def keep(frame: dd.DataFrame, needed: Needed) -> dd.DataFrame:
    """Return the touches that are needed."""
    wanted = None
    for kinds, channels in needed.kinds:
        those = frame["kind"].isin(kinds)
        if channels is not None:
            those &= frame["channel"].isin(channels)
        wanted = those if wanted is None else wanted | those
    return frame[wanted & (frame["occurred_at"] >= pd.Timestamp(needed.since, tz="UTC"))]


# Attribution.


def credited(given: Given) -> dd.DataFrame:
    """Return orders with the touches that win them."""
    able = given.frame("touches", CAN_WIN)
    able = able[["customer_id", "occurred_at", "kind", "channel", "campaign"]]
    meta = _winners(able._meta, given.frame("placed")._meta)  # noqa: SLF001 - types
    return by_customer(able, given.partitions).map_partitions(
        _winners,
        by_customer(given.frame("placed"), given.partitions),
        meta=meta,
        align_dataframes=False,
    )


def _winners(touches: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the orders of a partition with the last click or text message that is open."""
    size = len(touches)
    customers = np.concatenate([touches["customer_id"], orders["customer_id"]])
    moments = np.concatenate([_micros(touches["occurred_at"]), _micros(orders["ordered_at"])])
    # A stable sort of touches before orders: a touch at the very instant counts.
    order = np.lexsort((moments, customers))
    places = np.arange(order.size)
    is_touch = order < size
    is_click = np.zeros(order.size, bool)
    is_click[is_touch] = (touches["kind"] == "click").to_numpy(bool)[order[is_touch]]
    is_order = ~is_touch
    best = np.full(int(is_order.sum()), -1)
    best_at = np.full(best.size, np.iinfo(np.int64).min)
    for chosen, window in ((is_click, LONG), (is_touch & ~is_click, SHORT)):
        last = np.maximum.accumulate(np.where(chosen, places, -1))[is_order]
        found, own = order[last], order[is_order]  # of -1: any, which does not count
        is_open = (last >= 0) & (customers[found] == customers[own])
        is_open &= moments[own] - moments[found] < window
        is_better = is_open & (moments[found] > best_at)
        best[is_better], best_at[is_better] = found[is_better], moments[found][is_better]
    placed = orders.iloc[order[is_order] - size]
    won = touches.reindex(columns=["kind", "channel", "campaign", "occurred_at"]).reset_index(
        drop=True
    )
    won = won.reindex(best)  # there is no -1: nulls
    made = won.rename(columns={"occurred_at": "touched_at"}).reset_index(drop=True)
    made["order"] = placed["order_id"].to_numpy()
    made["revenue"] = placed["amount"].to_numpy()
    return made[list(CREDIT_COLUMNS)]


def _micros(times: pd.Series) -> np.ndarray:
    return times.dt.tz_localize(None).to_numpy("datetime64[us]").view(np.int64)


def totals(given: Given) -> pa.Table:
    """Return the orders and the revenue of each channel."""
    won = credited(given)[["channel", "revenue"]]
    found = won.groupby("channel", dropna=False)["revenue"].agg(["count", "sum"]).compute()
    found = found.reset_index().rename(columns={"count": "orders", "sum": "revenue"})
    table = pa.Table.from_pandas(found, preserve_index=False)
    return table.set_column(1, "orders", table["orders"].cast(pa.float64()))


# Features.


def counted(given: Given, features: tuple[Counted, ...]) -> dd.DataFrame:
    """Return the people with counts of their touches, added up in the partitions first."""
    return _joined(given, _counts(given, features), features)


def _counts(given: Given, features: tuple[Counted, ...]) -> dd.DataFrame:
    rows = given.frame("touches", COUNTED)[["customer_id", "occurred_at", "kind", "channel"]]
    pieces = rows.map_partitions(_piece, features, meta=_piece(rows._meta, features))  # noqa: SLF001
    return by_customer(pieces, given.partitions)


def _piece(touches: pd.DataFrame, features: tuple[Counted, ...]) -> pd.DataFrame:
    """Count the touches of each customer in a part of them: codes of pairs, then days."""
    touches = touches[(touches["occurred_at"] < END).to_numpy(bool)]
    kinds, channels = (
        {
            value: code
            for code, value in enumerate(dict.fromkeys(getattr(f, name) for f in features))
        }
        for name in ("kind", "channel")
    )
    codes = _codes(touches["kind"], kinds) * (len(channels) + 1)
    codes += _codes(touches["channel"], channels)
    age = (_micros(pd.Series([END]))[0] - _micros(touches["occurred_at"])) / 86_400e6
    truths = {
        one.name: (codes == kinds[one.kind] * (len(channels) + 1) + channels[one.channel])
        & (age <= one.days)
        for one in features
    }
    rows = pd.DataFrame({"customer_id": touches["customer_id"].to_numpy(), **truths})
    return rows.groupby("customer_id", sort=False).sum().reset_index()


def _codes(texts: pd.Series, known: Mapping[str, int]) -> np.ndarray:
    """Return the place of each text, one past the last where it is not known."""
    codes, found = pd.factorize(texts)
    places = np.array([known.get(text, len(known)) for text in found] or [0])
    return places[codes]


def _joined(
    given: Given, pieces: dd.DataFrame, features: tuple[Counted, ...], of: Any = None
) -> dd.DataFrame:
    """Add the counts of pieces to the people, or to others that are shuffled already."""
    people = by_customer(given.frame("people"), given.partitions) if of is None else of
    names = [one.name for one in features]
    meta = _added(people._meta, pieces._meta, names)  # noqa: SLF001 - types
    return people.map_partitions(_added, pieces, names, meta=meta, align_dataframes=False)


def _added(people: pd.DataFrame, pieces: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    summed = pieces.groupby("customer_id", sort=False)[names].sum()
    found = summed.reindex(people["customer_id"], fill_value=0).astype("int64")
    return people.reset_index(drop=True).join(found.reset_index(drop=True))


MIXED_COLUMNS = {
    "customer_id": "int64",
    "orders_email": "float64",
    "year_mean": "float64",
    "email_share": "float64",
    "campaigns": "int64",
    "days_since_click": "int32[pyarrow]",
    "first_device": TEXT,
    "submitted": "bool",
    "clicks_and_opens": "bool",
}


def mixed(given: Given) -> dd.DataFrame:
    """Return the people with features of other functions; every touch is shuffled."""
    touches = by_customer(given.frame("touches"), given.partitions)
    people = by_customer(given.frame("people"), given.partitions)
    meta = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in MIXED_COLUMNS.items()})
    return people.map_partitions(_mixed, touches, meta=meta, align_dataframes=False)


def _mixed(people: pd.DataFrame, touches: pd.DataFrame) -> pd.DataFrame:
    touches = touches[(touches["occurred_at"] < END).to_numpy(bool)]
    is_recent = (touches["occurred_at"] >= END - pd.Timedelta(days=365)).to_numpy(bool)
    kind, amount = _codes(touches["kind"], KINDS), touches["amount"].to_numpy()
    is_email = _codes(touches["channel"], {"Email": 0}) == 0
    days = touches["occurred_at"].dt.tz_localize(None).to_numpy("datetime64[D]").astype(np.int64)
    rows = pd.DataFrame(
        {
            "customer_id": touches["customer_id"].to_numpy(),
            "email": np.where(is_email, amount, 0.0),
            "amount": amount,
            "recent": np.where(is_recent, amount, np.nan),
            "clicked_on": np.where(kind == KINDS["click"], days, -1),
            "submitted": kind == KINDS["submit"],
            "clicked": is_recent & (kind == KINDS["click"]),
            "opened": is_recent & (kind == KINDS["open"]),
        }
    )
    found = rows.groupby("customer_id", sort=False).agg(
        email=("email", "sum"),
        amount=("amount", "sum"),
        year_mean=("recent", "mean"),
        clicked_on=("clicked_on", "max"),
        submitted=("submitted", "max"),
        clicked=("clicked", "max"),
        opened=("opened", "max"),
    )
    pairs = touches.loc[is_recent, ["customer_id", "campaign"]].drop_duplicates()
    campaigns = pairs.groupby("customer_id", sort=False).size()
    first = touches.sort_values("occurred_at").drop_duplicates("customer_id")
    devices = first.set_index("customer_id")["device"]
    ids = people["customer_id"].to_numpy()
    found = found.reindex(ids)
    clicked_on = found["clicked_on"].fillna(-1).to_numpy()
    as_of_day = (AS_OF - date(1970, 1, 1)).days
    since = pd.Series(np.where(clicked_on >= 0, as_of_day - clicked_on, np.nan))
    return pd.DataFrame(
        {
            "customer_id": ids,
            "orders_email": found["email"].fillna(0).to_numpy(),
            "year_mean": found["year_mean"].to_numpy(),
            "email_share": (found["email"] / found["amount"]).to_numpy(),
            "campaigns": campaigns.reindex(ids, fill_value=0).to_numpy(),
            "days_since_click": since.astype("Int32").astype("int32[pyarrow]"),
            "first_device": devices.reindex(ids).astype(TEXT).array,
            "submitted": (found["submitted"] == 1).to_numpy(),
            "clicks_and_opens": ((found["clicked"] == 1) & (found["opened"] == 1)).to_numpy(),
        }
    )


KINDS = {"click": 0, "open": 1, "submit": 2}


def profile_with_counts(given: Given) -> dd.DataFrame:
    """Return profiles of the orders with counts of touches; both are shuffled alike."""
    orders = given.frame("placed")[["customer_id", "ordered_at", "amount"]]
    orders = orders.assign(ordered_at=orders["ordered_at"].dt.tz_localize(None))
    profiles = dask_expressions.profile(orders, AS_OF, given.partitions)
    kept = [name for name in profiles.columns if name != "lifecycle"]
    return _joined(given, _counts(given, FEW), FEW, profiles[kept])


# Value.


def scored(given: Given) -> dd.DataFrame:
    """Return what customers are worth, given the parameters."""
    orders = given.frame("orders")
    rows = orders.assign(
        day=(orders["ordered_at"] - dask_expressions.EPOCH).dt.days.astype("int16")
    )
    rows = rows[["customer_id", "day", "amount"]]
    meta = pd.DataFrame({name: pd.Series(dtype="float64") for name in VALUE_COLUMNS})
    meta = meta.astype({"customer_id": "int64"})
    return by_customer(rows, given.partitions).map_partitions(_scores, meta=meta)


def _scores(orders: pd.DataFrame) -> pd.DataFrame:
    """Score the customers of a partition: sums of what lies together."""
    as_of_day = (AS_OF - date(1970, 1, 1)).days
    orders = orders[(orders["day"] <= as_of_day).to_numpy()]
    order = np.argsort(orders["day"].to_numpy(), kind="stable")
    order = order[np.argsort(orders["customer_id"].to_numpy()[order], kind="stable")]
    customers, days, amounts = (
        orders[name].to_numpy()[order] for name in ("customer_id", "day", "amount")
    )
    days = days.astype(np.int64)
    is_new = np.ones(customers.size, bool)
    is_new[1:] = customers[1:] != customers[:-1]
    is_day = is_new.copy()
    is_day[1:] |= days[1:] != days[:-1]
    first = np.flatnonzero(is_new)
    sizes = np.diff(np.append(first, customers.size))
    first_days = days[first]
    early = np.where(days == np.repeat(first_days, sizes), amounts, 0.0)
    inputs = {
        "x": np.add.reduceat(is_day.astype(np.float64), first) - 1,
        "recency": (days[first + sizes - 1] - first_days).astype(np.float64),
        "age": (as_of_day - first_days).astype(np.float64),
        "revenue": np.add.reduceat(amounts, first),
        "first": np.add.reduceat(early, first),
    }
    parameters = {name: estimate for name, (estimate, _) in (CLV.parameters or {}).items()}
    return pd.DataFrame(
        {"customer_id": customers[first], **values(inputs, parameters, CLV.horizon_days)}
    )


#: By the names of cases; the results of all are compared.
FORMULATIONS: Mapping[str, Mapping[str, Formulation]] = {
    "profile": {
        name: lambda given, profile=profile: profile(given.frame("orders"), AS_OF, given.partitions)
        for name, profile in (
            ("DataFrame expressions", dask_expressions.profile),
            ("pandas and NumPy written for a partition", dask_profile.profile),
        )
    },
    "value": {"NumPy written for a partition": scored},
    "features-8": {"counts of pieces in pandas, summed": partial(counted, features=FEW)},
    "features-64": {"counts of pieces in pandas, summed": partial(counted, features=MANY)},
    "features-mixed": {"pandas written for a partition": mixed},
    "profile-features": {"DataFrame expressions, counts of pieces": profile_with_counts},
    "attribution": {"NumPy written for a partition": credited},
    "attribution-totals": {"NumPy written for a partition": totals},
}
