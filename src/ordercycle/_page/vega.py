"""Vega: the library in charge of drawing, as Python packages bring it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import Any

from ordercycle._errors import MissingExtraError

MISSING = (
    'charts and pages need altair and vl-convert; install them with pip install "ordercycle[page]"'
)
#: What scripts find in the bundle: Vega without Vega-Lite, a third smaller, and what reads its
#: expressions where they must not be compiled. Paths and versions are those of vl-convert 1.9.
SNIPPET = """
import {parse, View, None} from "/npm/vega@6.2.0/+esm";
import {expressionInterpreter} from "/npm/vega-interpreter@2.0.0/+esm";
window.vega = {parse, View, None, expressionInterpreter};
"""


def require() -> None:
    """Raise a MissingExtraError where a page could not be drawn: before its numbers are counted."""
    if None in map(find_spec, ("altair", "vl_convert")):
        raise MissingExtraError(MISSING)


def altair() -> Any:
    """Return Altair, in which charts are declared."""
    try:
        import altair as alt
    except ImportError:
        raise MissingExtraError(MISSING) from None
    return alt


@cache
def script() -> str:
    """Return Vega's script, in which nothing ends the element that holds it."""
    try:
        import vl_convert
    except ImportError:
        raise MissingExtraError(MISSING) from None
    text: str = vl_convert.javascript_bundle(SNIPPET)
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def compiled(declared: str) -> dict[str, Any]:
    """Return the Vega specification of one in Vega-Lite, as JSON."""
    import vl_convert

    spec: dict[str, Any] = vl_convert.vegalite_to_vega(declared)
    return spec


def picture(declared: str) -> str:
    """Return the picture of a chart in Vega-Lite, as JSON, as an SVG element."""
    try:
        import vl_convert
    except ImportError:
        raise MissingExtraError(MISSING) from None
    drawn: str = vl_convert.vegalite_to_svg(declared)
    return drawn


def specification(chart: Any) -> dict[str, Any]:
    """Return a chart for pages, whose script sets size and data."""
    spec = compiled(json.dumps(chart.to_dict(), sort_keys=True))
    return {**spec, "autosize": "none"}


def licences() -> str:
    """Return the licences of what a page brings along."""
    return (resources.files("ordercycle._page") / "assets" / "licences.txt").read_text()
