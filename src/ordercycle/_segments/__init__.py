"""Segmentation schemes: rules that give every customer of a profile a segment."""
