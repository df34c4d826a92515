"""Streams of events other than orders: built, kept, and looked at like them."""
