"""The browsable API: as DRF's, and where a task is run, a form with the parameters of its function."""

from __future__ import annotations

from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer

from django_scheduled_tasks.exceptions import ScheduledTasksError


class FormRenderer(BrowsableAPIRenderer):
    """Pages for people who try the API."""

    def show_form_for_method(self, view: Any, method: str, request: Any, obj: Any) -> bool:
        """Whether the reader may make this call on what the page is about."""
        try:
            if obj is None and view.is_about_one:
                obj = view.object_of_page()
            return bool(super().show_form_for_method(view, method, request, obj))
        except ScheduledTasksError:
            return False

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        """Return the form; the view gives it a field for each parameter."""
        view.fills_form = True
        try:
            return super().get_rendered_html_form(data, view, method, request)
        except ScheduledTasksError:
            return None
        finally:
            view.fills_form = False
