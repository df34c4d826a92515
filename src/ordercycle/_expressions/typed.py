"""Expressions of the language over columns of known types: what is exact stays exact.

Integers are computed in 64 bits and decimals in as many digits as they need, and both are refused
where they leave their type; numbers that are written are what they meet: a decimal beside
decimals, a float beside floats. Wherever a float takes part, and in quotients, the result is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Inexact
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ColumnError, ConfigError, suggestion
from ordercycle._expressions.compiling import (
    COMPARE,
    COMPUTE,
    FLOAT,
    INTEGER,
    TRUTH,
    Compiler,
    Value,
    instant_type,
    listed,
    quotient,
)
from ordercycle._expressions.nodes import Arithmetic, Call, Comparison, Literal, Membership, Node

MOST_DIGITS, MOST_WIDE_DIGITS = 38, 76
TEXT = pa.large_string()
WHOLE_FLOAT = r"^\s*([+-]?[0-9]+)(?:\.0+)?\s*$"
#: How texts begin that Arrow alone takes for integers, and what it does not.
HEXADECIMAL, NO_INTEGER = r"^0([xX])", r"0 \1"
LARGEST_WHOLE = 2**53
#: More digits than two texts of numbers can have, unless they are infinitesimal.
EXACT = Context(prec=25_000, traps=[Inexact])


@dataclass(frozen=True)
class Clock:
    """What instants are compared with days by: a time zone, and if times without one are UTC."""

    timezone: str = "UTC"
    times_are_utc: bool = False

    def shown(self, value: Value) -> Any:
        """Return a time as clocks in the zone show it; what has no instant as it is."""
        kind, instants = value.type, value.expression
        if self.timezone == "UTC" or not pa.types.is_timestamp(kind):
            return instants
        if kind.tz is None and not self.times_are_utc:
            return instants
        if kind.tz is None:
            instants = instants.cast(pa.timestamp(kind.unit, "UTC"))
        return pc.local_timestamp(instants.cast(pa.timestamp(kind.unit, self.timezone)))


USUAL_CLOCK = Clock()


def compiled(node: Node, schema: pa.Schema, clock: Clock = USUAL_CLOCK) -> Value:
    """Return an expression over the columns of a schema.

    Types of the schema are plain: no dictionaries and no views. Days are compared with instants
    as the clock shows these.

    Raises
    ------
    ColumnError
        Where a column is missing, or of a type that cannot be used so.
    """
    return _TypedCompiler({field.name: field.type for field in schema}, clock).value(node)


class _TypedCompiler(Compiler):
    def __init__(self, types: Mapping[str, pa.DataType], clock: Clock) -> None:
        self._types = types
        self._clock = clock

    def _column(self, node: Node, name: str) -> Value:
        if name not in self._types:
            raise ColumnError(
                f"there is no column {name!r}{suggestion(name, self._types)}", column=name
            )
        kind = self._types[name]
        value = Value(node, pc.field(name), kind)
        if pa.types.is_null(kind):  # of any type: it joins what it meets as an integer does
            return Value(node, value.as_type(INTEGER), INTEGER)
        if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
            wide = pa.decimal128(kind.precision, kind.scale)
            return Value(node, value.as_type(wide), wide)
        if pa.types.is_float16(kind) or pa.types.is_float32(kind):
            return Value(node, value.as_type(FLOAT), FLOAT)
        return value

    def _truth(self, value: Value) -> Any:
        if not pa.types.is_boolean(value.type):
            raise self._unfit(value, "neither true nor false", "compare it with something")
        return value.expression

    def _call(self, node: Call, *arguments: Value) -> Value:
        first, *others = arguments
        if node.function == "if_null":
            return self._if_null(node, first, others[0])
        if node.function == "text":
            return Value(node, self._as_text(first), TEXT)
        if node.function == "integer":
            return Value(node, self._as_integer(first, node.function), INTEGER)
        if node.function == "instant":
            return self._instant(node, first)
        if not first.is_text:
            remedy = f"write {node.function}(text({first.node.written}))"
            raise self._unfit(first, "no text", remedy)
        function = pc.utf8_lower if node.function == "lower" else pc.utf8_trim_whitespace
        return Value(node, function(first.expression), first.type)

    def _as_text(self, value: Value) -> Any:
        if value.exact is not None:
            return pc.scalar(pa.scalar(value.node.written, TEXT))
        if pa.types.is_floating(value.type):
            # Of whole numbers without the zero behind the mark, wherever an integer stands for all.
            whole = value.expression.cast(
                options=pc.CastOptions(INTEGER, allow_float_truncate=True, allow_int_overflow=True)
            )
            is_whole = (pc.floor(value.expression) == value.expression) & (
                pc.abs(value.expression) <= pc.scalar(float(LARGEST_WHOLE))
            )
            return pc.if_else(is_whole, whole.cast(TEXT), value.expression.cast(TEXT))
        if isinstance(value.type, pa.BaseExtensionType):  # whose bytes are no characters
            raise self._unfit(value, "no text", "leave text() out")
        return value.as_type(TEXT)  # of bytes, what they are in UTF-8

    def _instant(self, node: Call, value: Value) -> Value:
        """Return what counts units since 1970 in UTC; parts of a unit are left out."""
        kind = instant_type(node)
        if value.exact is None and (value.is_decimal or pa.types.is_floating(value.type)):
            whole = pc.floor(value.expression).cast(INTEGER)
        else:
            whole = self._as_integer(value, node.function)
        return Value(node, whole.cast(kind), kind)

    def _as_integer(self, value: Value, function: str) -> Any:
        if value.is_text:
            digits = pc.replace_substring_regex(
                value.expression, pattern=WHOLE_FLOAT, replacement=r"\1"
            )
            digits = pc.replace_substring_regex(digits, pattern=HEXADECIMAL, replacement=NO_INTEGER)
            return digits.cast(INTEGER)
        if not value.is_number:
            raise self._unfit(value, "neither number nor text", f"leave {function}() out")
        return value.as_type(INTEGER)

    def _if_null(self, node: Node, value: Value, default: Value) -> Value:
        if value.is_number and default.is_number:
            kind, left, right = self._in_common(node, value, default)
            return Value(node, pc.coalesce(left, right), kind)
        if value.is_text and default.is_text:
            return Value(node, pc.coalesce(value.as_type(TEXT), default.as_type(TEXT)), TEXT)
        if value.type != default.type:
            raise ColumnError(
                f"{node.written!r}: {value.node.written} is {value.type} and "
                f"{default.node.written} is {default.type}",
                remedy="give a default of the same type",
                column=value.node.written,
            )
        return Value(node, pc.coalesce(value.expression, default.expression), value.type)

    def _in_common(self, node: Node, left: Value, right: Value) -> tuple[pa.DataType, Any, Any]:
        """Return two numbers in a type that both fit: decimal, integer or float."""
        if left.is_decimal or right.is_decimal:
            kind = self._decimal_of(node, left, right)
            if kind is not None:
                return kind, left.as_type(kind), right.as_type(kind)
        elif all(one.is_integer for one in (left, right)):
            return INTEGER, left.as_type(INTEGER), right.as_type(INTEGER)
        return FLOAT, left.as_type(FLOAT), right.as_type(FLOAT)

    def _decimal_of(self, node: Node, *values: Value) -> pa.DataType | None:
        """Return the decimal type that holds all values; None where one is a float."""
        if any(pa.types.is_floating(one.type) and one.exact is None for one in values):
            return None
        sizes = [one.digits for one in values]
        scale = max(scale for _, scale in sizes)
        digits = max(digits - scale for digits, scale in sizes) + scale
        if scale > MOST_DIGITS:
            raise self._too_long(node)
        wide = digits > MOST_DIGITS
        return pa.decimal256(digits, scale) if wide else pa.decimal128(max(1, digits), scale)

    def _arithmetic(self, node: Arithmetic, left: Value, right: Value) -> Value:
        sign = node.sign
        if sign == "+" and left.is_text and right.is_text:
            texts = (left.as_type(TEXT), right.as_type(TEXT), pc.scalar(pa.scalar("", TEXT)))
            return Value(node, pc.binary_join_element_wise(*texts), TEXT)
        for value, other in ((left, right), (right, left)):
            if value.is_text and (other.is_text or other.is_number):
                written = value.node.written
                joins = sign == "+" and not other.is_text
                remedy = f"write text({other.node.written}) + ..." if joins else ""
                remedy = remedy or f"write integer({written}), or read it as a number"
                raise self._unfit(value, "no number", remedy)
        if not (left.is_number and right.is_number):
            return self._of_other_types(node, sign, left, right)
        if left.exact is not None and right.exact is not None and sign != "/":
            return self._folded(node, sign, left, right)
        if sign == "/":
            return Value(node, quotient(left.as_type(FLOAT), right.as_type(FLOAT)), FLOAT)
        compute = COMPUTE[sign]
        if (left.is_decimal or right.is_decimal) and self._decimal_of(node, left, right):
            return self._of_decimals(node, sign, left, right)
        kind, one, other = self._in_common(node, left, right)
        return Value(node, compute(one, other), kind)

    def _folded(self, node: Node, sign: str, left: Value, right: Value) -> Value:
        """Compute with written numbers, as exactly as they are written."""
        one, other = left.exact, right.exact
        if one is None or other is None:
            raise AssertionError(node)
        compute = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}[sign]
        try:
            exact = compute(one, other)
        except Inexact:
            raise ConfigError(
                f"{node.written!r} has too many digits", remedy="write it with fewer"
            ) from None
        whole = left.is_integer and right.is_integer
        if whole and not -(2**63) <= exact < 2**63:
            raise ConfigError(
                f"{node.written} is beyond 64 bits", remedy="write it with a decimal mark"
            )
        made = pc.scalar(int(exact) if whole else float(exact))
        return Value(node, made, INTEGER if whole else FLOAT, exact)

    def _of_decimals(self, node: Node, sign: str, left: Value, right: Value) -> Value:
        (digits, scale), (other_digits, other_scale) = left.digits, right.digits
        if sign == "*":
            made, made_scale = digits + other_digits + 1, scale + other_scale
        else:
            made_scale = max(scale, other_scale)
            made = max(digits - scale, other_digits - other_scale) + made_scale + 1
        if made_scale > MOST_DIGITS or max(digits, other_digits) > MOST_DIGITS:
            raise self._too_long(node)
        compute = COMPUTE[sign]
        if made <= MOST_DIGITS:
            one = left.as_type(pa.decimal128(digits, scale))
            other = right.as_type(pa.decimal128(other_digits, other_scale))
            return Value(node, compute(one, other), pa.decimal128(made, made_scale))
        # The largest products have a digit more than there is room for; they would not fit the
        # result either, whose digits are checked when it is computed.
        room = min(other_digits, MOST_WIDE_DIGITS - 1 - digits) if sign == "*" else other_digits
        one = left.as_type(pa.decimal256(digits, scale))
        other = right.as_type(pa.decimal256(room, other_scale))
        kind = pa.decimal128(MOST_DIGITS, made_scale)
        return Value(node, compute(one, other).cast(kind), kind)

    def _of_other_types(self, node: Node, sign: str, left: Value, right: Value) -> Value:
        """Compute with days and instants as Arrow does."""
        made = COMPUTE[sign](left.expression, right.expression)
        return Value(node, made, self._type_of(node, made))

    def _comparison(self, node: Comparison, left: Value, right: Value) -> Value:
        compare = COMPARE[node.sign]
        for text, other in ((left, right), (right, left)):
            if text.is_text and (pa.types.is_date(other.type) or pa.types.is_timestamp(other.type)):
                raise ColumnError(
                    f"{other.node.written} is {other.type} and {text.node.written} is text, "
                    "which do not compare",
                    remedy=f"write days as {_as_day(text.node)}",
                    column=other.node.written,
                )
        if left.is_text != right.is_text and _are_plain(left, right):
            raise ColumnError(
                f"{left.node.written} is {left.type} and {right.node.written} is {right.type}, "
                "which do not compare",
                remedy="text(x) makes text of numbers, and integer(x) whole numbers of text",
                column=(right if left.exact is not None else left).node.written,
            )
        has_decimal = left.is_decimal or right.is_decimal
        if has_decimal and left.is_number and right.is_number:
            _, one, other = self._in_common(node, left, right)
            return Value(node, compare(one, other), TRUTH)
        one, other = left.expression, right.expression
        if pa.types.is_date(left.type) or pa.types.is_date(right.type):
            one, other = self._clock.shown(left), self._clock.shown(right)
        made = compare(one, other)
        self._type_of(node, made)
        return Value(node, made, TRUTH)

    def _is_in(self, node: Membership, value: Value) -> Any:
        if value.is_decimal and all(one.exact is not None for one in node.values):
            kind = self._decimal_of(node, value, *map(self.value, node.values))
            values = pa.array([one.exact for one in node.values], kind)
            made = value.as_type(kind).isin(values)
        else:
            values = listed(node)
            texts = pa.types.is_string(values.type)
            if texts != value.is_text and (value.is_number or value.is_text):
                what = "compared with text" if texts else "compared with what is no text"
                raise self._unfit(value, what, f"write text({value.node.written}), or 'quotes'")
            made = value.expression.isin(values)
        self._type_of(node, made)
        return made

    def _type_of(self, node: Node, expression: Any) -> pa.DataType:
        """Return the type of what Arrow makes of the columns, or raise a ColumnError."""
        try:
            return type_of(expression, pa.schema(self._types.items()))
        except (pa.ArrowException, ValueError, TypeError) as error:
            what = str(error).partition("\n")[0]
            raise ColumnError(
                f"{node.written!r} does not fit the types of its columns: {what}"
            ) from None

    @staticmethod
    def _unfit(value: Value, what: str, remedy: str) -> ColumnError:
        written = value.node.written
        return ColumnError(f"{written} is {value.type}, which is {what}", remedy=remedy,
                           column=written)  # fmt: skip

    @staticmethod
    def _too_long(node: Node) -> ColumnError:
        return ColumnError(
            f"{node.written!r} has more than {MOST_DIGITS} digits",
            remedy="cast its decimals to fewer digits behind the mark, or to float64",
        )


def _are_plain(*values: Value) -> bool:
    """Return whether all are texts, numbers or truths: what Arrow never converts by itself."""
    return all(one.is_text or one.is_number or one.type == TRUTH for one in values)


def _as_day(node: Node) -> str:
    """Return how the day is written that a text stands for; an example where it is none."""
    text = str(node.value) if isinstance(node, Literal) else ""
    found = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", text)
    return f"date('{found[0]}')" if found else "date('2026-01-01')"


def type_of(expression: Any, schema: pa.Schema) -> pa.DataType:
    """Return the type that an expression has over the columns of a schema."""
    return computed(schema.empty_table(), [expression]).schema.field(0).type


def computed(table: pa.Table, wanted: list[Any]) -> pa.Table:
    """Return expressions of the rows, in this thread."""
    from pyarrow import acero

    names = [str(number) for number in range(len(wanted))]
    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    project = acero.Declaration("project", acero.ProjectNodeOptions(wanted, names))
    return acero.Declaration.from_sequence([source, project]).to_table(use_threads=False)
