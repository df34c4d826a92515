"""The streams of the groceries: lines with their categories, and what campaigns did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from ordercycle._datasets.dataset import Dataset
from ordercycle._public import public

#: What a product is looked up for, and its name in the package's table.
PRODUCT_COLUMNS = {
    "product": "product_id",
    "category": "product_category",
    "department": "department",
    "brand": "brand",
    "type": "product_type",
    "size": "package_size",
}
#: What stands on every line besides: few values, and what conditions are mostly about.
LINE_ATTRIBUTES = ("category", "department", "brand")
LINE_TEXT = pa.dictionary(pa.int16(), pa.string())


@public("ordercycle.datasets")
@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Groceries(Dataset):
    """The orders of the groceries, and the streams behind them.

    `lines` and `touches` return what customers did, a row an event; `products` and `campaigns`
    return what is known of each product and each campaign. All are tables in memory with the same
    names: ``customer_id``, a time, and attributes called as their lookups' first column.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.groceries()
    >>> data.lines().column_names
    ['customer_id', 'occurred_at', 'order_id', 'product', 'category', 'department', 'brand', \
'quantity', 'amount']
    >>> data.products().num_rows
    92331
    """

    _methods: ClassVar[tuple[str, ...]] = ("lines", "products", "touches", "campaigns")

    def lines(self) -> pa.Table:
        """Return what was bought, a row for each product of a basket.

        Returns
        -------
        pyarrow.Table
            ``customer_id: int64`` (the household), ``occurred_at: timestamp[us]`` (local),
            ``order_id: int64`` (the basket), ``product: int64``; ``category``, ``department`` and
            ``brand`` as dictionaries of text, null where nothing is known of the product;
            ``quantity: int64`` and ``amount: float64`` in dollars.

        Examples
        --------
        >>> import pyarrow.compute as pc
        >>> import ordercycle as oc
        >>> lines = oc.datasets.groceries().lines()
        >>> coffee = lines.filter(pc.field("category") == "COFFEE")
        >>> coffee.num_rows, round(pc.sum(coffee["amount"]).as_py(), 2)
        (7795, 36874.53)
        """
        import pyarrow.compute as pc
        from pyarrow import parquet

        rows = parquet.read_table(self.orders)
        products = self.products()
        places = pc.index_in(rows["product_id"], products["product"])
        columns = {
            "customer_id": rows["household_id"],
            "occurred_at": rows["transaction_timestamp"].cast(pa.timestamp("us")),
            "order_id": rows["basket_id"],
            "product": rows["product_id"],
        }
        for name in LINE_ATTRIBUTES:
            values = products[name].combine_chunks().dictionary_encode().cast(LINE_TEXT)
            columns[name] = values.take(places)
        return pa.table(columns | {"quantity": rows["quantity"], "amount": rows["sales_value"]})

    def products(self) -> pa.Table:
        """Return what is known of each product.

        Returns
        -------
        pyarrow.Table
            ``product: int64`` (unique), ``category``, ``department``, ``brand``, ``type`` and
            ``size`` as text or null. Seventeen products of the lines are not in it.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.datasets.groceries().products().to_pylist()[0]
        {'product': 25671, 'category': 'FRZN ICE', 'department': 'GROCERY', 'brand': 'National', \
'type': 'ICE - CRUSHED/CUBED', 'size': '22 LB'}
        """
        from pyarrow import parquet

        rows = parquet.read_table(self.tables["products"])
        return pa.table({name: rows[given] for name, given in PRODUCT_COLUMNS.items()})

    def touches(self) -> pa.Table:
        """Return whom campaigns reached, and who redeemed a coupon of theirs.

        A campaign reaches its households on its first day, which for some lies before the first
        basket.

        Returns
        -------
        pyarrow.Table
            ``customer_id: int64``, ``occurred_on: date32``, ``kind`` (``delivery`` or ``redeem``)
            and ``campaign: int64``.

        Examples
        --------
        >>> import ordercycle as oc
        >>> touches = oc.datasets.groceries().touches()
        >>> touches["kind"].value_counts().to_pylist()
        [{'values': 'delivery', 'counts': 6589}, {'values': 'redeem', 'counts': 2102}]
        """
        from pyarrow import parquet

        reached = parquet.read_table(self.tables["campaigns"])
        redeemed = parquet.read_table(self.tables["coupon_redemptions"])
        campaigns = self.campaigns()
        reached = reached.join(campaigns, "campaign_id", "campaign", join_type="left outer")
        deliveries = pa.table(
            {
                "customer_id": reached["household_id"],
                "occurred_on": reached["starts_on"],
                "kind": pa.repeat("delivery", reached.num_rows),
                "campaign": reached["campaign_id"],
            }
        )
        redemptions = pa.table(
            {
                "customer_id": redeemed["household_id"],
                "occurred_on": redeemed["redemption_date"].cast(pa.date32()),
                "kind": pa.repeat("redeem", redeemed.num_rows),
                "campaign": redeemed["campaign_id"],
            }
        )
        by_day = [(name, "ascending") for name in ("occurred_on", "customer_id", "campaign")]
        return pa.concat_tables([deliveries, redemptions]).sort_by([*by_day, ("kind", "ascending")])

    def campaigns(self) -> pa.Table:
        """Return what is known of each campaign.

        Returns
        -------
        pyarrow.Table
            ``campaign: int64`` (unique), ``type: string``, ``starts_on: date32`` and
            ``ends_on: date32``.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.datasets.groceries().campaigns().to_pylist()[0]
        {'campaign': 1, 'type': 'Type B', 'starts_on': datetime.date(2017, 3, 3), \
'ends_on': datetime.date(2017, 4, 9)}
        """
        from pyarrow import parquet

        rows = parquet.read_table(self.tables["campaign_descriptions"])
        return pa.table(
            {
                "campaign": rows["campaign_id"],
                "type": rows["campaign_type"],
                "starts_on": rows["start_date"].cast(pa.date32()),
                "ends_on": rows["end_date"].cast(pa.date32()),
            }
        )
