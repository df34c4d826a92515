"""What is known of people, written as those who match it write it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import bitmap, bytes_view, dates_of
from ordercycle._audiences.regions import ARMED_FORCES, CALLED, COUNTRIES, NUMBERING, STATES
from ordercycle._errors import ColumnError
from ordercycle._sync.digests import TEXT, bytes_of
from ordercycle_kernels import contact_texts as kernels

#: Of unseen characters: those that only look like nothing.
UNSEEN = "[\u200b-\u200f\u202a-\u202e\u2060\ufeff]"
Texts: TypeAlias = pa.Array
OLDEST_YEAR = 1900


class Cleaned(NamedTuple):
    """Texts of n customers, null where there is nothing usable.

    unusable: (n,), where there was something else.
    """

    texts: Texts
    unusable: NDArray[np.bool_]


def as_texts(column: Any, name: str) -> Texts:
    """Return a column of any type as text, in one piece.

    Raises
    ------
    ColumnError
        It is of a type that has no text, such as a list.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # of views, which do not become one piece
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], TEXT)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):  # as a frame writes integers among which some are missing
        whole = pc.equal(array, pc.trunc(array))
        array = pc.if_else(whole, array, None).cast(pa.int64(), safe=False)
    try:
        return array.cast(TEXT)
    except (pa.ArrowException, NotImplementedError):
        raise ColumnError(
            f"contacts: {name} is {array.type}, which is no text",
            remedy="cast it to text",
            column=name,
        ) from None


def plain_texts(texts: Texts) -> Texts:
    """Return texts in normal form C without spaces around; null where nothing is left."""
    if not is_ascii(texts):
        texts = pc.replace_substring_regex(texts, UNSEEN, "")
        texts = pc.utf8_trim_whitespace(pc.utf8_normalize(texts, "NFC"))
    else:
        texts = pc.ascii_trim_whitespace(texts)
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, TEXT), texts)


def is_ascii(texts: Texts) -> bool:
    """Return whether all texts are of ASCII characters."""
    offsets, data = bytes_view(texts)
    return not bool((data[offsets[0] : offsets[-1]] >= kernels.BEYOND_ASCII).any())


def addresses(texts: Texts, changes: int) -> Cleaned:
    """Return e-mail addresses; changes: as for `clean_addresses`."""
    if not is_ascii(texts):
        texts = pc.utf8_lower(plain_texts(texts))
        # What begins with a sign of another alphabet is no address for a spreadsheet's sake.
        odd = pc.match_substring_regex(texts, r"^[^\p{L}\p{N}_]|\p{C}|[^\P{Z} ]|＠")
        texts = pc.if_else(odd, "?", texts)
    offsets, data = bytes_of(texts)
    kinds, ends = np.empty(len(texts), np.int8), np.empty(len(texts) + 1, np.int64)
    made = np.empty(data.size, np.uint8)
    kernels.clean_addresses(offsets, data, changes, kinds, ends, made)
    return _cleaned(kinds, ends, made)


def numbers(texts: Texts, regions: NDArray[np.int16]) -> Cleaned:
    """Return telephone numbers as digits from the calling code on."""
    if not is_ascii(texts):
        texts = plain_texts(texts)
    offsets, data = bytes_of(texts)
    kinds, ends = np.empty(len(texts), np.int8), np.empty(len(texts) + 1, np.int64)
    made = np.empty(data.size + 3 * len(texts), np.uint8)
    numbering = (NUMBERING.codes, NUMBERING.trunks, NUMBERING.lengths)
    kernels.clean_numbers(offsets, data, regions, *numbering, kinds, ends, made)
    return _cleaned(kinds, ends, made)


def _cleaned(kinds: NDArray[np.int8], ends: NDArray[np.int64], data: NDArray[np.uint8]) -> Cleaned:
    usable = kinds == kernels.USABLE
    # A copy of what is used: the rest of the room would be kept.
    buffers = [bitmap(usable), pa.py_buffer(ends), pa.py_buffer(data[: ends[-1]].copy())]
    return Cleaned(pa.Array.from_buffers(TEXT, usable.size, buffers), kinds == kernels.UNUSABLE)


def names(texts: Texts) -> Texts:
    """Return names in small letters, without punctuation."""
    return _without(pc.utf8_lower(plain_texts(texts)), r"[^\p{L}\p{M}\p{N} ]", spaces=" ")


def cities(texts: Texts) -> Texts:
    """Return places in small letters, of which nothing but letters and digits is left."""
    return _without(pc.utf8_lower(plain_texts(texts)), r"[^\p{L}\p{M}\p{N}]")


def _without(texts: Texts, pattern: str, spaces: str = "") -> Texts:
    texts = pc.replace_substring_regex(texts, r"[\s\p{Z}]", " ")
    texts = pc.replace_substring_regex(texts, pattern, "")
    return plain_texts(pc.replace_substring_regex(texts, " +", spaces))


def countries(texts: Texts) -> Texts:
    """Return codes of countries, ISO 3166-1 alpha-2 in capital letters; null for others."""
    found = texts.dictionary_encode()
    entries = [_country(one) for one in found.dictionary.to_pylist()]
    return pa.array(entries, TEXT).take(found.indices)


def _country(text: str) -> str | None:
    small = " ".join(text.replace(".", "").casefold().split())
    code = CALLED.get(small, small.upper())
    return code if code in COUNTRIES else None


def states(texts: Texts, of_country: Texts) -> Texts:
    """Return states: two letters in the United States, elsewhere as cities.

    Where no country is known, a state of the United States is known by its name; in that country,
    what is none of its states is left out.
    """
    there = cities(texts)
    encoded = there.dictionary_encode()
    codes = {*STATES.values(), *ARMED_FORCES}
    american = [
        STATES.get(one, one if one in codes else None) for one in encoded.dictionary.to_pylist()
    ]
    named = pa.array([STATES.get(one, one) for one in encoded.dictionary.to_pylist()], TEXT)
    elsewhere = pc.if_else(of_country.is_null(), named.take(encoded.indices), there)
    in_america = pc.fill_null(pc.equal(of_country, "US"), fill_value=False)
    return pc.if_else(in_america, pa.array(american, TEXT).take(encoded.indices), elsewhere)


def postcodes(texts: Texts, of_country: Texts) -> Texts:
    """Return postcodes in small letters without spaces and hyphens, American ones in short."""
    whole = plain_texts(texts)
    small = pc.utf8_lower(pc.replace_substring_regex(whole, r"[\s\p{Pd}]+", ""))
    small = pc.if_else(
        pc.match_substring_regex(small, r"^[\p{L}\p{N}]+$"), small, pa.scalar(None, TEXT)
    )
    american = pc.or_(
        pc.fill_null(pc.equal(of_country, "US"), fill_value=False),
        pc.and_(of_country.is_null(), pc.match_substring_regex(whole, r"^\d{5}-\d{4}$")),
    )
    return pc.if_else(
        pc.fill_null(american, fill_value=False), pc.utf8_slice_codeunits(small, 0, 5), small
    )


def genders(texts: Texts) -> Texts:
    """Return m or f; null for what is neither."""
    encoded = pc.utf8_lower(plain_texts(texts)).dictionary_encode()
    known = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}
    found = [known.get(one) for one in encoded.dictionary.to_pylist()]
    return pa.array(found, TEXT).take(encoded.indices)


def birthdays(column: Any, name: str, latest: Any) -> pa.Array:
    """Return days of birth as dates; null for what is none, or before 1900, or later than a day."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        days = dates_of(array)
    else:
        texts = plain_texts(as_texts(array, name))
        texts = pc.replace_substring_regex(texts, r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3")
        texts = pc.replace_substring_regex(texts, r"^(\d{4}-\d{2}-\d{2})[T ].*$", r"\1")
        days = _days(texts)
    known = pc.and_(
        pc.greater_equal(pc.year(days), OLDEST_YEAR), pc.less_equal(days, pa.scalar(latest))
    )
    return pc.if_else(pc.fill_null(known, fill_value=False), days, pa.scalar(None, pa.date32()))


def _days(texts: Texts) -> pa.Array:
    """Return ISO days; null for other texts."""
    encoded = texts.dictionary_encode()
    found = []
    for one in encoded.dictionary.to_pylist():
        try:
            found.append(np.datetime64(one, "D").item() if len(one) == len("2026-01-01") else None)
        except ValueError:
            found.append(None)
    return pa.array(found, pa.date32()).take(encoded.indices)


def day_parts(days: pa.Array, pattern: str) -> Texts:
    """Return parts of days as digits, such as ``"%Y%m%d"``."""
    return pc.strftime(days, pattern).cast(TEXT)
