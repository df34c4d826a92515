"""Where rows come from: files, Arrow objects and streams, as batches of the requested columns."""
