"""Who is in which arm: a function of the id, a salt and the weights, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, check_choice, printable
from ordercycle._ingest.id_bytes import IdBytes, hashes_of, place_ids
from ordercycle_kernels import arms as kernels

#: The version of the way in which arms are chosen goes into every salt.
SALT_PREFIX = "arms/1:"
WORD_BITS, BUCKETS = 64, int(kernels.BUCKETS)
MOST_ARMS = 127
PERCENT = 100
HASHES = ("ordercycle", "growthbook", "optimizely")
ARM_TYPE = pa.dictionary(pa.int8(), pa.string())


def salt_word(text: str) -> np.uint64:
    """Return the library's hash of a text, as customers with such an id have it."""
    return np.uint64(hashes_of(pa.array([text]))[0])


@dataclass(frozen=True)
class Arms:
    """Names of arms with their weights, and how customers are divided among them."""

    names: tuple[str, ...]
    weights: tuple[Fraction, ...]  # which add up to 1
    salt: str
    hash: str = HASHES[0]

    @classmethod
    def of(
        cls, option: str, given: Any, salt: str, hash_name: str = HASHES[0], *, fewest: int = 2
    ) -> Arms:
        """Return arms of a mapping of names to weights: percent, or fractions, also as text.

        Raises
        ------
        ConfigError
            They are no mapping, have no names, wrong weights, or do not add up.
        """
        check_choice("hash", hash_name, HASHES)
        if not isinstance(given, Mapping) or len(given) < fewest:
            raise ConfigError(
                (Option(option, given), " names no two arms" if fewest > 1 else " names no arm"),
                remedy='pass them with their shares in percent, as {"control": 10, "banner": 90}',
            )
        if len(given) > MOST_ARMS:
            raise ConfigError((Option(option), f" has {len(given)} arms, more than {MOST_ARMS}"))
        given = {name: _share(weight) for name, weight in given.items()}
        for name, weight in given.items():
            _check_arm(option, name, weight)
        fractions = any(isinstance(weight, Fraction) for weight in given.values())
        total, whole = sum(given.values()), 1 if fractions else PERCENT
        if total != whole:
            raise ConfigError(
                (Option(option), f" adds up to {total}, not to {whole}"),
                remedy="give shares in percent that add up to 100, or fractions that add up to 1",
            )
        weights = tuple(Fraction(weight, whole) for weight in given.values())
        return cls(tuple(given), weights, salt, hash_name)

    def to_dict(self) -> dict[str, Any]:
        """Return names with weights, as they are given: percent where these are whole."""
        percents = [weight * PERCENT for weight in self.weights]
        if all(one.denominator == 1 for one in percents):
            return dict(zip(self.names, map(int, percents), strict=True))
        return dict(zip(self.names, map(str, self.weights), strict=True))

    def salted(self, more: str) -> Arms:
        """Return the same arms with another salt."""
        return Arms(self.names, self.weights, self.salt + more, self.hash)

    def codes(self, ids: pa.Array, hashes: NDArray[np.uint64] | None = None) -> NDArray[np.int8]:
        """Return the number of each customer's arm; ids: plain, those that are null have any.

        hashes: of the ids, where they are there already.
        """
        if self.hash != HASHES[0]:
            return self._codes_of_buckets(_bucketed(self, ids))
        found = hashes_of(ids) if hashes is None else hashes
        codes = np.empty(found.size, np.int8)
        salt = salt_word(SALT_PREFIX + self.salt)
        kernels.choose_arms(found, salt, self._thresholds, codes)
        return codes

    @property
    def _thresholds(self) -> NDArray[np.uint64]:
        """Where the arms but the first begin, in units of 2**-64; none where that is the end."""
        ends = (int(end * 2**WORD_BITS) for end in accumulate(self.weights))
        return np.array([end for end in ends if end < 2**WORD_BITS], np.uint64)

    def _codes_of_buckets(self, buckets: NDArray[np.int32]) -> NDArray[np.int8]:
        ends = [-(-end * BUCKETS // 1) for end in accumulate(self.weights)]  # rounded up
        limits = np.array(ends[:-1], np.int64)
        return np.searchsorted(limits, buckets, side="right").astype(np.int8)


def _share(given: Any) -> Any:
    """Return a share of a TOML file, where fractions are text: ``"1/3"``."""
    try:
        return Fraction(given) if isinstance(given, str) else given
    except (ValueError, ZeroDivisionError):
        return given


def _check_arm(option: str, name: Any, weight: Any) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigError(
            (Option(option), printable(f" names an arm {name!r}")), remedy="name arms by text"
        )
    is_number = isinstance(weight, int | Fraction) and not isinstance(weight, bool)
    if not is_number or weight < 0:
        raise ConfigError(
            (Option(option), printable(f" gives {name!r} the weight {weight!r}")),
            remedy="give whole percents, or fractions.Fraction: floats do not add up",
        )


def _bucketed(arms: Arms, ids: pa.Array) -> NDArray[np.int32]:
    """Return the bucket of each id as text, by the hash of another system."""
    if not (pa.types.is_integer(ids.type) or _is_text(ids.type)):
        raise ConfigError(
            (Option("hash", arms.hash), f" is of text, and ids are {ids.type}"),
            remedy="pass them as the text that the other system sees",
        )
    texts = pc.fill_null(ids.cast(pa.large_string()), "")
    starts, lengths = np.empty(len(ids), np.int64), np.empty(len(ids), np.int32)
    placed: IdBytes = place_ids(texts, starts, lengths).ids(starts, lengths)
    sizes = np.ascontiguousarray(np.broadcast_to(placed.lengths, placed.starts.shape))
    salt = np.frombuffer(arms.salt.encode(), np.uint8)
    buckets = np.empty(len(ids), np.int32)
    write = kernels.growthbook_buckets if arms.hash == "growthbook" else kernels.optimizely_buckets
    write(placed.starts, sizes, placed.data, salt, buckets)
    return buckets


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
