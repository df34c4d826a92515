"""Data to try things out with: real orders that other packages ship, and generated ones."""

from ordercycle._datasets.dataset import Dataset
from ordercycle._datasets.generator import generated
from ordercycle._datasets.grocery_streams import Groceries
from ordercycle._datasets.packaged import cdnow, groceries
from ordercycle._datasets.planted_touches import Planted
from ordercycle._datasets.shop import Shop
from ordercycle._datasets.touches import Generated

__all__ = [
    "Dataset",
    "Generated",
    "Groceries",
    "Planted",
    "Shop",
    "cdnow",
    "generated",
    "groceries",
]
