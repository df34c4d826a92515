"""Divide rows by the top bits of their customer's hash.

A run is a stretch of input rows that fits the processor's cache. Its rows are laid out by
partition, in their order; grouping later collects a partition from all runs.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel

# n = rows of a run, p = partitions; shift = 64 - log2(p)


@helper
def partition_of(hashed, shift):
    """Return the partition of a hash; one partition has shift 64, which no processor shifts by."""
    return np.int64((hashed >> np.uint64(1)) >> np.uint64(shift - 1))


@kernel("(uint64[], int64, int64[:]) -> void")
def count_partitions(hashes, shift, out_offsets):
    """Write where each partition starts: out_offsets: (p + 1,), zero on entry."""
    for row in range(hashes.size):
        out_offsets[partition_of(hashes[row], shift) + 1] += 1
    for partition in range(1, out_offsets.size):
        out_offsets[partition] += out_offsets[partition - 1]


@kernel("(uint64[], int32[], int64[], int64, int64[:], uint64[:], int32[:], int64[:]) -> void")
def scatter_rows(hashes, days, amounts, shift, cursors, out_hashes, out_days, out_amounts):
    """Lay rows out by partition: cursors: (p,), each partition's start, moved to its end."""
    for row in range(hashes.size):
        hashed = hashes[row]
        partition = partition_of(hashed, shift)
        target = cursors[partition]
        cursors[partition] = target + 1
        out_hashes[target] = hashed
        out_days[target] = days[row]
        out_amounts[target] = amounts[row]
