"""Data in a page: exact, compact, and unable to end the element that holds it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ordercycle._errors import ConfigError, Option
from ordercycle._page.content import Cells, Content, Slice, Table
from ordercycle._page.numbers import day_name
from ordercycle._spreadsheets import csv_field

#: Integers up to here are exact in JavaScript's numbers, and so are their sums.
EXACT = 2**53 - 1


def as_json(data: Any) -> str:
    """Return JSON that is safe within a script element, which nothing in it ends."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for mark in "<\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def packed(data: Any) -> str:
    """Return JSON compressed, in letters, the same for the same data."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()


def head_of(content: Content) -> dict[str, Any]:
    """Return what the script has to know of the numbers."""
    numbers = content.numbers
    return {
        "title": content.title,
        "symbol": symbol_of(checked_currency(content.currency)),
        "asOf": day_name(content.as_of),
        "partial": content.is_partial,
        "months": [one.as_data() for one in content.months],
        "segments": [one.as_data() for one in content.segments],
        "all": content.all_customers,
        "metrics": [one.as_data() for one in content.metrics],
        "over": dict(numbers.over),
        "derived": numbers.derived,
        "grains": dict(numbers.grains),
        "channels": list(content.channels),
        "campaigns": [{"name": one.name, "open": one.open} for one in content.campaigns],
        "views": [
            {
                "brand": one.brand or "",
                "target": one.target,
                "csv": f"{csv_field(one.brand or '')},{csv_field(one.target)}",
            }
            for one in content.slices
        ],
        "place": list(content.place),
        "minCustomers": content.min_customers,
        "moves": content.moves
        and {"segments": content.moves.segments, "ranks": content.moves.ranks},
    }


def cubes_of(content: Content) -> list[dict[str, Any]]:
    """Return the numbers of each view; those that a sum may take beyond exact integers as text."""
    large = _large(content.slices)
    made: list[dict[str, Any]] = [
        {"cells": _written(one.cells, large), "cut": one.cut and _written(one.cut, large)}
        for one in content.slices
    ]
    made[0]["moves"] = content.moves and content.moves.counts
    return made


def _large(slices: Sequence[Slice]) -> set[str]:
    """Return the quantities of which sums over months may be beyond exact integers."""
    found: set[str] = set()
    for one in slices:
        for key, tables in one.cells.items():
            for name, table in tables.items():
                cut = ((one.cut or {}).get(key) or {}).get(name)
                if table is None or name in found or table.ndim > 2:
                    continue
                most = [abs(whole.astype(object)) for whole in (table, cut) if whole is not None]
                if sum(int(whole.sum(axis=1).max(initial=0)) for whole in most) > EXACT:
                    found.add(name)
    return found


def _written(cells: Cells, large: set[str]) -> dict[str, dict[str, Any]]:
    return {
        key: {name: _rows(table, is_text=name in large) for name, table in tables.items()}
        for key, tables in cells.items()
    }


def _rows(table: Table | None, *, is_text: bool) -> list[list[Any]] | None:
    """Return a run of months per row, behind the place of the first: outside of it all are 0.

    A month is written as its difference from the one before: these are shorter.
    Of different customers, a list per month of how many came before in which month, as far as there
    are any.
    """
    if table is None:
        return None
    if table.ndim > 2:
        return [trimmed([trimmed(month, 0) for month in row], []) for row in table.tolist()]
    return [_run(row, is_text=is_text) for row in table.tolist()]


def _run(row: list[int], *, is_text: bool) -> list[Any]:
    there = [place for place, value in enumerate(row) if value]
    if not there:
        return []
    months = row[there[0] : there[-1] + 1]
    steps = [month - before for before, month in pairwise([0, *months])]
    return [there[0], *(map(str, steps) if is_text else steps)]


def trimmed(row: list[Any], *nothing: Any) -> list[Any]:
    """Return a list without what is nothing at its end."""
    size = len(row)
    while size and row[size - 1] in nothing:
        size -= 1
    return row[:size]


#: Signs before amounts; other currencies are named by their codes.
SYMBOLS = {
    "EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "INR": "₹", "RUB": "₽",
    "KRW": "₩", "BRL": "R$", "ILS": "₪", "TRY": "₺", "UAH": "₴", "VND": "₫", "NGN": "₦",
}  # fmt: skip


def symbol_of(currency: str) -> str:
    """Return what stands before amounts."""
    return SYMBOLS.get(currency, f"{currency}\u00a0")


def checked_currency(currency: object) -> str:
    """Return a currency's code, or raise a ConfigError."""
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isalpha()):
        raise ConfigError(
            (Option("currency", currency), " is no code of a currency"),
            remedy="write it in three letters, as in 'EUR'",
        )
    return currency.upper()
