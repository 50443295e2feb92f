"""Writing JSON."""

from __future__ import annotations

from rest_framework.renderers import JSONRenderer


class PlainJSON(JSONRenderer):
    """JSON that is the same whatever the project says about its own."""

    ensure_ascii = False
    compact = True
    strict = True


class EventStream(PlainJSON):
    """What errors are written with where a client asks for Server-Sent Events; the events are not rendered."""

    media_type = "text/event-stream"
    format = "events"
