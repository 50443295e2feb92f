"""The content of an execution's page, in parts that the live view updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib.admin import AdminSite
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.executions.list.tools import tools_of
from django_scheduled_tasks.admin.executions.page.changed import changed_part
from django_scheduled_tasks.admin.executions.page.facts import facts_of
from django_scheduled_tasks.admin.executions.page.log import newest_lines, own_frames
from django_scheduled_tasks.admin.executions.page.missed import MissedPart
from django_scheduled_tasks.admin.executions.page.parameters import parameters_part
from django_scheduled_tasks.admin.executions.page.progress import progress_text, time_left_text
from django_scheduled_tasks.admin.executions.page.told import acknowledge_url, told_text
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.html import (
    execution_link,
    execution_pill,
    execution_url,
    first_line,
    instant,
    label_and_text,
    task_url,
    zone_name,
)
from django_scheduled_tasks.admin.ui.text.humanize import duration_text, percent_text, percentage, units
from django_scheduled_tasks.admin.ui.text.json_text import as_json
from django_scheduled_tasks.admin.ui.text.labels import explain
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, write_alias
from django_scheduled_tasks.services.alerts.alerted import Alerted, alert_about
from django_scheduled_tasks.services.installation.state import standing as standing_here
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.permissions import Caller
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions.timeline import kind_of
from django_scheduled_tasks.services.queries.explain import standing

SLOW_TO_STOP = timedelta(seconds=10)


@dataclass
class ExecutionPage:
    """The content of the page of one execution.

    Args:
        row: The execution with its task and users, and with ``database_now``.
        site: The admin site.
        user: Who sees it.
        sees_logs: Whether the user may see logs, results and tracebacks.
        may_cancel: Whether the user may cancel it.
        may_run: Whether the user may run its task again.
        csrf_token: For the form that cancels it.
    """

    row: Execution
    site: AdminSite
    user: Caller
    sees_logs: bool
    may_cancel: bool
    may_run: bool
    csrf_token: str

    @property
    def now(self) -> datetime:
        """The present instant by the database's clock."""
        return self.row.database_now

    @property
    def zone(self) -> str:
        """The time zone of its task, in which the page is; that of the reader if the task is gone."""
        return self.row.task.timezone if self.row.task is not None else zone_name()

    @cached_property
    def recent(self) -> Sequence[Execution]:
        """The newest executions of its task."""
        return overview.recent_executions([self.row.task_id])[self.row.task_id] if self.row.task_id else []

    @cached_property
    def alerted(self) -> Alerted | None:
        """The alert in which it is counted, if it went wrong."""
        is_bad = kind_of(self.row.status, self.row.outcome) == "bad"
        return alert_about(self.row, self.user) if is_bad else None

    @cached_property
    def sentence(self) -> str:
        """One sentence that explains the status."""
        task, row = self.row.task, self.row
        if standing_here().was_running(row):
            return _("It was running when the copy was made.")
        if row.error_code in standing.REASONS:
            return in_words(row.error_message)
        return explain(
            row,
            now=self.now,
            max_attempts=task.max_attempts if task else 1,
            timeout=task.timeout if task else None,
            expires_after=task.expires_after if task else None,
            cancelled_by=str(row.cancel_requested_by) if row.cancel_requested_by_id else "",
        )

    @cached_property
    def missed(self) -> MissedPart | None:
        """What the page says instead, if it was missed."""
        return MissedPart(self.row, self.site, self.now) if self.row.outcome == Outcome.MISSED else None

    # --- the head

    def head(self) -> SafeString:
        """Return the head: status, sentence, progress and facts."""
        if self.missed is not None:
            return self.missed.head()
        row = self.row
        done = percentage(row.progress_current, row.progress_total)
        context = {
            "pill": execution_pill(row),
            "task_name": row.task_name,
            "task_url": task_url(self.site, "change", row.task_id) if row.task_id else "",
            "function": row.function,
            "sentence": self.sentence,
            "is_open": row.is_open,
            "is_running": row.status == Status.PROCESSING,
            "has_progress": row.progress_current is not None or bool(row.progress_message),
            "progress": progress_text(row),
            "done": done,
            "done_text": percent_text(done) if done is not None else "",
            "left": time_left_text(row, done, self.recent, now=self.now),
            "facts": facts_of(row, self.recent, now=self.now),
            "units": "|".join(units()),
            "told": told_text(self.alerted, self.site) if self.alerted is not None else "",
            "stopping": self.stopping_text(),
            "tracking_id": row.tracking_id,
        }
        return render_to_string("admin/django_scheduled_tasks/execution/head.html", context)

    def stopping_text(self) -> str:
        """Return the state of a request to cancel."""
        row = self.row
        if row.cancel_requested_at is None or not row.is_open:
            return ""
        if row.cancel_force_at is not None and row.cancel_force_at <= self.now:
            return _("Its process is being ended.")
        if not self.is_slow_to_stop:
            return _("Cancelling…")
        return _("It has not stopped yet. It stops when it next checks, or at its time limit.")

    @property
    def is_slow_to_stop(self) -> bool:
        """Whether it was asked to stop a while ago."""
        asked = self.row.cancel_requested_at
        return asked is not None and self.now - asked >= SLOW_TO_STOP

    # --- what went wrong

    def problem(self) -> SafeString | str:
        """Return the error, shown directly under the head; of what was missed, why."""
        if self.missed is not None:
            return self.missed.why()
        row = self.row
        if kind_of(row.status, row.outcome) != "bad" and not (row.error_message and row.is_open):
            return ""
        context = {
            "line": first_line(row, limit=2_000, sees_logs=self.sees_logs),
            "rest": row.error_message.strip().partition("\n")[2] if self.sees_logs else "",
            "own": own_frames(row.traceback) if self.sees_logs else "",
            "everything": row.traceback if self.sees_logs else "",
            "hides": bool(row.traceback) and not self.sees_logs,
            "is_retrying": row.is_open,
        }
        problem = render_to_string("admin/django_scheduled_tasks/execution/problem.html", context)
        return format_html("{}{}", problem, "" if row.is_open else changed_part(row, self.site, self.user))

    # --- the rest

    def log_lines(self, after: int = 0) -> list[ExecutionLog]:
        """Return the newest log lines after number *after*; none if the user may not see logs."""
        return newest_lines(self.row, after) if self.sees_logs else []

    def result(self) -> SafeString | str:
        """Return the function's result."""
        row = self.row
        if not self.sees_logs or row.result is None:
            return ""
        shown = row.result if row.result_format in {"repr", "cut"} else as_json(row.result)
        notes = {"repr": _("Not JSON; shown as Python writes it."), "cut": _("Cut: it was larger than is kept.")}
        context = {"shown": shown, "note": notes.get(row.result_format, "")}
        return render_to_string("admin/django_scheduled_tasks/execution/result.html", context)

    def rest(self) -> SafeString:
        """Return reason, attempts, and links to related executions."""
        row = self.row
        context = {
            "reason": in_words(row.reason) if row.trigger == Trigger.SCHEDULE else row.reason,
            "attempts": self.attempts(),
            "rerun_of": execution_link(self.site, row.rerun_of_id) if row.rerun_of_id else "",
            "blocked_by": execution_link(self.site, row.blocked_by_id) if row.blocked_by_id else "",
            "later": self.later_completed(),
            "earlier_link": self._neighbour(is_later=False),
            "later_link": self._neighbour(is_later=True),
            "compare_url": execution_url(self.site, "compare", row.pk) if row.task_id and not row.is_open else "",
        }
        return render_to_string("admin/django_scheduled_tasks/execution/rest.html", context)

    def attempts(self) -> list[dict[str, Any]]:
        """Return the attempts if there was more than one."""
        row = self.row
        attempts = Attempt.objects.using(write_alias()).filter(execution=row).order_by("number")
        found = [
            {
                "number": item.number,
                "pill": execution_pill(Execution(status=Status.ERRORS, outcome=item.outcome)),
                "at": instant(item.started_at, seconds=True, now=self.now),
                "took": duration_text(item.ended_at - item.started_at) if item.started_at else "",
                "error": first_line(item, sees_logs=self.sees_logs),
            }
            for item in attempts
        ]
        if found and (row.is_open or row.status == Status.COMPLETED):
            at = instant(row.started_at if row.status != Status.PENDING else row.not_before, seconds=True, now=self.now)
            found.append({"number": row.attempt, "pill": execution_pill(row), "at": at, "took": "", "error": ""})
        return found if len(found) > 1 else []

    def later_completed(self) -> SafeString | str:
        """Return links to later executions that completed, after a failed one."""
        if kind_of(self.row.status, self.row.outcome) != "bad":
            return ""
        later = [item for item in self.recent if item.pk > self.row.pk and item.status == Status.COMPLETED][-3:]
        return format_html_join(", ", "{}", ((execution_link(self.site, item.pk, f"#{item.pk}"),) for item in later))

    def _neighbour(self, *, is_later: bool) -> str:
        if self.row.task_id is None:
            return ""
        rows = Execution.objects.of_task(self.row.task_id, oldest_first=is_later)
        rows = rows.filter(pk__gt=self.row.pk) if is_later else rows.filter(pk__lt=self.row.pk)
        found = rows.values_list("pk", flat=True).first()
        return execution_url(self.site, "change", found) if found is not None else ""

    def tools(self) -> SafeString:
        """Return the buttons for what can be done with it now."""
        return tools_of(
            self.row,
            site=self.site,
            now=self.now,
            csrf_token=self.csrf_token,
            acknowledge_url=acknowledge_url(self.alerted, self.row, self.site, self.user) if self.alerted else "",
            may_cancel=self.may_cancel,
            may_run=self.may_run,
            is_slow_to_stop=self.is_slow_to_stop,
            missed=self.missed,
        )

    # --- live

    def signature(self) -> tuple[Any, ...]:
        """Return the values that the parts depend on, apart from the time."""
        row = self.row
        progress = (row.progress_current, row.progress_total, row.progress_message)
        return (row.status, row.outcome, row.attempt, row.not_before, *progress, self.stopping_text(), row.started_at)

    def announcement(self) -> str:
        """Return one sentence for screen readers."""
        word, _text = label_and_text(self.row)
        return f"{word.label}. {self.sentence}"

    def parts(self) -> list[SafeString]:
        """Return all parts but the log as swaps."""
        contents = {
            "dst-head": self.head(),
            "dst-problem": self.problem(),
            "dst-result": self.result(),
            "dst-parameters": parameters_part(self.row),
            "dst-rest": self.rest(),
            "dst-tools": self.tools(),
        }
        return [live.swap_into(element, content) for element, content in contents.items()]
