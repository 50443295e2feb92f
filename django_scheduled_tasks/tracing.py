"""The trace to which a trigger belongs, where OpenTelemetry's API is installed: a text that goes with the row.

Source:
    "Trace Context", W3C Recommendation, section 3.2, the header ``traceparent``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

TRACEPARENT_LENGTH = 55


def traceparent() -> str:
    """Return where the present span is, as the header ``traceparent`` has it; empty if there is none."""
    api = trace_api()
    if api is None:
        return ""
    here = api.get_current_span().get_span_context()
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}" if here.is_valid else ""


def span_context(text: str) -> Any:
    """Return OpenTelemetry's ``SpanContext`` of what :func:`traceparent` has returned; None if that says nothing."""
    api = trace_api()
    if api is None or len(text) != TRACEPARENT_LENGTH:
        return None
    _version, trace_id, span_id, flags = text.split("-")
    return api.SpanContext(
        trace_id=int(trace_id, 16), span_id=int(span_id, 16), is_remote=True, trace_flags=api.TraceFlags(int(flags, 16))
    )


@cache
def trace_api() -> Any:
    """Return the module ``opentelemetry.trace``; None if it is not installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415  (an extra)
    except ImportError:
        return None
    return trace
