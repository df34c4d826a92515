"""The engines by name: what each is called and where its profile is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Engine:
    """One way to get from an Arrow table of orders to an Arrow table of profiles."""

    label: str
    module: str
    function: str = "profile"
    package: str = ""
    complete: bool = True  # every column, so that its result can be compared

    def load(self) -> Callable:
        return getattr(import_module(f"{__package__}.{self.module}"), self.function)

    @property
    def title(self) -> str:
        try:
            return f"{self.label} {metadata.version(self.package)}"
        except metadata.PackageNotFoundError:
            return self.label  # run from a source tree


OURS = "ordercycle"
ENGINES = {
    OURS: Engine("ordercycle", "ordercycle_profile", package="ordercycle"),
    "duckdb": Engine("DuckDB", "duckdb_profile", package="duckdb"),
    "polars": Engine("Polars", "polars_profile", package="polars"),
    "pandas": Engine("pandas", "pandas_profile", package="pandas"),
    "duckdb-bare": Engine(
        "count/min/max/sum only, DuckDB",
        "duckdb_profile",
        "bare_totals",
        package="duckdb",
        complete=False,
    ),
}
