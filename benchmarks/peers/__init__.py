"""The same work in other engines, on the same rows, in one run."""
