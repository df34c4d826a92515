"""Data to try things out with: real orders that other packages ship, and generated ones."""

from ordercycle.datasets.dataset import Dataset
from ordercycle.datasets.generator import generated
from ordercycle.datasets.packaged import cdnow, groceries
from ordercycle.datasets.shop import Shop

__all__ = ["Dataset", "Shop", "cdnow", "generated", "groceries"]
