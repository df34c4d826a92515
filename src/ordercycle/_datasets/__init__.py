"""Data to try things out with: real orders that other packages ship, and generated ones."""
