"""Expressions over columns: pyarrow's, and text that stands for them."""
