"""The shapes that kernels declare for their arrays, and whether those of a call have them.

A docstring declares `hashes: (n,); table, sizes (zero on entry): (s,)`, each name with a remark
in brackets where it needs one, and `kept: (n,), or (0,) where every row is kept`. A letter is one
length throughout a call; names of constants and of integer arguments stand for their values. The
arrays of a named tuple are declared by its own docstring: their letters are those of the kernel,
or `there.n` and `arriving.n` where it takes two such tuples.

Read only where calls are checked (``NUMBA_BOUNDSCHECK=1``), and by the documentation.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ordercycle_kernels._types import ARRAYS, SCALARS

_INTEGERS = (int, np.integer)
_NAMES = r"\w+(?: \([^():]*\))?(?:, \w+(?: \([^():]*\))?)*"
_DECLARATION = re.compile(rf"({_NAMES}): (\([^()]*\))(?:,? or (\([^()]*\)))?")
_REMARK = re.compile(r" \([^()]*\)")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)?")


class Shape(NamedTuple):
    """The lengths of an array's axes as they are written, and those that do as well, if any."""

    axes: tuple[str, ...]
    otherwise: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return " or ".join(_written(axes) for axes in self if axes is not None)


class Length(NamedTuple):
    """How long an axis of an array of a call is, and how that is declared."""

    array: str
    axis: str
    found: int


class ShapeCheck:
    """Holds the arrays of each call of a kernel against what its docstring declares."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self._signature = inspect.signature(function)
        self._constants = {
            name: value
            for name, value in inspect.unwrap(function).__globals__.items()
            if isinstance(value, _INTEGERS)
        }
        self._shapes = declared_shapes(function)

    def __call__(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
        """Raise an AssertionError where arrays contradict the declared shapes, or each other."""
        given = dict(self._signature.bind(*arguments, **named).arguments)
        shapes = {array: _array_of(given, array).shape for array in self._shapes}
        lengths = list(chain.from_iterable(map(self._lengths, shapes, shapes.values())))
        # Letters by themselves come first: what they say needs no solving.
        lengths.sort(key=lambda length: _NAME.fullmatch(length.axis) is None)
        sizes = self._constants | {
            name: one for name, one in given.items() if isinstance(one, _INTEGERS)
        }
        origins: dict[str, str] = {}
        pending: list[Length] = []
        while lengths != pending:
            pending, lengths = lengths, []
            for length in pending:
                letters = {one for one in _NAME.findall(length.axis) if one not in sizes}
                if len(letters) > 1:
                    lengths.append(length)
                    continue
                for letter in letters:
                    sizes[letter] = _solved(length, letter, sizes)
                    origins[letter] = length.array
                if _value(length.axis, sizes) != length.found:
                    known = [
                        f"{letter} = {sizes[letter]}, as {origins[letter]} has"
                        for letter in dict.fromkeys(_NAME.findall(length.axis))
                        if letter in origins
                    ]
                    raise self._error(length.array, shapes[length.array], known)

    def _lengths(self, array: str, found: tuple[int, ...]) -> Iterator[Length]:
        shape = self._shapes[array]
        if shape.otherwise is not None and _written(shape.otherwise) == str(found):
            return
        if len(found) != len(shape.axes):
            raise self._error(array, found, [])
        yield from map(Length, [array] * len(found), shape.axes, found)

    def _error(self, array: str, found: tuple[int, ...], known: list[str]) -> AssertionError:
        where = f" where {'; '.join(known)}" if known else ""
        return AssertionError(
            f"{self.name}: {array} is {found}, declared {self._shapes[array]}{where}"
        )


def declared_shapes(function: Callable[..., Any]) -> dict[str, Shape]:
    """Return the declared shapes by name of the array, or `tuple.name`."""
    shapes = _declarations(function.__doc__)
    tuples = _tuples(function)
    for argument, kind in tuples.items():
        is_one_of_several = list(tuples.values()).count(kind) > 1
        for field, shape in _declarations(kind.__doc__).items():
            axes = shape.axes
            if is_one_of_several:
                axes = tuple(_NAME.sub(rf"{argument}.\g<0>", axis) for axis in axes)
            shapes[f"{argument}.{field}"] = shape._replace(axes=axes)
    return shapes


def wrongly_declared(function: Callable[..., Any]) -> set[str]:
    """Return arrays without a shape or with too many or few axes, and what is declared but none."""
    types = array_types(function)
    shapes = declared_shapes(function)
    axes = {name: len(shapes[name].axes) for name in types.keys() & shapes.keys()}
    wrong = {name for name in axes if axes[name] != _axes_of(types[name])}
    return wrong | types.keys() ^ shapes.keys()


def array_types(function: Callable[..., Any]) -> dict[str, str]:
    """Return the type of each array that a kernel takes, by name or `tuple.name`."""
    tuples = _tuples(function)
    types: dict[str, str] = {}
    for argument, kind in function.__annotations__.items():
        if argument in tuples:
            fields = tuples[argument].__annotations__.items()
            types |= {f"{argument}.{field}": one.__forward_arg__ for field, one in fields}
        elif kind not in SCALARS:
            types[argument] = kind
    return types


def _tuples(function: Callable[..., Any]) -> dict[str, Any]:
    names = inspect.unwrap(function).__globals__
    kinds = {name: names.get(kind) for name, kind in function.__annotations__.items()}
    return {name: kind for name, kind in kinds.items() if hasattr(kind, "_fields")}


def _axes_of(kind: str) -> int:
    return next(axes for ending, (axes, _) in ARRAYS.items() if kind.endswith(ending))


def _declarations(docstring: str | None) -> dict[str, Shape]:
    text = " ".join((docstring or "").split())
    return {
        name: Shape(_axes(shape), _axes(otherwise) if otherwise else None)
        for names, shape, otherwise in _DECLARATION.findall(text)
        for name in _REMARK.sub("", names).split(", ")
    }


def _axes(shape: str) -> tuple[str, ...]:
    return tuple(axis.strip() for axis in shape[1:-1].split(",") if axis.strip())


def _written(axes: tuple[str, ...]) -> str:
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def _array_of(given: dict[str, Any], name: str) -> Any:
    argument, _, field = name.partition(".")
    return getattr(given[argument], field) if field else given[argument]


def _value(axis: str, sizes: Mapping[str, int]) -> int:
    numbers = _NAME.sub(lambda name: str(int(sizes[name[0]])), axis)
    return int(eval(numbers, {"__builtins__": {}}))  # noqa: S307 - arithmetic of numbers by now


def _solved(length: Length, letter: str, sizes: Mapping[str, int]) -> int:
    """Return what a letter has to be, in an axis that grows by as much with each one."""
    base = _value(length.axis, {**sizes, letter: 0})
    step = _value(length.axis, {**sizes, letter: 1}) - base
    return max(0, length.found - base) // step if step else 0
