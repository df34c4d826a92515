"""What conditions are of the rows of a table: computed by Arrow, explained by the rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle.errors import ColumnError, ConfigError, DataError, suggestion

#: Conditions by the name of the segment they lead to, the most important first.
Conditions = Mapping[str, pc.Expression]

_MISSING = re.compile(r"No match for FieldRef\.Name\((.*?)\) in ", re.DOTALL)
_REPEATED = re.compile(r"Multiple matches for FieldRef\.Name\((.*?)\) in ", re.DOTALL)


@dataclass(frozen=True)
class BoundConditions:
    """Conditions that were found to fit the columns of a table; the rows may come in pieces."""

    conditions: Conditions
    casts: Mapping[str, pa.DataType]  # of the columns that conditions read in another type

    def first_matches(self, rows: pa.Table) -> NDArray[np.int8]:
        """Return the number of the first condition that holds in each row, or how many there are.

        Raises
        ------
        DataError
            Where a condition cannot be computed.
        """
        conditions = self.conditions.values()
        numbers = [pc.scalar(pa.scalar(number, pa.int8())) for number in range(len(conditions) + 1)]
        names = [str(number) for number in range(len(conditions))]
        # In `case_when`, a condition that is null does not hold.
        case = pc.case_when(pc.make_struct(*conditions, field_names=names), *numbers)
        return np.asarray(self._values(rows, [case]).column(0).to_numpy())

    def truths(self, rows: pa.Table) -> pa.Table:
        """Return the conditions as columns, null where they are neither true nor false.

        Raises
        ------
        DataError
            Where a condition cannot be computed.
        """
        return self._values(rows, list(self.conditions.values()))

    def _values(self, rows: pa.Table, wanted: list[pc.Expression]) -> pa.Table:
        rows = _cast(rows, self.casts)
        try:
            return _computed(rows, wanted)
        except pa.ArrowException as error:
            for segment, condition in self.conditions.items():
                try:
                    _computed(rows, [condition])
                except pa.ArrowException as its_own:
                    what = str(its_own).partition("\n")[0]
                    raise DataError(
                        f"rule {segment!r} cannot be computed: {what}; as text, a condition "
                        "divides as floats do, and cast() gives an expression a wider type"
                    ) from None
            raise DataError(f"the rules cannot be computed together: {error}") from None


def bound(table: pa.Table, conditions: Conditions) -> BoundConditions:
    """Return conditions that fit the columns of a table.

    Decimals are read as floats, for Arrow compares no decimal with a whole number; dictionaries
    and views as their values, for few of its functions take them.

    Raises
    ------
    ColumnError
        A column is missing or there twice, or has a type that the condition cannot take.
    ConfigError
        A condition is something else than true or false.
    """
    casts = {field.name: kind for field in table.schema if (kind := _read_as(field.type))}
    nobody = _cast(table.schema.empty_table(), casts)
    for segment, condition in conditions.items():
        try:
            kind = _computed(nobody, [condition]).schema.field(0).type
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise _unbound(segment, str(error), table.column_names) from None
        if not pa.types.is_boolean(kind):
            raise ConfigError(
                f"rule {segment!r} is {kind}, not true or false; compare it with something"
            )
    used = {name: kind for name, kind in casts.items() if _is_used(nobody, name, conditions)}
    return BoundConditions(conditions, used)


def _read_as(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_dictionary(kind):
        return _read_as(kind.value_type) or kind.value_type
    for is_kind, read_as in _READ_AS:
        if is_kind(kind):
            return read_as
    return None


_READ_AS = (
    (pa.types.is_decimal, pa.float64()),
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


def _is_used(nobody: pa.Table, name: str, conditions: Conditions) -> bool:
    """Say whether conditions that can be computed of a table cannot without the column."""
    try:
        _computed(nobody.drop_columns([name]), list(conditions.values()))
    except pa.ArrowException as error:
        missing = _MISSING.search(str(error))
        return missing is not None and missing.group(1) == name
    return False


def _unbound(segment: str, message: str, names: Sequence[str]) -> ColumnError:
    missing, repeated = _MISSING.search(message), _REPEATED.search(message)
    if missing:
        name = missing.group(1)
        listed = ", ".join(map(repr, names))
        return ColumnError(
            f"rule {segment!r}: the table has no column {name!r}{suggestion(name, names)}; it has "
            f"{listed}. Columns of other schemes have to be assigned before"
        )
    if repeated:
        return ColumnError(
            f"rule {segment!r}: the table has more than one column {repeated.group(1)!r}; drop or "
            "rename the others"
        )
    what = message.partition("\n")[0]
    return ColumnError(f"rule {segment!r} does not fit the types of its columns: {what}")


def _computed(table: pa.Table, wanted: list[pc.Expression]) -> pa.Table:
    """Return expressions of the rows, in this thread."""
    from pyarrow import acero

    names = [str(number) for number in range(len(wanted))]
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions(wanted, names))
    return acero.Declaration.from_sequence([source, project]).to_table(use_threads=False)
