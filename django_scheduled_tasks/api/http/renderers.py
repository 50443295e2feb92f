"""Writing JSON."""

from __future__ import annotations

from rest_framework.renderers import JSONRenderer


class PlainJSON(JSONRenderer):
    """JSON that is the same whatever the project says about its own."""

    ensure_ascii = False
    compact = True
    strict = True
