"""The compiled core of ordercycle: NumPy arrays in, NumPy arrays out."""
