"""From blocks to customers: the rows of each partition grouped, ordered and joined to batches."""
