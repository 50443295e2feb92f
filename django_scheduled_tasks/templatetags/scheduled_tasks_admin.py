"""Tags for the templates of our admin pages: the health line and the note about the installation."""

from __future__ import annotations

from django.template import Context, Library
from django.template.loader import render_to_string

from django_scheduled_tasks.admin.installation.health import health_on
from django_scheduled_tasks.admin.ui.base import TEMPLATES

register = Library()


@register.simple_tag(takes_context=True)
def installation_health(context: Context, *, in_form: bool = False) -> str:
    """Draw the health line, and the worst note below it.

    Args:
        context: Of a page of the admin.
        in_form: Whether it stands inside a form.
    """
    found = health_on(getattr(context, "request", None))
    if found is None:
        return ""
    shown = {"line": found.line(), "note": found.note(in_form=in_form)}
    return render_to_string(f"{TEMPLATES}/health.html", shown)


@register.simple_tag(takes_context=True)
def health_line(context: Context) -> str:
    """Draw the health line alone."""
    found = health_on(getattr(context, "request", None))
    return found.line() if found is not None else ""


@register.simple_tag(takes_context=True)
def installation_note(context: Context, *, in_form: bool = False) -> str:
    """Draw the worst note alone; *in_form* as above."""
    found = health_on(getattr(context, "request", None))
    return found.note(in_form=in_form) if found is not None else ""
