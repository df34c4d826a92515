"""Draws of customers: Poisson numbers that depend on the cell, the draw and the seed alone."""

import math

import numpy as np
import pytest

from ordercycle_kernels import resampling
from ordercycle_kernels._types import as_input
from ordercycle_kernels.order_counts import Cells

pytestmark = pytest.mark.kernels

MASK = 2**64 - 1


def mix(word):
    z = (word + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def wanted(cell, seed, draw):
    """Return the Poisson number of a cell: next to its mean first, then on both sides in turn."""
    *kind, customers = cell
    word = mix(mix(seed) ^ draw)
    for part in kind:
        word = mix(word ^ part)
    left = ((word >> 11) + 0.5) / 2**53
    for distance in range(1000):
        for number in (customers + distance, customers - distance)[: distance + 1]:
            if number >= 0:
                log = number * math.log(customers) - customers - math.lgamma(number + 1)
                left -= math.exp(log)
            if left < 0:
                return number
    raise AssertionError(cell)


def cells(customers):
    size = len(customers)
    kinds = np.arange(size), np.arange(size, dtype=np.int32), np.arange(size, dtype=np.int32) + 5
    return Cells(*map(as_input, (*kinds, np.array(customers))))


def chances(most):
    out = np.full(most + 1, 77.0)
    resampling.fill_chances_of_means(out)
    return out


@pytest.mark.parametrize("known", [0, 7, 1000])
def test_draws_are_the_numbers_that_hashes_stand_for(known):
    counts = [1, 1, 2, 3, 7, 50, 900] * 9
    out = np.full(len(counts), 77)
    for seed, draw in ((0, 0), (5, 1), (2**63 - 1, 2)):
        there = resampling.draw_customers(cells(counts), chances(known), seed, draw, out)
        for place, customers in enumerate(counts):
            assert out[place] == wanted((place, place, place + 5, customers), seed, draw)
        kept = [np.full(there, 77, kind) for kind in (np.int64, np.int32, np.int32, np.int64)]
        resampling.keep_cells(cells(counts), out, *kept)
        for found, column in zip(kept, (*cells(counts)[:3], out), strict=True):
            assert found.tolist() == column[out > 0].tolist()


def test_cells_of_the_same_orders_and_recency_are_drawn_apart():
    columns = np.array([(1, 1, 5), (1, 1, 6), (1, 2, 6), (2, 2, 6)]).T
    kinds = (np.int64, np.int32, np.int32)
    kept = [column.astype(kind) for column, kind in zip(columns, kinds, strict=True)]
    found = np.full(4, 77)
    some = Cells(*map(as_input, (*kept, np.full(4, 50))))
    resampling.draw_customers(some, chances(50), 1, 0, found)
    assert found.tolist() == [wanted((*kind, 50), 1, 0) for kind in columns.T.tolist()]


@pytest.mark.parametrize("customers", [1, 4, 10**6])
def test_draws_have_the_mean_and_the_variance_of_poisson_numbers(customers):
    size = 400
    out = np.full(size, 77)
    resampling.draw_customers(cells([customers] * size), chances(10), 3, 0, out)
    scaled = (out - customers) / math.sqrt(customers)
    assert abs(scaled.mean()) < 5 / math.sqrt(size)
    assert 0.7 < scaled.var() < 1.4
