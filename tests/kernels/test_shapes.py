"""Arrays of calls are held against the shapes that kernels declare, where bounds are checked."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from ordercycle_kernels._shapes import ShapeCheck, wrongly_declared
from ordercycle_kernels._types import Bools, Int64Out, Int64s, Int64Table

pytestmark = pytest.mark.kernels

WIDTH = 3


def listed(offsets: Int64s, days: Int64s, kept: Bools, count: int, out: Int64Table) -> None:
    """List: offsets: (c + 1,) into days (sorted): (n,); kept: (n,), or (0,); out: (count, c)."""


def paired(pairs: Int64s, cells: Int64s, out: Int64Out) -> None:
    """Pair: pairs: (2 * n,); cells: (n * k,), of which nothing else tells k; out: (WIDTH,)."""


class Rows(NamedTuple):
    """Rows: days: (n,)."""

    days: Int64s


def merged(there: Rows, arriving: Rows, out_days: Int64Out) -> None:
    """Merge: out_days: (there.n + arriving.n,)."""


def moved(rows: Rows, out_days: Int64Out) -> None:
    """Move: out_days: (n,)."""


def zeros(*shape):
    return np.zeros(shape, np.int64)


def rows(count):
    return Rows(zeros(count))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (listed, (zeros(5), zeros(7), zeros(7), 2, zeros(2, 4))),
        (listed, (zeros(5), zeros(7), zeros(0), np.int64(2), zeros(2, 4))),
        (listed, (zeros(1), zeros(0), zeros(0), 0, zeros(0, 0))),
        (paired, (zeros(8), zeros(12), zeros(WIDTH))),
        (merged, (rows(2), rows(3), zeros(5))),
        (moved, (rows(2), zeros(2))),
    ],
)
def test_arrays_of_the_declared_shapes_pass(function, arguments):
    ShapeCheck(function.__name__, function)(arguments, {})


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            listed,
            (zeros(5), zeros(7), zeros(6), 2, zeros(2, 4)),
            "listed: kept is (6,), declared (n,) or (0,) where n = 7, as days has",
        ),
        (
            listed,
            (zeros(5), zeros(7), zeros(7), 2, zeros(2, 5)),
            "listed: offsets is (5,), declared (c + 1,) where c = 5, as out has",
        ),
        (
            listed,
            (zeros(5), zeros(7), zeros(7), 2, zeros(3, 4)),
            "listed: out is (3, 4), declared (count, c)",
        ),
        (
            listed,
            (zeros(0), zeros(7), zeros(7), 2, zeros(2, 0)),
            "listed: offsets is (0,), declared (c + 1,) where c = 0, as out has",
        ),
        (
            listed,
            (zeros(5), zeros(7, 1), zeros(7), 2, zeros(2, 4)),
            "listed: days is (7, 1), declared (n,)",
        ),
        (
            paired,
            (zeros(7), zeros(12), zeros(WIDTH)),
            "paired: pairs is (7,), declared (2 * n,) where n = 3, as pairs has",
        ),
        (
            paired,
            (zeros(8), zeros(13), zeros(WIDTH)),
            (
                "paired: cells is (13,), declared (n * k,) where n = 4, as pairs has; "
                "k = 3, as cells has"
            ),
        ),
        (paired, (zeros(8), zeros(12), zeros(4)), "paired: out is (4,), declared (WIDTH,)"),
        (
            merged,
            (rows(2), rows(3), zeros(4)),
            (
                "merged: out_days is (4,), declared (there.n + arriving.n,) where "
                "there.n = 2, as there.days has; arriving.n = 3, as arriving.days has"
            ),
        ),
        (
            moved,
            (rows(2), zeros(3)),
            "moved: rows.days is (2,), declared (n,) where n = 3, as out_days has",
        ),
    ],
)
def test_arrays_of_other_shapes_are_named(function, arguments, message):
    with pytest.raises(AssertionError) as caught:
        ShapeCheck(function.__name__, function)(arguments, {})
    assert str(caught.value) == message


def test_arguments_may_be_given_by_name():
    check = ShapeCheck("moved", moved)
    check((rows(2),), {"out_days": zeros(2)})
    with pytest.raises(AssertionError, match="out_days"):
        check((rows(2),), {"out_days": zeros(3)})


def test_what_is_not_declared_is_found():
    def careless(days: Int64s, table: Int64Table, spans: Int64s, out_days: Int64Out) -> None:
        """Write the days: (n,) of each table: (n,) to out_days, and what is no argument: (n,)."""

    assert wrongly_declared(careless) == {"table", "spans", "out_days", "argument"}
    for function in (listed, paired, merged, moved):
        assert not wrongly_declared(function)


CALL = """
import sys
import numpy as np
from ordercycle_kernels import hashing
try:
    hashing.integers_of_hashes(np.zeros(2, np.uint64), np.zeros(3, np.int64))
except AssertionError as error:
    print(error)
print("ordercycle_kernels._shapes" in sys.modules)
"""


@pytest.mark.parametrize("variables", [{}, {"NUMBA_BOUNDSCHECK": "0"}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_calls_are_checked_where_bounds_are(variables):
    """And cost nothing, not even an import, where they are not."""
    settings = {name: value for name, value in os.environ.items() if name != "NUMBA_BOUNDSCHECK"}
    result = subprocess.run(
        [sys.executable, "-c", CALL],
        capture_output=True,
        text=True,
        check=True,
        env={**settings, "NUMBA_DISABLE_JIT": "1", **variables},
    )
    if variables.get("NUMBA_BOUNDSCHECK") == "1":
        assert result.stdout.splitlines() == [
            "hashing.integers_of_hashes: out_ids is (3,), declared (n,) where n = 2, as hashes has",
            "True",
        ]
    else:
        assert result.stdout == "False\n"
