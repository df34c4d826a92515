"""Features: columns per customer, computed of streams of events."""
