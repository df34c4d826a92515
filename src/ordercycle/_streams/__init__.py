"""Streams of grouped events: their columns, batches of them, and conditions over them."""
