"""`ordercycle doctor`: whether the library can be used here, and what is in its way."""

from __future__ import annotations

import dataclasses
import json
from itertools import groupby

import click

from ordercycle._cli.findings import Finding, findings

#: What stands before a finding.
MARKS = {"ok": "  ", "absent": "- ", "note": "! ", "problem": "X "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write what was found as JSON.")
def doctor(*, as_json: bool) -> None:
    """Look at what the library needs and finds here.

    Versions, extras, compiled kernels, threads, memory, temporary files, time zones and programs.
    X is a problem: the library cannot be used before it is solved, and the exit code is 1.
    ! works with a disadvantage, - is optional and missing.

    \b
    Examples:
      ordercycle doctor
      ordercycle doctor --json > doctor.json
    """  # noqa: D301 - click's mark for "keep these lines"
    found = list(findings())
    problems = [finding for finding in found if finding.status == "problem"]
    if as_json:
        checks = [dataclasses.asdict(finding) for finding in found]
        click.echo(json.dumps({"usable": not problems, "checks": checks}, indent=2))
    else:
        _show(found)
        _conclude(problems)
    if problems:
        raise SystemExit(1)


def _show(found: list[Finding]) -> None:
    from ordercycle._errors import printable

    width = max(len(finding.name) for finding in found)
    for group, members in groupby(found, lambda finding: finding.group):
        click.echo(group.capitalize())
        for finding in members:
            lines = [f"{MARKS[finding.status]}{finding.name:<{width}}  {finding.value}"]
            if finding.remedy is not None:
                lines.append(f"{'':{width + 4}}-> {finding.remedy}")
            for line in lines:
                click.echo(printable(line))
        click.echo()


def _conclude(problems: list[Finding]) -> None:
    if problems:
        names = ", ".join(finding.name for finding in problems)
        click.echo(f"ordercycle cannot be used before this is solved: {names}")
    else:
        click.echo("ordercycle can be used.")
