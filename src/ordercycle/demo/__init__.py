"""The demonstration: real grocery baskets or generated orders, told as a story."""

from ordercycle.demo.generated import Shop, generated_customers, generated_orders

__all__ = ["Shop", "generated_customers", "generated_orders"]
