"""The limits of a task on its form: groups, what each means and is by default, and all of them in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from django_scheduled_tasks.admin.tasks.form.downtime import hour_without_scheduler
from django_scheduled_tasks.admin.tasks.page.preview import inputs_of, shown, stored_of
from django_scheduled_tasks.admin.ui.text.humanize import whole_duration_text
from django_scheduled_tasks.admin.ui.widgets import DurationField, DurationInput
from django_scheduled_tasks.backoff import retry_wait
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import CatchUp, OnWorkerLost, Overlap
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.planner import MOST_CAUGHT_UP
from django_scheduled_tasks.translation import say_number

GROUPS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "overlap": (gettext_lazy("Overlap"), ("overlap", "concurrency_group", "queue")),
    "time": (gettext_lazy("Time"), ("timeout", "expires_after")),
    "retries": (
        gettext_lazy("Retries"),
        (
            *("max_attempts", "min_backoff", "max_backoff", "max_doublings", "max_age", "retry_on"),
            *("on_worker_lost", "pause_after_failures"),
        ),
    ),
    "late": (gettext_lazy("Late runs"), ("catch_up", "grace")),
    "history": (pgettext_lazy("limits", "History"), ("keep_last", "keep_for", "log_level")),
}
"""Label and fields of each group."""
HELP: Mapping[str, Any] = {
    "overlap": gettext_lazy("What happens when a run is due while an earlier one of the task is still open."),
    "concurrency_group": gettext_lazy("Tasks with the same word here never run at the same time."),
    "queue": gettext_lazy("Only workers of this queue take its runs."),
    "spread": gettext_lazy("A run starts within so long after it is due, each time by the same distance."),
    "timeout": gettext_lazy("A run that takes longer is stopped and has failed."),
    "expires_after": gettext_lazy("A run that has waited longer for a worker is given up."),
    "max_attempts": gettext_lazy("So often a run is tried before it has failed."),
    "min_backoff": gettext_lazy("So long it waits after the first attempt; then twice as long each time."),
    "max_backoff": gettext_lazy("It never waits longer than this between two attempts."),
    "max_doublings": gettext_lazy("After so many doublings the wait grows by the same step each time."),
    "max_age": gettext_lazy("So long after it was due no further attempt begins."),
    "on_worker_lost": gettext_lazy("What happens when the process that runs it dies."),
    "pause_after_failures": gettext_lazy("After so many failures in a row the scheduler pauses the task."),
    "catch_up": gettext_lazy("What starts of the runs that were due while no scheduler ran."),
    "grace": gettext_lazy("A run that is found later than this after it was due is missed."),
    "keep_last": gettext_lazy("So many ended runs are kept, those that succeeded and the others counted apart."),
    "keep_for": gettext_lazy("Ended runs are kept for so long."),
    "log_level": gettext_lazy("The least severe lines of the log that are kept."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a task; the columns of the same names."""

    overlap: str = Overlap.SKIP
    concurrency_group: str = ""
    timeout: timedelta | None = None
    expires_after: timedelta | None = None
    max_attempts: int = 1
    min_backoff: timedelta = timedelta(seconds=10)
    max_backoff: timedelta = timedelta(seconds=300)
    max_doublings: int = 3
    max_age: timedelta | None = None
    on_worker_lost: str = OnWorkerLost.FAIL
    pause_after_failures: int | None = None
    catch_up: str = CatchUp.LATEST
    grace: timedelta | None = None
    keep_last: int | None = None
    keep_for: timedelta | None = None
    log_level: str = "INFO"


# --- in words -----------------------------------------------------------------------------------------------------


def in_words(limits: Limits) -> dict[str, str]:
    """Return what *limits* mean, a sentence or two for each group."""
    return {
        "overlap": _overlap(limits),
        "time": _time(limits),
        "retries": _retries(limits),
        "late": _late(limits),
        "history": _history(limits),
    }


def _overlap(limits: Limits) -> str:
    texts = {
        Overlap.SKIP: _("Skips a run while another one is open."),
        Overlap.QUEUE_ONE: _("Lets one run wait while another one is open, and skips further ones."),
        Overlap.QUEUE_ALL: _("Lets all runs wait for one another, one at a time."),
        Overlap.CANCEL_RUNNING: _("Stops the run that is open, and starts the new one when it has ended."),
        Overlap.ALLOW: _("Runs side by side, any number of them."),
    }
    text = texts.get(Overlap(limits.overlap), "") if limits.overlap in set(Overlap) else ""
    if limits.concurrency_group:
        group = _("Never runs beside other tasks of the group “%(group)s”.") % {"group": limits.concurrency_group}
        text = f"{text} {group}"
    return text


def _time(limits: Limits) -> str:
    if limits.timeout is None:
        text = _("Runs for as long as it takes.")
    else:
        text = _("Stops after %(duration)s.") % {"duration": whole_duration_text(limits.timeout)}
    if limits.expires_after is not None:
        waits = _("Gives up when it has waited %(duration)s for a worker.")
        text = f"{text} {waits % {'duration': whole_duration_text(limits.expires_after)}}"
    return text


def _retries(limits: Limits) -> str:
    tries = _("Tries once")
    if limits.max_attempts > 1:
        over, count = _all_waits(limits), limits.max_attempts
        text = ngettext(
            "Tries %(count)s time over about %(duration)s", "Tries %(count)s times over about %(duration)s", count
        )
        if limits.max_age is not None and limits.max_age < over:
            over = limits.max_age
            text = ngettext(
                "Tries up to %(count)s time within %(duration)s",
                "Tries up to %(count)s times within %(duration)s",
                count,
            )
        tries = text % {"count": say_number(count), "duration": whole_duration_text(over)}
    if limits.pause_after_failures:
        count = limits.pause_after_failures
        text = ngettext(
            "%(tries)s, then pauses after %(count)s failure",
            "%(tries)s, then pauses after %(count)s failures",
            count,
        )
        tries = text % {"tries": tries, "count": say_number(count)}
    lost = _("If its worker is lost, it has failed.")
    if limits.on_worker_lost == OnWorkerLost.RETRY:
        lost = _("If its worker is lost, it is tried again.")
    return f"{tries}. {lost}"


def _all_waits(limits: Limits) -> timedelta:
    """Return how long it waits between its attempts, all together."""
    least, most, doublings = limits.min_backoff, limits.max_backoff, limits.max_doublings
    waits = (
        retry_wait(attempt, least=least, most=most, doublings=doublings) for attempt in range(1, limits.max_attempts)
    )
    return sum(waits, timedelta(0))


def _late(limits: Limits) -> str:
    on_time = get_settings().ON_TIME
    newest = _("Starts the newest of those that were due while no scheduler ran")
    if limits.catch_up == CatchUp.NONE:
        limit = on_time if limits.grace is None else min(on_time, limits.grace)
        text = _(
            "Starts none of those that were due while no scheduler ran: what is found over %(limit)s late is missed."
        )
        return text % {"limit": whole_duration_text(limit)}
    texts = {CatchUp.LATEST: newest, CatchUp.ALL: _("Starts all that were due while no scheduler ran, oldest first")}
    text = texts.get(CatchUp(limits.catch_up), "") if limits.catch_up in set(CatchUp) else ""
    if limits.catch_up == CatchUp.ALL and limits.overlap == Overlap.CANCEL_RUNNING:
        text = newest
    if not text:
        return ""
    if limits.grace is not None:
        late = _("%(starts)s, up to %(duration)s late.")
        return late % {"starts": text, "duration": whole_duration_text(limits.grace)}
    if text == newest:
        return _("%(starts)s, until the next one is due.") % {"starts": text}
    return _("%(starts)s, at most the %(count)s newest.") % {"starts": text, "count": say_number(MOST_CAUGHT_UP)}


def _history(limits: Limits) -> str:
    settings = get_settings()
    count = limits.keep_last if limits.keep_last is not None else settings.KEEP_LAST
    keep_for = limits.keep_for if limits.keep_for is not None else settings.KEEP_FOR
    text = ngettext("Keeps the last %(count)s run", "Keeps the last %(count)s runs", count)
    values = {
        "runs": text % {"count": say_number(count)},
        "duration": whole_duration_text(keep_for),
        "level": limits.log_level,
    }
    return _("%(runs)s for %(duration)s at most, and of their logs the lines from %(level)s on.") % values


# --- on the form --------------------------------------------------------------------------------------------------


def describe_fields(form: forms.BaseForm) -> None:
    """Give the fields of *form* their help, with the default."""
    for name, text in HELP.items():
        if name in form.fields:
            form.fields[name].help_text = f"{text} {_default(form, name)}"


def _default(form: forms.BaseForm, name: str) -> str:
    field: Any = ScheduledTask._meta.get_field(name)
    value: Any = field.get_default()
    settings = {"keep_last": get_settings().KEEP_LAST, "keep_for": get_settings().KEEP_FOR}
    value = settings.get(name, value) if value is None else value
    if value in (None, ""):
        return str(_("Default: none."))
    choices: Any = getattr(form.fields[name], "choices", ())
    text = dict(choices).get(value) or (whole_duration_text(value) if isinstance(value, timedelta) else shown(value))
    return _("Default: %(value)s.") % {"value": text}


def limits_from(given: Mapping[str, Any]) -> Limits:
    """Return the limits that the inputs of a form say; what is no value counts as the default."""
    found: dict[str, Any] = {}
    for item in fields(Limits):
        column: Any = ScheduledTask._meta.get_field(item.name)
        is_duration = column.get_internal_type() == "DurationField"
        try:
            if is_duration:
                value = DurationField(required=False).clean([given.get(f"{item.name}_{part}", "") for part in (0, 1)])
            elif item.name in _NUMBERS:
                value = forms.IntegerField(required=False, min_value=0, max_value=_MOST).clean(given.get(item.name, ""))
            else:
                value = str(given.get(item.name, ""))
        except ValidationError:
            continue
        if value not in (None, "") or item.default is None:
            found[item.name] = value
    return Limits(**found)


_NUMBERS = frozenset({"max_attempts", "max_doublings", "pause_after_failures", "keep_last"})
_MOST = 32_767


def render_limits(given: Mapping[str, Any], stored: ScheduledTask | None = None) -> SafeString:
    """Return the limits of the form's inputs in words, and what a downtime that begins now would do.

    Args:
        given: The inputs; those about when the task is due among them.
        stored: The task that is changed.
    """
    limits = limits_from(given)
    said = in_words(limits)
    hour = hour_without_scheduler(given, stored, catch_up=limits.catch_up, overlap=limits.overlap, grace=limits.grace)
    said["late"] = f"{said['late']} {hour}"
    return format_html_join(
        "", "<p><strong>{}:</strong> {}</p>", ((GROUPS[key][0], text) for key, text in said.items())
    )


class LimitsWidget(forms.Widget):
    """Shows the limits in words; the preview of the schedule brings new ones when the form changes."""

    use_fieldset = True

    def __init__(self, form: forms.BaseForm) -> None:
        super().__init__()
        self.form = form

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return them."""
        del name, value, attrs, renderer
        given = self.form.data if self.form.is_bound else inputs_of(self.form) | dict(self._shown())
        box = '<div id="dst-limits" class="dst-preview" role="status">{}</div>'
        return format_html(box, render_limits(given, stored_of(self.form)))

    def _shown(self) -> Iterator[tuple[str, Any]]:
        """Yield what the inputs of an unbound form show."""
        for item in fields(Limits):
            if item.name not in self.form.fields:
                continue
            value = self.form[item.name].value()
            field: Any = self.form.fields[item.name]
            if isinstance(field, DurationField):
                number, unit = DurationInput().decompress(value)
                yield f"{item.name}_0", number
                yield f"{item.name}_1", unit
            else:
                yield item.name, value
