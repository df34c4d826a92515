"""Schemes fitted and assigned to a profile in a file, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
            is_fitted = getattr(scheme, "is_fitted", True)  # others need no fit to a profile
            made.append(scheme if is_fitted else self._fitted(scheme, list(made)))
        return made

    def _fitted(self, scheme: Any, before: Sequence[Scheme]) -> Scheme:
        from ordercycle._segments.counting_rounds import fit

        def counted(current: Round[pa.Table, Scheme]) -> Iterator[Cells]:
            # Columns of schemes before need all that these read.
            columns = None if before else current.columns
            tables = self.tables([one.assign for one in before], columns)
            return self.workers.in_order(current.count, tables)

        made: Scheme = fit(scheme.first_round(), counted)
        return made

    def problems(self, schemes: Sequence[Scheme], counts: Counts) -> Iterator[str]:
        """Yield a line for each rule that came to nothing; the profile is read again for it."""
        from ordercycle._segments.rule_lint import lint_of
        from ordercycle._segments.rules import Rules

        for place, scheme in enumerate(schemes):
            if isinstance(scheme, Rules) and not all(map(counts.of(scheme).get, scheme.rules)):
                before = [one.assign for one in schemes[:place]]
                lint = lint_of(self.tables(before), scheme.conditions, scheme.default)
                yield from (f"rule {problem}" for problem in lint.problems)


class Counts:
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

    def tell(self, customers: int, out: Path | None) -> None:
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
