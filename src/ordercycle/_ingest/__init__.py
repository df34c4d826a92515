"""From batches to blocks: columns checked, ids hashed, rows laid out by customer hash."""
