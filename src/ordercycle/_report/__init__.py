"""The segment report: what each segment bought in a period, and who is in it at its end."""
