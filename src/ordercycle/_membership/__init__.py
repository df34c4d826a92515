"""Who was in which segment, and when."""
