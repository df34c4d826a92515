"""The whole path, every verb, against what the documentation says (`docs_oracle`).

Shops are drawn with everything in them that has a definition: refunds, lines, several orders a day,
instants in a time zone, listed customers, anonymous rows, ids and amounts of several types, chunks
and dictionaries. All verbs answer from one history, and every answer is compared in full.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from support.layouts import Layout

import ordercycle as oc
from campaigns import docs_oracle
from campaigns.runner import Campaign, FaultError

BEGIN = date(2023, 10, 1)  # summer time ends within weeks
SPAN = 420
#: Small shops find what few customers have; most of the customers are of the largest, where the
#: costs of a call hardly count.
CUSTOMERS = (5, 40, 150, 300, 4_000)
ZONES = ("UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland")
ID_KINDS = ("int64", "int32", "string", "large_string", "string_view", "dictionary")
AMOUNT_KINDS = ("int64", "float64", "decimal", "int32")
SEGMENTS = tuple(oc.Lifecycle().segments)
#: Relative, for floats: engines add them in different orders.
CLOSE = 1e-9


@dataclass(frozen=True)
class Shop:
    """Orders as rows and as a table, and how they are read."""

    rows: list
    given: dict
    orders: pa.Table
    customers: pa.Table | None
    options: dict
    has_ids: bool
    first: date
    last: date


def drawn_shop(random):
    """Draw a shop."""
    count = random.choice(CUSTOMERS)
    kind, money = random.choice(ID_KINDS), random.choice(AMOUNT_KINDS)
    zone, has_ids = random.choice(ZONES), random.random() < 0.4
    has_times = random.random() < 0.5
    refunds = (
        random.choice(("net", "net", "drop"))
        if has_ids
        else random.choice(("net", "net", "drop", "count"))
    )
    same_day = "separate" if has_ids else random.choice(("separate", "separate", "merge"))
    rows, times = [], []
    for number in range(count):
        name = _id(kind, number, random)
        for _ in range(_orders_of(random)):
            day = random.randrange(SPAN)
            order = random.randrange(6) if has_ids else None
            lines = random.choice((1, 1, 1, 2, 3)) if has_ids else 1
            rows += [(name, day, _amount(money, random), order) for _ in range(lines)]
        if random.random() < 0.1:
            rows.append(
                (name, random.randrange(SPAN), _amount(money, random), 0 if has_ids else None)
            )
    nobodies = random.choice((0, 0, 3))
    order = 0 if has_ids else None
    rows += [(None, random.randrange(SPAN), _amount(money, random), order) for _ in range(nobodies)]
    random.shuffle(rows)
    times = [_time(BEGIN + timedelta(days=row[1]), zone, random, has_times) for row in rows]
    rows = [
        (name, day, amount, order)
        for (name, _, amount, order), (day, _) in zip(rows, times, strict=True)
    ]
    layout = Layout(random.randrange(10_000))
    columns = {
        "customer_id": ([row[0] for row in rows], _id_type(kind)),
        "ordered_at": (
            [raw for _, raw in times],
            pa.timestamp("s", "UTC") if has_times else pa.date32(),
        ),
        "amount": ([row[2] for row in rows], _money_type(money)),
    }
    if has_ids:
        columns["order_id"] = ([row[3] for row in rows], pa.int64())
    given, customers = {}, None
    if random.random() < 0.5:
        listed = [_id(kind, number, random) for number in range(0, count + 5, 2)]
        given = {
            name: None if random.random() < 0.1 else BEGIN + timedelta(days=random.randrange(SPAN))
            for name in listed
        }
        customers = layout.table(
            {
                "customer_id": (list(given), _id_type(kind)),
                "registered_at": (
                    [
                        None if day is None else (day - date(1970, 1, 1)).days
                        for day in given.values()
                    ],
                    pa.date32(),
                ),
            }
        )
    return Shop(
        rows,
        given,
        layout.table(columns),
        customers,
        {
            "columns": oc.Columns(order="order_id" if has_ids else None),
            "timezone": zone,
            "times_without_zone": None if has_times else "local",
            "refunds": refunds,
            "same_day": same_day,
            "threads": random.choice((1, 2)),
        },
        has_ids,
        BEGIN,
        BEGIN + timedelta(days=SPAN),
    )


def _orders_of(random):
    draw = random.random()
    if draw < 0.35:
        return 1
    return random.randrange(2, 5) if draw < 0.8 else random.randrange(5, 14)


def _id(kind, number, random):  # noqa: ARG001 - the same customer has the same id
    if kind in ("int64", "int32"):
        return number * 7_919 - 3
    return f"{'a customer of many letters ' if number % 3 else ''}c{number}"


def _id_type(kind):
    if kind == "dictionary":
        return pa.dictionary(pa.int32(), pa.string())
    return getattr(pa, kind)()


def _money_type(money):
    return pa.decimal128(12, 2) if money == "decimal" else getattr(pa, money)()


def _amount(money, random):
    cents = random.choice((random.randrange(0, 20_000), random.randrange(0, 20_000), 0, 1000))
    if random.random() < 0.08:
        cents = -random.randrange(1, 8_000)
    if money == "decimal":
        return Decimal(cents) / 100
    return cents / 4 if money == "float64" else cents


def _time(day, zone, random, has_times):
    """Return a business day and the raw value of a column that means it."""
    if not has_times:
        return day, (day - date(1970, 1, 1)).days
    second = random.choice((0, 1, 43_200, 86_399, random.randrange(86_400)))
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)
    return moment.astimezone(ZoneInfo(zone)).date(), int(moment.timestamp())


def state(folder: Path):
    """Return a folder for histories that are saved."""
    return nullcontext(folder)


def trial(random, state, totals, oracle=docs_oracle):
    """Draw a shop and compare every verb."""
    shop = drawn_shop(random)
    persons = oracle.people(
        shop.rows,
        shop.given,
        refunds=shop.options["refunds"],
        same_day=shop.options["same_day"],
        has_ids=shop.has_ids,
    )
    history = built(shop, random, state)
    totals["customers"] += len(persons)
    totals["rows"] += len(shop.rows)
    days = [shop.first + timedelta(days=random.randrange(SPAN + 60)) for _ in range(2)]
    segments = []
    for as_of in sorted(days):
        rows = {name: oracle.profile(person, as_of) for name, person in persons.items()}
        rows = {name: row for name, row in rows.items() if row is not None}
        table = history.profile(as_of)
        totals["profiles"] += len(rows)
        _same_rows("profile", by_customer(table), rows)
        segments.append(_check_lifecycle(table, rows, oracle))
        _check_rfm(table, rows, random, oracle)
        _check_cadence(table, rows, oracle)
        _check_audience(table, rows, random)
        # Features see the rows of merged orders one by one, as the definitions say.
        if shop.options["same_day"] == "separate":
            _check_features(table, history, persons, rows, as_of, random)
        window = random.choice((1, 30, 91, 365))
        windowed = {name: oracle.profile(persons[name], as_of, window) for name in rows}
        _same_rows("window", by_customer(history.profile(as_of, window_days=window)), windowed)
    _check_transitions(*segments, oracle)
    _check_membership(history, persons, shop, random, totals, oracle)
    _check_report(history, persons, random, oracle)


def built(shop, random, folder):
    """Build a history in one of the ways that must make no difference."""
    way = random.choice(("table", "batches", "limit", "saved", "appended"))
    orders, options = shop.orders, dict(shop.options)
    if way == "limit":
        options["memory_limit"] = "100MB"
    if way == "appended" and not shop.has_ids and shop.options["same_day"] == "separate":
        cut = random.randrange(orders.num_rows + 1)
        history = oc.OrderHistory.build(orders.slice(0, cut), shop.customers, **options)
        return history.append(orders.slice(cut))
    source = orders.to_reader(max_chunksize=17) if way == "batches" else orders
    history = oc.OrderHistory.build(source, shop.customers, **options)
    return history.save(folder / "history") if way == "saved" else history


def by_customer(table):
    """Return rows by customer."""
    rows = table.to_pylist()
    return {row.pop("customer_id"): row for row in rows}


def _check_lifecycle(table, rows, oracle):
    assigned = oc.Lifecycle().assign(table)
    found = dict(
        zip(assigned["customer_id"].to_pylist(), assigned["lifecycle"].to_pylist(), strict=True)
    )
    wanted = {name: oracle.lifecycle_of(row) for name, row in rows.items()}
    _same("lifecycle", found, wanted)
    return found


def _check_rfm(table, rows, random, oracle):
    wanted = oracle.scores(rows, bins := random.choice((3, 5, 10)))
    if not wanted:
        return
    scored = oc.Rfm(bins=bins).fit(table).assign(table)
    columns = ("customer_id", "recency_score", "frequency_score", "monetary_score")
    each = zip(*(scored[name].to_pylist() for name in columns), strict=True)
    found = {name: values for name, *values in each}
    found = {name: tuple(values) for name, values in found.items() if values[0] is not None}
    _same("rfm", found, wanted)


def _check_cadence(table, rows, oracle):
    wanted = oracle.cadence(rows)
    if wanted is None:
        return
    assigned = oc.Cadence().fit(table).assign(table)
    names, found = assigned["customer_id"].to_pylist(), assigned["cadence"].to_pylist()
    _same("cadence", dict(zip(names, found, strict=True)), wanted)


def _check_audience(table, rows, random):
    least, days = random.randrange(1, 5), random.randrange(10, 300)
    condition = f"orders >= {least} and days_since_last_order <= {days}"
    listed = oc.Audience.where(table, condition, name="some")
    wanted = {
        name
        for name, row in rows.items()
        if row["orders"] >= least and row["days_since_last_order"] <= days
    }
    _same("audience", set(listed.customers.to_pylist()), wanted)


def _check_features(table, history, persons, rows, as_of, random):
    last = random.choice((1, 30, 200))
    asked = {
        "n": f"count(orders, last={last})",
        "total": f"sum(orders.amount, last={last})",
        "since": "days_since(orders)",
        "large": "has(orders, amount >= 50)",
    }
    found = oc.features(table, asked, as_of=as_of, streams={"orders": history})
    wanted = {}
    begin = as_of - timedelta(days=last - 1)
    for name in rows:
        person = persons[name]
        seen = [(day, amount) for day, amount in person.orders if day <= as_of]
        wanted[name] = {
            "n": sum(day >= begin for day, _ in seen),
            "total": sum(amount for day, amount in person.money if begin <= day <= as_of),
            "since": (as_of - seen[-1][0]).days if seen else None,
            "large": any(amount >= 50 for _, amount in seen),
        }
    rows = by_customer(found)
    _same_rows(
        "features", {one: {key: row[key] for key in asked} for one, row in rows.items()}, wanted
    )


def _check_transitions(before, after, oracle):
    tables = []
    for segments in (before, after):
        names = pa.array(list(segments.values()), pa.string())
        ids = list(segments)
        kind = pa.int64() if ids and isinstance(ids[0], int) else pa.string()
        tables.append(pa.table({"customer_id": pa.array(ids, kind), "lifecycle": names}))
    if not before or not after:
        return
    moved = oc.transitions(*tables)
    columns = ("customer_id", "from_segment", "to_segment")
    each = zip(*(moved[name].to_pylist() for name in columns), strict=True)
    _same(
        "transitions",
        {name: (old, new) for name, old, new in each},
        oracle.transitions(before, after),
    )


def _check_membership(history, persons, shop, random, totals, oracle):
    """Walk every day of a few customers."""
    end = shop.first + timedelta(days=random.randrange(60, SPAN + 300))
    table = oc.Lifecycle().membership(history, end=end).to_table()
    columns = ("customer_id", "segment", "valid_from", "valid_to")
    found = {}
    for name, *interval in zip(*(table[one].to_pylist() for one in columns), strict=True):
        found.setdefault(name, []).append(tuple(interval))
    before = shop.first - timedelta(days=1)
    chosen = random.sample(sorted(persons, key=str), min(len(persons), 12))
    for name in chosen:
        wanted = oracle.intervals(persons[name], before, end)
        _same(f"membership of {name!r}", found.get(name, []), wanted)
    totals["days of memberships"] += len(chosen) * (end - before).days
    exist = {name for name, person in persons.items() if person.registered(end) is not None}
    _same("customers of the membership", set(found), exist)


def _check_report(history, persons, random, oracle):
    number = random.randrange(10, 14)
    first = date(2023 + number // 12, number % 12 + 1, 1)
    last = date(2023 + (number + 1) // 12, (number + 1) % 12 + 1, 1) - timedelta(days=1)
    membership = oc.Lifecycle().membership(history)
    made = oc.SegmentReport.build(
        history, membership, period=f"{first:%Y-%m}", compare=None, as_of=last
    )
    counted = oracle.report(persons, first, last)
    found = {
        (row["segment"], row["metric"]): row["value"]
        for row in made.comparison(["Revenue", "Orders", "Customers", "Revenue (all time)",
                                    "Orders (all time)", "Average Order Value",
                                    "First-Order Conversion (all time)",
                                    "Repeat-Order Conversion (all time)",
                                    "Time Between Orders", "Days Since Last Order"]).to_pylist()
    }  # fmt: skip
    wanted = {}
    for segment in (*SEGMENTS, None):
        of = counted[segment]
        shown = segment or "All Customers"
        for metric in ("Revenue", "Orders", "Customers", "Revenue (all time)", "Orders (all time)"):
            wanted[shown, metric] = float(of[metric])
        for metric, above, below in (
            ("Average Order Value", "Revenue", "Orders"),
            ("First-Order Conversion (all time)", "buyers", "Customers"),
            ("Repeat-Order Conversion (all time)", "repeat", "Customers"),
            ("Time Between Orders", "gap days", "gaps"),
            ("Days Since Last Order", "since", "buyers"),
        ):
            wanted[shown, metric] = float(of[above]) / of[below] if of[below] else None
    _same_rows("report", {"all": found}, {"all": wanted})


def _same(what, found, wanted):
    if found == wanted:
        return
    if isinstance(found, dict):
        names = [one for one in found.keys() | wanted.keys() if found.get(one) != wanted.get(one)]
        name = min(names, key=str)
        raise FaultError(
            f"{what}: {len(names)} differ, {name!r} is {found.get(name)!r}, and should be "
            f"{wanted.get(name)!r}"
        )
    raise FaultError(f"{what}: found {found!r}, and should be {wanted!r}"[:500])


def _same_rows(what, found, wanted):
    if found.keys() != wanted.keys():
        raise FaultError(
            f"{what}: other customers: {sorted(map(str, found.keys() ^ wanted.keys()))[:5]}"
        )
    for name, row in wanted.items():
        its = found[name]
        for column, value in row.items():
            if its[column] != value and not _close(its[column], value):
                raise FaultError(
                    f"{what}: {column} of {name!r} is {its[column]!r}, and should be {value!r}"
                )


def _close(found, wanted):
    """Tell whether values that are not equal are floats that nearly are."""
    if isinstance(found, float) and wanted is not None and not isinstance(wanted, str):
        return abs(found - float(wanted)) <= CLOSE * max(1.0, abs(float(wanted)))
    return False


CAMPAIGN = Campaign(
    "differential",
    "every verb against an implementation of the documentation",
    "customers",
    trial,
    state,
)
