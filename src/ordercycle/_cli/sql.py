"""Orders that are the result of a query in SQL, which DuckDB reads and joins."""

from __future__ import annotations

from typing import Any

from ordercycle._cli.errors import say

#: The table of what a query finds.
FOUND = "rows that the query finds"


def relation_of(query: str, *, quiet: bool) -> Any:
    """Return what a query finds; say what that is on stderr, for a person to look at.

    Raises
    ------
    SourceError
        Where DuckDB is not there, cannot run the query, or gets no rows from it.
    """
    from ordercycle._errors import SourceError, counted

    try:
        import duckdb
    except ImportError:
        raise SourceError(
            "a query needs DuckDB, which is not installed",
            remedy='install it with pip install "ordercycle[duckdb]"',
        ) from None
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    try:
        relation = connection.sql(query)
        if relation is None:
            raise SourceError("the query finds no rows", remedy="end it with a select")
        twice = next((one for one in relation.columns if relation.columns.count(one) > 1), None)
        if twice is not None:
            raise SourceError(
                f"the query finds two columns {twice!r}",
                remedy="leave one out, or give it a name of its own with as",
            )
        if not quiet:  # once, so that what is shown is what is read
            relation.create(FOUND)
            relation = connection.table(FOUND)
            rows = relation.aggregate("count(*)").fetchall()[0][0]
            first = relation.limit(1).fetchall()
            columns = ", ".join(
                f"{name} {kind}"
                for name, kind in zip(relation.columns, relation.types, strict=True)
            )
            say(f"query: {counted(rows, 'row')} of {columns}")
            if first:
                values = zip(relation.columns, first[0], strict=True)
                shown = ", ".join(f"{name}={value!s}" for name, value in values)
                say(f"first row: {shown}")
    except duckdb.Error as error:
        what = " ".join(str(error).split())
        raise SourceError(f"the query cannot be run: {what}") from error
    return _Answer(connection, relation)


class _Answer:
    """The rows of a query, as a stream of Arrow's, with the connection that they come from."""

    def __init__(self, connection: Any, relation: Any) -> None:
        self._connection = connection
        self._relation = relation
        self.columns = list(relation.columns)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)
