"""The types of kernel arguments: read by people, by the type checker, and by the compiler.

A plural, such as `Int64s`, is an input, which may be a read-only view of foreign memory; `...Out`
is written by the kernel, `...Table` is written and has two axes. All are C-contiguous. `int`,
`np.uint64`, `float` and `bool` are 64-bit integers, 64-bit floats and booleans. A named tuple of
inputs is one argument; its arrays have to be read-only (`as_input`), as Numba converts no tuples.
"""

from __future__ import annotations

from typing import Any, ForwardRef, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bools: TypeAlias = NDArray[np.bool_]
UInt8s: TypeAlias = NDArray[np.uint8]
Int8s: TypeAlias = NDArray[np.int8]
Int16s: TypeAlias = NDArray[np.int16]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
UInt32s: TypeAlias = NDArray[np.uint32]
UInt64s: TypeAlias = NDArray[np.uint64]
Float64s: TypeAlias = NDArray[np.float64]
Items: TypeAlias = NDArray[Any]

BoolOut: TypeAlias = NDArray[np.bool_]
Int8Out: TypeAlias = NDArray[np.int8]
UInt8Out: TypeAlias = NDArray[np.uint8]
Int16Out: TypeAlias = NDArray[np.int16]
Int32Out: TypeAlias = NDArray[np.int32]
Int64Out: TypeAlias = NDArray[np.int64]
UInt32Out: TypeAlias = NDArray[np.uint32]
UInt64Out: TypeAlias = NDArray[np.uint64]
Float64Out: TypeAlias = NDArray[np.float64]
ItemsOut: TypeAlias = NDArray[Any]

BoolTable: TypeAlias = NDArray[np.bool_]
Int32Table: TypeAlias = NDArray[np.int32]
Int64Table: TypeAlias = NDArray[np.int64]
UInt64Table: TypeAlias = NDArray[np.uint64]
Float64Table: TypeAlias = NDArray[np.float64]

SCALARS = {
    "int": "int64",
    "float": "float64",
    "bool": "boolean",
    "np.uint64": "uint64",
    "None": "void",
}
#: Endings of array types: axes, and whether foreign memory is welcome.
ARRAYS = {"Table": (2, False), "Out": (1, False), "s": (1, True)}


def as_input(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view of an array, to go into a named tuple of inputs."""
    view = array.view()
    view.flags.writeable = False
    return view


def numba_type(annotation: str, items: str | None, names: dict[str, Any]) -> str:
    """Return the Numba type of an annotation.

    `items` is what Items are made of; `names` are those that the annotation can see.
    """
    if hasattr(names.get(annotation), "_fields"):
        fields = names[annotation].__annotations__.values()
        types = [numba_type(_text_of(kind), items, names) for kind in fields]
        if len(set(types)) == 1:  # Numba has another type for these
            return f"NamedUniTuple({types[0]}, {len(types)}, {annotation})"
        return f"NamedTuple([{', '.join(types)}], {annotation})"
    if annotation in SCALARS:
        return SCALARS[annotation]
    if annotation.startswith("Items"):
        annotation = annotation.replace("Item", str(items), 1)
        annotation = annotation.replace("sOut", "Out")
    for ending, (axes, readonly) in ARRAYS.items():
        if annotation.endswith(ending):
            item = annotation.removesuffix(ending).lower().replace("bool", "boolean")
            return f"Array({item}, {axes}, 'C'{', readonly=True' if readonly else ''})"
    raise TypeError(f"{annotation} is no type of a kernel argument")


def _text_of(annotation: str | ForwardRef) -> str:
    return annotation if isinstance(annotation, str) else annotation.__forward_arg__
