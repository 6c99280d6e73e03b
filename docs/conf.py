"""Sphinx configuration: `make docs` builds the site with warnings as errors."""

import os
import sys
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

from skautorec import __version__

sys.path.append(str(Path(__file__).parent))

project = "skautorec"
author = "skautorec developers"
copyright = "skautorec developers, BSD 3-Clause licence"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = False
default_role = "py:obj"

# Links into other projects need their inventories from the network, and a build without one must
# not fail: DOCS_INTERSPHINX=1 asks for them.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False
numpydoc_validation_checks = {"GL01", "GL03", "GL08", "PR01", "PR02", "PR03", "RT01", "SS03"}
numpydoc_validation_exclude = {r"\._", r"set_\w+_request$", r"\.get_\w+$", r"\.set_params$"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"demo\.py$",
    "image_scrapers": ("figures.scrape",),
    "reset_modules": ("matplotlib", "figures.style"),
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skautorec",),
    "backreferences_dir": "generated/backreferences",
    "image_srcset": ["2x"],
    "parallel": True,
    "show_memory": False,
    "write_computation_times": False,
}

html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme = "pydata_sphinx_theme"
html_title = "skautorec"
# Where pages are published beside those of other versions, docs/versions.py lists these.
switcher = {}
if "DOCS_VERSION" in os.environ:
    name = ".".join(os.environ["DOCS_VERSION"].removeprefix("v").split(".")[:2])
    url = "https://skautorec.github.io/skautorec/switcher.json"
    switcher = {
        "switcher": {"json_url": url, "version_match": name},
        "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
        "show_version_warning_banner": True,
        "check_switcher": False,
    }

html_favicon = "_static/logo.svg"
html_theme_options = {
    "logo": {
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
        "text": f"skautorec {__version__}",
        "alt_text": "",
    },
    "header_links_before_dropdown": 5,
    **switcher,
    "github_url": "https://github.com/skautorec/skautorec",
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
html_sidebars = {
    page: []
    for page in (
        "index",
        "start",
        "data",
        "recipes",
        "works",
        "faq",
        "benchmarks",
        "comparison",
        "changes",
        "contributing",
        "security",
    )
}


def _math(self, node):
    self.body.append(tex2mathml(node.astext()))
    raise SkipNode


def _display_math(self, node):
    self.body.append(tex2mathml(node.astext(), as_block=True))
    raise SkipNode


def setup(app):
    """Render equations as MathML, which browsers show without a script from the network."""
    app.add_html_math_renderer("mathml", (_math, None), (_display_math, None))
