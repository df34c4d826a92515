"""The demonstration: real grocery baskets or generated orders, told as a story."""

from ordercycle.demo.generated import generated_customers, generated_orders
from ordercycle.demo.shop import Shop

__all__ = ["Shop", "generated_customers", "generated_orders"]
