"""Data to try things out with: real orders that other packages ship, and generated ones."""

from ordercycle._datasets.dataset import Dataset
from ordercycle._datasets.generator import generated
from ordercycle._datasets.packaged import cdnow, groceries
from ordercycle._datasets.shop import Shop

__all__ = ["Dataset", "Shop", "cdnow", "generated", "groceries"]
