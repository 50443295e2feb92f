"""Tags for the templates of our admin pages: the health line and the note about the installation.

Django imports this module with its first template, whichever that is: in a project without the admin as well, and while
a theme of the admin is being imported. So our admin is imported when a tag is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.template import Context, Library
from django.template.loader import render_to_string

if TYPE_CHECKING:
    from django_scheduled_tasks.admin.installation.health import Health

register = Library()


@register.simple_tag(takes_context=True)
def installation_health(context: Context, *, in_form: bool = False) -> str:
    """Draw the health line, and the worst note below it.

    Args:
        context: Of a page of the admin.
        in_form: Whether it stands inside a form.
    """
    found = _health(context)
    if found is None:
        return ""
    shown = {"line": found.line(), "note": found.note(in_form=in_form), **found.line_again()}
    return render_to_string("admin/django_scheduled_tasks/health.html", shown)


@register.simple_tag(takes_context=True)
def health_line(context: Context) -> str:
    """Draw the health line alone."""
    found = _health(context)
    return found.line() if found is not None else ""


@register.simple_tag(takes_context=True)
def installation_note(context: Context, *, in_form: bool = False) -> str:
    """Draw the worst note alone; *in_form* as above."""
    found = _health(context)
    return found.note(in_form=in_form) if found is not None else ""


def _health(context: Context) -> Health | None:
    from django_scheduled_tasks.admin.installation.health import health_on  # noqa: PLC0415  (see above)

    return health_on(getattr(context, "request", None))
