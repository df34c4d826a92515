"""Signatures as readers need them.

Classes that are made by their own methods show none, and names of Python's own types lead nowhere:
Sphinx would take ``bytes`` for whichever attribute of ours is called so.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

#: Made by ``build``, ``open``, ``membership`` and the like; their constructors are private.
MADE_BY_METHODS = frozenset({"OrderHistory", "Membership", "SegmentReport", "Scheme"})


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to autodoc, and to what was read."""
    app.connect("autodoc-process-signature", _shown)
    app.connect("doctree-read", _unlink_types)
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


def _unlink_types(_app: Sphinx, page: document) -> None:
    """Replace links of annotations to Python's own types by their names."""
    for link in list(page.findall(pending_xref)):
        target = link.get("reftarget", "")
        if link.get("reftype") == "class" and isinstance(getattr(builtins, target, None), type):
            link.replace_self(link.children)
