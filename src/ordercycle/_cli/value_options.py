"""The options of models of value, for the commands that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ordercycle._cli.paths import DiskPath

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")

#: As `Clv` has them, which the help is too quick to import.
MODELS = ("auto", "mbg_nbd", "pareto_nbd", "bg_nbd", "mbg_cnbd", "nbd")
SPENDS = ("gamma_gamma", "average", "none")


def model_or_file(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Return the name of a model of value, or the path of the file that one was saved in."""
    if value is not None and value.endswith(".toml"):
        return DiskPath(is_read=True).convert(value, param, ctx)
    return None if value is None else click.Choice(MODELS).convert(value, param, ctx)


horizon_option = click.option(
    "--horizon-days",
    type=click.IntRange(min=1),
    metavar="N",
    help="How far a model of value looks ahead. Default: 365.",
)
discount_option = click.option(
    "--discount-rate",
    type=click.FloatRange(min=0),
    metavar="RATE",
    help="What money loses in a year for a model of value, 0.1 for a tenth. Default: 0.",
)


def looking_ahead(command: Command) -> Command:
    """Add the options that say how far, and at what discount."""
    return horizon_option(discount_option(command))


def given_options(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
