"""The nine lifecycle segments by name, and the thresholds every engine here uses."""

NEW_DAYS = 30
ACTIVE_DAYS = 120
CHURNED_DAYS = 255

NEW_NO_ORDERS = "New \N{EN DASH} no orders"
NEW_ONE_ORDER = "New \N{EN DASH} 1 order"
NEW_MORE_ORDERS = "New \N{EN DASH} 2+ orders"
PROMISING = "Promising"
ACTIVE = "Active"
LOYAL = "Loyal"
AT_RISK = "At-risk"
CHURNED = "Churned"
INACTIVE = "Inactive (no orders)"

SEGMENTS = (
    NEW_NO_ORDERS,
    NEW_ONE_ORDER,
    NEW_MORE_ORDERS,
    PROMISING,
    ACTIVE,
    LOYAL,
    AT_RISK,
    CHURNED,
    INACTIVE,
)
