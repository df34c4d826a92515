"""What conditions are of the rows of a table: computed by Arrow, explained by the rule."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._errors import ColumnError, ConfigError, DataError, suggestion
from ordercycle._expressions.expression_text import language_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Node, columns_of
from ordercycle._expressions.typed import compiled, computed, type_of

Condition: TypeAlias = pc.Expression | Node | str
#: Conditions by the name of the segment they lead to, the most important first.
Conditions: TypeAlias = Mapping[str, Condition]

_MISSING = re.compile(r"No match for FieldRef\.Name\((.*?)\) in ", re.DOTALL)
_REPEATED = re.compile(r"Multiple matches for FieldRef\.Name\((.*?)\) in ", re.DOTALL)


@dataclass(frozen=True)
class _Bound:
    """A condition that fits a table: over decimals as they are, or as the floats next to them."""

    segment: str
    expression: pc.Expression
    of_floats: bool


@dataclass(frozen=True)
class BoundConditions:
    """Conditions that were found to fit the columns of a table; the rows may come in pieces."""

    conditions: tuple[_Bound, ...]
    #: Of the columns that are read in another type; and where decimals are floats.
    casts: Mapping[str, pa.DataType]
    float_casts: Mapping[str, pa.DataType]

    def first_matches(self, rows: pa.Table) -> NDArray[np.int8]:
        """Return the number of the first condition that holds in each row, or how many there are.

        Raises
        ------
        DataError
            Where a condition cannot be computed.
        """
        numbers = np.full(rows.num_rows, len(self.conditions), np.int8)
        # A condition that is null does not hold.
        for number, truth in reversed(list(enumerate(self.truths(rows).columns))):
            holds = truth.fill_null(fill_value=False).to_numpy()
            numbers[holds] = number
        return numbers

    def truths(self, rows: pa.Table) -> pa.Table:
        """Return the conditions as columns, null where they are neither true nor false.

        Raises
        ------
        DataError
            Where a condition cannot be computed.
        """
        found: dict[str, pa.ChunkedArray] = {}
        for of_floats, casts in ((False, self.casts), (True, self.float_casts)):
            together = [one for one in self.conditions if one.of_floats == of_floats]
            if together:
                values = _values(_cast(rows, casts), together)
                found |= zip([one.segment for one in together], values.columns, strict=True)
        return pa.table({one.segment: found[one.segment] for one in self.conditions})


def _values(rows: pa.Table, conditions: Sequence[_Bound]) -> pa.Table:
    try:
        return computed(rows, [one.expression for one in conditions])
    except pa.ArrowException as error:
        for one in conditions:
            try:
                computed(rows, [one.expression])
            except pa.ArrowException as its_own:
                what = str(its_own).partition("\n")[0]
                raise DataError(
                    f"rule {one.segment!r} cannot be computed: {what}",
                    remedy="as text, a condition divides as floats do, and cast() gives an "
                    "expression a wider type",
                ) from None
        raise DataError(f"the rules cannot be computed together: {error}") from None


def bound(table: pa.Table, conditions: Conditions, unseen: Collection[str] = ()) -> BoundConditions:
    """Return conditions that fit the columns of a table; unseen: those that no message names.

    Dictionaries and views are read as their values, for few of Arrow's functions take them.
    Text, and expressions that have one, compute and compare decimals exactly; other expressions
    do so where Arrow can, and else with the floats next to decimals.

    Raises
    ------
    ColumnError
        A column is missing or there twice, or has a type that the condition cannot take.
    ConfigError
        A condition is something else than true or false.
    """
    casts = {field.name: kind for field in table.schema if (kind := _read_as(field.type))}
    floats = casts | {
        field.name: pa.float64()
        for field in table.schema
        if pa.types.is_decimal(casts.get(field.name, field.type))
    }
    nobody, of_floats = (_cast(table.schema.empty_table(), kinds) for kinds in (casts, floats))
    fitting = tuple(
        _fitted(segment, given, nobody.schema, of_floats.schema, unseen)
        for segment, given in conditions.items()
    )
    return BoundConditions(
        fitting,
        _used(casts, nobody, [one for one in fitting if not one.of_floats]),
        _used(floats, of_floats, [one for one in fitting if one.of_floats]),
    )


def _fitted(
    segment: str,
    given: Condition,
    schema: pa.Schema,
    of_floats: pa.Schema,
    unseen: Collection[str],
) -> _Bound:
    seen = [name for name in schema.names if name not in unseen]
    node = given if isinstance(given, Node) else None
    text = language_text(given) if isinstance(given, pc.Expression) else given
    if isinstance(text, str):
        node = parsed(text)
    if node is not None:
        return _Bound(segment, _exact(segment, node, schema, seen), of_floats=False)
    kind = None
    for columns in (schema, of_floats):
        try:
            kind = type_of(given, columns)
            break
        except (pa.ArrowException, ValueError, TypeError) as error:
            problem = str(error)
    if kind is None:
        raise _unbound(segment, problem, seen)
    _check_truth(segment, kind)
    return _Bound(segment, given, of_floats=columns is of_floats)


def _exact(segment: str, node: Node, schema: pa.Schema, seen: Sequence[str]) -> pc.Expression:
    for name, _ in columns_of(node):
        if schema.names.count(name) != 1:
            raise _not_there_once(segment, name, seen)
    try:
        value = compiled(node, schema)
    except ColumnError as error:
        raise ColumnError(
            f"rule {segment!r} does not fit the types of its columns: {error.what}",
            remedy=error.remedy,
            column=error.column,
        ) from None
    _check_truth(segment, value.type)
    return value.expression


def _check_truth(segment: str, kind: pa.DataType) -> None:
    if not pa.types.is_boolean(kind):
        raise ConfigError(
            f"rule {segment!r} is {kind}, not true or false", remedy="compare it with something"
        )


def _read_as(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_dictionary(kind):
        return _read_as(kind.value_type) or kind.value_type
    for is_kind, read_as in _READ_AS:
        if is_kind(kind):
            return read_as
    return None


_READ_AS = (
    (pa.types.is_string_view, pa.large_string()),
    (pa.types.is_binary_view, pa.large_binary()),
)


def _cast(table: pa.Table, casts: Mapping[str, pa.DataType]) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in casts:
            kind = casts[name]
            chunks = [_values_of(chunk, kind) for chunk in table.column(place).chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, kind))
    return table


def _values_of(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return array.dictionary.cast(kind).take(array.indices)
    return array.cast(kind)


def _used(
    casts: Mapping[str, pa.DataType], nobody: pa.Table, conditions: Iterable[_Bound]
) -> dict[str, pa.DataType]:
    """Return the casts of columns that conditions read."""
    wanted = [one.expression for one in conditions]
    return {name: kind for name, kind in casts.items() if wanted and _is_used(nobody, name, wanted)}


def _is_used(nobody: pa.Table, name: str, wanted: list[pc.Expression]) -> bool:
    """Return whether expressions that can be computed of a table cannot without the column."""
    try:
        computed(nobody.drop_columns([name]), wanted)
    except pa.ArrowException as error:
        missing = _MISSING.search(str(error))
        return missing is not None and missing.group(1) == name
    return False


def _unbound(segment: str, message: str, names: Sequence[str]) -> ColumnError:
    found = _MISSING.search(message) or _REPEATED.search(message)
    if found:
        return _not_there_once(segment, found.group(1), names)
    what = message.partition("\n")[0]
    return ColumnError(f"rule {segment!r} does not fit the types of its columns: {what}")


def _not_there_once(segment: str, name: str, names: Sequence[str]) -> ColumnError:
    if name in names:
        return ColumnError(
            f"rule {segment!r}: the table has more than one column {name!r}",
            remedy="drop or rename the others",
            column=name,
        )
    return ColumnError(
        f"rule {segment!r}: the table has no column {name!r}{suggestion(name, names)}",
        remedy=f"it has {', '.join(map(repr, names))}, and columns of other schemes are there once "
        "they are assigned",
        column=name,
    )
