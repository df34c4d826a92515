"""The grouped history: built, kept, extended and queried."""
