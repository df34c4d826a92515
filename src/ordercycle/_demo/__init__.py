"""The demonstration: real grocery baskets or generated orders, shown as a story."""
