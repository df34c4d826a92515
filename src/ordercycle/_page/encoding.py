"""Data in a page: exact, compact, and unable to end the element that holds it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from ordercycle._errors import ConfigError, Option
from ordercycle._page.content import Content, Numbers

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
        "asOf": content.as_of.isoformat(),
        "partial": content.is_partial,
        "months": [
            [one.number, one.end.isoformat(), one.cut and one.cut.isoformat()]
            for one in content.months
        ],
        "segments": [one.as_data() for one in content.segments],
        "all": content.all_customers,
        "metrics": [one.as_data() for one in content.metrics],
        "over": dict(numbers.over),
        "derived": numbers.derived,
        "first": content.first,
        "last": content.last,
        "compare": content.compare,
        "chosen": list(content.chosen),
        "place": list(content.place),
        "brand": content.brand,
        "target": content.target,
        "minCustomers": content.min_customers,
        "moves": content.moves
        and {"segments": content.moves.segments, "ranks": content.moves.ranks},
        "grid": content.grid and vars(content.grid),
        "cohorts": content.cohorts and vars(content.cohorts),
    }


def cube_of(content: Content) -> dict[str, Any]:
    """Return the numbers; those that a sum may take beyond exact integers as text."""
    numbers = content.numbers
    return {
        "cells": {name: _written(numbers, name, rows) for name, rows in numbers.cells.items()},
        "cut": {name: _written(numbers, name, rows) for name, rows in numbers.cut.items()},
        "moves": content.moves and content.moves.counts,
    }


def _written(numbers: Numbers, name: str, rows: Sequence[Sequence[int | None] | None]) -> list[Any]:
    whole = [row for row in numbers.cells[name] if row is not None]
    largest = max((sum(map(abs, row)) for row in whole), default=0)
    cut = (abs(value) for row in numbers.cut.get(name, ()) for value in row if value is not None)
    if largest + max(cut, default=0) <= EXACT:
        return [row if row is None else list(row) for row in rows]
    return [
        row if row is None else [None if value is None else str(value) for value in row]
        for row in rows
    ]


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
