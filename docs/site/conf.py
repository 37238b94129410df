"""The documentation site: `make docs` builds it into build/site, without the network."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from clock import __version__  # noqa: E402  # found by the line above

project = "clock"
author = "the authors of clock"
copyright = author  # noqa: A001  # Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.site.pages"]
exclude_patterns = ["design", "site", "images"]
root_doc = "index"
default_role = "code"
#: A changelog repeats its headings; docstrings are written for readers of code, with lists that RST would indent.
suppress_warnings = ["myst.header", "docutils"]

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "clock"
html_logo = html_favicon = "static/logo.svg"
html_baseurl = os.environ.get("CLOCK_DOCS_URL", "")  # where this version is published; "": links are relative
html_static_path = ["static"]
html_css_files = ["clock.css"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
templates_path = ["templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5c8a",
        "color-brand-content": "#0b5c8a",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
        "font-stack--monospace": "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'Liberation Mono', monospace",
    },
    "dark_css_variables": {"color-brand-primary": "#7cc4ee", "color-brand-content": "#7cc4ee"},
}

man_pages = [("reference/commands", "clock", "run a clock and its workers", author, 1)]
