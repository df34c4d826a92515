"""Different ids with one hash: what hardly ever happens, made."""

import numpy as np

from ordercycle_kernels import hashing

WORD = 2**64


def mix(word):
    """Return the hash of one word, as hashing.py has it."""
    z = (word + 0x9E3779B97F4A7C15) % WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def ids_with_one_hash(count):
    """Return different ids of 16 bytes, all with the hash of the first.

    Whatever the first word is, there is a second word that leads to the same last state: that
    state's preimage, which `mix` has exactly one of, without what the first word left behind.
    """
    initial = mix(16)
    last = mix(initial ^ 1) ^ 2  # before it is mixed, with the words 1 and 2
    words = [(first, mix(initial ^ first) ^ last) for first in range(1, count + 1)]
    ids = [b"".join(word.to_bytes(8, "little") for word in pair) for pair in words]
    hashes = np.empty(count, np.uint64)
    starts = np.arange(0, 16 * count, 16)
    memory, words = (
        np.frombuffer(b"".join(ids), np.uint8),
        np.empty(hashing.ROWS_AT_A_TIME, np.uint64),
    )
    hashing.hash_equally_long(starts, 16, memory, words, hashes)
    assert len(set(ids)) == count
    assert len(set(hashes.tolist())) == 1
    return ids
