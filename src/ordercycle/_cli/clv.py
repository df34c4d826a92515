"""`ordercycle clv`: what each customer is expected to order and spend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.order_options import account_of, history_of, order_options
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)
from ordercycle._cli.segment import save_scheme_option
from ordercycle._cli.value_options import MODELS, SPENDS, given_options, looking_ahead
from ordercycle._errors import printable

if TYPE_CHECKING:
    from datetime import date, datetime

    from ordercycle import Backtest, Clv, OrderHistory


@click.command()
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="DAY",
    help="The last day that is known, as in 2026-11-01.",
)
@click.option(
    "--model",
    type=click.Choice(MODELS),
    default="auto",
    show_default=True,
    help="The model of orders; auto fits three and keeps the most likely.",
)
@click.option(
    "--spend",
    type=click.Choice(SPENDS),
    help="The model of spend. Default: gamma_gamma; none where orders have no amounts.",
)
@looking_ahead
@click.option(
    "--backtest-days",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show how well it would have foretold the last N days up to --as-of.",
)
@result_option("Without it: CSV on stdout.")
@save_scheme_option("Keep the fitted model, as a .toml file for Python's scheme_from_dict.")
@overwrite_option
@order_options
@quiet_option
def clv(  # noqa: PLR0913 - one argument per option
    *,
    as_of: datetime,
    model: str,
    spend: str | None,
    horizon_days: int | None,
    discount_rate: float | None,
    backtest_days: int | None,
    out: Path | None,
    save_scheme: Path | None,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Foretell what each customer will order and spend.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data. The result is a
    profile with p_alive, p_active, expected_orders, expected_order_value, predicted_value and clv.

    \b
    Examples:
      ordercycle clv orders/*.parquet --as-of 2026-11-01 --out clv.parquet
      ordercycle clv orders/*.parquet --as-of 2026-11-01 --horizon-days 182 \\
          --backtest-days 182 --save-scheme clv.toml --out clv.parquet
    """  # noqa: D301 - click's mark for "keep these lines"
    refuse_existing(out, overwrite=overwrite)
    refuse_existing(save_scheme, overwrite=overwrite, flag="--save-scheme")
    import pyarrow as pa

    import ordercycle as oc
    from ordercycle._cli.scheme_files import write_toml
    from ordercycle._errors import counted
    from ordercycle._history.order_history import grouped_orders

    day = as_of.date()
    with watched(quiet=quiet) as watch:
        history = history_of(watch, options, quiet=quiet)
        if spend is None and not grouped_orders(history).spec.has_amount:
            spend = "none"
        given = given_options(
            model=model, spend=spend, horizon_days=horizon_days, discount_rate=discount_rate
        )
        unfitted = oc.Clv.from_dict(given)
        test = None
        if backtest_days is not None:
            test = _tested(unfitted, history, day, backtest_days)
        fitted = unfitted.fit(history, day)
        with result_writer(out, overwrite=overwrite, harmless=None) as writer:
            for batch in history.profile_batches(day):
                writer.write(fitted.assign(pa.Table.from_batches([batch])))
        if save_scheme is not None:
            write_toml(save_scheme, fitted.to_dict())
    if not quiet:
        if test is not None:
            _show(test)
        for line in str(fitted.account).splitlines():
            if not line.startswith("Warning: "):  # warnings were shown as they came
                say(printable(line))
        written = f"{counted(writer.rows, 'profile')} in {out or 'stdout'}"
        say(f"{account_of(history.summary())} -> {written}")


def _tested(model: Clv, history: OrderHistory, as_of: date, days: int) -> Backtest:
    """Return how a model would have foretold the last days up to a day."""
    from ordercycle._errors import OrdercycleError, renamed_error

    flags = {"horizon_days": "backtest_days", "split_day": "as_of"}
    try:
        return model.backtest(history, as_of - timedelta(days=days), horizon_days=days)
    except OrdercycleError as error:
        raise renamed_error(error, lambda name: flags.get(name, name)) from None


def _show(test: Backtest) -> None:
    """Say how a backtest ended."""
    first, *names = ("forecast", "orders", "of actual", "revenue", "of actual", "Gini", "AUC")
    widths = zip(names, (12, 11, 14, 11, 7, 7), strict=True)
    say(f"{first:<34}" + "".join(f"{name:>{width}}" for name, width in widths))
    for row in test.to_table().to_pylist():
        say(
            f"{row['model']:<34}{_number(row['orders']):>12}{_share(row['orders_ratio']):>11}"
            f"{_number(row['revenue']):>14}{_share(row['revenue_ratio']):>11}"
            f"{_ratio(row['gini']):>7}{_ratio(row['auc']):>7}"
        )
    for line in test.verdict.splitlines():
        say(line)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
