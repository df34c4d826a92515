"""Signatures as readers need them: none for classes that are made by their own methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Made by ``build``, ``open``, ``membership`` and the like; their constructors are private.
MADE_BY_METHODS = frozenset({"OrderHistory", "Membership", "SegmentReport", "Scheme"})


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to autodoc."""
    app.connect("autodoc-process-signature", _shown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _shown(
    _app: Sphinx,
    what: str,
    name: str,
    _thing: Any,
    _options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    if what == "class" and name.rpartition(".")[2] in MADE_BY_METHODS:
        return "", None
    return signature, returns
