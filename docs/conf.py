"""Sphinx configuration: `make docs` builds the site with warnings as errors."""

from importlib.metadata import version as version_of

project = "skautorec"
author = "skautorec developers"
copyright = "skautorec developers, BSD 3-Clause licence"
release = version = version_of("skautorec")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"
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
    "ignore_pattern": r"(demo|_data)\.py$",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skautorec",),
    "backreferences_dir": "generated/backreferences",
    "image_srcset": ["2x"],
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skautorec"
html_theme_options = {
    "github_url": "https://github.com/skautorec/skautorec",
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
html_sidebars = {"index": [], "start": [], "guide": [], "benchmarks": [], "changes": []}
