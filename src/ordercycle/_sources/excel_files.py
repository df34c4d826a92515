"""Sheets of Excel files, by python-calamine: cells are numbers, text, truth values or times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle._errors import ColumnError, Option, SourceError, suggestion
from ordercycle._sources.computed_columns import CountingRows
from ordercycle._sources.file_formats import CsvFormat, ExcelSheet
from ordercycle._sources.file_list import DataFile, Look
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.text.columns import FLOAT, TEXT, MisfitError, TextColumn
from ordercycle._sources.text.times import DAYS, INSTANTS, LOCAL
from ordercycle._sources.text.times import have_offsets as times_have_offsets

NOTHING = pa.null()
#: What columns are for whose text is read as it stands.
TEXTS: tuple[Role, ...] = ("customer", "order", "text", "other")
#: What cells hold, by the type that Python has for it; dates are times as well.
KINDS: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: FLOAT,
    float: FLOAT,
    str: TEXT,
    dt.datetime: LOCAL,
    dt.date: DAYS,
}


class Part(NamedTuple):
    """All of a file, as it was read: a workbook is a small thing."""

    table: pa.Table
    rows: tuple[int, ...]  # of the sheet, from 1, of the rows that have a cell


def common_type(left: pa.DataType, right: pa.DataType, role: Role) -> pa.DataType | None:
    """Return the type in which the columns of both files can be read, or None."""
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    if {left, right} == {DAYS, LOCAL}:
        return LOCAL
    return TEXT if role == "order" else None


def look(file: DataFile, request: ReadRequest) -> Look:
    """Read the sheet.

    Raises
    ------
    SourceError
        Where the file is no workbook, it is not said which sheet is meant, or it has no header.
    ColumnError
        Where a column holds values of several kinds.
    """
    given = request.read if isinstance(request.read, ExcelSheet) else ExcelSheet()
    where = f"{request.table}: {file.path!r}"
    header, cells, numbers = _cells(file, given, where)
    names = [_text_of(cell) for cell in header]
    arrays = _arrays(names, cells, numbers, where, request)
    have_offsets = any(_have_offsets(name, array, cells, names) for name, array in arrays.items())
    table = pa.table(arrays)
    fields = [pa.field(name, arrays[name].type if name in arrays else TEXT) for name in names]
    parts = [Part(table, tuple(numbers))] if cells else []
    return Look(pa.schema(fields), len(cells), parts, times_have_offsets=have_offsets)


def _have_offsets(name: str, array: pa.Array, cells: list[list[Any]], names: list[str]) -> bool:
    """Return whether text gave times elsewhere than in UTC: cells that are times have no zone."""
    if array.type != INSTANTS:
        return False
    place = names.index(name)
    return times_have_offsets(
        pa.array([row[place] for row in cells if _is_there(row[place])], TEXT)
    )


def _cells(
    file: DataFile, given: ExcelSheet, where: str
) -> tuple[list[Any], list[list[Any]], list[int]]:
    """Return the header, rows with a cell that is not empty, and the sheet's numbers of these."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise SourceError(
            f"{where} is a workbook, which needs python-calamine to be read",
            remedy="pip install 'ordercycle[excel]'",
        ) from None
    import io

    with file.open_stream() as stream:
        content = io.BytesIO(stream.read())
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(content)
        sheet = _sheet_name(workbook.sheet_names, given, where)
        rows = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except (calamine.CalamineError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(
            f"{where} cannot be read: {error}", remedy="save it in Excel, or leave it out"
        ) from error
    if len(rows) <= given.skip_rows or not any(map(_is_there, rows[given.skip_rows])):
        raise SourceError(
            f"{where} has no header in row {given.skip_rows + 1} of {sheet!r}",
            remedy=("say how many rows are above it with ", Option("ExcelSheet.skip_rows")),
        )
    below = range(given.skip_rows + 1, len(rows))
    kept = [number for number in below if any(map(_is_there, rows[number]))]
    header = rows[given.skip_rows]
    return header, [rows[number] for number in kept], [number + 1 for number in kept]


def _sheet_name(names: list[str], given: ExcelSheet, where: str) -> str:
    listed = ", ".join(map(repr, names))
    if given.sheet is None:
        if len(names) == 1:
            return names[0]
        raise SourceError(
            f"{where} has {len(names)} sheets: {listed}",
            remedy=("say which with ", Option("read.ExcelSheet.sheet", names[0] if names else "")),
        )
    if given.sheet not in names:
        raise SourceError(
            f"{where} has no sheet {given.sheet!r}{suggestion(given.sheet, names)}",
            remedy=f"it has {listed}",
        )
    return given.sheet


def _is_there(cell: Any) -> bool:
    return cell is not None and not (isinstance(cell, str) and not cell.strip())


def _is_given(cell: Any) -> bool:
    """Return whether a cell is a text: one of spaces is, as it is in all sources."""
    return cell is not None and cell != ""


def _text_of(cell: Any) -> str:
    """Return a cell as it is written: a whole number without a point."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def _arrays(
    names: list[str], cells: list[list[Any]], numbers: list[int], where: str, request: ReadRequest
) -> dict[str, pa.Array]:
    """Return the columns to read; what is wrong in rows that do not count is not looked at."""
    columns = {
        name: [row[place] for row in cells]
        for place, name in enumerate(names)
        if name in request.roles and names.count(name) == 1
    }
    arrays: dict[str, pa.Array] = {}
    wrong: dict[str, ColumnError] = {}
    for name, column in columns.items():
        try:
            arrays[name] = _array(name, column, numbers, where, request)
        except ColumnError as error:
            wrong[name] = error
    kinds = {name: array.type for name, array in arrays.items()}
    counting = CountingRows.of(request, kinds) if wrong else None
    keep = None if counting is None else counting.rows([arrays[name] for name in counting.names])
    for name, found in wrong.items():
        if keep is None:
            raise found
        left = [cell if counts else None for cell, counts in zip(columns[name], keep, strict=True)]
        arrays[name] = _array(name, left, numbers, where, request)
    return {name: arrays[name] for name in columns}


def _array(
    name: str, cells: list[Any], numbers: list[int], where: str, request: ReadRequest
) -> pa.Array:
    role = request.roles[name]
    is_there = _is_given if role in TEXTS else _is_there
    kind = NOTHING
    for cell, number in zip(cells, numbers, strict=True):
        if not is_there(cell):
            continue
        here = KINDS.get(type(cell))
        common = None if here is None else common_type(kind, here, role)
        if common is None:
            before = "" if kind == NOTHING else f", where the rows above have {kind}"
            raise ColumnError(
                f"{name} in row {number} of {where.partition(': ')[2]} is {cell!r}{before}",
                remedy="give the column one format in the sheet, and enter its cells again",
                column=name,
                row=number,
            )
        kind = common
    if kind == TEXT and role in ("time", "registered", "amount"):
        return _of_text(name, cells, numbers, where, request)
    if kind == TEXT:
        return pa.array([_text_of(cell) if is_there(cell) else None for cell in cells], TEXT)
    values = [cell if is_there(cell) else None for cell in cells]
    if kind == LOCAL:  # of midnight, there is the day alone
        values = [_as_time(cell) if isinstance(cell, dt.date) else cell for cell in values]
    return pa.array(values, kind)


def _as_time(cell: dt.date) -> dt.datetime:
    """Return a day as its midnight."""
    return cell if isinstance(cell, dt.datetime) else dt.datetime.combine(cell, dt.time())


def _of_text(
    name: str, cells: list[Any], numbers: list[int], where: str, request: ReadRequest
) -> pa.Array:
    """Return cells of text as the times or numbers that they are in CSV, too."""
    column = TextColumn(name, request.roles[name], CsvFormat())
    texts = pa.array([cell if _is_there(cell) else None for cell in cells], TEXT)
    try:
        return column.reader_of_texts(column.kind_of(texts))(texts)
    except MisfitError as misfit:
        row = numbers[misfit.row]
        what = misfit.what if isinstance(misfit.what, tuple) else (misfit.what,)
        raise ColumnError(
            (f"{request.table}: {name} in row {row} of {where.partition(': ')[2]} ", *what),
            remedy="enter it as a date or a number, or save the sheet as CSV and describe that",
            column=name,
            row=row,
        ) from misfit


def read(
    file: DataFile,  # noqa: ARG001 - it was read when it was looked at
    part: Part,
    columns: pa.Schema,
    request: ReadRequest,  # noqa: ARG001
    batch_bytes: int | None,  # noqa: ARG001
) -> Iterator[pa.RecordBatch]:
    """Return columns of the sheet."""
    yield from part.table.select(columns.names).to_batches()


def line_of(part: Part, row: int) -> int:
    """Return the number that the sheet shows beside a row."""
    return part.rows[row]
