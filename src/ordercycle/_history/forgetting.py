"""Customers who are forgotten: their orders or events stay, under a number that means nobody."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, printable
from ordercycle._history import store
from ordercycle._history.batch_files import BatchFormat
from ordercycle._history.grouped import Grouped, Part, keep
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._workspace import Workers, Workspace

G = TypeVar("G", bound=Grouped[Any])

#: What numbers are made with where no key is given: orders and touches of one process get the same.
OWN_KEY = secrets.token_bytes(32)
KEY_BYTES = (16, 64)
DIGEST_BYTES = 16
#: Narrower integers have no room for numbers that are nobody's, nor have shorter ids of bytes.
LEAST_BITS, LEAST_BYTES, MOST_BYTES = 32, 8, 64
#: What texts that stand for nobody begin with.
PREFIX = "forgotten-"


def forget(history: G, ids: Iterable[Any], key: bytes | None) -> G:
    """Return a history in which customers are nobody; itself where it has none of them.

    A saved history is written anew in its folder, in one step.

    Raises
    ------
    ConfigError
        Ids are none, or too narrow for numbers that are nobody's; the key is none.
    DataError
        A number is another customer's.
    StorageError
        The folder was changed since the history was opened, or cannot be written.
    """
    reader = history.format.ids
    wanted = _wanted(ids, reader)
    numbers = Numbers(reader, _checked_key(key))

    def take(_: int, batch: Any, __: Workspace) -> Any | None:
        gone = booleans(pc.is_in(batch.ids, wanted))
        if not gone.any():
            return None
        kept = history.format.of_customers(batch, gone)
        return replace(kept, ids=numbers.of(kept.ids))

    found = [batch for batch in history.scan(take) if batch is not None]
    if not found:
        return history
    nobody = Nobody(wanted, _by_part(history.format, found, len(history.parts)))
    names = pa.concat_arrays([batch.ids for batch in found])
    made = replace(history, forgotten=(*history.forgotten, *names.to_pylist()), folder=None)
    if history.folder is not None:
        parts = tuple(
            Part(part.format, (Rewritten(part, number, nobody),))
            for number, part in enumerate(history.parts)
        )
        whole = replace(made, parts=parts, folder=history.folder)
        return store.save(whole, history.folder.path)
    file = None if history.spill is None else SpillFile(history.spill.folder)
    with Workers(history.threads) as workers:

        def rewrite(numbered: tuple[int, Part[Any]]) -> Part[Any]:
            number, part = numbered
            batch = Rewritten(part, number, nobody).read()
            run = keep(batch, part.format, file, workers.workspace)
            part.release()
            return Part(part.format, (run,))

        return replace(made, parts=tuple(workers.in_order(rewrite, enumerate(history.parts))))


def forgotten_in(history: Grouped[Any], ids: pa.Array) -> NDArray[np.bool_] | None:
    """Return which ids stand for nobody, plain as batches have them; None where none does."""
    if not history.forgotten:
        return None
    found = booleans(pc.is_in(ids, pa.array(history.forgotten, history.format.ids.plain)))
    return found if found.any() else None


@dataclass(frozen=True)
class Numbers:
    """Makes the numbers that stand for customers: of one key and id always the same.

    Without the key, nobody can tell whose they were.
    """

    reader: IdReader
    key: bytes

    def of(self, ids: pa.Array) -> pa.Array:
        """Return a number for each id, of its type."""
        plain = self.reader.plain
        return pa.array([self._of(one) for one in ids.to_pylist()], plain)

    def _of(self, customer: Any) -> Any:
        plain = self.reader.plain
        if self.reader.is_integer:
            digest = self._digest(customer.to_bytes(16, "little", signed=True), DIGEST_BYTES)
            bits = plain.bit_width
            if pa.types.is_signed_integer(plain):
                half = 1 << (bits - 2)
                return -half - 1 - int.from_bytes(digest, "little") % (half - 1)
            half = 1 << (bits - 1)
            return half + int.from_bytes(digest, "little") % half
        if self.reader.is_text:
            return PREFIX + self._digest(customer.encode(), DIGEST_BYTES).hex()
        size = plain.byte_width if pa.types.is_fixed_size_binary(plain) else DIGEST_BYTES
        return self._digest(customer, size)

    def _digest(self, customer: bytes, size: int) -> bytes:
        return blake2b(customer, digest_size=size, key=self.key).digest()


@dataclass(frozen=True)
class Nobody:
    """Who is forgotten, and who takes their place: a batch for each part, None for none."""

    wanted: pa.Array
    pieces: Sequence[Any]


@dataclass(frozen=True)
class Rewritten:
    """A part as it is without those who are forgotten, and with those in whose place they are."""

    part: Part[Any]
    number: int
    nobody: Nobody

    @property
    def nbytes(self) -> int:
        """Bytes that the part takes."""
        return sum(run.nbytes for run in self.part.runs)

    def read(self) -> Any:
        """Return the batch."""
        kept: BatchFormat[Any] = self.part.format
        batch = self.part.read()
        gone = booleans(pc.is_in(batch.ids, self.nobody.wanted))
        if gone.any():
            batch = kept.of_customers(batch, ~gone)
        piece = self.nobody.pieces[self.number]
        if piece is None:
            return batch
        taken = booleans(pc.is_in(piece.ids, batch.ids))
        if taken.any():
            raise DataError(
                "a number that is to mean nobody is the id of another customer",
                remedy=("pass another ", Option("key")),
                count=int(np.count_nonzero(taken)),
            )
        return kept.merge(batch, piece)

    def release(self) -> None:
        """Give back what reading took."""
        self.part.release()


def _by_part(kept: BatchFormat[Any], found: Sequence[Any], parts: int) -> list[Any]:
    """Return customers in the order of batches, those of each part by themselves."""
    batch = kept.joined(found)
    hashes = hashes_of(batch.ids)
    order = np.lexsort([_ranks(batch.ids), hashes])
    for one, other in pairwise(order.tolist()):
        if hashes[one] == hashes[other] and batch.ids[one] == batch.ids[other]:
            raise DataError(
                "two customers would get one number", remedy=("pass another ", Option("key"))
            )
    numbers = (hashes >> np.uint64(1)) >> np.uint64(64 - parts.bit_length())
    pieces: list[Any] = [None] * parts
    for number in np.unique(numbers).tolist():
        its = order[numbers[order] == number]
        pieces[number] = kept.joined([batch.slice(one, one + 1) for one in its.tolist()])
    return pieces


def _ranks(ids: pa.Array) -> NDArray[np.int64]:
    """Return the places of ids in their own order."""
    ranks = np.empty(len(ids), np.int64)
    ranks[np.asarray(pc.array_sort_indices(ids))] = np.arange(len(ids))
    return ranks


def _wanted(ids: Iterable[Any], reader: IdReader) -> pa.Array:
    """Return ids in the type of those of the history."""
    plain = reader.plain
    width = plain.bit_width if reader.is_integer else 0
    if width and width < LEAST_BITS:
        raise ConfigError(
            f"ids are {plain}, which has no room for numbers that mean nobody",
            remedy="build the history from ids of 32 or 64 bits",
        )
    if pa.types.is_fixed_size_binary(plain) and not LEAST_BYTES <= plain.byte_width <= MOST_BYTES:
        raise ConfigError(
            f"ids are {plain}, of which none can be made that means nobody",
            remedy=f"build the history from ids of {LEAST_BYTES} to {MOST_BYTES} bytes",
        )
    return ids_like(ids, reader)


def ids_like(ids: Iterable[Any], reader: IdReader) -> pa.Array:
    """Return ids in the type of those of a history, or raise a ConfigError."""
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise ConfigError(
            (Option("ids", ids), " is no list of ids"), remedy="pass a list, or an Arrow array"
        )
    found = _as_plain(ids, reader)
    if found is None:
        raise ConfigError(
            (Option("ids"), printable(f" are not all {reader.given}, as those of the history are")),
            remedy="pass ids as they were given to the history",
        )
    return found


def _as_plain(ids: Iterable[Any], reader: IdReader) -> pa.Array | None:
    """Return ids in the type of a history, None where they are of another kind, or beyond it."""
    try:
        given = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(list(ids))
        if isinstance(given, pa.ChunkedArray):
            given = given.combine_chunks()
        own = IdReader.of(pa.field("ids", given.type), "ids")
        is_like = (own.is_integer, own.is_text) == (reader.is_integer, reader.is_text)
        return reader.values(given).drop_null() if is_like or not len(given) else None
    except (pa.ArrowException, ColumnError, TypeError, ValueError, OverflowError):
        return None


def _checked_key(key: object) -> bytes:
    if key is None:
        return OWN_KEY
    least, most = KEY_BYTES
    if not isinstance(key, bytes) or not least <= len(key) <= most:
        raise ConfigError(
            (Option("key"), " is no secret"),
            remedy=f"pass {least} to {most} bytes, such as secrets.token_bytes(32), or nothing",
        )
    return key
