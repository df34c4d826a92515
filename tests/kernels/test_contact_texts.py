"""Addresses, numbers and SHA-256 against plain Python."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import contact_texts as oracle

from ordercycle_kernels import contact_texts as kernels
from ordercycle_kernels import sha256 as hashing

pytestmark = pytest.mark.kernels

pieces = ["ann", "Bob", "@", ".", "-", "+", "_", " ", "gmail.com", "googlemail.COM", "x.org", "=",
          "é", "\t", "\x7f", "<", ",", "a" * 64, "b." * 95]  # fmt: skip
addresses = st.lists(st.sampled_from(pieces), max_size=6).map("".join)
likely = st.builds(
    "{}@{}".format, addresses, st.sampled_from(["gmail.com", "x.org", "x", "-x.org"])
)
dialled = st.lists(
    st.sampled_from([*"0123456789", "+", " ", "(0)", "00", "011", "34", "44", "\u00a0", "\u2011",
                     "x", "612345678", "6505551212", "2079460958"]),
    max_size=7,
).map("".join)  # fmt: skip
#: Calling code, trunk prefix, possible lengths.
REGIONS = (("34", "", (9,)), ("1", "1", (10,)), ("44", "0", (9, 10)), ("36", "06", (8, 9)))


def laid_out(texts):
    data = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, data)], dtype=np.int64)
    return offsets, np.frombuffer(b"".join(data), np.uint8)


def shown(kinds, ends, data):
    return [
        (int(kind), data[start:stop].tobytes().decode())
        for kind, start, stop in zip(kinds, ends[:-1], ends[1:], strict=True)
    ]


@given(
    texts=st.lists(addresses | likely, max_size=8), spaces_out=st.booleans(), gmail=st.booleans()
)
def test_addresses(texts, spaces_out, gmail):
    offsets, data = laid_out(texts)
    kinds, ends = np.empty(len(texts), np.int8), np.empty(len(texts) + 1, np.int64)
    made = np.empty(data.size, np.uint8)
    changes = kernels.SPACES_OUT * spaces_out + kernels.GMAIL * gmail
    kernels.clean_addresses(offsets, data, changes, kinds, ends, made)
    right = [oracle.address(text, spaces_out=spaces_out, gmail=gmail) for text in texts]
    assert shown(kinds, ends, made) == right


@given(rows=st.lists(st.tuples(dialled, st.integers(-1, len(REGIONS) - 1)), max_size=8))
def test_numbers(rows):
    texts = [text for text, _ in rows]
    regions = np.array([region for _, region in rows], np.int16)
    offsets, data = laid_out(texts)
    kinds, ends = np.empty(len(texts), np.int8), np.empty(len(texts) + 1, np.int64)
    made = np.empty(data.size + 3 * len(texts), np.uint8)
    codes, trunks = (
        np.array([int("1" + row[part]) for row in REGIONS], np.int32) for part in (0, 1)
    )
    lengths = np.array([sum(1 << one for one in row[2]) for row in REGIONS], np.int32)
    kernels.clean_numbers(offsets, data, regions, codes, trunks, lengths, kinds, ends, made)
    right = [oracle.number(text, REGIONS[region] if region >= 0 else None) for text, region in rows]
    assert shown(kinds, ends, made) == right


@given(
    texts=st.lists(
        st.text(max_size=6) | st.integers(0, 130).map(lambda size: "x" * size), max_size=5
    )
)
def test_digests(texts):
    offsets, data = laid_out(texts)
    words, state = np.empty(hashing.ROUNDS, np.uint32), np.empty(hashing.STATE, np.uint32)
    digests = np.empty(len(texts) * hashing.DIGEST_BYTES, np.uint8)
    hashing.sha256(offsets, data, words, state, digests)
    right = [hashlib.sha256(text.encode()).digest() if text else bytes(32) for text in texts]
    assert digests.tobytes() == b"".join(right)
    known = np.array([bool(text) for text in texts], np.bool_)
    ends = np.empty(len(texts) + 1, np.int64)
    digits = np.empty(len(texts) * hashing.HEX_DIGITS, np.uint8)
    hashing.write_hexadecimal(digests, known, ends, digits)
    written = [digits[start:stop].tobytes().decode() for start, stop in pairwise(ends)]
    assert written == [one.hex() if text else "" for one, text in zip(right, texts, strict=True)]
