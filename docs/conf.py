"""Configuration of the documentation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django  # noqa: E402

django.setup()

from django_scheduled_tasks import __version__  # noqa: E402

project = "django_scheduled_tasks"
author = "The django_scheduled_tasks authors"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
smartquotes = False  # "--wait" is an option, not a dash
html_theme = "furo"
html_title = "django_scheduled_tasks"
exclude_patterns = ["_build"]
napoleon_custom_sections = [("Source", "notes_style")]
napoleon_google_docstring, napoleon_numpy_docstring = True, False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# "Raises" sections name errors by their short names, which are explained in the reference of errors.
nitpick_ignore_regex = [("py:exc", r"\w+")]
