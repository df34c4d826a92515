"""The Segments Dashboard: what schemes, memberships and a history give one page."""
