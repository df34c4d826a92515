"""Which arm of an experiment a customer is in: by a hash of the id and a salt, the same everywhere.

Foreign hashes give what sites decided: FNV-1a with 32 bits (Fowler, Noll and Vo), hashed twice as
GrowthBook's second version does, and Murmur3 with 32 bits (Appleby), as Optimizely has it. Both
put customers into 10,000 buckets.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int8Out, Int32Out, Int32s, Int64s, UInt8s, UInt64s
from ordercycle_kernels.hashing import mix

BUCKETS = np.uint64(10_000)
WORD = np.uint64(0xFFFFFFFF)
FNV_OFFSET, FNV_PRIME = np.uint64(2166136261), np.uint64(16777619)
MURMUR_SEED = np.uint64(1)
FIRST_FACTOR, SECOND_FACTOR = np.uint64(0xCC9E2D51), np.uint64(0x1B873593)
THIRD_FACTOR, FOURTH_FACTOR = np.uint64(0x85EBCA6B), np.uint64(0xC2B2AE35)
FIVE, ADDED = np.uint64(5), np.uint64(0xE6546B64)
TEN, ZERO_DIGIT = np.uint64(10), np.uint64(48)
EIGHT, THIRTEEN, FIFTEEN, SIXTEEN = np.uint64(8), np.uint64(13), np.uint64(15), np.uint64(16)
SEVENTEEN, NINETEEN, THIRTY_TWO = np.uint64(17), np.uint64(19), np.uint64(32)

# n = customers, a = thresholds, one fewer than arms; b = bytes of ids, p = bytes of a name


@kernel
def choose_arms(hashes: UInt64s, salt: np.uint64, thresholds: UInt64s, out_arms: Int8Out) -> None:
    """Write the arm of each customer: hashes, out_arms: (n,); thresholds: (a,), ascending."""
    salted = mix(salt)
    for row in range(hashes.size):
        place = mix(hashes[row] ^ salted)
        arm = 0
        while arm < thresholds.size and place >= thresholds[arm]:
            arm += 1
        out_arms[row] = arm


@helper
def fnv(state: np.uint64, byte: np.uint64) -> np.uint64:
    """Return the hash of one byte more."""
    return ((state ^ byte) * FNV_PRIME) & WORD


@kernel
def growthbook_buckets(
    starts: Int64s, lengths: Int32s, data: UInt8s, seed: UInt8s, out_buckets: Int32Out
) -> None:
    """Write the bucket of each id behind a seed.

    starts, lengths, out_buckets: (n,); data: (b,); seed: (p,).
    """
    initial = FNV_OFFSET
    for place in range(seed.size):
        initial = fnv(initial, np.uint64(seed[place]))
    for row in range(starts.size):
        first = initial
        for place in range(starts[row], starts[row] + lengths[row]):
            first = fnv(first, np.uint64(data[place]))
        scale = np.uint64(1)
        while first // scale >= TEN:
            scale *= TEN
        second = FNV_OFFSET
        while scale > np.uint64(0):
            second = fnv(second, first // scale % TEN + ZERO_DIGIT)
            scale //= TEN
        out_buckets[row] = np.int32(second % BUCKETS)


@helper
def rotated(word: np.uint64, left: np.uint64) -> np.uint64:
    """Return a word of 32 bits, rotated."""
    return ((word << left) | (word >> (THIRTY_TWO - left))) & WORD


@helper
def scrambled(word: np.uint64) -> np.uint64:
    """Return four bytes as Murmur3 takes them in."""
    return (rotated((word * FIRST_FACTOR) & WORD, FIFTEEN) * SECOND_FACTOR) & WORD


@kernel
def optimizely_buckets(
    starts: Int64s, lengths: Int32s, data: UInt8s, experiment: UInt8s, out_buckets: Int32Out
) -> None:
    """Write the bucket of each id with the experiment's id behind it.

    starts, lengths, out_buckets: (n,); data: (b,); experiment: (p,).
    """
    for row in range(starts.size):
        start, own = starts[row], np.int64(lengths[row])
        size = own + experiment.size
        state, word, shift = MURMUR_SEED, np.uint64(0), np.uint64(0)
        for place in range(size):
            byte = data[start + place] if place < own else experiment[place - own]
            word |= np.uint64(byte) << shift
            shift += EIGHT
            if shift == THIRTY_TWO:
                state = (rotated(state ^ scrambled(word), THIRTEEN) * FIVE + ADDED) & WORD
                word, shift = np.uint64(0), np.uint64(0)
        state ^= scrambled(word)
        state ^= np.uint64(size)
        state = ((state ^ (state >> SIXTEEN)) * THIRD_FACTOR) & WORD
        state = ((state ^ (state >> THIRTEEN)) * FOURTH_FACTOR) & WORD
        state ^= state >> SIXTEEN
        out_buckets[row] = np.int32((state * BUCKETS) >> THIRTY_TWO)
