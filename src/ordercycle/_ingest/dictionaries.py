"""Dictionaries that batches share: what is made of one is made once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

import pyarrow as pa

from ordercycle._arrow_views import addresses

#: More than there are threads at work on batches with dictionaries of their own; where they are
#: large, few.
HELD_DICTIONARIES, FEW_DICTIONARIES = 16, 4
LARGE_BYTES = 2**24  # of all that are held


class MadeOfDictionary(Protocol):
    """What is made of a dictionary; it holds the entries, whose address is how it is found."""

    @property
    def entries(self) -> pa.Array:
        """The entries of the dictionary."""

    @property
    def nbytes(self) -> int:
        """Bytes that are held with it."""


M = TypeVar("M", bound=MadeOfDictionary)


class DictionaryCache(Generic[M]):
    """What was made of dictionaries, while it is held or among the last few."""

    def __init__(self) -> None:
        self._made: WeakValueDictionary[tuple[int, ...], M] = WeakValueDictionary()
        self._last: deque[M] = deque(maxlen=HELD_DICTIONARIES)
        self._lock = threading.Lock()

    def get(self, entries: pa.Array, make: Callable[[pa.Array], M]) -> M:
        """Return what was made of a dictionary, or make it."""
        key = (len(entries), entries.offset, *addresses(entries))
        with self._lock:
            found = self._made.get(key)
            if found is None:
                found = self._made[key] = make(entries)
                self._last.append(found)
                while len(self._last) > FEW_DICTIONARIES and self._are_large():
                    self._last.popleft()
            return found

    def forget(self) -> None:
        """Hold nothing any more: there is nothing more to read."""
        with self._lock:
            self._last.clear()

    def _are_large(self) -> bool:
        return sum(made.nbytes for made in self._last) > LARGE_BYTES
