"""One row of the page *Alerts*, and what is read for all rows of a page at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.admin import AdminSite
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.alerts.told import told_cell
from django_scheduled_tasks.admin.alerts.words import in_a_row, joined, kind_pill, place
from django_scheduled_tasks.admin.ui.html import execution_name, first_line, link, near, near_text, page_url
from django_scheduled_tasks.admin.ui.humanize import duration_text, short_duration_text
from django_scheduled_tasks.alerting import Event, Kind
from django_scheduled_tasks.models import Alert, Execution, Notice, write_alias
from django_scheduled_tasks.services.alerts import wording
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules
from django_scheduled_tasks.services.alerts.visible import may_see
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, VIEW_EXECUTION, VIEW_LOGS, Caller, may
from django_scheduled_tasks.services.queries import overview

CELLS = ("kind", "about", "since", "said", "told", "acts")
_COMMANDS = {Kind.NO_SCHEDULER: "python manage.py runscheduler", Kind.NO_WORKER: "python manage.py qcluster"}
_NOT_READ = ("result", "traceback", "params", "secret_params", "error_message", "reason", "progress_message")


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """What all rows of a page have in common."""

    site: AdminSite
    user: Caller
    now: datetime
    back: str = ""
    """The query string that leads back to the page as it is."""
    executions: Mapping[int, Execution] = field(default_factory=dict)
    """Those that alerts are about, if the user may see them."""
    notices: Mapping[int, Sequence[Notice]] = field(default_factory=dict)
    """By alert."""
    rules: Rules = field(default_factory=Rules)
    """All, if of an alert nobody was told."""
    usual: Mapping[UUID, timedelta | None] = field(default_factory=dict)
    """How long tasks usually take of which one runs for too long."""


def read_context(
    alerts: Sequence[Alert], *, site: AdminSite, user: Caller, now: datetime, back: str = ""
) -> RowContext:
    """Return what the rows of *alerts* show beside their own columns: five statements, however many they are."""
    notices: dict[int, list[Notice]] = {alert.pk: [] for alert in alerts}
    rows = Notice.objects.using(write_alias()).filter(alert__in=list(notices)).exclude(event=str(Event.CLOSED))
    for notice in rows.select_related("channel").order_by("pk") if alerts else ():
        notices[notice.alert_id].append(notice)
    executions: dict[int, Execution] = {}
    if may(user, VIEW_EXECUTION):
        about = {number for alert in alerts for number in (alert.latest_execution, alert.closing_execution) if number}
        found = Execution.objects.using(write_alias()).filter(pk__in=about).defer(*_NOT_READ)
        executions = {row.pk: row for row in found.annotate(error_line=overview.error_line())} if about else {}
    long = [alert.task_id for alert in alerts if alert.kind == Kind.TOO_LONG and alert.is_open and alert.task_id]
    usual = overview.usual_durations(long) if long else {}
    rules = read_rules() if any(alert.is_open and not notices[alert.pk] for alert in alerts) else Rules()
    return RowContext(
        site=site, user=user, now=now, back=back, executions=executions, notices=notices, rules=rules, usual=usual
    )


@dataclass(frozen=True)
class AlertRow:
    """One alert as the page draws it; nothing here asks the database."""

    alert: Alert
    context: RowContext

    def cells(self) -> list[tuple[str, SafeString]]:
        """Return the ids and the contents of all cells."""
        return [(self.cell_id(name), self.cell(name)) for name in CELLS]

    def cell_id(self, name: str) -> str:
        """Return the id of a cell, by which the live view finds it."""
        return f"dst-alert-{self.alert.pk}-{name}"

    def cell(self, name: str) -> SafeString:
        """Return the content of a cell."""
        if not self.alert.is_open and name in {"told", "acts"}:
            return SafeString("")
        found: SafeString = getattr(self, name)()
        return found

    def signature(self) -> tuple[object, ...]:
        """Return what the row depends on, apart from the time."""
        alert = self.alert
        notices = [(one.sent_at, one.next_try_at, one.answer) for one in self.context.notices.get(alert.pk, ())]
        known = (alert.acknowledged_at, alert.silenced_until, alert.comment, alert.silence_reason)
        return (alert.open_key, alert.count, *known, *notices)

    @property
    def is_silent(self) -> bool:
        """Whether nobody is told of it for a while."""
        until = self.alert.silenced_until
        return until is not None and until > self.context.now

    @property
    def may_know(self) -> bool:
        """Whether the user may acknowledge and silence it."""
        user, alert = self.context.user, self.alert
        return alert.is_open and may(user, CHANGE_ALERT, alert) and may_see(user, alert)

    @property
    def may_acknowledge(self) -> bool:
        """Whether it waits for that."""
        return self.may_know and self.alert.acknowledged_at is None and not self.is_silent

    # --- cells

    @property
    def ids(self) -> dict[str, str]:
        """The ids of all cells by their names."""
        return {name: self.cell_id(name) for name in CELLS}

    def kind(self) -> SafeString:
        """Return the kind, a link to the page of the alert."""
        return kind_pill(self.alert, page_url(self.context.site, "alert_change", self.alert.pk))

    def about(self) -> SafeString:
        """Return the task or the place."""
        return place(self.alert, self.context.site)

    def since(self) -> SafeString:
        """Return since when and for how long; of a closed one, from when to when."""
        alert, now = self.alert, self.context.now
        if alert.closed_at is None:
            return _with_sub(near(alert.opened_at, now), short_duration_text(now - alert.opened_at))
        end = near(alert.closed_at, now)
        if near_text(alert.closed_at, now)[:-5] == near_text(alert.opened_at, now)[:-5]:  # the same day is said once
            end = format_html("{}", near_text(alert.closed_at, now)[-5:])
        both = format_html("{} – {}", near(alert.opened_at, now), end)
        return _with_sub(both, short_duration_text(alert.closed_at - alert.opened_at))

    def said(self) -> SafeString:
        """Return what is wrong, how often and where; or how it ended."""
        if not self.alert.is_open:
            return format_html("{}", self._ended())
        return _with_sub(self._wrong(), joined([self._how_often(), self._known(), self._cure()]))

    def told(self) -> SafeString:
        """Return who was told, and when."""
        return told_cell(self.alert, self.context.notices.get(self.alert.pk, ()), self.context.now, self.context.rules)

    def _button(self, look: str, page: str, named: str, label: str) -> SafeString:
        """Return a button of the list's form; *named* also says of which alert."""
        return format_html(
            '<button type="submit" class="{}" formaction="{}{}" aria-label="{}">{}</button>',
            look,
            page_url(self.context.site, page, self.alert.pk),
            self.context.back,
            named,
            label,
        )

    def acts(self) -> SafeString:
        """Return the buttons for who may use them."""
        alert, site = self.alert, self.context.site
        if not self.may_know:
            return SafeString("")
        found = []
        name = f"{wording.kind_name(alert.kind)}, {wording.where(alert)}"
        back = self.context.back
        if self.may_acknowledge:
            named = _("Acknowledge: %(alert)s") % {"alert": name}
            found.append(self._button("dst-button", "alert_acknowledge", named, _("Acknowledge")))
        if self.is_silent:
            named = _("End silence: %(alert)s") % {"alert": name}
            found.append(self._button("dst-door dst-link", "alert_end_silence", named, _("End silence")))
        else:
            found.append(
                format_html(
                    '<a class="dst-door" href="{}{}" aria-label="{}">{}</a>',
                    page_url(site, "alert_silence", alert.pk),
                    back,
                    _("Silence: %(alert)s") % {"alert": name},
                    _("Silence…"),
                )
            )
        return joined(found, " ")

    # --- parts of the sentence

    def _wrong(self) -> SafeString | str:
        alert, context = self.alert, self.context
        row = context.executions.get(alert.latest_execution or 0)
        if row is not None and alert.kind in {Kind.FAILING, Kind.MISSED}:
            line = first_line(row, sees_logs=may(context.user, VIEW_LOGS, row))
            if alert.kind == Kind.MISSED and row.scheduled_for is not None:
                due = near_text(row.scheduled_for, context.now)
                return _("Due %(instant)s. %(reason)s") % {"instant": due, "reason": line}
            return line or wording.sentence(alert)
        if row is not None and alert.kind == Kind.TOO_LONG and row.started_at is not None:
            return self._too_long(row.started_at)
        text = wording.sentence(alert)
        return text if alert.task_name else format_html("<strong>{}</strong>", text)

    def _too_long(self, began: datetime) -> str:
        alert = self.alert
        values = {
            "duration": duration_text(self.context.now - began),
            "limit": duration_text(alert.limit) if alert.limit is not None else "—",
        }
        usual = self.context.usual.get(alert.task_id) if alert.task_id is not None else None
        if usual is None:
            return _("Runs for %(duration)s; alert at %(limit)s.") % values
        values["usual"] = duration_text(usual)
        return _("Runs for %(duration)s; usually %(usual)s, alert at %(limit)s.") % values

    def _how_often(self) -> SafeString:
        alert = self.alert
        first, latest = alert.first_execution, alert.latest_execution
        if latest is None:
            return SafeString("")
        if first is None or first == latest:
            links = self._execution(latest, execution_name(latest))
        elif alert.count > 2:  # noqa: PLR2004  (others are between them)
            links = format_html("{} … {}", self._execution(first), self._execution(latest))
        else:
            links = format_html("{}, {}", self._execution(first), self._execution(latest))
        often = in_a_row(alert.count) if alert.kind in {Kind.FAILING, Kind.MISSED} else ""
        return joined([often, links])

    def _execution(self, number: int, text: str = "") -> SafeString:
        url = page_url(self.context.site, "execution_change", number)
        return link(url if may(self.context.user, VIEW_EXECUTION) else "", text or f"#{number}")

    def _known(self) -> str:
        alert, now = self.alert, self.context.now
        parts = []
        if alert.acknowledged_at is not None:
            values = {"user": alert.acknowledged_by, "instant": near_text(alert.acknowledged_at, now)}
            by = _("acknowledged by %(user)s, %(instant)s") if alert.acknowledged_by else _("acknowledged %(instant)s")
            parts.append(by % values + (f": “{alert.comment}”" if alert.comment else ""))
        if self.is_silent and alert.silenced_until is not None:
            parts.append(_("Silent until %(instant)s") % {"instant": near_text(alert.silenced_until, now)})
            parts += [f"“{alert.silence_reason}”"] if alert.silence_reason else []
        return " · ".join(parts)

    def _cure(self) -> SafeString:
        command = _COMMANDS.get(Kind(self.alert.kind), "")
        if command and self.alert.queue:
            command = f"Q_CLUSTER_NAME={self.alert.queue} {command}"
        return format_html("<code>{}</code>", command) if command else SafeString("")

    def _ended(self) -> SafeString:
        alert = self.alert
        number = alert.closing_execution
        parts: list[SafeString | str] = []
        if alert.closed_by_hand:
            by = _("Closed by %(user)s.") % {"user": alert.closed_by} if alert.closed_by else _("Closed by hand.")
            parts.append(f"{by} “{alert.comment}”" if alert.comment else by)
        elif number is not None:
            shown = self._execution(number, execution_name(number))
            parts.append(format_html(_("{execution} completed."), execution=shown))
        else:
            parts.append(wording.how_it_ended(alert))
        if alert.kind == Kind.FAILING and not alert.closed_by_hand:
            failures = ngettext("%(count)s failure.", "%(count)s failures.", alert.count)
            parts.append(failures % {"count": alert.count})
        if alert.acknowledged_by is not None and not alert.closed_by_hand:
            parts.append(_("Acknowledged by %(user)s.") % {"user": alert.acknowledged_by})
        return joined(parts, " ")


def _with_sub(first: SafeString | str, second: SafeString | str) -> SafeString:
    sub = format_html('<span class="dst-sub">{}</span>', second) if second else ""
    return format_html("{}{}", first, sub)
