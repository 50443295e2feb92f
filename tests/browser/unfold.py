"""What is django-unfold's own where it draws the admin: our parts answer for the rest."""

from __future__ import annotations

from django.apps import apps

IS_UNFOLD = apps.is_installed("unfold")
STRICT = "default-src 'self'"
POLICY = (
    f"{STRICT}; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    if IS_UNFOLD
    else STRICT
)
"""unfold's pages have inline scripts and styles, and Alpine evaluates expressions in attributes."""
NOT_OURS = {"landmark-one-main", "landmark-unique", "region"} if IS_UNFOLD else set()
"""Rules of axe-core that unfold's frame breaks on each page: it has no ``<main>``, and SimpleBar names all its regions
alike."""
