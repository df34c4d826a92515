"""The same work on a cluster: `spark` and `dask` take and give the frames of these engines."""
