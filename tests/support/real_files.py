"""Real exports by the command line: files, and their profiles by customer."""

import csv
import datetime as dt
import io

from support.command_line import run

import ordercycle as oc

AS_OF = "2026-11-01"
HEADER = "customer_id,ordered_at,amount\n"
BY_ID = oc.Columns(order="order_id")
DAY = dt.date.fromisoformat


def file(path, text, encoding="utf-8", end="\n"):
    path.write_bytes(text.replace("\n", end).encode(encoding))
    return path


def rows_of(result):
    """Return the rows of what a command prints by customer."""
    assert result.exit_code == 0, result.stderr
    return {row["customer_id"]: row for row in csv.DictReader(io.StringIO(result.stdout))}


def profiled(*arguments, quiet=True, **expected):
    """Run `ordercycle profile`; return the rows of what it prints by customer."""
    quietly = ["--quiet"] if quiet else []
    result = run("profile", *arguments, "--as-of", AS_OF, *quietly)
    found = rows_of(result)
    assert not expected or result.stderr == expected["stderr"]
    return found


def of_customers(profile, column="revenue"):
    return dict(zip(profile["customer_id"].to_pylist(), profile[column].to_pylist(), strict=True))
