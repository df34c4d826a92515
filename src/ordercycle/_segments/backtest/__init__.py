"""How a model would have done on what came after a day in the past."""
