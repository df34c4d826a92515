"""Arms by hashes: as their authors' own tests have them."""

import numpy as np
import pytest

from ordercycle_kernels import arms

pytestmark = pytest.mark.kernels


def placed(texts):
    data = [text.encode() for text in texts]
    lengths = np.array(list(map(len, data)), np.int32)
    starts = np.cumsum([0, *lengths[:-1]]).astype(np.int64)
    return starts, lengths, np.frombuffer(b"".join(data), np.uint8)


def bytes_of(text):
    return np.frombuffer(text.encode(), np.uint8)


def test_growthbook_buckets():
    """Of the test cases of its SDKs."""
    for seed, text, bucket in (
        ("seed", "a", 505), ("seed", "b", 2696), ("foo", "ab", 2575), ("foo", "def", 2019),
    ):  # fmt: skip
        out = np.empty(1, np.int32)
        arms.growthbook_buckets(*placed([text]), bytes_of(seed), out)
        assert out.tolist() == [bucket]


def test_optimizely_buckets():
    """Of the test cases of its Python SDK."""
    for text, experiment, bucket in (
        ("ppid1", "1886780721", 5254), ("ppid2", "1886780721", 4299),
        ("ppid2", "1886780722", 2434), ("ppid3", "1886780721", 5439),
    ):  # fmt: skip
        out = np.empty(1, np.int32)
        arms.optimizely_buckets(*placed([text]), bytes_of(experiment), out)
        assert out.tolist() == [bucket]


def plain_mix(word):
    z = (word + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_arms_by_thresholds():
    hashes = np.arange(0, 2**63, 2**57 + 12345, dtype=np.uint64)
    thresholds = np.array([2**62, 2**62, 2**63], np.uint64)
    out = np.empty(hashes.size, np.int8)
    arms.choose_arms(hashes, np.uint64(2**64 - 5), thresholds, out)
    salted = plain_mix(2**64 - 5)
    expected = []
    for one in hashes.tolist():
        place = plain_mix(one ^ salted)
        expected.append(sum(place >= limit for limit in (2**62, 2**62, 2**63)))
    assert out.tolist() == expected
    assert set(expected) == {0, 2, 3}
