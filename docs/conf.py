"""How Sphinx builds this documentation: `sphinx-build -W docs docs/_build`."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ordercycle"
author = "The ordercycle authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = installed_version("ordercycle")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "complete_reference",
    "declared_tables",
    "kernel_list",
    "live_page",
    "shown_signatures",
]
exclude_patterns = ["_build", "exports"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
toc_object_entries = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_mock_imports = ["dask", "distributed", "pandas", "pyspark"]
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "ordercycle"
html_static_path = ["_static"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
