"""How a command ends when it cannot finish: one line on stderr and an exit code."""

from __future__ import annotations

import os
import shlex
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ordercycle._compile_notice import shown_otherwise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from ordercycle._errors import Option

INTERRUPTED = 130
#: Where a command over a saved history keeps the flags that say nothing of it.
REFUSED_FLAGS = "ordercycle.refused_flags"
SAVE_ANEW = (
    "with --history, that is said when it is built: save it anew, with OrderHistory.build(...) and "
    "its method save"
)
#: What shells read between double quotes as something else.
SPECIAL_TO_SHELLS = frozenset('"$`\\!')


class Named(NamedTuple):
    """How a line names an argument of the library, and the flags that are in it."""

    text: str
    flags: tuple[str, ...] = ()


#: What stands for an argument that has no flag of its own, by its name and value.
PHRASES: dict[tuple[str, Any], Named] = {
    ("Columns.registered", None): Named('--registered ""', ("--registered",)),
    ("Columns.amount", None): Named("--no-amount", ("--no-amount",)),
    ("Columns.instants", True): Named("instants = true in [columns] of --source", ("--source",)),
    ("Attribution.reuse", False): Named("--no-reuse", ("--no-reuse",)),
    ("Attribution.strict", True): Named("--strict", ("--strict",)),
    ("day_instants", True): Named("day_instants = true in the file that describes them"),
    ("read", "CsvFormat()"): Named("--format csv", ("--format",)),
    ("read", "NdJson()"): Named("--format ndjson", ("--format",)),
    ("read", "ExcelSheet()"): Named("--format excel", ("--format",)),
}
#: What stands for an argument that is named without a value.
NAMED_ALONE = {
    "columns": Named(
        "--customer, --time, --amount and so on (in a file: --source)",
        ("--customer", "--time", "--amount", "--source"),
    ),
    "exposures": Named("[streams.exposures]"),
    "base_url": Named("base_url in [connections.NAME]"),
    "filesystem": Named("filesystem= in Python"),
    "lookups": Named("lookups= in Python"),
}
#: Flags whose value is a range: of two texts in Python.
RANGES = ("--months", "--period")
#: Arguments whose flag has another name than they have, their class left out.
FLAGS: dict[str, str] = {
    "time-formats": "time-format",
    "null-values": "null-value",
    "types": "type",
    "segments": "segment",
    "attributes": "attribute",
    "values": "value",
    "condition": "where",
    "saved-history": "history",
    "directory": "history",
    "groups": "group",
    "Attribution.windows": "window",
    "currency": "amounts-in",  # of a page; the sign beside the numbers of a file keeps its name
    "CsvFormat.currency": "currency",
    "read.CsvFormat.currency": "currency",
    "tiers": "tier",
    "bursts": "burst",
}


def say(line: str) -> None:
    """Print a line on stderr, in which no character of anybody's data can do anything."""
    click.echo(_printable(line), err=True)


def _printable(line: str) -> str:
    from ordercycle._errors import printable

    return printable(line)


class OneLineError(click.ClickException):
    """A failure that ends in one line, without a traceback."""

    exit_code = 1

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - always stderr
        """Print the line on stderr."""
        say(f"ordercycle: {self.format_message()}")


class ImpossibleOptionError(OneLineError):
    """An option has a value that cannot be: wrong usage, seen only by the library."""

    exit_code = 2


class OneLineErrors(click.Group):
    """A group whose commands never end in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and translate its failures into exit codes, and warnings into lines."""
        try:
            with shown_in_lines(), shown_otherwise():
                return super().invoke(ctx)
        except click.ClickException as error:
            lines = map(_printable, error.message.split("\n"))
            vars(error)["message"] = "\n".join(lines)
            raise
        except (click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            say("ordercycle: interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader has seen enough
            ctx.exit(1)
        except Exception as error:
            if os.environ.get("ORDERCYCLE_TRACEBACK"):
                raise
            raise _ended(error, ctx.meta.get(REFUSED_FLAGS, frozenset())) from None


@contextmanager
def shown_in_lines() -> Iterator[None]:
    """Print the library's warnings on stderr while the block runs, a line for each."""
    from ordercycle._errors import OrdercycleWarning, rendered

    with warnings.catch_warnings():
        warnings.simplefilter("always", OrdercycleWarning)
        shown_elsewhere = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], *where: Any, **named: Any
        ) -> None:
            if isinstance(message, OrdercycleWarning):
                say(f"ordercycle: {rendered(message, flag)}")
            else:
                shown_elsewhere(message, category, *where, **named)

        warnings.showwarning = show
        yield


def flag(option: Option) -> str:
    """Return how an argument of the library is given on the command line."""
    return _named(option).text


def _named(option: Option) -> Named:
    from ordercycle._errors import NOT_GIVEN

    value = option.value
    if value is NOT_GIVEN and option.name in NAMED_ALONE:
        return NAMED_ALONE[option.name]
    if isinstance(value, str | bool | None) and (option.name, value) in PHRASES:
        return PHRASES[option.name, value]
    name = option.name.rpartition(".")[2].replace("_", "-")
    name = f"--{FLAGS.get(option.name, FLAGS.get(name, name))}"
    if value is NOT_GIVEN or value is True:  # a switch has no value
        return Named(name, (name,))
    values = option.value
    if name in RANGES and isinstance(values, tuple):
        joined = ":".join(values)
        return Named(f"{name} {joined if all(values) else repr(joined)}", (name,))
    if isinstance(values, dict):
        values = [f"{key}={value}" for key, value in values.items()]
    elif not isinstance(values, (tuple, list)):
        values = [values]
    texts = (":".join(one) if isinstance(one, tuple) else str(one) for one in values)
    return Named(" ".join(f"{name} {_quoted(text)}" for text in texts), (name,))


def _quoted(text: str) -> str:
    """Return text as a shell takes it: between double quotes where these change nothing in it.

    >>> print(_quoted("'Status' == 'paid'"), _quoted("$5, isn't it"))
    "'Status' == 'paid'" '$5, isn'"'"'t it'
    """
    if "'" in text and not set(text) & SPECIAL_TO_SHELLS:
        return f'"{text}"'
    return shlex.quote(text)


def _ended(error: Exception, refused: AbstractSet[str]) -> click.ClickException:
    """Return how a command ends; refused: flags that say nothing of the history it reads."""
    from ordercycle._errors import ConfigError, MissingExtraError, OrdercycleError, rendered

    if isinstance(error, OrdercycleError):
        named = set[str]()

        def noted(option: Option) -> str:
            found = _named(option)
            named.update(found.flags)
            return found.text

        message = rendered(error, noted)
        if named & refused:
            message += f"; {SAVE_ANEW}"
    else:
        message = " ".join(str(error).split())
    if isinstance(error, ConfigError):
        return ImpossibleOptionError(message)
    if isinstance(error, OrdercycleError):
        return OneLineError(message)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return OneLineError(f"{where}{error.strerror or message}")
    if isinstance(error, MissingExtraError):
        return OneLineError(message)
    if isinstance(error, MemoryError):
        return OneLineError(f"not enough memory {message}".rstrip())
    return OneLineError(
        f"unexpected {type(error).__name__}: {message} (ORDERCYCLE_TRACEBACK=1 shows where)"
    )
