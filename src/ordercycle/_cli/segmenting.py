"""Schemes fitted and assigned to a profile in a file, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ordercycle._cli.errors import say
from ordercycle._cli.profile_rows import ProfileRows
from ordercycle._errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from ordercycle._segments.counting_rounds import Cells, Round
    from ordercycle._segments.scheme import Scheme
    from ordercycle._workspace import Workers

NAME_WIDTH = 22


@dataclass(frozen=True)
class Segmenting:
    """Work on a profile that is read once for each question, by several threads."""

    file: ProfileRows
    workers: Workers

    def tables(
        self, steps: Sequence[Callable[..., pa.Table]], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the profile in pieces, after each step has added its columns."""

        def stepped(piece: pa.Table) -> pa.Table:
            for step in steps:
                piece = step(piece, threads=1)
            return piece

        return self.workers.in_order(stepped, self.file.pieces(columns))

    def fitted(self, schemes: Sequence[Scheme]) -> list[Scheme]:
        """Return the schemes, each fitted where it has to be, to what those before it added."""
        made: list[Scheme] = []
        for scheme in schemes:
            lacks_fit = scheme.fitted_to == "profile" and not scheme.is_fitted
            made.append(self._fitted(scheme, list(made)) if lacks_fit else scheme)
        return made

    def _fitted(self, scheme: Scheme, before: Sequence[Scheme]) -> Scheme:
        import pyarrow as pa

        from ordercycle._segments.counting_rounds import fit
        from ordercycle._segments.scheme import first_round

        def tables(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            # Columns of schemes before need all that these read.
            return self.tables([one.assign for one in before], None if before else columns)

        def counted(current: Round[pa.Table, Scheme]) -> Iterator[Cells]:
            return self.workers.in_order(current.count, tables(current.columns))

        first = first_round(scheme)
        if first is None:
            return scheme.fit(pa.concat_tables(list(tables(scheme.reads))))
        fitted: Scheme = fit(first, counted)
        return fitted

    def findings(self, schemes: Sequence[Scheme], counts: SegmentCounts) -> Iterator[str]:
        """Yield what schemes find in what they assigned; the profile may be read again for it."""
        from ordercycle._segments.scheme import findings

        for place, scheme in enumerate(schemes):
            before = [one.assign for one in schemes[:place]]
            yield from findings(scheme, counts.of(scheme), partial(self.tables, before))


class SegmentCounts:
    """How many customers each segment has; None stands for those without one."""

    def __init__(self, schemes: Sequence[Scheme]) -> None:
        self._counts: dict[str, dict[str | None, int]] = {
            scheme.name: {**dict.fromkeys(scheme.segments, 0), None: 0} for scheme in schemes
        }

    def of(self, scheme: Scheme) -> dict[str | None, int]:
        """Return the counts of a scheme's segments."""
        return self._counts[scheme.name]

    def add(self, table: pa.Table) -> None:
        """Count the customers of a piece."""
        for column, counts in self._counts.items():
            for found in table.column(column).value_counts().to_pylist():
                counts[found["values"]] += found["counts"]

    def report(self, customers: int, out: Path | None) -> None:
        """Print the counts on stderr."""
        names = [name for counts in self._counts.values() for name in counts if name is not None]
        width = max(NAME_WIDTH, *(len(printable(name)) + 1 for name in names))
        for column, counts in self._counts.items():
            if len(self._counts) > 1:
                say(f"{column}:")
            for name, count in counts.items():
                if name is not None or count:
                    say(f"{printable(name or '(no segment)'):<{width}}{count:>13,}")
        say(f"{'all customers':<{width}}{customers:>13,}  in {out or 'stdout'}")
