"""Parquet files: what their footers hold, and parts of a few row groups that are read alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from ordercycle._arrow_views import is_text
from ordercycle._sources.file_list import DataFile, Look
from ordercycle._sources.instants import ARROW_SCHEMA, with_meanings
from ordercycle._sources.read_ahead import BATCH_ROWS, PART_ROWS
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.validation import Inspector

#: Bytes of a column that are read at a time; as fast as whole columns.
BUFFER_BYTES = 2**20
#: Bytes of a part of a file in a store that are fetched together, in requests side by side.
MOST_FETCHED = 2**28
#: Rows of the first batch, and how many times as many the next one may have, where the bytes of
#: batches have a limit: values may be large.
FIRST_ROWS, MOST_GROWTH = 2**4, 8
#: How often a reader holds the dictionary of a column's values: as read, unpacked, and decoded.
DICTIONARY_COPIES = 4
#: Bytes of a batch of texts that are too many for a dictionary.
FEW_BYTES = 2**28
#: The key under which Arrow keeps the schema that it wrote, and one that it does not look for.
NO_SCHEMA = b"arrow.schema"
#: How files are opened to be read: checksums that their pages carry are compared; in nanoseconds,
#: INT96 beyond the years 1677 to 2262 would become other days without a word.
SAFELY = {"page_checksum_verification": True, "coerce_int96_timestamp_unit": "us"}
#: Rows of a row group, on average, from which on its texts are read as codes: batches of these end
#: with it, as others have other codes.
ROWS_WITH_CODES = 2**14
#: What Arrow reads texts as where it is asked for codes, whatever they are otherwise.
CODES = pa.dictionary(pa.int32(), pa.string())
MAGIC, TAIL = b"PAR1", struct.Struct("<I4s")


def look(file: DataFile, request: ReadRequest) -> Look:
    """Read the footer.

    Raises
    ------
    ColumnError
        Where nothing says what the times of a requested column are, and days depend on it.
    """
    from pyarrow import parquet

    with file.open() as stream, parquet.ParquetFile(stream, **SAFELY) as opened:
        metadata = opened.metadata
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        held = partial(_held, file, request.names)
        schema = with_meanings(opened, file.path, request)
        texts = [name for name in request.coded if _is_text(schema, name)]
        if sum(sizes) < ROWS_WITH_CODES * len(sizes):
            texts = []
        return Look(_as_codes(schema, texts), metadata.num_rows, _parts(sizes), held)


def _is_text(schema: pa.Schema, name: str) -> bool:
    """Return whether there is one column of a name, and it is text."""
    return schema.names.count(name) == 1 and is_text(schema.field(name).type)


def _as_codes(schema: pa.Schema, texts: list[str]) -> pa.Schema:
    """Return a schema in which texts are codes of dictionaries, as Arrow reads them then.

    A column of text is mostly stored so: decoding each row takes five times as long, and whoever
    wants codes makes them again.
    """
    for name in texts:
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_type(CODES))
    return schema


def _held(file: DataFile, names: list[str]) -> int:
    """Return the bytes that decoding the largest dictionary of a row group holds.

    What a footer says of a column ends the process where it is damaged and looked at without
    having been read: reading a row raises instead. As text: dictionaries of a million ids took
    230 MB more here than reading the file does.
    """
    from pyarrow import parquet

    with (
        file.open() as stream,
        parquet.ParquetFile(
            stream, metadata=_metadata_without_dictionaries(stream), pre_buffer=False, **SAFELY
        ) as opened,
    ):
        leaves = range(len(opened.schema))
        roots = [opened.schema.column(leaf).path.partition(".")[0] for leaf in leaves]
        chosen = [leaf for leaf in leaves if roots[leaf] in names]
        columns = [name for name in names if name in roots]
        held = 0
        for number in range(opened.num_row_groups):
            next(opened.iter_batches(1, row_groups=[number], columns=columns), None)
            pa.default_memory_pool().release_unused()
            held = max(held, _held_of_group(opened.metadata.row_group(number), chosen))
        return held


def _held_of_group(group: Any, columns: list[int]) -> int:
    """Return the bytes that decoding the largest dictionary among some columns holds.

    A dictionary comes before the pages of its column; of their bytes, only all are known unpacked.
    """
    sizes = [0]
    for number in columns:
        column = group.column(number)
        if column.has_dictionary_page:
            packed = column.data_page_offset - column.dictionary_page_offset
            ratio = column.total_uncompressed_size / max(1, column.total_compressed_size)
            sizes.append(int(packed * max(1.0, ratio)))
    return DICTIONARY_COPIES * max(sizes)


def _parts(sizes: list[int]) -> list[range]:
    """Put row groups together until they have the rows of a part."""
    parts: list[range] = []
    first = rows = 0
    for number, size in enumerate(sizes):
        rows += size
        if rows >= PART_ROWS or number + 1 == len(sizes):
            parts.append(range(first, number + 1))
            first, rows = number + 1, 0
    return parts


def read(
    file: DataFile,
    groups: range,
    columns: pa.Schema,
    request: ReadRequest,  # noqa: ARG001 - the footer says all
    batch_bytes: int | None,
) -> Iterator[pa.RecordBatch]:
    """Read columns of some row groups, on the calling thread.

    batch_bytes: of a batch, roughly, and dictionaries as text; None: no limit.
    """
    coded = [field.name for field in columns if pa.types.is_dictionary(field.type)]
    if batch_bytes is not None or not coded:
        is_limited = batch_bytes is not None and not all(map(_is_narrow, columns.types))
        yield from _read(file, groups, columns.names, batch_bytes, is_limited=is_limited)
        return
    done = 0
    try:
        for batch in _read(file, groups, columns.names, None, is_limited=False, coded=coded):
            yield batch
            done += batch.num_rows
    except pa.lib.ArrowCapacityError:
        # Texts beyond the two gigabytes that a dictionary holds: fewer of them at a time.
        for batch in _read(file, groups, columns.names, FEW_BYTES, is_limited=True):
            if done < batch.num_rows:
                yield batch.slice(done)
            done = max(0, done - batch.num_rows)


def _read(
    file: DataFile,
    groups: range,
    names: list[str],
    batch_bytes: int | None,
    *,
    is_limited: bool,
    coded: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Read columns.

    is_limited: whether batches have as many rows as fit in `batch_bytes`; coded: the columns whose
    texts come as codes.
    """
    from pyarrow import parquet

    options = {"columns": names, "row_groups": list(groups), "use_threads": False}
    rows = FIRST_ROWS if is_limited else BATCH_ROWS
    with file.open() as stream:
        metadata = None
        if batch_bytes is not None:
            metadata = _metadata_without_dictionaries(stream)
        elif file.store.is_remote:
            metadata = parquet.read_metadata(stream)
        # Of files on a disk nothing is fetched ahead, which holds whole row groups (469 MB of one
        # with 20 million rows where this takes 118), on threads of its own.
        plainly = {"metadata": metadata, "pre_buffer": False, "buffer_size": BUFFER_BYTES} | SAFELY
        if file.store.is_remote:
            most = MOST_FETCHED if batch_bytes is None else batch_bytes
            fetched = _stored_bytes(metadata, groups, stream.size())
            # Buffers of a megabyte would each be a trip.
            at_once = {"metadata": metadata, "pre_buffer": True} | SAFELY
            plainly = at_once if fetched <= most else plainly
        inspector = Inspector()
        with parquet.ParquetFile(stream, read_dictionary=list(coded), **plainly) as opened:
            for batch in opened.iter_batches(rows, **options):
                inspector.check(batch)  # codes of dictionaries are what the file has
                yield batch
                if batch_bytes is not None and is_limited:
                    rows = _rows_behind(batch, rows, batch_bytes)
                    opened.reader.set_batch_size(rows)
    if batch_bytes is not None:
        # Arrow keeps what decoding took for the next part: of dictionaries, twice the batches.
        pa.default_memory_pool().release_unused()


def _rows_behind(batch: pa.RecordBatch, rows: int, batch_bytes: int) -> int:
    """Return how many rows the next batch should have: as many as those just read would allow.

    rows: how many this one should have had.
    """
    room = int(batch_bytes * batch.num_rows / max(1, batch.nbytes))
    return max(FIRST_ROWS, min(room, MOST_GROWTH * rows, BATCH_ROWS))


def _is_narrow(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))


def _stored_bytes(metadata: Any, groups: range, size: int) -> int:
    """Return the bytes of some row groups in the file, roughly: those of all columns."""
    rows = sum(metadata.row_group(number).num_rows for number in groups)
    return int(size * rows // max(1, metadata.num_rows))


def _metadata_without_dictionaries(stream: pa.NativeFile) -> Any:
    """Return the footer without the schema that Arrow wrote, which alone requests dictionaries.

    Made one by one for each batch, they take several times what the file has; Arrow has no option
    to leave them out.
    """
    from pyarrow import parquet

    start = stream.size() - TAIL.size
    size, _ = TAIL.unpack(stream.read_at(TAIL.size, start))
    footer = stream.read_at(size, start - size).replace(ARROW_SCHEMA, NO_SCHEMA)
    whole = MAGIC + footer + TAIL.pack(size, MAGIC)
    return parquet.read_metadata(pa.BufferReader(whole))
