"""One 64-bit hash of customer ids, used wherever customers are divided or ordered.

Integers are hashed by a bijection of their 64-bit two's complement (the output function of
SplitMix64: Steele, Lea and Flood 2014, with Stafford's thirteenth mix), so that the hash alone
identifies the customer and no two integers share it. Bytes are hashed word by word with the
same bijection; equal hashes are then kept apart by the bytes themselves.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int32s, Int64Out, Int64s, UInt8s, UInt64Out, UInt64s
from ordercycle_kernels.id_bytes import WORD_BYTES, last_word, word_at

INCREMENT = np.uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
# The factors' inverses modulo 2**64.
FIRST_INVERSE = np.uint64(pow(0xBF58476D1CE4E5B9, -1, 2**64))
SECOND_INVERSE = np.uint64(pow(0x94D049BB133111EB, -1, 2**64))

SHIFT_30, SHIFT_31, SHIFT_27 = np.uint64(30), np.uint64(31), np.uint64(27)
SHIFT_60, SHIFT_62, SHIFT_54 = np.uint64(60), np.uint64(62), np.uint64(54)


@helper
def mix(word: np.uint64) -> np.uint64:
    """Return the SplitMix64 hash of a 64-bit word."""
    z = word + INCREMENT
    z = (z ^ (z >> SHIFT_30)) * FIRST_FACTOR
    z = (z ^ (z >> SHIFT_27)) * SECOND_FACTOR
    return z ^ (z >> SHIFT_31)


@helper
def unmix(hashed: np.uint64) -> np.uint64:
    """Return the 64-bit word whose hash this is."""
    z = hashed ^ (hashed >> SHIFT_31) ^ (hashed >> SHIFT_62)
    z = z * SECOND_INVERSE
    z = z ^ (z >> SHIFT_27) ^ (z >> SHIFT_54)
    z = z * FIRST_INVERSE
    z = z ^ (z >> SHIFT_30) ^ (z >> SHIFT_60)
    return z - INCREMENT


#: Few enough that the cache next to the processor holds their ids and hashes.
ROWS_AT_A_TIME = 512

NONE, AT_A_TIME = np.uint64(0), np.uint64(ROWS_AT_A_TIME)

# n = ids, b = bytes of data


@kernel
def hash_integers(ids: Int64s, out_hashes: UInt64Out) -> None:
    """Hash integers: ids: (n,), out_hashes: (n,)."""
    for row in range(ids.size):
        out_hashes[row] = mix(np.uint64(ids[row]))


@kernel
def integers_of_hashes(hashes: UInt64s, out_ids: Int64Out) -> None:
    """Recover the integers from their hashes: hashes: (n,), out_ids: (n,)."""
    for row in range(hashes.size):
        out_ids[row] = np.int64(unmix(hashes[row]))


@kernel
def hash_bytes(starts: Int64s, lengths: Int32s, data: UInt8s, out_hashes: UInt64Out) -> None:
    """Hash ids of several bytes: starts, lengths: (n,) in data: (b,); out_hashes: (n,).

    The state starts as the hash of the length; every word of eight bytes, the last one padded
    with zeros, is added by exclusive or and the state is mixed.
    """
    for row in range(out_hashes.size):
        start, size = starts[row], np.int64(lengths[row])
        state = mix(np.uint64(size))
        for begin in range(0, size - (WORD_BYTES - 1), WORD_BYTES):
            state = mix(state ^ word_at(data, start + begin))
        if size % WORD_BYTES:
            state = mix(state ^ last_word(data, start, size))
        out_hashes[row] = state


@kernel
def hash_equally_long(
    starts: Int64s, size: int, data: UInt8s, words: UInt64Out, out_hashes: UInt64Out
) -> None:
    """Hash ids of one length, with the hashes of `hash_bytes`.

    starts, out_hashes: (n,); data: (b,); words: (ROWS_AT_A_TIME,), scratch.
    Word by word over some rows: a word of a single id has to wait for the one before. Fetched in a
    loop of their own, words are mixed several at a time by one instruction: ids of 36 bytes take
    5 ns, where one loop for both took 10.
    """
    initial = mix(np.uint64(size))
    rows = np.uint64(out_hashes.size)
    for first in range(NONE, rows, AT_A_TIME):
        stop = min(np.uint64(first) + AT_A_TIME, rows)
        begins, states = starts[first:stop], out_hashes[first:stop]
        states[:] = initial
        for begin in range(0, size, WORD_BYTES):
            if begin + WORD_BYTES <= size:
                for row in range(stop - np.uint64(first)):
                    words[row] = word_at(data, begins[row] + begin)
            else:
                for row in range(stop - np.uint64(first)):
                    words[row] = last_word(data, begins[row], size)
            for row in range(stop - np.uint64(first)):
                states[row] = mix(states[row] ^ words[row])
