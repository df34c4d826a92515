"""A slow, obvious reference for every number of the library: standard library only.

Nothing here imports the library, NumPy or Arrow. A disagreement between the library and the oracle
is settled by reading the definition, and the oracle is short enough to be read beside it.
"""
