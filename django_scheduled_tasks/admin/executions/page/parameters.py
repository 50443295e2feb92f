"""The parameters on the page of an execution, each with where it is from."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.text.json_text import as_json
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries.executions.effective import Source, effective_parameters
from django_scheduled_tasks.services.secrets import shown_params

SOURCES = {
    Source.TASK: gettext_lazy("the task"),
    Source.RUN: gettext_lazy("this run"),
    Source.DEFAULT: gettext_lazy("default of the function"),
    None: "—",
}
LONGEST = 1_000
"""How many characters of a value the table shows; all of it is in the JSON below."""


def parameters_part(execution: Execution) -> SafeString | str:
    """Return the parameters with their sources, and as JSON; empty if there are none."""
    found = effective_parameters(execution)
    if not found:
        return ""
    rows = [
        {
            "name": one.name,
            "value": one.value if len(one.value) <= LONGEST else f"{one.value[:LONGEST]}…",
            "source": SOURCES[one.source],
        }
        for one in found
    ]
    given = shown_params(execution)
    context = {"rows": rows, "as_json": as_json(given) if given else ""}
    return render_to_string("admin/django_scheduled_tasks/execution/parameters.html", context)
