"""The options that choose schemes, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ordercycle._segments.scheme import Scheme

#: The options of each scheme that has a name of its own, by the argument that they become.
OPTIONS_OF = {
    "lifecycle": ("preset", "new_days", "active_days", "churned_days"),
    "rfm": ("bins", "monetary", "map", "where"),
    "cadence": ("prior_gaps", "just_ordered_days", "scope"),
}

_DAYS = click.IntRange(min=0)
_OPTIONS = (
    click.option("--preset", metavar="NAME", help="lifecycle: thresholds such as fashion."),
    click.option("--new-days", type=_DAYS, metavar="N", help="lifecycle: new until then."),
    click.option("--active-days", type=_DAYS, metavar="N", help="lifecycle: active until then."),
    click.option("--churned-days", type=_DAYS, metavar="N", help="lifecycle: at-risk until then."),
    click.option("--bins", type=click.IntRange(2, 10), metavar="N", help="rfm: scores are 1 to N."),
    click.option(
        "--monetary", type=click.Choice(["sum", "average"]), help="rfm: what is monetary of orders."
    ),
    click.option("--map", type=click.Choice(["five", "ten"]), help="rfm: names for scores."),
    click.option(
        "--where", metavar="CONDITION", help="rfm: whom to score, as in 'orders > 1'; others: none."
    ),
    click.option(
        "--prior-gaps",
        type=click.FloatRange(min=0),
        metavar="N",
        help="cadence: how many gaps of one's own the rhythm of all customers counts for.",
    ),
    click.option(
        "--just-ordered-days", type=_DAYS, metavar="N", help="cadence: just ordered until then."
    ),
    click.option(
        "--scope",
        type=click.Choice(["personal", "population"]),
        help="cadence: a rhythm for each customer, or that of all for everybody.",
    ),
)


class Chosen(NamedTuple):
    """A scheme as it was asked for: its name, or its file."""

    text: str
    path: Path | None


def _chosen(
    _ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[Chosen, ...]:
    """Tell names from files; refuse what is neither."""
    return tuple(Chosen(text, _file(text)) for text in values)


def _file(text: str) -> Path | None:
    if text in OPTIONS_OF:
        return None
    path = Path(text)
    if path.suffix.lower() != ".toml":
        from ordercycle._errors import suggestion

        raise click.BadParameter(
            f"{text!r} is no scheme{suggestion(text, OPTIONS_OF)}; choose {', '.join(OPTIONS_OF)}, "
            "or name a file that ends in .toml"
        )
    if not path.is_file():
        raise click.BadParameter(f"there is no file {text}")
    return path


def scheme_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--scheme``, which may be repeated, and the options of the schemes with a name."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return click.option(
        "--scheme",
        "chosen",
        callback=_chosen,
        multiple=True,
        default=["lifecycle"],
        show_default="lifecycle",
        metavar="NAME|FILE",
        help=f"{', '.join(OPTIONS_OF)} or a .toml file. Repeat it to add one after another.",
    )(command)


def schemes_of(chosen: Sequence[Chosen], options: dict[str, Any]) -> list[Scheme]:
    """Return the schemes that were chosen, not fitted unless their files say so.

    Raises
    ------
    click.UsageError
        Where an option belongs to a scheme that was not chosen by its name.
    """
    given = {name: value for name, value in options.items() if value is not None}
    names = [one.text for one in chosen if one.path is None]
    for scheme, its_options in OPTIONS_OF.items():
        misplaced = [name for name in its_options if name in given and scheme not in names]
        if misplaced:
            option = misplaced[0].replace("_", "-")
            raise click.UsageError(f"--{option} is an option of --scheme {scheme}")
    if "preset" in given and len(given.keys() & set(OPTIONS_OF["lifecycle"])) > 1:
        raise click.UsageError("give either --preset or days of your own, not both")
    return [_scheme(one, given) for one in chosen]


def _scheme(chosen: Chosen, given: dict[str, Any]) -> Scheme:
    if chosen.path is not None:
        from ordercycle._cli.scheme_files import read_scheme

        return read_scheme(chosen.path)
    from ordercycle._segments.lifecycle import Lifecycle
    from ordercycle._segments.registry import scheme_from_dict

    its_own = {name: given[name] for name in OPTIONS_OF[chosen.text] if name in given}
    if "preset" in its_own:
        return Lifecycle.preset(its_own["preset"])
    return scheme_from_dict({"scheme": chosen.text, **its_own})
