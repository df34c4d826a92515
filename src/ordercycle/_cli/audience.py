"""`ordercycle audience` and `ordercycle sync`: lists of a TOML file, written and sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ordercycle._cli.errors import OneLineError, say
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.progress import watched
from ordercycle._cli.results import overwrite_option, quiet_option
from ordercycle._cli.stream_files import (
    STREAMS,
    StreamTable,
    absolute,
    found_in,
    missing_option,
    opened,
)
from ordercycle._cli.toml_files import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ordercycle import Audience, AudienceLists, Contacts
    from ordercycle._cli.progress import Watch

Command = TypeVar("Command", bound="Callable[..., Any]")

TARGETS = ("meta", "google", "mailchimp", "klaviyo", "plain")
CONNECTIONS = ("meta", "mailchimp")
#: Keys of a connection that name the variable of a secret.
SECRETS = ("token", "app_secret", "key")


def _streams(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    found = {}
    for one in given:
        name, sign, path = one.partition("=")
        if not sign or not name.isidentifier() or not path:
            raise click.BadParameter(f"{one!r} names no stream and path, as in lines=lines.parquet")
        found[name] = path
    return found


def list_options(command: Command) -> Command:
    """Add what both commands read."""
    options = (
        click.argument("lists", type=DiskPath(is_read=True, exists=True, dir_okay=False)),
        click.option(
            "--profile",
            required=True,
            metavar="FILE",
            help="Profiles, with the segments and values that the lists are about.",
        ),
        click.option(
            "--stream",
            "streams",
            multiple=True,
            callback=_streams,
            metavar="NAME=PATH",
            help="A stream that conditions are about: files as [streams.NAME] describes them, or "
            "a saved history; may be given several times.",
        ),
        click.option(
            "--contacts",
            metavar="FILE",
            help="How customers are reached; the file's [contacts] names the columns.",
        ),
        click.option(
            "--as-of",
            type=click.DateTime(["%Y-%m-%d"]),
            metavar="DAY",
            help="The day of the profiles. Default: as they say.",
        ),
        missing_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@list_options
@click.option(
    "--out",
    type=DiskPath(file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where the files go, NAME.TARGET.csv each.",
)
@click.option(
    "--target",
    "targets",
    type=click.Choice(TARGETS),
    multiple=True,
    help="Where the lists go, instead of what the file says; may be given several times.",
)
@click.option(
    "--not-hashed",
    is_flag=True,
    help="Addresses and numbers as they are, where the target takes them hashed as well.",
)
@overwrite_option
@quiet_option
def audience(
    *,
    lists: Path,
    out: Path,
    targets: tuple[str, ...],
    not_hashed: bool,
    overwrite: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Write lists of customers for those who mail and advertise.

    LISTS is a TOML file with [audiences."NAME"], and perhaps [features], [streams.NAME] and
    [contacts]. Files are readable by their owner alone.

    \b
    Example:
      ordercycle audience lists.toml --profile profile.parquet \\
          --stream lines=lines.parquet --contacts contacts.parquet --out lists
    \b
    lists.toml:
      [audiences."At risk, coffee"]
      where = "value_list == 'At risk' and has(lines, category == 'coffee')"
      targets = ["meta", "mailchimp"]
      [streams.lines]
      path = "lines.parquet"
      columns = { attributes = ["category"] }
      [contacts]
      email = ["email"]
      consent = "opted_in"
    """  # noqa: D301 - click's mark for "keep these lines"
    described, tables = _read(lists)
    wanted = {name: targets or described.targets[name] or ("plain",) for name in described.targets}
    places = _places(out, wanted, overwrite=overwrite)
    contacts = _contacts(lists, described, given["contacts"])
    if contacts is None and any(one != "plain" for those in wanted.values() for one in those):
        raise click.UsageError("name how customers are reached with --contacts")
    with watched(quiet=quiet) as watch:
        built = _built(lists, described, tables, watch, given)
        out.mkdir(parents=True, exist_ok=True)
        for (name, target), path in places.items():
            found = built[name].to_csv(path, contacts, target, hashed=not not_hashed)
            if not quiet:
                line = str(found).splitlines()[0]
                say(f"{path}: {name}, {line}{_not_reached(found.unreachable)}")


@click.command()
@list_options
@click.option(
    "--to",
    type=click.Choice(CONNECTIONS),
    required=True,
    help="Where the lists go that have it among their targets; see [connections.NAME].",
)
@click.option(
    "--state",
    type=DiskPath(file_okay=False),
    required=True,
    metavar="FOLDER",
    help="What was sent before; readable by its owner alone.",
)
@click.option(
    "--mode",
    type=click.Choice(("changes", "replace", "add_only")),
    default="changes",
    show_default=True,
    help="Send what changed, make the list anew, or remove nobody.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and send nothing.")
@click.option(
    "--largest-removal",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="The share of those sent before that may be removed at once.",
)
@click.option("--allow-empty", is_flag=True, help="Send lists that nobody is on, too.")
@quiet_option
def sync(
    *,
    lists: Path,
    to: str,
    state: Path,
    mode: str,
    dry_run: bool,
    largest_removal: float,
    allow_empty: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Bring a vendor's lists in line with those of a TOML file.

    Run it every night: it sends what changed, and finishes what a crash interrupted. Secrets are in
    environment variables, which [connections.NAME] names.

    \b
    Example:
      ordercycle sync lists.toml --to meta --profile profile.parquet \\
          --contacts contacts.parquet --state state --dry-run
    \b
    lists.toml, beside what "ordercycle audience" reads:
      [connections.meta]
      account = "act_123"
      token = "META_TOKEN"
    """  # noqa: D301 - click's mark for "keep these lines"
    described, tables = _read(lists)
    names = [name for name, targets in described.targets.items() if to in targets]
    if not names:
        raise OneLineError(f'{lists}: no audience has "{to}" among its targets')
    connector = _connector(lists, described, to)
    contacts = _contacts(lists, described, given["contacts"])
    if contacts is None:
        raise click.UsageError("name how customers are reached with --contacts")
    with watched(quiet=quiet) as watch:
        built = _built(lists, described, tables, watch, given)
        for name in names:
            report = built[name].sync(
                connector,
                contacts,
                state,
                mode,
                dry_run=dry_run,
                largest_removal=largest_removal,
                allow_empty=allow_empty,
            )
            if not quiet:
                causes = {**report.unreachable, "suppressed": 0}  # the report has them itself
                say(f"{report}{_not_reached(causes)}")


def _read(lists: Path) -> tuple[AudienceLists, dict[str, Any]]:
    import ordercycle as oc

    given = read_toml(lists)
    tables = given.pop(STREAMS, {})
    with found_in(lists):
        return oc.audiences_from_dict(given), tables


def _built(
    lists: Path, described: AudienceLists, tables: Any, watch: Watch, given: dict[str, Any]
) -> dict[str, Audience]:
    paths = {name: absolute(path) for name, path in given["streams"].items()}
    if isinstance(tables, dict):
        known = {
            name: {**table, "path": paths.get(name, table.get("path"))}
            for name, table in tables.items()
            if isinstance(table, dict)
        }
        tables = {**tables, **known, **{
            name: {"path": path} for name, path in paths.items() if name not in tables
        }}  # fmt: skip
    streams = StreamTable.all_of(lists, tables)
    with found_in(lists):
        histories = opened(streams, described.reads_streams, watch)
    day = given["as_of"]
    return described.build(
        given["profile"],
        streams=histories,
        as_of=None if day is None else day.date(),
        missing=given["missing"],
    )


def _contacts(lists: Path, described: AudienceLists, path: str | None) -> Contacts | None:
    import ordercycle as oc

    if path is None:
        return None
    with found_in(lists, "contacts"):
        options = dict(described.contacts)
        region, suppress = options.pop("default_region", None), options.pop("suppress", None)
        return oc.Contacts(path, oc.ContactColumns(**options), region, suppress)


def _not_reached(unreachable: Mapping[str, int]) -> str:
    """Return why customers cannot be reached, behind a line; nothing where all can."""
    from ordercycle._audiences.reach import MEANINGS

    causes = [f"{MEANINGS[cause]} ({number:,})" for cause, number in unreachable.items() if number]
    return f"; not reached: {', '.join(causes)}" if causes else ""


def _connector(lists: Path, described: AudienceLists, to: str) -> Any:
    import ordercycle as oc
    from ordercycle import connect

    if to not in described.connections:
        raise OneLineError(f"{lists}: there is no [connections.{to}]")
    with found_in(lists, "connections", to):
        options = {
            name: oc.env(value) if name in SECRETS else value
            for name, value in described.connections[to].items()
        }
        kind: Any = {"meta": connect.Meta, "mailchimp": connect.Mailchimp}[to]
        needed = {"meta": ("account", "token"), "mailchimp": ("list", "key")}[to]
        for name in needed:
            if name not in options:
                raise oc.ConfigError(f"there is no {name!r}", remedy="write it")
        return kind(**options)


def _places(
    out: Path, wanted: dict[str, tuple[str, ...]], *, overwrite: bool
) -> dict[tuple[str, str], Path]:
    """Return the file of each list and target; none is there, or may be replaced."""
    found: dict[tuple[str, str], Path] = {}
    for name, targets in wanted.items():
        slug = re.sub(r"[\W_]+", "-", name.lower()).strip("-") or "audience"
        for target in targets:
            path = out / f"{slug}.{target}.csv"
            if path in found.values():
                raise OneLineError(f"two audiences would be written to {path}; rename one")
            if path.exists() and not overwrite:
                raise OneLineError(f"{path} exists; add --overwrite to replace it")
            found[name, target] = path
    return found
