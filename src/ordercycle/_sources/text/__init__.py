"""Files of text: described by their caller, divided where records end, read in declared types."""
