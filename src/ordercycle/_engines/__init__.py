"""What Spark and Dask share, and the tasks of each."""
