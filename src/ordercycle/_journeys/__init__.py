"""Journeys: who enters, what is due, who converted, as a function of history."""
