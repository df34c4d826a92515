"""Print measured figures beside the limits they are held against."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A measured value; `limit` is the most, or the `least`, it should be."""

    what: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None


def print_figures(figures: list[Figure]) -> int:
    """Print a line for each figure; return how many missed their limits."""
    width = max(len(figure.what) for figure in figures)
    missed = 0
    for what, value, unit, most, least in figures:
        verdict = ""
        if most is not None or least is not None:
            held = (most is None or value <= most) and (least is None or value >= least)
            missed += not held
            bound = f"at most {most:g}" if most is not None else f"at least {least:g}"
            verdict = f"  {bound} {unit}: {'held' if held else 'MISSED'}"
        print(f"{what.ljust(width)}  {value:8.2f} {unit}{verdict}".rstrip())
    return missed
