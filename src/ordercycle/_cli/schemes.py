"""The options that choose schemes, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.paths import refuse_store
from ordercycle._cli.stream_files import StreamTable, together

if TYPE_CHECKING:
    from ordercycle._segments.scheme import Scheme
    from ordercycle._segments.scheme_options import SchemeOption

DEFAULT = "lifecycle"


@dataclass(frozen=True)
class _Flag:
    """An option that a kind of scheme declares, as it is given on the command line."""

    kind: str
    declared: SchemeOption
    flag: str
    place: str  # where the command finds its value

    def option(self) -> click.Option:
        """Return the option of the command."""
        described = f"{self.kind}: {self.declared.help}".removesuffix(": ")
        if self.declared.type is bool:
            no = f"--no-{self.flag.removeprefix('--')}"
            return click.Option(
                [f"{self.flag}/{no}", self.place], default=None, help=f"{described}."
            )
        metavar = None
        if not self.declared.choices:
            metavar = self.declared.name.upper() if self.declared.type is str else "N"
        return click.Option(
            [self.flag, self.place],
            type=self._type(),
            metavar=metavar,
            help=f"{described}.",
        )

    def _type(self) -> click.ParamType[Any]:
        declared = self.declared
        if declared.choices:
            return click.Choice(declared.choices)
        if declared.type is int:
            least, most = (
                None if bound is None else int(bound) for bound in (declared.least, declared.most)
            )
            return click.IntRange(min=least, max=most)
        if declared.type is float:
            return click.FloatRange(min=declared.least, max=declared.most)
        return click.STRING


class SchemeCommand(click.Command):
    """A command with ``--scheme``, which may be repeated, and the options that schemes declare.

    Its callback takes the schemes as ``schemes``, not fitted unless their files say so, and the
    streams that their files describe as ``streams``.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of the command, with those of the schemes that there are."""
        own = super().get_params(ctx)
        flags = _flags(own)
        place = 1 + next(number for number, one in enumerate(own) if one.name == "chosen")
        return [*own[:place], *(flag.option() for flag in flags), *own[place:]]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with the schemes that were chosen.

        Raises
        ------
        click.UsageError
            Where an option belongs to a scheme that was not chosen by its name.
        """
        chosen: tuple[str, ...] = ctx.params.pop("chosen")
        given = []
        for flag in _flags(super().get_params(ctx)):
            value = ctx.params.pop(flag.place)
            if value is None:
                continue
            if flag.kind not in chosen:
                raise click.UsageError(f"{flag.flag} is an option of --scheme {flag.kind}", ctx)
            given.append((flag, value))
        for flag, _ in given:
            for other, _ in given:
                if other.kind == flag.kind and other.declared.name in flag.declared.replaces:
                    raise click.UsageError(f"give either {flag.flag} or {other.flag}", ctx)
        found = [_scheme(text, given) for text in chosen]
        ctx.params["schemes"] = [scheme for scheme, _ in found]
        ctx.params["streams"] = together(streams for _, streams in found)
        return super().invoke(ctx)


def scheme_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--scheme`` to a :class:`SchemeCommand`, behind which come the schemes' options."""
    return click.option(
        "--scheme",
        "chosen",
        cls=_SchemeNames,
        callback=_checked,
        multiple=True,
        default=[DEFAULT],
        show_default=DEFAULT,
        metavar="NAME|FILE",
    )(command)


class _SchemeNames(click.Option):
    """The option whose help names the schemes that there are."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = f"{', '.join(_named())} or a .toml file. Repeat it to add one after another."
        return super().get_help_record(ctx)


def _named() -> list[str]:
    """Return the schemes that can be made of options of the command line alone."""
    from ordercycle._segments.registry import scheme_kinds
    from ordercycle._segments.scheme_options import required_options

    return [
        name
        for name, kind in scheme_kinds().items()
        if set(required_options(kind)) <= {option.name for option in kind.command_options}
    ]


def _flags(own: Sequence[click.Parameter]) -> list[_Flag]:
    """Return the options that schemes declare; where a flag is taken, the scheme's name leads."""
    from ordercycle._segments.registry import scheme_kinds

    taken = {text for parameter in own for text in parameter.opts}
    flags: list[_Flag] = []
    for kind, scheme in scheme_kinds().items():
        for declared in scheme.command_options:
            flag = f"--{_dashed(declared.name)}"
            if flag in taken:
                flag = f"--{_dashed(kind)}-{_dashed(declared.name)}"
            taken.add(flag)
            flags.append(_Flag(kind, declared, flag, f"scheme_option_{len(flags)}"))
    return flags


def _dashed(name: str) -> str:
    return "-".join(name.replace("_", " ").split())


def _checked(
    _ctx: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is neither the name of a scheme nor a file."""
    named = _named()
    for text in values:
        if text in named:
            continue
        path = Path(text)
        if path.suffix.lower() != ".toml":
            from ordercycle._errors import suggestion

            raise click.BadParameter(
                f"{text!r} is no scheme{suggestion(text, named)}; choose {', '.join(named)}, "
                "or name a file that ends in .toml"
            )
        refuse_store(text, option, is_read=True)
        if not path.is_file():
            raise click.BadParameter(f"there is no file {text}")
    return values


def _scheme(
    text: str, given: Sequence[tuple[_Flag, Any]]
) -> tuple[Scheme, Mapping[str, StreamTable]]:
    if text not in _named():
        from ordercycle._cli.scheme_files import read_scheme

        return read_scheme(Path(text))
    from ordercycle._segments.registry import scheme_from_dict

    its_own = {flag.declared.name: value for flag, value in given if flag.kind == text}
    scheme: Scheme = scheme_from_dict({"scheme": text, **its_own})
    return scheme, {}
