"""The page of what was missed: when it was due, why nothing started it, and what has made it good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_scheduled_tasks.admin.ui.html import (
    Instants,
    execution_link,
    execution_pill,
    instant,
    link,
    page_url,
    task_url,
)
from django_scheduled_tasks.admin.ui.missed import clock_text, due_text, run_now_text
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import starter_text
from django_scheduled_tasks.lifecycle import CatchUp, Outcome, Status
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.queries.executions.missed import Missed, made_good, missed

_MOST = 1_000
_LATE_RULES = {
    CatchUp.LATEST: lambda: _("Only the newest"),
    CatchUp.ALL: lambda: _("Each one"),
    CatchUp.NONE: lambda: pgettext("late ones", "None"),
}


class MissedPart:
    """What the page of *row* says, which was missed.

    Args:
        row: The execution with its task.
        site: The admin site.
        now: Aware; decides which day is today.
    """

    def __init__(self, row: Execution, site: AdminSite, now: datetime) -> None:
        self.row, self.site, self.now = row, site, now
        self.found: Missed = missed(row.error_message)
        self.by = made_good([row]).get(row.pk)

    @property
    def due(self) -> datetime:
        """When it was due."""
        found: datetime = self.row.scheduled_for or self.row.triggered_at
        return found

    def head(self) -> SafeString:
        """Return the head: what was due, why it did not start, and what has made it good."""
        row, found = self.row, self.found
        context = {
            "pill": execution_pill(row),
            "task_name": row.task_name,
            "task_url": task_url(self.site, "change", row.task_id) if row.task_id else "",
            "function": row.function,
            "sentence": " ".join(filter(None, [self._due_sentence(), found.sentence])),
            "rest": self._why_missed(),
            "good": self._good() if self.by is not None else "",
            "is_good": self.by is not None and self.by.status == Status.COMPLETED,
            "facts": self._facts(),
            "tracking_id": row.tracking_id,
        }
        return render_to_string("admin/django_scheduled_tasks/execution/missed.html", context)

    def _due_sentence(self) -> str:
        return _("Due %(instant)s.") % {"instant": due_text(self.due, self.now)}

    def _why_missed(self) -> str:
        found, recorded = self.found, clock_text(self.row.triggered_at, self.now)
        if found.grace is None:
            said = _("It was recorded as missed at %(recorded)s.") % {"recorded": recorded}
            return f"{found.reason} {said}".strip()
        values = {
            "end": clock_text(self.due + found.grace, self.now),
            "grace": duration_text(found.grace),
            "recorded": recorded,
        }
        text = _("It could start until %(end)s (%(grace)s of grace), so it was recorded as missed at %(recorded)s.")
        return text % values

    def _good(self) -> SafeString:
        by = self.by
        assert by is not None  # noqa: S101  (for the type checker)
        shown, starter = execution_link(self.site, by.pk), starter_text(by)
        if by.rerun_of_id == self.row.pk:
            text = run_now_text(self.row, self.now)
            starter = f"{by.triggered_by}, {text}" if by.triggered_by_id else text
        if by.status == Status.COMPLETED and by.started_at and by.completed_at:
            took = duration_text(by.completed_at - by.started_at)
            text = _("Made good by {execution}: {starter}, at {instant}; completed in {duration}.")
            at = clock_text(by.triggered_at, self.now)
            return format_html(text, execution=shown, starter=starter, instant=at, duration=took)
        text = _("{execution} is making it good: {starter}, at {instant}.")
        if not by.is_open:
            text = _("{execution} has not made it good: {starter}, at {instant}.")
        return format_html(text, execution=shown, starter=starter, instant=clock_text(by.triggered_at, self.now))

    def _facts(self) -> list[tuple[str, Any]]:
        row, now, task = self.row, self.now, self.row.task
        facts: list[tuple[str, Any]] = [
            (_("Due"), instant(self.due, seconds=True, now=now)),
            (_("Recorded"), instant(row.triggered_at, seconds=True, now=now)),
        ]
        if task is not None:
            rule = _LATE_RULES[CatchUp(task.catch_up)]()
            grace = _("%(duration)s of grace") % {"duration": duration_text(task.grace)} if task.grace else ""
            facts += [(_("Late ones start"), ", ".join(filter(None, [rule, grace]))), (_("Zone"), task.timezone)]
        if row.occurrences > 1:
            text = ngettext("%(count)s occurrence", "%(count)s occurrences", row.occurrences)
            facts.append((_("Stands for"), text % {"count": row.occurrences}))
        return facts

    def why(self) -> SafeString:
        """Return the list of instants that says why it did not run."""
        found, row = self.found, self.row
        workers = page_url(self.site, "presence_changelist")
        steps: list[tuple[Any, Any]] = []
        if found.since:
            more = format_html(" {}", link(workers, _("Workers"))) if workers else ""
            steps.append((found.since, format_html("{}{}", _("A scheduler was seen last."), more)))
        steps.append((self._clock(self.due), _("%(task)s was due.") % {"task": row.task_name}))
        if found.grace is not None:
            text = _("Its grace of %(grace)s was over.") % {"grace": duration_text(found.grace)}
            steps.append((self._clock(self.due + found.grace), text))
        if found.until:
            steps.append((found.until, _("A scheduler was back.")))
        steps.append((self._clock(row.triggered_at), self._recorded()))
        said = found.reason or found.sentence
        return render_to_string(
            "admin/django_scheduled_tasks/execution/why_missed.html", {"steps": steps, "said": said}
        )

    def _clock(self, moment: datetime) -> str:
        """Return a time of the day on which it was due; of another day with that."""
        zone = Instants(self.now).zone
        local, due = moment.astimezone(zone), self.due.astimezone(zone)
        is_same = local.date() == due.date()
        return f"{local:%H:%M:%S}" if is_same else Instants(self.now).text(moment, seconds=True)

    def _recorded(self) -> str:
        """Return what was recorded, and how many others were missed at the same pass; one statement."""
        row = self.row
        rows = Execution.objects.using(write_alias()).filter(
            triggered_at=row.triggered_at, status=Status.ERRORS, outcome=Outcome.MISSED
        )
        count = len(rows.exclude(pk=row.pk).values_list("pk", flat=True)[: _MOST + 1])
        if not count:
            return _("It was recorded as missed; nothing else was.")
        text = ngettext(
            "It was recorded as missed, and %(count)s other with it.",
            "It was recorded as missed, and %(count)s others with it.",
            count,
        )
        return text % {"count": f"{_MOST:,}+" if count > _MOST else count}
