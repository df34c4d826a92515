"""A data set: its tables, the columns to read, and where it comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from ordercycle._columns import Columns
from ordercycle._public import public

REPR_WIDTH = 88


@public("ordercycle.datasets")
@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Dataset:
    """Orders and what belongs to them, ready for `OrderHistory.build`.

    Attributes
    ----------
    name : str
        The function of `ordercycle.datasets` that returned it.
    about : str
        What the data are.
    source : str
        Where they come from, and how to get them.
    orders
        The orders, as `OrderHistory.build` takes them: the path of a file or a `pyarrow.Table`.
    customers
        The customers table; None where there is none.
    columns : Columns
        The columns of both that matter.
    as_of : datetime.date
        The last day of the data, to profile as of.
    tables : Mapping of str to str
        Further tables by name, as the paths of Parquet files.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.generated(customers=1_000)
    >>> history = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
    >>> history.profile(data.as_of).num_rows
    1000
    """

    name: str
    about: str
    source: str
    orders: Any
    customers: Any = None
    columns: Columns
    as_of: date
    tables: Mapping[str, str] = field(default_factory=dict)
    #: Methods that return further tables.
    _methods: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        fields = ["orders"] + ["customers"] * (self.customers is not None) + ["columns"]
        details = [", ".join(fields), self.source]
        if self.tables:
            details.insert(1, f"tables: {', '.join(self.tables)}")
        if self._methods:
            details.insert(1, ", ".join(f"{name}()" for name in self._methods))
        lines = [f"Dataset {self.name}, as of {self.as_of}: {self.about}"]
        for detail in details:
            lines += textwrap.wrap(
                detail, REPR_WIDTH, initial_indent="  ", subsequent_indent="    "
            )
        return "\n".join(lines)
