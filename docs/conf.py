# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the site: make html."""

import gc
import sys
from pathlib import Path
from typing import Any

import chainrule

DOCS = Path(__file__).parent
BUILD = DOCS.parent / "build" / "site"
repository_files = "https://github.com/chainrule/chainrule/blob/main"
sys.path.insert(0, str(DOCS / "extensions"))
# Most of a build's objects live until its end: looking for garbage among them as often as Python
# does takes more time than making the pages.
gc.set_threshold(1_000_000)

from docutils import nodes  # noqa: E402
from headers import write_xml  # noqa: E402
from sphinx import addnodes  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

project = "chainrule"
author = "the authors of chainrule"
copyright = "the authors of chainrule. Apache-2.0"
version = release = chainrule.__version__

extensions = [
    "breathe",
    "files_of_repository",
    "mathml",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["gallery", "lessons/**.ipynb"]

# Pages are Markdown that a code host shows as well.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "chainrule"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/chainrule/chainrule/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_math_renderer = "mathml"

# Names in docstrings are parameters more often than anything that has a page.
default_role = None
nitpicky = True
nitpick_ignore_regex = [
    # Of the standard library, NumPy and the like, whose pages would have to be fetched.
    ("py:.*", r"(?!chainrule\.).*"),
    # Of the headers: what Breathe finds no declaration for, such as std::vector.
    ("c(pp)?:.*", ".*"),
]
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say it with shapes and ranges
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True

breathe_projects = {"headers": str(BUILD / "doxygen" / "xml")}
suppress_warnings = ["duplicate_declaration.cpp"]  # each header opens the same namespace
breathe_default_project = "headers"
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "lessons",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "image_scrapers": ("drawings.scrape", "matplotlib"),
    "within_subsection_order": "drawings.in_order",
    "abort_on_example_error": False,
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "min_reported_time": 1e9,  # times of one machine are no part of a lesson
    "parallel": True,  # as Sphinx is; lessons that compare times say that they run alone
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}


def skip_inherited(
    _app: object, _what: str, _name: str, member: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out what estimators inherit from scikit-learn, whose texts refer to its own site."""
    return True if (getattr(member, "__module__", None) or "").startswith("sklearn.") else None


def shorten_contents(_app: object, page: nodes.document) -> None:
    """Leave members of C++ classes out of the contents, which every page's sidebar is made of."""
    for outer in page.findall(addnodes.desc):
        is_namespace = outer[0].astext().startswith("namespace ")
        if outer["domain"] in ("c", "cpp") and not is_namespace:
            for member in outer[1].findall(addnodes.desc):
                member["no-contents-entry"] = True


def show_own_branch(
    _app: object, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Navigate from each page to its own branch and to where the others begin.

    With all entries in each of 300 pages, the navigation took a third of the time of a build.
    """
    toctree = context["toctree"]
    context["toctree"] = lambda **options: toctree(**(options | {"collapse": True}))


def setup(app: Sphinx) -> None:
    """Have Doxygen read the headers before Breathe asks for them."""
    write_xml(DOCS.parent / "cpp" / "include", BUILD / "doxygen")
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("doctree-read", shorten_contents, priority=400)  # before contents are collected
    app.connect("html-page-context", show_own_branch, priority=400)  # before the theme asks for it
