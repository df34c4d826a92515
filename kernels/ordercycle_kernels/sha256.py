"""SHA-256 (FIPS 180-4) of many short texts, and their digests as hexadecimal digits."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    Bools,
    Int64Out,
    Int64s,
    UInt8Out,
    UInt8s,
    UInt32Out,
    UInt32s,
)

DIGEST_BYTES = 32
HEX_DIGITS = 64
BLOCK_BYTES = 64
#: Bytes of a block behind which its end and the length of the message fit no longer.
ROOM = 56
WORDS, ROUNDS, STATE = 16, 64, 8
END_OF_MESSAGE = 0x80


def _first_primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(prime: int, degree: int) -> int:
    """Return the first 32 bits behind the point of a square or cube root, exactly."""
    scaled, low, high = prime << (32 * degree), 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= scaled else (low, middle - 1)
    return low & 0xFFFFFFFF


#: What the standard takes from the roots of primes: where the state begins, and what rounds add.
BEGIN = np.array([_root_bits(prime, 2) for prime in _first_primes(STATE)], np.uint32)
ADDED = np.array([_root_bits(prime, 3) for prime in _first_primes(ROUNDS)], np.uint32)
DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)

# n = texts, b = bytes


@inlined
def turned(word: np.uint32, by: int) -> np.uint32:
    """Return a word turned to the right."""
    return np.uint32((word >> np.uint32(by)) | np.uint32(word << np.uint32(32 - by)))


@inlined
def byte_at(data: UInt8s, start: int, size: int, place: int) -> np.uint32:
    """Return a byte of a padded message, its length left out."""
    if place < size:
        return np.uint32(data[start + place])
    return np.uint32(END_OF_MESSAGE) if place == size else np.uint32(0)


@helper
def fill_block(data: UInt8s, start: int, size: int, block: int, out_words: UInt32Out) -> None:
    """Write a block of a padded message as words: out_words: (ROUNDS,)."""
    first = block * BLOCK_BYTES
    for number in range(WORDS):
        place = first + 4 * number
        if place + 4 <= size:
            here = start + place
            out_words[number] = np.uint32(
                (np.uint32(data[here]) << np.uint32(24))
                | (np.uint32(data[here + 1]) << np.uint32(16))
                | (np.uint32(data[here + 2]) << np.uint32(8))
                | np.uint32(data[here + 3])
            )
        else:
            out_words[number] = np.uint32(
                (byte_at(data, start, size, place) << np.uint32(24))
                | (byte_at(data, start, size, place + 1) << np.uint32(16))
                | (byte_at(data, start, size, place + 2) << np.uint32(8))
                | byte_at(data, start, size, place + 3)
            )


@helper
def add_block(words: UInt32Out, added: UInt32s, state: UInt32Out) -> None:
    """Add a block to the state: words: (ROUNDS,), of which WORDS are given; state: (STATE,)."""
    for number in range(WORDS, ROUNDS):
        older, newer = words[number - 15], words[number - 2]
        small = turned(older, 7) ^ turned(older, 18) ^ (older >> np.uint32(3))
        large = turned(newer, 17) ^ turned(newer, 19) ^ (newer >> np.uint32(10))
        words[number] = np.uint32(words[number - 16] + small + words[number - 7] + large)
    a, b, c, d = state[0], state[1], state[2], state[3]
    e, f, g, h = state[4], state[5], state[6], state[7]
    for number in range(ROUNDS):
        large = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
        chosen = g ^ (e & (f ^ g))
        one = np.uint32(h + large + chosen + added[number] + words[number])
        small = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
        majority = (a & b) | (c & (a | b))
        two = np.uint32(small + majority)
        h, g, f = g, f, e
        e = np.uint32(d + one)
        d, c, b = c, b, a
        a = np.uint32(one + two)
    state[0] = np.uint32(state[0] + a)
    state[1] = np.uint32(state[1] + b)
    state[2] = np.uint32(state[2] + c)
    state[3] = np.uint32(state[3] + d)
    state[4] = np.uint32(state[4] + e)
    state[5] = np.uint32(state[5] + f)
    state[6] = np.uint32(state[6] + g)
    state[7] = np.uint32(state[7] + h)


@kernel
def sha256(
    offsets: Int64s,
    data: UInt8s,
    words: UInt32Out,
    state: UInt32Out,
    out_digests: UInt8Out,
) -> None:
    """Write the SHA-256 of each text, zeros for one of no byte, which stands for none.

    offsets: (n + 1,) into data: (b,); words: (ROUNDS,) and state: (STATE,), scratch; out_digests:
    (n * DIGEST_BYTES,).
    """
    for row in range(offsets.size - 1):
        start = offsets[row]
        size = offsets[row + 1] - start
        target = row * DIGEST_BYTES
        if size == 0:
            for place in range(target, target + DIGEST_BYTES):
                out_digests[place] = 0
            continue
        for number in range(STATE):
            state[number] = BEGIN[number]
        blocks = (size + (BLOCK_BYTES - ROOM)) // BLOCK_BYTES + 1
        for block in range(blocks):
            fill_block(data, start, size, block, words)
            if block == blocks - 1:
                bits = size * 8
                words[WORDS - 2] = np.uint32(bits >> 32)
                words[WORDS - 1] = np.uint32(bits)
            add_block(words, ADDED, state)
        for number in range(STATE):
            word = state[number]
            place = target + 4 * number
            out_digests[place] = np.uint8(word >> np.uint32(24))
            out_digests[place + 1] = np.uint8(word >> np.uint32(16))
            out_digests[place + 2] = np.uint8(word >> np.uint32(8))
            out_digests[place + 3] = np.uint8(word)


@kernel
def write_hexadecimal(
    digests: UInt8s, known: Bools, out_ends: Int64Out, out_digits: UInt8Out
) -> None:
    """Write digests as lower-case hexadecimal digits, nothing for those that stand for none.

    digests: (n * DIGEST_BYTES,); known: (n,); out_ends: (n + 1,), where digits begin and end in
    out_digits: (n * HEX_DIGITS,).
    """
    place = 0
    out_ends[0] = 0
    for row in range(known.size):
        if known[row]:
            for byte in digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]:
                out_digits[place] = DIGITS[byte >> 4]
                out_digits[place + 1] = DIGITS[byte & 15]
                place += 2
        out_ends[row + 1] = place
