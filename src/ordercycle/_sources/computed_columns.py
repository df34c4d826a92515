"""Columns that are computed: which ones of a table they read, and what they are of its rows.

Whoever reads a table reads the columns that are there; a computation makes of each batch one with
a column for every role, named by the text that the caller wrote, and one that says which rows
count. So nothing that comes after knows of expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans, is_text, without_view
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, OrdercycleError
from ordercycle._expressions.expression_text import ExpressionText
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import columns_of
from ordercycle._expressions.typed import Clock, computed
from ordercycle._sources.formulas import Formula, missing_columns
from ordercycle._sources.read_ahead import PART_ROWS, read_ahead
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.row_source import ONLY, Source
from ordercycle._sources.word_tests import WordTest, divided

#: Rows that are computed at a time of what is in memory.
BATCH_ROWS = 2**18
#: Numbers of text files where rows are compared: computed with as numbers, and compared as they are
#: written, since 007 and 7 differ.
WRITTEN = pa.struct([("the number", pa.float64()), ("as it is written", pa.string())])
#: Characters of which a text without a column of its name has one where it is an expression.
OF_EXPRESSIONS = frozenset("()*/+=<>'\"")
#: Of the uses of a column, the one that decides how it is read.
BY_WEIGHT = ("text", "time", "amount", "other")


def resolved(request: ReadRequest, names: Sequence[str]) -> ReadRequest:
    """Return what to read of a table that has columns of these names.

    Raises
    ------
    ColumnError
        Where the columns of an expression are missing.
    """
    if not request.may_compute or request.formulas:
        return request
    formulas: dict[str, Formula] = {}
    for name, role in request.roles.items():
        if name not in names and (made := _formula(name, role, names, request.table)) is not None:
            formulas[name] = made
    if request.only is not None:
        formulas[ONLY] = _condition(request.only, names, request.table)
    if not formulas:
        return request
    roles: dict[str, Role] = {name: role for name, role in request.roles.items() if name in names}
    roles |= {name: role for name, role in request.roles.items() if name not in formulas}
    used: dict[str, str] = {}
    for formula in formulas.values():
        for name, use in formula.columns:
            used[name] = min(use, used.get(name, "other"), key=BY_WEIGHT.index)
    roles |= {name: cast("Role", use) for name, use in used.items() if name not in roles}
    behind = tuple(name for name in used if request.compared and name not in request.roles)
    handed = (*request.roles, *behind)
    return replace(request, roles=roles, made=handed, behind=behind, formulas=formulas)


def _formula(name: str, role: str, names: Sequence[str], table: str) -> Formula | None:
    """Return what a name that no column has stands for; None where it is just a name."""
    if name.isidentifier() and not hasattr(name, "expression"):
        return None
    if isinstance(name, ExpressionText) and not name.is_language:
        return Formula(name, None, name.expression, _mentioned(name, names))
    try:
        node = parsed(name)
    except ConfigError as error:
        if OF_EXPRESSIONS.isdisjoint(name):
            return None
        raise missing_columns(table, name, (), names, why=error.what) from None
    use = "text" if role in ("customer", "order") else "time" if role == "registered" else role
    columns = tuple(columns_of(node, use))
    if not columns:
        return None
    _check_there(columns, name, names, table)
    return Formula(name, node, None, columns)


def _condition(only: str, names: Sequence[str], table: str) -> Formula:
    if isinstance(only, ExpressionText) and not only.is_language:
        return Formula(only, None, only.expression, _mentioned(only, names))
    node = parsed(only)
    columns = tuple(columns_of(node))
    _check_there(columns, only, names, table, is_condition=True)
    return Formula(only, node, None, columns)


def _mentioned(text: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the columns whose names occur in what Arrow shows of an expression."""
    shown = re.compile(r"\w+|\W")
    words = set(shown.findall(text))
    return tuple((name, "other") for name in names if name in words or (
        not name.isidentifier() and name in text))  # fmt: skip


def _check_there(
    columns: Iterable[tuple[str, str]],
    text: str,
    names: Sequence[str],
    table: str,
    *,
    is_condition: bool = False,
) -> None:
    missing = [name for name, _ in dict(columns).items() if name not in names]
    if missing:
        raise missing_columns(table, text, missing, names, is_condition=is_condition)


class UncomputableError(DataError):
    """A row of which a column cannot be computed, counted from the batch's first."""

    def __init__(self, table: str, column: str, reason: str, row: int) -> None:
        super().__init__(f"{table}: {column} cannot be computed: {reason}", column=column, row=row)
        self._parts = (table, column, reason, row)

    def __reduce__(self) -> tuple[Any, ...]:
        return UncomputableError, self._parts

    def at(self, place: str, row: int | None = None) -> DataError:
        """Return the error with the place where the row is."""
        table, column, reason, _ = self._parts
        return DataError(
            f"{table}: {column} cannot be computed at {place}: {reason}",
            remedy=("mend these rows, or leave them out with ", Option("only")),
            column=column,
            row=row,
        )


@dataclass(frozen=True)
class Computation:
    """What makes the requested columns of batches of one schema.

    expressions: by the names of what they make; reads: the columns that decide; casts: of those
    that are read row by row, their types; tests: comparisons of words, whose results are read.
    """

    table: str
    names: tuple[str, ...]
    expressions: Mapping[str, Any]
    reads: tuple[str, ...]
    casts: Mapping[str, pa.DataType]
    tests: Mapping[str, WordTest]
    schema: pa.Schema

    @classmethod
    def of(cls, request: ReadRequest, schema: pa.Schema) -> Computation | None:
        """Return what computes over columns of a schema; None where nothing has to be.

        Raises
        ------
        ColumnError
            Where types do not fit.
        ConfigError
            Where the condition is something else than true or false.
        """
        if not request.formulas:
            return None
        reads = tuple({name: None for one in request.formulas.values() for name, _ in one.columns})
        texts = {name for one in request.formulas.values() for name, use in one.columns
                 if use == "text"}  # fmt: skip
        casts = {name: _plain(schema.field(name).type, is_text=name in texts) for name in reads}
        plain = pa.schema(casts.items())
        clock = Clock(request.times.timezone, request.times.are_utc)
        made = {
            name: one.over(plain, request.table, clock) for name, one in request.formulas.items()
        }
        if ONLY in made and not pa.types.is_boolean(made[ONLY][1]):
            raise ConfigError(
                (Option("only", str(request.only)), f" is {made[ONLY][1]}, not true or false"),
                remedy="compare it with something",
            )
        words = {
            name: kind
            for name, kind in casts.items()
            if pa.types.is_dictionary(schema.field(name).type) and is_text(kind)
        }
        tests: dict[str, WordTest] = {}
        by_row: set[str] = set()
        for name, formula in request.formulas.items():
            rest, own = divided(formula, words, schema.names)
            tests |= own
            by_row.update(rest.read)
            if own:
                there = pa.schema([*plain, *((one, pa.bool_()) for one in own)])
                made[name] = rest.over(there, request.table, clock)
        names = (*request.made, *((ONLY,) if ONLY in made else ()))
        fields = [
            pa.field(name, made[name][1]) if name in made else _handed_on(schema.field(name))
            for name in names
        ]
        expressions = {name: expression for name, (expression, _) in made.items()}
        casts = {name: kind for name, kind in casts.items() if name in by_row}
        return cls(request.table, names, expressions, reads, casts, tests, pa.schema(fields))

    def batch(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the requested columns of some rows.

        Raises
        ------
        UncomputableError
            Where one cannot be computed, in a row that counts.
        """
        columns = {name: _values(rows.column(name), kind) for name, kind in self.casts.items()}
        columns |= {name: test.of_rows(rows.column(test.column))
                    for name, test in self.tests.items()}  # fmt: skip
        if not columns:  # a condition that is the same for all rows, of which there are some
            columns = {"": pa.nulls(rows.num_rows)}
        inputs = pa.table(columns)
        try:
            values = _computed(inputs, self.expressions)
        except pa.ArrowException:
            values = self._of_rows_that_count(inputs)
        arrays = [
            values[name] if name in values else _compared(rows.column(name)) for name in self.names
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(self.names))

    def _of_rows_that_count(self, inputs: pa.Table) -> dict[str, pa.Array]:
        """Compute again, with rows blotted out that do not count; raise where that fails."""
        only = self.expressions.get(ONLY)
        if only is None:
            return self._or_first_row(inputs, self.expressions)
        counts = self._or_first_row(inputs, {ONLY: only})
        keep = counts[ONLY].fill_null(fill_value=False)
        blotted = pa.table(
            {
                field.name: pc.if_else(keep, column, pa.scalar(None, field.type))
                for field, column in zip(inputs.schema, inputs.columns, strict=True)
            }
        )
        others = {name: one for name, one in self.expressions.items() if name != ONLY}
        return counts | self._or_first_row(blotted, others)

    def _or_first_row(
        self, inputs: pa.Table, expressions: Mapping[str, Any]
    ) -> dict[str, pa.Array]:
        try:
            return _computed(inputs, expressions)
        except pa.ArrowException:
            found = [
                (*problem, name)
                for name, one in expressions.items()
                if (problem := _first_problem(inputs, one)) is not None
            ]
            if not found:
                raise
        row, reason, name = min(found)
        raise UncomputableError(self.table, name if name != ONLY else "only", reason, row)


@dataclass(frozen=True)
class CountingRows:
    """What says which rows count: the condition, computed of the columns that it names.

    So nothing of the other rows has to be readable.
    """

    computation: Computation

    @classmethod
    def of(cls, request: ReadRequest, kinds: Mapping[str, pa.DataType]) -> CountingRows | None:
        """Return it for columns of some types; None where they have no condition to decide."""
        condition = request.formulas.get(ONLY)
        names = [] if condition is None else list(dict(condition.columns))
        if condition is None or not names or not set(names) <= set(kinds):
            return None
        schema = pa.schema([(name, kinds[name]) for name in names])
        alone = replace(request, made=(), behind=(), formulas={ONLY: condition})
        try:
            computation = Computation.of(alone, schema)
        except OrdercycleError:  # which is reported where all columns are known
            return None
        return None if computation is None else cls(computation)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that decide."""
        return self.computation.reads

    def rows(self, deciding: Sequence[pa.Array]) -> NDArray[np.bool_] | None:
        """Return which rows count, by the columns that decide.

        None where that cannot be computed, which is reported with its row where all columns are.
        """
        try:
            rows = pa.RecordBatch.from_arrays(list(deciding), list(self.names))
            counts = self.computation.batch(rows).column(ONLY)
        except OrdercycleError:
            return None
        return booleans(counts.fill_null(fill_value=False))

    def blotted(self, texts: pa.RecordBatch, deciding: Sequence[pa.Array]) -> pa.RecordBatch:
        """Return texts without those of rows that do not count, but for what decides that."""
        counts = self.rows(deciding)
        if counts is None:
            return texts
        places = pa.array(np.arange(texts.num_rows), mask=~counts)
        columns = [
            one if name in self.names else one.take(places)  # nulls without bytes beneath
            for name, one in zip(texts.schema.names, texts.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=texts.schema)


def sparing(
    request: ReadRequest,
    columns: pa.Schema,
    whole: Iterator[pa.RecordBatch],
    counting_only: Callable[[CountingRows], Iterator[pa.RecordBatch]],
) -> Iterator[pa.RecordBatch]:
    """Yield batches in which everything is read, or from a bad value on, only rows that count.

    counting_only: reads the same rows again, and nothing of those that do not count.
    """
    row = 0
    try:
        for batch in whole:
            yield batch
            row += batch.num_rows
    except ColumnError:
        counting = CountingRows.of(request, dict(zip(columns.names, columns.types, strict=True)))
        if counting is None:
            raise
    else:
        return
    for batch in counting_only(counting):
        if row < batch.num_rows:
            yield batch.slice(row)
        row = max(0, row - batch.num_rows)


def computed_source(source: Source, computation: Computation | None, threads: int) -> Source:
    """Return a source whose batches are computed as they are read, ahead where all are there."""
    if computation is None:
        return source

    def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield computation.batch(batch.slice(start, BATCH_ROWS))

    if source.in_memory and threads > 1:
        parts = [
            partial(pieces, batch.slice(start, PART_ROWS))
            for batch in source.batches
            for start in range(0, batch.num_rows, PART_ROWS)
        ]
        batches = located(read_ahead(parts, threads), source)
    else:
        batches = located(chain.from_iterable(map(pieces, source.batches)), source)
    return replace(source, schema=computation.schema, batches=batches, in_memory=False)


def located(batches: Iterator[pa.RecordBatch], source: Source) -> Iterator[pa.RecordBatch]:
    """Pass batches on; where a row cannot be computed, say where in the source it is."""
    rows = 0
    try:
        for batch in batches:
            yield batch
            rows += batch.num_rows
    except UncomputableError as error:
        row = rows + (error.row or 0)
        place = source.place(row)
        raise error.at(str(place), getattr(place, "number", row)) from None
    finally:
        for each in (batches, source.batches):
            close = getattr(each, "close", None)
            if close is not None:
                close()


def _computed(inputs: pa.Table, expressions: Mapping[str, Any]) -> dict[str, pa.Array]:
    table = computed(inputs, list(expressions.values()))
    arrays = [column.combine_chunks() for column in table.columns]
    arrays = [
        one.chunk(0) if isinstance(one, pa.ChunkedArray) and one.num_chunks else one
        for one in arrays
    ]
    return dict(zip(expressions, arrays, strict=True))


def _first_problem(inputs: pa.Table, expression: Any) -> tuple[int, str] | None:
    """Return the first row that an expression cannot be computed of, and why; None without one."""
    below, above, reason = 0, inputs.num_rows, None
    while below < above:
        middle = (below + above) // 2
        try:
            computed(inputs.slice(below, middle + 1 - below), [expression])
        except pa.ArrowException as error:
            above, reason = middle, str(error).partition("\n")[0]
        else:
            below = middle + 1
    return None if reason is None else (below, reason)


def _plain(kind: pa.DataType, *, is_text: bool) -> pa.DataType:
    """Return the type in which an expression reads a column: Arrow computes with few others.

    is_text: whether it is used as text, which a column without any value is as well.
    """
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type, is_text=is_text)
    if pa.types.is_null(kind) and is_text:
        return pa.string()
    if kind == WRITTEN:
        return WRITTEN[0].type
    return without_view(kind)


def _handed_on(field: pa.Field) -> pa.Field:
    return field.with_type(WRITTEN[1].type) if field.type == WRITTEN else field


def _compared(array: pa.Array) -> pa.Array:
    """Return what is handed on of a column that is read: as it is written, where that is there."""
    return pc.struct_field(array, WRITTEN[1].name) if array.type == WRITTEN else array


def _values(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return array.dictionary.cast(kind).take(array.indices)
    if array.type == WRITTEN:
        return pc.struct_field(array, WRITTEN[0].name)
    return array if array.type == kind else array.cast(kind)
