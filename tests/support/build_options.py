"""Every option of a build, as a case: rows, what is said of them, and how they lie in files.

One machine says what is right; `test_options` compares Dask and Spark with it.
"""

import csv
import datetime as dt
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

import ordercycle as oc

AS_OF = "2026-12-31"
FIRST = dt.datetime(2026, 1, 1, 23, 15)  # noqa: DTZ001 - with and without a zone below
MAILS = ["Ann", "ann ", " Guest", "bob", None, "ANN", "", "Cleo"]
STATUSES = ["paid", "shipped", "cancelled", None]


def _orders(rows: int = 240) -> pa.Table:
    """Return lines of baskets that go on for days, refunds, repeats, guests, and odd ids."""
    chance = random.Random(12)  # noqa: S311 - the same rows each time, not a secret
    made: list[dict[str, Any]] = []
    for number in range(rows):
        basket = number // 3
        at = FIRST + dt.timedelta(days=basket % 120, hours=7 * (number % 3))
        cents = chance.randrange(-300, 2_000)
        row = {
            "mail": MAILS[basket % 8],
            "number": None if basket % 11 == 0 else basket % 17 - 1,
            "float": float("nan") if basket % 13 == 0 else float(basket % 17),
            "basket": basket,
            "at": at,
            "instant": at,
            "day": at.date(),
            "shipped": None if number % 4 else at + dt.timedelta(days=1),
            "status": STATUSES[(basket + number % 2) % 4],
            "price": Decimal(cents).scaleb(-2),
            "quantity": number % 4,
            "amount": cents / 8,
            "total": None if number % 3 == 1 else float(basket % 50),
            "note": chance.choice(["gift", "lost", None]),
        }
        made.append(row)
        if number % 9 == 0:
            made.append(row)
        elif number % 9 == 1:  # the same customer and order, from another row
            made.append(row | {"mail": (row["mail"] or "").upper() or None, "note": "again"})
        elif number % 9 == 2:
            made.append(row | {"status": "shipped" if row["status"] == "paid" else "paid"})
    return pa.table(
        {name: pa.array([row[name] for row in made], kind) for name, kind in {
            "mail": pa.string(), "number": pa.int64(), "float": pa.float64(),
            "basket": pa.int64(), "at": pa.timestamp("us"), "instant": pa.timestamp("us", "UTC"),
            "day": pa.date32(), "shipped": pa.timestamp("us"), "status": pa.string(),
            "price": pa.decimal128(12, 2), "quantity": pa.int32(), "amount": pa.float64(),
            "total": pa.float64(), "note": pa.string(),
        }.items()}
    )  # fmt: skip


ORDERS = _orders()
SINCE = [dt.date(2025, 5, day) for day in (1, 2, 3)]
CUSTOMERS = pa.table(
    {
        "id": ["ANN ", "zoe", "guest"],
        "mail": ["Ann", "Zoe", "bob"],
        "number": [3, 90, 5],
        "since": pa.array([None, *SINCE[1:]], pa.date32()),
        "until": pa.array(SINCE, pa.date32()),
    }
)
BY_MAIL = oc.Columns(customer="mail", time="day", registered="since")
LINES = oc.Columns(customer="mail", time="at", order="basket", registered=None)
CLEAN = oc.Columns(
    customer="lower(trim(mail))", time="if_null(shipped, at)", amount="price * quantity",
    order="text(basket)", registered="if_null(since, until)", listed_customer="lower(trim(id))",
)  # fmt: skip
PAID = "status in ('paid', 'shipped')"


def parquet(table: pa.Table, folder: Path) -> str:
    """Write a table to two files."""
    middle = table.num_rows // 2
    for number, rows in enumerate((table.slice(0, middle), table.slice(middle))):
        pq.write_table(rows, folder / f"{number}.parquet")
    return str(folder)


def _shown(value: Any, mark: str = ".") -> str:
    if isinstance(value, dt.datetime):
        return f"{value:%d/%m/%Y %H:%M}"
    if isinstance(value, dt.date):
        return f"{value:%d/%m/%Y}"
    return "NULL" if value is None else str(value).replace(".", mark)


def european(table: pa.Table, folder: Path) -> str:
    """Write a table as such CSV as European shops export."""
    with (folder / "rows.csv").open("w", newline="", encoding="cp1252") as file:
        file.write("exported, for whom it may concern\n")
        writer = csv.writer(file, delimiter=";")
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([_shown(value, ",") for value in row.values()])
    return str(folder / "rows.csv")


def ndjson(table: pa.Table, folder: Path) -> str:
    """Write a table as objects, one on each line."""
    lines = [json.dumps(row, default=str) for row in table.to_pylist()]
    (folder / "rows.json").write_text("\n".join(lines))
    return str(folder / "rows.json")


def excel(table: pa.Table, folder: Path) -> str:
    """Write a table to the second sheet of a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.create_sheet("Orders")
    sheet.append(["made by hand"])
    sheet.append(table.column_names)
    for row in table.to_pylist():
        sheet.append([float(one) if isinstance(one, Decimal) else one for one in row.values()])
    book.save(folder / "rows.xlsx")
    return str(folder / "rows.xlsx")


def in_a_store(table: pa.Table, folder: Path) -> str:
    """Write a table where only the file system of the case finds it."""
    parquet(table, folder)
    return folder.name


@dataclass(frozen=True)
class Case:
    """Options of a build, and rows for which they matter.

    write: how the rows lie in files; None: they make sense of frames only; framed: whether they
    make sense of frames; in_files: further options of files, given the folder of their folders.
    """

    options: dict[str, Any]
    orders: pa.Table = field(default_factory=lambda: ORDERS)
    customers: pa.Table | None = None
    profiled: dict[str, Any] = field(default_factory=lambda: {"as_of": AS_OF})
    write: Callable[[pa.Table, Path], str] | None = parquet
    framed: bool = True
    in_files: Callable[[Path], dict[str, Any]] = lambda _: {}

    def __post_init__(self) -> None:
        columns = self.options.get("columns")
        if self.customers is None and columns is not None:
            bare = replace(columns, registered=None, listed_customer=None)
            object.__setattr__(self, "options", {**self.options, "columns": bare})


def _of(columns: oc.Columns, **options: Any) -> dict[str, Any]:
    return {"columns": columns, **options}


ZONED = {"timezone": "Europe/Madrid"}
NUMBERED = oc.Columns(customer="number", time="day", registered="since")
WITH_PYARROW = oc.Columns(
    customer=pc.utf8_lower(pc.utf8_trim_whitespace(pc.field("mail"))),
    time=pc.field("day"),
    amount=pc.multiply(pc.field("price"), pc.field("quantity")),
    registered=None,
)
LATE_TEXT = ORDERS.select(["mail", "at", "amount", "basket", "status"])
SOURCE = oc.source_from_dict({
    "only": PAID, "nobody": ["guest"], "same_day": "merge", "timezone": "Europe/Madrid",
    "times_without_zone": "utc", "duplicates": "drop", "refunds": "drop",
    "columns": {"customer": "lower(trim(mail))", "time": "at", "amount": "price * quantity",
                "order": "basket", "registered": ""},
})  # fmt: skip
EUROPEAN = oc.CsvFormat(
    delimiter=";", decimal=",", encoding="cp1252", skip_rows=1, null_values=("NULL", "nan"),
    time_formats=("%d/%m/%Y %H:%M",), types={"number": "integer", "price": "decimal(12,2)"},
)  # fmt: skip

CASES = {
    "nothing": Case(_of(BY_MAIL)),
    "expressions": Case(_of(CLEAN), customers=CUSTOMERS),
    "expressions of pyarrow": Case(_of(WITH_PYARROW, only=pc.field("status") == "paid")),
    "expressions of ids": Case(
        _of(oc.Columns(customer="integer(text(number))", time="day", registered=None))
    ),
    "only": Case(_of(BY_MAIL, only=PAID), customers=CUSTOMERS),
    "nobody": Case(_of(CLEAN, nobody=["guest", "bob"]), customers=CUSTOMERS),
    "nobody by number": Case(_of(NUMBERED, nobody=[-1, 3]), customers=CUSTOMERS),
    "listed customer": Case(
        _of(oc.Columns(customer="mail", time="day", registered="since", listed_customer="id"),
            unknown="drop"),
        customers=CUSTOMERS,
    ),
    "no amount": Case(_of(oc.Columns(customer="mail", time="day", amount=None, registered=None))),
    "no amount, lines": Case(
        _of(oc.Columns(customer="mail", time="at", amount=None, order="basket", registered=None),
            only=PAID)
    ),
    "same day": Case(_of(BY_MAIL, same_day="merge")),
    "same day, lines": Case(_of(LINES, same_day="merge", refunds="count")),
    "amount per order": Case(
        _of(oc.Columns(customer="lower(trim(mail))", time="day", amount="total", order="basket",
                       registered=None), amount_per="order")
    ),
    "duplicates": Case(_of(LINES, duplicates="drop")),
    "duplicates by instant": Case(
        _of(oc.Columns(customer="number", time="instant", registered=None), duplicates="drop")
    ),
    "duplicates of expressions": Case(_of(CLEAN, duplicates="drop"), customers=CUSTOMERS),
    "duplicates of rows that count": Case(_of(LINES, duplicates="drop", only=PAID)),
    "duplicates of all": Case(
        _of(CLEAN, duplicates="drop", only=f"{PAID} and if_null(note, '') != 'lost'")
    ),
    "times in UTC": Case(_of(LINES, **ZONED, times_without_zone="utc")),
    "local times": Case(_of(LINES, **ZONED, times_without_zone="local")),
    "instants": Case(
        _of(oc.Columns(customer="mail", time="instant", registered=None), **ZONED)
    ),
    "float ids": Case(_of(oc.Columns(customer="float", time="day", registered=None))),
    "float ids of orders": Case(
        _of(oc.Columns(customer="mail", time="day", order="quantity * 0.5 + quantity * 0.5",
                       registered=None))
    ),
    "attributes": Case(
        _of(oc.Columns(customer="mail", time="day", attributes=["status", "lower(note)"],
                       values=["quantity"], instants=True, registered=None),
            lookups={"status": pa.table({"status": ["paid"], "counts": [True]})},
            day_instants=True)
    ),
    "refunded orders": Case(
        _of(oc.Columns(customer="mail", time="day", order="basket", refund_of="basket + 0",
                       instants=True, registered=None), day_instants=True)
    ),
    "refunds dropped": Case(_of(LINES, refunds="drop")),
    "refunds counted": Case(_of(BY_MAIL, refunds="count")),
    "orders over days": Case(_of(LINES), profiled={"as_of": "2026-02-02"}),
    "a window": Case(_of(LINES), profiled={"as_of": "2026-03-31", "window_days": 45}),
    "a window without amounts": Case(
        _of(oc.Columns(customer="mail", time="at", amount=None, registered=None)),
        profiled={"as_of": "2026-03-31", "window_days": 45},
    ),
    "a memory limit and threads": Case(_of(LINES, memory_limit="128MB", threads=2)),
    "nobody anonymous": Case(_of(NUMBERED, anonymous="error", only="number > 0")),
    "a source": Case({"source": SOURCE}),
    "a source and more": Case({"source": SOURCE, "nobody": ["ann"], "same_day": "separate"}),
    "CSV": Case(
        _of(oc.Columns(customer="number", time="at", amount="price * quantity", order="basket",
                       registered=None),
            read=EUROPEAN, only=PAID, duplicates="drop", nobody=[3]),
        orders=ORDERS.drop_columns(["instant", "day", "shipped"]), write=european, framed=False,
    ),
    "CSV as text": Case(
        _of(oc.Columns(customer="mail", time="at", order="basket", registered=None),
            read=replace(EUROPEAN, types={}), **ZONED,
            times_without_zone="utc"),
        orders=LATE_TEXT, write=european, framed=False,
    ),
    "JSON": Case(
        _of(oc.Columns(customer="number", time="at", amount="amount * quantity", order="basket",
                       registered=None), read=oc.NdJson(), only=PAID),
        orders=ORDERS.drop_columns(["float", "price"]), write=ndjson, framed=False,
    ),
    "Excel": Case(
        _of(oc.Columns(customer="number", time="at", order="basket", registered=None),
            read=oc.ExcelSheet(sheet="Orders", skip_rows=1), only="quantity > 0"),
        orders=ORDERS.select(["number", "at", "amount", "basket", "quantity"]),
        write=excel, framed=False,
    ),
    "a file system": Case(
        _of(CLEAN, only=PAID), customers=CUSTOMERS, write=in_a_store, framed=False,
        in_files=lambda folder: {"filesystem": fs.SubTreeFileSystem(str(folder),
                                                                    fs.LocalFileSystem())},
    ),
}  # fmt: skip
FRAMED = [name for name, case in CASES.items() if case.framed]
FILED = [name for name, case in CASES.items() if case.write is not None]


def filed(case: Case, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Write the tables of a case, and return where they are and all options."""
    places = []
    for name, table in (("orders", case.orders), ("customers", case.customers)):
        if table is not None:
            (folder / name).mkdir(parents=True)
            places.append(case.write(table, folder / name))
    return places, case.options | case.in_files(folder)


def here(case: Case, *tables: Any, **options: Any) -> pa.Table:
    """Return the profile that one machine makes."""
    return oc.OrderHistory.build(*tables, **options).profile(**case.profiled)
