"""A dashboard of the groceries beside the documentation, made when that is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Where it is, from the root of the documentation.
FILE = "segments.html"


def build_page(app: Sphinx, exception: Exception | None) -> None:
    """Write the page where HTML is written."""
    if exception is not None or app.builder.format != "html":
        return
    import ordercycle as oc

    data = oc.datasets.groceries()
    history = oc.OrderHistory.build(data.orders, columns=data.columns)
    schemes = [oc.Lifecycle().fit(history, data.as_of), oc.Rfm()]
    months = ("2017-01", "2017-12")
    page = oc.Dashboard.build(history, schemes, months=months, title="Groceries", currency="USD")
    page.save(Path(app.outdir) / FILE)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect."""
    app.connect("build-finished", build_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
